"""
RTP and RTCP (RFC 3550) in the clear.
"""

from zope.interface import implementer

from e2aegw.adapter.datagram import DatagramAdapter
from e2aegw.errors import NegotiationError, RemoteError
from e2aegw.interfaces import Apply, IAdapter, IAdapterFactory, IOffloadable
from e2aegw.sansio.flow import Transform
from e2aegw.sansio.rtp import checkHeader, forAVP
from e2aegw.sansio.sdp import Section
from e2aegw.sansio.terms import Terms

PROTOS = {"RTP/AVP": "udp+rtcp", "RTP/AVPF": "udp+rtcp"}


@implementer(IAdapter, IOffloadable)
class RTPAdapter(DatagramAdapter):
    """
    Plain RTP.  The unit is a packet, of RTP or RTCP.

    @ivar feedback: whether the network party understands the feedback messages
        of RFC 4585.
    """

    medium = "rtp"

    def __init__(self, proto: str) -> None:
        super().__init__()
        self.feedback = proto.upper().endswith("F")

    def configure(self, section: Section, terms: Terms) -> Apply:
        """
        See L{ILegPart}.

        @raise NegotiationError: the section has another kind of profile.
        """
        if section.proto.upper() not in PROTOS:
            raise NegotiationError(f"{section.proto} where plain RTP was expected")

        def apply() -> None:
            self.feedback = section.proto.upper().endswith("F")

        return apply

    def dataReceived(self, data: bytes) -> None:
        """
        A packet from the network party.

        @raise RemoteError: it is neither RTP nor RTCP.
        """
        if len(data) > 1 and 192 <= data[1] <= 223:
            if len(data) < 8 or data[0] >> 6 != 2:
                raise RemoteError("malformed RTCP")
            self.controlReceived(data)
        else:
            checkHeader(data)
            self.packetReceived(data)

    def sendUnit(self, unit: bytes) -> None:
        """
        See L{IAdapter}.
        """
        if 192 <= unit[1] <= 223:
            self.sendControl(unit)
        else:
            self.packetsSent += 1
            self.octetsSent += len(unit)
            self.transport.write(unit)

    def controlReceived(self, packet: bytes) -> None:
        """
        An RTCP packet is good; tell the other leg.
        """
        self.counters["control received"] += 1
        self._toPeer(packet)

    def sendControl(self, packet: bytes) -> None:
        """
        Send an RTCP packet, or what of it this network party may see (RFC
        4585 clause 5: feedback is for AVPF alone).
        """
        if not self.feedback:
            try:
                allowed = forAVP(packet)
            except RemoteError as e:
                self.counters["dropped " + e.reason] += 1
                return
            if allowed is None:
                self.counters["dropped feedback"] += 1
                return
            packet = allowed
        self.counters["control sent"] += 1
        self.writeControl(packet)

    def writeControl(self, packet: bytes) -> None:
        """
        Write an RTCP packet to the network.
        """
        self.transport.writeControl(packet)

    def transform(self) -> Transform | None:
        """
        See L{IOffloadable}.
        """
        return Transform(None, None)


@implementer(IAdapterFactory)
class Factory:
    """
    Builds adapters for plain RTP.
    """

    medium = "rtp"
    protos = PROTOS

    def claim(self, section: Section) -> str | None:
        """
        See L{IAdapterFactory}.
        """
        # TS 34.229-1 has terminals that write RTP/AVP, add keys, and mean it.
        return None if section.has("crypto") else PROTOS.get(section.proto.upper())

    def buildAdapter(self, proto: str) -> RTPAdapter:
        """
        See L{IAdapterFactory}.
        """
        return RTPAdapter(proto)
