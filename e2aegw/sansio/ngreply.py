"""
How calls stand, in the words of rtpengine's C{query} and C{delete} replies.

Kamailio's C{$rtpestat} reads C{totals}; its variables for the quality of a
call read C{created}, C{tags} and C{SSRC}.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from e2aegw.sansio import eventrecord
from e2aegw.sansio.events import Event
from e2aegw.sansio.ng import Fields
from e2aegw.sansio.report import MediaReport, PartyReport, SessionReport, StreamReport


@dataclass(frozen=True, slots=True, kw_only=True)
class TaggedReport:
    """
    A call's report with what only the controller knows of it.

    @ivar tags: of the party that made the first offer, and of the one that
        answered it last, or C{""} if that is still to come.
    @ivar labels: what the controller calls them, or C{""}.
    """

    report: SessionReport
    tags: tuple[str, str]
    labels: tuple[str, str] = ("", "")
    viaBranch: str = ""


def describe(reports: Sequence[TaggedReport], counters: bool = False) -> Fields:
    """
    Say how the dialogues of one call stand.

    If a party takes part in several of them, which forking does, the last one
    says how it stands, and the others only add to the totals.

    @param counters: whether to tell all counters of each stream, and the last
        events, too.  They make the reply longer than a packet.
    """
    tags: Fields = {}
    happened = [each for tagged in reports for each in tagged.report.events]
    for tagged in reports:
        for index, party in enumerate(tagged.report.parties):
            tag = tagged.tags[index]
            other = tagged.tags[1 - index]
            # Before there is an answer nobody knows what its tag will be;
            # this is what rtpengine writes.
            name = tag or f"<untagged {index}>"
            tags[name] = _describeParty(tagged, index, tag, other, party, counters)
    first = min((t.report.created for t in reports), default=0.0)
    reply: Fields = {
        "created": int(first),
        "created_us": int(first % 1 * 1_000_000),
        "last signal": int(max((t.report.lastSignal for t in reports), default=0.0)),
        "SSRC": {},
        "tags": tags,
        "totals": _totals(t.report for t in reports),
    }
    if counters:
        happened.sort(key=lambda each: each[0])
        reply["events"] = [_describeEvent(at, event) for at, event in happened]
    return reply


def _describeEvent(at: float, event: Event) -> Fields:
    # Bencode has no fractions.
    whole = {
        name: int(value) if isinstance(value, float) else value
        for name, value in eventrecord.record(event).items()
    }
    return {**whole, "time": int(at)}


def _describeParty(
    tagged: TaggedReport, index: int, tag: str, other: str, party: PartyReport, counters: bool
) -> Fields:
    partner = [{"tag": other, "type": "offer/answer"}]
    result: Fields = {
        "tag": tag,
        "created": int(tagged.report.created),
        "side": party.side.value,
        "in dialogue with": other,
        "subscriptions": partner,
        "subscribers": partner,
        "medias": [_describeMedia(m, counters) for m in party.medias],
    }
    if tagged.labels[index]:
        result["label"] = tagged.labels[index]
    if tagged.viaBranch:
        result["via-branch"] = tagged.viaBranch
    return result


def _describeMedia(media: MediaReport, counters: bool) -> Fields:
    return {
        "index": media.index,
        "type": media.media,
        "protocol": media.proto,
        "streams": [_describeStream(s, counters) for s in media.streams],
        "flags": list(media.flags),
    }


def _describeStream(stream: StreamReport, counters: bool) -> Fields:
    result: Fields = {
        "local port": stream.local[1],
        "local address": stream.local[0],
        "family": _family(stream.local[0]),
        "endpoint": _endpoint(stream.endpoint),
        "advertised endpoint": _endpoint(stream.advertised),
        "last packet": int(stream.lastPacket),
        "flags": list(stream.flags),
        "stats": {"packets": stream.packets, "bytes": stream.octets, "errors": stream.errors},
    }
    if stream.suite:
        result["crypto suite"] = stream.suite
    if stream.ssrcs:
        result["SSRC"] = stream.ssrcs[-1]
    if counters and stream.counters:
        result["counters"] = dict(stream.counters)
    return result


def _family(host: str) -> str:
    return "IPv6" if ":" in host else "IPv4"


def _endpoint(address: tuple[str, int] | None) -> Fields:
    if address is None:
        return {}
    return {"family": _family(address[0]), "address": address[0], "port": address[1]}


def _totals(reports: Iterable[SessionReport]) -> Fields:
    totals = {False: [0, 0, 0], True: [0, 0, 0]}
    for report in reports:
        for party in report.parties:
            for media in party.medias:
                for stream in media.streams:
                    total = totals[stream.control]
                    total[0] += stream.packets
                    total[1] += stream.octets
                    total[2] += stream.errors
    return {
        name: dict(zip(("packets", "bytes", "errors"), totals[control], strict=True))
        for name, control in (("RTP", False), ("RTCP", True))
    }
