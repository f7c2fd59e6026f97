"""
The one time at which something next has to be done.
"""

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IDelayedCall


class Alarm:
    """
    Calls a function at a time that changes often.

    Most deadlines move on with every packet.  To call too early now and then,
    for the function to look and set it anew, costs less than another
    C{callLater} for each packet: so an alarm goes off when it was set to at
    first, or earlier, and not later.

    Unless it is set, it does not know whom it is for: a circle of the two would
    be garbage that somebody has to look for.
    """

    __slots__ = ("_at", "_call", "_clock")

    def __init__(self, clock: Any) -> None:
        """
        @param clock: provides C{IReactorTime}.
        """
        self._clock = clock
        # What was asked for, and not what the call says: that is later by what
        # it took to make it, and in the last digit may be earlier.
        self._at = 0.0
        self._call: IDelayedCall | None = None

    def set(self, at: float | None, ring: Callable[[float], object]) -> None:
        """
        Go off at a time, if not before.

        @param at: in seconds of the clock; L{None} to L{stop}.
        @param ring: called with the time, which is not before C{at}.
        """
        if self._call is not None:
            if at is not None and self._at <= at:
                return
            self.stop()
        if at is not None:
            self._at = at
            self._call = self._clock.callLater(max(0.0, at - self._clock.seconds()), self._off, ring)

    @property
    def isSet(self) -> bool:
        """
        Whether it is to go off.
        """
        return self._call is not None

    def stop(self) -> None:
        """
        Do not go off.
        """
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _off(self, ring: Callable[[float], object]) -> None:
        self._call = None
        ring(max(self._clock.seconds(), self._at))
