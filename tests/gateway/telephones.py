"""
A UE and a telephone, and a call between them.
"""

from typing import ClassVar

from e2aegw.gateway.session import Session
from e2aegw.sansio.sdp import Side
from e2aegw.sansio.terms import Terms
from e2aegw.testing import Terminal
from tests.gateway.fixture import GatewayTestCase

CM80, CM32 = "AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32"
GCM128, GCM256 = "AEAD_AES_128_GCM", "AEAD_AES_256_GCM"
NO_TERMS = Terms()
REQUESTED = ("3ge2ae:requested",)


class CallTestCase(GatewayTestCase):
    """
    A UE on the access side calls somebody on the core side.
    """

    suites: ClassVar[tuple[str, ...]] = (CM80,)

    def setUp(self) -> None:
        """
        Bring the telephones.
        """
        super().setUp()
        self.ue = Terminal(self.network, "198.51.100.7", suites=self.suites, lines=REQUESTED)
        self.phone = Terminal(self.network, "203.0.113.7")
        self.addCleanup(self.ue.close)
        self.addCleanup(self.phone.close)
        self.session: Session = self.gateway.newSession("call")

    def call(self, terms: Terms = NO_TERMS) -> tuple[str, str]:
        """
        Offer and answer.

        @return: the offer that the core got, the answer that the UE got.
        """
        offer = self.result(self.session.offer(self.ue.offer(), Side.ACCESS, terms))
        answer = self.result(self.session.answer(self.phone.answer(offer), terms))
        self.ue.accept(answer)
        return offer, answer

    def called(self, terms: Terms) -> tuple[str, str]:
        """
        The core calls the UE.
        """
        offer = self.result(self.session.offer(self.phone.offer(), Side.CORE, terms))
        answer = self.result(self.session.answer(self.ue.answer(offer), terms))
        self.phone.accept(answer)
        return offer, answer

    def assertMedia(self) -> None:
        """
        Media and reports pass in both directions.
        """
        for one, other in ((self.ue, self.phone), (self.phone, self.ue)):
            one.sendMedia()
            report = one.sendReport()
            packet = one.sendMedia()
            self.network.flush()
            self.assertEqual(other.received[-1], packet)
            self.assertEqual(other.receivedControl[-1], report)
        self.assertEqual((self.ue.refused, self.phone.refused), (0, 0))
