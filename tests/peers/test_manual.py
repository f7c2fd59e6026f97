"""
The manual's configuration of Kamailio, as it stands there.
"""

import re
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.peers import baresip, peers
from tests.peers.baresip import Baresip
from tests.peers.browsers import Chromium, Pages
from tests.peers.calls import AUDIBLE, BROWSER_TONE, FORGETTING, TOLERANCE
from tests.peers.deadline import until
from tests.peers.gateway import Gateway
from tests.peers.kamailio import Kamailio, node
from tests.peers.ng import NG
from tests.peers.peers import BARESIP, CHROMIUM, JSSIP, KAMAILIO, needs
from tests.peers.phone import BrowserPhone
from tests.peers.siptelephone import SIPTelephone, header

EXAMPLE = Path(__file__).resolve().parent.parent.parent / "docs" / "examples" / "kamailio.cfg"

KEY = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz"
ANNOUNCEMENT = "Security-Client: ipsec-3gpp;alg=hmac-sha-1-96, sdes-srtp;mediasec, msrp-tls;mediasec"


class ExampleKamailio(Kamailio):
    """
    Kamailio with the manual's configuration, on ports that are free.
    """

    def configuration(self, nodes: str, *flags: str) -> str:
        """
        The file, with other ports and another gateway.
        """
        text = EXAMPLE.read_text()
        for old, new in (
            ("udp:127.0.0.1:5060", f"udp:127.0.0.1:{self.sipPort}"),
            ("tcp:127.0.0.1:8088", f"tcp:127.0.0.1:{self.webSocketPort}"),
            ("udp:127.0.0.1:2223", nodes),
        ):
            before, found, after = text.partition(old)
            if not found or old in after:
                raise AssertionError(f"{old} does not stand once in {EXAMPLE}")
            text = before + new + after
        return text


def description(proto: str, *lines: str) -> str:
    """
    What a telephone says.
    """
    section = (f"m=audio 9000 {proto} 0", "c=IN IP4 127.0.0.1", *lines)
    return "\r\n".join(("v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0", *section, ""))


PLAIN = description("RTP/AVP")
CRYPTO = f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}"
PROTECTED = description("RTP/SAVP", CRYPTO)
REQUESTING = description("RTP/SAVP", CRYPTO, "a=3ge2ae:requested")


class ManualTestCase(SynchronousTestCase):
    """
    The gateway, and Kamailio in front of it.
    """

    def setUp(self) -> None:
        """
        Start both.
        """
        directory = tempfile.TemporaryDirectory(prefix="e2aegw-")
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        self.gateway = Gateway(self.directory / "gateway")
        self.addCleanup(self.gateway.end)
        self.ng = NG(self.gateway.ngPort)
        self.addCleanup(self.ng.close)
        self.kamailio = ExampleKamailio(self.directory, node(self.gateway.ngPort))
        self.addCleanup(self.kamailio.end)

    def checkForgotten(self) -> None:
        """
        Check that the gateway knows of no call any more.
        """
        until(lambda: self.ng.command("list")["calls"] == [], "the call is forgotten", FORGETTING)


@needs(KAMAILIO)
class TelephoneTests(ManualTestCase):
    """
    UEs with SDES, and plain telephones.
    """

    def telephone(self, user: str, *headers: str) -> SIPTelephone:
        """
        One that is registered.
        """
        telephone = SIPTelephone(self.kamailio.sipPort, user)
        self.addCleanup(telephone.close)
        self.response = telephone.register(*headers)
        return telephone

    def call(
        self, caller: SIPTelephone, offer: str, callee: SIPTelephone, answer: str, known: int = 1
    ) -> tuple[str, str]:
        """
        A call, begun and ended.

        @param known: how many calls the gateway knows of meanwhile.

        @return: the offer that was received, and the answer that was.
        """
        caller.invite(callee.uri, offer)
        offered = callee.called(answer)
        answered = caller.answered()
        self.assertEqual(len(self.ng.command("list")["calls"]), known)
        caller.hangUp()
        callee.hungUp()
        self.checkForgotten()
        return offered, answered

    def test_registration(self) -> None:
        """
        A UE that announces SDES is told that the network has it, and one that
        does not is told nothing.
        """
        self.telephone("ue", ANNOUNCEMENT)
        self.assertEqual(header(self.response, "Security-Server"), "sdes-srtp;mediasec")
        self.telephone("phone")
        self.assertNotIn("Security-Server", self.response)

    def test_UECalls(self) -> None:
        """
        A UE that asks for protection up to the edge calls a plain telephone.
        """
        ue, phone = self.telephone("ue", ANNOUNCEMENT), self.telephone("phone")
        offer, answer = self.call(ue, REQUESTING, phone, PLAIN)
        self.assertIn(" RTP/AVP 0", offer)
        self.assertNotIn("crypto", offer)
        self.assertIn(" RTP/SAVP 0", answer)
        self.assertIn("a=3ge2ae:applied", answer)
        self.assertNotIn(KEY, answer)

    def test_UEIsCalled(self) -> None:
        """
        A plain telephone calls a UE, which is offered what it announced.
        """
        ue, phone = self.telephone("ue", ANNOUNCEMENT), self.telephone("phone")
        offer, answer = self.call(phone, PLAIN, ue, PROTECTED.replace("crypto:1", "crypto:3"))
        self.assertIn(" RTP/SAVP 0", offer)
        self.assertIn("a=3ge2ae:applied", offer)
        self.assertIn("a=crypto:3 AES_CM_128_HMAC_SHA1_80", offer)
        self.assertIn(" RTP/AVP 0", answer)

    def test_notAnnounced(self) -> None:
        """
        Whoever announced nothing is a plain telephone, whatever it says: its
        keys are its own and the other end's.
        """
        ue, phone = self.telephone("ue"), self.telephone("phone")
        offer, _ = self.call(ue, REQUESTING, phone, PLAIN, known=0)
        self.assertEqual(offer, REQUESTING)

    def test_lateOffer(self) -> None:
        """
        An INVITE without a description: the reply has the offer, and the ACK
        the answer.
        """
        ue, phone = self.telephone("ue", ANNOUNCEMENT), self.telephone("phone")
        phone.invite(ue.uri, "")
        self.assertEqual(ue.called(REQUESTING), "")
        offer = phone.answered(PLAIN)
        self.assertIn(" RTP/AVP 0", offer)
        self.assertNotIn("crypto", offer)
        answer = ue.acknowledged()
        self.assertIn(" RTP/SAVP 0", answer)
        self.assertIn("a=crypto:1 ", answer)
        phone.hangUp()
        ue.hungUp()
        self.checkForgotten()

    def test_refused(self) -> None:
        """
        An INVITE whose description the gateway cannot read goes nowhere.
        """
        ue, phone = self.telephone("ue", ANNOUNCEMENT), self.telephone("phone")
        ue.invite(phone.uri, REQUESTING.replace("v=0", "v=1"))
        self.assertEqual(ue.refused(), "SIP/2.0 488 Not Acceptable Here")
        self.checkForgotten()

    def test_refusedLater(self) -> None:
        """
        An offer within a call is refused, and the call goes on.
        """
        ue, telephone = self.telephone("ue", ANNOUNCEMENT), self.telephone("telephone")
        ue.invite(telephone.uri, REQUESTING)
        telephone.called(PLAIN)
        ue.answered()
        ue.reinvite(REQUESTING)
        telephone.rung()
        telephone.refuse(PLAIN)
        ue.refused()
        self.assertEqual(len(self.ng.command("list")["calls"]), 1)
        ue.hangUp()
        telephone.hungUp()
        self.checkForgotten()

    def test_UEs(self) -> None:
        """
        Two UEs have keys of their own each.
        """
        ue, other = self.telephone("ue", ANNOUNCEMENT), self.telephone("other", ANNOUNCEMENT)
        offer, answer = self.call(ue, REQUESTING, other, PROTECTED.replace("crypto:1", "crypto:3"))
        for each in (offer, answer):
            self.assertIn(" RTP/SAVP 0", each)
            self.assertRegex(each, r"a=crypto:\d AES_CM_128_HMAC_SHA1_80")
            self.assertNotIn(KEY, each)


@needs(CHROMIUM, JSSIP, KAMAILIO, BARESIP)
class BrowserTests(ManualTestCase):
    """
    A browser and a plain telephone.
    """

    def setUp(self) -> None:
        """
        Bring both.
        """
        super().setUp()
        pages = Pages(peers.PAGE)
        self.addCleanup(pages.end)
        self.baresip = Baresip(self.directory / "baresip", self.kamailio.domain, "bob")
        self.addCleanup(self.baresip.end)
        browser = Chromium(self.directory, f"{pages.url}index.html")
        self.addCleanup(browser.end)
        self.phone = BrowserPhone(
            browser, self.kamailio.webSocketPort, f"sip:alice@{self.kamailio.domain}", BROWSER_TONE
        )

    def hears(self) -> bool:
        """
        Whether the browser hears the telephone.
        """
        hertz, level = self.phone.hears()
        return level > AUDIBLE and abs(hertz - baresip.TONE) < TOLERANCE

    def situation(self) -> str:
        """
        What helps to understand why there is no media.
        """
        calls = [self.ng.command("query", call_id=name) for name in self.ng.command("list")["calls"]]
        outputs = "".join(each.output()[-3000:] for each in (self.kamailio, self.baresip))
        return f"{self.phone.log()} {self.phone.statistics()} {calls}\n{outputs}"

    def test_browserCalls(self) -> None:
        """
        The browser calls the telephone and hangs up.
        """
        self.phone.call(self.baresip.uri)
        until(self.hears, "the browser hears the telephone", explain=self.situation)
        self.assertEqual(len(self.ng.command("list")["calls"]), 1)
        self.phone.hangUp()
        self.checkForgotten()

    def test_telephoneCalls(self) -> None:
        """
        The telephone calls the browser and hangs up.
        """
        self.baresip.call(self.phone.uri)
        until(self.hears, "the browser hears the telephone", explain=self.situation)
        self.assertEqual(len(re.findall(r"a=ice-lite", self.phone.remoteDescription())), 1)
        self.baresip.hangUp()
        self.checkForgotten()
