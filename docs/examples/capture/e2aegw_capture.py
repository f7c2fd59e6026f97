"""
Plain RTP, of which a copy goes into a capture file that Wireshark opens.

Put it on the core side of a route, and the file holds in the clear what was
protected on the access side:

.. code-block:: toml

    [[route]]
    access = "srtp"
    core = "capture"

    [adapter.capture]
    folder = "/var/spool/captures"
"""

import itertools
import os
import struct
import time
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Any, BinaryIO

from zope.interface import implementer

from e2aegw.adapter.rtp import PROTOS, RTPAdapter
from e2aegw.errors import ConfigError
from e2aegw.interfaces import IAdapterFactory
from e2aegw.sansio.sdp import Section

#: Link-layer type "raw IP" of the pcap format.
LINKTYPE_RAW = 101
#: Octets of each packet that are kept: any RTP packet.
SNAPLEN = 65535
_HEADER = struct.Struct("<IHHiIII")
_RECORD = struct.Struct("<IIII")
_UDP = struct.Struct("!HHHH")


class CaptureFile:
    """
    A file in the classic pcap format.
    """

    def __init__(self, stream: BinaryIO, limit: int, clock: Callable[[], float]) -> None:
        """
        @param limit: octets after which nothing more is written.
        """
        self._stream = stream
        self._limit = limit
        self._clock = clock
        self._written = stream.write(_HEADER.pack(0xA1B2C3D4, 2, 4, 0, 0, SNAPLEN, LINKTYPE_RAW))

    def write(self, packet: bytes, source: tuple[str, int], destination: tuple[str, int]) -> bool:
        """
        Add a packet.

        @return: whether there was room, in a file that is still open.
        """
        if self._stream.closed:
            return False
        datagram = _datagram(packet, source, destination)
        if self._written + _RECORD.size + len(datagram) > self._limit:
            return False
        now = self._clock()
        seconds, size = int(now), len(datagram)
        header = _RECORD.pack(seconds, int((now - seconds) * 1_000_000), size, size)
        self._written += self._stream.write(header + datagram)
        return True

    def close(self) -> None:
        """
        Write the rest and close.
        """
        self._stream.close()


def _datagram(packet: bytes, source: tuple[str, int], destination: tuple[str, int]) -> bytes:
    """
    IP and UDP around a packet, as if it had been seen on the wire.
    """
    length = _UDP.size + len(packet)
    udp = _UDP.pack(source[1], destination[1], length, 0) + packet
    one, other = ip_address(source[0]), ip_address(destination[0])
    if one.version == 6:
        return struct.pack("!IHBB", 6 << 28, length, 17, 64) + one.packed + other.packed + udp
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + length, 0, 0, 64, 17, 0) + one.packed + other.packed
    total = sum(struct.unpack("!10H", header))
    checksum = 0xFFFF - (total % 0xFFFF)
    return header[:10] + struct.pack("!H", checksum) + header[12:] + udp


class CaptureAdapter(RTPAdapter):
    """
    RTP with a witness.
    """

    def __init__(self, proto: str, capture: CaptureFile) -> None:
        super().__init__(proto)
        self._capture = capture

    def packetReceived(self, packet: bytes) -> None:
        """
        From the network party: write it down, then tell the other leg.
        """
        self._witness(packet, fromParty=True)
        super().packetReceived(packet)

    def sendUnit(self, unit: bytes) -> None:
        """
        To the network party: write it down, then send it.
        """
        self._witness(unit, fromParty=False)
        super().sendUnit(unit)

    def transform(self) -> None:
        """
        A datapath would move packets past us: it gets none.
        """
        return

    def connectionLost(self, reason: Any = None) -> None:
        """
        The call is over.
        """
        self._capture.close()

    def _witness(self, packet: bytes, fromParty: bool) -> None:
        path = self.transport.path()
        if path is None:
            return
        ends = (path.remote, path.local) if fromParty else (path.local, path.remote)
        if not self._capture.write(packet, *ends):
            self.counters["not captured"] += 1


@implementer(IAdapterFactory)
class Factory:
    """
    Builds adapters that write a capture file for each media line.
    """

    medium = "rtp"
    protos = PROTOS

    def __init__(self, folder: str, limit: int = 100_000_000) -> None:
        """
        @param folder: where the files go; it must exist.
        @param limit: octets of one file.

        @raise ConfigError: the folder cannot be written to.
        """
        self._folder = Path(folder)
        self._limit = limit
        self._numbers = itertools.count(1)
        if not os.access(self._folder, os.W_OK | os.X_OK):
            raise ConfigError(f"folder: {folder} is not a folder that can be written to")

    def claim(self, section: Section) -> str | None:
        """
        Plain RTP, as the built-in adapter.
        """
        return None if section.has("crypto") else PROTOS.get(section.proto.upper())

    def buildAdapter(self, proto: str) -> CaptureAdapter:
        """
        See L{IAdapterFactory}.
        """
        name = f"{int(time.time())}-{os.getpid()}-{next(self._numbers)}.pcap"
        stream = (self._folder / name).open("xb")
        return CaptureAdapter(proto, CaptureFile(stream, self._limit, time.time))


__all__: Sequence[str] = ["CaptureAdapter", "CaptureFile", "Factory"]
