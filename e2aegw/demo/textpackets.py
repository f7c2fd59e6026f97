"""
Real-time text in RTP (RFC 4103), with the redundancy of RFC 2198: reading and
writing packets, without a socket.
"""

import secrets
import struct
from codecs import getincrementaldecoder
from collections import deque
from typing import Final

from e2aegw.errors import RemoteError

#: How often text is repeated (RFC 4103 clause 4.2 recommends two generations).
GENERATIONS: Final = 2
#: What stands for text that never came (RFC 4103 clause 4.4).
MISSING: Final = "\N{REPLACEMENT CHARACTER}"
#: How far ahead a sequence number may be without being a new beginning
#: (RFC 3550 appendix A.1).
MAX_DROPOUT: Final = 3000
#: The oldest that a redundant block may be in ticks, and its longest: fields
#: of 14 and of 10 bits (RFC 2198 clause 3).
MAX_OFFSET: Final = (1 << 14) - 1
MAX_BLOCK: Final = (1 << 10) - 1

_HEADER = struct.Struct("!BBHII")
#: T.140 clause 8.7: a mark of the order of octets that is not to be shown.
_ORDER_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}"


class TextReader:
    """
    What comes.

    Nothing waits for a packet that may be late: what redundancy does not bring
    back is marked as missing at once.

    @ivar packets: how many came; C{recovered} and C{lost}, how many did not
        and were brought back by redundancy, or were not.
    """

    def __init__(self, text: int, redundancy: int | None) -> None:
        """
        @param text: the payload type of text.
        @param redundancy: that of text with redundancy, if it was agreed on.
        """
        self.packets = self.recovered = self.lost = 0
        self._text = text
        self._redundancy = redundancy
        self._source: int | None = None
        self._expected = 0
        self._decode = getincrementaldecoder("utf-8")("replace").decode

    def read(self, packet: bytes) -> str:
        """
        Take a packet.

        @return: the text in it that was not known.

        @raise RemoteError: this is no packet of text.
        """
        if len(packet) < _HEADER.size or packet[0] >> 6 != 2:
            raise RemoteError("not RTP")
        first, second, sequence, _, source = _HEADER.unpack_from(packet)
        start = _HEADER.size + 4 * (first & 0x0F)
        if first & 0x30 or start > len(packet):
            raise RemoteError("not a plain packet")
        blocks = self._blocks(second & 0x7F, packet[start:])
        self.packets += 1
        ahead = (sequence - self._expected) & 0xFFFF
        if source != self._source or MAX_DROPOUT <= ahead < 0x10000 - MAX_DROPOUT:
            self._source, ahead = source, 0
        elif ahead >= MAX_DROPOUT:
            return ""
        self._expected = (sequence + 1) & 0xFFFF
        found = blocks[-1 - ahead :]
        missing = ahead + 1 - len(found)
        self.recovered += len(found) - 1
        self.lost += missing
        # One mark for each packet that is missing would be much, if many are.
        return (MISSING if missing else "") + self._decode(b"".join(found)).replace(_ORDER_MARK, "")

    def _blocks(self, kind: int, payload: bytes) -> list[bytes]:
        """
        The blocks of text, the oldest first.
        """
        if kind == self._text:
            return [payload]
        if kind != self._redundancy:
            raise RemoteError("not a payload type of text")
        at, sizes = 0, []
        while at < len(payload) and payload[at] & 0x80:
            sizes.append(int.from_bytes(payload[at + 2 : at + 4], "big") & MAX_BLOCK)
            at += 4
        at += 1
        if at + sum(sizes) > len(payload):
            raise RemoteError("redundancy is cut")
        blocks = []
        for size in sizes:
            blocks.append(payload[at : at + size])
            at += size
        return [*blocks, payload[at:]]


class TextWriter:
    """
    What is sent.

    @ivar packets: how many were.
    @ivar octets: how many of payload were.
    @ivar source: the SSRC.
    @ivar timestamp: of the last packet.
    """

    def __init__(self, text: int, redundancy: int | None) -> None:
        """
        @param text: the payload type of text.
        @param redundancy: that of text with redundancy, if it was agreed on.
        """
        self.packets = self.octets = 0
        self.source = secrets.randbits(32)
        self.timestamp = 0
        self._text = text
        self._redundancy = redundancy
        self._sequence = secrets.randbits(16)
        self._offset = secrets.randbits(32)
        # Silence is as old as can be.
        self._before: deque[tuple[int, bytes]] = deque(maxlen=GENERATIONS if redundancy is not None else 0)

    @property
    def owes(self) -> bool:
        """
        Whether something was not repeated as often as it is to be.
        """
        return any(block for _, block in self._before)

    def at(self, now: float) -> int:
        """
        The timestamp of a moment: RFC 4103 clause 6 has a thousand ticks in a
        second.
        """
        return (int(now * 1000) + self._offset) & 0xFFFFFFFF

    def write(self, text: str, now: float) -> bytes:
        """
        The next packet.

        @param text: what it says, of at most L{MAX_BLOCK} octets; if nothing,
            it repeats what was said before.
        """
        block = text.encode()
        # After a silence the marker is set (RFC 4103 clause 4).
        marker = bool(block) and not self.owes
        self.timestamp = self.at(now)
        self._sequence = (self._sequence + 1) & 0xFFFF
        payload = block
        if self._redundancy is not None:
            heads = bodies = b""
            for when, body in self._before:
                age = (self.timestamp - when) & 0xFFFFFFFF
                if age <= MAX_OFFSET:
                    heads += struct.pack("!I", 1 << 31 | self._text << 24 | age << 10 | len(body))
                    bodies += body
            payload = heads + bytes((self._text,)) + bodies + block
        self._before.append((self.timestamp, block))
        self.packets += 1
        self.octets += len(payload)
        kind = self._text if self._redundancy is None else self._redundancy
        head = _HEADER.pack(0x80, marker << 7 | kind, self._sequence, self.timestamp, self.source)
        return head + payload


__all__ = ["GENERATIONS", "MISSING", "TextReader", "TextWriter"]
