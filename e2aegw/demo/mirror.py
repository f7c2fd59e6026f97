"""
An echo of RTP (RFC 3550): what comes from a source goes back to it as a stream
of our own, and RTCP tells how it arrived.
"""

import secrets
import struct
from typing import NamedTuple

from e2aegw.sansio.rtp import Control, checkHeader, walk

#: How far ahead a sequence number may be without being a new beginning, and
#: how far behind without being one (RFC 3550 appendix A.1).
MAX_DROPOUT = 3000
MAX_MISORDER = 100
#: Packets that a source sends in a second, in audio: what a frame is worth.
FRAMES = 50

_HEADER = struct.Struct("!BBHII")
#: From 1900 (NTP) to 1970.
_EPOCH = 2208988800


class _Source(NamedTuple):
    """
    Where a source's packets have their place in our stream.

    @ivar ssrc: the source.
    @ivar sequence: what is added to its sequence numbers.
    @ivar timestamp: what is added to its timestamps.
    """

    ssrc: int
    sequence: int
    timestamp: int


class Mirror:
    """
    The media of one stream, without a socket.

    @ivar ssrc: our own source; the remote party's would be a loop to it
        (RFC 3550 clause 8.2).
    @ivar packetsReceived, octetsReceived, packetsSent, octetsSent: RTP.
    @ivar controlReceived, controlSent: RTCP.
    """

    def __init__(self, clockRate: int, cname: str) -> None:
        """
        @param clockRate: the ticks in a second of the stream's timestamps.
        @param cname: what RTCP calls us.
        """
        self.ssrc = _random()
        self.packetsReceived = self.octetsReceived = self.packetsSent = self.octetsSent = 0
        self.controlReceived = self.controlSent = 0
        self._clockRate = clockRate
        self._cname = cname.encode()
        self._source: _Source | None = None
        # What was sent last: RFC 3550 clause 5.1 wants to begin anywhere.
        self._sequence, self._timestamp, self._sentAt = _random() & 0xFFFF, _random(), 0.0
        # Of the present source, as in RFC 3550 appendices A.1, A.3 and A.8.
        self._first = self._highest = self._counted = self._expectedPrior = self._countedPrior = 0
        self._transit: float | None = None
        self._jitter = 0.0
        self._lastReport = 0
        self._lastReportAt = 0.0

    @property
    def lost(self) -> int:
        """
        How many packets of the present source did not come.
        """
        return max(0, self._expected - self._counted)

    @property
    def jitter(self) -> float:
        """
        How much the packets' travelling times differ, in seconds.
        """
        return self._jitter / self._clockRate

    def reflect(self, packet: bytes, now: float) -> bytes:
        """
        Take a packet.

        @return: its echo: the payload is the same, the source is ours, and
            what nobody agreed on, header extensions, is left out.

        @raise RemoteError: this is no RTP packet.
        """
        checkHeader(packet)
        first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(packet)
        begins = self._source is None or self._source.ssrc != ssrc
        if begins:
            self._begin(ssrc, sequence, timestamp)
        assert self._source is not None
        self.packetsReceived += 1
        self.octetsReceived += len(packet)
        self._count(sequence, timestamp, now)
        start = 12 + 4 * (first & 0x0F)
        if first & 0x10:
            start += 4 + 4 * int.from_bytes(packet[start + 2 : start + 4], "big")
        self._sequence = (sequence + self._source.sequence) & 0xFFFF
        self._timestamp = (timestamp + self._source.timestamp) & 0xFFFFFFFF
        self._sentAt = now
        # Of the first octet only version and padding stay.  The marker says
        # that the timestamps begin anew (RFC 3551 clause 4.1).
        second |= 0x80 if begins else 0
        header = _HEADER.pack(first & 0xE0, second, self._sequence, self._timestamp, self.ssrc)
        self.packetsSent += 1
        self.octetsSent += 12 + len(packet) - start
        return header + packet[start:]

    def readControl(self, compound: bytes, now: float) -> None:
        """
        Take an RTCP packet.

        @raise RemoteError: this is none.
        """
        packets = list(walk(compound))
        self.controlReceived += 1
        for packet in packets:
            if packet.type == Control.SR:
                ssrc, _, middle = struct.unpack_from("!IHI", packet.body)
                if self._source is not None and self._source.ssrc == ssrc:
                    self._lastReport, self._lastReportAt = middle, now

    def report(self, now: float, wall: float) -> bytes:
        """
        What to say over RTCP: who we are, what we sent, and how the source
        arrives (RFC 3550 clauses 6.4.1 and 6.5).

        @param wall: seconds since 1970.
        """
        self.controlSent += 1
        blocks = b"" if self._source is None else self._block(self._source.ssrc, now)
        count = len(blocks) // 24
        if self.packetsSent:
            elapsed = int((now - self._sentAt) * self._clockRate)
            told = struct.pack(
                "!QIII",
                int((wall + _EPOCH) * (1 << 32)) & 0xFFFFFFFFFFFFFFFF,
                (self._timestamp + elapsed) & 0xFFFFFFFF,
                self.packetsSent & 0xFFFFFFFF,
                # Payload alone, without headers.
                (self.octetsSent - 12 * self.packetsSent) & 0xFFFFFFFF,
            )
            body = struct.pack("!I", self.ssrc) + told + blocks
            return _control(count, Control.SR, body) + self._describe()
        return _control(count, Control.RR, struct.pack("!I", self.ssrc) + blocks) + self._describe()

    def goodbye(self, now: float, wall: float) -> bytes:
        """
        What to say over RTCP at the end (RFC 3550 clause 6.6).
        """
        return self.report(now, wall) + _control(1, Control.BYE, struct.pack("!I", self.ssrc))

    @property
    def _expected(self) -> int:
        return self._highest - self._first + 1 if self._counted else 0

    def _begin(self, ssrc: int, sequence: int, timestamp: int) -> None:
        while ssrc == self.ssrc:
            self.ssrc = _random()
        frame = self._clockRate // FRAMES
        self._source = _Source(ssrc, self._sequence + 1 - sequence, self._timestamp + frame - timestamp)
        self._restart(sequence)
        self._transit, self._jitter = None, 0.0
        self._lastReport = 0

    def _restart(self, sequence: int) -> None:
        self._first = self._highest = sequence
        self._counted = self._expectedPrior = self._countedPrior = 0

    def _count(self, sequence: int, timestamp: int, now: float) -> None:
        ahead = (sequence - self._highest) & 0xFFFF
        if ahead < MAX_DROPOUT:
            self._highest += ahead
        elif ahead < 0x10000 - MAX_MISORDER:
            self._restart(sequence)
        self._counted += 1
        transit = now * self._clockRate - timestamp
        if self._transit is not None:
            # Timestamps wrap around; the difference is small.
            difference = abs((transit - self._transit + (1 << 31)) % (1 << 32) - (1 << 31))
            self._jitter += (difference - self._jitter) / 16
        self._transit = transit

    def _block(self, ssrc: int, now: float) -> bytes:
        expected, counted = self._expected - self._expectedPrior, self._counted - self._countedPrior
        self._expectedPrior, self._countedPrior = self._expected, self._counted
        fraction = max(0, expected - counted) * 256 // expected if expected > 0 else 0
        delay = int((now - self._lastReportAt) * 65536) if self._lastReport else 0
        return struct.pack(
            "!IIIIII",
            ssrc,
            min(fraction, 255) << 24 | min(self.lost, 0x7FFFFF),
            self._highest & 0xFFFFFFFF,
            int(self._jitter) & 0xFFFFFFFF,
            self._lastReport,
            delay & 0xFFFFFFFF,
        )

    def _describe(self) -> bytes:
        item = struct.pack("!IBB", self.ssrc, 1, len(self._cname)) + self._cname
        # At least one zero ends the items, and then up to the next word.
        return _control(1, Control.SDES, item + bytes(4 - len(item) % 4))


def _control(count: int, kind: Control, body: bytes) -> bytes:
    return struct.pack("!BBH", 0x80 | count, kind, len(body) // 4) + body


def _random() -> int:
    return secrets.randbits(32)
