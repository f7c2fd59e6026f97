"""
RTP and RTCP packets (RFC 3550), as far as a gateway that changes neither must
know them: what a datagram is, whether it is well formed, whose it is.
"""

import enum
import struct
from collections.abc import Iterator
from typing import NamedTuple

from e2aegw.errors import RemoteError

#: Most RTCP packets that are read in one compound packet.  A video
#: conference's feedback fits; the smallest packets that an MTU has room for
#: would be 375.
MAX_CONTROL_PACKETS = 128
#: Most sources that one compound packet is asked for.  It may name 31 in each
#: report and in each BYE, and nobody routes by the hundredth.
MAX_SOURCES = 128


class Packet(enum.Enum):
    """
    What shares a port, told apart by the first octet (RFC 7983 clause 7).
    """

    STUN = "stun"
    ZRTP = "zrtp"
    DTLS = "dtls"
    TURN = "turn"
    RTP = "rtp"
    OTHER = "other"


def _kind(octet: int) -> Packet:
    if octet <= 3:
        return Packet.STUN
    if 16 <= octet <= 19:
        return Packet.ZRTP
    if 20 <= octet <= 63:
        return Packet.DTLS
    if 64 <= octet <= 79:
        return Packet.TURN
    if 128 <= octet <= 191:
        return Packet.RTP
    return Packet.OTHER


#: What a datagram is, by its first octet.
FIRST_BYTE: tuple[Packet, ...] = tuple(map(_kind, range(256)))


class Control(enum.IntEnum):
    """
    RTCP packet types (RFC 3550 clause 12.1, RFC 4585 clause 6.1, RFC 3611
    clause 2).
    """

    SR = 200
    RR = 201
    SDES = 202
    BYE = 203
    APP = 204
    RTPFB = 205
    PSFB = 206
    XR = 207


class ControlPacket(NamedTuple):
    """
    One packet of a compound packet.

    @ivar type: the packet type; a L{Control} or one that is not known here.
    @ivar fmt: the five bits after version and padding: a number of blocks,
        a subtype or a feedback message type.
    @ivar body: what follows the first four octets, without padding.
    @ivar raw: the whole packet.
    """

    type: int
    fmt: int
    body: bytes
    raw: bytes


#: How long a body must be at least: octets, and octets for each of the count.
#: RFC 3550 clause 6, RFC 4585 clause 6.1, RFC 3611 clause 2.
_SHORTEST: dict[int, tuple[int, int]] = {
    Control.SR: (24, 24),
    Control.RR: (4, 24),
    Control.SDES: (0, 4),
    Control.BYE: (0, 4),
    Control.APP: (8, 0),
    Control.RTPFB: (8, 0),
    Control.PSFB: (8, 0),
    Control.XR: (4, 0),
}

_WORD = struct.Struct("!I")
_REPORTS = (Control.SR, Control.RR)
_FEEDBACK = (Control.RTPFB, Control.PSFB)

#: Feedback that names its targets in entries of eight octets, each with an
#: SSRC first (RFC 5104 clause 4): TMMBR, TMMBN; FIR, TSTR, TSTN.
_TARGETS = {
    (Control.RTPFB, 3),
    (Control.RTPFB, 4),
    (Control.PSFB, 4),
    (Control.PSFB, 5),
    (Control.PSFB, 6),
}

#: Blocks of an extended report that begin with the SSRC of a source (RFC 3611
#: clause 4): loss, duplicates, receipt times, statistics, VoIP metrics.
_SOURCE_BLOCKS = frozenset({1, 2, 3, 6, 7})
#: The block that has entries of twelve octets, each with an SSRC first.
_DLRR = 5


def isControl(packet: bytes) -> bool:
    """
    Whether a packet is RTCP's, where RTP and RTCP share a port (RFC 5761
    clause 4).  It holds for SRTP and SRTCP as well.
    """
    return len(packet) > 1 and 192 <= packet[1] <= 223


def checkHeader(packet: bytes) -> None:
    """
    Look whether an RTP packet is what its header says (RFC 3550 clause 5.1).

    The packet must be plain: SRTP encrypts the octet that counts the padding.

    @raise RemoteError: it is not.
    """
    size = len(packet)
    if size < 12:
        raise RemoteError("RTP length")
    first = packet[0]
    if first == 0x80:
        return
    if first & 0xC0 != 0x80:
        raise RemoteError("RTP version")
    end = 12 + 4 * (first & 0x0F)
    if first & 0x10:
        end += 4
        if end > size:
            raise RemoteError("RTP length")
        end += 4 * (packet[end - 2] << 8 | packet[end - 1])
    if end > size:
        raise RemoteError("RTP length")
    if first & 0x20 and not 0 < packet[-1] <= size - end:
        raise RemoteError("RTP padding")


def ssrc(packet: bytes) -> int:
    """
    The synchronization source of an RTP packet.

    @raise RemoteError: the packet is too short to have one.
    """
    if len(packet) < 12:
        raise RemoteError("RTP length")
    return int.from_bytes(packet[8:12], "big")


def payload(packet: bytes) -> bytes:
    """
    What an RTP packet carries: without sources, header extension and padding
    (RFC 3550 clause 5.1).

    @raise RemoteError: this is no RTP packet.
    """
    checkHeader(packet)
    start = 12 + 4 * (packet[0] & 0x0F)
    if packet[0] & 0x10:
        start += 4 + 4 * int.from_bytes(packet[start + 2 : start + 4], "big")
    end = len(packet) - (packet[-1] if packet[0] & 0x20 else 0)
    return packet[start:end]


def mid(packet: bytes, extensionID: int) -> str | None:
    """
    The identification of the media section that an RTP packet belongs to
    (RFC 9143 clause 15), from its header extension (RFC 8285 clause 4).

    @param extensionID: what the description has for it in C{a=extmap}.

    @return: L{None} if it is not there or cannot be read.
    """
    size = len(packet)
    if size < 16 or not packet[0] & 0x10:
        return None
    position = 16 + 4 * (packet[0] & 0x0F)
    if position > size:
        return None
    profile, words = struct.unpack_from("!HH", packet, position - 4)
    end = position + 4 * words
    if end > size:
        return None
    if profile == 0xBEDE:
        short = True
    elif profile & 0xFFF0 == 0x1000:
        short = False
    else:
        return None
    while position < end:
        identifier = packet[position] >> 4 if short else packet[position]
        if identifier == 0:
            # Padding; but in the short form a zero with a length is an error
            # that ends everything (clause 4.2).
            if packet[position] and short:
                return None
            position += 1
            continue
        if short:
            if identifier == 15:
                # Clause 4.2: stop here.
                return None
            length = (packet[position] & 0x0F) + 1
            position += 1
        else:
            if position + 1 >= end:
                return None
            length = packet[position + 1]
            position += 2
        if position + length > end:
            return None
        if identifier == extensionID:
            try:
                return packet[position : position + length].decode()
            except UnicodeDecodeError:
                return None
        position += length
    return None


def walk(compound: bytes) -> Iterator[ControlPacket]:
    """
    The packets of a compound RTCP packet, or of a reduced-size one (RFC
    5506), one after the other.

    @raise RemoteError: while iterating: the compound is malformed from here
        on.
    """
    position, size = 0, len(compound)
    if not size:
        raise RemoteError("RTCP length")
    for _ in range(MAX_CONTROL_PACKETS):
        if size - position < 4:
            raise RemoteError("RTCP length")
        first, kind = compound[position], compound[position + 1]
        if first & 0xC0 != 0x80:
            raise RemoteError("RTCP version")
        if not 192 <= kind <= 223:
            raise RemoteError("RTCP type")
        end = position + 4 + 4 * (compound[position + 2] << 8 | compound[position + 3])
        if end > size:
            raise RemoteError("RTCP length")
        last = end
        if first & 0x20:
            # RFC 3550 clause 6.4.1: only at the end of all, and whole words.
            padding = compound[end - 1]
            if end != size or not padding or padding & 3 or padding > end - position - 4:
                raise RemoteError("RTCP padding")
            last -= padding
        count = first & 0x1F
        fixed, each = _SHORTEST.get(kind, (0, 0))
        if last - position - 4 < fixed + each * count:
            raise RemoteError("RTCP length")
        yield ControlPacket(kind, count, compound[position + 4 : last], compound[position:end])
        position = end
        if position == size:
            return
    raise RemoteError("RTCP packets")


def forAVP(compound: bytes) -> bytes | None:
    """
    What somebody may see of a compound who agreed to no feedback (RFC 4585).

    Feedback messages go (types 205 and 206).  The rest is kept as it is,
    types that are not known here included, since RFC 3550 clause 6.1 has them
    ignored.

    What is left of a reduced-size compound (RFC 5506) does not begin with a
    report, as RFC 3550 clause 6.1 demands "even if the only other RTCP packet
    in the compound packet is a BYE".  That clause also says how to help it:
    with an empty receiver report, which goes in front of what is left, in the
    name of the source that sent it.  A BYE or an APP is thus not lost.  What
    names no source (an SDES or a BYE about nobody, a type that is not known
    here) says nothing that could be helped.

    The CNAME that the clause demands as well is the sender's to add: it is
    there in any regular compound, and nowhere to be had for others.

    @return: the compound itself if it may be seen whole; L{None} if nothing
        is left.

    @raise RemoteError: the compound is malformed.
    """
    packets = list(walk(compound))
    kept = [packet for packet in packets if packet.type not in _FEEDBACK]
    if not kept:
        return None
    lead = kept[0]
    if lead.type in _REPORTS:
        if len(kept) == len(packets):
            return compound
        return b"".join(packet.raw for packet in kept)
    if lead.type not in _SHORTEST or (lead.type in (Control.SDES, Control.BYE) and not lead.fmt):
        return None
    # The first word of all their bodies is the SSRC of who sent them.
    report = struct.pack("!BBH", 0x80, Control.RR, 1) + lead.body[:4]
    return report + b"".join(packet.raw for packet in kept)


def sourcesOf(compound: bytes) -> list[int]:
    """
    The synchronization sources that a compound names, each once, in the order
    of their appearance: the sender, then those that it reports on, that its
    feedback is about, that it describes or that leave.

    @return: at most L{MAX_SOURCES}.

    @raise RemoteError: the compound is malformed.
    """
    sources: dict[int, None] = {}
    for packet in walk(compound):
        for source in _sources(packet):
            sources[source] = None
            if len(sources) == MAX_SOURCES:
                return list(sources)
    return list(sources)


def _sources(packet: ControlPacket) -> Iterator[int]:
    kind, count, body, _ = packet
    if kind in _REPORTS:
        yield from _words(body, 0, 4, 4)
        start = 24 if kind == Control.SR else 4
        yield from _words(body, start, start + 24 * count, 24)
    elif kind == Control.SDES:
        yield from _described(body, count)
    elif kind == Control.BYE:
        yield from _words(body, 0, 4 * count, 4)
    elif kind == Control.APP:
        yield from _words(body, 0, 4, 4)
    elif kind in _FEEDBACK:
        yield from _words(body, 0, 4, 4)
        media = _WORD.unpack_from(body, 4)[0]
        if media:
            # RFC 5104 clause 4.2.1.2: zero where the entries name the targets.
            yield media
        if (kind, count) in _TARGETS:
            yield from _words(body, 8, len(body) - 4, 8)
        elif kind == Control.PSFB and count == 15 and body[8:12] == b"REMB" and len(body) >= 16:
            # Browsers' receiver estimate, which is registered nowhere.
            yield from _words(body, 16, min(len(body), 16 + 4 * body[12]), 4)
    elif kind == Control.XR:
        yield from _extended(body)


def _words(body: bytes, start: int, end: int, step: int) -> Iterator[int]:
    for position in range(start, end, step):
        yield _WORD.unpack_from(body, position)[0]


def _described(body: bytes, count: int) -> Iterator[int]:
    """
    RFC 3550 clause 6.5::

         0                   1                   2                   3
         0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |                          SSRC/CSRC                            |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |      item     |    length     | text ...   0 to 3 zeros at the end
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    """
    position, size = 0, len(body)
    for _ in range(count):
        if size - position < 8:
            raise RemoteError("RTCP description")
        yield _WORD.unpack_from(body, position)[0]
        position += 4
        while position < size and body[position]:
            position += 2 + (body[position + 1] if position + 1 < size else size)
        if position >= size:
            raise RemoteError("RTCP description")
        # At least one zero, and then up to the next word.
        position = (position | 3) + 1


def _extended(body: bytes) -> Iterator[int]:
    yield from _words(body, 0, 4, 4)
    position, size = 4, len(body)
    while size - position >= 4:
        kind, length = body[position], 4 * (body[position + 2] << 8 | body[position + 3])
        position += 4
        if position + length > size:
            raise RemoteError("RTCP extended report")
        if kind in _SOURCE_BLOCKS and length:
            yield from _words(body, position, position + 4, 4)
        elif kind == _DLRR:
            yield from _words(body, position, position + length - 8, 12)
        position += length
