"""
One call: its offers, answers and pipelines.

An answer is an offer that goes the other way, and so there is one path for
both: a section of the I{near} party's description configures the near leg of
its stream, and the I{far} leg describes itself in the section that the far
party gets.
"""

from collections.abc import Callable, Sequence, Set
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import Logger
from zope.interface import implementer

from e2aegw.errors import GatewayError, NegotiationError, UsageError
from e2aegw.gateway.layout import Layout, bundleOf, inOrder
from e2aegw.gateway.pipeline import ENDED, Leg, Pipeline
from e2aegw.gateway.reporting import History, reportMedia
from e2aegw.gateway.stream import Party, Proposal, Stream
from e2aegw.gateway.workshop import Workshop
from e2aegw.interfaces import ISession
from e2aegw.sansio import compose
from e2aegw.sansio.datachannel import outside
from e2aegw.sansio.e2ae import Decision, Protection, decide, inferSides, protection, protectionOf, requested
from e2aegw.sansio.events import Event, LineRefused
from e2aegw.sansio.report import PartyReport, SessionReport
from e2aegw.sansio.sdp import Description, Line, Section, Side, family
from e2aegw.sansio.terms import ICE, Kind, Terms
from e2aegw.transport.bundle import Bundle, BundleStream, common, sharable
from e2aegw.transport.channel import DataChannel

_DEFAULT = Terms()
#: The medium of what is protected from end to end.
_SEALED = "sealed"
#: The kind of transport that is a share of a carrier of data channels.
_CHANNEL = "channel"
#: What an offer's terms mean for its answer: who hides multiplexing from the
#: far party does it for the near one.
_MUX = {"accept": "accept", "demux": "accept", "reject": "reject"}


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
        self._blocked: Set[int] = frozenset()
        self._last: dict[Kind, tuple[object, str]] = {}
        self._waiting: list[Deferred[None]] = []
        self._history = History()

    # ISession

    def offer(
        self, sdp: str, side: Side | None = None, terms: Terms = _DEFAULT, answerer: bool = False
    ) -> Deferred[str]:
        """
        See L{ISession}.
        """
        if terms.kind is not Kind.OFFER:
            terms = terms.but(kind=Kind.OFFER)
        return self._do(
            (sdp, side, terms, answerer), terms, lambda: self._offer(sdp, side, terms, int(answerer))
        )

    def answer(self, sdp: str, terms: Terms = _DEFAULT) -> Deferred[str]:
        """
        See L{ISession}.
        """
        if terms.kind is not Kind.ANSWER:
            terms = terms.but(kind=Kind.ANSWER)
        return self._do((sdp, terms), terms, lambda: self._answer(sdp, terms))

    def block(self, answerer: bool, blocked: bool) -> None:
        """
        See L{ISession}.
        """
        self._blocked = self._blocked | {int(answerer)} if blocked else self._blocked - {int(answerer)}
        self._gate()

    def report(self) -> SessionReport:
        """
        See L{ISession}.
        """
        self.packets()
        reports = []
        for which in (0, 1):
            side = self.parties[which].side if self.parties is not None else Side.ACCESS
            medias = [
                reportMedia(self._line(stream, which) + 1, stream.now.section, stream.pipeline.legs[which])
                for stream in self.streams
                if stream.pipeline is not None
            ]
            reports.append(PartyReport(side=side, medias=medias))
        return SessionReport(
            created=self.created,
            lastSignal=self.lastSignal,
            parties=(reports[0], reports[1]),
            events=self._history.told(),
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
        Whether nobody need send anything: the parties agreed to send less than
        both could, as on hold, or do nothing but write to each other.
        """
        descriptions = [party.description for party in self.parties or ()]
        sections = [each for one in descriptions if one is not None for each in one.sections]
        if sections and all(each.media in ("application", "message") for each in sections):
            return True
        return any(
            each.direction != "sendrecv"
            # A browser that has no candidates yet says that, too.
            or (each.address in ("0.0.0.0", "::") and not each.has("ice-ufrag"))
            for each in sections
        )

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
            self._checkOpen()
        except GatewayError as e:
            return fail(e)
        if terms.kind is Kind.OFFER:
            self._last.clear()
        self._last[terms.kind] = (key, result)
        for stream in self.streams:
            if stream.pipeline is not None:
                stream.pipeline.tryOffload()
        return succeed(result)

    def _offer(self, sdp: str, side: Side | None, terms: Terms, who: int) -> str:
        description = Description.parse(sdp)
        fresh = self.parties is None
        near, far = self._parties(description, side, terms, who)
        if terms.e2ae is not None:
            self._agreed = terms.e2ae
        # An earlier offer that nobody answered is void (RFC 3261 clause 14.1:
        # a new offer that fails leaves everything as it was).
        self._withdraw()
        near.draft, far.draft = near.layout.copy(), far.layout.copy()
        description.sections = near.draft.explode(description.sections, offer=True)
        bundled = bundleOf(description)
        self._adopt(near, description, who, bundled)
        near.begin()
        try:
            # RFC 9143 clause 7.1: the first of a bundle speaks for all, so it
            # comes before them.
            for index in inOrder(description, bundled):
                section = description.sections[index]
                stream = self._find(who, index)
                if stream is None:
                    stream = Stream([index, index])
                    self.streams.append(stream)
                stream.propose(self._prepare(stream, section, near, far, terms, who, bundled))
                self._checkOpen()
        except BaseException:
            self._withdraw()
            if fresh:
                self.parties = None
            raise
        self._place(near, far, who)
        self._offerer = who
        near.offer = description
        if not self.answered:
            self._commit()
        return self._describe(description, who, terms)

    def _answer(self, sdp: str, terms: Terms) -> str:
        if self.parties is None:
            raise UsageError("an answer without an offer")
        description = Description.parse(sdp)
        who = 1 - self._offerer
        self._commit()
        party = self.parties[who]
        description.sections = party.layout.explode(description.sections, offer=False)
        party.begin()
        for index in inOrder(description, bundleOf(description)):
            stream = self._find(who, index)
            if stream is None or stream.pipeline is None:
                continue
            section = description.sections[index]
            if section.rejected or section.media != stream.now.section.media:
                self._refuse(stream, "rejected by the answer")
                continue
            try:
                applies = stream.pipeline.configure(who, section, terms)
            except NegotiationError as e:
                self._refuse(stream, str(e))
                continue
            for apply in applies:
                apply()
        party.description = description
        return self._describe(description, who, terms)

    def _commit(self) -> None:
        """
        The last offer is in force.
        """
        assert self.parties is not None
        offerer = self.parties[self._offerer]
        for party in self.parties:
            party.layout, party.draft = party.now, None
        for stream in self.streams:
            stream.commit(self._offerer)
            self._checkOpen()
        self._gate()
        if offerer.offer is not None:
            offerer.description = offerer.offer

    def _gate(self) -> None:
        for stream in self.streams:
            if stream.pipeline is not None:
                stream.pipeline.gate(self._blocked)

    def _withdraw(self) -> None:
        """
        The last offer will not be in force any more.
        """
        for stream in self.streams:
            stream.withdraw()
        self.streams = [stream for stream in self.streams if stream.agreed is not None]
        for party in self.parties or ():
            party.draft = None

    def _place(self, near: Party, far: Party, who: int) -> None:
        """
        Give sections that are new a place in the other party's description,
        behind those that it has.
        """
        new = [stream for stream in self.streams if stream.agreed is None]
        new.sort(key=lambda stream: stream.places[who])
        # RFC 8864 clause 6.5: a channel that is refused will be absent from the
        # answer, and so there is nothing to ask the other party for.
        refused = [
            stream for stream in new if stream.now.pipeline is None and stream.places[who] in near.now.maps
        ]
        if not far.now.lines and len(refused) == len(new):
            # A call about nothing would be a strange one.
            refused = refused[1:]
        for stream in new:
            if stream in refused:
                self.streams.remove(stream)
                continue
            stream.places[1 - who] = far.now.add()
            if stream.now.pipeline is not None:
                stream.now.pipeline.legs[1 - who].line = self._line(stream, 1 - who)

    def _line(self, stream: Stream, who: int) -> int:
        """
        The line on the wire where a stream stands.
        """
        assert self.parties is not None
        return self.parties[who].now.places[stream.places[who]].line

    def _parties(
        self, description: Description, side: Side | None, terms: Terms, who: int
    ) -> tuple[Party, Party]:
        if self.parties is None:
            if who:
                raise UsageError("the first offer cannot come from who answers it")
            near, far = inferSides(description, terms)
            if side is not None:
                near, far = side, side.other
            names = self._workshop.subprotocols
            self.parties = (
                Party(near, layout=Layout(subprotocols=names)),
                Party(terms.far or far, layout=Layout(subprotocols=names)),
            )
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
        bundled: Sequence[str],
    ) -> Proposal:
        """
        See whether a section of an offer can be agreed to, building what it
        needs.

        @raise ResourceError: there are no ports.
        """
        if section.rejected:
            return Proposal(section)
        pipeline = None
        try:
            decision = self._decide(stream, section, near, far, terms, who)
            pipeline = stream.pipeline
            if pipeline is None or not self._serves(pipeline, stream, section, decision, terms, who, bundled):
                if pipeline is not None:
                    there = pipeline.legs[1 - who]
                    decision = there.protect(decision)
                    terms = terms.but(addressFamily=terms.addressFamily or there.version)
                pipeline = self._build(stream, section, near, far, decision, terms, who, bundled)
            applies = pipeline.configure(who, section, terms)
        except NegotiationError as e:
            if pipeline is not None and pipeline is not stream.pipeline:
                pipeline.close()
            line = self._line(stream, who)
            self._happened(LineRefused(side=near.side.value, line=line, reason=str(e)))
            return Proposal(section)
        wanted = near.side is Side.ACCESS and requested(section)
        told = decision.applied and pipeline.legs[1 - who].protection in (Protection.SDES, Protection.TLS)
        for party, leg, said in ((who, pipeline.legs[who], wanted), (1 - who, pipeline.legs[1 - who], told)):
            # A browser cannot do without (RFC 8827 clause 6.5).
            lasting = leg.protection in (Protection.DTLS, Protection.TLS)
            if said or (leg.side is Side.ACCESS and lasting):
                stream.protected.add(party)
        return Proposal(
            section,
            pipeline,
            applies=applies,
            farProto=decision.proto,
            requested=wanted,
            applied=told,
            mux={_MUX[word] for word in terms.rtcpMux & _MUX.keys()},
        )

    def _decide(
        self, stream: Stream, section: Section, near: Party, far: Party, terms: Terms, who: int
    ) -> Decision:
        """
        What to do with a section of an offer.

        @raise NegotiationError: nothing can be done with it.
        """
        # A line that is added later is one of the same UE, whoever adds it.
        known = terms if terms.e2ae == self._agreed else terms.but(e2ae=self._agreed)
        decision = decide(section, near.side, far.side, known)
        pipeline = stream.pipeline
        if pipeline is None or stream.agreed is None or section.media != stream.agreed.section.media:
            return decision
        leg, there = pipeline.legs[who], pipeline.legs[1 - who]
        sealed = pipeline.medium == _SEALED
        asItWas = Decision(sealed, there.proto, 1 - who in stream.protected)
        if isinstance(leg.transport, DataChannel) or isinstance(there.transport, DataChannel):
            return asItWas
        opened = sealed and near.side is Side.ACCESS and requested(section)
        wish = terms.transportProtocol or terms.e2ae
        if not wish and not opened and protection(section) is leg.protection:
            # Without a wish for the far party, both keep what they have.
            return asItWas
        if protectionOf(decision.proto) is Protection.NONE and 1 - who in stream.protected:
            # Nobody takes protection away from a UE that asked for it.
            return asItWas
        if decision.endToEnd and not sealed and protection(section) is leg.protection is Protection.TLS:
            # Who was told of it, and not asked, does not ask later.
            return asItWas
        return decision

    def _serves(
        self,
        pipeline: Pipeline,
        stream: Stream,
        section: Section,
        decision: Decision,
        terms: Terms,
        who: int,
        bundled: Sequence[str],
    ) -> bool:
        """
        Whether a pipeline can go on under a new offer.
        """
        near, far = pipeline.legs[who], pipeline.legs[1 - who]
        assert stream.agreed is not None
        if section.media != stream.agreed.section.media or decision.endToEnd != (pipeline.medium == _SEALED):
            return False
        if near.protection is None:
            return (section.proto, decision.proto) == (near.proto, far.proto)
        same = decision.proto == far.proto or protectionOf(decision.proto) is far.protection
        if protection(section) is not near.protection or not same:
            return False
        # Ports are of one version of IP.  With ICE the address says little.
        version = None if section.has("ice-ufrag") else _version(section)
        if version not in (None, near.version) and self._workshop.has(near.side, version or 0):
            return False
        if terms.addressFamily not in (None, far.version):
            return False
        # Who leaves a bundle needs ports of its own.
        return not (
            isinstance(near.transport, BundleStream)
            and len(near.transport.bundle.streams) > 1
            and section.get("mid") not in bundled
        )

    def _build(
        self,
        stream: Stream,
        section: Section,
        near: Party,
        far: Party,
        decision: Decision,
        terms: Terms,
        who: int,
        bundled: Sequence[str],
    ) -> Pipeline:
        nearFactory, nearKind, farFactory, farKind, through = self._workshop.choose(
            section, near.side, far.side, decision
        )
        if farKind == _CHANNEL:
            raise NegotiationError("data channels are not offered by the gateway")
        nearAdapter = nearFactory.buildAdapter(section.proto)
        farAdapter = farFactory.buildAdapter(decision.proto)
        version = _version(section)
        mid = section.get("mid")
        nearTransport: Any = None
        farTransport: Any = None
        place = stream.places[who]
        try:
            if place in near.now.maps:
                nearTransport = near.channel(
                    place,
                    lambda: self._workshop.transport(nearKind, near.side, version, terms),
                    self._happened,
                )
            elif mid is not None and mid in bundled:
                nearTransport = self._share(near, mid, section, nearKind, version, terms)
            else:
                nearTransport = sharable(self._workshop.transport(nearKind, near.side, version, terms))
            # Nobody has to translate between versions of IP who need not.
            asked = terms.addressFamily
            farTransport = sharable(
                self._workshop.transport(farKind, far.side, asked or version, terms, strict=asked is not None)
            )
            # The other party's line is not known yet.
            nearLine, farLine = self._line(stream, who), -1
            if stream.agreed is not None:
                farLine = self._line(stream, 1 - who)
            farProtection = protectionOf(decision.proto)
            legs = [
                Leg(nearAdapter, nearTransport, section.proto, protection(section), nearLine, near.side),
                Leg(farAdapter, farTransport, decision.proto, farProtection, farLine, far.side),
            ]
            if who:
                legs.reverse()
            filters = [each.buildFilter() for each in through]
            return Pipeline((legs[0], legs[1]), self._happened, self._workshop.datapath, filters)
        except BaseException:
            for adapter in (nearAdapter, farAdapter):
                adapter.connectionLost(ENDED)
            for transport in (nearTransport, farTransport):
                if transport is not None:
                    transport.loseConnection()
            raise

    def _share(
        self, near: Party, mid: str, section: Section, kind: str, version: int | None, terms: Terms
    ) -> BundleStream:
        """
        A share of the party's bundle.

        @raise NegotiationError: this section cannot be in it.
        """
        bundle, shared = near.bundle, common(kind, protection(section))
        if bundle is None or not bundle.streams:
            transport = self._workshop.transport(kind, near.side, version, terms)
            bundle = near.bundle = Bundle(transport, shared)
        elif bundle.kind != shared:
            raise NegotiationError("the sections of the bundle are not protected alike")
        return bundle.add(mid)

    def _adopt(self, near: Party, description: Description, who: int, bundled: Sequence[str]) -> None:
        """
        What has a transport of its own may have company from now on: a browser
        that was called bundles when it offers.
        """
        for index in inOrder(description, bundled):
            stream, mid = self._find(who, index), description.sections[index].get("mid")
            if stream is None or stream.pipeline is None or mid is None or mid not in bundled:
                continue
            transport = stream.pipeline.legs[who].transport
            if not isinstance(transport, BundleStream):
                continue
            if near.bundle is None or not near.bundle.streams:
                near.bundle = transport.bundle
            if transport.bundle is near.bundle:
                transport.mid = mid

    def _describe(self, description: Description, who: int, terms: Terms) -> str:
        """
        The description for the party that is not C{who}.
        """
        assert self.parties is not None
        far = self.parties[1 - who]
        sections: dict[int, Section] = {}
        lite = fromWebRTC = False
        bundle: list[str] = []
        for stream in self.streams:
            place = stream.places[1 - who]
            mid = self._mid(stream, 1 - who)
            if stream.now.pipeline is not None:
                near, leg = stream.now.pipeline.legs[who], stream.now.pipeline.legs[1 - who]
                section = description.sections[stream.places[who]]
                try:
                    own = self._own(stream, near, leg, section, terms)
                except NegotiationError as e:
                    self._refuse(stream, str(e))
                else:
                    browser = leg.protection is not Protection.DTLS and (
                        near.protection is Protection.DTLS or isinstance(near.transport, DataChannel)
                    )
                    proto = stream.now.farProto if terms.kind is Kind.OFFER else leg.proto
                    sections[place] = self._section(section, proto, leg, own, browser, terms, mid)
                    lite = lite or leg.transport.lite
                    fromWebRTC = fromWebRTC or browser
                    if mid is not None and far.bundle is not None and leg.transport in far.bundle.streams:
                        bundle.append(mid)
                    continue
            sections[place] = self._rejection(stream, mid)
        if terms.kind is Kind.ANSWER and far.description is not None:
            # Not more sections than were offered (RFC 3264 clause 6); nor does
            # a bundle have others.
            count = len(far.description.sections)
            sections = {place: section for place, section in sections.items() if place < count}
            bundle = [each for each in bundleOf(far.description) if each in bundle]
        agreed = {each.places[1 - who] for each in self.streams if each.now.pipeline is not None}
        lines = far.now.lines if terms.kind is Kind.OFFER else far.now.described
        ordered = [far.atLine(line, sections, agreed, terms) for line in range(lines)]
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
            said = mux & {"demux", "offer", "require"}
            if browser or (not said and (section.has("rtcp-mux") or leg.transport.muxed)):
                mux = mux | {"offer"}
            if ice is ICE.DEFAULT:
                same = near.protection is leg.protection and section.has("ice-ufrag")
                ice = ICE.FORCE if same or browser else ICE.REMOVE
        else:
            mux = mux | stream.now.mux
            if near.transport.muxed:
                mux = mux | {"accept"}
        if mux != terms.rtcpMux or ice is not terms.ice:
            terms = terms.but(rtcpMux=mux, ice=ice)
        lines = list(leg.adapter.describe(terms))
        # What the adapter lets pass, the other party has said already.
        passes = leg.adapter.passes
        lines += [line for line in leg.transport.describe(terms) if line.name not in passes]
        applied = (
            stream.now.applied
            if terms.kind is Kind.OFFER
            else stream.now.requested and self._workshop.appliedInAnswers
        )
        if applied and leg.adapter.medium != _SEALED:
            lines.insert(0, Line("3ge2ae", "applied"))
        return lines

    def _section(
        self,
        section: Section,
        proto: str,
        leg: Leg,
        own: Sequence[Line],
        browser: bool,
        terms: Terms,
        mid: str | None,
    ) -> Section:
        feedback = proto.upper().endswith("F")
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
        return compose.section(section, proto, (terms.mediaAddress or host, port), lines, own, mid)

    def _rejection(self, stream: Stream, mid: str | None) -> Section:
        """
        The section of a stream that is not agreed to, in the form of the
        offer that it answers.
        """
        section = stream.now.section
        return compose.rejected(section, outside(section.proto), mid)

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
        stream.refuse()
        self._happened(LineRefused(line=self._line(stream, 0), reason=reason))
        self._checkOpen()

    def _checkOpen(self) -> None:
        """
        An observer may have closed the session, in the middle of something.
        """
        if self.closed:
            self._dropAll()
            raise UsageError("the session was closed")

    def _dropAll(self) -> None:
        for stream in self.streams:
            stream.drop()

    def _happened(self, event: Event) -> None:
        self._history.note(self._workshop.seconds(), event)
        self._workshop.sessionHappened(self, event)


def _version(section: Section) -> int | None:
    """
    The version of IP that a section speaks of, if it does.
    """
    if section.address in (None, "0.0.0.0", "::"):
        return None
    return 6 if family(str(section.address)) == "IP6" else 4
