"""
Browsers whose sections share a transport, from one offer to the next.
"""

import re

from e2aegw.sansio.events import Secured
from e2aegw.sansio.sdp import Side
from e2aegw.sansio.terms import Terms
from e2aegw.testing import Terminal
from tests.gateway.test_session_dtls import TO_BROWSER, TO_CORE, BrowserTestCase

VIDEO_SSRC = 777


def ports(sdp: str) -> list[str]:
    """
    The ports of the media sections.
    """
    return re.findall(r"m=[a-z]+ (\d+)", sdp)


class BundleTestCase(BrowserTestCase):
    """
    A browser with a camera, and a telephone with a screen.
    """

    def setUp(self) -> None:
        """
        The screen.
        """
        super().setUp()
        self.screen = Terminal(self.network, "203.0.113.7", media="video", format="96 VP8/90000")
        self.addCleanup(self.screen.close)

    def audio(self, extra: str = "") -> str:
        """
        The browser's section for sound.
        """
        return self.browser.section("a=mid:0\r\n" + extra)

    def video(self, mid: str = "1", extra: str = "") -> str:
        """
        The browser's section for pictures.
        """
        section = self.browser.section(f"a=mid:{mid}\r\n{extra}", "video").replace("111 0\r\n", "96\r\n", 1)
        return section.replace(f"a=ssrc:{self.browser.ssrc}", f"a=ssrc:{VIDEO_SSRC}")

    def bundle(self, group: str, *sections: str) -> str:
        """
        A description.
        """
        return self.browser.session(f"a=group:BUNDLE {group}\r\n") + "".join(sections)

    def offer(self, sdp: str) -> str:
        """
        The browser offers.

        @return: the answer that it got.
        """
        offer = self.result(self.session.offer(sdp, Side.ACCESS, TO_CORE))
        answer = self.phone.answer(offer)
        if offer.count("m=video"):
            answer += self.screen.answerSection(offer, 1)
        answer = self.result(self.session.answer(answer))
        self.browser.accept(answer)
        return answer

    def assertVideo(self) -> None:
        """
        Pictures pass in both directions.
        """
        packet = self.browser.sendMedia(96, ssrc=VIDEO_SSRC)
        self.network.flush()
        self.assertEqual(self.screen.received[-1], packet)
        packet = self.screen.sendMedia()
        self.network.flush()
        self.assertEqual(self.browser.received[-1], packet)


class OfferTests(BundleTestCase):
    """
    The browser offers.
    """

    def test_added(self) -> None:
        """
        A section that is added later uses the association that there is.
        """
        self.offer(self.bundle("0", self.audio()))
        self.connect()
        self.assertMedia()
        answer = self.offer(self.bundle("0 1", self.audio(), self.video(extra="a=bundle-only\r\n")))
        self.assertIn("a=group:BUNDLE 0 1\r\n", answer)
        self.assertEqual(len(set(ports(answer))), 1)
        self.assertMedia()
        self.assertVideo()
        self.assertEqual(len(self.happened(Secured)), 1)

    def test_removedAndAdded(self) -> None:
        """
        It may go and come back.
        """
        both = self.bundle("0 1", self.audio(), self.video())
        self.offer(both)
        self.connect()
        self.assertVideo()
        gone = re.sub(r"m=video \d+", "m=video 0", self.video())
        answer = self.offer(self.bundle("0", self.audio(), gone))
        self.assertIn("a=group:BUNDLE 0\r\n", answer)
        self.assertEqual(ports(answer)[1], "0")
        self.assertMedia()
        self.assertEqual(self.gateway.portsLent, 2)
        answer = self.offer(self.bundle("0 2", self.audio(), self.video("2")))
        self.assertIn("a=group:BUNDLE 0 2\r\n", answer)
        self.assertMedia()
        self.assertVideo()

    def test_firstIsRemoved(self) -> None:
        """
        The section that spoke for the transport goes, and the other one
        speaks for it: with new credentials, for example.
        """
        self.offer(self.bundle("0 1", self.audio(), self.video()))
        self.connect()
        self.browser.ufrag = "anew"
        gone = re.sub(r"m=audio \d+", "m=audio 0", self.audio())
        answer = self.offer(self.bundle("1", gone, self.video()))
        self.assertIn("a=group:BUNDLE 1\r\n", answer)
        self.browser.check()
        self.network.flush()
        self.assertVideo()
        self.assertEqual(self.browser.responses[-1].attributes.get("ERROR-CODE"), None)

    def test_firstIsRefused(self) -> None:
        """
        A section that cannot be agreed to does not speak for the others.
        """
        bad = re.sub(r"a=rtcp:.*\r\n", "a=rtcp:70000\r\n", self.audio())
        self.browser.ssrc = VIDEO_SSRC
        answer = self.offer(self.bundle("0 1", bad, self.video()))
        self.assertEqual(ports(answer)[0], "0")
        self.connect()
        self.assertVideo()

    def test_order(self) -> None:
        """
        The first of the group speaks for the others, which may say nothing of
        the transport (RFC 9143 clause 7.1), wherever it stands.
        """
        quiet = re.sub(r"a=(ice|candidate|fingerprint|setup|rtcp).*\r\n", "", self.audio())
        answer = self.offer(self.bundle("1 0", quiet, self.video()))
        self.assertIn("a=group:BUNDLE 1 0\r\n", answer)
        self.connect()
        self.assertVideo()
        self.assertMedia()

    def test_failed(self) -> None:
        """
        An offer of another section that nobody answers leaves no trace.
        """
        self.offer(self.bundle("0", self.audio()))
        self.connect()
        self.result(self.session.offer(self.bundle("0 1", self.audio(), self.video()), Side.ACCESS, TO_CORE))
        self.assertMedia()
        answer = self.offer(self.bundle("0", self.audio("a=x:1\r\n")))
        self.assertEqual(len(ports(answer)), 1)
        self.assertEqual(self.gateway.portsLent, 2)
        self.assertMedia()

    def test_leaves(self) -> None:
        """
        A section that leaves the bundle gets ports of its own.
        """
        self.offer(self.bundle("0 1", self.audio(), self.video()))
        self.connect()
        answer = self.offer(self.bundle("0", self.audio(), self.video()))
        self.assertEqual(len(set(ports(answer))), 2)
        self.assertIn("a=group:BUNDLE 0\r\n", answer)
        self.assertMedia()

    def test_otherProtection(self) -> None:
        """
        A section that is protected otherwise cannot share the transport, and
        above all nothing goes over it in the clear.
        """
        plain = re.sub("a=(fingerprint|setup).*\r\n", "", self.video())
        plain = plain.replace("UDP/TLS/RTP/SAVPF", "RTP/AVPF")
        answer = self.offer(self.bundle("0 1", self.audio(), plain))
        self.assertEqual(ports(answer)[1], "0")
        self.connect()
        self.assertMedia()

    def test_reofferFromTheCore(self) -> None:
        """
        The telephone's offer reaches the browser as a bundle.
        """
        self.offer(self.bundle("0 1", self.audio(), self.video()))
        self.connect()
        secured = len(self.happened(Secured))
        sdp = self.phone.offer() + self.screen.section()
        offer = self.result(self.session.offer(sdp, None, Terms(), answerer=True))
        self.assertIn("a=group:BUNDLE 0 1\r\n", offer)
        self.assertEqual(len(set(ports(offer))), 1)
        self.assertEqual(re.findall(r"a=mid:(\d)", offer), ["0", "1"])
        self.assertEqual(offer.count("a=rtcp-mux\r\n"), 2)
        self.browser.setup = "passive"
        self.result(self.session.answer(self.bundle("0 1", self.audio(), self.video())))
        self.assertMedia()
        self.assertVideo()
        self.assertEqual(len(self.happened(Secured)), secured)


class CalledTests(BundleTestCase):
    """
    A browser that was called, without a bundle, and offers later.
    """

    def setUp(self) -> None:
        """
        Call it.
        """
        super().setUp()
        self.called(TO_BROWSER)
        self.answered("active")
        self.connect()
        self.assertMedia()
        self.browser.setup = "actpass"

    def reoffer(self, sdp: str) -> str:
        """
        The browser offers.
        """
        offer = self.result(self.session.offer(sdp, None, TO_CORE, answerer=True))
        answer = self.phone.answer(offer)
        if "m=video" in offer:
            answer += self.screen.answerSection(offer, 1)
        return self.result(self.session.answer(answer))

    def test_alone(self) -> None:
        """
        A bundle of one is what it has already.
        """
        answer = self.reoffer(self.bundle("0", self.audio()))
        self.assertIn("a=group:BUNDLE 0\r\n", answer)
        self.assertMedia()
        self.assertEqual(len(self.happened(Secured)), 1)

    def test_company(self) -> None:
        """
        Video joins the transport that sound has.
        """
        answer = self.reoffer(self.bundle("0 1", self.audio(), self.video(extra="a=bundle-only\r\n")))
        self.assertIn("a=group:BUNDLE 0 1\r\n", answer)
        self.assertEqual(len(set(ports(answer))), 1)
        self.assertMedia()
        self.assertVideo()
        self.assertEqual(len(self.happened(Secured)), 1)


class ICETests(BrowserTestCase):
    """
    ICE that comes, goes and starts anew.
    """

    def without(self) -> str:
        """
        The browser's offer with ICE taken away.
        """
        return re.sub("a=(ice|candidate).*\r\n", "", self.browser.offer())

    def exchange(self, sdp: str) -> str:
        """
        The browser offers.
        """
        offer = self.result(self.session.offer(sdp, Side.ACCESS, TO_CORE))
        return self.result(self.session.answer(self.phone.answer(offer)))

    def test_removed(self) -> None:
        """
        Without ICE media goes where the description says.
        """
        self.call()
        self.connect()
        self.assertMedia()
        answer = self.exchange(self.without())
        self.assertNotIn("a=ice", answer)
        self.assertNotIn("a=candidate", answer)
        self.assertMedia()

    def test_added(self) -> None:
        """
        Until there is a pair, media goes where it went; a stranger is none.
        """
        self.browser.setup = "active"
        answer = self.exchange(self.without())
        self.browser.remote = ("198.51.100.1", int(re.findall(r"m=audio (\d+)", answer)[0]))
        self.browser.hello(client=True)
        self.network.flush()
        self.assertMedia()
        self.browser.accept(self.exchange(self.browser.offer()))
        self.assertMedia()
        other = self.network.bind(("192.0.2.9", 50010), self.browser._receive)
        self.addCleanup(other.close)
        first, self.browser.port = self.browser.port, other
        count = len(self.phone.received)
        self.browser.sendMedia()
        self.network.flush()
        self.assertEqual(len(self.phone.received), count)
        self.browser.check()
        self.network.flush()
        self.assertMedia()
        first.close()

    def test_unanswered(self) -> None:
        """
        An offer of ours with ICE that nobody answers does not stop media.
        """
        self.browser.setup = "active"
        answer = self.exchange(self.without())
        self.browser.remote = ("198.51.100.1", int(re.findall(r"m=audio (\d+)", answer)[0]))
        self.browser.hello(client=True)
        self.network.flush()
        self.assertMedia()
        offer = self.result(self.session.offer(self.phone.offer(), None, TO_BROWSER, answerer=True))
        self.assertIn("a=ice-ufrag", offer)
        self.assertMedia()

    def test_restartThatFails(self) -> None:
        """
        A restart that nobody answers leaves the credentials as they are.
        """
        self.call()
        self.connect()
        sdp = self.browser.offer().replace("a=ice-ufrag:brow", "a=ice-ufrag:anew")
        self.result(self.session.offer(sdp, Side.ACCESS, TO_CORE))
        self.browser.check(use=False)
        self.network.flush()
        self.assertNotIn("ERROR-CODE", self.browser.responses[-1].attributes)
        self.assertMedia()

    def test_reofferKeepsThem(self) -> None:
        """
        An offer from the core restarts nothing.
        """
        _, answer = self.call()
        self.connect()
        offer = self.result(self.session.offer(self.phone.offer(), None, Terms(), answerer=True))
        for pattern in ("a=ice-pwd:.*", "a=fingerprint:.*", "a=candidate:.*"):
            self.assertEqual(re.findall(pattern, offer), re.findall(pattern, answer))
        self.assertIn("a=setup:actpass", offer)
        self.assertIn("a=rtcp-mux", offer)

    def test_lite(self) -> None:
        """
        A party that is lite as well is where it says, and may stop being lite.
        """
        sdp = self.browser.session("a=ice-lite\r\n") + self.browser.section()
        self.browser.setup = "active"
        answer = self.exchange(sdp.replace("a=setup:actpass", "a=setup:active"))
        self.browser.accept(answer)
        self.browser.hello(client=True)
        self.network.flush()
        self.assertMedia()
        self.browser.accept(self.exchange(self.browser.offer()))
        other = self.network.bind(("192.0.2.9", 50010), self.browser._receive)
        self.addCleanup(other.close)
        first, self.browser.port = self.browser.port, other
        self.browser.check()
        self.network.flush()
        self.assertMedia()
        first.close()
