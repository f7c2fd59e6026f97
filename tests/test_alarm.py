"""
L{e2aegw.alarm}.
"""

from math import nextafter
from weakref import ref

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from e2aegw.alarm import Alarm


class RunningClock(Clock):
    """
    A clock that goes on while it is looked at.
    """

    def seconds(self) -> float:
        """
        See C{IReactorTime}.
        """
        self.rightNow += 1e-6
        return self.rightNow


class AlarmTests(SynchronousTestCase):
    """
    An alarm.
    """

    def setUp(self) -> None:
        """
        An alarm that is not set.
        """
        self.clock = Clock()
        self.rung: list[float] = []
        self.alarm = Alarm(self.clock)

    def test_goesOffOnce(self) -> None:
        """
        It goes off at its time, once.
        """
        self.alarm.set(2.0, self.rung.append)
        self.assertTrue(self.alarm.isSet)
        self.clock.pump([1.0, 1.0, 5.0])
        self.assertEqual(self.rung, [2.0])
        self.assertFalse(self.alarm.isSet)

    def test_earlier(self) -> None:
        """
        Set to an earlier time, it goes off then.
        """
        self.alarm.set(2.0, self.rung.append)
        self.alarm.set(1.0, self.rung.append)
        self.clock.pump([1.0, 5.0])
        self.assertEqual(self.rung, [1.0])

    def test_later(self) -> None:
        """
        Set to a later time, it costs no other call, and goes off early.
        """
        self.alarm.set(1.0, self.rung.append)
        (call,) = self.clock.getDelayedCalls()
        self.alarm.set(1.0, self.rung.append)
        self.alarm.set(2.0, self.rung.append)
        self.assertEqual(self.clock.getDelayedCalls(), [call])
        self.clock.pump([1.0, 5.0])
        self.assertEqual(self.rung, [1.0])

    def test_sameTimeWhileTheClockRuns(self) -> None:
        """
        On a clock that has gone on while the call was made, the time that was
        set before is still the same time.
        """
        clock = RunningClock()
        alarm = Alarm(clock)
        alarm.set(30.0, self.rung.append)
        calls = clock.getDelayedCalls()
        alarm.set(30.0, self.rung.append)
        self.assertEqual(clock.getDelayedCalls(), calls)

    def test_inThePast(self) -> None:
        """
        A time that is over is now.
        """
        self.clock.advance(5.0)
        self.alarm.set(1.0, self.rung.append)
        self.clock.advance(0.0)
        self.assertEqual(self.rung, [5.0])

    def test_behind(self) -> None:
        """
        Where a call comes a last digit too early, what rings is told the time
        that it wanted.
        """
        self.alarm.set(0.3, self.rung.append)
        (call,) = self.clock.calls
        call.time = self.clock.rightNow = nextafter(0.3, 0.0)
        self.clock.advance(0.0)
        self.assertEqual(self.rung, [0.3])

    def test_again(self) -> None:
        """
        What rings may set it again.
        """

        def ring(now: float) -> None:
            self.rung.append(now)
            self.alarm.set(now + 1.0, ring)

        self.alarm.set(1.0, ring)
        self.clock.pump([1.0, 1.0, 1.0])
        self.assertEqual(self.rung, [1.0, 2.0, 3.0])

    def test_stop(self) -> None:
        """
        Stopped, or set to no time, it does not go off.
        """
        self.alarm.stop()
        for stop in (self.alarm.stop, lambda: self.alarm.set(None, self.rung.append)):
            self.alarm.set(1.0, self.rung.append)
            stop()
            self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.rung, [])

    def test_noCircle(self) -> None:
        """
        One that is not set any more keeps nobody alive.
        """
        rung: set[float] = set()
        told = ref(rung)
        self.alarm.set(1.0, rung.add)
        del rung
        self.assertIsNotNone(told())
        self.clock.advance(1.0)
        self.assertIsNone(told())
