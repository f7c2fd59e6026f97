"""
The fuzz target for RTP and RTCP packets.
"""

from contextlib import suppress

from e2aegw.errors import RemoteError
from e2aegw.sansio import rtp as target


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
