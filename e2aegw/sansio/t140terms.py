"""
What descriptions say of text: payload types, redundancy and the rate that its
receiver can take (RFC 4103 clause 10, RFC 2198, RFC 8865 clause 4.2).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from e2aegw.errors import NegotiationError
from e2aegw.sansio.sdp import Line, Section
from e2aegw.sansio.t140sender import MAX_GENERATIONS

#: The payload types that we offer: those that RFC 4103 has in its examples.
PLAIN, RED = 98, 100

_RATE = re.compile(r"(?:\A|[ ;])cps=([0-9]{1,9})(?![0-9])", re.IGNORECASE)
_TYPE = re.compile(r"([0-9]{1,3}) +(t140|red)/1000(?:/1)?\Z", re.IGNORECASE)
#: What the description of a channel may have (RFC 8865 clause 4.2), and of
#: text in RTP means the same.
_COMMON = frozenset({"sendrecv", "sendonly", "recvonly", "inactive", "hlang-send", "hlang-recv"})
#: What is about the packets of one hop, which end here; and multiparty text in
#: one stream, for which a channel has no words (RFC 9071 clause 2.3).
_PACKETS = frozenset(
    {
        "rtpmap",
        "fmtp",
        "ptime",
        "maxptime",
        "ssrc",
        "ssrc-group",
        "msid",
        "extmap",
        "extmap-allow-mixed",
        "rtcp-fb",
        "rtcp-rsize",
        "rtcp-xr",
        "rid",
        "simulcast",
        "rtt-mixer",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Formats:
    """
    How text is packed.

    @ivar plain: the payload type of text.
    @ivar red: that of text with redundancy, or L{None}.
    @ivar generations: how often to repeat.
    @ivar rate: characters a second that its receiver takes, if it says.
    @ivar names: the formats of the C{m=} line.
    """

    plain: int = PLAIN
    red: int | None = RED
    generations: int = 2
    rate: int | None = None
    names: tuple[str, ...] = (str(PLAIN), str(RED))

    @classmethod
    def parse(cls, section: Section, generations: int) -> "Formats":
        """
        Read a section of RTP.

        @param generations: what stands where nothing is said.

        @raise NegotiationError: it has no text.
        """
        kinds: dict[str, str] = {}
        for value in section.all("rtpmap"):
            if (found := _TYPE.match(value)) is not None and int(found[1]) < 128:
                kinds.setdefault(str(int(found[1])), found[2].lower())
        plain = next((name for name in section.formats if kinds.get(name) == "t140"), None)
        if plain is None:
            raise NegotiationError("the section has no T.140 text")
        red = next((name for name in section.formats if kinds.get(name) == "red"), None)
        rate = None
        for value in section.all("fmtp"):
            name, _, rest = value.partition(" ")
            if name == plain:
                rate = _rate(rest) if rate is None else rate
            elif name == red:
                levels = [each.strip() for each in rest.split("/")]
                if set(levels) == {plain}:
                    generations = len(levels) - 1
        return cls(
            plain=int(plain),
            red=None if red is None else int(red),
            generations=0 if red is None else min(generations, MAX_GENERATIONS),
            rate=rate,
            names=tuple(name for name in section.formats if name in (plain, red)),
        )

    def lines(self, rate: int | None) -> list[Line]:
        """
        The attributes.

        @param rate: the characters a second that we take, if that is to be
            said.
        """
        lines = [Line("rtpmap", f"{self.plain} t140/1000")]
        if rate is not None:
            lines.append(Line("fmtp", f"{self.plain} cps={rate}"))
        if self.red is not None:
            levels = "/".join([str(self.plain)] * (self.generations + 1))
            lines += [Line("rtpmap", f"{self.red} red/1000"), Line("fmtp", f"{self.red} {levels}")]
        return lines


def channelRate(section: Section) -> int | None:
    """
    What the section of a channel says of the rate.  Any other form is ignored
    (RFC 8865 clause 4.2.1).
    """
    return rateIn([line for line in section.lines if line.name == "fmtp"])


def rateIn(lines: Iterable[Line]) -> int | None:
    """
    What attributes say of the rate, of a channel or of RTP.
    """
    lines = list(lines)
    maps = (_TYPE.match((line.value or "").strip()) for line in lines if line.name == "rtpmap")
    names = {found[1] for found in maps if found is not None and found[2].lower() == "t140"} or {"t140"}
    for line in lines:
        name, _, rest = (line.value or "").strip().partition(" ")
        if line.name == "fmtp" and name.lower() in names and (rate := _rate(rest)) is not None:
            return rate
    return None


def isText(section: Section) -> bool:
    """
    Whether a section of RTP has T.140 text.
    """
    return section.media == "text" and any(
        (found := _TYPE.match(value)) is not None and found[2].lower() == "t140"
        for value in section.all("rtpmap")
    )


def receives(section: Section) -> bool:
    """
    Whether a section's party wants to hear anything.
    """
    return section.direction in ("sendrecv", "recvonly")


def crosses(line: Line, *, channel: bool) -> bool:
    """
    Whether an attribute says the same on another hop.

    @param channel: one of the two is a channel.
    """
    return line.name in _COMMON if channel else line.name not in _PACKETS


def _rate(text: str) -> int | None:
    found = _RATE.search(text)
    return int(found[1]) or None if found is not None else None
