"""
Those who connect to a port of L{e2aegw.transport.stream} and are not the remote
party.
"""

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from e2aegw.sansio.events import ConnectFailed, PathSettled
from e2aegw.transport.stream import LINGER, SETUP_TIMEOUT
from tests.transport.connection import join
from tests.transport.producer import Source
from tests.transport.test_stream import ANSWER, OFFER, Speaker, StreamTestCase, section


class Doubting(Speaker):
    """
    A protocol that does not know who is connected.
    """

    believes = False


class StrangerTests(StreamTestCase):
    """
    They take nothing away from who is awaited.
    """

    def setUp(self) -> None:
        """
        Have a protocol that can tell.
        """
        super().setUp()
        self.speaker = Doubting()
        self.transport.attach(self.speaker)

    def test_readsNothing(self) -> None:
        """
        A stranger who made room, and reads nothing, is cut off before long.
        """
        self.offered("active")
        stranger = self.called("203.0.113.99")
        assert stranger is not None
        # As if something still waited to be sent.
        stranger.registerProducer(Source(), True)
        factory = self.reactor.tcpServers[-1][1]
        connection = join(factory.buildProtocol(IPv4Address("TCP", "198.51.100.7", 40000)))
        assert connection is not None
        self.assertEqual(self.transport.counters["strangers replaced"], 1)
        self.assertTrue(stranger.connected)
        self.reactor.advance(LINGER)
        self.assertFalse(stranger.connected)
        self.assertTrue(connection.connected)
        self.end()

    def test_talksNonsense(self) -> None:
        """
        Somebody who connects from elsewhere and talks nonsense, or goes again,
        takes nothing away from who is awaited.
        """
        self.offered("active")
        stranger = self.called("203.0.113.99")
        assert stranger is not None
        stranger.protocol.dataReceived(b"nonsense")
        self.assertFalse(stranger.connected)
        self.assertEqual(self.transport.counters["dropped nonsense"], 1)
        other = self.called("203.0.113.99")
        assert other is not None
        other.protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.transport.counters["strangers left"], 2)
        self.assertEqual([type(event) for event in self.events], [PathSettled] * 2)
        connection = self.called()
        assert connection is not None
        connection.protocol.dataReceived(b"hello")
        self.assertEqual(self.speaker.received, b"hello")
        self.assertEqual(self.speaker.life, ["opened", "lost"] * 2 + ["opened"])
        self.end()

    def test_leavesAndNobodyComes(self) -> None:
        """
        After a stranger the remote party is still waited for, and missed.
        """
        self.offered("active")
        stranger = self.called("203.0.113.99")
        assert stranger is not None
        stranger.protocol.connectionLost(Failure(ConnectionDone()))
        self.reactor.advance(SETUP_TIMEOUT)
        self.assertEqual(
            self.events[1:], [ConnectFailed(remote="198.51.100.7:2855", reason="nobody connected")]
        )
        self.end()

    def test_beforeTheAnswer(self) -> None:
        """
        Who connects where the remote party waits for us is somebody else, and
        does not settle who is active.
        """
        self.transport.configure(section("passive"), OFFER)()
        self.assertIsNone(self.called("203.0.113.99"))
        self.assertEqual(self.said(ANSWER), "active")
        self.end()

    def test_beforeTheirAnswer(self) -> None:
        """
        A stranger who comes and goes before the answer settles nothing.
        """
        self.said(OFFER)
        stranger = self.called("203.0.113.99")
        assert stranger is not None
        stranger.protocol.connectionLost(Failure(ConnectionDone()))
        self.assertIsNone(self.transport.active)
        self.transport.configure(section("passive"), ANSWER)()
        self.assertTrue(self.transport.active)
        self.end()
