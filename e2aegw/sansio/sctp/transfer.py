"""
An association in use: data and acknowledgements, both ways, and the streams
they are in.
"""

from collections import deque
from typing import Final

from e2aegw.errors import RemoteError
from e2aegw.sansio.sctp import chunks as c
from e2aegw.sansio.sctp.chunks import DATA_CHUNK, I_DATA_CHUNK
from e2aegw.sansio.sctp.cookie import Cookie
from e2aegw.sansio.sctp.events import SCTPEvent
from e2aegw.sansio.sctp.inbound import Inbound
from e2aegw.sansio.sctp.outbound import Outbound
from e2aegw.sansio.sctp.settings import Settings
from e2aegw.sansio.sctp.states import Violation
from e2aegw.sansio.sctp.streams import Streams

#: A SACK without blocks.
_SACK_SIZE: Final = 16


class Transfer:
    """
    What there is between the end of the set-up and the end.

    @ivar agreed: what both sides agreed on.
    @ivar inbound: the receiving half.
    @ivar outbound: the sending half, which there was before.
    @ivar streams: the streams.
    """

    def __init__(
        self, settings: Settings, agreed: Cookie, outbound: Outbound, events: deque[SCTPEvent]
    ) -> None:
        self.agreed = agreed
        self.outbound = outbound
        self.inbound = Inbound(settings, agreed.remoteTSN, events, interleaved=agreed.interleaving)
        self.streams = Streams(
            settings,
            outbound,
            self.inbound,
            events,
            outboundStreams=agreed.outboundStreams,
            inboundStreams=agreed.inboundStreams,
            number=agreed.localTSN,
            remoteNumber=agreed.remoteTSN,
        )
        outbound.start(
            agreed.window,
            agreed.outboundStreams,
            interleaved=agreed.interleaving,
            partial=agreed.forwardTSN,
        )
        self._kind = c.I_DATA if agreed.interleaving else c.DATA
        self._size = I_DATA_CHUNK.size if agreed.interleaving else DATA_CHUNK.size
        self._gotData = False

    def receiveData(self, packet: bytes, offset: int, end: int) -> int | None:
        """
        DATA or I-DATA arrived.

        @param packet: the packet that it stands in.
        @param offset: where it begins.
        @param end: where it ends, without padding.

        @return: the number of its stream, if there is no such stream.

        @raise RemoteError: it is too short.
        @raise Violation: it contradicts what was agreed, or came before.
        """
        if packet[offset] != self._kind:
            raise Violation("SCTP DATA", "not the kind that was agreed")
        start = offset + self._size
        if start > end:
            raise RemoteError("SCTP DATA", "too short")
        if self._kind == c.DATA:
            _, flags, _, tsn, streamID, number, word = DATA_CHUNK.unpack_from(packet, offset)
        else:
            _, flags, _, tsn, streamID, _, number, word = I_DATA_CHUNK.unpack_from(packet, offset)
        if start == end:
            raise Violation("SCTP DATA", "empty", c.Cause(c.NO_USER_DATA, packet[offset + 4 : offset + 8]))
        self._gotData = True
        if streamID >= self.streams.inboundStreams:
            self.inbound.refuse(tsn)
            return int(streamID)
        self.inbound.data(tsn, flags, streamID, number, word, packet[start:end])
        return None

    def receiveForward(self, body: bytes) -> None:
        """
        FORWARD TSN or I-FORWARD-TSN arrived.

        @raise RemoteError: it is malformed.
        """
        tsn, skips = c.parseForwardTSN(body, interleaved=self.agreed.interleaving)
        self._gotData = True
        self.inbound.forward(tsn, skips)

    def packetEnded(self, now: float) -> bool:
        """
        A packet is at its end.

        @return: whether there was data in it.
        """
        if not self._gotData:
            return False
        self._gotData = False
        self.inbound.packetEnded(now)
        self.streams.advance(now)
        return True

    def collect(self, chunks: list[bytes], room: int, now: float, *, sending: bool, urgent: bool) -> None:
        """
        Append what may be sent now to the chunks of a packet.

        @param room: how many bytes they may have.
        @param sending: whether the state lets data go out.
        @param urgent: whether to ask for acknowledgements at once.
        """
        inbound, outbound, streams = self.inbound, self.outbound, self.streams
        reconfig = streams.nextChunk(room)
        if reconfig:
            room -= len(reconfig)
            chunks.append(reconfig)
        if inbound.sackNow and room >= _SACK_SIZE:
            sack = inbound.sackChunk(room)
            room -= len(sack)
            chunks.append(sack)
        if not sending:
            return
        if outbound.forwardDue:
            forward = outbound.forwardChunk(room)
            room -= len(forward)
            chunks.append(forward)
        busy = streams.isBusy()
        outbound.urgent = urgent or busy
        if inbound.isWaiting():
            # RFC 9260 clause 6.2: what goes out anyway takes the delayed
            # acknowledgement along.
            data: list[bytes] = []
            outbound.collect(data, room - _SACK_SIZE, now)
            if data:
                chunks.append(inbound.sackChunk(_SACK_SIZE))
                chunks += data
        else:
            outbound.collect(chunks, room, now)
        if busy:
            streams.advance(now)

    def nextTimeout(self) -> float:
        """
        When to call L{timeout}.
        """
        return min(self.outbound.timer, self.inbound.sackAt, self.streams.timer)

    def timeout(self, now: float) -> int:
        """
        Time has passed.

        @return: how much of that speaks against the other side.
        """
        errors = 0
        if self.inbound.sackAt <= now:
            self.inbound.timeout()
        if self.outbound.timer <= now:
            errors += self.outbound.timeout(now)
        if self.streams.timer <= now:
            errors += self.streams.timeout(now)
        return errors
