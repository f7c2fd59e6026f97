"""
Two legs of one medium, wired.
"""

from collections import Counter
from collections.abc import Callable, MutableMapping, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from e2aegw.gateway.filters import seated
from e2aegw.gateway.hearing import Hearing
from e2aegw.interfaces import Apply, IDatagramTransport, IDatapath, IOffload, IOffloadable
from e2aegw.sansio.e2ae import Decision, Protection, protectionOf
from e2aegw.sansio.events import (
    ConnectFailed,
    ConsentLost,
    Event,
    HandshakeFailed,
    LegLost,
    MediaStarted,
    OldKeysForgotten,
    PairNominated,
    PathChanged,
    PathSettled,
    ProtocolViolated,
    Secured,
)
from e2aegw.sansio.flow import Flow
from e2aegw.sansio.sdp import Section, Side, family
from e2aegw.sansio.terms import Terms

#: Events after which a datapath may find what it needs.
_SETTLING = (PathSettled, PairNominated, Secured, OldKeysForgotten, MediaStarted)
#: Events after which, or before which, a datapath must not go on.
_UNSETTLING = (PathChanged, ConsentLost, HandshakeFailed)
#: Events after which nothing will come from a leg that is a connection.
_ENDING = (LegLost, ConnectFailed, ProtocolViolated)
#: Attempts to hand a pipeline over.  The datagrams that wait in a socket which
#: changes hands are looked at meanwhile, and may change everything.
_MAX_ROUNDS = 3


@dataclass(slots=True)
class Leg:
    """
    An adapter and its transport.

    @ivar adapter: provides L{e2aegw.interfaces.IAdapter}.
    @ivar transport: provides L{e2aegw.interfaces.IMediaTransport}.
    @ivar proto: what the leg's description calls it.
    @ivar protection: how the stream is protected on this leg, if it is RTP.
    @ivar line: the index of its section in its party's description.
    @ivar side: where its party is.
    @ivar hearing: whether its party is heard.
    @ivar lastPacket: the time of the last L{look} that saw a new packet.
    @ivar filters: those whose counters are reported with this leg.
    """

    adapter: Any
    transport: Any
    proto: str
    protection: Protection | None
    line: int
    side: Side
    lastPacket: float = 0.0
    filters: Sequence[Any] = ()
    hearing: Hearing = field(default_factory=Hearing)
    _seen: int = 0
    _offloadable: Any = None

    def __post_init__(self) -> None:
        """
        Find out whether there will ever be a L{flow}.
        """
        if IDatagramTransport.providedBy(self.transport):
            self._offloadable = IOffloadable(self.adapter, None)

    def look(self, now: float) -> int:
        """
        See whether something arrived since the last look, and remember when.

        @return: how many packets arrived so far.
        """
        count = int(self.adapter.packetsReceived)
        if count != self._seen:
            self._seen, self.lastPacket = count, now
        return count

    def counters(self) -> dict[str, int]:
        """
        How often things happened here.
        """
        return dict(
            sum((Counter(each.counters) for each in (self.transport, self.adapter, *self.filters)), Counter())
        )

    @property
    def version(self) -> int:
        """
        The version of IP.
        """
        return 6 if family(self.transport.localAddress[0]) == "IP6" else 4

    def protect(self, decision: Decision) -> Decision:
        """
        A decision about who takes this one's place.  The proto may say less
        than is true: some write RTP/AVP, add keys, and mean it.
        """
        if decision.proto != self.proto or self.protection in (None, protectionOf(self.proto)):
            return decision
        proto = "RTP/SAVP" if self.protection is Protection.SDES else "UDP/TLS/RTP/SAVP"
        return replace(decision, proto=proto)

    def flow(self) -> Flow | None:
        """
        What a datapath needs to know, or L{None} as long as that is not
        settled.
        """
        transform = None if self._offloadable is None else self._offloadable.transform()
        path = None if transform is None else self.transport.path()
        return None if path is None or transform is None else Flow(path, transform)


class Gate:
    """
    Stands where the other leg's adapter would, and is shut.
    """

    def __init__(self, counters: MutableMapping[str, int]) -> None:
        """
        @param counters: those of the adapter whose units it keeps back.
        """
        self._counters = counters

    def sendUnit(self, unit: object) -> None:
        """
        See L{e2aegw.interfaces.IAdapter}.
        """
        self._counters["blocked"] = self._counters.get("blocked", 0) + 1


class Pipeline:
    """
    Two legs, of which each says what the other hears.

    @ivar legs: towards who made the first offer, and towards who answered it.
    """

    _log = Logger()

    def __init__(
        self,
        legs: tuple[Leg, Leg],
        observe: Callable[[Event], None],
        datapath: IDatapath | None,
        filters: Sequence[Any] = (),
    ) -> None:
        """
        @param observe: called with every event.
        @param datapath: what moves packets once everything is settled.
        @param filters: provide L{e2aegw.interfaces.IFilter}; the first is
            nearest to the access side.
        """
        self.legs = legs
        self.closed = False
        self._observe = observe
        # A filter has to see every unit.
        self._datapath = None if filters else datapath
        self._filters = filters
        self._offload: IOffload | None = None
        self._flows: tuple[Flow | None, Flow | None] | None = None
        self._started = self._moving = self._again = False
        a, b = legs
        self._shut: Set[int] = frozenset()
        # Where filters believe the legs to be.
        self._sides = (
            (Side.CORE, Side.ACCESS) if a.side is Side.CORE is not b.side else (Side.ACCESS, Side.CORE)
        )
        outer = legs[self._sides.index(Side.ACCESS)]
        outer.filters = filters
        for each in filters:
            each.notify = self._notifier(outer)
        # What either leg's adapter has for a peer, unless the gate is shut.
        self._peers = (seated(b.adapter, filters, self._sides[0]), seated(a.adapter, filters, self._sides[1]))
        a.adapter.peer, b.adapter.peer = self._peers
        for leg in legs:
            notify = self._notifier(leg)
            leg.adapter.notify = leg.transport.notify = notify
            leg.transport.attach(leg.adapter)

    @property
    def medium(self) -> str:
        """
        What is spoken.
        """
        return str(self.legs[0].adapter.medium)

    def configure(self, who: int, section: Section, terms: Terms) -> tuple[Apply, ...]:
        """
        See whether a leg can agree to a section.

        @param who: which of L{legs}.
        @param section: from its party.

        @return: what applies it, in order.

        @raise NegotiationError: it cannot.
        """
        leg = self.legs[who]
        adapter = leg.adapter.configure(section, terms)
        transport = leg.transport.configure(section, terms)
        filters = (partial(each.described, section, self._sides[who]) for each in self._filters)
        return transport, adapter, *filters

    def gate(self, shut: Set[int]) -> None:
        """
        Let through what comes from a leg, or do not.  It is for packets; what
        comes in order and reliably (MSRP) would break.

        @param shut: the legs that nothing comes through from.
        """
        if shut == self._shut or not all(IOffloadable.providedBy(leg.adapter) for leg in self.legs):
            return
        self.reclaim()
        self._shut = frozenset(shut)
        for number, leg in enumerate(self.legs):
            leg.adapter.peer = Gate(leg.adapter.counters) if number in shut else self._peers[number]
        self.tryOffload()

    def tryOffload(self) -> None:
        """
        Hand both directions to the datapath, as far as they are settled, and
        again if they are not as they were.  Before there are packets to move
        it would cost, and be of no use.
        """
        if self._datapath is None or not self._started:
            return
        if self._moving:
            self._again = True
            return
        self._moving = True
        try:
            for _ in range(_MAX_ROUNDS):
                self._again = False
                self._handOver(self._datapath)
                if not self._again:
                    break
                self._flows = None
            else:
                self._revoke()
        finally:
            self._moving = False

    def reclaim(self) -> None:
        """
        Take packets back from the datapath.
        """
        if self._moving:
            # In the middle of being handed over, which begins again then.
            self._again = True
        else:
            self._moving = True
            try:
                self._revoke()
            finally:
                self._moving = False

    def _handOver(self, datapath: IDatapath) -> None:
        a, b = self.legs
        flowA = a.flow()
        flowB = None if flowA is None else b.flow()
        if self._offload is not None and (flowA, flowB) == self._flows:
            return
        self._revoke()
        if flowA is None or flowB is None or self.closed or self._shut:
            return
        self._flows = flowA, flowB
        self._offload = datapath.offload(flowA, flowB, (a.transport, b.transport), (a.adapter, b.adapter))
        if self.closed:
            self._revoke()

    def _revoke(self) -> None:
        if self._offload is not None:
            offload, self._offload, self._flows = self._offload, None, None
            offload.revoke()

    def collect(self) -> None:
        """
        Bring the adapters' counters up to date with what a datapath moved.
        """
        if self._offload is not None:
            self._offload.collect()

    def close(self) -> None:
        """
        Let go of everything.
        """
        if self.closed:
            return
        self.closed = True
        self.reclaim()
        for each in self._filters:
            with self._log.failureHandler("ending a filter"):
                each.close()
            each.notify = _ignore
        for leg in self.legs:
            if (stopped := leg.hearing.ended(leg.adapter)) is not None:
                self._tell(leg, stopped)
        for leg in self.legs:
            # A mistake in an adapter must not keep ports from coming free.
            with self._log.failureHandler("ending a leg"):
                leg.transport.loseConnection()
            with self._log.failureHandler("ending a leg"):
                leg.adapter.connectionLost(ENDED)
                leg.adapter.peer = None
            # What keeps itself alive in a circle is garbage that somebody has
            # to look for, and meanwhile as large as the call was.
            leg.adapter.notify = leg.transport.notify = _ignore

    def _shutOther(self, lost: Leg) -> None:
        """
        A leg is lost, and nobody is there any more whom what comes from the
        other one could be for.
        """
        for leg in self.legs:
            if leg is not lost and not self.closed and hasattr(leg.transport, "shut"):
                leg.transport.shut()

    def watch(self, now: float, patience: float) -> None:
        """
        See whether media from either party stopped, or goes on.
        """
        for leg in self.legs:
            if (event := leg.hearing.watch(leg.adapter, now, patience)) is not None:
                self._tell(leg, event)

    def _tell(self, leg: Leg, event: Event) -> None:
        self._observe(event.placed(leg.side.value, leg.line))

    def _notifier(self, leg: Leg) -> Callable[[Event], None]:
        def notify(event: Event) -> None:
            if isinstance(event, _UNSETTLING):
                self.reclaim()
            if leg.hearing.repeats(event):
                return
            self._tell(leg, event)
            if isinstance(event, _ENDING):
                self._shutOther(leg)
            if isinstance(event, _SETTLING):
                self._started = self._started or isinstance(event, MediaStarted)
                self.tryOffload()

        return notify


#: Why an adapter's connection is lost when its leg ends.
ENDED = Failure(ConnectionDone())


def _ignore(event: Event) -> None:
    """
    It is over, and nobody wants to know.
    """
