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
import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from e2aegw.errors import UsageError
from e2aegw.sansio import rtppflags
from e2aegw.sansio.ng import Fields
from e2aegw.sansio.sdp import Side
from e2aegw.sansio.terms import ICE, Kind, Terms

#: Most unknown names that are reported of one message, and the most characters
#: of each.
MAX_UNKNOWN = 16
MAX_NAME = 64

#: The transport protocols that can be asked for, in SDP's spelling.
PROTOCOLS: Final = (
    "RTP/AVP",
    "RTP/AVPF",
    "RTP/SAVP",
    "RTP/SAVPF",
    "UDP/TLS/RTP/SAVP",
    "UDP/TLS/RTP/SAVPF",
)
#: What a UE and the network can agree on at registration.
E2AE: Final = frozenset({"sdes-srtp", "msrp-tls", "bfcp-tls", "udptl-dtls", "webrtc"})
#: What C{replace} can ask for that L{Terms} has a word for.  The address in
#: C{o=} and the C{c=} lines are always replaced.
REPLACED: Final = {
    "username": "username",
    "session-name": "session-name",
    "sdp-version": "sdp-version",
    "force-increment-sdp-ver": "sdp-version",
    "zero-address": "zero-address",
    "origin": "",
    "origin-full": "username",
    "session-connection": "",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """
    An ng message, understood.

    @ivar near: the side that the message comes from, or L{None}: infer it.
    @ivar deleteDelay: seconds from C{delete} to the end of the call, or
        L{None}.
    @ivar limit: how many calls to C{list}, or L{None}.
    @ivar honourToTag: C{delete} means the dialogue with that to-tag only.
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


class _Reading:
    """
    A message on the way to becoming a L{Request}.
    """

    __slots__ = ("command", "refused", "request", "sides", "terms", "unknown")

    def __init__(self, command: str, sides: Mapping[str, Side]) -> None:
        self.command = command
        self.sides = sides
        self.request: dict[str, Any] = {}
        self.terms: dict[str, Any] = {}
        self.refused: list[str] = []
        self.unknown: list[str] = []

    def refuse(self, what: str) -> None:
        what = what[:MAX_NAME]
        if what not in self.refused and len(self.refused) < MAX_UNKNOWN:
            self.refused.append(what)

    def wonder(self, what: str) -> None:
        what = what[:MAX_NAME]
        if what not in self.unknown and len(self.unknown) < MAX_UNKNOWN:
            self.unknown.append(what)

    def add(self, term: str, *words: str) -> None:
        self.terms[term] = self.terms.get(term, frozenset()) | set(words)


#: Makes a flag's effect: given what is read, the name that was used and the
#: value, which for a word among C{flags} is L{None}.
_Effect = Callable[[_Reading, str, Any], None]


# --- values ---------------------------------------------------------------


def _text(value: Any) -> str | None:
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, list) and value:
        return value[0] if isinstance(value[0], str) else None
    return None


def _integer(value: Any) -> int | None:
    if isinstance(value, int):
        return int(value)
    text = _text(value)
    if text is None:
        return None
    try:
        return int(text)
    except ValueError:
        return None


def _words(value: Any) -> list[str]:
    if isinstance(value, str):
        return [w for w in value.split(",") if w]
    if isinstance(value, list):
        return [v for v in value if isinstance(v, str) and v]
    return []


#: Words for "no".
_OFF: Final = frozenset({"off", "no", "none", "disable", "disabled", "false", "0"})


def normalize(name: str) -> str:
    """
    The form in which names are compared.
    """
    # Only short names are remembered: whoever sends them must not fill memory.
    return _normalizeOnce(name) if len(name) <= MAX_NAME else _normalize(name)


def _normalize(name: str) -> str:
    return name.lower().replace(" ", "-").replace("_", "-")


_normalizeOnce = lru_cache(maxsize=2048)(_normalize)


# --- effects --------------------------------------------------------------


def _into(attribute: str) -> _Effect:
    """
    A text for the request.
    """

    def effect(reading: _Reading, name: str, value: Any) -> None:
        text = _text(value)
        if text is not None:
            reading.request[attribute] = text

    return effect


def _number(attribute: str) -> _Effect:
    """
    A number for the request.
    """

    def effect(reading: _Reading, name: str, value: Any) -> None:
        number = _integer(value)
        if number is None:
            reading.wonder(f"{name}={_text(value)}")
        else:
            reading.request[attribute] = number

    return effect


def _mark(attribute: str) -> _Effect:
    """
    A switch of the request.
    """

    def effect(reading: _Reading, name: str, value: Any) -> None:
        reading.request[attribute] = True

    return effect


def _switch(term: str, on: bool = True) -> _Effect:
    """
    A switch of the terms.  As a key it can be off.
    """

    def effect(reading: _Reading, name: str, value: Any) -> None:
        off = value is not None and (_text(value) or "").lower() in _OFF
        reading.terms[term] = on is not off

    return effect


def _nothing(reading: _Reading, name: str, value: Any) -> None:
    pass


def _refuse(reading: _Reading, name: str, value: Any) -> None:
    if value is None or (_text(value) or "on").lower() not in _OFF:
        reading.refuse(name)


def _sdp(reading: _Reading, name: str, value: Any) -> None:
    if isinstance(value, str):
        reading.request["sdp"] = value


def _supports(reading: _Reading, name: str, value: Any) -> None:
    if "load limit" in _words(value):
        reading.request["supportsLoadLimit"] = True


def _side(reading: _Reading, name: str) -> Side:
    side = reading.sides.get(name)
    if side is None:
        known = ", ".join(sorted(reading.sides))
        raise UsageError(f"Unknown direction '{name[:MAX_NAME]}'; there are: {known}")
    return side


def _direction(reading: _Reading, name: str, value: Any) -> None:
    names = _words(value)
    if names:
        _fromInterface(reading, name, names[0])
    if len(names) > 1:
        _toInterface(reading, name, names[1])


def _fromInterface(reading: _Reading, name: str, value: Any) -> None:
    # An answer goes where its offer came from.
    if reading.command == "offer" and (text := _text(value)):
        reading.request["near"] = _side(reading, text)


def _toInterface(reading: _Reading, name: str, value: Any) -> None:
    if reading.command == "offer" and (text := _text(value)):
        reading.terms["far"] = _side(reading, text)


def _transportProtocol(reading: _Reading, name: str, value: Any) -> None:
    text = _text(value)
    if text is None:
        return
    if text.upper() in PROTOCOLS:
        reading.terms["transportProtocol"] = text.upper()
    else:
        reading.wonder(f"{name}={text}")


def _ice(reading: _Reading, name: str, value: Any) -> None:
    for word in _words(value):
        w = normalize(word)
        if w in ("remove", "force", "default"):
            reading.terms["ice"] = ICE(w)
        elif w == "optional":
            reading.terms["ice"] = ICE.DEFAULT
        elif w in ("lite-off", "lite-no", "lite-none", "no-lite", "force-relay"):
            reading.refuse(f"{name}={word}")
        elif not w.startswith("lite") and w not in ("trickle", "ice2"):
            reading.wonder(f"{name}={word}")


def _iceLite(reading: _Reading, name: str, value: Any) -> None:
    if (_text(value) or "").lower() in _OFF:
        reading.refuse(f"{name}={_text(value)}")


def _dtls(reading: _Reading, name: str, value: Any) -> None:
    for word in _words(value):
        w = word.lower()
        if w in ("active", "passive"):
            reading.terms["dtls"] = w
        elif w in _OFF:
            reading.terms["dtls"] = "off"
        else:
            reading.wonder(f"{name}={word}")


def _sdes(reading: _Reading, name: str, value: Any) -> None:
    for word in _words(value):
        w = normalize(word)
        if w in _OFF:
            reading.terms["sdes"] = False
        elif w.startswith("only-"):
            reading.add("sdesOnly", word[5:].upper())
        elif w.startswith("no-"):
            reading.add("sdesNot", word[3:].upper())
        elif w.startswith("un"):
            # Unencrypted, unauthenticated: not through this gateway.
            reading.refuse(f"{name}={word}")
        elif w not in _SDES_TRIFLES and not w.startswith(("order:", "offerer-pref:")):
            reading.wonder(f"{name}={word}")


#: What rtpengine knows besides and what makes no difference here.
_SDES_TRIFLES: Final = frozenset(
    {
        "encrypted-srtp",
        "encrypted-srtcp",
        "authenticated-srtp",
        "lifetime",
        "pad",
        "static",
        "nonew",
        "prefer",
        "priority",
    }
)


def _osrtp(reading: _Reading, name: str, value: Any) -> None:
    for word in _words(value):
        w = normalize(word)
        if w.startswith("offer"):
            reading.refuse(f"{name}={word}")
        elif not w.startswith("accept"):
            reading.wonder(f"{name}={word}")


def _rtcpMux(reading: _Reading, name: str, value: Any) -> None:
    for word in _words(value):
        w = word.lower()
        if w == "require":
            reading.add("rtcpMux", "offer", "require")
        elif w in ("offer", "demux", "accept", "reject"):
            reading.add("rtcpMux", w)
        else:
            reading.wonder(f"{name}={word}")


def _bundle(reading: _Reading, name: str, value: Any) -> None:
    for word in _words(value):
        w = word.lower()
        if w in ("offer", "require", "strict"):
            reading.refuse(f"{name}={word}")
        elif w not in ("accept", "reject"):
            reading.wonder(f"{name}={word}")


def _replace(reading: _Reading, name: str, value: Any) -> None:
    for word in _words(value):
        what = REPLACED.get(normalize(word))
        if what is None:
            reading.wonder(f"{name}={word}")
        elif what:
            reading.add("replace", what)


def _addressFamily(reading: _Reading, name: str, value: Any) -> None:
    text = (_text(value) or "").upper()
    if text in ("IP4", "INET"):
        reading.terms["addressFamily"] = 4
    elif text in ("IP6", "INET6"):
        reading.terms["addressFamily"] = 6
    else:
        reading.wonder(f"{name}={text}")


def _address(text: str | None) -> str | None:
    try:
        return str(ipaddress.ip_address((text or "").strip("[]")))
    except ValueError:
        return None


def _mediaAddress(reading: _Reading, name: str, value: Any) -> None:
    address = _address(_text(value))
    if address is None:
        reading.refuse(f"{name}={_text(value)}")
    else:
        reading.terms["mediaAddress"] = address


def _receivedFrom(reading: _Reading, name: str, value: Any) -> None:
    # A family and an address, or an address alone.
    address = _address(_text(value[1:]) if isinstance(value, list) and len(value) > 1 else _text(value))
    if address is not None:
        reading.terms["receivedFrom"] = address


def _tos(reading: _Reading, name: str, value: Any) -> None:
    tos = _integer(value)
    if tos is not None and 0 <= tos <= 255:
        reading.terms["tos"] = tos
    elif tos != 256:
        # 256 is rtpengine's way to say "as configured".
        reading.wonder(f"{name}={_text(value)}")


def _e2ae(reading: _Reading, name: str, value: Any) -> None:
    agreed: set[str] = set()
    for word in _words(value):
        w = normalize(word)
        if w in E2AE:
            agreed.add(w)
        elif w not in _OFF:
            reading.refuse(f"{name}={word}")
    reading.terms["e2ae"] = frozenset(agreed)


def _webRTC(reading: _Reading, name: str, value: Any) -> None:
    reading.terms["transportProtocol"] = "UDP/TLS/RTP/SAVPF"
    reading.terms["ice"] = ICE.FORCE
    reading.terms["sdes"] = False
    reading.add("rtcpMux", "offer", "require")


def _endpointLearning(reading: _Reading, name: str, value: Any) -> None:
    for word in _words(value):
        if word.lower() == "off":
            reading.terms["asymmetric"] = True


def _flags(reading: _Reading, name: str, value: Any) -> None:
    for word in _words(value):
        _applyWord(reading, word)


def _rtppFlags(reading: _Reading, name: str, value: Any) -> None:
    if isinstance(value, str):
        _applyFields(reading, {k: v for k, v in rtppflags.parse(value).items() if normalize(k) not in _OUTER})


#: What a flags string says to the Kamailio module itself; by the time that it
#: gets here the module has acted on it and made keys of it.
_OUTER: Final = frozenset({"call-id", "via-branch", "from-tag", "to-tag", "rtpp-flags", "sdp", "command"})


def _codec(reading: _Reading, name: str, value: Any) -> None:
    if isinstance(value, dict):
        for operation in value:
            reading.refuse(f"{name}-{operation}")
    else:
        reading.refuse(name)


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
    effect: _Effect
    place: Place = Place.KEY
    values: str = ""
    policy: Policy = Policy.DONE
    listed: bool = False


def _flag(
    names: str,
    effect: _Effect,
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
    return _flag(names, _nothing, about, place, policy=Policy.IGNORED)


def _refused(names: str, about: str, place: Place = Place.FLAG, listed: bool = False) -> Flag:
    return _flag(names, _refuse, about, place, policy=Policy.REFUSED, listed=listed)


#: Everything that we know.
FLAGS: Final[tuple[Flag, ...]] = (
    # What the message is about
    _flag("command", _nothing, "what to do", values="see `Commands`_"),
    _flag("call-id", _into("callID"), "the Call-ID of the dialogue"),
    _flag(
        "from-tag", _into("fromTag"), "the tag of the party that speaks (in an answer: that made the offer)"
    ),
    _flag("to-tag", _into("toTag"), "the tag of the other party"),
    _flag("via-branch", _into("viaBranch"), "tells the branches of a forked call apart"),
    _flag("sdp", _sdp, "the description"),
    _flag("label set-label from-label", _into("label"), "a name for the party, shown by ``query``"),
    _flag(
        "supports",
        _supports,
        "which results the controller understands besides ``ok`` and ``error``",
        values="``load limit``",
    ),
    _flag("flags", _flags, "a list of the flags below", values="list"),
    _flag("rtpp-flags", _rtppFlags, "a flags string as it stands in Kamailio's script", values="text"),
    # Which side
    _flag(
        "direction",
        _direction,
        "the sides that the offer comes from and goes to; without it the gateway infers them",
        values="names of two sides",
    ),
    _flag("from-interface", _fromInterface, "the first half of ``direction``", values="name of a side"),
    _flag("to-interface", _toInterface, "the second half of ``direction``", values="name of a side"),
    # How the party that speaks is heard
    _flag(
        "received-from",
        _receivedFrom,
        "where the SIP message came from",
        values="``IP4`` or ``IP6``, and an address",
    ),
    _flag(
        "trust-address",
        _switch("trustAddress"),
        "media goes to the address in the description (the default)",
        Place.EITHER,
    ),
    _flag(
        "SIP-source-address",
        _switch("trustAddress", False),
        "media goes to the address in ``received-from``",
        Place.FLAG,
    ),
    _flag(
        "symmetric",
        _switch("asymmetric", False),
        "the party sends from where it receives (the default)",
        Place.FLAG,
    ),
    _flag(
        "asymmetric",
        _switch("asymmetric"),
        "the party sends from elsewhere: never follow the source of its packets",
        Place.FLAG,
    ),
    _flag(
        "endpoint-learning",
        _endpointLearning,
        "``off`` is ``asymmetric``; the rest is what the gateway does anyway",
        values="``off``, ``immediate``, ``delayed``, ``heuristic``",
        listed=True,
    ),
    _flag(
        "strict-source",
        _switch("strictSource"),
        "drop packets from any other source than the one settled on (the default; as a key, ``off``)",
        Place.EITHER,
    ),
    _flag(
        "port-latching",
        _switch("portLatching"),
        "keep a stream's ports over a new offer",
        Place.FLAG,
    ),
    # What the other party is told
    _flag(
        "transport-protocol",
        _transportProtocol,
        "the profile of RTP lines; other media keep theirs",
        values=", ".join(f"``{p}``" for p in PROTOCOLS),
    ),
    _flag(
        "WebRTC",
        _webRTC,
        "``UDP/TLS/RTP/SAVPF``, ``ICE=force``, ``SDES-off``, ``rtcp-mux-require``",
        Place.FLAG,
    ),
    _flag(
        "e2ae",
        _e2ae,
        "what the UE and the network agreed on at registration: which protections to offer to the"
        " access side",
        values=", ".join(f"``{w}``" for w in sorted(E2AE)) + "; ``none``",
    ),
    _flag(
        "ICE",
        _ice,
        "take ICE out, speak it, or do as the offer does",
        values="``remove``, ``force``, ``default``, ``optional``",
    ),
    _flag(
        "ICE-lite",
        _iceLite,
        "the gateway is always the lite one; ``off`` gets a warning",
        values="``forward``, ``backward``, ``both``, ``off``",
    ),
    _flag(
        "DTLS",
        _dtls,
        "our role in the handshake, or no DTLS",
        values="``active``, ``passive``, ``off``",
    ),
    _flag(
        "SDES",
        _sdes,
        "no SDES, or which suites",
        values="``off``, ``no-SUITE``, ``only-SUITE``",
        listed=True,
    ),
    _flag(
        "OSRTP",
        _osrtp,
        "``accept`` is accepted; ``offer`` gets a warning",
        values="``accept``, ``offer``",
        listed=True,
        policy=Policy.IGNORED,
    ),
    _flag(
        "rtcp-mux",
        _rtcpMux,
        "RTP and RTCP on one port",
        values="``offer``, ``require``, ``demux``, ``accept``, ``reject``",
        listed=True,
    ),
    _flag(
        "bundle",
        _bundle,
        "a bundle is always accepted and undone; offering one gets a warning",
        values="``accept``, ``reject``, ``offer``, ``require``, ``strict``",
        listed=True,
        policy=Policy.IGNORED,
    ),
    _flag(
        "replace",
        _replace,
        "what to rewrite besides the addresses",
        values=", ".join(f"``{w}``" for w in REPLACED),
        listed=True,
    ),
    _flag("address-family", _addressFamily, "which addresses to write", values="``IP4``, ``IP6``"),
    _flag("media-address", _mediaAddress, "write this address instead of our own", values="an address"),
    _flag("TOS", _tos, "the traffic class octet of the packets sent", values="0 to 255"),
    _flag(
        "anonymous",
        _switch("anonymous"),
        "present a certificate made for this call alone",
        Place.EITHER,
    ),
    # delete, query, list
    _flag(
        "delete-delay",
        _number("deleteDelay"),
        "``delete``: seconds until the call ends; 0 is at once",
        values="seconds",
    ),
    _flag("to-tag", _mark("honourToTag"), "``delete``: only the dialogue with that to-tag", Place.FLAG),
    _flag("fatal", _mark("fatal"), "``delete``: an unknown call is an error", Place.FLAG),
    _flag("fast", _mark("fast"), "``delete``: no statistics in the reply", Place.FLAG),
    _flag("limit", _number("limit"), "``list``: how many calls at most", values="number"),
    _flag("fragment", _mark("fragment"), "the body is a trickled candidate, not a description", Place.FLAG),
    # Accepted
    _accepted("sip-message-type sip-code sip-response-code metadata instance template", "noted", Place.KEY),
    _accepted("xmlrpc-callback dtmf-log-dest dtmf-log-destination address", "not used", Place.KEY),
    _accepted("DTLS-fingerprint", "SHA-256 is what is sent", Place.KEY),
    _accepted("DTLS-reverse", "the role follows from the offer", Place.KEY),
    _accepted("generate-mid", "``a=mid`` is written where it is needed"),
    _accepted("trickle-ICE", "candidates are never trickled"),
    _accepted("ICE-reject", "an offer of ICE is answered"),
    _accepted("no-rtcp-attribute full-rtcp-attribute", "``a=rtcp`` is written where it is needed"),
    _accepted("loop-protect", "the gateway knows its own addresses"),
    _accepted("original-sendrecv", "directions are never changed"),
    _accepted("no-port-latching no-tls-id no-redis-update no-jitter-buffer reset new-branch", "as it is"),
    _accepted("provisional early-media", "each answer replaces the one before"),
    _accepted("pierce-NAT NAT-wait recrypt debug debugging", "not needed"),
    _accepted("pad-crypto", "keys are never padded"),
    _accepted("allow-transcoding allow-asymmetric-codecs allow-no-codec-media", "codecs are not touched"),
    _accepted("asymmetric-codecs symmetric-codecs reorder-codecs static-codecs", "codecs are not touched"),
    _accepted("reuse-codecs no-codec-renegotiation single-codec", "codecs are not touched"),
    _accepted("all directional unidirectional bidirectional", "the whole call is meant"),
    _accepted("discard-recording exclude-recording skip-recording-db", "nothing is recorded"),
    # Refused
    _refused("media-handover", "a stream's source stays where it settled"),
    _refused("force-transcoding always-transcode", "transcoding"),
    _refused(
        "transcode codec-transcode codec-mask codec-set codec-accept", "transcoding", Place.EITHER, True
    ),
    _refused("codec-consume codec-strip codec-offer codec-except", "editing codecs", Place.EITHER, True),
    _refused("codec-ignore", "editing codecs", Place.EITHER, True),
    _flag("codec codecs", _codec, "editing codecs", values="dictionary", policy=Policy.REFUSED),
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
    normalize(name): flag for flag in FLAGS if flag.place is not Place.FLAG for name in flag.names
}
_WORDS: Final[dict[str, Flag]] = {
    normalize(name): flag for flag in FLAGS if flag.place is not Place.KEY for name in flag.names
}
#: The longest first, so that no name hides another that begins like it.
_PREFIXES: Final[tuple[tuple[str, str, Flag], ...]] = tuple(
    sorted(
        ((normalize(name) + "-", name, flag) for flag in FLAGS if flag.listed for name in flag.names),
        key=lambda entry: -len(entry[0]),
    )
)


# --- reading --------------------------------------------------------------


def _findWord(word: str) -> tuple[Flag, str, str | None] | None:
    """
    What a word among C{flags} means: a flag, its name, and a value.
    """
    w = normalize(word)
    flag = _WORDS.get(w)
    if flag is not None:
        return flag, word, None
    for prefix, name, flag in _PREFIXES:
        if w.startswith(prefix) and len(w) > len(prefix):
            return flag, name, word[len(prefix) :]
    return None


_findWordOnce = lru_cache(maxsize=2048)(_findWord)


def _applyWord(reading: _Reading, word: str) -> None:
    found = _findWordOnce(word) if len(word) <= MAX_NAME else _findWord(word)
    if found is None:
        reading.wonder(word)
        return
    flag, name, value = found
    if flag.effect is _refuse:
        reading.refuse(word)
    else:
        flag.effect(reading, name, value if value is None else [value])


#: These come first; see the head of the module.
_FIRST: Final = frozenset({"flags", "rtpp-flags"})


def _applyFields(reading: _Reading, fields: Fields) -> None:
    later: list[tuple[str, str, Any]] = []
    for key, value in fields.items():
        name = normalize(key)
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
    command: str = fields["command"]
    reading = _Reading(command, sides)
    if command == "answer":
        reading.terms["kind"] = Kind.ANSWER
    _applyFields(reading, fields)
    return Request(
        command=command,
        terms=Terms(**reading.terms),
        warnings=tuple(reading.refused),
        unknown=tuple(reading.unknown),
        **reading.request,
    )
