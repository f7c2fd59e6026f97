"""
A telephone that says back what it hears, in plain RTP.
"""

import random
import socket
import time
from collections import deque
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import DatagramProtocol

from e2aegw.demo.mirror import Mirror
from e2aegw.errors import NegotiationError, RemoteError, ResourceError
from e2aegw.interfaces import Address
from e2aegw.sansio.rtp import isControl
from e2aegw.sansio.sdp import Line, Section

#: How much later it says what it heard, in seconds: who hears oneself at once
#: cannot tell the echo from one's own voice.
DELAY = 0.7
#: Most packets that are kept to be said: twice what audio sends in that time.
MAX_KEPT = 128
#: Seconds between two RTCP packets, before chance (RFC 3550 clause 6.2).
CONTROL_INTERVAL = 5.0
#: RFC 3550 clause 6.3.1: chance makes intervals come out too long by this.
_COMPENSATION = 1.21828
#: Payload types that need no C{a=rtpmap} (RFC 3551 clause 6).
_STATIC = {"0": "PCMU/8000", "8": "PCMA/8000"}
#: What it understands; it need not, but it shall behave like a telephone.
CODECS = frozenset({"opus", "PCMU", "PCMA"})
_REVERSED = {"sendonly": "recvonly", "recvonly": "sendonly"}
#: Some port (RFC 863); only the route is asked for, and nothing is sent.
_DISCARD = 9


@dataclass(frozen=True, slots=True)
class Codec:
    """
    What one payload type of a description stands for.

    @ivar format: the payload type.
    @ivar name: the name, as C{a=rtpmap} has it: C{opus}.
    @ivar mapping: the whole, C{opus/48000/2}.
    """

    format: str
    name: str
    mapping: str

    @property
    def clockRate(self) -> int:
        """
        The ticks in a second of its timestamps.
        """
        return int(self.mapping.split("/")[1])


def choose(section: Section) -> Codec:
    """
    The first codec that is offered and understood.

    @raise NegotiationError: there is none.
    """
    mappings = dict(_STATIC)
    for value in section.all("rtpmap"):
        format, _, mapping = value.partition(" ")
        mappings[format] = mapping.strip()
    for format in section.formats:
        name, *rest = mappings.get(format, "").split("/")
        known = next((each for each in CODECS if each.lower() == name.lower()), None)
        if (
            known is not None
            and rest
            and rest[0].isascii()
            and rest[0].isdigit()
            and 0 < int(rest[0]) < 1000000
        ):
            return Codec(format, known, mappings[format])
    raise NegotiationError(f"the echo knows only {', '.join(sorted(CODECS))}")


class _Door(DatagramProtocol):
    """
    One of the echo's two ports.
    """

    noisy = False

    def __init__(self, echo: "Echo") -> None:
        self._echo = echo

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """
        Something arrived.
        """
        self._echo.received(datagram, addr[:2])


class Echo:
    """
    What answers one section of an offer.

    It talks to the address in the offer and listens to no other.

    @ivar codec: what is spoken.
    @ivar mirror: the media.
    @ivar dropped: how many datagrams were not what they should be.
    """

    def __init__(self, reactor: Any, section: Section, delay: float = DELAY) -> None:
        """
        @param reactor: provides C{IReactorUDP} and C{IReactorTime}.
        @param section: of plain RTP, from the offer.
        @param delay: see L{DELAY}.

        @raise NegotiationError: this cannot be agreed to.
        @raise ResourceError: there are no ports.
        """
        if section.proto.upper() not in ("RTP/AVP", "RTP/AVPF"):
            raise NegotiationError(f"the echo speaks plain RTP, not {section.proto}")
        try:
            host = str(ip_address(section.address or ""))
        except ValueError:
            raise NegotiationError("the offer does not say where to send") from None
        self.codec = choose(section)
        self.mirror = Mirror(self.codec.clockRate, "echo")
        self.dropped = 0
        self._section = section
        self._delay = delay
        self._reactor = reactor
        self._remote: Address = (host, section.port)
        self._remoteControl: Address = (host, _controlPort(section))
        self._kept: deque[tuple[float, bytes]] = deque()
        self._saying: IDelayedCall | None = None
        ours = _routeTo(self._remote)
        ports: list[Any] = []
        try:
            for _ in range(2):
                ports.append(reactor.listenUDP(0, _Door(self), interface=ours, maxPacketSize=65536))
        except CannotListenError:
            for port in ports:
                port.stopListening()
            raise ResourceError("the echo found no free port") from None
        self._media, self._control = ports
        self.address: Address = (ours, self._media.getHost().port)
        self._reporting: IDelayedCall | None = reactor.callLater(self._interval() / 2, self._report)

    def describe(self) -> Section:
        """
        The section of the answer.
        """
        codec, offered = self.codec, self._section
        mapped = f"{codec.format} "
        lines = [Line("rtpmap", f"{codec.format} {codec.mapping}")]
        lines += [Line("fmtp", each) for each in offered.all("fmtp") if each.startswith(mapped)]
        lines.append(Line("rtcp", str(self._control.getHost().port)))
        lines.append(Line(_REVERSED.get(offered.direction, offered.direction)))
        host, port = self.address
        return Section(offered.media, port, offered.proto, [codec.format], address=host, lines=lines)

    def received(self, datagram: bytes, source: Address) -> None:
        """
        A datagram arrived, at either port.
        """
        now = self._reactor.seconds()
        try:
            if source not in (self._remote, self._remoteControl):
                raise RemoteError("unknown source")
            if isControl(datagram):
                self.mirror.readControl(datagram, now)
            else:
                self._keep(now + self._delay, self.mirror.reflect(datagram, now))
        except RemoteError:
            self.dropped += 1

    def close(self) -> None:
        """
        Say goodbye and let go of ports and timers, now.
        """
        for timer in (self._saying, self._reporting):
            if timer is not None:
                timer.cancel()
        self._saying = self._reporting = None
        self._kept.clear()
        self._send(
            self._control, self.mirror.goodbye(self._reactor.seconds(), time.time()), self._remoteControl
        )
        for port in (self._media, self._control):
            port.stopListening()

    def _keep(self, due: float, packet: bytes) -> None:
        if len(self._kept) >= MAX_KEPT:
            self.dropped += 1
            return
        self._kept.append((due, packet))
        if self._saying is None:
            self._saying = self._reactor.callLater(self._delay, self._say)

    def _say(self) -> None:
        """
        Send what is due, and come back for what is not.
        """
        self._saying = None
        now = self._reactor.seconds()
        while self._kept and self._kept[0][0] <= now:
            self._send(self._media, self._kept.popleft()[1], self._remote)
        if self._kept:
            self._saying = self._reactor.callLater(self._kept[0][0] - now, self._say)

    def _report(self) -> None:
        self._send(
            self._control, self.mirror.report(self._reactor.seconds(), time.time()), self._remoteControl
        )
        self._reporting = self._reactor.callLater(self._interval(), self._report)

    def _interval(self) -> float:
        return CONTROL_INTERVAL * random.uniform(0.5, 1.5) / _COMPENSATION

    def _send(self, port: Any, datagram: bytes, destination: Address) -> None:
        try:
            port.write(datagram, destination)
        except OSError:
            self.dropped += 1


def _controlPort(section: Section) -> int:
    """
    Where RTCP goes (RFC 3605; RFC 3550 clause 11).
    """
    words = (section.get("rtcp") or "").split()
    if words and words[0].isascii() and words[0].isdigit() and 0 < int(words[0]) < 65536:
        return int(words[0])
    return min(section.port + 1, 65535)


def _routeTo(remote: Address) -> str:
    """
    Our address on the way to somebody.

    @raise NegotiationError: there is no way.
    """
    family = socket.AF_INET6 if ":" in remote[0] else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((remote[0], _DISCARD))
            host: str = probe.getsockname()[0]
    except OSError:
        raise NegotiationError("the echo has no way to the address in the offer") from None
    return host
