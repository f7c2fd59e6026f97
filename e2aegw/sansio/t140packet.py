"""
Text in RTP packets (RFC 4103), with redundancy (RFC 2198) or without.

::

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |V=2|P|X|  CC   |M|   RED PT    |        sequence number        |
    |                     timestamp (1000 Hz)                       |
    |                             SSRC                              |
    |1|  T.140 PT   |     timestamp offset      |   block length    |
    |0|  T.140 PT   |  the redundant blocks, oldest first, and then
    +-+-+-+-+-+-+-+-+               the primary one
"""

import struct
from collections.abc import Container, Sequence
from typing import NamedTuple

from e2aegw.errors import RemoteError
from e2aegw.sansio.rtp import checkHeader

#: Most redundant blocks that one packet may have.  Two are usual, and what a
#: receiver does not need it may as well not get.
MAX_REDUNDANT = 16
#: The oldest that a redundant block may be, in milliseconds, and the longest,
#: in octets (RFC 2198 clause 3).
MAX_OFFSET, MAX_REDUNDANT_LENGTH = 16383, 1023

_HEADER = struct.Struct("!BBHII")


class Block(NamedTuple):
    """
    A T140block.

    @ivar timestamp: when it was said first.
    @ivar data: UTF-8; C{b""} for none.
    """

    timestamp: int
    data: bytes


class TextPacket(NamedTuple):
    """
    What a packet says.

    @ivar marker: whether it is the first after a pause.
    @ivar source: the SSRC.
    @ivar contributor: the first CSRC, or 0.
    @ivar redundant: whether it has the form that has room for redundancy.
    @ivar blocks: the blocks, the oldest first, the primary one last.
    """

    marker: bool
    sequence: int
    timestamp: int
    source: int
    contributor: int
    redundant: bool
    blocks: tuple[Block, ...]


def parsePacket(packet: bytes, plain: Container[int], red: Container[int]) -> TextPacket | None:
    """
    Read an RTP packet.

    @param plain: the payload types of text.
    @param red: those of text with redundancy.

    @return: L{None} if it has another payload type.

    @raise RemoteError: it is malformed.
    """
    checkHeader(packet)
    first, second, sequence, timestamp, source = _HEADER.unpack_from(packet)
    kind = second & 0x7F
    redundant = kind in red
    if not redundant and kind not in plain:
        return None
    start = 12 + 4 * (first & 0x0F)
    contributor = int.from_bytes(packet[12:16], "big") if first & 0x0F else 0
    if first & 0x10:
        start += 4 + 4 * (packet[start + 2] << 8 | packet[start + 3])
    end = len(packet) - packet[-1] if first & 0x20 else len(packet)
    if redundant and start < end:
        blocks = _blocks(packet, start, end, timestamp, plain)
    else:
        blocks = (Block(timestamp, packet[start:end]),)
    return TextPacket(bool(second & 0x80), sequence, timestamp, source, contributor, redundant, blocks)


def _blocks(packet: bytes, at: int, end: int, timestamp: int, plain: Container[int]) -> tuple[Block, ...]:
    heads: list[tuple[int, int, int]] = []
    while packet[at] & 0x80:
        if end - at < 5 or len(heads) == MAX_REDUNDANT:
            raise RemoteError("RED headers")
        word = int.from_bytes(packet[at : at + 4], "big")
        heads.append((word >> 24 & 0x7F, timestamp - (word >> 10 & 0x3FFF) & 0xFFFFFFFF, word & 0x3FF))
        at += 4
    last = packet[at]
    at += 1
    found = []
    for kind, when, size in heads:
        if at + size > end:
            raise RemoteError("RED length")
        # A block of something else has a sequence number all the same.
        found.append(Block(when, packet[at : at + size] if kind in plain else b""))
        at += size
    found.append(Block(timestamp, packet[at:end] if last in plain else b""))
    return tuple(found)


def formatPacket(
    payloadType: int,
    plain: int,
    sequence: int,
    source: int,
    blocks: Sequence[Block],
    *,
    marker: bool,
) -> bytes:
    """
    Write an RTP packet.

    @param payloadType: that of text with redundancy, if it is not C{plain}.
    @param plain: that of text.
    @param blocks: the primary one last, and before it, if C{payloadType} is
        not C{plain}, the redundant ones.
    """
    primary = blocks[-1]
    header = _HEADER.pack(0x80, marker << 7 | payloadType, sequence, primary.timestamp, source)
    if payloadType == plain:
        return header + primary.data
    parts = [header]
    for block in blocks[:-1]:
        offset = primary.timestamp - block.timestamp & 0xFFFFFFFF
        parts.append((0x80000000 | plain << 24 | offset << 10 | len(block.data)).to_bytes(4, "big"))
    parts.append(bytes((plain,)))
    parts += [block.data for block in blocks]
    return b"".join(parts)
