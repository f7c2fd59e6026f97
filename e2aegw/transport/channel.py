"""
SCTP over DTLS (RFC 8261, RFC 8841), of which each data channel (RFC 8831) is a
transport of its own.

An adapter on a channel need not know what it stands on: it writes messages,
gets messages, and is asked to pause and to go on.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IConsumer,
    IDelayedCall,
    IHandshakeListener,
    IProtocol,
    IPushProducer,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from e2aegw.errors import NegotiationError, RemoteError, ResourceError, UsageError
from e2aegw.interfaces import Address, Apply, IMediaTransport
from e2aegw.sansio import datachannel
from e2aegw.sansio.channels import (
    Channel,
    ChannelClosed,
    ChannelDrained,
    ChannelEvent,
    ChannelMessage,
    ChannelOpened,
    Channels,
)
from e2aegw.sansio.datachannel import ChannelMap
from e2aegw.sansio.dcep import Open
from e2aegw.sansio.events import AssociationLost, ChannelRefused, Event
from e2aegw.sansio.events import ChannelOpened as Opened
from e2aegw.sansio.sctp.association import Association
from e2aegw.sansio.sctp.events import Closed, Established
from e2aegw.sansio.sctp.settings import Settings
from e2aegw.sansio.sdp import Line, Section
from e2aegw.sansio.terms import Terms
from e2aegw.transport.dtls import DTLSTransport

#: What our descriptions say of the largest message (RFC 8841 clause 6).
MAX_MESSAGE = 262144
#: The SCTP port that our descriptions say.  It is inside DTLS, so that every
#: association can have the same.
SCTP_PORT = 5000
#: Octets that may wait in a channel before who writes is asked to pause: one
#: of our longest messages, which nobody can ask to be half sent.
HIGH_WATER = 262144
#: Octets that still wait when it is asked to go on: at 200 Mbit/s they last
#: for some milliseconds, in which more can be fetched.
LOW_WATER = 65536
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

    def __init__(self, clock: Any, dtls: DTLSTransport, *, lossTolerant: bool = True) -> None:
        """
        @param clock: provides C{IReactorTime}.
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
        self._timer: IDelayedCall | None = None
        self._secured = False
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
            renews = port != self._remotePort
            self._remotePort = port
            if renews:
                self._end("the remote party took another port")
            applyTransport()
            if renews and self._secured:
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

    def share(self, channel: ChannelMap) -> "DataChannel":
        """
        A channel that both parties know of (RFC 8864).

        @raise NegotiationError: the stream is in use.
        """
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

    def remove(self, share: "DataChannel") -> None:
        """
        A channel is not needed any more; with the last one goes the
        association.
        """
        if self._shares.get(share.map.streamID) is not share:
            return
        del self._shares[share.map.streamID]
        if share.channel is not None and self._channels is not None:
            self._channels.close(share.channel, self._clock.seconds())
            self._drain()
        if not self._shares:
            self.loseConnection()

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
        See L{IProtocol}; the transport is known already.
        """

    def handshakeCompleted(self) -> None:
        """
        See L{IHandshakeListener}.
        """
        # The old association's keys are gone: nobody would understand its ABORT.
        self._end("new DTLS association", tell=False)
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
        See L{IProtocol}: the remote party ended DTLS.
        """
        self._secured = False
        self._end("DTLS was closed", tell=False)

    # What channels ask for

    def send(self, share: "DataChannel", data: bytes) -> None:
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
            self._channels.send(share.channel, data, self._clock.seconds())
        except (UsageError, ResourceError):
            self.counters["unsent no room"] += 1
            return
        self._drain()
        share.wrote()

    def buffered(self, share: "DataChannel") -> int:
        """
        How many octets of a channel wait to be sent for the first time.
        """
        if self._channels is None or share.channel is None:
            return 0
        return self._channels.bufferedAmount(share.channel)

    def pause(self, share: "DataChannel") -> None:
        """
        Keep what arrives in a channel that is open; see L{Association.pause}.
        """
        if self._association is not None and share.connected:
            self._association.pause(share.map.streamID)

    def resume(self, share: "DataChannel") -> None:
        """
        Let go of what was kept.
        """
        if self._association is not None and share.connected:
            self._association.resume(share.map.streamID, self._clock.seconds())
            self._drain()

    # Inside

    def _begin(self) -> None:
        """
        Both sides begin (RFC 8841 clause 9.3).
        """
        if self._closed or not self._remotePort:
            return
        settings = Settings(
            localPort=SCTP_PORT,
            remotePort=self._remotePort,
            maxMessage=MAX_MESSAGE,
            lowWater=LOW_WATER,
            lossTolerant=self._lossTolerant,
        )
        self._association = Association(settings)
        self._channels = Channels(self._association, client=self.dtls.isClient)
        self._addAll()
        self._association.associate(self._clock.seconds())
        self._drain()

    def _addAll(self) -> None:
        for share in self._shares.values():
            if share.channel is None:
                try:
                    self._add(share)
                except NegotiationError:
                    self.counters["channels without a stream"] += 1

    def _add(self, share: "DataChannel") -> None:
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
            if isinstance(event, ChannelOpened) and not channel.ours and self._channels is not None:
                # Opened in band, and no section goes with it.
                self.counters["channels refused"] += 1
                label, protocol = channel.terms.label[:MAX_NAMED], channel.terms.protocol[:MAX_NAMED]
                self.notify(ChannelRefused(stream=channel.streamID, label=label, protocol=protocol))
                self._channels.close(channel, self._clock.seconds())
        elif isinstance(event, ChannelMessage):
            share.messageReceived(event.data)
        elif isinstance(event, ChannelOpened):
            label, protocol = channel.terms.label[:MAX_NAMED], channel.terms.protocol[:MAX_NAMED]
            share.notify(Opened(stream=channel.streamID, label=label, protocol=protocol))
            share.opened()
        elif isinstance(event, ChannelDrained):
            share.drained()
        elif isinstance(event, ChannelClosed):
            share.channel = None
            share.lost(_reason(event.reason))

    def _lost(self, reason: str) -> None:
        """
        What channels there were are no more.
        """
        for share in list(self._shares.values()):
            share.channel = None
            share.lost(_reason(reason))

    def _end(self, reason: str, *, tell: bool = True) -> None:
        """
        There is no association any more.

        @param tell: whether to say so to the remote party.
        """
        association, self._association, self._channels = self._association, None, None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if association is None:
            return
        if tell:
            association.abort(self._clock.seconds())
            while (datagram := association.nextDatagram()) is not None:
                self.dtls.write(datagram)
        self._lost(reason)

    def _schedule(self) -> None:
        at = self._association.nextTimeout() if self._association is not None else None
        if self._timer is not None:
            if at is not None and self._timer.getTime() <= at:
                # Most deadlines move on with each packet.  To look too early
                # now and then is cheaper than a new timer each time.
                return
            self._timer.cancel()
            self._timer = None
        if at is not None:
            self._timer = self._clock.callLater(max(0.0, at - self._clock.seconds()), self._timeout)

    def _timeout(self) -> None:
        self._timer = None
        if self._association is not None:
            self._association.timeout(self._clock.seconds())
            self._drain()

    def _happened(self, event: Event) -> None:
        for share in list(self._shares.values()):
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


@implementer(IMediaTransport, IPushProducer, IConsumer)
class DataChannel:
    """
    One data channel.  What is written is one message; a message is what
    C{dataReceived} gets.

    @ivar map: how the description calls it.
    @ivar channel: the channel, while there is an association.
    @ivar connected: whether what is written reaches the remote party.  When it
        becomes so, a protocol that has a method C{connectionOpened} is told.
    """

    disconnecting = False
    muxed = False

    def __init__(self, carrier: ChannelCarrier, map: ChannelMap) -> None:
        self.carrier = carrier
        self.map = map
        self.channel: Channel | None = None
        self.protocol: Any = None
        self.notify: Callable[[Event], None] = _ignore
        self.counters: dict[str, int] = defaultdict(int)
        self._producer: Any = None
        self._streaming = False
        self._producerPaused = False
        self._pulling = False
        self._written = 0
        self._paused = False
        self.connected = False

    # What the session asks for

    @property
    def localAddress(self) -> Address:
        """
        See L{IMediaTransport}.
        """
        return self.carrier.dtls.localAddress

    @property
    def maxMessageSize(self) -> int:
        """
        The largest message that the remote party takes; 0 is any.
        """
        return self.carrier.maxMessageSize

    @property
    def lite(self) -> bool:
        """
        See L{UDPTransport}.
        """
        return self.carrier.dtls.lite

    @property
    def components(self) -> list[Any]:
        """
        See L{UDPTransport}.
        """
        return self.carrier.dtls.components

    def configure(self, section: Section, terms: Terms) -> Apply:
        """
        See L{ILegPart}: all there is to say is said of the carrier.

        @raise NegotiationError: the carrier cannot agree to its section.
        """
        carrier, whole = self.carrier, self.carrier.section
        if whole is None:
            return _nothing
        apply = carrier.configure(whole, terms)
        carrier.section = None
        return apply

    def describe(self, terms: Terms) -> Sequence[Line]:
        """
        See L{ILegPart}.
        """
        return ()

    def attach(self, protocol: IProtocol) -> None:
        """
        See L{IMediaTransport}.
        """
        self.protocol = protocol
        protocol.makeConnection(self)  # type: ignore[arg-type]

    # ITransport

    def write(self, data: bytes) -> None:
        """
        Send one message.
        """
        self._written += 1
        self.carrier.send(self, data)

    def writeControl(self, data: bytes) -> None:
        """
        See L{IMediaTransport}.
        """
        self.write(data)

    def writeSequence(self, iovec: Sequence[bytes]) -> None:
        """
        Send one message.
        """
        self.write(b"".join(iovec))

    def getPeer(self) -> Address | None:
        """
        Where the remote party is.
        """
        return self.carrier.dtls.components[0].remote

    def getHost(self) -> Address:
        """
        Where we are.
        """
        return self.localAddress

    def loseConnection(self) -> None:
        """
        Close the channel when what waits in it is sent; with the last channel
        ends the association, at once.
        """
        self.disconnecting = True
        self.carrier.remove(self)
        self.connected = False

    # Producing: what arrives

    def pauseProducing(self) -> None:
        """
        Deliver nothing until L{resumeProducing}.
        """
        self._paused = True
        self.carrier.pause(self)

    def resumeProducing(self) -> None:
        """
        Deliver again.
        """
        self._paused = False
        self.carrier.resume(self)

    def stopProducing(self) -> None:
        """
        Deliver nothing any more.
        """
        self.loseConnection()

    # Consuming: what is sent

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """
        Who writes wants to be asked to pause, and to go on.

        @raise RuntimeError: somebody is registered already.
        """
        if self._producer is not None:
            raise RuntimeError("there is a producer already")
        self._producer, self._streaming, self._producerPaused = producer, streaming, False
        self._pull()
        self.wrote()

    def unregisterProducer(self) -> None:
        """
        Nobody wants to be asked any more.
        """
        self._producer = None
        self._producerPaused = False

    def wrote(self) -> None:
        """
        Something was written.
        """
        if self._producer is None or not self._streaming or self._producerPaused:
            return
        if self.carrier.buffered(self) > HIGH_WATER:
            self._producerPaused = True
            self._producer.pauseProducing()

    def drained(self) -> None:
        """
        The carrier says that there is room again.
        """
        if self._producerPaused and self._producer is not None:
            self._producerPaused = False
            self._producer.resumeProducing()
        self._pull()

    def _pull(self) -> None:
        """
        Ask a producer that wants to be asked for each piece, until enough
        waits, or until it has nothing.
        """
        if self._pulling:
            return
        self._pulling = True
        try:
            while self.connected and self._producer is not None and not self._streaming:
                written = self._written
                if self.carrier.buffered(self) > LOW_WATER:
                    break
                self._producer.resumeProducing()
                if self._written == written:
                    break
        finally:
            self._pulling = False

    # What the carrier says

    def opened(self) -> None:
        """
        Messages can be sent.
        """
        if self.connected or self.disconnecting:
            return
        self.connected = True
        if self._paused:
            self.carrier.pause(self)
        if (opened := getattr(self.protocol, "connectionOpened", None)) is not None:
            opened()
        self._pull()

    def messageReceived(self, data: bytes) -> None:
        """
        A message came.
        """
        try:
            if self.protocol is None:
                raise RemoteError("not expected")
            self.protocol.dataReceived(data)
        except RemoteError as e:
            self.counters["dropped " + e.reason] += 1

    def lost(self, reason: Failure) -> None:
        """
        The channel is no more; with a new association it may come back.
        """
        if not self.connected:
            return
        self.connected = False
        if self._producerPaused and self._producer is not None:
            # Nothing will drain; what is written now is counted.
            self._producerPaused = False
            self._producer.resumeProducing()
        if self.protocol is not None:
            self.protocol.connectionLost(reason)


def _nothing() -> None:
    """
    There is nothing to apply.
    """
