"""
Tests for L{e2aegw.sansio.sctp.congestion}; those of RFC 9260's window are in
C{test_outbound}.
"""

from twisted.trial.unittest import SynchronousTestCase

from e2aegw.sansio.sctp.congestion import Congestion, RoundTrip, TolerantCongestion
from e2aegw.sansio.sctp.events import BufferLow, SCTPEvent
from e2aegw.sansio.sctp.settings import Settings
from e2aegw.transport.channel import OUT_OF_ORDER, RECEIVE_WINDOW
from tests.sansio.sctp.network import End, Network

SIZE = 1176


class BusyNetwork(Network):
    """
    One in which whoever is to take a packet has something else to do now and
    then.

    @ivar every: how often, in seconds.
    @ivar pause: for how long.
    """

    every, pause = 0.05, 0.015

    def carry(self, source: End, packet: bytes) -> None:
        """
        Take a packet.
        """
        late = self.now % self.every
        self.delay, delay = self.delay + max(0.0, self.pause - late), self.delay
        super().carry(source, packet)
        self.delay = delay


class RoundTripTests(SynchronousTestCase):
    """
    RFC 9260 clause 6.3.
    """

    def test_measurements(self) -> None:
        """
        The timeout follows rules C1 to C7.
        """
        roundTrip = RoundTrip(1, 0.1, 60)
        self.assertEqual(roundTrip.rto, 1)
        roundTrip.measured(0.5)
        self.assertAlmostEqual(roundTrip.rto, 0.5 + 4 * 0.25)
        roundTrip.measured(0.7)
        self.assertAlmostEqual(roundTrip.smoothed, 0.5 * 7 / 8 + 0.7 / 8)
        self.assertAlmostEqual(roundTrip.rto, roundTrip.smoothed + 4 * (0.25 * 3 / 4 + 0.2 / 4))

    def test_bounds(self) -> None:
        """
        It stays within its bounds, and doubles when it ends.
        """
        roundTrip = RoundTrip(1, 0.4, 60)
        roundTrip.measured(0.001)
        self.assertEqual(roundTrip.rto, 0.4)
        for _ in range(10):
            roundTrip.expired()
        self.assertEqual(roundTrip.rto, 60)


class TolerantTests(SynchronousTestCase):
    """
    Paths that lose packets for no reason.
    """

    def speed(self, size: int, kind: type[Network] = Network, **how: float) -> float:
        """
        Send something over a network, between ends that have as much room as
        those of the gateway, and measure.

        @return: bits per second.
        """
        settings = Settings(receiveWindow=RECEIVE_WINDOW, outOfOrder=OUT_OF_ORDER, lossTolerant=True)
        network = kind(left=settings, right=settings, **how)  # type: ignore[arg-type]
        network.keep = False
        network.connect()
        left = network.left.association
        message = bytes(20000)
        rest = [size // len(message)]

        def fill(event: SCTPEvent) -> None:
            while isinstance(event, BufferLow) and rest[0] and left.bufferedAmount(1) < 200000:
                left.send(1, message, 53, now=network.now)
                rest[0] -= 1

        network.left.onEvent = fill
        begun = network.now
        fill(BufferLow(1))
        network.left.pump()
        count = size // len(message)
        self.assertTrue(network.run(lambda: len(network.right.received.get(1, ())) == count, 120))
        return size * 8 / (network.now - begun)

    def test_lossyPath(self) -> None:
        """
        With 1 % loss and 20 ms each way there are 60 Mbit/s.
        """
        self.assertGreater(self.speed(10_000_000, loss=0.01), 60e6)

    def test_busyEnds(self) -> None:
        """
        That an end is late now and then is not taken for a queue.
        """
        self.assertGreater(self.speed(5_000_000, BusyNetwork, loss=0.01), 30e6)

    def test_lossyLink(self) -> None:
        """
        A link that is slow, too, is used for the most part.
        """
        self.assertGreater(self.speed(3_000_000, loss=0.01, rate=10e6), 7e6)

    def test_queue(self) -> None:
        """
        A loss with a queue is what it is in RFC 9260.
        """
        tolerant, strict = TolerantCongestion(SIZE), Congestion(SIZE)
        for congestion in (tolerant, strict):
            congestion.window = 40 * SIZE
            congestion.measured(0.02, 1)
            congestion.measured(0.05, 2)
            congestion.lost()
            self.assertEqual(congestion.window, 20 * SIZE)
            self.assertTrue(congestion.recovering)

    def test_noQueue(self) -> None:
        """
        A loss without one changes nothing, and the window grows.
        """
        congestion = TolerantCongestion(SIZE)
        congestion.window, congestion.threshold = 40 * SIZE, 30 * SIZE
        congestion.measured(0.02, 1)
        congestion.measured(0.021, 2)
        congestion.lost()
        self.assertEqual(congestion.window, 40 * SIZE)
        congestion.acknowledged(8 * SIZE, 40 * SIZE)
        self.assertEqual(congestion.window, 41 * SIZE)
        congestion.acknowledged(8 * SIZE, 40 * SIZE)
        self.assertEqual(congestion.window, 41 * SIZE)

    def test_muchLoss(self) -> None:
        """
        Much loss is congestion even without a queue.
        """
        congestion = TolerantCongestion(SIZE)
        congestion.window = 40 * SIZE
        congestion.acknowledged(20 * SIZE, 0)
        congestion.missed(4 * SIZE)
        congestion.measured(0.02, 1)
        congestion.lost()
        self.assertEqual(congestion.window, 20 * SIZE)

    def test_slowStartEnds(self) -> None:
        """
        The first queue ends slow start.
        """
        congestion = TolerantCongestion(SIZE)
        congestion.measured(0.02, 1)
        congestion.acknowledged(SIZE, congestion.window)
        self.assertEqual(congestion.window, 4404 + SIZE)
        congestion.measured(0.04, 2)
        congestion.acknowledged(SIZE, congestion.window)
        self.assertEqual(congestion.window, 4404 + SIZE)

    def test_longerPath(self) -> None:
        """
        A path that became longer is not taken for a queue for ever.
        """
        congestion = TolerantCongestion(SIZE)
        congestion.measured(0.02, 1)
        congestion.measured(0.1, 2)
        self.assertTrue(congestion._congested)
        congestion.measured(0.1, 40)
        self.assertFalse(congestion._congested)

    def test_timeout(self) -> None:
        """
        When nothing comes any more it begins anew, as in RFC 9260.
        """
        congestion = TolerantCongestion(SIZE)
        congestion.window = 40 * SIZE
        congestion.expired()
        self.assertEqual((congestion.window, congestion.threshold), (SIZE, 20 * SIZE))
