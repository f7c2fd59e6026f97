"""
The receiving half: which TSNs have come, fragments that become messages, and
messages that come in the order of their stream (RFC 9260 clauses 6.2, 6.5,
6.6 and 6.9, RFC 3758, RFC 8260).

TSNs are plain integers here that only grow, as in L{outbound
<e2aegw.sansio.sctp.outbound>}.
"""

import math
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable
from typing import Final

from e2aegw.sansio.sctp.chunks import (
    BEGIN,
    END,
    IMMEDIATE,
    MAX_DUPLICATES_SENT,
    UNORDERED,
    Skip,
    sackChunk,
)
from e2aegw.sansio.sctp.events import MessageReceived, SCTPEvent, StreamReset
from e2aegw.sansio.sctp.settings import OVERHEAD, REASSEMBLY_FACTOR, Settings
from e2aegw.sansio.sctp.states import Violation

#: Most separate blocks of TSNs above a missing one.  A chunk that would need
#: another block is not taken; it comes again.
MAX_GAPS: Final = 1024
#: How far above the cumulative TSN a chunk may be: what a gap block can say.
MAX_AHEAD: Final = 65535
#: When incomplete messages, rather than the application, fill the receive
#: window, this much of it, or a quarter, opens all the same, so that they can
#: be completed.
_GRACE: Final = 16384
#: Less than this is no room, but an invitation to send small packets (RFC 9260
#: clause 6.2, RFC 1122 clause 4.2.3.3).
_SMALL: Final = 2048
#: The window is told anew when it has grown by this part of itself and the
#: other side does not know (RFC 9260 clause 6.2).
_UPDATE: Final = 16


class _Run:
    """
    Neighbouring fragments of a message that came as DATA.
    """

    __slots__ = ("begun", "cost", "ended", "first", "last", "number", "parts", "ppid", "size", "streamID")

    def __init__(self, tsn: int, flags: int, streamID: int, number: int, ppid: int, payload: bytes) -> None:
        self.first = tsn
        self.last = tsn
        self.begun = bool(flags & BEGIN)
        self.ended = bool(flags & END)
        self.streamID = streamID
        #: The SSN, or -1 if the message is unordered.
        self.number = -1 if flags & UNORDERED else number
        self.ppid = ppid
        self.parts: deque[bytes] = deque((payload,))
        self.size = len(payload)
        self.cost = len(payload) + OVERHEAD


class _Partial:
    """
    The fragments that came of an interleaved message, by their number.
    """

    __slots__ = ("cost", "last", "parts", "ppid", "size")

    def __init__(self) -> None:
        self.parts: dict[int, bytes] = {}
        self.last = -1
        self.ppid = 0
        self.size = 0
        self.cost = 0


class Inbound:
    """
    All that is on its way in.

    @ivar cumulative: the highest TSN below which nothing is missing.
    @ivar sackNow: whether a SACK is due now.
    @ivar sackAt: when a SACK is due.
    @ivar used: the bytes that are here, waiting to be taken or for others.
    @ivar dropped: how many chunks found no room.
    @ivar duplicates: how many chunks came again.
    """

    def __init__(
        self,
        settings: Settings,
        tsn: int,
        events: deque[SCTPEvent],
        *,
        interleaved: bool,
    ) -> None:
        """
        @param tsn: the first TSN of the other side.
        """
        self._settings = settings
        self._events = events
        self._interleaved = interleaved
        self._modulus = 1 << 32 if interleaved else 1 << 16
        self._receiveWindow = settings.receiveWindow
        self._limit = settings.receiveWindow + settings.outOfOrder
        self._hardLimit = max(self._limit, settings.receiveWindow * REASSEMBLY_FACTOR)
        self.cumulative = tsn - 1
        self.sackNow = False
        self.sackAt = math.inf
        self.used = 0
        self.dropped = 0
        self.duplicates = 0
        #: What of C{used} is whole messages that nobody took.
        self._ready = 0
        self._unacknowledged = 0
        self._offered = settings.receiveWindow
        self._gaps: list[list[int]] = []
        self._seen: list[int] = []
        self._byFirst: dict[int, _Run] = {}
        self._byLast: dict[int, _Run] = {}
        self._partials: dict[tuple[int, bool, int], _Partial] = {}
        #: The next SSN or MID of every stream that was used.
        self._expected: dict[int, int] = {}
        self._early: dict[int, dict[int, MessageReceived]] = {}
        self._paused: set[int] = set()
        self._held: dict[int, deque[SCTPEvent]] = {}

    # Chunks come in.

    def data(self, wire: int, flags: int, streamID: int, number: int, word: int, payload: bytes) -> None:
        """
        A DATA or I-DATA chunk arrived.

        @param wire: its TSN.
        @param number: its SSN or MID.
        @param word: its payload protocol identifier, or the number of the
            fragment.

        @raise Violation: it contradicts what came before.
        """
        cumulative = self.cumulative
        tsn = cumulative + ((wire - cumulative + 0x80000000) & 0xFFFFFFFF) - 0x80000000
        cost = len(payload) + OVERHEAD
        if tsn == cumulative + 1 and not self._gaps and self.used + cost <= self._limit:
            self.cumulative = tsn
        elif not self._admit(tsn, cost):
            return
        self.used += cost
        self._offered -= cost
        if flags & IMMEDIATE:
            self.sackNow = True
        if flags & (BEGIN | END) == BEGIN | END:
            self._whole(flags & UNORDERED, streamID, number, word, payload, cost)
        elif self._interleaved:
            self._fragment(flags, streamID, number, word, payload, cost)
        else:
            self._neighbour(tsn, flags, streamID, number, word, payload)

    def refuse(self, wire: int) -> None:
        """
        Acknowledge a chunk without a use for it (RFC 9260 clause 6.5).
        """
        cumulative = self.cumulative
        tsn = cumulative + ((wire - cumulative + 0x80000000) & 0xFFFFFFFF) - 0x80000000
        self._admit(tsn, 0)

    def _admit(self, tsn: int, cost: int) -> bool:
        """
        Decide whether a chunk is new and has room, and note its TSN.
        """
        cumulative = self.cumulative
        if tsn <= cumulative or self._isKnown(tsn):
            self.duplicates += 1
            self.sackNow = True
            if len(self._seen) < MAX_DUPLICATES_SENT:
                self._seen.append(tsn)
            return False
        if not self._hasRoom(tsn, cost) or tsn - cumulative > MAX_AHEAD:
            self.dropped += 1
            self.sackNow = True
            return False
        gaps = self._gaps
        if tsn == cumulative + 1:
            self.cumulative = tsn
            self._closeGaps()
        elif gaps and tsn == gaps[-1][1] + 1:
            gaps[-1][1] = tsn
        elif not self._note(tsn):
            self.dropped += 1
            self.sackNow = True
            return False
        # RFC 9260 clause 6.7: as long as something is missing, every packet is
        # acknowledged at once; also the one that fills the last gap.
        self.sackNow = True
        return True

    def _isKnown(self, tsn: int) -> bool:
        index = bisect_right(self._gaps, tsn, key=_start) - 1
        return index >= 0 and tsn <= self._gaps[index][1]

    def _note(self, tsn: int) -> bool:
        """
        Put a TSN into the blocks above the cumulative one.
        """
        gaps = self._gaps
        index = bisect_right(gaps, tsn, key=_start)
        before = index > 0 and gaps[index - 1][1] == tsn - 1
        after = index < len(gaps) and gaps[index][0] == tsn + 1
        if before and after:
            gaps[index - 1][1] = gaps[index][1]
            del gaps[index]
        elif before:
            gaps[index - 1][1] = tsn
        elif after:
            gaps[index][0] = tsn
        elif len(gaps) < MAX_GAPS:
            gaps.insert(index, [tsn, tsn])
        else:
            return False
        return True

    def _closeGaps(self) -> None:
        """
        The cumulative TSN moved: swallow the blocks that it reached.
        """
        gaps = self._gaps
        reached = 0
        while reached < len(gaps) and gaps[reached][0] <= self.cumulative + 1:
            self.cumulative = max(self.cumulative, gaps[reached][1])
            reached += 1
        del gaps[:reached]

    def _hasRoom(self, tsn: int, cost: int) -> bool:
        used = self.used + cost
        if used <= self._limit:
            return True
        if used > self._hardLimit:
            return False
        # What fills a gap, or completes a message when incomplete ones take
        # most of the window, makes room in the end.
        if self._gaps:
            return tsn < self._gaps[-1][1]
        return self._ready * 2 <= self._receiveWindow

    # Fragments become messages.

    def _neighbour(self, tsn: int, flags: int, streamID: int, number: int, ppid: int, payload: bytes) -> None:
        """
        A fragment of a message that is not interleaved: its neighbours have
        the neighbouring TSNs.
        """
        run = None if flags & BEGIN else self._byLast.pop(tsn - 1, None)
        if run is None:
            run = _Run(tsn, flags, streamID, number, ppid, payload)
            self._byFirst[tsn] = run
        else:
            if run.ended or run.streamID != streamID or run.number != (-1 if flags & UNORDERED else number):
                raise Violation("SCTP fragment", "does not continue the one before")
            run.last = tsn
            run.parts.append(payload)
            run.size += len(payload)
            run.cost += len(payload) + OVERHEAD
            if flags & END:
                run.ended = True
        if self._gaps or tsn != self.cumulative:
            self._join(run)
        self._byLast[run.last] = run
        if run.size > self._settings.maxMessage:
            raise Violation("SCTP message", "too long")
        if run.begun and run.ended:
            del self._byFirst[run.first], self._byLast[run.last]
            unordered = UNORDERED if run.number < 0 else 0
            self._whole(unordered, run.streamID, run.number, run.ppid, b"".join(run.parts), run.cost)

    def _join(self, run: _Run) -> None:
        """
        Append the fragments behind a run, if they came first.
        """
        following = self._byFirst.get(run.last + 1)
        if following is None or run.ended or following.begun:
            return
        if following.streamID != run.streamID or following.number != run.number:
            raise Violation("SCTP fragment", "does not continue the one before")
        del self._byFirst[following.first]
        if len(run.parts) < len(following.parts):
            following.parts.extendleft(reversed(run.parts))
            run.parts = following.parts
        else:
            run.parts.extend(following.parts)
        run.last = following.last
        run.ended = following.ended
        run.size += following.size
        run.cost += following.cost

    def _fragment(self, flags: int, streamID: int, mid: int, word: int, payload: bytes, cost: int) -> None:
        """
        A fragment of an interleaved message (RFC 8260 clause 2.2.3).
        """
        unordered = bool(flags & UNORDERED)
        key = (streamID, unordered, mid)
        partial = self._partials.get(key)
        if partial is None:
            if not unordered and self._isPast(streamID, mid):
                self.used -= cost
                return
            partial = self._partials[key] = _Partial()
        number = 0 if flags & BEGIN else word
        if number in partial.parts or (0 <= partial.last < number):
            raise Violation("SCTP fragment", "its number was there before")
        if flags & BEGIN:
            partial.ppid = word
        if flags & END:
            if number < max(partial.parts, default=0):
                raise Violation("SCTP fragment", "the last one has others behind it")
            partial.last = number
        partial.parts[number] = payload
        partial.size += len(payload)
        partial.cost += cost
        if partial.size > self._settings.maxMessage:
            raise Violation("SCTP message", "too long")
        if len(partial.parts) == partial.last + 1:
            del self._partials[key]
            parts = partial.parts
            data = b"".join([parts[index] for index in range(partial.last + 1)])
            self._whole(flags & UNORDERED, streamID, mid, partial.ppid, data, partial.cost)

    def _isPast(self, streamID: int, number: int) -> bool:
        """
        Whether an ordered message comes too late.
        """
        ahead = (number - self._expected.get(streamID, 0)) % self._modulus
        return ahead >= self._modulus // 2

    # Messages come in their order.

    def _whole(self, unordered: int, streamID: int, number: int, ppid: int, data: bytes, cost: int) -> None:
        """
        A message is complete.

        @param cost: what its fragments are counted as.
        """
        message = MessageReceived(streamID, ppid, data)
        if len(data) > self._settings.maxMessage:
            raise Violation("SCTP message", "too long")
        self.used += len(data) + OVERHEAD - cost
        if unordered:
            self._ready += len(data) + OVERHEAD
            self._events.append(message)
            self._expected.setdefault(streamID, 0)
            return
        expected = self._expected.get(streamID, 0)
        if number == expected:
            self._ready += len(data) + OVERHEAD
            self._events.append(message)
            self._expected[streamID] = (number + 1) % self._modulus
            if streamID in self._early:
                self._flush(streamID)
        elif self._isPast(streamID, number):
            self.used -= len(data) + OVERHEAD
        else:
            early = self._early.setdefault(streamID, {})
            if number in early:
                raise Violation("SCTP message", "its number was there before")
            early[number] = message

    def _flush(self, streamID: int) -> None:
        """
        Let go of the messages that waited for one before them.
        """
        early = self._early[streamID]
        expected = self._expected[streamID]
        while True:
            message = early.pop(expected, None)
            if message is None:
                break
            self._ready += len(message.data) + OVERHEAD
            self._events.append(message)
            expected = (expected + 1) % self._modulus
        self._expected[streamID] = expected
        if not early:
            del self._early[streamID]

    def forward(self, wire: int, skips: Iterable[Skip]) -> None:
        """
        Some messages will not come any more (RFC 3758 clause 3.6, RFC 8260
        clause 2.3.1).

        @param wire: the new cumulative TSN.
        @param skips: the last of them in each stream.
        """
        cumulative = self.cumulative
        tsn = cumulative + ((wire - cumulative + 0x80000000) & 0xFFFFFFFF) - 0x80000000
        self.sackNow = True
        if tsn <= cumulative:
            return
        self.cumulative = tsn
        self._closeGaps()
        for first in [first for first in self._byFirst if first <= tsn]:
            run = self._byFirst.pop(first)
            del self._byLast[run.last]
            self.used -= run.cost
        if self._partials:
            self._skipPartials(skips)
        for skip in skips:
            if not skip.unordered:
                self._skipTo(skip.streamID, skip.number)

    def _skipPartials(self, skips: Iterable[Skip]) -> None:
        """
        Forget fragments of messages that will not be completed.
        """
        upTo = {(skip.streamID, skip.unordered): skip.number for skip in skips}
        for key in list(self._partials):
            number = upTo.get(key[:2])
            if number is not None and (number - key[2]) % self._modulus < self._modulus // 2:
                self.used -= self._partials.pop(key).cost

    def _skipTo(self, streamID: int, number: int) -> None:
        """
        Go on with the message after this one.
        """
        if self._isPast(streamID, number):
            return
        early = self._early.get(streamID)
        expected = self._expected.get(streamID, 0)
        upTo = (number + 1) % self._modulus
        if early:
            ahead = (upTo - expected) % self._modulus
            for at in sorted(early, key=lambda at: (at - expected) % self._modulus):
                if (at - expected) % self._modulus >= ahead:
                    break
                message = early.pop(at)
                self._ready += len(message.data) + OVERHEAD
                self._events.append(message)
        self._expected[streamID] = upTo
        if early is not None:
            self._flush(streamID)

    def reset(self, streams: Iterable[int]) -> None:
        """
        Streams begin anew (RFC 6525 clause 5.2.2).

        @param streams: none means all.
        """
        for streamID in list(streams) or sorted(self._expected):
            self._expected.pop(streamID, None)
            for message in self._early.pop(streamID, {}).values():
                self.used -= len(message.data) + OVERHEAD
            self._events.append(StreamReset(streamID, True))

    def succeed(self, other: "Inbound") -> None:
        """
        Take over, after a restart, what nobody took from another one.
        """
        self.used = self._ready = other._ready
        self._paused = other._paused
        self._held = other._held

    # Events are taken.

    def pause(self, streamID: int) -> None:
        """
        Keep the messages of a stream until L{resume}.
        """
        self._paused.add(streamID)

    def resume(self, streamID: int) -> None:
        """
        Let the messages of a stream go on.
        """
        self._paused.discard(streamID)
        held = self._held.pop(streamID, None)
        if held:
            self._events.extendleft(reversed(held))

    def nextEvent(self) -> SCTPEvent | None:
        """
        Take the next event that is not of a paused stream.
        """
        events = self._events
        while events:
            event = events.popleft()
            if isinstance(event, MessageReceived):
                if event.streamID not in self._paused:
                    cost = len(event.data) + OVERHEAD
                    self.used -= cost
                    self._ready -= cost
                    return event
            elif not isinstance(event, StreamReset) or not event.incoming or event.streamID not in self._held:
                return event
            self._held.setdefault(event.streamID, deque()).append(event)
        # Everything was taken: the other side may want to know.
        if not self.sackNow and self.window() - self._offered >= self._receiveWindow // _UPDATE:
            self.sackNow = True
        return None

    # Acknowledgements go out.

    def window(self) -> int:
        """
        What there is room for.
        """
        free = max(min(self._receiveWindow - self._ready, self._limit - self.used), 0)
        grace = min(_GRACE, self._receiveWindow // 4)
        if free < grace and self._ready * 2 <= self._receiveWindow and not self._gaps:
            free = max(free, min(grace, self._hardLimit - self.used))
        return free if free >= _SMALL else 0

    def packetEnded(self, now: float) -> None:
        """
        A packet that had chunks with data is at its end (RFC 9260 clause 6.2).
        """
        self._unacknowledged += 1
        if self._unacknowledged >= 2:
            self.sackNow = True
        elif not self.sackNow and self.sackAt == math.inf:
            self.sackAt = now + self._settings.sackDelay

    def timeout(self) -> None:
        """
        The acknowledgement has waited long enough.
        """
        self.sackAt = math.inf
        self.sackNow = True

    def isWaiting(self) -> bool:
        """
        Whether an acknowledgement could be sent.
        """
        return self._unacknowledged > 0

    def sackChunk(self, room: int) -> bytes:
        """
        The SACK that is due.

        @param room: how many bytes it may have.
        """
        self.sackNow = False
        self.sackAt = math.inf
        self._unacknowledged = 0
        self._offered = self.window()
        seen, self._seen = self._seen, []
        most = max(0, (room - 16 - 4 * len(seen)) // 4)
        return sackChunk(self.cumulative, self._offered, self._gaps[:most], seen)


def _start(gap: list[int]) -> int:
    return gap[0]
