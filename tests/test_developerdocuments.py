"""
The manual's pages for those who program say what is so.
"""

import re
import unittest
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import directlyProvides

from e2aegw import errors, interfaces
from e2aegw.errors import ConfigError
from e2aegw.gateway.config import LimitsTable, SideConfig
from e2aegw.gateway.registry import GROUP, loadFactory
from e2aegw.gateway.service import Gateway, Route
from e2aegw.interfaces import IGatewayObserver
from e2aegw.sansio.e2ae import decide
from e2aegw.sansio.events import HandshakeFailed, MediaTimeout
from e2aegw.sansio.sdp import Section, Side
from e2aegw.sansio.terms import Terms
from e2aegw.testing import MemoryNetwork
from e2aegw.transport.kinds import KINDS
from tests.gateway.fixture import ACCESS, CORE, Witness
from tests.gateway.test_session_dtls import BrowserTestCase
from tests.page import DOCS, Page, rows

EMBED = Page("embed.rst")
ADAPTER = Page("write-an-adapter.rst")


def run(page: Page) -> dict[str, Any]:
    """
    Execute the Python blocks of a page, one after the other.

    @return: the names that they made.
    """
    names: dict[str, Any] = {"__name__": "documented"}
    for block in page.blocks("python"):
        exec(compile(block, "the manual", "exec"), names)
    return names


class ExecutedTestCase(SynchronousTestCase):
    """
    Tests that stand on a page are run.
    """

    def runs(self, kind: Any) -> int:
        """
        Run a test case.

        @return: how many tests it had.
        """
        suite = unittest.defaultTestLoader.loadTestsFromTestCase(kind)
        result = unittest.TestResult()
        suite.run(result)
        for _, text in [*result.errors, *result.failures]:
            self.fail(text)
        return result.testsRun


class EmbedTests(ExecutedTestCase, BrowserTestCase):
    """
    The page for applications.
    """

    def test_test(self) -> None:
        """
        The test on the page, which uses what stands above it, passes.
        """
        self.assertEqual(self.runs(run(EMBED)["CallTests"]), 1)

    def test_terms(self) -> None:
        """
        The two ways to speak of a browser mean the same.
        """
        names = run(EMBED)
        meant = []
        for terms in (names["TO_BROWSER"], names["SPELLED_OUT"]):
            session = self.gateway.newSession("terms")
            offer = self.result(session.offer(self.phone.offer(), Side.CORE, terms))
            meant.append([line.partition(":")[0] for line in offer.splitlines() if line.startswith("a=")])
            self.assertIn("UDP/TLS/RTP/SAVPF", offer)
            session.close()
        self.assertEqual(*meant)

    def test_telephone(self) -> None:
        """
        What is said of telephones holds for browsers that call them.
        """
        terms = run(EMBED)["TO_TELEPHONE"]
        offer = self.result(self.session.offer(self.browser.offer(), Side.ACCESS, terms))
        self.assertIn("RTP/AVP", offer)
        self.assertNotIn("rtcp-mux", offer)

    def test_observer(self) -> None:
        """
        The page's observer hears of a handshake that failed.
        """
        alarm = run(EMBED)["Alarm"]()
        self.gateway.addObserver(alarm)
        self.browser.setup = "active"
        self.browser.fingerprint = ":".join(["AB"] * 32)
        self.call()
        self.browser.check()
        self.network.flush()
        self.browser.hello(client=True)
        self.network.flush()
        self.assertEqual(alarm.failed, [("call", "access", "fingerprint mismatch")])
        self.assertEqual(len(self.happened(HandshakeFailed)), 1)

    def test_errors(self) -> None:
        """
        The table of exceptions has those that an application meets.
        """
        named = {row[0].strip("`") for row in rows(EMBED.section("What can go wrong"))}
        known = {name for name, each in vars(errors).items() if isinstance(each, type)}
        self.assertEqual(known - named, {"GatewayError", "RemoteError"})
        self.assertEqual(named - known, set())


class AdapterTests(ExecutedTestCase):
    """
    The page for authors of adapters.
    """

    def setUp(self) -> None:
        """
        Execute it.
        """
        self.names = run(ADAPTER)

    def test_contract(self) -> None:
        """
        The whole adapter on the page keeps the contract.
        """
        self.assertGreater(self.runs(self.names["UDPTLTests"]), 8)

    def test_call(self) -> None:
        """
        It passes media between two fax machines, and the gateway knows how the
        call stands and when it has ended.
        """
        clock, witness = Clock(), Witness()
        network = MemoryNetwork(clock)
        sides = {
            Side.ACCESS: SideConfig(addresses=((ACCESS, ACCESS),), ports=(30000, 30099)),
            Side.CORE: SideConfig(addresses=((CORE, CORE),), ports=(40000, 40099)),
        }
        factory = self.names["Factory"]()
        limits = LimitsTable(media_timeout=60)
        gateway = Gateway(clock, sides, [Route(factory, factory)], network=network, limits=limits)
        directlyProvides(witness, IGatewayObserver)
        gateway.addObserver(witness)
        gateway.startService()
        self.addCleanup(gateway.stopService)
        heard: list[bytes] = []
        here = network.bind(("198.51.100.7", 4000), lambda data, source: heard.append(data))
        there = network.bind(("203.0.113.7", 4000), lambda data, source: heard.append(data))
        for port in (here, there):
            self.addCleanup(port.close)
        sdp = "v=0\r\no=- 1 1 IN IP4 {0}\r\ns=-\r\nc=IN IP4 {0}\r\nt=0 0\r\n"
        sdp += "m=image 4000 udptl t38\r\na=T38FaxVersion:0\r\n"
        session = gateway.newSession("fax")
        offer = self.successResultOf(session.offer(sdp.format("198.51.100.7"), Side.ACCESS))
        answer = self.successResultOf(session.answer(sdp.format("203.0.113.7")))
        self.assertIn("a=T38FaxVersion:0", offer)
        ports = [int(re.findall(r"m=image (\d+) udptl t38", each)[0]) for each in (answer, offer)]
        here.sendto(b"\x00\x01\x01\x06", (ACCESS, ports[0]))
        there.sendto(b"\x00\x02\x01\x06", (CORE, ports[1]))
        here.sendto(b"\x00", (ACCESS, ports[0]))
        network.flush()
        self.assertEqual(heard, [b"\x00\x01\x01\x06", b"\x00\x02\x01\x06"])
        stream = session.report().parties[0].medias[0].streams[0]
        self.assertEqual((stream.packets, stream.octets, stream.errors), (1, 4, 1))
        self.assertEqual(stream.counters["dropped malformed UDPTL"], 1)
        for _ in range(8):
            clock.advance(10)
        self.assertEqual([type(event) for event in witness.events][-1], MediaTimeout)
        self.assertTrue(session.closed)

    def test_units(self) -> None:
        """
        The media are those of the adapters that come with the gateway, but for what
        is sealed, and the classes of their units exist.
        """
        told = {name.strip("`"): unit for name, unit in rows(ADAPTER.section("Two interfaces"))}
        points = [each for each in entry_points(group=GROUP) if each.value.startswith("e2aegw.")]
        self.assertEqual(set(told), {point.load().medium for point in points} - {"sealed"})
        for path in re.findall(r"api/([\w.]+)\.html", " ".join(told.values())):
            module, _, name = path.rpartition(".")
            self.assertTrue(hasattr(import_module(module), name), path)

    def test_profiles(self) -> None:
        """
        A profile that the gateway does not know is offered as it came, and the log
        names both if there is no route.
        """
        section = Section("text", 4000, "TCP/ACME", ["*"])
        self.assertEqual(decide(section, Side.ACCESS, Side.CORE, Terms()).proto, "TCP/ACME")

    def test_kinds(self) -> None:
        """
        The kinds of transport are those that there are.
        """
        told = {row[0].strip("`") for row in rows(ADAPTER.section("Descriptions"))}
        self.assertEqual(told, set(KINDS))

    def test_mistakes(self) -> None:
        """
        What is wrong with an adapter is said in the words of the page.
        """
        told = [row[1].split("``")[1] for row in rows(ADAPTER.section("Making it known"))]
        mistakes: list[tuple[str, dict[str, Any]]] = [
            ("telex", {}),
            ("srtp", {"profilse": []}),
            ("srtp", {"profiles": ["AES"]}),
            ("e2aegw.errors:GatewayError", {}),
        ]
        for (name, options), text in zip(mistakes, told, strict=False):
            with self.assertRaises(ConfigError) as caught:
                loadFactory(name, options)
            self.assertIn(text.replace("capture", "srtp"), str(caught.exception))
        registry = (DOCS.parent / "e2aegw" / "gateway" / "registry.py").read_text()
        self.assertEqual([text for text in told[len(mistakes) :] if text not in registry], [])

    def test_names(self) -> None:
        """
        What the page speaks of exists.
        """
        self.assertIn(GROUP, ADAPTER.text)
        for name in ("IAdapterFactory", "IAdapter", "IKeyExporter", "IOffloadable"):
            self.assertIn(name, ADAPTER.text)
            self.assertTrue(hasattr(interfaces, name))
        included = re.findall(r"literalinclude:: (\S+)", ADAPTER.text + EMBED.text)
        for path in included:
            self.assertTrue((DOCS / Path(path)).exists(), path)
