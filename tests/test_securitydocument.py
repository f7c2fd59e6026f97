"""
The manual's pages on security and on how the gateway works say what is so.
"""

import re
import sys
from importlib import import_module
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from e2aegw.transport.component import LATCH_WINDOW
from e2aegw.transport.kinds import KINDS
from tests.page import DOCS, Page, rows

ROOT = Path(__file__).parent.parent
SECURITY = Page("security.rst")


class SecurityTests(SynchronousTestCase):
    """
    The page on security.
    """

    def test_limits(self) -> None:
        """
        Each limit on the page has the name and the value that it has in the
        code.
        """
        told = rows(SECURITY.section("Limits"))
        self.assertGreater(len(told), 20)
        for name, value, _ in told:
            module, _, constant = name.strip("`").rpartition(".")
            self.assertEqual(str(getattr(import_module(f"e2aegw.{module}"), constant)), value, name)

    def test_latching(self) -> None:
        """
        A plain party has as long to be heard from elsewhere as the page says.
        """
        self.assertIn(f"for {LATCH_WINDOW:.0f} seconds after one", SECURITY.flat())

    def test_service(self) -> None:
        """
        What the page says of the service is in its unit.
        """
        unit = (ROOT / "debian" / "e2aegw.service").read_text().splitlines()
        told = re.findall(r"``([A-Z]\w+=[^`]*)``", SECURITY.flat())
        self.assertGreater(len(told), 8)
        self.assertEqual([each for each in told if each not in unit], [])

    def test_maintainer(self) -> None:
        """
        The page says whom the package's sources name: whoever builds it.
        """
        control = (ROOT / "debian" / "control").read_text()
        maintainer = re.findall(r"(?m)^Maintainer: .+ <(.+)>$", control)
        self.assertEqual(len(maintainer), 1)
        self.assertIn(f"``{maintainer[0]}``", SECURITY.flat())
        self.assertIn(f"<{maintainer[0]}>", (ROOT / "debian" / "changelog").read_text())


class StackTests(SynchronousTestCase):
    """
    The drawings of protocol stacks.
    """

    def setUp(self) -> None:
        """
        Take what draws them.
        """
        self.patch(sys, "path", [str(DOCS), *sys.path])
        self.stacks = import_module("stacks")

    def test_drawings(self) -> None:
        """
        They are those of the code: if not, C{python docs/stacks.py >
        docs/stacks.txt}.
        """
        self.assertEqual((DOCS / "stacks.txt").read_text(encoding="utf-8"), self.stacks.render())

    def test_kinds(self) -> None:
        """
        Each kind of transport has its layers.
        """
        self.assertEqual(set(self.stacks.LAYERS), set(KINDS))

    def test_floor(self) -> None:
        """
        Stacks of different heights stand on one floor.
        """
        drawn = self.stacks.drawing("msrp", {"A": "tcp", "B": "channel"}).splitlines()
        self.assertEqual(drawn[-1].count("└"), 2)
        self.assertIn(" A", drawn[-6])
        self.assertIn(" B", drawn[0])
