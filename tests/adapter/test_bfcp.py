"""
Tests for L{e2aegw.adapter.bfcp}.
"""

from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from e2aegw.adapter.bfcp import MAX_WAITING, PROTOS, BFCPAdapter, Factory
from e2aegw.errors import NegotiationError, RemoteError
from e2aegw.sansio.bfcp import MAX_MESSAGE, UNRELIABLE, Fault, Header, Primitive, errorMessage
from e2aegw.sansio.bfcptransactions import HIGH_WATER
from e2aegw.sansio.events import Event, MediaStarted, PartySilent, ProtocolViolated
from e2aegw.sansio.sdp import Line, Section
from e2aegw.sansio.terms import Kind, Terms
from e2aegw.testing import MemoryAdapter, MemoryTransport
from tests.sansio.test_bfcp import HELLO, REQUEST, attributes, message

OFFER, ANSWER = Terms(kind=Kind.OFFER), Terms(kind=Kind.ANSWER)
DONE = Failure(ConnectionDone())


class Wire(MemoryTransport):
    """
    A transport that is not connected at first.

    @ivar producer: who writes here.
    """

    def __init__(self) -> None:
        super().__init__()
        self.connected = False
        self.maxMessageSize = 0
        self.producer: Any = None
        self.paused = False

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """
        See C{IConsumer}.
        """
        self.producer = producer

    def unregisterProducer(self) -> None:
        """
        See C{IConsumer}.
        """
        self.producer = None

    def pauseProducing(self) -> None:
        """
        See C{IPushProducer}.
        """
        self.paused = True

    def resumeProducing(self) -> None:
        """
        See C{IPushProducer}.
        """
        self.paused = False


class AdapterTestCase(SynchronousTestCase):
    """
    Two legs, of which what the network parties say is written down.
    """

    def pair(self, a: str, b: str, *, connected: bool = True) -> tuple[BFCPAdapter, BFCPAdapter]:
        """
        Two adapters on transports.
        """
        self.clock = Clock()
        self.events: list[Event] = []
        factory = Factory(clock=self.clock)
        legs = [factory.buildAdapter(proto) for proto in (a, b)]
        legs[0].peer, legs[1].peer = legs[1], legs[0]
        for each in legs:
            each.notify = self.events.append
            wire = Wire()
            wire.connected = connected
            wire.attach(each)
        return legs[0], legs[1]

    def section(self, proto: str, *lines: str) -> Section:
        """
        A section with these attributes.
        """
        parsed = [Line(name, value) for name, _, value in (line.partition(":") for line in lines)]
        return Section("application", 4000, proto, ["*"], address="192.0.2.2", lines=parsed)


class UnitTests(AdapterTestCase):
    """
    Messages from one leg to the other.
    """

    def test_R_53_everyPair(self) -> None:
        """
        Between any two reliable transports a message is the same to the last
        bit; between others all is but version and flags.
        """
        strange = b"\x3f" + REQUEST[1:]
        for a in PROTOS:
            for b in PROTOS:
                near, far = self.pair(a, b)
                for each in (near, far):
                    each.handshakeCompleted()
                unreliable = near._kind in ("udp", "dtls"), far._kind in ("udp", "dtls")
                near.dataReceived(b"\x47" + REQUEST[1:] if unreliable[0] else strange)
                first = 0x47 if unreliable[1] else 0x27 if unreliable[0] else 0x3F
                self.assertEqual(far.transport.written, [bytes((first,)) + REQUEST[1:]], (a, b))
                self.assertEqual(self.events, [MediaStarted()])
                for each in (near, far):
                    each.connectionLost(DONE)
                self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_waits(self) -> None:
        """
        What comes before the other leg is connected waits, and its sender is
        paused.
        """
        near, far = self.pair("TCP/BFCP", "DC/BFCP", connected=False)
        near.transport.connected = True
        near.connectionOpened()
        near.dataReceived(HELLO + REQUEST)
        self.assertTrue(near.transport.paused)
        self.assertEqual(far.counters, {"units that waited": 2})
        far.connectionOpened()
        self.assertEqual(far.transport.written, [HELLO, REQUEST])
        self.assertFalse(near.transport.paused)

    def test_waitsForDTLS(self) -> None:
        """
        Over DTLS nothing is sent before there is an association.
        """
        near, far = self.pair("TCP/BFCP", "UDP/TLS/BFCP")
        near.dataReceived(HELLO)
        self.assertEqual((far.transport.written, self.clock.getDelayedCalls()), ([], []))
        far.handshakeCompleted()
        self.assertEqual(far.transport.written, [b"\x40" + HELLO[1:]])
        far.connectionLost(DONE)

    def test_waitingIsBounded(self) -> None:
        """
        More than so much does not wait; whoever asked hears of it.
        """
        near, far = self.pair("DC/BFCP", "TCP/BFCP", connected=False)
        near.connectionOpened()
        large = message(Primitive.FLOOR_REQUEST, attributes(MAX_WAITING // 4))
        for _ in range(5):
            near.dataReceived(large)
        self.assertEqual(far.counters["unsent no room"], 2)
        self.assertEqual(near.transport.written, [errorMessage(Header.parse(large), Fault.GENERIC)] * 2)
        # The longest message is taken if nothing else waits.
        near, far = self.pair("TCP/BFCP", "TCP/BFCP", connected=False)
        far.sendUnit(message(Primitive.FLOOR_REQUEST, attributes(MAX_MESSAGE - 12)))
        self.assertEqual(far.counters, {"units that waited": 1})

    def test_slowReader(self) -> None:
        """
        While a party does not read, what is for it waits here, and who writes
        to it is paused.
        """
        near, far = self.pair("TCP/BFCP", "TCP/BFCP")
        far.transport.producer.pauseProducing()
        self.assertTrue(near.transport.paused)
        near.dataReceived(HELLO)
        self.assertEqual(far.transport.written, [])
        far.transport.producer.resumeProducing()
        self.assertEqual(far.transport.written, [HELLO])
        self.assertFalse(near.transport.paused)

    def test_manyRequests(self) -> None:
        """
        When many requests wait for their turn over UDP, their sender is paused
        until there are fewer.
        """
        near, far = self.pair("TCP/BFCP", "UDP/BFCP")
        for number in range(1, HIGH_WATER + 2):
            self.assertFalse(near.transport.paused)
            near.dataReceived(message(Primitive.HELLO, transaction=number))
        self.assertTrue(near.transport.paused)
        far.dataReceived(message(Primitive.HELLO_ACK, transaction=1, first=0x50))
        self.assertFalse(near.transport.paused)
        far.connectionLost(DONE)

    def test_datagramsAreNotPaused(self) -> None:
        """
        Who sends datagrams is not paused: it waits for responses anyway.
        """
        near, _ = self.pair("UDP/BFCP", "TCP/BFCP", connected=False)
        near.connectionOpened()
        near.dataReceived(b"\x40" + HELLO[1:])
        self.assertFalse(near.transport.paused)
        near.connectionLost(DONE)

    def test_tooLongForAChannel(self) -> None:
        """
        A message that is longer than a channel's party takes is not sent to it
        (RFC 8841 clause 6.1), and who asked is told that it was too long.
        """
        near, far = self.pair("TCP/BFCP", "DC/BFCP")
        far.transport.maxMessageSize = 64
        large = message(Primitive.FLOOR_REQUEST, attributes(56))
        near.dataReceived(large + REQUEST)
        self.assertEqual(far.transport.written, [REQUEST])
        self.assertEqual(far.counters, {"unsent too long": 1})
        self.assertEqual(near.transport.written, [errorMessage(Header.parse(large), Fault.INCORRECT_LENGTH)])

    def test_violation(self) -> None:
        """
        What is not BFCP closes a stream: what came before crosses, the sender
        is told, and so is who watches.
        """
        near, far = self.pair("TCP/BFCP", "TCP/BFCP")
        bad = message(Primitive.HELLO, bytes(4))
        self.assertRaises(RemoteError, near.dataReceived, REQUEST + bad)
        self.assertEqual(far.transport.written, [REQUEST])
        self.assertEqual(near.transport.written, [errorMessage(Header.parse(bad), Fault.UNABLE_TO_PARSE)])
        self.assertTrue(near.transport.closed)
        self.assertEqual(self.events[-1], ProtocolViolated(protocol="BFCP", reason="malformed BFCP"))
        self.assertRaises(RemoteError, near.dataReceived, HELLO)
        far.dataReceived(HELLO)
        self.assertEqual(near.counters["unsent no connection"], 1)

    def test_again(self) -> None:
        """
        After a connection is lost its questions are answered with an Error, and
        with a new one half a message from before is forgotten.
        """
        near, far = self.pair("TCP/BFCP", "TCP/BFCP")
        near.dataReceived(HELLO[:7])
        near.connectionLost(DONE)
        far.dataReceived(REQUEST)
        self.assertEqual(far.transport.written, [errorMessage(Header.parse(REQUEST), Fault.GENERIC)])
        near.connectionOpened()
        near.dataReceived(HELLO)
        self.assertEqual(far.transport.written[1:], [HELLO])

    def test_lostWhileWaiting(self) -> None:
        """
        What waits for a connection that ends before it began is given back.
        """
        near, far = self.pair("DC/BFCP", "TCP/BFCP", connected=False)
        near.connectionOpened()
        near.dataReceived(REQUEST)
        far.connectionLost(DONE)
        self.assertEqual(near.transport.written, [errorMessage(Header.parse(REQUEST), Fault.GENERIC)])

    def test_silent(self) -> None:
        """
        A party on UDP that does not respond: events, and an Error for who
        asked; a second time only when it was heard in between.
        """
        near, far = self.pair("TCP/BFCP", "UDP/BFCP")
        for _ in range(2):
            near.dataReceived(HELLO)
            self.clock.pump([0.5] * 16)
        silent = [event for event in self.events if isinstance(event, PartySilent)]
        self.assertEqual(silent, [PartySilent(protocol="BFCP")])
        self.assertEqual(near.transport.written, [errorMessage(Header.parse(HELLO), Fault.GENERIC)] * 2)
        self.assertEqual(far.counters["requests without response"], 2)

    def test_nobody(self) -> None:
        """
        Without another leg what arrives is counted.
        """
        near, _ = self.pair("TCP/BFCP", "TCP/BFCP")
        near.peer = None
        near.dataReceived(HELLO)
        self.assertEqual(near.counters, {"dropped nobody there": 1})

    def test_otherPeers(self) -> None:
        """
        A peer that is not an adapter of this kind is as good.
        """
        near, _ = self.pair("UDP/BFCP", "TCP/BFCP")
        near.peer = MemoryAdapter("bfcp")
        near.configure(self.section("UDP/BFCP", "floorctrl:c-only"), ANSWER)()
        self.assertEqual(list(near.describe(OFFER)), [])
        near.dataReceived(b"\x40" + HELLO[1:])
        self.assertEqual(near.peer.units, [HELLO])


class DescriptionTests(AdapterTestCase):
    """
    What descriptions say.
    """

    def test_roles(self) -> None:
        """
        Of the two one becomes the server: as the answer says; or, where nobody
        says, who answers (RFC 8856 clause 5.1).
        """
        for offered, answered, expected in (
            (("floorctrl:c-only",), ("floorctrl:s-only",), (False, True)),
            (("floorctrl:s-only",), ("floorctrl:c-only",), (True, False)),
            (("floorctrl:c-only s-only",), ("floorctrl:c-only",), (True, False)),
            (("floorctrl:c-s",), ("floorctrl:s-only",), (False, True)),
            (("floorctrl:c-s",), ("floorctrl:c-s",), (None, None)),
            (("floorctrl:s-only",), (), (True, False)),
            (("floorctrl:c-s",), (), (False, True)),
            ((), (), (False, True)),
        ):
            near, far = self.pair("TCP/BFCP", "UDP/BFCP")
            near.configure(self.section("TCP/BFCP", *offered), OFFER)()
            far.configure(self.section("UDP/BFCP", *answered), ANSWER)()
            self.assertEqual((near.toServer, far.toServer), expected, (offered, answered))
            self.assertEqual((near._hop.toServer, far._hop.toServer), expected)
            near.connectionOpened()
            self.assertEqual(near._hop.toServer, expected[0])

    def test_versions(self) -> None:
        """
        Versions cross between transports of one sort; else each leg says what
        its transport has (RFC 8856 clause 5.5).
        """
        for a in PROTOS:
            for b in PROTOS:
                near, _ = self.pair(a, b)
                said = [line.value for line in near.describe(OFFER) if line.name == "bfcpver"]
                if PROTOS[a] in ("udp", "dtls"):
                    other, own = PROTOS[b] not in ("udp", "dtls"), str(UNRELIABLE)
                else:
                    other, own = PROTOS[b] in ("udp", "dtls"), "1"
                self.assertEqual(said, [own] if other else [])
                self.assertEqual("bfcpver" in near.passes, not other)

    def test_badVersions(self) -> None:
        """
        Versions that a transport does not have are refused.
        """
        for proto, value, good in (
            ("TCP/BFCP", "1", True),
            ("TCP/BFCP", "2", True),
            ("TCP/BFCP", "3", False),
            ("DC/BFCP", "x 1", True),
            ("UDP/BFCP", "1", False),
            ("UDP/TLS/BFCP", "1 2", True),
            ("UDP/BFCP", "", False),
        ):
            near, _ = self.pair(proto, proto)
            section = self.section(proto, f"bfcpver:{value}")
            if good:
                near.configure(section, OFFER)()
            else:
                self.assertRaises(NegotiationError, near.configure, section, OFFER)

    def test_channel(self) -> None:
        """
        A channel's C{setup} and C{connection} are offered, and answered if they
        were offered.
        """
        near, _ = self.pair("DC/BFCP", "TCP/BFCP", connected=False)
        self.assertEqual(list(near.describe(OFFER)), [Line("setup", "actpass"), Line("connection", "new")])
        self.assertEqual(list(near.describe(ANSWER)), [])
        for lines, expected in (
            (("setup:actpass", "connection:new"), ["passive", "new"]),
            (("setup:active",), ["passive"]),
            (("setup:passive", "connection:existing"), ["active", "new"]),
        ):
            near.configure(self.section("DC/BFCP", *lines), OFFER)()
            self.assertEqual([line.value for line in near.describe(ANSWER)], expected)
        near.connectionOpened()
        self.assertEqual([line.value for line in near.describe(ANSWER)], ["active", "existing"])
        self.assertEqual([line.value for line in near.describe(OFFER)], ["actpass", "existing"])
