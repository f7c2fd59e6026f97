"""
What a session description means, apart from the addresses, ports, keys and
names in it that every media gateway makes up for itself.

Written apart from the gateway's own parser.
"""

import re
from dataclasses import dataclass, fields
from typing import NamedTuple

#: Attributes of one hop.  What they mean is in other fields; their values are
#: the media gateway's own.
HOP_BY_HOP = frozenset(
    [
        "acfg",
        "acap",
        "bundle-only",
        "candidate",
        "connection",
        "creq",
        "crypto",
        "csup",
        "end-of-candidates",
        "fingerprint",
        "group",
        "ice-lite",
        "ice-mismatch",
        "ice-options",
        "ice-pacing",
        "ice-pwd",
        "ice-ufrag",
        "mid",
        "pcfg",
        "remote-candidates",
        "rtcp",
        "rtcp-mux",
        "rtcp-mux-only",
        "setup",
        "tcap",
        "tls-id",
        "3ge2ae",
    ]
)
#: Attributes that have a field of their own.
DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")
#: The names of payload types that need no C{rtpmap} (RFC 3551).
STATIC = {"0": "PCMU/8000", "3": "GSM/8000", "8": "PCMA/8000", "9": "G722/8000", "18": "G729/8000"}

_SDES = re.compile(r"(\d+) (\S+) inline:\S+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """
    What a media section means.

    @ivar media: C{"audio"}, ...
    @ivar rejected: whether there is no stream at all; nothing else of it
        means anything then.
    @ivar security: C{"plain"}, C{"SDES"}, C{"DTLS"}, or a proto that is none
        of RTP's.
    @ivar feedback: whether the profile is AVPF.
    @ivar codecs: payload types and what they are, best first.
    @ivar direction: C{"sendrecv"}, ...
    @ivar multiplexed: whether RTCP comes on the RTP port.
    @ivar rtcp: where RTCP comes, if that is said: C{"same"} for the port of
        RTP, or C{"other"}.
    @ivar ice: C{"none"}, C{"lite"} or C{"full"}.
    @ivar setup: the DTLS role, or L{None}.
    @ivar suites: tags and names of SDES's suites.
    @ivar family: C{"IP4"} or C{"IP6"}.
    @ivar held: whether the address is the zero address (RFC 2543's hold).
    @ivar identified: whether there is an C{a=mid}.
    @ivar crossed: attributes and bandwidths that are not one hop's.
    """

    media: str
    rejected: bool
    security: str
    feedback: bool
    codecs: tuple[str, ...]
    direction: str
    multiplexed: bool
    rtcp: str | None
    ice: str
    setup: str | None
    suites: tuple[str, ...]
    family: str
    held: bool
    identified: bool
    crossed: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """
    What a description means.

    @ivar user: who made it, from the C{o=} line.
    @ivar name: the C{s=} line.
    @ivar bundled: whether there is a BUNDLE group of more than one.
    @ivar crossed: session-level attributes that are not one hop's.
    @ivar streams: the media.
    """

    user: str
    name: str
    bundled: bool
    crossed: frozenset[str]
    streams: tuple[Stream, ...]


class Difference(NamedTuple):
    """
    Something that two descriptions do not both mean.

    @ivar stream: which media section, or L{None} for the session.
    @ivar field: what, by its name in L{Stream} or L{Meaning}.
    @ivar ours: what the first says.
    @ivar theirs: what the second says.
    @ivar here: the first's media section.
    @ivar there: the second's media section.
    """

    stream: int | None
    field: str
    ours: object
    theirs: object
    here: Stream | None = None
    there: Stream | None = None

    def __str__(self) -> str:
        where = "session" if self.stream is None else f"stream {self.stream}"
        if isinstance(self.ours, frozenset) and isinstance(self.theirs, frozenset):
            only = sorted(self.ours - self.theirs), sorted(self.theirs - self.ours)
            return f"{where}: {self.field}: {only[0]} against {only[1]}"
        return f"{where}: {self.field}: {self.ours} against {self.theirs}"


def _values(lines: list[str], name: str) -> list[str]:
    return [line.partition(":")[2] for line in lines if line.partition(":")[0] == name]


def _crossed(lines: list[str]) -> frozenset[str]:
    skipped = HOP_BY_HOP.union(DIRECTIONS, ("rtpmap",))
    return frozenset(line.strip() for line in lines if line.partition(":")[0] not in skipped)


def _aboutOthers(line: str, formats: list[str]) -> bool:
    # Whether a line is about a payload type that the m= line does not have.
    name, _, value = line.partition(":")
    return name in ("fmtp", "rtcp-fb") and value.split()[0] not in (*formats, "*")


def _codec(format: str, maps: dict[str, str]) -> str:
    # One channel is what nothing said means (RFC 8866 clause 6.6).
    return f"{format} {maps.get(format, STATIC.get(format, '?')).removesuffix('/1')}"


def _security(proto: str, attributes: list[str]) -> str:
    if proto.startswith("UDP/TLS/RTP/"):
        return "DTLS"
    if proto.startswith("RTP/SAVP"):
        return "SDES"
    if proto.startswith("RTP/AVP"):
        # RFC 8643 and TS 34.229-1 have terminals that say so and mean SRTP.
        return "plain with keys" if _values(attributes, "crypto") else "plain"
    return proto


def _stream(lines: list[str], session: list[str]) -> Stream:
    media, port, proto, *formats = lines[0][2:].split()
    own = [line[2:].strip() for line in lines[1:] if line.startswith("a=")]
    names = {line.partition(":")[0] for line in own}
    inherited = [line for line in session if line.partition(":")[0] not in names]
    attributes = own + inherited
    maps = {value.split()[0]: value.split()[1] for value in _values(own, "rtpmap")}
    connection = next((line for line in lines if line.startswith("c=")), None)
    directions = [line for line in attributes if line in DIRECTIONS]
    if "ice-ufrag" not in {line.partition(":")[0] for line in attributes}:
        ice = "none"
    else:
        ice = "lite" if "ice-lite" in attributes else "full"
    words = connection.split() if connection else ["c=IN", "none", "none"]
    return Stream(
        media=media,
        rejected=port == "0" and "bundle-only" not in own,
        security=_security(proto, attributes),
        feedback=proto.endswith("AVPF"),
        codecs=tuple(_codec(format, maps) for format in formats),
        direction=directions[0] if directions else "sendrecv",
        multiplexed="rtcp-mux" in own,
        rtcp=next(("same" if value.split()[0] == port else "other" for value in _values(own, "rtcp")), None),
        ice=ice,
        setup=next(iter(_values(attributes, "setup")), None),
        suites=tuple(" ".join(m.groups()) for m in map(_SDES.match, _values(attributes, "crypto")) if m),
        family=words[1],
        held=words[2] in ("0.0.0.0", "::"),
        identified=bool(_values(own, "mid")),
        crossed=_crossed([line for line in own if not _aboutOthers(line, formats)])
        | frozenset(line for line in lines if line.startswith("b=")),
    )


def meaning(sdp: str) -> Meaning:
    """
    What a description means.
    """
    parts: list[list[str]] = [[]]
    for line in sdp.replace("\r\n", "\n").rstrip("\n").split("\n"):
        if line.startswith("m="):
            parts.append([])
        parts[-1].append(line)
    session, *sections = parts
    attributes = [line[2:].strip() for line in session if line.startswith("a=")]
    connection = [line for line in session if line.startswith("c=")]
    values = {line[:2]: line[2:] for line in session}
    return Meaning(
        user=values["o="].split()[0],
        name=values["s="],
        bundled=any(len(group.split()) > 2 for group in _values(attributes, "group")),
        crossed=_crossed(attributes),
        streams=tuple(_stream(section + connection, attributes) for section in sections),
    )


def differences(ours: Meaning, theirs: Meaning) -> list[Difference]:
    """
    What two descriptions do not both mean.
    """
    found = []
    for field in ("user", "name", "bundled", "crossed"):
        a, b = getattr(ours, field), getattr(theirs, field)
        if a != b:
            found.append(Difference(None, field, a, b))
    if len(ours.streams) != len(theirs.streams):
        found.append(Difference(None, "streams", len(ours.streams), len(theirs.streams)))
    for index, (here, there) in enumerate(zip(ours.streams, theirs.streams, strict=False)):
        if here.rejected and there.rejected:
            continue
        for each in fields(Stream):
            a, b = getattr(here, each.name), getattr(there, each.name)
            if a != b:
                found.append(Difference(index, each.name, a, b, here, there))
    return found
