"""
The sockets that a SIP proxy talks to, in rtpengine's "ng" protocol.

L{NGControl} is the service behind them: it knows the calls and drives the
gateway.  What a bound address does is in L{e2aegw.gateway.ngport}.

Nothing here waits: while a description is being translated, pings are
answered, and so is everything else.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IReactorTime, IReactorUDP
from twisted.logger import Logger
from twisted.python.failure import Failure

from e2aegw.errors import ConfigError, GatewayError, ResourceError, UsageError
from e2aegw.gateway.dialogues import Dialogue, Dialogues
from e2aegw.gateway.ngport import NGPort
from e2aegw.interfaces import Address, IGateway, ISession
from e2aegw.sansio import ngflags, ngreply
from e2aegw.sansio.ng import Fields, Message, readable
from e2aegw.sansio.ngflags import Request
from e2aegw.sansio.sdp import Side

#: What C{direction} calls the sides if the configuration does not say.
DIRECTIONS: Final[Mapping[str, Side]] = {
    "access": Side.ACCESS,
    "core": Side.CORE,
    "external": Side.ACCESS,
    "internal": Side.CORE,
}

#: Most requests that wait for the same translation.
MAX_WAITING = 64
#: Longest delay of a C{delete}: a day.
MAX_DELETE_DELAY = 86400
#: How many calls C{list} names if nobody says, as in rtpengine.
LIST_LIMIT = 32
#: Longest Call-ID that the log shows whole, in characters.
MAX_LABEL = 128
#: Longest text of a complaint, in characters.
MAX_TEXT = 512
#: Most names that are remembered as reported.
MAX_REPORTED = 1024
#: Most lines in the log about things that a controller did wrong, in each
#: period of seconds.
MAX_COMPLAINTS = 20
COMPLAINT_PERIOD = 10.0

# Texts that controllers look for, byte by byte.
NO_SESSION: Final = "Parallel session limit reached"
NO_PORTS: Final = "Ran out of ports"
LOAD_LIMIT: Final = "load limit"
# The others are rtpengine's words too.
UNRECOGNIZED: Final = "Unrecognized command"
NO_SDP: Final = "No SDP body in message"
NO_CALL_ID: Final = "No call-id in message"
NO_FROM_TAG: Final = "No from-tag in message"
NO_TO_TAG: Final = "No to-tag in message"
UNKNOWN_CALL: Final = "Unknown call-id"
NO_MATCH: Final = "Call-ID not found or tags didn't match"
#: What rtpengine calls some of the commands where it counts them.
_SHORT: Final = {"statistics": "stats", "block media": "blkmedia", "unblock media": "unblkmedia"}
BAD_LIMIT: Final = "invalid limit, must be >= 0"


class NGControl(Service):
    """
    Calls, as a SIP proxy sees them.

    @ivar counters: requests by command, C{"errors"}, C{"ignored"},
        C{"repeated"} and so on.
    """

    name = "ng"
    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        gateway: IGateway,
        addresses: Sequence[Address] = (),
        directions: Mapping[str, Side] = DIRECTIONS,
        deleteDelay: float = 0.0,
        drainTimeout: float = 0.0,
    ) -> None:
        """
        @param reactor: provides L{IReactorUDP} and L{IReactorTime}.
        @param addresses: where to listen.  No wildcards: a reply must come
            from the address that the request was sent to.
        @param directions: what C{direction} calls the sides.
        @param deleteDelay: seconds from a C{delete} that does not say to the
            end of the call.
        @param drainTimeout: seconds that it still listens for the ends of
            calls when it is stopped.
        """
        self._udp: IReactorUDP = reactor
        self._clock: IReactorTime = reactor
        self._gateway = gateway
        self._addresses = list(addresses)
        self._reader = ngflags.Reader(directions)
        self._deleteDelay = deleteDelay
        self._dialogues = Dialogues()
        self._ports: list[Any] = []
        self._reported: set[str] = set()
        self._complaints = 0
        self._complaintsSince = float("-inf")
        self._began = self._clock.seconds()
        self._draining = False
        self._drainTimeout = drainTimeout
        self._over: Deferred[None] | None = None
        self._bySession: dict[ISession, Dialogue] = {}
        self.counters: Counter[str] = Counter()

    # --- the service ---

    @property
    def boundAddresses(self) -> list[Address]:
        """
        Where it listens.
        """
        hosts = [port.getHost() for port in self._ports]
        return [(host.host, host.port) for host in hosts]

    def startService(self) -> None:
        """
        @raise ConfigError: an address is not ours, or taken.
        """
        Service.startService(self)
        for host, port in self._addresses:
            try:
                self._ports.append(
                    self._udp.listenUDP(port, NGPort(self), interface=host, maxPacketSize=65536)
                )
            except CannotListenError as e:
                raise ConfigError(f"control: cannot listen on {host} port {port}: {e.socketError}") from None

    def stopService(self) -> Any:
        """
        Stop listening, at once or as soon as there are no calls any more.
        The calls are the gateway's to end.
        """
        Service.stopService(self)
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        if len(self._dialogues) and self._drainTimeout and self._over is None:
            self.drain()
            over = self._over = Deferred()
            deadline = self._clock.callLater(self._drainTimeout, self._callsOver)
            await over
            if deadline.active():
                deadline.cancel()
        ports, self._ports = self._ports, []
        for callID in list(self._dialogues):
            for dialogue in self._dialogues.of(callID):
                self._keep(dialogue)
        await _stopAll(ports)

    def _callsOver(self) -> None:
        over, self._over = self._over, None
        if over is not None:
            over.callback(None)

    def drain(self) -> None:
        """
        Begin no more calls; the controller is told to ask somebody else.
        """
        self._draining = True

    def names(self, session: ISession) -> dict[str, str]:
        """
        What the controller calls a session, for whoever is told of events.
        """
        dialogue = self._bySession.get(session)
        return {"call-id": session.label} if dialogue is None else dialogue.names()

    # --- requests ---

    async def respond(self, message: Message) -> Fields:
        """
        Do what a message says.

        @return: the reply.
        """
        if message.error:
            return self._error("", "", message.error)
        command: str = message.fields["command"]
        handler = self._HANDLERS.get(command)
        self.counters[command if handler is not None else "unrecognized"] += 1
        if handler is None:
            return self._error("", "", UNRECOGNIZED)
        callID = ""
        try:
            request = self._reader.read(message.fields)
            callID = request.callID
            if request.unknown:
                self._report(request.unknown)
            reply = await handler(self, request)
        except GatewayError as e:
            return self._error(command, callID, str(e))
        except Exception:
            return self._mistake(command, callID)
        if request.warnings and "result" in reply:
            reply["warning"] = "; ".join(
                [*([reply["warning"]] if "warning" in reply else []), _warning(request.warnings)]
            )
        return reply

    async def _ping(self, request: Request) -> Fields:
        return {"result": "pong"}

    async def _offer(self, request: Request) -> Fields:
        self._checkDescription(request)
        dialogue = self._dialogues.forOffer(request)
        if dialogue is None:
            if self._draining and request.supportsLoadLimit:
                return {"result": LOAD_LIMIT, "message": "going out of service"}
            dialogue = self._begin(request)
        self._keep(dialogue)
        answerer = request.fromTag != dialogue.fromTag
        if answerer:
            dialogue.note(request.fromTag)
        dialogue.name(request.fromTag, request.label)
        return await self._once(
            dialogue,
            ("offer", answerer, request.near, request.terms, request.sdp),
            self._translateOffer,
            request,
        )

    async def _answer(self, request: Request) -> Fields:
        self._checkDescription(request)
        if not request.toTag:
            raise UsageError(NO_TO_TAG)
        dialogue = self._dialogues.forAnswer(request)
        if dialogue is None:
            known = self._dialogues.of(request.callID)
            raise UsageError(
                f"No offer from tag '{readable(request.fromTag, MAX_LABEL)}'" if known else UNKNOWN_CALL
            )
        self._keep(dialogue)
        return await self._once(
            dialogue, ("answer", request.toTag, request.terms, request.sdp), self._translateAnswer, request
        )

    async def _delete(self, request: Request) -> Fields:
        if not request.callID:
            raise UsageError(NO_CALL_ID)
        dialogues = self._dialogues.forDelete(request)
        if not dialogues:
            if request.fatal:
                raise UsageError(NO_MATCH)
            return {"result": "ok", "warning": NO_MATCH}
        reply: Fields = {}
        if not request.fast:
            reply = ngreply.describe([d.report() for d in dialogues])
        delay = self._deleteDelay if request.deleteDelay is None else request.deleteDelay
        for dialogue in dialogues:
            if delay <= 0:
                self._end(dialogue)
            elif dialogue.ending is None:
                dialogue.ending = self._clock.callLater(min(delay, MAX_DELETE_DELAY), self._end, dialogue)
        return {**reply, "result": "ok"}

    async def _query(self, request: Request) -> Fields:
        if not request.callID:
            raise UsageError(NO_CALL_ID)
        if not self._dialogues.of(request.callID):
            raise UsageError(UNKNOWN_CALL)
        dialogues = self._dialogues.forQuery(request)
        return {**ngreply.describe([d.report() for d in dialogues], counters=True), "result": "ok"}

    async def _blockMedia(self, request: Request) -> Fields:
        return self._block(request, True)

    async def _unblockMedia(self, request: Request) -> Fields:
        return self._block(request, False)

    def _block(self, request: Request, blocked: bool) -> Fields:
        if not request.callID:
            raise UsageError(NO_CALL_ID)
        dialogues = self._dialogues.of(request.callID)
        if not dialogues:
            raise UsageError(UNKNOWN_CALL)
        # A proxy always names a party; only with this flag is it meant.
        tag = request.fromTag if request.directional else ""
        if tag and not any(d.has(tag) for d in dialogues):
            raise UsageError(f"Unknown from-tag '{readable(tag, MAX_LABEL)}'")
        for dialogue in dialogues:
            for answerer in (False, True):
                if not tag or (tag in dialogue.answerers if answerer else tag == dialogue.fromTag):
                    dialogue.session.block(answerer, blocked)
        return {"result": "ok"}

    async def _list(self, request: Request) -> Fields:
        limit = LIST_LIMIT if request.limit is None else request.limit
        if limit < 0:
            raise UsageError(BAD_LIMIT)
        calls = [callID for callID, _ in zip(self._dialogues, range(limit), strict=False)]
        return {"calls": calls, "result": "ok"}

    async def _statistics(self, request: Request) -> Fields:
        c = self.counters
        return {
            "statistics": {
                "currentstatistics": {
                    "sessionsown": len(self._dialogues),
                    "sessionsforeign": 0,
                    "sessionstotal": len(self._dialogues),
                    "transcodedmedia": 0,
                },
                "totalstatistics": {
                    "uptime": int(self._clock.seconds() - self._began),
                    "managedsessions": c["sessions begun"],
                    "rejectedsessions": c["sessions refused"],
                    "timeoutsessions": c["sessions timed out"],
                    "regularterminatedsessions": c["sessions deleted"],
                    "forcedterminatedsessions": 0,
                },
                "controlstatistics": {
                    **{f"total{_SHORT.get(name, name)}count": c[name] for name in self._HANDLERS},
                    "totalerrorcount": c["errors"],
                    "totalrepeatedcount": c["repeated"],
                    "totalignoredcount": c["ignored"],
                },
            },
            "result": "ok",
        }

    _HANDLERS: Final[dict[str, Callable[["NGControl", Request], Awaitable[Fields]]]] = {
        "ping": _ping,
        "offer": _offer,
        "answer": _answer,
        "delete": _delete,
        "query": _query,
        "list": _list,
        "statistics": _statistics,
        "block media": _blockMedia,
        "unblock media": _unblockMedia,
    }

    # --- dialogues ---

    def _begin(self, request: Request) -> Dialogue:
        """
        @raise ResourceError: there are as many as are allowed.
        """
        if self._draining or self._dialogues.full(request.callID):
            self.counters["sessions refused"] += 1
            raise ResourceError(NO_SESSION)
        try:
            session = self._gateway.newSession(readable(request.callID, MAX_LABEL))
        except ResourceError:
            self.counters["sessions refused"] += 1
            raise ResourceError(NO_SESSION) from None
        dialogue = Dialogue(session, request)
        self._dialogues.add(dialogue)
        self.counters["sessions begun"] += 1
        self._bySession[session] = dialogue
        session.whenClosed().addCallback(self._closed, dialogue)
        return dialogue

    def _closed(self, ignored: object, dialogue: Dialogue) -> None:
        """
        A session has ended, on its own or because we said so.
        """
        self._keep(dialogue)
        del self._bySession[dialogue.session]
        if self._dialogues.remove(dialogue):
            self.counters["sessions timed out"] += 1
        if not len(self._dialogues):
            self._callsOver()

    def _end(self, dialogue: Dialogue) -> None:
        self._keep(dialogue)
        if self._dialogues.remove(dialogue):
            self.counters["sessions deleted"] += 1
        dialogue.session.close()

    def _keep(self, dialogue: Dialogue) -> None:
        """
        Forget a delayed C{delete}.
        """
        ending, dialogue.ending = dialogue.ending, None
        if ending is not None and ending.active():
            ending.cancel()

    async def _once(
        self,
        dialogue: Dialogue,
        key: object,
        translate: Callable[[Dialogue, Request], Awaitable[Fields]],
        request: Request,
    ) -> Fields:
        """
        Translate a description, or wait for the result if the same one is
        being translated already: a proxy with many processes sends the same
        offer again, with another cookie, for a repeated INVITE.
        """
        waiting = dialogue.underWay.get(key)
        if waiting is not None:
            if len(waiting) >= MAX_WAITING:
                raise UsageError("Too many requests for the same description")
            result: Deferred[Fields] = Deferred()
            waiting.append(result)
            return await result
        waiting = dialogue.underWay[key] = []
        turn = dialogue.turn.acquire()
        if not turn.called:
            # There are others before this one, which is rare.
            await turn
        # Without "finally": that would run, and run others, when a session
        # that never answered is garbage and this coroutine with it.
        try:
            reply = await translate(dialogue, request)
        except GatewayError as e:
            reply = self._error(request.command, request.callID, str(e))
        except Exception:
            reply = self._mistake(request.command, request.callID)
        dialogue.turn.release()
        del dialogue.underWay[key]
        for each in waiting:
            each.callback(dict(reply))
        return reply

    async def _translateOffer(self, dialogue: Dialogue, request: Request) -> Fields:
        answerer = request.fromTag != dialogue.fromTag
        try:
            sdp = await dialogue.session.offer(
                request.sdp, side=request.near, terms=request.terms, answerer=answerer
            )
        except Exception as e:
            if not dialogue.described:
                self._discard(dialogue)
            if isinstance(e, ResourceError):
                raise ResourceError(NO_PORTS) from None
            raise
        dialogue.described = True
        dialogue.answererSpoke = answerer
        return {"sdp": sdp, "result": "ok"}

    async def _translateAnswer(self, dialogue: Dialogue, request: Request) -> Fields:
        key = (request.sdp, request.terms)
        if dialogue.answererSpoke is (request.fromTag == dialogue.fromTag):
            # An answer to an offer that the other party has meanwhile
            # overtaken with one of its own: the session would take it for
            # that one's.  If it is a 200 that was repeated, it is known.
            known = dialogue.given.get(request.fromTag)
            if known is not None and known[0] == key:
                return {"sdp": known[1], "result": "ok"}
            raise UsageError(f"No offer from tag '{readable(request.fromTag, MAX_LABEL)}' is open")
        try:
            sdp = await dialogue.session.answer(request.sdp, request.terms)
        except ResourceError:
            raise ResourceError(NO_PORTS) from None
        dialogue.answered = True
        dialogue.remember(request.fromTag, key, sdp)
        if not dialogue.answererSpoke:
            dialogue.note(request.toTag)
        dialogue.name(request.toTag, request.label)
        return {"sdp": sdp, "result": "ok"}

    def _discard(self, dialogue: Dialogue) -> None:
        """
        A session whose first offer failed is none.
        """
        if self._dialogues.remove(dialogue):
            self.counters["sessions refused"] += 1
        dialogue.session.close()

    def _checkDescription(self, request: Request) -> None:
        """
        @raise UsageError: a message with a description lacks something.
        """
        if not request.sdp:
            raise UsageError(NO_SDP)
        if not request.callID:
            raise UsageError(NO_CALL_ID)
        if not request.fromTag:
            raise UsageError(NO_FROM_TAG)
        # As the lite agent we need no candidates of the other party (RFC 8445
        # section 2.5), and a fragment is no description.
        if request.fragment:
            raise UsageError("Trickled candidates are not used")

    # --- telling ---

    def now(self) -> float:
        """
        The time, for the reply cache.
        """
        return self._clock.seconds()

    def count(self, what: str) -> None:
        """
        Something happened at a port.
        """
        self.counters[what] += 1

    def failed(self, failure: Failure) -> None:
        """
        A reply could not be made, and that is our mistake.
        """
        self._log.failure("while replying", failure=failure)

    def _failure(self, reason: str) -> Fields:
        return {"result": "error", "error-reason": reason}

    def _error(self, command: str, callID: str, reason: str) -> Fields:
        self.counters["errors"] += 1
        self.complain(
            "{label}: {command}: {reason}", label=callID or "-", command=command or "-", reason=reason
        )
        return self._failure(reason)

    def _mistake(self, command: str, callID: str) -> Fields:
        """
        Log a mistake of our own.  It must not cost the controller its other
        calls, and not leave it waiting.
        """
        self._log.failure("{label}: {command}", label=readable(callID, MAX_LABEL), command=command)
        self.counters["errors"] += 1
        self.counters["mistakes"] += 1
        return self._failure("Internal error")

    def complain(self, text: str, **values: str) -> None:
        """
        Log what a controller did wrong, but not as often as it does so.
        """
        now = self._clock.seconds()
        if now - self._complaintsSince >= COMPLAINT_PERIOD:
            omitted = self._complaints - MAX_COMPLAINTS
            if omitted > 0:
                self._log.warn("{count} more complaints about requests were left out", count=omitted)
            self._complaints = 0
            self._complaintsSince = now
        self._complaints += 1
        if self._complaints <= MAX_COMPLAINTS:
            self._log.warn(text, **{k: readable(v, MAX_TEXT) for k, v in values.items()})

    def _report(self, names: Sequence[str]) -> None:
        """
        Log names that mean nothing to us, each of them once.
        """
        new = [name for name in names if name not in self._reported]
        if new and len(self._reported) < MAX_REPORTED:
            self._reported.update(new)
            self.complain("unknown to us, and ignored from now on: {names}", names=", ".join(new))


def _warning(refused: Sequence[str]) -> str:
    return "not done by this gateway: " + ", ".join(refused)


async def _stopAll(ports: Sequence[Any]) -> None:
    for port in ports:
        await _stopped(port)


async def _stopped(port: Any) -> None:
    stopping = port.stopListening()
    if stopping is not None:
        await stopping
