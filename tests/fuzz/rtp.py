"""
The fuzz target for RTP and RTCP packets.
"""

from contextlib import suppress

from e2aegw.errors import RemoteError
from e2aegw.sansio import rtp as target

#: RTP with an extension, and a compound of each kind of RTCP packet.
SEEDS = (
    b"\x90\x00\x00\x01\x00\x00\x00\xa0\x00\x00\x00\x07\xbe\xde\x00\x01\x31v0\x00payload",
    b"\xb0\x00\x00\x01\x00\x00\x00\xa0\x00\x00\x00\x07\x10\x00\x00\x01\x03\x02v0pad\x01",
    b"\x81\xc8\x00\x0c\x00\x00\x00\x07"
    + bytes(20)
    + b"\x00\x00\x00\x09"
    + bytes(20)
    + b"\x81\xca\x00\x03\x00\x00\x00\x07\x01\x04a@b.\x00\x00"
    + b"\x81\xcd\x00\x03\x00\x00\x00\x07\x00\x00\x00\x09\x00\x01\x00\x00"
    + b"\x8f\xce\x00\x05\x00\x00\x00\x07\x00\x00\x00\x00REMB\x01\x00\x00\x00\x00\x00\x00\x09"
    + b"\x80\xcf\x00\x04\x00\x00\x00\x07\x04\x00\x00\x02"
    + bytes(8)
    + b"\xa1\xcb\x00\x02\x00\x00\x00\x07\x00\x00\x00\x04",
)


def rtp(data: bytes) -> None:
    """
    Read anything as RTP and as RTCP.
    """
    for function in (target.checkHeader, target.ssrc, target.sourcesOf):
        with suppress(RemoteError):
            function(data)
    target.isControl(data)
    target.mid(data, 3)
    with suppress(RemoteError):
        left = target.forAVP(data)
        if left is not None:
            assert target.forAVP(left) is left
