"""
Whether the gateway ends protection here, and what it offers on the other side:
the decisions of TS 33.328 and TS 24.229 clause 7.5.2, without the doing.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from e2aegw.errors import NegotiationError
from e2aegw.sansio.datachannel import inside, outside
from e2aegw.sansio.sdp import Description, Section, Side
from e2aegw.sansio.terms import Terms

#: RTP profiles: what they are called, and by what they are protected.
PLAIN_PROTOS = frozenset({"RTP/AVP", "RTP/AVPF"})
SDES_PROTOS = frozenset({"RTP/SAVP", "RTP/SAVPF"})
DTLS_PROTOS = frozenset({"UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF"})
RTP_PROTOS = PLAIN_PROTOS | SDES_PROTOS | DTLS_PROTOS
#: What floor control travels on (RFC 8856 clause 4), as far as it is spoken here.
BFCP_PROTOS = frozenset({"TCP/BFCP", "TCP/TLS/BFCP", "UDP/BFCP", "UDP/TLS/BFCP"})


@dataclass(frozen=True, slots=True)
class Securable:
    """
    A medium that is no RTP, and travels inside TLS or DTLS, or in the clear.

    @ivar plain: its proto in the clear.
    @ivar secured: its proto when it is protected.
    @ivar token: what a UE announces that can protect it (TS 24.229 clause
        7.2A.7).
    """

    plain: str
    secured: str
    token: str


_SECURABLE = (
    Securable("udptl", "UDP/TLS/UDPTL", "udptl-dtls"),
    Securable("TCP/MSRP", "TCP/TLS/MSRP", "msrp-tls"),
    Securable("TCP/BFCP", "TCP/TLS/BFCP", "bfcp-tls"),
    Securable("UDP/BFCP", "UDP/TLS/BFCP", "bfcp-tls"),
)
#: The same, by either proto in upper case.
SECURABLE: Mapping[str, Securable] = {
    proto.upper(): each for each in _SECURABLE for proto in (each.plain, each.secured)
}


class Protection(enum.Enum):
    """
    How a stream is protected on one leg: not at all; by keys of SRTP, in one of
    two ways; or, if it is no RTP, inside TLS or DTLS.
    """

    NONE = "none"
    SDES = "sdes"
    DTLS = "dtls"
    TLS = "tls"


@dataclass(frozen=True, slots=True)
class Decision:
    """
    What to do with a section of an offer.

    @ivar endToEnd: protection is the ends' business; only addresses change.
    @ivar proto: what to offer to the far party.
    @ivar applied: whether to tell the far party that the network protects its
        access (C{a=3ge2ae:applied}).
    """

    endToEnd: bool
    proto: str
    applied: bool = False


def protection(section: Section) -> Protection | None:
    """
    How a section is protected; L{None} if that is not known here.
    """
    proto = section.proto.upper()
    if proto in SECURABLE:
        return Protection.TLS if proto == SECURABLE[proto].secured else Protection.NONE
    if proto in DTLS_PROTOS:
        return Protection.DTLS
    if proto in SDES_PROTOS:
        return (
            Protection.DTLS if section.has("fingerprint") and not section.has("crypto") else Protection.SDES
        )
    if proto in PLAIN_PROTOS:
        # TS 34.229-1 has terminals that write RTP/AVP, add keys, and mean it.
        return Protection.SDES if section.has("crypto") else Protection.NONE
    return None


def protectionOf(proto: str) -> Protection | None:
    """
    How a section with this proto is protected, as far as that tells.
    """
    return protection(Section("audio", 1, proto, ()))


def requested(section: Section) -> bool:
    """
    Whether a UE asks the network to end its protection at the edge.  Values
    other than this one say nothing (TS 24.229 clause 7.5.2).
    """
    return any(value.lower() == "requested" for value in section.all("3ge2ae"))


def inferSides(description: Description, terms: Terms) -> tuple[Side, Side]:
    """
    Where an offer comes from and where it goes, if nobody says so.

    Protection, ICE and data channels are what the access side brings.  Who
    asks for a protected profile wants it for a party on the access side.
    """
    access = any(
        section.has(name)
        for section in description.sections
        for name in ("ice-ufrag", "dcmap", "3ge2ae", "crypto", "fingerprint")
    )
    near = Side.ACCESS if access else Side.CORE
    asked = (terms.transportProtocol or "").upper()
    if access and asked in SDES_PROTOS | DTLS_PROTOS:
        return near, Side.ACCESS
    return near, near.other


def decide(section: Section, near: Side, far: Side, terms: Terms) -> Decision:
    """
    What to do with a section of an offer.

    @param near: the side of the party that made the offer.
    @param far: the side of the party that the offer goes to.

    @raise NegotiationError: the section must be rejected, because its party
        asked for a protection that nobody agreed on, and must never get clear
        media instead.
    """
    if near is not far and far is Side.ACCESS and terms.e2ae is not None and "webrtc" in terms.e2ae:
        # A browser has no other way to take these.
        channel = inside(section)
        if channel is not None:
            return Decision(False, channel)
    proto = outside(section.proto)
    if proto.upper() in SECURABLE:
        return _decideSecurable(section, proto, near, far, terms)
    given = protection(section)
    if given is None:
        return Decision(False, proto)
    asked = (terms.transportProtocol or "").upper()
    if asked not in RTP_PROTOS:
        asked = ""
    # A profile names one way to agree on keys; a controller that does not want
    # that way wants the other.
    if asked in DTLS_PROTOS and terms.dtls == "off":
        asked = asked.removeprefix("UDP/TLS/")
    elif asked in SDES_PROTOS and not terms.sdes and terms.dtls != "off":
        asked = "UDP/TLS/" + asked
    agreed = terms.e2ae if terms.e2ae is not None else frozenset()
    # Only a UE can ask.  What the core says of its own edges is not for us, and
    # must not take protection away from a UE over here.
    wantsEdge = near is Side.ACCESS and requested(section)
    if wantsEdge and given is Protection.NONE:
        raise NegotiationError("protection was requested for a section without keys")
    if wantsEdge and given is Protection.SDES and terms.e2ae is not None and "sdes-srtp" not in agreed:
        raise NegotiationError("protection was requested that was not agreed on at registration")
    endToEnd = given is Protection.SDES and not wantsEdge and asked in ("", *SDES_PROTOS)
    applied = False
    if far is Side.ACCESS and not wantsEdge and terms.e2ae:
        if "webrtc" in agreed:
            endToEnd = False
            asked = asked if asked in DTLS_PROTOS else "UDP/TLS/RTP/SAVPF"
        elif "sdes-srtp" in agreed and not endToEnd:
            asked = asked if asked in SDES_PROTOS else "RTP/SAVP"
            applied = True
        elif "dtls-srtp" in agreed and not endToEnd:
            # There is no such token in TS 24.229, and so nothing to apply.
            asked = asked if asked in DTLS_PROTOS else "UDP/TLS/RTP/SAVP"
    if endToEnd:
        return Decision(True, section.proto)
    if not asked:
        asked = section.proto.upper()
        if given is Protection.SDES or (given is Protection.DTLS and far is Side.CORE):
            asked = "RTP/AVP"
    return Decision(False, asked, applied)


def _decideSecurable(section: Section, proto: str, near: Side, far: Side, terms: Terms) -> Decision:
    """
    The same for what is no RTP.

    @param proto: what it is called outside of data channels, which protect it
        whoever asks.

    @raise NegotiationError: the section must be rejected.
    """
    kind = SECURABLE[proto.upper()]
    secured, channel = proto.upper() == kind.secured, proto != section.proto
    agreed = terms.e2ae if terms.e2ae is not None else frozenset()
    asked = (terms.transportProtocol or "").upper()
    wantsEdge = near is Side.ACCESS and requested(section)
    if wantsEdge and not secured and not channel:
        raise NegotiationError("protection was requested for a section without keys")
    if wantsEdge and secured and terms.e2ae is not None and kind.token not in agreed:
        raise NegotiationError("protection was requested that was not agreed on at registration")
    # Floor control says the same over all that it travels on.
    travels = asked if {asked, proto.upper()} <= BFCP_PROTOS else ""
    if secured and not wantsEdge and asked != kind.plain.upper() and travels in ("", proto.upper()):
        return Decision(True, section.proto)
    if far is Side.ACCESS and not wantsEdge and kind.token in agreed:
        return Decision(False, SECURABLE[travels].secured if travels else kind.secured, True)
    return Decision(False, travels or (kind.plain if secured else proto))
