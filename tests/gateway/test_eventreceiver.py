"""
Who is told of events over TCP.
"""

from collections import Counter
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionRefusedError
from twisted.internet.testing import MemoryReactorClock, StringTransportWithDisconnection
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from e2aegw.gateway.eventreceiver import FAREWELL, FIRST_RETRY, LONGEST_RETRY, MAX_WAITING, StreamReceiver


class Transport(StringTransportWithDisconnection):
    """
    One that can be cut off.
    """

    def abortConnection(self) -> None:
        """
        End it, at once.
        """
        self.aborting = True
        self.loseConnection()


class StreamReceiverTests(SynchronousTestCase):
    """
    L{StreamReceiver}.
    """

    def setUp(self) -> None:
        """
        Begin to connect.
        """
        self.reactor: Any = MemoryReactorClock()
        self.counters: Counter[str] = Counter()
        self.receiver = StreamReceiver(
            self.reactor, ("192.0.2.77", 2301), self.counters, lambda count: b"lost %d\n" % count
        )
        self.receiver.start()

    def tearDown(self) -> None:
        """
        Nothing may be left.
        """
        self.stop()
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def stop(self) -> None:
        """
        End it, and wait for that.
        """
        stopped = Deferred.fromCoroutine(self.receiver.stop())
        self.reactor.advance(FAREWELL)
        self.successResultOf(stopped)

    def accept(self) -> Transport:
        """
        The receiver is there.
        """
        host, port, factory, _, _ = self.reactor.tcpClients[-1]
        self.assertEqual((host, port), ("192.0.2.77", 2301))
        transport = Transport()
        protocol = transport.protocol = factory.buildProtocol(None)
        protocol.makeConnection(transport)
        return transport

    def refuse(self) -> None:
        """
        It is not.
        """
        factory = self.reactor.tcpClients[-1][2]
        factory.clientConnectionFailed(None, Failure(ConnectionRefusedError()))

    def test_waits(self) -> None:
        """
        Lines wait until the receiver is there, and go out in order.
        """
        self.receiver.send(b"one\n")
        self.receiver.send(b"two\n")
        transport = self.accept()
        self.receiver.send(b"three\n")
        self.assertEqual(transport.value(), b"one\ntwo\nthree\n")
        self.assertEqual(self.counters, {"lines sent over TCP": 3})

    def test_slow(self) -> None:
        """
        While it is slow nothing is written; of too many lines the oldest are
        lost, counted, and the receiver is told.
        """
        transport = self.accept()
        assert transport.producer is not None
        transport.producer.pauseProducing()
        for number in range(MAX_WAITING + 3):
            self.receiver.send(b"%d\n" % number)
        self.assertEqual(transport.value(), b"")
        self.assertEqual(self.counters["lines lost over TCP"], 3)
        transport.producer.resumeProducing()
        lines = transport.value().splitlines()
        self.assertEqual((len(lines), lines[:2]), (MAX_WAITING + 1, [b"lost 3", b"3"]))

    def test_away(self) -> None:
        """
        If it is away, it is asked again after longer and longer waits.
        """
        waits: list[float] = []
        wait = FIRST_RETRY
        while len(waits) < 9:
            self.refuse()
            count = len(self.reactor.tcpClients)
            self.reactor.advance(wait - 0.001)
            self.assertEqual(len(self.reactor.tcpClients), count)
            self.reactor.advance(0.001)
            self.assertEqual(len(self.reactor.tcpClients), count + 1)
            waits.append(wait)
            wait = min(2 * wait, LONGEST_RETRY)
        self.assertEqual((waits[0], waits[1], waits[-1]), (0.5, 1.0, 30.0))

    def test_goesAway(self) -> None:
        """
        If it goes away, it is asked again soon.
        """
        self.refuse()
        self.reactor.advance(FIRST_RETRY)
        transport = self.accept()
        transport.protocol.connectionLost(Failure(ConnectionDone()))
        self.receiver.send(b"one\n")
        self.reactor.advance(FIRST_RETRY)
        self.assertEqual(self.accept().value(), b"one\n")
        self.assertEqual(self.counters["connections lost"], 1)

    def test_farewell(self) -> None:
        """
        When the gateway stops, what waits still goes out.
        """
        transport = self.accept()
        assert transport.producer is not None
        transport.producer.pauseProducing()
        self.receiver.send(b"last\n")
        stopped = Deferred.fromCoroutine(self.receiver.stop())
        self.assertNoResult(stopped)
        transport.producer.resumeProducing()
        self.assertEqual(transport.value(), b"last\n")
        self.successResultOf(stopped)
        self.assertIsNone(transport.producer)

    def test_noFarewell(self) -> None:
        """
        But a receiver that does not take it keeps nobody from stopping.
        """
        transport = self.accept()
        assert transport.producer is not None
        transport.producer.pauseProducing()
        self.receiver.send(b"last\n")
        self.stop()
        self.assertTrue(transport.aborting)
        self.assertEqual(self.counters["lines lost over TCP"], 1)

    def test_tooLate(self) -> None:
        """
        A receiver that is there only after the end is cut off.
        """
        self.stop()
        self.assertTrue(self.accept().aborting)
