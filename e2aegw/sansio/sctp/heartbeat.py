"""
Whether the other side is still there when there is nothing to say: RFC 9260
clause 8.3.
"""

import math
import struct
from collections.abc import Callable
from typing import Final

from e2aegw.errors import RemoteError
from e2aegw.sansio.sctp.chunks import heartbeatChunk, parseHeartbeat

#: What is in our HEARTBEAT: a nonce, and when it was sent.
_INFORMATION: Final = struct.Struct("!Qd")


class Heartbeat:
    """
    The HEARTBEATs of one path.

    @ivar at: when to see whether one is due.
    @ivar heardAt: when the other side was last heard.
    """

    __slots__ = ("_entropy", "_interval", "_nonce", "at", "heardAt")

    def __init__(self, interval: float, entropy: Callable[[int], bytes]) -> None:
        """
        @param interval: HB.interval, in seconds.
        @param entropy: gives so many random bytes.
        """
        self._interval = interval
        self._entropy = entropy
        self._nonce = 0
        self.at = math.inf
        self.heardAt = -math.inf

    def rest(self, now: float, rto: float) -> None:
        """
        Wait: the interval and the timeout, with half of it more or less.
        """
        jitter = 0.5 + int.from_bytes(self._entropy(1), "big") / 256
        self.at = now + self._interval + rto * jitter

    def stop(self) -> None:
        """
        Ask no more.
        """
        self.at = math.inf
        self._nonce = 0

    def isDue(self, now: float) -> bool:
        """
        Whether the other side was silent for so long that it must be asked.
        """
        if now - self.heardAt >= self._interval:
            return True
        self._nonce = 0
        return False

    def isUnanswered(self) -> bool:
        """
        Whether the last one was not answered.
        """
        return self._nonce != 0

    def chunk(self, now: float) -> bytes:
        """
        The next one.
        """
        self._nonce = int.from_bytes(self._entropy(8), "big") or 1
        return heartbeatChunk(_INFORMATION.pack(self._nonce, now))

    def answered(self, body: bytes, now: float) -> float | None:
        """
        HEARTBEAT ACK arrived.

        @param body: what follows its chunk header.

        @return: the round-trip time, or L{None} if it answers an older one.

        @raise RemoteError: it answers nothing that we asked.
        """
        information = parseHeartbeat(body)
        if len(information) != _INFORMATION.size:
            raise RemoteError("SCTP HEARTBEAT ACK", "not ours")
        nonce, sentAt = _INFORMATION.unpack(information)
        if not self._nonce or nonce != self._nonce or sentAt > now:
            return None
        self._nonce = 0
        return now - float(sentAt)
