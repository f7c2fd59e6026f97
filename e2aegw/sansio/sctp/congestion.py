"""
How much may be in flight, and how long to wait for an answer: RFC 9260
clauses 7.2 and 6.3.  There is one path, so there is one of each.
"""

from typing import Final

#: RFC 9260 clause 6.3.1: the weights of a new measurement.
_ALPHA: Final = 1 / 8
_BETA: Final = 1 / 4

#: RFC 9260 clause 7.2.1: the initial window with IPv4, in bytes.
_INITIAL_WINDOW: Final = 4404

#: "Arbitrarily high" (RFC 9260 clause 7.2.1): the end of slow start, before a
#: loss says where it is.
_NO_THRESHOLD: Final = 1 << 32


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

    __slots__ = ("_partial", "_size", "recovering", "threshold", "window")

    def __init__(self, size: int) -> None:
        """
        @param size: what fits in a packet, PMDCS.
        """
        self._size = size
        self._partial = 0
        self.window = min(4 * size, max(2 * size, _INITIAL_WINDOW))
        self.threshold = _NO_THRESHOLD
        self.recovering = False

    def acknowledged(self, size: int, flight: int) -> None:
        """
        Bytes arrived (clauses 7.2.1 and 7.2.2).

        @param size: how many.
        @param flight: how many were in flight before that was known.
        """
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
            self.threshold = self.window
            self.window = max(self.window >> min(timeouts, 32), floor)
