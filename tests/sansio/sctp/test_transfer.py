"""
Tests for L{e2aegw.sansio.sctp.transfer}: data from one end to the other.
"""

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from e2aegw.errors import ResourceError, UsageError
from e2aegw.sansio.sctp import chunks as c
from e2aegw.sansio.sctp.events import BufferLow, Closed, SCTPEvent
from e2aegw.sansio.sctp.settings import Settings
from tests.sansio.sctp.network import End, Network, chunksOf, chunkTypes

#: Networks that are worse than any.
networks = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 1 << 32),
        "loss": st.sampled_from((0.0, 0.05, 0.3)),
        "jitter": st.sampled_from((0.0, 0.02, 0.3)),
        "duplication": st.sampled_from((0.0, 0.3)),
    }
)
#: Messages: the stream, the size, and whether in order.
messages = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from((1, 3, 1159, 1160, 1161, 5000, 20000)), st.booleans()),
    min_size=1,
    max_size=30,
)


def sendAll(end: End, wanted: list[tuple[int, int, bool]], random: Random) -> dict[int, list[bytes]]:
    """
    Send messages at once.

    @return: them, stream by stream.
    """
    sent: dict[int, list[bytes]] = {}
    for streamID, size, ordered in wanted:
        data = random.randbytes(size)
        sent.setdefault(streamID, []).append(data)
        end.send(streamID, data, ordered=ordered)
    return sent


def packetsWith(end: End, kind: int) -> list[bytes]:
    """
    The packets of one end that have a chunk of a type.
    """
    return [packet for packet in end.sent if kind in chunkTypes(packet)]


class ReliableTests(SynchronousTestCase):
    """
    Everything arrives once.
    """

    @settings(deadline=None, max_examples=60)
    @given(networks, messages, messages, st.booleans())
    def test_everythingArrives(
        self,
        how: dict[str, float],
        there: list[tuple[int, int, bool]],
        back: list[tuple[int, int, bool]],
        interleaving: bool,
    ) -> None:
        """
        Whatever the network does, every message arrives once, and in its order
        if it has one; then nothing is left, at either end.
        """
        chosen = Settings(interleaving=interleaving, maxRetransmits=100, maxInitRetransmits=100)
        network = Network(left=chosen, right=chosen, **how)  # type: ignore[arg-type]
        network.connect(both=True)
        ends = (network.left, network.right)
        sent = [sendAll(end, wanted, network.random) for end, wanted in zip(ends, (there, back), strict=True)]
        counts = [len(there), len(back)]
        self.assertTrue(
            network.run(
                lambda: (
                    [sum(map(len, end.other.received.values())) for end in ends] >= counts
                    and all(end.association._outbound.isIdle() for end in ends)
                )
            )
        )
        network.rest(5)
        for end, wanted, all_ in zip(ends, (there, back), sent, strict=True):
            for streamID, expected in all_.items():
                got = end.other.received[streamID]
                self.assertEqual(sorted(got), sorted(expected))
                ordered = [
                    data
                    for data, how_ in zip(expected, [o for s, _, o in wanted if s == streamID], strict=True)
                    if how_
                ]
                # One that has no order may be the same as one that has.
                rest = iter(got)
                self.assertTrue(all(data in rest for data in ordered), (got, ordered))
            assert end.association._transfer is not None
            self.assertEqual(end.association._transfer.inbound.used, 0)
            outbound = end.association._outbound
            self.assertEqual((outbound.flight, outbound._kept, outbound.queue.waiting), (0, 0, 0))
            self.assertLessEqual(max(map(len, end.sent)), 1191)

    def test_wrap(self) -> None:
        """
        TSNs and SSNs begin anew at their ends without anybody noticing.
        """

        class HighTSN(Random):
            """
            Chance that chooses the last TSNs.
            """

            def randbytes(self, n: int) -> bytes:
                return b"\xff" * (n - 1) + b"\xf0" if n == 4 else super().randbytes(n)

        network = Network(left=Settings(interleaving=False))
        network.left.association = type(network.left.association)(
            Settings(interleaving=False), HighTSN(1).randbytes
        )
        network.keep = False
        network.connect()
        count = 66000
        for number in range(count):
            network.left.association.send(1, number.to_bytes(3, "big"), 53, now=network.now)
            if number % 1000 == 0:
                network.left.pump()
                network.rest(1)
        network.left.pump()
        self.assertTrue(network.run(lambda: len(network.right.received[1]) == count))
        self.assertEqual(network.right.received[1], [number.to_bytes(3, "big") for number in range(count)])

    def test_streamsDoNotWait(self) -> None:
        """
        A message of another stream, or one without order, does not wait for
        one that got lost.
        """
        for interleaving in (False, True):
            network = Network(left=Settings(interleaving=interleaving))
            network.connect()
            network.lose = lambda packet: b"first" in packet
            network.left.send(1, b"first")
            network.lose = lambda packet: False
            network.left.send(1, b"second")
            network.left.send(2, b"third")
            network.left.send(1, b"fourth", ordered=False)
            network.rest(0.05)
            self.assertEqual(network.right.received, {2: [b"third"], 1: [b"fourth"]})
            network.rest(2)
            self.assertEqual(network.right.received, {2: [b"third"], 1: [b"fourth", b"first", b"second"]})

    def test_turns(self) -> None:
        """
        Streams take turns: with interleaving, a long message does not hold up
        a short one, and without, a queue of long ones holds it up for one.
        """
        for interleaving in (False, True):
            network = Network(left=Settings(interleaving=interleaving), rate=1e6)
            network.connect()
            for _ in range(10):
                network.left.association.send(1, bytes(50000), 53, now=network.now)
            network.left.pump()
            network.rest(0.5)
            network.left.send(2, b"short")
            self.assertTrue(network.run(lambda network=network: 2 in network.right.received))  # type: ignore[misc]
            self.assertLessEqual(len(network.right.received.get(1, ())), 1 if interleaving else 4)

    def test_bundling(self) -> None:
        """
        Small messages share a packet, and an acknowledgement goes along.
        """
        network = Network()
        network.connect()
        for end in (network.left, network.right):
            end.sent.clear()
            for _ in range(3):
                end.association.send(1, b"small", 53, now=network.now)
        network.left.pump()
        network.rest(0.1)
        self.assertEqual([chunkTypes(packet) for packet in network.left.sent], [[c.I_DATA] * 3])
        network.right.pump()
        self.assertEqual([chunkTypes(packet) for packet in network.right.sent], [[c.SACK] + [c.I_DATA] * 3])

    def test_badMessages(self) -> None:
        """
        What cannot be sent is refused.
        """
        network = Network()
        network.connect()
        self.assertRaises(UsageError, network.left.send, 1, b"")
        self.assertRaises(UsageError, network.left.send, 65535, b"x")
        self.assertRaises(UsageError, network.left.send, -1, b"x")

    def test_maxPacket(self) -> None:
        """
        No packet is larger than was chosen.
        """
        for size in (600, 1191, 1400):
            network = Network(left=Settings(maxPacket=size))
            network.connect()
            network.left.send(1, bytes(100000))
            self.assertTrue(network.run(lambda network=network: 1 in network.right.received))  # type: ignore[misc]
            self.assertIn(size - max(map(len, network.left.sent)), range(4))


class LimitTests(SynchronousTestCase):
    """
    Nothing grows without end.
    """

    def test_queue(self) -> None:
        """
        More than so much is not queued, and there is an event when there is
        room.
        """
        network = Network(left=Settings(maxQueued=100000, lowWater=20000))
        network.connect()
        for _ in range(10):
            network.left.association.send(1, bytes(10000), 53, now=network.now)
        self.assertRaises(ResourceError, network.left.association.send, 1, b"x", 53, now=network.now)
        self.assertEqual(network.left.association.bufferedAmount(1), 100000)
        amounts: list[int] = []

        def look(event: SCTPEvent) -> None:
            if isinstance(event, BufferLow):
                amounts.append(network.left.association.bufferedAmount(1))

        network.left.onEvent = look
        network.left.pump()
        network.rest(2)
        self.assertEqual(len(amounts), 1)
        self.assertLessEqual(amounts[0], 20000)

    def test_lowWater(self) -> None:
        """
        Each stream has a low-water mark of its own.
        """
        network = Network(rate=1e6)
        network.connect()
        network.left.association.setLowWater(1, 50000)
        network.left.association.send(1, bytes(100000), 53, now=network.now)
        network.left.association.send(2, bytes(10000), 53, now=network.now)
        network.left.pump()
        self.assertTrue(network.run(lambda: bool(network.left.take(BufferLow))))
        self.assertEqual(network.left.take(BufferLow), [BufferLow(1)])
        self.assertGreater(network.left.association.bufferedAmount(1), 40000)

    def test_pause(self) -> None:
        """
        A stream that nobody reads takes no more memory than the window has,
        stops its sender, and goes on when somebody does; nothing is lost.
        """
        for interleaving in (False, True):
            chosen = Settings(interleaving=interleaving, receiveWindow=100000)
            network = Network(1, left=chosen, right=chosen, loss=0.02)
            network.connect()
            right = network.right.association
            right.pause(1)
            data = [bytes([number]) * 5000 for number in range(100)]
            for message in data:
                network.left.association.send(1, message, 53, now=network.now)
            network.left.pump()
            network.rest(30)
            assert right._transfer is not None
            inbound = right._transfer.inbound
            self.assertNotIn(1, network.right.received)
            self.assertGreater(inbound.used, 80000)
            self.assertLessEqual(inbound.used, 110000)
            self.assertGreater(network.left.association.bufferedAmount(1), 300000)
            self.assertFalse(network.left.take(Closed))
            right.resume(1, network.now)
            network.right.pump()
            self.assertTrue(
                network.run(lambda network=network: len(network.right.received[1]) == 100, 60)  # type: ignore[misc]
            )
            self.assertEqual(network.right.received[1], data)
            self.assertEqual(inbound.used, 0)

    def test_pauseBeforeItIsUp(self) -> None:
        """
        There is nothing to pause before the association is up; to go on is
        always allowed.
        """
        network = Network()
        self.assertRaises(UsageError, network.left.association.pause, 1)
        network.left.association.resume(1, network.now)
        network.connect()
        network.left.association.resume(1, network.now)
        network.right.send(1, b"x")
        self.assertTrue(network.run(lambda: network.left.received == {1: [b"x"]}))

    def test_pauseOfOneStream(self) -> None:
        """
        Other streams go on as long as there is room.
        """
        network = Network()
        network.connect()
        network.right.association.pause(1)
        for number in range(10):
            network.left.send(1, b"bulk" * 10000)
            network.left.send(2, b"chat %d" % number)
        network.rest(2)
        self.assertEqual(list(network.right.received), [2])
        self.assertEqual(len(network.right.received[2]), 10)

    def test_hours(self) -> None:
        """
        A window that stays closed for an hour does not end the association
        (RFC 9260 clause 6.1 A).
        """
        network = Network(right=Settings(receiveWindow=20000))
        network.connect()
        network.right.association.pause(1)
        for _ in range(10):
            network.left.send(1, bytes(5000))
        network.rest(3600)
        self.assertFalse(network.left.take(Closed))
        network.right.association.resume(1, network.now)
        network.right.pump()
        self.assertTrue(network.run(lambda: len(network.right.received[1]) == 10, 70))

    def test_lostUpdate(self) -> None:
        """
        When the news that the window is open gets lost, a probe finds out.
        """
        network = Network(right=Settings(receiveWindow=20000))
        network.connect()
        network.right.association.pause(1)
        for _ in range(10):
            network.left.send(1, bytes(5000))
        network.rest(5)
        network.lose = lambda packet: True
        network.right.association.resume(1, network.now)
        network.right.pump()
        network.lose = lambda packet: False
        self.assertTrue(network.run(lambda: len(network.right.received[1]) == 10, 70))

    def test_manyLongMessages(self) -> None:
        """
        Interleaved messages that are together longer than the window do not
        wait for each other forever.
        """
        chosen = Settings(receiveWindow=65536, maxMessage=30000)
        network = Network(left=chosen, right=chosen)
        network.connect()
        for streamID in range(6):
            network.left.association.send(streamID, bytes(30000), 53, now=network.now)
        network.left.pump()
        self.assertTrue(network.run(lambda: len(network.right.received) == 6, 120))

    def test_tooManyLongMessages(self) -> None:
        """
        Memory has an end, even so.
        """
        chosen = Settings(receiveWindow=20000, maxMessage=15000)
        network = Network(left=chosen, right=chosen)
        network.connect()
        for streamID in range(40):
            network.left.association.send(streamID, bytes(15000), 53, now=network.now)
        network.left.pump()
        most = 0
        assert network.right.association._transfer is not None
        inbound = network.right.association._transfer.inbound
        for _ in range(3000):
            network.progress()
            most = max(most, inbound.used)
        self.assertLessEqual(most, 80000)


class AcknowledgementTests(SynchronousTestCase):
    """
    When SACKs are sent: RFC 9260 clause 6.2.
    """

    def test_secondPacket(self) -> None:
        """
        Every second packet is acknowledged at once, a single one after 200 ms.
        """
        network = Network()
        network.connect()
        network.left.send(1, bytes(3 * 1156))
        network.rest(0.03)
        self.assertEqual(len(packetsWith(network.right, c.SACK)), 1)
        network.rest(0.18)
        self.assertEqual(len(packetsWith(network.right, c.SACK)), 1)
        network.rest(0.03)
        self.assertEqual(len(packetsWith(network.right, c.SACK)), 2)

    def test_gap(self) -> None:
        """
        As long as something is missing every packet is acknowledged at once,
        with what there is.
        """
        network = Network()
        network.connect()
        for number in range(4):
            network.lose = lambda packet, lost=number == 1: lost  # type: ignore[misc]
            network.left.send(1, bytes(1156))
        network.lose = lambda packet: False
        network.rest(0.03)
        sacks = [
            c.parseSack(body)
            for packet in packetsWith(network.right, c.SACK)
            for kind, _, body in chunksOf(packet)
            if kind == c.SACK
        ]
        self.assertEqual([sack.gaps for sack in sacks], [[(2, 2)], [(2, 3)]])

    def test_duplicate(self) -> None:
        """
        What comes twice is acknowledged at once, and said to be a duplicate.
        """
        network = Network(duplication=1)
        network.connect()
        network.left.send(1, b"x")
        network.rest(0.05)
        (packet,) = packetsWith(network.right, c.SACK)
        ((_, _, body),) = chunksOf(packet)
        self.assertEqual(int.from_bytes(body[10:12], "big"), 1)
        self.assertEqual(network.right.received, {1: [b"x"]})

    def test_immediate(self) -> None:
        """
        The I bit asks for an acknowledgement at once; it is set where the
        sender waits for it.
        """
        network = Network()
        network.connect()
        network.left.association.send(1, b"x", 53, now=network.now)
        network.left.association.shutdown(network.now)
        network.left.pump()
        ((_, flags, _),) = chunksOf(network.left.sent[-1])
        self.assertEqual(flags, c.BEGIN | c.END | c.IMMEDIATE)
        network.rest(0.03)
        self.assertEqual(len(packetsWith(network.right, c.SACK)), 1)
