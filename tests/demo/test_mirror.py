"""
The echo's media, without a socket.
"""

import struct

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from e2aegw.demo.mirror import MAX_DROPOUT, Mirror
from e2aegw.errors import RemoteError
from e2aegw.sansio.rtp import Control, checkHeader, sourcesOf, walk

THEIRS = 0x11223344


def packet(
    sequence: int,
    timestamp: int = 0,
    *,
    payload: bytes = b"hello",
    payloadType: int = 111,
    ssrc: int = THEIRS,
    more: bytes = b"",
    first: int = 0x80,
) -> bytes:
    """
    An RTP packet.
    """
    header = struct.pack("!BBHII", first, payloadType, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc)
    return header + more + payload


def senderReport(ssrc: int, ntp: int) -> bytes:
    """
    A sender report about nobody.
    """
    return struct.pack("!BBHIQIII", 0x80, 200, 6, ssrc, ntp, 0, 0, 0)


def fields(data: bytes) -> tuple[int, int, int, int, int]:
    """
    The fixed header: first octet, second octet, sequence number, timestamp, source.
    """
    first, second, sequence, timestamp, ssrc = struct.unpack_from("!BBHII", data)
    return first, second, sequence, timestamp, ssrc


class ReflectTests(SynchronousTestCase):
    """
    RTP in, RTP out.
    """

    def setUp(self) -> None:
        """
        A mirror for 48 kHz.
        """
        self.mirror = Mirror(48000, "echo")

    def reflect(self, data: bytes, now: float = 0.0) -> bytes:
        """
        The echo of a packet, which is well formed.
        """
        echo = self.mirror.reflect(data, now)
        checkHeader(echo)
        return echo

    def test_payload(self) -> None:
        """
        The payload and its type come back, from another source.
        """
        echo = self.reflect(packet(7, payload=b"speech"))
        self.assertEqual(echo[12:], b"speech")
        self.assertEqual(fields(echo)[1] & 0x7F, 111)
        self.assertEqual(fields(echo)[4], self.mirror.ssrc)
        self.assertNotEqual(self.mirror.ssrc, THEIRS)

    def test_distances(self) -> None:
        """
        Sequence numbers and timestamps keep their distances, around the end of
        their ranges too, so that what was lost is missing in the echo.
        """
        sent = [(65534, 0xFFFFFFF0), (65535, 0xFFFFFFF0 + 960), (65538, 0xFFFFFFF0 + 3840)]
        echoes = [fields(self.reflect(packet(*each))) for each in sent]
        self.assertEqual((echoes[1][2] - echoes[0][2]) & 0xFFFF, 1)
        self.assertEqual((echoes[2][2] - echoes[0][2]) & 0xFFFF, 4)
        self.assertEqual((echoes[1][3] - echoes[0][3]) & 0xFFFFFFFF, 960)
        self.assertEqual((echoes[2][3] - echoes[0][3]) & 0xFFFFFFFF, 3840)

    def test_marker(self) -> None:
        """
        The first packet has the marker: timestamps begin anew there.
        """
        echoes = [fields(self.reflect(packet(n, n * 960))) for n in range(3)]
        self.assertEqual([second >> 7 for _, second, *_ in echoes], [1, 0, 0])

    def test_noExtension(self) -> None:
        """
        Header extensions and contributing sources stay behind.
        """
        more = struct.pack("!II", 1, 2) + struct.pack("!HHI", 0xBEDE, 1, 0x10FF0000)
        echo = self.reflect(packet(1, more=more, first=0x92))
        self.assertEqual(echo[0], 0x80)
        self.assertEqual(echo[12:], b"hello")

    def test_padding(self) -> None:
        """
        Padding comes back as padding.
        """
        echo = self.reflect(packet(1, payload=b"hello\0\0\x03", first=0xA0))
        self.assertEqual((echo[0], echo[12:]), (0xA0, b"hello\0\0\x03"))

    def test_anotherSource(self) -> None:
        """
        If the source changes, our stream goes on where it was.
        """
        before = fields(self.reflect(packet(5, 1000)))
        after = fields(self.reflect(packet(40000, 70000000, ssrc=THEIRS + 1)))
        self.assertEqual(after[4], before[4])
        self.assertEqual((after[2] - before[2]) & 0xFFFF, 1)
        self.assertEqual((after[3] - before[3]) & 0xFFFFFFFF, 960)
        self.assertEqual(after[1] >> 7, 1)

    def test_collision(self) -> None:
        """
        A source that has our number makes us take another.
        """
        taken = self.mirror.ssrc
        echo = self.reflect(packet(1, ssrc=taken))
        self.assertNotEqual(fields(echo)[4], taken)

    def test_counters(self) -> None:
        """
        Packets and octets are counted.
        """
        for n in range(3):
            self.reflect(packet(n, n * 960))
        m = self.mirror
        self.assertEqual((m.packetsReceived, m.octetsReceived), (3, 51))
        self.assertEqual((m.packetsSent, m.octetsSent), (3, 51))

    @settings(deadline=None)
    @given(st.binary(max_size=64))
    def test_anyBytes(self, data: bytes) -> None:
        """
        Any bytes are reflected into a well-formed packet or refused.
        """
        mirror = Mirror(8000, "echo")
        try:
            checkHeader(mirror.reflect(data, 0.0))
        except RemoteError:
            self.assertEqual(mirror.packetsReceived, 0)


class ReportTests(SynchronousTestCase):
    """
    What is said over RTCP (RFC 3550 clause 6).
    """

    def setUp(self) -> None:
        """
        A mirror for 8 kHz.
        """
        self.mirror = Mirror(8000, "echo")

    def block(self, now: float) -> tuple[int, ...]:
        """
        The reception report: source, fraction lost, lost in all, highest
        sequence number, jitter, last report, delay since.
        """
        first = next(walk(self.mirror.report(now, 0.0)))
        self.assertEqual((first.type, first.fmt), (Control.SR, 1))
        ssrc, lost, *rest = struct.unpack_from("!IIIIII", first.body, 24)
        return (ssrc, lost >> 24, lost & 0xFFFFFF, *rest)

    def test_beforeMedia(self) -> None:
        """
        Before anything was heard it is an empty receiver report with a name.
        """
        packets = list(walk(self.mirror.report(0.0, 0.0)))
        self.assertEqual([(each.type, each.fmt) for each in packets], [(Control.RR, 0), (Control.SDES, 1)])
        self.assertIn(b"\x01\x04echo\x00", packets[1].body)

    def test_sender(self) -> None:
        """
        What was sent is told, with the time as NTP has it, and the timestamp
        of that moment.
        """
        echo = self.mirror.reflect(packet(1, 160), 10.0)
        report = next(walk(self.mirror.report(11.0, 0.5)))
        ssrc, ntp, timestamp, packets, octets = struct.unpack_from("!IQIII", report.body)
        self.assertEqual((ssrc, packets, octets), (self.mirror.ssrc, 1, 5))
        self.assertEqual(ntp, 2208988800 << 32 | 1 << 31)
        self.assertEqual((timestamp - fields(echo)[3]) & 0xFFFFFFFF, 8000)

    def test_loss(self) -> None:
        """
        What did not come is told: since the last report, and in all.
        """
        for n in (65530, 65531, 65534, 65535, 65536, 65537):
            self.mirror.reflect(packet(n, n * 160), n * 0.02)
        self.assertEqual(self.block(0.0)[:4], (THEIRS, 2 * 256 // 8, 2, 65537))
        self.assertEqual(self.mirror.lost, 2)
        self.mirror.reflect(packet(65538, 65538 * 160), 65538 * 0.02)
        self.assertEqual(self.block(0.0)[:4], (THEIRS, 0, 2, 65538))

    def test_disorder(self) -> None:
        """
        What comes late or twice is not lost.
        """
        for n in (1, 3, 2, 4, 4):
            self.mirror.reflect(packet(n, n * 160), 0.0)
        self.assertEqual((self.mirror.lost, self.block(0.0)[3]), (0, 4))

    def test_leap(self) -> None:
        """
        A leap of the sequence numbers is a new beginning.
        """
        for n in (1, 2, MAX_DROPOUT + 2, MAX_DROPOUT + 3):
            self.mirror.reflect(packet(n, n * 160), 0.0)
        self.assertEqual((self.mirror.lost, self.block(0.0)[3]), (0, MAX_DROPOUT + 3))

    def test_jitter(self) -> None:
        """
        A steady stream has no jitter, even around the end of the timestamps;
        one packet that is 16 ms late makes 1 ms of it.
        """
        for n in range(5):
            self.mirror.reflect(packet(n, 0xFFFFFF00 + n * 160), n * 0.02)
        self.assertAlmostEqual(self.mirror.jitter, 0.0, places=6)
        self.mirror.reflect(packet(5, 0xFFFFFF00 + 5 * 160), 5 * 0.02 + 0.016)
        self.assertAlmostEqual(self.mirror.jitter, 0.001, places=6)

    def test_lastReport(self) -> None:
        """
        The source's own report is told back, and how long ago it came.
        """
        self.mirror.reflect(packet(1), 0.0)
        self.assertEqual(self.block(1.0)[5:], (0, 0))
        self.mirror.readControl(senderReport(THEIRS, 0x0000AAAABBBB0000), 2.0)
        self.assertEqual(self.block(2.5)[5:], (0xAAAABBBB, 1 << 15))

    def test_reportOfAnother(self) -> None:
        """
        Reports of other sources are not mixed up with it.
        """
        self.mirror.reflect(packet(1), 0.0)
        self.mirror.readControl(senderReport(THEIRS + 1, 0x0000AAAABBBB0000), 2.0)
        self.assertEqual(self.block(2.5)[5:], (0, 0))
        self.assertEqual(self.mirror.controlReceived, 1)

    def test_goodbye(self) -> None:
        """
        The last report is a farewell.
        """
        self.mirror.reflect(packet(1), 0.0)
        compound = self.mirror.goodbye(1.0, 0.0)
        self.assertEqual([each.type for each in walk(compound)], [Control.SR, Control.SDES, Control.BYE])
        self.assertEqual(sourcesOf(compound), [self.mirror.ssrc, THEIRS])

    @settings(deadline=None)
    @given(st.binary(max_size=64))
    def test_anyBytes(self, data: bytes) -> None:
        """
        Any bytes are a report or are refused.
        """
        mirror = Mirror(8000, "echo")
        mirror.reflect(packet(1), 0.0)
        try:
            mirror.readControl(data, 0.0)
        except RemoteError:
            self.assertEqual(mirror.controlReceived, 0)
