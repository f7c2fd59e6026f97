"""
What a session knows of its parties and of each medium between them.
"""

from collections.abc import Set
from dataclasses import dataclass, field

from e2aegw.gateway.pipeline import Pipeline
from e2aegw.interfaces import Apply
from e2aegw.sansio.sdp import Description, Section, Side
from e2aegw.transport.bundle import Bundle


@dataclass(slots=True)
class Party:
    """
    One end of the call.

    @ivar description: the last one from this party that is in force.
    @ivar offer: its last offer, which may still be unanswered.
    @ivar sent: what it was sent last, to see what changed.
    @ivar bundle: the shared transport of its bundled sections.
    """

    side: Side
    description: Description | None = None
    offer: Description | None = None
    sent: list[Section] = field(default_factory=list)
    version: int | None = None
    bundle: Bundle | None = None


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
