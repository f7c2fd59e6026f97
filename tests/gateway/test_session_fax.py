"""
Fax calls: T.38 in UDPTL, inside DTLS towards the UE and in the clear towards
the core.
"""

import re
from collections.abc import Callable
from typing import Any, ClassVar

from aioice import stun
from twisted.internet.interfaces import IReactorThreads
from twisted.internet.task import Clock
from zope.interface import implementer

from e2aegw.adapter import udptl
from e2aegw.gateway.config import SideConfig
from e2aegw.gateway.service import Gateway, Route
from e2aegw.sansio.certificate import Identity
from e2aegw.sansio.events import HandshakeFailed, LineRefused, MediaStarted, Secured
from e2aegw.sansio.sdp import Side
from e2aegw.sansio.terms import ICE, Terms
from e2aegw.transport.dtlsdata import DRAIN
from tests.gateway.fax import ATTRIBUTES, ECDSA, OUR_RSA, RSA, FaxPhone, FaxUE, datagram
from tests.gateway.fixture import ACCESS, CORE, ROUTES, GatewayTestCase

FAX = udptl.Factory()
AGREED = Terms(e2ae=frozenset({"udptl-dtls"}))
OTHER = Terms(e2ae=frozenset({"sdes-srtp"}))
NO_TERMS = Terms()
#: OpenSSL's number of the version.
DTLS_1_0 = 0xFEFF


class FaxTestCase(GatewayTestCase):
    """
    A UE with DTLS on the access side, and a plain terminal on the core side.
    """

    routes: ClassVar[tuple[Route, ...]] = (*ROUTES, Route(FAX, FAX))
    rsa: ClassVar[Identity | None] = OUR_RSA

    def setUp(self) -> None:
        """
        Bring both.
        """
        super().setUp()
        self.ue = FaxUE(self.network, "198.51.100.7")
        self.phone = FaxPhone(self.network, "203.0.113.7")
        self.session = self.gateway.newSession("fax")

    def another(self, **named: object) -> None:
        """
        A UE of another kind.
        """
        self.ue.close()
        self.ue = FaxUE(self.network, "198.51.100.7", **named)  # type: ignore[arg-type]

    def again(self) -> None:
        """
        End the call, for another one.
        """
        self.session.close()
        self.network.flush()
        self.ue.connection = None
        self.ue.connections.clear()
        self.session = self.gateway.newSession("another")

    def call(self, terms: Terms = AGREED) -> tuple[str, str]:
        """
        The UE calls.
        """
        offer = self.result(self.session.offer(self.ue.describe(), Side.ACCESS, terms))
        self.phone.accept(offer)
        answer = self.result(self.session.answer(self.phone.describe(), terms))
        self.ue.accept(answer)
        return offer, answer

    def called(self, terms: Terms = AGREED, setup: str = "active") -> tuple[str, str]:
        """
        The UE is called.
        """
        offer = self.result(self.session.offer(self.phone.describe(), Side.CORE, terms))
        self.ue.accept(offer)
        self.ue.setup, self.ue.requested = setup, False
        answer = self.result(self.session.answer(self.ue.describe(), terms))
        self.phone.accept(answer)
        return offer, answer

    def shakeHands(self, *, client: bool = True) -> None:
        """
        The handshake, and whatever comes of it.
        """
        if client:
            self.ue.hello(client=True)
        self.network.flush()

    def assertFax(self) -> None:
        """
        Datagrams pass both ways, as they are.
        """
        for number, (one, other) in enumerate([(self.ue, self.phone), (self.phone, self.ue)] * 2):
            sent = one.send(datagram(number))
            self.network.flush()
            self.assertEqual(other.received[-1:], [sent])

    def assertNoFax(self) -> None:
        """
        Nothing passes, whatever is tried.
        """
        counts = len(self.ue.received), len(self.phone.received)
        for one in (self.ue, self.phone):
            if one.remote is not None:
                one.sendRaw(datagram(0x8000))
                one.sendRaw(datagram(0))
        self.network.flush()
        self.assertEqual((len(self.ue.received), len(self.phone.received)), counts)

    def assertProtected(self) -> None:
        """
        All that the UE ever got are records of DTLS, and none holds UDPTL.
        """
        for data in self.ue.wire:
            self.assertTrue(20 <= data[0] <= 25, data)
            self.assertNotIn(datagram(0)[2:], data)


class OriginatingTests(FaxTestCase):
    """
    The UE calls.
    """

    def test_R_57_originating(self) -> None:
        """
        The core gets plain UDPTL with the same attributes, the UE its answer,
        and the datagrams pass.
        """
        offer, answer = self.call()
        self.assertIn("m=image 40000 udptl t38", offer)
        self.assertIn("m=image 30000 UDP/TLS/UDPTL t38", answer)
        for attribute in ATTRIBUTES:
            self.assertIn(f"a={attribute}\r\n", offer)
            self.assertIn(f"a={attribute}\r\n", answer)
        self.shakeHands(client=False)
        self.assertFax()
        self.assertEqual(self.happened(Secured)[0].protocol, "DTLS")
        self.assertEqual({each.side for each in self.happened(MediaStarted)}, {"access", "core"})

    def test_R_12_nothingLeaks(self) -> None:
        """
        What concerns the UE's security stays on its side.
        """
        offer, answer = self.call()
        for name in ("fingerprint", "setup", "tls-id", "3ge2ae", "connection"):
            self.assertNotIn(f"a={name}", offer)
        self.assertNotIn("a=connection", answer)
        self.assertIn("a=3ge2ae:applied", answer)

    def test_R_35_tlsID(self) -> None:
        """
        The answer has a tls-id if the offer had one.
        """
        _, answer = self.call()
        self.assertIn("a=tls-id:", answer)
        self.again()
        self.ue.tlsID = None
        _, answer = self.call()
        self.assertNotIn("a=tls-id:", answer)

    def test_bothCertificates(self) -> None:
        """
        The answer lists both certificates, and the one that is shown is among
        them.
        """
        self.call()
        self.assertEqual(len(self.ue.theirFingerprints), 2)
        self.shakeHands(client=False)
        self.assertIn(self.ue.shown, self.ue.theirFingerprints)

    def test_R_59_nothingOutside(self) -> None:
        """
        Nothing gets to the UE but inside DTLS, and nothing from it that is
        not; before the handshake has ended, nothing at all.
        """
        self.call()
        self.assertNoFax()
        self.shakeHands(client=False)
        self.assertFax()
        count = len(self.phone.received)
        self.ue.sendRaw(datagram(0x8000))
        self.network.flush()
        self.assertEqual(len(self.phone.received), count)
        self.assertFax()
        self.assertProtected()
        counters = self.session.report().parties[0].medias[0].streams[0].counters
        self.assertEqual(counters["unsent no association"], 2)
        self.assertEqual(counters["dropped not protected"], 2)

    def test_R_60_offerOfARole(self) -> None:
        """
        Who offers to be the client finds a server, and the other way round.
        """
        for setup, ours in (("active", "passive"), ("passive", "active")):
            self.ue.setup = setup
            _, answer = self.call()
            self.assertIn(f"a=setup:{ours}", answer)
            self.shakeHands(client=setup == "active")
            self.assertFax()
            self.again()

    def test_R_61_suites(self) -> None:
        """
        A UE that has nothing but what RFC 7345 prescribes connects, in both
        roles.
        """
        for suite in (b"ECDHE-RSA-AES128-GCM-SHA256", b"DHE-RSA-AES128-GCM-SHA256"):
            for client in (True, False):
                self.another(identity=RSA, ciphers=suite)
                self.ue.setup = "active" if client else "passive"
                self.call()
                self.shakeHands(client=client)
                self.assertFax()
                self.assertEqual(self.ue.shown, self.ue.theirFingerprints[1])
                assert self.ue.connection is not None
                name = self.ue.connection.connection.get_cipher_name()
                self.assertEqual(name, suite.decode())
                self.again()

    def test_ellipticCurves(self) -> None:
        """
        Who prefers a suite of ECDSA is shown the other certificate.
        """
        self.another(identity=ECDSA, ciphers=b"ECDHE-ECDSA-AES128-GCM-SHA256")
        self.ue.setup = "active"
        self.call()
        self.shakeHands()
        self.assertFax()
        self.assertEqual(self.ue.shown, self.ue.theirFingerprints[0])

    def test_R_33_wrongFingerprint(self) -> None:
        """
        Another certificate than the described one ends it, with the event, and
        no datagram passes.
        """
        self.ue.fingerprint = "sha-256 " + ":".join(["AB"] * 32)
        self.call()
        self.shakeHands(client=False)
        (event,) = self.happened(HandshakeFailed)
        self.assertEqual((event.reason, event.side, event.line), ("fingerprint mismatch", "access", 0))
        self.assertNoFax()
        self.assertProtected()

    def test_R_34_noCertificate(self) -> None:
        """
        Nor does one without any.
        """
        self.another(present=False)
        self.ue.setup = "active"
        self.call()
        self.shakeHands()
        (event,) = self.happened(HandshakeFailed)
        self.assertEqual(event.reason, "no certificate")
        self.assertNoFax()
        self.assertProtected()

    def test_R_40_oldVersion(self) -> None:
        """
        DTLS 1.0 is refused.
        """
        self.another(version=DTLS_1_0, ciphers=b"ALL:@SECLEVEL=0")
        self.ue.setup = "active"
        self.call()
        self.shakeHands()
        self.assertEqual(len(self.happened(HandshakeFailed)), 1)
        self.assertNoFax()

    def test_R_07_notAnnounced(self) -> None:
        """
        Who asks for what was not agreed on at registration is refused, and
        gets nothing in the clear.
        """
        offer = self.result(self.session.offer(self.ue.describe(), Side.ACCESS, OTHER))
        self.assertIn("m=image 0 ", offer)
        (event,) = self.happened(LineRefused)
        self.assertIn("registration", event.reason)

    def test_R_07_requestWithoutDTLS(self) -> None:
        """
        Who asks for protection and offers none is refused.
        """
        self.phone.attributes = ("3ge2ae:requested", *ATTRIBUTES)
        offer = self.result(self.session.offer(self.phone.describe(), Side.ACCESS, AGREED))
        self.assertIn("m=image 0 ", offer)

    def test_noFingerprint(self) -> None:
        """
        DTLS without a fingerprint is refused.
        """
        text = self.ue.describe().replace("a=fingerprint", "a=thumbprint")
        self.assertIn("m=image 0 ", self.result(self.session.offer(text, Side.ACCESS, AGREED)))

    def test_R_14_refusedByTheCore(self) -> None:
        """
        A refusal by the core is one for the UE, in its own proto, and frees
        the ports.
        """
        offer = self.result(self.session.offer(self.ue.describe(), Side.ACCESS, AGREED))
        self.phone.accept(offer)
        answer = self.result(self.session.answer(self.phone.describe(port=0), AGREED))
        self.assertIn("m=image 0 UDP/TLS/UDPTL t38", answer)
        self.assertEqual(self.gateway.portsLent, 0)

    def test_R_107_anonymous(self) -> None:
        """
        An anonymous call has a certificate of its own.
        """
        self.call()
        common = self.ue.theirFingerprints
        self.again()
        self.call(Terms(e2ae=AGREED.e2ae, anonymous=True))
        self.assertTrue(set(common).isdisjoint(self.ue.theirFingerprints))
        self.shakeHands(client=False)
        self.assertFax()

    def test_garbage(self) -> None:
        """
        What is no UDPTL, from either party, is counted and goes no further.
        """
        self.call()
        self.shakeHands(client=False)
        self.assertFax()
        for one in (self.ue, self.phone):
            one.send(b"\0\1\xff")
        self.network.flush()
        self.assertFax()
        for party in self.session.report().parties:
            self.assertEqual(party.medias[0].streams[0].counters["dropped malformed UDPTL"], 1)

    def test_datagramLimit(self) -> None:
        """
        What is longer than its receiver says that it takes is kept back.
        """
        self.call()
        self.shakeHands(client=False)
        longest = datagram(1, bytes(100), earlier=2)
        longest += bytes(400 - len(longest))
        for one, other in ((self.ue, self.phone), (self.phone, self.ue)):
            one.send(longest)
            one.send(longest + b"\0")
            self.network.flush()
            self.assertEqual(other.received, [longest])

    def test_R_36_sameAssociation(self) -> None:
        """
        The same again begins nothing anew.
        """
        self.call()
        self.shakeHands(client=False)
        wire = len(self.ue.wire)
        self.call()
        self.network.flush()
        self.assertEqual(len(self.ue.wire), wire)
        self.assertFax()


class ReofferTests(FaxTestCase):
    """
    A new association in the place of the old.
    """

    def setUp(self) -> None:
        """
        A call that is up, and an offer with another tls-id.
        """
        super().setUp()
        self.ue.setup = "active"
        self.call()
        self.shakeHands()
        self.assertFax()
        assert self.ue.connection is not None
        self.first = self.ue.connection
        self.ue.tlsID = "zyxwvutsrqponmlkjihgfedcba"

    def test_drained(self) -> None:
        """
        The old association is heard during the handshake of the new, and for
        a while after it; then it has ended.
        """
        self.call()
        sent = [self.ue.sendIn(self.first, datagram(10))]
        self.phone.send(datagram(11))
        self.network.flush()
        self.assertEqual(self.phone.received[-1:], sent)
        self.assertEqual(self.ue.received[-1:], [datagram(11)])
        self.ue.hello(client=True)
        sent = [self.ue.sendIn(self.first, datagram(12))]
        self.network.flush()
        self.assertEqual(self.phone.received[-1:], sent)
        self.assertFax()
        sent = [self.ue.sendIn(self.first, datagram(13))]
        self.network.flush()
        self.assertEqual(self.phone.received[-1:], sent)
        self.assertFax()
        self.assertIsNone(self.first.error)
        self.network.advance(DRAIN)
        self.network.flush()
        self.assertIsNotNone(self.first.error)
        self.ue.sendIn(self.ue.connection, datagram(14))  # type: ignore[arg-type]
        self.assertFax()
        self.assertProtected()

    def test_replacedTwice(self) -> None:
        """
        Of several old ones the last is heard.
        """
        for tlsID in ("b" * 20, "c" * 20):
            self.ue.tlsID = tlsID
            self.call()
            self.shakeHands()
            self.assertFax()
        self.assertIsNotNone(self.first.error)

    def test_garbage(self) -> None:
        """
        What belongs to neither does no harm to either.
        """
        self.call()
        self.shakeHands()
        forged = b"\x17\xfe\xfd\0\1\0\0\0\0\0\x63\0\x30" + bytes(48)
        self.ue.sendRaw(forged)
        self.network.flush()
        self.assertFax()
        sent = self.ue.sendIn(self.first, datagram(13))
        self.network.flush()
        self.assertEqual(self.phone.received[-1], sent)

    def test_closed(self) -> None:
        """
        When the call ends, both do.
        """
        self.call()
        self.shakeHands()
        self.session.close()
        self.network.flush()
        for connection in self.ue.connections:
            self.assertIsNotNone(connection.error)


class TerminatingTests(FaxTestCase):
    """
    The core calls.
    """

    def test_R_58_offer(self) -> None:
        """
        The UE's offer has all that it needs, and the attributes of fax.
        """
        offer, answer = self.called()
        self.assertIn("m=image 30000 UDP/TLS/UDPTL t38", offer)
        for line in ("a=setup:actpass\r\n", "a=fingerprint:sha-256 ", "a=tls-id:", "a=3ge2ae:applied\r\n"):
            self.assertIn(line, offer)
        self.assertNotIn("a=connection", offer)
        self.assertIn("m=image 40000 udptl t38", answer)
        for name in ("fingerprint", "setup", "tls-id", "3ge2ae"):
            self.assertNotIn(f"a={name}", answer)

    def test_R_57_terminating(self) -> None:
        """
        Attributes and datagrams pass both ways.
        """
        offer, answer = self.called()
        for attribute in ATTRIBUTES:
            self.assertIn(f"a={attribute}\r\n", offer)
            self.assertIn(f"a={attribute}\r\n", answer)
        self.shakeHands()
        self.assertFax()
        self.assertProtected()

    def test_R_60_passive(self) -> None:
        """
        A UE that answers that it is passive finds a client.
        """
        self.called(setup="passive")
        self.shakeHands(client=False)
        self.assertFax()
        assert self.ue.connection is not None
        self.assertFalse(self.ue.connection.client)

    def test_R_39_helloBeforeTheAnswer(self) -> None:
        """
        A ClientHello before the answer is taken, and what comes with it is
        held until the answer says whose it is.
        """
        offer = self.result(self.session.offer(self.phone.describe(), Side.CORE, AGREED))
        self.ue.accept(offer)
        self.ue.hello(client=True)
        self.network.flush()
        early = self.ue.send(datagram(7))
        self.network.flush()
        self.assertEqual(self.phone.received, [])
        self.ue.setup, self.ue.requested = "active", False
        self.phone.accept(self.result(self.session.answer(self.ue.describe(), AGREED)))
        self.network.flush()
        self.assertEqual(self.phone.received, [early])
        self.assertFax()

    def test_R_18_notAnnounced(self) -> None:
        """
        A UE that announced nothing gets plain UDPTL.
        """
        offer = self.result(self.session.offer(self.phone.describe(), Side.CORE, OTHER))
        self.assertIn(" udptl t38", offer)
        self.assertNotIn("3ge2ae", offer)

    def test_R_07_answeredInTheClear(self) -> None:
        """
        An answer without DTLS is none.
        """
        self.result(self.session.offer(self.phone.describe(), Side.CORE, AGREED))
        plain = FaxPhone(self.network, "198.51.100.8")
        answer = self.result(self.session.answer(plain.describe(), AGREED))
        self.assertIn("m=image 0 udptl t38", answer)
        self.assertEqual(self.gateway.portsLent, 0)

    def test_R_11_reofferByTheCore(self) -> None:
        """
        The core cannot take the UE's protection away.
        """
        self.called()
        self.shakeHands()
        text = self.phone.describe()
        offer = self.result(self.session.offer(text, None, Terms(e2ae=frozenset())))
        self.assertIn("UDP/TLS/UDPTL", offer)

    def test_R_62_demultiplexing(self) -> None:
        """
        STUN and DTLS share the port, and the rest is dropped.
        """
        self.called()
        self.shakeHands()
        for first in (0, 3, 4, 16, 19, 64, 80, 127, 128, 192, 255):
            self.ue.sendRaw(bytes([first]) + datagram(0)[1:])
        self.network.flush()
        self.assertEqual(self.phone.received, [])
        self.assertFax()


class ICETests(FaxTestCase):
    """
    A UE that has ICE, too.
    """

    def test_R_62_ICE(self) -> None:
        """
        Checks and the handshake go through one port, and there is no handshake
        before a check.
        """
        self.ue.attributes = ("ice-ufrag:user", "ice-pwd:" + "p" * 24, *ATTRIBUTES)
        terms = Terms(e2ae=AGREED.e2ae, ice=ICE.FORCE)
        offer = self.result(self.session.offer(self.ue.describe(), Side.ACCESS, AGREED))
        self.assertNotIn("a=ice", offer)
        self.phone.accept(offer)
        answer = self.result(self.session.answer(self.phone.describe(), terms))
        self.ue.accept(answer)
        self.network.flush()
        self.assertEqual(self.ue.wire, [])
        for _ in range(2):
            self.check(answer)
            self.assertFax()

    def check(self, answer: str) -> None:
        """
        A check, and the response to it.
        """
        (ufrag,), (pwd,) = (re.findall(rf"a=ice-{name}:(\S+)", answer) for name in ("ufrag", "pwd"))
        request = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
        request.attributes["USERNAME"] = f"{ufrag}:user"
        request.attributes["PRIORITY"] = 1
        request.attributes["ICE-CONTROLLING"] = 1
        request.attributes["USE-CANDIDATE"] = None
        request.add_message_integrity(pwd.encode())
        self.ue.sendRaw(bytes(request))
        self.network.flush()
        (response,) = (stun.parse_message(data) for data in self.ue.wire if data[0] < 4)
        self.assertEqual(response.transaction_id, request.transaction_id)
        self.ue.wire.clear()


class CertificateTests(FaxTestCase):
    """
    The certificate of RSA takes its time.
    """

    rsa = None

    def makeClock(self) -> Clock:
        """
        One with threads, which do what they are told when they are asked.
        """
        return ThreadClock()

    def test_besideTheStart(self) -> None:
        """
        It is made in a thread when the gateway starts, and if that has not
        been when it is needed, then; there is one of it.
        """
        assert isinstance(self.clock, ThreadClock)
        (work,) = self.clock.work
        self.call()
        first = self.ue.theirFingerprints
        work()
        self.again()
        self.call()
        self.assertEqual(self.ue.theirFingerprints, first)
        self.assertEqual(len(first), 2)
        self.shakeHands(client=False)
        self.assertFax()

    def test_ours(self) -> None:
        """
        Where the one certificate that is configured is one of RSA, there is no
        other.
        """
        self.gateway.stopService()
        sides = {
            Side.ACCESS: SideConfig(addresses=((ACCESS, ACCESS),), ports=(31000, 31099)),
            Side.CORE: SideConfig(addresses=((CORE, CORE),), ports=(41000, 41099)),
        }
        self.gateway = Gateway(self.clock, sides, self.routes, identity=OUR_RSA, network=self.network)
        self.session = self.gateway.newSession("fax")
        self.call()
        self.assertEqual(self.ue.theirFingerprints, [str(OUR_RSA.fingerprints[0])])
        self.shakeHands(client=False)
        self.assertFax()


@implementer(IReactorThreads)
class ThreadClock(Clock):
    """
    A clock that keeps what it is to do in a thread.
    """

    def __init__(self) -> None:
        super().__init__()
        self.work: list[Callable[[], object]] = []

    def getThreadPool(self) -> Any:
        """
        See C{IReactorThreads}.
        """

    def callInThread(self, callable: Callable[..., object], *arguments: object, **named: object) -> None:
        """
        See C{IReactorThreads}.
        """
        self.work.append(lambda: callable(*arguments, **named))

    def callFromThread(self, callable: Callable[..., object], *arguments: object, **named: object) -> None:
        """
        See C{IReactorThreads}.
        """
        callable(*arguments, **named)

    def suggestThreadPoolSize(self, size: int) -> None:
        """
        See C{IReactorThreads}.
        """


class PlainTests(FaxTestCase):
    """
    Nobody has DTLS.
    """

    def setUp(self) -> None:
        """
        A plain terminal on the access side.
        """
        super().setUp()
        self.ue.close()
        self.plain = FaxPhone(self.network, "198.51.100.7")

    def test_call(self) -> None:
        """
        Datagrams pass as they are, whatever their number is: the first octets
        are no sign of another protocol here.
        """
        offer = self.result(self.session.offer(self.plain.describe(), Side.ACCESS, AGREED))
        self.phone.accept(offer)
        self.plain.accept(self.result(self.session.answer(self.phone.describe(), AGREED)))
        for number in (0, 1, 0x1600, 0x4000, 0x8000, 0xC800, 0xFFFF):
            for one, other in ((self.plain, self.phone), (self.phone, self.plain)):
                sent = one.send(datagram(number))
                self.network.flush()
                self.assertEqual(other.received[-1:], [sent])

    def test_ICE(self) -> None:
        """
        The numbers could be taken for STUN, and so there is no ICE.
        """
        self.plain.attributes = ("ice-ufrag:user", "ice-pwd:" + "p" * 24, *ATTRIBUTES)
        offer = self.result(self.session.offer(self.plain.describe(), Side.ACCESS, AGREED))
        self.phone.accept(offer)
        answer = self.result(self.session.answer(self.phone.describe(), AGREED))
        self.assertNotIn("a=ice", answer)
        self.plain.accept(answer)
        for number in (0, 0x4000):
            sent = self.plain.send(datagram(number))
            self.network.flush()
            self.assertEqual(self.phone.received[-1:], [sent])


class EndToEndTests(FaxTestCase):
    """
    The UE does not ask for protection up to the edge.
    """

    def test_R_10_sealed(self) -> None:
        """
        Lines and records pass untouched, and only addresses change.
        """
        other = FaxUE(self.network, "203.0.113.8", identity=ECDSA)
        self.ue.requested = other.requested = False
        self.ue.setup, other.setup = "actpass", "active"
        offer = self.result(self.session.offer(self.ue.describe(), Side.ACCESS, AGREED))
        self.assertIn("UDP/TLS/UDPTL", offer)
        self.assertIn(f"c=IN IP4 {CORE}", offer)
        other.accept(offer)
        answer = self.result(self.session.answer(other.describe(), AGREED))
        self.ue.accept(answer)
        for text, who in ((offer, self.ue), (answer, other)):
            for line in (f"fingerprint:{who.fingerprint}", f"setup:{who.setup}", f"tls-id:{who.tlsID}"):
                self.assertIn(f"a={line}\r\n", text)
        other.hello(client=True)
        self.network.flush()
        for one, another in ((self.ue, other), (other, self.ue)):
            sent = one.send(datagram(1))
            self.network.flush()
            self.assertEqual(another.received, [sent])
        self.assertEqual(other.shown, self.ue.fingerprint)
