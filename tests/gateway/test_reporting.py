"""
Tests for L{e2aegw.gateway.reporting}.
"""

from twisted.trial.unittest import SynchronousTestCase

from e2aegw.gateway.reporting import MAX_EVENTS, MAX_TOLD, WINDOW, History
from e2aegw.sansio.events import ChannelRefused, HandshakeFailed


class HistoryTests(SynchronousTestCase):
    """
    What is told of a call in which a party does something all the time.
    """

    def test_flood(self) -> None:
        """
        Of what happens all the time only the first is told, for a while;
        other things still are.
        """
        history = History()
        flood = ChannelRefused(stream=1, label="", protocol="").placed("access", 0)
        told = [history.note(1000.0, flood) for _ in range(10 * MAX_TOLD)]
        self.assertEqual(sum(told), MAX_TOLD)
        failed = HandshakeFailed(protocol="DTLS", reason="x", expected="", presented="").placed("access", 0)
        self.assertTrue(history.note(1001.0, failed))
        self.assertTrue(history.note(1001.0, flood.placed("core", 0)))
        self.assertEqual(len(history.told()), MAX_EVENTS)
        self.assertIn((1001.0, failed), history.told())
        self.assertFalse(history.note(1000.0 + WINDOW - 1, flood))
        self.assertTrue(history.note(1000.0 + WINDOW, flood))

    def test_clockSetBack(self) -> None:
        """
        When somebody sets the clock back, events are told again.
        """
        history = History()
        flood = ChannelRefused(stream=1, label="", protocol="")
        for _ in range(2 * MAX_TOLD):
            history.note(1000.0, flood)
        self.assertTrue(history.note(10.0, flood))
