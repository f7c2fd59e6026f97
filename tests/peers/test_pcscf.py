"""
The manual's P-CSCF, between UEs that register and a core that does not know
of protected media.
"""

import json
import re

from tests.peers import baresip, peers
from tests.peers.baresip import Baresip
from tests.peers.browsers import Chromium, Pages
from tests.peers.calls import AUDIBLE, BROWSER_TONE, FORGETTING, TOLERANCE
from tests.peers.deadline import until
from tests.peers.imscase import ALL, CLIENT, SIGNALLING, IMSTestCase
from tests.peers.imsue import IMSUE
from tests.peers.peers import BARESIP, CHROMIUM, JSSIP, KAMAILIO, KAMAILIO_TLS, needs
from tests.peers.phone import BrowserPhone
from tests.peers.siptelephone import SIPTelephone, header
from tests.peers.test_manual import KEY, PLAIN, PROTECTED, REQUESTING

ANSWERING = PROTECTED.replace("crypto:1", "crypto:3")


@needs(KAMAILIO, KAMAILIO_TLS)
class UETests(IMSTestCase):
    """
    UEs with SIP.
    """

    def call(
        self,
        caller: SIPTelephone,
        offer: str,
        callee: SIPTelephone,
        answer: str,
        *headers: str,
        known: int = 1,
    ) -> tuple[str, str]:
        """
        A call, begun and ended.

        @param known: how many calls the gateway knows of meanwhile.

        @return: the offer that was received, and the answer that was.
        """
        self.callID = caller.invite(callee.uri, offer, *headers)
        offered = callee.called(answer)
        answered = caller.answered()
        self.assertEqual(len(self.ng.command("list")["calls"]), known)
        caller.hangUp()
        callee.hungUp()
        caller.over()
        self.checkForgotten()
        return offered, answered

    def originate(self, ue: IMSUE) -> tuple[str, str]:
        """
        A UE that asks for protection up to the edge calls the core.
        """
        return self.call(ue, REQUESTING, self.phone(), PLAIN)

    def checkProtected(self, offer: str, answer: str) -> None:
        """
        The core got plain media, and the UE keys that are not its own.
        """
        self.assertIn(" RTP/AVP 0", offer)
        for word in ("crypto", "3ge2ae", "inline"):
            self.assertNotIn(word, offer)
        self.assertIn(" RTP/SAVP 0", answer)
        self.assertIn("a=crypto:1 ", answer)
        self.assertIn("a=3ge2ae:applied", answer)
        self.assertNotIn(KEY, answer)

    def test_R_01_stored(self) -> None:
        """
        A UE that announced SDES calls a telephone, over each transport.
        """
        for transport in ("UDP", "TCP", "TLS"):
            ue = self.ue(f"ue-{transport}", CLIENT, transport=transport)
            self.checkProtected(*self.originate(ue))

    def test_R_18_terminating(self) -> None:
        """
        A telephone calls a UE that announced SDES, over each transport.
        """
        phone = self.phone()
        for transport in ("UDP", "TCP", "TLS"):
            ue = self.ue(f"ue-{transport}", CLIENT, transport=transport)
            offer, answer = self.call(phone, PLAIN, ue, ANSWERING)
            self.assertIn(" RTP/SAVP 0", offer)
            self.assertIn("a=3ge2ae:applied", offer)
            self.assertIn("a=crypto:3 AES_CM_128_HMAC_SHA1_80", offer)
            self.assertIn(" RTP/AVP 0", answer)
            self.assertNotIn("crypto", answer)

    def test_R_02_independent(self) -> None:
        """
        A UE that announced everything but SDES, and something unknown, does not
        get SDES.
        """
        ue = self.ue("ue", "Security-Client: zrtp;mediasec, msrp-tls;mediasec;x=1, bfcp-tls ; mediasec")
        offer, _ = self.originate(ue)
        self.assertIn("m=audio 0 ", offer)
        offer, _ = self.call(self.phone(), PLAIN, ue, PLAIN)
        self.assertIn(" RTP/AVP 0", offer)
        self.assertNotIn("3ge2ae", offer)

    def test_R_02_severalHeaders(self) -> None:
        """
        The tokens may stand in several header fields, in any case.
        """
        ue = self.ue("ue", f"Security-Client: {SIGNALLING}", "security-client: SDES-SRTP;MEDIASEC")
        self.checkProtected(*self.originate(ue))

    def test_R_01_folded(self) -> None:
        """
        A header field may go on in the next line, before and behind commas and
        semicolons, and have tabs for blanks; the core gets none of it.
        """
        folds = (
            f"Security-Client: {SIGNALLING},\r\n msrp-tls;mediasec,\r\n\tsdes-srtp;mediasec",
            f"Security-Client: {SIGNALLING}\r\n , sdes-srtp\r\n ;mediasec\r\n , msrp-tls;mediasec",
            f"Security-Client:\t{SIGNALLING}\t,\tsdes-srtp\t;\tmediasec\t",
        )
        for number, each in enumerate(folds):
            self.checkProtected(*self.originate(self.ue(f"ue{number}", each)))
        for message in self.scscf.got("REGISTER"):
            self.assertNotIn("mediasec", message)
            if "Security-Client" in message:
                self.assertEqual(header(message, "Security-Client").strip(), SIGNALLING)

    def test_R_02_forked(self) -> None:
        """
        A user has two UEs, and what was agreed on with each is its own; when
        one has answered, the end of the other's call is not the end of both.
        """
        phone, able, plain = self.phone(), self.ue("user", CLIENT), self.ue("user")
        phone.invite(able.uri, PLAIN)
        self.assertIn("a=3ge2ae:applied", able.rung())
        self.assertNotIn("3ge2ae", plain.rung())
        plain.ring()
        until(lambda: len(self.ng.command("list")["calls"]) == 2, "both calls are known")
        able.accept(ANSWERING)
        self.assertIn(" RTP/AVP 0", phone.answered())
        plain.cancelled()
        until(lambda: len(self.ng.command("list")["calls"]) == 1, "the other call is forgotten", FORGETTING)
        phone.hangUp()
        able.hungUp()
        phone.over()
        self.checkForgotten()

    def test_R_03_both401And200(self) -> None:
        """
        The 401 and the 200 announce what is configured, next to what is there
        about signalling; a UE that knows nothing of it is told nothing.
        """
        ue = self.ue("ue", CLIENT)
        self.assertEqual(ue.announced(ue.challenge), ["ipsec-3gpp;q=0.1;alg=hmac-sha-1-96", ALL])
        self.assertEqual(ue.announced(ue.response), [ALL])
        other = self.ue("other")
        self.assertNotIn("mediasec", other.challenge + other.response)

    def test_R_04_core(self) -> None:
        """
        No request to the core has anything about media in its security
        agreement; what else there is stays.
        """
        required = ("Require: sec-agree, mediasec, pref", "Proxy-Require: sec-agree,mediasec")
        ue = self.ue("ue", CLIENT, *required)
        self.call(ue, REQUESTING, self.phone(), PLAIN, f"Security-Verify: {SIGNALLING}, {ALL}", *required)
        [first, second, _] = self.scscf.got("REGISTER")
        for message in (first, second):
            self.assertEqual(header(message, "Security-Client"), SIGNALLING)
        [invite] = self.scscf.got("INVITE")
        self.assertEqual(header(invite, "Security-Verify"), SIGNALLING)
        for message in (first, second, invite):
            self.assertNotIn("mediasec", message)
            self.assertEqual(header(message, "Require"), "pref")
            self.assertNotIn("Proxy-Require", message)

    def test_R_04_nothingLeft(self) -> None:
        """
        A header field that had nothing else is not there any more.
        """
        self.ue("ue", f"Security-Client: {ALL}")
        for message in self.scscf.got("REGISTER"):
            self.assertNotIn("Security-", message)

    def test_R_05_expired(self) -> None:
        """
        When a registration is over, nothing is agreed on: a request is refused,
        with an event, and a call to the UE is plain.
        """
        ue = self.ue("ue", CLIENT, expires=1)
        self.checkProtected(*self.originate(ue))
        phone = self.phone()
        until(lambda: not self.registered(ue), "the registration expires")
        offer, answer = self.call(ue, REQUESTING, phone, PLAIN)
        for each in (offer, answer):
            self.assertIn("m=audio 0 ", each)
        refused = self.event("LineRefused")
        self.assertEqual((refused["call-id"], refused["line"]), (f"{self.callID};o", 0))
        self.assertIn("not agreed on at registration", refused["reason"])

    def registered(self, ue: IMSUE) -> bool:
        """
        Whether the P-CSCF has tokens of a UE.
        """
        return self.pcscf.has("e2ae", f"udp:127.0.0.1:{ue.port}")

    def test_R_05_deregistered(self) -> None:
        """
        So it is when the UE says that it goes; it may come again.
        """
        ue = self.ue("ue", CLIENT)
        self.assertTrue(self.registered(ue))
        ue.register(CLIENT, expires=0)
        self.assertFalse(self.registered(ue))
        offer, _ = self.originate(ue)
        self.assertIn("m=audio 0 ", offer)
        ue.register(CLIENT)
        self.checkProtected(*self.originate(ue))

    def test_R_05_renewed(self) -> None:
        """
        What counts is the last registration.
        """
        ue = self.ue("ue", CLIENT)
        ue.register()
        offer, _ = self.originate(ue)
        self.assertIn("m=audio 0 ", offer)

    def test_R_07_notAnnounced(self) -> None:
        """
        A UE that announced nothing and asks all the same gets port 0, and never
        clear media.
        """
        offer, answer = self.originate(self.ue("ue"))
        for each in (offer, answer):
            self.assertIn("m=audio 0 ", each)

    def test_R_09_endToEnd(self) -> None:
        """
        Who does not ask, though it could, is protected from end to end.
        """
        phone = self.phone()
        offer, answer = self.call(self.ue("ue", CLIENT), PROTECTED, phone, PROTECTED)
        for each in (offer, answer):
            self.assertIn(" RTP/SAVP 0", each)
            self.assertIn(KEY, each)

    def test_identity(self) -> None:
        """
        The core hears who the UE is from the P-CSCF, and not from the UE; what
        the core says of a caller reaches the UE.
        """
        ue, phone = self.ue("ue", CLIENT), self.phone()
        self.call(ue, REQUESTING, phone, PLAIN, "P-Asserted-Identity: <sip:president@example.org>")
        self.assertEqual(header(phone.request, "P-Asserted-Identity"), f"<{ue.uri}>")
        self.call(phone, PLAIN, ue, ANSWERING, "P-Asserted-Identity: <sip:phone@example.org>")
        self.assertEqual(header(ue.request, "P-Asserted-Identity"), "<sip:phone@example.org>")

    def test_subscription(self) -> None:
        """
        What is told to a UE that has subscribed to something comes through its
        P-CSCF: a SUBSCRIBE begins a dialogue, too.
        """
        ue = self.ue("ue", CLIENT)
        ue.subscribe(ue.uri)
        until(lambda: self.scscf.got("SUBSCRIBE") != [], "the core gets it")
        self.assertIn(f":{self.pcscf.corePort};", header(self.scscf.got("SUBSCRIBE")[0], "Record-Route"))

    def test_refusedLater(self) -> None:
        """
        An offer within a call is refused: the call goes on, and what the
        refusal describes stays in the core.
        """
        ue, phone = self.ue("ue", CLIENT), self.phone()
        ue.invite(phone.uri, REQUESTING)
        phone.called(PLAIN)
        ue.answered()
        ue.reinvite(REQUESTING)
        phone.rung()
        phone.refuse(PLAIN)
        refusal = ue.refusal()
        self.assertEqual(header(refusal, "Content-Length"), "0")
        self.assertNotIn("Content-Type", refusal)
        self.assertEqual(len(self.ng.command("list")["calls"]), 1)
        ue.hangUp()
        phone.hungUp()
        self.checkForgotten()

    def test_lateOffer(self) -> None:
        """
        An INVITE without a description: the reply has the offer, and the ACK
        the answer.
        """
        ue, phone = self.ue("ue", CLIENT), self.phone()
        phone.invite(ue.uri, "")
        self.assertEqual(ue.called(REQUESTING), "")
        offer = phone.answered(PLAIN)
        self.assertIn(" RTP/AVP 0", offer)
        self.assertNotIn("crypto", offer)
        answer = ue.acknowledged()
        self.assertIn(" RTP/SAVP 0", answer)
        phone.hangUp()
        ue.hungUp()
        self.checkForgotten()

    def test_UEs(self) -> None:
        """
        Two UEs of one P-CSCF: the call comes by twice, each has keys of its own,
        and the core gets neither's.
        """
        ann, ben = self.ue("ann", CLIENT), self.ue("ben", CLIENT, transport="TCP")
        offer, answer = self.call(ann, REQUESTING, ben, ANSWERING, known=2)
        for each in (offer, answer):
            self.assertIn(" RTP/SAVP 0", each)
            self.assertIn("a=3ge2ae:applied", each)
            self.assertNotIn(KEY, each)
        [invite] = self.scscf.got("INVITE")
        self.assertIn(" RTP/AVP 0", invite)
        self.assertNotIn("crypto", invite)

    def test_events(self) -> None:
        """
        What happens in a call is told by its Call-ID, and is in C{query}.
        """
        ue, phone = self.ue("ue", CLIENT), self.phone()
        callID = ue.invite(phone.uri, REQUESTING)
        phone.called(PLAIN)
        ue.answered()
        told = self.event("Secured")
        self.assertEqual((told["call-id"], told["side"], told["line"]), (f"{callID};o", "access", 0))
        query = self.ng.command("query", call_id=f"{callID};o")
        self.assertIn("Secured", [each["event"] for each in query["events"]])
        self.assertNotRegex(json.dumps(query["events"]), re.escape(KEY))
        ue.hangUp()
        phone.hungUp()
        self.checkForgotten()


@needs(CHROMIUM, JSSIP, KAMAILIO, KAMAILIO_TLS, BARESIP)
class BrowserTests(IMSTestCase):
    """
    A browser, and a telephone in the core.
    """

    def test_calls(self) -> None:
        """
        Each calls the other, and the browser hears the telephone.
        """
        pages = Pages(peers.PAGE)
        self.addCleanup(pages.end)
        telephone = Baresip(self.directory / "baresip", self.scscf.domain, "bob")
        self.addCleanup(telephone.end)
        browser = Chromium(self.directory, f"{pages.url}index.html")
        self.addCleanup(browser.end)
        phone = BrowserPhone(
            browser, self.pcscf.webSocketPort, f"sip:alice@{self.scscf.domain}", BROWSER_TONE
        )

        def hears() -> bool:
            hertz, level = phone.hears()
            return level > AUDIBLE and abs(hertz - baresip.TONE) < TOLERANCE

        def situation() -> str:
            outputs = "".join(each.output()[-3000:] for each in (self.pcscf, self.scscf, telephone))
            return f"{phone.log()} {phone.statistics()}\n{outputs}"

        phone.call(telephone.uri)
        until(hears, "the browser hears the telephone that it called", explain=situation)
        phone.hangUp()
        self.checkForgotten()
        until(lambda: not hears(), "silence")
        telephone.call(phone.uri)
        until(hears, "the browser hears the telephone that called", explain=situation)
        telephone.hangUp()
        self.checkForgotten()
