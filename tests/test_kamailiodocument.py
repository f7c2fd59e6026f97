"""
The manual's page on Kamailio, and the configuration on it.

That the configuration works in Kamailio is shown by C{tests.peers.test_manual}.
"""

import re
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from e2aegw.gateway.control import DIRECTIONS, NO_PORTS, NO_SESSION
from e2aegw.sansio import ngflags
from e2aegw.sansio.sdp import Description
from e2aegw.sansio.terms import Terms
from e2aegw.sip import media
from e2aegw.testing import Terminal
from tests.gateway.fixture import GatewayTestCase
from tests.gateway.telephones import CM80
from tests.gateway.webrtc import Browser
from tests.page import DOCS, Page

PAGE = Page("kamailio.rst")
CONFIG = (DOCS / "examples" / "kamailio.cfg").read_text()

#: For each way of a call, the flags that the configuration has for it.
WAYS = dict(re.findall(r'case "(\w+ to \w+)":\n +\$var\(flags\) = "(.*)";', CONFIG))


class BrowserEnd:
    """
    A browser's end of a call.
    """

    def __init__(self, test: GatewayTestCase, host: str) -> None:
        self.browser = Browser(test.network, host, formats="0")
        test.addCleanup(self.browser.port.close)
        self.received = self.browser.received
        self.send = self.browser.sendMedia
        self._network = test.network

    def offer(self) -> str:
        """
        An offer.
        """
        return self.browser.offer()

    def answer(self, offer: str) -> str:
        """
        The answer to an offer.
        """
        self.browser.accept(offer)
        self.browser.setup = "active"
        return self.browser.offer()

    def accept(self, answer: str) -> None:
        """
        Take an answer.
        """
        self.browser.accept(answer)

    def connect(self) -> None:
        """
        Check and shake hands.
        """
        self.browser.check()
        self._network.flush()
        if self.browser.setup == "active":
            self.browser.hello(client=True)
        self._network.flush()


class TelephoneEnd:
    """
    A telephone's end of a call, which may be a UE's.
    """

    def __init__(self, test: GatewayTestCase, host: str, ue: bool) -> None:
        self.terminal = Terminal(test.network, host, suites=[CM80] if ue else [])
        test.addCleanup(self.terminal.close)
        self.received = self.terminal.received
        self.send = self.terminal.sendMedia
        self.answer, self.accept = self.terminal.answer, self.terminal.accept
        self._ue = ue

    def offer(self) -> str:
        """
        An offer.
        """
        self.terminal.lines = ["3ge2ae:requested"] if self._ue else []
        return self.terminal.offer()

    def connect(self) -> None:
        """
        There is nothing to do.
        """


class FlagTests(GatewayTestCase):
    """
    The flags in the configuration.
    """

    def end(self, kind: str, host: str) -> Any:
        """
        A party.
        """
        return BrowserEnd(self, host) if kind == "browser" else TelephoneEnd(self, host, kind == "ue")

    def test_ways(self) -> None:
        """
        With the flags of each way media passes in both directions, and nobody
        but telephones gets anything in the clear.
        """
        self.assertEqual(len(WAYS), 7)
        for number, way in enumerate(WAYS):
            self.call(way, number, Terms())

    def test_back(self) -> None:
        """
        An answer may have the flags of the opposite way, and needs none.
        """
        for number, way in enumerate(WAYS):
            one, other = way.split(" to ")
            self.call(way, number, self.request(WAYS[f"{other} to {one}"]).terms)

    def request(self, flags: str) -> ngflags.Request:
        """
        What a string of flags means.
        """
        request = ngflags.read({"command": "offer", "rtpp-flags": flags}, DIRECTIONS)
        self.assertEqual((request.unknown, request.warnings), ((), ()), flags)
        return request

    def call(self, way: str, number: int, back: Terms) -> None:
        """
        A call.
        """
        one, other = way.split(" to ")
        near, far = self.end(one, f"192.0.2.{number + 10}"), self.end(other, f"192.0.2.{number + 100}")
        request = self.request(WAYS[way])
        session = self.gateway.newSession(way)
        offer = self.result(session.offer(near.offer(), request.near, request.terms))
        answer = self.result(session.answer(far.answer(offer), back))
        near.accept(answer)
        for kind, sdp in ((one, answer), (other, offer)):
            self.check(kind, Description.parse(sdp), way)
        for each in (near, far):
            each.connect()
        for this, that in ((near, far), (far, near)):
            packet = this.send()
            self.network.flush()
            self.assertEqual(that.received, [packet], way)
        session.close()

    def check(self, kind: str, description: Description, way: str) -> None:
        """
        A party is told of its own protection and of no other.
        """
        [section] = description.sections
        self.assertTrue(section.port, way)
        protected = {"browser": "UDP/TLS/RTP/SAVPF", "ue": "RTP/SAVP", "telephone": "RTP/AVP"}
        self.assertEqual(section.proto, protected[kind], way)
        self.assertEqual(section.has("crypto"), kind == "ue", way)
        self.assertEqual(section.has("fingerprint"), kind == "browser", way)
        self.assertEqual(section.has("ice-ufrag"), kind == "browser", way)
        self.assertEqual(section.has("rtcp-mux"), kind == "browser", way)

    def test_page(self) -> None:
        """
        What the page includes and quotes exists.
        """
        for marker in re.findall(r":(?:start-after|end-before): (.*)", PAGE.text):
            self.assertEqual(CONFIG.count(marker), 1, marker)
        for text in (NO_SESSION, NO_PORTS):
            self.assertIn(text, PAGE.flat())
        for flags in re.findall(r"``((?:direction=|e2ae=)[^`]*)``", PAGE.flat()):
            ngflags.read({"command": "offer", "rtpp-flags": flags}, DIRECTIONS)


class PCSCFTests(SynchronousTestCase):
    """
    The page on the P-CSCF, and its configuration.  That it works is shown by
    C{tests.peers.test_pcscf}.
    """

    page = Page("pcscf.rst")
    config = (DOCS / "kamailio" / "pcscf.cfg").read_text()

    def test_page(self) -> None:
        """
        What the page includes exists.
        """
        markers = re.findall(r":(?:start-after|end-before): (.*)", self.page.text)
        self.assertGreater(len(markers), 10)
        for marker in markers:
            self.assertEqual(self.config.count(marker), 1, marker)

    def test_flags(self) -> None:
        """
        The gateway understands the flags, for each token that is configured.
        """
        [tokens] = re.findall(r'#!define MEDIA "(.*)"', self.config)
        self.assertEqual(tuple(tokens.split(",")), media.STANDARD)
        ways = re.findall(r'\$var\((?:up|down)\) = \$avp\(call\) \+ "(.*)" \+ \$var\(agreed\);', self.config)
        self.assertEqual(len(ways), 2)
        for way in ways:
            for agreed in (tokens, *tokens.split(","), "webrtc", "none"):
                flags = f"{way}{agreed}"
                request = ngflags.read({"command": "offer", "rtpp-flags": flags}, DIRECTIONS)
                self.assertEqual((request.unknown, request.warnings), ((), ()), flags)
                self.assertEqual(request.terms.e2ae, set(agreed.split(",")) - {"none"})

    def test_onlyManage(self) -> None:
        """
        The gateway is asked by one function alone.
        """
        self.assertEqual(set(re.findall(r"rtpengine_\w+\(", self.config)), {"rtpengine_manage("})
