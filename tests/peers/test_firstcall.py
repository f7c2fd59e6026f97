"""
The manual's first call, by the manual's commands: Kamailio, the gateway, a
browser and a plain telephone.
"""

import re
import shlex
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.page import Page
from tests.peers import baresip
from tests.peers.baresip import Baresip
from tests.peers.browsers import Chromium
from tests.peers.deadline import until
from tests.peers.media import ready
from tests.peers.ng import NG
from tests.peers.peers import BARESIP, CHROMIUM, KAMAILIO, needs
from tests.peers.ports import freePort, freeRange
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


@needs(CHROMIUM, KAMAILIO, BARESIP)
class FirstCallTests(SynchronousTestCase):
    """
    The page, followed.
    """

    def setUp(self) -> None:
        """
        A folder with the source's files, and other ports in them, because
        those of the page may be taken.
        """
        made = tempfile.TemporaryDirectory(prefix="e2aegw-")
        self.addCleanup(made.cleanup)
        self.folder = Path(made.name)
        first = freeRange(200)
        self.ngPort, self.sipPort, self.webSocketPort, self.http = (freePort() for _ in range(4))
        self.replacements = {
            "30000-34999": f"{first}-{first + 99}",
            "35000-39999": f"{first + 100}-{first + 199}",
            ":2223": f":{self.ngPort}",
            ":5060": f":{self.sipPort}",
            ":8088": f":{self.webSocketPort}",
        }
        for name in (
            "tap-configs/loopback.toml",
            "docs/examples/kamailio.cfg",
            "docs/examples/softphone.html",
        ):
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_text(self.elsewhere((ROOT / name).read_text()))

    def elsewhere(self, text: str) -> str:
        """
        The same with the other ports.
        """
        for old, new in self.replacements.items():
            text = text.replace(old, new)
        return text

    def start(self, name: str, command: str) -> Process:
        """
        Run a command of the page.
        """
        program, *arguments = shlex.split(command.replace(" 8000", f" {self.http}"))
        program = {"python3": sys.executable}.get(program, program)
        if program.startswith(".venv/bin/"):
            program = str(Path(sys.executable).with_name(Path(program).name))
        more = []
        if name == "kamailio":
            run = self.folder / "run"
            run.mkdir()
            # Where it may write without being root, and no more memory than it needs.
            more = ["-m", "64", "-M", "8", "-w", str(run), "-Y", str(run), "-P", str(run / "pid")]
        process = Process(name, [program, *arguments, *more], self.folder)
        self.addCleanup(process.end)
        return process

    def test_firstCall(self) -> None:
        """
        The browser calls by the page's button, and both are heard.
        """
        make, gateway, kamailio, pages, ask = commands()
        self.assertRegex((ROOT / "Makefile").read_text(), rf"(?m)^{make.partition(' ')[2]}:.*##")
        running: Any = self.start("gateway", gateway)
        running.ngPort = self.ngPort
        ready(running)
        self.assertRegex(running.output(), "gateway started: access 127.0.0.1; core 127.0.0.1")
        self.start("kamailio", kamailio)
        telephone = Baresip(self.folder / "bob", f"127.0.0.1:{self.sipPort}", "bob")
        self.addCleanup(telephone.end)
        self.start("pages", pages)
        [url] = re.findall(r"http://127\.0\.0\.1:8000/\S+", PAGE.text)
        url = url.replace("8000", str(self.http))
        until(lambda: self.answers(url), "the page is there")
        browser = Chromium(self.folder, url)
        self.addCleanup(browser.end)
        self.says(browser, "SIP/2.0 200 OK")
        browser.click("#call")
        self.says(browser, "media: connected")
        until(lambda: browser.evaluate(_EARS) > 0, "the browser hears the telephone")
        until(lambda: telephone.recorded() > 16000, "the telephone hears the browser")
        said = subprocess.run(
            self.elsewhere(ask.replace(" 2223", f" {self.ngPort}")), shell=True, capture_output=True
        )
        self.assertIn(b'"calls":["', said.stdout)
        browser.click("#end")
        self.says(browser, "the call has ended")
        ng = NG(self.ngPort)
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

    def test_account(self) -> None:
        """
        The telephone of the tests is the page's, in what matters.
        """
        [account] = PAGE.blocks("none")
        self.assertTrue(account.startswith("<sip:bob@127.0.0.1:5060>;"))
        self.assertIn("answermode=auto", account)
        self.assertEqual(baresip.SHARED, "/usr/share/baresip")
