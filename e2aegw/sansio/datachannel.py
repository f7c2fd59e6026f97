"""
Data channels in descriptions (RFC 8864, RFC 8841): one C{m=application} section
on the wire, an ordinary section for each channel inside the gateway.

L{explode} makes a section of its own of each C{a=dcmap} line, with the
C{a=dcsa} attributes of that channel unwrapped; L{implode} is its inverse.  So
an adapter never learns that there are data channels.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote, unquote

from e2aegw.errors import NegotiationError
from e2aegw.sansio.sctp.settings import MAX_STREAMS
from e2aegw.sansio.sdp import Line, Section

#: Most channels that one section may describe.
MAX_CHANNELS = 64
#: RFC 8841 clause 6.1: the largest message of who does not say.
DEFAULT_MESSAGE_SIZE = 65536
#: RFC 8841 clause 4: what a section that carries channels looks like.
PROTOS = ("UDP/DTLS/SCTP", "TCP/DTLS/SCTP", "DTLS/SCTP")
FORMAT = "webrtc-datachannel"

#: What a channel is as a section: media, proto and format, by subprotocol.
SUBPROTOCOLS: Mapping[str, tuple[str, str, str]] = {
    "msrp": ("message", "DC/MSRP", "*"),
    "bfcp": ("application", "DC/BFCP", "*"),
    # What RFC 4103 has in its examples, for a line that is refused outside.
    "t140": ("text", "DC/T140", "98"),
    "t38": ("image", "DC/UDPTL", "t38"),
}
#: The subprotocols that need no address and nothing else of a description, so
#: that a channel may be opened in band.
IN_BAND = ("t140", "bfcp")

#: What goes where there are no data channels (TS 33.328 annex N.3.1).
_OUTSIDE = {"DC/MSRP": "TCP/MSRP", "DC/BFCP": "TCP/BFCP", "DC/T140": "RTP/AVP", "DC/UDPTL": "udptl"}
#: The same, seen from there.
_INSIDE = {
    ("message", "TCP/MSRP"): "DC/MSRP",
    ("message", "TCP/TLS/MSRP"): "DC/MSRP",
    ("application", "TCP/BFCP"): "DC/BFCP",
    ("application", "TCP/TLS/BFCP"): "DC/BFCP",
    ("application", "UDP/BFCP"): "DC/BFCP",
    ("application", "UDP/TLS/BFCP"): "DC/BFCP",
    ("text", "RTP/AVP"): "DC/T140",
    ("text", "RTP/AVPF"): "DC/T140",
    ("image", "UDPTL"): "DC/UDPTL",
}
#: What the fields of RFC 8832 clause 5.1 have room for.
_MAX_PRIORITY = (1 << 16) - 1
_MAX_RELIABILITY = (1 << 32) - 1
_NUMBER = re.compile(r"[0-9]{1,10}\Z")
_OPTION = re.compile(r' *([A-Za-z-]+)=("[^"]*"|[^;"]*)(?:;|\Z)')
#: The subprotocols whose messages must arrive, all and in order: RFC 8873
#: clause 4.3 and RFC 8865 clause 3.
_RELIABLE = frozenset({"msrp", "t140"})


#: The subprotocols that IANA's registry has: T.38 is in none, and is called what
#: those who speak it agreed to call it.
_REGISTERED = frozenset({"msrp", "bfcp", "t140"})

#: The stream of a channel that nobody has opened yet.
UNKNOWN = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelMap:
    """
    An C{a=dcmap} line.

    @ivar streamID: the channel's two SCTP streams; L{UNKNOWN} if it is to be
        opened in band.
    @ivar label: its name.
    @ivar subprotocol: what is spoken in it, as it was written.
    @ivar ordered: whether messages keep their order.
    @ivar maxRetransmits, maxLifetime: when to give a message up: after so
        many retransmissions, or so many milliseconds.  At most one is set.
    @ivar priority: see RFC 8831 clause 6.4, or L{None}.
    """

    streamID: int
    label: str = ""
    subprotocol: str = ""
    ordered: bool = True
    maxRetransmits: int | None = None
    maxLifetime: int | None = None
    priority: int | None = None

    @classmethod
    def parse(cls, value: str) -> "ChannelMap":
        """
        Read an attribute's value (RFC 8864 clause 5.1).

        @raise NegotiationError: it is malformed, or gives messages up in two
            ways.
        """
        number, _, rest = value.strip().partition(" ")
        if not _NUMBER.match(number) or int(number) >= MAX_STREAMS:
            raise NegotiationError("malformed dcmap attribute")
        options: dict[str, str] = {}
        at, rest = 0, rest.strip()
        while at < len(rest):
            found = _OPTION.match(rest, at)
            if found is None:
                raise NegotiationError("malformed dcmap attribute")
            options.setdefault(found[1].lower(), found[2].strip().strip('"'))
            at = found.end()
        retransmits = _count(options, "max-retr", _MAX_RELIABILITY)
        lifetime = _count(options, "max-time", _MAX_RELIABILITY)
        if retransmits is not None and lifetime is not None:
            raise NegotiationError("a dcmap attribute has both max-retr and max-time")
        return cls(
            streamID=int(number),
            label=unquote(options.get("label", "")),
            subprotocol=unquote(options.get("subprotocol", "")),
            # RFC 8864 clause 5.1.7: any other value is ignored.
            ordered=options.get("ordered") != "false",
            maxRetransmits=retransmits,
            maxLifetime=lifetime,
            priority=_count(options, "priority", _MAX_PRIORITY),
        )

    def line(self) -> Line:
        """
        The attribute.
        """
        options = []
        if self.label:
            options.append(f'label="{_quoted(self.label)}"')
        if self.subprotocol:
            # A registered name is said as it is registered.
            lower = self.subprotocol.lower()
            name = lower if lower in _REGISTERED else self.subprotocol
            options.append(f'subprotocol="{_quoted(name)}"')
        if not self.ordered:
            options.append("ordered=false")
        for name, number in (
            ("max-retr", self.maxRetransmits),
            ("max-time", self.maxLifetime),
            ("priority", self.priority),
        ):
            if number is not None:
                options.append(f"{name}={number}")
        return Line("dcmap", f"{self.streamID} {';'.join(options)}".rstrip())


#: What may stand in a quoted string as it is (RFC 8864 clause 5.1.1).
_PLAIN = " !#$&'()*+,-./:;<=>?@[\\]^_`{|}~"


def _quoted(text: str) -> str:
    # What is not UTF-8 may come out of a lenient reader; it is not ours to say.
    return quote(text, safe=_PLAIN, errors="replace")


def _count(options: Mapping[str, str], name: str, most: int) -> int | None:
    value = options.get(name)
    if value is None:
        return None
    if not _NUMBER.match(value) or int(value) > most:
        raise NegotiationError(f"the {name} of a dcmap attribute is not a number up to {most}")
    return int(value)


def outside(proto: str) -> str:
    """
    What a channel's section is called where there are no data channels; any
    other section keeps its name.
    """
    return _OUTSIDE.get(proto.upper(), proto)


def inside(section: Section) -> str | None:
    """
    What a section is called as a data channel, or L{None} if it cannot be one.
    """
    return _INSIDE.get((section.media, section.proto.upper()))


def subprotocol(proto: str, subprotocols: Mapping[str, tuple[str, str, str]] = SUBPROTOCOLS) -> str:
    """
    What is spoken in a channel whose section is called so.

    @param subprotocols: what channels may be.

    @raise NegotiationError: it is not a channel's.
    """
    for name, (_, known, _) in subprotocols.items():
        if known == proto.upper():
            return name
    raise NegotiationError(f"{proto} is not a data channel")


def reliable(name: str) -> bool:
    """
    Whether all messages of a subprotocol must arrive, in order.
    """
    return name in _RELIABLE


def expected(name: str, section: Section) -> Section:
    """
    The section of a channel of which nothing is known but its subprotocol.

    @param section: what is to carry it.
    """
    media, proto, format = SUBPROTOCOLS[name]
    return Section(media, section.port, proto, (format,), address=section.address)


def isCarrier(section: Section) -> bool:
    """
    Whether a section carries data channels.
    """
    return section.media == "application" and section.proto.upper() in PROTOS and FORMAT in section.formats


def port(section: Section) -> int:
    """
    The SCTP port of a section (RFC 8841 clause 5); 0 if there is to be no
    association.

    @raise NegotiationError: it is malformed.
    """
    value = section.get("sctp-port")
    if value is None:
        # RFC 8865's examples have a blank for the colon.
        named = [line.name for line in section.lines if line.name.startswith("sctp-port ")]
        value = named[0].partition(" ")[2] if named else "5000"
    if not _NUMBER.match(value) or int(value) > 65535:
        raise NegotiationError("malformed sctp-port attribute")
    return int(value)


def maxMessageSize(section: Section) -> int:
    """
    The largest message that a section's party takes; 0 means any (RFC 8841
    clause 6).

    @raise NegotiationError: it is malformed.
    """
    value = section.get("max-message-size")
    if value is None:
        return DEFAULT_MESSAGE_SIZE
    if not value.isascii() or not value.isdigit() or len(value) > 19:
        raise NegotiationError("malformed max-message-size attribute")
    return int(value)


def explode(
    section: Section, subprotocols: Mapping[str, tuple[str, str, str]] = SUBPROTOCOLS
) -> list[tuple[ChannelMap, Section]]:
    """
    The channels of a section, each as a section of its own.

    @param subprotocols: what they may be, by names in lower case.

    A channel that is not understood is left out, which refuses it (RFC 8864
    clause 6.5), and so is one whose map breaks a rule of its subprotocol:
    text and messages must not be given up (RFC 8865 clause 4.1, RFC 8873
    clause 4.3).  Attributes of channels that are not there are discarded
    (RFC 8864 clause 6.7).

    @raise NegotiationError: there are more than L{MAX_CHANNELS}.
    """
    found: dict[int, tuple[ChannelMap, Section]] = {}
    values = section.all("dcmap")
    if len(values) > MAX_CHANNELS:
        raise NegotiationError("the section has too many data channels")
    for value in values:
        try:
            channel = ChannelMap.parse(value)
        except NegotiationError:
            continue
        name = channel.subprotocol.lower()
        kind = subprotocols.get(name)
        partial = channel.maxRetransmits is not None or channel.maxLifetime is not None
        if kind is None or channel.streamID in found:
            continue
        if reliable(name) and (partial or not channel.ordered):
            continue
        media, proto, format = kind
        lines = _unwrap(section, channel.streamID)
        child = Section(media, section.port, proto, (format,), address=section.address, lines=lines)
        found[channel.streamID] = (channel, child)
    return list(found.values())


def _unwrap(section: Section, streamID: int) -> list[Line]:
    lines = []
    for value in section.all("dcsa"):
        number, _, attribute = value.partition(" ")
        name, colon, rest = attribute.partition(":")
        if _NUMBER.match(number) and int(number) == streamID and name.strip():
            lines.append(Line(name.strip(), rest if colon else None))
    return lines


def implode(children: Iterable[tuple[ChannelMap, Sequence[Line]]]) -> list[Line]:
    """
    The attributes of a section for these channels, each with the attributes
    of its own section.
    """
    lines: list[Line] = []
    for channel, own in children:
        lines.append(channel.line())
        lines += [Line("dcsa", f"{channel.streamID} {str(line)[2:]}") for line in own]
    return lines
