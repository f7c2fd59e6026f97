"""
What the benchmark makes of its figures.
"""

from twisted.trial.unittest import SynchronousTestCase

from bench.table import Table, atLeast, atMost, atMostAbove, atMostTimes


class RowTests(SynchronousTestCase):
    """
    Several figures become one line.
    """

    def setUp(self) -> None:
        """
        Three repetitions, the second of them disturbed.
        """
        self.table = Table("What it costs")
        for ours, theirs in ((8.0, 10.0), (16.0, 20.0), (9.0, 10.0)):
            self.table.add("a packet", 0, ours, 1)
            self.table.add("a packet", 1, theirs, 1)
        self.row = self.table.rows["a packet"]

    def test_median(self) -> None:
        """
        One disturbed repetition does not move the figures.
        """
        self.assertEqual((self.row.ours, self.row.theirs), (9.0, 10.0))

    def test_ratio(self) -> None:
        """
        The ratio compares what was measured together, and not two medians of
        different repetitions.
        """
        self.assertEqual(self.row.ratio, 0.8)

    def test_noRatio(self) -> None:
        """
        There is none to nothing.
        """
        self.table.add("lost", 0, 3, 0)
        self.table.add("lost", 1, 0, 0)
        self.assertIsNone(self.table.rows["lost"].ratio)

    def test_oursAlone(self) -> None:
        """
        What rtpengine does not do is compared with nothing.
        """
        self.table.add("text", 0, 3, 0, atMost(4))
        row = self.table.rows["text"]
        self.assertEqual(row.cells(), ["text", "3", "-", "-", "≤ 4", "yes"])

    def test_targets(self) -> None:
        """
        Each kind of target is reached up to its limit, and not beyond.
        """
        for target, reached in (
            (atMost(9), True),
            (atMost(8.9), False),
            (atLeast(9), True),
            (atLeast(9.1), False),
            (atMostTimes(0.8), True),
            (atMostTimes(0.79), False),
            (atMostAbove(-1, "ms"), True),
            (atMostAbove(-1.1, "ms"), False),
        ):
            self.row.target = target
            self.assertIs(self.row.reached, reached, target.text)

    def test_noTarget(self) -> None:
        """
        Where there is no target, none is reached or missed.
        """
        self.assertIsNone(self.row.reached)


class TableTests(SynchronousTestCase):
    """
    The table that people read.
    """

    def test_markdown(self) -> None:
        """
        It has a line for each row, in the order of their first figures, in
        columns of one width; what differs between repetitions is shown.
        """
        table = Table("Calls")
        for ours in (1000, 1200, 1100):
            table.add("pairs a second", 0, ours, 0, atLeast(1100))
            table.add("pairs a second", 1, 2200, 0)
        table.add("CPU, ms", 0, 0.5, 2, atMostTimes(1))
        table.add("CPU, ms", 1, 0.25, 2)
        self.assertEqual(
            table.markdown(),
            "|                | e2aegw                 | rtpengine | ratio | target       | reached |\n"
            "| -------------- | ---------------------- | --------- | ----- | ------------ | ------- |\n"
            "| pairs a second | 1,100 (1,000 to 1,200) | 2,200     | 0.50  | ≥ 1,100      | yes     |\n"
            "| CPU, ms        | 0.50                   | 0.25      | 2.00  | ratio ≤ 1.00 | **no**  |\n",
        )
