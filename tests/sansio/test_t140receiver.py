"""
Text from RTP, put in order.
"""

from twisted.trial.unittest import SynchronousTestCase

from e2aegw.sansio.t140 import LOST
from e2aegw.sansio.t140packet import Block, TextPacket
from e2aegw.sansio.t140receiver import MAX_HELD, MAX_MARKS, MAX_SOURCES, WAIT, Receiver


def packet(
    number: int, *texts: str, marker: bool = False, source: int = 1, stamp: int | None = None, who: int = 0
) -> TextPacket:
    """
    A packet with these blocks, the primary one last.
    """
    stamp = number * 300 if stamp is None else stamp
    first = stamp - 300 * (len(texts) - 1)
    blocks = tuple(Block(first + 300 * n & 0xFFFFFFFF, text.encode()) for n, text in enumerate(texts))
    return TextPacket(marker, number & 0xFFFF, stamp, source, who, len(texts) > 1, blocks)


class ReceiverTests(SynchronousTestCase):
    """
    One receiver.
    """

    def setUp(self) -> None:
        """
        Make one.
        """
        self.receiver = Receiver(2)
        self.heard = ""

    def hear(self, *packets: TextPacket, now: float = 0.0) -> str:
        """
        Receive, and say what was heard of it.
        """
        before = len(self.heard)
        for each in packets:
            self.heard += "".join(run.text for run in self.receiver.receive(each, now))
        return self.heard[before:]

    def late(self, now: float) -> str:
        """
        Let time pass.
        """
        return "".join(run.text for run in self.receiver.timeout(now))

    def test_wrap(self) -> None:
        """
        Sequence numbers go on after the last one.
        """
        for number in range(65530, 65545):
            self.hear(packet(number, "", "", chr(97 + number - 65530), marker=number == 65530))
        self.assertEqual(self.heard, "abcdefghijklmno")
        self.assertEqual(self.receiver.counters["blocks lost"], 0)

    def test_R_86_beginning(self) -> None:
        """
        When the first packets come in another order, or only in redundancy,
        nothing is missing.
        """
        self.assertEqual(self.hear(packet(11, "", "a", "b")), "ab")
        self.assertEqual(self.hear(packet(10, "", "", "a", marker=True)), "")
        self.receiver = Receiver(0)
        self.assertEqual(self.hear(packet(11, "b")), "")
        self.assertEqual(self.hear(packet(10, "a", marker=True)), "ab")

    def test_R_87_beginning(self) -> None:
        """
        What does not look like a beginning has a mark before it, a second
        later.
        """
        self.assertEqual(self.hear(packet(11, "a", "b", "c")), "")
        self.assertEqual(self.receiver.nextTimeout(), WAIT)
        self.assertEqual(self.late(WAIT), f"{LOST}abc")

    def test_R_87_missingLevel(self) -> None:
        """
        A level of redundancy that is missing stands for a block that was empty
        and became too old.
        """
        self.hear(packet(1, "", "", "a", marker=True), packet(2, "", "a", ""), packet(3, "a", "", ""))
        self.assertEqual(self.hear(packet(6, "b", marker=True), now=30.0), "")
        self.assertEqual(self.late(31.0), f"{LOST}{LOST}b")
        # With the form that has room for it:
        empty = packet(9, "", "", "c", marker=True)
        self.assertEqual(self.hear(empty._replace(blocks=empty.blocks[-1:]), now=60.0), "c")

    def test_held(self) -> None:
        """
        No more is held than a second can bring.
        """
        self.hear(packet(1, "a", marker=True))
        for number in range(3, 3 + MAX_HELD):
            self.assertEqual(self.hear(packet(number, "x")), "")
        self.assertEqual(self.hear(packet(3 + MAX_HELD, "x")), LOST + "x" * (MAX_HELD + 1))

    def test_longGap(self) -> None:
        """
        Who was away for long need not read a page of marks.
        """
        self.hear(packet(1, "a", marker=True), packet(2000, "b"))
        self.assertEqual(self.late(WAIT), LOST * MAX_MARKS + "b")
        self.assertEqual(self.receiver.counters["blocks lost"], 1998)

    def test_restart(self) -> None:
        """
        A source that begins anew with other numbers is believed when it goes
        on so; one packet that does not fit is not.
        """
        self.hear(packet(1, "a", marker=True), packet(3, "c"))
        self.assertEqual(self.hear(packet(30000, "?")), "")
        self.assertEqual(self.hear(packet(20000, "x", stamp=1)), "")
        self.assertEqual(self.hear(packet(20001, "y", stamp=301)), "c")
        self.assertEqual(self.late(WAIT), f"{LOST}y")
        self.assertEqual(self.hear(packet(20002, "z", stamp=601), now=2.0), "z")

    def test_sources(self) -> None:
        """
        Another source is another stream, and of the oldest ones nothing is
        kept.
        """
        self.hear(packet(1, "a", marker=True), packet(3, "c"))
        for number in range(2, MAX_SOURCES + 1):
            self.assertEqual(self.hear(packet(7, "x", marker=True, source=number)), "x")
        self.assertEqual(self.hear(packet(7, "y", marker=True, source=99)), f"{LOST}cy")
        self.assertEqual(len(self.receiver.sources), MAX_SOURCES)

    def test_mixed(self) -> None:
        """
        Text of several, in one stream, is told apart by who it is from, and
        what is new by its time (RFC 9071).
        """
        runs = []
        for each in (
            packet(1, "", "", "a", who=5, marker=True, stamp=0xFFFFFFF0),
            packet(2, "", "", "x", who=6, stamp=100),
            packet(4, "b", "c", "d", who=5, stamp=900),
            packet(4, "b", "c", "d", who=5, stamp=900),
            packet(8, "", "", "y", who=6, stamp=2000),
            packet(7, "", "", "late", who=6, stamp=1900),
        ):
            runs += self.receiver.receive(each, 0.0)
        self.assertEqual(
            [(run.source, run.text) for run in runs], [(5, "a"), (6, "x"), (5, "bcd"), (6, f"{LOST}y")]
        )

    def test_notUTF8(self) -> None:
        """
        A block that is not UTF-8 is lost as far as it is not.
        """
        broken = packet(1, "", "")._replace(blocks=(Block(0, b"a\xe2\x98"),), marker=True)
        self.assertEqual(self.hear(broken), f"a{LOST}")
