"""
Voice that becomes fax and fax that becomes voice, by re-INVITE: in the line
that there is, or in a second one; and offers of fax that are refused.
"""

from e2aegw.sansio.sdp import Side
from e2aegw.sansio.terms import Terms
from e2aegw.testing import Terminal
from tests.gateway.fax import FaxPhone, datagram
from tests.gateway.telephones import CM80, REQUESTED
from tests.gateway.test_session_fax import FaxTestCase
from tests.gateway.test_session_reoffer import medias

AGREED = Terms(e2ae=frozenset({"sdes-srtp", "udptl-dtls"}))
#: What registration brought is known since the first offer.
NO_TERMS = Terms()


class ChangeTestCase(FaxTestCase):
    """
    A call with voice, between terminals that have fax, too.
    """

    def setUp(self) -> None:
        """
        Call.
        """
        super().setUp()
        self.ear = Terminal(self.network, "198.51.100.7", suites=(CM80,), lines=REQUESTED)
        self.mouth = Terminal(self.network, "203.0.113.7")
        offer = self.result(self.session.offer(self.ear.offer(), Side.ACCESS, AGREED))
        self.ear.accept(self.result(self.session.answer(self.mouth.answer(offer), AGREED)))
        self.assertVoice()
        self.ue.setup = "active"

    def assertVoice(self) -> None:
        """
        Voice passes both ways, protected from and to the UE.
        """
        for one, other in ((self.ear, self.mouth), (self.mouth, self.ear)):
            sent = one.sendMedia()
            self.network.flush()
            self.assertEqual(other.received[-1:], [sent])

    def faxOffered(self, *before: str) -> str:
        """
        The core, which is called and hears a fax, offers T.38.

        @return: what the UE gets.
        """
        text = self.phone.describe(*before)
        return self.result(self.session.offer(text, None, NO_TERMS, answerer=True))

    def faxAnswered(self, *before: str) -> str:
        """
        The UE takes it.

        @return: what the core gets.
        """
        self.ue.requested = False
        answer = self.result(self.session.answer(self.ue.describe(*before)))
        self.phone.accept(answer)
        return answer

    def voice(self) -> str:
        """
        The UE offers voice again, alone.

        @return: what the core gets.
        """
        offer = self.result(self.session.offer(self.ear.offer(), None, NO_TERMS))
        self.ear.accept(self.result(self.session.answer(self.mouth.answer(offer))))
        return offer


class OneLineTests(ChangeTestCase):
    """
    The line itself becomes one of fax.
    """

    def test_calledByTheCore(self) -> None:
        """
        The core offers fax where voice was; the UE gets it inside DTLS, as it
        announced; and voice comes back.
        """
        offer = self.faxOffered()
        self.assertEqual(medias(offer), [("image", True)])
        self.assertIn("UDP/TLS/UDPTL", offer)
        self.assertIn("a=3ge2ae:applied", offer)
        self.ue.accept(offer)
        answer = self.faxAnswered()
        self.assertEqual(medias(answer), [("image", True)])
        self.shakeHands()
        self.assertFax()
        self.assertProtected()
        self.assertEqual(self.gateway.portsLent, 2)
        self.assertEqual(medias(self.voice()), [("audio", True)])
        self.assertVoice()
        self.assertEqual(self.gateway.portsLent, 2)

    def test_calledByTheUE(self) -> None:
        """
        The same if the UE offers it.
        """
        offer = self.result(self.session.offer(self.ue.describe(), None, NO_TERMS))
        self.assertIn("udptl t38", offer)
        self.phone.accept(offer)
        self.ue.accept(self.result(self.session.answer(self.phone.describe())))
        self.shakeHands()
        self.assertFax()
        self.voice()
        self.assertVoice()

    def test_refusedWith488(self) -> None:
        """
        After a refusal of which the gateway hears nothing, voice goes on, and
        another offer of fax is a new one.
        """
        for _ in range(2):
            self.faxOffered()
            self.assertVoice()
        self.assertEqual(medias(self.voice()), [("audio", True)])
        self.assertVoice()
        self.assertEqual(self.gateway.portsLent, 2)

    def test_refusedWithPort0(self) -> None:
        """
        After a refusal by port 0 the next offer brings voice back.
        """
        self.ue.accept(self.faxOffered())
        answer = self.result(self.session.answer(self.ue.describe(port=0)))
        self.assertEqual(medias(answer), [("image", False)])
        self.assertNotIn("UDP/TLS", answer)
        self.assertEqual(self.gateway.portsLent, 0)
        self.voice()
        self.assertVoice()

    def test_R_11_notAnnounced(self) -> None:
        """
        What the UE announced counts for fax as for voice: without its token it
        cannot ask, and gets plain UDPTL if the core offers it.
        """
        session = self.gateway.newSession("another")
        terms = Terms(e2ae=frozenset({"sdes-srtp"}))
        self.result(session.offer(self.ear.offer(), Side.ACCESS, terms))
        self.result(session.answer(self.mouth.offer(), terms))
        self.assertIn("m=image 0 ", self.result(session.offer(self.ue.describe(), None, NO_TERMS)))
        offer = self.result(session.offer(self.phone.describe(), None, NO_TERMS, answerer=True))
        self.assertIn(" udptl t38", offer)


class RepeatedTests(FaxTestCase):
    """
    The same offer again, as a session timer has it (RFC 4028).
    """

    def test_byWhoWasCalled(self) -> None:
        """
        A UE that was called did not ask for protection up to the edge, and
        keeps it when it offers, also if the controller says again what was
        announced; nothing begins anew.
        """
        self.called()
        self.shakeHands()
        self.assertFax()
        wire = len(self.ue.wire)
        self.ue.setup = "actpass"
        offer = self.result(self.session.offer(self.ue.describe(), None, AGREED, answerer=True))
        self.assertIn(" udptl t38", offer)
        self.assertNotIn("fingerprint", offer)
        answer = self.result(self.session.answer(self.phone.describe(), AGREED))
        self.assertIn("UDP/TLS/UDPTL", answer)
        self.network.flush()
        self.assertEqual(len(self.ue.wire), wire)
        self.assertFax()

    def test_byWhoCalled(self) -> None:
        """
        The same the other way round.
        """
        self.call()
        self.shakeHands(client=False)
        self.assertFax()
        offer = self.result(self.session.offer(self.phone.describe(), None, AGREED, answerer=True))
        self.assertIn("UDP/TLS/UDPTL", offer)
        self.ue.setup = "passive"
        answer = self.result(self.session.answer(self.ue.describe(), AGREED))
        self.assertIn(" udptl t38", answer)
        self.network.flush()
        self.assertFax()


class SecondLineTests(ChangeTestCase):
    """
    Fax gets a line of its own.
    """

    def test_both(self) -> None:
        """
        Voice goes on in the first line; the second comes, goes, and comes back.
        """
        for _ in range(2):
            offer = self.faxOffered(*self.mouth.section().splitlines())
            self.assertEqual(medias(offer), [("audio", True), ("image", True)])
            self.ue.accept(offer)
            answer = self.faxAnswered(*self.ear.answerSection(offer).splitlines())
            self.assertEqual(medias(answer), [("audio", True), ("image", True)])
            self.shakeHands()
            self.assertFax()
            self.assertVoice()
            text = self.phone.describe(*self.mouth.section().splitlines(), port=0)
            offer = self.result(self.session.offer(text, None, NO_TERMS, answerer=True))
            self.assertEqual(medias(offer), [("audio", True), ("image", False)])
            text = self.ue.describe(*self.ear.answerSection(offer).splitlines(), port=0)
            self.result(self.session.answer(text))
            self.assertVoice()
            self.assertEqual(self.gateway.portsLent, 2)
            self.ue.connection = None
            self.ue.connections.clear()

    def test_insteadOfVoice(self) -> None:
        """
        The first line is off while the second is on, and the other way round.
        """
        offer = self.faxOffered("m=audio 0 RTP/AVP 0")
        self.assertEqual(medias(offer), [("audio", False), ("image", True)])
        self.ue.accept(offer)
        self.faxAnswered("m=audio 0 RTP/SAVP 0")
        self.shakeHands()
        self.assertFax()
        text = self.phone.describe(*self.mouth.section().splitlines(), port=0)
        offer = self.result(self.session.offer(text, None, NO_TERMS, answerer=True))
        self.assertEqual(medias(offer), [("audio", True), ("image", False)])
        text = self.ue.describe(*self.ear.answerSection(offer).splitlines(), port=0)
        self.mouth.accept(self.result(self.session.answer(text)))
        self.assertVoice()

    def test_refused(self) -> None:
        """
        A second line that is refused, by port 0 or altogether, leaves the
        first as it was.
        """
        section = self.mouth.section().splitlines()
        self.faxOffered(*section)
        self.assertVoice()
        offer = self.faxOffered(*section)
        text = self.ue.describe(*self.ear.answerSection(offer).splitlines(), port=0)
        answer = self.result(self.session.answer(text))
        self.assertEqual(medias(answer), [("audio", True), ("image", False)])
        self.assertVoice()
        self.assertEqual(self.gateway.portsLent, 2)


class PlainTests(ChangeTestCase):
    """
    The UE has no DTLS.
    """

    def test_R_07_answeredInTheClear(self) -> None:
        """
        A UE that announced DTLS and answers without gets nothing in the clear.
        """
        self.faxOffered()
        plain = FaxPhone(self.network, "198.51.100.8")
        answer = self.result(self.session.answer(plain.describe()))
        self.assertEqual(medias(answer), [("image", False)])
        plain.remote = ("198.51.100.1", 30004)
        plain.send(datagram(1))
        self.network.flush()
        self.assertEqual(self.phone.received, [])
        self.assertEqual(plain.received, [])
