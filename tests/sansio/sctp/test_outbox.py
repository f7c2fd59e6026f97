"""
Tests for L{e2aegw.sansio.sctp.outbox}.
"""

from twisted.trial.unittest import SynchronousTestCase

from e2aegw.sansio.sctp import chunks as c
from e2aegw.sansio.sctp.chunks import HEADER
from e2aegw.sansio.sctp.outbox import Outbox
from e2aegw.sansio.sctp.settings import MAX_CONTROL, MAX_REPLIES, Settings

ROOM = 1000


class OutboxTests(SynchronousTestCase):
    """
    Chunks and packets that wait.
    """

    def setUp(self) -> None:
        """
        Have an empty one.
        """
        self.outbox = Outbox(Settings())
        self.outbox.address(1)

    def take(self, room: int = ROOM) -> list[bytes]:
        """
        The chunks for one packet.
        """
        chunks: list[bytes] = []
        self.assertEqual(self.outbox.take(chunks, room), room - sum(map(len, chunks)))
        return chunks

    def test_order(self) -> None:
        """
        Chunks go out in order, behind what was put first.
        """
        for chunk in (b"1", b"2"):
            self.outbox.append(chunk, ROOM)
        self.outbox.putFirst(b"0")
        self.assertEqual(self.take(), [b"0", b"1", b"2"])
        self.assertEqual(self.take(), [])

    def test_room(self) -> None:
        """
        What does not fit into a packet goes with the next one; what fits into
        none does not go.
        """
        for size in (600, 500, 100, ROOM + 1):
            self.outbox.append(bytes(size), ROOM)
        self.assertEqual([len(chunk) for chunk in self.take()], [600])
        self.assertEqual([len(chunk) for chunk in self.take()], [500, 100])

    def test_nobody(self) -> None:
        """
        As long as the other side's tag is not known nothing waits for it.
        """
        outbox = Outbox(Settings())
        outbox.append(b"1", ROOM)
        outbox.address(1)
        self.assertFalse(outbox.chunks)

    def test_limit(self) -> None:
        """
        Only so much waits; when it is gone there is room again.
        """
        for _ in range(MAX_CONTROL // ROOM + 5):
            self.outbox.append(bytes(ROOM), ROOM)
        self.assertEqual(len(self.outbox.chunks), MAX_CONTROL // ROOM)
        self.outbox.clear()
        self.outbox.append(bytes(ROOM), ROOM)
        self.assertEqual(len(self.take()), 1)

    def test_replies(self) -> None:
        """
        Replies are packets with a tag of their own and a checksum, and there
        are only so many.
        """
        self.outbox.summed = False
        for _ in range(MAX_REPLIES + 1):
            self.outbox.reply(2, c.chunk(c.ABORT))
        self.assertEqual(len(self.outbox.replies), MAX_REPLIES)
        packet = self.outbox.replies[0]
        _, _, tag, crc = HEADER.unpack_from(packet)
        self.assertEqual(tag, 2)
        self.assertTrue(c.isSummed(packet, crc))
        self.assertEqual(HEADER.unpack(self.outbox.header + bytes(4))[2], 1)
