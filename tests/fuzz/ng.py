"""
Anything that arrives at the ng socket.
"""

from typing import Final

from e2aegw.errors import RemoteError, UsageError
from e2aegw.sansio import ngflags, rtppflags
from e2aegw.sansio.ng import parse, serialize
from e2aegw.sansio.sdp import Side

_SIDES: Final = {"access": Side.ACCESS, "core": Side.CORE}


def ng(data: bytes) -> None:
    """
    Read a datagram, as bencode and as JSON too, and its flags.  What was read
    can be written again.
    """
    for datagram in (data, b"1 d7:command5:offer" + data, b'1 {"command":"offer",' + data):
        try:
            message = parse(datagram)
        except RemoteError:
            continue
        if not message.error:
            try:
                ngflags.read(message.fields, _SIDES)
            except UsageError:
                continue
            serialize(message.cookie, message.encoding, {"result": "ok", "sdp": message.fields["command"]})
    rtppflags.parse(data.decode("utf-8", "surrogateescape"))
