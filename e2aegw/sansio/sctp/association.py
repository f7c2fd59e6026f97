"""
An SCTP association on one path, which is DTLS (RFC 9260, RFC 8261).

Bytes that arrive go in by C{receive}; after that, or after any other call, take
events with C{nextEvent} until there are none, then datagrams with
C{nextDatagram} until there are none, and call C{timeout} at C{nextTimeout}.
The moves are in L{states <e2aegw.sansio.sctp.states>}.
"""

import math
import os
import struct
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Final

from e2aegw.errors import RemoteError, UsageError
from e2aegw.sansio.sctp import chunks as c
from e2aegw.sansio.sctp.chunks import CHUNK, HEADER, Cause, Init
from e2aegw.sansio.sctp.cookie import Cookie
from e2aegw.sansio.sctp.events import Closed, Established, Restarted, SCTPEvent
from e2aegw.sansio.sctp.heartbeat import Heartbeat
from e2aegw.sansio.sctp.opening import NO_TIES, Opening
from e2aegw.sansio.sctp.outbound import Outbound
from e2aegw.sansio.sctp.outbox import Outbox
from e2aegw.sansio.sctp.settings import Settings
from e2aegw.sansio.sctp.states import TRANSITIONS, Input, State, Violation
from e2aegw.sansio.sctp.transfer import Transfer

#: RFC 9260 clause 9.2: how many times the longest timeout a shutdown may take,
#: "T5-shutdown-guard".
_GUARD: Final = 5
#: How much of the other side's words about an abort are repeated.
_MAX_REASON: Final = 80

_RECEIVING: Final = frozenset({State.ESTABLISHED, State.SHUTDOWN_PENDING, State.SHUTDOWN_SENT})
_SENDING: Final = frozenset({State.ESTABLISHED, State.SHUTDOWN_PENDING, State.SHUTDOWN_RECEIVED})
_OPENING: Final = frozenset({State.COOKIE_WAIT, State.COOKIE_ECHOED})
_QUEUEING: Final = frozenset({State.CLOSED, State.ESTABLISHED}) | _OPENING
_DRAINING: Final = frozenset({State.SHUTDOWN_PENDING, State.SHUTDOWN_RECEIVED})


class Association:
    """
    One association, from its set-up to its end.  It is not used again.

    @ivar state: where it is.
    @ivar dropped: how often a chunk, or a packet of several, was discarded
        because it did not fit the state.
    """

    def __init__(self, settings: Settings, entropy: Callable[[int], bytes] = os.urandom) -> None:
        """
        @param entropy: gives so many random bytes.
        """
        self._settings = settings
        self.state = State.CLOSED
        self.dropped = 0
        self._finished = False
        self._events: deque[SCTPEvent] = deque()
        self._now = 0.0
        self._opening = Opening(settings, entropy)
        self._localTag = self._opening.tag
        self._remoteTag = 0
        self._greeting = b""
        self._agreed: Cookie | None = None
        self._outbound = Outbound(settings, self._opening.tsn, self._events)
        self._transfer: Transfer | None = None
        self._receiving = False
        self._sending = False
        self._draining = False
        self._outbox = Outbox(settings)
        self._timer = math.inf
        self._tries = 0
        self._errors = 0
        self._guard = math.inf
        self._heartbeat = Heartbeat(settings.heartbeat, entropy)
        self._reason = ""
        self._cause = Cause(c.USER_ABORT)

    # What the application wants.

    def associate(self, now: float) -> None:
        """
        Begin.  If the other side has begun meanwhile, that is as good.

        @raise UsageError: the association has ended.
        """
        self._now = now
        if self._finished:
            raise UsageError("the association has ended")
        self._move(Input.ASSOCIATE)

    def send(
        self,
        streamID: int,
        data: bytes,
        ppid: int,
        *,
        ordered: bool = True,
        maxRetransmits: int | None = None,
        maxLifetime: float | None = None,
        now: float,
    ) -> None:
        """
        Queue a message.  Before the association is up it waits.

        @param maxRetransmits: how often a part of it may be sent again before
            it is given up (RFC 7496 clause 3.2).
        @param maxLifetime: after how many seconds it is given up (RFC 3758
            clause 4.1).

        @raise UsageError: the message is empty, the stream does not exist or
            is being reset, or the association ends.
        @raise ResourceError: as much waits as is allowed.
        """
        self._now = now
        if self._finished or self.state not in _QUEUEING:
            raise UsageError("the association ends")
        transfer = self._transfer
        limit = self._settings.outboundStreams if transfer is None else transfer.streams.outboundStreams
        if not 0 <= streamID < limit:
            raise UsageError(f"there is no stream {streamID}")
        if not data:
            raise UsageError("an SCTP message has a byte at least")
        retransmits = -1 if maxRetransmits is None else maxRetransmits
        deadline = math.inf if maxLifetime is None else now + maxLifetime
        self._outbound.send(streamID, data, ppid, ordered, retransmits, deadline)

    def bufferedAmount(self, streamID: int) -> int:
        """
        How many bytes of a stream wait to be sent for the first time.
        """
        return self._outbound.queue.bufferedAmount(streamID)

    def setLowWater(self, streamID: int, size: int) -> None:
        """
        Ask for L{BufferLow <e2aegw.sansio.sctp.events.BufferLow>} whenever
        C{bufferedAmount} falls to this.
        """
        self._outbound.queue.stream(streamID).lowWater = size

    def pause(self, streamID: int) -> None:
        """
        Keep the messages of a stream, and its reset by the other side, until
        L{resume}.  They take room in the receive window, so that in the end
        the other side waits, too.  Other streams go on as long as there is
        room.

        @raise UsageError: the association is not up.
        """
        if self._transfer is None:
            raise UsageError("the association is not up")
        self._transfer.inbound.pause(streamID)

    def resume(self, streamID: int, now: float) -> None:
        """
        Let go of what L{pause} kept: take events again.
        """
        self._now = now
        if self._transfer is not None:
            self._transfer.inbound.resume(streamID)

    def resetStreams(self, streams: Iterable[int], now: float) -> None:
        """
        Begin anew on outgoing streams, when everything that waits in them has
        been sent; until then nothing more can be sent there.  L{StreamReset
        <e2aegw.sansio.sctp.events.StreamReset>} or L{ResetRefused
        <e2aegw.sansio.sctp.events.ResetRefused>} follows for each.

        @raise UsageError: the association is not up, the other side cannot
            do it, or there is no such stream.
        @raise ResourceError: too many streams wait for that.
        """
        self._now = now
        if self._transfer is None or self._finished or not self._transfer.agreed.reset:
            raise UsageError("streams cannot be reset")
        wanted = list(streams)
        limit = self._transfer.streams.outboundStreams
        if not all(0 <= streamID < limit for streamID in wanted):
            raise UsageError("there is no such stream")
        self._transfer.streams.reset(wanted, now)

    def shutdown(self, now: float) -> None:
        """
        End, when everything that was queued has arrived.
        """
        self._now = now
        self._reason = "shutdown"
        if self.state is State.CLOSED:
            self._finish()
            return
        self._move(Input.SHUT)
        self._settle()

    def abort(self, now: float, reason: str = "aborted") -> None:
        """
        End at once.

        @param reason: for the L{Closed <e2aegw.sansio.sctp.events.Closed>}
            event; it does not go out.
        """
        self._now = now
        self._abandon(reason, Cause(c.USER_ABORT))

    # The five names.

    def receive(self, data: bytes, now: float) -> None:
        """
        A packet arrived.

        @raise RemoteError: it is malformed, not for this association, or
            violates the protocol; in the last case the association has ended.
        """
        self._now = now
        size = len(data)
        if size < 16:
            raise RemoteError("SCTP packet", "too short")
        source, destination, tag, crc = HEADER.unpack_from(data)
        if source != self._settings.remotePort or destination != self._settings.localPort:
            raise RemoteError("SCTP port")
        first = data[12]
        # RFC 9653 clause 5.3: without a checksum only if we said so, which an
        # INIT cannot know.
        if (crc or first == c.INIT or not self._settings.zeroChecksum) and not c.isSummed(data, crc):
            raise RemoteError("SCTP checksum")
        if tag != self._localTag or self.state is State.CLOSED or first in (c.INIT, c.COOKIE_ECHO):
            if not self._isWelcome(data, tag, first):
                return
        else:
            self._heartbeat.heardAt = now
        try:
            self._receiveChunks(data, size, tag)
        except Violation as violation:
            self._abandon(str(violation), violation.cause)
            raise
        finally:
            transfer = self._transfer
            if transfer is not None and transfer.packetEnded(now) and self.state is State.SHUTDOWN_SENT:
                # RFC 9260 clause 9.2: at once, and the timer begins again.
                self._sendShutdown()
            self._settle()

    def nextDatagram(self) -> bytes | None:
        """
        The next packet to send, or L{None}.
        """
        outbox = self._outbox
        if outbox.replies:
            return outbox.replies.popleft()
        if self._finished:
            return None
        self._settle()
        chunks: list[bytes] = []
        room = self._outbound.room
        if outbox.chunks:
            room = outbox.take(chunks, room)
        transfer = self._transfer
        if transfer is not None:
            urgent = self.state is not State.ESTABLISHED
            transfer.collect(chunks, room, self._now, sending=self._sending, urgent=urgent)
        return c.packet(outbox.header, chunks, summed=outbox.summed) if chunks else None

    def nextEvent(self) -> SCTPEvent | None:
        """
        The next event, or L{None}.
        """
        if self._transfer is None:
            return self._events.popleft() if self._events else None
        return self._transfer.inbound.nextEvent()

    def nextTimeout(self) -> float | None:
        """
        When to call L{timeout}, or L{None}.
        """
        at = min(self._timer, self._guard, self._heartbeat.at)
        if self._transfer is not None and not self._finished:
            at = min(at, self._transfer.nextTimeout())
        return None if at == math.inf else at

    def timeout(self, now: float) -> None:
        """
        Time has passed.
        """
        self._now = now
        if self._timer <= now:
            self._timer = math.inf
            self._expired()
        if self._guard <= now:
            self._abandon("shutdown took too long", Cause(c.USER_ABORT))
        if self._transfer is not None and not self._finished:
            for _ in range(self._transfer.timeout(now)):
                self._count()
        if self._heartbeat.at <= now:
            self._beat()
        self._settle()

    # Packets in, chunk by chunk.

    def _isWelcome(self, data: bytes, tag: int, first: int) -> bool:
        """
        Decide about a packet whose tag is not plainly right (RFC 9260 clauses
        8.4 and 8.5.1).

        @raise RemoteError: the tag is wrong.
        """
        if first == c.INIT:
            length = int.from_bytes(data[14:16], "big")
            if tag or 12 + length + (-length & 3) < len(data):
                raise RemoteError("SCTP tag", "INIT")
            return True
        if first == c.COOKIE_ECHO and not self._finished:
            return True
        if self.state is not State.CLOSED:
            if first == c.SHUTDOWN_ACK and self.state in _OPENING:
                return True
            if first not in (c.ABORT, c.SHUTDOWN_COMPLETE):
                raise RemoteError("SCTP tag")
            self._checkReflected(data[13], tag)
            return True
        self.dropped += 1
        if first == c.SHUTDOWN_ACK:
            self._completeReflected(tag)
        elif not c.kinds(data) & {c.ABORT, c.SHUTDOWN_COMPLETE, c.COOKIE_ACK, c.ERROR}:
            self._outbox.reply(tag, c.chunk(c.ABORT, c.REFLECTED))
        return False

    def _receiveChunks(self, data: bytes, size: int, tag: int) -> None:
        offset = 12
        while offset < size:
            if size - offset < 4:
                raise RemoteError("SCTP chunk", "too short")
            kind, flags, length = CHUNK.unpack_from(data, offset)
            end = offset + length
            if length < 4 or end > size:
                raise RemoteError("SCTP chunk", "bad length")
            if kind == c.DATA or kind == c.I_DATA:
                self._receiveData(data, offset, end)
            else:
                handler = _HANDLERS.get(kind)
                if handler is not None:
                    handler(self, flags, data[offset + 4 : end], tag)
                elif not self._receiveUnknown(kind, data[offset:end]):
                    return
            if self._finished:
                return
            offset = end + (-length & 3)

    def _receiveData(self, data: bytes, offset: int, end: int) -> None:
        """
        DATA or I-DATA: the frequent ones.
        """
        if not self._receiving or self._transfer is None:
            self.dropped += 1
            return
        streamID = self._transfer.receiveData(data, offset, end)
        if streamID is not None:
            cause = Cause(c.INVALID_STREAM, struct.pack("!HH", streamID, 0))
            self._enqueue(c.causesChunk(c.ERROR, 0, [cause]))

    def _receiveUnknown(self, kind: int, chunk: bytes) -> bool:
        """
        RFC 9260 clause 3.2: the two high bits say what to do.

        @return: whether to go on with the packet.
        """
        self.dropped += 1
        if kind & 0x40 and self._remoteTag:
            self._enqueue(c.causesChunk(c.ERROR, 0, [Cause(c.UNRECOGNIZED_CHUNK, chunk)]))
        return bool(kind & 0x80)

    def _receiveInit(self, flags: int, body: bytes, tag: int) -> None:
        init = Init.parse(body)
        if not init.tag:
            raise RemoteError("SCTP INIT", "no tag")
        if self._finished:
            self._outbox.reply(init.tag, c.chunk(c.ABORT))
        elif not init.inboundStreams or not init.outboundStreams:
            self._outbox.reply(init.tag, c.causesChunk(c.ABORT, 0, [Cause(c.INVALID_PARAMETER)]))
            raise RemoteError("SCTP INIT", "no streams")
        else:
            self._move(Input.INIT, init)

    def _receiveInitAck(self, flags: int, body: bytes, tag: int) -> None:
        if self.state is not State.COOKIE_WAIT:
            return
        init = Init.parse(body)
        sendable = 0 < len(init.cookie) <= self._outbound.room - 4
        if not init.tag or not init.inboundStreams or not init.outboundStreams or not sendable:
            raise RemoteError("SCTP INIT ACK", "incomplete")
        self._move(Input.INIT_ACK, init)

    def _receiveCookie(self, flags: int, body: bytes, tag: int) -> None:
        """
        RFC 9260 clauses 5.1.5 and 5.2.4.
        """
        opening = self._opening
        cookie = opening.openCookie(body, tag)
        how = opening.judge(cookie, self.state, self._localTag, self._remoteTag)
        late = opening.staleness(cookie, self._now)
        if late and how is not Input.COOKIE_DUPLICATE:
            cause = Cause(c.STALE_COOKIE, late.to_bytes(4, "big"))
            self._outbox.reply(cookie.remoteTag, c.causesChunk(c.ERROR, 0, [cause]))
            raise RemoteError("SCTP cookie", "stale")
        self._heartbeat.heardAt = self._now
        self._move(how, cookie)

    def _receiveCookieAck(self, flags: int, body: bytes, tag: int) -> None:
        self._move(Input.COOKIE_ACK)

    def _receiveSack(self, flags: int, body: bytes, tag: int) -> None:
        if not self._sending:
            self.dropped += 1
            return
        tsn, window, gaps = c.parseSack(body)
        if self._outbound.acknowledge(tsn, window, gaps, self._now):
            self._errors = 0

    def _receiveHeartbeat(self, flags: int, body: bytes, tag: int) -> None:
        if self._remoteTag:
            self._enqueue(c.chunk(c.HEARTBEAT_ACK, 0, body))

    def _receiveHeartbeatAck(self, flags: int, body: bytes, tag: int) -> None:
        seconds = self._heartbeat.answered(body, self._now)
        if seconds is None:
            self.dropped += 1
            return
        self._errors = 0
        self._outbound.roundTrip.measured(seconds)

    def _checkReflected(self, flags: int, tag: int) -> None:
        """
        RFC 9260 clause 8.5.1 B and C: the T bit says whose tag it is.
        """
        if tag != (self._remoteTag if flags & c.REFLECTED else self._localTag):
            raise RemoteError("SCTP tag")

    def _receiveAbort(self, flags: int, body: bytes, tag: int) -> None:
        self._checkReflected(flags, tag)
        self._reason = "aborted by the other side"
        with suppress(RemoteError):
            # It ends whatever it is for.
            for cause in c.parseCauses(body)[:1]:
                words = cause.value[:_MAX_REASON].decode("ascii", "replace") if cause.code > 11 else ""
                self._reason += f": cause {cause.code} {words}".rstrip()
        self._move(Input.ABORT)

    def _receiveError(self, flags: int, body: bytes, tag: int) -> None:
        stale = any(cause.code == c.STALE_COOKIE for cause in c.parseCauses(body))
        if stale and self.state is State.COOKIE_ECHOED:
            self._tries += 1
            if self._tries <= self._settings.maxInitRetransmits:
                self._move(Input.STALE_COOKIE)
            else:
                self._abandon("stale cookies", Cause(c.USER_ABORT))

    def _receiveShutdown(self, flags: int, body: bytes, tag: int) -> None:
        if len(body) < 4:
            raise RemoteError("SCTP SHUTDOWN", "too short")
        # It acknowledges, too (RFC 9260 clause 3.3.8).
        if self._sending and self._outbound.acknowledgeUpTo(int.from_bytes(body[:4], "big"), self._now):
            self._errors = 0
        self._move(Input.SHUTDOWN)

    def _receiveShutdownAck(self, flags: int, body: bytes, tag: int) -> None:
        self._move(Input.SHUTDOWN_ACK, tag)

    def _receiveShutdownComplete(self, flags: int, body: bytes, tag: int) -> None:
        self._checkReflected(flags, tag)
        self._move(Input.SHUTDOWN_COMPLETE)

    def _receiveReconfig(self, flags: int, body: bytes, tag: int) -> None:
        if self._transfer is not None:
            self._transfer.streams.receive(body, self._now)

    def _receiveForward(self, flags: int, body: bytes, tag: int) -> None:
        if self._receiving and self._transfer is not None:
            self._transfer.receiveForward(body)

    # The moves.

    def _move(self, what: Input, *details: Any) -> None:
        """
        Do what the law says, if it says something.
        """
        found = TRANSITIONS.get((self.state, what))
        if found is None:
            self.dropped += 1
            return
        action, state = found
        method: Callable[..., None] = getattr(self, action)
        method(*details)
        self.state = state
        self._receiving = state in _RECEIVING
        self._sending = state in _SENDING
        self._draining = state in _DRAINING

    def _sendInit(self) -> None:
        self._greeting = self._opening.initChunk()
        self._repeatOpening(0)

    def _repeatOpening(self, tag: int) -> None:
        """
        Send INIT or COOKIE ECHO and wait for the answer (T1).
        """
        self._outbox.reply(tag, self._greeting)
        self._timer = self._now + self._outbound.roundTrip.rto

    def _answerInit(self, init: Init) -> None:
        # RFC 9260 clause 5.2.1: nothing is known of the other side before its
        # INIT ACK.
        ties = (self._localTag, self._remoteTag) if self.state is State.COOKIE_ECHOED else NO_TIES
        self._outbox.reply(init.tag, self._opening.initAckChunk(init, ties, self._now))

    def _answerInitAnew(self, init: Init) -> None:
        ties = (self._localTag, self._remoteTag)
        self._outbox.reply(init.tag, self._opening.initAckAnewChunk(init, ties, self._now))

    def _sendCookie(self, init: Init) -> None:
        """
        RFC 9260 clause 5.1 C.
        """
        opening = self._opening
        self._agreed = opening.agree(init, opening.tag, opening.tsn, NO_TIES, self._now)
        self._remoteTag = init.tag
        self._greeting = c.chunk(c.COOKIE_ECHO, 0, init.cookie)
        cause = Cause(c.UNRECOGNIZED_PARAMETERS, c.join(init.unrecognized))
        error = c.causesChunk(c.ERROR, 0, [cause])
        if init.unrecognized and len(self._greeting) + len(error) <= self._outbound.room:
            self._greeting += error
        self._repeatOpening(init.tag)

    def _establish(self) -> None:
        agreed = self._agreed
        assert agreed is not None
        self._localTag = agreed.localTag
        self._outbox.summed = not agreed.zeroChecksum
        self._setTag(agreed.remoteTag)
        self._timer = math.inf
        self._tries = self._errors = 0
        self._greeting = b""
        self._transfer = Transfer(self._settings, agreed, self._outbound, self._events)
        self._events.append(
            Established(
                outboundStreams=agreed.outboundStreams,
                inboundStreams=agreed.inboundStreams,
                interleaved=agreed.interleaving,
                partial=agreed.forwardTSN,
                resettable=agreed.reset,
            )
        )
        self._heartbeat.rest(self._now, self._outbound.roundTrip.rto)

    def _establishAgreed(self, cookie: Cookie) -> None:
        self._establish()
        self._sendCookieAck(cookie)

    def _accept(self, cookie: Cookie) -> None:
        self._agreed = cookie
        self._establishAgreed(cookie)

    def _setTag(self, tag: int) -> None:
        self._remoteTag = tag
        self._outbox.address(tag)

    def _learnTag(self, cookie: Cookie) -> None:
        self._setTag(cookie.remoteTag)
        self._sendCookieAck(cookie)

    def _sendCookieAck(self, cookie: Cookie) -> None:
        self._outbox.putFirst(c.chunk(c.COOKIE_ACK))

    def _restart(self, cookie: Cookie) -> None:
        """
        RFC 9260 clause 5.2.4 action A.
        """
        before = self._transfer
        self._drop()
        self._outbound = Outbound(self._settings, cookie.localTSN, self._events)
        self._events.append(Restarted())
        self._accept(cookie)
        assert before is not None and self._transfer is not None
        self._transfer.inbound.succeed(before.inbound)

    def _refuseRestart(self, cookie: Cookie) -> None:
        self._sendShutdownAck()
        self._enqueue(c.causesChunk(c.ERROR, 0, [Cause(c.COOKIE_IN_SHUTDOWN)]))

    def _drain(self) -> None:
        self._reason = "shutdown"

    def _sendShutdown(self) -> None:
        assert self._transfer is not None
        tsn = self._transfer.inbound.cumulative & 0xFFFFFFFF
        self._enqueue(c.chunk(c.SHUTDOWN, 0, tsn.to_bytes(4, "big")))
        self._beginShutdownTimer()

    def _sendShutdownAck(self, *_: Init) -> None:
        self._enqueue(c.chunk(c.SHUTDOWN_ACK))
        self._beginShutdownTimer()

    def _beginShutdownTimer(self) -> None:
        """
        T2, and the first time T5.
        """
        self._heartbeat.stop()
        self._timer = self._now + self._outbound.roundTrip.rto
        if self._guard == math.inf:
            self._guard = self._now + _GUARD * self._settings.rtoMax

    def _completeReflected(self, tag: int) -> None:
        self._outbox.reply(tag, c.chunk(c.SHUTDOWN_COMPLETE, c.REFLECTED))

    def _complete(self, tag: int) -> None:
        self._outbox.reply(self._remoteTag, c.chunk(c.SHUTDOWN_COMPLETE))
        self._finish()

    def _abandon(self, reason: str, cause: Cause) -> None:
        """
        End at once, and say so.
        """
        self._reason = reason
        self._cause = cause
        if self.state is State.CLOSED:
            self._finish()
        else:
            self._move(Input.GIVE_UP)

    def _giveUp(self) -> None:
        if self._remoteTag:
            self._outbox.replies.clear()
            self._outbox.reply(self._remoteTag, c.causesChunk(c.ABORT, 0, [self._cause]))
        self._finish()

    def _aborted(self) -> None:
        self._outbox.replies.clear()
        self._finish()

    def _finish(self) -> None:
        if self._finished:
            return
        self._finished = True
        clean = self._reason == "shutdown" and self._outbound.isIdle()
        self._drop()
        self._outbound.clear()
        self._events.append(Closed(reason=self._reason, clean=clean))

    def _drop(self) -> None:
        """
        Forget what was to be done.
        """
        self._timer = self._guard = math.inf
        self._heartbeat.stop()
        self._outbox.clear()

    # Time, and what follows from anything.

    def _expired(self) -> None:
        """
        T1 or T2 ended (RFC 9260 clauses 5.1 and 9.2).
        """
        self._outbound.roundTrip.expired()
        if self.state in _OPENING:
            self._tries += 1
            if self._tries > self._settings.maxInitRetransmits:
                self._abandon("no answer", Cause(c.USER_ABORT))
            else:
                self._repeatOpening(self._remoteTag if self.state is State.COOKIE_ECHOED else 0)
            return
        self._count()
        if self.state is State.SHUTDOWN_SENT:
            self._sendShutdown()
        elif self.state is State.SHUTDOWN_ACK_SENT:
            self._sendShutdownAck()

    def _count(self) -> None:
        """
        The other side did not answer (RFC 9260 clause 8.1).
        """
        self._errors += 1
        if self._errors > self._settings.maxRetransmits:
            self._abandon("no answer", Cause(c.USER_ABORT))

    def _beat(self) -> None:
        """
        Ask whether the other side is there, if it was silent.
        """
        heartbeat = self._heartbeat
        heartbeat.rest(self._now, self._outbound.roundTrip.rto)
        if heartbeat.isDue(self._now) and self._sending and self._outbound.isIdle():
            if heartbeat.isUnanswered():
                self._count()
            if not self._finished:
                self._enqueue(heartbeat.chunk(self._now))

    def _settle(self) -> None:
        if self._draining and self._outbound.isIdle():
            self._move(Input.DRAINED)

    def _enqueue(self, chunk: bytes) -> None:
        self._outbox.append(chunk, self._outbound.room)


#: What reads a chunk, by its type; DATA and I-DATA aside.
_HANDLERS: Final[dict[int, Callable[[Association, int, bytes, int], None]]] = {
    c.INIT: Association._receiveInit,
    c.INIT_ACK: Association._receiveInitAck,
    c.SACK: Association._receiveSack,
    c.HEARTBEAT: Association._receiveHeartbeat,
    c.HEARTBEAT_ACK: Association._receiveHeartbeatAck,
    c.ABORT: Association._receiveAbort,
    c.SHUTDOWN: Association._receiveShutdown,
    c.SHUTDOWN_ACK: Association._receiveShutdownAck,
    c.ERROR: Association._receiveError,
    c.COOKIE_ECHO: Association._receiveCookie,
    c.COOKIE_ACK: Association._receiveCookieAck,
    c.SHUTDOWN_COMPLETE: Association._receiveShutdownComplete,
    c.RE_CONFIG: Association._receiveReconfig,
    c.FORWARD_TSN: Association._receiveForward,
    c.I_FORWARD_TSN: Association._receiveForward,
}
