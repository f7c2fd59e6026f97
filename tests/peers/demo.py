"""
The demonstration, as C{make demo} starts it but for the ports, and its page in
a browser.
"""

import os
import re
from pathlib import Path
from typing import Any

from tests.peers.browsers import Browser
from tests.peers.deadline import until
from tests.peers.gateway import Gateway

CONFIGURATION = Path(__file__).resolve().parents[2] / "tap-configs" / "demo.toml"
#: How the log says where the page is.
_ADDRESS = re.compile(r"demo: (http://\S+/)$", re.MULTILINE)
#: UDP sockets of IPv4; the second column has the port, the tenth the inode.
_SOCKETS = Path("/proc/net/udp")


class Demo(Gateway):
    """
    A running gateway with the page.

    @ivar url: where the page is.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        try:
            self.url = str(
                until(lambda: _ADDRESS.search(self.output()), "the log tells the page's address")[1]
            )
        except BaseException:
            self.end()
            raise

    def configuration(self) -> str:
        """
        See L{Gateway.configuration}.
        """
        text = CONFIGURATION.read_text()
        for said, meant in (
            ("30000-34999", f"{self.access.start}-{self.access.stop - 1}"),
            ("35000-39999", f"{self.core.start}-{self.core.stop - 1}"),
            ("127.0.0.1:2223", f"127.0.0.1:{self.ngPort}"),
            ("127.0.0.1:8080", "127.0.0.1:0"),
        ):
            assert said in text, said
            text = text.replace(said, meant)
        return text

    def openPorts(self) -> set[int]:
        """
        Which UDP ports the process has open, beside that for control.
        """
        links = [os.readlink(link) for link in Path(f"/proc/{self.pid}/fd").iterdir() if link.is_symlink()]
        rows = [line.split() for line in _SOCKETS.read_text().splitlines()[1:]]
        ours = {int(row[1].partition(":")[2], 16) for row in rows if f"socket:[{row[9]}]" in links}
        return ours - {self.ngPort}


class Page:
    """
    The page in a browser.
    """

    def __init__(self, browser: Browser) -> None:
        self.browser = browser

    def text(self, selector: str) -> str:
        """
        The text of an element.
        """
        text: str = self.browser.evaluate(f"document.querySelector('{selector}').textContent.trim()")
        return text

    def content(self, selector: str) -> str:
        """
        The text of an element, with what space is around it.
        """
        text: str = self.browser.evaluate(f"document.querySelector('{selector}').textContent")
        return text

    def shows(self, selector: str) -> bool:
        """
        Whether an element can be seen.
        """
        return bool(self.browser.evaluate(f"document.querySelector('{selector}').checkVisibility()"))

    def press(self, selector: str) -> None:
        """
        Press a button.
        """
        until(lambda: self.shows(selector), f"{selector} can be seen", explain=self.problem)
        self.browser.click(selector)

    def flows(self) -> bool:
        """
        Whether media flows on both legs, as the page has it.
        """
        return bool(
            self.browser.evaluate(
                "['link-access', 'link-core'].every((id) =>"
                " document.getElementById(id).dataset.state === 'flowing')"
            )
        )

    def problem(self) -> str:
        """
        What the page complains of, and what state it is in.
        """
        texts = (self.text(each) for each in ("#problem-text", "#status", "#path .drawing"))
        return " | ".join(" ".join(text.split()) for text in texts)

    def description(self, exchange: str, side: str) -> str:
        """
        A description, as it stands in the page.

        @param exchange: C{"offer"} or C{"answer"}.
        @param side: C{"access"} or C{"core"}.
        """
        lines: list[str] = self.browser.evaluate(
            f"[...document.querySelectorAll('#{exchange} td.text.{side}')].map((cell) => cell.textContent)"
        )
        return "".join(f"{line}\r\n" for line in lines)

    def marked(self, exchange: str, how: str) -> list[str]:
        """
        The lines that are marked as C{"removed"}, C{"changed"} or C{"added"};
        of those that changed, what they changed to.
        """
        cells = f"#{exchange} .row.{how} td.text.{'from' if how == 'removed' else 'to'}"
        found: list[str] = self.browser.evaluate(
            f"[...document.querySelectorAll('{cells}')].map((cell) => cell.textContent)"
        )
        return found

    def counter(self, name: str) -> int:
        """
        A number from the table of counters.
        """
        return int(self.text(f"#{name}").partition(", ")[0].replace(",", ""))

    def statistics(self) -> dict[str, Any]:
        """
        What the browser counts, by kind.
        """
        found: dict[str, Any] = self.browser.evaluate("demo.statistics()")
        return found


__all__ = ["Demo", "Page"]
