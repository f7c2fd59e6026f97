"""
What the README says is so.
"""

import re
from pathlib import Path

from docutils.core import publish_doctree

from e2aegw.gateway.control import DIRECTIONS
from e2aegw.sansio import ngflags
from e2aegw.sansio.terms import Terms
from tests.gateway.test_session_dtls import BrowserTestCase

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.rst").read_text(encoding="utf-8")


class ReadmeTests(BrowserTestCase):
    """
    Its commands, files and flags.
    """

    def test_markup(self) -> None:
        """
        It is well-formed, as package indexes want it.
        """
        publish_doctree(TEXT, settings_overrides={"halt_level": 2, "report_level": 5})

    def test_targets(self) -> None:
        """
        What it says to make can be made.
        """
        makefile = (ROOT / "Makefile").read_text()
        for target in set(re.findall("``make (.*?)``", TEXT)):
            self.assertRegex(makefile, rf"(?m)^{target}:.*##", target)

    def test_files(self) -> None:
        """
        The files that it names are there.
        """
        named = set(re.findall(r"((?:docs|tap-configs)/[\w./-]+\w|CONTRIBUTING\.rst)", TEXT))
        named -= {"docs/_build/html"}  # made by "make docs"
        self.assertGreater(len(named), 3)
        for name in named:
            self.assertTrue((ROOT / name).exists(), name)

    def test_flags(self) -> None:
        """
        With its flags a browser calls a telephone and is called by one.
        """
        there, back = [
            ngflags.read({"command": "offer", "rtpp-flags": flags}, DIRECTIONS)
            for flags in re.findall(r'rtpengine_manage\("(.*)"\)', TEXT)
        ]
        offer = self.result(self.session.offer(self.browser.offer(), there.near, there.terms))
        self.browser.accept(self.result(self.session.answer(self.phone.answer(offer), Terms())))
        self.connect()
        self.assertMedia()
        self.session.close()
        self.browser.port.close()
        self.browser = self.makeBrowser()
        self.session = self.gateway.newSession("back")
        self.browser.accept(self.result(self.session.offer(self.phone.offer(), back.near, back.terms)))
        self.answered("active")
        self.connect()
        self.assertMedia()
