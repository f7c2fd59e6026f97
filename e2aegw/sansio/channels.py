"""
The data channels of an SCTP association: RFC 8831, opened in band with RFC
8832 or by negotiation with RFC 8864.

Hand it every event of the association with C{receive}, then take its own with
C{nextEvent}; what it sends goes through the association.
"""

import enum
from collections import deque
from typing import Final, NamedTuple, TypeAlias

from e2aegw.errors import RemoteError, ResourceError, UsageError
from e2aegw.sansio import dcep
from e2aegw.sansio.dcep import Open
from e2aegw.sansio.sctp.association import Association
from e2aegw.sansio.sctp.events import (
    BufferLow,
    Established,
    MessageReceived,
    ResetRefused,
    Restarted,
    SCTPEvent,
    StreamRefused,
    StreamReset,
)
from e2aegw.sansio.sctp.settings import MAX_STREAMS

#: Most channels of an association, those included that are being closed.  The
#: other side's further ones are closed at once.
MAX_CHANNELS: Final = 1024
#: The largest message that is put together from partial ones (PPID 52 and 54).
MAX_PARTIAL: Final = 1 << 18
#: What all channels of an association may keep of such messages: who has more
#: than some of them under way does not want them to arrive.
MAX_ALL_PARTIAL: Final = 1 << 20
#: Octets that a part takes beside its own.
_PART: Final = 64

#: Why channels ended that begin anew with the next association.
RESTARTED: Final = "the other side began anew"

_PARTIAL: Final = {
    dcep.PPID_BINARY_PARTIAL: dcep.PPID_BINARY,
    dcep.PPID_TEXT_PARTIAL: dcep.PPID_TEXT,
}
_EMPTY: Final = frozenset({dcep.PPID_TEXT_EMPTY, dcep.PPID_BINARY_EMPTY})
_WHOLE: Final = frozenset({dcep.PPID_TEXT, dcep.PPID_BINARY}) | _EMPTY
_TEXT: Final = frozenset({dcep.PPID_TEXT, dcep.PPID_TEXT_EMPTY})


class State(enum.Enum):
    """
    The life of a channel, RFC 8831 clauses 6.5 and 6.7.
    """

    #: Our DATA_CHANNEL_OPEN is not answered.  Messages can be sent.
    OPENING = enum.auto()
    OPEN = enum.auto()
    #: One of the two streams is reset, or is to be.
    CLOSING = enum.auto()
    #: Both are, or never will be.
    CLOSED = enum.auto()


class Channel:
    """
    A data channel.

    @ivar streamID: its two streams.
    @ivar terms: its label, protocol and reliability.
    @ivar negotiated: whether it was not opened in band.
    @ivar ours: whether we opened it.
    @ivar state: where it is.
    """

    __slots__ = (
        "_announced",
        "_incomingReset",
        "_outgoingReset",
        "_parts",
        "_partsKind",
        "_partsSize",
        "negotiated",
        "ours",
        "state",
        "streamID",
        "terms",
    )

    def __init__(self, streamID: int, terms: Open, state: State, *, negotiated: bool, ours: bool) -> None:
        self.streamID = streamID
        self.terms = terms
        self.state = state
        self.negotiated = negotiated
        self.ours = ours
        #: Whether anybody has heard of it.
        self._announced = True
        self._outgoingReset = False
        self._incomingReset = False
        self._parts: list[bytes] = []
        self._partsKind = 0
        self._partsSize = 0


class ChannelOpened(NamedTuple):
    """
    A channel is open: ours was acknowledged, or the other side opened one.
    """

    channel: Channel


class ChannelMessage(NamedTuple):
    """
    A message arrived.

    @ivar text: whether its sender calls it text, in UTF-8.
    """

    channel: Channel
    data: bytes
    text: bool


class ChannelDrained(NamedTuple):
    """
    What waits to be sent in a channel fell to the low-water mark.
    """

    channel: Channel


class ChannelClosed(NamedTuple):
    """
    The end of a channel.

    @ivar reason: C{"closed"}, or what went wrong.
    """

    channel: Channel
    reason: str


ChannelEvent: TypeAlias = ChannelOpened | ChannelMessage | ChannelDrained | ChannelClosed


class Channels:
    """
    All channels of one association.
    """

    def __init__(self, association: Association, *, client: bool) -> None:
        """
        @param client: whether we are the DTLS client, whose stream
            identifiers are even (RFC 8832 clause 6).
        """
        self._association = association
        self._parity = 0 if client else 1
        self._channels: dict[int, Channel] = {}
        self._events: deque[ChannelEvent] = deque()
        self._established = False
        self._resettable = True
        self._limit = MAX_STREAMS
        self._next = self._parity
        # Octets of all parts that wait for the rest of their messages.
        self._partial = 0

    def __getitem__(self, streamID: int) -> Channel:
        """
        The channel of a stream.

        @raise KeyError: there is none.
        """
        return self._channels[streamID]

    def __len__(self) -> int:
        return len(self._channels)

    # What the application wants.

    def open(self, terms: Open, now: float) -> Channel:
        """
        Open a channel in band.  Messages can be sent at once.

        @raise UsageError: the terms contradict themselves, or the association
            has ended.
        @raise ResourceError: there are too many channels.
        """
        message = terms.encode()
        streamID = self._free()
        self._association.send(streamID, message, dcep.PPID_CONTROL, now=now)
        return self._add(Channel(streamID, terms, State.OPENING, negotiated=False, ours=True))

    def negotiate(self, streamID: int, terms: Open) -> Channel:
        """
        Add a channel that both sides know of (RFC 8864 clause 6).

        @raise UsageError: there is a channel in that stream.
        @raise ResourceError: there are too many channels.
        """
        if streamID in self._channels or not 0 <= streamID < self._limit:
            raise UsageError(f"stream {streamID} cannot be used")
        return self._add(Channel(streamID, terms, State.OPEN, negotiated=True, ours=True))

    def send(self, channel: Channel, data: bytes, now: float, *, text: bool = False) -> None:
        """
        Send a message, which may be empty.

        @raise UsageError: the channel is not open.
        @raise ResourceError: as much waits as is allowed.
        """
        if channel.state not in (State.OPEN, State.OPENING):
            raise UsageError("the data channel is not open")
        if data:
            ppid = dcep.PPID_TEXT if text else dcep.PPID_BINARY
        else:
            ppid = dcep.PPID_TEXT_EMPTY if text else dcep.PPID_BINARY_EMPTY
        terms = channel.terms
        lifetime = terms.maxLifetime
        self._association.send(
            channel.streamID,
            data or b"\0",
            ppid,
            # RFC 8832 clause 6: not before DATA_CHANNEL_OPEN has arrived.
            ordered=terms.ordered or channel.state is State.OPENING,
            maxRetransmits=terms.maxRetransmits,
            maxLifetime=None if lifetime is None else lifetime / 1000,
            now=now,
        )

    def close(self, channel: Channel, now: float) -> None:
        """
        Close a channel when all that waits in it has been sent (RFC 8831
        clause 6.7).  L{ChannelClosed} follows.
        """
        if channel.state in (State.OPEN, State.OPENING):
            channel.state = State.CLOSING
            self._resetOutgoing(channel, now)

    def bufferedAmount(self, channel: Channel) -> int:
        """
        How many bytes wait to be sent.
        """
        return self._association.bufferedAmount(channel.streamID)

    # What the association says.

    def receive(self, event: SCTPEvent, now: float) -> None:
        """
        The association said something.

        @raise RemoteError: the other side uses a stream wrongly.  The channel
            there, if any, is being closed.
        """
        if isinstance(event, MessageReceived):
            self._receiveMessage(event, now)
        elif isinstance(event, BufferLow):
            channel = self._channels.get(event.streamID)
            if channel is not None:
                self._events.append(ChannelDrained(channel))
        elif isinstance(event, StreamReset):
            self._receiveReset(event, now)
        elif isinstance(event, Established):
            self._receiveEstablished(event, now)
        elif isinstance(event, ResetRefused | StreamRefused):
            channel = self._channels.get(event.streamID)
            if channel is not None:
                self._end(channel, "refused by the other side")
        elif isinstance(event, Restarted):
            self._endAll(RESTARTED)
        else:
            self._endAll("closed" if event.clean else event.reason)

    def nextEvent(self) -> ChannelEvent | None:
        """
        What happened, or L{None}.
        """
        return self._events.popleft() if self._events else None

    def _receiveEstablished(self, event: Established, now: float) -> None:
        self._established = True
        self._resettable = event.resettable
        self._limit = min(event.outboundStreams, event.inboundStreams)
        for channel in list(self._channels.values()):
            if channel.streamID >= self._limit:
                self._end(channel, "refused by the other side")
            elif channel.state is State.CLOSING:
                self._resetOutgoing(channel, now)
            elif channel.state is State.OPEN:
                self._events.append(ChannelOpened(channel))

    def _receiveMessage(self, message: MessageReceived, now: float) -> None:
        channel = self._channels.get(message.streamID)
        if message.ppid == dcep.PPID_CONTROL:
            self._receiveControl(message, channel, now)
            return
        if channel is None:
            # RFC 8832 clause 6, at its end.
            self._refuse(message.streamID, now)
            raise RemoteError("data channel", "message on an unused stream")
        if channel.state is State.OPENING:
            self._opened(channel)
        if channel.state is State.CLOSED:
            return
        if not channel._parts and message.ppid in _WHOLE:
            data = b"" if message.ppid in _EMPTY else message.data
            self._events.append(ChannelMessage(channel, data, message.ppid in _TEXT))
        else:
            self._receivePart(channel, message, now)

    def _receivePart(self, channel: Channel, message: MessageReceived, now: float) -> None:
        """
        A part of a message, the old way: all but the last one have a PPID that
        says so.
        """
        kind = _PARTIAL.get(message.ppid, message.ppid)
        if kind not in _WHOLE or (channel._parts and kind != channel._partsKind):
            self._forgetParts(channel)
            # RFC 8831 clause 6.6.
            self.close(channel, now)
            raise RemoteError("data channel", f"PPID {message.ppid}")
        channel._partsKind = kind
        channel._parts.append(message.data)
        channel._partsSize += len(message.data)
        self._partial += len(message.data) + _PART
        if channel._partsSize > MAX_PARTIAL or self._partial > MAX_ALL_PARTIAL:
            self._forgetParts(channel)
            self.close(channel, now)
            raise RemoteError("data channel", "message too long")
        if message.ppid == kind:
            data = b"".join(channel._parts)
            self._forgetParts(channel)
            self._events.append(ChannelMessage(channel, data, kind in _TEXT))

    def _forgetParts(self, channel: Channel) -> None:
        self._partial -= channel._partsSize + _PART * len(channel._parts)
        channel._parts.clear()
        channel._partsSize = 0

    def _receiveControl(self, message: MessageReceived, channel: Channel | None, now: float) -> None:
        """
        RFC 8832 clause 6.
        """
        try:
            opening = dcep.parse(message.data)
        except RemoteError:
            self._refuse(message.streamID, now)
            raise
        if opening is None:
            if channel is None:
                raise RemoteError("DCEP ACK", "nothing was opened")
            if channel.state is State.OPENING:
                self._opened(channel)
            return
        if channel is not None or message.streamID % 2 == self._parity:
            self._refuse(message.streamID, now)
            raise RemoteError("DCEP OPEN", "the stream is not the other side's to open")
        if len(self._channels) >= MAX_CHANNELS:
            # Nothing is kept of it.
            self._reset(message.streamID, now)
            raise RemoteError("DCEP OPEN", "too many channels")
        try:
            self._association.send(message.streamID, dcep.ACK, dcep.PPID_CONTROL, now=now)
        except (UsageError, ResourceError) as error:
            raise RemoteError("DCEP OPEN", f"cannot be answered: {error}") from None
        channel = self._add(Channel(message.streamID, opening, State.OPEN, negotiated=False, ours=False))
        self._events.append(ChannelOpened(channel))

    def _receiveReset(self, event: StreamReset, now: float) -> None:
        """
        RFC 8831 clause 6.7: a channel is closed when both its streams are
        reset.
        """
        channel = self._channels.get(event.streamID)
        if channel is None:
            return
        if event.incoming:
            channel._incomingReset = True
            if channel.state in (State.OPEN, State.OPENING):
                channel.state = State.CLOSING
                self._resetOutgoing(channel, now)
        else:
            channel._outgoingReset = True
        if channel._incomingReset and channel._outgoingReset:
            self._end(channel, "closed")

    # Inside.

    def _add(self, channel: Channel) -> Channel:
        if len(self._channels) >= MAX_CHANNELS:
            raise ResourceError("too many data channels")
        self._channels[channel.streamID] = channel
        if self._established and channel.negotiated:
            self._events.append(ChannelOpened(channel))
        return channel

    def _free(self) -> int:
        """
        A stream that is ours to open, the one that was unused for longest.

        @raise ResourceError: there is none.
        """
        if len(self._channels) >= MAX_CHANNELS:
            raise ResourceError("too many data channels")
        for _ in range(MAX_CHANNELS + 1):
            streamID = self._next
            self._next += 2
            if self._next >= self._limit:
                self._next = self._parity
            if streamID < self._limit and streamID not in self._channels:
                return streamID
        raise ResourceError("there is no stream for another data channel")

    def _opened(self, channel: Channel) -> None:
        channel.state = State.OPEN
        self._events.append(ChannelOpened(channel))

    def _refuse(self, streamID: int, now: float) -> None:
        """
        Close whatever is in a stream, even if nothing is.
        """
        channel = self._channels.get(streamID)
        if channel is None:
            if len(self._channels) >= MAX_CHANNELS:
                self._reset(streamID, now)
                return
            channel = Channel(streamID, Open(), State.OPEN, negotiated=False, ours=False)
            channel._announced = False
            self._channels[streamID] = channel
        self.close(channel, now)

    def _resetOutgoing(self, channel: Channel, now: float) -> None:
        if not self._established:
            # It follows as soon as the association is up.
            return
        if not self._reset(channel.streamID, now):
            self._end(channel, "closed")

    def _reset(self, streamID: int, now: float) -> bool:
        """
        Reset an outgoing stream.

        @return: whether the other side lets us.
        """
        if not self._resettable or streamID >= self._limit:
            return False
        try:
            self._association.resetStreams([streamID], now)
        except (UsageError, ResourceError):
            # The association ends, and so does everything else, in a moment;
            # or the other side opens more channels than it lets be closed.
            return False
        return True

    def _end(self, channel: Channel, reason: str) -> None:
        if channel.state is not State.CLOSED:
            channel.state = State.CLOSED
            self._forgetParts(channel)
            if channel._announced:
                self._events.append(ChannelClosed(channel, reason))
        # A stream that could not be reset is not used again.
        if channel._incomingReset and channel._outgoingReset:
            del self._channels[channel.streamID]

    def _endAll(self, reason: str) -> None:
        for channel in list(self._channels.values()):
            self._end(channel, reason)
        self._channels.clear()
        self._established = False
