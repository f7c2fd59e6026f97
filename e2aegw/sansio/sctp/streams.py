"""
Streams that begin anew, and new streams: RFC 6525, as far as data channels
need it (RFC 8831 clause 6.2).

We reset our own outgoing streams, and let the other side reset its own and add
to them.  It may ask us to reset ours.  Resetting all TSNs, and adding streams
in our direction, are denied.
"""

import enum
import math
from collections import deque
from collections.abc import Iterable
from typing import Final

from e2aegw.errors import ResourceError
from e2aegw.sansio.sctp.chunks import (
    AddStreams,
    IncomingReset,
    OutgoingReset,
    Reconfiguration,
    Response,
    TSNReset,
    parseReconfig,
    reconfigChunk,
)
from e2aegw.sansio.sctp.events import ResetRefused, SCTPEvent, StreamReset
from e2aegw.sansio.sctp.inbound import Inbound
from e2aegw.sansio.sctp.outbound import Outbound
from e2aegw.sansio.sctp.settings import Settings

#: Most streams in one request; with its headers it fits in a packet of 576
#: bytes.  What is left goes into the next request.
MAX_STREAMS_RESET: Final = 256
#: Most streams that wait for their reset.  An other side that does not answer
#: does not make the list longer.
MAX_WAITING: Final = 4096
#: Most chunks that wait to be sent; each packet that arrives may ask for one.
MAX_DUE: Final = 8


class Result(enum.IntEnum):
    """
    What became of a request, RFC 6525 clause 4.4.
    """

    NOTHING = 0
    PERFORMED = 1
    DENIED = 2
    WRONG_SSN = 3
    BUSY = 4
    BAD_NUMBER = 5
    IN_PROGRESS = 6


class Streams:
    """
    The streams of an association, and the requests about them.

    @ivar outboundStreams: how many we may send on.
    @ivar inboundStreams: how many we receive on.
    @ivar timer: when the request that is under way is sent again.
    """

    def __init__(
        self,
        settings: Settings,
        outbound: Outbound,
        inbound: Inbound,
        events: deque[SCTPEvent],
        *,
        outboundStreams: int,
        inboundStreams: int,
        number: int,
        remoteNumber: int,
    ) -> None:
        """
        @param number: of our first request: our initial TSN.
        @param remoteNumber: of the other side's first request.
        """
        self._settings = settings
        self._outbound = outbound
        self._inbound = inbound
        self._events = events
        self.outboundStreams = outboundStreams
        self.inboundStreams = inboundStreams
        self.timer = math.inf
        self._number = number
        self._expected = remoteNumber
        #: Streams whose messages must leave before they are reset, in order.
        self._waiting: dict[int, None] = {}
        self._request: OutgoingReset | None = None
        self._due: list[bytes] = []
        #: The results of the other side's last two requests: so many fit in a
        #: chunk, and the chunk may come again.
        self._results: dict[int, int] = {}
        self._deferred: OutgoingReset | None = None

    # Our requests.

    def reset(self, streams: Iterable[int], now: float) -> None:
        """
        Reset outgoing streams when all that waits in them has been sent.

        @raise ResourceError: too many streams wait for that.
        """
        wanted = list(streams)
        if len(self._waiting) + len(wanted) > MAX_WAITING:
            raise ResourceError("too many SCTP streams are being reset")
        self._await(wanted)
        self.advance(now)

    def _await(self, streams: Iterable[int]) -> None:
        for streamID in streams:
            stream = self._outbound.queue.stream(streamID)
            if not stream.resetting:
                stream.resetting = True
                self._waiting[streamID] = None

    def isBusy(self) -> bool:
        """
        Whether a reset waits for messages to leave or for its answer.
        """
        return bool(self._waiting) or self._request is not None

    def advance(self, now: float) -> None:
        """
        See whether a request can be made, or one of the other side be done.
        """
        deferred = self._deferred
        if deferred is not None and self._arrived(deferred.tsn):
            self._deferred = None
            self._inbound.reset(deferred.streams)
            self._answer(deferred.number, Result.PERFORMED)
        if self._waiting and self._request is None and self.timer == math.inf:
            empty = [streamID for streamID in self._waiting if self._outbound.queue.isEmpty(streamID)]
            if empty:
                self._ask(tuple(empty[:MAX_STREAMS_RESET]), now)

    def _ask(self, streams: tuple[int, ...], now: float) -> None:
        """
        Make a request (RFC 6525 clause 5.1.2).
        """
        for streamID in streams:
            del self._waiting[streamID]
        self._request = OutgoingReset(
            self._number, (self._expected - 1) & 0xFFFFFFFF, self._outbound.nextTSN - 1, streams
        )
        self._number = (self._number + 1) & 0xFFFFFFFF
        self._send(self._request, now)

    def _send(self, request: OutgoingReset, now: float) -> None:
        self._due.append(reconfigChunk([request]))
        self.timer = now + self._outbound.roundTrip.rto

    def timeout(self, now: float) -> bool:
        """
        The request was not answered, or may be repeated.

        @return: whether this speaks against the other side.
        """
        self.timer = math.inf
        if self._request is None:
            self.advance(now)
            return False
        self._outbound.roundTrip.expired()
        self._send(self._request, now)
        return True

    def nextChunk(self, room: int) -> bytes:
        """
        A RE-CONFIG chunk that is due, or nothing.

        @param room: how many bytes it may have.
        """
        return self._due.pop(0) if self._due and len(self._due[0]) <= room else b""

    # Their requests, and their answers.

    def receive(self, body: bytes, now: float) -> None:
        """
        RE-CONFIG arrived.

        @raise RemoteError: it is malformed.
        """
        answers: list[Reconfiguration] = []
        for part in parseReconfig(body):
            if isinstance(part, Response):
                self._answered(part, now)
                continue
            if part.number == self._expected:
                self._expected = (self._expected + 1) & 0xFFFFFFFF
                self._results = {
                    (part.number - 1) & 0xFFFFFFFF: self._results.get(
                        (part.number - 1) & 0xFFFFFFFF, Result.NOTHING
                    ),
                    part.number: self._perform(part, now),
                }
            answers.append(Response(part.number, self._results.get(part.number, Result.BAD_NUMBER)))
        if answers and len(self._due) < MAX_DUE:
            # RFC 6525 clause 5.2.1: with an acknowledgement.
            self._inbound.sackNow = True
            self._due.append(reconfigChunk(answers))
        self.advance(now)

    def _perform(self, part: OutgoingReset | IncomingReset | TSNReset | AddStreams, now: float) -> Result:
        """
        Do what the other side asks (RFC 6525 clause 5.2).
        """
        if isinstance(part, OutgoingReset):
            return self._performOutgoing(part)
        if isinstance(part, IncomingReset):
            if any(streamID >= self.outboundStreams for streamID in part.streams):
                return Result.WRONG_SSN
            # A stream that nothing was sent on is as new as it can be.
            used = self._outbound.queue.usedStreams()
            streams = [streamID for streamID in used if not part.streams or streamID in part.streams]
            self._await(streams[: MAX_WAITING - len(self._waiting)])
            return Result.PERFORMED if streams else Result.NOTHING
        more = part.more if isinstance(part, AddStreams) and not part.incoming else 0
        if not more or self.inboundStreams + more > self._settings.inboundStreams:
            return Result.DENIED
        self.inboundStreams += more
        return Result.PERFORMED

    def _performOutgoing(self, part: OutgoingReset) -> Result:
        if any(streamID >= self.inboundStreams for streamID in part.streams):
            return Result.WRONG_SSN
        if self._deferred is not None:
            return Result.BUSY
        if not self._arrived(part.tsn):
            self._deferred = part
            return Result.IN_PROGRESS
        self._inbound.reset(part.streams)
        return Result.PERFORMED

    def _arrived(self, wire: int) -> bool:
        """
        Whether everything up to a TSN has come.
        """
        return ((self._inbound.cumulative - wire) & 0xFFFFFFFF) < 0x80000000

    def _answer(self, number: int, result: Result) -> None:
        """
        Tell what became of a request that took its time.
        """
        if number in self._results:
            self._results[number] = result
        self._due.append(reconfigChunk([Response(number, result)]))

    def _answered(self, response: Response, now: float) -> None:
        """
        Our request was answered (RFC 6525 clause 5.2.7).
        """
        request = self._request
        if request is None or response.number != request.number:
            return
        if response.result == Result.IN_PROGRESS:
            self.timer = now + self._outbound.roundTrip.rto
            return
        self._request = None
        self.timer = math.inf
        if response.result == Result.BUSY:
            # It has a request under way: ask again, with a new number.
            self._waiting.update(dict.fromkeys(request.streams))
            self.timer = now + self._outbound.roundTrip.rto
        elif response.result in (Result.NOTHING, Result.PERFORMED):
            for streamID in request.streams:
                self._outbound.queue.reset(streamID)
                self._events.append(StreamReset(streamID, False))
        else:
            for streamID in request.streams:
                self._outbound.queue.stream(streamID).resetting = False
                self._events.append(ResetRefused(streamID))
