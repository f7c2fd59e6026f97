"""
Tests for L{e2aegw.sansio.sctp.inbound}: fragments, order and room.
"""

from collections import deque
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from e2aegw.sansio.sctp import chunks as c
from e2aegw.sansio.sctp.chunks import BEGIN, END, UNORDERED, Skip
from e2aegw.sansio.sctp.events import MessageReceived, SCTPEvent, StreamReset
from e2aegw.sansio.sctp.inbound import MAX_AHEAD, MAX_GAPS, Inbound
from e2aegw.sansio.sctp.settings import OVERHEAD, Settings
from e2aegw.sansio.sctp.states import Violation

#: A fragment: TSN, flags, stream, SSN or MID, PPID or FSN, and what it says.
Fragment = tuple[int, int, int, int, int, bytes]


class Receiver:
    """
    A receiving half, and what it says.
    """

    def __init__(self, *, interleaved: bool = False, **how: int) -> None:
        self.events: deque[SCTPEvent] = deque()
        self.inbound = Inbound(Settings(**how), 1, self.events, interleaved=interleaved)  # type: ignore[arg-type]

    def data(
        self, tsn: int, data: bytes, flags: int = BEGIN | END, streamID: int = 1, number: int = 0
    ) -> None:
        """
        A fragment arrives.
        """
        self.inbound.data(tsn, flags, streamID, number, 53, data)

    def take(self) -> list[bytes]:
        """
        Take the messages.
        """
        taken = []
        while (event := self.inbound.nextEvent()) is not None:
            assert isinstance(event, MessageReceived)
            taken.append(event.data)
        return taken

    def sack(self) -> c.Sack:
        """
        What would be acknowledged.
        """
        return c.parseSack(self.inbound.sackChunk(1000)[4:])


def cut(random: Random, interleaved: bool, count: int) -> tuple[list[Fragment], dict[int, list[bytes]]]:
    """
    Messages on three streams, and the fragments that a sender would make of
    them.
    """
    fragments: list[Fragment] = []
    messages: dict[int, list[bytes]] = {}
    numbers = [0, 0, 0]
    open_: list[list[Fragment]] = []
    for _ in range(count):
        streamID = random.randrange(3)
        data = random.randbytes(random.choice((1, 5, 30)))
        messages.setdefault(streamID, []).append(data)
        pieces = [data[at : at + 5] for at in range(0, len(data), 5)]
        parts = []
        for index, piece in enumerate(pieces):
            flags = (BEGIN if not index else 0) | (END if index == len(pieces) - 1 else 0)
            word = index if interleaved and index else 53
            parts.append((0, flags, streamID, numbers[streamID], word, piece))
        numbers[streamID] += 1
        open_.append(parts)
    while open_:
        # Interleaving mixes the messages of different streams, in their order.
        heads = {parts[0][2]: parts for parts in reversed(open_)}
        parts = random.choice(list(heads.values())) if interleaved else open_[0]
        _, *rest = parts.pop(0)
        fragments.append((len(fragments) + 1, *rest))  # type: ignore[arg-type]
        open_ = [parts for parts in open_ if parts]
    return fragments, messages


class ReassemblyTests(SynchronousTestCase):
    """
    RFC 9260 clause 6.9, RFC 8260 clause 2.2.3.
    """

    @settings(deadline=None, max_examples=100)
    @given(st.integers(0, 1 << 32), st.booleans(), st.integers(1, 30))
    def test_anyOrder(self, seed: int, interleaved: bool, count: int) -> None:
        """
        Fragments that arrive in any order, some of them twice, are the same
        messages, in the order of their streams.
        """
        random = Random(seed)
        fragments, messages = cut(random, interleaved, count)
        receiver = Receiver(interleaved=interleaved)
        arriving = fragments + random.choices(fragments, k=len(fragments) // 2)
        random.shuffle(arriving)
        for tsn, flags, streamID, number, word, data in arriving:
            receiver.inbound.data(tsn, flags, streamID, number, word, data)
        got: dict[int, list[bytes]] = {}
        while (event := receiver.inbound.nextEvent()) is not None:
            assert isinstance(event, MessageReceived)
            self.assertEqual(event.ppid, 53)
            got.setdefault(event.streamID, []).append(event.data)
        self.assertEqual(got, messages)
        self.assertEqual(receiver.inbound.used, 0)
        self.assertEqual(receiver.inbound.cumulative, len(fragments))
        self.assertEqual(receiver.inbound.duplicates, len(fragments) // 2)
        self.assertFalse(receiver.inbound._gaps or receiver.inbound._byFirst or receiver.inbound._byLast)
        self.assertFalse(receiver.inbound._partials or receiver.inbound._early)

    def test_backwards(self) -> None:
        """
        A long message that comes backwards takes no longer than forwards.
        """
        receiver = Receiver(receiveWindow=1 << 24)
        receiver.data(1, b"\0\0", BEGIN)
        for tsn in range(10000, 2, -1):
            receiver.data(tsn, tsn.to_bytes(2, "big"), END if tsn == 10000 else 0)
        receiver.data(2, b"\0\0", 0)
        (message,) = receiver.take()
        self.assertEqual(message[4:], b"".join(tsn.to_bytes(2, "big") for tsn in range(3, 10001)))

    def test_contradictions(self) -> None:
        """
        Fragments that do not belong together end the association.
        """
        for second in ((2, END, 2, 0), (2, END, 1, 5), (2, END | UNORDERED, 1, 0)):
            for order in (1, -1):
                receiver = Receiver()
                both = [(1, BEGIN, 1, 0), second][::order]
                tsn, flags, streamID, number = both[0]
                receiver.data(tsn, b"x", flags, streamID, number)
                tsn, flags, streamID, number = both[1]
                self.assertRaises(Violation, receiver.data, tsn, b"x", flags, streamID, number)

    def test_interleavedContradictions(self) -> None:
        """
        So do interleaved ones.
        """
        for fragments in (
            ((BEGIN, 53), (BEGIN, 53)),
            ((BEGIN, 53), (0, 1), (0, 1)),
            ((BEGIN, 53), (0, 5), (END, 3)),
            ((BEGIN, 53), (END, 3), (0, 5)),
            ((BEGIN, 53), (0, 0)),
        ):
            receiver = Receiver(interleaved=True)
            for tsn, (flags, word) in enumerate(fragments[:-1]):
                receiver.inbound.data(tsn + 1, flags, 1, 0, word, b"x")
            flags, word = fragments[-1]
            self.assertRaises(Violation, receiver.inbound.data, 10, flags, 1, 0, word, b"x")

    def test_sameNumber(self) -> None:
        """
        Two messages with one number do, too.
        """
        receiver = Receiver()
        receiver.data(1, b"x", number=3)
        self.assertRaises(Violation, receiver.data, 2, b"x", number=3)

    def test_tooLong(self) -> None:
        """
        A message that is too long ends the association, whole or in parts.
        """
        receiver = Receiver(maxMessage=10)
        self.assertRaises(Violation, receiver.data, 1, bytes(11))
        receiver = Receiver(maxMessage=10)
        receiver.data(1, bytes(10), BEGIN)
        self.assertRaises(Violation, receiver.data, 2, b"x", END)
        receiver = Receiver(maxMessage=10, interleaved=True)
        receiver.inbound.data(1, BEGIN, 1, 0, 53, bytes(10))
        self.assertRaises(Violation, receiver.inbound.data, 2, END, 1, 0, 1, b"x")

    def test_late(self) -> None:
        """
        A message whose turn is over is dropped.
        """
        receiver = Receiver()
        receiver.data(1, b"a", number=0)
        receiver.data(2, b"b", number=65535)
        self.assertEqual(receiver.take(), [b"a"])
        self.assertEqual(receiver.inbound.used, 0)
        interleaved = Receiver(interleaved=True)
        interleaved.inbound.data(1, BEGIN, 1, 0xFFFFFFFF, 53, b"x")
        self.assertEqual(interleaved.inbound.used, 0)


class WindowTests(SynchronousTestCase):
    """
    RFC 9260 clause 6.2.
    """

    def test_window(self) -> None:
        """
        What was not taken counts, with what it costs to keep it.
        """
        receiver = Receiver(receiveWindow=10000)
        self.assertEqual(receiver.sack().window, 10000)
        receiver.data(1, bytes(1000))
        self.assertEqual(receiver.sack().window, 9000 - OVERHEAD)
        receiver.take()
        self.assertEqual(receiver.sack().window, 10000)

    def test_full(self) -> None:
        """
        What finds no room is dropped; what fills a gap finds some.
        """
        receiver = Receiver(receiveWindow=10000)
        for tsn in (1, 3, 4, 5, 6, 7, 8):
            receiver.data(tsn, bytes(1200), number=tsn - 1)
        self.assertEqual(receiver.inbound.dropped, 0)
        receiver.data(9, bytes(1200), number=8)
        self.assertEqual(receiver.inbound.dropped, 1)
        self.assertEqual(receiver.sack(), (1, 0, [(2, 7)]))
        receiver.data(2, bytes(1200), number=1)
        self.assertEqual(receiver.sack().tsn, 8)
        self.assertEqual(len(receiver.take()), 8)

    def test_outOfOrder(self) -> None:
        """
        What waits for something that got lost has room of its own, and is
        counted when it could be taken and is not.
        """
        receiver = Receiver(receiveWindow=10000, outOfOrder=6000)
        receiver.inbound.pause(1)
        for tsn in range(2, 13):
            receiver.data(tsn, bytes(1000), number=tsn - 1)
        self.assertEqual(receiver.inbound.dropped, 0)
        self.assertEqual(receiver.sack().window, 16000 - 11 * (1000 + OVERHEAD))
        receiver.data(1, bytes(1000))
        self.assertEqual((receiver.sack().tsn, receiver.sack().window), (12, 0))
        self.assertEqual(receiver.take(), [])
        receiver.inbound.resume(1)
        self.assertEqual(len(receiver.take()), 12)
        self.assertEqual(receiver.sack().window, 10000)

    def test_outOfOrderIsFree(self) -> None:
        """
        As long as that room suffices, none of the window is taken.
        """
        receiver = Receiver(receiveWindow=10000, outOfOrder=6000)
        for tsn in range(2, 7):
            receiver.data(tsn, bytes(1000), number=tsn - 1)
        self.assertEqual(receiver.sack().window, 10000)

    def test_update(self) -> None:
        """
        The other side is told when there is much more room than it knows of.
        """
        receiver = Receiver(receiveWindow=16000)
        receiver.inbound.pause(1)
        for tsn in range(1, 11):
            receiver.data(tsn, bytes(1000), number=tsn - 1)
        receiver.take()
        receiver.sack()
        self.assertFalse(receiver.inbound.sackNow)
        receiver.inbound.resume(1)
        self.assertEqual(len(receiver.take()), 10)
        self.assertTrue(receiver.inbound.sackNow)

    def test_manyGaps(self) -> None:
        """
        There are no more blocks than so many.
        """
        receiver = Receiver(receiveWindow=1 << 24)
        for tsn in range(2, 2 * MAX_GAPS + 20, 2):
            receiver.data(tsn, b"x")
        self.assertEqual(len(receiver.inbound._gaps), MAX_GAPS)
        self.assertEqual(receiver.inbound.dropped, 9)
        self.assertLessEqual(len(receiver.inbound.sackChunk(500)), 500)

    def test_farAhead(self) -> None:
        """
        A TSN beyond what a block can say is not taken.
        """
        receiver = Receiver()
        receiver.data(MAX_AHEAD, b"x", number=1)
        receiver.data(MAX_AHEAD + 1, b"x", number=2)
        self.assertEqual(receiver.inbound.dropped, 1)

    @settings(deadline=None, max_examples=60)
    @given(
        st.booleans(),
        st.lists(
            st.tuples(
                st.integers(-3, 60),
                st.integers(0, 15),
                st.integers(0, 3),
                st.integers(0, 5),
                st.integers(0, 5),
            ),
            max_size=150,
        ),
    )
    def test_hostile(self, interleaved: bool, fragments: list[tuple[int, int, int, int, int]]) -> None:
        """
        Whatever comes, memory is bounded and the books balance.
        """
        receiver = Receiver(interleaved=interleaved, receiveWindow=5000, maxMessage=3000)
        inbound = receiver.inbound
        inbound.pause(2)
        try:
            for tsn, flags, streamID, number, word in fragments:
                if tsn == 60:
                    inbound.forward(inbound.cumulative + 1 + number, [Skip(streamID, bool(word & 1), number)])
                elif tsn == 59:
                    inbound.reset([streamID])
                elif tsn == 58:
                    inbound.nextEvent()
                else:
                    inbound.data(tsn & 0xFFFFFFFF, flags, streamID, number, word, bytes(400))
                self.assertLessEqual(inbound.used, 20000)
                self.assertEqual(inbound.used, self.count(inbound))
        except Violation:
            return

    def count(self, inbound: Inbound) -> int:
        """
        What is kept, counted anew.
        """
        whole = [event for event in inbound._events if isinstance(event, MessageReceived)]
        whole += [e for held in inbound._held.values() for e in held if isinstance(e, MessageReceived)]
        whole += [message for early in inbound._early.values() for message in early.values()]
        kept = sum(len(message.data) + OVERHEAD for message in whole)
        for run in inbound._byFirst.values():
            kept += sum(len(part) + OVERHEAD for part in run.parts)
        for partial in inbound._partials.values():
            kept += sum(len(part) + OVERHEAD for part in partial.parts.values())
        return kept


class ForwardTests(SynchronousTestCase):
    """
    RFC 3758 clause 3.6, RFC 8260 clause 2.3.1.
    """

    def test_skip(self) -> None:
        """
        What waited for a message that does not come goes on.
        """
        receiver = Receiver()
        receiver.data(3, b"c", number=2)
        receiver.data(5, b"e", number=4)
        receiver.inbound.forward(2, [Skip(1, False, 1)])
        self.assertEqual(receiver.take(), [b"c"])
        self.assertEqual(receiver.inbound.cumulative, 3)
        receiver.inbound.forward(4, [Skip(1, False, 3)])
        self.assertEqual(receiver.take(), [b"e"])
        self.assertEqual(receiver.inbound.cumulative, 5)

    def test_skipOverWhatCame(self) -> None:
        """
        A message that came, between others that do not, is not lost.
        """
        receiver = Receiver()
        receiver.data(2, b"b", number=1)
        receiver.inbound.forward(3, [Skip(1, False, 2)])
        receiver.data(4, b"d", number=3)
        self.assertEqual(receiver.take(), [b"b", b"d"])

    def test_fragmentsAreForgotten(self) -> None:
        """
        Fragments of what does not come make room.
        """
        receiver = Receiver()
        receiver.data(1, b"a", BEGIN)
        receiver.data(3, b"c", END)
        receiver.inbound.forward(3, [Skip(1, False, 0)])
        self.assertEqual(receiver.inbound.used, 0)
        receiver.data(4, b"d", number=1)
        self.assertEqual(receiver.take(), [b"d"])

    def test_interleaved(self) -> None:
        """
        Ordered and unordered messages are counted apart.
        """
        receiver = Receiver(interleaved=True)
        receiver.inbound.data(1, BEGIN, 1, 0, 53, b"a")
        receiver.inbound.data(2, BEGIN | UNORDERED, 1, 0, 53, b"u")
        receiver.inbound.data(3, BEGIN | UNORDERED, 1, 1, 53, b"v")
        receiver.inbound.data(4, BEGIN | END, 1, 1, 53, b"b")
        receiver.inbound.forward(5, [Skip(1, False, 0), Skip(1, True, 0)])
        self.assertEqual(receiver.take(), [b"b"])
        receiver.inbound.data(6, END | UNORDERED, 1, 1, 1, b"w")
        self.assertEqual(receiver.take(), [b"vw"])
        self.assertEqual(receiver.inbound.used, 0)

    def test_old(self) -> None:
        """
        A FORWARD TSN that says nothing new is acknowledged.
        """
        receiver = Receiver()
        receiver.data(1, b"a")
        receiver.inbound.forward(1, [Skip(1, False, 5)])
        receiver.data(2, b"b", number=1)
        self.assertEqual(receiver.take(), [b"a", b"b"])
        self.assertTrue(receiver.inbound.sackNow)


class PauseTests(SynchronousTestCase):
    """
    Streams that wait.
    """

    def test_order(self) -> None:
        """
        What was there and what comes while a stream waits is taken afterwards
        in its order, its reset included.
        """
        receiver = Receiver()
        receiver.data(1, b"a")
        receiver.inbound.pause(1)
        receiver.data(2, b"b", number=1)
        self.assertIsNone(receiver.inbound.nextEvent())
        receiver.data(3, b"c", number=2)
        receiver.inbound.reset([1])
        receiver.data(4, b"d", number=0)
        receiver.data(5, b"other", streamID=2)
        self.assertEqual(receiver.take(), [b"other"])
        receiver.inbound.resume(1)
        taken = []
        while (event := receiver.inbound.nextEvent()) is not None:
            taken.append(event)
        self.assertEqual(
            taken,
            [MessageReceived(1, 53, data) for data in (b"a", b"b", b"c")]
            + [StreamReset(1, True), MessageReceived(1, 53, b"d")],
        )

    def test_resetOfAnIdleStream(self) -> None:
        """
        A reset does not wait if there is nothing before it.
        """
        receiver = Receiver()
        receiver.inbound.pause(1)
        receiver.inbound.reset([1])
        self.assertEqual(receiver.inbound.nextEvent(), StreamReset(1, True))

    def test_resetOfAll(self) -> None:
        """
        A reset of all streams is told for those that were used.
        """
        receiver = Receiver()
        receiver.data(1, b"a", streamID=7)
        receiver.data(2, b"b", BEGIN | END | UNORDERED, streamID=3)
        self.assertEqual(receiver.take(), [b"a", b"b"])
        receiver.inbound.reset(())
        self.assertEqual(list(receiver.events), [StreamReset(3, True), StreamReset(7, True)])

    def test_resetForgetsWhatWaits(self) -> None:
        """
        A message that waited for one before it does not outlive its stream.
        """
        receiver = Receiver()
        receiver.data(1, b"b", number=1)
        receiver.inbound.reset([1])
        self.assertEqual(receiver.inbound.used, 0)
        receiver.data(2, b"a", number=0)
        self.assertEqual(receiver.inbound.nextEvent(), StreamReset(1, True))
        self.assertEqual(receiver.take(), [b"a"])
