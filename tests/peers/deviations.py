"""
Where the gateway means to answer otherwise than rtpengine 10.5 does, and why.
"""

from collections.abc import Callable
from dataclasses import dataclass

from tests.peers.exchange import Exchange
from tests.peers.meaning import Difference


def _never(*arguments: object) -> bool:
    return False


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Deviation:
    """
    @ivar reason: what is different, and why.
    @ivar covers: whether it explains a difference in a reply's description.
    @ivar coversOutcome: whether it explains that one of two exchanges failed
        and the other did not, or that they failed differently.
    """

    reason: str
    covers: Callable[[Exchange, Difference], bool] = _never
    coversOutcome: Callable[[Exchange, Exchange], bool] = _never


#: What means something between parties that know WebRTC or feedback, and is
#: kept from a party that is spoken to in plain RTP/AVP.
_NOT_FOR_AVP = frozenset({"extmap-allow-mixed", "msid", "msid-semantic", "rtcp-fb", "rtcp-rsize", "ssrc"})
_MID_EXTENSION = "urn:ietf:params:rtp-hdrext:sdes:mid"
#: The suites that the gateway has, best first.
_SUITES = ("AEAD_AES_128_GCM", "AEAD_AES_256_GCM", "AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32")


def _lines(value: object) -> frozenset[str]:
    assert isinstance(value, frozenset)
    return value


def _onlyTheirs(difference: Difference) -> frozenset[str] | None:
    # The attributes that rtpengine let cross and we did not, if ours are all
    # among its.
    if difference.field != "crossed" or _lines(difference.ours) - _lines(difference.theirs):
        return None
    return _lines(difference.theirs) - _lines(difference.ours)


def _isPacketTime(line: str) -> bool:
    return line.startswith("ptime:")


def _isNotForAVP(line: str) -> bool:
    return line.partition(":")[0] in _NOT_FOR_AVP or line.endswith(_MID_EXTENSION)


def _addsLines(exchange: Exchange, difference: Difference, known: Callable[[str], bool]) -> bool:
    # Several deviations may be in one set of lines: each is asked for its own.
    lines = _onlyTheirs(difference)
    explained = (_isPacketTime, _isNotForAVP)
    return (
        bool(lines)
        and any(map(known, lines or ()))
        and all(any(e(x) for e in explained) for x in lines or ())
    )


def _addsPacketTime(exchange: Exchange, difference: Difference) -> bool:
    return _addsLines(exchange, difference, _isPacketTime)


def _keepsFromAVP(exchange: Exchange, difference: Difference) -> bool:
    return _addsLines(exchange, difference, _isNotForAVP)


def _tags(suites: object) -> list[str]:
    assert isinstance(suites, tuple)
    return [suite.split()[1] for suite in suites]


def _offersItsSuites(exchange: Exchange, difference: Difference) -> bool:
    if difference.field != "suites" or exchange.message.command != "offer":
        return False
    ours = _tags(difference.ours)
    return ours == [s for s in _SUITES if s in ours] and set(ours) <= set(_tags(difference.theirs))


def _failsToParse(ours: Exchange, theirs: Exchange) -> bool:
    return theirs.reply.get("error-reason") == "Failed to parse SDP" and ours.reply["result"] == "error"


def _isEmpty(ours: Exchange, theirs: Exchange) -> bool:
    return ours.message.sdp == "" and ours.reply["result"] == "error"


def _hasNoMedia(ours: Exchange, theirs: Exchange) -> bool:
    return (
        "m=" not in (ours.message.sdp or "m=") and theirs.reply.get("error-reason") == "Error rewriting SDP"
    )


def _answersMore(exchange: Exchange, difference: Difference) -> bool:
    # Formats, and what is said of them.
    if exchange.message.command != "answer" or difference.here is None or difference.there is None:
        return False
    extra = [codec for codec in difference.here.codecs if codec not in difference.there.codecs]
    if not extra:
        return False
    if difference.field == "codecs":
        return [codec for codec in difference.here.codecs if codec not in extra] == list(
            difference.there.codecs
        )
    if difference.field != "crossed":
        return False
    about = tuple(f"{name}:{codec.split()[0]} " for codec in extra for name in ("fmtp", "rtcp-fb"))
    return all(line.startswith(about) for line in _lines(difference.ours) - _lines(difference.theirs))


def _multiplexesWithDTLS(exchange: Exchange, difference: Difference) -> bool:
    here = difference.here
    return (
        difference.field in ("multiplexed", "rtcp")
        and exchange.message.command == "answer"
        and here is not None
        and here.multiplexed
        and here.security == "DTLS"
    )


def _isBundleOnly(exchange: Exchange, difference: Difference) -> bool:
    return exchange.name.startswith("Firefox's bundle") and difference.stream == 1


DEVIATIONS: tuple[Deviation, ...] = (
    Deviation(
        reason="rtpengine is a full ICE agent.  The gateway is a lite one (TS 23.334 clause 6.2.17).",
        covers=lambda exchange, d: d.field == "ice" and (d.ours, d.theirs) == ("lite", "full"),
    ),
    Deviation(
        reason="rtpengine lets a=mid cross.  Here it is one hop's, as BUNDLE is (RFC 9143), and stands where"
        " that hop uses it.",
        covers=lambda exchange, d: d.field == "identified",
    ),
    Deviation(
        reason="rtpengine undoes BUNDLE on both sides.  The gateway bundles with who offered to.",
        covers=lambda exchange, d: d.field == "bundled" and d.ours is True,
    ),
    Deviation(
        reason="rtpengine takes the port 0 of a section that is bundle-only for a rejection; it means that"
        " the bundle's transport is used (RFC 9143 clause 6).",
        covers=_isBundleOnly,
    ),
    Deviation(
        reason="rtpengine refuses multiplexing on behalf of a core that refused it.  The gateway has it with"
        " whoever has DTLS, because a browser may require it (RFC 8858).",
        covers=_multiplexesWithDTLS,
    ),
    Deviation(
        reason="rtpengine writes a packet time where none was said.",
        covers=_addsPacketTime,
    ),
    Deviation(
        reason="rtpengine shows a party in plain RTP/AVP what only WebRTC or AVPF give a meaning to.",
        covers=_keepsFromAVP,
    ),
    Deviation(
        reason="rtpengine offers twelve SDES suites, F8 and NULL among them.  The gateway offers four, and"
        " of these the cheapest first.",
        covers=_offersItsSuites,
    ),
    Deviation(
        reason="rtpengine offers DTLS beside SDES in RTP/SAVP, which RFC 5763 clause 8 does not provide for.",
        covers=lambda exchange, d: d.field == "setup" and d.here is not None and d.here.security == "SDES",
    ),
    Deviation(
        reason="rtpengine strikes formats from an answer that were not offered.  They are allowed (RFC 3264"
        " clause 6.1) and cross.",
        covers=_answersMore,
    ),
    Deviation(
        reason="rtpengine 10.5 does not know to replace the user's name.",
        covers=lambda exchange, d: d.field == "user" and "username" in exchange.message.keys["replace"],
    ),
    Deviation(
        reason="The gateway says what is wrong with a description.",
        coversOutcome=_failsToParse,
    ),
    Deviation(
        reason="rtpengine returns an empty description as it is.",
        coversOutcome=_isEmpty,
    ),
    Deviation(
        reason="rtpengine does not take an offer with no media, which is allowed (RFC 3264 clause 5).",
        coversOutcome=_hasNoMedia,
    ),
)
