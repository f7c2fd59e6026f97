"""
The fuzz target for BFCP: streams, messages of channels, and datagrams.
"""

from collections import Counter
from contextlib import suppress

from e2aegw.errors import RemoteError
from e2aegw.sansio.bfcp import MAX_MESSAGE
from e2aegw.sansio.bfcpfragments import MAX_DATAGRAM
from e2aegw.sansio.bfcpreader import ReliableHop
from e2aegw.sansio.bfcptransactions import DatagramHop

#: A FloorRequest and its status in a stream; a Hello over UDP, its response,
#: something unasked; and a message in two pieces, each datagram with its length
#: in front.
SEEDS = (
    bytes.fromhex(
        "20010001000004d2007b00ea0504021f20040004000004d2007b00ea1f1003152508031505040100230400010000"
    ),
    bytes.fromhex(
        "000c400b0000000004d2007b00ea000c500c0000000004d2000100ea00104008000100000004d201f500ea0504021f"
    ),
    bytes.fromhex("001448010002000004d2007b00ea000000010504021f001448010002000004d2007b00ea000100010504021f"),
    bytes.fromhex("0014001100002112a442000000000000000000000000"),
)


def bfcp(data: bytes) -> None:
    """
    Read anything in each way; whatever is read is read as the same again, over
    any transport.
    """
    for size in (len(data) or 1, 5):
        reader = ReliableHop(Counter(), stream=True)
        with suppress(RemoteError):
            for at in range(0, len(data), size):
                reader.receive(data[at : at + size], 0)
        _pass(reader)
    channel = ReliableHop(Counter(), stream=False)
    with suppress(RemoteError):
        channel.receive(data, 0)
    _pass(channel)
    for toServer in (None, True, False):
        hop, now, at = DatagramHop(Counter()), 0.0, 0
        hop.toServer = toServer
        hop.send(SEEDS[0][:16], 0)
        while at < len(data):
            end = at + 2 + int.from_bytes(data[at : at + 2], "big")
            with suppress(RemoteError):
                hop.receive(data[at + 2 : end], now)
            at, now = end, now + 0.3
            hop.timeout(now)
        for _ in range(10):
            due = hop.nextTimeout()
            hop.timeout(now if due is None else due)
        _pass(hop)


def _pass(hop: ReliableHop | DatagramHop) -> None:
    while (datagram := hop.nextDatagram()) is not None:
        assert len(datagram) <= MAX_DATAGRAM
    while (message := hop.nextMessage()) is not None:
        assert len(message) <= MAX_MESSAGE
        again = ReliableHop(Counter(), stream=False)
        again.receive(message, 0)
        assert again.nextMessage() == message
        other, far = DatagramHop(Counter()), DatagramHop(Counter())
        other.send(message, 0)
        while (datagram := other.nextDatagram()) is not None:
            far.receive(datagram, 0)
            said = far.nextMessage()
            assert said is None or said[10:] == message[10:]
