"""
Pipelines that the configuration wires, without any controller.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from twisted.application.service import Service
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from zope.interface import implementer

from e2aegw.errors import GatewayError, NegotiationError, ResourceError, UsageError
from e2aegw.gateway.pipeline import ENDED, Leg, Pipeline
from e2aegw.gateway.pipelineend import PipelineEnd
from e2aegw.gateway.reporting import History, reportMedia
from e2aegw.interfaces import (
    Apply,
    IDatagramNetwork,
    IDatagramPort,
    IDatapath,
    IPortSource,
    ISession,
    IStreamPortSource,
    Receive,
)
from e2aegw.sansio.e2ae import protectionOf
from e2aegw.sansio.events import ConnectFailed, Event, HandshakeFailed, LegLost, ProtocolViolated, Secured
from e2aegw.sansio.report import PartyReport, SessionReport
from e2aegw.sansio.sdp import Section, Side
from e2aegw.sansio.terms import Kind, Terms

#: Connections of one pipeline at a time, unless it says otherwise.
CONNECTIONS = 1000
#: Seconds until a pipeline of datagrams that ended begins again.
RESTART = 1.0
_BACKLOG = 128
#: Events after which a connection, or an association, is over.
_ENDING = (LegLost, ConnectFailed, ProtocolViolated, HandshakeFailed)
_ANSWER, _OFFER = Terms(kind=Kind.ANSWER), Terms(kind=Kind.OFFER)
_SIDES = (Side.ACCESS, Side.CORE)


class Parts(Protocol):
    """
    What static pipelines need of the gateway.
    """

    datapath: IDatapath | None

    def build(self, kind: str, side: Side, ports: Any) -> Any:
        """
        Build a transport.

        @param ports: provides L{IPortSource} and L{IStreamPortSource}.

        @raise ResourceError: there are no ports.
        """

    def pool(self, side: Side) -> Any:
        """
        The ports of a side.
        """

    def seconds(self) -> float:
        """
        The time of day, in seconds since 1970.
        """

    def sessionHappened(self, session: ISession, event: Event) -> None:
        """
        Something happened.
        """


@dataclass(frozen=True, slots=True)
class Wiring:
    """
    A static pipeline, as it is configured.

    @ivar name: what the log calls it.
    @ivar ends: towards the access side and towards the core.
    @ivar adapters: provide L{e2aegw.interfaces.IAdapterFactory}, for each end.
    @ivar through: provide L{e2aegw.interfaces.IFilterFactory}.
    @ivar connections: how many there may be at a time.
    @ivar patience: seconds without a datagram after which the next party may
        come; 0 is never.
    """

    name: str
    ends: tuple[PipelineEnd, PipelineEnd]
    adapters: tuple[Any, Any]
    through: tuple[Any, ...] = ()
    connections: int = CONNECTIONS
    patience: float = 0.0


@implementer(IPortSource, IStreamPortSource)
class FixedPort:
    """
    One port of one address, and for RTCP the next.
    """

    def __init__(self, network: IDatagramNetwork, host: str, port: int) -> None:
        self.host = self.advertised = host
        self._network = network
        self._port = port

    def open(self, receivers: Sequence[Receive]) -> list[IDatagramPort]:
        """
        See L{IPortSource}.

        @raise ResourceError: somebody else has it.
        """
        ports: list[IDatagramPort] = []
        try:
            for offset, receive in enumerate(receivers):
                ports.append(self._network.bind((self.host, self._port + offset), receive))
        except OSError as e:
            for port in ports:
                port.close()
            raise ResourceError(f"{self.host} port {self._port}: {e.strerror or e}") from None
        return ports

    def reopen(self, port: IDatagramPort, receive: Receive) -> IDatagramPort:
        """
        See L{IPortSource}.

        @raise ResourceError: somebody else has it.
        """
        try:
            return self._network.bind((self.host, self._port + 1), receive)
        except OSError as e:
            raise ResourceError(f"{self.host} port {self._port + 1}: {e.strerror or e}") from None

    def close(self, port: IDatagramPort) -> None:
        """
        See L{IPortSource}.
        """
        port.close()

    def listen(self, factory: IProtocolFactory) -> IListeningPort:
        """
        See L{IStreamPortSource}.

        @raise ResourceError: always; streams are accepted by one for all.
        """
        raise ResourceError("connections come another way")

    def unlisten(self, port: IListeningPort) -> None:
        """
        See L{IStreamPortSource}.
        """


@implementer(IListeningPort)
class _Accepted:
    """
    The place where a transport believes that it listens: there is one for all
    of them, and this one gets the connection that came.
    """

    def __init__(self, host: str, port: IListeningPort | None) -> None:
        self.host = self.advertised = host
        self.factory: Any = None
        self._port = port

    def listen(self, factory: IProtocolFactory) -> IListeningPort:
        """
        See L{IStreamPortSource}.
        """
        self.factory = factory
        return self

    def unlisten(self, port: IListeningPort) -> None:
        """
        See L{IStreamPortSource}.
        """

    def startListening(self) -> None:
        """
        See C{IListeningPort}.
        """

    def stopListening(self) -> None:
        """
        See C{IListeningPort}.
        """

    def getHost(self) -> Any:
        """
        See C{IListeningPort}.
        """
        return _NOWHERE if self._port is None else self._port.getHost()


class _Nowhere:
    port = 0


_NOWHERE = _Nowhere()


@implementer(ISession)
class StaticCall:
    """
    One connection, or one pair of datagram ports.
    """

    def __init__(self, wiring: Wiring, parts: Parts, ended: Callable[["StaticCall"], None]) -> None:
        self.label = wiring.name
        self.wiring = wiring
        self.created = self.lastSignal = parts.seconds()
        self.closed = False
        self.pipeline: Pipeline | None = None
        self._parts = parts
        self._ended = ended
        self._history = History()
        # What makes the end connect that waits for the other one's handshake.
        self._later: Sequence[Apply] = ()
        self._waiting: list[Deferred[None]] = []

    def begin(self, sources: tuple[Any, Any], came: tuple[str, int] | None = None) -> None:
        """
        Build both legs and wire them.

        @param sources: where either end gets its ports.
        @param came: where the party is that has connected, if one has: whatever
            becomes of that connection is the end of this call.

        @raise GatewayError: it cannot be done.
        """
        transports: list[Any] = []
        adapters: list[Any] = []
        try:
            legs = []
            for end, factory, side, source in zip(
                self.wiring.ends, self.wiring.adapters, _SIDES, sources, strict=True
            ):
                kind = end.kind
                adapter = factory.buildAdapter(kind.proto)
                adapters.append(adapter)
                transport = self._parts.build(kind.kind, side, source)
                transports.append(transport)
                if end.key is not None:
                    adapter.preset(end.key)
                legs.append(Leg(adapter, transport, kind.proto, protectionOf(kind.proto), 0, side))
        except BaseException:
            for adapter in adapters:
                adapter.connectionLost(ENDED)
            for transport in transports:
                transport.loseConnection()
            raise
        filters = [each.buildFilter() for each in self.wiring.through]
        self.pipeline = Pipeline((legs[0], legs[1]), self._happened, self._parts.datapath, filters)
        try:
            for which, end in enumerate(self.wiring.ends):
                legs[which].adapter.describe(_OFFER)
                legs[which].transport.describe(_OFFER)
                applies = self.pipeline.configure(which, end.section(came if end.listens else None), _ANSWER)
                other = self.wiring.ends[1 - which]
                if end.kind.stream and not end.listens and other.kind.secured:
                    # Not before it is known that whoever came is the right one.
                    self._later = applies
                    continue
                for apply in applies:
                    apply()
                if end.remote is None and not end.kind.stream:
                    legs[which].transport.expectAnybody()
        except BaseException:
            self.close()
            raise
        self.pipeline.tryOffload()

    # ISession

    def offer(
        self, sdp: str, side: Side | None = None, terms: Terms = _OFFER, answerer: bool = False
    ) -> Deferred[str]:
        """
        See L{ISession}.
        """
        return fail(UsageError("a static pipeline has no offers"))

    def answer(self, sdp: str, terms: Terms = _ANSWER) -> Deferred[str]:
        """
        See L{ISession}.
        """
        return fail(UsageError("a static pipeline has no answers"))

    def block(self, answerer: bool, blocked: bool) -> None:
        """
        See L{ISession}.
        """
        if self.pipeline is not None:
            self.pipeline.gate(frozenset({int(answerer)}) if blocked else frozenset())

    def report(self) -> SessionReport:
        """
        See L{ISession}.
        """
        parties = []
        for which, side in enumerate(_SIDES):
            medias = []
            if self.pipeline is not None:
                self.pipeline.collect()
                section: Section = self.wiring.ends[which].section()
                medias.append(reportMedia(1, section, self.pipeline.legs[which]))
            parties.append(PartyReport(side=side, medias=medias))
        return SessionReport(
            created=self.created,
            lastSignal=self.lastSignal,
            parties=(parties[0], parties[1]),
            events=self._history.told(),
        )

    def packets(self) -> int:
        """
        How many packets came so far.
        """
        if self.pipeline is None:
            return 0
        self.pipeline.collect()
        return sum(leg.look(self._parts.seconds()) for leg in self.pipeline.legs)

    def whenClosed(self) -> Deferred[None]:
        """
        See L{ISession}.
        """
        if self.closed:
            return succeed(None)
        waiting: Deferred[None] = Deferred()
        self._waiting.append(waiting)
        return waiting

    def close(self) -> None:
        """
        See L{ISession}.
        """
        if self.closed:
            return
        self.closed = True
        if self.pipeline is not None:
            self.pipeline.close()
        self._ended(self)
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(None)

    def _happened(self, event: Event) -> None:
        self._history.note(self._parts.seconds(), event)
        self._parts.sessionHappened(self, event)
        if isinstance(event, Secured):
            later, self._later = self._later, ()
            for apply in later:
                apply()
        if isinstance(event, _ENDING):
            self.close()


class _Door(Factory):
    """
    Where connections come in.
    """

    noisy = False

    def __init__(self, accept: Callable[[Any], Any]) -> None:
        self._accept = accept

    def buildProtocol(self, addr: Any) -> Any:
        """
        See C{IProtocolFactory}.
        """
        return self._accept(addr)


class StaticPipeline(Service):
    """
    Connections between two ends, or one pair of datagram ports.

    @ivar calls: those that there are.
    """

    _log = Logger()

    def __init__(self, reactor: Any, network: IDatagramNetwork, parts: Parts, wiring: Wiring) -> None:
        """
        @param reactor: provides C{IReactorTCP} and C{IReactorTime}.
        @param network: where fixed datagram ports come from.
        """
        self.wiring = wiring
        self.calls: set[StaticCall] = set()
        self.refused = 0
        self._reactor = reactor
        self._network = network
        self._parts = parts
        self._port: IListeningPort | None = None
        self._restart: Any = None
        self._watch: Any = None
        self._packets = 0

    def startService(self) -> None:
        """
        See C{IService}.

        @raise ResourceError: a port is somebody else's.
        """
        Service.startService(self)
        listening = [number for number, end in enumerate(self.wiring.ends) if end.listens]
        if not listening:
            self._begin()
            return
        end, side = self.wiring.ends[listening[0]], _SIDES[listening[0]]
        host = self._host(end, side)
        try:
            self._port = self._reactor.listenTCP(
                end.port or 0, _Door(self._accept), backlog=_BACKLOG, interface=host
            )
        except CannotListenError as e:
            raise ResourceError(f"{self.wiring.name}: {host} port {end.port}: {e.socketError}") from None
        here: Any = self._port
        self._log.info(
            "pipeline {name} listens on {host} port {port}",
            name=self.wiring.name,
            host=host,
            port=here.getHost().port,
        )

    def stopService(self) -> Any:
        """
        See C{IService}.  All connections end.
        """
        Service.stopService(self)
        if self._restart is not None and self._restart.active():
            self._restart.cancel()
        self._restart = None
        self._stopWatch()
        for call in list(self.calls):
            call.close()
        port, self._port = self._port, None
        return None if port is None else port.stopListening()

    def _host(self, end: PipelineEnd, side: Side) -> str:
        host: str = end.interface or self._parts.pool(side).host
        return host

    def _source(self, end: PipelineEnd, side: Side) -> Any:
        if end.kind.stream:
            # We connect: nobody listens.
            return _Accepted(self._host(end, side), None)
        if end.port is None and end.interface is None:
            return self._parts.pool(side)
        return FixedPort(self._network, self._host(end, side), end.port or 0)

    def _sources(self) -> tuple[Any, Any]:
        a, b = (self._source(end, side) for end, side in zip(self.wiring.ends, _SIDES, strict=True))
        return a, b

    def _begin(self) -> None:
        """
        Have the one pipeline of datagrams.
        """
        self._restart = None
        call = StaticCall(self.wiring, self._parts, self._over)
        call.begin(self._sources())
        self.calls.add(call)
        self._packets = 0
        self._look(call)
        for end, side, leg in zip(self.wiring.ends, _SIDES, _legs(call), strict=True):
            host, port = leg.transport.localAddress
            self._log.info(
                "pipeline {name}: {scheme} on the {side} side at {host} port {port}",
                name=self.wiring.name,
                scheme=end.scheme,
                side=side.value,
                host=host,
                port=port,
            )

    def _accept(self, address: Any) -> Any:
        """
        Somebody connects.
        """
        if len(self.calls) >= self.wiring.connections or not self.running:
            self.refused += 1
            return None
        sources = [
            _Accepted(self._host(end, side), self._port) if end.listens else self._source(end, side)
            for end, side in zip(self.wiring.ends, _SIDES, strict=True)
        ]
        call = StaticCall(self.wiring, self._parts, self._over)
        try:
            call.begin((sources[0], sources[1]), (address.host, address.port))
        except GatewayError as e:
            self.refused += 1
            self._log.warn("pipeline {name}: {reason}", name=self.wiring.name, reason=str(e))
            return None
        self.calls.add(call)
        [accepted] = [source for source, end in zip(sources, self.wiring.ends, strict=True) if end.listens]
        protocol = accepted.factory.buildProtocol(address)
        if protocol is None:
            call.close()
        return protocol

    def _look(self, call: StaticCall) -> None:
        """
        See whether the party that came is still there.
        """
        self._watch = None
        packets, before = call.packets(), self._packets
        if packets and packets == before:
            call.close()
            return
        self._packets = packets
        if self.wiring.patience:
            self._watch = self._reactor.callLater(self.wiring.patience, self._look, call)

    def _stopWatch(self) -> None:
        if self._watch is not None and self._watch.active():
            self._watch.cancel()
        self._watch = None

    def _over(self, call: StaticCall) -> None:
        self.calls.discard(call)
        if self._port is None:
            self._stopWatch()
        if self._port is None and self.running and self._restart is None:
            # The next party comes to the same ports.
            self._restart = self._reactor.callLater(RESTART, self._again)

    def _again(self) -> None:
        try:
            self._begin()
        except (ResourceError, NegotiationError) as e:
            self._log.warn("pipeline {name}: {reason}", name=self.wiring.name, reason=str(e))
            self._restart = self._reactor.callLater(RESTART, self._again)


def _legs(call: StaticCall) -> Sequence[Leg]:
    assert call.pipeline is not None
    return call.pipeline.legs
