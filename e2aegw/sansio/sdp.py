"""
Session descriptions (RFC 8866), parsed and written so that whatever is not
understood survives to the letter.

    >>> d = Description.parse("v=0\\r\\no=- 1 1 IN IP4 192.0.2.1\\r\\ns=-\\r\\n"
    ...     "t=0 0\\r\\nm=audio 4000 RTP/AVP 0\\r\\nc=IN IP4 192.0.2.1\\r\\n")
    >>> d.sections[0].proto
    'RTP/AVP'
"""

import enum
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from e2aegw.errors import NegotiationError

#: Longest description that is read, in characters.  A browser's with audio,
#: video and data is about 8,000.
MAX_DESCRIPTION = 65536
#: Most media sections that one description may have.
MAX_SECTIONS = 64
#: Most lines that one description may have.
MAX_LINES = 4096


class Side(enum.Enum):
    """
    The two sides of the gateway.
    """

    ACCESS = "access"
    CORE = "core"

    # Members are what they are; Enum's own makes a hash of the name, in Python.
    __hash__ = object.__hash__

    @property
    def other(self) -> "Side":
        """
        The opposite side.
        """
        return Side.CORE if self is Side.ACCESS else Side.ACCESS


class Line(NamedTuple):
    """
    One attribute, C{a=name} or C{a=name:value}.
    """

    name: str
    value: str | None = None

    def __str__(self) -> str:
        return f"a={self.name}" if self.value is None else f"a={self.name}:{self.value}"

    def __repr__(self) -> str:
        # What a traceback or a log may show.
        secret = self.name in _SECRET and self.value is not None
        return f"<a={self.name}:...>" if secret else f"<{self}>"


#: The attributes whose values hold keys and passwords.
_SECRET = frozenset({"crypto", "ice-pwd", "key-mgmt"})

#: The attributes that concern one hop.  Each has exactly one owner, a
#: transport, an adapter or the session; they never cross the gateway, owned on
#: this leg or not.
HOP_BY_HOP = frozenset(
    {
        # RFC 4568, TS 24.229 clause 7.5.2: SRTP adapter and session
        "crypto",
        "3ge2ae",
        # RFC 9335: how SRTP treats header extensions
        "cryptex",
        # RFC 4567: keys by another way, which nobody here reads
        "key-mgmt",
        # RFC 8122, RFC 8842, RFC 4145: DTLS and stream transports
        "fingerprint",
        "setup",
        "connection",
        "tls-id",
        # RFC 8839: UDP transport
        "candidate",
        "remote-candidates",
        "end-of-candidates",
        "ice-ufrag",
        "ice-pwd",
        "ice-lite",
        "ice-options",
        "ice-mismatch",
        "ice-pacing",
        # RFC 3605, RFC 5761, RFC 8858: UDP transport
        "rtcp",
        "rtcp-mux",
        "rtcp-mux-only",
        # RFC 9143, RFC 5888: session
        "group",
        "bundle-only",
        "mid",
        # RFC 5939 offers alternatives to what the session decides
        "tcap",
        "acap",
        "pcfg",
        "acfg",
        "csup",
        "creq",
        # RFC 6947, RFC 7006, TS 29.079: other addresses, which go round us
        "altc",
        "ccap",
        "visited-realm",
        "secondary-realm",
        # RFC 4570: the addresses of one hop
        "source-filter",
        # RFC 8827: an assertion about the fingerprint
        "identity",
        # RFC 4975, RFC 6714: MSRP adapter
        "path",
        "msrp-cema",
        # RFC 8856: BFCP adapter
        "bfcpver",
        # RFC 8864, RFC 8841: data channels
        "dcmap",
        "dcsa",
        "sctp-port",
        "sctpmap",
        "max-message-size",
    }
)

#: Hop-by-hop attributes that may stand at session level and then hold for
#: every section that has none of its own.
_INHERITED = frozenset(
    {"fingerprint", "setup", "connection", "tls-id", "ice-ufrag", "ice-pwd", "ice-options", "ice-lite"}
)

#: RFC 8866 clause 6.7.  A section has one of these, or the session's.
_DIRECTIONS = frozenset({"sendrecv", "sendonly", "recvonly", "inactive"})

#: RFC 8866 clause 5: who meets another letter must not go on.
_LETTERS = frozenset("vosiuepcbtrzkam")
#: The lines that come before C{c=}.
_EARLY = frozenset("iuep")
#: Ports and numbers of ports.  Python refuses to read thousands of digits.
_NUMBER = re.compile(r"[0-9]{1,5}\Z")


#: A L{Line} of a tuple, which is half of what it costs to be made.
_newLine = Line._make


def _parseLine(value: str) -> Line:
    name, colon, rest = value.partition(":")
    # A name with a blank behind it is the same name to a lenient reader, so it
    # must be the same to us.
    return _newLine((name.strip(), rest if colon else None))


class Section:
    """
    A media section: an C{m=} line and what stands below it.

    @ivar media: C{"audio"}, C{"image"}, ...
    @ivar port: the port; 0 means rejected, unless C{a=bundle-only} stands
        below it.
    @ivar ports: the number of ports, usually 1.
    @ivar proto: the transport, in the spelling that was received.
    @ivar formats: payload types or other formats.
    @ivar address: the host to send to, from the nearest C{c=} line, or
        L{None}.
    @ivar others: C{i=} and C{b=} lines, whole.
    @ivar lines: the attributes, those inherited from the session included.
    """

    __slots__ = ("address", "formats", "lines", "media", "others", "port", "ports", "proto")

    def __init__(
        self,
        media: str,
        port: int,
        proto: str,
        formats: Iterable[str],
        *,
        ports: int = 1,
        address: str | None = None,
        others: Iterable[str] = (),
        lines: Iterable[Line] = (),
    ) -> None:
        self.media = media
        self.port = port
        self.ports = ports
        self.proto = proto
        self.formats = tuple(formats)
        self.address = address
        self.others = list(others)
        self.lines = list(lines)

    def __repr__(self) -> str:
        # No attributes: they hold keys.
        return f"<Section {self.media} {self.port} {self.proto}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Section):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    __hash__ = None  # type: ignore[assignment]

    def get(self, name: str) -> str | None:
        """
        The value of the first attribute of that name, with white space around
        it removed; C{""} if it has none; L{None} if it is absent.
        """
        for line in self.lines:
            if line.name == name:
                return (line.value or "").strip()
        return None

    def all(self, name: str) -> list[str]:
        """
        The values of all attributes of that name.
        """
        return [(line.value or "").strip() for line in self.lines if line.name == name]

    def has(self, name: str) -> bool:
        """
        Whether there is an attribute of that name.
        """
        for line in self.lines:  # noqa: SIM110 - a generator takes three times as long
            if line.name == name:
                return True
        return False

    def endToEnd(self) -> Iterator[Line]:
        """
        The attributes that may cross the gateway.
        """
        return (line for line in self.lines if line.name not in HOP_BY_HOP)

    @property
    def rejected(self) -> bool:
        """
        Whether the port is zero and means it (RFC 9143 clause 6 uses zero in
        offers of bundled sections too).
        """
        return self.port == 0 and not self.has("bundle-only")

    @property
    def direction(self) -> str:
        """
        C{"sendrecv"}, C{"sendonly"}, C{"recvonly"} or C{"inactive"}.
        """
        for line in self.lines:
            if line.name in _DIRECTIONS:
                return line.name
        return "sendrecv"


class Description:
    """
    A session description.

    @ivar origin: the C{o=} line's value.
    @ivar name: the C{s=} line's value.
    @ivar address: the session-level C{c=} line's host, or L{None}.
    @ivar others: session-level lines other than those above, C{v=}, C{c=} and
        attributes, whole and in order (C{i= u= e= p= b= t= r= z=}).
    @ivar lines: session-level attributes, as received.
    @ivar sections: the media sections.
    """

    __slots__ = ("address", "lines", "name", "origin", "others", "sections")

    def __init__(
        self,
        origin: str,
        name: str = "-",
        *,
        address: str | None = None,
        others: Iterable[str] = ("t=0 0",),
        lines: Iterable[Line] = (),
        sections: Iterable[Section] = (),
    ) -> None:
        self.origin = origin
        self.name = name
        self.address = address
        self.others = list(others)
        self.lines = list(lines)
        self.sections = list(sections)

    def get(self, name: str) -> str | None:
        """
        The value of the first session-level attribute of that name, or
        L{None}.
        """
        for line in self.lines:
            if line.name == name:
                return (line.value or "").strip()
        return None

    def bundles(self) -> list[list[str]]:
        """
        The C{mid}s of each BUNDLE group (RFC 9143 clause 5).
        """
        groups = (line.value.split() for line in self.lines if line.name == "group" and line.value)
        return [words[1:] for words in groups if words and words[0] == "BUNDLE"]

    @classmethod
    def parse(cls, text: str) -> "Description":
        """
        Read a description.

        @param text: lines that end in CRLF or, as RFC 8866 clause 5 wants of
            readers, in LF alone.

        @raise NegotiationError: this is not a description, or is above
            L{MAX_DESCRIPTION}, L{MAX_SECTIONS} or L{MAX_LINES}.
        """
        if len(text) > MAX_DESCRIPTION:
            raise NegotiationError("the description is too long")
        text = text.replace("\r\n", "\n").rstrip("\n")
        if "\r" in text or "\0" in text:
            # Others may see the end of a line there, and a line behind it.
            raise NegotiationError("the description has a control character in a line")
        raw = text.split("\n")
        if len(raw) > MAX_LINES:
            raise NegotiationError("the description has too many lines")
        if raw[0] != "v=0":
            raise NegotiationError("the description does not start with v=0")
        self = cls("", others=())
        section: Section | None = None
        lines = self.lines
        for line in raw:
            kind, value = line[:2], line[2:]
            if kind == "a=":
                lines.append(_parseLine(value))
            elif kind == "m=":
                section = _parseMedia(value)
                lines = section.lines
                self.sections.append(section)
                if len(self.sections) > MAX_SECTIONS:
                    raise NegotiationError("the description has too many media sections")
            elif kind == "c=":
                host = _parseConnection(value)
                if section is None:
                    self.address = host
                elif section.address is None:
                    section.address = host
            elif kind[1:] != "=" or kind[0] not in _LETTERS:
                raise NegotiationError("a line of the description is not of a type that there is")
            elif kind == "k=":
                pass  # RFC 8866 clause 5.12: obsolete, to be discarded.  It holds a key.
            elif section is not None:
                section.others.append(line)
            elif kind == "o=":
                self.origin = value
            elif kind == "s=":
                self.name = value
            elif kind != "v=":
                self.others.append(line)
        if len(self.origin.split()) != 6:
            raise NegotiationError("the o= line does not have six fields")
        self._inherit()
        bundled = {mid for group in self.bundles() for mid in group}
        for section in self.sections:
            if section.has("bundle-only") and section.get("mid") not in bundled:
                # RFC 9143 clause 6: to be discarded.
                section.lines = [line for line in section.lines if line.name != "bundle-only"]
        return self

    def _inherit(self) -> None:
        """
        Give to the sections what holds for all that have none of their own.
        """
        inherited = [line for line in self.lines if line.name in _INHERITED]
        if len(inherited) * len(self.sections) > MAX_LINES:
            raise NegotiationError("the description has too many lines")
        directions = [line for line in self.lines if line.name in _DIRECTIONS][:1]
        for section in self.sections:
            if section.address is None:
                section.address = self.address
            own = {line.name for line in section.lines}
            section.lines += [line for line in inherited if line.name not in own]
            if own.isdisjoint(_DIRECTIONS):
                section.lines += directions

    def serialize(self) -> str:
        """
        The text, with CRLF after each line.
        """
        out = ["v=0", "o=" + self.origin, "s=" + self.name]
        # RFC 8866 clause 5: i= u= e= p= come before c=, and b= t= r= z= after it.
        out += [line for line in self.others if line[0] in _EARLY]
        if self.address is not None:
            out.append(_connection(self.address))
        out += [line for line in self.others if line[0] not in _EARLY]
        out += map(str, self.lines)
        for section in self.sections:
            count = "" if section.ports == 1 else f"/{section.ports}"
            out.append(f"m={section.media} {section.port}{count} {section.proto} {' '.join(section.formats)}")
            out += [line for line in section.others if line[0] == "i"]
            if section.address is not None and section.address != self.address:
                out.append(_connection(section.address))
            out += [line for line in section.others if line[0] != "i"]
            out += map(str, section.lines)
        out.append("")
        return "\r\n".join(out)


def family(host: str) -> str:
    """
    C{"IP4"} or C{"IP6"}, as an address is introduced in a description.
    """
    return "IP6" if ":" in host else "IP4"


def _connection(host: str) -> str:
    return f"c=IN {family(host)} {host}"


def _parseConnection(value: str) -> str:
    words = value.split()
    if len(words) != 3 or words[0] != "IN" or words[1] not in ("IP4", "IP6"):
        raise NegotiationError("a c= line is not of the form c=IN IP4 or IP6 address")
    # A multicast address has a scope behind a slash.
    return words[2].partition("/")[0]


def _parseMedia(value: str) -> Section:
    words = value.split()
    if len(words) < 4:
        raise NegotiationError("an m= line has fewer than four fields")
    media, port, proto, *formats = words
    number, slash, count = port.partition("/")
    if not _NUMBER.match(number) or int(number) > 65535:
        raise NegotiationError("the port of an m= line is not a number below 65536")
    if slash and (not _NUMBER.match(count) or not 0 < int(count) < 65536):
        raise NegotiationError("the number of ports of an m= line is not a number")
    return Section(media, int(number), proto, formats, ports=int(count) if slash else 1)
