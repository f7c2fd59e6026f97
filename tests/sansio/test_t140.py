"""
Text, and where it waits.
"""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from e2aegw.sansio.t140 import BOM, LOST, Decoder, cleaned, prefix
from e2aegw.sansio.t140queue import MAX_WAITING, PATIENCE, Queue

ACUTE = "\N{COMBINING ACUTE ACCENT}"
#: Anything that can be said, and nothing that stands for something else.
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=BOM + LOST), max_size=40)


class TextTests(SynchronousTestCase):
    """
    Characters.
    """

    @settings(deadline=None, max_examples=100, derandomize=True)
    @given(TEXTS, st.lists(st.integers(1, 5), max_size=200))
    def test_pieces(self, text: str, sizes: list[int]) -> None:
        """
        UTF-8 may come in any pieces.
        """
        decoder, data, said = Decoder(), (BOM + text).encode(), ""
        for size in sizes:
            said += decoder.decode(data[:size])
            data = data[size:]
        said += decoder.decode(data)
        self.assertEqual(said, text)
        self.assertFalse(decoder.finish())

    def test_notUTF8(self) -> None:
        """
        What is not UTF-8 is as good as lost, and so is what is cut off.
        """
        decoder = Decoder()
        self.assertEqual(decoder.decode(b"a\xffb\xe2\x98"), f"a{LOST}b")
        self.assertTrue(decoder.finish())

    def test_cleaned(self) -> None:
        """
        What says nothing is left out.
        """
        self.assertEqual(cleaned(f"{BOM}a{BOM}"), "a")
        self.assertEqual(cleaned("a"), "a")

    @settings(deadline=None, max_examples=200, derandomize=True)
    @given(TEXTS, st.integers(0, 50), st.integers(4, 50))
    def test_prefix(self, text: str, characters: int, octets: int) -> None:
        """
        A prefix is as long as it may be, and there is one if there may be.
        """
        count = prefix(text, characters, octets)
        self.assertLessEqual(count, characters)
        self.assertLessEqual(len(text[:count].encode()), octets)
        self.assertEqual(bool(count), bool(text and characters))

    def test_composed(self) -> None:
        """
        What stands on a character stays with it, as far as that can be.
        """
        self.assertEqual(prefix("abe" + ACUTE, 3, 99), 2)
        self.assertEqual(prefix("e" + ACUTE * 5, 3, 99), 3)
        self.assertEqual(prefix("e" + ACUTE, 2, 99), 2)


class QueueTests(SynchronousTestCase):
    """
    Text that waits.
    """

    def test_R_88_rate(self) -> None:
        """
        In no ten seconds more is taken than the rate allows, and nothing is
        kept back that may go.
        """
        queue = Queue()
        queue.rate = 3
        queue.push("x" * 100, paced=False)
        now, taken = 0.0, []
        while queue.waiting:
            for _ in range(3):
                text = queue.take(now, 7)
                taken.append((now, len(text)))
            now = max(queue.nextAllowed(now), now + 0.05)
        for start, _ in taken:
            self.assertLessEqual(sum(n for at, n in taken if start <= at < start + 10), 30)
        self.assertLess(now, 32)

    def test_R_88_rateLimits(self) -> None:
        """
        A rate of nothing, or of more than anybody types, is not believed.
        """
        queue = Queue()
        for asked, obeyed in ((0, 1), (-5, 1), (7, 7), (10**9, 10000)):
            queue.rate = asked
            self.assertEqual(queue.rate, obeyed)

    def test_composedWaits(self) -> None:
        """
        What belongs together waits until there is room for all of it.
        """
        queue = Queue()
        queue.rate = 1
        queue.push("123456789e" + ACUTE + "z", paced=False)
        self.assertEqual(queue.take(0.0, 100), "123456789")
        self.assertEqual(queue.take(0.0, 100), "")
        at = queue.nextAllowed(0.0)
        self.assertGreater(at, 9.9)
        self.assertEqual(queue.take(at, 100), "e" + ACUTE + "z")

    def test_overflow(self) -> None:
        """
        What there is no room for is lost, and marked once; what comes later is
        not.
        """
        queue = Queue()
        queue.push("a" * MAX_WAITING, paced=False)
        for _ in range(3):
            queue.push("bc", paced=False)
        self.assertEqual((queue.waiting, queue.lost), (MAX_WAITING + 1, 6))
        queue.rate = 10000
        taken = ""
        for now in range(3):
            taken += queue.take(now * 11.0, 1 << 20)
        queue.push("de", paced=False)
        for now in range(3, 40):
            taken += queue.take(now * 11.0, 1 << 20)
        self.assertEqual(taken, "a" * MAX_WAITING + LOST + "de")

    def test_patience(self) -> None:
        """
        Who cannot be asked to pause is not kept for long.
        """
        queue = Queue()
        queue.rate = 10
        queue.push("a" * 10000, paced=True)
        self.assertEqual((queue.waiting, queue.lost), (10 * PATIENCE + 1, 10000 - 10 * PATIENCE))
