"""
Where a party's sections stand on the wire.

A session works on sections of which each is one medium.  On the wire, several
of them may be the data channels of one section (RFC 8864).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from e2aegw.errors import NegotiationError
from e2aegw.sansio import compose
from e2aegw.sansio.datachannel import SUBPROTOCOLS, ChannelMap, explode, isCarrier
from e2aegw.sansio.sdp import Description, Section


@dataclass(frozen=True, slots=True)
class Place:
    """
    Where a section stands.

    @ivar line: the index of its line on the wire.
    @ivar stream: the stream of its channel, if that line carries channels.
    """

    line: int
    stream: int | None = None


@dataclass(slots=True)
class Layout:
    """
    One party's order of sections, to which some are added but of which none is
    ever taken away (RFC 3264 clause 8).

    @ivar places: where each section stands.
    @ivar maps: what is known of the channel of a section, by its index.
    @ivar carriers: the sections that carry channels, as they came last, by
        their lines.
    @ivar described: how many lines the party's last description had.
    @ivar lines: how many lines there are.
    @ivar subprotocols: what channels may be.
    """

    places: list[Place] = field(default_factory=list)
    maps: dict[int, ChannelMap] = field(default_factory=dict)
    carriers: dict[int, Section] = field(default_factory=dict)
    described: int = 0
    lines: int = 0
    subprotocols: Mapping[str, tuple[str, str, str]] = field(default_factory=lambda: SUBPROTOCOLS)
    _last: dict[int, Section] = field(default_factory=dict)

    def copy(self) -> "Layout":
        """
        The same, to be changed.
        """
        return Layout(
            list(self.places),
            dict(self.maps),
            dict(self.carriers),
            self.described,
            self.lines,
            self.subprotocols,
            dict(self._last),
        )

    def add(self) -> int:
        """
        A line of its own, at the end.

        @return: the index of its section.
        """
        self.places.append(Place(self.lines))
        self.lines += 1
        return len(self.places) - 1

    def find(self, place: Place) -> int | None:
        """
        The index of the section that stands somewhere.
        """
        return self.places.index(place) if place in self.places else None

    def at(self, line: int) -> list[int]:
        """
        The indexes of the channels of a line.
        """
        return [
            index
            for index, place in enumerate(self.places)
            if place.line == line and place.stream is not None
        ]

    def explode(self, wire: Sequence[Section], *, offer: bool) -> list[Section]:
        """
        The sections of a description, by index.  Those that are not there any
        more are as if rejected.

        @param offer: whether there may be new ones.
        """
        known = {place.line for place in self.places if place.stream is not None}
        found: dict[int, Section] = {}
        for line, section in enumerate(wire):
            channels = self._channels(section)
            if channels or (line in known and isCarrier(section)):
                self.carriers[line] = section
            else:
                # An answer does not make of a line what it was not offered as.
                if offer:
                    self.carriers.pop(line, None)
                self._put(found, Place(line), section, offer)
            for channel, child in channels:
                index = self._put(found, Place(line, channel.streamID), child, offer)
                if index is not None and offer:
                    self.maps[index] = channel
        self.described = len(wire)
        self.lines = max(self.lines, len(wire)) if offer else self.lines
        absent = {
            index: compose.rejected(self._last[index])
            for index in range(len(self.places))
            if index not in found and index in self._last
        }
        self._last.update(found)
        everything = {**absent, **found}
        return [everything.get(index) or _NOTHING for index in range(len(self.places))]

    def _put(self, found: dict[int, Section], place: Place, section: Section, offer: bool) -> int | None:
        index = self.find(place)
        if index is None and offer:
            index = len(self.places)
            self.places.append(place)
        if index is not None:
            found[index] = section
        return index

    def _channels(self, section: Section) -> list[tuple[ChannelMap, Section]]:
        """
        The channels of a section, if it is one that we could carry: DTLS goes
        over UDP here, on a port of its own.
        """
        if not section.port or not isCarrier(section) or section.proto.upper().startswith("TCP/"):
            return []
        try:
            return explode(section, self.subprotocols)
        except NegotiationError:
            # Too many: none of them.
            return []


#: What was never described.
_NOTHING = Section("application", 0, "-", ("-",))


def bundleOf(description: Description) -> list[str]:
    """
    The names of the sections that are to share a transport.
    """
    groups = description.bundles()
    return groups[0] if groups else []


def inOrder(description: Description, bundled: Sequence[str]) -> list[int]:
    """
    The indexes of sections, those of a bundle first and in its order.
    """

    def rank(index: int) -> int:
        mid = description.sections[index].get("mid")
        return bundled.index(mid) if mid in bundled else len(bundled)

    return sorted(range(len(description.sections)), key=rank)
