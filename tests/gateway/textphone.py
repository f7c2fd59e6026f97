"""
A telephone with a text line in RTP (RFC 4103), written from the RFC and not on
the gateway's modules.
"""

import struct
from typing import NamedTuple

from e2aegw.interfaces import Address
from e2aegw.testing import MemoryNetwork


class Heard(NamedTuple):
    """
    A packet.

    @ivar redundant: the redundant blocks, the oldest first, or L{None} if the
        packet has no room for them.
    @ivar offsets: how old they are.
    """

    at: float
    marker: bool
    kind: int
    sequence: int
    timestamp: int
    source: int
    redundant: list[bytes] | None
    offsets: list[int]
    primary: bytes


class TextPhone:
    """
    One end.

    @ivar heard: the packets that came; C{reports}: the RTCP packets.
    """

    def __init__(self, network: MemoryNetwork, address: Address) -> None:
        self.address = address
        self.port = network.bind(address, self._receive)
        self.control = network.bind((address[0], address[1] + 1), self._receiveControl)
        self.remote: Address = ("", 0)
        self.heard: list[Heard] = []
        self.reports: list[bytes] = []
        self.seconds = network._clock.seconds if network._clock is not None else lambda: 0.0
        self.sequence, self.source = 65530, 0xABCD
        self._said: list[tuple[int, bytes]] = []

    def close(self) -> None:
        """
        Hang up.
        """
        self.port.close()
        self.control.close()

    @property
    def text(self) -> str:
        """
        What the primary blocks say.
        """
        return b"".join(each.primary for each in self.heard).decode()

    def packet(self, text: str, *, red: bool = True, marker: bool = False, generations: int = 2) -> bytes:
        """
        The next packet.
        """
        self.sequence = (self.sequence + 1) & 0xFFFF
        stamp = int(self.seconds() * 1000) & 0xFFFFFFFF
        data = text.encode()
        before = self._said[-generations:] if generations else []
        before = [(when, block) for when, block in before if stamp - when < 16384]
        self._said = [*self._said, (stamp, data)][-8:]
        kind = marker << 7 | (100 if red else 98)
        head = struct.pack("!BBHII", 0x80, kind, self.sequence, stamp, self.source)
        if not red:
            return head + data
        for when, block in before:
            head += struct.pack("!I", 1 << 31 | 98 << 24 | (stamp - when) << 10 | len(block))
        return head + bytes([98]) + b"".join(block for _, block in before) + data

    def say(self, text: str, *, red: bool = True, marker: bool = False, lost: bool = False) -> None:
        """
        Send some text.

        @param lost: it does not arrive.
        """
        packet = self.packet(text, red=red, marker=marker)
        if not lost:
            self.port.sendto(packet, self.remote)

    def _receive(self, data: bytes, source: Address) -> None:
        first, second, sequence, stamp, ssrc = struct.unpack_from("!BBHII", data)
        assert first == 0x80
        kind, at = second & 0x7F, 12
        sizes: list[int] = []
        offsets: list[int] = []
        blocks: list[bytes] | None = None
        if kind == 100:
            blocks = []
            while data[at] & 0x80:
                (word,) = struct.unpack_from("!I", data, at)
                assert word >> 24 & 0x7F == 98
                offsets.append(word >> 10 & 0x3FFF)
                sizes.append(word & 0x3FF)
                at += 4
            assert data[at] == 98
            at += 1
            for size in sizes:
                blocks.append(data[at : at + size])
                at += size
        self.heard.append(
            Heard(
                self.seconds(), bool(second & 0x80), kind, sequence, stamp, ssrc, blocks, offsets, data[at:]
            )
        )

    def _receiveControl(self, data: bytes, source: Address) -> None:
        self.reports.append(data)
