"""
The two messages that open a data channel in band: RFC 8832.
"""

import struct
from dataclasses import dataclass
from typing import Final

from e2aegw.errors import RemoteError, UsageError

# Payload protocol identifiers, RFC 8831 clause 8 and RFC 8832 clause 8.1.  An
# SCTP message cannot be empty, so an empty one has a PPID of its own and a byte
# that says nothing.  The two partial ones are deprecated.
PPID_CONTROL: Final = 50
PPID_TEXT: Final = 51
PPID_BINARY_PARTIAL: Final = 52
PPID_BINARY: Final = 53
PPID_TEXT_PARTIAL: Final = 54
PPID_TEXT_EMPTY: Final = 56
PPID_BINARY_EMPTY: Final = 57

_OPEN: Final = 3
_ACK: Final = 2
#: DATA_CHANNEL_ACK, RFC 8832 clause 5.2.
ACK: Final = bytes((_ACK,))

_UNORDERED: Final = 0x80
_RELIABLE: Final = 0
_RETRANSMITS: Final = 1
_LIFETIME: Final = 2

_HEADER: Final = struct.Struct("!BBHIHH")


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """
    DATA_CHANNEL_OPEN, RFC 8832 clause 5.1::

         0                   1                   2                   3
         0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |  Message Type |  Channel Type |            Priority           |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |                    Reliability Parameter                      |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |         Label Length          |       Protocol Length         |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |                             Label                             |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |                            Protocol                           |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

    @ivar label: what the application calls the channel.
    @ivar protocol: the subprotocol, from IANA's WebSocket registry, or
        nothing.
    @ivar ordered: whether messages arrive in the order they were sent in.
    @ivar maxRetransmits: how often a message is sent again, or L{None}.
    @ivar maxLifetime: for how many milliseconds a message is tried, or
        L{None}.
    @ivar priority: RFC 8831 clause 6.4: 128, 256 (normal), 512 or 1024.
    """

    label: str = ""
    protocol: str = ""
    ordered: bool = True
    maxRetransmits: int | None = None
    maxLifetime: int | None = None
    priority: int = 256

    def encode(self) -> bytes:
        """
        Write the message.

        @raise UsageError: it has both limits, or one of its fields is too
            long or too large.
        """
        label, protocol = self.label.encode(), self.protocol.encode()
        kind, limit = _RELIABLE, 0
        if self.maxRetransmits is not None:
            kind, limit = _RETRANSMITS, self.maxRetransmits
        if self.maxLifetime is not None:
            if kind:
                raise UsageError("a data channel has one limit at most")
            kind, limit = _LIFETIME, self.maxLifetime
        if not self.ordered:
            kind |= _UNORDERED
        try:
            header = _HEADER.pack(_OPEN, kind, self.priority, limit, len(label), len(protocol))
        except struct.error as error:
            raise UsageError(f"data channel: {error}") from None
        return header + label + protocol


def parse(data: bytes) -> Open | None:
    """
    Read a message.

    @return: L{None} for DATA_CHANNEL_ACK.

    @raise RemoteError: it is neither, or is malformed.
    """
    if not data:
        raise RemoteError("DCEP", "empty")
    if data[0] == _ACK:
        return None
    if data[0] != _OPEN:
        raise RemoteError("DCEP", f"type {data[0]}")
    if len(data) < _HEADER.size:
        raise RemoteError("DCEP OPEN", "too short")
    _, kind, priority, limit, labelSize, protocolSize = _HEADER.unpack_from(data)
    start = _HEADER.size + labelSize
    if start + protocolSize != len(data):
        raise RemoteError("DCEP OPEN", "bad length")
    reliability = kind & ~_UNORDERED
    if reliability > _LIFETIME:
        raise RemoteError("DCEP OPEN", f"channel type {kind}")
    try:
        label, protocol = data[_HEADER.size : start].decode(), data[start:].decode()
    except UnicodeDecodeError:
        raise RemoteError("DCEP OPEN", "not UTF-8") from None
    return Open(
        label=label,
        protocol=protocol,
        ordered=not kind & _UNORDERED,
        maxRetransmits=limit if reliability == _RETRANSMITS else None,
        maxLifetime=limit if reliability == _LIFETIME else None,
        priority=priority,
    )
