"""
What a session knows of its parties and of each medium between them.
"""

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field

from e2aegw.errors import NegotiationError, UsageError
from e2aegw.gateway.layout import Layout, Place
from e2aegw.gateway.pipeline import Pipeline
from e2aegw.interfaces import Apply
from e2aegw.sansio import compose
from e2aegw.sansio.datachannel import UNKNOWN, ChannelMap, implode, subprotocol
from e2aegw.sansio.events import Event
from e2aegw.sansio.sctp.settings import MAX_STREAMS
from e2aegw.sansio.sdp import Description, Section, Side
from e2aegw.sansio.terms import ICE, Kind, Terms
from e2aegw.transport.bundle import Bundle, BundleRecords
from e2aegw.transport.channel import ChannelCarrier
from e2aegw.transport.datachannel import DataChannel


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
    @ivar folding: what carries those that we are about to offer, as long as it
        has no line.
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
    folding: ChannelCarrier | None = None

    @property
    def now(self) -> Layout:
        """
        Where sections stand under the last offer.
        """
        return self.draft or self.layout

    def line(self, place: int) -> int:
        """
        The line on the wire where a section stands.
        """
        return self.now.places[place].line

    def settle(self) -> None:
        """
        The last offer is in force.
        """
        self.layout, self.draft = self.now, None

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
            carrier = self.carriers[line] = self._watched(make(), observe)
            carrier.section = self.now.carriers[line]
        try:
            return carrier.share(self.now.maps[place])
        except NegotiationError:
            if not carrier.shares:
                carrier.loseConnection()
            raise

    def fold(
        self, proto: str, make: Callable[[], ChannelCarrier], observe: Callable[[Event], None]
    ) -> DataChannel:
        """
        A data channel of our own choice, for what the other party calls
        something else.  The session finds a L{place} for it.

        @param proto: what is spoken in it, as a proto.

        @raise NegotiationError: there is no stream for it.
        @raise ResourceError: there are no ports.
        """
        layout = self.now
        carriers = ((line, self.carriers.get(line)) for line in layout.carriers)
        carrier = next((each for _, each in carriers if each is not None and not each.closed), self.folding)
        if carrier is None or carrier.closed:
            carrier = self.folding = self._watched(make(), observe)
        # RFC 8831 clause 6.5: whose the even ones are is not known before the
        # answer; nobody opens channels in band that both know of.
        used = {place.stream for place in layout.places} | carrier.streams
        stream = next((each for each in range(0, MAX_STREAMS, 2) if each not in used), None)
        if stream is None:
            raise NegotiationError("there is no stream for another data channel")
        name = subprotocol(proto, layout.subprotocols)
        return carrier.share(ChannelMap(streamID=stream, label=name, subprotocol=name))

    def place(self, transport: object) -> int:
        """
        Where a new section goes: in a line of its own, at the end; or, if it
        is a channel, in the line that carries it.

        @param transport: that of its leg, or L{None}.
        """
        layout = self.now
        if not isinstance(transport, DataChannel):
            return layout.add()
        line = self._lineOf(transport.carrier)
        if line < 0:
            # One that was refused altogether may be used again.
            free = (each for each in layout.carriers if self._isFree(each))
            found = next(free, None)
            line = layout.addCarrier() if found is None else found
            self.carriers[line], self.folding = transport.carrier, None
        return layout.addChannel(line, transport.map)

    def _isFree(self, line: int) -> bool:
        carrier = self.carriers.get(line)
        return carrier is None or carrier.closed

    def _lineOf(self, carrier: ChannelCarrier) -> int:
        return next((line for line, each in self.carriers.items() if each is carrier), -1)

    def _watched(self, carrier: ChannelCarrier, observe: Callable[[Event], None]) -> ChannelCarrier:
        """
        Have somebody told of what happens to a carrier.
        """
        side = self.side.value
        carrier.notify = lambda event: observe(event.placed(side, self._lineOf(carrier)))
        return carrier

    def bundledLines(self) -> list[str]:
        """
        The names of the lines that carry channels in the bundle.
        """
        return [
            mid
            for line, carrier in self.carriers.items()
            if not carrier.closed
            and self.bundle is not None
            and carrier.dtls in self.bundle.streams
            and line in self.now.carriers
            and (mid := self.now.carriers[line].get("mid")) is not None
        ]

    def shareBundle(self, bundle: Bundle, mid: str) -> BundleRecords:
        """
        A share of a bundle for data channels; if none is left, the bundle is
        not kept.

        @raise NegotiationError: there cannot be one.
        """
        try:
            return bundle.addRecords(mid)
        except NegotiationError:
            if not bundle.streams:
                bundle.transport.loseConnection()
            raise

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
        places = [place for place in layout.at(line) if place in agreed and place in sections]
        # RFC 8864 clause 6: what is opened in band is not described.
        children = [
            (layout.maps[place], sections[place].lines)
            for place in places
            if layout.maps[place].streamID != UNKNOWN
        ]
        mid = wire.get("mid")
        if not places or carrier is None or carrier.closed:
            return compose.rejected(wire, mid=mid)
        host, port = carrier.dtls.localAddress
        if terms.kind is Kind.OFFER and terms.ice in (ICE.DEFAULT, ICE.OFFERED) and not wire.lines:
            # Whoever has data channels has ICE, though it has not said so yet.
            terms = terms.but(ice=ICE.FORCE)
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
