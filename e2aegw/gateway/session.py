"""
One call: its offers, answers and pipelines.

An answer is an offer that goes the other way, and so there is one path for
both: a section of the I{near} party's description configures the near leg of
its stream, and the I{far} leg describes itself in the section that the far
party gets.
"""

from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import Logger
from zope.interface import implementer

from e2aegw.errors import GatewayError, NegotiationError, ResourceError, UsageError
from e2aegw.gateway.pipeline import ENDED, Leg, Pipeline
from e2aegw.gateway.reporting import reportMedia
from e2aegw.interfaces import Apply, IDatapath, ISession
from e2aegw.sansio import compose
from e2aegw.sansio.e2ae import Decision, Protection, decide, inferSides, protection, requested
from e2aegw.sansio.events import Event, LineRefused
from e2aegw.sansio.report import PartyReport, SessionReport
from e2aegw.sansio.sdp import Description, Line, Section, Side, family
from e2aegw.sansio.terms import ICE, Kind, Terms
from e2aegw.transport.bundle import Bundle, BundleStream

_DEFAULT = Terms()
#: What an offer's terms mean for its answer: who hides multiplexing from the
#: far party does it for the near one.
_MUX = {"accept": "accept", "demux": "accept", "reject": "reject"}


class Workshop(Protocol):
    """
    What a session needs of its gateway: parts for legs.
    """

    datapath: IDatapath | None
    appliedInAnswers: bool

    def choose(
        self, section: Section, near: Side, far: Side, decision: Decision
    ) -> tuple[Any, str, Any, str]:
        """
        The factory and the kind of transport for the near leg, and for the
        far leg.

        @raise NegotiationError: no route has both.
        """

    def transport(
        self, kind: str, side: Side, version: int | None, terms: Terms, *, strict: bool = False
    ) -> Any:
        """
        Build a transport.

        @param version: the version of IP, or L{None} for the side's first.
        @param strict: no other version will do.

        @raise NegotiationError: the side has no address of that version.
        @raise ResourceError: there are no ports.
        """

    def address(self, side: Side, version: int | None) -> str:
        """
        Our address on a side, as descriptions say it.
        """

    def seconds(self) -> float:
        """
        The time of day, in seconds since 1970.
        """

    def sessionHappened(self, session: "Session", event: Event) -> None:
        """
        Something happened in a session.
        """

    def sessionClosed(self, session: "Session") -> None:
        """
        A session ended.
        """


@dataclass(slots=True)
class Party:
    """
    One end of the call.

    @ivar description: the last one from this party.
    @ivar sent: what it was sent last, to see what changed.
    @ivar bundle: the shared transport of its bundled sections.
    """

    side: Side
    description: Description | None = None
    sent: list[Section] = field(default_factory=list)
    version: int | None = None
    bundle: Bundle | None = None


@dataclass(slots=True)
class Stream:
    """
    One medium of the call.

    @ivar places: the index of its section in the description of either party.
    @ivar offered: its section of the last offer.
    @ivar pipeline: L{None} while it is rejected.
    @ivar requested: whether the offerer asked for protection up to the edge.
    @ivar applied: whether to tell the far party of protection up to the edge.
    @ivar mux: what to say to an offerer that wants RTP and RTCP on one port:
        C{"accept"}, C{"reject"}, or nothing: what the far party says.
    """

    places: list[int]
    offered: Section
    pipeline: Pipeline | None = None
    requested: bool = False
    applied: bool = False
    mux: Set[str] = frozenset()


@implementer(ISession)
class Session:
    """
    One call between two parties, of which the first made the first offer.

    @ivar signals: how many offers and answers there were.
    """

    _log = Logger()

    def __init__(self, label: str, workshop: Workshop) -> None:
        self.label = label
        self.created = self.lastSignal = workshop.seconds()
        self.parties: tuple[Party, Party] | None = None
        self.streams: list[Stream] = []
        self.signals = 0
        self.closed = False
        self._workshop = workshop
        self._offerer = 0
        # What the UE agreed to at registration, as far as the controller said.
        self._agreed: Set[str] | None = None
        self._last: dict[Kind, tuple[object, str]] = {}
        self._waiting: list[Deferred[None]] = []

    # ISession

    def offer(
        self, sdp: str, side: Side | None = None, terms: Terms = _DEFAULT, answerer: bool = False
    ) -> Deferred[str]:
        """
        See L{ISession}.
        """
        if terms.kind is not Kind.OFFER:
            terms = replace(terms, kind=Kind.OFFER)
        return self._do(
            (sdp, side, terms, answerer), terms, lambda: self._offer(sdp, side, terms, int(answerer))
        )

    def answer(self, sdp: str, terms: Terms = _DEFAULT) -> Deferred[str]:
        """
        See L{ISession}.
        """
        if terms.kind is not Kind.ANSWER:
            terms = replace(terms, kind=Kind.ANSWER)
        return self._do((sdp, terms), terms, lambda: self._answer(sdp, terms))

    def report(self) -> SessionReport:
        """
        See L{ISession}.
        """
        self.packets()
        reports = []
        for which in (0, 1):
            side = self.parties[which].side if self.parties is not None else Side.ACCESS
            medias = [
                reportMedia(stream.places[which] + 1, stream.offered, stream.pipeline.legs[which])
                for stream in self.streams
                if stream.pipeline is not None
            ]
            reports.append(PartyReport(side=side, medias=medias))
        return SessionReport(
            created=self.created, lastSignal=self.lastSignal, parties=(reports[0], reports[1])
        )

    def whenClosed(self) -> Deferred[None]:
        """
        See L{ISession}.
        """
        if self.closed:
            return succeed(None)
        waiting: Deferred[None] = Deferred()
        self._waiting.append(waiting)
        return waiting

    def close(self) -> None:
        """
        See L{ISession}.
        """
        if self.closed:
            return
        self.closed = True
        self._dropAll()
        self._last.clear()
        self._workshop.sessionClosed(self)
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(None)

    def packets(self) -> int:
        """
        How many packets arrived on any line so far.
        """
        total, now = 0, self._workshop.seconds()
        for stream in self.streams:
            if stream.pipeline is not None:
                stream.pipeline.collect()
                total += sum(leg.look(now) for leg in stream.pipeline.legs)
        return total

    @property
    def answered(self) -> bool:
        """
        Whether any offer was ever answered.
        """
        return self.parties is not None and None not in (party.description for party in self.parties)

    @property
    def silent(self) -> bool:
        """
        Whether the parties agreed to send less than both could: on hold.
        """
        descriptions = [party.description for party in self.parties or ()]
        sections = [each for one in descriptions if one is not None for each in one.sections]
        return any(each.direction != "sendrecv" or each.address in ("0.0.0.0", "::") for each in sections)

    # Offer and answer

    def _do(self, key: object, terms: Terms, work: Callable[[], str]) -> Deferred[str]:
        if self.closed:
            return fail(UsageError("the session is closed"))
        self.lastSignal = self._workshop.seconds()
        self.signals += 1
        last = self._last.get(terms.kind)
        if last is not None and last[0] == key:
            return succeed(last[1])
        try:
            result = work()
        except GatewayError as e:
            return fail(e)
        if self.closed:
            # By an observer, in the middle of it.
            self._dropAll()
            return fail(UsageError("the session was closed"))
        if terms.kind is Kind.OFFER:
            self._last.clear()
        self._last[terms.kind] = (key, result)
        for stream in self.streams:
            if stream.pipeline is not None:
                stream.pipeline.tryOffload()
        return succeed(result)

    def _offer(self, sdp: str, side: Side | None, terms: Terms, who: int) -> str:
        description = Description.parse(sdp)
        near, far = self._parties(description, side, terms, who)
        if terms.e2ae is not None:
            self._agreed = terms.e2ae
        # Phase one may refuse, and then nothing has changed.
        built: list[Stream] = []
        applies: list[tuple[Stream, Section, Apply | None]] = []
        groups = description.bundles()
        bundled = set(groups[0]) if groups else set()
        try:
            for index, section in enumerate(description.sections):
                stream = self._find(who, index)
                if stream is None:
                    places = [index, len(self.streams)] if who == 0 else [len(self.streams), index]
                    stream = Stream(places, section)
                    self.streams.append(stream)
                    built.append(stream)
                applies.append(
                    (stream, section, self._prepare(stream, section, near, far, terms, who, bundled))
                )
        except ResourceError:
            for stream in built:
                self._drop(stream)
                self.streams.remove(stream)
            raise
        for stream, section, apply in applies:
            stream.offered = section
            if apply is None:
                self._drop(stream)
            else:
                apply()
        for stream in self.streams:
            if stream.places[who] >= len(description.sections):
                self._drop(stream)
        self._offerer = who
        near.description = description
        return self._describe(description, who, terms)

    def _answer(self, sdp: str, terms: Terms) -> str:
        if self.parties is None:
            raise UsageError("an answer without an offer")
        description = Description.parse(sdp)
        who = 1 - self._offerer
        for stream in self.streams:
            pipeline = stream.pipeline
            if pipeline is None:
                continue
            place = stream.places[who]
            if place >= len(description.sections) or description.sections[place].rejected:
                self._refuse(stream, "rejected by the answer")
                continue
            section, leg = description.sections[place], pipeline.legs[who]
            try:
                applies = [part.configure(section, terms) for part in (leg.transport, leg.adapter)]
            except NegotiationError as e:
                self._refuse(stream, str(e))
                continue
            for apply in applies:
                apply()
        self.parties[who].description = description
        return self._describe(description, who, terms)

    def _parties(
        self, description: Description, side: Side | None, terms: Terms, who: int
    ) -> tuple[Party, Party]:
        if self.parties is None:
            if who:
                raise UsageError("the first offer cannot come from who answers it")
            near, far = inferSides(description, terms)
            if side is not None:
                near, far = side, side.other
            self.parties = Party(near), Party(terms.far or far)
        return self.parties[who], self.parties[1 - who]

    def _find(self, who: int, index: int) -> Stream | None:
        for stream in self.streams:
            if stream.places[who] == index:
                return stream
        return None

    def _prepare(
        self,
        stream: Stream,
        section: Section,
        near: Party,
        far: Party,
        terms: Terms,
        who: int,
        bundled: set[str],
    ) -> Apply | None:
        """
        See whether a section of an offer can be agreed to, building what it
        needs.

        @return: what applies it, or L{None} if it is rejected.

        @raise ResourceError: there are no ports.
        """
        if section.rejected:
            return None
        try:
            # A line that is added later is one of the same UE, whoever adds it.
            known = terms if terms.e2ae == self._agreed else replace(terms, e2ae=self._agreed)
            decision = decide(section, near.side, far.side, known)
            pipeline = stream.pipeline
            if pipeline is not None and not self._serves(pipeline, stream, section, decision, terms, who):
                self._drop(stream)
                pipeline = None
            if pipeline is None:
                pipeline = self._build(stream, section, near, far, decision, terms, who, bundled)
            stream.requested = near.side is Side.ACCESS and requested(section)
            stream.applied = decision.applied and pipeline.legs[1 - who].protection is Protection.SDES
            stream.mux = {_MUX[word] for word in terms.rtcpMux & _MUX.keys()}
            leg = pipeline.legs[who]
            applies = [part.configure(section, terms) for part in (leg.transport, leg.adapter)]
        except NegotiationError as e:
            self._happened(LineRefused(side=near.side.value, line=stream.places[who], reason=str(e)))
            return None

        def apply() -> None:
            for each in applies:
                each()

        return apply

    def _serves(
        self, pipeline: Pipeline, stream: Stream, section: Section, decision: Decision, terms: Terms, who: int
    ) -> bool:
        """
        Whether a pipeline can go on under a new offer.
        """
        if section.media != stream.offered.media:
            return False
        if decision.endToEnd != (pipeline.medium == "sealed"):
            return False
        near, far = pipeline.legs[who], pipeline.legs[1 - who]
        same = protection(section) is near.protection
        # Without a wish for the far party, it keeps what it has.
        wish = terms.transportProtocol or terms.e2ae
        return same and (not wish or _protectionOf(decision.proto) is far.protection)

    def _build(
        self,
        stream: Stream,
        section: Section,
        near: Party,
        far: Party,
        decision: Decision,
        terms: Terms,
        who: int,
        bundled: set[str],
    ) -> Pipeline:
        nearFactory, nearKind, farFactory, farKind = self._workshop.choose(
            section, near.side, far.side, decision
        )
        nearAdapter = nearFactory.buildAdapter(section.proto)
        farAdapter = farFactory.buildAdapter(decision.proto)
        version = None if section.address is None else (6 if family(section.address) == "IP6" else 4)
        mid = section.get("mid")
        nearTransport = None
        try:
            if mid is not None and mid in bundled:
                nearTransport = self._share(near, mid, nearKind, version, terms)
            else:
                nearTransport = self._workshop.transport(nearKind, near.side, version, terms)
            # Nobody has to translate between versions of IP who need not.
            asked = terms.addressFamily
            farTransport = self._workshop.transport(
                farKind, far.side, asked or version, terms, strict=asked is not None
            )
        except GatewayError:
            for adapter in (nearAdapter, farAdapter):
                adapter.connectionLost(ENDED)
            if nearTransport is not None:
                nearTransport.loseConnection()
            raise
        nearLine, farLine = stream.places[who], stream.places[1 - who]
        farProtection = _protectionOf(decision.proto)
        legs = [
            Leg(nearAdapter, nearTransport, section.proto, protection(section), nearLine, near.side),
            Leg(farAdapter, farTransport, decision.proto, farProtection, farLine, far.side),
        ]
        if who:
            legs.reverse()
        stream.pipeline = Pipeline((legs[0], legs[1]), self._happened, self._workshop.datapath)
        return stream.pipeline

    def _share(self, near: Party, mid: str, kind: str, version: int | None, terms: Terms) -> BundleStream:
        if near.bundle is None or not near.bundle.streams:
            near.bundle = Bundle(self._workshop.transport(kind, near.side, version, terms))
        return near.bundle.add(mid)

    def _describe(self, description: Description, who: int, terms: Terms) -> str:
        """
        The description for the party that is not C{who}.
        """
        assert self.parties is not None
        far = self.parties[1 - who]
        sections: dict[int, Section] = {}
        lite = fromWebRTC = False
        for stream in self.streams:
            place = stream.places[1 - who]
            mid = self._mid(stream, 1 - who)
            if stream.pipeline is not None:
                near, leg = stream.pipeline.legs[who], stream.pipeline.legs[1 - who]
                section = description.sections[stream.places[who]]
                try:
                    own = self._own(stream, near, leg, section, terms)
                except NegotiationError as e:
                    self._refuse(stream, str(e))
                else:
                    browser = near.protection is Protection.DTLS and leg.protection is not Protection.DTLS
                    sections[place] = self._section(section, leg, own, browser, terms, mid)
                    lite = lite or leg.transport.lite
                    fromWebRTC = fromWebRTC or browser
                    continue
            sections[place] = self._rejection(stream, mid)
        if sorted(sections) != list(range(len(sections))):
            raise UsageError("the descriptions do not have the same sections")
        ordered = [sections[place] for place in range(len(sections))]
        bundle: list[str] = []
        if terms.kind is Kind.ANSWER and far.bundle is not None:
            bundle = [stream.mid for stream in far.bundle.streams]
        address = next((each.address for each in ordered if each.address is not None), None)
        if address is None:
            address = terms.mediaAddress or self._workshop.address(far.side, terms.addressFamily)
        result = compose.description(
            description,
            address,
            ordered,
            terms,
            lite=lite,
            version=self._version(far, ordered, terms),
            bundle=bundle,
            fromWebRTC=fromWebRTC,
        )
        far.sent = ordered
        return result.serialize()

    def _own(self, stream: Stream, near: Leg, leg: Leg, section: Section, terms: Terms) -> list[Line]:
        """
        What the far leg says of itself.
        """
        mux, ice = terms.rtcpMux, terms.ice
        if terms.kind is Kind.OFFER:
            browser = leg.protection is Protection.DTLS and "webrtc" in (self._agreed or ())
            # RFC 5761 clause 5.1.1: multiplexing is passed on unless somebody
            # says otherwise; ICE ends where protection does.
            if browser or (not mux & {"demux", "offer", "require"} and section.has("rtcp-mux")):
                mux = mux | {"offer"}
            if ice is ICE.DEFAULT:
                same = near.protection is leg.protection and section.has("ice-ufrag")
                ice = ICE.FORCE if same or browser else ICE.REMOVE
        else:
            mux = mux | stream.mux
            if near.transport.muxed:
                mux = mux | {"accept"}
        if mux != terms.rtcpMux or ice is not terms.ice:
            terms = replace(terms, rtcpMux=mux, ice=ice)
        lines = [*leg.adapter.describe(terms), *leg.transport.describe(terms)]
        said = (
            stream.applied
            if terms.kind is Kind.OFFER
            else stream.requested and self._workshop.appliedInAnswers
        )
        if said and leg.adapter.medium != "sealed":
            lines.insert(0, Line("3ge2ae", "applied"))
        return lines

    def _section(
        self, section: Section, leg: Leg, own: Sequence[Line], browser: bool, terms: Terms, mid: str | None
    ) -> Section:
        feedback = leg.proto.upper().endswith("F")
        lines = [
            line
            for line in section.lines
            if compose.crosses(line, feedback=feedback, fromWebRTC=browser, passes=leg.adapter.passes)
        ]
        host, port = leg.transport.localAddress
        if section.address in ("0.0.0.0", "::") and not section.has("ice-ufrag"):
            # Hold in the old way (RFC 3264 clause 8.4); said in the new one,
            # too, for those who do not know it any more.
            lines = compose.held(lines)
            if "zero-address" not in terms.replace:
                host = str(section.address)
        return compose.section(section, leg.proto, (terms.mediaAddress or host, port), lines, own, mid)

    def _rejection(self, stream: Stream, mid: str | None) -> Section:
        """
        The section of a stream that is not agreed to, in the form of the
        offer that it answers.
        """
        return compose.rejected(stream.offered, mid=mid)

    def _mid(self, stream: Stream, who: int) -> str | None:
        """
        The name that a party gave to a section.
        """
        assert self.parties is not None
        description = self.parties[who].description
        place = stream.places[who]
        if description is None or place >= len(description.sections):
            return None
        return description.sections[place].get("mid")

    def _version(self, far: Party, sections: list[Section], terms: Terms) -> int | None:
        """
        The version to write, if the controller wants it to be ours: one more
        whenever something changed (RFC 3264 clause 8).
        """
        if not terms.replace & {"sdp-version", "force-increment-sdp-ver"}:
            return None
        if far.version is None:
            far.version = int(self.created)
        elif "force-increment-sdp-ver" in terms.replace or sections != far.sent:
            far.version += 1
        return far.version

    # Ends

    def _refuse(self, stream: Stream, reason: str) -> None:
        self._drop(stream)
        self._happened(LineRefused(line=stream.places[0], reason=reason))

    def _dropAll(self) -> None:
        for stream in self.streams:
            self._drop(stream)

    def _drop(self, stream: Stream) -> None:
        if stream.pipeline is not None:
            stream.pipeline.close()
            stream.pipeline = None

    def _happened(self, event: Event) -> None:
        self._workshop.sessionHappened(self, event)


def _protectionOf(proto: str) -> Protection | None:
    return protection(Section("audio", 1, proto, ()))
