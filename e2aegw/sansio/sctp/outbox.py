"""
What an association sends apart from data: chunks that share packets with it,
and packets of their own.
"""

from collections import deque

from e2aegw.sansio.sctp import chunks as c
from e2aegw.sansio.sctp.chunks import HEADER
from e2aegw.sansio.sctp.settings import MAX_CONTROL, MAX_REPLIES, Settings


class Outbox:
    """
    Both of these, in the order in which they go out.

    @ivar header: the common header of packets with the association's tag,
        without the checksum.
    @ivar summed: whether those have one.
    @ivar chunks: what shares them with data.
    @ivar replies: packets of their own.
    """

    __slots__ = ("_settings", "_size", "chunks", "header", "replies", "summed")

    def __init__(self, settings: Settings) -> None:
        self.summed = True
        self._settings = settings
        self.header = b""
        self.chunks: deque[bytes] = deque()
        self._size = 0
        self.replies: deque[bytes] = deque()

    def address(self, tag: int) -> None:
        """
        Packets that are no replies have this tag from now on.
        """
        self.header = self._headerOf(tag)

    def append(self, chunk: bytes, room: int) -> None:
        """
        Send a chunk with the next packet, if it fits into one.  Before there is
        an association there is none: who asks then has to ask again.

        @param room: how many bytes a packet's chunks may have.
        """
        if self.header and len(chunk) <= room and self._size + len(chunk) <= MAX_CONTROL:
            self.chunks.append(chunk)
            self._size += len(chunk)

    def putFirst(self, chunk: bytes) -> None:
        """
        Send a chunk at the head of the next packet.
        """
        self.chunks.appendleft(chunk)
        self._size += len(chunk)

    def reply(self, tag: int, chunk: bytes) -> None:
        """
        Send a packet of its own, which always has a checksum: the other side
        may not know yet, or no longer, that it needs none.
        """
        if len(self.replies) < MAX_REPLIES:
            self.replies.append(c.packet(self._headerOf(tag), (chunk,)))

    def take(self, chunks: list[bytes], room: int) -> int:
        """
        Append what goes with the next packet to its chunks.

        @param room: how many bytes they may have.

        @return: how many are left.
        """
        while self.chunks and len(self.chunks[0]) <= room:
            chunk = self.chunks.popleft()
            self._size -= len(chunk)
            room -= len(chunk)
            chunks.append(chunk)
        return room

    def clear(self) -> None:
        """
        Forget the chunks.
        """
        self.chunks.clear()
        self._size = 0

    def _headerOf(self, tag: int) -> bytes:
        return HEADER.pack(self._settings.localPort, self._settings.remotePort, tag, 0)[:8]
