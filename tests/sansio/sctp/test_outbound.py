"""
Tests for L{e2aegw.sansio.sctp.outbound}: loss, congestion and messages that are
given up.
"""

import math
from collections import deque

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from e2aegw.errors import ResourceError
from e2aegw.sansio.sctp import chunks as c
from e2aegw.sansio.sctp.events import SCTPEvent
from e2aegw.sansio.sctp.outbound import Gaps, Outbound, _minus
from e2aegw.sansio.sctp.settings import Settings
from e2aegw.sansio.sctp.states import Violation
from tests.sansio.sctp.network import Network, chunksOf, chunkTypes

#: What of a packet all chunks may have, and of that a message.
ROOM = 1176
PAYLOAD = 1160


class Sender:
    """
    A sending half, and what it sends.
    """

    def __init__(
        self, *, interleaved: bool = False, window: int = 1 << 20, settings: Settings | None = None
    ) -> None:
        self.events: deque[SCTPEvent] = deque()
        self.outbound = Outbound(settings or Settings(), 1, self.events)
        self.outbound.start(window, 100, interleaved=interleaved, partial=True)
        self.now = 10.0

    def queue(
        self, count: int, *, streamID: int = 1, retransmits: int = -1, deadline: float = math.inf
    ) -> None:
        """
        Queue messages of a packet each.
        """
        for _ in range(count):
            self.outbound.send(streamID, bytes(PAYLOAD), 53, True, retransmits, deadline)

    def packets(self) -> list[list[int]]:
        """
        Send all that may be sent.

        @return: the TSNs in each packet.
        """
        sent: list[list[int]] = []
        while True:
            chunks: list[bytes] = []
            self.outbound.collect(chunks, self.outbound.room, self.now)
            if not chunks:
                return sent
            sent.append([int.from_bytes(chunk[4:8], "big") for chunk in chunks])

    def sack(self, tsn: int, *gaps: tuple[int, int], window: int = 1 << 20) -> list[int]:
        """
        Acknowledge.

        @return: the TSNs that are sent after it.
        """
        relative = [(start - tsn, end - tsn) for start, end in gaps]
        self.outbound.acknowledge(tsn, window, relative, self.now)
        return [tsn for packet in self.packets() for tsn in packet]


class CongestionTests(SynchronousTestCase):
    """
    RFC 9260 clause 7.2.
    """

    def test_initialWindow(self) -> None:
        """
        4,404 bytes may be in flight at first, and the packet that crosses the
        line.
        """
        sender = Sender()
        sender.queue(100)
        self.assertEqual(sender.outbound.congestion.window, 4404)
        self.assertEqual(sender.packets(), [[1], [2], [3], [4]])

    def test_slowStart(self) -> None:
        """
        Each acknowledgement of two packets makes room for a third.
        """
        sender = Sender()
        sender.queue(100)
        sender.packets()
        self.assertEqual(sender.sack(2), [5, 6, 7])
        self.assertEqual(sender.sack(4), [8, 9, 10])
        self.assertEqual(sender.outbound.congestion.window, 4404 + 2 * ROOM)

    def test_noGrowthWithoutUse(self) -> None:
        """
        A window that is not used does not grow.
        """
        sender = Sender()
        for tsn in range(1, 20, 2):
            sender.queue(2)
            sender.packets()
            sender.sack(tsn + 1)
        self.assertEqual(sender.outbound.congestion.window, 4404)

    def test_avoidance(self) -> None:
        """
        Above the threshold the window grows by one packet in each round trip.
        """
        sender = Sender()
        sender.queue(1000)
        congestion = sender.outbound.congestion
        congestion.window = 10 * ROOM
        congestion.threshold = 5 * ROOM
        flying = [tsn for packet in sender.packets() for tsn in packet]
        while len(flying) < 10:
            flying += sender.sack(0)
        for _ in range(5):
            before = congestion.window
            ahead: list[int] = []
            for index in range(1, len(flying), 2):
                ahead += sender.sack(flying[index])
            self.assertIn(congestion.window - before, (0, ROOM))
            flying = flying[len(flying) & ~1 :] + ahead
        self.assertIn(congestion.window, (14 * ROOM, 15 * ROOM))

    def test_fastRetransmit(self) -> None:
        """
        The third SACK that misses a chunk has it sent again at once, whatever
        the window says, and halves the window, once for all that got lost
        together.
        """
        sender = Sender()
        sender.queue(100)
        sender.outbound.congestion.window = 20 * ROOM
        sender.outbound.congestion.threshold = ROOM
        while sender.outbound.flight < 20 * ROOM:
            sender.sack(0)
        self.assertNotIn(1, sender.sack(0, (2, 2)))
        self.assertNotIn(1, sender.sack(0, (2, 3)))
        before = sender.outbound.congestion.window
        self.assertEqual(sender.sack(0, (2, 3), (5, 5))[0], 1)
        self.assertEqual(sender.outbound.congestion.window, before // 2)
        self.assertTrue(sender.outbound.congestion.recovering)
        sender.sack(0, (2, 3), (5, 6))
        again = sender.sack(0, (2, 3), (5, 7))
        self.assertNotIn(1, again)
        self.assertEqual(sender.outbound.congestion.window, before // 2)
        self.assertEqual(sender.outbound.retransmitted, 1 + again.count(4))
        sender.sack(sender.outbound.nextTSN - 1)
        self.assertFalse(sender.outbound.congestion.recovering)

    def test_lostAgain(self) -> None:
        """
        A chunk whose retransmission got lost, too, is sent a third time when
        chunks that were sent after it have come.
        """
        sender = Sender()
        sender.queue(100)
        sender.outbound.congestion.window = 10 * ROOM
        while sender.outbound.flight < 10 * ROOM:
            sender.sack(0)
        for tsn in (2, 3, 4):
            sent = sender.sack(0, (2, tsn))
        self.assertIn(1, sent)
        # Nothing that was sent before it says anything about it.
        mark = sender.outbound._outstanding[1].mark
        for tsn in range(5, mark):
            self.assertNotIn(1, sender.sack(0, (2, tsn)))
        self.assertGreaterEqual(sender.outbound.nextTSN, mark + 3)
        self.assertEqual(
            [1 in sender.sack(0, (2, tsn)) for tsn in range(mark, mark + 3)], [False, False, True]
        )

    def test_newestDecides(self) -> None:
        """
        A SACK that acknowledges nothing new above a missing chunk is no sign of
        its loss (HTNA).
        """
        sender = Sender()
        sender.queue(4)
        sender.packets()
        for _ in range(10):
            self.assertEqual(sender.sack(0, (3, 3)), [])

    def test_timeout(self) -> None:
        """
        When the timer ends, everything in flight is sent again, a packet first.
        """
        sender = Sender()
        sender.queue(100)
        sender.packets()
        self.assertEqual(sender.outbound.timer, 11.0)
        sender.now = 11.0
        self.assertTrue(sender.outbound.timeout(sender.now))
        self.assertEqual(sender.outbound.congestion.window, ROOM)
        self.assertEqual(sender.packets(), [[1]])
        self.assertEqual(sender.outbound.timer, 13.0)
        self.assertEqual(sender.sack(1), [2, 3])

    def test_rest(self) -> None:
        """
        After a rest the window is smaller.
        """
        sender = Sender()
        sender.queue(1)
        sender.packets()
        sender.sack(1)
        congestion = sender.outbound.congestion
        congestion.window = 64 * ROOM
        sender.now += 2.5 * sender.outbound.roundTrip.rto
        sender.queue(1)
        sender.packets()
        self.assertEqual(congestion.window, 16 * ROOM)
        self.assertEqual(congestion.threshold, 64 * ROOM)

    def test_longRest(self) -> None:
        """
        A rest does not forget how large the window was before it.
        """
        sender = Sender()
        congestion = sender.outbound.congestion
        congestion.window = 64 * ROOM
        congestion.rested(2)
        congestion.rested(1)
        self.assertEqual((congestion.window, congestion.threshold), (8 * ROOM, 64 * ROOM))

    def test_burst(self) -> None:
        """
        However large the window, not more than four new packets leave after each
        acknowledgement.
        """
        sender = Sender()
        sender.outbound.congestion.window = 1 << 20
        sender.queue(100)
        self.assertEqual(len(sender.packets()), 4)
        self.assertEqual(len(sender.sack(0)), 4)
        for _ in range(3):
            sender.outbound.acknowledge(0, 1 << 20, [], sender.now)
        self.assertEqual(len(sender.packets()), 12)
        self.assertEqual(len(sender.sack(0)), 4)

    def test_roundTrip(self) -> None:
        """
        The timeout follows the round trip, which is not measured with chunks
        that were sent twice.
        """
        sender = Sender()
        sender.queue(1)
        sender.packets()
        sender.now += 0.3
        sender.sack(1)
        self.assertAlmostEqual(sender.outbound.roundTrip.rto, 0.3 + 4 * 0.15)
        sender.queue(1)
        sender.packets()
        sender.now = sender.outbound.timer
        sender.outbound.timeout(sender.now)
        sender.packets()
        sender.now += 5
        sender.sack(2)
        self.assertAlmostEqual(sender.outbound.roundTrip.rto, 2 * 0.9)


class SackTests(SynchronousTestCase):
    """
    What SACKs say, and must not say.
    """

    def test_old(self) -> None:
        """
        A SACK from the past says nothing.
        """
        sender = Sender()
        sender.queue(4)
        sender.packets()
        sender.sack(3)
        self.assertFalse(sender.outbound.acknowledge(1, 0, [], sender.now))
        self.assertEqual(sender.outbound.flight, ROOM)

    def test_neverInOrder(self) -> None:
        """
        An other side that acknowledges everything but the first chunk does not
        fill the memory.
        """
        sender = Sender(settings=Settings(maxQueued=5000))
        outbound = sender.outbound
        for _ in range(1000):
            outbound.send(1, b"x", 53, True, -1, math.inf)
        for _ in range(50):
            sender.packets()
            outbound.acknowledge(0, 1 << 20, [(2, outbound.nextTSN - 1)], sender.now)
        self.assertLessEqual(outbound._kept, 5020)
        self.assertRaises(ResourceError, outbound.send, 1, b"x", 53, True, -1, math.inf)
        sender.sack(outbound.nextTSN - 1)
        self.assertGreater(outbound.nextTSN, 300)

    def test_notSent(self) -> None:
        """
        What was not sent cannot have arrived.
        """
        sender = Sender()
        sender.queue(4)
        sender.packets()
        self.assertRaises(Violation, sender.sack, 5)
        self.assertRaises(Violation, sender.sack, 2, (4, 5))

    def test_reneged(self) -> None:
        """
        What the other side threw away again is in flight again.
        """
        sender = Sender()
        sender.queue(4)
        sender.packets()
        sender.sack(0, (2, 4))
        self.assertEqual(sender.outbound.flight, ROOM)
        sender.sack(0, (2, 2))
        self.assertEqual(sender.outbound.flight, 3 * ROOM)
        sender.sack(4)
        self.assertTrue(sender.outbound.isIdle())

    @settings(deadline=None)
    @given(st.sets(st.integers(0, 60)), st.sets(st.integers(0, 60)))
    def test_minus(self, some: set[int], others: set[int]) -> None:
        """
        The difference of intervals is that of the sets that they stand for.
        """
        rest = _minus(intervals(some), intervals(others))
        self.assertEqual({tsn for start, end in rest for tsn in range(start, end + 1)}, some - others)

    @settings(deadline=None, max_examples=50)
    @given(st.lists(st.tuples(st.integers(0, 40), st.sets(st.integers(1, 40))), max_size=30))
    def test_anySacks(self, sacks: list[tuple[int, set[int]]]) -> None:
        """
        Whatever is acknowledged, in whatever order, the books balance.
        """
        sender = Sender()
        sender.outbound.congestion.window = 1 << 20
        sender.queue(60)
        for _ in range(15):
            sender.packets()
            sender.outbound.acknowledge(0, 1 << 20, [], sender.now)
        for number, (tsn, gaps) in enumerate(sacks):
            sender.now += 0.1
            blocks = intervals({gap + 1 for gap in gaps})
            if tsn + (blocks[-1][1] if blocks else 0) < sender.outbound.nextTSN:
                sender.outbound.acknowledge(tsn, 1 << 20, blocks, sender.now)
            if number % 5 == 4:
                sender.now = max(sender.now, min(sender.outbound.timer, sender.now + 10))
                sender.outbound.timeout(sender.now)
            sender.packets()
            outbound = sender.outbound
            flying = sum(len(sent.wire) for sent in outbound._outstanding.values() if not sent.state)
            self.assertEqual(outbound.flight, flying)
            self.assertEqual(outbound._kept, sum(len(s.wire) for s in outbound._outstanding.values()))
        sender.sack(sender.outbound.nextTSN - 1)
        while sender.outbound.queue:
            sender.sack(sender.outbound.nextTSN - 1)
        self.assertEqual(sender.outbound.flight, 0)


class AbandonTests(SynchronousTestCase):
    """
    Partial reliability: RFC 3758 clause 3.5.
    """

    def test_lostOnce(self) -> None:
        """
        A message without retransmissions is given up at its first loss, and the
        other side is told to go on.
        """
        sender = Sender()
        sender.queue(4, retransmits=0)
        sender.packets()
        for tsn in (2, 3, 4):
            sender.sack(0, (2, tsn))
        self.assertEqual(sender.outbound.abandoned, 1)
        self.assertTrue(sender.outbound.forwardDue)
        forward = sender.outbound.forwardChunk(ROOM)
        self.assertEqual(c.parseForwardTSN(forward[4:], interleaved=False), (1, [(1, False, 0)]))
        self.assertFalse(sender.outbound.forwardDue)
        sender.sack(0, (2, 4))
        self.assertTrue(sender.outbound.forwardDue)
        sender.sack(4)
        self.assertTrue(sender.outbound.isIdle())

    def test_retransmits(self) -> None:
        """
        A message with two retransmissions is sent three times.
        """
        sender = Sender()
        sender.queue(1, retransmits=2)
        times = len(sender.packets())
        for _ in range(3):
            sender.now = sender.outbound.timer
            sender.outbound.timeout(sender.now)
            times += len(sender.packets())
        self.assertEqual(times, 3)
        self.assertTrue(sender.outbound.forwardDue)
        sender.sack(1)
        self.assertTrue(sender.outbound.isIdle())

    def test_forwardIsRepeated(self) -> None:
        """
        FORWARD TSN is sent again when the timer ends.
        """
        sender = Sender()
        sender.queue(1, retransmits=0)
        sender.packets()
        for _ in range(3):
            sender.now = sender.outbound.timer
            sender.outbound.timeout(sender.now)
            self.assertTrue(sender.outbound.forwardDue)
            sender.outbound.forwardChunk(ROOM)

    def test_notSentYet(self) -> None:
        """
        A message that expires before it was sent leaves no trace.
        """
        sender = Sender()
        sender.queue(1, deadline=11)
        sender.queue(1)
        sender.now = 12
        self.assertEqual(sender.packets(), [[1]])
        self.assertEqual(sender.outbound.abandoned, 1)
        sender.sack(1)
        self.assertTrue(sender.outbound.isIdle())

    def test_half(self) -> None:
        """
        A message that expires when half of it was sent ends with a TSN that
        stands for the other half.
        """
        for interleaved in (False, True):
            sender = Sender(interleaved=interleaved)
            sender.outbound.send(1, bytes(20 * PAYLOAD), 53, True, -1, 11)
            sender.outbound.send(1, b"next", 53, True, -1, math.inf)
            self.assertEqual(sender.packets(), [[1], [2], [3], [4]])
            sender.now = 12
            self.assertEqual(sender.sack(3), [6])
            forward = sender.outbound.forwardChunk(ROOM)
            tsn, skips = c.parseForwardTSN(forward[4:], interleaved=interleaved)
            self.assertEqual((tsn, skips), (5, [(1, False, 0)]))
            sender.sack(6)
            self.assertTrue(sender.outbound.isIdle())

    def test_halfOfWhatArrived(self) -> None:
        """
        So it does if all that was sent of it has arrived.
        """
        sender = Sender()
        sender.outbound.send(1, bytes(20 * PAYLOAD), 53, True, -1, 11)
        sender.packets()
        sender.outbound.acknowledge(4, 1 << 20, [], sender.now)
        self.assertEqual(sender.outbound.timer, math.inf)
        sender.now = 12
        self.assertEqual(sender.packets(), [])
        self.assertTrue(sender.outbound.forwardDue)
        self.assertLess(sender.outbound.timer, math.inf)

    def test_turns(self) -> None:
        """
        A message may be given up when it is another stream's turn.
        """
        sender = Sender(interleaved=True)
        sender.outbound.send(1, bytes(20 * PAYLOAD), 53, True, 0, math.inf)
        sender.outbound.send(2, bytes(20 * PAYLOAD), 53, True, -1, math.inf)
        self.assertEqual(sender.packets(), [[1], [2], [3], [4]])
        sender.sack(2)
        self.assertEqual(sender.outbound.queue.head().stream.streamID, 2)
        sender.now = sender.outbound.timer
        sender.outbound.timeout(sender.now)
        self.assertEqual(sender.outbound.abandoned, 1)
        self.assertEqual(sender.outbound.queue.bufferedAmount(1), 0)
        self.assertGreater(sender.outbound.queue.bufferedAmount(2), 0)

    def test_manyStreams(self) -> None:
        """
        FORWARD TSN lists as many streams as fit, and covers no more.
        """
        sender = Sender()
        sender.outbound.congestion.window = 1 << 20
        for streamID in range(2000):
            sender.outbound.send(streamID, b"x", 53, True, 0, math.inf)
        for _ in range(20):
            sender.packets()
            sender.outbound.acknowledge(0, 1 << 20, [], sender.now)
        sender.now = sender.outbound.timer
        sender.outbound.timeout(sender.now)
        forward = sender.outbound.forwardChunk(ROOM)
        self.assertLessEqual(len(forward), ROOM)
        tsn, skips = c.parseForwardTSN(forward[4:], interleaved=False)
        self.assertEqual(tsn, len(skips))
        self.assertEqual(sender.outbound.forwardChunk(100), b"")
        self.assertFalse(sender.outbound.forwardDue)

    def test_endToEnd(self) -> None:
        """
        What may fail comes in order or not at all, on any network, and does not
        hold up what may not.
        """
        for seed in range(30):
            chosen = Settings(interleaving=bool(seed & 1))
            network = Network(seed, left=chosen, right=chosen, loss=0.2, jitter=0.02, duplication=0.1)
            network.connect()
            for number in range(60):
                data = number.to_bytes(2, "big") * (1 + 2000 * (number % 3))
                network.left.send(1, data, maxRetransmits=number % 2)
                network.left.send(2, data, maxLifetime=0.3, ordered=False)
                network.left.send(3, data)
                network.rest(0.02)
            network.left.send(1, b"last")
            network.left.send(2, b"last")
            self.assertTrue(
                network.run(
                    lambda network=network: (  # type: ignore[misc]
                        len(network.right.received[3]) == 60
                        and b"last" in network.right.received[1]
                        and b"last" in network.right.received[2]
                        and network.left.association._outbound.isIdle()
                    )
                )
            )
            numbers = [int.from_bytes(data[:2], "big") for data in network.right.received[1][:-1]]
            self.assertEqual(numbers, sorted(set(numbers)))
            self.assertGreater(network.left.association._outbound.abandoned, 0)
            network.rest(5)
            assert network.right.association._transfer is not None
            self.assertEqual(network.right.association._transfer.inbound.used, 0)


class ProbeTests(SynchronousTestCase):
    """
    A window that is closed: RFC 9260 clause 6.1 A.
    """

    def test_probe(self) -> None:
        """
        One chunk asks after a timeout whether there is room, and then less and
        less often; answers that there is none do not speak against the other
        side.
        """
        sender = Sender(window=0)
        sender.queue(10)
        self.assertEqual(sender.packets(), [])
        sender.now = sender.outbound.timer
        self.assertFalse(sender.outbound.timeout(sender.now))
        self.assertEqual(sender.packets(), [[1]])
        self.assertGreaterEqual(sender.outbound.timer, sender.now + 2)
        for _ in range(20):
            self.assertEqual(sender.sack(0, window=0), [])
            sender.now = sender.outbound.timer
            self.assertFalse(sender.outbound.timeout(sender.now))
            self.assertEqual(sender.packets(), [[1]])
        self.assertEqual(sender.outbound.roundTrip.rto, 60)
        self.assertEqual(sender.sack(0)[0], 1)

    def test_fullReceiver(self) -> None:
        """
        What a full receiver threw away is sent when it has room, without the
        timer.
        """
        sender = Sender()
        sender.queue(4)
        sender.packets()
        sender.sack(0, window=0)
        sender.outbound.congestion.window = ROOM
        sender.now = sender.outbound.timer
        self.assertFalse(sender.outbound.timeout(sender.now))
        self.assertEqual(sender.packets(), [[1]])
        self.assertEqual(sender.packets(), [])
        self.assertEqual(sender.sack(0, window=1 << 20), [1])
        self.assertEqual(sender.sack(1), [2, 3])

    def test_patience(self) -> None:
        """
        Until the timer ends, a closed window is not asked again.
        """
        sender = Sender(window=0)
        sender.queue(1)
        self.assertEqual(sender.packets(), [])
        at = sender.outbound.timer
        sender.now += 0.5
        self.assertEqual(sender.packets(), [])
        self.assertEqual(sender.outbound.timer, at)

    def test_silence(self) -> None:
        """
        No answer at all does.
        """
        sender = Sender(window=0)
        sender.queue(1)
        sender.packets()
        for expected in (False, True, True):
            sender.now = sender.outbound.timer
            self.assertEqual(sender.outbound.timeout(sender.now), expected)
            sender.packets()


class NetworkTests(SynchronousTestCase):
    """
    Losses by name.
    """

    def test_lastPacket(self) -> None:
        """
        The last packet of a message is missed by the timer alone, before long.
        """
        network = Network()
        network.connect()
        network.left.send(1, bytes(3000))
        network.rest(1)
        left = [True]
        network.lose = lambda packet: b"END" in packet and bool(left) and left.pop()
        begun = network.now
        network.left.send(1, bytes(2400) + b"END")
        self.assertTrue(network.run(lambda: len(network.right.received[1]) == 2))
        self.assertLess(network.now - begun, 0.5)

    def test_sacksLost(self) -> None:
        """
        SACKs that get lost cost nothing but time.
        """
        network = Network()
        network.connect()
        count = [0]

        def lose(packet: bytes) -> bool:
            count[0] += 1
            return chunkTypes(packet) == [c.SACK] and count[0] % 3 > 0

        network.lose = lose
        network.left.send(1, bytes(100000))
        self.assertTrue(network.run(lambda: 1 in network.right.received, 30))
        self.assertTrue(list(chunksOf(network.left.sent[0])))


def intervals(numbers: set[int]) -> Gaps:
    """
    The intervals that a set of numbers consists of.
    """
    found: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if found and found[-1][1] == number - 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found
