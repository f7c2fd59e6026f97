"""
The fuzz target for UDPTL.
"""

from contextlib import suppress

from e2aegw.adapter.udptl import Factory
from e2aegw.errors import RemoteError
from e2aegw.sansio.udptl import MAX_ENTRIES, isWhole
from e2aegw.testing.contract import MemoryAdapter, MemoryTransport
from tests.sansio.udptlcodec import decode, encode

_PACKET = b"\xc0\x01\x80\x00\x05hello"
#: With redundancy, with parity, alone, and with something long.
SEEDS = (
    encode(7, _PACKET, [_PACKET] * 3),
    encode(0xFFFF, _PACKET, [_PACKET, _PACKET[:4], b""], parity=True),
    encode(0, b"\x06"),
    encode(1, bytes(200), [bytes(130)]),
)


def udptl(data: bytes) -> None:
    """
    Read anything, with octets of something else behind it.
    """
    whole = isWhole(data, len(data))
    assert isWhole(bytearray(data) + b"\x01" * 300, len(data)) is whole
    if whole:
        assert len(decode(data).entries) <= MAX_ENTRIES
    for proto in Factory.protos:
        adapter, peer = Factory().buildAdapter(proto), MemoryAdapter("udptl")
        adapter.peer = peer
        adapter.makeConnection(MemoryTransport())
        with suppress(RemoteError):
            adapter.dataReceived(data)
        assert peer.units == ([data] if whole else [])
