"""
How many handshakes a line can be made to begin.
"""

from collections.abc import Callable

#: Handshakes that strangers may begin in L{PERIOD}, and besides, who comes from
#: where the description says.  Each costs a signature.
MAX_HANDSHAKES = 20
#: Seconds after which they are forgotten: one whom strangers kept out, and who
#: comes from elsewhere than the description says, gets in by then.
PERIOD = 60.0


class Allowance:
    """
    The handshakes that were begun of late.
    """

    __slots__ = ("_begun", "_seconds", "_since")

    def __init__(self, seconds: Callable[[], float]) -> None:
        """
        @param seconds: what time it is.
        """
        self._seconds = seconds
        self._since = seconds()
        self._begun = 0

    def renew(self) -> None:
        """
        Somebody else may be expected now.
        """
        self._since, self._begun = self._seconds(), 0

    def permits(self, signalled: bool) -> bool:
        """
        Whether one more handshake may begin.

        @param signalled: whether with one who comes from where the
            description says.
        """
        if self._seconds() - self._since >= PERIOD:
            self.renew()
        return self._begun < (2 * MAX_HANDSHAKES if signalled else MAX_HANDSHAKES)

    def spend(self) -> None:
        """
        One more handshake begins.
        """
        self._begun += 1
