"""
An IMS with its gateway, for tests of what UEs can do in it.
"""

import json
import socket
import tempfile
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.peers.calls import FORGETTING
from tests.peers.deadline import until
from tests.peers.gateway import Gateway
from tests.peers.ims import PCSCF, SCSCF
from tests.peers.imsue import IMSUE
from tests.peers.kamailio import node
from tests.peers.ng import NG
from tests.peers.siptelephone import SIPTelephone

#: What a UE that has all of TS 24.229 writes.
SIGNALLING = "ipsec-3gpp;alg=hmac-sha-1-96;spi-c=1111;spi-s=2222;port-c=5062;port-s=5063"
MEDIA = ("sdes-srtp", "msrp-tls", "bfcp-tls", "udptl-dtls")
ALL = ", ".join(f"{token};mediasec" for token in MEDIA)
CLIENT = f"Security-Client: {SIGNALLING}, {ALL}"
#: The routes that every gateway of the tests does not have.
STREAMS = """
[[route]]
access = "msrp"
core = "msrp"

[[route]]
access = "bfcp"
core = "bfcp"

"""


class IMSTestCase(SynchronousTestCase):
    """
    An IMS with its gateway.
    """

    def setUp(self) -> None:
        """
        Start all three, and listen for events.
        """
        directory = tempfile.TemporaryDirectory(prefix="e2aegw-")
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        self.events = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(self.events.close)
        self.events.bind(("127.0.0.1", 0))
        self.events.settimeout(5)
        receiver = f'[events]\nudp = "127.0.0.1:{self.events.getsockname()[1]}"\n'
        self.gateway = Gateway(self.directory / "gateway", STREAMS + receiver)
        self.addCleanup(self.gateway.end)
        self.ng = NG(self.gateway.ngPort)
        self.addCleanup(self.ng.close)
        self.scscf = SCSCF(self.directory / "scscf")
        self.addCleanup(self.scscf.end)
        self.pcscf = PCSCF(self.directory / "pcscf", node(self.gateway.ngPort), self.scscf)
        self.addCleanup(self.pcscf.end)
        self.addCleanup(self.checkScript)

    def checkScript(self) -> None:
        """
        Nothing in the script went wrong.
        """
        self.assertNotIn(" ERROR: ", self.pcscf.output())

    def event(self, name: str) -> dict[str, Any]:
        """
        Wait for an event.
        """
        while True:
            event: dict[str, Any] = json.loads(self.events.recv(65536))
            if event["event"] == name:
                return event

    def terminated(self, callID: str) -> str:
        """
        What the gateway knows a call by that a UE has got.
        """
        [known] = [each for each in self.ng.command("list")["calls"] if each.startswith(f"{callID};t")]
        return str(known)

    def checkForgotten(self) -> None:
        """
        Check that the gateway knows of no call any more.
        """
        until(lambda: self.ng.command("list")["calls"] == [], "the call is forgotten", FORGETTING)

    def ue(self, user: str, *headers: str, transport: str = "UDP", expires: int = 600) -> IMSUE:
        """
        One that is registered.
        """
        port = self.pcscf.tlsPort if transport == "TLS" else self.pcscf.sipPort
        ue = IMSUE(port, user, self.scscf.domain, transport)
        self.addCleanup(ue.close)
        ue.register(*headers, expires=expires)
        return ue

    def phone(self, user: str = "phone") -> SIPTelephone:
        """
        A telephone in the core.
        """
        phone = SIPTelephone(self.scscf.sipPort, user)
        self.addCleanup(phone.close)
        phone.register()
        return phone
