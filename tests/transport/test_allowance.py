"""
How many handshakes a line can be made to begin.
"""

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from e2aegw.transport.allowance import MAX_HANDSHAKES, PERIOD, Allowance


class AllowanceTests(SynchronousTestCase):
    """
    An allowance, and strangers who spend it.
    """

    def setUp(self) -> None:
        """
        All is spent that strangers may spend.
        """
        self.clock = Clock()
        self.allowance = Allowance(self.clock.seconds)
        for _ in range(MAX_HANDSHAKES):
            self.assertTrue(self.allowance.permits(False))
            self.allowance.spend()

    def test_signalled(self) -> None:
        """
        Who comes from where the description says has as much again.
        """
        self.assertFalse(self.allowance.permits(False))
        for _ in range(MAX_HANDSHAKES):
            self.assertTrue(self.allowance.permits(True))
            self.allowance.spend()
        self.assertFalse(self.allowance.permits(True))

    def test_forgets(self) -> None:
        """
        After a while all of it is there again.
        """
        self.clock.advance(PERIOD - 0.001)
        self.assertFalse(self.allowance.permits(False))
        self.clock.advance(0.001)
        self.assertTrue(self.allowance.permits(False))

    def test_described(self) -> None:
        """
        So it is with a new description.
        """
        self.allowance.renew()
        self.assertTrue(self.allowance.permits(False))
