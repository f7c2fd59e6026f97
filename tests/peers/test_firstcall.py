"""
The manual's first call, by the manual's commands: Kamailio, the gateway, a
browser and a plain telephone.
"""

import re
import tempfile
import urllib.request
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.page import Page, literal
from tests.peers.baresip import Baresip
from tests.peers.browsers import Chromium
from tests.peers.deadline import until
from tests.peers.machine import Machine, Network
from tests.peers.ng import NG
from tests.peers.peers import BARESIP, CHROMIUM, KAMAILIO, NAMESPACES, NETCAT, needs
from tests.peers.process import Process

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = Page("first-call.rst")
#: What the browser hears has this many samples above silence.
_EARS = """
(async () => {
    const stats = [...(await connection.getStats()).values()];
    const heard = stats.find((each) => each.type === "inbound-rtp");
    return heard ? heard.totalAudioEnergy || 0 : 0;
})()
"""


def commands() -> list[str]:
    """
    What the page says to type.
    """
    return [
        line[2:] for block in PAGE.blocks("console") for line in block.splitlines() if line.startswith("$ ")
    ]


@needs(CHROMIUM, KAMAILIO, BARESIP, NAMESPACES, NETCAT)
class FirstCallTests(SynchronousTestCase):
    """
    The page, followed.
    """

    def setUp(self) -> None:
        """
        A machine on which all ports of the page are free.
        """
        made = tempfile.TemporaryDirectory(prefix="e2aegw-")
        self.addCleanup(made.cleanup)
        self.folder = Path(made.name)
        self.addCleanup(Network().end)
        (self.folder / "machine").mkdir()
        self.machine = Machine(self.folder / "machine")

    def start(self, name: str, command: str) -> Process:
        """
        Run a command of the page.
        """
        process = self.machine.start(name, command)
        self.addCleanup(process.end)
        return process

    def test_firstCall(self) -> None:
        """
        The browser calls by the page's button, and both are heard.
        """
        make, gateway, kamailio, pages, ask = commands()
        [packages] = literal("docs/first-call.rst")
        # They are here: this changes nothing.
        self.machine.run(packages)
        self.machine.run(make)
        running = self.start("gateway", gateway)
        until(
            lambda: (
                running.alive() and "gateway started: access 127.0.0.1; core 127.0.0.1" in running.output()
            ),
            "the gateway says so",
        )
        self.start("kamailio", kamailio)
        [account] = PAGE.blocks("none")
        telephone = Baresip(self.folder / "bob", "127.0.0.1:5060", "bob", account=account)
        self.addCleanup(telephone.end)
        self.start("pages", pages)
        [url] = re.findall(r"http://127\.0\.0\.1:8000/\S+", PAGE.text)
        until(lambda: self.answers(url), "the page is there")
        browser = Chromium(self.folder, url)
        self.addCleanup(browser.end)
        self.says(browser, "SIP/2.0 200 OK")
        browser.click("#call")
        self.says(browser, "media: connected")
        until(lambda: browser.evaluate(_EARS) > 0, "the browser hears the telephone")
        until(lambda: telephone.recorded() > 16000, "the telephone hears the browser")
        self.assertIn('"calls":["', self.machine.run(ask))
        browser.click("#end")
        self.says(browser, "the call has ended")
        ng = NG(2223)
        self.addCleanup(ng.close)
        until(lambda: ng.command("list")["calls"] == [], "the gateway has forgotten the call")

    def says(self, browser: Chromium, text: str) -> None:
        """
        The browser's page says something.
        """
        until(lambda: text in browser.evaluate("document.body.innerText"), f"the page says {text}")

    def answers(self, url: str) -> bool:
        """
        Whether there is a page.
        """
        try:
            with urllib.request.urlopen(url) as reply:
                return bool(reply.status == 200)
        except OSError:
            return False

    def test_packages(self) -> None:
        """
        What the page installs is what the tests were run with.
        """
        script = (ROOT / "tests" / "peers" / "install.sh").read_text().split()
        [packages] = re.findall("apt-get install (.*)", PAGE.text)
        self.assertEqual([each for each in packages.split() if each not in script], [])
