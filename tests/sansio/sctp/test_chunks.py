"""
Tests for L{e2aegw.sansio.sctp.chunks}.
"""

import contextlib
import struct

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from e2aegw.errors import RemoteError
from e2aegw.sansio.sctp import chunks as c
from e2aegw.sansio.sctp.chunks import (
    AddStreams,
    Cause,
    IncomingReset,
    Init,
    OutgoingReset,
    Reconfiguration,
    Response,
    Skip,
    TSNReset,
)

#: An INIT as Chromium sends it: a window of 5 MiB, all streams, FORWARD TSN,
#: and RE-CONFIG and FORWARD TSN as extensions.
CHROMIUM_INIT = bytes.fromhex("0100 001e 11223344 00500000 ffff ffff 99aabbcc c000 0004 8008 0006 82c0 0000")
#: As Firefox: a window of 16 MiB, and I-DATA and I-FORWARD-TSN, too.
FIREFOX_INIT = bytes.fromhex("0100 0020 11223344 01000000 ffff ffff 99aabbcc c000 0004 8008 0008 82c0 40c2")

words = st.integers(0, 0xFFFFFFFF)
halves = st.integers(0, 0xFFFF)
streams = st.lists(halves, max_size=20).map(tuple)
parts: st.SearchStrategy[Reconfiguration] = st.one_of(
    st.builds(OutgoingReset, words, words, words, streams),
    st.builds(IncomingReset, words, streams),
    st.builds(TSNReset, words),
    st.builds(AddStreams, words, halves, st.booleans()),
    st.builds(Response, words, words),
)


class PacketTests(SynchronousTestCase):
    """
    The common header.
    """

    def test_checksum(self) -> None:
        """
        The checksum is CRC32c, with its lowest byte first (RFC 9260 appendix
        A).
        """
        packet = c.packet(struct.pack("!HHI", 5000, 5001, 7), [c.chunk(c.COOKIE_ACK)])
        self.assertEqual(packet[:8].hex(), "1388138900000007")
        self.assertEqual(c.checksum(packet), int.from_bytes(packet[8:12], "little"))
        self.assertTrue(c.isSummed(packet, int.from_bytes(packet[8:12], "big")))
        self.assertFalse(c.isSummed(packet + b"\0", int.from_bytes(packet[8:12], "big")))

    def test_checksumOfNothing(self) -> None:
        """
        The well-known value of CRC32c comes out at its place.
        """
        # 123456789 yields E3069283; here four zeros stand in the middle.
        self.assertEqual(c.checksum(b"12345678????9"), c.checksum(b"12345678\0\0\0\x009"))

    def test_noChecksum(self) -> None:
        """
        Where none is wanted there are zeros (RFC 9653).
        """
        packet = c.packet(bytes(8), [c.chunk(c.COOKIE_ACK)], summed=False)
        self.assertEqual(packet, bytes(12) + b"\x0b\0\0\x04")

    def test_kinds(self) -> None:
        """
        The types of the chunks in a packet are found, as far as it makes
        sense.
        """
        packet = c.packet(bytes(8), [c.chunk(c.COOKIE_ACK), c.chunk(c.ERROR, 0, b"abcde"), b"\x07\0\0\x03"])
        self.assertEqual(c.kinds(packet), {c.COOKIE_ACK, c.ERROR, c.SHUTDOWN})


class DataTests(SynchronousTestCase):
    """
    DATA, I-DATA and SACK.
    """

    def test_data(self) -> None:
        """
        DATA is as RFC 9260 clause 3.3.1 draws it, padded.
        """
        self.assertEqual(
            c.dataChunk(c.BEGIN | c.END, 1 << 32 | 5, 7, 0x10009, 53, b"hello").hex(),
            "0003001500000005000700090000003568656c6c6f000000",
        )

    def test_iData(self) -> None:
        """
        I-DATA is as RFC 8260 clause 2.1 draws it.
        """
        self.assertEqual(
            c.iDataChunk(c.UNORDERED | c.END, 5, 7, 9, 2, b"hell").hex(),
            "4005001800000005000700000000000900000002" + b"hell".hex(),
        )

    def test_sack(self) -> None:
        """
        The example of RFC 9260 clause 3.3.4: TSNs 10 to 12, 14, 15 and 17 have
        come.
        """
        chunk = c.sackChunk(12, 4660, [[14, 15], [17, 17]], [])
        self.assertEqual(chunk.hex(), "030000180000000c00001234000200000002000300050005")
        self.assertEqual(c.parseSack(chunk[4:]), (12, 4660, [(2, 3), (5, 5)]))

    def test_sackWithDuplicates(self) -> None:
        """
        Duplicates are written, and read over.
        """
        chunk = c.sackChunk(12, 100, [[14, 14]], [11, 11])
        self.assertEqual(chunk.hex(), "0300001c0000000c0000006400010002" + "00020002" + "0000000b" * 2)
        self.assertEqual(c.parseSack(chunk[4:]).gaps, [(2, 2)])
        self.assertEqual(c.parseSack(c.sackChunk(12, 100, [], [11])[4:]).gaps, [])

    def test_sackOfFarBlocks(self) -> None:
        """
        A block that 16 bits cannot reach is left out.
        """
        chunk = c.sackChunk(0, 100, [[2, 3], [70000, 70001]], [])
        self.assertEqual(c.parseSack(chunk[4:]).gaps, [(2, 3)])

    def test_badSack(self) -> None:
        """
        A SACK is refused that is short of its blocks or duplicates, or whose
        blocks do not ascend.
        """
        for body in (
            bytes(11),
            c.SACK_BODY.pack(1, 1, 1, 0),
            c.SACK_BODY.pack(1, 1, 0, 1),
            c.SACK_BODY.pack(1, 1, 1, 0) + struct.pack("!HH", 3, 2),
            c.SACK_BODY.pack(1, 1, 1, 0) + struct.pack("!HH", 0, 2),
            c.SACK_BODY.pack(1, 1, 2, 0) + struct.pack("!HHHH", 2, 3, 3, 4),
        ):
            self.assertRaises(RemoteError, c.parseSack, body)


class InitTests(SynchronousTestCase):
    """
    INIT and INIT ACK.
    """

    def test_browsers(self) -> None:
        """
        What the browsers send is read.
        """
        init = Init.parse(CHROMIUM_INIT[4:30])
        self.assertEqual((init.tag, init.window, init.tsn), (0x11223344, 5 << 20, 0x99AABBCC))
        self.assertEqual((init.outboundStreams, init.inboundStreams), (65535, 65535))
        self.assertTrue(init.forwardTSN)
        self.assertEqual(init.extensions, {c.RE_CONFIG, c.FORWARD_TSN})
        self.assertFalse(init.zeroChecksum)
        firefox = Init.parse(FIREFOX_INIT[4:])
        self.assertEqual(firefox.extensions, {c.RE_CONFIG, c.FORWARD_TSN, c.I_DATA, c.I_FORWARD_TSN})

    @settings(deadline=None)
    @given(
        st.builds(
            Init,
            tag=words,
            window=words,
            outboundStreams=halves,
            inboundStreams=halves,
            tsn=words,
            extensions=st.frozensets(st.integers(0, 255)),
            forwardTSN=st.booleans(),
            zeroChecksum=st.booleans(),
            cookie=st.binary(max_size=300),
        )
    )
    def test_roundTrip(self, init: Init) -> None:
        """
        What was written is read.
        """
        for kind in (c.INIT, c.INIT_ACK):
            self.assertEqual(Init.parse(init.encode(kind)[4:]), init)

    def test_unknownParameters(self) -> None:
        """
        The two high bits of an unknown parameter decide whether reading goes
        on, and whether it is reported (RFC 9260 clause 3.2.1).
        """
        start = struct.pack("!IIHHI", 1, 1, 1, 1, 1)
        for kind, report, goOn in ((0x0777, 0, 0), (0x4777, 1, 0), (0x8777, 0, 1), (0xC777, 1, 1)):
            parameter = struct.pack("!HH3s", kind, 7, b"abc")
            init = Init.parse(start + parameter + b"\0" + bytes.fromhex("c0000004"))
            self.assertEqual(init.forwardTSN, bool(goOn))
            self.assertEqual(init.unrecognized, (parameter,) if report else ())
        self.assertTrue(Init.parse(init.encode(c.INIT_ACK)[4:]).reported)

    def test_muchUnknown(self) -> None:
        """
        No more is reported than fits in a packet.
        """
        start = struct.pack("!IIHHI", 1, 1, 1, 1, 1)
        parameter = struct.pack("!HH96s", 0xC777, 100, b"abc")
        init = Init.parse(start + parameter * 20)
        self.assertEqual(init.unrecognized, (parameter,) * (c.MAX_REPORTED // 100))

    def test_addresses(self) -> None:
        """
        Addresses are known and mean nothing here.
        """
        start = struct.pack("!IIHHI", 1, 1, 1, 1, 1)
        init = Init.parse(start + struct.pack("!HHI", 5, 8, 0x7F000001) + bytes.fromhex("c0000004"))
        self.assertTrue(init.forwardTSN)
        self.assertEqual(init.unrecognized, ())

    def test_otherDetectionMethod(self) -> None:
        """
        Only DTLS replaces the checksum here (RFC 9653).
        """
        start = struct.pack("!IIHHI", 1, 1, 1, 1, 1)
        self.assertTrue(Init.parse(start + struct.pack("!HHI", 0x8001, 8, 1)).zeroChecksum)
        self.assertFalse(Init.parse(start + struct.pack("!HHI", 0x8001, 8, 2)).zeroChecksum)

    def test_bad(self) -> None:
        """
        Lengths must be right, and parameters must end.
        """
        start = struct.pack("!IIHHI", 1, 1, 1, 1, 1)
        for body in (
            start[:-1],
            start + struct.pack("!HH", 0x8777, 3),
            start + struct.pack("!HH", 0x8777, 5),
            start + struct.pack("!HH", 0x8777, 4) * (c.MAX_PARAMETERS + 1),
        ):
            self.assertRaises(RemoteError, Init.parse, body)


class ControlTests(SynchronousTestCase):
    """
    The other chunks.
    """

    def test_heartbeat(self) -> None:
        """
        The information of a HEARTBEAT is read from its answer.
        """
        self.assertEqual(c.heartbeatChunk(b"abcde").hex(), "0400000d00010009" + b"abcde".hex() + "000000")
        self.assertEqual(c.parseHeartbeat(c.heartbeatChunk(b"abcd")[4:]), b"abcd")
        self.assertRaises(RemoteError, c.parseHeartbeat, b"")
        self.assertRaises(RemoteError, c.parseHeartbeat, b"\0\x02\0\x04")

    @settings(deadline=None)
    @given(st.lists(st.builds(Cause, halves, st.binary(max_size=50)), max_size=5))
    def test_causes(self, causes: list[Cause]) -> None:
        """
        Error causes that were written are read.
        """
        chunk = c.causesChunk(c.ERROR, 0, causes)
        self.assertEqual(c.parseCauses(chunk[4:]), causes)

    @settings(deadline=None)
    @given(words, st.lists(st.builds(Skip, halves, st.booleans(), words), max_size=20))
    def test_forwardTSN(self, tsn: int, skips: list[Skip]) -> None:
        """
        FORWARD TSN lists ordered messages, I-FORWARD-TSN all.
        """
        chunk = c.forwardTSNChunk(tsn, skips, interleaved=True)
        self.assertEqual(chunk[0], c.I_FORWARD_TSN)
        self.assertEqual(c.parseForwardTSN(chunk[4:], interleaved=True), (tsn, skips))
        chunk = c.forwardTSNChunk(tsn, skips, interleaved=False)
        self.assertEqual(chunk[0], c.FORWARD_TSN)
        ordered = [Skip(skip.streamID, False, skip.number & 0xFFFF) for skip in skips if not skip.unordered]
        self.assertEqual(c.parseForwardTSN(chunk[4:], interleaved=False), (tsn, ordered))

    def test_badForwardTSN(self) -> None:
        """
        FORWARD TSN has whole entries.
        """
        for size, interleaved in ((3, False), (6, False), (8, True)):
            self.assertRaises(RemoteError, c.parseForwardTSN, bytes(size), interleaved=interleaved)

    @settings(deadline=None)
    @given(st.lists(parts, max_size=3))
    def test_reconfig(self, wanted: list[Reconfiguration]) -> None:
        """
        RE-CONFIG that was written is read.
        """
        self.assertEqual(c.parseReconfig(c.reconfigChunk(wanted)[4:]), wanted)

    def test_badReconfig(self) -> None:
        """
        The parameters of RE-CONFIG are known and whole.
        """
        for kind, size in ((13, 11), (13, 13), (14, 3), (14, 5), (15, 3), (16, 7), (17, 5), (18, 5), (19, 4)):
            body = struct.pack("!HH", kind, size + 4) + bytes(size)
            self.assertRaises(RemoteError, c.parseReconfig, body)

    @settings(deadline=None)
    @given(st.binary(max_size=200))
    def test_anything(self, body: bytes) -> None:
        """
        Any bytes are read or refused.
        """
        for parse in (
            Init.parse,
            c.parseSack,
            c.parseHeartbeat,
            c.parseCauses,
            c.parseReconfig,
            lambda data: c.parseForwardTSN(data, interleaved=False),
            lambda data: c.parseForwardTSN(data, interleaved=True),
        ):
            with contextlib.suppress(RemoteError):
                parse(body)
