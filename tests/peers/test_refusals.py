"""
What a UE that registered, or did not, is refused: with an event, and without a
word in the clear.
"""

import re
import socket
import struct
from functools import partial

from tests.peers.deadline import until
from tests.peers.imscase import MEDIA, SIGNALLING, IMSTestCase
from tests.peers.peers import KAMAILIO, KAMAILIO_TLS, OPENSSL, TSHARK, needs
from tests.peers.ports import freePort
from tests.peers.siptelephone import SIPTelephone
from tests.peers.streamcase import HOST, REQUESTED, StreamTestCase, portOf
from tests.peers.tlsends import OpenSSL, Pipe, move, store
from tests.transport.tlspeer import OTHERS, THEIRS, fingerprintOf

#: What nobody is to hear of a connection that must not be.
SECRET = b"nobody is to read this"
#: Nothing that a UE understands.
ANCIENT = ("-tls1_1", "-cipher", "ALL:@SECLEVEL=0")
_HEAD = ("v=0", f"o=- 1 1 IN IP4 {HOST}", "s=-", f"c=IN IP4 {HOST}", "t=0 0")
_FINGERPRINT = f"a=fingerprint:{fingerprintOf(THEIRS)}"

#: By what a UE announces: a line of it, protected and plain, and what else
#: stands there.
LINES = {
    "msrp-tls": (
        "message 9 TCP/TLS/MSRP *",
        "message 9 TCP/MSRP *",
        ("a=accept-types:*", f"a=path:msrps://{HOST}:9/abcdefgh12;tcp"),
    ),
    "bfcp-tls": (
        "application 9 TCP/TLS/BFCP *",
        "application 9 TCP/BFCP *",
        ("a=floorctrl:c-s", "a=bfcpver:1", "a=connection:new"),
    ),
    "udptl-dtls": ("image 9000 UDP/TLS/UDPTL t38", "image 9000 udptl t38", ("a=T38FaxVersion:0",)),
}


def describe(line: str, *more: str) -> str:
    """
    A description of one line.
    """
    return "\r\n".join([*_HEAD, f"m={line}", *more, ""])


@needs(KAMAILIO, KAMAILIO_TLS)
class AgreementTests(IMSTestCase):
    """
    UEs that ask for what was not agreed on with them, or not any more.
    """

    def assertRefused(self, ue: SIPTelephone, phone: SIPTelephone, token: str) -> None:
        """
        A call of the UE with a line that asks gets port 0, on either side.
        """
        secured, plain, more = LINES[token]
        offer = describe(secured, *more, "a=setup:actpass", _FINGERPRINT, REQUESTED)
        callID = ue.invite(phone.uri, offer)
        there = phone.called(describe(plain, *more, "a=setup:passive"))
        back = ue.answered()
        self.assertEqual((portOf(there), portOf(back)), (0, 0), token)
        refused = self.event("LineRefused")
        self.assertEqual((refused["call-id"], refused["line"], refused["side"]), (f"{callID};o", 0, "access"))
        self.assertIn("not agreed on at registration", refused["reason"])
        ue.hangUp()
        phone.hungUp()
        ue.over()
        self.checkForgotten()

    def test_R_07_notAgreed(self) -> None:
        """
        A UE that announced all but one, and asks for that one.
        """
        phone = self.phone()
        for token in LINES:
            others = ", ".join(f"{each};mediasec" for each in MEDIA if each != token)
            ue = self.ue(f"without-{token}", f"Security-Client: {SIGNALLING}, {others}")
            self.assertRefused(ue, phone, token)

    def test_R_05_expired(self) -> None:
        """
        A UE whose registration is over.
        """
        phone = self.phone()
        everything = ", ".join(f"{each};mediasec" for each in MEDIA)
        ue = self.ue("ue", f"Security-Client: {everything}", expires=1)
        where = f"udp:127.0.0.1:{ue.port}"
        until(lambda: not self.pcscf.has("e2ae", where), "the registration expires")
        for token in LINES:
            self.assertRefused(ue, phone, token)

    def test_R_07_answeredInTheClear(self) -> None:
        """
        A UE that is offered protection and answers without gets nothing.
        """
        phone = self.phone()
        everything = ", ".join(f"{each};mediasec" for each in MEDIA)
        ue = self.ue("ue", f"Security-Client: {everything}")
        for token, (secured, plain, more) in LINES.items():
            phone.invite(ue.uri, describe(plain, *more, "a=setup:actpass"))
            there = ue.called(describe(plain, *more, "a=setup:active"))
            self.assertIn(f" {secured.split()[2]} ", there, token)
            self.assertEqual(portOf(phone.answered()), 0, token)
            self.assertTrue(self.event("LineRefused")["reason"], token)
            phone.hangUp()
            ue.hungUp()
            phone.over()
            self.checkForgotten()


class HandshakeTestCase(StreamTestCase):
    """
    Calls that come about, and connections that must not.
    """

    def setUp(self) -> None:
        """
        Have another certificate, and watch the wire.
        """
        super().setUp()
        self.other = store(OTHERS, self.directory / "other.pem")
        self.waiting = freePort()

    def assertFailed(self, peer: OpenSSL, reason: str) -> None:
        """
        A connection of the UE's comes to nothing: it reads nothing, and a
        controller is told why.
        """
        move([peer.pipe], partial(getattr, peer.pipe, "closed"))
        self.assertEqual(peer.pipe.received, b"", reason)
        failed = self.event("HandshakeFailed")
        told = failed["call-id"], failed["side"], failed["line"], failed["protocol"], failed["reason"]
        self.assertEqual(told, (self.callID, "access", 0, "TLS", reason))
        if reason == "fingerprint mismatch":
            self.assertEqual(failed["expected"], fingerprintOf(THEIRS))
            self.assertEqual(failed["presented"], fingerprintOf(OTHERS))

    def assertNothingSaid(self) -> None:
        """
        Nothing of what the telephone said was on the wire.
        """
        self.hangUp()
        self.accessWire.end()
        octets = self.accessWire.octets()
        self.assertGreater(len(octets), 1000)
        self.assertNotIn(SECRET, octets)
        self.coreWire.end()
        self.assertIn(SECRET, self.coreWire.octets())

    def secret(self) -> bytes:
        """
        A message of the telephone's that has the secret in it.
        """
        raise NotImplementedError

    def talk(self) -> None:
        """
        The telephone talks to whoever may be there.
        """
        connection = self.taken() if self.connects else self.connected()
        connection.sendall(self.secret())

    def refuseClients(self) -> None:
        """
        The UE calls, and connects as it must not.
        """
        self.watch()
        self.originate("actpass")
        self.talk()
        self.assertFailed(self.client(shown=self.other), "fingerprint mismatch")
        log = self.directory / "none.log"
        nobody = OpenSSL.client(portOf(self.near), None, None, log)
        self.addCleanup(nobody.end)
        self.assertFailed(nobody, "no certificate")
        self.assertFailed(self.client(None, *ANCIENT), "no common version")
        with socket.create_connection((HOST, portOf(self.near)), 10) as plain:
            pipe = Pipe(plain.fileno(), plain.fileno(), None)
            pipe.send(b"MSRP a786hjs2 SEND\r\n")
            move([pipe], lambda: pipe.closed)
            self.assertEqual(pipe.received, b"")
        self.assertEqual(self.event("HandshakeFailed")["reason"], "not protected")
        self.assertNothingSaid()

    def refuseServer(self, reason: str, *more: str, other: bool = False) -> None:
        """
        The UE is called, and waits as it must not.
        """
        self.connects = False
        self.watch(self.waiting)
        server = self.server(self.waiting, None, *more, shown=self.other if other else None)
        self.terminate("passive", self.waiting)
        self.talk()
        self.assertFailed(server, reason)
        self.assertNothingSaid()


@needs(KAMAILIO, KAMAILIO_TLS, OPENSSL, TSHARK)
class MessageTests(HandshakeTestCase):
    """
    MSRP.
    """

    media, plain, secured = "message", "TCP/MSRP", "TCP/TLS/MSRP"

    def setUp(self) -> None:
        """
        Say where both are.
        """
        super().setUp()
        self.ueSays = ("a=accept-types:*", f"a=path:msrps://{HOST}:{self.waiting}/terminal12;tcp")
        self.path = f"msrp://{HOST}:{self.listening}/telephone12;tcp"
        self.telephoneSays = ("a=accept-types:*", f"a=path:{self.path}")

    def secret(self) -> bytes:
        """
        See L{HandshakeTestCase}.
        """
        (ours,) = re.findall(r"a=path:(\S+)", self.far)
        head = (
            f"MSRP d93kswow SEND\r\nTo-Path: {ours}\r\nFrom-Path: {self.path}\r\nMessage-ID: 12339sdq\r\n"
            f"Byte-Range: 1-{len(SECRET)}/{len(SECRET)}\r\nContent-Type: text/plain\r\n\r\n"
        )
        return head.encode() + SECRET + b"\r\n-------d93kswow$\r\n"

    def test_R_47_clients(self) -> None:
        """
        Another certificate, none, TLS 1.1, and nothing of TLS.
        """
        self.refuseClients()

    def test_R_47_server(self) -> None:
        """
        Another certificate, of a UE that waits.
        """
        self.refuseServer("fingerprint mismatch", other=True)

    def test_R_48_server(self) -> None:
        """
        TLS 1.1, of a UE that waits.
        """
        self.refuseServer("no common version", *ANCIENT)


@needs(KAMAILIO, KAMAILIO_TLS, OPENSSL, TSHARK)
class FloorTests(HandshakeTestCase):
    """
    BFCP.
    """

    media, plain, secured = "application", "TCP/BFCP", "TCP/TLS/BFCP"
    ueSays = ("a=floorctrl:c-only", "a=bfcpver:1", "a=connection:new")
    telephoneSays = ("a=floorctrl:s-only", "a=bfcpver:1", "a=connection:new")

    def secret(self) -> bytes:
        """
        See L{HandshakeTestCase}: a FloorStatus with a STATUS-INFO (RFC 8855
        clause 5.2.9).
        """
        attribute = bytes([9 << 1, 2 + len(SECRET)]) + SECRET
        attribute += bytes(-len(attribute) % 4)
        return struct.pack("!BBHIHH", 0x20, 8, len(attribute) // 4, 4321, 0, 1234) + attribute

    def test_R_47_clients(self) -> None:
        """
        Another certificate, none, TLS 1.1, and nothing of TLS.
        """
        self.refuseClients()

    def test_R_47_server(self) -> None:
        """
        Another certificate, of a UE that waits.
        """
        self.refuseServer("fingerprint mismatch", other=True)

    def test_R_48_server(self) -> None:
        """
        TLS 1.1, of a UE that waits.
        """
        self.refuseServer("no common version", *ANCIENT)
