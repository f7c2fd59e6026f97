"""
What the keys and flags of an ng message ask for.

L{FLAGS} is the whole of it, one line a flag: its names, where it may stand,
what it does.  The documentation's table is made from it.

Names are compared without regard to case, and blank, hyphen and underscore
are the same in them: rtpengine knows nearly every key in several spellings
(C{call id}, C{call-ID}; C{rtpp_flags}), and this is all of them and a few more.

A flag that concerns a list may stand in that list, C{SDES = ["off"]}, or as a
word among C{flags}, C{SDES-off}.  C{flags} are read first, so an explicit key
overrules what a word like C{WebRTC} implies, wherever the two stand.
"""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from e2aegw.sansio import ngeffects, rtppflags
from e2aegw.sansio.datachannel import IN_BAND
from e2aegw.sansio.ng import Fields
from e2aegw.sansio.ngeffects import Reading
from e2aegw.sansio.sdp import Side
from e2aegw.sansio.terms import Kind, Terms


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """
    An ng message, understood.

    @ivar near: the side that the message comes from, or L{None}: infer it.
    @ivar deleteDelay: seconds from C{delete} to the end of the call, or
        L{None}.
    @ivar limit: how many calls to C{list}, or L{None}.
    @ivar honourToTag: C{delete} means the dialogue with that to-tag only.
    @ivar directional: C{block media} means the party with that from-tag only.
    @ivar warnings: what was asked for and will not be done.
    @ivar unknown: the names that mean nothing to us.
    """

    command: str
    callID: str = ""
    fromTag: str = ""
    toTag: str = ""
    viaBranch: str = ""
    sdp: str = field(default="", repr=False)
    near: Side | None = None
    terms: Terms = field(default_factory=Terms)
    deleteDelay: int | None = None
    limit: int | None = None
    label: str = ""
    fatal: bool = False
    fast: bool = False
    fragment: bool = False
    honourToTag: bool = False
    directional: bool = False
    supportsLoadLimit: bool = False
    warnings: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


class Place(enum.Enum):
    """
    Where a flag stands.
    """

    KEY = "key"
    FLAG = "flag"
    EITHER = "key or flag"


class Policy(enum.Enum):
    """
    What becomes of a flag.
    """

    DONE = "done"
    #: Nothing has to be done, because it is always so, or because it does not
    #: change what the two parties get from each other.
    IGNORED = "accepted"
    #: It will not be done, and the reply says so.
    REFUSED = "refused"


def _flags(reading: Reading, name: str, value: Any) -> None:
    for word in ngeffects.readWords(value):
        _applyWord(reading, word)


def _rtppFlags(reading: Reading, name: str, value: Any) -> None:
    if isinstance(value, str):
        _applyFields(
            reading, {k: v for k, v in rtppflags.parse(value).items() if ngeffects.normalize(k) not in _OUTER}
        )


#: What a flags string says to the Kamailio module itself; by the time that it
#: gets here the module has acted on it and made keys of it.
_OUTER: Final = frozenset({"call-id", "via-branch", "from-tag", "to-tag", "rtpp-flags", "sdp", "command"})


# --- the table ------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """
    A line of the table.

    @ivar names: what it is called, the documented name first.
    @ivar values: the values that it takes, for the documentation.
    @ivar about: what it does, for the documentation.
    @ivar effect: what it does.
    @ivar listed: whether its values may stand among C{flags} too, with its
        name and a hyphen before them.
    """

    names: tuple[str, ...]
    about: str
    effect: ngeffects.Effect
    place: Place = Place.KEY
    values: str = ""
    policy: Policy = Policy.DONE
    listed: bool = False


def _flag(
    names: str,
    effect: ngeffects.Effect,
    about: str,
    place: Place = Place.KEY,
    values: str = "",
    listed: bool = False,
    policy: Policy = Policy.DONE,
) -> Flag:
    return Flag(
        names=tuple(names.split()),
        about=about,
        effect=effect,
        place=place,
        values=values,
        listed=listed,
        policy=policy,
    )


def _accepted(names: str, about: str, place: Place = Place.FLAG) -> Flag:
    return _flag(names, ngeffects.nothing, about, place, policy=Policy.IGNORED)


def _refused(names: str, about: str, place: Place = Place.FLAG, listed: bool = False) -> Flag:
    return _flag(names, ngeffects.refuse, about, place, policy=Policy.REFUSED, listed=listed)


#: Everything that we know.
FLAGS: Final[tuple[Flag, ...]] = (
    # What the message is about
    _flag("command", ngeffects.nothing, "what to do", values="see `Commands`_"),
    _flag("call-id", ngeffects.into("callID"), "the Call-ID of the dialogue"),
    _flag(
        "from-tag",
        ngeffects.into("fromTag"),
        "the tag of the party that speaks (in an answer: that made the offer)",
    ),
    _flag("to-tag", ngeffects.into("toTag"), "the tag of the other party"),
    _flag("via-branch", ngeffects.into("viaBranch"), "tells the branches of a forked call apart"),
    _flag("sdp", ngeffects.sdp, "the description"),
    _flag("label set-label from-label", ngeffects.into("label"), "a name for the party, shown by ``query``"),
    _flag(
        "supports",
        ngeffects.supports,
        "which results the controller understands besides ``ok`` and ``error``",
        values="``load limit``",
    ),
    _flag("flags", _flags, "a list of the flags below", values="list"),
    _flag("rtpp-flags", _rtppFlags, "a flags string as it stands in Kamailio's script", values="text"),
    # Which side
    _flag(
        "direction",
        ngeffects.direction,
        "the sides that the offer comes from and goes to; without it the gateway infers them",
        values="names of two sides",
    ),
    _flag(
        "from-interface", ngeffects.fromInterface, "the first half of ``direction``", values="name of a side"
    ),
    _flag("to-interface", ngeffects.toInterface, "the second half of ``direction``", values="name of a side"),
    # How the party that speaks is heard
    _flag(
        "received-from",
        ngeffects.receivedFrom,
        "where the SIP message came from",
        values="``IP4`` or ``IP6``, and an address",
    ),
    _flag(
        "trust-address",
        ngeffects.switch("trustAddress"),
        "media goes to the address in the description (the default)",
        Place.EITHER,
    ),
    _flag(
        "SIP-source-address",
        ngeffects.switch("trustAddress", False),
        "media goes to the address in ``received-from``",
        Place.FLAG,
    ),
    _flag(
        "symmetric",
        ngeffects.switch("asymmetric", False),
        "the party sends from where it receives (the default)",
        Place.FLAG,
    ),
    _flag(
        "no-rtcp-attribute",
        ngeffects.switch("rtcpLine", False),
        "do not write ``a=rtcp``",
        Place.FLAG,
    ),
    _flag(
        "full-rtcp-attribute",
        ngeffects.switch("rtcpFull", True),
        "write the address in ``a=rtcp``, too",
        Place.FLAG,
    ),
    _flag(
        "asymmetric",
        ngeffects.switch("asymmetric"),
        "the party sends from elsewhere: never follow the source of its packets",
        Place.FLAG,
    ),
    _flag(
        "endpoint-learning",
        ngeffects.endpointLearning,
        "``off`` is ``asymmetric``; the rest is what the gateway does anyway",
        values="``off``, ``immediate``, ``delayed``, ``heuristic``",
        listed=True,
    ),
    _flag(
        "strict-source",
        ngeffects.strictSource,
        "drop packets from any other source than the one settled on; that is always so",
        Place.EITHER,
    ),
    _flag(
        "port-latching",
        ngeffects.nothing,
        "a stream keeps its ports over a new offer; it does as long as its protection stays",
        Place.FLAG,
    ),
    # What the other party is told
    _flag(
        "transport-protocol",
        ngeffects.transportProtocol,
        "the profile of RTP lines, or what BFCP travels on; other media keep theirs",
        values=", ".join(f"``{p}``" for p in ngeffects.PROTOCOLS),
    ),
    _flag(
        "WebRTC",
        ngeffects.webRTC,
        "``UDP/TLS/RTP/SAVPF``, ``ICE=force``, ``SDES-off``, ``rtcp-mux-require``",
        Place.FLAG,
    ),
    _flag(
        "e2ae",
        ngeffects.e2ae,
        "what the UE and the network agreed on at registration: which protections to offer to the"
        " access side",
        values=", ".join(f"``{w}``" for w in sorted(ngeffects.E2AE)) + "; ``none``",
    ),
    _flag(
        "channels",
        ngeffects.channels,
        "the data channels that the party may open in band, without a word in the description: for each"
        " the other one is asked for a line",
        values=", ".join(f"``{w}``" for w in sorted(IN_BAND)) + "; ``none``",
    ),
    _flag(
        "msrp",
        ngeffects.msrp,
        "where both parties have CEMA (RFC 6714): pass messages as they are, headers and all; be an end of"
        " both hops; or do as it fits; without the key, as it is configured",
        values=", ".join(f"``{w}``" for w in ngeffects.MSRP),
    ),
    _flag(
        "ICE",
        ngeffects.ice,
        "take ICE out, speak it, or do as the offer does; without a word it ends where protection does",
        values="``remove``, ``force``, ``default``, ``optional``",
    ),
    _flag(
        "ICE-lite",
        ngeffects.iceLite,
        "the gateway is always the lite one; ``off`` gets a warning",
        values="``forward``, ``backward``, ``both``, ``off``",
    ),
    _flag(
        "DTLS",
        ngeffects.dtls,
        "our role in the handshake; with ``off`` keys are in the description (SDES) instead",
        values="``active``, ``passive``, ``off``",
    ),
    _flag(
        "SDES",
        ngeffects.sdes,
        "not to offer SDES, or which suites to offer and to take from this offer",
        values="``off``, ``no-SUITE``, ``only-SUITE``",
        listed=True,
    ),
    _flag(
        "OSRTP",
        ngeffects.osrtp,
        "``accept`` is accepted; ``offer`` gets a warning",
        values="``accept``, ``offer``",
        listed=True,
        policy=Policy.IGNORED,
    ),
    _flag(
        "rtcp-mux",
        ngeffects.rtcpMux,
        "RTP and RTCP on one port",
        values="``offer``, ``require``, ``demux``, ``accept``, ``reject``",
        listed=True,
    ),
    _flag(
        "bundle",
        ngeffects.bundle,
        "a bundle is always accepted and undone; offering one gets a warning",
        values="``accept``, ``reject``, ``offer``, ``require``, ``strict``",
        listed=True,
        policy=Policy.IGNORED,
    ),
    _flag(
        "replace",
        ngeffects.replace,
        "what to rewrite besides the addresses",
        values=", ".join(f"``{w}``" for w in ngeffects.REPLACED),
        listed=True,
    ),
    _flag("address-family", ngeffects.addressFamily, "which addresses to write", values="``IP4``, ``IP6``"),
    _flag(
        "media-address", ngeffects.mediaAddress, "write this address instead of our own", values="an address"
    ),
    _flag("TOS", ngeffects.tos, "the traffic class octet of the packets sent", values="0 to 255"),
    _flag(
        "anonymous",
        ngeffects.switch("anonymous"),
        "present a certificate made for this call alone",
        Place.EITHER,
    ),
    # delete, query, list
    _flag(
        "delete-delay",
        ngeffects.number("deleteDelay"),
        "``delete``: seconds until the call ends; 0 is at once",
        values="seconds",
    ),
    _flag(
        "to-tag", ngeffects.mark("honourToTag"), "``delete``: only the dialogue with that to-tag", Place.FLAG
    ),
    _flag(
        "directional",
        ngeffects.mark("directional"),
        "``block media``: only what the party with that from-tag sends",
        Place.EITHER,
    ),
    _flag("fatal", ngeffects.mark("fatal"), "``delete``: an unknown call is an error", Place.FLAG),
    _flag("fast", ngeffects.mark("fast"), "``delete``: no statistics in the reply", Place.FLAG),
    _flag("limit", ngeffects.number("limit"), "``list``: how many calls at most", values="number"),
    _flag(
        "fragment",
        ngeffects.mark("fragment"),
        "the body is a trickled candidate, not a description",
        Place.FLAG,
    ),
    # Accepted
    _accepted("sip-message-type sip-code sip-response-code metadata instance template", "noted", Place.KEY),
    _accepted("xmlrpc-callback dtmf-log-dest dtmf-log-destination address", "not used", Place.KEY),
    _accepted("DTLS-fingerprint", "SHA-256 is what is sent", Place.KEY),
    _accepted("DTLS-reverse", "the role follows from the offer", Place.KEY),
    _accepted("generate-mid", "``a=mid`` is written where it is needed"),
    _accepted("trickle-ICE", "candidates are never trickled"),
    _accepted("ICE-reject", "an offer of ICE is answered"),
    _accepted("loop-protect", "the gateway knows its own addresses"),
    _accepted("original-sendrecv", "directions are never changed"),
    _accepted("no-port-latching no-tls-id no-redis-update no-jitter-buffer reset new-branch", "as it is"),
    _accepted("provisional early-media", "each answer replaces the one before"),
    _accepted("pierce-NAT NAT-wait recrypt debug debugging", "not needed"),
    _accepted("pad-crypto", "keys are never padded"),
    _accepted("allow-transcoding allow-asymmetric-codecs allow-no-codec-media", "codecs are not touched"),
    _accepted("asymmetric-codecs symmetric-codecs reorder-codecs static-codecs", "codecs are not touched"),
    _accepted("reuse-codecs no-codec-renegotiation single-codec", "codecs are not touched"),
    _accepted("all unidirectional bidirectional", "the whole call is meant"),
    _accepted("discard-recording exclude-recording skip-recording-db", "nothing is recorded"),
    # Refused
    _refused("media-handover", "a stream's source stays where it settled"),
    _refused("force-transcoding always-transcode", "transcoding"),
    _refused(
        "transcode codec-transcode codec-mask codec-set codec-accept", "transcoding", Place.EITHER, True
    ),
    _refused("codec-consume codec-strip codec-offer codec-except", "editing codecs", Place.EITHER, True),
    _refused("codec-ignore", "editing codecs", Place.EITHER, True),
    _flag("codec codecs", ngeffects.codec, "editing codecs", values="dictionary", policy=Policy.REFUSED),
    _refused("ptime ptime-reverse reverse-ptime repacketize", "changing packet times", Place.KEY),
    _refused("T.38 T38", "fax against audio; T.38 crosses as it is", Place.EITHER, True),
    _refused("record-call", "recording", Place.EITHER),
    _refused("SIPREC recording-vsc recording-announcement", "recording"),
    _refused("recording-file recording-path recording-dir recording-pattern", "recording", Place.KEY),
    _refused("inject-DTMF detect-DTMF block-DTMF", "DTMF", Place.FLAG),
    _refused("DTMF-security DTMF-delay", "DTMF", Place.KEY),
    _refused("generate-RTCP", "made-up RTCP", Place.EITHER),
    _refused("mirror-RTCP RTCP-mirror block-short block-egress", "filtering"),
    _refused("audio-player player moh", "playing media", Place.EITHER),
    _refused("media-echo drop-traffic delay-buffer", "changing the flow of media", Place.KEY),
    _refused("extmap sdp-attr", "editing descriptions", Place.KEY, True),
    _refused("sdp-media-remove", "editing descriptions", Place.KEY, True),
    _refused("strip-extmap", "editing descriptions"),
    _refused("inactive", "editing descriptions"),
)

_KEYS: Final[dict[str, Flag]] = {
    ngeffects.normalize(name): flag for flag in FLAGS if flag.place is not Place.FLAG for name in flag.names
}
_WORDS: Final[dict[str, Flag]] = {
    ngeffects.normalize(name): flag for flag in FLAGS if flag.place is not Place.KEY for name in flag.names
}
#: The longest first, so that no name hides another that begins like it.
_PREFIXES: Final[tuple[tuple[str, str, Flag], ...]] = tuple(
    sorted(
        (
            (ngeffects.normalize(name) + "-", name, flag)
            for flag in FLAGS
            if flag.listed
            for name in flag.names
        ),
        key=lambda entry: -len(entry[0]),
    )
)


# --- reading --------------------------------------------------------------


def _findWord(word: str) -> tuple[Flag, str, str | None] | None:
    """
    What a word among C{flags} means: a flag, its name, and a value.
    """
    w = ngeffects.normalize(word)
    flag = _WORDS.get(w)
    if flag is not None:
        return flag, word, None
    for prefix, name, flag in _PREFIXES:
        if w.startswith(prefix) and len(w) > len(prefix):
            return flag, name, word[len(prefix) :]
    return None


_findWordOnce = lru_cache(maxsize=2048)(_findWord)


def _applyWord(reading: Reading, word: str) -> None:
    found = _findWordOnce(word) if len(word) <= ngeffects.MAX_NAME else _findWord(word)
    if found is None:
        reading.wonder(word)
        return
    flag, name, value = found
    if flag.effect is ngeffects.refuse:
        reading.refuse(word)
    else:
        flag.effect(reading, name, value if value is None else [value])


#: These come first; see the head of the module.
_FIRST: Final = frozenset({"flags", "rtpp-flags"})


def _applyFields(reading: Reading, fields: Fields) -> None:
    later: list[tuple[str, str, Any]] = []
    for key, value in fields.items():
        name = ngeffects.normalize(key)
        if name not in _FIRST:
            later.append((name, key, value))
        else:
            _KEYS[name].effect(reading, key, value)
    for name, key, value in later:
        flag = _KEYS.get(name)
        if flag is None:
            reading.wonder(key)
        else:
            flag.effect(reading, key, value)


def read(fields: Fields, sides: Mapping[str, Side]) -> Request:
    """
    Understand a message.

    @param fields: its dictionary; C{command} in it is a text.
    @param sides: what C{direction} calls the sides.

    @raise UsageError: C{direction} names no side.  The text is for the reply.
    """
    reading = _understand(fields, sides)
    return _request(reading, Terms(**reading.terms), {})


def _understand(fields: Fields, sides: Mapping[str, Side]) -> Reading:
    command: str = fields["command"]
    reading = Reading(command, sides)
    if command == "answer":
        reading.terms["kind"] = Kind.ANSWER
    _applyFields(reading, fields)
    return reading


def _request(reading: Reading, terms: Terms, own: dict[str, str]) -> Request:
    return Request(
        command=reading.command,
        terms=terms,
        warnings=tuple(reading.refused),
        unknown=tuple(reading.unknown),
        **{**reading.request, **own},
    )


#: What is another with each message, and no flag, by the names that controllers
#: write: where it goes.
_OWN: Final = {
    "sdp": "sdp",
    "call-id": "callID",
    "from-tag": "fromTag",
    "to-tag": "toTag",
    "via-branch": "viaBranch",
}
#: Sets of flags that a L{Reader} remembers.  A controller's script has a few.
MAX_KNOWN = 128
#: The longest text of a flag that it remembers.
MAX_KNOWN_LENGTH = 256


class Reader:
    """
    L{read} for one controller after another, whose scripts say the same flags
    with every call: they are understood once.
    """

    def __init__(self, sides: Mapping[str, Side]) -> None:
        """
        @param sides: what C{direction} calls the sides.
        """
        self._sides = sides
        self._known: dict[object, tuple[Reading, Terms]] = {}

    def read(self, fields: Fields) -> Request:
        """
        See L{read}.

        @raise UsageError: C{direction} names no side.
        """
        own: dict[str, str] = {}
        flags: list[object] = []
        for key, value in fields.items():
            kind = type(value)
            if key in _OWN:
                if kind is not str:
                    return read(fields, self._sides)
                own[_OWN[key]] = value
            elif (kind is str and len(value) <= MAX_KNOWN_LENGTH) or kind is int:
                flags += key, value
            elif kind is list and all(type(v) is str and len(v) <= MAX_KNOWN_LENGTH for v in value):
                flags += key, tuple(value)
            else:
                return read(fields, self._sides)
        about = tuple(flags)
        known = self._known.get(about)
        if known is None:
            reading = _understand({k: v for k, v in fields.items() if k not in _OWN}, self._sides)
            known = reading, Terms(**reading.terms)
            if len(about) <= MAX_KNOWN:
                if len(self._known) >= MAX_KNOWN:
                    self._known.clear()
                self._known[about] = known
        return _request(*known, own)
