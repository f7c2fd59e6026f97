"""
Tests for what becomes of a DTLS handshake whose certificate somebody judges.
"""

from twisted.trial.unittest import SynchronousTestCase

from e2aegw.sansio.dtls import Established, Failed
from tests.sansio.dtlspeer import ENDPOINT, THEIR_DER, Peer, events, shake


class JudgeTests(SynchronousTestCase):
    """
    Certificates that are right, and that are not.
    """

    def test_R_33_judged(self) -> None:
        """
        Whoever shows a certificate that somebody is against, in either role,
        hears of it instead of the handshake's end.
        """
        for client in (False, True):
            asked: list[bytes] = []

            def judge(certificate: bytes, asked: list[bytes] = asked) -> bool:
                asked.append(certificate)
                return False

            association, peer = ENDPOINT.connect(client=client, judge=judge), Peer(client=not client)
            shake(association, peer)
            self.assertEqual(set(asked), {THEIR_DER})
            self.assertEqual(events(association), [Failed("fingerprint mismatch", THEIR_DER)])
            self.assertFalse(peer.done)
            self.assertIn("alert bad certificate", str(peer.error))

    def test_R_33_allowed(self) -> None:
        """
        A certificate that the judge allows is one, and each association has a
        judge of its own.
        """
        for client in (False, True):
            refused = ENDPOINT.connect(client=client, judge=lambda certificate: False)
            allowed = ENDPOINT.connect(client=client, judge=lambda certificate: certificate == THEIR_DER)
            for association in (refused, allowed):
                shake(association, Peer(client=not client))
            self.assertEqual(events(allowed), [Established(THEIR_DER)])
            self.assertFalse(refused.established)
