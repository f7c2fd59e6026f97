"""
What a session knows of its parties and of each medium between them.
"""

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field

from e2aegw.errors import UsageError
from e2aegw.gateway.layout import Layout, Place
from e2aegw.gateway.pipeline import Pipeline
from e2aegw.interfaces import Apply
from e2aegw.sansio import compose
from e2aegw.sansio.datachannel import implode
from e2aegw.sansio.events import Event
from e2aegw.sansio.sdp import Description, Section, Side
from e2aegw.sansio.terms import Terms
from e2aegw.transport.bundle import Bundle
from e2aegw.transport.channel import ChannelCarrier, DataChannel


@dataclass(slots=True)
class Party:
    """
    One end of the call.

    @ivar description: the last one from this party that is in force.
    @ivar offer: its last offer, which may still be unanswered.
    @ivar sent: what it was sent last, to see what changed.
    @ivar bundle: the shared transport of its bundled sections.
    @ivar layout: where its sections stand on the wire.
    @ivar draft: the same, if the unanswered offer comes into force.
    @ivar carriers: what carries data channels, by their line.
    """

    side: Side
    description: Description | None = None
    offer: Description | None = None
    sent: list[Section] = field(default_factory=list)
    version: int | None = None
    bundle: Bundle | None = None
    layout: Layout = field(default_factory=Layout)
    draft: Layout | None = None
    carriers: dict[int, ChannelCarrier] = field(default_factory=dict)

    @property
    def now(self) -> Layout:
        """
        Where sections stand under the last offer.
        """
        return self.draft or self.layout

    def begin(self) -> None:
        """
        There is a new description, with something new to say of what several
        sections share.
        """
        if self.bundle is not None:
            self.bundle.begin()
        for line, carrier in self.carriers.items():
            carrier.section = self.now.carriers.get(line)

    def channel(
        self, place: int, make: Callable[[], ChannelCarrier], observe: Callable[[Event], None]
    ) -> DataChannel:
        """
        A data channel, on what carries all those of its line.

        @param make: makes that, if need be.
        @param observe: told of what happens to the line.

        @raise NegotiationError: its stream is in use, or the party cannot be
            reached.
        @raise ResourceError: there are no ports.
        """
        line = self.now.places[place].line
        carrier = self.carriers.get(line)
        if carrier is None or carrier.closed:
            carrier = self.carriers[line] = make()
            carrier.section = self.now.carriers[line]
            side = self.side.value
            carrier.notify = lambda event: observe(event.placed(side, line))
        return carrier.share(self.now.maps[place])

    def atLine(self, line: int, sections: Mapping[int, Section], agreed: Set[int], terms: Terms) -> Section:
        """
        What stands at a line of the description for this party.

        @param sections: by their places.
        @param agreed: the places of those that are not rejected.

        @raise UsageError: there is no section for that line.
        """
        layout = self.now
        if line not in layout.carriers:
            place = layout.find(Place(line))
            if place is None or place not in sections:
                raise UsageError("the descriptions do not have the same sections")
            return sections[place]
        wire, carrier = layout.carriers[line], self.carriers.get(line)
        children = [
            (layout.maps[place], sections[place].lines)
            for place in layout.at(line)
            if place in agreed and place in sections
        ]
        mid = wire.get("mid")
        if not children or carrier is None or carrier.closed:
            return compose.rejected(wire, mid=mid)
        host, port = carrier.dtls.localAddress
        own = [*carrier.describe(terms), *implode(children)]
        return compose.section(wire, wire.proto, (terms.mediaAddress or host, port), (), own, mid)


@dataclass(slots=True)
class Proposal:
    """
    What an offer makes of a stream.

    @ivar section: its section of the offer.
    @ivar pipeline: what will carry it, or L{None} if it is rejected.
    @ivar applies: what has to be done when the offer is in force.
    @ivar nearProto: what the leg to the offerer calls it.
    @ivar farProto: what the other leg calls it.
    @ivar requested: whether the offerer asked for protection up to the edge.
    @ivar applied: whether to tell the far party of protection up to the edge.
    @ivar mux: what to say to an offerer that wants RTP and RTCP on one port:
        C{"accept"}, C{"reject"}, or nothing: what the far party says.
    """

    section: Section
    pipeline: Pipeline | None = None
    applies: tuple[Apply, ...] = ()
    farProto: str = ""
    requested: bool = False
    applied: bool = False
    mux: Set[str] = frozenset()


@dataclass(slots=True)
class Stream:
    """
    One medium of the call.

    @ivar places: the index of its section in the description of either party.
    @ivar agreed: what is in force; L{None} if no offer with this section was
        ever answered.
    @ivar proposed: what the unanswered offer makes of it.
    @ivar protected: the parties that asked for protection up to the edge, were
        told of it, or cannot do without.
    """

    places: list[int]
    agreed: Proposal | None = None
    proposed: Proposal | None = None
    protected: set[int] = field(default_factory=set)

    @property
    def pipeline(self) -> Pipeline | None:
        """
        What carries it.
        """
        return self.agreed.pipeline if self.agreed is not None else None

    @property
    def now(self) -> Proposal:
        """
        What the last offer makes of it.
        """
        proposal = self.proposed or self.agreed
        assert proposal is not None
        return proposal

    def propose(self, proposal: Proposal) -> None:
        """
        An offer was made.
        """
        self.withdraw()
        self.proposed = proposal

    def withdraw(self) -> None:
        """
        The offer will not be answered any more.
        """
        proposed, self.proposed = self.proposed, None
        if proposed is not None and proposed.pipeline is not None and proposed.pipeline is not self.pipeline:
            proposed.pipeline.close()

    def commit(self, who: int) -> None:
        """
        The offer is in force.

        @param who: who made it.
        """
        proposed, self.proposed = self.proposed, None
        if proposed is None:
            return
        pipeline, before = proposed.pipeline, self.pipeline
        if before is not None and before is not pipeline:
            before.close()
        self.agreed = proposed
        if pipeline is not None:
            near, far = pipeline.legs[who], pipeline.legs[1 - who]
            near.proto, far.proto = proposed.section.proto, proposed.farProto
            for apply in proposed.applies:
                apply()
        proposed.applies = ()

    def refuse(self) -> None:
        """
        There is no agreement about what was offered last.
        """
        if self.proposed is None:
            self.drop()
        else:
            section = self.proposed.section
            self.withdraw()
            self.proposed = Proposal(section)

    def drop(self) -> None:
        """
        Let go of everything.
        """
        self.withdraw()
        if self.agreed is not None and self.agreed.pipeline is not None:
            pipeline, self.agreed.pipeline = self.agreed.pipeline, None
            pipeline.close()
