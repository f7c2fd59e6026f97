"""
One data channel (RFC 8831), which is a transport of its own.
"""

from collections import Counter
from collections.abc import Callable, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IConsumer, IProtocol, IPushProducer
from twisted.python.failure import Failure
from zope.interface import implementer

from e2aegw.errors import RemoteError
from e2aegw.interfaces import Address, Apply, IMediaTransport
from e2aegw.sansio.channels import Channel
from e2aegw.sansio.datachannel import ChannelMap
from e2aegw.sansio.events import Event, LegLost
from e2aegw.sansio.sdp import Line, Section
from e2aegw.sansio.terms import Terms

if TYPE_CHECKING:
    from e2aegw.transport.channel import ChannelCarrier

#: Octets that may wait in a channel before who writes is asked to pause: one
#: of our longest messages, which nobody can ask to be half sent.
HIGH_WATER = 262144
#: Octets that still wait when it is asked to go on: at 200 Mbit/s they last
#: for some milliseconds, in which more can be fetched.
LOW_WATER = 65536


@implementer(IMediaTransport, IPushProducer, IConsumer)
class DataChannel:
    """
    One data channel.  What is written is one message; a message is what
    C{dataReceived} gets.

    @ivar map: how the description calls it.
    @ivar channel: the channel, while there is an association.
    @ivar text: whether what is written is called text, in UTF-8; the protocol
        says so by an attribute of that name.
    @ivar connected: whether what is written reaches the remote party.  When it
        becomes so, a protocol that has a method C{connectionOpened} is told.
    """

    disconnecting = False
    muxed = False

    def __init__(self, carrier: "ChannelCarrier", map: ChannelMap) -> None:
        self.carrier = carrier
        self.map = map
        self.channel: Channel | None = None
        self.protocol: Any = None
        self.text = False
        self.notify: Callable[[Event], None] = _ignore
        self._counters: Counter[str] = Counter()
        self._producer: Any = None
        self._streaming = False
        self._producerPaused = False
        self._pulling = False
        self._written = 0
        self._paused = False
        self.connected = False

    # What the session asks for

    @property
    def counters(self) -> MutableMapping[str, int]:
        """
        How often things happened in this channel, and in what carries it and
        all others of the line.
        """
        return self._counters + Counter(self.carrier.counters)

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
        See L{ILegPart}: all there is to say is said of the carrier; but a
        channel that was closed and is still described is to be there again.

        @raise NegotiationError: the carrier cannot agree to its section.
        """
        carrier, whole = self.carrier, self.carrier.section
        configureCarrier = _nothing if whole is None else carrier.configure(whole, terms)
        carrier.section = None

        def apply() -> None:
            configureCarrier()
            carrier.revive(self)

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
        self.text = bool(getattr(protocol, "text", False))
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

    def shut(self) -> None:
        """
        Close the channel when what waits in it is sent.  It is still ours, and
        may come back with a new association.
        """
        self.carrier.shut(self)

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
            self._counters["dropped " + e.reason] += 1

    def lost(self, reason: Failure, *, isOver: bool = True) -> None:
        """
        The channel is no more; with a new association it may come back.

        @param isOver: whether there will be none, as far as is known.
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
        if isOver:
            self.notify(LegLost(reason=reason.getErrorMessage()))


def _nothing() -> None:
    """
    There is nothing to apply.
    """


def _ignore(event: Event) -> None:
    """
    Nobody wants to know yet.
    """
