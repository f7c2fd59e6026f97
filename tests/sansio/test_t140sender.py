"""
When text is sent, and how often.
"""

from twisted.trial.unittest import SynchronousTestCase

from e2aegw.sansio.t140packet import TextPacket, parsePacket
from e2aegw.sansio.t140sender import MAX_OCTETS, SPACING, Sender


class SenderTestCase(SynchronousTestCase):
    """
    A sender and the packets that it sends.
    """

    def setUp(self) -> None:
        """
        Make one.
        """
        self.sender = Sender()
        self.sender.agree(98, 100, 2)
        self.packets: list[tuple[float, TextPacket]] = []

    def run_(self, now: float, end: float) -> None:
        """
        Let time pass.
        """
        while True:
            while (datagram := self.sender.nextDatagram()) is not None:
                self.assertLess(len(datagram), 1200)
                packet = parsePacket(datagram, {98}, {100})
                assert packet is not None
                self.packets.append((round(now, 3), packet))
            at = self.sender.nextTimeout(now)
            if at is None or at > end:
                break
            self.assertGreaterEqual(at, now)
            now = at
            self.sender.timeout(now)

    def said(self) -> list[tuple[float, bool, list[bytes]]]:
        """
        When what was sent.
        """
        return [(at, each.marker, [block.data for block in each.blocks]) for at, each in self.packets]


class SenderTests(SenderTestCase):
    """
    One stream.
    """

    def test_R_85_schedule(self) -> None:
        """
        At once, then at intervals, then until all has been repeated; and after
        a pause from the beginning.
        """
        self.sender.push("a", 0.0)
        self.run_(0.0, 0.1)
        self.sender.push("b", 0.1)
        self.sender.push("c", 0.2)
        self.run_(0.2, 10)
        self.assertEqual(
            self.said(),
            [
                (0.0, True, [b"", b"", b"a"]),
                (0.3, False, [b"", b"a", b"bc"]),
                (0.6, False, [b"a", b"bc", b""]),
                (0.9, False, [b"bc", b"", b""]),
            ],
        )
        self.assertIsNone(self.sender.nextTimeout(10))
        self.sender.push("d", 10)
        self.run_(10, 10)
        self.assertEqual(self.said()[-1], (10, True, [b"", b"", b"d"]))

    def test_whileRepeating(self) -> None:
        """
        Text that comes while only repetitions are sent is after a pause, too,
        and goes with them.
        """
        self.sender.push("a", 0.0)
        self.run_(0.0, 0.35)
        self.sender.push("b", 0.4)
        self.run_(0.4, 0.4)
        self.assertEqual(self.said()[-1], (0.4, True, [b"a", b"", b"b"]))

    def test_notAgreed(self) -> None:
        """
        Before it is known how, nothing is sent, and nothing is lost.
        """
        self.sender = Sender()
        self.sender.push("a", 0.0)
        self.assertIsNone(self.sender.nextTimeout(0.0))
        self.sender.agree(98, None, 0)
        self.run_(0.0, 1)
        self.assertEqual(self.said(), [(0.0, True, [b"a"]), (0.3, False, [b""])])

    def test_anotherAgreement(self) -> None:
        """
        Redundancy may change during a call, without a break in the numbers.
        """
        self.sender.push("a", 0.0)
        self.run_(0.0, 0.0)
        self.sender.agree(98, 100, 3)
        self.sender.push("b", 0.3)
        self.run_(0.3, 0.3)
        self.sender.agree(98, None, 0)
        self.sender.push("c", 0.6)
        self.run_(0.6, 0.6)
        self.assertEqual(
            [data for *_, data in self.said()], [[b"", b"", b"a"], [b"", b"", b"a", b"b"], [b"c"]]
        )
        numbers = [packet.sequence for _, packet in self.packets]
        self.assertEqual([number - numbers[0] for number in numbers], [0, 1, 2])

    def test_unbuffered(self) -> None:
        """
        Without buffering there is hardly a pause between packets; with less
        than what repeating takes, copies are not in one burst.
        """
        self.sender = Sender(0)
        self.sender.agree(98, 100, 2)
        self.sender.push("a", 0.0)
        self.sender.push("b", 0.001)
        self.run_(0.001, 5)
        self.assertEqual([at for at, *_ in self.said()], [0.001, SPACING, SPACING + 0.3, SPACING + 0.6])

    def test_paced(self) -> None:
        """
        What was gathered once goes on at once.
        """
        for number in range(3):
            self.sender.push("x", number * 0.25, paced=True)
            self.run_(number * 0.25, number * 0.25)
        self.assertEqual([at for at, *_ in self.said()], [0.0, 0.25, 0.5])

    def test_long(self) -> None:
        """
        A packet with all its copies fits any path.
        """
        self.sender.queue.rate = 10000
        self.sender.push("\N{SNOWMAN}" * 1000, 0.0)
        self.run_(0.0, 60)
        whole = b"".join(packet.blocks[-1].data for _, packet in self.packets)
        self.assertEqual(whole.decode(), "\N{SNOWMAN}" * 1000)
        self.assertLessEqual(max(sum(map(len, data)) for *_, data in self.said()), MAX_OCTETS)

    def test_timestamps(self) -> None:
        """
        No two packets have the same timestamp, even if they go at the same
        time.
        """
        for number in range(3):
            self.sender.push("x", number * 1e-9)
            self.sender._sentAt = -1.0
            self.sender.timeout(number * 1e-9)
        self.run_(1e-8, 1e-8)
        stamps = [packet.timestamp for _, packet in self.packets]
        self.assertEqual(len(set(stamps)), len(stamps))
