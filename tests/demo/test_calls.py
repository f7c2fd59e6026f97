"""
The demonstration's calls: a browser, the gateway and the echo on the memory
network.
"""

from typing import Any

from zope.interface.verify import verifyObject

from e2aegw.demo import calls as module
from e2aegw.demo.calls import GRACE, MAX_CALLS, MAX_EVENTS, MAX_SECONDS, PERIOD, Call, Calls, Exchange
from e2aegw.demo.echo import DELAY
from e2aegw.errors import NegotiationError, ResourceError
from e2aegw.gateway.config import LimitsTable
from e2aegw.interfaces import IGatewayObserver
from e2aegw.sansio.events import LineRefused
from tests.gateway.fixture import ACCESS, CORE, GatewayTestCase
from tests.gateway.webrtc import Browser

FAR = "203.0.113.77"


class CallsTestCase(GatewayTestCase):
    """
    A browser that calls the echo.
    """

    def setUp(self) -> None:
        """
        Bring the browser.
        """
        super().setUp()
        self.calls = Calls(self.clock, self.gateway, self.network, lambda remote: FAR)
        self.browser = self.makeBrowser()
        self.reports: list[dict[str, Any]] = []

    def tearDown(self) -> None:
        """
        End all: nothing may be left.
        """
        self.calls.endAll("the test is over")
        self.assertEqual(len(self.calls), 0)
        super().tearDown()
        self.assertNotIn(FAR, {host for host, _ in self.network.ports})

    def makeBrowser(self, **options: Any) -> Browser:
        """
        A browser.
        """
        browser = Browser(self.network, **options)
        self.addCleanup(browser.port.close)
        return browser

    def begin(self) -> Call:
        """
        Call, as the page does.
        """
        call = self.successResultOf(self.calls.begin(self.browser.offer()))
        assert isinstance(call, Call) and call.exchange is not None
        self.browser.accept(call.exchange.answerOut)
        return call

    def connect(self) -> None:
        """
        Checks and handshake.
        """
        self.browser.check()
        self.network.flush()
        self.assertTrue(self.browser.established)


class CallTests(CallsTestCase):
    """
    What becomes of a call.
    """

    def test_observer(self) -> None:
        """
        The calls observe the gateway.
        """
        self.assertTrue(verifyObject(IGatewayObserver, self.calls))

    def test_echo(self) -> None:
        """
        What the browser says under SRTP comes back, and in between it is plain.
        """
        seen = self.record()
        self.begin()
        self.connect()
        packet = self.browser.sendMedia(payloadType=111)
        self.network.advance(DELAY + 0.1)
        (echo,) = self.browser.received
        self.assertEqual(echo[12:], packet[12:])
        self.assertNotEqual(echo[8:12], packet[8:12])
        # To the echo and back; the two hops to the browser are not plain.
        self.assertEqual(sum(packet[12:] in data for data in seen), 2)

    def test_exchange(self) -> None:
        """
        Either side sees its own kind of description, with the gateway's
        address on that side.
        """
        exchange = self.begin().exchange
        assert exchange is not None
        self.assertIn("UDP/TLS/RTP/SAVPF", exchange.offerIn)
        self.assertIn(" RTP/AVP ", exchange.offerOut)
        self.assertIn(f"IN IP4 {CORE}", exchange.offerOut)
        self.assertNotIn("ice-", exchange.offerOut)
        self.assertIn(f"IN IP4 {FAR}", exchange.answerIn)
        self.assertIn("UDP/TLS/RTP/SAVPF", exchange.answerOut)
        self.assertIn(f"IN IP4 {ACCESS}", exchange.answerOut)
        self.assertIn("a=ice-lite", exchange.answerOut)

    def test_masked(self) -> None:
        """
        Keys of media are not shown.
        """
        line = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0c2VjcmV0|2^31|1:1;inline:bW9yZQ==\r\n"
        exchange = Exchange(offerIn=line, offerOut="b", answerIn="c", answerOut=line)
        masked = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:...|2^31|1:1;inline:...\r\n"
        self.assertEqual(
            exchange.masked(), {"offerIn": masked, "offerOut": "b", "answerIn": "c", "answerOut": masked}
        )

    def test_names(self) -> None:
        """
        A call is found by its name, which is not to be guessed, as long as it
        lasts.
        """
        call = self.begin()
        self.assertGreater(len(call.name), 20)
        self.assertIs(self.calls.find(call.name), call)
        call.end("enough")
        self.assertIs(self.calls.find(call.name), None)
        call.end("once more")
        self.assertEqual(call.ended, "enough")

    def test_badOffer(self) -> None:
        """
        Of an offer that cannot be agreed to, nothing is left.
        """
        for offer in ("nonsense", self.browser.offer(media="video")):
            self.failureResultOf(self.calls.begin(offer), NegotiationError)
        self.assertEqual((len(self.calls), self.gateway.portsLent), (0, 0))

    def test_tooMany(self) -> None:
        """
        There is a limit, and a place when somebody hangs up.
        """
        calls = [self.begin() for _ in range(MAX_CALLS)]
        self.failureResultOf(self.calls.begin(self.browser.offer()), ResourceError)
        calls[0].end("enough")
        self.begin()

    def test_handshakeFails(self) -> None:
        """
        A failed handshake ends the call and says why.
        """
        call = self.begin()
        call.watch(self.reports.append)
        # Of the right kind, but not the one that was announced.
        other = self.makeBrowser(port=50010)
        assert call.exchange is not None
        other.accept(call.exchange.answerOut)
        self.browser.context = other.context
        self.browser.check()
        self.network.advance(0.1)
        self.assertEqual(call.ended, "DTLS failed: fingerprint mismatch")
        self.assertEqual(self.reports[-1]["ended"], "DTLS failed: fingerprint mismatch")
        self.assertEqual(self.reports[-1]["events"][-1]["event"], "HandshakeFailed")

    def test_gatewayCloses(self) -> None:
        """
        If the gateway closes the session, the call is over.
        """
        call = self.begin()
        call.session.close()
        self.assertEqual(call.ended, "the gateway ended the call")

    def test_tooLong(self) -> None:
        """
        No call lasts for ever.
        """
        self.patch(module, "MAX_SECONDS", 20.0)
        call = self.begin()
        call.watch(self.reports.append)
        self.network.advance(19.0)
        self.assertIsNone(call.ended)
        self.network.advance(2.0)
        self.assertIn("minutes", str(call.ended))
        self.assertGreater(MAX_SECONDS, GRACE)


class SilentTests(CallsTestCase):
    """
    A gateway that does not wait long.
    """

    limits = LimitsTable(media_timeout=10.0)

    def test_silence(self) -> None:
        """
        Who sends nothing is cut off by the gateway, and hears why.
        """
        call = self.begin()
        call.watch(self.reports.append)
        self.network.advance(30.0)
        self.assertEqual(call.ended, "nothing was heard for 10 seconds")


class WatchTests(CallsTestCase):
    """
    What a page is told.
    """

    def test_report(self) -> None:
        """
        A report has the counters of both legs and of the echo, and what
        happened.
        """
        call = self.begin()
        self.connect()
        for _ in range(10):
            self.browser.sendMedia(payloadType=111)
            self.network.advance(0.02)
        self.network.advance(DELAY)
        report = call.report()
        (access,), (core,) = report["legs"]["access"], report["legs"]["core"]
        (echo,) = report["far"]
        self.assertEqual((access["packets"], core["packets"]), (10, 10))
        self.assertEqual((echo["packetsReceived"], echo["packetsSent"], echo["lost"]), (10, 10, 0))
        self.assertEqual((access["suite"], core["suite"]), ("AES_CM_128_HMAC_SHA1_80", ""))
        self.assertEqual(access["remote"], f"{self.browser.host}:50000")
        self.assertEqual(core["remote"], echo["address"])
        self.assertTrue(access["local"].startswith(f"{ACCESS}:"))
        self.assertTrue(core["control"].startswith(f"{CORE}:"))
        self.assertEqual(echo["codec"], "opus/48000/2")
        kinds = [event["event"] for event in report["events"]]
        self.assertEqual(kinds.count("MediaStarted"), 2)
        self.assertIn("Secured", kinds)
        self.assertIn("PairNominated", kinds)

    def test_ticks(self) -> None:
        """
        Who watches is told at once, then regularly, and at the end.
        """
        call = self.begin()
        call.watch(self.reports.append)
        self.assertEqual(len(self.reports), 1)
        self.network.advance(2 * PERIOD)
        self.assertEqual(len(self.reports), 3)
        call.end("enough")
        self.assertEqual([report["ended"] for report in self.reports[-2:]], [None, "enough"])

    def test_atOnce(self) -> None:
        """
        What happens is told when it happens.
        """
        call = self.begin()
        call.watch(self.reports.append)
        self.connect()
        events = [[each["event"] for each in report["events"]] for report in self.reports]
        self.assertIn("Secured", events[-1])
        self.assertLess(self.reports[-1]["seconds"], PERIOD)

    def test_manyEvents(self) -> None:
        """
        Of the events no more are kept than allowed.
        """
        call = self.begin()
        for _ in range(2 * MAX_EVENTS):
            self.calls.happened(call.session, LineRefused(line=0, reason="x"))
        self.assertEqual(len(call.report()["events"]), MAX_EVENTS)

    def test_others(self) -> None:
        """
        What happens in calls of others is no concern of these.
        """
        call = self.begin()
        before = len(call.report()["events"])
        self.calls.happened(self.gateway.newSession("other"), LineRefused(line=0, reason="x"))
        self.assertEqual(len(call.report()["events"]), before)

    def test_nobodyWatches(self) -> None:
        """
        A call that nobody watches ends after a while.
        """
        call = self.begin()
        self.network.advance(GRACE - 0.1)
        self.assertIsNone(call.ended)
        self.network.advance(0.2)
        self.assertEqual(call.ended, "the page is gone")

    def test_returns(self) -> None:
        """
        A page that comes back in time keeps its call.
        """
        call = self.begin()
        call.watch(self.reports.append)
        self.network.advance(1.5 * GRACE)
        call.unwatch(self.reports.append)
        self.network.advance(GRACE - 1)
        call.watch(self.reports.append)
        self.network.advance(1.5 * GRACE)
        self.assertIsNone(call.ended)
        call.unwatch(self.reports.append)
        call.unwatch(self.reports.append)
        self.network.advance(GRACE + 1)
        self.assertEqual(call.ended, "the page is gone")
