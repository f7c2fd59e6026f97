"""
What is UDPTL and what is not.
"""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from e2aegw.errors import RemoteError
from e2aegw.sansio.sdp import Line
from e2aegw.sansio.udptl import MAX_ENTRIES, SHORTEST, isWhole, longest
from tests.sansio.udptlcodec import Codec, decode, encode

PACKETS = st.binary(max_size=300)
#: T.38 data of a page at 14,400 bit/s, as a terminal sends it.
IFP = bytes.fromhex("c0018000 27") + bytes(range(40))
#: What rtpengine's gateway for T.38 sends, with redundancy and with parity.
FOREIGN = (
    "000001000000",
    "000406c001800000c1000306c001800000c806c001800000ff0106",
    "000b0100000303c0011003c0012006c00180000020",
    "000406c001800000c180010103010606c001800000ff06c001800000c8",
    "000b01008001030306c001800000df06c0012000008d06c001100000de",
)


def whole(data: bytes) -> bool:
    """
    Ask for all of it.
    """
    return isWhole(data, len(data))


class WholeTests(SynchronousTestCase):
    """
    L{isWhole}.
    """

    def test_kinds(self) -> None:
        """
        Redundancy, parity, or nothing beside the packet; short and long.
        """
        for data in (
            encode(0, b"\6"),
            encode(0xFFFF, IFP),
            encode(1, IFP, [IFP] * 3),
            encode(1, IFP, [IFP] * 3, parity=True),
            encode(1, bytes(127), [bytes(128), b"", bytes(1000)]),
            encode(1, bytes(128)),
            encode(1, bytes(0x3FFF)),
            encode(1, b"\6", [b""] * MAX_ENTRIES),
            b"\0\1\1\6\x80\4\0\0\0\3\1\0",
        ):
            self.assertTrue(whole(data), data[:20])
            self.assertGreaterEqual(len(data), SHORTEST)

    def test_foreign(self) -> None:
        """
        What another implementation writes is whole, and is not when it is cut.
        """
        for text in FOREIGN:
            data = bytes.fromhex(text)
            self.assertTrue(whole(data), text)
            decode(data)
            for size in range(len(data)):
                self.assertFalse(whole(data[:size]), (text, size))

    def test_cut(self) -> None:
        """
        Whatever is missing at the end is missed.
        """
        for data in (
            encode(1, IFP, [IFP, bytes(200), b""]),
            encode(1, bytes(300), [IFP] * 3, parity=True),
            encode(1, b"\6"),
        ):
            for size in range(len(data)):
                self.assertFalse(whole(data[:size]), size)

    def test_onlySoMuch(self) -> None:
        """
        What stands in a buffer behind a datagram belongs to it no more than
        what is not there.
        """
        data = encode(1, IFP, [IFP] * 3)
        buffer = bytearray(data * 2)
        self.assertTrue(isWhole(buffer, len(data)))
        for size in range(len(data)):
            self.assertFalse(isWhole(buffer, size))

    def test_padding(self) -> None:
        """
        Terminals that fill up their datagrams are understood.
        """
        self.assertTrue(whole(encode(1, IFP, [IFP]) + bytes(7)))

    def test_otherChoiceBits(self) -> None:
        """
        Seven bits of the octet that says what follows are padding.
        """
        self.assertTrue(whole(b"\0\1\1x\x7f\1\1x"))
        self.assertTrue(whole(b"\0\1\1x\xff\1\3\1\1x"))

    def test_malformed(self) -> None:
        """
        Lengths in pieces, too many entries, and numbers of no length or a
        strange one, are not UDPTL.
        """
        for data in (
            b"",
            bytes(4),
            encode(1, b"", [IFP]),
            b"\0\1\xc1" + bytes(100),
            b"\0\1\1x\0\1\xc1" + bytes(100),
            b"\0\1\1x\0\1\x80",
            b"\0\1\1x\0" + bytes([MAX_ENTRIES + 1]) + bytes(100),
            b"\0\1\1x\0\x80\1\0",
            b"\0\1\1x\x80\0\1\1x",
            b"\0\1\1x\x80\5\0\0\0\0\3\1\1x",
            b"\0\1\1x\x80\1\3",
            # RTP, and a line of text
            b"\x80\0\0\1\0\0\0\xa0\0\0\0\7" + b"\xff" * 160,
            b"GET / HTTP/1.1\r\n\r\n",
        ):
            self.assertFalse(whole(data), data)

    @settings(deadline=None, max_examples=150)
    @given(
        st.integers(0, 0xFFFF),
        st.binary(min_size=1, max_size=300),
        st.lists(PACKETS, max_size=8),
        st.booleans(),
    )
    def test_whatIsWritten(self, number: int, primary: bytes, earlier: list[bytes], parity: bool) -> None:
        """
        Whatever a terminal writes is UDPTL.
        """
        data = encode(number, primary, earlier, parity=parity)
        self.assertTrue(whole(data))
        self.assertEqual((decode(data).number, decode(data).primary), (number, primary))

    @settings(deadline=None, max_examples=300)
    @given(st.one_of(st.binary(max_size=60), st.binary(max_size=20).map(lambda b: b"\0\1\2xy" + b)))
    def test_anything(self, data: bytes) -> None:
        """
        What passes can be read by a terminal, and what does not cannot, or is
        beyond what is allowed here.
        """
        try:
            read = decode(data)
        except RemoteError:
            self.assertFalse(whole(data))
            return
        if whole(data):
            self.assertLessEqual(len(read.entries), MAX_ENTRIES)
        else:
            many = len(read.entries) > MAX_ENTRIES
            self.assertTrue(many or not read.primary or read.parity, data)


class CodecTests(SynchronousTestCase):
    """
    What the gateway leaves to the ends works at the ends.
    """

    @settings(deadline=None, max_examples=60)
    @given(st.lists(st.binary(min_size=1, max_size=50), max_size=40), st.data())
    def test_redundancy(self, packets: list[bytes], data: st.DataObject) -> None:
        """
        As long as no four datagrams in a row are lost, no packet is.
        """
        sender, receiver = Codec(), Codec()
        missing = 0
        got: list[tuple[int, bytes]] = []
        for number, packet in enumerate(packets):
            datagram = sender.encode(packet)
            lost = missing < 3 and number < len(packets) - 1 and data.draw(st.booleans())
            missing = missing + 1 if lost else 0
            if not lost:
                self.assertTrue(whole(datagram))
                got += receiver.decode(datagram)
        self.assertEqual(got, list(enumerate(packets)))
        self.assertEqual(receiver.lost, 0)


class LongestTests(SynchronousTestCase):
    """
    L{longest}.
    """

    def test_values(self) -> None:
        """
        A number is a number, in whatever case its name is written; all else
        says nothing.
        """
        for name, value, expected in (
            ("T38FaxMaxDatagram", "400", 400),
            ("t38faxmaxdatagram", " 72 ", 72),
            ("T38FaxMaxDatagram", "0", 0),
            ("T38FaxMaxDatagram", "-1", 0),
            ("T38FaxMaxDatagram", "9" * 5000, 0),
            ("T38FaxMaxDatagram", "", 0),
            ("T38FaxMaxDatagram", None, 0),
            ("T38FaxMaxBuffer", "400", 0),
        ):
            self.assertEqual(longest([Line("sendrecv"), Line(name, value)]), expected, (name, value))
        self.assertEqual(longest([]), 0)
