"""
TCP towards one network party, with its direction from the description (RFC
4145, RFC 6135).
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IConsumer, IDelayedCall, IListeningPort, IProtocol, IPushProducer
from twisted.python.failure import Failure
from zope.interface import implementer

from e2aegw.errors import NegotiationError, RemoteError
from e2aegw.interfaces import Address, Apply, IMediaTransport, IStreamPortSource
from e2aegw.sansio.events import NOWHERE, ConnectFailed, Event, LegLost, PathSettled
from e2aegw.sansio.sdp import Line, Section
from e2aegw.sansio.terms import Kind, Terms
from e2aegw.transport.streamconnection import Active, Passive, StreamConnection
from e2aegw.transport.udp import numeric

#: Seconds that one attempt to connect may take.
CONNECT_TIMEOUT = 10.0
#: Seconds to wait before each further attempt: a party may be a moment late, and a
#: controller wants to hear of one that is not there while the caller still waits.
RETRIES = (0.25, 0.5, 1.0, 2.0)
#: Seconds within which the other side has to connect, or to be connected to.
SETUP_TIMEOUT = 120.0
#: Seconds for what was written to go out when a leg ends.  Then a party that
#: does not read is cut off, whose buffers and socket we would keep else.
LINGER = 5.0
#: The media whose parties say whether a new exchange means a new connection
#: (RFC 4145 clause 5, RFC 8856 clause 7.1).  MSRP does not (RFC 6135 clause
#: 4.4).
_RENEWING = frozenset({"bfcp"})


class _End:
    """
    A transport as reports see it.

    @ivar port: has our C{address}.
    @ivar remote, source: who is connected.
    @ivar signalled: the address in the description.
    """

    number = 1

    def __init__(self, transport: "StreamTransport") -> None:
        self.port = self
        self.address = transport.localAddress
        self.remote = self.source = transport.remote
        self.signalled = transport.signalled


@implementer(IMediaTransport, IPushProducer, IConsumer)
class StreamTransport:
    """
    One TCP connection.

    It owns the C{setup} attribute, and C{connection} where the protocol's
    C{medium} has that.  It connects to where the section says; or, if the
    protocol has an attribute C{destination} that is an address in numbers,
    there.  If the protocol has an attribute C{connects} that is not L{None},
    it says who of us connects, where the descriptions leave that to us.

    Whoever may connect to us may do so again when a connection was lost.  Who
    comes from elsewhere than the description says makes room for who comes
    from there.  If the protocol has an attribute C{believes} that is not true
    yet, such a one has not shown that it is the remote party, and that it goes,
    or talks nonsense, is no loss to the leg.

    @ivar connected: whether what is written reaches the remote party.  When it
        becomes so, a protocol that has a method C{connectionOpened} is told.
    @ivar active: whether we connect, or L{None} before that is settled.
    """

    disconnecting = False
    muxed = False
    lite = False

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
        # With where the remote party says that it is, what it calls itself.
        self._path: str | None = None
        self._peerSetup = "actpass"
        # Whether the remote party wants to keep the connection; what we said.
        self._keeps = False
        self._said = "new"
        # Whether our role is what somebody took it to be who connected early.
        self._assumed = False
        self._connection: StreamConnection | None = None
        # Those that were ended while the leg goes on, and when they are cut off.
        self._leaving: dict[StreamConnection, IDelayedCall] = {}
        self._connector: Any = None
        self._attempts = 0
        self._timer: IDelayedCall | None = None
        self._closed = self._shut = False
        self._producer: tuple[Any, bool] | None = None
        self._paused = False
        self._port: IListeningPort | None = None
        self.localAddress: Address = (ports.advertised, 0)
        self._listen()

    @property
    def connected(self) -> bool:
        """
        See above.
        """
        return self._connection is not None

    @property
    def doubtful(self) -> bool:
        """
        Whether who is connected may be anybody.
        """
        if self._connection is None or self.active or getattr(self.protocol, "believes", True):
            return False
        return self._signalled is None or self._signalled[0] != self._connection.remote[0]

    @property
    def components(self) -> Sequence[Any]:
        """
        What a report says of us: one connection.
        """
        return (_End(self),)

    @property
    def remote(self) -> Address | None:
        """
        Who is connected.
        """
        return None if self._connection is None else self._connection.remote

    @property
    def signalled(self) -> Address | None:
        """
        Where the description says that the remote party is.
        """
        return self._signalled

    def writers(self) -> Sequence[Any]:
        """
        Which connections of the reactor's have something that waits.
        """
        waiting: Sequence[Any] = self._reactor.getWriters()
        return waiting

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
        if setup == "holdconn" and not self._renewing:
            # RFC 6135 clause 4.2.1: it is as good as nothing.
            setup = None
        if terms.kind is Kind.OFFER:
            setup = setup or "active"
        else:
            setup = setup or "passive"
            if setup == "actpass":
                raise NegotiationError("the answer's setup attribute is actpass")
        if setup not in ("active", "passive", "actpass", "holdconn"):
            raise NegotiationError("the setup attribute is none of active, passive and actpass")
        # RFC 4145 clause 5.1: who says nothing wants a new one.
        keeps = self._renewing and section.get("connection") == "existing"
        path = section.get("path")

        def apply() -> None:
            moved = self._moves(remote, path)
            self._signalled, self._path, self._peerSetup = remote, path, setup
            # Of an exchange that both agree to keep, nothing begins anew.
            if self.active is not None and not keeps:
                if moved or self._over:
                    self._restart()
                elif self._renewing and (terms.kind is Kind.OFFER or self._said == "existing"):
                    self._renew()
            self._keeps = keeps
            if terms.kind is Kind.ANSWER and setup != "holdconn":
                if self._assumed and setup == "passive":
                    # Whoever it was that connected, it is not who waits for us.
                    self._renew()
                self._assumed = False
                self._takeRole(setup == "passive")

        return apply

    def describe(self, terms: Terms) -> Sequence[Line]:
        """
        See L{ILegPart}.
        """
        if terms.kind is Kind.OFFER:
            # RFC 6135 clause 4.2.1: not passive, for who can be active.
            setup = "active" if self.active else "actpass"
        elif self._peerSetup == "holdconn":
            setup = "holdconn"  # RFC 4145 clause 4.1
        else:
            if self.active is None:
                # Whoever may connect to us shall: it may be behind a NAT.
                connects = getattr(self.protocol, "connects", None)
                self._takeRole(self._peerSetup == "passive" if connects is None else connects)
            setup = "active" if self.active else "passive"
        if not self._renewing:
            return (Line("setup", setup),)
        keeps = self.connected and (self._keeps or terms.kind is Kind.OFFER)
        self._said = "existing" if keeps else "new"
        return (Line("setup", setup), Line("connection", self._said))

    def loseConnection(self) -> None:
        """
        Let go of the port, now, and of the connection as soon as what was
        written has gone out, or after L{LINGER} seconds.
        """
        if self._closed:
            return
        self._closed = self.disconnecting = True
        for connection in list(self._leaving):
            connection.transport.abortConnection()
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
            if not self._connection.transport.disconnecting:
                self._connection.end()
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
            self._connection.write(data)

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
        return self._signalled if self._connection is None else self._connection.transport.getPeer()

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
            self._connection.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """
        Read again.
        """
        self._paused = False
        if self._connection is not None:
            self._connection.transport.resumeProducing()

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
            self._connection.transport.registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        """
        See C{IConsumer}.
        """
        if self._producer is not None and self._connection is not None:
            self._connection.transport.unregisterProducer()
        self._producer = None

    # Owner: what connections say

    def build(self) -> StreamConnection:
        """
        What will speak to who is connected.
        """
        return StreamConnection(self)

    def expects(self, host: str) -> bool:
        """
        Whether one who connects now is welcome.

        @param host: where it comes from.
        """
        # Who waits for us does not come, so that is somebody else.
        waits = self.active is None and self._peerSetup == "passive"
        if not self._closed and not waits and (self._connection is None or self._prefers(host)):
            return True
        self.counters["dropped second connection"] += 1
        return False

    def opened(self, connection: StreamConnection) -> None:
        """
        TCP is up.
        """
        if self._connection is not None and not self._closed and self._prefers(connection.remote[0]):
            self.counters["strangers replaced"] += 1
            self._drop()
        if self._connection is not None or self._closed:
            connection.transport.abortConnection()
            return
        self._take(connection)

    def _prefers(self, host: str) -> bool:
        """
        Whether to believe that one from there is the remote party rather than
        who is connected: if the description says so of one and not of the
        other.
        """
        if self._signalled is None or self._connection is None or self.active:
            return False
        return host == self._signalled[0] != self._connection.remote[0]

    def _take(self, connection: StreamConnection) -> None:
        """
        This is the remote party.
        """
        transport = connection.transport
        self._connection, self._connector = connection, None
        self._shut = False
        if self.active is None:
            # The remote party need not wait for our answer to arrive.
            self.active, self._assumed = False, True
        self._stopTimer()
        transport.setTcpNoDelay(True)
        transport.setTcpKeepAlive(True)
        self.notify(PathSettled(signalled=_text(self._signalled), remote=_text(connection.remote)))
        if self._producer is not None:
            transport.registerProducer(*self._producer)
        if self._paused:
            transport.pauseProducing()
        if (told := getattr(self.protocol, "connectionOpened", None)) is not None:
            told()

    def received(self, connection: StreamConnection, data: bytes) -> None:
        """
        Bytes came.
        """
        if connection is not self._connection or self._closed:
            return
        self._deliver(data)

    def _deliver(self, data: bytes) -> None:
        try:
            self.protocol.dataReceived(data)
        except RemoteError as e:
            # A stream that is not understood once is not understood any more.
            self.counters["dropped " + e.reason] += 1
            if self.doubtful and self._connection is not None:
                self._connection.transport.abortConnection()
            else:
                self.loseConnection()

    def disconnected(self, connection: StreamConnection, reason: Failure) -> None:
        """
        TCP is down.
        """
        leaving = self._leaving.pop(connection, None)
        if leaving is not None and leaving.active():
            leaving.cancel()
        if connection is not self._connection:
            return
        doubtful = self.doubtful
        self._connection = None
        self._stopTimer()
        if doubtful and not self._closed:
            self._strangerLeft()
            return
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

    @property
    def _renewing(self) -> bool:
        """
        Whether descriptions say whether the connection is a new one.
        """
        return getattr(self.protocol, "medium", None) in _RENEWING

    @property
    def _over(self) -> bool:
        """
        Whether there is no connection any more, and we do not try to have one.
        RFC 4975 clause 5.4: it takes an exchange of descriptions to begin anew.
        """
        ours = self.active and self._connection is self._connector is self._timer is None
        return self._shut or bool(ours)

    def _moves(self, remote: Address | None, path: str | None) -> bool:
        """
        Whether a new description is of another end than the one before, as
        when a call is transferred.  Who connects to us may say any port; it
        is another one if its MSRP session is another one, too.
        """
        known = self._signalled is not None and remote is not None
        elsewhere, renamed = remote != self._signalled, path != self._path
        return known and ((elsewhere or renamed) if self.active else (elsewhere and renamed))

    def _restart(self) -> None:
        """
        Begin anew with an end that need not be the same.
        """
        self._renew()

    def _listen(self) -> None:
        """
        @raise ResourceError: there is no port.
        """
        self._port = self._ports.listen(Passive(self))
        here: Any = self._port.getHost()
        self.localAddress = (self._ports.advertised, here.port)

    def _drop(self) -> None:
        """
        End the connection, and not the leg.
        """
        connection, self._connection = self._connection, None
        if connection is not None:
            if self._producer is not None:
                connection.transport.unregisterProducer()
            cutOff = connection.transport.abortConnection
            self._leaving[connection] = self._reactor.callLater(LINGER, cutOff)
            connection.end()
            self.protocol.connectionLost(Failure(ConnectionDone()))

    def _strangerLeft(self) -> None:
        """
        It was somebody else; the remote party may yet come.
        """
        self.counters["strangers left"] += 1
        if self._assumed:
            self.active, self._assumed = None, False
        else:
            self._timer = self._reactor.callLater(SETUP_TIMEOUT, self._nobodyCame)
        self.protocol.connectionLost(Failure(ConnectionDone()))

    def _renew(self) -> None:
        """
        Begin anew, with roles that are still to be found.
        """
        self._stopTimer()
        connector, self._connector = self._connector, None
        self._drop()
        if connector is not None:
            connector.stopConnecting()
        self.active, self._assumed, self._attempts = None, False, 0
        self._shut = False
        if self._port is None:
            self._listen()

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
        # Who answers in the other version of IP is reached from whatever
        # address there is.
        same = (":" in where[0]) == (":" in self._ports.host)
        here = (self._ports.host, 0) if same else None
        self._connector = self._reactor.connectTCP(
            where[0], where[1], Active(self), timeout=CONNECT_TIMEOUT, bindAddress=here
        )

    def _cutOff(self) -> None:
        self._timer = None
        if self._connection is not None:
            self.counters["connections cut off"] += 1
            self._connection.transport.abortConnection()

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
