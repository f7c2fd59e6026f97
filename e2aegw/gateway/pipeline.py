"""
Two legs of one medium, wired.
"""

from collections.abc import Callable, MutableMapping, Set
from dataclasses import dataclass, replace
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from e2aegw.interfaces import IDatagramTransport, IDatapath, IOffload, IOffloadable
from e2aegw.sansio.e2ae import Decision, Protection, protectionOf
from e2aegw.sansio.events import (
    ENDED as LINE_ENDED,
)
from e2aegw.sansio.events import (
    SILENCE,
    ConsentLost,
    Event,
    HandshakeFailed,
    MediaStarted,
    MediaStopped,
    OldKeysForgotten,
    PairNominated,
    PathChanged,
    PathSettled,
    Secured,
)
from e2aegw.sansio.flow import Flow
from e2aegw.sansio.sdp import Side, family

#: Events after which a datapath may find what it needs.
_SETTLING = (PathSettled, PairNominated, Secured, OldKeysForgotten, MediaStarted)
#: Events after which, or before which, a datapath must not go on.
_UNSETTLING = (PathChanged, ConsentLost, HandshakeFailed)
#: Media whose units come all the time while somebody speaks.
_STEADY = frozenset({"rtp", "sealed", "udptl"})
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
    @ivar lastPacket: the time of the last L{look} that saw a new packet.
    """

    adapter: Any
    transport: Any
    proto: str
    protection: Protection | None
    line: int
    side: Side
    lastPacket: float = 0.0
    _seen: int = 0
    _heard: int = 0
    _heardAt: float = 0.0
    _stopped: bool = False
    _consentLost: bool = False
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

    def watch(self, now: float, patience: float) -> Event | None:
        """
        See whether media from this leg's party stopped, or goes on.

        @param patience: how long the party may say nothing, in seconds.
        """
        count = int(self.adapter.packetsReceived)
        if count != self._heard:
            self._heard, self._heardAt = count, now
            stopped, self._stopped = self._stopped, False
            return MediaStarted() if stopped else None
        if (
            count
            and not self._stopped
            and now - self._heardAt >= patience
            and self.adapter.medium in _STEADY
        ):
            self._stopped = True
            return MediaStopped(reason=SILENCE, packets=count)
        return None

    def ended(self) -> Event | None:
        """
        The leg is over: tell of it, if there was anything to hear.
        """
        count = int(self.adapter.packetsReceived)
        if not count or (self._stopped and count == self._heard):
            return None
        return MediaStopped(reason=LINE_ENDED, packets=count)

    def repeats(self, event: Event) -> bool:
        """
        Whether an event says what is known: consent for RTP and for RTCP ends
        at once, and one party is gone.
        """
        if isinstance(event, ConsentLost):
            before, self._consentLost = self._consentLost, True
            return before
        if isinstance(event, PairNominated):
            self._consentLost = False
        return False

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
        self, legs: tuple[Leg, Leg], observe: Callable[[Event], None], datapath: IDatapath | None
    ) -> None:
        """
        @param observe: called with every event.
        @param datapath: what moves packets once everything is settled.
        """
        self.legs = legs
        self.closed = False
        self._observe = observe
        self._datapath = datapath
        self._offload: IOffload | None = None
        self._flows: tuple[Flow | None, Flow | None] | None = None
        self._started = self._moving = self._again = False
        a, b = legs
        self._shut: Set[int] = frozenset()
        a.adapter.peer, b.adapter.peer = b.adapter, a.adapter
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
            there = self.legs[1 - number].adapter
            leg.adapter.peer = Gate(leg.adapter.counters) if number in shut else there
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
        for leg in self.legs:
            if (stopped := leg.ended()) is not None:
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

    def watch(self, now: float, patience: float) -> None:
        """
        See whether media from either party stopped, or goes on.
        """
        for leg in self.legs:
            if (event := leg.watch(now, patience)) is not None:
                self._tell(leg, event)

    def _tell(self, leg: Leg, event: Event) -> None:
        self._observe(replace(event, side=leg.side.value, line=leg.line))

    def _notifier(self, leg: Leg) -> Callable[[Event], None]:
        def notify(event: Event) -> None:
            if isinstance(event, _UNSETTLING):
                self.reclaim()
            if leg.repeats(event):
                return
            self._tell(leg, event)
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
