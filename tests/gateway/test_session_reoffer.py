"""
Second offers, in either direction and in any order, and those that fail.
"""

import re
from collections.abc import Sequence

from e2aegw.errors import ResourceError
from e2aegw.sansio.events import LineRefused
from e2aegw.sansio.sdp import Side
from e2aegw.sansio.terms import Terms
from e2aegw.testing import Terminal
from tests.gateway.fixture import ACCESS6
from tests.gateway.telephones import CM32, CM80, NO_TERMS, REQUESTED, CallTestCase


def medias(sdp: str) -> list[tuple[str, bool]]:
    """
    The media sections of a description, and whether each is accepted.
    """
    return [(media, port != "0") for media, port in re.findall(r"m=([a-z]+) (\d+)", sdp)]


class ReofferTestCase(CallTestCase):
    """
    A call that is up.
    """

    def setUp(self) -> None:
        """
        Call.
        """
        super().setUp()
        self.firstOffer, self.firstAnswer = self.call()
        self.assertMedia()

    def another(
        self, host: str, media: str = "audio", suites: Sequence[str] = (), lines: Sequence[str] = ()
    ) -> Terminal:
        """
        One more telephone.
        """
        terminal = Terminal(self.network, host, media=media, suites=suites, lines=lines)
        self.addCleanup(terminal.close)
        return terminal

    def reoffer(self, terms: Terms = NO_TERMS) -> tuple[str, str]:
        """
        The telephone in the core offers.
        """
        offer = self.result(self.session.offer(self.phone.offer(), None, terms, answerer=True))
        answer = self.result(self.session.answer(self.ue.answer(offer)))
        self.phone.accept(answer)
        return offer, answer


class FailedTests(ReofferTestCase):
    """
    Offers that are refused, of which a gateway hears nothing.
    """

    def test_newAddressAndKey(self) -> None:
        """
        Until there is an answer, media goes where it went, under the keys
        that it had (RFC 4568 clause 7.1.4).
        """
        moved = self.another("198.51.100.77", suites=(CM80,), lines=REQUESTED)
        self.result(self.session.offer(moved.offer(), Side.ACCESS))
        self.assertMedia()
        self.reoffer()
        self.assertMedia()

    def test_newSuite(self) -> None:
        """
        The gateway's own key stays, too.
        """
        other = self.another("198.51.100.77", suites=(CM32,), lines=REQUESTED)
        sdp = other.offer().replace(f"m=audio {other.port}", f"m=audio {self.ue.port}")
        self.result(self.session.offer(sdp.replace("198.51.100.77", "198.51.100.7"), Side.ACCESS))
        self.assertMedia()
        offer, _ = self.reoffer()
        self.assertEqual(re.findall("inline:.*", offer), re.findall("inline:.*", self.firstAnswer))

    def test_hold(self) -> None:
        """
        Who wanted to hold and was not let goes on.
        """
        held = self.phone.offer().replace("203.0.113.7", "0.0.0.0")
        self.result(self.session.offer(held, None, answerer=True))
        self.assertMedia()

    def test_otherTransport(self) -> None:
        """
        What cannot be carried over the same ports gets others, and those that
        there are stay until somebody agrees.
        """
        offer = self.result(
            self.session.offer(self.ue.offer(), Side.ACCESS, Terms(transportProtocol="RTP/SAVP"))
        )
        self.assertIn("RTP/SAVP", offer)
        self.assertEqual(self.gateway.portsLent, 4)
        self.assertMedia()
        self.reoffer()
        self.assertEqual(self.gateway.portsLent, 2)
        self.assertMedia()

    def test_addedSection(self) -> None:
        """
        A section that nobody agreed to does not show up in the answer to
        somebody else.
        """
        video = self.another("198.51.100.7", "video", (CM80,), REQUESTED)
        offer = self.result(self.session.offer(self.ue.offer() + video.section(), Side.ACCESS))
        self.assertEqual(medias(offer), [("audio", True), ("video", True)])
        offer, answer = self.reoffer()
        self.assertEqual((medias(offer), medias(answer)), ([("audio", True)], [("audio", True)]))
        self.assertEqual(self.gateway.portsLent, 2)
        # And then it works.
        screen = self.another("203.0.113.7", "video")
        offer = self.result(self.session.offer(self.ue.offer() + video.section(), Side.ACCESS))
        both = self.phone.answer(offer) + screen.answerSection(offer, 1)
        answer = self.result(self.session.answer(both))
        video.accept(answer, 1)
        packet = video.sendMedia()
        self.network.flush()
        self.assertEqual(screen.received, [packet])
        self.assertMedia()

    def test_removedSection(self) -> None:
        """
        A section whose removal nobody agreed to is still there.
        """
        self.result(self.session.offer(self.ue.session() + "m=audio 0 RTP/SAVP 0\r\n", Side.ACCESS))
        self.assertMedia()

    def test_outOfPorts(self) -> None:
        """
        An offer for which there are no ports changes nothing.
        """
        pool = self.gateway._pools[Side.CORE][4]
        taken = [pool.open([lambda data, source: None]) for _ in range(pool.free)]
        video = self.another("198.51.100.7", "video", (CM80,), REQUESTED)
        offer = self.session.offer(video.session() + video.section() + self.ue.section(), Side.ACCESS)
        self.failureResultOf(offer, ResourceError)
        self.assertMedia()
        for [port] in taken:
            pool.close(port)
        self.assertEqual(self.gateway.portsLent, 2)

    def test_glare(self) -> None:
        """
        Both offer at once, both are refused, and one tries again.
        """
        moved = self.another("198.51.100.77", suites=(CM80,), lines=REQUESTED)
        self.result(self.session.offer(moved.offer(), Side.ACCESS))
        other = self.another("203.0.113.77")
        self.result(self.session.offer(other.offer(), None, answerer=True))
        self.assertMedia()
        offer = self.result(self.session.offer(moved.offer(), Side.ACCESS))
        moved.accept(self.result(self.session.answer(self.phone.answer(offer))))
        self.ue = moved
        self.assertMedia()

    def test_firstOffer(self) -> None:
        """
        A first offer that failed says nothing about who is where.
        """
        session = self.gateway.newSession("again")
        pool = self.gateway._pools[Side.CORE][4]
        taken = [pool.open([lambda data, source: None]) for _ in range(pool.free)]
        self.failureResultOf(session.offer(self.ue.offer(), Side.ACCESS), ResourceError)
        for [port] in taken:
            pool.close(port)
        offer = self.result(session.offer(self.phone.offer(), Side.CORE, Terms(e2ae={"sdes-srtp"})))
        self.assertIn("a=3ge2ae:applied", offer)
        session.close()

    def test_replaced(self) -> None:
        """
        A first offer that is replaced before anybody answered leaves nothing.
        """
        session = self.gateway.newSession("twice")
        video = self.another("198.51.100.7", "video", (CM80,), REQUESTED)
        self.result(session.offer(self.ue.offer() + video.section(), Side.ACCESS))
        offer = self.result(session.offer(self.ue.offer(), Side.ACCESS))
        self.assertEqual(medias(offer), [("audio", True), ("video", False)])
        answer = self.result(session.answer(self.phone.answer(offer) + "m=video 0 RTP/AVP 0\r\n"))
        self.assertEqual(medias(answer), [("audio", True)])
        session.close()
        self.assertEqual(self.gateway.portsLent, 2)


class SlotTests(ReofferTestCase):
    """
    Sections that go and come.
    """

    def test_comesBack(self) -> None:
        """
        A section that was rejected may be used again.
        """
        gone = self.ue.session() + "m=audio 0 RTP/SAVP 0\r\n"
        self.result(self.session.offer(gone, Side.ACCESS))
        answer = self.result(self.session.answer(self.phone.session() + "m=audio 0 RTP/AVP 0\r\n"))
        self.assertEqual(medias(answer), [("audio", False)])
        self.assertEqual(self.gateway.portsLent, 0)
        self.ue.rekey()
        self.call()
        self.assertMedia()
        self.assertEqual(self.gateway.portsLent, 2)

    def test_comesBackFromTheOtherSide(self) -> None:
        """
        Whoever uses it again.
        """
        gone = self.phone.session() + "m=audio 0 RTP/AVP 0\r\n"
        self.result(self.session.offer(gone, None, answerer=True))
        self.result(self.session.answer(self.ue.session() + "m=audio 0 RTP/SAVP 0\r\n"))
        self.assertEqual(self.gateway.portsLent, 0)
        offer, _ = self.reoffer(Terms(e2ae={"sdes-srtp"}))
        self.assertIn("a=crypto", offer)
        self.assertMedia()

    def test_otherMedia(self) -> None:
        """
        A section may become one of another medium.
        """
        video = self.another("198.51.100.7", "video", (CM80,), REQUESTED)
        screen = self.another("203.0.113.7", "video")
        offer = self.result(self.session.offer(video.offer(), Side.ACCESS))
        self.assertEqual(medias(offer), [("video", True)])
        self.assertMedia()
        video.accept(self.result(self.session.answer(screen.answer(offer))))
        packet = video.sendMedia()
        self.network.flush()
        self.assertEqual(screen.received, [packet])
        self.assertEqual(self.gateway.portsLent, 2)

    def test_answerOfOtherMedia(self) -> None:
        """
        An answer of another medium is none.
        """
        offer = self.result(self.session.offer(self.ue.offer(), Side.ACCESS))
        answer = self.phone.answer(offer).replace("m=audio", "m=video")
        self.assertEqual(medias(self.result(self.session.answer(answer))), [("audio", False)])
        self.assertEqual(len(self.happened(LineRefused)), 1)

    def test_fewerSections(self) -> None:
        """
        Who forgets sections is answered with as many as it has, and the other
        party is told that they are gone.
        """
        video = self.another("198.51.100.7", "video", (CM80,), REQUESTED)
        screen = self.another("203.0.113.7", "video")
        offer = self.result(self.session.offer(self.ue.offer() + video.section(), Side.ACCESS))
        both = self.phone.answer(offer) + screen.answerSection(offer, 1)
        self.ue.accept(self.result(self.session.answer(both)))
        offer = self.result(self.session.offer(self.ue.offer(), Side.ACCESS))
        self.assertEqual(medias(offer), [("audio", True), ("video", False)])
        answer = self.result(self.session.answer(self.phone.answer(offer) + "m=video 0 RTP/AVP 0\r\n"))
        self.assertEqual(medias(answer), [("audio", True)])
        self.assertMedia()

    def test_bothAdd(self) -> None:
        """
        Either party may add sections, and each finds them where it put them.
        """
        video = self.another("198.51.100.7", "video", (CM80,), REQUESTED)
        screen = self.another("203.0.113.7", "video")
        offer = self.result(self.session.offer(self.ue.offer() + video.section(), Side.ACCESS))
        both = self.phone.answer(offer) + screen.answerSection(offer, 1)
        self.result(self.session.answer(both))
        second = self.another("203.0.113.8")
        sdp = self.phone.offer() + screen.section() + second.section()
        offer = self.result(self.session.offer(sdp, None, Terms(e2ae={"sdes-srtp"}), answerer=True))
        self.assertEqual(medias(offer), [("audio", True), ("video", True), ("audio", True)])
        third = self.another("198.51.100.8", suites=(CM80,))
        answer = self.ue.answer(offer) + video.answerSection(offer, 1) + third.answerSection(offer, 2)
        answer = self.result(self.session.answer(answer))
        second.accept(answer, 2)
        packet = second.sendMedia()
        self.network.flush()
        self.assertEqual(third.received, [packet])


class ProfileTests(ReofferTestCase):
    """
    Profiles that change in the middle of a call.
    """

    def test_R_27_feedback(self) -> None:
        """
        Who offers feedback later is answered with it.
        """
        sdp = self.ue.offer().replace("RTP/SAVP ", "RTP/SAVPF ")
        offer = self.result(self.session.offer(sdp, Side.ACCESS))
        answer = self.result(self.session.answer(self.phone.answer(offer)))
        self.assertIn("RTP/SAVPF 0", answer)
        self.ue.accept(answer)
        self.assertMedia()

    def test_notRequestedAgain(self) -> None:
        """
        A UE that does not ask for protection up to the edge a second time has
        it all the same: its keys do not reach the core.
        """
        self.ue.lines = []
        offer, answer = self.call()
        self.assertIn("RTP/AVP 0", offer)
        self.assertNotIn("crypto", offer)
        self.assertIn("a=crypto", answer)
        self.assertMedia()

    def test_R_07_nobodyTakesItAway(self) -> None:
        """
        A UE that asked for protection is not offered clear media, whatever
        the controller thinks.
        """
        offer, _ = self.reoffer(Terms(transportProtocol="RTP/AVP"))
        self.assertIn("RTP/SAVP 0", offer)
        self.assertIn("a=crypto", offer)
        self.assertMedia()

    def test_R_07_writtenAsAVP(self) -> None:
        """
        Nor is one that writes RTP/AVP, adds keys, and means it.
        """
        session = self.session = self.gateway.newSession("plain words")
        sdp = self.ue.offer().replace("RTP/SAVP", "RTP/AVP")
        offer = self.result(session.offer(sdp, Side.ACCESS))
        self.ue.accept(self.result(session.answer(self.phone.answer(offer))))
        for terms in (NO_TERMS, Terms(transportProtocol="RTP/AVP"), Terms(addressFamily=6)):
            offer = self.result(session.offer(self.phone.offer(), None, terms, answerer=True))
            self.assertIn("a=crypto", offer)

    def test_R_18_appliedAgain(self) -> None:
        """
        A UE that has protection up to the edge is told so in each offer.
        """
        offer, _ = self.reoffer()
        self.assertIn("a=3ge2ae:applied", offer)

    def test_requestedLater(self) -> None:
        """
        What was protected from end to end may end at the edge later.
        """
        session = self.session = self.gateway.newSession("sealed")
        self.ue.lines = []
        far = self.another("203.0.113.8", suites=(CM80,))
        offer = self.result(session.offer(self.ue.offer(), Side.ACCESS))
        self.ue.accept(self.result(session.answer(far.answer(offer))))
        self.ue.lines = list(REQUESTED)
        self.ue.rekey()
        offer, _ = self.call()
        self.assertIn("RTP/AVP 0", offer)
        self.assertMedia()

    def test_upAndDown(self) -> None:
        """
        A core that gets plain RTP, SDES and plain RTP again.
        """
        secure = self.another("203.0.113.8", suites=(CM80,))
        plain, self.phone = self.phone, secure
        offer, _ = self.call(Terms(transportProtocol="RTP/SAVP"))
        self.assertIn("a=crypto", offer)
        self.assertMedia()
        self.phone = plain
        offer, _ = self.call(Terms(transportProtocol="RTP/AVP"))
        self.assertNotIn("a=crypto", offer)
        self.assertMedia()
        self.assertEqual(self.gateway.portsLent, 2)


class PlaceTests(ReofferTestCase):
    """
    Where media goes.
    """

    def test_newVersion(self) -> None:
        """
        A UE that moves to the other version of IP is reached there.
        """
        self.ue = self.another("2001:db8:a::7", suites=(CM80,), lines=REQUESTED)
        _, answer = self.call()
        self.assertIn(f"c=IN IP6 {ACCESS6}", answer)
        self.assertMedia()

    def test_holdByAddress(self) -> None:
        """
        Who is put on hold by its address is sent nothing; it is heard from
        where it was, and nobody else is.
        """
        assert self.phone.remote is not None
        held = self.phone.offer().replace("203.0.113.7", "0.0.0.0")
        offer = self.result(self.session.offer(held, None, answerer=True))
        self.result(self.session.answer(self.ue.answer(offer)))
        stranger = self.network.bind(("203.0.113.66", 6000), lambda data, source: None)
        self.addCleanup(stranger.close)
        stranger.sendto(b"\x80\x00\x00\x01" + bytes(168), self.phone.remote)
        counts = len(self.ue.received), len(self.phone.received)
        self.ue.sendMedia(to=("198.51.100.1", 30000))
        self.network.flush()
        self.assertEqual((len(self.ue.received), len(self.phone.received)), counts)
        packet = self.phone.sendMedia()
        self.network.flush()
        self.assertEqual(self.ue.received[-1], packet)
        self.reoffer()
        self.assertMedia()

    def test_holdKeepsWhatWasLearned(self) -> None:
        """
        A telephone behind a NAT that resumes is found where it was.
        """
        session = self.session = self.gateway.newSession("nat")
        sdp = self.ue.offer()
        offer = self.result(session.offer(sdp, Side.ACCESS))
        private = self.phone.answer(offer).replace("203.0.113.7", "10.0.0.7")
        self.ue.accept(self.result(session.answer(private)))
        self.phone.sendMedia()
        self.network.flush()
        for address in ("0.0.0.0", "10.0.0.7"):
            again = self.phone.offer().replace("203.0.113.7", address)
            offer = self.result(session.offer(again, None, answerer=True))
            self.phone.accept(self.result(session.answer(self.ue.answer(offer))))
        packet = self.ue.sendMedia()
        self.network.flush()
        self.assertEqual(self.phone.received[-1], packet)

    def test_holdKeepsTheKey(self) -> None:
        """
        Hold by address is no move: the gateway's key stays.
        """
        for host in ("0.0.0.0", "198.51.100.7"):
            sdp = self.ue.offer().replace("198.51.100.7", host)
            offer = self.result(self.session.offer(sdp, Side.ACCESS))
            answer = self.result(self.session.answer(self.phone.answer(offer)))
            self.assertEqual(re.findall("inline:.*", answer), re.findall("inline:.*", self.firstAnswer))

    def test_firstDescriptionOnHold(self) -> None:
        """
        Nobody is believed to be a party that does not say where it is.
        """
        session = self.gateway.newSession("nowhere")
        held = self.phone.offer().replace("203.0.113.7", "0.0.0.0")
        self.result(session.offer(held, Side.CORE))
        port = session.streams[0].pipeline.legs[0].transport.components[0]  # type: ignore[union-attr]
        stranger = self.network.bind(("203.0.113.66", 6000), lambda data, source: None)
        self.addCleanup(stranger.close)
        stranger.sendto(b"\x80\x00\x00\x01" + bytes(168), port.port.address)
        self.network.flush()
        self.assertEqual((port.source, port.remote), (None, None))
        session.close()

    def test_signalledAddressWins(self) -> None:
        """
        Whoever was quicker than the telephone loses to it.
        """
        session = self.session = self.gateway.newSession("race")
        self.call()
        assert self.phone.remote is not None
        quick = self.network.bind(("203.0.113.66", 6000), lambda data, source: None)
        self.addCleanup(quick.close)
        quick.sendto(b"\x80\x00\x00\x01" + bytes(168), self.phone.remote)
        self.phone.sendMedia()
        self.network.flush()
        self.assertMedia()
        quick.sendto(b"\x80\x00\x00\x02" + bytes(168), self.phone.remote)
        self.network.flush()
        self.assertMedia()
        session.close()


class MuxTests(ReofferTestCase):
    """
    RTP and RTCP on one port, and then not, and the other way round.
    """

    def test_R_96_muxComesAndGoes(self) -> None:
        """
        Reports pass all the same.
        """
        terms = Terms(rtcpMux={"demux"})
        two = self.ue
        one = Terminal(self.network, "198.51.100.8", suites=self.suites, lines=REQUESTED, mux=True)
        self.addCleanup(one.close)
        for self.ue in (one, two, one):
            self.call(terms)
            self.assertMedia()

    def test_R_96_reofferToOnePort(self) -> None:
        """
        Who has one port is offered one port again.
        """
        self.ue = Terminal(self.network, "198.51.100.8", suites=self.suites, lines=REQUESTED, mux=True)
        self.addCleanup(self.ue.close)
        self.call(Terms(rtcpMux={"demux"}))
        offer, _ = self.reoffer()
        self.assertIn("a=rtcp-mux", offer)
        self.assertMedia()

    def test_portIsGone(self) -> None:
        """
        If somebody else took the RTCP port meanwhile, there are no reports,
        and everything else is as before.
        """
        terms = Terms(rtcpMux={"demux"})
        two = self.ue
        self.ue = Terminal(self.network, "198.51.100.8", suites=self.suites, lines=REQUESTED, mux=True)
        self.addCleanup(self.ue.close)
        self.call(terms)
        assert self.ue.remote is not None
        thief = self.network.bind((self.ue.remote[0], self.ue.remote[1] + 1), lambda data, source: None)
        self.addCleanup(thief.close)
        self.ue = two
        self.call(terms)
        packet = self.ue.sendMedia()
        self.network.flush()
        self.assertEqual(self.phone.received[-1], packet)
        counters = self.session.report().parties[0].medias[0].streams[0].counters
        self.assertEqual(counters["no port for RTCP"], 1)


class BlockTests(ReofferTestCase):
    """
    Through-connection on command.
    """

    def passes(self, one: Terminal, other: Terminal) -> tuple[bool, bool]:
        """
        Whether media and reports do.
        """
        counts = len(other.received), len(other.receivedControl)
        one.sendMedia()
        one.sendReport()
        self.network.flush()
        return len(other.received) > counts[0], len(other.receivedControl) > counts[1]

    def test_R_108_blocked(self) -> None:
        """
        Each direction is blocked and opened by itself, and nobody thinks that
        the party is silent.
        """
        yes, no = (True, True), (False, False)
        for blocked, expected in (
            ((True, False), (no, yes)),
            ((True, True), (no, no)),
            ((False, True), (yes, no)),
            ((False, False), (yes, yes)),
        ):
            self.session.block(False, blocked[0])
            self.session.block(True, blocked[1])
            before = self.session.packets()
            directions = self.passes(self.ue, self.phone), self.passes(self.phone, self.ue)
            self.assertEqual(directions, expected)
            self.assertEqual(self.session.packets(), before + 2)
        counters = self.session.report().parties[0].medias[0].streams[0].counters
        self.assertEqual(counters["blocked"], 4)

    def test_R_108_staysBlocked(self) -> None:
        """
        A new offer opens nothing, nor does a section that it adds.
        """
        self.session.block(True, True)
        self.call(Terms(transportProtocol="RTP/AVP"))
        self.assertEqual(self.passes(self.phone, self.ue), (False, False))
        gone = self.ue.session() + "m=audio 0 RTP/SAVP 0\r\n"
        self.result(self.session.offer(gone, Side.ACCESS))
        self.result(self.session.answer(self.phone.session() + "m=audio 0 RTP/AVP 0\r\n"))
        self.ue.rekey()
        self.call()
        self.assertEqual(self.passes(self.phone, self.ue), (False, False))
        self.assertEqual(self.passes(self.ue, self.phone), (True, True))
        self.session.block(True, False)
        self.assertMedia()
