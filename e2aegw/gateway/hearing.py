"""
Whether anybody is heard on a leg.
"""

from typing import Any

from e2aegw.sansio.events import (
    ENDED,
    SILENCE,
    ConsentLost,
    Event,
    MediaStarted,
    MediaStopped,
    PairNominated,
)

#: Media whose units come all the time while somebody speaks.
STEADY = frozenset({"rtp", "sealed", "udptl"})


class Hearing:
    """
    What came from a leg's party, looked at now and then.  That media started
    the first time the adapter says itself.
    """

    __slots__ = ("_consentLost", "_heard", "_heardAt", "_stopped")

    def __init__(self) -> None:
        self._heard = 0
        self._heardAt = 0.0
        self._stopped = self._consentLost = False

    def watch(self, adapter: Any, now: float, patience: float) -> Event | None:
        """
        See whether media stopped, or goes on.

        @param adapter: the leg's L{e2aegw.interfaces.IAdapter}.
        @param patience: how long its party may say nothing, in seconds.
        """
        count = int(adapter.packetsReceived)
        if count != self._heard:
            self._heard, self._heardAt = count, now
            stopped, self._stopped = self._stopped, False
            return MediaStarted() if stopped else None
        silent = count and now - self._heardAt >= patience
        if silent and not self._stopped and adapter.medium in STEADY:
            self._stopped = True
            return MediaStopped(reason=SILENCE, packets=count)
        return None

    def ended(self, adapter: Any) -> Event | None:
        """
        The leg is over: tell of it, if there was anything to hear.
        """
        count = int(adapter.packetsReceived)
        if not count or (self._stopped and count == self._heard):
            return None
        return MediaStopped(reason=ENDED, packets=count)

    def repeats(self, event: Event) -> bool:
        """
        Whether an event says what is known: consent ends for RTP and for RTCP
        alike, and one party is gone.
        """
        if isinstance(event, ConsentLost):
            before, self._consentLost = self._consentLost, True
            return before
        if isinstance(event, PairNominated):
            self._consentLost = False
        return False
