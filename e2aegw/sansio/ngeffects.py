"""
What the keys and flags of an ng message do, one function each.

Values are read as rtpengine reads them: numbers may be texts, lists may be
texts with commas, and what stands in the wrong place counts for nothing.
"""

import ipaddress
from collections.abc import Callable, Container, Mapping
from functools import lru_cache
from typing import Any, Final

from e2aegw.errors import UsageError
from e2aegw.sansio.datachannel import IN_BAND
from e2aegw.sansio.ng import readable
from e2aegw.sansio.sdp import Side
from e2aegw.sansio.terms import ICE

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
    "TCP/BFCP",
    "TCP/TLS/BFCP",
    "UDP/BFCP",
    "UDP/TLS/BFCP",
)
#: What a UE and the network can agree on at registration.
E2AE: Final = frozenset({"sdes-srtp", "dtls-srtp", "msrp-tls", "bfcp-tls", "udptl-dtls", "webrtc"})
#: What C{replace} can ask for that L{Terms} has a word for.  The address in
#: C{o=} and the C{c=} lines are always replaced.
REPLACED: Final = {
    "username": "username",
    "session-name": "session-name",
    "sdp-version": "sdp-version",
    "force-increment-sdp-ver": "force-increment-sdp-ver",
    "zero-address": "zero-address",
    "origin": "",
    "origin-full": "username",
    "session-connection": "",
}


class Reading:
    """
    A message on the way to becoming a L{e2aegw.sansio.ngflags.Request}.

    @ivar command: what the message says to do.
    @ivar sides: what C{direction} calls the sides.
    @ivar request: the request's attributes so far.
    @ivar terms: the terms' attributes so far.
    @ivar refused: what will not be done.
    @ivar unknown: what means nothing to us.
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
        """
        This will not be done, and the reply says so.
        """
        what = readable(what, MAX_NAME)
        if what not in self.refused and len(self.refused) < MAX_UNKNOWN:
            self.refused.append(what)

    def wonder(self, what: str) -> None:
        """
        This means nothing to us.
        """
        what = readable(what, MAX_NAME)
        if what not in self.unknown and len(self.unknown) < MAX_UNKNOWN:
            self.unknown.append(what)

    def add(self, term: str, *words: str) -> None:
        """
        Add to a term that is a set.
        """
        self.terms[term] = self.terms.get(term, frozenset()) | set(words)


#: Makes a flag's effect: given what is read, the name that was used and the
#: value, which for a word among C{flags} is L{None}.
Effect = Callable[[Reading, str, Any], None]


# --- values ---------------------------------------------------------------


def readText(value: Any) -> str | None:
    """
    Read a value as a text: a number is one, and so is a list of one.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, list) and value:
        return value[0] if isinstance(value[0], str) else None
    return None


def readInteger(value: Any) -> int | None:
    """
    Read a value as a number, or return L{None}.
    """
    if isinstance(value, int):
        return int(value)
    text = readText(value)
    if text is None:
        return None
    try:
        return int(text)
    except ValueError:
        return None


def readWords(value: Any) -> list[str]:
    """
    Read a value as a list of words; a text has commas between them.
    """
    if isinstance(value, str):
        return [w for w in value.split(",") if w]
    if isinstance(value, list):
        return [v for v in value if isinstance(v, str) and v]
    return []


#: Words for "no".
OFF: Final = frozenset({"off", "no", "none", "disable", "disabled", "false", "0"})


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


def into(attribute: str) -> Effect:
    """
    A text for the request.
    """

    def effect(reading: Reading, name: str, value: Any) -> None:
        text = readText(value)
        if text is not None:
            reading.request[attribute] = text

    return effect


def number(attribute: str) -> Effect:
    """
    A number for the request.
    """

    def effect(reading: Reading, name: str, value: Any) -> None:
        number = readInteger(value)
        if number is None:
            reading.wonder(f"{name}={readText(value)}")
        else:
            reading.request[attribute] = number

    return effect


def mark(attribute: str) -> Effect:
    """
    A switch of the request.
    """

    def effect(reading: Reading, name: str, value: Any) -> None:
        reading.request[attribute] = True

    return effect


def switch(term: str, on: bool = True) -> Effect:
    """
    A switch of the terms.  As a key it can be off.
    """

    def effect(reading: Reading, name: str, value: Any) -> None:
        off = value is not None and (readText(value) or "").lower() in OFF
        reading.terms[term] = on is not off

    return effect


def nothing(reading: Reading, name: str, value: Any) -> None:
    """
    Accept and do nothing.
    """


def refuse(reading: Reading, name: str, value: Any) -> None:
    """
    Warn that it will not be done, unless it is switched off.
    """
    if value is None or (readText(value) or "on").lower() not in OFF:
        reading.refuse(name)


def sdp(reading: Reading, name: str, value: Any) -> None:
    """
    C{sdp}: the description.
    """
    if isinstance(value, str):
        reading.request["sdp"] = value


def supports(reading: Reading, name: str, value: Any) -> None:
    """
    C{supports}: results that the controller understands.
    """
    if "load limit" in readWords(value):
        reading.request["supportsLoadLimit"] = True


def findSide(reading: Reading, name: str) -> Side:
    """
    @raise UsageError: there is no side of that name.
    """
    side = reading.sides.get(name)
    if side is None:
        known = ", ".join(sorted(reading.sides))
        raise UsageError(f"Unknown direction '{readable(name, MAX_NAME)}'; there are: {known}")
    return side


def direction(reading: Reading, name: str, value: Any) -> None:
    """
    C{direction}: the sides that the offer comes from and goes to.
    """
    names = readWords(value)
    if names:
        fromInterface(reading, name, names[0])
    if len(names) > 1:
        toInterface(reading, name, names[1])


def fromInterface(reading: Reading, name: str, value: Any) -> None:
    """
    C{from-interface}: the side that the offer comes from.
    """
    # An answer goes where its offer came from.
    if reading.command == "offer" and (text := readText(value)):
        reading.request["near"] = findSide(reading, text)


def toInterface(reading: Reading, name: str, value: Any) -> None:
    """
    C{to-interface}: the side that the offer goes to.
    """
    if reading.command == "offer" and (text := readText(value)):
        reading.terms["far"] = findSide(reading, text)


def transportProtocol(reading: Reading, name: str, value: Any) -> None:
    """
    C{transport-protocol}: the profile of RTP lines, or what BFCP travels on.
    """
    text = readText(value)
    if text is None:
        return
    if text.upper() in PROTOCOLS:
        reading.terms["transportProtocol"] = text.upper()
    else:
        reading.wonder(f"{name}={text}")


def ice(reading: Reading, name: str, value: Any) -> None:
    """
    C{ICE}: whether to speak it.
    """
    for word in readWords(value):
        w = normalize(word)
        if w in ("remove", "force", "default"):
            reading.terms["ice"] = ICE(w)
        elif w == "optional":
            reading.terms["ice"] = ICE.DEFAULT
        elif w in ("lite-off", "lite-no", "lite-none", "no-lite", "force-relay"):
            reading.refuse(f"{name}={word}")
        elif not w.startswith("lite") and w not in ("trickle", "ice2"):
            reading.wonder(f"{name}={word}")


def iceLite(reading: Reading, name: str, value: Any) -> None:
    """
    C{ICE-lite}: it cannot be switched off.
    """
    if (readText(value) or "").lower() in OFF:
        reading.refuse(f"{name}={readText(value)}")


def dtls(reading: Reading, name: str, value: Any) -> None:
    """
    C{DTLS}: the role, or none.
    """
    for word in readWords(value):
        w = word.lower()
        if w in ("active", "passive"):
            reading.terms["dtls"] = w
        elif w in OFF:
            reading.terms["dtls"] = "off"
        else:
            reading.wonder(f"{name}={word}")


def sdes(reading: Reading, name: str, value: Any) -> None:
    """
    C{SDES}: whether, and with which suites.
    """
    for word in readWords(value):
        w = normalize(word)
        if w in OFF:
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


def osrtp(reading: Reading, name: str, value: Any) -> None:
    """
    C{OSRTP}: accepted as far as it is accepting.
    """
    for word in readWords(value):
        w = normalize(word)
        if w.startswith("offer"):
            reading.refuse(f"{name}={word}")
        elif not w.startswith("accept"):
            reading.wonder(f"{name}={word}")


def rtcpMux(reading: Reading, name: str, value: Any) -> None:
    """
    C{rtcp-mux}: RTP and RTCP on one port.
    """
    for word in readWords(value):
        w = word.lower()
        if w == "require":
            reading.add("rtcpMux", "offer", "require")
        elif w in ("offer", "demux", "accept", "reject"):
            reading.add("rtcpMux", w)
        else:
            reading.wonder(f"{name}={word}")


def bundle(reading: Reading, name: str, value: Any) -> None:
    """
    C{bundle}: never offered.
    """
    for word in readWords(value):
        w = word.lower()
        if w in ("offer", "require", "strict"):
            reading.refuse(f"{name}={word}")
        elif w not in ("accept", "reject"):
            reading.wonder(f"{name}={word}")


def replace(reading: Reading, name: str, value: Any) -> None:
    """
    C{replace}: what else to rewrite.
    """
    for word in readWords(value):
        what = REPLACED.get(normalize(word))
        if what is None:
            reading.wonder(f"{name}={word}")
        elif what:
            reading.add("replace", what)


def addressFamily(reading: Reading, name: str, value: Any) -> None:
    """
    C{address-family}: which addresses to write.
    """
    text = (readText(value) or "").upper()
    if text in ("IP4", "INET"):
        reading.terms["addressFamily"] = 4
    elif text in ("IP6", "INET6"):
        reading.terms["addressFamily"] = 6
    else:
        reading.wonder(f"{name}={text}")


def readAddress(text: str | None) -> str | None:
    """
    Read an IP address, with or without brackets, or return L{None}.
    """
    try:
        return str(ipaddress.ip_address((text or "").strip("[]")))
    except ValueError:
        return None


def mediaAddress(reading: Reading, name: str, value: Any) -> None:
    """
    C{media-address}: what to write instead of our address.
    """
    address = readAddress(readText(value))
    if address is None:
        reading.refuse(f"{name}={readText(value)}")
    else:
        reading.terms["mediaAddress"] = address


def receivedFrom(reading: Reading, name: str, value: Any) -> None:
    """
    C{received-from}: a family and an address, or an address.
    """
    address = readAddress(
        readText(value[1:]) if isinstance(value, list) and len(value) > 1 else readText(value)
    )
    if address is not None:
        reading.terms["receivedFrom"] = address


def tos(reading: Reading, name: str, value: Any) -> None:
    """
    C{TOS}: the traffic class octet.
    """
    octet = readInteger(value)
    if octet is not None and 0 <= octet <= 255:
        reading.terms["tos"] = octet
    elif octet != 256:
        # 256 is rtpengine's way to say "as configured".
        reading.wonder(f"{name}={readText(value)}")


def e2ae(reading: Reading, name: str, value: Any) -> None:
    """
    C{e2ae}: what was agreed on at registration.
    """
    reading.terms["e2ae"] = frozenset(_among(E2AE, reading, name, value))


def channels(reading: Reading, name: str, value: Any) -> None:
    """
    C{channels}: what may be opened in band.
    """
    reading.terms["channels"] = tuple(dict.fromkeys(_among(IN_BAND, reading, name, value)))


def _among(known: Container[str], reading: Reading, name: str, value: Any) -> list[str]:
    """
    The words that are known; others are refused, but for those that say that
    there is nothing.
    """
    found: list[str] = []
    for word in readWords(value):
        w = normalize(word)
        if w in known:
            found.append(w)
        elif w not in OFF:
            reading.refuse(f"{name}={word}")
    return found


def webRTC(reading: Reading, name: str, value: Any) -> None:
    """
    C{WebRTC}: what browsers need, as in rtpengine.
    """
    reading.terms["transportProtocol"] = "UDP/TLS/RTP/SAVPF"
    reading.terms["ice"] = ICE.FORCE
    reading.terms["sdes"] = False
    reading.add("rtcpMux", "offer", "require")


def endpointLearning(reading: Reading, name: str, value: Any) -> None:
    """
    C{endpoint-learning}: whether to follow the source of packets.
    """
    for word in readWords(value):
        if word.lower() == "off":
            reading.terms["asymmetric"] = True


def strictSource(reading: Reading, name: str, value: Any) -> None:
    """
    C{strict-source}: it cannot be switched off.
    """
    if value is not None and (readText(value) or "").lower() in OFF:
        reading.refuse(f"{name}={readText(value)}")


def codec(reading: Reading, name: str, value: Any) -> None:
    """
    C{codec}: a dictionary of lists to edit.
    """
    if isinstance(value, dict):
        for operation in value:
            reading.refuse(f"{name}-{operation}")
    else:
        reading.refuse(name)
