"""
T.38 facsimile in UDPTL: over UDP, over DTLS (RFC 7345), and in data channels,
with one datagram in one message.

The unit is a datagram, and it crosses as it is: redundancy and parity are for
who receives it.
"""

from zope.interface import implementer

from e2aegw.adapter.datagram import DatagramAdapter
from e2aegw.errors import ConfigError, NegotiationError, RemoteError
from e2aegw.interfaces import Apply, IAdapter, IAdapterFactory, IOffloadable
from e2aegw.sansio.flow import UDPTL, Transform
from e2aegw.sansio.sdp import Section
from e2aegw.sansio.terms import Terms
from e2aegw.sansio.udptl import isWhole, longest

PROTOS = {"UDPTL": "udp", "UDP/TLS/UDPTL": "dtls", "DC/UDPTL": "channel"}
_PLAIN = "UDPTL"


@implementer(IAdapter, IOffloadable)
class UDPTLAdapter(DatagramAdapter):
    """
    UDPTL.  The unit is a datagram.

    @ivar longest: the most octets of a datagram that the network party takes,
        or 0: any.
    """

    medium = "udptl"

    def __init__(self, proto: str, *, limited: bool = True) -> None:
        """
        @param limited: whether to keep back what is longer than the network
            party says that it takes.
        """
        super().__init__()
        self.longest = 0
        self._proto = proto.upper()
        self._limited = limited

    def configure(self, section: Section, terms: Terms) -> Apply:
        """
        See L{ILegPart}.

        @raise NegotiationError: the section is not T.38, or is carried by
            something else than this leg is.
        """
        if not _isFax(section) or section.proto.upper() != self._proto:
            raise NegotiationError(f"{section.proto} where {self._proto} was expected")
        limit = longest(section.lines) if self._limited else 0

        def apply() -> None:
            self.longest = limit

        return apply

    def dataReceived(self, data: bytes) -> None:
        """
        A datagram from the network party.

        @raise RemoteError: it is not UDPTL.
        """
        if not isWhole(data, len(data)):
            raise RemoteError("malformed UDPTL")
        self.packetReceived(data)

    def sendUnit(self, unit: bytes) -> None:
        """
        See L{IAdapter}.
        """
        if 0 < self.longest < len(unit):
            self.counters["unsent too long"] += 1
            return
        self.packetsSent += 1
        self.octetsSent += len(unit)
        self.transport.write(unit)

    def transform(self) -> Transform | None:
        """
        See L{IOffloadable}.  What DTLS protects, nobody else may send.
        """
        return Transform(None, None, UDPTL, self.longest) if self._proto == _PLAIN else None


@implementer(IAdapterFactory)
class Factory:
    """
    Builds adapters for UDPTL.

    @ivar subprotocols: what data channels call it.
    """

    medium = "udptl"
    protos = PROTOS

    def __init__(self, subprotocol: str = "t38", datagram_limit: bool = True) -> None:
        """
        @param subprotocol: what data channels call it.  Nobody has registered
            a name yet.
        @param datagram_limit: whether to keep back what is longer than the
            network party says that it takes (C{T38FaxMaxDatagram}).

        @raise ConfigError: the subprotocol has no name.
        """
        if not isinstance(subprotocol, str) or not subprotocol.strip():
            raise ConfigError("subprotocol: needs a name")
        self.subprotocols = {subprotocol.strip().lower(): ("image", "DC/UDPTL", "t38")}
        self._limited = bool(datagram_limit)

    def claim(self, section: Section) -> str | None:
        """
        See L{IAdapterFactory}.
        """
        return PROTOS.get(section.proto.upper()) if _isFax(section) else None

    def buildAdapter(self, proto: str) -> UDPTLAdapter:
        """
        See L{IAdapterFactory}.
        """
        return UDPTLAdapter(proto, limited=self._limited)


def _isFax(section: Section) -> bool:
    formats = [each.lower() for each in section.formats]
    return section.media == "image" and "t38" in formats and section.proto.upper() in PROTOS
