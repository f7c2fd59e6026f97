"""
The sending half: messages wait in streams, become chunks, and are kept until
they are acknowledged or given up (RFC 9260 clauses 6 and 7, RFC 3758, RFC
8260).

TSNs are plain integers here that only grow; 32 bits of them go on the wire.
"""

import heapq
import math
from collections import deque
from typing import Final

from e2aegw.errors import ResourceError
from e2aegw.sansio.sctp.chunks import (
    BEGIN,
    END,
    IMMEDIATE,
    UNORDERED,
    Skip,
    dataChunk,
    forwardTSNChunk,
    iDataChunk,
)
from e2aegw.sansio.sctp.congestion import Congestion, RoundTrip, TolerantCongestion
from e2aegw.sansio.sctp.events import SCTPEvent
from e2aegw.sansio.sctp.sendqueue import ABANDONED, ARRIVED, FLYING, LOST, Outgoing, SendQueue, Sent
from e2aegw.sansio.sctp.settings import MAX_BURST, Settings
from e2aegw.sansio.sctp.states import Violation

#: RFC 9260 clause 7.2.4: this many SACKs must miss a chunk.
_MISSES: Final = 3
#: Most chunks that are kept for an acknowledgement.  The gap blocks of a SACK
#: reach 65,535 TSNs.
MAX_OUTSTANDING: Final = 32768

Gaps = list[tuple[int, int]]


def _minus(some: Gaps, others: Gaps) -> Gaps:
    """
    The parts of some intervals that are in none of the others.  Both lists
    ascend.
    """
    rest: Gaps = []
    index = 0
    for start, end in some:
        while index < len(others) and others[index][1] < start:
            index += 1
        at = index
        while at < len(others) and others[at][0] <= end:
            if others[at][0] > start:
                rest.append((start, others[at][0] - 1))
            start = others[at][1] + 1
            at += 1
        if start <= end:
            rest.append((start, end))
    return rest


class Outbound:
    """
    All that is on its way out.

    @ivar nextTSN: the TSN of the next new chunk.
    @ivar flight: the bytes in flight, chunk headers included.
    @ivar queue: the messages that are not chunks yet.
    @ivar timer: when T3-rtx ends.
    @ivar probing: whether the timer ended for want of a receive window, and
        the other side answers.
    @ivar forwardDue: whether FORWARD TSN must be sent.
    @ivar urgent: whether the last chunk shall be acknowledged at once.
    @ivar retransmitted: how many chunks were sent again.
    @ivar abandoned: how many messages were given up.
    """

    def __init__(self, settings: Settings, tsn: int, events: deque[SCTPEvent]) -> None:
        self._settings = settings
        self.queue = SendQueue(settings.lowWater, events)
        #: What all chunks of a packet have room for.
        self.room = (settings.maxPacket - 12) & ~3
        kind = TolerantCongestion if settings.lossTolerant else Congestion
        self.congestion = kind(self.room)
        self.roundTrip = RoundTrip(settings.rtoInitial, settings.rtoMin, settings.rtoMax)
        self.nextTSN = tsn
        self.flight = 0
        self.timer = math.inf
        self.probing = False
        self.forwardDue = False
        self.urgent = False
        self.retransmitted = 0
        self.abandoned = 0
        self._acked = tsn - 1
        self._forward = tsn - 1
        self._skipsAt = (-1, -1)
        self._skips = b""
        self._outstanding: dict[int, Sent] = {}
        self._kept = 0
        self._gaps: Gaps = []
        self._lost: list[int] = []
        self._window = 0
        self._probe = False
        self._heard = False
        self._exit = -1
        self._fast = False
        self._timed = -1
        self._timedAt = 0.0
        #: The shortest round trip since the last one that was timed.
        self._shortest = math.inf
        self._lastSent = -math.inf
        #: How many new packets may leave, and whether all that could have left
        #: did: then the next acknowledgement does not add to what is unused.
        self._burst = MAX_BURST
        self._spent = True
        self._started = False
        self._partial = False
        self._interleaved = False
        self._header = 16

    # Messages come in.

    def start(self, window: int, streams: int, *, interleaved: bool, partial: bool) -> None:
        """
        The association is up.

        @param window: the other side's receive window.
        @param streams: how many streams there are.
        @param interleaved: whether to send I-DATA.
        @param partial: whether messages may be abandoned.
        """
        self._window = window
        self._interleaved = interleaved
        self._partial = partial
        self._header = 20 if interleaved else 16
        self._started = True
        self.queue.interleaved = interleaved
        self.queue.limit(streams)

    def send(
        self, streamID: int, data: bytes, ppid: int, ordered: bool, maxRetransmits: int, deadline: float
    ) -> None:
        """
        Queue a message.

        @raise UsageError: the stream is being reset.
        @raise ResourceError: too much waits already.
        """
        if self.queue.waiting + self._kept + len(data) > self._settings.maxQueued:
            raise ResourceError("the send queue of the SCTP association is full")
        self.queue.push(streamID, data, ppid, ordered, maxRetransmits, deadline)

    def isIdle(self) -> bool:
        """
        Whether all that was queued is acknowledged or given up.
        """
        return not self._outstanding and not self.queue

    def clear(self) -> None:
        """
        Forget everything.
        """
        self.queue.clear()
        self.flight = self._kept = 0
        self._outstanding.clear()

    # Chunks go out.

    def collect(self, chunks: list[bytes], room: int, now: float) -> int:
        """
        Append what may be sent now to the chunks of a packet.

        @param room: how many bytes they may have.

        @return: how many bytes are left.
        """
        if self._lost:
            room = self._collectLost(chunks, room, now)
        if not self.queue or not self._started or self._burst <= 0:
            self._spent = True
            return room
        if not self.flight and self._lastSent + self.roundTrip.rto < now:
            self._rested(now)
        before = self.nextTSN
        header = self._header
        window = self.congestion.window
        half = (self.room - header) // 2
        while self.queue and self.flight < window:
            message = self.queue.head()
            if self._partial and now >= message.deadline:
                self._abandon(message, now)
                continue
            take = len(message.data) - message.offset
            space = room - header
            if take > space:
                # A small rest of a packet is not worth a fragment.
                if space < half:
                    break
                take = space & ~3
            if self.flight + take + header > self._window and not self._mayProbe(now):
                break
            if self.nextTSN - self._acked > MAX_OUTSTANDING or self._kept > self._settings.maxQueued:
                break
            wire = self._emit(message, take, now)
            chunks.append(wire)
            room -= len(wire)
        if self.nextTSN != before:
            self._burst -= 1
            self._lastSent = now
            if self.timer == math.inf:
                self.timer = now + self.roundTrip.rto
        else:
            self._spent = True
        return room

    def _collectLost(self, chunks: list[bytes], room: int, now: float) -> int:
        """
        Append chunks that must be sent again, the lowest TSN first.
        """
        fast, self._fast = self._fast, False
        while self._lost:
            tsn = self._lost[0]
            sent = self._outstanding.get(tsn)
            if sent is None or sent.state != LOST:
                heapq.heappop(self._lost)
                continue
            size = len(sent.wire)
            if size > room:
                self._fast = fast and not chunks
                break
            # RFC 9260 clause 7.2.4 step 3: the first packet of a fast
            # retransmission does not ask the window.
            if self.flight >= self.congestion.window and not fast:
                break
            heapq.heappop(self._lost)
            sent.state = FLYING
            sent.transmissions += 1
            sent.misses = 0
            sent.mark = self.nextTSN
            self.flight += size
            self.retransmitted += 1
            if tsn == self._timed:
                self._timed = -1
            if tsn == self._acked + 1 or self.timer == math.inf:
                self.timer = now + self.roundTrip.rto
            self._lastSent = now
            chunks.append(sent.wire)
            room -= size
        return room

    def _rested(self, now: float) -> None:
        """
        Shrink the window after a rest.
        """
        if self._lastSent > -math.inf:
            self.congestion.rested(int((now - self._lastSent) / self.roundTrip.rto))
        self._lastSent = now

    def _mayProbe(self, now: float) -> bool:
        """
        The other side has no room: whether to ask it (RFC 9260 clause 6.1 A).
        """
        if self._outstanding:
            return False
        if self._probe:
            self._probe = False
            self.probing = True
            return True
        if self.timer == math.inf:
            self.timer = now + self.roundTrip.rto
        return False

    def _emit(self, message: Outgoing, take: int, now: float) -> bytes:
        """
        Make the next chunk of the first message of the first stream.
        """
        data = message.data
        offset = message.offset
        end = offset + take
        flags = 0 if message.ordered else UNORDERED
        if not offset:
            flags |= BEGIN
            self.queue.number(message)
        last = end == len(data)
        if last:
            flags |= END
        # RFC 9260 clause 3.3.1: nothing can follow before the acknowledgement,
        # so that its delay would be in vain.
        if (last and self.urgent) or self.congestion.window <= self.room:
            flags |= IMMEDIATE
        tsn = self.nextTSN
        payload = data if take == len(data) else data[offset:end]
        if self._interleaved:
            word = message.fragment if offset else message.ppid
            wire = iDataChunk(flags, tsn, message.stream.streamID, message.number, word, payload)
        else:
            wire = dataChunk(flags, tsn, message.stream.streamID, message.number, message.ppid, payload)
        self._keep(Sent(tsn, wire, message, now))
        self.flight += len(wire)
        self.queue.sent(message, take)
        if self._timed < 0:
            self._timed = tsn
            self._timedAt = now
        return wire

    def _keep(self, sent: Sent) -> None:
        """
        A chunk has the next TSN.
        """
        self._outstanding[sent.tsn] = sent
        self._kept += len(sent.wire)
        self.nextTSN += 1
        if sent.message.mayFail:
            sent.message.sent.append(sent)

    # Acknowledgements come in.

    def acknowledge(self, wire: int, window: int, gaps: Gaps, now: float) -> bool:
        """
        The other side says what has arrived.

        @param wire: the cumulative TSN ack.
        @param window: what the other side has room for.
        @param gaps: the first and last TSN of blocks above, relative to it.

        @return: whether something new has arrived.

        @raise Violation: it was never sent.
        """
        acked = self._acked
        cumulative = acked + ((wire - acked + 0x80000000) & 0xFFFFFFFF) - 0x80000000
        if cumulative < acked:
            return False
        if cumulative >= self.nextTSN or (gaps and cumulative + gaps[-1][1] >= self.nextTSN):
            raise Violation("SCTP SACK", "acknowledges what was not sent")
        flight = self.flight
        outstanding = self._outstanding
        arrived = 0
        sent = None
        for tsn in range(acked + 1, cumulative + 1):
            sent = outstanding.pop(tsn)
            size = len(sent.wire)
            self._kept -= size
            if sent.state == FLYING:
                self.flight -= size
                arrived += size
            elif sent.state == LOST:
                arrived += size
            sent.state = ARRIVED
        self._acked = cumulative
        self._heard = True
        self._burst = MAX_BURST if self._spent else self._burst + MAX_BURST
        self._spent = False
        newest = cumulative if cumulative > acked else -1
        if gaps or self._gaps:
            size, highest = self._acknowledgeGaps(cumulative, gaps)
            arrived += size
            if highest > newest:
                newest = highest
                sent = outstanding[newest]
        if sent is not None and sent.transmissions == 1 and now - sent.at < self._shortest:
            self._shortest = now - sent.at
        if 0 <= self._timed <= newest:
            self._measure(now)
        congestion = self.congestion
        if congestion.recovering and cumulative >= self._exit:
            congestion.recovering = False
        if arrived:
            congestion.acknowledged(arrived, flight)
        if self._gaps:
            everything = congestion.recovering and cumulative > acked
            self._countMisses(self._gaps[-1][1] if everything else newest, now)
        self._window = window
        if self.probing and window >= self.room:
            self._probed(now)
        if cumulative > acked:
            if outstanding:
                self.timer = now + self.roundTrip.rto
            else:
                self.timer = math.inf
                congestion.emptied()
        if self._forward > cumulative or self.abandoned:
            self._advance(now)
        return arrived > 0 or cumulative > acked

    def acknowledgeUpTo(self, wire: int, now: float) -> bool:
        """
        The other side shuts down, and says what has arrived.

        @return: whether something new has arrived.

        @raise Violation: it was never sent.
        """
        cumulative = self._acked + ((wire - self._acked + 0x80000000) & 0xFFFFFFFF) - 0x80000000
        gaps = [(start - cumulative, end - cumulative) for start, end in self._gaps if start > cumulative]
        return self.acknowledge(wire, self._window, gaps, now)

    def _acknowledgeGaps(self, cumulative: int, gaps: Gaps) -> tuple[int, int]:
        """
        Compare the blocks above the cumulative TSN ack with the last ones.

        @return: how many bytes are new, and the highest TSN of them or -1.
        """
        known = self._gaps
        if known and known[0][0] <= cumulative:
            known = [(max(start, cumulative + 1), end) for start, end in known if end > cumulative]
        told = [(cumulative + start, cumulative + end) for start, end in gaps]
        self._gaps = told
        if told == known:
            return 0, -1
        arrived = 0
        highest = -1
        outstanding = self._outstanding
        for start, end in _minus(told, known):
            for tsn in range(start, end + 1):
                sent = outstanding[tsn]
                if sent.state <= LOST and sent.state != ARRIVED:
                    size = len(sent.wire)
                    if sent.state == FLYING:
                        self.flight -= size
                    sent.state = ARRIVED
                    arrived += size
                    highest = tsn
        # RFC 9260 clause 6.2.1 D iii: what is no longer acknowledged was
        # thrown away by the other side, and is in flight once more.
        for start, end in _minus(known, told):
            for tsn in range(start, end + 1):
                sent = outstanding[tsn]
                if sent.state == ARRIVED:
                    sent.state = FLYING
                    sent.misses = 0
                    self.flight += len(sent.wire)
        return arrived, highest

    def _measure(self, now: float) -> None:
        """
        The chunk whose round trip is timed may have arrived.
        """
        sent = self._outstanding.get(self._timed)
        if sent is None or sent.state == ARRIVED:
            self.roundTrip.measured(now - self._timedAt)
            self.congestion.measured(min(now - self._timedAt, self._shortest), now)
            self._shortest = math.inf
            self._timed = -1

    def _countMisses(self, highest: int, now: float) -> None:
        """
        Count that chunks below the highest TSN that is new in a SACK are not
        in it, and send them again when they are missed often (RFC 9260 clause
        7.2.4).
        """
        lost = False
        tsn = self._acked + 1
        for start, end in self._gaps:
            if tsn > highest:
                break
            for missing in range(tsn, start):
                sent = self._outstanding[missing]
                if sent.state == FLYING and sent.mark <= highest:
                    sent.misses += 1
                    if sent.misses >= _MISSES:
                        self._lose(sent, now)
                        lost = True
            tsn = end + 1
        if lost and not self.congestion.recovering:
            self.congestion.lost()
            self._exit = self.nextTSN - 1
            self._fast = True

    def _lose(self, sent: Sent, now: float) -> None:
        """
        A chunk in flight got lost: send it again, or give its message up.
        """
        message = sent.message
        self.congestion.missed(len(sent.wire))
        if self._partial and (0 <= message.maxRetransmits < sent.transmissions or now >= message.deadline):
            self._abandon(message, now)
            return
        sent.state = LOST
        self.flight -= len(sent.wire)
        heapq.heappush(self._lost, sent.tsn)

    def _probed(self, now: float) -> None:
        """
        The other side has room again; it threw the probe away.
        """
        self.probing = False
        for sent in list(self._outstanding.values()):
            if sent.state == FLYING:
                self._lose(sent, now)

    # Messages are given up.

    def _abandon(self, message: Outgoing, now: float) -> None:
        """
        Give up a message (RFC 3758 clause 3.5, rules A1 to A5).
        """
        self.abandoned += 1
        if message.offset < len(message.data):
            if message.offset:
                # What was sent of it has no end.  One more TSN, which never
                # arrives, stands for that end: the other side must skip it
                # before the stream goes on.
                self._keep(Sent(self.nextTSN, b"", message, now))
            self.queue.drop(message)
        for sent in message.sent:
            if sent.state == FLYING:
                self.flight -= len(sent.wire)
            sent.state = ABANDONED
        self._advance(now)

    def _advance(self, now: float) -> None:
        """
        Move the "advanced peer ack point" (RFC 3758 clause 3.5, rules C1 to
        C3).
        """
        forward = max(self._forward, self._acked)
        while True:
            sent = self._outstanding.get(forward + 1)
            if sent is None or sent.state != ABANDONED:
                break
            forward += 1
        self._forward = forward
        if forward > self._acked:
            self.forwardDue = True
            if self.timer == math.inf:
                self.timer = now + self.roundTrip.rto

    def forwardChunk(self, room: int) -> bytes:
        """
        The FORWARD TSN or I-FORWARD-TSN that is due, or nothing.

        @param room: how many bytes it may have.
        """
        if self._skipsAt != (self._acked, self._forward):
            self._skipsAt = (self._acked, self._forward)
            self._skips = self._writeSkips()
        if len(self._skips) > room:
            return b""
        self.forwardDue = False
        return self._skips

    def _writeSkips(self) -> bytes:
        most = (self.room - 8) // 8
        skips: dict[tuple[int, bool], int] = {}
        tsn = self._acked
        while tsn < self._forward:
            message = self._outstanding[tsn + 1].message
            key = (message.stream.streamID, not message.ordered)
            if key not in skips and len(skips) == most:
                break
            skips[key] = max(skips.get(key, 0), message.number)
            tsn += 1
        listed = (Skip(streamID, unordered, number) for (streamID, unordered), number in skips.items())
        return forwardTSNChunk(tsn, listed, interleaved=self._interleaved)

    # Time passes.

    def timeout(self, now: float) -> bool:
        """
        T3-rtx ended (RFC 9260 clause 6.3.3).

        @return: whether this speaks against the other side.
        """
        self.timer = math.inf
        self._burst = MAX_BURST
        self.roundTrip.expired()
        if not self._outstanding:
            self._probe = True
            return False
        self.timer = now + self.roundTrip.rto
        # RFC 9260 clause 6.1 A: the other side answers, and has no room for
        # what it is sent.
        full = self._heard and self._window < self.room
        self._heard = False
        self.probing = self.probing or full
        if not self.probing:
            self.congestion.expired()
        self._timed = -1
        for sent in list(self._outstanding.values()):
            if sent.state == FLYING:
                self._lose(sent, now)
        self._advance(now)
        return not full
