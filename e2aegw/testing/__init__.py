"""
What tests need: a network in memory, telephones, and the promises that every
adapter keeps.

This is public: whoever writes an adapter mixes L{AdapterContract} into a test,
and whoever embeds the gateway makes calls through it with L{Terminal}s on a
L{MemoryNetwork}, with no socket and no waiting::

    clock = Clock()
    network = MemoryNetwork(clock)
    phone = Terminal(network, "192.0.2.1", suites=["AES_CM_128_HMAC_SHA1_80"])
    other = Terminal(network, "198.51.100.1")
    ...  # Take phone.offer() to the gateway, other.answer() back.
    packet = phone.sendMedia(b"hello")
    network.flush()
    assert other.received == [packet]

It needs nothing that the package itself does not.
"""

from e2aegw.testing.contract import RTP_UNITS, AdapterContract, MemoryAdapter, MemoryTransport
from e2aegw.testing.network import MemoryNetwork, MemoryPort
from e2aegw.testing.terminal import SUITES, Terminal

__all__ = [
    "RTP_UNITS",
    "SUITES",
    "AdapterContract",
    "MemoryAdapter",
    "MemoryNetwork",
    "MemoryPort",
    "MemoryTransport",
    "Terminal",
]
