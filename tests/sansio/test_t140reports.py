"""
RTCP about text.
"""

import struct

from twisted.trial.unittest import SynchronousTestCase

from e2aegw.errors import RemoteError
from e2aegw.sansio.rtp import Control, walk
from e2aegw.sansio.t140packet import parsePacket
from e2aegw.sansio.t140receiver import Receiver
from e2aegw.sansio.t140reports import INTERVAL, Reports
from e2aegw.sansio.t140sender import Sender


class ReportsTests(SynchronousTestCase):
    """
    What is reported, and when.
    """

    def setUp(self) -> None:
        """
        Make a stream.
        """
        self.sender, self.receiver = Sender(), Receiver(0)
        self.sender.agree(98, None, 0)
        self.reports = Reports(self.sender, self.receiver)

    def report(self, now: float) -> bytes:
        """
        The next report.
        """
        at = self.reports.nextTimeout()
        assert at is not None
        self.assertLess(at, now)
        self.assertIsNone(self.reports.timeout(at - 0.01, 0.0))
        report = self.reports.timeout(now, 1000.5)
        assert report is not None
        return report

    def test_when(self) -> None:
        """
        Nothing before it is begun, soon after, and then every ten seconds or
        so.
        """
        self.assertIsNone(self.reports.nextTimeout())
        self.assertIsNone(self.reports.timeout(100.0, 0.0))
        self.reports.start(0.0)
        now, count = 0.0, 0
        while now < 1000:
            at = self.reports.nextTimeout()
            assert at is not None
            self.assertLessEqual(at - now, 1.5 * INTERVAL)
            now, count = at, count + 1
            self.assertIsNotNone(self.reports.timeout(now, 0.0))
        self.assertTrue(75 < count < 125, count)
        self.reports.stop()
        self.assertIsNone(self.reports.nextTimeout())

    def test_senderReport(self) -> None:
        """
        What was sent, what arrived and what did not, and who says so.
        """
        self.reports.start(0.0)
        self.sender.push("abc", 1.0)
        for number in (1, 2, 4):
            found = parsePacket(struct.pack("!BBHII", 0x80, 98, number, 0, 7) + b"x", {98}, ())
            assert found is not None
            self.receiver.receive(found, 1.0)
        self.reports.receive(struct.pack("!BBHIIIIII", 0x80, 200, 6, 7, 0x11112222, 0x33334444, 0, 0, 0), 1.0)
        first, described = walk(self.report(20.0))
        self.assertEqual((first.type, first.fmt, described.type), (Control.SR, 1, Control.SDES))
        source, seconds, fraction, stamp, packets, octets = struct.unpack_from("!IIIIII", first.body)
        self.assertEqual((source, packets, octets), (self.sender.source, 1, 3))
        self.assertEqual((seconds, fraction, stamp), (2208989800, 1 << 31, self.sender.now(20.0)))
        about, lost, highest, _, last, delay = struct.unpack_from("!IIIIII", first.body, 24)
        self.assertEqual((about, lost, highest), (7, 64 << 24 | 1, 4))
        self.assertEqual((last, delay), (0x22223333, 19 * 65536))
        self.assertEqual(described.body[:5], self.sender.source.to_bytes(4, "big") + b"\x01")
        # Then nothing more is sent, and nothing more is lost.
        (first, _) = walk(self.report(60.0))
        self.assertEqual((first.type, first.fmt), (Control.RR, 1))
        self.assertEqual(struct.unpack_from("!I", first.body, 8), (1,))

    def test_malformed(self) -> None:
        """
        What is not RTCP is refused.
        """
        self.assertRaises(RemoteError, self.reports.receive, b"\x80\xc8\x00\x09" + bytes(8), 0.0)
