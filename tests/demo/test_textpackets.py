"""
Text in RTP, as the demonstration's far end reads and writes it.
"""

import struct

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from e2aegw.demo.textpackets import GENERATIONS, MAX_DROPOUT, MISSING, TextReader, TextWriter
from e2aegw.errors import RemoteError

TEXT, RED = 98, 100


def plain(sequence: int, text: str, source: int = 1) -> bytes:
    """
    A packet without redundancy.
    """
    return struct.pack("!BBHII", 0x80, TEXT, sequence, 0, source) + text.encode()


class WriterTests(SynchronousTestCase):
    """
    What is written.
    """

    def test_redundancy(self) -> None:
        """
        A packet has what the two before it said and how long ago; the marker
        is where text begins, and nothing is owed after two repetitions.
        """
        writer = TextWriter(TEXT, RED)
        first, second = writer.write("a", 1.0), writer.write("\N{SNOWMAN}", 1.3)
        self.assertEqual(first[:2] + first[12:], b"\x80" + bytes((0x80 | RED, TEXT)) + b"a")
        self.assertEqual(
            (second[1], second[12:]), (RED, bytes.fromhex("e204b001 62 61") + "\N{SNOWMAN}".encode())
        )
        self.assertEqual(
            int.from_bytes(second[4:8], "big") - int.from_bytes(first[4:8], "big") & 0xFFFFFFFF, 300
        )
        for _ in range(GENERATIONS):
            self.assertTrue(writer.owes)
            self.assertEqual(writer.write("", 1.6)[1], RED)
        self.assertFalse(writer.owes)
        self.assertEqual(writer.packets, 4)

    def test_tooOld(self) -> None:
        """
        What is older than the field can say is left out.
        """
        writer = TextWriter(TEXT, RED)
        writer.write("a", 1.0)
        self.assertEqual(writer.write("b", 18.0)[12:], bytes((TEXT,)) + b"b")

    def test_plain(self) -> None:
        """
        Where redundancy was not agreed on there is none.
        """
        writer = TextWriter(TEXT, None)
        packet = writer.write("a", 1.0)
        self.assertEqual((packet[1], packet[12:], writer.owes), (0x80 | TEXT, b"a", False))


class ReaderTests(SynchronousTestCase):
    """
    What is read.
    """

    def test_recovered(self) -> None:
        """
        With two packets of three lost everything is read once; a third one
        leaves a mark.
        """
        writer, reader = TextWriter(TEXT, RED), TextReader(TEXT, RED)
        packets = [writer.write(each, number * 0.3) for number, each in enumerate("abcdefgh")]
        self.assertEqual("".join(reader.read(packets[number]) for number in (0, 3, 3, 1, 4, 6)), "abcdefg")
        self.assertEqual((reader.recovered, reader.lost), (3, 0))
        later = [writer.write(each, 3) for each in "ijkl"]
        self.assertEqual(reader.read(later[-1]), f"{MISSING}jkl")
        self.assertEqual(reader.lost, 2)

    def test_plain(self) -> None:
        """
        Without redundancy, a character may come in two packets; marks of the
        order of octets are not text.
        """
        reader = TextReader(TEXT, None)
        snowman = plain(65535, "\N{SNOWMAN}")
        self.assertEqual(reader.read(snowman[:-1]), "")
        self.assertEqual(reader.read(plain(0, "")[:12] + snowman[-1:]), "\N{SNOWMAN}")
        self.assertEqual(reader.read(plain(1, "\N{ZERO WIDTH NO-BREAK SPACE}x")), "x")
        self.assertEqual(reader.read(plain(3, "y")), f"{MISSING}y")

    def test_newBeginning(self) -> None:
        """
        Another source, or numbers far away, are a new beginning.
        """
        reader = TextReader(TEXT, None)
        said = [
            reader.read(plain(*each)) for each in ((7, "a"), (9000, "b", 2), (9001 + MAX_DROPOUT, "c", 2))
        ]
        self.assertEqual(said, ["a", "b", "c"])

    def test_wrong(self) -> None:
        """
        What is no packet of text is refused.
        """
        reader = TextReader(TEXT, RED)
        head = struct.pack("!BBHII", 0x80, RED, 1, 1, 1)
        for data in (
            b"",
            b"\x40" + bytes(20),
            b"\x90" + head[1:] + bytes(8),
            b"\x8f" + head[1:],
            head[:1] + b"\x00" + head[2:],
            head,
            head + b"\xe2\x00",
            head + b"\xe2\x00\x00\x09\x62abc",
        ):
            self.assertRaises(RemoteError, reader.read, data)

    @settings(deadline=None)
    @given(st.lists(st.text(max_size=5), max_size=20), st.booleans())
    def test_roundTrip(self, texts: list[str], redundant: bool) -> None:
        """
        Whatever is written is read.
        """
        texts = [each.replace("\N{ZERO WIDTH NO-BREAK SPACE}", "") for each in texts]
        kinds = (TEXT, RED if redundant else None)
        writer, reader = TextWriter(*kinds), TextReader(*kinds)
        said = "".join(reader.read(writer.write(each, number * 0.3)) for number, each in enumerate(texts))
        self.assertEqual(said, "".join(texts))

    @settings(deadline=None)
    @given(st.binary(max_size=60))
    def test_anything(self, data: bytes) -> None:
        """
        Any octets are read or refused.
        """
        reader = TextReader(TEXT, RED)
        for payload in (data, struct.pack("!BBHII", 0x80, RED, 1, 1, 1) + data):
            try:
                reader.read(payload)
            except RemoteError as e:
                self.assertTrue(str(e))
