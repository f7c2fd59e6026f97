"""
How much may be in flight, and how long to wait for an answer: RFC 9260
clauses 7.2 and 6.3.  There is one path, so there is one of each.
"""

import math
from typing import Final

#: RFC 9260 clause 6.3.1: the weights of a new measurement.
_ALPHA: Final = 1 / 8
_BETA: Final = 1 / 4

#: RFC 9260 clause 7.2.1: the initial window with IPv4, in bytes.
_INITIAL_WINDOW: Final = 4404

#: "Arbitrarily high" (RFC 9260 clause 7.2.1): the end of slow start, before a
#: loss says where it is.
_NO_THRESHOLD: Final = 1 << 32

# The numbers of L{TolerantCongestion}.

#: How long the shortest round trip is taken for that of the empty path, in
#: seconds.  The path may change.
_BASE_LIFETIME: Final = 30.0
#: A round trip that is longer by this many seconds, and by this part, met a
#: queue.  What an operating system takes to wake somebody up is less.
_QUEUE_MIN: Final = 0.01
_QUEUE_PART: Final = 0.25
#: When more than this part gets lost it is congestion, queue or not.
_LOSS_MAX: Final = 0.08
#: What is kept of that account in each round trip.
_FORGET: Final = 0.75
#: By which part of itself the window grows in a round trip.
_GROWTH: Final = 0.125


class RoundTrip:
    """
    The retransmission timeout, RFC 9260 clause 6.3.1.

    @ivar rto: the timeout, in seconds.
    @ivar smoothed: the smoothed round-trip time, or -1 as long as it was not
        measured.
    """

    __slots__ = ("_initial", "_max", "_min", "_variation", "rto", "smoothed")

    def __init__(self, initial: float, low: float, high: float) -> None:
        self._initial = initial
        self._min = low
        self._max = high
        self._variation = 0.0
        self.rto = initial
        self.smoothed = -1.0

    def measured(self, seconds: float) -> None:
        """
        Something that was sent once was answered after so long (rules C2, C3,
        C6 and C7).
        """
        if self.smoothed < 0:
            self.smoothed = seconds
            self._variation = seconds / 2
        else:
            self._variation += _BETA * (abs(self.smoothed - seconds) - self._variation)
            self.smoothed += _ALPHA * (seconds - self.smoothed)
        self.rto = min(max(self.smoothed + 4 * self._variation, self._min), self._max)

    def expired(self) -> None:
        """
        Nothing was answered in time (rule E2 of clause 6.3.3).
        """
        self.rto = min(self.rto * 2, self._max)


class Congestion:
    """
    The congestion window, RFC 9260 clause 7.2.

    @ivar window: cwnd, in bytes.
    @ivar threshold: ssthresh, in bytes.
    @ivar recovering: whether this is fast recovery.
    """

    __slots__ = ("_partial", "_resting", "_size", "recovering", "threshold", "window")

    def __init__(self, size: int) -> None:
        """
        @param size: what fits in a packet, PMDCS.
        """
        self._size = size
        self._partial = 0
        self._resting = False
        self.window = min(4 * size, max(2 * size, _INITIAL_WINDOW))
        self.threshold = _NO_THRESHOLD
        self.recovering = False

    def acknowledged(self, size: int, flight: int) -> None:
        """
        Bytes arrived (clauses 7.2.1 and 7.2.2).

        @param size: how many.
        @param flight: how many were in flight before that was known.
        """
        self._resting = False
        if self.window <= self.threshold:
            if flight >= self.window and not self.recovering:
                self.window += min(size, self._size)
            return
        self._partial += size
        if self._partial >= self.window:
            if flight >= self.window:
                self._partial -= self.window
                self.window += self._size
            else:
                self._partial = self.window

    def measured(self, seconds: float, now: float) -> None:
        """
        Something was answered after so long.
        """

    def missed(self, size: int) -> None:
        """
        So many bytes got lost.
        """

    def emptied(self) -> None:
        """
        All that was sent has arrived.
        """
        self._partial = 0

    def lost(self) -> None:
        """
        Acknowledgements show that something is missing (clauses 7.2.3 and
        7.2.4): fast recovery begins.
        """
        self.recovering = True
        self.threshold = max(self.window // 2, 4 * self._size)
        self.window = self.threshold
        self._partial = 0

    def expired(self) -> None:
        """
        The retransmission timer ended (clause 7.2.3): slow start begins.
        """
        self.recovering = False
        self.threshold = max(self.window // 2, 4 * self._size)
        self.window = self._size
        self._partial = 0

    def rested(self, timeouts: int) -> None:
        """
        Nothing was sent for so many timeouts (clause 7.2.1).
        """
        floor = 4 * self._size
        if self.window > floor:
            if not self._resting:
                self.threshold = self.window
            self._resting = True
            self.window = max(self.window >> min(timeouts, 32), floor)


class TolerantCongestion(Congestion):
    """
    The same for paths that lose packets for other reasons than congestion, as
    radio does.  RFC 9260's window allows 3 Mbit/s where one packet in a hundred
    gets lost and a round trip is 40 ms.

    A loss counts as congestion if the round trip has become longer, so that
    there is a queue somewhere, or if much gets lost, as where somebody enforces
    a rate.  As long as neither is so the window grows by a part of itself in
    each round trip.  When there is a queue everything is as in RFC 9260, except
    that slow start ends at once.
    """

    __slots__ = ("_arrived", "_base", "_baseUntil", "_congested", "_lost")

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self._base = math.inf
        self._baseUntil = -math.inf
        self._congested = False
        self._arrived = 0.0
        self._lost = 0.0

    def measured(self, seconds: float, now: float) -> None:
        if seconds <= self._base or now >= self._baseUntil:
            self._base = seconds
            self._baseUntil = now + _BASE_LIFETIME
        queue = seconds - self._base > max(_QUEUE_MIN, self._base * _QUEUE_PART)
        losing = self._lost > (self._arrived + self._lost) * _LOSS_MAX
        self._congested = queue or losing
        self._arrived *= _FORGET
        self._lost *= _FORGET
        if self._congested and self.window <= self.threshold:
            self.threshold = self.window - 1

    def missed(self, size: int) -> None:
        self._lost += size

    def acknowledged(self, size: int, flight: int) -> None:
        self._arrived += size
        if self._congested:
            super().acknowledged(size, flight)
        elif flight >= self.window:
            slow = self.window > self.threshold
            self.window += max(1, int(size * _GROWTH)) if slow else min(size, self._size)

    def lost(self) -> None:
        if self._congested:
            super().lost()
        else:
            self.recovering = True
