"""
Calls of SDES and plain telephones, on the memory network.
"""

import re
import struct
from dataclasses import replace

from e2aegw.errors import NegotiationError, UsageError
from e2aegw.sansio.events import LineRefused, PathSettled
from e2aegw.sansio.sdp import HOP_BY_HOP, Description, Side
from e2aegw.sansio.terms import Terms
from e2aegw.testing import Terminal
from e2aegw.transport.component import LATCH_WINDOW
from tests.gateway.fixture import ACCESS, CORE
from tests.gateway.telephones import CM32, CM80, GCM128, GCM256, REQUESTED, CallTestCase


class OriginatingTests(CallTestCase):
    """
    A UE with SDES calls.
    """

    def test_R_06_requestedIsTerminated(self) -> None:
        """
        A UE that asks for protection up to the edge gets it, and the core
        gets plain RTP.
        """
        offer, answer = self.call()
        self.assertIn("RTP/AVP 0", offer)
        self.assertIn("RTP/SAVP 0", answer)
        self.assertIn("a=3ge2ae:applied", answer)
        self.assertMedia()

    def test_R_12_nothingLeaks(self) -> None:
        """
        Nothing that concerns the access side alone reaches the core, whatever
        the UE wrote and wherever.
        """
        everything = [f"{name}:x" for name in HOP_BY_HOP if name not in ("crypto", "3ge2ae", "rtcp")]
        for name in ("ice-ufrag", "ice-pwd", "fingerprint", "rtcp-mux", "setup"):
            everything.remove(f"{name}:x")
        self.ue.lines += [*everything, "fingerprint:sha-256 AA:BB", "ice-options:trickle"]
        sdp = self.ue.offer().replace("t=0 0\r\n", "t=0 0\r\na=tls-id:secret\r\na=setup:actpass\r\n", 1)
        offer = Description.parse(self.result(self.session.offer(sdp, Side.ACCESS)))
        names = {line.name for line in [*offer.lines, *offer.sections[0].lines]}
        self.assertEqual(names & HOP_BY_HOP, {"rtcp"})
        self.assertNotIn("198.51.100", self.result(self.session.offer(sdp, Side.ACCESS)))

    def test_R_12_coreAddressesDoNotReachTheUE(self) -> None:
        """
        The UE does not learn where the core is.
        """
        _, answer = self.call()
        self.assertNotIn("203.0.113", answer)

    def test_R_13_sectionsKeepTheirPlaces(self) -> None:
        """
        An offer of several sections has an answer of as many, in that order,
        and so it has on the other side.
        """
        video = Terminal(self.network, "198.51.100.7", suites=[CM80], media="video", lines=REQUESTED)
        self.addCleanup(video.close)
        sdp = self.ue.offer() + "m=message 9 TCP/WEIRD *\r\n" + video.section()
        offer = self.result(self.session.offer(sdp, Side.ACCESS))
        self.assertEqual(re.findall("m=([a-z]+) ", offer), ["audio", "message", "video"])
        self.assertIn("m=message 0 TCP/WEIRD *", offer)
        answer = self.phone.answer(offer) + "m=message 0 TCP/WEIRD *\r\nm=video 0 RTP/AVP 0\r\n"
        result = self.result(self.session.answer(answer))
        self.assertEqual(re.findall("m=([a-z]+) ", result), ["audio", "message", "video"])

    def test_R_14_rejectionFreesPorts(self) -> None:
        """
        What the core rejects is rejected towards the UE, and its ports are
        free.
        """
        self.result(self.session.offer(self.ue.offer(), Side.ACCESS))
        self.assertEqual(self.gateway.portsLent, 2)
        answer = self.phone.session() + "m=audio 0 RTP/AVP 0\r\n"
        self.assertIn("m=audio 0 RTP/SAVP 0", self.result(self.session.answer(answer)))
        self.assertEqual(self.gateway.portsLent, 0)

    def test_R_15_addressesAreOurs(self) -> None:
        """
        Either side is told of the gateway's address on that side.
        """
        offer, answer = self.call()
        self.assertIn(f"c=IN IP4 {CORE}\r\n", offer)
        self.assertRegex(offer, r"m=audio 400\d\d ")
        self.assertIn(f"c=IN IP4 {ACCESS}\r\n", answer)
        self.assertRegex(answer, r"m=audio 300\d\d ")

    def test_R_17_closeFreesEverything(self) -> None:
        """
        A closed session holds no port and no timer.
        """
        self.call()
        closed = self.session.whenClosed()
        self.session.close()
        self.assertEqual(self.gateway.portsLent, 0)
        self.assertEqual({host for host, _ in self.network.ports} & {ACCESS, CORE}, set())
        self.assertIsNone(self.successResultOf(closed))
        self.failureResultOf(self.session.offer(self.ue.offer()), UsageError)

    def test_R_21_noUsableKey(self) -> None:
        """
        A section with keys of which none can be used is rejected on both
        sides.
        """
        sdp = re.sub("inline:[^\r]*", "inline:AAAA", self.ue.offer())
        offer = self.result(self.session.offer(sdp, Side.ACCESS))
        self.assertIn("m=audio 0 ", offer)
        self.assertEqual(self.gateway.portsLent, 0)
        answer = self.result(self.session.answer(self.phone.session() + "m=audio 0 RTP/AVP 0\r\n"))
        self.assertIn("m=audio 0 ", answer)
        self.assertEqual(len(self.happened(LineRefused)), 1)

    def test_R_25_newKey(self) -> None:
        """
        A new key takes over, and packets under the old one that arrive late
        still pass.
        """
        self.call()
        self.assertMedia()
        held = self.record(lambda destination: True)
        self.ue.sendMedia()
        late = held[0]
        self.record()
        self.ue.rekey()
        self.call()
        self.assertMedia()
        count = len(self.phone.received)
        self.ue.sendRaw(late)
        self.network.flush()
        self.assertEqual(len(self.phone.received), count + 1)

    def test_R_26_newAddress(self) -> None:
        """
        The same key at a new address is answered with a new key of ours.
        """
        _, first = self.call()
        self.assertMedia()
        moved = self.ue.offer().replace(f"m=audio {self.ue.port}", "m=audio 5998")
        again = self.result(self.session.offer(moved, Side.ACCESS))
        second = self.result(self.session.answer(self.phone.answer(again)))
        self.assertNotEqual(re.findall("inline:.*", first), re.findall("inline:.*", second))

    def test_R_26_countsAnew(self) -> None:
        """
        At the new address packets are counted anew if the UE begins a new
        source there, though it keeps its key, which it must not.
        """
        self.call()
        for _ in range(3):
            self.assertMedia()
        moved = Terminal(self.network, "198.51.100.77", suites=self.suites, lines=REQUESTED)
        self.addCleanup(moved.close)
        moved._keys, moved._sequence = self.ue._keys, self.ue._sequence - 5 & 0x7FFF
        self.ue = moved
        self.call()
        self.assertMedia()

    def test_R_99_replayAfterMove(self) -> None:
        """
        What passed at the old address does not pass again at the new one.
        """
        self.call()
        seen = self.record()
        self.ue.sendMedia()
        self.ue.sendReport()
        self.network.flush()
        replayed = [data for data in seen if data[0] == 0x80][:2]
        moved = Terminal(self.network, "198.51.100.77", suites=self.suites, lines=REQUESTED)
        self.addCleanup(moved.close)
        moved._keys = self.ue._keys
        self.ue = moved
        self.call()
        for data, control in zip(replayed, (False, True), strict=True):
            moved.sendRaw(data, control=control)
        self.network.flush()
        self.assertEqual((len(self.phone.received), len(self.phone.receivedControl)), (1, 1))

    def test_R_27_profiles(self) -> None:
        """
        SAVP is answered with SAVP and SAVPF with SAVPF, and the core gets AVP.
        """
        for feedback, profile in ((False, "RTP/SAVP"), (True, "RTP/SAVPF")):
            ue = Terminal(
                self.network, "198.51.100.8", suites=self.suites, feedback=feedback, lines=REQUESTED
            )
            self.addCleanup(ue.close)
            session = self.gateway.newSession(profile)
            offer = self.result(session.offer(ue.offer(), Side.ACCESS))
            self.assertRegex(offer, r"m=audio \d+ RTP/AVP 0")
            answer = self.result(session.answer(self.phone.answer(offer)))
            self.assertRegex(answer, rf"m=audio \d+ {profile} 0")

    def test_R_99_replay(self) -> None:
        """
        A packet passes once.
        """
        self.call()
        seen = self.record()
        self.ue.sendMedia()
        self.network.flush()
        self.ue.sendRaw(seen[0])
        self.network.flush()
        self.assertEqual(len(self.phone.received), 1)

    def test_R_100_tampered(self) -> None:
        """
        A packet that was changed on its way is counted and goes nowhere.
        """
        self.call()
        self.assertMedia()
        count = len(self.phone.received)
        self.ue.sendRaw(b"\x80\x00\x10\x00" + bytes(180))
        self.network.flush()
        self.assertEqual(len(self.phone.received), count)
        stream = self.session.report().parties[0].medias[0].streams[0]
        self.assertEqual(stream.counters["dropped bad authentication"], 1)
        self.assertEqual(stream.errors, 1)

    def test_R_108_latchingNeedsAuthentication(self) -> None:
        """
        A UE behind a NAT is found by its first authentic packet; what was
        not authentic before has found nothing, and what comes later from
        elsewhere finds nothing.
        """
        self.call()
        packets = self.record(lambda destination: True)
        self.ue.sendMedia()
        self.ue.sendMedia()
        self.record()
        gateway = self.ue.remote
        assert gateway is not None
        heard: list[bytes] = []
        attacker = self.network.bind(("198.51.100.66", 6000), lambda data, source: None)
        nat = self.network.bind(("198.51.100.50", 7000), lambda data, source: heard.append(data))
        self.addCleanup(attacker.close)
        self.addCleanup(nat.close)
        self.clock.advance(LATCH_WINDOW * 2)
        attacker.sendto(b"\x80" + bytes(171), gateway)
        nat.sendto(packets[0], gateway)
        attacker.sendto(packets[1], gateway)
        self.network.flush()
        self.phone.sendMedia()
        self.network.flush()
        self.assertEqual(len(self.phone.received), 1)
        self.assertEqual(len(heard), 1)

    def test_sameOfferSameResult(self) -> None:
        """
        An offer that is repeated has the same result, and no more ports.
        """
        sdp = self.ue.offer()
        first = self.result(self.session.offer(sdp, Side.ACCESS))
        self.assertEqual(self.result(self.session.offer(sdp, Side.ACCESS)), first)
        self.assertEqual(self.gateway.portsLent, 2)

    def test_laterAnswer(self) -> None:
        """
        A second answer replaces the first: 183 from one telephone, 200 from
        another.
        """
        offer, early = self.call()
        final = Terminal(self.network, "203.0.113.8")
        self.addCleanup(final.close)
        answer = self.result(self.session.answer(final.answer(offer)))
        self.assertEqual(re.findall("inline:.*", early), re.findall("inline:.*", answer))
        packet = self.ue.sendMedia()
        self.network.flush()
        self.assertEqual(final.received, [packet])
        self.assertEqual(self.phone.received, [])

    def test_answerWithoutOffer(self) -> None:
        """
        There is nothing to answer.
        """
        self.failureResultOf(self.session.answer(self.phone.offer()), UsageError)

    def test_unreadable(self) -> None:
        """
        What is no description is refused, and nothing is taken.
        """
        self.failureResultOf(self.session.offer("v=1", Side.ACCESS), NegotiationError)
        self.assertEqual(self.gateway.portsLent, 0)

    def test_holdAndResume(self) -> None:
        """
        Hold reaches the other party, resume too, and keys and ports stay.
        """
        first = self.call()
        self.ue.direction = "sendonly"
        offer, _ = self.call()
        self.assertIn("a=sendonly", offer)
        self.ue.direction = "sendrecv"
        offer, answer = self.call()
        self.assertIn("a=sendrecv", offer)
        self.assertEqual(re.findall("inline:.*|m=.*", answer), re.findall("inline:.*|m=.*", first[1]))
        self.assertMedia()

    def test_holdInTheOldWay(self) -> None:
        """
        Hold by the address 0.0.0.0 crosses, and is said by the direction, too;
        a controller may want the address replaced.
        """
        self.call()
        held = self.ue.offer().replace("c=IN IP4 198.51.100.7", "c=IN IP4 0.0.0.0")
        offer = self.result(self.session.offer(held, Side.ACCESS))
        self.assertIn("c=IN IP4 0.0.0.0", offer)
        self.assertIn("a=sendonly", offer)
        again = self.result(self.session.offer(held, Side.ACCESS, Terms(replace={"zero-address"})))
        self.assertNotIn("0.0.0.0", again)
        self.assertIn("a=sendonly", again)
        self.call()
        self.assertMedia()

    def test_noLineForRTCP(self) -> None:
        """
        A controller may want C{a=rtcp} left out.
        """
        offer, answer = self.call(Terms(rtcpLine=False))
        self.assertNotIn("a=rtcp:", offer + answer)
        self.assertMedia()

    def test_reofferFromTheOtherParty(self) -> None:
        """
        Who answered may offer next.
        """
        _, before = self.call()
        offer = self.result(self.session.offer(self.phone.offer(), None, Terms(), answerer=True))
        self.assertEqual(re.findall("inline:.*|m=.*", before), re.findall("inline:.*|m=.*", offer))
        answer = self.result(self.session.answer(self.ue.answer(offer)))
        self.phone.accept(answer)
        self.assertMedia()

    def test_R_11_addedSection(self) -> None:
        """
        A section that a new offer adds is treated by the same rules.
        """
        self.call()
        video = Terminal(self.network, "198.51.100.7", suites=[CM80], media="video", lines=REQUESTED)
        screen = Terminal(self.network, "203.0.113.7", media="video")
        self.addCleanup(video.close)
        self.addCleanup(screen.close)
        offer = self.result(self.session.offer(self.ue.offer() + video.section(), Side.ACCESS))
        self.assertEqual(offer.count("RTP/AVP"), 2)
        both = self.phone.answer(offer) + screen.answerSection(offer, 1)
        answer = self.result(self.session.answer(both))
        self.ue.accept(answer)
        video.accept(answer, 1)
        packet = video.sendMedia()
        self.network.flush()
        self.assertEqual(screen.received, [packet])
        self.assertMedia()
        # And without it again.
        gone = self.ue.offer() + "m=video 0 RTP/SAVP 0\r\n"
        offer = self.result(self.session.offer(gone, Side.ACCESS))
        self.assertIn("m=video 0 ", offer)
        self.ue.accept(self.result(self.session.answer(self.phone.answer(offer) + "m=video 0 RTP/AVP 0\r\n")))
        self.assertEqual(self.gateway.portsLent, 2)
        self.assertMedia()

    def test_outOfPorts(self) -> None:
        """
        When ports run out, the call is refused and holds none.
        """
        while self.gateway._pools[Side.CORE][4].free:
            self.gateway._pools[Side.CORE][4].open([lambda data, source: None])
        self.failureResultOf(self.session.offer(self.ue.offer(), Side.ACCESS))
        self.assertEqual(self.gateway._pools[Side.ACCESS][4].free, 50)
        self.gateway._pools[Side.CORE][4]._lent.clear()

    def test_R_110_strangers(self) -> None:
        """
        Once media was heard, packets from elsewhere are dropped and counted.
        """
        self.call()
        self.assertMedia()
        assert self.phone.remote is not None
        count = len(self.ue.received)
        stranger = self.network.bind(("203.0.113.66", 6000), lambda data, source: None)
        self.addCleanup(stranger.close)
        stranger.sendto(b"\x80" + bytes(171), self.phone.remote)
        self.network.flush()
        self.assertEqual(len(self.ue.received), count)
        counters = self.session.report().parties[1].medias[0].streams[0].counters
        self.assertEqual(counters["dropped unknown source"], 1)

    def test_plainLatching(self) -> None:
        """
        A plain telephone may be elsewhere than it says, if it is heard soon.
        """
        self.call()
        heard: list[bytes] = []
        assert self.phone.remote is not None
        other = self.network.bind(("203.0.113.50", 7000), lambda data, source: heard.append(data))
        self.addCleanup(other.close)
        other.sendto(b"\x80\x00\x00\x01" + bytes(168), self.phone.remote)
        self.network.flush()
        self.ue.sendMedia()
        self.network.flush()
        self.assertEqual(len(heard), 1)
        self.assertEqual(self.happened(PathSettled)[0].remote, "203.0.113.50:7000")

    def test_plainLatchingIsShort(self) -> None:
        """
        After the window only the signalled address counts.
        """
        self.call()
        assert self.phone.remote is not None
        other = self.network.bind(("203.0.113.50", 7000), lambda data, source: None)
        self.addCleanup(other.close)
        self.clock.advance(LATCH_WINDOW + 1)
        other.sendto(b"\x80\x00\x00\x01" + bytes(168), self.phone.remote)
        self.network.flush()
        self.assertEqual(self.ue.received, [])
        self.assertMedia()

    def test_asymmetric(self) -> None:
        """
        Who says that it sends from elsewhere is sent to where it said.
        """
        self.call(Terms(asymmetric=True))
        assert self.phone.remote is not None
        other = self.network.bind(("203.0.113.50", 7000), lambda data, source: None)
        self.addCleanup(other.close)
        other.sendto(b"\x80\x00\x00\x01" + bytes(168), self.phone.remote)
        packet = self.ue.sendMedia()
        self.network.flush()
        self.assertEqual(len(self.ue.received), 1)
        self.assertEqual(self.phone.received, [packet])

    def test_receivedFrom(self) -> None:
        """
        Who does not trust the description's address uses the message's.
        """
        terms = Terms(trustAddress=False, receivedFrom="198.51.100.7")
        private = self.ue.offer().replace("198.51.100.7", "10.0.0.1")
        offer = self.result(self.session.offer(private, Side.ACCESS, terms))
        answer = self.phone.answer(offer)
        self.ue.accept(self.result(self.session.answer(answer, replace(terms, receivedFrom="203.0.113.7"))))
        packet = self.phone.sendMedia() if self.phone.remote else b""
        self.network.flush()
        self.assertEqual(self.ue.received, [packet])

    def test_names(self) -> None:
        """
        A media address that is a name is refused: nobody is asked who that is.
        """
        offer = self.result(
            self.session.offer(self.ue.offer().replace("198.51.100.7", "a.example"), Side.ACCESS)
        )
        self.assertIn("m=audio 0 ", offer)

    def test_R_98_feedbackStaysOutside(self) -> None:
        """
        An AVP core sees neither feedback lines nor feedback packets.
        """
        ue = Terminal(
            self.network,
            "198.51.100.8",
            suites=[CM80],
            feedback=True,
            lines=(*REQUESTED, "rtcp-fb:0 nack", "rtcp-rsize"),
        )
        self.addCleanup(ue.close)
        offer = self.result(self.session.offer(ue.offer(), Side.ACCESS))
        self.assertNotIn("rtcp-fb", offer)
        self.assertNotIn("rtcp-rsize", offer)
        ue.accept(self.result(self.session.answer(self.phone.answer(offer))))
        nack = struct.pack("!BBHIIHH", 0x81, 205, 3, ue.ssrc, 1, 2, 3)
        ue.sendReport(nack)
        ue.sendPacket(nack)
        self.network.flush()
        self.assertEqual(len(self.phone.receivedControl), 1)
        self.assertNotIn(nack, self.phone.receivedControl[0])


class GCM128Tests(OriginatingTests):
    """
    The same with AEAD_AES_128_GCM.
    """

    suites = (GCM128,)


class GCM256Tests(OriginatingTests):
    """
    The same with AEAD_AES_256_GCM.
    """

    suites = (GCM256,)


class ShortTagTests(OriginatingTests):
    """
    The same with a tag of 32 bits.
    """

    suites = (CM32,)


class SeveralSuitesTests(CallTestCase):
    """
    A UE that offers several suites.
    """

    suites = (CM32, CM80, GCM128)

    def test_R_20_firstSupported(self) -> None:
        """
        The answer has one key, with tag and suite of the first that is known.
        """
        sdp = self.ue.offer()
        unknown = "a=crypto:9 F8_128_HMAC_SHA1_80 inline:" + "A" * 40 + "\r\n"
        sdp = sdp.replace("a=crypto:", unknown + "a=crypto:", 1)
        offer = self.result(self.session.offer(sdp, Side.ACCESS))
        answer = self.result(self.session.answer(self.phone.answer(offer)))
        self.assertEqual(re.findall(r"a=crypto:(\d+) (\S+)", answer), [("1", CM32)])


class TerminatingTests(CallTestCase):
    """
    A UE with SDES is called.
    """

    def test_R_18_applied(self) -> None:
        """
        A UE that announced it is offered keys, and told who applies them.
        """
        offer, answer = self.called(Terms(e2ae={"sdes-srtp"}))
        self.assertIn("a=3ge2ae:applied", offer)
        self.assertIn("RTP/SAVP 0", offer)
        self.assertIn("RTP/AVP 0", answer)
        self.assertNotIn("crypto", answer)
        self.assertMedia()

    def test_R_24_keysDiffer(self) -> None:
        """
        No two keys of an offer are the same.
        """
        offer = self.result(self.session.offer(self.phone.offer(), Side.CORE, Terms(e2ae={"sdes-srtp"})))
        keys = re.findall(r"inline:(\S+)", offer)
        self.assertEqual(len(keys), 4)
        self.assertEqual(len(set(keys)), 4)

    def test_R_28_answerWithoutKey(self) -> None:
        """
        An answer without a key, or with one that was not offered, fails.
        """
        for change in (lambda t: re.sub("a=crypto.*\r\n", "", t), lambda t: t.replace("crypto:", "crypto:9")):
            session = self.gateway.newSession("another")
            offer = self.result(session.offer(self.phone.offer(), Side.CORE, Terms(e2ae={"sdes-srtp"})))
            answer = self.result(session.answer(change(self.ue.answer(offer))))
            self.assertIn("m=audio 0 ", answer)
            session.close()

    def test_R_28_plainAnswer(self) -> None:
        """
        A UE that was offered protection does not get by without.
        """
        plain = Terminal(self.network, "198.51.100.8")
        self.addCleanup(plain.close)
        offer = self.result(self.session.offer(self.phone.offer(), Side.CORE, Terms(e2ae={"sdes-srtp"})))
        answer = plain.session() + f"m=audio {plain.port} RTP/AVP 0\r\n"
        self.assertIn("m=audio 0 ", self.result(self.session.answer(answer)))
        self.assertIn("m=audio", offer)

    def test_suites(self) -> None:
        """
        The controller may say which suites to offer.
        """
        for terms, suites in (
            (Terms(e2ae={"sdes-srtp"}, sdesOnly={CM80}), [CM80]),
            (Terms(e2ae={"sdes-srtp"}, sdesNot={GCM128, GCM256}), [CM80, CM32]),
        ):
            session = self.gateway.newSession("suites")
            offer = self.result(session.offer(self.phone.offer(), Side.CORE, terms))
            self.assertEqual(re.findall(r"a=crypto:\d+ (\S+)", offer), suites)
            session.close()

    def test_reportsCounted(self) -> None:
        """
        RTCP is counted with its octets, in the clear, where it has a port of
        its own.
        """
        self.call(Terms(e2ae={"sdes-srtp"}))
        self.assertMedia()
        for party in self.session.report().parties:
            media, control = party.medias[0].streams
            self.assertEqual((media.packets, media.octets), (2, 2 * 172))
            self.assertEqual((control.packets, control.octets), (1, len(self.phone.receivedControl[0])))

    def test_R_20_suitesToTake(self) -> None:
        """
        The controller may say which of the suites that a UE offers to take.
        """
        for terms, taken in (
            (Terms(e2ae={"sdes-srtp"}, sdesOnly={CM32}), [CM32]),
            (Terms(e2ae={"sdes-srtp"}, sdesNot={CM80}), [CM32]),
            (Terms(e2ae={"sdes-srtp"}, sdesNot={CM80, CM32}), []),
        ):
            ue = Terminal(self.network, "198.51.100.9", suites=[CM80, CM32], lines=REQUESTED)
            self.addCleanup(ue.close)
            session = self.gateway.newSession("suites")
            offer = self.result(session.offer(ue.offer(), Side.ACCESS, terms))
            answer = self.result(session.answer(self.phone.answer(offer)))
            self.assertEqual(re.findall(r"a=crypto:\d+ (\S+)", answer), taken)
            self.assertEqual("m=audio 0 " in answer, not taken)
            session.close()

    def test_R_18_nothingAgreedNothingApplied(self) -> None:
        """
        A UE that announced nothing is offered what the core offers.
        """
        offer = self.result(self.session.offer(self.phone.offer(), Side.CORE, Terms(e2ae=frozenset())))
        self.assertIn("RTP/AVP", offer)
        self.assertNotIn("3ge2ae", offer)
