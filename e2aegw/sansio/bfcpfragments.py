"""
BFCP messages in pieces (RFC 8855 clause 6.2.3), because datagrams must not be
longer than the path takes.
"""

import struct
from bisect import bisect_left
from collections.abc import Iterator
from typing import Final

from e2aegw.errors import RemoteError
from e2aegw.sansio.bfcp import FRAGMENT_HEADER, HEADER, Fault, Header, Refused

#: Octets of the longest datagram that is sent: what IPv6 takes everywhere
#: (1280), without the headers of IP and UDP (48) and what DTLS adds (up to 80).
MAX_DATAGRAM: Final = 1152
#: Messages of one party that are incomplete at a time.  It may have one request
#: under way, and one response (RFC 8855 clause 6.2); whoever has more has given
#: up the oldest.
MAX_INCOMPLETE: Final = 4
#: Fragments of one message: the longest one in datagrams of 512 octets.
MAX_FRAGMENTS: Final = 512

_PLACE = struct.Struct("!HH")


def divide(header: Header, payload: bytes, most: int = MAX_DATAGRAM) -> list[bytes]:
    """
    A message as datagrams.

    @param header: with the flags of the message, if it is whole.
    @param most: octets of the longest datagram.
    """
    whole = bytes(header) + payload
    if len(whole) <= most:
        return [whole]
    # As many as clause 6.2.3 says, and as equal as can be.
    room = (most - FRAGMENT_HEADER) // 4
    first = bytes(header.over(header.version, response=header.isResponse, fragment=True))
    return [
        first + _PLACE.pack(at, min(room, header.payload - at)) + payload[4 * at : 4 * (at + room)]
        for at in range(0, header.payload, room)
    ]


class _Incomplete:
    """
    A message of which there is not everything.
    """

    __slots__ = ("_pieces", "_places", "expires", "header", "missing")

    def __init__(self, header: Header, expires: float) -> None:
        self.header = header
        self.expires = expires
        self.missing = header.payload
        self._places: list[int] = []
        self._pieces: list[bytes] = []

    def add(self, at: int, piece: bytes) -> None:
        """
        Here is a piece.

        @raise Refused: it does not fit to the others.
        """
        index = bisect_left(self._places, at)
        if index < len(self._places) and self._places[index] == at:
            # The whole message is repeated if a piece was lost.
            if self._pieces[index] != piece:
                raise Refused(Fault.INCORRECT_LENGTH)
            return
        size = len(piece) // 4
        before = index and self._places[index - 1] + len(self._pieces[index - 1]) // 4
        after = self._places[index] if index < len(self._places) else self.header.payload
        if before > at or at + size > after or len(self._places) == MAX_FRAGMENTS:
            raise Refused(Fault.INCORRECT_LENGTH)
        self._places.insert(index, at)
        self._pieces.insert(index, piece)
        self.missing -= size

    def payload(self) -> bytes:
        """
        All there is.
        """
        return b"".join(self._pieces)


class Assembly:
    """
    The messages of one party that come in pieces.
    """

    def __init__(self) -> None:
        self._incomplete: dict[Header, _Incomplete] = {}

    def __len__(self) -> int:
        return len(self._incomplete)

    def add(self, datagram: bytes, header: Header, now: float, wait: float) -> bytes | None:
        """
        Take a fragment.

        @param wait: seconds after which an incomplete message is forgotten.

        @return: the payload of a message that is complete now, or L{None}.

        @raise RemoteError: the fragment contradicts itself or others, which are
            forgotten (RFC 8855 clause 5.1).
        """
        if len(datagram) < FRAGMENT_HEADER:
            raise RemoteError("short BFCP")
        self.expire(now)
        at, size = _PLACE.unpack_from(datagram, HEADER)
        incomplete = self._incomplete.get(header)
        if not size or len(datagram) != FRAGMENT_HEADER + 4 * size or at + size > header.payload:
            self._incomplete.pop(header, None)
            raise Refused(Fault.INCORRECT_LENGTH)
        if incomplete is None:
            incomplete = self._incomplete[header] = _Incomplete(header, now + wait)
            if len(self._incomplete) > MAX_INCOMPLETE:
                del self._incomplete[next(iter(self._incomplete))]
        try:
            incomplete.add(at, datagram[FRAGMENT_HEADER:])
        except Refused:
            del self._incomplete[header]
            raise
        if incomplete.missing:
            return None
        del self._incomplete[header]
        return incomplete.payload()

    def nextTimeout(self) -> float | None:
        """
        When something is forgotten.
        """
        return min((each.expires for each in self._incomplete.values()), default=None)

    def expire(self, now: float) -> int:
        """
        Forget what will not be complete any more.

        @return: how many messages that were.
        """
        late = list(self._late(now))
        for header in late:
            del self._incomplete[header]
        return len(late)

    def _late(self, now: float) -> Iterator[Header]:
        return (header for header, each in self._incomplete.items() if each.expires <= now)
