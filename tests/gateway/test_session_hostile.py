"""
Descriptions and packets that mean no good, on the memory network.
"""

import re

from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from zope.interface import provider

from e2aegw.sansio.sdp import Side
from e2aegw.sansio.srtp import MAX_SOURCES
from e2aegw.sansio.terms import Terms
from e2aegw.transport.component import LATCH_WINDOW
from tests.gateway.telephones import CallTestCase
from tests.gateway.test_session_dtls import TO_CORE, BrowserTestCase


class DescriptionTests(CallTestCase):
    """
    Addresses that nobody can be reached at.
    """

    def test_lastPort(self) -> None:
        """
        Behind the last port there is none for RTCP, and nothing is sent there.
        """
        self.call()
        sdp = re.sub(r"m=audio \d+", "m=audio 65535", self.ue.offer())
        sdp = re.sub("a=rtcp:.*\r\n", "", sdp)
        offer = self.result(self.session.offer(sdp, Side.ACCESS))
        self.result(self.session.answer(self.phone.answer(offer)))
        self.phone.sendReport()
        self.phone.sendMedia()
        self.network.flush()
        endpoints = [stream.endpoint for stream in self.session.report().parties[0].medias[0].streams]
        self.assertEqual(endpoints, [("198.51.100.7", 65535), None])

    def test_scope(self) -> None:
        """
        A scope means something on the UE's own machine alone.
        """
        sdp = self.phone.offer().replace("IP4 203.0.113.7", "IP6 fe80::1%eth0")
        self.assertIn("m=audio 0 ", self.result(self.session.offer(sdp, Side.CORE)))

    def test_multicast(self) -> None:
        """
        Media goes to one party, not to everybody.
        """
        sdp = self.phone.offer().replace("203.0.113.7", "224.2.1.1")
        self.assertIn("m=audio 0 ", self.result(self.session.offer(sdp, Side.CORE)))

    def test_control(self) -> None:
        """
        An RTCP port that is none is refused.
        """
        for port in ("0", "65536", "9" * 5000, "x"):
            session = self.gateway.newSession("odd")
            sdp = re.sub("a=rtcp:.*\r\n", f"a=rtcp:{port}\r\n", self.phone.offer())
            self.assertIn("m=audio 0 ", self.result(session.offer(sdp, Side.CORE)))
            session.close()

    def test_controlAddress(self) -> None:
        """
        Who does not trust the description's address does not trust the one
        for RTCP in it either.
        """
        sdp = re.sub("a=rtcp:.*\r\n", "a=rtcp:6001 IN IP4 10.0.0.1\r\n", self.ue.offer())
        terms = Terms(trustAddress=False, receivedFrom="198.51.100.9")
        self.result(self.session.offer(sdp, Side.ACCESS, terms))
        endpoints = [stream.endpoint for stream in self.session.report().parties[0].medias[0].streams]
        self.assertEqual(endpoints, [("198.51.100.9", self.ue.port), ("198.51.100.9", 6001)])


class BundleTests(BrowserTestCase):
    """
    Attributes of a bundle that are not what they should be.
    """

    def test_attributes(self) -> None:
        """
        Sources and extensions that are no numbers are none.
        """
        for line in ("ssrc", "ssrc:", "ssrc:" + "9" * 5000, "extmap", "extmap:" + "9" * 5000 + " x"):
            line = line.replace(" x", " urn:ietf:params:rtp-hdrext:sdes:mid")
            session = self.gateway.newSession("odd")
            sdp = self.browser.session("a=group:BUNDLE 0\r\n")
            sdp += self.browser.section(f"a=mid:0\r\na={line}\r\n")
            offer = self.result(session.offer(sdp, Side.ACCESS, TO_CORE))
            self.assertRegex(offer, r"m=audio 400\d\d ")
            session.close()

    def test_newSources(self) -> None:
        """
        A browser may name other sources in each offer, and the last ones are
        known.
        """
        for number in range(2 * MAX_SOURCES):
            sdp = self.browser.session("a=group:BUNDLE 0\r\n")
            sdp += self.browser.section(f"a=mid:0\r\na=ssrc:{number} cname:x\r\n")
            offer = self.result(self.session.offer(sdp, Side.ACCESS, TO_CORE))
            self.result(self.session.answer(self.phone.answer(offer)))
        transport = self.session.streams[0].pipeline.legs[0].transport  # type: ignore[union-attr]
        self.assertIn((2 * MAX_SOURCES - 1).to_bytes(4, "big"), transport.bundle._sources)
        self.assertLessEqual(len(transport.bundle._sources), MAX_SOURCES)


class LogTests(CallTestCase):
    """
    What a description can do to the log.
    """

    def test_words(self) -> None:
        """
        Its words are shown as text, and not all of them.
        """
        told: list[LogEvent] = []

        @provider(ILogObserver)
        def observe(event: LogEvent) -> None:
            told.append(event)

        globalLogPublisher.addObserver(observe)
        self.addCleanup(globalLogPublisher.removeObserver, observe)
        odd = f"m=a 9 RTP/\x1b[31m{'x' * 9999} 0\r\n"
        self.result(self.session.offer(self.ue.offer() + odd, Side.ACCESS))
        [reason] = [str(event["reason"]) for event in told if "refused" in str(event["log_format"])]
        self.assertTrue(reason.isprintable())
        self.assertLess(len(reason), 300)


class PlainBundleTests(CallTestCase):
    """
    A bundle that is not protected, of a telephone without ICE.
    """

    def section(self, proto: str = "RTP/AVP", media: str = "audio", lines: str = "") -> str:
        """
        A section.
        """
        return (
            f"m={media} {self.phone.port} {proto} 0\r\nc=IN IP4 203.0.113.7\r\n"
            f"a=mid:{media}\r\na=rtcp-mux\r\n{lines}"
        )

    def test_R_108_latchingIsShort(self) -> None:
        """
        Nobody latches onto it after the window.
        """
        sdp = self.phone.session() + "a=group:BUNDLE audio\r\n" + self.section()
        offer = self.result(self.session.offer(sdp, Side.CORE, Terms(e2ae={"sdes-srtp"})))
        answer = self.result(self.session.answer(self.ue.answer(offer)))
        self.clock.advance(2 * LATCH_WINDOW)
        address = ("203.0.113.1", int(re.findall(r"m=audio (\d+)", answer)[0]))
        stranger = self.network.bind(("203.0.113.66", 6000), lambda data, source: None)
        self.addCleanup(stranger.close)
        stranger.sendto(b"\x80\x00\x00\x01" + bytes(168), address)
        self.network.flush()
        self.assertEqual(self.ue.received, [])

    def test_mixed(self) -> None:
        """
        What is protected does not share a transport with what is not.
        """
        key = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" + "A" * 40 + "\r\na=3ge2ae:requested\r\n"
        sdp = self.phone.session() + "a=group:BUNDLE audio video\r\n"
        sdp += self.section("RTP/SAVP", lines=key) + self.section(media="video")
        offer = self.result(self.session.offer(sdp, Side.ACCESS))
        self.assertEqual([port != "0" for port in re.findall(r"m=[a-z]+ (\d+)", offer)], [True, False])
