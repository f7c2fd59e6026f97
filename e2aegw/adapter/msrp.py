"""
MSRP (RFC 4975) over TCP, TLS and data channels (RFC 8873).

The adapter is the end of its hop: it answers requests itself, at once, and
writes those of the other leg with paths and transactions of its own, of which
only the names are the same if they can be.  What becomes of a request on the
far hop its sender hears by a REPORT, as from a relay (RFC 4976 clause 6.4).

Where both parties have CEMA (RFC 6714) the adapters are no ends but a piece of
the way: paths, transactions and responses are in the units and cross.
"""

from collections import deque
from collections.abc import Sequence, Set
from typing import Any

from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from e2aegw.adapter.stream import StreamAdapter
from e2aegw.alarm import Alarm
from e2aegw.errors import ConfigError, NegotiationError, RemoteError
from e2aegw.interfaces import Address, Apply, IAdapter, IAdapterFactory
from e2aegw.sansio.events import ConnectionIdle, MediaStarted, ProtocolViolated
from e2aegw.sansio.msrp import (
    ABORT,
    END,
    REPORT,
    SEND,
    ByteRange,
    Fragment,
    Head,
    Request,
    Response,
    formatResponse,
    newTransaction,
)
from e2aegw.sansio.msrppath import Paths
from e2aegw.sansio.msrpreader import Reader
from e2aegw.sansio.msrpsender import CHUNK, Sender, comment, failureReport
from e2aegw.sansio.msrpuri import parsePath
from e2aegw.sansio.sdp import Line, Section
from e2aegw.sansio.terms import Kind, Terms

PROTOS = {"TCP/MSRP": "tcp", "TCP/TLS/MSRP": "tls", "DC/MSRP": "channel"}
#: Whether to relay, where both parties have CEMA: never; unless the offer came
#: through a data channel, where the attribute is mandatory and says nothing of
#: the other party (RFC 8873 clause 4.4); or always.
RELAY = ("never", "auto", "always")
#: Octets of units that wait for the connection.  The other leg is told to
#: pause with the first of them, so this is what it may have read by then.
MAX_WAITING = 1 << 20
#: What a unit that waits takes beside its body.
_UNIT = 512
#: Requests of methods that are not known here, and not yet answered.
MAX_FOREIGN = 64
#: The shortest chunk size that may be configured (RFC 4975 clause 7.1.1 asks
#: for no smaller chunks).
MIN_CHUNK = 2048
#: Requests for other sessions on a connection that is not known to be the
#: party's, before it is closed.
MAX_REFUSED = 16
#: What several writes cost is more than what copying so much does.
_JOIN = 16384

#: What crosses if the gateway relays.
_CEMA = frozenset({"path", "msrp-cema", "setup"})
_NOTHING: frozenset[str] = frozenset()
_STARTED = MediaStarted()


@implementer(IAdapter)
class MSRPAdapter(StreamAdapter):
    """
    MSRP.  The unit is a L{Fragment}; while paths are end to end, also a
    L{Response}.

    @ivar destination: where to connect, if not to the address of the C{c=} and
        C{m=} lines: the first hop of the party's path (RFC 4975 clause 8.3).
    @ivar active: whether we, by the descriptions, begin the session (RFC 6135)
        with a SEND; L{None} before they say so.
    @ivar cema: whether the network party's description has C{msrp-cema}.
    @ivar setup: what the network party's description says of it.
    @ivar paths: the network party's path and ours.
    @ivar relaying: whether paths are end to end now.
    """

    medium = "msrp"

    def __init__(
        self, proto: str, clock: Any, *, relay: str = "auto", chunk: int = CHUNK, idle: float = 0
    ) -> None:
        """
        @param clock: provides C{IReactorTime}.
        @param relay: one of L{RELAY}.
        @param chunk: the longest body of a message on a data channel.
        @param idle: seconds without traffic after which to say so; 0 for
            never.
        """
        super().__init__(self._drained)
        self.passes: Set[str] = _NOTHING
        self.destination: Address | None = None
        self.active: bool | None = None
        self.cema = False
        self.setup: str | None = None
        self.paths = Paths()
        self.relaying = False
        self._proto = proto.upper()
        self._channel = PROTOS.get(self._proto) == "channel"
        self._clock = clock
        self._policy = relay
        self._reader = Reader()
        self._sender = Sender(messages=self._channel, chunk=chunk)
        # Whether the last offer to this party had the other party's path.
        self._passed = False
        self._connected = self._lost = self._failed = False
        # Whether we have begun the session, and whether it is known that this
        # is the network party.
        self._greeted = self._bound = False
        self._refused = 0
        self._heard = False
        self._waiting: deque[Any] = deque()
        self._waitingSize = 0
        # A chunk of which a piece could not be sent, and why.
        self._cut: Head | None = None
        self._cutCode = 0
        self._reading = False
        # The request of which pieces arrive: what to do with them.
        self._refusing = False
        self._foreign: dict[int, tuple[Fragment, Request]] = {}
        self._alarm = Alarm(clock)
        self._idle = idle
        self._idleAlarm = Alarm(clock)
        self._lastActive = 0.0

    # ILegPart

    def configure(self, section: Section, terms: Terms) -> Apply:
        """
        See L{ILegPart}.

        @raise NegotiationError: the section is not MSRP, or says no path.
        """
        proto = section.proto.upper()
        if proto not in PROTOS or (PROTOS[proto] == "channel") != self._channel:
            raise NegotiationError(f"{section.proto} where MSRP was expected")
        value = section.get("path")
        if value is None:
            raise NegotiationError("MSRP without a path")
        try:
            path = parsePath(value.encode(errors="replace"))
        except RemoteError as e:
            raise NegotiationError(f"path: {e}") from None
        setup = section.get("setup")
        cema = section.has("msrp-cema")
        first = path[0]
        # RFC 6714: with CEMA, or in a channel, the path is no route.
        routed = first.port and not cema and not self._channel
        destination = (first.host, first.port or 0) if routed else None

        def apply() -> None:
            self.paths.remote, self.destination = path, destination
            self.cema, self.setup = cema, setup
            self.active = _active(setup, terms.kind)
            self._sender.toPath = b" ".join(uri.text for uri in path)
            # What is said after an exchange can wait for a new connection.
            self._lost = False
            if terms.kind is Kind.ANSWER:
                self._agree(self._passed and cema)
            self._begin()

        return apply

    def describe(self, terms: Terms) -> Sequence[Line]:
        """
        See L{ILegPart}.

        If the gateway relays, the other party's lines say it all, and C{passes}
        names them.
        """
        lines = self._lines(terms)
        if terms.kind is Kind.ANSWER:
            self._begin()
        return lines

    def _lines(self, terms: Terms) -> Sequence[Line]:
        peer = self.peer if isinstance(self.peer, MSRPAdapter) else None
        offers = terms.kind is Kind.OFFER
        if offers:
            self._passed = peer is not None and self._mayRelay(peer, terms.msrpRelay or self._policy)
        relays = self._passed if offers else self.relaying
        if relays and peer is not None and peer.paths.remote:
            self.passes = _CEMA
            self._sender.fromPath = self.paths.use(peer.paths.remote[-1]).text
            # RFC 6714 clause 4.2 has one in every description, or should.
            if self._channel and peer.setup is None:
                return (Line("setup", "active" if offers else "passive"),)
            return ()
        self.passes = _NOTHING
        host, port = self.transport.localAddress
        uri = self.paths.own(
            terms.mediaAddress or host,
            port,
            secure=self._proto != "TCP/MSRP",
            transport="dc" if self._channel else "tcp",
        )
        self._sender.fromPath = self.paths.use(uri).text
        path = Line("path", str(uri))
        if not self._channel:
            return (path,)
        # RFC 8873 clause 4.4: these are mandatory.  RFC 6135 clause 4.2.2 says
        # what the last one is.
        setup = "actpass" if offers else ("active" if self.active else "passive")
        return (path, Line("msrp-cema"), Line("setup", setup))

    # IProtocol

    def connectionOpened(self) -> None:
        """
        What is written reaches the network party from now on.
        """
        self._connected = True
        self._lost = self._failed = self._greeted = self._refusing = False
        self._refused = 0
        # Anybody may connect to a TCP port (RFC 4975 clause 5.4).
        self._bound = PROTOS.get(self._proto) != "tcp"
        self._reader = Reader(endToEnd=self.relaying)
        self._lastActive = self._clock.seconds()
        self._throttle.opened()
        if self._idle:
            self._idleAlarm.set(self._lastActive + self._idle, self._checkIdle)
        self._begin()

    def dataReceived(self, data: bytes) -> None:
        """
        Some octets from the network party.

        @raise RemoteError: they are not MSRP.  The connection is closed.
        """
        if self._failed or self._lost:
            raise RemoteError("not expected")
        self.octetsReceived += len(data)
        if self._idle:
            self._lastActive = self._clock.seconds()
        self._reader.feed(data)
        if self._reading:
            # Whoever wrote what comes of the last octets was given more.
            return
        self._reading = True
        try:
            while (part := self._reader.nextPart()) is not None:
                if isinstance(part, Response):
                    self._responseReceived(part)
                else:
                    self._requestReceived(part)
        except RemoteError as e:
            self._fail(e.reason)
            raise
        finally:
            self._reading = False

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The connection has ended.
        """
        self._connected, self._lost = False, True
        interrupted = self._reader.interrupted
        self._reader = Reader()
        if interrupted is not None and not self._refusing:
            self._toPeer(interrupted)
        self._foreign.clear()
        for report in self._sender.forget():
            self._toPeer(report)
        waiting, self._waiting = self._waiting, deque()
        self._waitingSize = 0
        for unit in waiting:
            self._giveBack(unit, 481)
        self._throttle.closed()
        self._alarm.stop()
        self._idleAlarm.stop()

    # IAdapter

    def sendUnit(self, unit: Any) -> None:
        """
        See L{IAdapter}.
        """
        if isinstance(unit, Fragment) and not unit.first and unit.head is self._cut:
            self._giveBack(unit, self._cutCode)
        elif self._lost or self._failed:
            self._giveBack(unit, 481)
        elif not self._ready:
            size = _UNIT + len(getattr(unit, "body", None) or b"")
            if self._waitingSize + size > MAX_WAITING:
                if isinstance(unit, Fragment) and not unit.first:
                    self._waiting.append(Fragment(unit.head, b"", ABORT, unit.position, False))
                    self._waitingSize += _UNIT
                self._cutOff(unit, 408)
                return
            self._waiting.append(unit)
            self._waitingSize += size
            self.counters["units that waited"] += 1
            self._throttle.wait(True)
        else:
            self._send(unit)

    # What we say

    def _send(self, unit: Any) -> None:
        now = self._clock.seconds()
        if isinstance(unit, Response):
            if unit.answers is not None:
                self._answer(unit)
            else:
                self._write(self._sender.interject(bytes(unit), now))
            return
        self._sender.limit = getattr(self.transport, "maxMessageSize", None) or 0
        try:
            out = self._sender.send(unit, now)
        except RemoteError as e:
            self.counters["unsent " + e.reason] += 1
            self._cutOff(unit, 413)
            return
        if not out and unit.flag is None:
            self.counters["pieces gathered"] += 1
        elif not out:
            self.counters["unsent rest of a failed message"] += 1
        if unit.flag is not None:
            self.packetsSent += 1
        self._write(out)
        self._arm()

    def _write(self, out: Sequence[bytes]) -> None:
        """
        Write what the sender made: on a data channel, one message each.
        """
        if not out:
            return
        size = sum(map(len, out))
        self.octetsSent += size
        if self._idle:
            self._lastActive = self._clock.seconds()
        if not self._channel and size <= _JOIN:
            self.transport.write(b"".join(out))
        else:
            for data in out:
                self.transport.write(data)

    def _begin(self) -> None:
        """
        Begin the session on a new connection, if that is ours to do, and say
        what waited for it.
        """
        if self._connected and self._sender.toPath and self._sender.fromPath:
            active = getattr(self.transport, "active", None)
            if self.relaying or (self.active if active is None else active):
                self._bound = True
                # Where paths are end to end, the parties do this.
                if not self._greeted and not self.relaying:
                    self._greet()
        while self._waiting and self._ready:
            unit = self._waiting.popleft()
            self._waitingSize -= _UNIT + len(getattr(unit, "body", None) or b"")
            self._send(unit)
        self._throttle.wait(bool(self._waiting))

    def _greet(self) -> None:
        """
        The active party begins with a SEND (RFC 4975 clause 5.4); it need not
        say anything.
        """
        self._greeted = True
        messageID = newTransaction()
        byteRange = ByteRange(1, 0, 0)
        lines = (b"Message-ID: " + messageID, b"Byte-Range: " + bytes(byteRange))
        # It has no name in the head, so that nobody else hears of its fate.
        self._send(Fragment(Head(lines=lines, byteRange=byteRange), None, END))

    @property
    def believes(self) -> bool:
        """
        Whether who is connected has shown that it is the network party.
        """
        return self._heard if self.relaying else self._bound

    @property
    def _ready(self) -> bool:
        """
        Whether units can be written.
        """
        return bool(self._connected and self._bound and self._sender.toPath and self._sender.fromPath)

    def _respond(self, request: Request, code: int) -> None:
        """
        Answer a request, if its sender wants to know (RFC 4975 clause 7.2).
        """
        head = request.fragment.head
        if head.failureReport == b"no" or (head.failureReport == b"partial" and code == 200):
            return
        self._writeResponse(request.transaction, request.toPath, request.fromPath, head.method, code)

    def _writeResponse(
        self,
        transaction: bytes,
        toPath: bytes,
        fromPath: bytes,
        method: bytes,
        code: int,
        words: bytes = b"",
        more: tuple[bytes, ...] = (),
    ) -> None:
        # What answers SEND goes one hop back; what answers others, the whole
        # way.
        back = fromPath.split(None, 1)[0] if method == SEND else fromPath
        lines = (b"To-Path: " + back, b"From-Path: " + toPath, *more)
        words = words or (b" OK" if code == 200 else comment(code))
        self._write(
            self._sender.interject(formatResponse(transaction, code, words, lines), self._clock.seconds())
        )
        self._throttle.answered()

    # What we hear

    def _requestReceived(self, request: Request) -> None:
        fragment = request.fragment
        if fragment.flag is not None:
            self.packetsReceived += 1
        if fragment.first:
            code = 0 if self.relaying else self.paths.judge(request)
            if code:
                self.counters[f"dropped {code}"] += 1
                self._refusing = fragment.flag is None
                if fragment.head.method != REPORT:
                    self._respond(request, code)
                if not self._bound:
                    self._refused += 1
                    if self._refused > MAX_REFUSED:
                        raise RemoteError("stranger")
                return
            self._accept()
        elif self._refusing:
            self._refusing = fragment.flag is None
            return
        method = fragment.head.method
        if self.relaying or method == REPORT:
            self._toPeer(fragment)
            return
        if method != SEND:
            self._foreign[id(fragment)] = (fragment, request)
            if len(self._foreign) > MAX_FOREIGN:
                del self._foreign[next(iter(self._foreign))]
            self._toPeer(fragment)
            return
        if fragment.body is None and not fragment.head.successReport:
            # It binds a connection or keeps a NAT's door open; the next hop
            # has a connection of its own.
            self.counters["empty requests"] += 1
        else:
            self._toPeer(fragment)
        if fragment.flag is not None:
            self._respond(request, 200)

    def _accept(self) -> None:
        """
        A request is for this session.
        """
        if not self._heard:
            self._heard = True
            self.notify(_STARTED)
        if not self._bound:
            self._bound = True
            self._begin()

    def _responseReceived(self, response: Response) -> None:
        self.counters["responses received"] += 1
        unit: Fragment | Response | None
        if self.relaying and not self._sender.awaits(response.transaction):
            unit = self._sender.translate(response)
        else:
            try:
                unit = self._sender.receive(response)
            except RemoteError as e:
                self.counters["dropped " + e.reason] += 1
                return
        if unit is not None:
            self._toPeer(unit)

    def _toPeer(self, unit: Fragment | Response) -> None:
        if self.peer is None:
            self.counters["dropped nobody there"] += 1
        else:
            self.peer.sendUnit(unit)

    def _answer(self, response: Response) -> None:
        """
        The other party has answered a request of an unknown method.
        """
        _, request = self._foreign.pop(id(response.answers), (None, None))
        if request is None:
            self.counters["unsent response to nothing"] += 1
            return
        more = tuple(
            line
            for line in response.lines
            if line.partition(b":")[0].lower() not in (b"to-path", b"from-path")
        )
        method = request.fragment.head.method
        self._writeResponse(
            request.transaction,
            request.toPath,
            request.fromPath,
            method,
            response.code,
            response.comment,
            more,
        )

    def _cutOff(self, unit: Any, code: int) -> None:
        """
        A unit cannot be sent, and so neither can the rest of its chunk.
        """
        if isinstance(unit, Fragment):
            self._cut, self._cutCode = unit.head, code
        self._giveBack(unit, code)

    def _giveBack(self, unit: Any, code: int) -> None:
        """
        A unit cannot be sent.  If it is the end of a chunk, its sender is
        told.
        """
        self.counters["unsent no connection" if code == 481 else "unsent units"] += 1
        if not isinstance(unit, Fragment) or unit.flag is None:
            return
        head = unit.head
        if head.method != SEND or head.transaction or head.failureReport == b"no" or not head.messageID:
            return
        start = 1 if head.byteRange is None else head.byteRange.start
        total = None if head.byteRange is None else head.byteRange.total
        end = unit.position + len(unit.body or b"") - 1
        self._toPeer(failureReport(head.messageID, ByteRange(start, end, total), code))

    def _fail(self, reason: str) -> None:
        """
        There is no telling where the next message begins.
        """
        self._failed = True
        self._throttle.release()
        if getattr(self.transport, "doubtful", False):
            # It was somebody else, whom the transport gets rid of.
            return
        self.notify(ProtocolViolated(protocol="MSRP", reason=reason))
        self.transport.loseConnection()

    # Paths

    def _mayRelay(self, peer: "MSRPAdapter", policy: str) -> bool:
        """
        Whether to offer the other party's path as it is.
        """
        if not peer.cema or policy == "never":
            return False
        return self.relaying or policy == "always" or self._channel or not peer._channel

    def _agree(self, relaying: bool) -> None:
        """
        Both parties have described themselves.
        """
        if isinstance(self.peer, MSRPAdapter):
            for each in (self, self.peer):
                each.relaying = each._reader.endToEnd = relaying

    # Time

    def _drained(self) -> None:
        """
        The network party reads again what is written to it.
        """
        self._sender.resumed(self._clock.seconds())

    def _arm(self) -> None:
        if not self._alarm.isSet:
            self._alarm.set(self._sender.nextTimeout(), self._expire)

    def _expire(self, now: float) -> None:
        if self._throttle.full:
            # Much of it is not even sent.
            self._sender.resumed(now)
        for report in self._sender.timeout(now):
            self.counters["requests without response"] += 1
            self._toPeer(report)
        self._arm()

    def _checkIdle(self, now: float) -> None:
        at = self._lastActive + self._idle
        if at <= now:
            self.notify(ConnectionIdle(seconds=self._idle))
            at = now + self._idle
        self._idleAlarm.set(at, self._checkIdle)


def _active(setup: str | None, kind: Kind) -> bool:
    """
    Whether we are active by RFC 6135 clause 4.2, given what the other party
    says; C{holdconn} is as good as nothing.
    """
    return setup == "passive" if kind is Kind.OFFER else setup != "active"


@implementer(IAdapterFactory)
class Factory:
    """
    Builds adapters for MSRP.
    """

    medium = "msrp"
    protos = PROTOS

    def __init__(self, relay: str = "auto", chunk: int = CHUNK, idle: float = 0, clock: Any = None) -> None:
        """
        @param relay: one of L{RELAY}: whether to relay where both parties have
            CEMA.
        @param chunk: the longest body in one message of a data channel.
        @param idle: seconds without traffic on a connection after which to say
            so; 0 for never.
        @param clock: provides C{IReactorTime}; the reactor, if none is given.

        @raise ConfigError: one of these cannot be used.
        """
        if relay not in RELAY:
            raise ConfigError(f"relay: {relay} is not one of {', '.join(RELAY)}")
        if chunk < MIN_CHUNK:
            raise ConfigError(f"chunk: below {MIN_CHUNK}")
        if idle < 0:
            raise ConfigError("idle: below 0")
        self._relay, self._chunk, self._idle, self._clock = relay, chunk, idle, clock

    def claim(self, section: Section) -> str | None:
        """
        See L{IAdapterFactory}.
        """
        return PROTOS.get(section.proto.upper())

    def buildAdapter(self, proto: str) -> MSRPAdapter:
        """
        See L{IAdapterFactory}.
        """
        clock = self._clock
        if clock is None:
            from twisted.internet import reactor as clock
        return MSRPAdapter(proto, clock, relay=self._relay, chunk=self._chunk, idle=self._idle)
