"""
SCTP over DTLS (RFC 8261, RFC 8841), of which each data channel (RFC 8831) is a
transport of its own.

An adapter on a channel need not know what it stands on: it writes messages,
gets messages, and is asked to pause and to go on.
"""

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IHandshakeListener,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from e2aegw.alarm import Alarm
from e2aegw.errors import NegotiationError, RemoteError, ResourceError, UsageError
from e2aegw.interfaces import Apply
from e2aegw.sansio import datachannel
from e2aegw.sansio.channels import (
    RESTARTED,
    Channel,
    ChannelClosed,
    ChannelDrained,
    ChannelEvent,
    ChannelMessage,
    ChannelOpened,
    Channels,
)
from e2aegw.sansio.datachannel import UNKNOWN, ChannelMap, reliable
from e2aegw.sansio.dcep import Open
from e2aegw.sansio.events import AssociationLost, ChannelRefused, Event
from e2aegw.sansio.events import ChannelOpened as Opened
from e2aegw.sansio.sctp.association import Association
from e2aegw.sansio.sctp.events import Closed, Established
from e2aegw.sansio.sctp.settings import REASSEMBLY_FACTOR, Settings
from e2aegw.sansio.sdp import Line, Section
from e2aegw.sansio.terms import Terms
from e2aegw.transport.bundle import BundleRecords
from e2aegw.transport.datachannel import LOW_WATER, DataChannel
from e2aegw.transport.dtls import DTLSTransport

#: What our descriptions say of the largest message (RFC 8841 clause 6).
MAX_MESSAGE = 262144
#: The SCTP port that our descriptions say.  It is inside DTLS, so that every
#: association can have the same.
SCTP_PORT = 5000
#: Octets that an association keeps of what arrives until it can be delivered;
#: then the remote party has to wait.  They are also what a short message in
#: another channel waits behind: at 100 Mbit/s for 40 ms, which is as much as a
#: path in one country needs.
RECEIVE_WINDOW = 1 << 19
#: Octets beside it that wait for something that got lost: at that speed, for it
#: to be sent again twice.
OUT_OF_ORDER = 1 << 20
#: The most octets of messages that a line's association holds because the other
#: leg does not take them: its window, and what the rest of a message that does
#: not fit into it may make of that.
MAX_HELD = RECEIVE_WINDOW * REASSEMBLY_FACTOR
#: Characters of what the remote party calls a channel that an event repeats.
MAX_NAMED = 100


@implementer(IHandshakeListener)
class ChannelCarrier:
    """
    The association under the channels of one media section.

    It owns the C{sctp-port} and C{max-message-size} attributes, beside those
    of L{DTLSTransport}.

    @ivar maxMessageSize: the largest message that the remote party takes; 0 is
        any.
    @ivar notify: told of what concerns no channel in particular.
    @ivar section: what the remote party says of the association; its first
        channel that can be agreed to speaks for all.
    """

    authenticates = True

    def __init__(self, clock: Any, dtls: DTLSTransport | BundleRecords, *, lossTolerant: bool = True) -> None:
        """
        @param clock: provides C{IReactorTime}.
        @param dtls: what is below it.
        @param lossTolerant: see L{Settings}.
        """
        self.dtls = dtls
        self._lossTolerant = lossTolerant
        self.counters = dtls.counters
        self.maxMessageSize = datachannel.DEFAULT_MESSAGE_SIZE
        self.notify: Callable[[Event], None] = _ignore
        self.section: Section | None = None
        self._clock = clock
        self._remotePort = SCTP_PORT
        self._association: Association | None = None
        self._channels: Channels | None = None
        self._shares: dict[int, DataChannel] = {}
        # Those that the remote party may open in band, by subprotocol.
        self._awaited: dict[str, DataChannel] = {}
        self._alarm = Alarm(clock)
        self._secured = self._agreed = False
        self._draining = False
        self._closed = False
        dtls.notify = self._happened
        dtls.attach(self)  # type: ignore[arg-type]

    # What the session asks for

    def configure(self, section: Section, terms: Terms) -> Apply:
        """
        See L{ILegPart}.

        @raise NegotiationError: the section is not one that carries channels,
            or the transport cannot agree to it.
        """
        if not datachannel.isCarrier(section):
            raise NegotiationError("the section does not carry data channels")
        port, size = datachannel.port(section), datachannel.maxMessageSize(section)
        applyTransport = self.dtls.configure(section, terms)

        def apply() -> None:
            self.maxMessageSize = size
            # RFC 8841 clause 9.3: a new port is a new association over the
            # same DTLS, and port 0 is none.
            renews, begins = port != self._remotePort, not self._agreed
            self._remotePort, self._agreed = port, True
            if renews:
                self._end("the remote party took another port", isOver=not port)
            applyTransport()
            if (renews or begins) and self._secured and self._association is None:
                self._begin()

        return apply

    def describe(self, terms: Terms) -> Sequence[Line]:
        """
        See L{ILegPart}.
        """
        return [
            *self.dtls.describe(terms),
            Line("sctp-port", str(SCTP_PORT)),
            Line("max-message-size", str(MAX_MESSAGE)),
        ]

    @property
    def closed(self) -> bool:
        """
        Whether it has ended, and cannot be used again.
        """
        return self._closed

    def share(self, channel: ChannelMap) -> DataChannel:
        """
        A channel that both parties know of (RFC 8864), or that the remote
        party may open in band (RFC 8832).

        @raise NegotiationError: the stream is in use.
        """
        if channel.streamID == UNKNOWN:
            if channel.subprotocol in self._awaited:
                raise NegotiationError(f"a channel for {channel.subprotocol} is awaited already")
            share = self._awaited[channel.subprotocol] = DataChannel(self, channel)
            return share
        if channel.streamID in self._shares:
            raise NegotiationError(f"stream {channel.streamID} is in use")
        share = DataChannel(self, channel)
        if self._channels is not None:
            # Else when there is an association.
            self._add(share)
        self._shares[channel.streamID] = share
        # Who attaches a protocol in this turn hears of it.
        self._drain()
        return share

    def remove(self, share: DataChannel) -> None:
        """
        A channel is not needed any more; with the last one goes the
        association.
        """
        if share not in self._all():
            return
        self._awaited = {name: each for name, each in self._awaited.items() if each is not share}
        self.shut(share)
        self._shares = {stream: each for stream, each in self._shares.items() if each is not share}
        if not self._all():
            self.loseConnection()

    def shut(self, share: DataChannel) -> None:
        """
        Close a channel when what waits in it is sent.
        """
        if share.channel is not None and self._channels is not None:
            self._channels.close(share.channel, self._clock.seconds())
            self._drain()

    @property
    def shares(self) -> int:
        """
        How many channels it has, or is to have.
        """
        return len(self._all())

    @property
    def streams(self) -> set[int]:
        """
        The streams of its channels.
        """
        return set(self._shares)

    def loseConnection(self) -> None:
        """
        Let go of ports, timers and keys, now.
        """
        if not self._closed:
            self._closed = True
            self._end("the leg ended")
            self.dtls.loseConnection()

    # What DTLS says

    def makeConnection(self, transport: object) -> None:
        """
        See C{IProtocol}; the transport is known already.
        """

    def handshakeCompleted(self) -> None:
        """
        See L{IHandshakeListener}.
        """
        # The old association's keys are gone: nobody would understand its ABORT.
        self._end("new DTLS association", tell=False, isOver=False)
        self._secured = True
        self._begin()

    def dataReceived(self, data: bytes) -> None:
        """
        An SCTP packet.

        @raise RemoteError: it is malformed, or not of this association.
        """
        if self._association is None:
            raise RemoteError("no association")
        try:
            self._association.receive(data, self._clock.seconds())
        finally:
            self._drain()

    def connectionLost(self, reason: Failure) -> None:
        """
        See C{IProtocol}: the remote party ended DTLS.
        """
        self._secured = False
        self._end("DTLS was closed", tell=False)

    # What channels ask for

    def send(self, share: DataChannel, data: bytes) -> None:
        """
        Send one message.
        """
        if self._channels is None or share.channel is None:
            self.counters["unsent no association"] += 1
            return
        if 0 < self.maxMessageSize < len(data):
            # RFC 8841 clause 6.1.  Whoever writes knows the limit, too.
            self.counters["unsent too long"] += 1
            return
        try:
            self._channels.send(share.channel, data, self._clock.seconds(), text=share.text)
        except (UsageError, ResourceError):
            self.counters["unsent no room"] += 1
            return
        self._drain()
        share.wrote()

    def buffered(self, share: DataChannel) -> int:
        """
        How many octets of a channel wait to be sent for the first time.
        """
        if self._channels is None or share.channel is None:
            return 0
        return self._channels.bufferedAmount(share.channel)

    def pause(self, share: DataChannel) -> None:
        """
        Keep what arrives in a channel that is open; see L{Association.pause}.
        """
        if self._association is not None and share.connected and share.channel is not None:
            self._association.pause(share.channel.streamID)

    def resume(self, share: DataChannel) -> None:
        """
        Let go of what was kept.
        """
        if self._association is not None and share.connected and share.channel is not None:
            self._association.resume(share.channel.streamID, self._clock.seconds())
            self._drain()

    # Inside

    def _begin(self) -> None:
        """
        Both sides begin (RFC 8841 clause 9.3).
        """
        if self._closed or not self._remotePort or not self._agreed:
            # On an association that others share, the remote party need not
            # know of the channels yet.
            return
        settings = Settings(
            localPort=SCTP_PORT,
            remotePort=self._remotePort,
            maxMessage=MAX_MESSAGE,
            lowWater=LOW_WATER,
            receiveWindow=RECEIVE_WINDOW,
            outOfOrder=OUT_OF_ORDER,
            lossTolerant=self._lossTolerant,
        )
        self._association = Association(settings)
        self._channels = Channels(self._association, client=self.dtls.isClient)
        self._addAll()
        self._association.associate(self._clock.seconds())
        self._drain()

    def _all(self) -> list[DataChannel]:
        # One that was opened in band is in both.
        return list({id(each): each for each in (*self._shares.values(), *self._awaited.values())}.values())

    def _addAll(self) -> None:
        for share in self._shares.values():
            if share.channel is None and share.map.streamID != UNKNOWN:
                try:
                    self._add(share)
                except NegotiationError:
                    self.counters["channels without a stream"] += 1

    def _add(self, share: DataChannel) -> None:
        assert self._channels is not None
        terms = Open(
            label=share.map.label,
            protocol=share.map.subprotocol,
            ordered=share.map.ordered,
            maxRetransmits=share.map.maxRetransmits,
            maxLifetime=share.map.maxLifetime,
        )
        try:
            share.channel = self._channels.negotiate(share.map.streamID, terms)
        except (UsageError, ResourceError) as e:
            # It was closed and is not quite gone, or the other side has it.
            raise NegotiationError(str(e)) from None

    def _drain(self) -> None:
        if self._draining:
            return
        self._draining = True
        try:
            self._turn()
        finally:
            self._draining = False
        self._schedule()

    def _turn(self) -> None:
        """
        Do what the association and its channels want, until they want nothing
        more.
        """
        while self._association is not None and self._channels is not None:
            association, channels = self._association, self._channels
            if (said := channels.nextEvent()) is not None:
                self._say(said)
            elif (event := association.nextEvent()) is not None:
                if isinstance(event, Established):
                    # RFC 8260: no long message keeps the others waiting.
                    self.counters["interleaved associations"] += event.interleaved
                    # When the remote party began anew, channels were closed.
                    self._addAll()
                try:
                    channels.receive(event, self._clock.seconds())
                except RemoteError as e:
                    self.counters["dropped " + e.reason] += 1
                if isinstance(event, Closed):
                    self._happened(AssociationLost(reason=event.reason))
            elif (datagram := association.nextDatagram()) is not None:
                self.dtls.write(datagram)
            else:
                return

    def _say(self, event: ChannelEvent) -> None:
        channel = event.channel
        share = self._shares.get(channel.streamID)
        if share is None or share.channel is not channel:
            if isinstance(event, ChannelOpened) and not channel.ours:
                self._openedInBand(channel)
        elif isinstance(event, ChannelMessage):
            share.messageReceived(event.data)
        elif isinstance(event, ChannelOpened):
            self._opened(share, channel)
        elif isinstance(event, ChannelDrained):
            share.drained()
        elif isinstance(event, ChannelClosed):
            self._forget(share)
            share.lost(_reason(event.reason), isOver=event.reason != RESTARTED)

    def _openedInBand(self, channel: Channel) -> None:
        """
        The remote party opened a channel: it is one that a section goes with,
        or is refused.
        """
        terms = channel.terms
        partial = terms.maxRetransmits is not None or terms.maxLifetime is not None or not terms.ordered
        share = self._awaited.get(terms.protocol.lower())
        if share is None or share.channel is not None or (partial and reliable(share.map.subprotocol)):
            self.counters["channels refused"] += 1
            label, protocol = terms.label[:MAX_NAMED], terms.protocol[:MAX_NAMED]
            self.notify(ChannelRefused(stream=channel.streamID, label=label, protocol=protocol))
            if self._channels is not None:
                self._channels.close(channel, self._clock.seconds())
            return
        share.channel = channel
        self._shares[channel.streamID] = share
        self._opened(share, channel)

    def _opened(self, share: DataChannel, channel: Channel) -> None:
        label, protocol = channel.terms.label[:MAX_NAMED], channel.terms.protocol[:MAX_NAMED]
        share.notify(Opened(stream=channel.streamID, label=label, protocol=protocol))
        share.opened()

    def _forget(self, share: DataChannel) -> None:
        """
        A share has no channel any more.  If it was opened in band, another one
        may be.
        """
        channel, share.channel = share.channel, None
        if channel is not None and share.map.streamID == UNKNOWN:
            self._shares.pop(channel.streamID, None)

    def _lost(self, reason: str, *, isOver: bool) -> None:
        """
        What channels there were are no more.
        """
        for share in list(self._shares.values()):
            self._forget(share)
            share.lost(_reason(reason), isOver=isOver)

    def _end(self, reason: str, *, tell: bool = True, isOver: bool = True) -> None:
        """
        There is no association any more.

        @param tell: whether to say so to the remote party.
        @param isOver: whether there will be none.
        """
        association, self._association, self._channels = self._association, None, None
        self._alarm.stop()
        if association is None:
            return
        if tell:
            association.abort(self._clock.seconds())
            while (datagram := association.nextDatagram()) is not None:
                self.dtls.write(datagram)
        self._lost(reason, isOver=isOver)

    def _schedule(self) -> None:
        self._alarm.set(None if self._association is None else self._association.nextTimeout(), self._timeout)

    def _timeout(self, now: float) -> None:
        if self._association is not None:
            self._association.timeout(now)
            self._drain()

    def _happened(self, event: Event) -> None:
        for share in self._all():
            share.notify(event)


def _reason(text: str) -> Failure:
    """
    Why a channel is lost, for its protocol.
    """
    return Failure(ConnectionDone() if text == "closed" else ConnectionLost(text))


def _ignore(event: Event) -> None:
    """
    Nobody wants to know yet.
    """
