"""
Calls of a terminal that protects MSRP by TLS up to the gateway.
"""

from OpenSSL import SSL
from twisted.internet.task import Clock

from e2aegw.adapter import bfcp
from e2aegw.gateway.service import Route
from e2aegw.sansio.events import LineRefused, Secured
from e2aegw.sansio.sdp import Side
from e2aegw.sansio.terms import Terms
from tests.gateway.tlscall import AGREED, PHONE, REQUESTED, UE, ChatEnd, TLSCallTestCase, session
from tests.transport.connection import Connection
from tests.transport.tlspeer import OTHERS, THEIRS, TLSPeer, fingerprintOf

BFCP = bfcp.Factory(clock=Clock())
SECRETS = {"fingerprint", "tls-id", "3ge2ae"}


class OriginatingTests(TLSCallTestCase):
    """
    The UE calls.
    """

    def test_R_45_originating(self) -> None:
        """
        C{TCP/TLS/MSRP} with a request becomes C{TCP/MSRP} for the core, with
        nothing of TLS; the answer is protected by the gateway's certificate and
        says that protection is applied; and messages and reports cross.
        """
        core = self.offer(session(UE, self.ue.section("actpass", REQUESTED)), Side.ACCESS)
        self.assertEqual((core.media, core.proto, core.get("setup")), ("message", "TCP/MSRP", "actpass"))
        self.assertTrue(SECRETS.isdisjoint(line.name for line in core.lines))
        path = core.get("path") or ""
        self.assertTrue(path.startswith(f"msrp://{core.address}:{core.port}/"), path)
        self.phone.endpoint.path = path
        access = self.answer(session(PHONE, self.phone.section("passive")))
        self.assertEqual((access.proto, access.get("setup")), ("TCP/TLS/MSRP", "passive"))
        self.assertEqual(access.get("3ge2ae"), "applied")
        self.assertTrue(access.has("fingerprint"))
        self.ue.endpoint.path = access.get("path") or ""
        self.assertTrue(self.ue.endpoint.path.startswith(f"msrps://{access.address}:{access.port}/"))
        self.ue.join(self.calling(access), client=True)
        self.phone.join(self.called(PHONE), client=False)
        self.ue.endpoint.begin()
        self.assertChat(self.ue, self.phone)
        (secured,) = self.happened(Secured)
        self.assertEqual((secured.side, secured.line, secured.protocol), ("access", 0, "TLS"))

    def test_R_46_originatingPassive(self) -> None:
        """
        A UE that waits is connected to, by the TLS client.
        """
        core = self.offer(session(UE, self.ue.section("passive", REQUESTED)), Side.ACCESS)
        self.phone.endpoint.path = core.get("path") or ""
        access = self.answer(session(PHONE, self.phone.section("active")))
        self.assertEqual(access.get("setup"), "active")
        self.ue.endpoint.path = access.get("path") or ""
        self.ue.join(self.called(UE), client=False)
        self.phone.join(self.calling(core), client=True)
        self.phone.endpoint.begin()
        self.assertChat(self.ue, self.phone)

    def test_R_51_merge(self) -> None:
        """
        The UE is active, and so is the core's party: both connect to the
        gateway, which joins them.
        """
        core = self.offer(session(UE, self.ue.section("active", REQUESTED)), Side.ACCESS)
        self.assertEqual(core.get("setup"), "actpass")
        self.phone.endpoint.path = core.get("path") or ""
        access = self.answer(session(PHONE, self.phone.section("active")))
        self.assertEqual(access.get("setup"), "passive")
        self.ue.endpoint.path = access.get("path") or ""
        self.ue.join(self.calling(access), client=True)
        self.phone.join(self.calling(core), client=True)
        self.phone.endpoint.begin()
        self.assertChat(self.ue, self.phone)

    def test_R_47_neverBelieved(self) -> None:
        """
        Another certificate: the event is there, and what the core's party says
        does not go out.
        """
        core = self.offer(session(UE, self.ue.section("active", REQUESTED)), Side.ACCESS)
        self.phone.endpoint.path = core.get("path") or ""
        access = self.answer(session(PHONE, self.phone.section("passive")))
        self.phone.join(self.called(PHONE), client=False)
        stranger = ChatEnd(UE, secure=True)
        stranger.join(self.calling(access), client=True, identity=OTHERS)
        (failed,) = self.failures()
        self.assertEqual((failed.side, failed.line, failed.protocol), ("access", 0, "TLS"))
        self.assertEqual(failed.presented, fingerprintOf(OTHERS))
        self.phone.endpoint.say(b"secret")
        self.flush(stranger, self.phone)
        self.assertEqual(stranger.endpoint.requests, [])

    def test_R_48_oldVersion(self) -> None:
        """
        TLS 1.1 is refused, with the event.
        """
        self.offer(session(UE, self.ue.section("active", REQUESTED)), Side.ACCESS)
        access = self.answer(session(PHONE, self.phone.section("passive")))
        self.ue.join(self.calling(access), client=True, oldest=SSL.TLS1_1_VERSION)
        self.assertEqual([each.reason for each in self.failures()], ["no common version"])

    def test_R_54_plain(self) -> None:
        """
        A terminal that forgets TLS is cut off and gets nothing in the clear.
        """
        self.offer(session(UE, self.ue.section("active", REQUESTED)), Side.ACCESS)
        access = self.answer(session(PHONE, self.phone.section("passive")))
        plain = ChatEnd(UE, secure=False)
        plain.endpoint.path = access.get("path") or ""
        plain.join(self.calling(access), client=True)
        plain.endpoint.say(b"hello")
        assert plain.link is not None
        self.assertFalse(plain.link.connected)
        self.assertNotIn(b"MSRP", plain.link.value())
        self.assertEqual([each.reason for each in self.failures()], ["not protected"])
        counters = self.session.report().parties[0].medias[0].streams[0].counters
        self.assertEqual(counters["dropped not protected"], 1)

    def test_R_07_notAgreed(self) -> None:
        """
        A request without an agreement is refused, on either side, and so is
        one for a line that is not protected at all.
        """
        for text, terms in (
            (self.ue.section("active", REQUESTED), Terms(e2ae=frozenset({"sdes-srtp"}))),
            (ChatEnd(UE, secure=False).section("active", REQUESTED), AGREED),
        ):
            call = self.gateway.newSession("refused")
            offer = self.result(call.offer(session(UE, text), Side.ACCESS, terms))
            self.assertIn("m=message 0 ", offer)
            call.close()
        self.assertEqual(len(self.happened(LineRefused)), 2)

    def test_reoffer(self) -> None:
        """
        The same line again keeps the connection; the core's new offer is
        protected as before, though nobody says again what was agreed.
        """
        self.test_R_45_originating()
        again = self.offer(session(PHONE, self.phone.section("passive")), Side.CORE, Terms())
        self.assertEqual(again.proto, "TCP/MSRP")

    def test_reofferByTheCore(self) -> None:
        """
        An offer of the core in the same call is protected for the UE.
        """
        self.test_R_45_originating()
        offer = self.session.offer(
            session(PHONE, self.phone.section("passive")), None, Terms(), answerer=True
        )
        text = self.result(offer)
        self.assertIn(" TCP/TLS/MSRP *\r\n", text)
        self.assertIn("a=3ge2ae:applied", text)
        self.result(self.session.answer(session(UE, self.ue.section("active"))))
        self.assertChat(self.ue, self.phone)


class TerminatingTests(TLSCallTestCase):
    """
    The UE is called.
    """

    def test_R_45_terminating(self) -> None:
        """
        C{TCP/MSRP} from the core is offered to a UE that agreed on it as
        C{TCP/TLS/MSRP}, with C{applied}, C{actpass}, fingerprint and C{tls-id};
        the core's answer has nothing of that; messages and reports cross.
        """
        for setup in ("active", "passive"):
            with_ = self.gateway.newSession(setup)
            self.session.close()
            self.session = with_
            self.ue, self.phone = ChatEnd(UE, secure=True), ChatEnd(PHONE, secure=False)
            access = self.offer(session(PHONE, self.phone.section("actpass")), Side.CORE)
            self.assertEqual((access.proto, access.get("setup")), ("TCP/TLS/MSRP", "actpass"))
            self.assertEqual(access.get("3ge2ae"), "applied")
            self.assertGreaterEqual(len(access.get("tls-id") or ""), 20)
            self.assertTrue(access.has("fingerprint"))
            self.ue.endpoint.path = access.get("path") or ""
            core = self.answer(session(UE, self.ue.section(setup)))
            self.assertEqual((core.proto, core.get("setup")), ("TCP/MSRP", "passive"))
            self.assertTrue(SECRETS.isdisjoint(line.name for line in core.lines))
            self.phone.endpoint.path = core.get("path") or ""
            client = setup == "active"
            self.ue.join(self.calling(access) if client else self.called(UE), client=client)
            self.phone.join(self.calling(core), client=True)
            self.phone.endpoint.begin()
            self.assertChat(self.ue, self.phone)

    def test_R_18_applied(self) -> None:
        """
        Only a UE that announced it is offered protection.
        """
        plain = self.offer(session(PHONE, self.phone.section("actpass")), Side.CORE, Terms())
        self.assertEqual((plain.proto, plain.get("3ge2ae")), ("TCP/MSRP", None))

    def test_R_47_answerWithout(self) -> None:
        """
        A UE that was offered protection and answers without gets nothing.
        """
        for number, text in enumerate(
            (
                ChatEnd(UE, secure=False).section("active"),
                self.ue.section("active").replace("a=fingerprint", "a=nothing"),
            )
        ):
            self.session.close()
            self.session = self.gateway.newSession(f"without {number}")
            self.offer(session(PHONE, self.phone.section("actpass")), Side.CORE)
            self.assertEqual(self.answer(session(UE, text)).port, 0)

    def test_R_47_early(self) -> None:
        """
        What the UE says before its answer arrives is held, and then passed.
        """
        access = self.offer(session(PHONE, self.phone.section("actpass")), Side.CORE)
        self.ue.endpoint.path = access.get("path") or ""
        self.ue.join(self.calling(access), client=True)
        self.ue.endpoint.say(b"early", "e1")
        core = self.answer(session(UE, self.ue.section("active")))
        self.phone.endpoint.path = core.get("path") or ""
        self.phone.join(self.calling(core), client=True)
        self.phone.endpoint.begin()
        self.flush()
        self.assertEqual(bytes(self.phone.endpoint.messages["e1"]), b"early")


class EndToEndTests(TLSCallTestCase):
    """
    Protection that is the ends' own.
    """

    def test_R_10_endToEnd(self) -> None:
        """
        TLS without a request passes: the lines as they are but for address and
        port, and the bytes as they are; whoever of the two connects.
        """
        for offered, answered in (("actpass", "active"), ("actpass", "passive"), ("active", "passive")):
            self.session.close()
            self.session = self.gateway.newSession(offered + answered)
            near, far = ChatEnd(UE, secure=True), ChatEnd(PHONE, secure=True, name="s2")
            more = "a=tls-id:0123456789abcdef0123\r\na=connection:new\r\n"
            core = self.offer(session(UE, near.section(offered, more)), Side.ACCESS)
            self.assertNotIn(core.address, (UE, PHONE))
            self.assertSame(near.section(offered, more), core)
            access = self.answer(session(PHONE, far.section(answered)))
            self.assertSame(far.section(answered), access)
            client = answered == "passive"
            link = self.calling(access) if client else self.called(UE)
            there = self.called(PHONE) if client else self.calling(core)
            assert link is not None and there is not None
            one, other = TLSPeer(client=client), TLSPeer(client=not client)
            one.join(link)
            other.join(there)
            for _ in range(4):
                one.advance()
                other.advance()
            self.assertTrue(one.established and other.established)
            other.say(b"to the UE")
            one.say(b"to the core")
            other.advance()
            self.assertEqual((one.received, other.received), (b"to the UE", b"to the core"))
            self.assertEqual(self.session.report().parties[0].medias[0].streams[0].counters, {})

    def test_R_10_bytes(self) -> None:
        """
        Every byte passes, whatever it is, in order, also those that came
        before the other party was connected.
        """
        self.offer(session(UE, self.ue.section("active")), Side.ACCESS)
        access = self.answer(session(PHONE, ChatEnd(PHONE, secure=True).section("passive")))
        link = self.calling(access)
        assert link is not None
        link.protocol.dataReceived(b"\x16\x03\x01 early")
        self.assertEqual(link.producerState, "paused")
        there = self.called(PHONE)
        assert there is not None
        self.assertEqual(link.producerState, "producing")
        link.protocol.dataReceived(bytes(range(256)))
        self.assertEqual(there.value(), b"\x16\x03\x01 early" + bytes(range(256)))
        there.protocol.dataReceived(b"and back")
        self.assertEqual(link.value(), b"and back")

    def test_R_10_toldToEnd(self) -> None:
        """
        A request in a later offer ends it at the edge after all.
        """
        core = self.offer(session(UE, self.ue.section("active")), Side.ACCESS)
        self.assertEqual(core.proto, "TCP/TLS/MSRP")
        self.answer(session(PHONE, ChatEnd(PHONE, secure=True).section("passive")))
        again = self.offer(session(UE, self.ue.section("active", REQUESTED)), Side.ACCESS)
        self.assertEqual(again.proto, "TCP/MSRP")

    def assertSame(self, text: str, section: object) -> None:
        """
        A section is what was sent but for its first line.
        """
        lines = [str(line) for line in section.lines]  # type: ignore[attr-defined]
        self.assertEqual(lines, text.splitlines()[1:])


class FloorTests(TLSCallTestCase):
    """
    BFCP.
    """

    routes = (*TLSCallTestCase.routes, Route(BFCP, BFCP))
    hello = b"\x20\x0b\x00\x00\x00\x00\x00\x01\x00\x01\x00\x02"
    floor = "a=floorctrl:c-only\r\na=bfcpver:1\r\na=setup:%s\r\na=connection:new\r\n"

    def section(self, setup: str, secure: bool, more: str = "") -> str:
        """
        How a party describes itself.
        """
        proto = "TCP/TLS/BFCP" if secure else "TCP/BFCP"
        prints = f"a=fingerprint:{fingerprintOf(THEIRS)}\r\n" if secure else ""
        return f"m=application 5070 {proto} *\r\n{self.floor % setup}{prints}{more}"

    def assertFloor(self, link: Connection | None, there: Connection | None, client: bool) -> None:
        """
        Messages cross, octet by octet.
        """
        assert link is not None and there is not None
        peer = TLSPeer(client=client).join(link)
        self.assertTrue(peer.established)
        peer.say(self.hello)
        self.assertEqual(there.value(), self.hello)
        there.protocol.dataReceived(self.hello)
        peer.advance()
        self.assertEqual(peer.received, self.hello)

    def test_R_53_originating(self) -> None:
        """
        C{TCP/TLS/BFCP} with a request becomes C{TCP/BFCP}; the gateway, which
        answers, is passive and the TLS server; floor attributes are unchanged.
        """
        core = self.offer(session(UE, self.section("actpass", True, REQUESTED)), Side.ACCESS)
        self.assertEqual((core.proto, core.get("connection")), ("TCP/BFCP", "new"))
        self.assertTrue(SECRETS.isdisjoint(line.name for line in core.lines))
        self.assertEqual((core.get("floorctrl"), core.get("bfcpver")), ("c-only", "1"))
        access = self.answer(session(PHONE, self.section("passive", False).replace("c-only", "s-only")))
        self.assertEqual((access.proto, access.get("setup")), ("TCP/TLS/BFCP", "passive"))
        self.assertEqual((access.get("3ge2ae"), access.get("floorctrl")), ("applied", "s-only"))
        self.assertFloor(self.calling(access), self.called(PHONE), client=True)

    def test_R_52_terminating(self) -> None:
        """
        A UE that is called, waits, and so is the TLS server as RFC 8856 wants
        of who answers.
        """
        access = self.offer(session(PHONE, self.section("actpass", False)), Side.CORE)
        self.assertEqual((access.proto, access.get("3ge2ae")), ("TCP/TLS/BFCP", "applied"))
        core = self.answer(session(UE, self.section("passive", True).replace("c-only", "s-only")))
        self.assertEqual(core.proto, "TCP/BFCP")
        self.assertFloor(self.called(UE), self.calling(core), client=False)
