"""
An adapter for the tests: a medium whose units are what arrives.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.internet.protocol import Protocol
from zope.interface import implementer

from e2aegw.errors import NegotiationError
from e2aegw.interfaces import Apply, IAdapter, IAdapterFactory
from e2aegw.sansio.events import Event
from e2aegw.sansio.sdp import Line, Section
from e2aegw.sansio.terms import Terms


@implementer(IAdapter)
class PlainAdapter(Protocol):
    """
    Hands over what it gets.
    """

    authenticates = False
    passes: frozenset[str] = frozenset()
    transport: Any

    def __init__(self, medium: str) -> None:
        self.medium = medium
        self.counters: dict[str, int] = defaultdict(int)
        self.notify: Callable[[Event], None] = lambda event: None
        self.peer: Any = None
        self.packetsReceived = self.octetsReceived = 0

    def configure(self, section: Section, terms: Terms) -> Apply:
        """
        See L{IAdapter}.

        @raise NegotiationError: the section says that it is bad.
        """
        if section.has("bad"):
            raise NegotiationError("bad")
        return lambda: None

    def describe(self, terms: Terms) -> Sequence[Line]:
        """
        See L{IAdapter}.
        """
        return (Line("plain"),)

    def dataReceived(self, data: bytes) -> None:
        """
        See L{IAdapter}.
        """
        self.packetsReceived += 1
        if self.peer is not None:
            self.peer.sendUnit(data)

    def sendUnit(self, unit: bytes) -> None:
        """
        See L{IAdapter}.
        """
        self.transport.write(unit)


@implementer(IAdapterFactory)
class PlainFactory:
    """
    Builds such adapters.
    """

    def __init__(self, medium: str, protos: Mapping[str, str], media: str) -> None:
        """
        @param media: what sections call it.
        """
        self.medium, self.protos, self._media = medium, protos, media

    def claim(self, section: Section) -> str | None:
        """
        See L{IAdapterFactory}.
        """
        return self.protos.get(section.proto.upper()) if section.media == self._media else None

    def buildAdapter(self, proto: str) -> PlainAdapter:
        """
        See L{IAdapterFactory}.
        """
        return PlainAdapter(self.medium)


TEXT = PlainFactory("text", {"DC/T140": "channel", "RTP/AVP": "udp"}, "text")
FLOOR = PlainFactory("bfcp", {"DC/BFCP": "channel", "TCP/BFCP": "tcp"}, "application")
