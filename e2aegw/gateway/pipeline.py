"""
Two legs of one medium, wired.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from e2aegw.interfaces import IDatagramTransport, IDatapath, IOffload, IOffloadable
from e2aegw.sansio.e2ae import Protection
from e2aegw.sansio.events import Event, MediaStarted, PairNominated, PathChanged, PathSettled, Secured
from e2aegw.sansio.flow import Flow
from e2aegw.sansio.sdp import Side

#: Events after which a datapath may find what it needs.
_SETTLING = (PathSettled, PairNominated, Secured, MediaStarted)


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

    def look(self, now: float) -> int:
        """
        See whether something arrived since the last look, and remember when.

        @return: how many packets arrived so far.
        """
        count = int(self.adapter.packetsReceived)
        if count != self._seen:
            self._seen, self.lastPacket = count, now
        return count

    def flow(self) -> Flow | None:
        """
        What a datapath needs to know, or L{None} as long as that is not
        settled.
        """
        if not IDatagramTransport.providedBy(self.transport):
            return None
        offloadable = IOffloadable(self.adapter, None)
        if offloadable is None:
            return None
        path, transform = self.transport.path(), offloadable.transform()
        return None if path is None or transform is None else Flow(path, transform)


class Pipeline:
    """
    Two legs, of which each says what the other hears.

    @ivar legs: towards who made the first offer, and towards who answered it.
    """

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
        a, b = legs
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

    def tryOffload(self) -> None:
        """
        Hand both directions to the datapath, as far as they are settled.
        """
        if self._datapath is None or self.closed:
            return
        a, b = self.legs
        flowA, flowB = a.flow(), b.flow()
        if flowA is None or flowB is None:
            return
        self.reclaim()
        self._offload = self._datapath.offload(
            flowA, flowB, (a.transport, b.transport), (a.adapter, b.adapter)
        )

    def reclaim(self) -> None:
        """
        Take packets back from the datapath.
        """
        if self._offload is not None:
            offload, self._offload = self._offload, None
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
        self.reclaim()
        self.closed = True
        for leg in self.legs:
            leg.transport.loseConnection()
            leg.adapter.connectionLost(ENDED)
            leg.adapter.peer = None
            # What keeps itself alive in a circle is garbage that somebody has
            # to look for, and meanwhile as large as the call was.
            leg.adapter.notify = leg.transport.notify = _ignore

    def _notifier(self, leg: Leg) -> Callable[[Event], None]:
        def notify(event: Event) -> None:
            if isinstance(event, PathChanged):
                self.reclaim()
            self._observe(replace(event, side=leg.side.value, line=leg.line))
            if isinstance(event, _SETTLING):
                self.tryOffload()

        return notify


#: Why an adapter's connection is lost when its leg ends.
ENDED = Failure(ConnectionDone())


def _ignore(event: Event) -> None:
    """
    It is over, and nobody wants to know.
    """
