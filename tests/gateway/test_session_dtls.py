"""
Calls of browsers, on the memory network.
"""

import re
import struct
from typing import Any

from aioice import stun

from e2aegw.sansio.events import HandshakeFailed, LineRefused, PairNominated, Secured
from e2aegw.sansio.sdp import Side
from e2aegw.sansio.terms import ICE, Terms
from e2aegw.testing import Terminal
from e2aegw.transport.udp import KNOCKS
from tests.gateway.fixture import CORE, GatewayTestCase
from tests.gateway.webrtc import Browser

TO_CORE = Terms(transportProtocol="RTP/AVP", ice=ICE.REMOVE, rtcpMux={"demux"})
TO_BROWSER = Terms(transportProtocol="UDP/TLS/RTP/SAVPF", ice=ICE.FORCE, rtcpMux={"offer"}, sdes=False)
NO_TERMS = Terms()


class BrowserTestCase(GatewayTestCase):
    """
    A browser on the access side and a telephone on the core side.
    """

    def setUp(self) -> None:
        """
        Bring both.
        """
        super().setUp()
        self.browser = self.makeBrowser()
        self.phone = Terminal(self.network, "203.0.113.7")
        self.addCleanup(self.phone.close)
        self.session = self.gateway.newSession("call")

    def makeBrowser(self, **options: Any) -> Browser:
        """
        One more browser.
        """
        browser = Browser(self.network, **options)
        self.addCleanup(browser.port.close)
        return browser

    def call(self, terms: Terms = NO_TERMS, extra: str = "") -> tuple[str, str]:
        """
        The browser calls.
        """
        offer = self.result(self.session.offer(self.browser.offer(extra), Side.ACCESS, TO_CORE))
        answer = self.result(self.session.answer(self.phone.answer(offer), terms))
        self.browser.accept(answer)
        return offer, answer

    def called(self, terms: Terms = TO_BROWSER) -> str:
        """
        The browser is called, and has not answered.
        """
        offer = self.result(self.session.offer(self.phone.offer(), Side.CORE, terms))
        self.browser.accept(offer)
        return offer

    def answered(self, setup: str) -> str:
        """
        The browser answers.
        """
        self.browser.setup = setup
        self.browser.theirSetup = {"active": "passive", "passive": "active"}[setup]
        answer = self.result(self.session.answer(self.browser.offer()))
        self.phone.accept(answer)
        return answer

    def connect(self) -> None:
        """
        Checks and handshake.
        """
        self.shakeHands()
        self.assertTrue(self.browser.established)

    def shakeHands(self) -> None:
        """
        Checks and handshake, with the browser in the role that the answer
        left to it, and whatever comes of it.
        """
        self.browser.check()
        self.network.flush()
        if self.browser.theirSetup == "passive":
            self.browser.hello(client=True)
        self.network.flush()

    def assertMedia(self) -> None:
        """
        Media and reports pass in both directions.
        """
        packet = self.browser.sendMedia()
        self.network.flush()
        self.assertEqual(self.phone.received[-1], packet)
        report = struct.pack("!BBHI", 0x80, 201, 1, self.browser.ssrc)
        self.browser.sendControl(report)
        self.network.flush()
        self.assertEqual(self.phone.receivedControl[-1], report)
        packet, report = self.phone.sendMedia(), self.phone.sendReport()
        self.network.flush()
        self.assertEqual(self.browser.received[-1], packet)
        self.assertEqual(self.browser.receivedControl[-1], report)
        self.assertEqual((self.browser.refused, self.phone.refused), (0, 0))


class OriginatingTests(BrowserTestCase):
    """
    A browser calls.
    """

    def test_call(self) -> None:
        """
        The whole of it: the gateway is the client.
        """
        offer, answer = self.call()
        self.assertIn("RTP/AVP 111 0", offer)
        self.assertIn("a=setup:active", answer)
        self.connect()
        self.assertMedia()
        self.assertEqual(self.happened(Secured)[0].protocol, "DTLS-SRTP")

    def test_R_30_active(self) -> None:
        """
        Who offers to be the client finds a server.
        """
        self.browser.setup = "active"
        _, answer = self.call()
        self.assertIn("a=setup:passive", answer)
        self.connect()
        self.assertMedia()

    def test_R_30_passive(self) -> None:
        """
        Who offers to be the server finds a client.
        """
        self.browser.setup = "passive"
        _, answer = self.call()
        self.assertIn("a=setup:active", answer)
        self.connect()
        self.assertMedia()

    def test_R_31_actpass(self) -> None:
        """
        Who leaves the choice gets one, and the controller may make it.
        """
        _, answer = self.call()
        self.assertIn("a=setup:active", answer)
        self.session.close()
        self.session = self.gateway.newSession("told")
        _, answer = self.call(Terms(dtls="passive"))
        self.assertIn("a=setup:passive", answer)
        self.connect()
        self.assertMedia()

    def test_iceAsOffered(self) -> None:
        """
        If the controller says so, the core is offered ICE as the browser
        offers it, with what is ours in it.
        """
        browser = self.browser.offer()
        offer = self.result(self.session.offer(browser, Side.ACCESS, TO_CORE.but(ice=ICE.OFFERED)))
        self.assertIn("a=ice-lite", offer)
        self.assertNotIn(self.browser.ufrag, offer)
        answer = self.result(self.session.answer(self.phone.answer(offer)))
        self.browser.accept(answer)
        self.assertIn("m=audio", answer)

    def test_R_12_nothingLeaks(self) -> None:
        """
        Nothing of the browser's own reaches the core.
        """
        offer, _ = self.call()
        for name in ("ice-", "candidate", "fingerprint", "setup", "mid", "msid", "rtcp-fb", "extmap-allow"):
            self.assertNotIn(f"a={name}", offer)
        self.assertNotIn(self.browser.host, offer)
        self.assertIn(f"c=IN IP4 {CORE}", offer)

    def test_R_33_wrongFingerprint(self) -> None:
        """
        A certificate that is not the description's ends the stream, and no
        media passes.
        """
        self.browser.setup = "active"
        right = self.browser.fingerprint
        self.browser.fingerprint = ":".join(["AB"] * 32)
        self.call()
        self.shakeHands()
        # It was told, and has no keys to send anything with.
        self.assertFalse(self.browser.established)
        [failure] = self.happened(HandshakeFailed)
        self.assertEqual(failure.reason, "fingerprint mismatch")
        self.assertIn(right, failure.presented)
        self.assertIn(self.browser.fingerprint, failure.expected)
        self.phone.sendMedia()
        self.network.flush()
        self.assertEqual((self.phone.received, self.browser.received), ([], []))
        counters = self.session.report().parties[0].medias[0].streams[0].counters
        self.assertEqual(counters["failed fingerprint mismatch"], 1)

    def test_R_34_noCertificate(self) -> None:
        """
        A browser that shows no certificate is refused.
        """
        self.browser.port.close()
        self.browser = self.makeBrowser(present=False)
        self.browser.setup = "active"
        self.call()
        self.browser.check()
        self.network.flush()
        self.browser.hello(client=True)
        self.network.flush()
        [failure] = self.happened(HandshakeFailed)
        self.assertEqual(failure.reason, "no certificate")

    def test_noFingerprint(self) -> None:
        """
        An offer without a fingerprint, or with one that nobody should
        believe, is refused.
        """
        for change in ("", "a=fingerprint:md5 AA:BB\r\n", "a=fingerprint:sha-1 AA:BB\r\n"):
            session = self.gateway.newSession("bad")
            sdp = re.sub("a=fingerprint.*\r\n", change, self.browser.offer())
            self.assertIn("m=audio 0 ", self.result(session.offer(sdp, Side.ACCESS, TO_CORE)))
            session.close()
        self.assertEqual(len(self.happened(LineRefused)), 3)

    def test_R_35_tlsID(self) -> None:
        """
        The answer has a C{tls-id} if and only if the offer has, and it stays
        with the association.
        """
        _, answer = self.call()
        self.assertNotIn("tls-id", answer)
        session = self.session = self.gateway.newSession("second")
        _, answer = self.call(extra="a=tls-id:" + "x" * 20 + "\r\n")
        [first] = re.findall(r"a=tls-id:(\S+)", answer)
        self.assertGreaterEqual(len(first), 20)
        self.connect()
        _, answer = self.call(extra="a=tls-id:" + "x" * 20 + "\r\na=x:1\r\n")
        self.assertIn(first, answer)
        self.assertMedia()
        _, answer = self.call(extra="a=tls-id:" + "y" * 20 + "\r\n")
        self.assertNotIn(first, answer)
        session.close()

    def test_R_36_sameAssociation(self) -> None:
        """
        An offer that changes nothing of DTLS begins no handshake.
        """
        self.call()
        self.connect()
        seen = self.record()
        _, answer = self.call(extra="a=x:1\r\n")
        self.assertIn("a=setup:active", answer)
        self.assertMedia()
        self.assertEqual([data for data in seen if 20 <= data[0] <= 63], [])

    def test_newCertificate(self) -> None:
        """
        A browser with a new certificate gets a new association, and media
        goes on.
        """
        self.call()
        self.connect()
        self.assertMedia()
        self.browser.port.close()
        self.browser = self.makeBrowser()
        self.call()
        self.connect()
        self.assertMedia()

    def test_R_101_checksBeforeAndAfterTheAnswer(self) -> None:
        """
        A check is answered if it has the right password, whenever it comes.
        """
        offer = self.called()
        self.browser.check(use=False)
        self.network.flush()
        self.assertEqual(self.browser.responses[-1].message_class, stun.Class.RESPONSE)
        self.browser.check(password="wrong" * 5)
        self.network.flush()
        self.assertEqual(self.browser.responses[-1].attributes["ERROR-CODE"][0], 401)
        self.assertIn("a=ice-lite", offer)
        self.answered("active")
        self.connect()
        self.assertMedia()

    def test_R_101_pairIsChosen(self) -> None:
        """
        Media goes where the last nominated pair is, and nowhere before.
        """
        self.call()
        self.phone.sendMedia()
        self.network.flush()
        self.assertEqual(self.browser.received, [])
        self.connect()
        self.assertEqual(len(self.happened(PairNominated)), 1)
        self.assertMedia()
        old, self.browser.port = (
            self.browser.port,
            self.network.bind(("192.0.2.9", 50010), self.browser._receive),
        )
        self.addCleanup(old.close)
        self.browser.check()
        self.network.flush()
        self.assertMedia()

    def test_ICERemovedFromTheAnswer(self) -> None:
        """
        If the controller wants no ICE in the answer, the description's address
        is where the browser is.
        """
        self.browser.setup = "active"
        offer = self.result(self.session.offer(self.browser.offer(), Side.ACCESS, TO_CORE))
        answer = self.result(self.session.answer(self.phone.answer(offer), Terms(ice=ICE.REMOVE)))
        self.assertNotIn("ice-", answer)
        self.browser.remote = ("198.51.100.1", int(re.findall(r"m=audio (\d+)", answer)[0]))
        self.browser.hello(client=True)
        self.network.flush()
        self.assertTrue(self.browser.established)
        self.assertMedia()

    def test_R_102_candidates(self) -> None:
        """
        One host candidate for each component, C{ice-lite} and C{ice2}.
        """
        _, answer = self.call()
        self.assertEqual(len(re.findall("a=candidate:", answer)), 1)
        self.assertIn("a=ice-lite", answer)
        self.assertIn("a=ice-options:ice2", answer)
        self.assertIn("typ host", answer)

    def test_R_103_nothingBeforeAValidPair(self) -> None:
        """
        Neither DTLS nor media is sent before the browser's check.
        """
        self.call()
        sent = self.record()
        self.phone.sendMedia()
        self.network.flush()
        self.assertEqual(len(sent), 1)  # the telephone's own packet
        for _ in range(20):
            self.clock.advance(1)
            self.network.flush()
        self.assertEqual([data for data in sent[1:] if data[0] > 3], [])

    def test_knock(self) -> None:
        """
        A browser that does not come by itself is knocked at, a few times, at
        the candidates that can be reached.
        """
        others = ("1 udp 1 2001:db8::7", "1 tcp 1 192.0.2.9", "1 udp 1 a.local", "3 udp 1 192.0.2.9")
        self.call(extra="".join(f"a=candidate:7 {each} 9 typ host\r\n" for each in others))
        for _ in range(100):
            self.clock.advance(0.1)
            self.network.flush()
        self.assertEqual(len(self.browser.responses), len(KNOCKS))
        self.assertEqual(self.browser.responses[0].attributes["USERNAME"].partition(":")[0], "brow")

    def test_noKnock(self) -> None:
        """
        A browser that came is not knocked at.
        """
        self.call()
        self.browser.check(use=False)
        self.network.flush()
        self.clock.advance(10)
        self.network.flush()
        self.assertEqual(len(self.browser.responses), 1)

    def test_R_105_checksAllThroughTheCall(self) -> None:
        """
        Consent requests are answered as long as the call lasts.
        """
        self.call()
        self.connect()
        for count in range(5):
            self.clock.advance(8)
            self.browser.check(use=False)
            self.network.flush()
            self.assertEqual(len(self.browser.responses), 2 + count)
            self.assertMedia()

    def test_ICERestart(self) -> None:
        """
        New credentials from the browser get new ones from us, and media goes
        on.
        """
        _, first = self.call()
        self.connect()
        self.browser.ufrag = "anew"
        _, second = self.call()
        pattern = r"a=ice-pwd:(\S+)"
        self.assertNotEqual(re.findall(pattern, first), re.findall(pattern, second))
        self.assertMedia()
        self.browser.check()
        self.network.flush()
        self.assertMedia()

    def test_R_95_firstByte(self) -> None:
        """
        What is neither STUN nor DTLS nor RTP is dropped and counted.
        """
        self.call()
        self.connect()
        for first in (4, 15, 16, 19, 64, 79, 80, 127, 192, 255):
            self.browser.sendRaw(bytes([first]) + bytes(30))
        self.network.flush()
        counters = self.session.report().parties[0].medias[0].streams[0].counters
        self.assertEqual(counters["dropped unknown protocol"], 10)
        self.assertMedia()

    def test_R_99_replayedControl(self) -> None:
        """
        An SRTCP packet passes once, too.
        """
        self.call()
        self.connect()
        seen = self.record()
        self.browser.sendControl(struct.pack("!BBHI", 0x80, 201, 1, 7))
        self.network.flush()
        self.browser.sendRaw(seen[0])
        self.network.flush()
        self.assertEqual(len(self.phone.receivedControl), 1)

    def test_R_40_oldVersion(self) -> None:
        """
        DTLS 1.0 is refused.
        """
        self.browser.setup = "active"
        self.browser.context.set_max_proto_version(0xFEFF)
        self.browser.context.set_min_proto_version(0xFEFF)
        self.browser.context.set_cipher_list(b"ALL:@SECLEVEL=0")
        self.call()
        self.browser.check()
        self.network.flush()
        self.browser.hello(client=True)
        self.network.flush()
        self.assertFalse(self.browser.established)
        self.assertEqual(len(self.happened(HandshakeFailed)), 1)

    def test_R_37_noCommonProfile(self) -> None:
        """
        Without a common SRTP profile there is no media.
        """
        self.browser.port.close()
        self.browser = self.makeBrowser(profiles=b"")
        self.browser.setup = "active"
        self.call()
        self.browser.check()
        self.network.flush()
        self.browser.hello(client=True)
        self.network.flush()
        [failure] = self.happened(HandshakeFailed)
        self.assertEqual(failure.reason, "no common profile")


class TerminatingTests(BrowserTestCase):
    """
    A browser is called.
    """

    def test_R_32_actpass(self) -> None:
        """
        The offer leaves the role to the browser.
        """
        offer = self.called()
        self.assertIn("a=setup:actpass", offer)
        self.assertIn("a=rtcp-mux", offer)
        self.assertIn("UDP/TLS/RTP/SAVPF", offer)
        self.assertNotIn("crypto", offer)

    def test_active(self) -> None:
        """
        A browser that answers C{active} is the client.
        """
        self.called()
        self.answered("active")
        self.connect()
        self.assertMedia()

    def test_passive(self) -> None:
        """
        A browser that answers C{passive} is the server.
        """
        self.called()
        self.answered("passive")
        self.connect()
        self.assertMedia()

    def test_token(self) -> None:
        """
        The token C{webrtc} says all that a browser needs.
        """
        offer = self.called(Terms(e2ae={"webrtc"}))
        for line in ("UDP/TLS/RTP/SAVPF", "a=ice-lite", "a=rtcp-mux", "a=setup:actpass", "a=candidate:"):
            self.assertIn(line, offer)
        self.assertNotIn("3ge2ae", offer)
        self.answered("passive")
        self.connect()
        self.assertMedia()

    def test_R_39_helloBeforeTheAnswer(self) -> None:
        """
        The browser's handshake may come before its answer; its media is held
        until the answer says whose certificate that is.
        """
        self.called()
        self.browser.check()
        self.network.flush()
        self.browser.hello(client=True)
        self.network.flush()
        self.assertTrue(self.browser.established)
        packet = self.browser.sendMedia()
        self.network.flush()
        self.assertEqual(self.phone.received, [])
        self.answered("active")
        self.network.flush()
        self.assertEqual(self.phone.received, [packet])
        self.assertMedia()

    def test_R_39_forgedHello(self) -> None:
        """
        If the answer names another certificate, what was held is dropped.
        """
        self.called()
        self.browser.check()
        self.network.flush()
        self.browser.hello(client=True)
        self.network.flush()
        self.browser.sendMedia()
        self.network.flush()
        self.browser.fingerprint = ":".join(["CD"] * 32)
        self.answered("active")
        self.network.flush()
        self.assertEqual(self.phone.received, [])
        self.assertEqual(len(self.happened(HandshakeFailed)), 1)

    def test_R_107_anonymous(self) -> None:
        """
        A call that must not be linked to others has a certificate of its own.
        """
        pattern = r"a=fingerprint:(.*)\r"
        common = re.findall(pattern, self.called())
        session = self.session = self.gateway.newSession("anonymous")
        other = re.findall(pattern, self.called(Terms(e2ae={"webrtc"}, anonymous=True)))
        self.assertNotEqual(common, other)
        session.close()

    def test_R_28_answerWithoutFingerprint(self) -> None:
        """
        A plain answer to a protected offer fails.
        """
        self.called()
        answer = self.phone.session() + "m=audio 5000 RTP/AVP 0\r\n"
        self.assertIn("m=audio 0 ", self.result(self.session.answer(answer)))


class BundleTestCase(BrowserTestCase):
    """
    A browser whose sections share a transport.
    """

    def setUp(self) -> None:
        """
        A camera.
        """
        super().setUp()
        self.screen = Terminal(self.network, "203.0.113.7", media="video", format="96 VP8/90000")
        self.addCleanup(self.screen.close)

    def offer(self) -> str:
        """
        Audio and video in one bundle.
        """
        video = self.browser.section("a=mid:1\r\na=bundle-only\r\n", "video").replace(
            "111 0\r\n", "96\r\n", 1
        )
        video = video.replace(f"a=ssrc:{self.browser.ssrc}", "a=ssrc:777")
        video = re.sub(r"m=video \d+", "m=video 0", video)
        return self.browser.session("a=group:BUNDLE 0 1\r\n") + self.browser.section("a=mid:0\r\n") + video


class BundleTests(BundleTestCase):
    """
    One transport for several sections.
    """

    def test_R_16_bundleIsUndone(self) -> None:
        """
        The core gets two sections with ports of their own; the browser one
        transport.
        """
        offer = self.result(self.session.offer(self.offer(), Side.ACCESS, TO_CORE))
        self.assertNotIn("BUNDLE", offer)
        self.assertNotIn("a=mid", offer)
        ports = re.findall(r"m=[a-z]+ (\d+) RTP/AVP", offer)
        self.assertEqual(len(set(ports)), 2)
        answer = self.result(
            self.session.answer(self.phone.answer(offer) + self.screen.answerSection(offer, 1))
        )
        self.assertIn("a=group:BUNDLE 0 1", answer)
        self.assertEqual(len(set(re.findall(r"m=[a-z]+ (\d+) ", answer))), 1)
        self.browser.accept(answer)
        self.connect()
        self.assertMedia()
        named = self.browser.sendMedia(96, ssrc=777)
        unnamed = self.browser.sendMedia(96, ssrc=778)
        self.network.flush()
        self.assertEqual(self.screen.received, [named, unnamed])
        video = self.screen.sendMedia()
        self.network.flush()
        self.assertEqual(self.browser.received[-1], video)
        self.browser.sendMedia(35, ssrc=779)
        self.network.flush()
        counters = self.session.report().parties[0].medias[0].streams[0].counters
        self.assertEqual(counters["dropped no section of the bundle"], 1)

    def test_R_14_oneIsRejected(self) -> None:
        """
        The core takes audio alone: the bundle has one section, and goes on.
        """
        offer = self.result(self.session.offer(self.offer(), Side.ACCESS, TO_CORE))
        answer = self.result(self.session.answer(self.phone.answer(offer) + "m=video 0 RTP/AVP 96\r\n"))
        self.assertIn("a=group:BUNDLE 0\r\n", answer)
        self.assertIn("m=video 0 ", answer)
        self.browser.accept(answer)
        self.connect()
        self.assertMedia()
        self.assertEqual(self.gateway.portsLent, 2)


class BothSidesTests(GatewayTestCase):
    """
    Two browsers call each other.
    """

    def test_browsers(self) -> None:
        """
        Protection ends on either side, and media passes.
        """
        one = Browser(self.network, "192.0.2.9")
        two = Browser(self.network, "192.0.2.10", profiles=b"SRTP_AEAD_AES_256_GCM")
        for each in (one, two):
            self.addCleanup(each.port.close)
        session = self.gateway.newSession("browsers")
        offer = self.result(session.offer(one.offer(), None, TO_BROWSER))
        two.accept(offer)
        two.setup = "active"
        one.accept(self.result(session.answer(two.offer())))
        for each in (one, two):
            each.check()
        self.network.flush()
        two.hello(client=True)
        self.network.flush()
        self.assertTrue(one.established and two.established)
        packet, other = one.sendMedia(), two.sendMedia()
        self.network.flush()
        self.assertEqual((one.received, two.received), ([other], [packet]))
        session.close()


class WithoutICETests(BrowserTestCase):
    """
    DTLS-SRTP of a telephone that has no ICE.
    """

    def strip(self, sdp: str) -> str:
        """
        Take ICE away.
        """
        return re.sub("a=(ice|candidate).*\r\n", "", sdp)

    def test_call(self) -> None:
        """
        The handshake shows where the telephone is.
        """
        self.browser.setup = "active"
        offer = self.result(self.session.offer(self.strip(self.browser.offer()), Side.ACCESS, TO_CORE))
        answer = self.result(self.session.answer(self.phone.answer(offer)))
        self.assertNotIn("ice", answer)
        self.browser.remote = ("198.51.100.1", int(re.findall(r"m=audio (\d+)", answer)[0]))
        self.browser.hello(client=True)
        self.network.flush()
        self.assertTrue(self.browser.established)
        self.assertMedia()

    def test_forgedHello(self) -> None:
        """
        Somebody else's ClientHello does not keep the telephone out.
        """
        self.browser.setup = "active"
        offer = self.result(self.session.offer(self.strip(self.browser.offer()), Side.ACCESS, TO_CORE))
        answer = self.result(self.session.answer(self.phone.answer(offer)))
        gateway = ("198.51.100.1", int(re.findall(r"m=audio (\d+)", answer)[0]))
        stranger = self.makeBrowser(host="192.0.2.66")
        stranger.remote = self.browser.remote = gateway
        stranger.hello(client=True)
        self.network.lose = lambda data, source, destination: (
            source == gateway and destination[0] == "192.0.2.66"
        )
        self.network.flush()
        self.browser.hello(client=True)
        self.network.flush()
        self.assertTrue(self.browser.established)
        self.assertMedia()
