"""
Text in RTP packets.
"""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from e2aegw.errors import RemoteError
from e2aegw.sansio.t140packet import Block, formatPacket, parsePacket

PLAIN, RED = frozenset({98}), frozenset({100})


class PacketTests(SynchronousTestCase):
    """
    Packets, read and written.
    """

    def test_vector(self) -> None:
        """
        A packet with one redundant block is as RFC 4103 clause 7.1 draws it.
        """
        wire = bytes.fromhex("80e40001000003e800000007e204b0016252") + b"P"
        found = parsePacket(wire, PLAIN, RED)
        assert found is not None
        self.assertEqual(found.blocks, (Block(1000 - 300, b"R"), Block(1000, b"P")))
        self.assertEqual((found.marker, found.sequence, found.source, found.redundant), (True, 1, 7, True))
        self.assertEqual(formatPacket(100, 98, 1, 7, found.blocks, marker=True), wire)

    @settings(deadline=None, max_examples=200, derandomize=True)
    @given(
        st.lists(st.tuples(st.integers(0, 16383), st.binary(max_size=40)), max_size=8),
        st.binary(max_size=40),
        st.integers(0, (1 << 32) - 1),
        st.booleans(),
    )
    def test_roundTrip(
        self, redundant: list[tuple[int, bytes]], primary: bytes, stamp: int, marker: bool
    ) -> None:
        """
        What is written is read, and with and without redundancy.
        """
        blocks = [Block((stamp - age) & 0xFFFFFFFF, data) for age, data in redundant]
        blocks.append(Block(stamp, primary))
        found = parsePacket(formatPacket(100, 98, 9, 7, blocks, marker=marker), PLAIN, RED)
        assert found is not None
        self.assertEqual((list(found.blocks), found.marker), (blocks, marker))
        found = parsePacket(formatPacket(98, 98, 9, 7, blocks, marker=marker), PLAIN, RED)
        assert found is not None
        self.assertEqual((found.blocks, found.redundant), ((Block(stamp, primary),), False))

    def test_headers(self) -> None:
        """
        Sources, header extensions and padding are not text.
        """
        head = b"\xb2\x62\x00\x01" + bytes(8) + b"\x00\x00\x00\x05\x00\x00\x00\x06"
        wire = head + b"\xbe\xde\x00\x01\x10\x00\x00\x00" + b"text" + b"\x00\x02"
        found = parsePacket(wire, PLAIN, RED)
        assert found is not None
        self.assertEqual((found.blocks[-1].data, found.contributor), (b"text", 5))

    def test_otherBlocks(self) -> None:
        """
        A block of something else has its place, and no text.
        """
        wire = b"\x80\x64\x00\x01" + bytes(8) + b"\xe1\x00\x00\x01\x62xP"
        found = parsePacket(wire, PLAIN, RED)
        assert found is not None
        self.assertEqual([each.data for each in found.blocks], [b"", b"P"])

    def test_otherPayload(self) -> None:
        """
        Another payload type is not for us, and a packet of nothing but a
        header is empty.
        """
        self.assertIsNone(parsePacket(b"\x80\x14" + bytes(10), PLAIN, RED))
        for kind in (b"\x62", b"\x64"):
            found = parsePacket(b"\x80" + kind + bytes(10), PLAIN, RED)
            assert found is not None
            self.assertEqual([each.data for each in found.blocks], [b""])

    def test_malformed(self) -> None:
        """
        A packet that is not what its headers say is refused.
        """
        head = b"\x80\x64" + bytes(10)
        for rest in (
            b"\xe2",
            b"\xe2\x00\x00\x00",
            b"\xe2\x00\x00\x02\x62a",
            b"\xe2\x00\x00\x00" * 17 + b"\x62",
        ):
            self.assertRaises(RemoteError, parsePacket, head + rest, PLAIN, RED)
        self.assertRaises(RemoteError, parsePacket, b"\x80", PLAIN, RED)
