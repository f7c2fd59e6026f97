"""
The manual's switchboard: a Twisted application with SIP and the gateway inside,
and two baresips that call each other through it.
"""

import sys
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.page import literal
from tests.peers import baresip
from tests.peers.baresip import Baresip
from tests.peers.deadline import until
from tests.peers.machine import Machine, Network
from tests.peers.peers import BARESIP, NAMESPACES, needs
from tests.peers.ports import freePort, freeRange
from tests.peers.process import Process
from tests.peers.sound import Sound
from tests.test_examples import EXAMPLES, writeConfig

#: What the two telephones say, in hertz; how far off it may be heard; the least
#: loudness that counts, of 32768.
ANN, BEN = 440, 880
TOLERANCE = 25
AUDIBLE = 1000.0
#: Octets of a recording that make a conversation: a second's.
CONVERSATION = 16000


@needs(BARESIP, NAMESPACES)
class SwitchboardTests(SynchronousTestCase):
    """
    Ann protects her media, and Ben does not.
    """

    def setUp(self) -> None:
        """
        A folder for files.
        """
        directory = tempfile.TemporaryDirectory(prefix="e2aegw-")
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)

    def start(self, *options: str) -> None:
        """
        Start the switchboard and the telephones.
        """
        port = freePort()
        command = [sys.executable, str(EXAMPLES / "switchboard" / "switchboard.py")]
        command += ["--sip", str(port), "--secured", "ann", *options]
        self.application = Process("switchboard", command, self.directory)
        self.addCleanup(self.application.end)
        self.telephones(port)

    def telephones(self, port: int) -> None:
        """
        Start them once the switchboard runs.
        """
        until(lambda: "SIPStack starting" in self.application.output(), "the switchboard runs")
        domain = f"127.0.0.1:{port}"
        self.ann = Baresip(self.directory / "ann", domain, "ann", ANN, baresip.SDES)
        self.addCleanup(self.ann.end)
        self.ben = Baresip(self.directory / "ben", domain, "ben", BEN)
        self.addCleanup(self.ben.end)

    def converse(self, caller: Baresip, called: Baresip) -> None:
        """
        One calls the other, both talk, and the caller hangs up.
        """
        caller.call(called.uri)
        until(lambda: caller.happened("CALL_ESTABLISHED") == 1, "the call is established")
        until(lambda: min(caller.recorded(), called.recorded()) > CONVERSATION, "both have heard a second")
        caller.hangUp()
        until(lambda: called.happened("CALL_CLOSED") == 1, "the called one hears of the end")
        for phone, tone in ((self.ann, BEN), (self.ben, ANN)):
            sound: Sound = phone.heard()
            self.assertAlmostEqual(sound.hertz, tone, delta=TOLERANCE)
            self.assertGreater(sound.rms, AUDIBLE)
        self.assertNotIn("Traceback", self.application.output())

    def test_protectedCalls(self) -> None:
        """
        Ann calls Ben, with a gateway made of values, by the manual's command.
        """
        self.addCleanup(Network().end)
        [command] = literal("docs/embed.rst")
        self.application = Machine(self.directory).start("switchboard", command)
        self.addCleanup(self.application.end)
        self.telephones(5060)
        self.converse(self.ann, self.ben)

    def test_protectedIsCalled(self) -> None:
        """
        Ben calls Ann, with a gateway from a file, on asyncio's event loop.
        """
        config = self.directory / "gateway.toml"
        writeConfig(config, freePort())
        self.start("--config", str(config), "--asyncio")
        self.converse(self.ben, self.ann)

    def test_nobodyThere(self) -> None:
        """
        A call to somebody who is not registered is refused, and so is the
        next: nothing is left of the first.
        """
        self.start("--ports", str(freeRange(400)))
        for count in (1, 2):
            self.ann.call(self.ben.uri.replace("ben", "eve"))
            until(lambda count=count: self.ann.happened("CALL_CLOSED") == count, "it is refused")  # type: ignore[misc]
        self.assertNotIn("Traceback", self.application.output())
