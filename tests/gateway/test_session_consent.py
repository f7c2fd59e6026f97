"""
Whether a browser still wants what it is sent (RFC 7675).
"""

from itertools import pairwise

from aioice import stun

from e2aegw.gateway.config import LimitsTable, PolicyTable
from e2aegw.sansio.events import ConsentLost
from e2aegw.sansio.ice import CONSENT_EXPIRY
from tests.gateway.test_session_dtls import BrowserTestCase


class ConsentTests(BrowserTestCase):
    """
    A gateway that checks for itself.
    """

    policy = PolicyTable(consent=True)
    limits = LimitsTable(media_timeout=0)

    def setUp(self) -> None:
        """
        A call, and a browser that answers checks as long as it consents.
        """
        super().setUp()
        self.call()
        self.connect()
        self.checks: list[tuple[float, bytes]] = []
        self.consents = True
        self.code = 0
        self.answering = self.browser.port
        receive = self.browser._receive

        def received(data: bytes, source: tuple[str, int]) -> None:
            if data[0] >= 4 or stun.parse_message(data).message_class is not stun.Class.REQUEST:
                receive(data, source)
                return
            self.checks.append((self.clock.seconds(), data))
            if self.consents:
                request = stun.parse_message(data)
                kind = stun.Class.ERROR if self.code else stun.Class.RESPONSE
                response = stun.Message(stun.Method.BINDING, kind, request.transaction_id)
                if self.code:
                    response.attributes["ERROR-CODE"] = (self.code, "Forbidden")
                else:
                    response.attributes["XOR-MAPPED-ADDRESS"] = source
                response.add_message_integrity(b"browserbrowserbrowserbr")
                self.answering.sendto(bytes(response), source)

        self.browser.port.close()
        self.answering = self.browser.port = self.network.bind(("192.0.2.9", 50000), received)

    def wait(self, seconds: float) -> None:
        """
        Let time pass.
        """
        for _ in range(int(seconds * 10)):
            self.clock.advance(0.1)
            self.network.flush()

    def sent(self) -> bool:
        """
        Whether the telephone's media reaches the browser.
        """
        count = len(self.browser.received)
        self.phone.sendMedia()
        self.network.flush()
        return len(self.browser.received) > count

    def test_R_104_spacing(self) -> None:
        """
        The gateway asks every 4 to 6 seconds, and media goes on as long as
        there is an answer.
        """
        self.wait(120)
        times = [at for at, _ in self.checks]
        gaps = [after - before for before, after in pairwise(times)]
        self.assertGreaterEqual(min(gaps), 4.0 - 1e-6)
        self.assertLessEqual(max(gaps), 6.0 + 0.1)
        self.assertGreater(max(gaps) - min(gaps), 0.5)
        self.assertEqual(self.happened(ConsentLost), [])
        self.assertTrue(self.sent())

    def test_R_104_expires(self) -> None:
        """
        Without an answer for 30 seconds nothing is sent to the browser any
        more, and observers know.
        """
        self.wait(12)
        self.consents = False
        self.wait(CONSENT_EXPIRY - 7)
        self.assertTrue(self.sent())
        self.wait(8)
        [event] = self.happened(ConsentLost)
        self.assertEqual((event.side, event.line, event.remote), ("access", 0, "192.0.2.9:50000"))
        count = len(self.checks)
        self.assertFalse(self.sent())
        self.wait(20)
        self.assertEqual(len(self.checks), count)
        counters = self.session.report().parties[0].medias[0].streams[0].counters
        self.assertGreater(counters["unsent no destination"], 0)

    def test_R_104_revoked(self) -> None:
        """
        An answer that forbids it (403) ends it at once.
        """
        self.code = 403
        self.wait(6.2)
        self.assertEqual(len(self.happened(ConsentLost)), 1)
        self.assertFalse(self.sent())


class NoConsentTests(BrowserTestCase):
    """
    A gateway that need not check, because it is the lite agent.
    """

    limits = LimitsTable(media_timeout=0)

    def test_R_104_off(self) -> None:
        """
        It asks nobody, and goes on sending.
        """
        self.call()
        self.connect()
        seen = self.record()
        self.clock.advance(CONSENT_EXPIRY * 3)
        self.network.flush()
        self.assertEqual(seen, [])
        self.assertMedia()
