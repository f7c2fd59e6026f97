"""
A telephone that says back what it hears, in plain RTP.
"""

import random
import re
import time
from collections import deque
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from twisted.internet.interfaces import IDelayedCall

from e2aegw.demo.mirror import Mirror
from e2aegw.errors import NegotiationError, RemoteError, ResourceError
from e2aegw.interfaces import Address, IDatagramNetwork, IDatagramPort, Receive
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
CODECS = {"opus": "opus", "pcma": "PCMA", "pcmu": "PCMU"}
#: A name, a clock rate and maybe a number of channels.
_MAPPING = re.compile(r"([!-.0-~]{1,32})/([1-9][0-9]{0,5})(?:/[0-9]{1,2})?\Z")
_REVERSED = {"sendonly": "recvonly", "recvonly": "sendonly"}


@dataclass(frozen=True, slots=True)
class Codec:
    """
    What one payload type of a description stands for.

    @ivar format: the payload type.
    @ivar mapping: what C{a=rtpmap} says of it: C{opus/48000/2}.
    @ivar clockRate: the ticks in a second of its timestamps.
    """

    format: str
    mapping: str
    clockRate: int


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
        found = _MAPPING.match(mappings.get(format, ""))
        if found and found[1].lower() in CODECS:
            return Codec(format, found[0], int(found[2]))
    raise NegotiationError(f"the echo knows only {', '.join(CODECS.values())}")


class Echo:
    """
    What answers one section of an offer.

    It talks to the address in the offer and listens to no other.

    @ivar codec: what is spoken.
    @ivar mirror: the media.
    @ivar dropped: how many datagrams were not what they should be.
    """

    def __init__(
        self, clock: Any, network: IDatagramNetwork, host: str, section: Section, delay: float = DELAY
    ) -> None:
        """
        @param clock: provides C{IReactorTime}.
        @param network: where to get ports.
        @param host: our address.
        @param section: of plain RTP, from the offer.
        @param delay: see L{DELAY}.

        @raise NegotiationError: this cannot be agreed to.
        @raise ResourceError: there are no ports.
        """
        if section.proto.upper() not in ("RTP/AVP", "RTP/AVPF"):
            raise NegotiationError(f"the echo speaks plain RTP, not {section.proto}")
        remote = numeric(section)
        self.codec = choose(section)
        self.mirror = Mirror(self.codec.clockRate, "echo")
        self.dropped = 0
        self._section = section
        self._delay = delay
        self._clock = clock
        self._remote: Address = (remote, section.port)
        self._remoteControl: Address = (remote, _controlPort(section))
        self._kept: deque[tuple[float, bytes]] = deque()
        self._saying: IDelayedCall | None = None
        self._media, self._control = _openTwo(network, host, self.received)
        self.address = self._media.address
        self._reporting: IDelayedCall | None = clock.callLater(self._interval() / 2, self._report)

    def describe(self) -> Section:
        """
        The section of the answer.
        """
        codec, offered = self.codec, self._section
        mapped = f"{codec.format} "
        lines = [Line("rtpmap", f"{codec.format} {codec.mapping}")]
        lines += [Line("fmtp", each) for each in offered.all("fmtp") if each.startswith(mapped)]
        lines.append(Line("rtcp", str(self._control.address[1])))
        lines.append(Line(_REVERSED.get(offered.direction, offered.direction)))
        host, port = self.address
        return Section(offered.media, port, offered.proto, [codec.format], address=host, lines=lines)

    def report(self) -> dict[str, Any]:
        """
        What it has counted.
        """
        host, port = self.address
        mirror = self.mirror
        return {
            "codec": self.codec.mapping,
            "address": f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
            "packetsReceived": mirror.packetsReceived,
            "octetsReceived": mirror.octetsReceived,
            "packetsSent": mirror.packetsSent,
            "octetsSent": mirror.octetsSent,
            "controlReceived": mirror.controlReceived,
            "controlSent": mirror.controlSent,
            "lost": mirror.lost,
            "jitter": round(mirror.jitter, 6),
            "dropped": self.dropped,
        }

    def received(self, datagram: bytes, source: Address) -> None:
        """
        A datagram arrived, at either port.
        """
        now = self._clock.seconds()
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
        goodbye = self.mirror.goodbye(self._clock.seconds(), time.time())
        self._send(self._control, goodbye, self._remoteControl)
        for port in (self._media, self._control):
            port.close()

    def _keep(self, due: float, packet: bytes) -> None:
        if len(self._kept) >= MAX_KEPT:
            self.dropped += 1
            return
        self._kept.append((due, packet))
        if self._saying is None:
            self._saying = self._clock.callLater(self._delay, self._say)

    def _say(self) -> None:
        """
        Send what is due, and come back for what is not.
        """
        self._saying = None
        now = self._clock.seconds()
        while self._kept and self._kept[0][0] <= now:
            self._send(self._media, self._kept.popleft()[1], self._remote)
        if self._kept:
            self._saying = self._clock.callLater(self._kept[0][0] - now, self._say)

    def _report(self) -> None:
        self._send(self._control, self.mirror.report(self._clock.seconds(), time.time()), self._remoteControl)
        self._reporting = self._clock.callLater(self._interval(), self._report)

    def _interval(self) -> float:
        return CONTROL_INTERVAL * random.uniform(0.5, 1.5) / _COMPENSATION

    def _send(self, port: IDatagramPort, datagram: bytes, destination: Address) -> None:
        try:
            port.sendto(datagram, destination)
        except OSError:
            self.dropped += 1


def numeric(section: Section) -> str:
    """
    The address of who offers a section.

    @raise NegotiationError: there is none.
    """
    try:
        return str(ip_address(section.address or ""))
    except ValueError:
        raise NegotiationError("the offer does not say where to send") from None


def _openTwo(network: IDatagramNetwork, host: str, receive: Receive) -> tuple[IDatagramPort, IDatagramPort]:
    try:
        media = network.bind((host, 0), receive)
        try:
            return media, network.bind((host, 0), receive)
        except OSError:
            media.close()
            raise
    except OSError as e:
        raise ResourceError(f"the echo has no port: {e.strerror}") from None


def _controlPort(section: Section) -> int:
    """
    Where RTCP goes (RFC 3605; RFC 3550 clause 11).
    """
    words = (section.get("rtcp") or "").split()
    if words and words[0].isascii() and words[0].isdigit() and 0 < int(words[0]) < 65536:
        return int(words[0])
    return min(section.port + 1, 65535)
