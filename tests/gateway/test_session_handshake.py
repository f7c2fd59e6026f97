"""
Handshakes that do not go as they should, on the memory network.
"""

import re
from typing import Any

from OpenSSL import SSL

from e2aegw.gateway.config import LimitsTable
from e2aegw.sansio.events import HandshakeFailed, Secured
from e2aegw.sansio.sdp import Side
from e2aegw.sansio.terms import Terms
from e2aegw.transport.allowance import MAX_HANDSHAKES, PERIOD
from tests.gateway.test_session_dtls import NO_TERMS, TO_CORE, BrowserTestCase
from tests.gateway.webrtc import Browser


class TimerTests(BrowserTestCase):
    """
    The timers of a handshake.
    """

    limits = LimitsTable(media_timeout=0, silent_timeout=0, offer_timeout=0)
    patience = 0.0

    def test_oneTimer(self) -> None:
        """
        A browser that does not answer is asked again, by one timer, and that
        goes with the call.
        """
        self.call()
        self.network.lose = lambda data, source, destination: 20 <= data[0] <= 63
        self.browser.check()
        self.network.flush()
        for _ in range(5):
            self.clock.advance(1.5)
            self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.session.close()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_givesUp(self) -> None:
        """
        In the end the stream has failed, and there is no timer.
        """
        self.call()
        self.network.lose = lambda data, source, destination: 20 <= data[0] <= 63
        self.browser.check()
        self.network.flush()
        self.network.advance(40)
        self.assertEqual([event.reason for event in self.happened(HandshakeFailed)], ["timeout"])
        self.assertEqual(self.clock.getDelayedCalls(), [])


class StrangerTests(BrowserTestCase):
    """
    A telephone with DTLS-SRTP and without ICE, and others who know its port.
    """

    def setUp(self) -> None:
        """
        The telephone calls, and will be the client.
        """
        super().setUp()
        self.browser.setup = "active"
        self.gatewayAddress = self.place()

    def place(self, terms: Terms = NO_TERMS, extra: str = "") -> tuple[str, int]:
        """
        Call without ICE.

        @return: where the gateway listens.
        """
        sdp = re.sub("a=(ice|candidate).*\r\n", "", self.browser.offer(extra))
        offer = self.result(self.session.offer(sdp, Side.ACCESS, TO_CORE))
        answer = self.result(self.session.answer(self.phone.answer(offer), terms))
        self.browser.theirSetup = re.findall(r"a=setup:(\S+)", answer)[0]
        self.browser.remote = ("198.51.100.1", int(re.findall(r"m=audio (\d+)", answer)[0]))
        return self.browser.remote

    def stranger(self, host: str = "192.0.2.66", **options: Any) -> Browser:
        """
        Somebody who knows the port.
        """
        stranger = self.makeBrowser(host=host, **options)
        stranger.remote = self.gatewayAddress
        return stranger

    def connect(self) -> None:
        """
        The handshake.
        """
        self.browser.hello(client=True)
        self.network.flush()
        self.assertTrue(self.browser.established)

    def test_otherCertificate(self) -> None:
        """
        A stranger who finishes a handshake with a certificate of its own has
        only itself to blame.
        """
        self.stranger().hello(client=True)
        self.network.flush()
        self.assertEqual(self.happened(HandshakeFailed), [])
        self.connect()
        self.assertMedia()

    def test_noCertificate(self) -> None:
        """
        Nor does a handshake that cannot end well keep the telephone out.
        """
        self.stranger(present=False).hello(client=True)
        self.network.flush()
        self.connect()
        self.assertMedia()

    def test_interrupts(self) -> None:
        """
        A stranger cannot take the telephone's place in the middle.
        """
        self.browser.hello(client=True)
        self.network.deliver()
        self.network.deliver()
        stranger = self.stranger()
        stranger.hello(client=True)
        self.network.flush()
        self.assertTrue(self.browser.established)
        self.assertMedia()
        self.assertEqual(len(self.happened(Secured)), 1)

    def test_garbage(self) -> None:
        """
        What is not a ClientHello begins nothing, however often it comes.
        """
        stranger = self.stranger()
        for data in (b"\x16\xfe\xfd" + bytes(10), b"\x15\xfe\xfd" + bytes(8) + b"\0\2\2\x28", b"\x17" * 40):
            for _ in range(2 * MAX_HANDSHAKES):
                stranger.sendRaw(data)
        self.network.flush()
        self.connect()
        self.assertMedia()

    def test_manyHellos(self) -> None:
        """
        Strangers who begin and do not end cost so much and no more, and the
        telephone gets through.
        """
        for number in range(2 * MAX_HANDSHAKES):
            self.stranger(f"192.0.2.{100 + number}").hello(client=True)
        self.network.flush()
        self.connect()
        self.assertMedia()
        counters = self.session.report().parties[0].medias[0].streams[0].counters
        self.assertEqual(counters["dropped too many handshakes"], MAX_HANDSHAKES)

    def test_hellosAreForgotten(self) -> None:
        """
        Who comes from elsewhere than its description says is not kept out by
        strangers for ever.
        """
        for number in range(MAX_HANDSHAKES):
            self.stranger(f"192.0.2.{100 + number}").hello(client=True)
        self.network.flush()
        behindNAT = self.stranger()
        behindNAT.context = self.browser.context
        behindNAT.hello(client=True)
        self.network.flush()
        self.assertFalse(behindNAT.established)
        self.network.advance(PERIOD)
        behindNAT.hello(client=True)
        self.network.flush()
        self.assertTrue(behindNAT.established)

    def test_weAreTheClient(self) -> None:
        """
        As the client the gateway listens to whom it called.
        """
        self.session.close()
        self.session = self.gateway.newSession("passive")
        self.browser.setup = "passive"
        stranger = self.stranger()
        self.gatewayAddress = stranger.remote = self.place()
        stranger.sendRaw(b"\x15\xfe\xfd" + bytes(8) + b"\0\2\2\x28")
        self.network.flush()
        self.assertTrue(self.browser.established)
        self.assertMedia()
        self.assertEqual(self.happened(HandshakeFailed), [])

    def test_beginsAgain(self) -> None:
        """
        A telephone that begins again from the same port is let in.
        """
        self.network.lose = lambda data, source, destination: source == self.gatewayAddress
        self.browser.hello(client=True)
        self.network.flush()
        self.record()
        self.connect()
        self.assertMedia()

    def test_newCertificateFromElsewhere(self) -> None:
        """
        A telephone that started anew behind its NAT comes from another port
        there, and says so nowhere.
        """
        self.connect()
        self.assertMedia()
        said = self.browser.port.address
        self.browser.port.close()
        self.browser = self.makeBrowser(port=50020)
        self.browser.setup = "active"
        nat, self.browser.port = self.browser.port, self.network.bind(said, self.browser._receive)
        sdp = re.sub("a=(ice|candidate).*\r\n", "", self.browser.offer())
        self.browser.port.close()
        self.browser.port = nat
        offer = self.result(self.session.offer(sdp, Side.ACCESS, TO_CORE))
        self.result(self.session.answer(self.phone.answer(offer)))
        self.browser.remote = self.gatewayAddress
        self.connect()
        self.assertMedia()

    def move(self) -> None:
        """
        The telephone gets another address, and says so.
        """
        old = self.browser.port
        self.browser.port = self.network.bind(("192.0.2.77", 50000), self.browser._receive)
        self.addCleanup(self.browser.port.close)
        old.close()
        self.place()

    def test_movesAndBeginsAnew(self) -> None:
        """
        A telephone at another address may begin a new association (RFC 8842
        clause 4).
        """
        self.connect()
        self.assertMedia()
        self.move()
        self.browser.established = False
        self.connect()
        self.assertMedia()

    def test_movesAndGoesOn(self) -> None:
        """
        Or go on with the one that it has.
        """
        self.connect()
        self.assertMedia()
        self.move()
        self.assertMedia()

    def test_movesAsTheServer(self) -> None:
        """
        If the gateway has to begin, and the telephone does not think so, media
        goes on.
        """
        self.session.close()
        self.session = self.gateway.newSession("passive")
        self.browser.setup = "passive"
        self.place()
        self.network.flush()
        self.assertMedia()
        self.move()
        self.network.lose = lambda data, source, destination: 20 <= data[0] <= 63
        self.network.advance(35)
        self.assertMedia()
        self.assertEqual(self.happened(HandshakeFailed), [])


class SeveralTests(BrowserTestCase):
    """
    Two browsers ring, and both may answer.
    """

    def setUp(self) -> None:
        """
        The second one.
        """
        super().setUp()
        self.other = self.makeBrowser(host="192.0.2.10")
        self.other.ufrag = "anew"

    def test_tooQuick(self) -> None:
        """
        One begins its handshake, and another one answers.
        """
        offer = self.called()
        first, second = self.browser, self.other
        second.accept(offer)
        first.check()
        self.network.flush()
        first.hello(client=True)
        self.network.flush()
        self.assertTrue(first.established)
        self.browser = second
        self.answered("active")
        self.connect()
        self.assertMedia()

    def test_bothAnswer(self) -> None:
        """
        One answers early, the other one finally, and the gateway is the
        client.
        """
        offer = self.called()
        self.answered("passive")
        self.connect()
        self.assertMedia()
        self.browser = self.other
        self.browser.accept(offer)
        self.answered("passive")
        self.connect()
        self.assertMedia()
        self.assertEqual(self.happened(HandshakeFailed), [])

    def test_bothAnswerAsClients(self) -> None:
        """
        The same with the gateway as the server, and the first one does not
        stop sending.
        """
        offer = self.called()
        self.answered("active")
        self.connect()
        self.assertMedia()
        first, self.browser = self.browser, self.other
        self.browser.accept(offer)
        self.answered("active")
        first.sendMedia()
        self.connect()
        first.sendMedia()
        self.assertMedia()


class AgainTests(BrowserTestCase):
    """
    A second attempt.
    """

    limits = LimitsTable(media_timeout=0, silent_timeout=0, offer_timeout=0)
    patience = 0.0

    def test_afterFailure(self) -> None:
        """
        A new offer after a handshake that failed begins another one.
        """
        self.call()
        self.network.lose = lambda data, source, destination: 20 <= data[0] <= 63
        self.browser.check()
        self.network.advance(40)
        self.assertEqual(len(self.happened(HandshakeFailed)), 1)
        self.record()
        self.call(extra="a=again:1\r\n")
        self.network.flush()
        self.assertTrue(self.browser.established)
        self.assertMedia()

    def test_anotherPair(self) -> None:
        """
        A handshake goes on when the browser chooses another pair in the
        middle.
        """
        self.browser.setup = "active"
        self.call()
        self.browser.check()
        self.network.flush()
        self.browser.hello(client=True)
        self.network.deliver()
        # The gateway's answer is on its way.
        old = self.browser.port
        self.browser.port = self.network.bind(("192.0.2.9", 50010), self.browser._receive)
        self.addCleanup(old.close)
        self.browser.check()
        self.network.flush()
        self.assertTrue(self.browser.established)
        self.assertMedia()
        counters = self.session.report().parties[0].medias[0].streams[0].counters
        self.assertEqual({name for name in counters if name.startswith(("failed", "dropped"))}, set())

    def test_roleChange(self) -> None:
        """
        A browser that wants the other role gets a new association.
        """
        self.call()
        self.connect()
        self.assertMedia()
        self.browser.setup = "active"
        self.call()
        self.browser.established = False
        self.browser.connection = SSL.Connection(self.browser.context, None)
        self.connect()
        self.assertMedia()
        self.assertEqual(len(self.happened(Secured)), 2)
