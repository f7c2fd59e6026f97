"""
RTCP of the gateway's own, for streams of text that end here (RFC 3550 clause
6): who we are, what we sent, and what arrived.
"""

import random
import secrets
import struct

from e2aegw.sansio.rtp import Control, walk
from e2aegw.sansio.t140receiver import Receiver, Source
from e2aegw.sansio.t140sender import Sender

#: Seconds between reports, on average.  Text needs 3300 bit/s at most (RFC 4103
#: clause 9).  A twentieth of that (RFC 3550 clause 6.2) allows both sides a report
#: of 108 octets so often.
INTERVAL = 10.0
#: Sources that a report is about.
MAX_REPORTED = 4
#: Seconds from the epoch of NTP to that of everybody else.
_NTP = 2208988800


class Reports:
    """
    What to say of one stream, and when.
    """

    def __init__(self, sender: Sender, receiver: Receiver) -> None:
        self._sender = sender
        self._receiver = receiver
        # RFC 7022 clause 4.2: it tells nothing of anybody.
        self._name = secrets.token_urlsafe(12).encode()
        self._at: float | None = None
        self._sent = 0
        # By source: what was expected and received at the last report.
        self._before: dict[int, tuple[int, int]] = {}
        # By source: the middle of the last report's NTP time, and when it came.
        self._heard: dict[int, tuple[int, float]] = {}

    def start(self, now: float) -> None:
        """
        Begin to report.
        """
        if self._at is None:
            self._at = now + INTERVAL * (0.5 + random.random()) / 2

    def stop(self) -> None:
        """
        Report no more.
        """
        self._at = None

    def nextTimeout(self) -> float | None:
        """
        When to report.
        """
        return self._at

    def timeout(self, now: float, wallclock: float) -> bytes | None:
        """
        The report, if it is due.

        @param wallclock: seconds since 1970.
        """
        if self._at is None or now < self._at:
            return None
        self._at = now + INTERVAL * (0.5 + random.random())
        return self._report(now, wallclock)

    def receive(self, compound: bytes, now: float) -> None:
        """
        Take what the remote party reports.

        @raise RemoteError: it is malformed.
        """
        for packet in list(walk(compound)):
            if packet.type == Control.SR:
                source = int.from_bytes(packet.body[:4], "big")
                if source in self._receiver.sources:
                    self._heard[source] = (int.from_bytes(packet.body[6:10], "big"), now)

    def _report(self, now: float, wallclock: float) -> bytes:
        sender, receiver = self._sender, self._receiver
        sources = list(receiver.sources.items())[-MAX_REPORTED:]
        self._heard = {each: self._heard[each] for each, _ in sources if each in self._heard}
        before, self._before = self._before, {}
        blocks = b"".join(self._block(number, source, before, now) for number, source in sources)
        if sender.packets != self._sent:
            self._sent = sender.packets
            kind = Control.SR
            body = struct.pack(
                "!IIIII",
                int(wallclock) + _NTP & 0xFFFFFFFF,
                int(wallclock % 1 * (1 << 32)),
                sender.now(now),
                sender.packets & 0xFFFFFFFF,
                sender.octets & 0xFFFFFFFF,
            )
        else:
            kind, body = Control.RR, b""
        whole = sender.source.to_bytes(4, "big") + body + blocks
        report = struct.pack("!BBH", 0x80 | len(sources), kind, len(whole) // 4) + whole
        item = sender.source.to_bytes(4, "big") + bytes((1, len(self._name))) + self._name + b"\0"
        item += bytes(-len(item) % 4)
        return report + struct.pack("!BBH", 0x81, Control.SDES, len(item) // 4) + item

    def _block(self, number: int, source: Source, before: dict[int, tuple[int, int]], now: float) -> bytes:
        expected = source.highest - source.base + 1
        lost = min(max(expected - source.received, -0x800000), 0x7FFFFF)
        lastExpected, lastReceived = before.get(number, (0, 0))
        self._before[number] = (expected, source.received)
        sinceExpected, sinceReceived = expected - lastExpected, source.received - lastReceived
        fraction = 0
        if sinceExpected > 0 and sinceExpected > sinceReceived:
            fraction = min(255, ((sinceExpected - sinceReceived) << 8) // sinceExpected)
        middle, came = self._heard.get(number, (0, now))
        delay = min(int((now - came) * 65536), 0xFFFFFFFF) if middle else 0
        # Text comes when somebody types, which tells nothing of jitter.
        return struct.pack(
            "!IIIIII",
            number,
            fraction << 24 | (lost & 0xFFFFFF),
            source.highest & 0xFFFFFFFF,
            0,
            middle,
            delay,
        )
