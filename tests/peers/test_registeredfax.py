"""
Pages of fax of a UE that registered: through the manual's P-CSCF, with DTLS up
to the gateway and plain UDPTL in the core.
"""

from typing import Any

from tests.peers.ims import PCSCF, SCSCF
from tests.peers.imsue import IMSUE
from tests.peers.kamailio import node
from tests.peers.peers import KAMAILIO, KAMAILIO_TLS, OPENSSL, SPANDSP, TIFFCP, needs
from tests.peers.siptelephone import SIPTelephone
from tests.peers.test_fax import DTLSTestCase


@needs(KAMAILIO, KAMAILIO_TLS, SPANDSP, TIFFCP, OPENSSL)
class RegisteredFaxTests(DTLSTestCase):
    """
    A UE that announced C{udptl-dtls}, and a fax machine in the core.
    """

    def setUp(self) -> None:
        """
        Register both.
        """
        super().setUp()
        self.scscf = SCSCF(self.directory / "scscf")
        self.addCleanup(self.scscf.end)
        self.pcscf = PCSCF(self.directory / "pcscf", node(self.gateway.ngPort), self.scscf)
        self.addCleanup(self.pcscf.end)
        self.ue = IMSUE(self.pcscf.sipPort, "ue", self.scscf.domain, "TCP")
        self.addCleanup(self.ue.close)
        self.ue.register("Security-Client: tls, udptl-dtls;mediasec")
        self.phone = SIPTelephone(self.scscf.sipPort, "fax")
        self.addCleanup(self.phone.close)
        self.phone.register()

    def ask(self, command: str, sdp: str, **keys: Any) -> str:
        """
        What comes of a description on its way from one to the other.
        """
        if command == "answer":
            self.callee.accept(sdp)
            return self.caller.answered()
        originating = keys["direction"] == ["access", "core"]
        self.caller: SIPTelephone = self.ue if originating else self.phone
        self.callee: SIPTelephone = self.phone if originating else self.ue
        callID = self.caller.invite(self.callee.uri, sdp)
        offer = self.callee.rung()
        # What it is to the gateway: the passage to a UE has the branch in it.
        [self.callID] = [each for each in self.ng.command("list")["calls"] if each.startswith(f"{callID};")]
        return offer

    def secured(self) -> bool:
        """
        Whether the handshake is done, as C{query} tells.
        """
        events = self.ng.command("query", call_id=self.callID)["events"]
        return "Secured" in [event["event"] for event in events]

    def hangUp(self) -> None:
        """
        End the call.
        """
        self.caller.hangUp()
        self.callee.hungUp()
        self.caller.over()

    def test_R_57_registeredUECalls(self) -> None:
        """
        The UE calls, and its page arrives.
        """
        self.call("active")
        self.assertFax(self.client())
        self.hangUp()

    def test_R_58_registeredUEIsCalled(self) -> None:
        """
        The UE is called, and gets a page.
        """
        self.called("active")
        self.assertFax(self.client(), toCore=False)
        self.hangUp()

    def test_R_33_registeredUEWithAnother(self) -> None:
        """
        It has another certificate than it said: the event, and no page.
        """
        self.call("active", "sha-256 " + ":".join(["AB"] * 32))
        self.client()
        self.assertRefused("fingerprint mismatch")
        self.hangUp()

    def test_R_34_registeredUEWithNone(self) -> None:
        """
        It has none.
        """
        self.call("active")
        self.client(shown=False)
        self.assertRefused("no certificate")
        self.hangUp()

    def test_R_40_registeredUEWithDTLS10(self) -> None:
        """
        It has nothing better than DTLS 1.0, be it that it is called.
        """
        self.called("active")
        self.client("-dtls1", "-cipher", "ALL:@SECLEVEL=0")
        self.assertRefused("")
        self.hangUp()
