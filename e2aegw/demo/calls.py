"""
The demonstration's calls: each is a session of the gateway between a page and
a far end.
"""

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from zope.interface import implementer

from e2aegw.demo.farend import FarEnd, ourAddress
from e2aegw.errors import ResourceError
from e2aegw.interfaces import IDatagramNetwork, IGatewayObserver, ISession
from e2aegw.sansio import ngflags
from e2aegw.sansio.events import Event, HandshakeFailed, MediaTimeout
from e2aegw.sansio.report import PartyReport
from e2aegw.sansio.sdp import Description, Side

#: What a SIP proxy's script would say to rtpengine's module.
OFFER_FLAGS = "direction=access direction=core RTP/AVP ICE=remove rtcp-mux-demux"
ANSWER_FLAGS = "UDP/TLS/RTP/SAVPF ICE=force rtcp-mux-offer"
#: The same for a call of data channels, where there is no profile to choose.
CHAT_OFFER_FLAGS = "direction=access direction=core ICE=remove"
CHAT_ANSWER_FLAGS = "ICE=force"

#: Most calls at a time: this is a demonstration, and each has a far end.
MAX_CALLS = 16
#: Seconds that a call lives on without a page that watches it: a reload, or a
#: network that changes, takes less.
GRACE = 8.0
#: Seconds that a call may last: somebody has forgotten it.
MAX_SECONDS = 1800.0
#: Seconds between two reports to a page.
PERIOD = 0.5
#: Most events of a call that are kept; the last ones go, because the first
#: ones tell how it began.
MAX_EVENTS = 64

_SIDES = {"access": Side.ACCESS, "core": Side.CORE}
#: The key of an C{a=crypto} line (RFC 4568 clause 6.1).
_KEY = re.compile(r"(?<=inline:)[^\s|;]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """
    What was said on either side of the gateway.
    """

    offerIn: str
    offerOut: str
    answerIn: str
    answerOut: str

    def masked(self) -> dict[str, str]:
        """
        The descriptions as they may be shown: media keys are left out.
        """
        return {name: _KEY.sub("...", getattr(self, name)) for name in self.__slots__}


def chooseFlags(offer: str) -> tuple[str, str]:
    """
    What a SIP proxy's script would say for an offer, and for its answer.

    @raise NegotiationError: the offer cannot be read.
    """
    chat = all(section.media == "application" for section in Description.parse(offer).sections)
    return (CHAT_OFFER_FLAGS, CHAT_ANSWER_FLAGS) if chat else (OFFER_FLAGS, ANSWER_FLAGS)


class Call:
    """
    One call.

    @ivar name: what the page calls it; it cannot be guessed.
    @ivar exchange: the descriptions, once there are all.
    @ivar ended: why it is over, or L{None}.
    @ivar flags: what a SIP proxy's script would say with the offer, and with
        the answer.
    """

    _log = Logger()

    def __init__(self, calls: "Calls", session: Any, far: FarEnd) -> None:
        """
        @param session: provides L{ISession}.
        @param far: who is called.
        """
        self.name = secrets.token_urlsafe(18)
        self.exchange: Exchange | None = None
        self.ended: str | None = None
        self.flags = (OFFER_FLAGS, ANSWER_FLAGS)
        self.session = session
        self._calls = calls
        self._clock = calls.clock
        self._began = self._clock.seconds()
        self._far = far
        self._events: list[dict[str, Any]] = []
        self._watchers: list[Callable[[dict[str, Any]], None]] = []
        self._alone: IDelayedCall | None = None
        self._tick = LoopingCall(self.tell)
        self._tick.clock = self._clock
        self._last: IDelayedCall = self._clock.callLater(
            MAX_SECONDS, self.end, f"a demonstration's call ends after {MAX_SECONDS / 60:g} minutes"
        )
        self._reason = "the gateway ended the call"

    async def begin(self, offer: str) -> str:
        """
        Do what a SIP proxy and a telephone do.

        @return: the answer for the browser.

        @raise GatewayError: it cannot be done; the call is over.
        """
        try:
            self.flags = chooseFlags(offer)
            request = self._request("offer", self.flags[0])
            toCore = await self.session.offer(offer, request.near, request.terms)
            fromCore = self._far.answer(toCore)
            request = self._request("answer", self.flags[1])
            answer: str = await self.session.answer(fromCore, request.terms)
        except BaseException:
            self.end("the call could not be set up")
            raise
        self.exchange = Exchange(offerIn=offer, offerOut=toCore, answerIn=fromCore, answerOut=answer)
        self.session.whenClosed().addCallback(lambda _: self.end(self._reason))
        self._log.info("{label}: the page calls", label=self.session.label)
        self._tick.start(PERIOD, now=False)
        self._setAlone()
        return answer

    def _request(self, command: str, flags: str) -> ngflags.Request:
        return ngflags.read({"command": command, "rtpp-flags": flags}, _SIDES)

    def end(self, reason: str) -> None:
        """
        End it.  Ports and timers are gone when this returns.
        """
        if self.ended is not None:
            return
        self.ended = reason
        for timer in (self._last, self._alone):
            if timer is not None and timer.active():
                timer.cancel()
        if self._tick.running:
            self._tick.stop()
        # What was counted goes to the page before it is gone.
        self.tell()
        self._watchers.clear()
        self._far.close()
        self.session.close()
        self._calls.forget(self)
        self._log.info("{label}: {reason}", label=self.session.label, reason=reason)

    # Watching

    def watch(self, watcher: Callable[[dict[str, Any]], None]) -> None:
        """
        Tell this how the call stands, now, every L{PERIOD} and whenever
        something happens.
        """
        self._watchers.append(watcher)
        self._setAlone()
        watcher(self.report())

    def unwatch(self, watcher: Callable[[dict[str, Any]], None]) -> None:
        """
        Tell this one no more.
        """
        if watcher in self._watchers:
            self._watchers.remove(watcher)
            self._setAlone()

    def tell(self) -> None:
        """
        Tell all how the call stands.
        """
        if self._watchers:
            report = self.report()
            for watcher in list(self._watchers):
                watcher(report)

    def _setAlone(self) -> None:
        if self._alone is not None and self._alone.active():
            self._alone.cancel()
        self._alone = None
        if not self._watchers and self.ended is None:
            self._alone = self._clock.callLater(GRACE, self.end, "the page is gone")

    def happened(self, event: Event) -> None:
        """
        The gateway tells of the call.
        """
        if len(self._events) < MAX_EVENTS:
            values = {name: getattr(event, name) for name in event.__dataclass_fields__}
            seconds = round(self._clock.seconds() - self._began, 3)
            self._events.append({"event": type(event).__name__, "seconds": seconds, **values})
        if isinstance(event, MediaTimeout):
            self._reason = f"nothing was heard for {event.seconds:g} seconds"
        if isinstance(event, HandshakeFailed) and self._last.active():
            # Not now: the gateway is in the middle of something.
            self._last.cancel()
            self._last = self._clock.callLater(0, self.end, f"{event.protocol} failed: {event.reason}")
        self.tell()

    def report(self) -> dict[str, Any]:
        """
        How it stands, for a page.
        """
        report = self.session.report()
        return {
            "ended": self.ended,
            "seconds": round(self._clock.seconds() - self._began, 3),
            "legs": {party.side.value: _leg(party) for party in report.parties},
            "far": [speaker.report() for speaker in self._far.speakers if speaker is not None],
            "events": self._events,
        }


def _leg(party: PartyReport) -> list[dict[str, Any]]:
    """
    The media of one side.
    """
    return [
        {
            "media": media.media,
            "proto": media.proto,
            "local": _text(stream.local),
            "remote": _text(stream.endpoint),
            "signalled": _text(stream.advertised),
            "control": next((_text(each.local) for each in media.streams if each.control), None),
            "suite": stream.suite,
            "packets": stream.packets,
            "octets": stream.octets,
            "counters": {name: count for name, count in sorted(stream.counters.items()) if count},
        }
        for media in party.medias
        for stream in media.streams
        if not stream.control
    ]


def _text(address: tuple[str, int] | None) -> str | None:
    if address is None:
        return None
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


@implementer(IGatewayObserver)
class Calls:
    """
    All calls of the demonstration.

    @ivar clock: provides C{IReactorTime}.
    """

    def __init__(
        self,
        clock: Any,
        gateway: Any,
        network: IDatagramNetwork,
        route: Callable[[str], str] = ourAddress,
    ) -> None:
        """
        @param gateway: provides L{e2aegw.interfaces.IGateway}.
        @param network: where the far ends get their ports.
        @param route: finds our address on the way to another.
        """
        self.clock = clock
        self._gateway = gateway
        self._network = network
        self._route = route
        self._calls: dict[str, Call] = {}
        self._sessions: dict[int, Call] = {}
        gateway.addObserver(self)

    def __len__(self) -> int:
        return len(self._calls)

    def find(self, name: str) -> Call | None:
        """
        The call of that name.
        """
        return self._calls.get(name)

    def begin(self, offer: str) -> Deferred[Call]:
        """
        Begin one.

        @return: the call, with its exchange.  It fails with
            L{e2aegw.errors.GatewayError} if it cannot be done.
        """
        return Deferred.fromCoroutine(self._begin(offer))

    async def _begin(self, offer: str) -> Call:
        if len(self._calls) >= MAX_CALLS:
            raise ResourceError(f"There are {MAX_CALLS} calls already; hang up in another window")
        session = self._gateway.newSession(f"demo-{secrets.token_hex(3)}")
        call = Call(self, session, FarEnd(self.clock, self._network, self._route))
        self._calls[call.name] = call
        self._sessions[id(session)] = call
        await call.begin(offer)
        return call

    def forget(self, call: Call) -> None:
        """
        It is over.
        """
        self._calls.pop(call.name, None)
        self._sessions.pop(id(call.session), None)

    def endAll(self, reason: str) -> None:
        """
        End all.
        """
        for call in list(self._calls.values()):
            call.end(reason)

    def happened(self, session: ISession, event: Event) -> None:
        """
        See L{IGatewayObserver}.
        """
        call = self._sessions.get(id(session))
        if call is not None:
            call.happened(event)
