"""
What stands in an SCTP packet: the common header, chunks, parameters and error
causes of RFC 9260 clause 3, and those of RFC 3758, 6525, 8260 and 9653.

DATA, I-DATA and SACK are read where they are used, for they come with every
packet; the layouts are here all the same.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import google_crc32c

from e2aegw.errors import RemoteError

# Chunk types, RFC 9260 clause 3.2, RFC 3758, RFC 6525 and RFC 8260.  The two
# high bits say what to do with a type that is not known: 00 and 01 discard the
# packet from here on, 10 and 11 skip the chunk; 01 and 11 report it.
DATA: Final = 0
INIT: Final = 1
INIT_ACK: Final = 2
SACK: Final = 3
HEARTBEAT: Final = 4
HEARTBEAT_ACK: Final = 5
ABORT: Final = 6
SHUTDOWN: Final = 7
SHUTDOWN_ACK: Final = 8
ERROR: Final = 9
COOKIE_ECHO: Final = 10
COOKIE_ACK: Final = 11
SHUTDOWN_COMPLETE: Final = 14
I_DATA: Final = 64
RE_CONFIG: Final = 130
FORWARD_TSN: Final = 192
I_FORWARD_TSN: Final = 194

# The flags of DATA and I-DATA: the last and the first fragment, unordered, and
# "acknowledge at once" (RFC 9260 clause 3.3.1).
END: Final = 0x01
BEGIN: Final = 0x02
UNORDERED: Final = 0x04
IMMEDIATE: Final = 0x08
#: The T bit of ABORT and SHUTDOWN COMPLETE: the tag is the receiver's own.
REFLECTED: Final = 0x01

# Parameter types.
_HEARTBEAT_INFO: Final = 1
_STATE_COOKIE: Final = 7
_UNRECOGNIZED: Final = 8
_COOKIE_PRESERVATIVE: Final = 9
_OUTGOING_RESET: Final = 13
_INCOMING_RESET: Final = 14
_TSN_RESET: Final = 15
_RESPONSE: Final = 16
_ADD_OUTGOING: Final = 17
_ADD_INCOMING: Final = 18
_ZERO_CHECKSUM: Final = 0x8001
_EXTENSIONS: Final = 0x8008
_FORWARD_TSN_SUPPORTED: Final = 0xC000
#: Parameters of INIT and INIT ACK that are known and say nothing here: the
#: addresses and their types (5, 6, 11, 12), because the association has one
#: path, which is not SCTP's to choose (RFC 8261 clause 6.1).
_IDLE_PARAMETERS: Final = frozenset({5, 6, 11, 12, _COOKIE_PRESERVATIVE})

# Error causes, RFC 9260 clause 3.3.10.
INVALID_STREAM: Final = 1
MISSING_PARAMETER: Final = 2
STALE_COOKIE: Final = 3
UNRECOGNIZED_CHUNK: Final = 6
INVALID_PARAMETER: Final = 7
UNRECOGNIZED_PARAMETERS: Final = 8
NO_USER_DATA: Final = 9
COOKIE_IN_SHUTDOWN: Final = 10
USER_ABORT: Final = 12
PROTOCOL_VIOLATION: Final = 13

#: Error detection method 1: SCTP over DTLS (RFC 9653 clause 8.2).
_EDMID_DTLS: Final = 1

#: Most parameters that are read in one chunk.  INIT has fewer than ten.
MAX_PARAMETERS: Final = 64
#: Most bytes of unknown parameters that are reported to their writer; they go
#: into a packet with others.
MAX_REPORTED: Final = 512
#: The smallest window that an association may begin with (RFC 9260 clauses
#: 3.3.2 and 3.3.3).
MIN_WINDOW: Final = 1500
#: Most gap blocks that are written in one SACK: all that fit beside it in the
#: smallest packet that is ever configured (576 bytes of IPv4).
MAX_GAPS_SENT: Final = 100
#: Most duplicate TSNs that are reported in one SACK.  They are for statistics.
MAX_DUPLICATES_SENT: Final = 8

HEADER: Final = struct.Struct("!HHII")
CHUNK: Final = struct.Struct("!BBH")
#: DATA: type, flags, length, TSN, stream, SSN, PPID.
DATA_CHUNK: Final = struct.Struct("!BBHIHHI")
#: I-DATA: type, flags, length, TSN, stream, reserved, MID, PPID or FSN.
I_DATA_CHUNK: Final = struct.Struct("!BBHIHHII")
#: What follows the chunk header of a SACK.
SACK_BODY: Final = struct.Struct("!IIHH")
_INIT: Final = struct.Struct("!IIHHI")
_PARAMETER: Final = struct.Struct("!HH")
_WORD: Final = struct.Struct("!I")
_CRC: Final = struct.Struct("<I")

_PADDING: Final = (b"", b"\0\0\0", b"\0\0", b"\0")
_NO_CHECKSUM: Final = b"\0\0\0\0"


def checksum(packet: bytes) -> int:
    """
    CRC32c of a packet, whose checksum field counts as zero (RFC 9260 appendix
    A).
    """
    return int(google_crc32c.extend(google_crc32c.value(packet[:8] + _NO_CHECKSUM), packet[12:]))


def packet(header: bytes, chunks: Iterable[bytes], *, summed: bool = True) -> bytes:
    """
    Put a packet together.

    The common header, RFC 9260 clause 3.1::

         0                   1                   2                   3
         0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |      Source Port Number       |    Destination Port Number    |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |                       Verification Tag                        |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |                           Checksum                            |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

    @param header: the first eight bytes.
    @param summed: whether to fill in the checksum or zero (RFC 9653).
    """
    body = b"".join(chunks)
    if not summed:
        return header + _NO_CHECKSUM + body
    crc = google_crc32c.extend(google_crc32c.value(header + _NO_CHECKSUM), body)
    return header + _CRC.pack(crc) + body


def isSummed(packet: bytes, field: int) -> bool:
    """
    Whether the checksum field of a packet, read in network order, is right.
    """
    return _CRC.pack(checksum(packet)) == _WORD.pack(field)


def kinds(packet: bytes) -> set[int]:
    """
    The types of the chunks in a packet, as far as it is well-formed.
    """
    found = set()
    offset = 12
    while offset + 4 <= len(packet):
        found.add(packet[offset])
        length = int.from_bytes(packet[offset + 2 : offset + 4], "big")
        if length < 4:
            break
        offset += length + (-length & 3)
    return found


def chunk(kind: int, flags: int = 0, body: bytes = b"") -> bytes:
    """
    Write a chunk and its padding, RFC 9260 clause 3.2::

        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |  Chunk Type   |  Chunk Flags  |         Chunk Length          |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |                          Chunk Value                          |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    """
    return CHUNK.pack(kind, flags, len(body) + 4) + body + _PADDING[len(body) & 3]


def dataChunk(flags: int, tsn: int, streamID: int, ssn: int, ppid: int, payload: bytes) -> bytes:
    """
    Write a DATA chunk, RFC 9260 clause 3.3.1::

        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |   Type = 0    |  Res  |I|U|B|E|            Length             |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |                              TSN                              |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |       Stream Identifier       |    Stream Sequence Number     |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |                  Payload Protocol Identifier                  |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    """
    size = len(payload)
    return (
        DATA_CHUNK.pack(DATA, flags, size + 16, tsn & 0xFFFFFFFF, streamID, ssn & 0xFFFF, ppid)
        + payload
        + _PADDING[size & 3]
    )


def iDataChunk(flags: int, tsn: int, streamID: int, mid: int, word: int, payload: bytes) -> bytes:
    """
    Write an I-DATA chunk, RFC 8260 clause 2.1::

        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |   Type = 64   |  Res  |I|U|B|E|       Length = Variable       |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |                              TSN                              |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |        Stream Identifier      |           Reserved            |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |                      Message Identifier                       |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |    Payload Protocol Identifier / Fragment Sequence Number     |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

    @param word: the payload protocol identifier in the first fragment, the
        number of the fragment in the others.
    """
    size = len(payload)
    return (
        I_DATA_CHUNK.pack(I_DATA, flags, size + 20, tsn & 0xFFFFFFFF, streamID, 0, mid & 0xFFFFFFFF, word)
        + payload
        + _PADDING[size & 3]
    )


def sackChunk(tsn: int, window: int, gaps: Sequence[Sequence[int]], duplicates: Sequence[int]) -> bytes:
    """
    Write a SACK chunk, RFC 9260 clause 3.3.4::

        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |   Type = 3    |  Chunk Flags  |         Chunk Length          |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |                      Cumulative TSN Ack                       |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |          Advertised Receiver Window Credit (a_rwnd)           |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        | Number of Gap Ack Blocks = N  |  Number of Duplicate TSNs = M |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |    Gap Ack Block #1 Start     |     Gap Ack Block #1 End      |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |                        Duplicate TSN 1                        |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

    @param tsn: the highest TSN below which nothing is missing.
    @param gaps: pairs of the first and last TSN of each block above that, in
        ascending order.
    """
    if not gaps and not duplicates:
        return CHUNK.pack(SACK, 0, 16) + SACK_BODY.pack(tsn & 0xFFFFFFFF, window, 0, 0)
    offsets = [bound - tsn for gap in gaps[:MAX_GAPS_SENT] if gap[1] - tsn < 65536 for bound in gap]
    seen = [duplicate & 0xFFFFFFFF for duplicate in duplicates[:MAX_DUPLICATES_SENT]]
    body = SACK_BODY.pack(tsn & 0xFFFFFFFF, window, len(offsets) // 2, len(seen))
    return chunk(SACK, 0, body + struct.pack(f"!{len(offsets)}H{len(seen)}I", *offsets, *seen))


class Sack(NamedTuple):
    """
    A SACK that was read.

    @ivar tsn: the cumulative TSN ack.
    @ivar window: what the receiver still has room for.
    @ivar gaps: the first and last TSN of each block, relative to C{tsn}.
    """

    tsn: int
    window: int
    gaps: list[tuple[int, int]]


def parseSack(body: bytes) -> Sack:
    """
    Read what follows the chunk header of a SACK.

    @raise RemoteError: it is too short for what it announces, or its blocks
        are not in order.
    """
    if len(body) < 12:
        raise RemoteError("SCTP SACK", "too short")
    tsn, window, count, duplicates = SACK_BODY.unpack_from(body)
    if not count:
        if len(body) < 12 + 4 * duplicates:
            raise RemoteError("SCTP SACK", "too short")
        return Sack(tsn, window, [])
    if len(body) < 12 + 4 * (count + duplicates):
        raise RemoteError("SCTP SACK", "too short")
    bounds = struct.unpack_from(f"!{2 * count}H", body, 12)
    gaps = list(zip(bounds[::2], bounds[1::2], strict=True))
    last = 0
    for start, end in gaps:
        if start <= last or end < start:
            raise RemoteError("SCTP SACK", "blocks out of order")
        last = end
    return Sack(tsn, window, gaps)


def _parameter(kind: int, value: bytes) -> bytes:
    """
    Write a parameter or an error cause, without its padding, RFC 9260 clause
    3.2.1::

        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |        Parameter Type         |       Parameter Length        |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |                        Parameter Value                        |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    """
    return _PARAMETER.pack(kind, len(value) + 4) + value


def join(parts: Sequence[bytes]) -> bytes:
    """
    Put parameters one after another, and padding between them.  That of the
    last one does not count in the length of the chunk (RFC 9260 clause 3.2).
    """
    return b"".join([part + _PADDING[len(part) & 3] for part in parts[:-1]]) + b"".join(parts[-1:])


def _parameters(data: bytes, offset: int = 0) -> Iterator[tuple[int, bytes]]:
    """
    Read parameters or error causes.  The padding of the last may be missing.
    """
    for _ in range(MAX_PARAMETERS):
        if len(data) - offset < 4:
            return
        kind, length = _PARAMETER.unpack_from(data, offset)
        if length < 4 or offset + length > len(data):
            raise RemoteError("SCTP parameter", "bad length")
        yield kind, data[offset + 4 : offset + length]
        offset += length + (-length & 3)
    raise RemoteError("SCTP parameter", "too many")


@dataclass(frozen=True, slots=True, kw_only=True)
class Init:
    """
    INIT or INIT ACK, RFC 9260 clauses 3.3.2 and 3.3.3::

        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |  Type = 1/2   |  Chunk Flags  |         Chunk Length          |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |                         Initiate Tag                          |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |          Advertised Receiver Window Credit (a_rwnd)           |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |  Number of Outbound Streams   |   Number of Inbound Streams   |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |                          Initial TSN                          |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |              Optional/Variable-Length Parameters              |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

    @ivar extensions: the chunk types of the Supported Extensions parameter
        (RFC 5061 clause 4.2.7).
    @ivar forwardTSN: whether FORWARD TSN is supported (RFC 3758).
    @ivar zeroChecksum: whether packets without a checksum are accepted
        because DTLS protects them (RFC 9653).
    @ivar cookie: the state cookie, in INIT ACK only.
    @ivar unrecognized: whole parameters that their reader must report to
        their writer.
    @ivar reported: whether the writer reports that it did not recognize a
        parameter of ours.
    """

    tag: int
    window: int
    outboundStreams: int
    inboundStreams: int
    tsn: int
    extensions: frozenset[int] = frozenset()
    forwardTSN: bool = False
    zeroChecksum: bool = False
    cookie: bytes = field(default=b"", repr=False)
    unrecognized: tuple[bytes, ...] = ()
    reported: bool = False

    @property
    def usable(self) -> bool:
        """
        Whether an association can begin with it.
        """
        return bool(self.inboundStreams and self.outboundStreams) and self.window >= MIN_WINDOW

    def encode(self, kind: int) -> bytes:
        """
        Write the chunk.

        @param kind: L{INIT} or L{INIT_ACK}.
        """
        body = [_INIT.pack(self.tag, self.window, self.outboundStreams, self.inboundStreams, self.tsn)]
        if self.cookie:
            body.append(_parameter(_STATE_COOKIE, self.cookie))
        if self.forwardTSN:
            body.append(_parameter(_FORWARD_TSN_SUPPORTED, b""))
        if self.zeroChecksum:
            body.append(_parameter(_ZERO_CHECKSUM, _WORD.pack(_EDMID_DTLS)))
        if self.extensions:
            body.append(_parameter(_EXTENSIONS, bytes(sorted(self.extensions))))
        body += [_parameter(_UNRECOGNIZED, parameter) for parameter in self.unrecognized]
        return chunk(kind, 0, join(body))

    @classmethod
    def parse(cls, body: bytes) -> "Init":
        """
        Read what follows the chunk header.

        @raise RemoteError: a length is wrong.
        """
        if len(body) < 16:
            raise RemoteError("SCTP INIT", "too short")
        tag, window, outboundStreams, inboundStreams, tsn = _INIT.unpack_from(body)
        extensions: frozenset[int] = frozenset()
        forwardTSN = zeroChecksum = reported = False
        cookie = b""
        unrecognized: list[bytes] = []
        room = MAX_REPORTED
        for kind, value in _parameters(body, 16):
            if kind == _STATE_COOKIE:
                cookie = value
            elif kind == _FORWARD_TSN_SUPPORTED:
                forwardTSN = True
            elif kind == _ZERO_CHECKSUM:
                zeroChecksum = value == _WORD.pack(_EDMID_DTLS)
            elif kind == _EXTENSIONS:
                extensions = frozenset(value)
            elif kind == _UNRECOGNIZED:
                reported = True
            elif kind not in _IDLE_PARAMETERS:
                # RFC 9260 clause 3.2.1: the two high bits, as for chunks.
                if kind & 0x4000 and len(value) + 4 <= room:
                    unrecognized.append(_parameter(kind, value))
                    room -= len(value) + 4
                if not kind & 0x8000:
                    break
        return cls(
            tag=tag,
            window=window,
            outboundStreams=outboundStreams,
            inboundStreams=inboundStreams,
            tsn=tsn,
            extensions=extensions,
            forwardTSN=forwardTSN,
            zeroChecksum=zeroChecksum,
            cookie=cookie,
            unrecognized=tuple(unrecognized),
            reported=reported,
        )


def heartbeatChunk(info: bytes) -> bytes:
    """
    Write a HEARTBEAT chunk (RFC 9260 clause 3.3.5).
    """
    return chunk(HEARTBEAT, 0, _parameter(_HEARTBEAT_INFO, info))


def parseHeartbeat(body: bytes) -> bytes:
    """
    Read the information in a HEARTBEAT ACK.

    @raise RemoteError: there is none.
    """
    for kind, value in _parameters(body):
        if kind == _HEARTBEAT_INFO:
            return value
    raise RemoteError("SCTP HEARTBEAT ACK", "nothing in it")


class Cause(NamedTuple):
    """
    An error cause (RFC 9260 clause 3.3.10), in an ERROR or ABORT chunk.
    """

    code: int
    value: bytes = b""


def causesChunk(kind: int, flags: int, causes: Iterable[Cause]) -> bytes:
    """
    Write an ERROR or ABORT chunk.
    """
    return chunk(kind, flags, join([_parameter(cause.code, cause.value) for cause in causes]))


def parseCauses(body: bytes) -> list[Cause]:
    """
    Read what follows the chunk header of ERROR or ABORT.

    @raise RemoteError: a length is wrong.
    """
    return [Cause(kind, value) for kind, value in _parameters(body)]


class Skip(NamedTuple):
    """
    Messages of a stream that will not come any more: all up to this one.

    @ivar number: the SSN, or with interleaving the MID.
    """

    streamID: int
    unordered: bool
    number: int


def forwardTSNChunk(tsn: int, skips: Iterable[Skip], *, interleaved: bool) -> bytes:
    """
    Write FORWARD TSN (RFC 3758 clause 3.2) or I-FORWARD-TSN (RFC 8260 clause
    2.3.1)::

        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |  Type = 192   |     Flags     |            Length             |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |                      New Cumulative TSN                       |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |            Stream             |        Stream Sequence        |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |  Type = 194   |     Flags     |            Length             |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |                      New Cumulative TSN                       |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |       Stream Identifier       |          Reserved           |U|
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |                      Message Identifier                       |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    """
    body = [_WORD.pack(tsn & 0xFFFFFFFF)]
    for skip in skips:
        if interleaved:
            body.append(struct.pack("!HHI", skip.streamID, skip.unordered, skip.number & 0xFFFFFFFF))
        elif not skip.unordered:
            # RFC 3758 clause 3.2: unordered messages are not listed.
            body.append(struct.pack("!HH", skip.streamID, skip.number & 0xFFFF))
    return chunk(I_FORWARD_TSN if interleaved else FORWARD_TSN, 0, b"".join(body))


def parseForwardTSN(body: bytes, *, interleaved: bool) -> tuple[int, list[Skip]]:
    """
    Read what follows the chunk header of FORWARD TSN or I-FORWARD-TSN.

    @raise RemoteError: its length is wrong.
    """
    size = 8 if interleaved else 4
    if len(body) < 4 or (len(body) - 4) % size:
        raise RemoteError("SCTP FORWARD TSN", "bad length")
    (tsn,) = _WORD.unpack_from(body)
    if interleaved:
        skips = [Skip(s, bool(flags & 1), mid) for s, flags, mid in struct.iter_unpack("!HHI", body[4:])]
    else:
        skips = [Skip(s, False, ssn) for s, ssn in struct.iter_unpack("!HH", body[4:])]
    return tsn, skips


# RFC 6525 clause 4: what stands in RE-CONFIG, one or two of them::
#
#     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
#     |  Type = 130   |  Chunk Flags  |         Chunk Length          |
#     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
#     |                  Re-configuration Parameter                   |
#     +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+


class OutgoingReset(NamedTuple):
    """
    "I begin anew on these streams", RFC 6525 clause 4.1.

    @ivar number: of this request.
    @ivar response: the number of the request that this one answers, or of the
        last request that was answered.
    @ivar tsn: the last TSN that was assigned before the reset.
    @ivar streams: none means all.
    """

    number: int
    response: int
    tsn: int
    streams: tuple[int, ...]


class IncomingReset(NamedTuple):
    """
    "Begin anew on these streams", RFC 6525 clause 4.2.
    """

    number: int
    streams: tuple[int, ...]


class TSNReset(NamedTuple):
    """
    "Let us both begin anew with everything", RFC 6525 clause 4.3.
    """

    number: int


class AddStreams(NamedTuple):
    """
    "I want more streams", RFC 6525 clauses 4.5 and 4.6.

    @ivar more: how many.
    @ivar incoming: towards the sender of this request.
    """

    number: int
    more: int
    incoming: bool


class Response(NamedTuple):
    """
    What became of a request, RFC 6525 clause 4.4.
    """

    number: int
    result: int


Reconfiguration = OutgoingReset | IncomingReset | TSNReset | AddStreams | Response


def reconfigChunk(parts: Iterable[Reconfiguration]) -> bytes:
    """
    Write a RE-CONFIG chunk.
    """
    body = []
    for part in parts:
        match part:
            case OutgoingReset(number, response, tsn, streams):
                value = struct.pack(f"!III{len(streams)}H", number, response, tsn & 0xFFFFFFFF, *streams)
                body.append(_parameter(_OUTGOING_RESET, value))
            case IncomingReset(number, streams):
                value = struct.pack(f"!I{len(streams)}H", number, *streams)
                body.append(_parameter(_INCOMING_RESET, value))
            case TSNReset(number):
                body.append(_parameter(_TSN_RESET, _WORD.pack(number)))
            case AddStreams(number, more, incoming):
                kind = _ADD_INCOMING if incoming else _ADD_OUTGOING
                body.append(_parameter(kind, struct.pack("!IHH", number, more, 0)))
            case _:
                body.append(_parameter(_RESPONSE, struct.pack("!II", part.number, part.result)))
    return chunk(RE_CONFIG, 0, join(body))


def parseReconfig(body: bytes) -> list[Reconfiguration]:
    """
    Read what follows the chunk header of RE-CONFIG.

    @raise RemoteError: a length is wrong, or there is something else in it.
    """
    parts: list[Reconfiguration] = []
    for kind, value in _parameters(body):
        try:
            if kind == _OUTGOING_RESET:
                number, response, tsn = struct.unpack_from("!III", value)
                parts.append(OutgoingReset(number, response, tsn, _streams(value[12:])))
            elif kind == _INCOMING_RESET:
                parts.append(IncomingReset(_WORD.unpack_from(value)[0], _streams(value[4:])))
            elif kind == _TSN_RESET:
                parts.append(TSNReset(_WORD.unpack_from(value)[0]))
            elif kind in (_ADD_OUTGOING, _ADD_INCOMING):
                number, more = struct.unpack_from("!IH", value)
                parts.append(AddStreams(number, more, kind == _ADD_INCOMING))
            elif kind == _RESPONSE:
                parts.append(Response(*struct.unpack_from("!II", value)))
            else:
                raise RemoteError("SCTP RE-CONFIG", f"parameter {kind}")
        except struct.error:
            raise RemoteError("SCTP RE-CONFIG", "too short") from None
    return parts


def _streams(value: bytes) -> tuple[int, ...]:
    if len(value) & 1:
        raise RemoteError("SCTP RE-CONFIG", "half a stream number")
    return struct.unpack(f"!{len(value) // 2}H", value)
