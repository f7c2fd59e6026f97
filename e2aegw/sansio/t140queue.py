"""
Text that waits until its receiver wants it: at most so many characters a
second, as C{cps} says (RFC 4103 clause 6).
"""

import unicodedata
from collections import deque

from e2aegw.sansio.t140 import LOST, MAX_COMPOSED, prefix

#: RFC 4103 clause 6: the rate of who does not say.
DEFAULT_RATE = 30
#: The lowest and the highest rate that is obeyed.  No hand is faster, and a
#: thousand pages a minute need no telling.
MIN_RATE, MAX_RATE = 1, 10000
#: Seconds over which the rate is a mean (RFC 4103 clause 6).
WINDOW = 10.0
#: Seconds whose characters are counted together, so that there are at most 100
#: counts.
GRAIN = 0.1
#: Characters that may wait: a message of the longest sort on a data channel,
#: for the sender is only then asked to pause.
MAX_WAITING = 262144
#: Characters of the waiting text with which its sender is asked to pause, and
#: with which to go on.
HIGH_WATER, LOW_WATER = 512, 64
#: Seconds' worth of text that waits where nobody can be asked to pause.  It is
#: of more use to hear what is said now (RFC 8865 clause 4.2.1).
PATIENCE = 20


class Queue:
    """
    Waiting text.

    @ivar waiting: how many characters wait.
    @ivar lost: how many there was no room for.
    """

    def __init__(self) -> None:
        self.waiting = 0
        self.lost = 0
        self._rate = DEFAULT_RATE
        self._parts: deque[str] = deque()
        self._cut = self._short = False
        # When a grain began, and the characters taken in it.
        self._taken: deque[tuple[float, int]] = deque()
        self._count = 0

    @property
    def rate(self) -> int:
        """
        How many characters a second may be taken.
        """
        return self._rate

    @rate.setter
    def rate(self, rate: int) -> None:
        self._rate = min(max(rate, MIN_RATE), MAX_RATE)

    def push(self, text: str, *, paced: bool) -> None:
        """
        Add some.  What there is no room for is lost, and marked so once.

        @param paced: who says it cannot be asked to pause.
        """
        most = min(PATIENCE * self._rate, MAX_WAITING) if paced else MAX_WAITING
        room = max(0, most - self.waiting)
        taken = text[:room]
        if taken:
            self._parts.append(taken)
            self.waiting += len(taken)
            self._cut = False
        if len(taken) < len(text):
            self.lost += len(text) - len(taken)
            self.mark()

    def mark(self) -> None:
        """
        Something is lost at the end of what waits.
        """
        if not self._cut:
            self._parts.append(LOST)
            self.waiting += 1
            self._cut = True

    def allowed(self, now: float) -> int:
        """
        How many characters may be taken now.
        """
        taken = self._taken
        while taken and now >= taken[0][0] + GRAIN + WINDOW:
            self._count -= taken.popleft()[1]
        return max(0, int(self._rate * WINDOW) - self._count)

    def take(self, now: float, octets: int) -> str:
        """
        Take as much as is allowed.

        @param octets: the most that it may be in UTF-8.
        """
        allowed = self.allowed(now) if self.waiting else 0
        if not allowed:
            return ""
        text = self._parts.popleft()
        if self._parts and len(text) < octets:
            pieces, size = [text], len(text)
            while self._parts and size < octets:
                pieces.append(self._parts.popleft())
                size += len(pieces[-1])
            text = "".join(pieces)
        count = prefix(text, allowed, octets)
        # What belongs together waits until there is room for all of it.
        cuts = count < len(text) and bool(unicodedata.combining(text[count]))
        self._short = cuts and allowed < MAX_COMPOSED and bool(self._taken)
        if self._short:
            self._parts.appendleft(text)
            return ""
        if count < len(text):
            self._parts.appendleft(text[count:])
            text = text[:count]
        self.waiting -= count
        if self._taken and now < self._taken[-1][0] + GRAIN:
            began, before = self._taken[-1]
            self._taken[-1] = (began, before + count)
        else:
            self._taken.append((now, count))
        self._count += count
        return text

    def nextAllowed(self, now: float) -> float:
        """
        When something may be taken.
        """
        if not self._taken or (self.allowed(now) and not self._short):
            return now
        return self._taken[0][0] + GRAIN + WINDOW
