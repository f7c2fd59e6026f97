"""
Tests for L{tests.page}, and what holds for every page of the manual.
"""

import re

from twisted.trial.unittest import SynchronousTestCase

from tests.page import DOCS, Page, rows


class PageTests(SynchronousTestCase):
    """
    What tests read of a page is what stands there.
    """

    def test_parts(self) -> None:
        """
        Titles, blocks and tables.
        """
        page = Page("configure.rst")
        titles = [title for title, _ in page.sections()]
        self.assertEqual(titles[:2], ["Configuration", "A small one"])
        self.assertIn("[side.access]\naddress = ", page.blocks("toml")[0])
        self.assertEqual(rows(page.section("``[demo]``"))[0][:3], ["``http``", "text", "required"])
        self.assertRaises(KeyError, page.section, "Nothing")


class ManualTests(SynchronousTestCase):
    """
    All pages.
    """

    def test_contents(self) -> None:
        """
        No page has a table of contents of its own: the theme has one, and
        shows a page with two as an error that no build reports.
        """
        for path in DOCS.glob("*.rst"):
            self.assertNotIn(".. contents::", path.read_text(), path.name)

    def test_reached(self) -> None:
        """
        Every page stands in the table of contents, and no other.
        """
        index = Page("index.rst").text
        trees = index.split(".. toctree::")[1:]
        listed = {name for tree in trees for name in re.findall(r"(?m)^   (\w[\w-]*)$", tree)}
        pages = {path.stem for path in DOCS.glob("*.rst")} - {"index"}
        # This one is made by "make bench".
        self.assertEqual(listed - {"benchmarks"}, pages - {"benchmarks"})
