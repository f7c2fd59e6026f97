"""
UDPTL as its ends write and read it (ITU-T T.38 clause 9.1): redundancy, parity,
and what they recover of what was lost.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from e2aegw.errors import RemoteError

#: Packets under one parity.
SPAN = 3
#: Packets that are kept to recover others from.
KEPT = 20


def determinant(length: int) -> bytes:
    """
    A length in aligned PER.
    """
    return bytes([length]) if length < 128 else (0x8000 | length).to_bytes(2, "big")


def encode(number: int, primary: bytes, earlier: Sequence[bytes] = (), *, parity: bool = False) -> bytes:
    """
    A datagram.

    @param earlier: the packets before, the latest first; with parity, those
        that it is made of.
    """
    octets = number.to_bytes(2, "big") + determinant(len(primary)) + primary
    if not parity:
        return octets + b"\0" + determinant(len(earlier)) + b"".join(determinant(len(e)) + e for e in earlier)
    mixed = bytearray(max(map(len, earlier), default=0))
    for packet in earlier:
        for at, octet in enumerate(packet):
            mixed[at] ^= octet
    return octets + b"\x80\x01" + bytes([len(earlier)]) + b"\x01" + determinant(len(mixed)) + bytes(mixed)


class _Cursor:
    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, count: int) -> bytes:
        """
        So many octets.
        """
        end = self._at + count
        if end > len(self._data):
            raise RemoteError("short")
        taken, self._at = self._data[self._at : end], end
        return taken

    def length(self) -> int:
        """
        A length.
        """
        first = self.take(1)[0]
        if first < 128:
            return first
        if first >= 192:
            raise RemoteError("in pieces")
        return (first & 63) << 8 | self.take(1)[0]


@dataclass
class Datagram:
    """
    What was read.

    @ivar span: packets under each parity.
    @ivar parity: whether the entries are that.
    """

    number: int
    primary: bytes
    entries: list[bytes]
    span: int = 0
    parity: bool = False


def decode(data: bytes) -> Datagram:
    """
    Read a datagram.

    @raise RemoteError: it is none.
    """
    cursor = _Cursor(data)
    number = int.from_bytes(cursor.take(2), "big")
    primary = cursor.take(cursor.length())
    span, parity = 0, bool(cursor.take(1)[0] & 128)
    if parity:
        span = int.from_bytes(cursor.take(cursor.take(1)[0]), "big")
    count = cursor.length()
    return Datagram(number, primary, [cursor.take(cursor.length()) for _ in range(count)], span, parity)


@dataclass
class Codec:
    """
    One end.

    @ivar earlier: packets of redundancy in each datagram.
    @ivar parity: parity in the place of them.
    @ivar recovered, lost: packets that came otherwise, or not at all.
    """

    earlier: int = 3
    parity: bool = False
    recovered: int = 0
    lost: int = 0
    _sent: list[bytes] = field(default_factory=list)
    _number: int = 0
    _next: int = 0
    _known: dict[int, bytes] = field(default_factory=dict)

    def encode(self, packet: bytes) -> bytes:
        """
        A datagram with the next packet.
        """
        several = self._sent[:SPAN] if self.parity else self._sent[: self.earlier]
        parity = self.parity and len(several) == SPAN
        data = encode(self._number, packet, several if parity or not self.parity else (), parity=parity)
        self._sent = [packet, *self._sent[:7]]
        self._number = (self._number + 1) & 0xFFFF
        return data

    def decode(self, data: bytes) -> list[tuple[int, bytes]]:
        """
        The packets that this datagram brings, in order.

        @raise RemoteError: it is none.
        """
        got = decode(data)
        # Numbers go on behind the last.
        number = self._next + ((got.number - self._next + 0x8000) & 0xFFFF) - 0x8000
        if number < self._next:
            return []
        if got.parity:
            self._mend(number, got)
        else:
            for back, packet in enumerate(got.entries, 1):
                self._known.setdefault(number - back, packet)
        found = []
        for each in range(self._next, number):
            if each in self._known:
                found.append((each, self._known[each]))
                self.recovered += 1
            else:
                self.lost += 1
        self._known[number] = got.primary
        self._next = number + 1
        self._known = {n: packet for n, packet in self._known.items() if n > number - KEPT}
        return [*found, (number, got.primary)]

    def _mend(self, number: int, got: Datagram) -> None:
        under = [number - back for back in range(1, got.span + 1)]
        missing = [each for each in under if each not in self._known]
        if len(missing) != 1 or not got.entries:
            return
        mixed = bytearray(got.entries[0])
        for each in under:
            for at, octet in enumerate(self._known.get(each, b"")):
                mixed[at] ^= octet
        self._known[missing[0]] = bytes(mixed)
