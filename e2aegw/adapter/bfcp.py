"""
BFCP (RFC 8855, RFC 8856) over TCP, TLS, UDP, DTLS and data channels.

The unit is a message as it travels over TCP.  Between reliable transports it
crosses to the letter.  What an unreliable one needs beside it, fragments,
repetitions and acknowledgements, stays on its leg.
"""

from collections import deque
from collections.abc import Sequence, Set
from typing import Any

from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from e2aegw.adapter.stream import StreamAdapter
from e2aegw.alarm import Alarm
from e2aegw.errors import NegotiationError, RemoteError
from e2aegw.interfaces import Apply, IAdapter, IAdapterFactory
from e2aegw.sansio.bfcp import QUESTIONS, RELIABLE, UNRELIABLE, Fault, Header, errorMessage
from e2aegw.sansio.bfcpreader import ReliableHop
from e2aegw.sansio.bfcptransactions import DatagramHop
from e2aegw.sansio.events import MediaStarted, PartySilent, ProtocolViolated
from e2aegw.sansio.sdp import Line, Section
from e2aegw.sansio.terms import Kind, Terms

PROTOS = {
    "TCP/BFCP": "tcp",
    "TCP/TLS/BFCP": "tls",
    "UDP/BFCP": "udp",
    "UDP/TLS/BFCP": "dtls",
    "DC/BFCP": "channel",
}
#: The kinds of transport on which messages get lost.
_UNRELIABLE = frozenset({"udp", "dtls"})
#: Octets of messages that wait for a connection, or for a party that does not
#: read: more than a conference says in a minute.  The longest message there
#: can be is always taken.
MAX_WAITING = 1 << 18
#: What a message that waits takes beside its octets.
_UNIT = 128
#: Characters of a C{bfcpver} attribute that are looked at.
_MAX_VERSIONS = 64

_PASSES = frozenset({"bfcpver"})
_NOTHING: frozenset[str] = frozenset()
_STARTED = MediaStarted()


@implementer(IAdapter, IHandshakeListener)
class BFCPAdapter(StreamAdapter):
    """
    BFCP.  The unit is a message in the reliable form.

    @ivar toServer: whether the network party is the floor control server;
        L{None} as long as that is not settled.
    """

    medium = "bfcp"

    def __init__(self, proto: str, clock: Any) -> None:
        """
        @param clock: provides C{IReactorTime}.
        """
        super().__init__(self._flush)
        self.passes: Set[str] = _NOTHING
        self._kind = PROTOS.get(proto.upper(), "tcp")
        self._clock = clock
        self.toServer: bool | None = None
        self._hop: ReliableHop | DatagramHop
        if self.reliable:
            self._hop = self._newHop()
        else:
            self._hop = DatagramHop(self.counters)
        self._waiting: deque[bytes] = deque()
        self._waitingSize = 0
        self._connected = self._lost = self._failed = self._silent = self._heard = False
        self._alarm = Alarm(clock)
        # What the attributes of a data channel say, which mean nothing there.
        self._setup: str | None = None
        self._keeps: bool | None = None

    @property
    def believes(self) -> bool:
        """
        Whether who is connected has said something: nothing in BFCP shows
        better that it is the network party.
        """
        return self._heard

    @property
    def reliable(self) -> bool:
        """
        Whether nothing gets lost below.
        """
        return self._kind not in _UNRELIABLE

    def learnRole(self, toServer: bool | None) -> None:
        """
        It is settled, or open again, whether the network party is the floor
        control server.
        """
        self.toServer = self._hop.toServer = toServer

    # ILegPart

    def configure(self, section: Section, terms: Terms) -> Apply:
        """
        See L{ILegPart}.

        @raise NegotiationError: the section is not BFCP, or of no version that
            its transport can have.
        """
        if PROTOS.get(section.proto.upper()) != self._kind:
            raise NegotiationError(f"{section.proto} where BFCP was expected")
        if not self._speaks(section.get("bfcpver")):
            raise NegotiationError("no version of BFCP that can be spoken over this transport")
        role = _role(section.get("floorctrl"))
        setup, connection = section.get("setup"), section.get("connection")

        def apply() -> None:
            self._setup = setup
            self._keeps = None if connection is None else connection == "existing"
            self._takeRole(role, section.has("floorctrl"), terms.kind)

        return apply

    def describe(self, terms: Terms) -> Sequence[Line]:
        """
        See L{ILegPart}.

        Versions are those of the transport (RFC 8856 clause 5.5), so they cross
        only where both legs have one of the same sort.
        """
        lines = []
        self.passes = _PASSES
        if getattr(self.peer, "reliable", self.reliable) != self.reliable:
            self.passes = _NOTHING
            lines.append(Line("bfcpver", str(RELIABLE if self.reliable else UNRELIABLE)))
        if self._kind == "channel":
            lines += self._describeChannel(terms)
        return lines

    def _describeChannel(self, terms: Terms) -> list[Line]:
        """
        RFC 8864 has no rules for BFCP; so a channel's attributes are those of
        TCP, and are answered if they were offered.
        """
        if terms.kind is Kind.OFFER:
            existing = "existing" if self._connected else "new"
            return [Line("setup", "actpass"), Line("connection", existing)]
        lines = []
        if self._setup is not None:
            lines.append(Line("setup", "active" if self._setup == "passive" else "passive"))
        if self._keeps is not None:
            lines.append(Line("connection", "existing" if self._keeps and self._connected else "new"))
        return lines

    # IProtocol

    def connectionMade(self) -> None:
        """
        The transport is there.  If nobody is at its other end yet,
        L{connectionOpened} or L{handshakeCompleted} follows.
        """
        if self._kind != "dtls" and getattr(self.transport, "connected", True):
            self.connectionOpened()

    def handshakeCompleted(self) -> None:
        """
        See C{IHandshakeListener}: there is a DTLS association.
        """
        if self._kind == "dtls":
            self.connectionOpened()

    def connectionOpened(self) -> None:
        """
        What is written reaches the network party from now on.
        """
        self._connected, self._lost, self._failed, self._heard = True, False, False, False
        if self.reliable:
            self._hop = self._newHop()
        self._throttle.opened()
        self._flush()

    def dataReceived(self, data: bytes) -> None:
        """
        Some octets, a message or a datagram from the network party.

        @raise RemoteError: they are not BFCP.  A stream is closed.
        """
        if self._failed or self._lost:
            raise RemoteError("not expected")
        self.octetsReceived += len(data)
        error = None
        try:
            self._hop.receive(data, self._clock.seconds())
        except RemoteError as e:
            error = e
        before = self.packetsReceived
        self._turn()
        if error is not None:
            if self._kind in ("tcp", "tls"):
                self._fail(error.reason)
            raise error
        if self.packetsReceived == before and self._kind not in ("tcp", "tls"):
            # A piece, a repetition or an acknowledgement.
            self.packetsReceived += 1

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The connection has ended.
        """
        self._connected, self._lost = False, True
        waiting, self._waiting = self._waiting, deque()
        self._waitingSize = 0
        for unit in waiting:
            self.counters["unsent no connection"] += 1
            self._giveBack(unit, Fault.GENERIC)
        self._throttle.closed()
        self._alarm.stop()

    # IPushProducer: what the network party sends

    def pauseProducing(self) -> None:
        """
        Read no more from the network party, for now.  Who sends datagrams waits
        for responses, and is slow enough.
        """
        if self.reliable:
            super().pauseProducing()

    def resumeProducing(self) -> None:
        """
        Read again.
        """
        if self.reliable:
            super().resumeProducing()

    # IAdapter

    def sendUnit(self, unit: bytes) -> None:
        """
        See L{IAdapter}.
        """
        if self._lost or self._failed:
            # RFC 8855 clause 6.1: who asked may ask again when it is back.
            self.counters["unsent no connection"] += 1
            self._giveBack(unit, Fault.GENERIC)
        elif self._connected and not self._throttle.full:
            self._send(unit)
        elif self._waiting and self._waitingSize + len(unit) > MAX_WAITING:
            self.counters["unsent no room"] += 1
            self._giveBack(unit, Fault.GENERIC)
        else:
            self._waiting.append(unit)
            self._waitingSize += _UNIT + len(unit)
            self.counters["units that waited"] += 1
            self._throttle.wait(True)

    # Inside

    def _send(self, unit: bytes) -> None:
        limit = (getattr(self.transport, "maxMessageSize", None) or 0) if self._kind == "channel" else 0
        if 0 < limit < len(unit):
            self.counters["unsent too long"] += 1
            self._giveBack(unit, Fault.INCORRECT_LENGTH)
            return
        self.packetsSent += 1
        self._hop.send(unit, self._clock.seconds())
        self._turn()

    def _flush(self) -> None:
        """
        Say what waited.
        """
        while self._waiting and self._connected and not self._throttle.full:
            unit = self._waiting.popleft()
            self._waitingSize -= _UNIT + len(unit)
            self._send(unit)
        self._turn()

    def _turn(self) -> None:
        """
        Do what the hop wants, until it wants nothing more.
        """
        hop = self._hop
        while (data := hop.nextDatagram()) is not None:
            self.octetsSent += len(data)
            self.transport.write(data)
        while (message := hop.nextMessage()) is not None:
            if not self.packetsReceived:
                self.notify(_STARTED)
            self.packetsReceived += 1
            self._heard = True
            if self.peer is None:
                self.counters["dropped nobody there"] += 1
            else:
                self.peer.sendUnit(message)
        if isinstance(hop, DatagramHop):
            self._throttle.wait(bool(self._waiting) or hop.full)
            if hop.silent != self._silent:
                self._silent = hop.silent
                if hop.silent:
                    self.notify(PartySilent(protocol="BFCP"))
            self._alarm.set(hop.nextTimeout() if self._connected else None, self._expire)
        else:
            self._throttle.wait(bool(self._waiting))

    def _expire(self, now: float) -> None:
        self._hop.timeout(now)
        self._turn()

    def _giveBack(self, unit: bytes, fault: Fault) -> None:
        """
        A message cannot be sent.  Who waits for the response is told.
        """
        header = Header.parse(unit)
        if header.primitive in QUESTIONS and header.transaction and self.peer is not None:
            self.peer.sendUnit(errorMessage(header, fault))

    def _fail(self, reason: str) -> None:
        """
        There is no telling where the next message begins.
        """
        self._failed = True
        self._throttle.release()
        if getattr(self.transport, "doubtful", False):
            # It was somebody else, whom the transport gets rid of.
            return
        self.notify(ProtocolViolated(protocol="BFCP", reason=reason))
        self.transport.loseConnection()

    def _newHop(self) -> ReliableHop:
        hop = ReliableHop(self.counters, stream=self._kind != "channel")
        hop.toServer = self.toServer
        return hop

    def _speaks(self, value: str | None) -> bool:
        """
        Whether one of these versions can be spoken over our transport; nobody
        has to say which (RFC 8856 clause 5.5).
        """
        if value is None:
            return True
        versions = value[:_MAX_VERSIONS].split()
        # Over TCP some say 2, and the floor control server decides.
        return str(UNRELIABLE) in versions or (self.reliable and str(RELIABLE) in versions)

    def _takeRole(self, role: bool | None, said: bool, kind: Kind) -> None:
        """
        Of the two parties one becomes the floor control server (RFC 8856
        clause 5.1).
        """
        if kind is Kind.OFFER:
            self.learnRole(role if said else False)
            return
        if not said:
            role = getattr(self.peer, "toServer", None) is not True
        self.learnRole(role)
        # The peer may be a filter's seat, or an application.
        if role is not None and (learn := getattr(self.peer, "learnRole", None)) is not None:
            learn(not role)


def _role(value: str | None) -> bool | None:
    """
    Whether who says this becomes the server, if that is all it wants to be.
    """
    roles = set((value or "").lower().split())
    if roles == {"s-only"}:
        return True
    return False if roles == {"c-only"} else None


@implementer(IAdapterFactory)
class Factory:
    """
    Builds adapters for BFCP.
    """

    medium = "bfcp"
    protos = PROTOS

    def __init__(self, clock: Any = None) -> None:
        """
        @param clock: provides C{IReactorTime}; the reactor, if none is given.
        """
        self._clock = clock

    def claim(self, section: Section) -> str | None:
        """
        See L{IAdapterFactory}.
        """
        return PROTOS.get(section.proto.upper())

    def buildAdapter(self, proto: str) -> BFCPAdapter:
        """
        See L{IAdapterFactory}.
        """
        clock = self._clock
        if clock is None:
            from twisted.internet import reactor as clock
        return BFCPAdapter(proto, clock)
