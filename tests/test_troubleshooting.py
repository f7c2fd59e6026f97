"""
The manual's page for when something is wrong says what is so.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import msgspec
from twisted.logger import eventAsText, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from e2aegw.errors import ResourceError
from e2aegw.gateway.config import LimitsTable
from e2aegw.gateway.control import LIST_LIMIT, NGControl
from e2aegw.gateway.dialogues import MAX_DIALOGUES
from e2aegw.gateway.logbook import WORDS
from e2aegw.gateway.ngport import NGPort
from e2aegw.gateway.session import Session
from e2aegw.sansio import bfcp, events
from e2aegw.sansio.dtls import HANDSHAKE_TIMEOUT, MTU
from e2aegw.sansio.ice import MAX_REFUSALS
from e2aegw.sansio.sdp import Side
from e2aegw.sansio.srtp import MAX_SOURCES, REASONS, REPLAY_WINDOW
from e2aegw.sansio.terms import Terms
from e2aegw.testing import Terminal
from e2aegw.transport.allowance import MAX_HANDSHAKES
from e2aegw.transport.component import LATCH_WINDOW
from tests.gateway.fixture import GatewayTestCase
from tests.gateway.sipproxy import FakeTransport
from tests.gateway.telephones import CM80, REQUESTED, CallTestCase
from tests.gateway.test_session_dtls import BrowserTestCase
from tests.page import Page, rows

PACKAGE = Path(__file__).parent.parent / "e2aegw"
PAGE = Page("troubleshooting.rst")

#: The modules that count on a stream.
COUNTING = (
    *PACKAGE.glob("adapter/*.py"),
    *PACKAGE.glob("application/*.py"),
    *PACKAGE.glob("transport/*.py"),
    *PACKAGE.glob("sansio/t140*.py"),
    *(PACKAGE / "sansio" / f"{name}.py" for name in ("dtls", "ice", "rtp", "srtp", "tls")),
    *PACKAGE.glob("sansio/bfcp*.py"),
)
#: Reasons that an association gives to whoever sends through it, not to a
#: counter of a call's: L{e2aegw.sansio.dtls.Association.send}.
SENDING = {"association not established", "not established", "not sent"}
#: Reasons for which handshakes fail: they are counted as that.
FAILING = {
    "closed by the remote party",
    "no common profile",
    "untrusted certificate",
    "wrong name in certificate",
}


def reasons() -> Iterator[str]:
    """
    Why packets are dropped or not sent.
    """
    yield from (*REASONS.values(), *bfcp.REASONS.values(), "malformed")
    for path in COUNTING:
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or getattr(node.func, "id", "") != "RemoteError":
                continue
            if isinstance(node.args[0], ast.Constant):
                yield str(node.args[0].value)


def counters() -> Iterator[str]:
    """
    What is counted under a name of its own.
    """
    for path in COUNTING:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Subscript) and "counters" in ast.unparse(node.value):
                if isinstance(node.slice, ast.Constant):
                    yield str(node.slice.value)
                elif isinstance(node.slice, ast.JoinedStr):
                    yield str(cast(ast.Constant, node.slice.values[0]).value)


class NamesTests(SynchronousTestCase):
    """
    Names and numbers on the page.
    """

    def setUp(self) -> None:
        """
        What the page says of counters.
        """
        super().setUp()
        table = rows(PAGE.section("The counters"))
        self.named = {name for row in table for name in re.findall("``(.*?)``", row[0])}

    def fits(self, name: str) -> bool:
        """
        Whether the table has a counter, or one that stands for it.
        """
        return name in self.named or any(
            each.endswith(" ...") and name.startswith(each[:-3]) for each in self.named
        )

    def test_all(self) -> None:
        """
        Every counter that there is stands in the table.
        """
        for reason in set(reasons()) - SENDING - FAILING:
            self.assertTrue(self.fits(f"dropped {reason}"), reason)
        # One that ends in a blank goes on with a reason, and those were asked for.
        for name in {each for each in counters() if not each.endswith(" ")}:
            self.assertTrue(self.fits(name), name)

    def test_noOther(self) -> None:
        """
        Every counter in the table, or elsewhere on the page, is one.
        """
        why, own = set(reasons()), set(counters())
        told = set(re.findall(r"``((?:dropped|unsent|failed|checks refused) [^`]*?)``", PAGE.flat()))
        for name in self.named | told:
            if name.startswith("failed "):
                continue
            verb, _, reason = name.partition(" ")
            prefix = reason.removesuffix("...").strip()
            known = name in own or (verb in ("dropped", "unsent") and reason in why)
            known = known or (reason != prefix and any(each.startswith(prefix) for each in why))
            known = known or name.startswith("checks refused")
            self.assertTrue(known, name)

    def test_events(self) -> None:
        """
        The table of events is that of the code, and says what is logged.
        """
        told = {name.strip("`"): logged for name, _, logged in rows(PAGE.section("Events"))}
        known = {
            name
            for name, each in vars(events).items()
            if isinstance(each, type) and issubclass(each, events.Event) and each is not events.Event
        }
        self.assertEqual(set(told), known)
        logged = {event.__name__ for event in WORDS}
        self.assertEqual({name for name, words in told.items() if words != "no"}, logged)

    def test_reasons(self) -> None:
        """
        The reasons for a line's port 0 are the code's.
        """
        code = "".join(path.read_text() for path in PACKAGE.rglob("*.py"))
        told = [row[0].strip("`") for row in rows(PAGE.section("A line has port 0"))]
        self.assertGreater(len(told), 8)
        for reason in told:
            pattern = reason.replace("IPv6", "IPv{version}").replace("core side", "{side.value} side")
            self.assertIn(pattern, code)

    def test_numbers(self) -> None:
        """
        The limits on the page are those of the code.
        """
        numbers = (REPLAY_WINDOW, MAX_HANDSHAKES, MAX_REFUSALS, MAX_DIALOGUES, MTU, LIST_LIMIT)
        self.assertEqual(numbers, (1024, 20, 20, 32, 1200, 32))
        self.assertEqual((LATCH_WINDOW, HANDSHAKE_TIMEOUT, MAX_SOURCES), (3.0, 30.0, 64))


class SymptomTestCase(GatewayTestCase):
    """
    A log, and what C{query} says.
    """

    session: Session

    def setUp(self) -> None:
        """
        Listen to the log.
        """
        super().setUp()
        self.log: list[str] = []

        def observe(event: Any) -> None:
            self.log.append(eventAsText(event, includeTimestamp=False, includeSystem=False))

        observer: Any = observe
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def counters(self, party: int) -> dict[str, int]:
        """
        What was counted for one of the two.
        """
        return self.session.report().parties[party].medias[0].streams[0].counters

    def assertLogged(self, text: str) -> None:
        """
        The log has a line with this, and so has the page.
        """
        self.assertTrue([line for line in self.log if text in line], self.log)
        self.assertIn(text, PAGE.flat())

    def assertCounted(self, party: int, name: str) -> None:
        """
        This was counted, and the page speaks of it.
        """
        self.assertGreater(self.counters(party).get(name, 0), 0)
        self.assertIn(f"``{name}``", PAGE.flat())


class TelephoneTests(SymptomTestCase, CallTestCase):
    """
    What can be wrong with telephones.
    """

    limits = LimitsTable(calls=2)

    def test_unknownSource(self) -> None:
        """
        A plain telephone that sends from elsewhere, too late.
        """
        self.call()
        elsewhere = self.network.bind(("203.0.113.50", 7000), lambda data, source: None)
        self.addCleanup(elsewhere.close)
        assert self.phone.remote is not None
        self.clock.advance(LATCH_WINDOW + 1)
        elsewhere.sendto(b"\x80\x00\x00\x01" + bytes(168), self.phone.remote)
        self.network.flush()
        self.assertCounted(1, "dropped unknown source")

    def test_latched(self) -> None:
        """
        And in time.
        """
        self.call()
        elsewhere = self.network.bind(("203.0.113.50", 7000), lambda data, source: None)
        self.addCleanup(elsewhere.close)
        assert self.phone.remote is not None
        elsewhere.sendto(b"\x80\x00\x00\x01" + bytes(168), self.phone.remote)
        self.network.flush()
        self.assertLogged("media comes from")

    def test_keys(self) -> None:
        """
        Somebody changed the key on its way.
        """
        self.call()
        other = Terminal(self.network, "198.51.100.77", suites=[CM80], lines=REQUESTED)
        self.addCleanup(other.close)
        other._keys[CM80] = bytes(30)
        sdp = self.result(self.session.answer(self.phone.answer(self.phone.offer())))
        other.accept(sdp)
        other.sendMedia()
        self.network.flush()
        self.assertCounted(0, "dropped bad authentication")

    def test_refusals(self) -> None:
        """
        Lines that are not agreed to.
        """
        self.result(self.session.offer(self.ue.offer(), Side.ACCESS, Terms(e2ae=frozenset())))
        self.assertLogged("protection was requested that was not agreed on at registration")
        other = self.gateway.newSession("other")
        self.result(other.offer(self.phone.session() + "m=image 9 udptl t38\r\n", Side.ACCESS))
        self.assertLogged("line 0 refused:")
        self.assertLogged("no route for")

    def test_ports(self) -> None:
        """
        No ports are left.
        """
        pool = self.gateway._pools[Side.CORE][4]
        ports = [pool.open([lambda data, source: None])[0] for _ in range(pool.free)]
        failure = self.failureResultOf(self.session.offer(self.ue.offer(), Side.ACCESS), ResourceError)
        self.assertIn(f'"{failure.value}"', PAGE.text)
        for port in ports:
            pool.close(port)

    def test_calls(self) -> None:
        """
        No calls are.
        """
        self.gateway.newSession("second")
        with self.assertRaises(ResourceError) as caught:
            self.gateway.newSession("third")
        self.assertIn(f'"{caught.exception}"', PAGE.text)

    def test_silence(self) -> None:
        """
        A call of which nothing is heard.
        """
        self.call()
        for _ in range(8):
            self.clock.advance(10)
        self.assertLogged("silent for 60.0 s")

    def test_query(self) -> None:
        """
        The commands of the page are messages, and C{query} has what the page
        says.
        """
        control = NGControl(self.clock, self.gateway)
        port, transport = NGPort(control), FakeTransport()
        port.makeConnection(cast(Any, transport))
        offer = {"command": "offer", "call-id": "a84b4c", "from-tag": "a", "sdp": self.ue.offer()}
        port.datagramReceived(b"0 " + msgspec.json.encode(offer), ("127.0.0.1", 4711))
        [block] = re.findall(r"code-block:: console\n\n((?:       .*\n)+)", PAGE.text)
        commands = re.findall(r"\$ printf '(.*)' \| nc -u -w 1 127.0.0.1 2223\n", block)
        self.assertEqual(len(commands), block.count("$"))
        for command in commands:
            port.datagramReceived(command.encode(), ("127.0.0.1", 4711))
        _, calls, query = [msgspec.json.decode(data.partition(b" ")[2]) for data, _ in transport.handle.sent]
        self.assertEqual(calls["calls"], ["a84b4c"])
        stream = query["tags"]["a"]["medias"][0]["streams"][0]
        self.assertLessEqual({"endpoint", "advertised endpoint", "stats"}, set(stream))


class BrowserTests(SymptomTestCase, BrowserTestCase):
    """
    What can be wrong with browsers.
    """

    def test_noChecks(self) -> None:
        """
        No check arrives: the gateway does not know where the browser is.
        """
        self.call()
        self.phone.sendMedia()
        self.network.flush()
        self.assertEqual(self.session.report().parties[0].medias[0].streams[0].endpoint, None)
        self.assertCounted(0, "unsent no keys")

    def test_wrongPassword(self) -> None:
        """
        Checks under another description's password.
        """
        self.call()
        self.browser.check(password="wrong" * 5)
        self.network.flush()
        self.assertCounted(0, "checks refused 401")

    def test_fingerprint(self) -> None:
        """
        Another certificate than was promised.
        """
        self.browser.setup = "active"
        self.browser.fingerprint = ":".join(["AB"] * 32)
        self.call()
        self.browser.check()
        self.network.flush()
        self.browser.hello(client=True)
        self.network.flush()
        self.assertCounted(0, "failed fingerprint mismatch")
        self.assertLogged("access line 0: DTLS failed: fingerprint mismatch; expected sha-256 AB:AB:")

    def test_noHandshake(self) -> None:
        """
        Media before a handshake.
        """
        self.browser.setup = "active"
        self.call()
        self.browser.check()
        self.network.flush()
        self.browser.sendRaw(b"\x80" + bytes(100))
        self.network.flush()
        self.assertCounted(0, "dropped no keys")

    def test_protocol(self) -> None:
        """
        What is no protocol of a media port.
        """
        self.call()
        self.connect()
        self.browser.sendRaw(b"GET / HTTP/1.0\r\n\r\n")
        self.network.flush()
        self.assertCounted(0, "dropped unknown protocol")
