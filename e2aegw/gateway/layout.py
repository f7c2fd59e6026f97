"""
Where a party's sections stand on the wire.

A session works on sections of which each is one medium.  On the wire, several
of them may be the data channels of one section (RFC 8864).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from e2aegw.errors import NegotiationError
from e2aegw.sansio import compose
from e2aegw.sansio.datachannel import (
    FORMAT,
    SUBPROTOCOLS,
    UNKNOWN,
    ChannelMap,
    expected,
    explode,
    isCarrier,
)
from e2aegw.sansio.sdp import Description, Section


@dataclass(frozen=True, slots=True)
class Place:
    """
    Where a section stands.

    @ivar line: the index of its line on the wire.
    @ivar stream: the stream of its channel, if that line carries channels; of
        a channel that is opened in band, the name of its subprotocol.
    """

    line: int
    stream: int | str | None = None


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

    def addCarrier(self) -> int:
        """
        A line at the end, for data channels of our own choice.

        @return: the line.
        """
        self.lines += 1
        # The discard port (RFC 8840 clause 4.1.1): nothing is known of it yet.
        self.carriers[self.lines - 1] = Section("application", _DISCARD, "UDP/DTLS/SCTP", (FORMAT,))
        return self.lines - 1

    def addChannel(self, line: int, channel: ChannelMap) -> int:
        """
        A channel more in a line.

        @return: the index of its section.
        """
        self.places.append(Place(line, channel.streamID))
        self.maps[len(self.places) - 1] = channel
        return len(self.places) - 1

    def mid(self, index: int, section: Section) -> str | None:
        """
        The name of a section, or of the line that carries its channel.
        """
        place = self.places[index]
        if place.stream is None:
            return section.get("mid")
        carrier = self.carriers.get(place.line)
        return None if carrier is None else carrier.get("mid")

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

    def explode(self, wire: Sequence[Section], *, offer: bool, awaited: Iterable[str] = ()) -> list[Section]:
        """
        The sections of a description, by index.  Those that are not there any
        more are as if rejected.

        @param offer: whether there may be new ones.
        @param awaited: the subprotocols of channels that the party may open in
            band, if it offers to carry any.
        """
        known = {place.line for place in self.places if place.stream is not None}
        found: dict[int, Section] = {}
        for line, section in enumerate(wire):
            channels = self._channels(section)
            inBand = self._awaited(line, section, channels, awaited if offer else ())
            channels += inBand
            if channels or (line in known and isCarrier(section)):
                self.carriers[line] = section
            else:
                # An answer does not make of a line what it was not offered as.
                if offer:
                    self.carriers.pop(line, None)
                self._put(found, Place(line), section, offer)
            for channel, child in channels:
                stream = channel.subprotocol if channel.streamID == UNKNOWN else channel.streamID
                index = self._put(found, Place(line, stream), child, offer)
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

    def _awaited(
        self,
        line: int,
        section: Section,
        mapped: Sequence[tuple[ChannelMap, Section]],
        awaited: Iterable[str],
    ) -> list[tuple[ChannelMap, Section]]:
        """
        The channels of a line that may be opened in band.
        """
        if not _carries(section):
            return []
        known = [place.stream for place in self.places if place.line == line]
        names = dict.fromkeys([*(each for each in known if isinstance(each, str)), *awaited])
        for channel, _ in mapped:
            names.pop(channel.subprotocol.lower(), None)
        return [
            (ChannelMap(streamID=UNKNOWN, subprotocol=name), _reachable(expected(name, section), section))
            for name in names
        ]

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
        The channels that a section describes.
        """
        if not _carries(section):
            return []
        try:
            found = explode(section, self.subprotocols)
        except NegotiationError:
            # Too many: none of them.
            return []
        return [(channel, _reachable(child, section)) for channel, child in found]


#: What was never described.
_NOTHING = Section("application", 0, "-", ("-",))


#: The port that means none.
_DISCARD = 9
#: The addresses that mean none, where ICE finds them.
_NOWHERE = ("0.0.0.0", "::")


def _carries(section: Section) -> bool:
    """
    Whether we could carry the channels of a section: DTLS goes over UDP here.
    """
    return not section.rejected and isCarrier(section) and not section.proto.upper().startswith("TCP/")


def _reachable(child: Section, section: Section) -> Section:
    """
    A channel's section, which is neither rejected nor on hold because the one
    that carries it says no address yet: it may be in a bundle (RFC 9143 clause
    6), or leave that to ICE.
    """
    child.port = child.port or _DISCARD
    if child.address in _NOWHERE and section.has("ice-ufrag"):
        child.address = None
    return child


def bundleOf(description: Description) -> list[str]:
    """
    The names of the sections that are to share a transport.
    """
    groups = description.bundles()
    return groups[0] if groups else []


def inOrder(sections: Sequence[Section], layout: Layout, bundled: Sequence[str]) -> list[int]:
    """
    The indexes of sections, those of a bundle first and in its order.
    """

    def rank(index: int) -> int:
        mid = layout.mid(index, sections[index])
        return bundled.index(mid) if mid in bundled else len(bundled)

    return sorted(range(len(sections)), key=rank)
