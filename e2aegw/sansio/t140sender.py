"""
Text towards RTP (RFC 4103): when to send, and what to repeat.

Text that comes after a pause is sent at once, with the marker; what comes
within the buffering time after that is gathered and sent at its end.  When
nothing more comes, empty blocks are sent until all has been repeated as often
as is agreed.
"""

import secrets
from collections import deque

from e2aegw.sansio.t140packet import MAX_OFFSET, Block, formatPacket
from e2aegw.sansio.t140queue import Queue

#: RFC 4103 clause 5.1: seconds to gather text, and the most that T.140 allows.
BUFFERING, MAX_BUFFERING = 0.3, 0.5
#: Seconds between packets that only repeat (RFC 4103 clause 5.2); shorter, and
#: one burst of loss would have all copies.
REPEATING = 0.3
#: Seconds between two packets, however little is gathered: one page that is
#: pasted must not become a burst.
SPACING = 0.02
#: RFC 4103 clause 4: how often to repeat.
GENERATIONS = 2
#: The most that may be agreed: eight packets in a row are then lost for
#: nothing.
MAX_GENERATIONS = 8
#: Octets of text in a packet, with all that is repeated: it fits any path's
#: MTU, under SRTP and IPv6, too.
MAX_OCTETS = 1100

_WORD = 0xFFFFFFFF


class Sender:
    """
    One stream of text.

    @ivar queue: what waits to be sent.
    @ivar source: our SSRC.
    @ivar packets, octets: what was sent: packets, and octets of payload.
    @ivar timestamp: that of the last packet.
    """

    def __init__(self, buffering: float = BUFFERING) -> None:
        """
        @param buffering: seconds to gather text.
        """
        self.queue = Queue()
        self.source = secrets.randbits(32)
        self.packets = self.octets = 0
        self.timestamp = 0
        self._buffering = buffering
        self._plain: int | None = None
        self._red: int | None = None
        self._generations = 0
        self._sequence = secrets.randbits(15)
        self._epoch = secrets.randbits(32)
        self._last: int | None = None
        self._before: deque[Block] = deque(maxlen=0)
        # When text was sent, and when to repeat it.
        self._sentAt = float("-inf")
        self._repeatAt = 0.0
        # Packets that are still to repeat something.
        self._owed = 0
        self._idle = self._paced = True
        self._datagrams: deque[bytes] = deque()

    def agree(self, plain: int, red: int | None, generations: int) -> None:
        """
        The receiver has said what it understands.

        @param plain: the payload type of text.
        @param red: that of text with redundancy, if it may be used.
        @param generations: how often to repeat.
        """
        self._plain, self._red = plain, red
        wanted = min(generations, MAX_GENERATIONS) if red is not None else 0
        if wanted != self._generations or self._before.maxlen != wanted:
            self._generations = wanted
            self._before = deque(self._before, maxlen=wanted)

    def push(self, text: str, now: float, *, paced: bool = False) -> None:
        """
        Say something.

        @param paced: it was gathered already, by somebody else.
        """
        self.queue.push(text, paced=paced)
        self._paced = paced
        self._turn(now)

    def timeout(self, now: float) -> None:
        """
        Do what is due.
        """
        self._turn(now)

    def nextTimeout(self, now: float) -> float | None:
        """
        When something is due.
        """
        if self._plain is None:
            return None
        repeat = self._repeatAt if self._owed else None
        if not self.queue.waiting:
            return repeat
        text = max(self._readyAt, self.queue.nextAllowed(now))
        return text if repeat is None else min(text, repeat)

    def nextDatagram(self) -> bytes | None:
        """
        The next packet to send.
        """
        return self._datagrams.popleft() if self._datagrams else None

    def now(self, now: float) -> int:
        """
        The RTP timestamp of a time.
        """
        return self._epoch + int(now * 1000) & _WORD

    @property
    def _readyAt(self) -> float:
        """
        When text may be sent.  What comes at intervals goes on at those
        intervals.
        """
        return self._sentAt + (SPACING if self._paced else max(SPACING, self._buffering))

    def _turn(self, now: float) -> None:
        if self._plain is None:
            return
        if self.queue.waiting and now >= self._readyAt:
            text = self.queue.take(now, MAX_OCTETS // (self._generations + 1))
            if text:
                self._send(text.encode(errors="replace"), now)
                self._sentAt = now
                self._owed = max(1, self._generations)
                return
        if self._owed and now >= self._repeatAt:
            self._owed -= 1
            self._idle = True
            self._send(b"", now)

    def _send(self, data: bytes, now: float) -> None:
        assert self._plain is not None
        stamp = self.now(now)
        if self._last is not None and not 0 < (stamp - self._last & _WORD) < 1 << 31:
            # RFC 4103 clause 3.5: no two packets have the same.
            stamp = self._last + 1 & _WORD
        self._last = self.timestamp = stamp
        self._sequence = self._sequence + 1 & 0xFFFF
        marker = bool(data) and self._idle
        if data:
            self._idle = False
        primary = Block(stamp, data)
        kind = self._plain
        blocks = [primary]
        if self._red is not None and self._generations:
            kind = self._red
            # RFC 4103 clause 4.1: what is too old is left out, and so is all
            # that is older.
            fresh = [each for each in self._before if stamp - each.timestamp & _WORD <= MAX_OFFSET]
            if len(fresh) == len(self._before):
                # Before the beginning there was nothing (RFC 9071 clause 3.10).
                fresh[:0] = [Block(stamp, b"")] * (self._generations - len(fresh))
            blocks = [*fresh, primary]
            self._before.append(primary)
        packet = formatPacket(kind, self._plain, self._sequence, self.source, blocks, marker=marker)
        self.packets += 1
        self.octets += len(packet) - 12
        self._repeatAt = now + max(REPEATING, self._buffering)
        self._datagrams.append(packet)
