"""
Calls between a browser and telephones that know plain RTP only, through
Kamailio and a media gateway: the stories, for any browser and media gateway.
"""

import tempfile
import time
from pathlib import Path
from typing import Any, ClassVar

from twisted.trial.unittest import SynchronousTestCase

from tests.peers import baresip, kamailio, peers
from tests.peers.baresip import Baresip
from tests.peers.browsers import Chromium, Firefox, Pages
from tests.peers.deadline import until
from tests.peers.kamailio import Kamailio
from tests.peers.media import MediaGateway
from tests.peers.ng import NG
from tests.peers.phone import BrowserPhone, Statistics
from tests.peers.sipp import Sipp

#: What the browser says, in hertz.  Telephones say something else.
BROWSER_TONE = 440
#: How far off a tone may be heard: a line of the browser's Fourier transform
#: and a step of L{tests.peers.sound}, and a bit.
TOLERANCE = 25.0
#: RTP packets each way that make a conversation: a second's.
CONVERSATION = 50
#: The least level of a tone that was heard, in dB.  Silence is below -100, and
#: the tones arrive above -30.
AUDIBLE = -50.0
#: The same for a recording, of 32768.
AUDIBLE_RMS = 1000.0
#: A stream from which nothing came for so long has stopped, in seconds; while
#: it runs there is a packet every 0.02.
SILENCE = 0.5
#: How long a finished call may still be known, in seconds.
FORGETTING = 2.0


class BrowserCase(SynchronousTestCase):
    """
    A test with a browser, a telephone, Kamailio and a media gateway.

    @cvar browserClass: the browser.
    @cvar mediaClass: what takes the media.
    @cvar toSecured: the flags of what goes to the browser.
    @cvar toPlain: the flags of what goes to telephones.
    """

    browserClass: ClassVar[type[Chromium] | type[Firefox]]
    mediaClass: ClassVar[type[MediaGateway]]
    toSecured: ClassVar[str] = kamailio.TO_SECURED
    toPlain: ClassVar[str] = kamailio.TO_PLAIN

    def setUp(self) -> None:
        """
        Start everybody.
        """
        directory = tempfile.TemporaryDirectory(prefix="e2aegw-")
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        pages = Pages(peers.PAGE)
        self.addCleanup(pages.end)
        self.media = self.mediaClass(self.directory)
        self.addCleanup(self.media.end)
        self.ng = NG(self.media.ngPort)
        self.addCleanup(self.ng.close)
        self.kamailio = Kamailio(
            self.directory, kamailio.node(self.media.ngPort), self.toSecured, self.toPlain
        )
        self.addCleanup(self.kamailio.end)
        self.baresip = Baresip(self.directory, self.kamailio.domain, "bob")
        self.addCleanup(self.baresip.end)
        browser = self.browserClass(self.directory, f"{pages.url}index.html")
        self.addCleanup(browser.end)
        self.phone = BrowserPhone(
            browser, self.kamailio.webSocketPort, f"sip:alice@{self.kamailio.domain}", BROWSER_TONE
        )

    def hears(self, tone: int) -> bool:
        """
        Whether the browser hears this, right now.
        """
        hertz, level = self.phone.hears()
        return level > AUDIBLE and abs(hertz - tone) < TOLERANCE

    def conversed(self, since: int, tone: int) -> Statistics | None:
        """
        The browser's statistics, if it said and heard enough since it had
        received so many packets.
        """
        now = self.phone.statistics()
        enough = now.received - since > CONVERSATION and now.sent > CONVERSATION and now.energy > 0
        return now if enough and self.hears(tone) else None

    def situation(self) -> str:
        """
        What helps to understand why there is no media.
        """
        calls = [self.ng.command("query", call_id=name) for name in self.ng.command("list")["calls"]]
        return (
            f"{self.phone.state()} {self.phone.log()} {self.phone.statistics()} {calls}"
            f"\n{self.baresip.output()[-2000:]}\n{self.kamailio.output()[-2000:]}"
        )

    def converse(self, tone: int, since: int = 0) -> Statistics:
        """
        Let them talk.

        @param tone: what the browser must hear.
        @param since: how many packets it had received before.

        @return: the browser's statistics.
        """
        statistics = until(
            lambda: self.conversed(since, tone), f"the browser hears {tone} Hz", explain=self.situation
        )
        self.assertEqual(self.phone.state(), "connected")
        self.assertEqual(statistics.dtls, "connected")
        return statistics

    def running(self) -> dict[str, Any]:
        """
        What the media gateway says of the only call.
        """
        calls = self.ng.command("list")["calls"]
        self.assertEqual(len(calls), 1, calls)
        return self.ng.command("query", call_id=calls[0])

    def checkOver(self) -> None:
        """
        Check that the telephone heard the browser, and that nobody knows of
        the call any more.
        """
        until(lambda: self.baresip.happened("CALL_CLOSED"), "the telephone has hung up")
        self.checkForgotten()
        heard = self.baresip.heard()
        self.assertGreater(heard.seconds, CONVERSATION * 0.02 * 0.9)
        self.assertGreater(heard.rms, AUDIBLE_RMS)
        self.assertAlmostEqual(heard.hertz, BROWSER_TONE, delta=TOLERANCE)

    def checkForgotten(self) -> None:
        """
        Check that the browser and the media gateway know of no call.
        """
        until(lambda: any(line.startswith("ended") for line in self.phone.log()), "the browser has hung up")
        until(lambda: self.ng.command("list")["calls"] == [], "the call is forgotten", FORGETTING)

    def checkSilence(self) -> int:
        """
        Check that the browser comes to receive nothing.

        @return: how many packets it has received.
        """
        received, at = -1, 0.0

        def silent() -> bool:
            nonlocal received, at
            before, received = received, self.phone.statistics().received
            if received != before:
                at = time.monotonic()
            return time.monotonic() - at > SILENCE

        until(silent, "nothing arrives at the browser")
        return received


class CallTests(BrowserCase):
    """
    The stories.
    """

    def test_browserCalls(self) -> None:
        """
        The browser calls a telephone, each hears the other, and the browser
        hangs up.
        """
        self.phone.call(self.baresip.uri)
        self.converse(baresip.TONE)
        totals = self.running()["totals"]["RTP"]
        self.assertGreater(totals["packets"], 2 * CONVERSATION)
        self.phone.hangUp()
        self.checkOver()

    def test_telephoneCalls(self) -> None:
        """
        A telephone calls the browser, each hears the other, and the telephone
        hangs up.
        """
        self.baresip.call(self.phone.uri)
        self.converse(baresip.TONE)
        self.running()
        self.baresip.hangUp()
        self.checkOver()
        self.assertIn("ended by remote Terminated", self.phone.log())

    def test_browserCallsEcho(self) -> None:
        """
        The browser calls sipp and hears itself.
        """
        sipp = Sipp.called(self.directory, self.kamailio.sippPort)
        self.addCleanup(sipp.end)
        self.phone.call(f"sip:sipp@{self.kamailio.domain}")
        self.converse(BROWSER_TONE)
        sipp.alive()
        self.phone.hangUp()
        self.assertEqual(sipp.wait(), 0)
        self.checkForgotten()

    def test_echoCalls(self) -> None:
        """
        sipp calls the browser, which hears itself.
        """
        sipp = Sipp.calling(self.directory, self.kamailio.domain, "alice")
        self.addCleanup(sipp.end)
        self.converse(BROWSER_TONE)
        sipp.alive()
        self.phone.hangUp()
        self.assertEqual(sipp.wait(), 0)
        self.checkForgotten()

    def test_browserIsDTLSServer(self) -> None:
        """
        The browser is the server of the DTLS handshake if the gateway is told
        to be active; the telephone hangs up.
        """
        self.phone.call(self.baresip.uri, "X-Answer-Flags: DTLS=active")
        statistics = self.converse(baresip.TONE)
        self.assertIn("a=setup:active\r\n", self.phone.remoteDescription())
        self.assertEqual(statistics.role, "server")
        self.baresip.hangUp()
        self.checkOver()

    def test_browserIsDTLSClient(self) -> None:
        """
        The browser is the client of the DTLS handshake if the gateway is told
        to be passive.
        """
        self.phone.call(self.baresip.uri, "X-Answer-Flags: DTLS=passive")
        statistics = self.converse(baresip.TONE)
        self.assertIn("a=setup:passive\r\n", self.phone.remoteDescription())
        self.assertEqual(statistics.role, "client")
        self.phone.hangUp()
        self.checkOver()

    def test_browserHolds(self) -> None:
        """
        The browser puts the call on hold, hears nothing, and resumes it.
        """
        self.phone.call(self.baresip.uri)
        self.converse(baresip.TONE)
        self.phone.hold()
        until(lambda: "hold by local" in self.phone.log(), "the call is on hold")
        received = self.checkSilence()
        self.phone.resume()
        until(lambda: "unhold by local" in self.phone.log(), "the call is resumed")
        self.converse(baresip.TONE, received)
        self.phone.hangUp()
        self.checkOver()

    def test_telephoneHolds(self) -> None:
        """
        The telephone puts the call on hold, the browser hears nothing, and
        the telephone resumes it.
        """
        self.baresip.call(self.phone.uri)
        self.converse(baresip.TONE)
        self.baresip.hold()
        until(lambda: "hold by remote" in self.phone.log(), "the call is on hold")
        received = self.checkSilence()
        self.baresip.resume()
        until(lambda: "unhold by remote" in self.phone.log(), "the call is resumed")
        self.converse(baresip.TONE, received)
        self.baresip.hangUp()
        self.checkOver()
