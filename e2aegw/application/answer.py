"""
What an application answers.
"""

from collections.abc import Callable, Sequence

from e2aegw.interfaces import ISession
from e2aegw.sansio.sdp import Description, Line, Section, Side
from e2aegw.sansio.terms import Terms
from e2aegw.transport.local import NOWHERE

#: What a direction is from the other end (RFC 3264 clause 6.1).
_OPPOSITE = {"sendonly": "recvonly", "recvonly": "sendonly"}
_DIRECTIONS = frozenset({"sendrecv", "sendonly", "recvonly", "inactive"})
#: What is said of one end, and not of the line.
_OWN = frozenset({"path", "setup", "connection", "msrp-cema", "ssrc", "rtcp"})
_TERMS = Terms()


def _all(section: Section) -> Sequence[str]:
    return section.formats


async def answer(
    session: ISession,
    sdp: str,
    *,
    side: Side = Side.ACCESS,
    terms: Terms = _TERMS,
    select: Callable[[Section], Sequence[str]] = _all,
) -> str:
    """
    Let the application take a call.  Of the lines of the offer, it takes those
    that have a route to an L{e2aegw.application.adapter.ApplicationFactory}.

    @param sdp: the party's offer; an offer that comes later, too.
    @param side: where the party is.
    @param select: the formats that the application wants of a section, of
        those that are offered; none, to reject it.

    @return: the answer for the party.

    @raise e2aegw.errors.GatewayError: see L{ISession.offer} and
        L{ISession.answer}.
    """
    offered = Description.parse(await session.offer(sdp, side, terms))
    offered.sections = [_answer(section, select(section)) for section in offered.sections]
    return await session.answer(offered.serialize(), terms)


def _answer(section: Section, formats: Sequence[str]) -> Section:
    if section.rejected or not formats:
        return Section(section.media, 0, section.proto, section.formats)
    lines = [
        Line(_OPPOSITE.get(line.name, line.name), line.value)
        for line in section.lines
        if line.name not in _OWN and _wanted(line, formats)
    ]
    return Section(
        section.media,
        section.port or NOWHERE[1],
        section.proto,
        list(formats),
        address=NOWHERE[0],
        lines=lines,
    )


def _wanted(line: Line, formats: Sequence[str]) -> bool:
    if line.name not in ("rtpmap", "fmtp", "rtcp-fb") or line.value is None:
        return True
    return line.value.partition(" ")[0] in (*formats, "*")
