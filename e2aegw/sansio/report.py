"""
How a call stands: the numbers behind ng's C{query} and the demonstration page.
"""

from dataclasses import dataclass, field

from e2aegw.sansio.events import Event
from e2aegw.sansio.sdp import Side


@dataclass(slots=True, kw_only=True)
class StreamReport:
    """
    One UDP port or stream connection.

    @ivar local: our address.
    @ivar endpoint: where we send, or L{None}.
    @ivar advertised: the address from the description, or L{None}.
    @ivar suite: the SRTP suite, by its SDES name, or C{""}.
    @ivar lastPacket: when something arrived last, in seconds since 1970, or 0.
    @ivar flags: in rtpengine's words.
    @ivar ssrcs: the sources heard.
    @ivar packets, octets, errors: received.
    @ivar counters: everything else that was counted.
    """

    local: tuple[str, int]
    endpoint: tuple[str, int] | None = None
    advertised: tuple[str, int] | None = None
    control: bool = False
    suite: str = ""
    lastPacket: float = 0.0
    flags: list[str] = field(default_factory=list)
    ssrcs: list[int] = field(default_factory=list)
    packets: int = 0
    octets: int = 0
    errors: int = 0
    counters: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class MediaReport:
    """
    One media section of a party.

    @ivar index: from 1, as in rtpengine's replies.
    """

    index: int
    media: str
    proto: str
    flags: list[str] = field(default_factory=list)
    streams: list[StreamReport] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class PartyReport:
    """
    One of the two parties.
    """

    side: Side
    medias: list[MediaReport] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class SessionReport:
    """
    A call: who made the first offer, and who answered it.

    @ivar created, lastSignal: seconds since 1970.
    @ivar events: what happened last, and when, in seconds since 1970.
    """

    created: float
    lastSignal: float
    parties: tuple[PartyReport, PartyReport]
    events: list[tuple[float, Event]] = field(default_factory=list)
