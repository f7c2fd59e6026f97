"""
The description that one party gets, made from the one that the other party
sent: what crosses, what does not, and what is said instead.
"""

from collections.abc import Iterable, Sequence, Set

from e2aegw.sansio.sdp import HOP_BY_HOP, Description, Line, Section, family
from e2aegw.sansio.terms import Terms

#: What only a party that speaks AVPF may see (RFC 4585, RFC 5506).
_FEEDBACK = frozenset({"rtcp-fb", "rtcp-rsize"})
#: Header extensions that are feedback in another guise.
_FEEDBACK_EXTENSIONS = ("transport-wide-cc", "abs-send-time")
#: What is WebRTC's own and stops at the edge (TS 23.228 clause U.1.1).
_WEBRTC = frozenset({"msid", "msid-semantic", "extmap-allow-mixed", "rid", "simulcast", "ssrc-group"})
#: The header extensions that mean something on one hop only: the section's
#: name (RFC 9143 clause 15), and what SRTP does to the others (RFC 6904).
_HOP_EXTENSIONS = ("urn:ietf:params:rtp-hdrext:sdes:mid", "urn:ietf:params:rtp-hdrext:encrypt")


def crosses(line: Line, *, feedback: bool, fromWebRTC: bool, passes: Set[str] = frozenset()) -> bool:
    """
    Whether an attribute may cross the gateway.

    @param feedback: the far party speaks AVPF.
    @param fromWebRTC: the near party is a browser and the far one is not.
    @param passes: hop-by-hop attributes that cross all the same.
    """
    name, value = line
    if name in HOP_BY_HOP:
        return name in passes
    if not feedback and name in _FEEDBACK:
        return False
    if name == "extmap" and value is not None:
        if any(each in value for each in _HOP_EXTENSIONS):
            return False
        if not feedback and any(each in value for each in _FEEDBACK_EXTENSIONS):
            return False
    if fromWebRTC:
        # Of a source, the CNAME is everybody's (RFC 5576); the rest is not.
        return name not in _WEBRTC and not (name == "ssrc" and value is not None and " msid:" in value)
    return True


#: What a direction becomes when its party does not want to receive.
_HELD = {"sendrecv": "sendonly", "recvonly": "inactive"}


def held(lines: Sequence[Line]) -> list[Line]:
    """
    The attributes of a section whose party does not want to receive.
    """
    if not any(line.name in ("sendrecv", "sendonly", "recvonly", "inactive") for line in lines):
        return [*lines, Line("sendonly")]
    return [Line(_HELD.get(line.name, line.name), line.value) for line in lines]


def section(
    near: Section,
    proto: str,
    address: tuple[str, int],
    lines: Iterable[Line],
    own: Sequence[Line],
    mid: str | None = None,
    formats: Sequence[str] | None = None,
) -> Section:
    """
    A media section for the far party.

    @param near: what the near party sent.
    @param lines: the attributes that cross.
    @param own: the attributes of our transport and adapter.
    @param formats: what to write instead of the near party's formats.
    """
    named = [] if mid is None else [Line("mid", mid)]
    host = address[0]
    return Section(
        near.media,
        address[1],
        proto,
        near.formats if formats is None else formats,
        address=host,
        others=near.others,
        lines=[*named, *lines, *own],
    )


def rejected(near: Section, proto: str | None = None, mid: str | None = None) -> Section:
    """
    A media section with port zero (RFC 3264 clause 6).
    """
    named = [] if mid is None else [Line("mid", mid)]
    return Section(near.media, 0, proto or near.proto, near.formats, lines=named)


def description(
    near: Description,
    address: str,
    sections: Sequence[Section],
    terms: Terms,
    *,
    lite: bool,
    version: int | None,
    bundle: Sequence[str] = (),
    fromWebRTC: bool = False,
) -> Description:
    """
    The whole description for the far party.

    @param near: what the near party sent.
    @param address: our address on the far side.
    @param lite: whether a transport speaks ICE, and thus ICE-lite.
    @param version: the C{o=} line's version, or L{None} to keep it.
    @param bundle: the C{mid}s of sections that share a transport.
    """
    user, number, theirVersion, *_ = near.origin.split()
    if "username" in terms.replace:
        user = "-"
    origin = f"{user} {number} {theirVersion if version is None else version} IN {family(address)} {address}"
    # RFC 8285 clause 5: a header extension may stand up here for all sections.
    feedback = any(each.proto.upper().endswith("F") for each in sections)
    lines = [line for line in near.lines if crosses(line, feedback=feedback, fromWebRTC=fromWebRTC)]
    if lite:
        lines.insert(0, Line("ice-lite"))
    if bundle:
        lines.append(Line("group", " ".join(("BUNDLE", *bundle))))
    name = "-" if "session-name" in terms.replace else near.name
    return Description(origin, name, address=address, others=near.others, lines=lines, sections=sections)
