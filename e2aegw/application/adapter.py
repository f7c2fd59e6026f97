"""
An adapter whose network party is a protocol of the application.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.internet.interfaces import IProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from e2aegw.errors import ConfigError, NegotiationError
from e2aegw.interfaces import Apply, IAdapter, IAdapterFactory
from e2aegw.sansio.events import Event, MediaStarted
from e2aegw.sansio.sdp import Line, Section
from e2aegw.sansio.t140 import Decoder, Run
from e2aegw.sansio.terms import Terms

#: The protos that an application is offered, by medium.
PROTOS: Mapping[str, tuple[str, ...]] = {
    "rtp": ("RTP/AVP", "RTP/AVPF"),
    "text": ("RTP/AVP", "RTP/AVPF"),  # see L{TextAdapter}
    "msrp": ("TCP/MSRP",),  # see L{MessageFactory}
    "bfcp": ("TCP/BFCP", "UDP/BFCP"),
    "udptl": ("UDPTL",),
}
_KIND = "local"
_STARTED = MediaStarted()


@implementer(IAdapter)
class ApplicationAdapter(Protocol):
    """
    Between another adapter and a protocol of the application, for which it is
    the transport.

    @ivar section: what the application agreed to last, or L{None}: it says
        what payload types mean.
    """

    authenticates = False
    passes: frozenset[str] = frozenset()

    def __init__(self, medium: str, protocol: Any) -> None:
        """
        @param protocol: provides C{IProtocol}.
        """
        self.medium = medium
        self.protocol = protocol
        self.counters: dict[str, int] = defaultdict(int)
        self.notify: Callable[[Event], None] = lambda event: None
        self.peer: Any = None
        self.packetsReceived = self.octetsReceived = self.packetsSent = self.octetsSent = 0
        self.section: Section | None = None
        self._open = False
        self._producer: Any = None

    # For the gateway

    def configure(self, section: Section, terms: Terms) -> Apply:
        """
        See L{e2aegw.interfaces.ILegPart}.

        @raise NegotiationError: the section is of another medium.
        """
        if section.proto.upper() not in PROTOS[self.medium]:
            raise NegotiationError(f"{section.proto} where {self.medium} was expected")

        def apply() -> None:
            self.section = section

        return apply

    def describe(self, terms: Terms) -> Sequence[Line]:
        """
        See L{e2aegw.interfaces.ILegPart}.
        """
        return ()

    def connectionMade(self) -> None:
        """
        The call begins to have this line.
        """
        self._open = True
        self.protocol.makeConnection(self)

    def sendUnit(self, unit: Any) -> None:
        """
        See L{IAdapter}: the application hears of it.
        """
        if not self._open:
            self.counters["dropped nobody there"] += 1
            return
        self.packetsSent += 1
        self.octetsSent += len(unit)
        self.protocol.dataReceived(unit)

    def pauseProducing(self) -> None:
        """
        The party takes no more, for now.
        """
        if self._producer is not None:
            self._producer.pauseProducing()

    def resumeProducing(self) -> None:
        """
        The party takes more again.
        """
        if self._producer is not None:
            self._producer.resumeProducing()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The line is over.
        """
        if self._open:
            self._open = False
            self.protocol.connectionLost(reason)

    # For the application: its transport

    def write(self, data: bytes) -> None:
        """
        Say something to the party: one packet, message, or piece of text.
        """
        self._say(data, len(data))

    def writeSequence(self, data: Sequence[bytes]) -> None:
        """
        Say several things, one after the other.
        """
        for each in data:
            self.write(each)

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """
        See C{IConsumer}.

        @param producer: provides C{IPushProducer}.
        """
        self._producer = producer

    def unregisterProducer(self) -> None:
        """
        See C{IConsumer}.
        """
        self._producer = None

    def loseConnection(self) -> None:
        """
        Say and hear nothing more.  The call goes on until its session is
        closed.
        """
        self.connectionLost()

    def _say(self, unit: Any, octets: int) -> None:
        if not self._open or self.peer is None:
            self.counters["dropped nobody there"] += 1
            return
        if not self.packetsReceived:
            self.notify(_STARTED)
        self.packetsReceived += 1
        self.octetsReceived += octets
        self.peer.sendUnit(unit)


class TextAdapter(ApplicationAdapter):
    """
    Real-time text for an application: what arrives and what is written is
    UTF-8.

    Only whole characters arrive.  Where text was lost on the way there is one
    U+FFFD; a new line is U+2028, and U+0008 takes back the last character.
    """

    def __init__(self, protocol: Any) -> None:
        """
        @param protocol: provides C{IProtocol}.
        """
        super().__init__("text", protocol)
        self._decoder = Decoder()

    def sendUnit(self, unit: Any) -> None:
        """
        See L{IAdapter}.
        """
        super().sendUnit(unit.text.encode(errors="replace"))

    def write(self, data: bytes) -> None:
        """
        Say something to the party, in pieces of any length.
        """
        if text := self._decoder.decode(data):
            self._say(Run(text), len(data))


@implementer(IAdapterFactory)
class ApplicationFactory:
    """
    Builds a protocol of the application for each line of a medium.
    """

    def __init__(self, medium: str, build: Callable[[], IProtocol]) -> None:
        """
        @param medium: one of L{PROTOS}.
        @param build: makes what provides C{IProtocol}: its C{dataReceived} is
            called with each unit, and its C{transport} is an
            L{ApplicationAdapter}.

        @raise ConfigError: there is no such medium.
        """
        if medium not in PROTOS:
            raise ConfigError(f"{medium} is not one of {', '.join(PROTOS)}")
        self.medium = medium
        self.protos = dict.fromkeys(PROTOS[medium], _KIND)
        self._build = build

    def claim(self, section: Section) -> str | None:
        """
        See L{IAdapterFactory}.
        """
        return self.protos.get(section.proto.upper())

    def buildAdapter(self, proto: str) -> ApplicationAdapter:
        """
        See L{IAdapterFactory}.
        """
        if self.medium == "text":
            return TextAdapter(self._build())
        return ApplicationAdapter(self.medium, self._build())
