"""
The fuzz target for SCTP.
"""

import contextlib
import struct
from random import Random

from e2aegw.errors import RemoteError
from e2aegw.sansio.sctp import chunks as c
from e2aegw.sansio.sctp.association import Association
from e2aegw.sansio.sctp.chunks import AddStreams, Cause, IncomingReset, Init, OutgoingReset, Response, Skip
from e2aegw.sansio.sctp.settings import Settings

#: Where both sides' TSNs begin, and what their tags are.
_NUMBER = 0x01010101

#: What a packet may consist of, one chunk or several.
SEEDS = (
    Init(
        tag=7,
        window=5 << 20,
        outboundStreams=65535,
        inboundStreams=65535,
        tsn=_NUMBER,
        extensions=frozenset({c.RE_CONFIG, c.FORWARD_TSN, c.I_DATA, c.I_FORWARD_TSN}),
        forwardTSN=True,
        zeroChecksum=True,
        cookie=b"biscuit",
        unrecognized=(b"\xc1\x23\0\4",),
    ).encode(c.INIT_ACK),
    Init(tag=7, window=5 << 20, outboundStreams=9, inboundStreams=9, tsn=1, cookie=b"biscuit").encode(
        c.INIT_ACK
    )
    + c.heartbeatChunk(b"too soon"),
    c.chunk(c.COOKIE_ECHO, 0, bytes(70)) + c.chunk(c.COOKIE_ACK),
    c.dataChunk(c.BEGIN, _NUMBER, 1, 0, 53, b"first")
    + c.dataChunk(0, _NUMBER + 1, 1, 0, 53, b"second")
    + c.dataChunk(c.END, _NUMBER + 2, 1, 0, 53, b"third")
    + c.dataChunk(c.BEGIN | c.END | c.UNORDERED, _NUMBER + 4, 2, 0, 51, b"other"),
    c.iDataChunk(c.BEGIN, _NUMBER, 1, 0, 53, b"first")
    + c.iDataChunk(c.BEGIN | c.UNORDERED, _NUMBER + 1, 1, 0, 53, b"first")
    + c.iDataChunk(c.END, _NUMBER + 2, 1, 0, 1, b"second")
    + c.iDataChunk(c.BEGIN | c.END | c.IMMEDIATE, _NUMBER + 4, 1, 1, 51, b"other"),
    c.sackChunk(_NUMBER, 100000, [[_NUMBER + 2, _NUMBER + 3], [_NUMBER + 5, _NUMBER + 5]], [_NUMBER]),
    c.sackChunk(_NUMBER + 2, 0, [], []),
    c.heartbeatChunk(b"nonce") + c.chunk(c.HEARTBEAT_ACK, 0, c.heartbeatChunk(bytes(16))[4:]),
    c.causesChunk(c.ERROR, 0, [Cause(c.STALE_COOKIE, bytes(4)), Cause(c.UNRECOGNIZED_CHUNK, b"\xff\0\0\4")]),
    c.causesChunk(c.ABORT, 0, [Cause(c.USER_ABORT, b"reason")]),
    c.chunk(c.SHUTDOWN, 0, struct.pack("!I", _NUMBER))
    + c.chunk(c.SHUTDOWN_ACK)
    + c.chunk(c.SHUTDOWN_COMPLETE),
    c.forwardTSNChunk(_NUMBER + 3, [Skip(1, False, 2)], interleaved=False)
    + c.forwardTSNChunk(_NUMBER + 3, [Skip(1, True, 2), Skip(2, False, 3)], interleaved=True),
    c.reconfigChunk([OutgoingReset(_NUMBER, 0, _NUMBER - 1, (1, 2)), IncomingReset(_NUMBER + 1, ())])
    + c.reconfigChunk([AddStreams(_NUMBER, 5, False), Response(_NUMBER, 1)]),
)


def sctp(data: bytes) -> None:
    """
    Give associations anything at all, then the same as the chunks of a packet
    that has the right ports, tag and checksum, in the states that matter.
    """
    association = _association()
    with contextlib.suppress(RemoteError):
        association.receive(data, 0.0)
    _use(association)
    for interleaving in (None, False, True):
        association = _association() if interleaving is None else _established(interleaving)
        tag = 0 if data[:1] == b"\x01" else _NUMBER
        packet = c.packet(struct.pack("!HHI", 5000, 5000, tag), (data[:1500],))
        for now in (1.0, 2.0):
            with contextlib.suppress(RemoteError):
                association.receive(packet, now)
            _use(association)


class _Constant(Random):
    """
    Chance that has no choice.
    """

    def randbytes(self, n: int) -> bytes:
        return b"\x01" * n


def _association(*, interleaving: bool = True) -> Association:
    association = Association(Settings(interleaving=interleaving), _Constant().randbytes)
    association.associate(0.0)
    return association


def _established(interleaving: bool) -> Association:
    """
    An association with an other side that has the same tag, some data in
    flight, and a reset under way.
    """
    association = _association(interleaving=interleaving)
    extensions = {c.RE_CONFIG, c.FORWARD_TSN, c.I_DATA, c.I_FORWARD_TSN}
    answer = Init(
        tag=_NUMBER,
        window=100000,
        outboundStreams=10,
        inboundStreams=10,
        tsn=_NUMBER,
        extensions=frozenset(extensions),
        forwardTSN=True,
        cookie=b"biscuit",
    )
    header = struct.pack("!HHI", 5000, 5000, _NUMBER)
    association.receive(c.packet(header, (answer.encode(c.INIT_ACK), c.chunk(c.COOKIE_ACK))), 0.1)
    for streamID in (1, 2):
        association.send(streamID, bytes(3000), 53, maxRetransmits=streamID, now=0.2)
    association.resetStreams([3], 0.2)
    _use(association)
    association.pause(2)
    return association


def _use(association: Association) -> None:
    """
    Take what it says and sends, and let time pass.
    """
    for _ in range(3):
        while association.nextEvent() is not None:
            pass
        while (packet := association.nextDatagram()) is not None:
            assert len(packet) <= 1191, "too long"
            assert c.kinds(packet), "empty"
        at = association.nextTimeout()
        if at is None:
            return
        association.timeout(at)
