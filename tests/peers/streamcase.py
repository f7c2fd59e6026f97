"""
A UE that registered and has a stream of messages with the core: what it says,
and what is on the wire.
"""

import re
import socket
from pathlib import Path
from typing import ClassVar

from tests.adapter.msrppeer import Endpoint
from tests.peers.capture import Capture
from tests.peers.imscase import CLIENT, IMSTestCase
from tests.peers.siptelephone import SIPTelephone
from tests.peers.tlsends import OpenSSL, store
from tests.transport.tlspeer import THEIRS, fingerprintOf

HOST = "127.0.0.1"
#: Where nobody is: of who connects, the port says nothing.
NOWHERE = 9
REQUESTED = "a=3ge2ae:requested"
_HEAD = ("v=0", f"o=- 1 1 IN IP4 {HOST}", "s=-", f"c=IN IP4 {HOST}", "t=0 0")


def describe(media: str, port: int, proto: str, *lines: str) -> str:
    """
    A description of one line.
    """
    return "\r\n".join([*_HEAD, f"m={media} {port} {proto} *", *lines, ""])


def portOf(sdp: str) -> int:
    """
    The port in it.
    """
    return int(re.findall(r"^m=\S+ (\d+)", sdp, re.MULTILINE)[0])


class StreamTestCase(IMSTestCase):
    """
    A UE that announced everything, and a telephone in the core.

    @ivar user, telephone: how they signal.
    @ivar listener: where the telephone waits.
    @ivar near: what the UE got of the telephone, and
    @ivar far: what the telephone got of the UE.
    @ivar parties: who called and who was called.
    @ivar accessWire, coreWire: what is on the wire.
    @ivar connects: whether it is the UE that connects, and else
    @ivar waiting: where it waits.
    """

    media: ClassVar[str]
    plain: ClassVar[str]
    secured: ClassVar[str]
    accessWire: Capture
    coreWire: Capture
    parties: tuple[SIPTelephone, SIPTelephone]
    connects = True
    waiting = NOWHERE
    #: What each of them says besides.
    ueSays: tuple[str, ...] = ()
    telephoneSays: tuple[str, ...] = ()

    def setUp(self) -> None:
        """
        Register both.
        """
        super().setUp()
        self.ours = store(THEIRS, self.directory / "ue.pem")
        self.user = self.ue("ue", CLIENT, transport="TCP")
        self.telephone = self.phone()
        self.listener = socket.create_server((HOST, 0))
        self.addCleanup(self.listener.close)
        self.listener.settimeout(10)
        self.listening: int = self.listener.getsockname()[1]

    def watch(self, waiting: int = NOWHERE) -> None:
        """
        Begin to write down what is on the wire, on either side.

        @param waiting: where the UE waits.
        """
        for name, ports, port in (
            ("access", self.gateway.access, waiting),
            ("core", self.gateway.core, self.listening),
        ):
            expression = f"tcp and (portrange {ports.start}-{ports.stop - 1} or port {port})"
            capture = Capture(self.directory, name, expression)
            self.addCleanup(capture.end)
            setattr(self, f"{name}Wire", capture)

    def ofUE(self, setup: str, port: int = NOWHERE, *more: str) -> str:
        """
        What the UE says of itself.
        """
        fingerprint = f"a=fingerprint:{fingerprintOf(THEIRS)}"
        lines = (*self.ueSays, f"a=setup:{setup}", fingerprint, *more)
        return describe(self.media, port, self.secured, *lines)

    def ofTelephone(self, setup: str) -> str:
        """
        What the telephone says of itself.
        """
        return describe(self.media, self.listening, self.plain, *self.telephoneSays, f"a=setup:{setup}")

    def originate(self, setup: str, port: int = NOWHERE, *, answer: str = "passive") -> None:
        """
        The UE calls.
        """
        callID = self.user.invite(self.telephone.uri, self.ofUE(setup, port, REQUESTED))
        self.callID, self.parties = f"{callID};o", (self.user, self.telephone)
        self.far = self.telephone.called(self.ofTelephone(answer))
        self.near = self.user.answered()
        self.assertAgreed()

    def terminate(self, setup: str, port: int = NOWHERE, *, offer: str = "actpass") -> None:
        """
        The UE is called.
        """
        callID = self.telephone.invite(self.user.uri, self.ofTelephone(offer))
        self.parties = (self.telephone, self.user)
        self.near = self.user.called(self.ofUE(setup, port))
        self.callID = self.terminated(callID)
        self.far = self.telephone.answered()
        self.assertAgreed()

    def assertAgreed(self) -> None:
        """
        The UE was told of protection, and the telephone of none.
        """
        self.assertIn(f" {self.secured} *\r\n", self.near)
        self.assertIn("a=3ge2ae:applied\r\n", self.near)
        self.assertIn("a=fingerprint:", self.near)
        self.assertIn(f" {self.plain} *\r\n", self.far)
        for word in ("TLS", "fingerprint", "3ge2ae", "tls-id"):
            self.assertNotIn(word, self.far)

    def hangUp(self) -> None:
        """
        The call ends.
        """
        caller, callee = self.parties
        caller.hangUp()
        callee.hungUp()
        caller.over()
        self.checkForgotten()

    def client(self, endpoint: Endpoint | None = None, *more: str, shown: Path | None = None) -> OpenSSL:
        """
        The UE connects, with its certificate.

        @param shown: the one that it shows instead.
        """
        log = self.directory / "openssl.log"
        peer = OpenSSL.client(portOf(self.near), shown or self.ours, endpoint, log, *more)
        self.addCleanup(peer.end)
        return peer

    def server(
        self, port: int, endpoint: Endpoint | None = None, *more: str, shown: Path | None = None
    ) -> OpenSSL:
        """
        The UE waits.
        """
        log = self.directory / "openssl.log"
        peer = OpenSSL.server(port, shown or self.ours, endpoint, log, *more)
        self.addCleanup(peer.end)
        return peer

    def taken(self) -> socket.socket:
        """
        The gateway connects to the telephone.
        """
        connection, _ = self.listener.accept()
        self.addCleanup(connection.close)
        return connection

    def connected(self) -> socket.socket:
        """
        The telephone connects to the gateway.
        """
        connection = socket.create_connection((HOST, portOf(self.far)), 10)
        self.addCleanup(connection.close)
        return connection

    def assertProtected(self, *secrets: bytes) -> None:
        """
        What was on the wire between the UE and the gateway is TLS, and has
        nothing of what was said; what was in the core has it.
        """
        for each in (self.accessWire, self.coreWire):
            each.end()
        access, core = self.accessWire.octets(), self.coreWire.octets()
        for secret in secrets:
            self.assertNotIn(secret, access)
        # Where a segment ends, it may be in two.
        self.assertGreaterEqual(sum(secret in core for secret in secrets), len(secrets) * 3 // 4)
        (port,) = {portOf(self.near)} if self.connects else {self.waiting}
        records = self.accessWire.decoded("tls.app_data", "tls.record.length", "-d", f"tcp.port=={port},tls")
        self.assertGreater(len(records), 2)
