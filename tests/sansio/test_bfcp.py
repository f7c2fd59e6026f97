"""
Tests for L{e2aegw.sansio.bfcp}, L{e2aegw.sansio.bfcpreader} and
L{e2aegw.sansio.bfcpfragments}.
"""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from e2aegw.errors import RemoteError
from e2aegw.sansio.bfcp import (
    HEADER,
    MAX_MESSAGE,
    Fault,
    Header,
    Primitive,
    Refused,
    checkAttributes,
    errorMessage,
)
from e2aegw.sansio.bfcpfragments import MAX_DATAGRAM, MAX_FRAGMENTS, MAX_INCOMPLETE, Assembly, divide
from e2aegw.sansio.bfcpreader import ReliableHop

#: A FloorRequest for floor 543 in conference 1234, user 234, transaction 123,
#: as figure 2 of RFC 8855 has it in words.
REQUEST = bytes.fromhex("20010001 000004d2 007b00ea 0504021f")
#: Its FloorRequestStatus: request 789 is pending.
STATUS = bytes.fromhex("20040004 000004d2 007b00ea 1f100315 2508 0315 0b040100 230402 1f")
#: A Hello, which has no attributes.
HELLO = bytes.fromhex("200b0000 000004d2 007b00ea")


def message(primitive: int, payload: bytes = b"", *, transaction: int = 123, first: int = 0x20) -> bytes:
    """
    A message of user 234.
    """
    return bytes(Header(first, primitive, len(payload) // 4, 1234, transaction, 234)) + payload


def attributes(length: int) -> bytes:
    """
    Attributes of an unknown type that take so many octets, a multiple of 4.
    """
    pieces = []
    while length:
        size = min(length, 252)
        pieces.append(bytes((0x7E, size)) + bytes(size - 2))
        length -= size
    return b"".join(pieces)


def hop(*, stream: bool = True, toServer: bool | None = None) -> ReliableHop:
    """
    A hop to test.
    """
    made = ReliableHop(Counter(), stream=stream)
    made.toServer = toServer
    return made


def messages(reader: ReliableHop) -> list[bytes]:
    """
    What arrived.
    """
    found = []
    while (each := reader.nextMessage()) is not None:
        found.append(each)
    return found


def replies(reader: ReliableHop) -> list[bytes]:
    """
    What was said.
    """
    found = []
    while (each := reader.nextDatagram()) is not None:
        found.append(each)
    return found


#: Any good message, with whatever is in the bits that a receiver must ignore.
MESSAGES = st.builds(
    lambda first, primitive, size, transaction: message(
        primitive, attributes(4 * size), transaction=transaction, first=first
    ),
    st.sampled_from([0x20, 0x27, 0x38, 0x40, 0x5F]),
    st.integers(1, 17),
    st.integers(0, 200),
    st.integers(0, 0xFFFF),
)


class HeaderTests(SynchronousTestCase):
    """
    The common header.
    """

    def test_parse(self) -> None:
        """
        The fields are where RFC 8855 clause 5.1 draws them, and are written
        there again.
        """
        header = Header.parse(REQUEST)
        self.assertEqual(header, (0x20, Primitive.FLOOR_REQUEST, 1, 1234, 123, 234))
        self.assertEqual(
            (header.version, header.isResponse, header.isFragment, header.length), (1, False, False, 16)
        )
        self.assertEqual(bytes(header), REQUEST[:HEADER])
        other = Header.parse(b"\x5d" + REQUEST[1:])
        self.assertEqual((other.version, other.isResponse, other.isFragment), (2, True, True))

    def test_over(self) -> None:
        """
        For another transport version and flags change; the reserved bits stay.
        """
        header = Header.parse(b"\x25" + REQUEST[1:])
        self.assertEqual(header.over(2, response=True).first, 0x55)
        self.assertEqual(header.over(2, response=True).over(1).first, 0x25)

    def test_short(self) -> None:
        """
        Less than a header is no message.
        """
        with self.assertRaises(RemoteError) as caught:
            Header.parse(HELLO[:-1])
        self.assertEqual(caught.exception.reason, "short BFCP")

    def test_error(self) -> None:
        """
        An Error message repeats conference, transaction and user of what it
        answers (RFC 8855 clause 13.8), and has the code in a mandatory
        attribute.
        """
        error = errorMessage(Header.parse(b"\x5f" + REQUEST[1:]), Fault.INCORRECT_LENGTH)
        self.assertEqual(error, bytes.fromhex("200d0001 000004d2 007b00ea 0d030d00"))

    def test_attributes(self) -> None:
        """
        Attributes end where the message does.
        """
        for good in (HELLO, REQUEST, STATUS, message(1, attributes(1000))):
            checkAttributes(good)
        # Grouped ones, and one with three octets and one of padding.
        checkAttributes(message(13, bytes.fromhex("0d030300")))
        for bad in ("0500021f", "0501021f", "0505021f", "050402ff00000000"):
            with self.assertRaises(Refused) as caught:
                checkAttributes(message(1, bytes.fromhex(bad)))
            self.assertEqual(caught.exception.fault, Fault.UNABLE_TO_PARSE)


class StreamTests(SynchronousTestCase):
    """
    Messages in a stream.
    """

    @given(st.lists(MESSAGES, max_size=5), st.lists(st.integers(1, 400), max_size=20))
    @settings(deadline=None, max_examples=60)
    def test_R_53_byteIdentical(self, sent: list[bytes], sizes: list[int]) -> None:
        """
        Messages come out as they went in, whole, one byte at a time, or in any
        pieces.
        """
        data = b"".join(sent)
        for pieces in ([len(data)], [1] * len(data), sizes):
            reader, at = hop(), 0
            for size in [*pieces, len(data)]:
                reader.receive(data[at : at + size], 0)
                at += size
            self.assertEqual(messages(reader), sent)
            self.assertEqual(replies(reader), [])

    @given(st.binary(max_size=600))
    @settings(deadline=None, max_examples=80)
    def test_anything(self, data: bytes) -> None:
        """
        Anything is read or L{RemoteError}, and it is the same whole and byte by
        byte.
        """
        results = []
        for size in (len(data) or 1, 1):
            reader, reason = hop(), ""
            try:
                for at in range(0, len(data), size):
                    reader.receive(data[at : at + size], 0)
            except RemoteError as e:
                reason = e.reason
            results.append((messages(reader), replies(reader), reason))
        self.assertEqual(results[0], results[1])

    def test_longest(self) -> None:
        """
        The longest message that there can be is read.
        """
        reader = hop()
        whole = message(1, attributes(MAX_MESSAGE - HEADER))
        for at in range(0, len(whole), 65536):
            reader.receive(whole[at : at + 65536], 0)
        self.assertEqual(messages(reader), [whole])

    def test_unknownPrimitive(self) -> None:
        """
        A client that asks what nobody knows is told so (RFC 8855 clause 13);
        what follows is read.  A server is not told.
        """
        for primitive in (0, 18, 255):
            for toServer in (None, False, True):
                reader = hop(toServer=toServer)
                reader.receive(message(primitive, attributes(8)) + HELLO, 0)
                self.assertEqual(messages(reader), [HELLO])
                self.assertEqual(reader._counters, {"dropped unknown BFCP primitive": 1})
                expected = errorMessage(Header.parse(HELLO), Fault.UNKNOWN_PRIMITIVE)
                self.assertEqual(replies(reader), [] if toServer else [expected])

    def test_badLength(self) -> None:
        """
        When attributes do not end with their message its length was wrong, and
        nobody knows where the next one begins: what came before counts, the
        sender is told, and nothing more is read.
        """
        reader = hop()
        wrong = message(1, bytes.fromhex("05080000"))
        with self.assertRaises(Refused):
            reader.receive(HELLO + wrong + HELLO, 0)
        self.assertEqual(messages(reader), [HELLO])
        self.assertEqual(replies(reader), [errorMessage(Header.parse(wrong), Fault.UNABLE_TO_PARSE)])
        self.assertRaises(RemoteError, reader.receive, HELLO, 0)
        self.assertEqual(messages(reader), [])

    def test_version(self) -> None:
        """
        Another version is refused as RFC 8855 clause 5.1 says.
        """
        for first in (0x00, 0x60, 0xE0):
            reader = hop()
            with self.assertRaises(Refused):
                reader.receive(bytes((first,)) + HELLO[1:], 0)
            self.assertEqual(replies(reader), [errorMessage(Header.parse(HELLO), Fault.UNSUPPORTED_VERSION)])

    def test_noComplaintsAboutComplaints(self) -> None:
        """
        Whatever only a server says is not answered with an Error.
        """
        for primitive in (4, 6, 8, 10, 12, 13, 14, 15, 17):
            reader = hop()
            with self.assertRaises(Refused):
                reader.receive(message(primitive, bytes(4)), 0)
            self.assertEqual(replies(reader), [])


class ChannelTests(SynchronousTestCase):
    """
    One message in each message of a data channel.
    """

    @given(st.lists(MESSAGES, max_size=4))
    @settings(deadline=None, max_examples=40)
    def test_R_90_oneForOne(self, sent: list[bytes]) -> None:
        """
        What comes in one message of a channel is one message.
        """
        reader = hop(stream=False)
        for each in sent:
            reader.receive(each, 0)
        self.assertEqual(messages(reader), sent)

    def test_R_90_badLength(self) -> None:
        """
        What is longer or shorter than it says is not passed on; a client hears
        of it (RFC 8855 clause 5.1), and the next one is read.
        """
        reader = hop(stream=False)
        for bad in (HELLO + bytes(4), REQUEST[:-1], REQUEST[:12], REQUEST + HELLO):
            with self.assertRaises(Refused) as caught:
                reader.receive(bad, 0)
            self.assertEqual(caught.exception.fault, Fault.INCORRECT_LENGTH)
            self.assertEqual(replies(reader), [errorMessage(Header.parse(bad), Fault.INCORRECT_LENGTH)])
        with self.assertRaises(RemoteError):
            reader.receive(HELLO[:11], 0)
        self.assertEqual(replies(reader), [])
        reader.receive(HELLO, 0)
        self.assertEqual(messages(reader), [HELLO])

    def test_R_90_badLengthFromTheServer(self) -> None:
        """
        A server that says it is not answered.
        """
        reader = hop(stream=False, toServer=True)
        self.assertRaises(Refused, reader.receive, REQUEST + bytes(4), 0)
        self.assertEqual(replies(reader), [])

    def test_refused(self) -> None:
        """
        An unknown primitive, another version and attributes that do not end
        with the message are refused one by one.
        """
        for bad, fault in (
            (message(99), Fault.UNKNOWN_PRIMITIVE),
            (message(1, first=0x80), Fault.UNSUPPORTED_VERSION),
            (message(1, bytes(4)), Fault.UNABLE_TO_PARSE),
        ):
            reader = hop(stream=False)
            with self.assertRaises(Refused) as caught:
                reader.receive(bad, 0)
            self.assertEqual(caught.exception.fault, fault)
            self.assertEqual(replies(reader), [errorMessage(Header.parse(bad), fault)])
            reader.receive(HELLO, 0)
            self.assertEqual(messages(reader), [HELLO])


class FragmentTests(SynchronousTestCase):
    """
    Messages in pieces.
    """

    def header(self, payload: bytes) -> Header:
        """
        Of a message over UDP.
        """
        return Header(0x40, 8, len(payload) // 4, 1234, 77, 234)

    def assemble(self, datagrams: list[bytes], now: float = 0.0) -> bytes | None:
        """
        Put the datagrams together.
        """
        assembly, found = Assembly(), None
        for each in datagrams:
            payload = assembly.add(each, Header.parse(each), now, 10)
            if payload is not None:
                self.assertIsNone(found)
                found = payload
        return found

    def test_short(self) -> None:
        """
        What fits into a datagram is one, without the fields of a fragment.
        """
        payload = attributes(MAX_DATAGRAM - HEADER)
        header = self.header(payload)
        self.assertEqual(divide(header, payload), [bytes(header) + payload])

    @given(st.integers(0, 2000), st.integers(20, 600), st.randoms())
    @settings(deadline=None, max_examples=60)
    def test_order(self, units: int, most: int, random: object) -> None:
        """
        Pieces are of the size that was asked for, as many as clause 6.2.3 says,
        contiguous, and make the message in any order and doubled.
        """
        payload = attributes(4 * units)
        header = self.header(payload)
        datagrams = divide(header, payload, most)
        self.assertTrue(all(len(each) <= most for each in datagrams))
        if len(datagrams) == 1:
            self.assertEqual(datagrams, [bytes(header) + payload])
            return
        self.assertEqual(len(datagrams), -(-units // ((most - 16) // 4)))
        self.assertTrue(all(each[0] == 0x48 for each in datagrams))
        if len(datagrams) <= MAX_FRAGMENTS:
            twice = datagrams[:-1] * 2
            random.shuffle(twice)  # type: ignore[attr-defined]
            self.assertEqual(self.assemble([*twice, datagrams[-1]]), payload)

    def test_layout(self) -> None:
        """
        A fragment has the length of the whole message in its header, and its
        own place behind it.
        """
        payload = attributes(80)
        one, two = divide(self.header(payload), payload, 56)
        self.assertEqual(one, bytes.fromhex("48080014 000004d2 004d00ea 0000000a") + payload[:40])
        self.assertEqual(two, bytes.fromhex("48080014 000004d2 004d00ea 000a000a") + payload[40:])

    def test_bad(self) -> None:
        """
        Pieces that exceed the message, contradict their datagram or each other
        spoil it (RFC 8855 clause 5.1).
        """
        payload = attributes(80)
        good = divide(self.header(payload), payload, 56)
        head = good[0][:12]
        for bad in (
            head + bytes.fromhex("000f000a") + bytes(40),
            head + bytes.fromhex("0000000b") + bytes(40),
            head + bytes.fromhex("00000000"),
            head + bytes.fromhex("00050002") + bytes(8),
            head + bytes.fromhex("0000000a") + bytes(40),
        ):
            assembly = Assembly()
            self.assertIsNone(assembly.add(good[0], Header.parse(good[0]), 0, 10))
            with self.assertRaises(Refused) as caught:
                assembly.add(bad, Header.parse(bad), 0, 10)
            self.assertEqual(caught.exception.fault, Fault.INCORRECT_LENGTH)
            self.assertEqual(len(assembly), 0)

    def test_limits(self) -> None:
        """
        What is incomplete is forgotten in time, and never is more than so many
        messages or pieces.
        """
        assembly = Assembly()
        for number in range(MAX_INCOMPLETE + 3):
            header = Header(0x48, 8, 20, 1234, number + 1, 234)
            assembly.add(bytes(header) + bytes.fromhex("00000001") + bytes(4), header, number, 10)
            self.assertLessEqual(len(assembly), MAX_INCOMPLETE)
        self.assertEqual(assembly.expire(10 + MAX_INCOMPLETE + 2), MAX_INCOMPLETE)
        header = Header(0x48, 8, 4000, 1234, 1, 234)
        for at in range(MAX_FRAGMENTS):
            assembly.add(bytes(header) + bytes((at >> 8, at & 255, 0, 1)) + bytes(4), header, 0, 10)
        with self.assertRaises(Refused):
            assembly.add(bytes(header) + bytes.fromhex("03000001") + bytes(4), header, 0, 10)
        self.assertEqual(len(assembly), 0)
