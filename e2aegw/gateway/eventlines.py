"""
What happens in calls, as lines of JSON for whoever the configuration names.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from e2aegw.gateway.eventreceiver import StreamReceiver, UDPReceiver
from e2aegw.interfaces import Address, IGatewayObserver, ISession
from e2aegw.sansio import eventrecord
from e2aegw.sansio.events import Event

#: The event of a line that says how many lines are missing before it.
LOST = "EventsLost"


@implementer(IGatewayObserver)
class EventLines(Service):
    """
    Tells receivers over UDP, a datagram for each line, and over TCP.

    @ivar counters: lines by what became of them.
    """

    name = "events"
    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        udp: Address | None = None,
        tcp: Address | None = None,
        *,
        names: Callable[[ISession], Mapping[str, str]] | None = None,
        seconds: Callable[[], float] = time.time,
    ) -> None:
        """
        @param reactor: provides C{IReactorUDP}, C{IReactorTCP} and
            C{IReactorTime}.
        @param udp: where one receiver is,
        @param tcp: and where another is that is connected to.
        @param names: what the controller calls a session; it is the label, if
            there is no controller.
        @param seconds: the time of day, since 1970.
        """
        self.counters: Counter[str] = Counter()
        self._names = names
        self._seconds = seconds
        self._receivers: list[UDPReceiver | StreamReceiver] = []
        if udp is not None:
            self._receivers.append(UDPReceiver(reactor, udp, self.counters))
        if tcp is not None:
            self._receivers.append(StreamReceiver(reactor, tcp, self.counters, self._missing))

    def happened(self, session: ISession, event: Event) -> None:
        """
        See L{IGatewayObserver}.
        """
        if not self.running or not eventrecord.worthTelling(event):
            return
        names = {"call-id": session.label} if self._names is None else self._names(session)
        line = self._line({**names, **eventrecord.record(event)})
        for receiver in self._receivers:
            receiver.send(line)

    def startService(self) -> None:
        """
        See C{IService}.
        """
        Service.startService(self)
        for receiver in self._receivers:
            receiver.start()

    def stopService(self) -> Any:
        """
        See C{IService}.  What waits still goes out, if its receiver takes it
        soon.
        """
        Service.stopService(self)
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        for receiver in self._receivers:
            await receiver.stop()

    def _missing(self, count: int) -> bytes:
        return self._line({"event": LOST, "count": count})

    def _line(self, values: Mapping[str, object]) -> bytes:
        return json.dumps({"time": round(self._seconds(), 3), **values}).encode() + b"\n"
