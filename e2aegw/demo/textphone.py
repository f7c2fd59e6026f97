"""
A text telephone, in T.140 over RTP (RFC 4103): it shows what is typed while it
is typed, and types it back.
"""

import random
import re
import struct
import time
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.interfaces import IDelayedCall

from e2aegw.demo.echo import CONTROL_INTERVAL, controlPort, numeric, openTwo
from e2aegw.demo.textpackets import TextReader, TextWriter
from e2aegw.errors import NegotiationError, RemoteError
from e2aegw.interfaces import Address, IDatagramNetwork, IDatagramPort
from e2aegw.sansio.rtp import isControl
from e2aegw.sansio.sdp import Line, Section

#: Seconds in which text gathers before it is sent (RFC 4103 clause 5.1).
BUFFERING: Final = 0.3
#: Most characters that its screen shows.
SCREEN: Final = 400
#: Most characters that wait to be typed back, and that go into a packet: one
#: may be four octets, and a redundant block has 1,023 at most.
MAX_WAITING: Final = 4000
MAX_PACKET: Final = 250

#: T.140 clause 8: the character before is taken back.
_ERASE: Final = "\b"
_MAPPING: Final = re.compile(r"([0-9]{1,3}) (t140|red)/1000\Z", re.IGNORECASE)
#: From 1900 (NTP) to 1970.
_EPOCH: Final = 2208988800
_CNAME: Final = b"textphone"


def choose(section: Section) -> tuple[int, int | None]:
    """
    The payload types of text, and of text with redundancy.

    @raise NegotiationError: there is no text.
    """
    found: dict[str, int] = {}
    for value in section.all("rtpmap"):
        mapping = _MAPPING.match(value.strip())
        if mapping and mapping[1] in section.formats and int(mapping[1]) < 128:
            found.setdefault(mapping[2].lower(), int(mapping[1]))
    if "t140" not in found:
        raise NegotiationError("the text telephone knows only T.140")
    return found["t140"], found.get("red")


def typed(screen: str, text: str) -> str:
    """
    What a screen shows when more has been typed.
    """
    for character in text:
        screen = screen[:-1] if character == _ERASE else screen + character
    return screen[-SCREEN:]


class TextPhone:
    """
    What answers one section of an offer.

    It talks to the address in the offer and listens to no other.

    @ivar address: where it is.
    @ivar screen: what can be read there now.
    @ivar dropped: how many datagrams were not what they should be.
    """

    def __init__(
        self,
        clock: Any,
        network: IDatagramNetwork,
        host: str,
        section: Section,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        """
        @param clock: provides C{IReactorTime}.
        @param network: where to get ports.
        @param host: our address.
        @param section: of text in plain RTP, from the offer.
        @param changed: called when something new can be read.

        @raise NegotiationError: this cannot be agreed to.
        @raise ResourceError: there are no ports.
        """
        if section.proto.upper() not in ("RTP/AVP", "RTP/AVPF"):
            raise NegotiationError(f"the text telephone speaks plain RTP, not {section.proto}")
        remote = numeric(section)
        self._types = choose(section)
        self._reader, self._writer = TextReader(*self._types), TextWriter(*self._types)
        self.screen = ""
        self.dropped = self.characters = 0
        self._waiting = ""
        self._section = section
        self._clock = clock
        self._changed = changed
        self._remote: Address = (remote, section.port)
        self._remoteControl: Address = (remote, controlPort(section))
        self._media, self._control = openTwo(network, host, self.received)
        self.address = self._media.address
        self._typing: IDelayedCall | None = None
        self._reporting: IDelayedCall | None = clock.callLater(self._interval() / 2, self._report)

    def describe(self) -> Section:
        """
        The section of the answer (RFC 4103 clause 7.1).
        """
        text, redundancy = self._types
        formats = [str(each) for each in (redundancy, text) if each is not None]
        lines = [Line("rtpmap", f"{text} t140/1000")]
        if redundancy is not None:
            lines += [
                Line("rtpmap", f"{redundancy} red/1000"),
                Line("fmtp", f"{redundancy} {text}/{text}/{text}"),
            ]
        lines += [Line("rtcp", str(self._control.address[1])), Line("sendrecv")]
        host, port = self.address
        return Section("text", port, self._section.proto, formats, address=host, lines=lines)

    def report(self) -> dict[str, Any]:
        """
        What it has counted, and what can be read.
        """
        host, port = self.address
        return {
            "address": f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
            "screen": self.screen,
            "redundancy": self._types[1] is not None,
            "packetsReceived": self._reader.packets,
            "packetsSent": self._writer.packets,
            "characters": self.characters,
            "recovered": self._reader.recovered,
            "lost": self._reader.lost,
            "dropped": self.dropped,
        }

    def received(self, datagram: bytes, source: Address) -> None:
        """
        A datagram arrived, at either port.
        """
        try:
            if source not in (self._remote, self._remoteControl):
                raise RemoteError("unknown source")
            if isControl(datagram):
                return
            text = self._reader.read(datagram)
        except RemoteError:
            self.dropped += 1
            return
        if text:
            self.characters += len(text)
            self.screen = typed(self.screen, text)
            self._waiting = (self._waiting + text)[:MAX_WAITING]
            if self._typing is None:
                self._typing = self._clock.callLater(BUFFERING, self._type)
            self._changed()

    def close(self) -> None:
        """
        Say goodbye and let go of ports and timers, now.
        """
        for timer in (self._typing, self._reporting):
            if timer is not None:
                timer.cancel()
        self._typing = self._reporting = None
        goodbye = struct.pack("!BBHI", 0x81, 203, 1, self._writer.source)
        self._send(self._control, self._described() + goodbye, self._remoteControl)
        for port in (self._media, self._control):
            port.close()

    def _type(self) -> None:
        """
        Type back what waits; then repeat it as often as was agreed.
        """
        text, self._waiting = self._waiting[:MAX_PACKET], self._waiting[MAX_PACKET:]
        self._send(self._media, self._writer.write(text, self._clock.seconds()), self._remote)
        again = self._waiting or self._writer.owes
        self._typing = self._clock.callLater(BUFFERING, self._type) if again else None

    def _report(self) -> None:
        self._send(self._control, self._described(), self._remoteControl)
        self._reporting = self._clock.callLater(self._interval(), self._report)

    def _interval(self) -> float:
        return CONTROL_INTERVAL * random.uniform(0.5, 1.5)

    def _described(self) -> bytes:
        """
        Who we are and what we sent (RFC 3550 clauses 6.4.1 and 6.5).  How the
        other's packets arrive is not told.
        """
        writer = self._writer
        if writer.packets:
            wall = int((time.time() + _EPOCH) * (1 << 32)) & 0xFFFFFFFFFFFFFFFF
            told = struct.pack("!QIII", wall, writer.at(self._clock.seconds()), writer.packets, writer.octets)
            report = struct.pack("!BBHI", 0x80, 200, 6, writer.source) + told
        else:
            report = struct.pack("!BBHI", 0x80, 201, 1, writer.source)
        items = struct.pack("!IBB", writer.source, 1, len(_CNAME)) + _CNAME
        # At least one zero ends the items, and then up to the next word.
        items += bytes(4 - len(items) % 4)
        return report + struct.pack("!BBH", 0x81, 202, len(items) // 4) + items

    def _send(self, port: IDatagramPort, datagram: bytes, destination: Address) -> None:
        try:
            port.sendto(datagram, destination)
        except OSError:
            self.dropped += 1


__all__ = ["BUFFERING", "SCREEN", "TextPhone", "choose", "typed"]
