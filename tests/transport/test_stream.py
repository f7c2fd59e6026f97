"""
Tests for L{e2aegw.transport.stream}.
"""

from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IConsumer, IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

from e2aegw.errors import NegotiationError, RemoteError, ResourceError
from e2aegw.gateway.ports import PortPool
from e2aegw.interfaces import IMediaTransport, IStreamPortSource
from e2aegw.sansio.events import ConnectFailed, Event, PathSettled
from e2aegw.sansio.sdp import Line, Section
from e2aegw.sansio.terms import Kind, Terms
from e2aegw.testing import MemoryNetwork
from e2aegw.transport.stream import CONNECT_TIMEOUT, LINGER, RETRIES, SETUP_TIMEOUT, StreamTransport
from tests.transport.connection import Connection, join
from tests.transport.producer import Source

OFFER = Terms(kind=Kind.OFFER)
ANSWER = Terms(kind=Kind.ANSWER)
HOST = "192.0.2.1"


class Speaker(Protocol):
    """
    An adapter that remembers.

    @ivar received: what it got.
    @ivar life: C{"opened"} and C{"lost"}, as they came.
    @ivar destination: where to connect to, if the medium says so.
    """

    def __init__(self, destination: tuple[str, int] | None = None) -> None:
        self.received = b""
        self.life: list[str] = []
        self.destination = destination

    def connectionOpened(self) -> None:
        """
        See L{StreamTransport}.
        """
        self.life.append("opened")

    def dataReceived(self, data: bytes) -> None:
        """
        Remember it.

        @raise RemoteError: it is nonsense.
        """
        if data == b"nonsense":
            raise RemoteError("nonsense")
        self.received += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        Remember it.
        """
        self.life.append("lost")


def section(setup: str | None, host: str | None = "198.51.100.7", port: int = 2855) -> Section:
    """
    The remote party's.
    """
    lines = [] if setup is None else [Line("setup", setup)]
    return Section("message", port, "TCP/MSRP", ("*",), address=host, lines=lines)


class StreamTestCase(SynchronousTestCase):
    """
    A transport on a reactor in memory.
    """

    def setUp(self) -> None:
        """
        Make it.
        """
        self.reactor: Any = MemoryReactorClock()
        network = MemoryNetwork(self.reactor)
        self.pool = PortPool(network, HOST, 30000, 30003, advertised="203.0.113.1", streams=self.reactor)
        self.events: list[Event] = []
        self.transport = StreamTransport(self.reactor, self.pool)
        self.transport.notify = self.events.append
        self.speaker = Speaker()
        self.transport.attach(self.speaker)

    def offered(self, setup: str | None, **place: Any) -> str | None:
        """
        The remote party offers.

        @return: what we answer.
        """
        self.transport.configure(section(setup, **place), OFFER)()
        return self.said(ANSWER)

    def answered(self, setup: str | None, **place: Any) -> None:
        """
        We offer, and the remote party answers.
        """
        self.assertEqual(self.said(OFFER), "actpass")
        self.transport.configure(section(setup, **place), ANSWER)()

    def said(self, terms: Terms) -> str | None:
        """
        What we say of our role.
        """
        ((name, value),) = self.transport.describe(terms)
        self.assertEqual(name, "setup")
        return value

    def called(self, host: str = "198.51.100.7") -> Connection | None:
        """
        Somebody connects.

        @return: its connection, or L{None} if it is refused.
        """
        factory = self.reactor.tcpServers[-1][1]
        return join(factory.buildProtocol(None), host)

    def connect(self) -> Connection:
        """
        Our attempt to connect succeeds.
        """
        self.reactor.advance(0)
        connection = join(self.reactor.tcpClients[-1][2].buildProtocol(None))
        assert connection is not None
        return connection

    def end(self) -> None:
        """
        End the leg, and see that nothing is left.
        """
        self.transport.loseConnection()
        self.transport.loseConnection()
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertEqual(self.pool.lent, 0)
        self.assertFalse(self.transport.connected)


class RoleTests(StreamTestCase):
    """
    Who connects: RFC 4145 clause 4.1, RFC 6135 clause 4.2.
    """

    def test_interfaces(self) -> None:
        """
        It is a transport, a producer and a consumer; its port is of the range,
        at the address that descriptions say.
        """
        for interface in (IMediaTransport, IPushProducer, IConsumer):
            verifyObject(interface, self.transport)
        verifyObject(IStreamPortSource, self.pool)
        self.assertEqual(self.transport.localAddress, ("203.0.113.1", 30000))
        self.assertEqual(self.transport.getHost(), ("203.0.113.1", 30000))
        self.assertIsNone(self.transport.getPeer())
        self.assertEqual(self.reactor.tcpServers[0][0], 30000)
        self.assertEqual(self.reactor.tcpServers[0][2:], (4, HOST))
        self.end()

    def test_answers(self) -> None:
        """
        We answer so that it fits; whoever may connect to us shall, and who
        says nothing is active.
        """
        for offer, answer in (
            ("actpass", "passive"),
            ("active", "passive"),
            ("passive", "active"),
            (None, "passive"),
            ("holdconn", "passive"),
        ):
            self.setUp()
            self.assertEqual(self.offered(offer), answer, offer)
            self.assertEqual(self.said(ANSWER), answer)
            self.assertIs(self.transport.active, answer == "active")
            self.end()

    def test_reoffer(self) -> None:
        """
        A later offer of ours never makes us passive alone, and never changes
        what is.
        """
        self.offered("passive")
        self.assertEqual(self.said(OFFER), "active")
        self.end()
        self.setUp()
        self.offered("active")
        self.assertEqual(self.said(OFFER), "actpass")
        self.transport.configure(section("passive"), ANSWER)()
        self.assertIs(self.transport.active, False)
        self.end()

    def test_impossible(self) -> None:
        """
        A role that there is not is refused, and so is an address that is a
        name; nothing changes.
        """
        for setup, terms in (("both", OFFER), ("actpass", ANSWER), ("x", ANSWER)):
            self.assertRaises(NegotiationError, self.transport.configure, section(setup), terms)
        named = section("active", "example.com")
        self.assertRaises(NegotiationError, self.transport.configure, named, OFFER)
        self.assertIsNone(self.transport.active)
        self.end()

    def test_noPorts(self) -> None:
        """
        When the range is used up there is no transport.
        """
        second = StreamTransport(self.reactor, self.pool)
        self.assertRaises(ResourceError, StreamTransport, self.reactor, self.pool)
        second.loseConnection()
        self.assertEqual(self.pool.lent, 1)
        self.end()


class PassiveTests(StreamTestCase):
    """
    The remote party connects.
    """

    def test_otherVersion(self) -> None:
        """
        A party that is reached over the other version of IP is connected to
        from whatever address we have there, and another from our own.
        """
        for host, here in (("198.51.100.7", (HOST, 0)), ("2001:db8::7", None)):
            self.setUp()
            self.offered("passive", host=host)
            self.reactor.advance(0)
            [(*_, bound)] = self.reactor.tcpClients
            self.assertEqual(bound, here)

    def test_connected(self) -> None:
        """
        The protocol is told, and bytes go both ways.
        """
        self.offered("active")
        self.transport.write(b"too early")
        self.assertEqual(self.transport.counters["unsent not connected"], 1)
        connection = self.called()
        assert connection is not None
        self.assertEqual(connection.options, ["no delay", "keep alive"])
        self.assertEqual(self.speaker.life, ["opened"])
        self.assertEqual(
            self.events, [PathSettled(signalled="198.51.100.7:2855", remote="198.51.100.7:40000")]
        )
        self.transport.write(b"a")
        self.transport.writeControl(b"b")
        self.transport.writeSequence([b"c", b"d"])
        self.assertEqual(connection.value(), b"abcd")
        connection.protocol.dataReceived(b"hello")
        self.assertEqual(self.speaker.received, b"hello")
        self.assertEqual(self.transport.getPeer().port, 40000)
        self.end()
        self.assertEqual(self.speaker.life, ["opened", "lost"])

    def test_beforeTheAnswer(self) -> None:
        """
        Who was offered C{actpass} may connect before its answer has come.
        """
        self.said(OFFER)
        self.assertIsNotNone(self.called())
        self.assertIs(self.transport.active, False)
        self.transport.configure(section("active"), ANSWER)()
        self.assertTrue(self.transport.connected)
        self.end()

    def test_secondConnection(self) -> None:
        """
        One connection is enough; further ones are refused and counted.
        """
        self.offered("active")
        first = self.called()
        self.assertIsNone(self.called("203.0.113.99"))
        self.assertEqual(self.transport.counters["dropped second connection"], 1)
        assert first is not None
        self.assertTrue(first.connected)
        self.end()

    def test_race(self) -> None:
        """
        Of two connections that were accepted at once, one is cut off.
        """
        self.offered("active")
        factory = self.reactor.tcpServers[-1][1]
        one, two = factory.buildProtocol(None), factory.buildProtocol(None)
        first, second = join(one), join(two)
        assert first is not None and second is not None
        self.assertTrue(second.aborting)
        two.dataReceived(b"x")
        self.assertEqual((self.speaker.life, self.speaker.received), (["opened"], b""))
        self.end()

    def test_lostAndBack(self) -> None:
        """
        When a connection is lost the protocol is told, and there may be
        another.
        """
        self.offered("active")
        connection = self.called()
        assert connection is not None
        connection.protocol.connectionLost(Failure(ConnectionLost()))
        self.assertEqual(self.transport.counters["connections lost"], 1)
        self.assertFalse(self.transport.connected)
        again = self.called()
        assert again is not None
        again.protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.transport.counters["connections lost"], 1)
        self.assertEqual(self.speaker.life, ["opened", "lost"] * 2)
        self.end()

    def test_nobodyCame(self) -> None:
        """
        When nobody connects in time, that is told.
        """
        self.answered("active")
        self.reactor.advance(SETUP_TIMEOUT - 1)
        self.assertEqual(self.events, [])
        self.reactor.advance(1)
        self.assertEqual(self.events, [ConnectFailed(remote="198.51.100.7:2855", reason="nobody connected")])
        self.end()

    def test_nobodyCameFromNowhere(self) -> None:
        """
        Who has no address yet may connect all the same.
        """
        self.offered("active", host=None)
        self.reactor.advance(SETUP_TIMEOUT)
        self.assertEqual(self.events, [ConnectFailed(remote="nowhere", reason="nobody connected")])
        self.end()

    def test_closed(self) -> None:
        """
        A leg that has ended takes no connection any more.
        """
        self.offered("active")
        factory = self.reactor.tcpServers[-1][1]
        late = factory.buildProtocol(None)
        self.end()
        connection = join(late)
        assert connection is not None
        self.assertTrue(connection.aborting)
        self.assertIsNone(factory.buildProtocol(None))
        self.assertEqual(self.speaker.life, [])


class ActiveTests(StreamTestCase):
    """
    We connect.
    """

    def test_connected(self) -> None:
        """
        We connect to where the section says, from our address, when the
        negotiation is over, and listen no more.
        """
        self.offered("passive")
        self.assertEqual(self.reactor.tcpClients, [])
        self.assertEqual(self.pool.lent, 0)
        connection = self.connect()
        host, port, _, timeout, bind = self.reactor.tcpClients[0]
        self.assertEqual((host, port, timeout), ("198.51.100.7", 2855, CONNECT_TIMEOUT))
        self.assertEqual(bind, (HOST, 0))
        self.assertEqual(self.speaker.life, ["opened"])
        connection.protocol.dataReceived(b"hello")
        self.assertEqual(self.speaker.received, b"hello")
        self.end()
        self.assertEqual(self.speaker.life, ["opened", "lost"])

    def test_destination(self) -> None:
        """
        The medium may know better where to connect to, if it says so in
        numbers.
        """
        for destination, host in (
            (("198.51.100.99", 9999), "198.51.100.99"),
            (("relay.example.com", 9999), "198.51.100.7"),
        ):
            self.setUp()
            self.speaker.destination = destination
            self.answered("passive")
            self.connect()
            self.assertEqual(self.reactor.tcpClients[0][0], host)
            self.end()

    def test_retries(self) -> None:
        """
        An attempt that fails is repeated, later each time; when all have
        failed that is told, once.
        """
        self.answered("passive")
        self.reactor.advance(0)
        for number, wait in enumerate(RETRIES, 1):
            self.refuse()
            self.reactor.advance(wait - 0.01)
            self.assertEqual(len(self.reactor.tcpClients), number)
            self.reactor.advance(0.01)
            self.assertEqual(len(self.reactor.tcpClients), number + 1)
        self.assertEqual(self.events, [])
        self.refuse()
        ((event,),) = [self.events]
        self.assertIsInstance(event, ConnectFailed)
        self.assertEqual(self.transport.counters["connect attempts failed"], len(RETRIES) + 1)
        self.end()
        self.assertEqual(self.speaker.life, [])

    def test_retrySucceeds(self) -> None:
        """
        One attempt that succeeds is enough.
        """
        self.answered("passive")
        self.reactor.advance(0)
        self.refuse()
        self.reactor.advance(RETRIES[0])
        self.connect()
        self.assertEqual(self.speaker.life, ["opened"])
        self.end()

    def test_nowhere(self) -> None:
        """
        Without an address nothing is connected to.
        """
        self.answered("passive", host=None)
        for wait in (0, *RETRIES):
            self.reactor.advance(wait)
        self.assertEqual(self.reactor.tcpClients, [])
        self.assertEqual(self.events, [ConnectFailed(remote="nowhere", reason="no address")])
        self.end()

    def test_endedMeanwhile(self) -> None:
        """
        A leg that ends while it connects, or between two attempts, stops.
        """
        self.answered("passive")
        self.reactor.advance(0)
        self.transport.loseConnection()
        self.assertEqual(self.reactor.connectors[0].stoppedConnecting, True)
        self.refuse()
        self.assertEqual((self.events, self.reactor.getDelayedCalls()), ([], []))
        self.setUp()
        self.answered("passive")
        self.reactor.advance(0)
        self.refuse()
        self.end()

    def refuse(self) -> None:
        """
        The last attempt fails.
        """
        factory = self.reactor.tcpClients[-1][2]
        factory.clientConnectionFailed(None, Failure(ConnectionLost()))


class FlowTests(StreamTestCase):
    """
    What flows, and what is held up.
    """

    def setUp(self) -> None:
        """
        The remote party connects.
        """
        super().setUp()
        self.offered("active")

    def test_pauseBeforeItConnects(self) -> None:
        """
        Who is paused before there is a connection is paused when there is one.
        """
        self.transport.pauseProducing()
        connection = self.called()
        assert connection is not None
        self.assertEqual(connection.producerState, "paused")
        self.transport.resumeProducing()
        self.assertEqual(connection.producerState, "producing")
        self.transport.pauseProducing()
        self.assertEqual(connection.producerState, "paused")
        self.end()

    def test_resumedBeforeItConnects(self) -> None:
        """
        Who is resumed in time is not held up.
        """
        self.transport.pauseProducing()
        self.transport.resumeProducing()
        connection = self.called()
        assert connection is not None
        self.assertEqual(connection.producerState, "producing")
        self.end()

    def test_producers(self) -> None:
        """
        A producer is the connection's, also if it was there before, and the
        next connection's too.
        """
        source = Source()
        self.transport.registerProducer(source, True)
        self.assertRaises(RuntimeError, self.transport.registerProducer, Source(), True)
        connection = self.called()
        assert connection is not None
        self.assertIs(connection.producer, source)
        connection.protocol.connectionLost(Failure(ConnectionLost()))
        again = self.called()
        assert again is not None
        self.assertIs(again.producer, source)
        self.transport.unregisterProducer()
        self.assertIsNone(again.producer)
        other = Source()
        self.transport.registerProducer(other, False)
        self.assertEqual((again.producer, again.streaming), (other, False))
        self.transport.unregisterProducer()
        self.transport.unregisterProducer()
        self.end()

    def test_nonsense(self) -> None:
        """
        What is not understood ends the connection, and is counted.
        """
        connection = self.called()
        assert connection is not None
        protocol = connection.protocol
        protocol.dataReceived(b"nonsense")
        self.assertEqual(self.transport.counters["dropped nonsense"], 1)
        self.assertFalse(connection.connected)
        protocol.dataReceived(b"more")
        self.assertEqual((self.speaker.life, self.speaker.received), (["opened", "lost"], b""))
        self.end()

    def test_stopped(self) -> None:
        """
        Whoever wants to hear nothing any more ends the leg.
        """
        connection = self.called()
        assert connection is not None
        self.transport.stopProducing()
        self.assertFalse(connection.connected)
        self.end()

    def test_whatWasWrittenGoesOut(self) -> None:
        """
        The end of a leg waits a little for what was written, also if the other
        side's bytes are not read at the moment.
        """
        connection = self.called()
        assert connection is not None
        source = Source()
        self.transport.pauseProducing()
        self.transport.registerProducer(source, True)
        self.transport.loseConnection()
        self.assertTrue(connection.connected and connection.disconnecting)
        self.assertEqual(connection.producerState, "producing")
        self.reactor.advance(LINGER - 1)
        self.assertTrue(connection.connected)
        self.reactor.advance(1)
        self.assertTrue(connection.aborting)
        self.assertEqual(self.transport.counters["connections cut off"], 1)
        self.assertEqual(self.speaker.life, ["opened", "lost"])
        self.end()


class Far(Speaker):
    """
    An adapter on a real connection, which tells when it has got enough, and
    when it is closed.
    """

    def __init__(self, enough: int) -> None:
        super().__init__()
        self.open: Deferred[None] = Deferred()
        self.full: Deferred[None] = Deferred()
        self.closed: Deferred[None] = Deferred()
        self._enough = enough

    def connectionOpened(self) -> None:
        """
        Tell.
        """
        self.open.callback(None)

    def dataReceived(self, data: bytes) -> None:
        """
        Count.
        """
        super().dataReceived(data)
        if len(self.received) == self._enough:
            self.full.callback(None)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        Tell.
        """
        self.closed.callback(None)


class LoopbackTests(TestCase):
    """
    Two transports on the system's TCP.
    """

    async def test_loopback(self) -> None:
        """
        One connects to the other; who does not read slows down who writes, and
        in the end everything has arrived and both ports are free.
        """
        pool = PortPool(MemoryNetwork(), "127.0.0.1", 20000, 29999, streams=reactor)
        size = 1 << 22
        protocols = Far(0), Far(size)
        ends = here, there = StreamTransport(reactor, pool), StreamTransport(reactor, pool)
        for transport, protocol in zip(ends, protocols, strict=True):
            transport.attach(protocol)
        there.configure(section("actpass", "127.0.0.1", here.localAddress[1]), OFFER)()
        self.assertEqual(list(there.describe(ANSWER)), [Line("setup", "passive")])
        here.describe(OFFER)
        here.configure(section("passive", "127.0.0.1", there.localAddress[1]), ANSWER)()
        there.pauseProducing()
        for protocol in protocols:
            await protocol.open
        source = Source()
        here.registerProducer(source, True)
        here.write(bytes(size))
        self.assertEqual(source.asked, ["pause"])
        there.resumeProducing()
        await protocols[1].full
        self.assertEqual(source.asked, ["pause", "resume"])
        here.unregisterProducer()
        here.loseConnection()
        for protocol in protocols:
            await protocol.closed
        there.loseConnection()
        self.assertEqual(there.counters, {})
        while pool.lent:
            turn: Deferred[None] = Deferred()
            reactor.callLater(0, turn.callback, None)
            await turn
