"""
The manual's page on the ng protocol says what is so.
"""

import json
import re
import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import msgspec
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from e2aegw.gateway.config import load
from e2aegw.gateway.control import NGControl
from e2aegw.gateway.ngport import NGPort
from e2aegw.gateway.registry import loadFactory
from e2aegw.gateway.service import Gateway, Route
from e2aegw.sansio import ng
from e2aegw.sansio.ngflags import FLAGS
from e2aegw.testing import MemoryNetwork
from tests.gateway.sipproxy import FakeTransport

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "ng.rst").read_text(encoding="utf-8")

#: What differs from one time to the next.
CHANGING = re.compile(r"(?<=inline:)[A-Za-z0-9+/=]+")
TIMES = frozenset({"created", "created_us", "last signal"})


def blocks() -> Iterator[str]:
    """
    The literal blocks of the page.
    """
    for block in re.finditer(r"\.\. code-block:: none\n\n((?:   .*\n|\n)+)", PAGE):
        yield re.sub(r"(?m)^   ", "", block[1])


def keys(text: str) -> tuple[dict[str, Any], bool]:
    """
    Read a message as the page writes it.

    @return: paths and values, and whether that is all.
    """
    found: dict[str, Any] = {}
    name = ""
    for line in re.sub(r"(?m)^(-->|<--)", "   ", text).splitlines():
        line = line.strip()
        if line.startswith("| "):
            found[name] = (found[name] or "") + line[2:] + "\r\n"
        elif line == "...":
            return found, False
        elif line:
            name, _, value = line.partition(" =")
            found[name] = json.loads(value) if value else None
    return found, True


def look(reply: Any, path: str) -> Any:
    """
    What stands in a reply under a path.
    """
    for step in path.split(" / "):
        reply = reply[int(step) if isinstance(reply, list) else step]
    return reply


class Documented(SynchronousTestCase):
    """
    The page and the gateway.
    """

    def setUp(self) -> None:
        """
        A gateway on a network in memory.
        """
        clock = Clock()
        config = load(ROOT / "tap-configs" / "loopback.toml")
        routes = [
            Route(*(loadFactory(f"e2aegw.adapter.{name}:Factory", {}) for name in (route.access, route.core)))
            for route in config.routes
        ]
        gateway = Gateway(clock, config.sides, routes, network=MemoryNetwork(clock))
        self.addCleanup(gateway.stopService)
        self.port = NGPort(NGControl(clock, gateway))
        self.transport = FakeTransport()
        self.port.makeConnection(cast(Any, self.transport))

    def send(self, datagram: bytes) -> bytes:
        """
        Send a datagram and return its reply.
        """
        self.transport.handle.sent.clear()
        self.port.datagramReceived(datagram, ("127.0.0.1", 4711))
        ((reply, _),) = self.transport.handle.sent
        return reply

    def test_datagrams(self) -> None:
        """
        Datagrams that are shown whole get the replies that are shown.
        """
        pairs = [block.split("\n") for block in blocks() if re.match(r"\d+_\d+_\d+ ", block)]
        self.assertEqual(len(pairs), 2)
        for request, reply, *_ in pairs:
            self.assertEqual(self.send(request.encode()), reply.encode())

    def test_dialogue(self) -> None:
        """
        The requests, one after the other, get the replies that are shown.
        """
        examples = [block for block in blocks() if block.startswith("-->")]
        commands = set()
        for n, example in enumerate(examples):
            request, whole = keys(example[: example.index("<--")])
            self.assertTrue(whole)
            commands.add(request["command"])
            reply = msgspec.json.decode(
                self.send(b"%d " % n + msgspec.json.encode(request)).partition(b" ")[2]
            )
            expected, whole = keys(example[example.index("<--") :])
            for path, value in expected.items():
                actual = look(reply, path)
                if path in TIMES:
                    self.assertIs(type(actual), int)
                elif path == "sdp":
                    self.assertEqual(CHANGING.sub("*", actual), CHANGING.sub("*", value), request["command"])
                else:
                    self.assertEqual(actual, value, path)
            if whole:
                self.assertEqual(set(reply), set(expected))
        self.assertEqual(commands, set(NGControl._HANDLERS))

    def test_flags(self) -> None:
        """
        The tables are those that the script makes.
        """
        render = runpy.run_path(str(ROOT / "docs" / "flags.py"))["render"]
        self.assertEqual((ROOT / "docs" / "ng-flags.txt").read_text(encoding="utf-8"), render())
        self.assertTrue(all(flag.about for flag in FLAGS))

    def test_numbers(self) -> None:
        """
        The limits that the page names are those of the code.
        """
        self.assertEqual((ng.MAX_REPLY, ng.MAX_COOKIE, ng.GENERATION), (65507, 256, 30))
        self.assertEqual(ng.MAX_REPLY_BYTES, 16 * 1024 * 1024)
        for text in ("65,507", "256 bytes", "30 to 60", "16 megabytes"):
            self.assertIn(text, re.sub(r"\s+", " ", PAGE))
