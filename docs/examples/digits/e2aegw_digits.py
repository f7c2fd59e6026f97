"""
A filter that hears the digits which a party presses (RFC 4733), and reports
each as an event.

.. code-block:: toml

    [[route]]
    access = "srtp"
    core = "rtp"
    through = ["digits"]

    [filter.digits]
    log = true
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twisted.logger import Logger
from zope.interface import implementer

from e2aegw.interfaces import IFilter, IFilterFactory
from e2aegw.sansio.events import Event
from e2aegw.sansio.sdp import Section, Side

#: What the event codes of RFC 4733 clause 3.2 stand for.
DIGITS = "0123456789*#ABCD"
_FIXED = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class DigitPressed(Event):
    """
    A party pressed a key.

    @ivar digit: one of L{DIGITS}.
    @ivar party: the side where that party is.
    """

    digit: str
    party: str


@implementer(IFilter)
class Digits:
    """
    Hears both parties of one line.
    """

    _log = Logger()

    def __init__(self, log: bool) -> None:
        self.notify: Callable[[Event], None] = lambda event: None
        self.counters: dict[str, int] = {"digits": 0}
        self._logs = log
        self._types: dict[Side, int] = {}
        self._last: dict[Side, tuple[bytes, bytes]] = {}

    def described(self, section: Section, side: Side) -> None:
        """
        Learn what payload type a party wants digits in: its peer will use it.
        """
        for value in section.all("rtpmap"):
            number, _, name = value.partition(" ")
            if name.lower().startswith("telephone-event/") and number.isdigit():
                self._types[side.other] = int(number)

    def unitReceived(self, unit: bytes, side: Side, send: Callable[[Any], None]) -> None:
        """
        Every packet goes on; one of a digit is looked at.
        """
        send(unit)
        if self._types.get(side) != unit[1] & 0x7F:
            return
        start = _FIXED + 4 * (unit[0] & 0x0F)
        # One press is many packets, of which all have the same timestamp.
        press = unit[4:8], unit[8:12]
        if len(unit) < start + 4 or self._last.get(side) == press or unit[start] >= len(DIGITS):
            return
        self._last[side] = press
        digit = DIGITS[unit[start]]
        self.counters["digits"] += 1
        self.notify(DigitPressed(digit=digit, party=side.value))
        if self._logs:
            self._log.info("{party} pressed {digit}", party=side.value, digit=digit)

    def close(self) -> None:
        """
        There is nothing to let go of.
        """


@implementer(IFilterFactory)
class Factory:
    """
    Builds a filter for each line of RTP.
    """

    medium = "rtp"

    def __init__(self, log: bool = False) -> None:
        """
        @param log: whether to log the digits, too.
        """
        self._log = log

    def buildFilter(self) -> Digits:
        """
        See L{IFilterFactory}.
        """
        return Digits(self._log)
