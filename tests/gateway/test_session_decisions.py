"""
What becomes of a call: protection, addresses, ports, timeouts.
"""

import re

from e2aegw.gateway.config import LimitsTable
from e2aegw.interfaces import Address
from e2aegw.sansio.events import MediaTimeout
from e2aegw.sansio.sdp import Description, Side
from e2aegw.sansio.terms import Terms
from e2aegw.testing import Terminal
from tests.gateway.fixture import ACCESS, ACCESS6, CORE, CORE6
from tests.gateway.telephones import CM80, REQUESTED, CallTestCase


def crypto(sdp: str) -> list[str]:
    """
    The values of the crypto attributes of a description.
    """
    return re.findall("a=crypto:(.*)\r", sdp)


class DecisionTests(CallTestCase):
    """
    Whether protection ends here.
    """

    def test_R_06_thatLineOnly(self) -> None:
        """
        Of two lines with keys, the one with the request is plain in the core,
        and the other is the ends' business.
        """
        video = Terminal(self.network, "198.51.100.7", suites=[CM80], media="video")
        self.addCleanup(video.close)
        sdp = self.ue.offer() + video.section()
        terms = Terms(e2ae={"sdes-srtp"})
        offer = Description.parse(self.result(self.session.offer(sdp, Side.ACCESS, terms)))
        audio, other = offer.sections
        self.assertEqual((audio.proto, audio.has("crypto")), ("RTP/AVP", False))
        self.assertEqual((other.proto, other.all("crypto")), ("RTP/SAVP", crypto(video.section())))

    def test_R_07_notAnnounced(self) -> None:
        """
        A UE that asks for what was not agreed on at registration gets no
        media rather than clear media.
        """
        offer = self.result(self.session.offer(self.ue.offer(), Side.ACCESS, Terms(e2ae={"msrp-tls"})))
        self.assertIn("m=audio 0 ", offer)
        answer = self.result(self.session.answer(self.phone.session() + "m=audio 0 RTP/SAVP 0\r\n"))
        self.assertIn("m=audio 0 ", answer)

    def test_R_07_addedByTheCore(self) -> None:
        """
        A line that the core adds to the call later is protected like the
        first, though the controller does not say again what the UE agreed to.
        """
        self.called(Terms(e2ae={"sdes-srtp"}))
        video = Terminal(self.network, "203.0.113.7", media="video")
        self.addCleanup(video.close)
        more = self.phone.offer() + video.section()
        offer = self.result(self.session.offer(more, Side.CORE, Terms()))
        for section in Description.parse(offer).sections:
            self.assertEqual((section.proto, section.get("3ge2ae")), ("RTP/SAVP", "applied"))
            self.assertTrue(section.has("crypto"))

    def test_R_10_neverPlain(self) -> None:
        """
        A line of TLS over TCP that nobody here has a relay for is not passed
        on, and nothing plain is offered in its place.
        """
        line = "m=message 2855 TCP/TLS/CHAT *\r\na=fingerprint:sha-256 AB:CD\r\na=setup:active\r\n"
        offer = self.result(self.session.offer(self.ue.offer() + line, Side.ACCESS))
        self.assertIn("m=message 0 TCP/TLS/CHAT *\r\n", offer)
        self.assertNotIn("fingerprint", offer)

    def test_R_11_addedByTheUE(self) -> None:
        """
        A line that the UE adds later is held against the same agreement, and
        one that it left plain stays so.
        """
        plain = Terminal(self.network, "198.51.100.8")
        self.addCleanup(plain.close)
        self.session.offer(plain.offer(), Side.ACCESS, Terms(e2ae={"msrp-tls"}))
        answer = self.result(self.session.answer(self.phone.answer(self.phone.offer())))
        self.assertIn("RTP/AVP 0", answer)
        more = plain.offer() + self.ue.section()
        first, second = Description.parse(self.result(self.session.offer(more, Side.ACCESS))).sections
        self.assertEqual((first.proto, first.port > 0, second.port), ("RTP/AVP", True, 0))

    def test_R_12_nothingAppliedForTheCore(self) -> None:
        """
        A request that comes from the core is not answered.
        """
        sdp = self.phone.offer() + "a=3ge2ae:requested\r\n"
        self.assertNotIn("3ge2ae", self.result(self.session.offer(sdp, Side.CORE)))
        plain = Terminal(self.network, "198.51.100.8")
        self.addCleanup(plain.close)
        answer = self.result(self.session.answer(plain.answer(plain.offer())))
        self.assertIn("RTP/AVP 0", answer)
        self.assertNotIn("3ge2ae", answer)

    def test_R_07_requestedWithoutKeys(self) -> None:
        """
        Nor does a UE that asks for protection and forgets the key.
        """
        sdp = self.phone.offer() + "a=3ge2ae:requested\r\n"
        self.assertIn("m=audio 0 ", self.result(self.session.offer(sdp, Side.ACCESS)))

    def test_R_08_otherValues(self) -> None:
        """
        Other values say nothing: this is end to end.
        """
        self.ue.lines = ["3ge2ae:whatever"]
        offer = self.result(self.session.offer(self.ue.offer(), Side.ACCESS))
        self.assertIn("RTP/SAVP", offer)

    def test_R_09_endToEnd(self) -> None:
        """
        Without a request, keys pass untouched and so do packets.
        """
        self.ue.lines = []
        far = Terminal(self.network, "203.0.113.8", suites=[CM80])
        self.addCleanup(far.close)
        sdp = self.ue.offer()
        offer = self.result(self.session.offer(sdp, Side.ACCESS))
        self.assertEqual(re.findall("a=crypto.*", sdp), re.findall("a=crypto.*", offer))
        reply = far.answer(offer)
        answer = self.result(self.session.answer(reply))
        self.assertEqual(re.findall("a=crypto.*", reply), re.findall("a=crypto.*", answer))
        self.ue.accept(answer)
        for one, other in ((self.ue, far), (far, self.ue)):
            packet, report = one.sendMedia(), one.sendReport()
            self.network.flush()
            self.assertEqual((other.received, other.receivedControl), ([packet], [report]))

    def test_R_09_plainProfileWithKeys(self) -> None:
        """
        A terminal that writes RTP/AVP with a key, and asks the network for
        nothing, deals with the far end alone: keys and packets pass.
        """
        self.ue.lines = []
        far = Terminal(self.network, "203.0.113.8", suites=[CM80])
        self.addCleanup(far.close)
        sdp = self.ue.offer().replace("RTP/SAVP", "RTP/AVP")
        offer = self.result(self.session.offer(sdp, Side.ACCESS))
        self.assertIn("RTP/AVP 0", offer)
        self.assertEqual(crypto(offer), crypto(sdp))
        reply = far.answer(offer.replace("RTP/AVP", "RTP/SAVP")).replace("RTP/SAVP", "RTP/AVP")
        answer = self.result(self.session.answer(reply))
        self.assertIn("RTP/AVP 0", answer)
        self.assertEqual(crypto(answer), crypto(reply))
        self.ue.accept(answer.replace("RTP/AVP", "RTP/SAVP"))
        for one, other in ((self.ue, far), (far, self.ue)):
            packet = one.sendMedia()
            self.network.flush()
            self.assertEqual(other.received, [packet])

    def test_plainProfileAsked(self) -> None:
        """
        A controller that asks for a plain profile ends protection here.
        """
        self.ue.lines = []
        offer, answer = self.call(Terms(transportProtocol="RTP/AVP"))
        self.assertIn("RTP/AVP", offer)
        self.assertNotIn("3ge2ae", answer)
        self.assertMedia()

    def test_R_08_whiteSpaceAndAVP(self) -> None:
        """
        A terminal that writes RTP/AVP, a blank behind the colon and a key
        means SRTP (TS 34.229-1).
        """
        self.ue.lines = ["3ge2ae: requested"]
        sdp = self.ue.offer().replace("RTP/SAVP", "RTP/AVP")
        offer = self.result(self.session.offer(sdp, Side.ACCESS))
        self.assertNotIn("crypto", offer)
        answer = self.result(self.session.answer(self.phone.answer(offer)))
        self.assertIn("RTP/AVP", answer)
        self.assertIn("a=crypto:1 ", answer)
        self.ue.accept(answer)
        self.assertMedia()

    def test_DTLSOff(self) -> None:
        """
        A profile with DTLS, and no DTLS, is one with SDES.
        """
        terms = Terms(transportProtocol="UDP/TLS/RTP/SAVPF", dtls="off")
        offer = self.result(self.session.offer(self.phone.offer(), Side.CORE, terms))
        self.assertIn(" RTP/SAVPF ", offer)
        self.assertIn("a=crypto:1 ", offer)
        self.assertNotIn("fingerprint", offer)

    def test_SDESOff(self) -> None:
        """
        A profile with SDES, and no SDES, is one with DTLS.
        """
        terms = Terms(transportProtocol="RTP/SAVPF", sdes=False)
        offer = self.result(self.session.offer(self.phone.offer(), Side.CORE, terms))
        self.assertIn("UDP/TLS/RTP/SAVPF", offer)
        self.assertIn("a=fingerprint", offer)
        self.assertNotIn("crypto", offer)

    def test_sidesInferred(self) -> None:
        """
        Without a direction, keys come from the access side.
        """
        offer = self.result(self.session.offer(self.ue.offer()))
        self.assertIn(CORE, offer)
        other = self.gateway.newSession("other")
        offer = self.result(other.offer(self.phone.offer(), None, Terms(transportProtocol="RTP/SAVP")))
        self.assertIn(ACCESS, offer)
        self.assertIn("a=crypto", offer)


class FamilyTests(CallTestCase):
    """
    Two versions of IP.
    """

    def test_R_109_versions(self) -> None:
        """
        A UE on IPv4 talks to a core on IPv6.
        """
        self.phone = Terminal(self.network, "2001:db8:c::7")
        self.addCleanup(self.phone.close)
        offer, answer = self.call(Terms(addressFamily=6))
        self.assertIn(f"c=IN IP6 {CORE6}", offer)
        self.assertIn(f"c=IN IP4 {ACCESS}", answer)
        self.assertMedia()

    def test_R_109_sameVersion(self) -> None:
        """
        If nobody says otherwise, both sides speak the offerer's version.
        """
        ue = Terminal(self.network, "2001:db8:a::7", suites=[CM80], lines=REQUESTED)
        self.addCleanup(ue.close)
        offer = self.result(self.session.offer(ue.offer(), Side.ACCESS))
        self.assertIn(f"c=IN IP6 {CORE6}", offer)

    def test_R_109_theOtherWay(self) -> None:
        """
        A UE on IPv6 talks to a core on IPv4.
        """
        self.ue = Terminal(self.network, "2001:db8:a::7", suites=[CM80], lines=REQUESTED)
        self.addCleanup(self.ue.close)
        _, answer = self.call(Terms(addressFamily=4))
        self.assertIn(f"c=IN IP6 {ACCESS6}", answer)
        self.assertMedia()


class MuxTests(CallTestCase):
    """
    RTP and RTCP on one port, or not.
    """

    def setUp(self) -> None:
        """
        A UE that wants one port.
        """
        super().setUp()
        self.ue = Terminal(self.network, "198.51.100.8", suites=[CM80], lines=REQUESTED, mux=True)
        self.addCleanup(self.ue.close)

    def test_R_96_muxAndTwoPorts(self) -> None:
        """
        One port on the access side and two on the core side, reports
        included.
        """
        offer, answer = self.call(Terms(rtcpMux={"demux"}))
        self.assertNotIn("rtcp-mux", offer)
        self.assertIn("a=rtcp-mux", answer)
        ways: set[tuple[str, int, int]] = set()

        def lose(data: bytes, source: Address, destination: Address) -> bool:
            if 192 <= data[1] <= 223:
                ways.add((destination[0], source[1], destination[1]))
            return False

        self.network.lose = lose
        self.assertMedia()
        assert self.ue.remote is not None and self.phone.remote is not None
        ours, core = self.ue.remote[1], self.phone.remote[1]
        self.assertEqual(
            ways,
            {
                (ACCESS, self.ue.port, ours),
                (self.ue.host, ours, self.ue.port),
                (CORE, self.phone.port + 1, core + 1),
                (self.phone.host, core + 1, self.phone.port + 1),
            },
        )

    def test_R_97_onlyIfOffered(self) -> None:
        """
        Nobody is answered with what was not offered.
        """
        self.ue = Terminal(self.network, "198.51.100.9", suites=[CM80], lines=REQUESTED)
        self.addCleanup(self.ue.close)
        _, answer = self.call(Terms(rtcpMux={"offer", "accept"}))
        self.assertNotIn("rtcp-mux", answer)

    def test_R_97_rejected(self) -> None:
        """
        The controller may refuse.
        """
        _, answer = self.call(Terms(rtcpMux={"reject"}))
        self.assertNotIn("rtcp-mux", answer)
        self.assertMedia()

    def test_R_97_saidWithTheAnswer(self) -> None:
        """
        How to answer an offer is said with the offer; what is said with the
        answer comes too late.
        """
        offer = self.result(self.session.offer(self.ue.offer(), Side.ACCESS, Terms(rtcpMux={"demux"})))
        late = Terms(rtcpMux={"reject"})
        answer = self.result(self.session.answer(self.phone.answer(offer), late))
        self.assertIn("a=rtcp-mux", answer)
        self.ue.accept(answer)
        self.assertMedia()

    def test_R_97_muxOnlyInOffers(self) -> None:
        """
        C{rtcp-mux-only} stands in offers alone.
        """
        offer, answer = self.call(Terms(rtcpMux={"require"}))
        self.assertIn("a=rtcp-mux-only", offer)
        self.assertNotIn("rtcp-mux-only", answer)


class TimeoutTests(CallTestCase):
    """
    Calls that nobody ends.
    """

    limits = LimitsTable(calls=2, media_timeout=30, silent_timeout=300, offer_timeout=120)

    def test_mediaTimeout(self) -> None:
        """
        A call in which nobody is heard ends, and one with media does not.
        """
        self.call()
        for _ in range(10):
            self.ue.sendMedia()
            self.network.flush()
            self.clock.advance(20)
        self.assertFalse(self.session.closed)
        self.clock.advance(20)
        self.clock.advance(20)
        self.assertTrue(self.session.closed)
        self.assertEqual(len(self.happened(MediaTimeout)), 1)

    def test_holdMayBeLonger(self) -> None:
        """
        A call on hold may be silent for longer.
        """
        self.ue.direction = "inactive"
        self.call()
        for _ in range(10):
            self.clock.advance(20)
        self.assertFalse(self.session.closed)
        for _ in range(10):
            self.clock.advance(20)
        self.assertTrue(self.session.closed)

    def test_offerTimeout(self) -> None:
        """
        An offer that nobody answers is forgotten.
        """
        self.result(self.session.offer(self.ue.offer(), Side.ACCESS))
        for _ in range(10):
            self.clock.advance(20)
        self.assertTrue(self.session.closed)
        self.assertEqual(self.gateway.portsLent, 0)

    def test_limit(self) -> None:
        """
        There are only as many calls as are allowed.
        """
        self.gateway.newSession("second")
        with self.assertRaisesRegex(Exception, "Parallel session limit reached"):
            self.gateway.newSession("third")
