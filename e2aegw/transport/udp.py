"""
Datagrams over UDP, with ICE-lite (RFC 8445) where the network party speaks it,
and RTCP on a port of its own or not (RFC 5761).
"""

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import lru_cache
from ipaddress import ip_address
from itertools import accumulate
from typing import Any

from twisted.internet.interfaces import IProtocol
from zope.interface import implementer

from e2aegw.alarm import Alarm
from e2aegw.errors import NegotiationError, ResourceError
from e2aegw.interfaces import Address, Apply, IDatagramTransport, IPortSource
from e2aegw.sansio.candidates import candidates, parseCandidate
from e2aegw.sansio.events import ConsentLost, Event, PairNominated, PathChanged
from e2aegw.sansio.flow import Path
from e2aegw.sansio.ice import Agent, Nominated, Refused, checkCredentials
from e2aegw.sansio.ice import ConsentLost as AgentLost
from e2aegw.sansio.sdp import Line, Section
from e2aegw.sansio.terms import ICE, Kind, Terms
from e2aegw.transport.component import Component

#: Seconds after the remote party's description, and again after that, in which
#: it may send a check before we knock at its candidates.  Full agents that find
#: their way to us do so at once.
KNOCKS = (0.2, 0.4, 0.8, 1.6, 3.2)
#: Candidates that are knocked at: who wrote the description chooses them.
MAX_KNOCKED = 8
#: The addresses that mean "nowhere", and thus hold, in old descriptions (RFC
#: 3264 clause 8.4).
_NOWHERE = ("0.0.0.0", "::")
#: Addresses that were read lately and need not be read again: those of the
#: core's gateways are few and come with every call.
_KNOWN_HOSTS = 1024
#: Python refuses to read thousands of digits.
_PORT = re.compile(r"[0-9]{1,5}\Z")


@implementer(IDatagramTransport)
class UDPTransport:
    """
    One or two UDP ports towards one network party.

    It owns the C{candidate}, C{ice-*}, C{rtcp} and C{rtcp-mux} attributes.

    @ivar components: the first, for the medium, and maybe one for RTCP.
    @ivar muxed: whether RTP and RTCP share the first.
    """

    def __init__(
        self,
        clock: Any,
        ports: IPortSource,
        *,
        control: bool,
        consent: bool = False,
        muxed: bool = False,
    ) -> None:
        """
        @param clock: provides C{IReactorTime}.
        @param ports: where to get ports.
        @param control: whether to have a port for RTCP.
        @param consent: whether to check for consent ourselves (RFC 7675).
        @param muxed: whether the remote party offers that RTP and RTCP share a
            port.  The one for RTCP is then only opened if they do not.

        @raise ResourceError: there are no ports.
        """
        self.counters: dict[str, int] = defaultdict(int)
        self.notify: Callable[[Event], None] = _ignore
        self.protocol: Any = None
        self.agent: Agent | None = None
        self.muxed = muxed and control
        self._clock = clock
        self._ports = ports
        self._control = control
        self._consent = consent
        self._alarm = Alarm(clock)
        self._tos: int | None = None
        self._candidates: list[str] = []
        self._knocks: list[float] = []
        self._signalled: tuple[Address | None, Address | None] = (None, None)
        self._asymmetric = False
        self._peerMux = False  # what an offer to us said
        self._ourMux = False  # what our offer said
        self._closed = False
        self.components = [self._component(n) for n in ((1, 2) if control and not muxed else (1,))]
        opened = ports.open([component.datagramReceived for component in self.components])
        for component, port in zip(self.components, opened, strict=True):
            component.port = port
            self._prepare(component)
        self.localAddress: Address = (ports.advertised, opened[0].address[1])

    # What others ask for

    def attach(self, protocol: IProtocol) -> None:
        """
        See L{IMediaTransport}.
        """
        self.protocol = protocol
        protocol.makeConnection(self)  # type: ignore[arg-type]
        for component in self.components:
            component.deliver = protocol.dataReceived
            component.authenticated = getattr(protocol, "authenticates", False)

    def write(self, data: bytes) -> None:
        """
        See L{IMediaTransport}.
        """
        self.components[0].send(data)

    def writeControl(self, data: bytes) -> None:
        """
        See L{IMediaTransport}.
        """
        self.components[-1].send(data)

    def path(self) -> Path | None:
        """
        See L{IDatagramTransport}.
        """
        first = self.components[0]
        if first.port is None or first.remote is None:
            return None
        return Path(first.port.address, first.remote, proven=first.source == first.remote)

    def datagramReceived(self, data: bytes, source: Address) -> None:
        """
        See L{IDatagramTransport}.
        """
        self.components[0].datagramReceived(data, source)

    def expectAnybody(self) -> None:
        """
        No description says where the remote party is: it is whoever comes
        first.
        """
        for component in self.components:
            component.expectAnybody()

    def loseConnection(self) -> None:
        """
        See L{IMediaTransport}.
        """
        self._closed = True
        self._alarm.stop()
        for component in self.components:
            self._closePort(component)
            component.close()
        self.agent = self.protocol = None
        self.notify = _ignore

    # Negotiation

    def configure(self, section: Section, terms: Terms) -> Apply:
        """
        See L{ILegPart}.

        @raise NegotiationError: the section's address is not numeric, or its
            ICE credentials are not well-formed.
        """
        remote = _address(section, terms)
        control = _controlAddress(section, remote, terms)
        ufrag, pwd = section.get("ice-ufrag"), section.get("ice-pwd")
        if (ufrag is None) != (pwd is None):
            raise NegotiationError("ice-ufrag and ice-pwd do not stand together")
        if ufrag is not None and pwd is not None:
            checkCredentials(ufrag, pwd)
        lite = section.has("ice-lite")
        found = section.all("candidate")
        mux = section.has("rtcp-mux")

        def apply() -> None:
            self._setTOS(terms.tos)
            if terms.kind is Kind.OFFER:
                self._peerMux = mux
            else:
                self._settleMux(mux and self._ourMux)
            self._configureICE(ufrag, pwd, terms)
            if self.agent is not None:
                for component in self.components:
                    # If nobody sends checks, the default candidates are the
                    # pair (RFC 8445 clause 8.2).
                    component.isValid = None if lite else self.agent.isValid
            self._signalled, self._asymmetric = (remote, control), terms.asymmetric
            self._signal()
            self._candidates, self._knocks = [], []
            if self.agent is not None and not lite:
                now, self._candidates = self._clock.seconds(), found
                self._knocks = [now + wait for wait in accumulate(KNOCKS)]
            self._schedule()

        return apply

    def describe(self, terms: Terms) -> Sequence[Line]:
        """
        See L{ILegPart}.
        """
        self._setTOS(terms.tos)
        if terms.kind is Kind.OFFER:
            self._ourMux = self._control and bool(terms.rtcpMux & {"offer", "require"})
            if terms.ice is ICE.FORCE and self.agent is None:
                self._startICE()
            mux = self._ourMux
        else:
            mux = self._peerMux and self._control and self._acceptsMux(terms)
            self._settleMux(mux)
            if terms.ice is ICE.REMOVE and self.agent is not None:
                self._stopICE()
                self._signal()
        host, port = (terms.mediaAddress or self.localAddress[0]), self.localAddress[1]
        lines = []
        if self._control:
            if terms.rtcpLine:
                lines.append(Line("rtcp", str(port if mux and terms.kind is Kind.ANSWER else port + 1)))
            if mux:
                lines.append(Line("rtcp-mux"))
                # RFC 8858: only in offers.
                if terms.kind is Kind.OFFER and "require" in terms.rtcpMux:
                    lines.append(Line("rtcp-mux-only"))
        if self.agent is not None:
            lines += [
                Line("ice-ufrag", self.agent.ufrag),
                Line("ice-pwd", self.agent.pwd),
                Line("ice-options", "ice2"),
            ]
            lines += [
                candidates(host, port + each.number - 1, each.number)
                for each in self.components
                if each.port is not None
            ]
            lines.append(Line("end-of-candidates"))
        return lines

    @property
    def lite(self) -> bool:
        """
        Whether the description needs C{a=ice-lite}, which is a session-level
        attribute (RFC 8839 clause 5.3).
        """
        return self.agent is not None

    def _signal(self) -> None:
        """
        Where ICE does not find out, the description says where the remote
        party is.
        """
        for component, address in zip(self.components, self._signalled, strict=False):
            if component.isValid is None:
                component.signal(address, asymmetric=self._asymmetric)

    def _acceptsMux(self, terms: Terms) -> bool:
        return "reject" not in terms.rtcpMux and ("accept" in terms.rtcpMux or self.muxed)

    def _settleMux(self, muxed: bool) -> None:
        if not self._control or muxed == self.muxed:
            return
        self.muxed = muxed
        if muxed:
            self._closePort(self.components.pop())
        else:
            first = self.components[0]
            second = self._component(2)
            second.deliver, second.authenticated = first.deliver, first.authenticated
            assert first.port is not None
            try:
                second.port = self._ports.reopen(first.port, second.datagramReceived)
            except ResourceError:
                # Somebody else took it: then there will be no reports.
                self.counters["no port for RTCP"] += 1
            else:
                if self._tos is not None:
                    second.port.setTOS(self._tos)
            self.components.append(second)
            self._prepare(second)
            if second.isValid is None:
                second.signal(self._signalled[1], asymmetric=self._asymmetric)

    def _component(self, number: int) -> Component:
        return Component(number, self._clock.seconds, self.counters, self._happened)

    def _prepare(self, component: Component) -> None:
        """
        Say what a component has to look out for.
        """
        if self.agent is not None:
            component.onSTUN, component.isValid = self._stunReceived, self.agent.isValid

    def _setTOS(self, tos: int | None) -> None:
        if tos is None or tos == self._tos:
            return
        self._tos = tos
        self._happened(PathChanged(reason="another traffic class"))
        for component in self.components:
            if component.port is not None:
                component.port.setTOS(tos)

    def _closePort(self, component: Component) -> None:
        if component.port is not None:
            self._ports.close(component.port)
            component.port = None

    # ICE

    def _configureICE(self, ufrag: str | None, pwd: str | None, terms: Terms) -> None:
        if ufrag is None or pwd is None:
            # An offer of ours with ICE that was answered without.
            self._stopICE()
            return
        if self.agent is None:
            if terms.kind is Kind.ANSWER:
                return  # We did not offer it.
            self._startICE()
        assert self.agent is not None
        if self.agent.setRemote(ufrag, pwd):
            if terms.kind is Kind.OFFER:
                # RFC 8445 clause 9: who restarts gets new credentials from us,
                # too.
                self.agent.restart()
            else:
                # Nobody answers with others than before: this is another
                # party, and what the first one chose is not its choice.
                self.agent.flush()
                self._happened(PathChanged(reason="another party answered"))
                for component in self.components:
                    component.remote = component.source = None

    def _startICE(self) -> None:
        # What was settled on without it is good until there is a pair.
        self.agent = Agent(consent=self._consent)
        for component in self.components:
            component.onSTUN, component.isValid = self._stunReceived, self.agent.isValid

    def _stopICE(self) -> None:
        if self.agent is not None:
            self.agent = None
            for component in self.components:
                component.onSTUN = component.isValid = None

    def _stunReceived(self, data: bytes, component: Component, source: Address) -> None:
        if self.agent is not None:
            try:
                self.agent.receive(data, component.number, source, self._clock.seconds())
            finally:
                self._drainAgent()

    def _drainAgent(self) -> None:
        agent = self.agent
        if agent is None:
            return
        while (datagram := agent.nextDatagram()) is not None:
            data, number, destination = datagram
            if number <= len(self.components):
                self.components[number - 1].sendTo(data, destination)
        while (event := agent.nextEvent()) is not None:
            if event.component > len(self.components):
                continue
            if isinstance(event, Refused):
                self.counters[f"checks refused {event.code}"] += 1
                continue
            component = self.components[event.component - 1]
            host, port = event.remote
            self._knocks.clear()
            if isinstance(event, Nominated):
                if component.remote != event.remote:
                    component.settle(event.remote)
                    self._happened(PairNominated(remote=f"{host}:{port}"))
                self._pairReady(component)
            elif isinstance(event, AgentLost):
                component.remote = component.source = None
                self._happened(ConsentLost(remote=f"{host}:{port}"))
        self._schedule()

    def _pairReady(self, component: Component) -> None:
        """
        A pair is valid and chosen: what waited for that may begin.
        """

    def _schedule(self) -> None:
        """
        Set the timer to the earliest time that anything here wants.
        """
        self._alarm.set(None if self._closed else self._nextTimeout(), self._timeout)

    def _nextTimeout(self) -> float | None:
        if self.agent is None:
            return None
        at = self.agent.nextTimeout()
        return min(self._knocks[0], at or self._knocks[0]) if self._knocks else at

    def _timeout(self, now: float) -> None:
        self._due(now)
        self._schedule()

    def _due(self, now: float) -> None:
        """
        Do what is due.
        """
        if self.agent is None:
            return
        at = self.agent.nextTimeout()
        if at is not None and at <= now:
            self.agent.timeout(now)
        if self._knocks and self._knocks[0] <= now:
            self._knocks = [at for at in self._knocks if at > now]
            for number, address in _usable(self._candidates, ":" in self.localAddress[0]):
                self.agent.knock(number, address)
        self._drainAgent()

    def _happened(self, event: Event) -> None:
        self.notify(event)


def _usable(values: Sequence[str], ipv6: bool) -> list[tuple[int, Address]]:
    """
    The candidates of a section that a port of ours could send to.
    """
    found = [parseCandidate(value) for value in values]
    usable = [
        (each.component, (each.address, each.port))
        for each in found
        if each is not None and (":" in each.address) == ipv6 and each.component <= 2
    ]
    return usable[:MAX_KNOCKED]


def _ignore(event: Event) -> None:
    """
    Nobody wants to know yet.
    """


def _address(section: Section, terms: Terms) -> Address | None:
    """
    Where a section says that its party receives.
    """
    host = section.address
    if not terms.trustAddress and terms.receivedFrom is not None:
        host = terms.receivedFrom
    if section.port == 0 or host is None or host in _NOWHERE:
        return None
    return numeric(host), section.port


@lru_cache(maxsize=_KNOWN_HOSTS)
def numeric(host: str) -> str:
    """
    Check that this is the address of one party and no name: looking a name up
    would hold everybody up, and ask who knows whom.

    @raise NegotiationError: it is not.
    """
    try:
        address = ip_address(host)
    except ValueError:
        raise NegotiationError("a media address is not numeric") from None
    if address.is_multicast or "%" in host:
        # A scope means something on the remote party's machine alone.
        raise NegotiationError("a media address is multicast or has a scope")
    return str(address)


def _controlAddress(section: Section, remote: Address | None, terms: Terms) -> Address | None:
    """
    Where RTCP goes, if not to the next port (RFC 3605).
    """
    if remote is None:
        return None
    words = (section.get("rtcp") or "").split()
    if not words:
        # Behind the last port there is none.
        return (remote[0], remote[1] + 1) if remote[1] < 65535 else None
    if not (_PORT.match(words[0]) and 0 < int(words[0]) < 65536):
        raise NegotiationError("malformed rtcp attribute")
    trusted = terms.trustAddress or terms.receivedFrom is None
    if len(words) == 4 and words[3] not in _NOWHERE and trusted:
        return numeric(words[3]), int(words[0])
    return remote[0], int(words[0])
