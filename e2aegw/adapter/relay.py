"""
Media that are protected from end to end: bytes pass, and nobody here has the
keys.
"""

from zope.interface import implementer

from e2aegw.adapter import streamrelay
from e2aegw.adapter.rtp import RTPAdapter
from e2aegw.adapter.streamrelay import StreamRelayAdapter
from e2aegw.errors import NegotiationError, RemoteError
from e2aegw.interfaces import Apply, IAdapterFactory
from e2aegw.sansio.flow import Transform
from e2aegw.sansio.sdp import Section
from e2aegw.sansio.terms import Terms

#: The plain ones, too: some write them, add keys, and take what they get.
_RTP = dict.fromkeys(("RTP/SAVP", "RTP/SAVPF", "RTP/AVP", "RTP/AVPF"), "udp+rtcp")
#: What is inside DTLS as a whole.
_DTLS = {"UDP/TLS/UDPTL": "udp", "UDP/TLS/BFCP": "udp"}
PROTOS = {**_RTP, **_DTLS}


class RelayAdapter(RTPAdapter):
    """
    Relays datagrams as they are.

    The keys in the description are the ends' business and pass, too (TS 23.334
    clause 6.2.10A).
    """

    medium = "sealed"
    passes = frozenset({"crypto", "3ge2ae", "key-mgmt"})
    protos = _RTP

    def configure(self, section: Section, terms: Terms) -> Apply:
        """
        See L{ILegPart}.

        @raise NegotiationError: the section has another kind of profile.
        """
        if section.proto.upper() not in self.protos:
            raise NegotiationError(f"{section.proto} where {' or '.join(self.protos)} was expected")
        return _nothing

    def dataReceived(self, data: bytes) -> None:
        """
        A datagram from the network party.

        @raise RemoteError: it cannot be SRTP or SRTCP.
        """
        if len(data) < 8 or data[0] >> 6 != 2:
            raise RemoteError("malformed RTP")
        if 192 <= data[1] <= 223:
            self.controlReceived(data)
        else:
            self.packetReceived(data)

    def sendControl(self, packet: bytes) -> None:
        """
        Send an RTCP packet, which nobody here can read.
        """
        self.counters["control sent"] += 1
        self.transport.writeControl(packet)


class RecordRelayAdapter(RelayAdapter):
    """
    Relays records of DTLS, whatever is in them (RFC 7345).

    Roles and certificates are the ends' business, too.
    """

    passes = frozenset({"3ge2ae", "fingerprint", "setup", "tls-id"})
    protos = _DTLS

    def dataReceived(self, data: bytes) -> None:
        """
        A datagram from the network party.

        @raise RemoteError: it cannot be DTLS.
        """
        if not data or not 20 <= data[0] <= 63:
            raise RemoteError("malformed record")
        self.packetReceived(data)

    def sendUnit(self, unit: bytes) -> None:
        """
        See L{IAdapter}.
        """
        self.packetsSent += 1
        self.octetsSent += len(unit)
        self.transport.write(unit)

    def transform(self) -> Transform | None:
        """
        See L{IOffloadable}.  A datapath knows no records.
        """
        return None


def _nothing() -> None:
    """
    Nothing in the section concerns the adapter.
    """


@implementer(IAdapterFactory)
class Factory:
    """
    Builds adapters that relay.
    """

    medium = "sealed"
    protos = PROTOS | streamrelay.PROTOS

    def claim(self, section: Section) -> str | None:
        """
        See L{IAdapterFactory}.
        """
        proto = section.proto.upper()
        kind = _DTLS.get(proto) or streamrelay.PROTOS.get(proto)
        return kind or (_RTP.get(proto) if section.has("crypto") else None)

    def buildAdapter(self, proto: str) -> RelayAdapter | StreamRelayAdapter:
        """
        See L{IAdapterFactory}.
        """
        if proto.upper() in streamrelay.PROTOS:
            return StreamRelayAdapter(proto)
        return RecordRelayAdapter(proto) if proto.upper() in _DTLS else RelayAdapter(proto)
