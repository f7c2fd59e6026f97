"""
Tests for L{e2aegw.transport.tls}.
"""

import datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from OpenSSL import SSL
from twisted.internet.interfaces import IConsumer, IPushProducer
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from e2aegw.errors import NegotiationError
from e2aegw.gateway.ports import PortPool
from e2aegw.interfaces import IMediaTransport
from e2aegw.sansio.certificate import Identity
from e2aegw.sansio.events import ConnectFailed, Event, HandshakeFailed, PathSettled, Secured
from e2aegw.sansio.sdp import Line, Section
from e2aegw.sansio.terms import Kind, Terms
from e2aegw.sansio.tls import Endpoint, Trust
from e2aegw.testing import MemoryNetwork
from e2aegw.transport.allowance import MAX_HANDSHAKES, PERIOD
from e2aegw.transport.stream import SETUP_TIMEOUT
from e2aegw.transport.tls import (
    HANDSHAKE_TIMEOUT,
    MAX_ATTEMPTS,
    MAX_HELD,
    ROLE_TIMEOUT,
    TLSTransport,
)
from tests.transport.connection import Connection, join
from tests.transport.test_stream import Speaker
from tests.transport.tlspeer import NOW, OTHERS, OURS, THEIRS, TLSPeer, fingerprintOf

OFFER, ANSWER = Terms(kind=Kind.OFFER), Terms(kind=Kind.ANSWER)
ENDPOINT = Endpoint(OURS)
PEER, STRANGER = "198.51.100.7", "203.0.113.99"


class FloorSpeaker(Speaker):
    """
    An adapter for a medium in which the answerer is the TLS server.
    """

    medium = "bfcp"


class TLSTestCase(SynchronousTestCase):
    """
    A transport on a reactor in memory.
    """

    trust: Trust | None = None

    def setUp(self) -> None:
        """
        Make it.
        """
        self.reactor: Any = MemoryReactorClock()
        self.pool = PortPool(MemoryNetwork(self.reactor), "192.0.2.1", 30000, 30003, streams=self.reactor)
        self.events: list[Event] = []
        self.transport = TLSTransport(self.reactor, self.pool, ENDPOINT, self.trust)
        self.transport.notify = self.events.append
        self.speaker = Speaker()
        self.transport.attach(self.speaker)

    def tearDown(self) -> None:
        """
        End it, and see that nothing is left.
        """
        self.transport.loseConnection()
        self.reactor.advance(60)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertEqual(self.pool.lent, 0)

    def section(self, setup: str | None, *prints: str, more: tuple[Line, ...] = ()) -> Section:
        """
        The remote party's.
        """
        lines = [Line("fingerprint", each) for each in prints or (fingerprintOf(THEIRS),)]
        if setup is not None:
            lines.append(Line("setup", setup))
        return Section("message", 2855, "TCP/TLS/MSRP", ("*",), address=PEER, lines=[*lines, *more])

    def offered(self, setup: str | None, *prints: str, more: tuple[Line, ...] = ()) -> dict[str, str | None]:
        """
        The remote party offers.

        @return: what we answer.
        """
        self.transport.configure(self.section(setup, *prints, more=more), OFFER)()
        return dict(self.transport.describe(ANSWER))

    def answered(self, setup: str | None, *prints: str, more: tuple[Line, ...] = ()) -> None:
        """
        The remote party answers.
        """
        self.transport.configure(self.section(setup, *prints, more=more), ANSWER)()

    def called(self, host: str = PEER) -> Connection:
        """
        Somebody connects.
        """
        factory = self.reactor.tcpServers[-1][1]
        connection = join(factory.buildProtocol(None), host)
        assert connection is not None
        return connection

    def connect(self) -> Connection:
        """
        Our attempt to connect succeeds.
        """
        self.reactor.advance(0)
        connection = join(self.reactor.tcpClients[-1][2].buildProtocol(None), PEER)
        assert connection is not None
        return connection

    def failures(self) -> list[HandshakeFailed]:
        """
        What failed.
        """
        return [event for event in self.events if isinstance(event, HandshakeFailed)]

    def assertSpeaks(self, peer: TLSPeer) -> None:
        """
        Bytes go both ways, and not in the clear.
        """
        self.assertTrue(self.transport.connected)
        self.transport.write(b"from us")
        self.assertNotIn(b"from us", peer.link.value() if peer.link else b"")
        peer.advance()
        peer.say(b"from them")
        self.assertEqual(peer.received[-7:], b"from us")
        self.assertEqual(self.speaker.received[-9:], b"from them")

    def assertNothingHeard(self) -> None:
        """
        The adapter did not hear of anybody.
        """
        self.assertEqual((self.speaker.life, self.speaker.received), ([], b""))
        self.assertFalse(self.transport.connected)


class RoleTests(TLSTestCase):
    """
    Who is the client.
    """

    def test_interfaces(self) -> None:
        """
        It is a transport, a producer and a consumer.
        """
        for interface in (IMediaTransport, IPushProducer, IConsumer):
            verifyObject(interface, self.transport)

    def test_R_46_passive(self) -> None:
        """
        Who is active connects, and is the TLS client.
        """
        answer = self.offered("active")
        self.assertEqual(answer["setup"], "passive")
        self.assertEqual(answer["fingerprint"], fingerprintOf(OURS))
        self.assertNotIn("tls-id", answer)
        peer = TLSPeer(client=True).join(self.called())
        self.assertTrue(peer.established)
        self.assertSpeaks(peer)
        kinds = [type(event) for event in self.events]
        self.assertEqual(kinds, [Secured, PathSettled])
        self.assertEqual(self.speaker.life, ["opened"])

    def test_R_46_active(self) -> None:
        """
        If that is the gateway, it is the client.
        """
        self.assertEqual(self.offered("passive")["setup"], "active")
        peer = TLSPeer(client=False).join(self.connect())
        self.assertSpeaks(peer)

    def test_R_52_answererServes(self) -> None:
        """
        BFCP's answerer is the TLS server: the gateway is passive wherever the
        offer allows that, and so it is the server in TCP, too.
        """
        for setup in ("actpass", "active", None):
            self.setUp()
            self.transport.attach(FloorSpeaker())
            self.assertEqual(self.offered(setup)["setup"], "passive")
            self.assertTrue(TLSPeer(client=True).join(self.called()).established)
            self.tearDown()

    def test_R_52_offeredAndCalled(self) -> None:
        """
        The UE answers and connects: whether it is the client, as its TCP
        connection says, or the server, as its answer says, is seen from whether
        it speaks first.
        """
        for client in (True, False):
            self.setUp()
            self.transport.attach(FloorSpeaker())
            self.assertEqual(dict(self.transport.describe(OFFER))["setup"], "actpass")
            self.answered("active")
            connection = self.called()
            peer = TLSPeer(client=client).join(connection)
            self.reactor.advance(ROLE_TIMEOUT - 0.1)
            peer.advance()
            self.assertEqual(peer.established, client)
            self.reactor.advance(0.1)
            peer.advance()
            self.assertTrue(peer.established and self.transport.connected)
            self.tearDown()

    def test_R_52_offeredPassive(self) -> None:
        """
        The UE offers to be connected to: the gateway, which is the answerer,
        waits a moment whether the UE takes it for the server.
        """
        for client in (True, False):
            self.setUp()
            self.transport.attach(FloorSpeaker())
            self.assertEqual(self.offered("passive")["setup"], "active")
            peer = TLSPeer(client=client).join(self.connect())
            self.reactor.advance(ROLE_TIMEOUT)
            peer.advance()
            self.assertTrue(peer.established and self.transport.connected)
            self.tearDown()

    def test_R_52_noDoubt(self) -> None:
        """
        A gateway that offers and connects is the client by either rule.
        """
        self.transport.attach(FloorSpeaker())
        self.transport.describe(OFFER)
        self.answered("passive")
        self.assertTrue(TLSPeer(client=False).join(self.connect()).established)

    def test_R_50_connection(self) -> None:
        """
        BFCP's C{connection} attribute is honoured: C{existing} keeps the
        connection, C{new} ends it; without it there is a new one.
        """
        self.transport.attach(FloorSpeaker())
        new, existing = Line("connection", "new"), Line("connection", "existing")
        self.assertEqual(self.offered("actpass", more=(new,))["connection"], "new")
        peer = TLSPeer(client=True).join(self.called())
        self.assertEqual(dict(self.transport.describe(OFFER))["connection"], "existing")
        self.assertEqual(self.offered("actpass", more=(existing,))["connection"], "existing")
        self.assertTrue(self.transport.connected)
        self.assertEqual(self.offered("active", more=(new,))["connection"], "new")
        peer.advance()
        self.assertTrue(peer.ended)
        self.assertFalse(self.transport.connected)
        self.assertTrue(TLSPeer(client=True).join(self.called()).established)
        self.assertTrue(self.transport.connected)

    def test_R_50_reoffered(self) -> None:
        """
        To our C{existing} the UE may answer C{new}, and a gateway that was
        active connects again.
        """
        self.transport.attach(FloorSpeaker())
        self.transport.describe(OFFER)
        self.answered("passive", more=(Line("connection", "new"),))
        TLSPeer(client=False).join(self.connect())
        self.assertEqual(dict(self.transport.describe(OFFER))["connection"], "existing")
        self.answered("passive", more=(Line("connection", "new"),))
        self.assertFalse(self.transport.connected)
        self.assertTrue(TLSPeer(client=False).join(self.connect()).established)
        self.assertEqual(len(self.reactor.tcpClients), 2)

    def test_R_50_notInMSRP(self) -> None:
        """
        MSRP does not have it: it is ignored, and never said; and C{holdconn} is
        as good as nothing.
        """
        self.speaker.medium = "msrp"  # type: ignore[attr-defined]
        answer = self.offered("holdconn", more=(Line("connection", "new"),))
        self.assertEqual((answer["setup"], answer.get("connection")), ("passive", None))
        TLSPeer(client=True).join(self.called())
        self.offered("active", more=(Line("connection", "new"),))
        self.assertTrue(self.transport.connected)

    def test_R_50_holdconn(self) -> None:
        """
        In BFCP it means that there is to be no connection for now.
        """
        self.transport.attach(FloorSpeaker())
        self.assertEqual(self.offered("holdconn")["setup"], "holdconn")
        self.assertIsNone(self.transport.active)
        self.assertEqual(self.offered("active")["setup"], "passive")

    def test_identifier(self) -> None:
        """
        The answer has C{tls-id} if the offer had it; an offer always has, the
        same for the same connection.
        """
        said = self.offered("active", more=(Line("tls-id", "x" * 20),))["tls-id"]
        self.assertGreaterEqual(len(said or ""), 20)
        self.assertEqual(dict(self.transport.describe(OFFER))["tls-id"], said)
        again = self.offered("active", more=(Line("tls-id", "y" * 20),))["tls-id"]
        self.assertNotEqual(again, said)


class CertificateTests(TLSTestCase):
    """
    Whom to believe.
    """

    def test_R_47_mismatch(self) -> None:
        """
        A certificate that the description does not vouch for is refused with
        C{bad_certificate}, from either role; the event has both fingerprints.
        """
        for version in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            for setup, client in (("active", True), ("passive", False)):
                self.setUp()
                self.offered(setup)
                link = self.called() if client else self.connect()
                peer = TLSPeer(client=client, identity=OTHERS, version=version).join(link)
                self.assertIn("bad certificate", peer.error)
                self.assertFalse(link.connected)
                self.assertNothingHeard()
                (failed,) = self.failures()
                self.assertEqual(
                    (failed.protocol, failed.reason, failed.expected, failed.presented),
                    ("TLS", "fingerprint mismatch", fingerprintOf(THEIRS), fingerprintOf(OTHERS)),
                )
                self.assertEqual(self.transport.counters["failed fingerprint mismatch"], 1)
                self.tearDown()

    def test_R_47_noCertificate(self) -> None:
        """
        So is who shows none.
        """
        for version in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            self.setUp()
            self.offered("active")
            peer = TLSPeer(client=True, identity=None, version=version).join(self.called())
            self.assertIn("alert", peer.error)
            self.assertNothingHeard()
            self.assertEqual([each.reason for each in self.failures()], ["no certificate"])
            self.tearDown()

    def test_R_47_again(self) -> None:
        """
        Who was refused does not keep the right one from coming.
        """
        self.offered("active")
        TLSPeer(client=True, identity=OTHERS).join(self.called())
        self.assertSpeaks(TLSPeer(client=True).join(self.called()))

    def test_R_47_several(self) -> None:
        """
        A description may vouch for several certificates; of several hash
        functions the strongest counts, and none that is broken.
        """
        self.offered("active", fingerprintOf(OTHERS), fingerprintOf(THEIRS))
        self.assertSpeaks(TLSPeer(client=True).join(self.called()))
        self.tearDown()
        self.setUp()
        self.offered("active", fingerprintOf(THEIRS), fingerprintOf(OTHERS, "sha-512"))
        TLSPeer(client=True).join(self.called())
        self.assertNothingHeard()
        weak = self.section("active", "md5 " + ":".join(["AB"] * 16))
        self.assertRaises(NegotiationError, self.transport.configure, weak, OFFER)
        none = Section("message", 9, "TCP/TLS/MSRP", ("*",), address=PEER, lines=[Line("setup", "active")])
        self.assertRaises(NegotiationError, self.transport.configure, none, OFFER)

    def test_held(self) -> None:
        """
        Who connects before its answer may say something, which is held until
        the answer vouches for it, and is not lost.
        """
        self.transport.describe(OFFER)
        peer = TLSPeer(client=True).join(self.called())
        peer.say(b"early")
        self.assertTrue(peer.established)
        self.assertNothingHeard()
        self.answered("active")
        self.assertEqual((self.speaker.life, self.speaker.received), (["opened"], b"early"))
        self.assertSpeaks(peer)

    def test_heldIsBounded(self) -> None:
        """
        At a limit nothing more is read.
        """
        self.transport.describe(OFFER)
        link = self.called()
        peer = TLSPeer(client=True).join(link)
        peer.say(bytes(MAX_HELD - 1))
        self.assertEqual(link.producerState, "producing")
        peer.say(b"x")
        self.assertEqual(link.producerState, "paused")
        self.answered("active")
        self.assertEqual(link.producerState, "producing")
        self.assertEqual(len(self.speaker.received), MAX_HELD)

    def test_earlyStranger(self) -> None:
        """
        Who connects before the answer and is not the one that it vouches for
        is cut off, and the right one comes in its own time.
        """
        self.transport.describe(OFFER)
        stranger = TLSPeer(client=True, identity=OTHERS).join(self.called(STRANGER))
        stranger.say(b"INVALID")
        self.answered("active")
        self.assertNothingHeard()
        self.assertEqual([each.reason for each in self.failures()], ["fingerprint mismatch"])
        self.assertSpeaks(TLSPeer(client=True).join(self.called()))
        self.assertEqual(self.speaker.received, b"from them")

    def test_squatter(self) -> None:
        """
        Who comes first, from elsewhere, and says nothing, or shows another
        certificate, takes nobody's place, and nobody is told.
        """
        self.offered("active")
        silent = self.called(STRANGER)
        TLSPeer(client=True, identity=OTHERS).join(self.called(STRANGER))
        self.assertEqual(self.transport.counters["failed strangers"], 1)
        self.assertEqual(self.events, [])
        self.assertSpeaks(TLSPeer(client=True).join(self.called()))
        self.assertFalse(silent.connected)

    def test_manySquatters(self) -> None:
        """
        However many there are: some have room at a time, of which the oldest
        is cut off; and there is an end to how many may try.
        """
        self.offered("active")
        links = [self.called(STRANGER) for _ in range(MAX_HANDSHAKES)]
        self.assertEqual(sum(link.connected for link in links), MAX_ATTEMPTS)
        factory = self.reactor.tcpServers[-1][1]

        class Somewhere:
            host = STRANGER

        self.assertIsNone(factory.buildProtocol(Somewhere))
        self.assertEqual(
            self.transport.counters["dropped too many handshakes"], MAX_HANDSHAKES - MAX_ATTEMPTS + 1
        )
        self.reactor.advance(PERIOD)
        self.assertIsNotNone(factory.buildProtocol(Somewhere))
        Somewhere.host = PEER
        link = join(factory.buildProtocol(Somewhere), PEER)
        assert link is not None
        self.assertSpeaks(TLSPeer(client=True).join(link))

    def test_moved(self) -> None:
        """
        The right one may come again, from another network: its certificate
        says who it is, and the old connection ends.
        """
        self.offered("active")
        first = TLSPeer(client=True).join(self.called())
        second = TLSPeer(client=True).join(self.called(STRANGER))
        self.assertEqual(self.speaker.life, ["opened", "lost", "opened"])
        self.assertEqual(self.transport.counters["connections replaced"], 1)
        first.advance()
        self.assertTrue(first.ended)
        self.assertSpeaks(second)

    def test_newFingerprint(self) -> None:
        """
        A new certificate in the description means a new connection.
        """
        self.offered("active")
        peer = TLSPeer(client=True).join(self.called())
        self.offered("active", fingerprintOf(OTHERS))
        self.assertFalse(self.transport.connected)
        peer.advance()
        self.assertTrue(peer.ended)
        self.assertSpeaks(TLSPeer(client=True, identity=OTHERS).join(self.called()))

    def test_repeated(self) -> None:
        """
        The same description again changes nothing.
        """
        self.offered("active")
        peer = TLSPeer(client=True).join(self.called())
        self.offered("active")
        self.assertSpeaks(peer)


class ProtocolTests(TLSTestCase):
    """
    What is spoken.
    """

    def test_R_48_versions(self) -> None:
        """
        TLS 1.2 and 1.3 work; 1.0 and 1.1 are refused, as server and as client.
        """
        for version, works in (
            (SSL.TLS1_3_VERSION, True),
            (SSL.TLS1_2_VERSION, True),
            (SSL.TLS1_1_VERSION, False),
            (SSL.TLS1_VERSION, False),
        ):
            for setup, client in (("active", True), ("passive", False)):
                self.setUp()
                self.offered(setup)
                link = self.called() if client else self.connect()
                if works:
                    self.assertSpeaks(TLSPeer(client=client, version=version).join(link))
                else:
                    TLSPeer(client=client, oldest=version).join(link)
                    self.assertNothingHeard()
                    self.assertEqual([each.reason for each in self.failures()], ["no common version"])
                    self.assertFalse(link.connected)
                self.tearDown()

    def test_R_54_plain(self) -> None:
        """
        Who speaks in the clear on a port of TLS is cut off, counted, and heard
        by nobody.
        """
        self.offered("active")
        link = self.called()
        link.protocol.dataReceived(b"MSRP a786hjs2 SEND\r\n")
        self.assertFalse(link.connected)
        self.assertNothingHeard()
        self.assertEqual(link.value(), b"")
        self.assertEqual(self.transport.counters["dropped not protected"], 1)
        self.assertEqual([each.reason for each in self.failures()], ["not protected"])

    def test_R_54_plainLater(self) -> None:
        """
        Nor is it heard once there is TLS.
        """
        self.offered("active")
        peer = TLSPeer(client=True).join(self.called())
        link: Any = peer.link
        link.protocol.dataReceived(b"MSRP a786hjs2 SEND\r\n")
        self.assertEqual(self.speaker.received, b"")
        self.assertFalse(link.connected)
        self.assertEqual(self.transport.counters["dropped broken record"], 1)
        self.assertEqual(self.speaker.life, ["opened", "lost"])

    def test_R_49_distinct(self) -> None:
        """
        That nobody came, that nobody was there, and that a handshake failed
        are different events.
        """
        self.offered("active")
        self.reactor.advance(SETUP_TIMEOUT)
        self.assertIsInstance(self.events[-1], ConnectFailed)
        self.called()
        self.reactor.advance(HANDSHAKE_TIMEOUT)
        self.assertIsInstance(self.events[-1], HandshakeFailed)
        self.assertEqual([each.reason for each in self.failures()], ["timeout"])

    def test_R_49_cutShort(self) -> None:
        """
        So is the end of a connection in the middle of a handshake.
        """
        self.offered("passive")
        link = self.connect()
        link.abortConnection()
        self.assertEqual([each.reason for each in self.failures()], ["closed by the remote party"])

    def test_goodbye(self) -> None:
        """
        Both ends say goodbye before they close.
        """
        self.offered("active")
        peer = TLSPeer(client=True).join(self.called())
        peer.goodbye()
        self.assertTrue(peer.ended)
        self.assertFalse(peer.link is not None and peer.link.connected)
        self.assertEqual(self.speaker.life, ["opened", "lost"])
        self.assertNotIn("closed without goodbye", self.transport.counters)
        peer = TLSPeer(client=True).join(self.called())
        self.transport.loseConnection()
        peer.advance()
        self.assertTrue(peer.ended)

    def test_noGoodbye(self) -> None:
        """
        Who does not is counted.
        """
        self.offered("active")
        peer = TLSPeer(client=True).join(self.called())
        link: Any = peer.link
        link.abortConnection()
        self.assertEqual(self.transport.counters["closed without goodbye"], 1)

    def test_noRenegotiation(self) -> None:
        """
        TLS 1.2's renegotiation is refused, and does no harm.
        """
        self.offered("active")
        peer = TLSPeer(client=True, version=SSL.TLS1_2_VERSION).join(self.called())
        peer.connection.renegotiate()
        peer.established = False
        peer.advance()
        self.assertIn("no renegotiation", peer.error)

    def test_endless(self) -> None:
        """
        A handshake has an end.
        """
        self.offered("active")
        link = self.called()
        record = b"\x16\x03\x01\x40\x00\x01\xff\xff\xff" + bytes(16380)
        for _ in range(10):
            if link.connected:
                link.protocol.dataReceived(record)
        self.assertFalse(link.connected)
        self.assertEqual(len(self.failures()), 1)

    def test_pressure(self) -> None:
        """
        Large writes are not cut, and who is paused reads no more.
        """
        self.offered("active")
        peer = TLSPeer(client=True).join(self.called())
        data = bytes(range(256)) * 4096
        self.transport.write(data)
        peer.advance()
        self.assertEqual(peer.received, data)
        peer.say(data)
        self.assertEqual(self.speaker.received, data)
        self.transport.pauseProducing()
        link: Any = peer.link
        self.assertEqual(link.producerState, "paused")


def signed(name: str, authority: Identity | None = None) -> Identity:
    """
    A certificate for a name, by an authority or, without one, an authority.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if authority is None else authority.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - datetime.timedelta(days=1))
        .not_valid_after(NOW + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(authority is None, None), True)
    )
    if authority is not None:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), False)
    return Identity(builder.sign(key if authority is None else authority.key, hashes.SHA256()), key)


AUTHORITY = signed("authority")


class TrustTests(TLSTestCase):
    """
    Certificates that are signed, and names.
    """

    trust = Trust((AUTHORITY.certificate,), ("chat.example.com",))

    def answeredWithout(self, *prints: str) -> None:
        """
        A description without a fingerprint.
        """
        lines = [Line("setup", "active"), *(Line("fingerprint", each) for each in prints)]
        section = Section("message", 2855, "TCP/TLS/MSRP", ("*",), address=PEER, lines=lines)
        self.transport.configure(section, OFFER)()
        self.transport.describe(ANSWER)

    def test_names(self) -> None:
        """
        Without a fingerprint, a signed certificate with the configured name is
        believed; one of another name or another authority is not.
        """
        other = signed("other authority")
        for identity, reason in (
            (signed("chat.example.com", AUTHORITY), ""),
            (signed("mail.example.com", AUTHORITY), "wrong name in certificate"),
            (signed("chat.example.com", other), "untrusted certificate"),
            (THEIRS, "untrusted certificate"),
        ):
            self.setUp()
            self.answeredWithout()
            peer = TLSPeer(client=True, identity=identity).join(self.called())
            if reason:
                self.assertNothingHeard()
                self.assertEqual([each.reason for each in self.failures()], [reason])
            else:
                self.assertSpeaks(peer)
            self.tearDown()

    def test_described(self) -> None:
        """
        If no name is configured, the description's counts: the host of the
        path.
        """
        self.trust = Trust((AUTHORITY.certificate,))
        for host, works in (("chat.example.com", True), ("mail.example.com", False)):
            self.setUp()
            self.speaker.destination = (host, 2855)
            self.answeredWithout()
            TLSPeer(client=True, identity=signed("chat.example.com", AUTHORITY)).join(self.called())
            self.assertIs(self.transport.connected, works)
            self.tearDown()

    def test_fingerprint(self) -> None:
        """
        A fingerprint, where there is one, is what counts.
        """
        self.answeredWithout(fingerprintOf(THEIRS))
        TLSPeer(client=True, identity=signed("chat.example.com", AUTHORITY)).join(self.called())
        self.assertNothingHeard()
        self.assertSpeaks(TLSPeer(client=True).join(self.called()))
