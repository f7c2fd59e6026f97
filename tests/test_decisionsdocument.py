"""
The manual's page on decisions says what is meant.
"""

import re

from twisted.trial.unittest import SynchronousTestCase

from e2aegw.gateway.config import ControlTable
from e2aegw.transport.component import LATCH_WINDOW
from e2aegw.transport.kinds import KINDS
from e2aegw.transport.udp import KNOCKS, MAX_KNOCKED
from tests.page import Page, flatten
from tests.peers.deviations import DEVIATIONS

PAGE = Page("decisions.rst")


class DecisionTests(SynchronousTestCase):
    """
    The page, the code and the differential test.
    """

    def test_deviations(self) -> None:
        """
        The list of deviations from rtpengine is the one that the differential
        test allows.
        """
        text = PAGE.section("Where it does not do as rtpengine does")
        listed = [flatten(each) for each in re.findall(r"(?m)^\* ((?:.+\n)(?:  .+\n)*)", text)]
        self.assertEqual(listed, [flatten(deviation.reason) for deviation in DEVIATIONS])

    def test_kinds(self) -> None:
        """
        The kinds of transport are those that there are.
        """
        text = PAGE.section("Kinds of transport for media").partition("so there are")[2]
        self.assertEqual(re.findall("``(.*?)``", text), list(KINDS))

    def test_numbers(self) -> None:
        """
        The numbers on the page are the code's.
        """
        self.assertEqual((KNOCKS[0], len(KNOCKS), MAX_KNOCKED), (0.2, 5, 8))
        self.assertEqual((LATCH_WINDOW, ControlTable().delete_delay), (3.0, 0.0))
