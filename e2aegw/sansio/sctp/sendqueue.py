"""
Messages that wait to be sent, stream by stream, and whose turn it is.

The streams take turns.  Without interleaving a message goes out whole before
the next stream has its turn, because its fragments must be neighbours (RFC
9260 clause 6.9); with interleaving each fragment is a turn (RFC 8260 clause
3.3).
"""

import math
from collections import deque
from typing import Final

from e2aegw.errors import UsageError
from e2aegw.sansio.sctp.events import BufferLow, SCTPEvent, StreamRefused

# What became of a chunk that was sent.
FLYING: Final = 0
ARRIVED: Final = 1
LOST: Final = 2
ABANDONED: Final = 3


class Outgoing:
    """
    A message that is not wholly acknowledged.

    @ivar data: its bytes; empty when the last fragment is made.
    @ivar offset: how many of them were made into chunks.
    @ivar number: its SSN or MID, once there is a chunk.
    @ivar fragment: the number of the next fragment.
    @ivar maxRetransmits: how often a chunk of it may be sent again, or -1.
    @ivar deadline: when it loses its worth.
    @ivar mayFail: whether it may be given up.
    @ivar sent: its chunks, if it may.
    """

    __slots__ = (
        "data",
        "deadline",
        "fragment",
        "maxRetransmits",
        "mayFail",
        "number",
        "offset",
        "ordered",
        "ppid",
        "sent",
        "stream",
    )

    def __init__(
        self, stream: "Stream", data: bytes, ppid: int, ordered: bool, maxRetransmits: int, deadline: float
    ) -> None:
        self.stream = stream
        self.data = data
        self.ppid = ppid
        self.ordered = ordered
        self.maxRetransmits = maxRetransmits
        self.deadline = deadline
        self.offset = 0
        self.number = -1
        self.fragment = 0
        self.sent: list[Sent] = []
        self.mayFail = maxRetransmits >= 0 or deadline < math.inf


class Sent:
    """
    A chunk that was sent.

    @ivar wire: the chunk as it is sent, padding included.
    @ivar at: when it was sent first.
    @ivar state: what became of it.
    @ivar transmissions: how often it was sent.
    @ivar misses: how many SACKs missed it since it was sent last.
    @ivar mark: the first TSN that was sent after it was sent last.  Only an
        acknowledgement from there on says that the retransmission got lost.
    """

    __slots__ = ("at", "mark", "message", "misses", "state", "transmissions", "tsn", "wire")

    def __init__(self, tsn: int, wire: bytes, message: Outgoing, at: float) -> None:
        self.tsn = tsn
        self.wire = wire
        self.message = message
        self.state = FLYING
        self.transmissions = 1
        self.misses = 0
        self.mark = tsn
        self.at = at


class Stream:
    """
    The outgoing half of a stream.

    @ivar buffered: the bytes that wait.
    @ivar lowWater: when C{buffered} falls to this there is an event.
    @ivar ssn: the next SSN; with interleaving, the next ordered MID.
    @ivar mid: the next unordered MID.
    @ivar resetting: whether a reset was asked for and is not through.
    """

    __slots__ = ("buffered", "lowWater", "mid", "queue", "resetting", "ssn", "streamID")

    def __init__(self, streamID: int, lowWater: int) -> None:
        self.streamID = streamID
        self.lowWater = lowWater
        self.queue: deque[Outgoing] = deque()
        self.buffered = 0
        self.ssn = 0
        self.mid = 0
        self.resetting = False


class SendQueue:
    """
    The outgoing halves of all streams.

    @ivar waiting: the bytes that wait.
    @ivar interleaved: whether each fragment is a turn.
    """

    def __init__(self, lowWater: int, events: deque[SCTPEvent]) -> None:
        """
        @param lowWater: of a stream for which nothing else is said.
        """
        self._lowWater = lowWater
        self._events = events
        self._streams: dict[int, Stream] = {}
        #: The streams in which something waits; the first has its turn.
        self._ring: deque[Stream] = deque()
        self.waiting = 0
        self.interleaved = False

    def stream(self, streamID: int) -> Stream:
        """
        A stream, made if there is none.
        """
        stream = self._streams.get(streamID)
        if stream is None:
            stream = self._streams[streamID] = Stream(streamID, self._lowWater)
        return stream

    def bufferedAmount(self, streamID: int) -> int:
        """
        How many bytes wait in a stream.
        """
        stream = self._streams.get(streamID)
        return 0 if stream is None else stream.buffered

    def push(
        self, streamID: int, data: bytes, ppid: int, ordered: bool, maxRetransmits: int, deadline: float
    ) -> None:
        """
        Queue a message.

        @raise UsageError: the stream is being reset.
        """
        stream = self.stream(streamID)
        if stream.resetting:
            raise UsageError(f"stream {streamID} is being reset")
        if not stream.queue:
            self._ring.append(stream)
        stream.queue.append(Outgoing(stream, data, ppid, ordered, maxRetransmits, deadline))
        stream.buffered += len(data)
        self.waiting += len(data)

    def __bool__(self) -> bool:
        """
        Whether something waits.
        """
        return bool(self._ring)

    def head(self) -> Outgoing:
        """
        The message whose turn it is.  There must be one.
        """
        return self._ring[0].queue[0]

    def number(self, message: Outgoing) -> None:
        """
        Give a message its SSN or MID.
        """
        stream = message.stream
        if message.ordered:
            message.number = stream.ssn
            stream.ssn += 1
        elif self.interleaved:
            message.number = stream.mid
            stream.mid += 1
        else:
            message.number = 0

    def sent(self, message: Outgoing, size: int) -> None:
        """
        So many bytes of the message whose turn it is were made into a chunk.
        """
        message.offset += size
        message.fragment += 1
        if message.offset == len(message.data):
            self._dequeue(message)
        elif self.interleaved:
            self._ring.rotate(-1)
        self._drained(message.stream, size)

    def drop(self, message: Outgoing) -> None:
        """
        What is left of a message, the first of its stream, is not sent.
        """
        rest = len(message.data) - message.offset
        self._dequeue(message)
        self._drained(message.stream, rest)

    def _dequeue(self, message: Outgoing) -> None:
        stream = message.stream
        message.data = b""
        stream.queue.popleft()
        if self._ring[0] is stream:
            self._ring.popleft()
            if stream.queue:
                self._ring.append(stream)
        elif not stream.queue:
            self._ring.remove(stream)

    def _drained(self, stream: Stream, size: int) -> None:
        before = stream.buffered
        stream.buffered -= size
        self.waiting -= size
        if before > stream.lowWater >= stream.buffered:
            self._events.append(BufferLow(stream.streamID))

    def isEmpty(self, streamID: int) -> bool:
        """
        Whether nothing waits in a stream.
        """
        stream = self._streams.get(streamID)
        return stream is None or not stream.queue

    def limit(self, streams: int) -> None:
        """
        The other side has so many streams: whatever waits in others is gone.
        """
        for streamID in [streamID for streamID in self._streams if streamID >= streams]:
            stream = self._streams.pop(streamID)
            if stream.queue:
                self._ring.remove(stream)
            self.waiting -= stream.buffered
            self._events.append(StreamRefused(streamID))

    def reset(self, streamID: int) -> None:
        """
        A stream, in which nothing waits, begins anew.
        """
        self._streams.pop(streamID, None)

    def usedStreams(self) -> list[int]:
        """
        The streams that something was sent on since they began.
        """
        return sorted(self._streams)

    def clear(self) -> None:
        """
        Forget everything.
        """
        self.waiting = 0
        self._streams.clear()
        self._ring.clear()
