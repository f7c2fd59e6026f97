"""
Calls that nobody ends, and those that somebody does.
"""

from typing import Any

from twisted.python.failure import Failure

from e2aegw.errors import UsageError
from e2aegw.gateway.config import LimitsTable
from e2aegw.sansio.events import Event, LineRefused, MediaStarted, PathSettled, Secured
from e2aegw.sansio.sdp import Side
from tests.gateway.telephones import CallTestCase


class TimeoutTests(CallTestCase):
    """
    Calls that nobody ends.
    """

    limits = LimitsTable(calls=2, media_timeout=30, silent_timeout=300, offer_timeout=120)

    def wait(self, seconds: int) -> None:
        """
        Let time pass.
        """
        for _ in range(seconds):
            self.clock.advance(1)

    def test_longRinging(self) -> None:
        """
        A call that rang for longer than media may be silent has all of that
        time from its answer on.
        """
        offer = self.result(self.session.offer(self.ue.offer(), Side.ACCESS))
        self.wait(100)
        self.ue.accept(self.result(self.session.answer(self.phone.answer(offer))))
        self.wait(20)
        self.assertFalse(self.session.closed)
        self.assertMedia()
        self.wait(20)
        self.assertFalse(self.session.closed)

    def test_longHold(self) -> None:
        """
        So has a call that was on hold.
        """
        self.ue.direction = "inactive"
        self.call()
        self.wait(200)
        self.ue.direction = "sendrecv"
        self.call()
        self.wait(20)
        self.assertFalse(self.session.closed)
        self.wait(30)
        self.assertTrue(self.session.closed)

    def test_mistake(self) -> None:
        """
        A call whose packets cannot be counted does not keep the others alive.
        """
        self.call()
        other = self.gateway.newSession("other")

        def fail() -> int:
            raise ZeroDivisionError

        other.packets = fail  # type: ignore[method-assign]
        self.wait(60)
        self.assertTrue(self.session.closed)
        self.assertGreater(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class EndTests(CallTestCase):
    """
    The end of calls.
    """

    def test_stopService(self) -> None:
        """
        When the gateway stops, calls end, those in which something fails
        included.
        """
        second = self.gateway.newSession("second")
        for session in (self.session, second):
            self.result(session.offer(self.ue.offer(), Side.ACCESS))

        def fail(reason: Failure) -> None:
            raise ZeroDivisionError

        pipeline: Any = self.session.streams[0].pipeline
        pipeline.legs[0].adapter.connectionLost = fail
        self.gateway.stopService()
        self.assertEqual((self.session.closed, second.closed), (True, True))
        self.assertEqual(self.gateway.portsLent, 0)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def closeOn(self, kind: type[Event]) -> None:
        """
        End the call when that happens.
        """
        closing = self.session

        class Closer:
            def happened(self, session: Any, event: Event) -> None:
                if isinstance(event, kind):
                    closing.close()

        self.gateway._observers.append(Closer())

    def test_observerCloses(self) -> None:
        """
        An observer may end a call when it hears of a packet.
        """
        for kind in (MediaStarted, PathSettled):
            self.closeOn(kind)
            self.call()
            self.ue.sendMedia()
            self.phone.sendMedia()
            self.network.flush()
            self.assertTrue(self.session.closed)
            self.assertEqual(self.gateway.portsLent, 0)
            self.session = self.gateway.newSession("next")

    def test_observerClosesInTheMiddle(self) -> None:
        """
        And in the middle of an offer, and then nothing comes of it.
        """
        for kind in (LineRefused, Secured):
            self.closeOn(kind)
            refused = "m=audio 9 RTP/WEIRD 0\r\n"
            offered = self.session.offer(self.ue.offer() + refused + self.ue.section(), Side.ACCESS)
            self.failureResultOf(offered, UsageError)
            self.assertEqual(self.gateway.portsLent, 0)
            self.session = self.gateway.newSession("next")
