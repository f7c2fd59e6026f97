"""
The gateway, as a service.
"""

import datetime
import resource
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorThreads
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from zope.interface import implementer

from e2aegw.errors import ConfigError, NegotiationError, ResourceError
from e2aegw.gateway.config import (
    Config,
    EventsTable,
    LimitsTable,
    PipelineTable,
    PolicyTable,
    SideConfig,
    ends,
    load,
)
from e2aegw.gateway.logbook import enter
from e2aegw.gateway.ports import PortPool
from e2aegw.gateway.registry import loadFactory, loadFilter
from e2aegw.gateway.session import Session
from e2aegw.gateway.static import StaticPipeline, Wiring
from e2aegw.interfaces import IDatagramNetwork, IDatapath, IGateway, IGatewayObserver, ISession
from e2aegw.sansio import tls
from e2aegw.sansio.certificate import Identity
from e2aegw.sansio.datachannel import SUBPROTOCOLS
from e2aegw.sansio.dtls import Endpoint
from e2aegw.sansio.e2ae import Decision
from e2aegw.sansio.events import Event, MediaTimeout
from e2aegw.sansio.sdp import Section, Side
from e2aegw.sansio.srtp import Profile
from e2aegw.sansio.terms import Terms
from e2aegw.transport.bundle import BundleRecords
from e2aegw.transport.channel import ChannelCarrier
from e2aegw.transport.datapath import SocketDatapath
from e2aegw.transport.kinds import KINDS, Materials
from e2aegw.transport.sockets import SocketNetwork

#: How often silent calls are looked for, in parts of the shortest timeout.
_LOOKS = 6
#: The same for media that stopped, which is only told.
_LOOKS_FOR_MEDIA = 2
#: What the end-to-end adapters speak.
_SEALED = "sealed"
#: The kinds of transport in which terminals that are no browsers protect what
#: they say.
_NATIVE = frozenset({"dtls", "tls"})
#: The kind of transport that is a data channel.
_CHANNEL = "channel"
_LIMITS = LimitsTable()
_POLICY = PolicyTable()


@dataclass(frozen=True, slots=True)
class Route:
    """
    Which adapters may meet.

    @ivar access, core: provide L{e2aegw.interfaces.IAdapterFactory}.
    @ivar through: provide L{e2aegw.interfaces.IFilterFactory}; in the order in
        which units from the access side pass them.
    """

    access: Any
    core: Any
    through: tuple[Any, ...] = ()

    def on(self, side: Side) -> Any:
        """
        The factory for one side.
        """
        return self.access if side is Side.ACCESS else self.core


@implementer(IGateway)
class Gateway(Service):
    """
    Ports, routes and calls.

    @ivar sessions: the calls.
    @ivar ended: how many calls are over.
    """

    _log = Logger()

    name = "e2aegw"

    def __init__(
        self,
        reactor: Any,
        sides: Mapping[Side, SideConfig],
        routes: Sequence[Route],
        *,
        identity: Identity | None = None,
        rsa: Identity | None = None,
        limits: LimitsTable = _LIMITS,
        policy: PolicyTable = _POLICY,
        patience: float = EventsTable().media_stopped,
        wirings: Sequence[Wiring] = (),
        network: IDatagramNetwork | None = None,
        datapath: IDatapath | None = None,
    ) -> None:
        """
        @param reactor: provides C{IReactorTime}; C{IReactorTCP}, for media
            that travel in streams; and C{IReactorFDSet} unless C{network} is
            given.
        @param sides: the addresses and ports of both sides.
        @param routes: in order; the first that fits a section serves it.
        @param identity: our certificate; one is made if there is none.
        @param rsa: the one for terminals that have no other algorithm; one is
            made, when it is needed, if there is none.
        @param patience: seconds without a packet from a party after which its
            media has stopped; 0 is never.
        @param wirings: pipelines that need no controller.
        @param network: where ports come from, if not from the system.
        @param datapath: what moves packets of settled pipelines; with the
            system's ports it is L{SocketDatapath}, unless the policy says no.
        """
        self.sessions: dict[Session, tuple[tuple[int, int], float]] = {}
        self.ended = 0
        self.appliedInAnswers = policy.applied_in_answers
        self.channels: Sequence[str] = policy.channels
        self.datapath = datapath
        self.limits = limits
        self._policy = policy
        self._patience = patience
        self._drained: Deferred[None] | None = None
        self._deadline: IDelayedCall | None = None
        self._reactor = reactor
        self._routes = tuple(routes)
        self._observers: list[Any] = []
        if network is None:
            system = SocketNetwork(reactor)
            network = system
            if datapath is None and policy.offload:
                self.datapath = SocketDatapath(system.poller)
        self._pools = {side: _pools(network, reactor, config) for side, config in sides.items()}
        self._profiles = _profiles((*self._routes, *(Route(*each.adapters) for each in wirings)))
        self.subprotocols = _subprotocols(self._routes)
        self._signed = identity is not None
        identity = identity or self._newIdentity()
        self._identity, self._rsa = identity, rsa
        # Data channels may come to any association that a browser has (RFC
        # 8841 clause 3), if there is a route for them.
        self._dataless = not any(
            _CHANNEL in factory.protos.values()
            for route in self._routes
            for factory in (route.access, route.core)
        )
        self._endpoint = Endpoint(identity, self._profiles, dataless=self._dataless)
        self._tlsEndpoint: tls.Endpoint | None = None
        self._trust = {side: config.trust for side, config in sides.items()}
        self._nativeEndpoint: Endpoint | None = None
        self._madeRSA: Identity | None = None
        self.pipelines = [StaticPipeline(reactor, network, self, each) for each in wirings]
        self._shortest = 0.0
        self._watch = LoopingCall(self._look)
        self._watch.clock = reactor

    @classmethod
    def fromFile(cls, path: str | Path, reactor: Any = None) -> "Gateway":
        """
        Build a gateway as a configuration file says.

        @raise e2aegw.errors.ConfigError: the file cannot be used.
        """
        return cls.fromConfig(load(path), reactor)

    @classmethod
    def fromConfig(cls, config: Config, reactor: Any = None) -> "Gateway":
        """
        Build a gateway as a checked configuration says.

        @raise e2aegw.errors.ConfigError: an adapter cannot be found or used.
        """
        if reactor is None:
            from twisted.internet import reactor as installed

            reactor = installed
        names = {name for route in config.routes for name in (route.access, route.core)}
        names |= {end.kind.adapter for each in config.pipelines for end in ends(each)}
        factories = {name: loadFactory(name, config.options.get(name, {})) for name in sorted(names)}
        for number, route in enumerate(config.routes):
            media = factories[route.access].medium, factories[route.core].medium
            if media[0] != media[1]:
                raise ConfigError(
                    f"route[{number}]: adapter.{route.access} is for {media[0]},"
                    f" and adapter.{route.core} for {media[1]}"
                )
        seated = {name for route in config.routes for name in route.through}
        seated |= {name for pipeline in config.pipelines for name in pipeline.through}
        filters = {name: loadFilter(name, config.filterOptions.get(name, {})) for name in sorted(seated)}
        through = [(route.access, route.through) for route in config.routes]
        through += [(ends(each)[0].kind.adapter, each.through) for each in config.pipelines]
        for adapter, seats in through:
            for name in seats:
                if filters[name].medium != factories[adapter].medium:
                    raise ConfigError(
                        f"filter.{name}: it is for {filters[name].medium},"
                        f" and adapter.{adapter} for {factories[adapter].medium}"
                    )
        return cls(
            reactor,
            config.sides,
            [
                Route(
                    factories[route.access],
                    factories[route.core],
                    tuple(filters[each] for each in route.through),
                )
                for route in config.routes
            ],
            identity=config.identity,
            rsa=config.rsa,
            limits=config.limits,
            policy=config.policy,
            patience=config.events.media_stopped,
            wirings=[
                _wiring(each, factories, filters, config.limits.media_timeout) for each in config.pipelines
            ],
        )

    # IGateway

    def newSession(self, label: str) -> Session:
        """
        See L{IGateway}.

        @raise ResourceError: there are as many calls as are allowed.
        """
        if len(self.sessions) >= self.limits.calls or self._drained is not None:
            raise ResourceError("Parallel session limit reached")
        session = Session(label, self)
        self.sessions[session] = ((0, 0), self._reactor.seconds())
        return session

    def addObserver(self, observer: Any) -> None:
        """
        See L{IGateway}.
        """
        self._observers.append(IGatewayObserver(observer))

    def startService(self) -> None:
        """
        See C{IService}.
        """
        Service.startService(self)
        _raiseFileLimit()
        kinds = {
            kind for each in self._routes for one in (each.access, each.core) for kind in one.protos.values()
        }
        if not kinds.isdisjoint(_NATIVE) and IReactorThreads.providedBy(self._reactor):
            # An RSA key takes as long as thousands of packets.
            self._reactor.callInThread(self._commonRSA)
        timeouts = (self.limits.media_timeout, self.limits.silent_timeout, self.limits.offer_timeout)
        self._shortest = min(filter(None, timeouts), default=0.0)
        looks = [each / _LOOKS for each in timeouts if each]
        if self._patience:
            looks.append(self._patience / _LOOKS_FOR_MEDIA)
        if looks and not self._watch.running:
            self._watch.start(min(looks), now=False)
        sides = "; ".join(
            f"{side.value} {', '.join(pool.advertised for pool in pools.values())}"
            for side, pools in self._pools.items()
        )
        self._log.info("gateway started: {sides}", sides=sides)
        for each in self.pipelines:
            each.startService()

    def stopService(self) -> Any:
        """
        See C{IService}.  All calls end: at once, or as soon as whoever began
        them ends them, but not later than the limits say.  Meanwhile there are
        no new ones.

        @return: if calls go on, a deferred that fires when they are over.
        """
        Service.stopService(self)
        if self._drained is not None:
            return self._drained
        if not self.sessions or not self.limits.drain_timeout:
            self._endAll()
            return None
        self._log.info(
            "{count} calls may go on for {seconds} s",
            count=len(self.sessions),
            seconds=self.limits.drain_timeout,
        )
        self._drained = Deferred()
        self._deadline = self._reactor.callLater(self.limits.drain_timeout, self._endAll)
        return self._drained

    def _endAll(self) -> None:
        if self._watch.running:
            self._watch.stop()
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        self._deadline = None
        for each in self.pipelines:
            if each.running:
                each.stopService()
        for session in list(self.sessions):
            with self._log.failureHandler("ending a call"):
                session.close()
        drained, self._drained = self._drained, None
        if drained is not None:
            drained.callback(None)

    # What sessions need

    def choose(
        self, section: Section, near: Side, far: Side, decision: Decision
    ) -> tuple[Any, str, Any, str, tuple[Any, ...]]:
        """
        See L{e2aegw.gateway.workshop.Workshop}.
        """
        for route in self._routes:
            # Both parties may be on one side; then any two of a medium do.
            partners = self._routes if near is far else (route,)
            ours = route.on(near)
            if (ours.medium == _SEALED) != decision.endToEnd:
                continue
            kind = ours.claim(section)
            if kind is None:
                continue
            for partner in partners:
                theirs = partner.on(far)
                if theirs.medium == ours.medium and decision.proto.upper() in theirs.protos:
                    return ours, kind, theirs, theirs.protos[decision.proto.upper()], route.through
        raise NegotiationError(f"no route for {section.media} {section.proto} to {decision.proto}")

    def transport(
        self,
        kind: str,
        side: Side,
        version: int | None,
        terms: Terms,
        *,
        strict: bool = False,
        muxed: bool = False,
    ) -> Any:
        """
        See L{e2aegw.gateway.workshop.Workshop}.
        """
        if kind not in KINDS:
            raise NegotiationError(f"there is no transport of the kind {kind}")
        pools = self._pools[side]
        pool = next(iter(pools.values())) if version is None else pools.get(version)
        if pool is None:
            if strict:
                raise NegotiationError(f"there is no IPv{version} address on the {side.value} side")
            pool = next(iter(pools.values()))
        endpoint, native = self._commonEndpoint, self._commonNativeEndpoint
        secure = self._commonTLSEndpoint
        if terms.anonymous:
            endpoint, native = self._anonymousEndpoint, self._anonymousNativeEndpoint
            secure = self._anonymousTLSEndpoint
        policy = self._policy
        return KINDS[kind](
            Materials(
                self._reactor,
                pool,
                pool,
                endpoint,
                native,
                secure,
                self._trust[side],
                consent=policy.consent,
                muxed=muxed,
                lossTolerant=policy.loss_tolerant,
            )
        )

    def build(self, kind: str, side: Side, ports: Any) -> Any:
        """
        See L{e2aegw.gateway.static.Parts}.
        """
        return KINDS[kind](
            Materials(
                self._reactor,
                ports,
                ports,
                self._commonEndpoint,
                self._commonNativeEndpoint,
                self._commonTLSEndpoint,
                self._trust[side],
            )
        )

    def pool(self, side: Side) -> PortPool:
        """
        See L{e2aegw.gateway.static.Parts}.
        """
        return next(iter(self._pools[side].values()))

    def carrier(self, records: BundleRecords) -> ChannelCarrier:
        """
        See L{e2aegw.gateway.workshop.Workshop}.
        """
        return ChannelCarrier(self._reactor, records, lossTolerant=self._policy.loss_tolerant)

    def has(self, side: Side, version: int) -> bool:
        """
        See L{e2aegw.gateway.workshop.Workshop}.
        """
        return version in self._pools[side]

    def address(self, side: Side, version: int | None) -> str:
        """
        See L{e2aegw.gateway.workshop.Workshop}.
        """
        pools = self._pools[side]
        pool = pools.get(version or 0) or next(iter(pools.values()))
        return pool.advertised

    def seconds(self) -> float:
        """
        See L{e2aegw.gateway.workshop.Workshop}.
        """
        return time.time()

    def sessionHappened(self, session: ISession, event: Event) -> None:
        """
        See L{e2aegw.gateway.workshop.Workshop}.
        """
        enter(self._log, session.label, event)
        for observer in self._observers:
            with self._log.failureHandler("telling an observer"):
                observer.happened(session, event)

    def sessionClosed(self, session: ISession) -> None:
        """
        See L{e2aegw.gateway.workshop.Workshop}.
        """
        if self.sessions.pop(session, None) is not None:  # type: ignore[call-overload]
            self.ended += 1
            if not self.sessions and self._deadline is not None:
                self._endAll()

    # The rest

    @property
    def portsLent(self) -> int:
        """
        How many pairs of ports are in use.
        """
        return sum(pool.lent for pools in self._pools.values() for pool in pools.values())

    def _look(self) -> None:
        """
        Close calls that nobody needs any more.
        """
        now = self._reactor.seconds()
        for session in list(self.sessions):
            if session not in self.sessions:
                continue  # An observer ended it together with another one.
            try:
                self._lookAt(session, now)
            except Exception:
                # A mistake with one call must not let the others live for ever.
                self._log.failure("looking for silent calls")

    def _lookAt(self, session: Session, now: float) -> None:
        activity = session.packets(), session.signals
        if self._patience:
            for stream in tuple(session.streams):
                if (pipeline := stream.pipeline) is not None:
                    pipeline.watch(now, self._patience)
            if session not in self.sessions:
                return  # An observer ended it, hearing that.
        # Who is called or resumes a call has all of the time from then on.
        before, since = self.sessions[session]
        if activity != before:
            self.sessions[session] = (activity, now)
            return
        if now - since < self._shortest:
            return
        timeout = self._timeoutOf(session)
        if timeout and now - since >= timeout:
            self.sessionHappened(session, MediaTimeout(seconds=timeout))
            session.close()

    def _timeoutOf(self, session: Session) -> float:
        if not session.answered:
            return self.limits.offer_timeout
        return self.limits.silent_timeout if session.silent else self.limits.media_timeout

    def _commonEndpoint(self) -> Endpoint:
        return self._endpoint

    def _anonymousEndpoint(self) -> Endpoint:
        return Endpoint(self._newIdentity(), self._profiles, dataless=self._dataless)

    def _anonymousNativeEndpoint(self) -> Endpoint:
        # An RSA key for one call would hold up all the others.
        return Endpoint(self._newIdentity())

    def _commonTLSEndpoint(self) -> tls.Endpoint:
        if self._tlsEndpoint is None:
            # Who has certificates signed does not want to show one that is not.
            rsa = self._rsa if self._signed else self._commonRSA()
            self._tlsEndpoint = tls.Endpoint(self._identity, rsa=rsa)
        return self._tlsEndpoint

    def _anonymousTLSEndpoint(self) -> tls.Endpoint:
        return tls.Endpoint(self._newIdentity())

    def _commonNativeEndpoint(self) -> Endpoint:
        if self._nativeEndpoint is None:
            self._nativeEndpoint = Endpoint(self._identity, rsa=self._commonRSA())
        return self._nativeEndpoint

    def _commonRSA(self) -> Identity | None:
        """
        The second certificate, for terminals that are no browsers.
        """
        if self._madeRSA is None:
            made = self._rsa
            if made is None and not self._identity.isRSA:
                made = Identity.generateRSA(datetime.datetime.now(datetime.UTC))
            self._madeRSA = made
        return self._madeRSA

    def _newIdentity(self) -> Identity:
        return Identity.generate(datetime.datetime.now(datetime.UTC))


def _pools(network: IDatagramNetwork, reactor: Any, side: SideConfig) -> dict[int, PortPool]:
    """
    The ports of a side's addresses, by version of IP.  The first address of
    each version counts, and the first of all is what there is by default.
    """
    pools: dict[int, PortPool] = {}
    for host, said in side.addresses:
        version = 6 if ":" in said else 4
        if version not in pools:
            pools[version] = PortPool(network, host, *side.ports, advertised=said, streams=reactor)
    return pools


def _wiring(
    table: PipelineTable, factories: Mapping[str, Any], filters: Mapping[str, Any], patience: float
) -> Wiring:
    access, core = ends(table)
    return Wiring(
        table.name,
        (access, core),
        (factories[access.kind.adapter], factories[core.kind.adapter]),
        tuple(filters[each] for each in table.through),
        table.connections,
        patience,
    )


def _profiles(routes: Sequence[Route]) -> tuple[Profile, ...]:
    """
    The profiles that the adapters agree to, for DTLS to agree on.
    """
    factories = [factory for route in routes for factory in (route.access, route.core)]
    return next((each.profiles for each in factories if hasattr(each, "profiles")), ())


def _subprotocols(routes: Sequence[Route]) -> Mapping[str, tuple[str, str, str]]:
    """
    What data channels may be called: what adapters say of their own media, and
    what everybody says of the others.
    """
    factories = [factory for route in routes for factory in (route.access, route.core)]
    named = {name: what for each in factories for name, what in getattr(each, "subprotocols", {}).items()}
    others = {name: what for name, what in SUBPROTOCOLS.items() if what not in named.values()}
    return {**others, **named}


def _raiseFileLimit() -> None:
    """
    Every port is a file: allow as many as we may.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
