"""
One call: its offers, answers and pipelines.

An answer is an offer that goes the other way, and so there is one path for
both: a section of the I{near} party's description configures the near leg of
its stream, and the I{far} leg describes itself in the section that the far
party gets.
"""

from collections.abc import Callable, Set

from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import Logger
from zope.interface import implementer

from e2aegw.errors import GatewayError, NegotiationError, UsageError
from e2aegw.gateway.layout import Layout, bundleOf, inOrder
from e2aegw.gateway.letter import Letter
from e2aegw.gateway.offer import Offer
from e2aegw.gateway.reporting import History, reportMedia
from e2aegw.gateway.stream import Party, Stream
from e2aegw.gateway.workshop import Workshop
from e2aegw.interfaces import ISession
from e2aegw.sansio.e2ae import inferSides
from e2aegw.sansio.events import Event, LineRefused
from e2aegw.sansio.report import PartyReport, SessionReport
from e2aegw.sansio.sdp import Description, Side
from e2aegw.sansio.terms import Kind, Terms

_DEFAULT = Terms()
#: Media in which people may fall silent: text, chat, floor control.
_QUIET = frozenset({"text", "message", "application"})


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
                reportMedia(
                    self.parties[which].line(stream.places[which]) + 1,
                    stream.now.section,
                    stream.pipeline.legs[which],
                )
                for stream in self.streams
                if stream.pipeline is not None and self.parties is not None
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
            if (pipeline := stream.pipeline) is not None:
                pipeline.collect()
                a, b = pipeline.legs
                total += a.look(now) + b.look(now)
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
        Whether the parties agreed to send less than both could: on hold; or
        to what is only sent when somebody has something to say.
        """
        descriptions = [party.description for party in self.parties or ()]
        sections = [each for one in descriptions if one is not None for each in one.sections]
        live = {each.media for each in sections if not each.rejected}
        if live and live <= _QUIET:
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
        awaited = self._workshop.channels if terms.channels is None else terms.channels
        if near.side is not Side.ACCESS:
            awaited = ()
        description.sections = near.draft.explode(description.sections, offer=True, awaited=awaited)
        assert self.parties is not None
        offer = Offer(description, self.parties, who, terms, self._agreed, self._workshop, self._happened)
        offer.adopt(self.streams)
        near.begin()
        try:
            for index in offer.order:
                stream = self._find(who, index)
                if stream is None:
                    stream = Stream([index, index])
                    self.streams.append(stream)
                stream.propose(offer.propose(stream))
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
        for index in inOrder(description.sections, party.now, bundleOf(description)):
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
            party.settle()
        for stream in self.streams:
            stream.commit(self._offerer)
            self._checkOpen()
        self._gate()
        if offerer.offer is not None:
            offerer.description = offerer.offer

    def _describe(self, description: Description, who: int, terms: Terms) -> str:
        """
        The description for the party that is not C{who}.
        """
        assert self.parties is not None
        letter = Letter(description, self.parties, who, terms, self._agreed, self._workshop, self._refuse)
        return letter.write(self.streams, int(self.created))

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
            party.draft = party.folding = None

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
            pipeline = stream.now.pipeline
            leg = None if pipeline is None else pipeline.legs[1 - who]
            stream.places[1 - who] = far.place(leg.transport if leg is not None else None)
            if leg is not None:
                leg.line = far.line(stream.places[1 - who])

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

    # Ends

    def _refuse(self, stream: Stream, reason: str) -> None:
        stream.refuse()
        assert self.parties is not None
        line = self.parties[0].line(stream.places[0])
        self._happened(LineRefused(line=line, reason=reason))
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
        if self._history.note(self._workshop.seconds(), event):
            self._workshop.sessionHappened(self, event)
