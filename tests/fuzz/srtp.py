"""
The fuzz target for SRTP and SRTCP.
"""

from contextlib import suppress

from e2aegw.errors import RemoteError
from e2aegw.sansio.srtp import Context, Keys, Profile

#: RTP with an extension and a contributing source, and a report.
SEEDS = (
    b"\x80\x00\x00\x01\x00\x00\x00\xa0\x00\x00\x00\x07payload",
    b"\x91\x00\x00\x01\x00\x00\x00\xa0\x00\x00\x00\x07\x00\x00\x00\x09\xbe\xde\x00\x01\x31v0\x00payload",
    b"\x80\xc9\x00\x01\x00\x00\x00\x07" + bytes(20),
    b"\x80\xc8\x00\x06\x00\x00\x00\x07" + bytes(20) + b"\x80\x00\x00\x01" + bytes(10),
)


def srtp(data: bytes) -> None:
    """
    Nothing that anybody makes up is authentic; whatever we protect is, once.
    """
    for profile in Profile:
        keys = Keys(profile, bytes(range(profile.keyLength + profile.saltLength)))
        for protect, unprotect in (
            (Context.protect, Context.unprotect),
            (Context.protectControl, Context.unprotectControl),
        ):
            inbound = Context(keys, inbound=True)
            assert _refuses(unprotect, inbound, data)
            with suppress(RemoteError):
                wire = protect(Context(keys, inbound=False), data)
                assert unprotect(inbound, wire) == data
                assert _refuses(unprotect, inbound, wire)


def _refuses(unprotect: object, inbound: Context, data: bytes) -> bool:
    assert callable(unprotect)
    try:
        unprotect(inbound, data)
    except RemoteError:
        return True
    return False
