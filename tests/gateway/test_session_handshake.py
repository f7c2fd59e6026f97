"""
Handshakes that do not go as they should, on the memory network.
"""

from e2aegw.gateway.config import LimitsTable
from e2aegw.sansio.events import HandshakeFailed
from tests.gateway.test_session_dtls import BrowserTestCase


class TimerTests(BrowserTestCase):
    """
    The timers of a handshake.
    """

    limits = LimitsTable(media_timeout=0, silent_timeout=0, offer_timeout=0)

    def test_oneTimer(self) -> None:
        """
        A browser that does not answer is asked again, by one timer, and that
        goes with the call.
        """
        self.call()
        self.network.lose = lambda data, source, destination: 20 <= data[0] <= 63
        self.browser.check()
        self.network.flush()
        for _ in range(5):
            self.clock.advance(1.5)
            self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.session.close()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_givesUp(self) -> None:
        """
        In the end the stream has failed, and there is no timer.
        """
        self.call()
        self.network.lose = lambda data, source, destination: 20 <= data[0] <= 63
        self.browser.check()
        self.network.flush()
        self.network.advance(40)
        self.assertEqual([event.reason for event in self.happened(HandshakeFailed)], ["timeout"])
        self.assertEqual(self.clock.getDelayedCalls(), [])
