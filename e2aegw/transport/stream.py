"""
TCP towards one network party, with its direction from the description (RFC
4145, RFC 6135).
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IConsumer, IDelayedCall, IListeningPort, IProtocol, IPushProducer
from twisted.internet.protocol import ClientFactory, Factory, Protocol
from twisted.python.failure import Failure
from zope.interface import implementer

from e2aegw.errors import NegotiationError, RemoteError
from e2aegw.interfaces import Address, Apply, IMediaTransport, IStreamPortSource
from e2aegw.sansio.events import NOWHERE, ConnectFailed, Event, LegLost, PathSettled
from e2aegw.sansio.sdp import Line, Section
from e2aegw.sansio.terms import Kind, Terms
from e2aegw.transport.udp import numeric

#: Seconds that one attempt to connect may take.
CONNECT_TIMEOUT = 10.0
#: Seconds to wait before each further attempt.
RETRIES = (1.0, 2.0, 4.0)
#: Seconds within which the other side has to connect, or to be connected to.
SETUP_TIMEOUT = 120.0
#: Seconds for what was written to go out when a leg ends.  Then a party that
#: does not read is cut off, whose buffers and socket we would keep else.
LINGER = 5.0


class _Connection(Protocol):
    """
    A TCP connection that belongs, or wants to belong, to a transport.
    """

    def __init__(self, owner: "StreamTransport") -> None:
        self.owner = owner

    def connectionMade(self) -> None:
        """
        See C{IProtocol}.
        """
        self.owner.opened(self)

    def dataReceived(self, data: bytes) -> None:
        """
        See C{IProtocol}.
        """
        self.owner.received(self, data)

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        """
        See C{IProtocol}.
        """
        self.owner.disconnected(self, reason)


class _Passive(Factory):
    noisy = False

    def __init__(self, owner: "StreamTransport") -> None:
        self.owner = owner

    def buildProtocol(self, addr: Any) -> _Connection | None:
        """
        Somebody connects: one is enough.
        """
        return _Connection(self.owner) if self.owner.expects() else None


class _Active(ClientFactory):
    noisy = False

    def __init__(self, owner: "StreamTransport") -> None:
        self.owner = owner

    def buildProtocol(self, addr: Any) -> _Connection:
        """
        We are connected.
        """
        return _Connection(self.owner)

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        """
        We are not.
        """
        self.owner.connectFailed(reason.getErrorMessage())


@implementer(IMediaTransport, IPushProducer, IConsumer)
class StreamTransport:
    """
    One TCP connection.

    It owns the C{setup} attribute.  It connects to where the section says; or,
    if the protocol has an attribute C{destination} that is an address in
    numbers, there.

    Whoever may connect to us may do so again when a connection was lost.

    @ivar connected: whether what is written reaches the remote party.  When it
        becomes so, a protocol that has a method C{connectionOpened} is told.
    @ivar active: whether we connect, or L{None} before that is settled.
    """

    disconnecting = False
    muxed = False
    lite = False
    components: Sequence[Any] = ()

    def __init__(self, reactor: Any, ports: IStreamPortSource) -> None:
        """
        @param reactor: provides C{IReactorTCP} and C{IReactorTime}.
        @param ports: where to get a port to listen on.

        @raise ResourceError: there is none.
        """
        self.counters: dict[str, int] = defaultdict(int)
        self.notify: Callable[[Event], None] = _ignore
        self.protocol: Any = None
        self.active: bool | None = None
        self._reactor = reactor
        self._ports = ports
        self._signalled: Address | None = None
        self._peerSetup = "actpass"
        self._connection: _Connection | None = None
        self._connector: Any = None
        self._attempts = 0
        self._timer: IDelayedCall | None = None
        self._closed = self._shut = False
        self._producer: tuple[Any, bool] | None = None
        self._paused = False
        port = ports.listen(_Passive(self))
        self._port: IListeningPort | None = port
        here: Any = port.getHost()
        self.localAddress: Address = (ports.advertised, here.port)

    @property
    def connected(self) -> bool:
        """
        See above.
        """
        return self._connection is not None

    # What the session asks for

    def attach(self, protocol: IProtocol) -> None:
        """
        See L{IMediaTransport}.
        """
        self.protocol = protocol
        protocol.makeConnection(self)  # type: ignore[arg-type]

    def configure(self, section: Section, terms: Terms) -> Apply:
        """
        See L{ILegPart}.

        @raise NegotiationError: the address is not numeric, or the role is
            impossible.
        """
        host = section.address
        remote = None if host is None or not section.port else (numeric(host), section.port)
        setup = section.get("setup")
        # RFC 6135 clause 4.2.1: holdconn is as good as nothing.
        if setup == "holdconn":
            setup = None
        if terms.kind is Kind.OFFER:
            setup = setup or "active"
        else:
            setup = setup or "passive"
            if setup == "actpass":
                raise NegotiationError("the answer's setup attribute is actpass")
        if setup not in ("active", "passive", "actpass"):
            raise NegotiationError("the setup attribute is none of active, passive and actpass")

        def apply() -> None:
            self._signalled, self._peerSetup = remote, setup
            if terms.kind is Kind.ANSWER:
                self._takeRole(setup == "passive")

        return apply

    def describe(self, terms: Terms) -> Sequence[Line]:
        """
        See L{ILegPart}.
        """
        if terms.kind is Kind.OFFER:
            # RFC 6135 clause 4.2.1: not passive, for who can be active.
            return (Line("setup", "active" if self.active else "actpass"),)
        if self.active is None:
            # Whoever may connect to us shall: it may be behind a NAT.
            self._takeRole(self._peerSetup == "passive")
        return (Line("setup", "active" if self.active else "passive"),)

    def loseConnection(self) -> None:
        """
        Let go of the port, now, and of the connection as soon as what was
        written has gone out, or after L{LINGER} seconds.
        """
        if self._closed:
            return
        self._closed = self.disconnecting = True
        self._stopListening()
        self._finish()

    def shut(self) -> None:
        """
        End the connection that there is as soon as what was written has gone
        out, or after L{LINGER} seconds, or do not begin one.  Whoever may
        connect to us may do so again.
        """
        if not self._closed:
            self._shut = True
            # TLS waits for a producer to say that there is no more.
            self.unregisterProducer()
            self._finish()

    def _finish(self) -> None:
        self._stopTimer()
        connector, self._connector = self._connector, None
        if self._connection is not None:
            self._timer = self._reactor.callLater(LINGER, self._cutOff)
            transport: Any = self._connection.transport
            if not transport.disconnecting:
                # Who is paused would never see the end.
                transport.resumeProducing()
                transport.loseConnection()
        elif connector is not None:
            connector.stopConnecting()

    # ITransport

    def write(self, data: bytes) -> None:
        """
        See C{ITransport}.
        """
        if self._connection is None:
            self.counters["unsent not connected"] += 1
        else:
            self._connection.transport.write(data)  # type: ignore[union-attr]

    def writeControl(self, data: bytes) -> None:
        """
        See L{IMediaTransport}.
        """
        self.write(data)

    def writeSequence(self, iovec: Sequence[bytes]) -> None:
        """
        See C{ITransport}.
        """
        self.write(b"".join(iovec))

    def getPeer(self) -> Any:
        """
        See C{ITransport}.
        """
        return self._signalled if self._connection is None else self._connection.transport.getPeer()  # type: ignore[union-attr]

    def getHost(self) -> Any:
        """
        See C{ITransport}.
        """
        return self.localAddress

    def pauseProducing(self) -> None:
        """
        Read nothing until L{resumeProducing}.
        """
        self._paused = True
        if self._connection is not None:
            self._connection.transport.pauseProducing()  # type: ignore[union-attr]

    def resumeProducing(self) -> None:
        """
        Read again.
        """
        self._paused = False
        if self._connection is not None:
            self._connection.transport.resumeProducing()  # type: ignore[union-attr]

    def stopProducing(self) -> None:
        """
        Read nothing any more.
        """
        self.loseConnection()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """
        See C{IConsumer}.

        @raise RuntimeError: somebody is registered already.
        """
        if self._producer is not None:
            raise RuntimeError("there is a producer already")
        self._producer = (producer, streaming)
        if self._connection is not None:
            self._connection.transport.registerProducer(producer, streaming)  # type: ignore[union-attr]

    def unregisterProducer(self) -> None:
        """
        See C{IConsumer}.
        """
        if self._producer is not None and self._connection is not None:
            self._connection.transport.unregisterProducer()  # type: ignore[union-attr]
        self._producer = None

    # What connections say

    def expects(self) -> bool:
        """
        Whether one who connects now is welcome.
        """
        if self._connection is None and not self._closed:
            return True
        self.counters["dropped second connection"] += 1
        return False

    def opened(self, connection: _Connection) -> None:
        """
        TCP is up.
        """
        transport: Any = connection.transport
        if self._connection is not None or self._closed:
            transport.abortConnection()
            return
        self._connection, self._connector = connection, None
        self._shut = False
        if self.active is None:
            # The remote party need not wait for our answer to arrive.
            self.active = False
        self._stopTimer()
        transport.setTcpNoDelay(True)
        transport.setTcpKeepAlive(True)
        peer = transport.getPeer()
        self.notify(PathSettled(signalled=_text(self._signalled), remote=_text((peer.host, peer.port))))
        if self._producer is not None:
            transport.registerProducer(*self._producer)
        if self._paused:
            transport.pauseProducing()
        if (told := getattr(self.protocol, "connectionOpened", None)) is not None:
            told()

    def received(self, connection: _Connection, data: bytes) -> None:
        """
        Bytes came.
        """
        if connection is not self._connection or self._closed:
            return
        try:
            self.protocol.dataReceived(data)
        except RemoteError as e:
            # A stream that is not understood once is not understood any more.
            self.counters["dropped " + e.reason] += 1
            self.loseConnection()

    def disconnected(self, connection: _Connection, reason: Failure) -> None:
        """
        TCP is down.
        """
        if connection is not self._connection:
            return
        self._connection = None
        self._stopTimer()
        if not self._closed and not reason.check(ConnectionDone):
            self.counters["connections lost"] += 1
        self.protocol.connectionLost(reason)
        if not self._closed:
            self.notify(LegLost(reason=reason.getErrorMessage()))

    def connectFailed(self, reason: str) -> None:
        """
        An attempt to connect came to nothing.
        """
        self._connector = None
        if self._closed or self._shut or self._connection is not None:
            return
        self.counters["connect attempts failed"] += 1
        if self._attempts < len(RETRIES):
            wait = RETRIES[self._attempts]
            self._attempts += 1
            self._timer = self._reactor.callLater(wait, self._connect)
        else:
            self.notify(ConnectFailed(remote=_text(self._where()), reason=reason))

    # Inside

    def _takeRole(self, active: bool) -> None:
        if self.active is not None or self._closed:
            return
        self.active = active
        if active:
            # Nobody has a reason to connect to us.
            self._stopListening()
            # Not from within the negotiation: the adapter may still say where.
            self._timer = self._reactor.callLater(0, self._connect)
        else:
            self._timer = self._reactor.callLater(SETUP_TIMEOUT, self._nobodyCame)

    def _where(self) -> Address | None:
        destination: Address | None = getattr(self.protocol, "destination", None)
        if destination is not None:
            try:
                return numeric(destination[0]), destination[1]
            except NegotiationError:
                # A name, which nobody looks up here.  The section has numbers.
                return self._signalled
        return self._signalled

    def _connect(self) -> None:
        self._timer = None
        where = self._where()
        if where is None:
            self.connectFailed("no address")
            return
        self._connector = self._reactor.connectTCP(
            where[0], where[1], _Active(self), timeout=CONNECT_TIMEOUT, bindAddress=(self._ports.host, 0)
        )

    def _cutOff(self) -> None:
        self._timer = None
        if self._connection is not None:
            self.counters["connections cut off"] += 1
            self._connection.transport.abortConnection()  # type: ignore[union-attr]

    def _nobodyCame(self) -> None:
        self._timer = None
        self.notify(ConnectFailed(remote=_text(self._signalled), reason="nobody connected"))

    def _stopTimer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _stopListening(self) -> None:
        if self._port is not None:
            self._ports.unlisten(self._port)
            self._port = None


def _ignore(event: Event) -> None:
    """
    Nobody wants to know yet.
    """


def _text(address: Address | None) -> str:
    return NOWHERE if address is None else f"{address[0]}:{address[1]}"
