"""
Tests for L{e2aegw.sansio.msrp}, L{e2aegw.sansio.msrpreader},
L{e2aegw.sansio.msrpuri} and L{e2aegw.sansio.msrppath}.
"""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from e2aegw.errors import RemoteError
from e2aegw.sansio.msrp import (
    ABORT,
    END,
    MORE,
    REPORT,
    SEND,
    ByteRange,
    Fragment,
    Head,
    Part,
    Request,
    Response,
    formatEnd,
    formatHead,
)
from e2aegw.sansio.msrppath import Paths
from e2aegw.sansio.msrpreader import MAX_CONTROL_BODY, MAX_HEAD, MAX_LINES, Reader
from e2aegw.sansio.msrpuri import MAX_PATH, MAX_URI, URI, parsePath

ALICE = b"msrp://alicepc.example.com:7777/iau39soe2843z;tcp"
BOB = b"msrp://bob.example.com:8888/9di4eae923wzd;tcp"
PATHS = b"To-Path: " + BOB + b"\r\nFrom-Path: " + ALICE + b"\r\n"

#: The examples of RFC 4975 (figure 3 and clause 11), each with its method or
#: status, Message-ID, range, body and flag.
VECTORS: list[tuple[bytes, bytes | int, bytes, ByteRange | None, bytes | None, bytes]] = [
    (
        b"MSRP dkei38sd SEND\r\n" + PATHS + b"Message-ID: 4564dpWd\r\nByte-Range: 1-*/8\r\n"
        b"Content-Type: text/plain\r\n\r\nabcd\r\n-------dkei38sd+\r\n",
        *(SEND, b"4564dpWd", ByteRange(1, None, 8), b"abcd", MORE),
    ),
    (
        b"MSRP dkei38ia SEND\r\n" + PATHS + b"Message-ID: 4564dpWd\r\nByte-Range: 5-8/8\r\n"
        b"Content-Type: text/plain\r\n\r\nEFGH\r\n-------dkei38ia$\r\n",
        *(SEND, b"4564dpWd", ByteRange(5, 8, 8), b"EFGH", END),
    ),
    (
        b"MSRP d93kswow SEND\r\n" + PATHS + b"Message-ID: 12339sdqwer\r\nByte-Range: 1-16/16\r\n"
        b"Content-Type: text/plain\r\n\r\nHi, I'm Alice!\r\n\r\n-------d93kswow$\r\n",
        *(SEND, b"12339sdqwer", ByteRange(1, 16, 16), b"Hi, I'm Alice!\r\n", END),
    ),
    (
        b"MSRP d93kswow 200 OK\r\n" + PATHS + b"-------d93kswow$\r\n",
        *(200, b"", None, None, END),
    ),
    (
        b"MSRP d93kswow SEND\r\n" + PATHS + b"Message-ID: 12339sdqwer\r\nByte-Range: 1-137/148\r\n"
        b"Content-Type: message/cpim\r\n\r\nTo: Bob <sip:bob@example.com>\r\n"
        b"From: Alice <sip:alice@example.com>\r\nDateTime: 2006-05-15T15:02:31-03:00\r\n"
        b"Content-Type: text/plain\r\n\r\nABCD\r\n-------d93kswow+\r\n",
        *(SEND, b"12339sdqwer", ByteRange(1, 137, 148)),
        b"To: Bob <sip:bob@example.com>\r\nFrom: Alice <sip:alice@example.com>\r\n"
        b"DateTime: 2006-05-15T15:02:31-03:00\r\nContent-Type: text/plain\r\n\r\nABCD",
        MORE,
    ),
    (
        b"MSRP d93kswow SEND\r\n" + PATHS + b"Message-ID: 12339sdqwer\r\nByte-Range: 1-38/38\r\n"
        b"Failure-Report: no\r\nSuccess-Report: no\r\nContent-Type: text/plain\r\n\r\n"
        b"This conference will end in 5 minutes\r\n-------d93kswow$\r\n",
        *(SEND, b"12339sdqwer", ByteRange(1, 38, 38), b"This conference will end in 5 minutes", END),
    ),
    (
        b"MSRP dkei38sd REPORT\r\n" + PATHS + b"Message-ID: 12339sdqwer\r\nByte-Range: 1-106/106\r\n"
        b"Status: 000 200 OK\r\n-------dkei38sd$\r\n",
        *(REPORT, b"12339sdqwer", ByteRange(1, 106, 106), None, END),
    ),
    (
        b"MSRP abcd1234 SEND\r\n" + PATHS + b"Message-ID: 1\r\nByte-Range: 1-*/9\r\nContent-Type: a/b\r\n"
        b"\r\nabc\r\n-------abcd1234#\r\n",
        *(SEND, b"1", ByteRange(1, None, 9), b"abc", ABORT),
    ),
    (
        b"MSRP abcd1234 SEND\r\n" + PATHS + b"-------abcd1234$\r\n",
        *(SEND, b"", None, None, END),
    ),
    (
        # An empty body, and the way in which some write it.
        b"MSRP abcd1234 SEND\r\n" + PATHS + b"Content-Type: a/b\r\n\r\n\r\n-------abcd1234$\r\n",
        *(SEND, b"", None, b"", END),
    ),
    (
        b"MSRP abcd1234 SEND\r\n" + PATHS + b"Content-Type: a/b\r\n\r\n-------abcd1234$\r\n",
        *(SEND, b"", None, b"", END),
    ),
    (
        # RFC 7701: a method that is not known here.
        b"MSRP abcd1234 NICKNAME\r\n" + PATHS + b'Use-Nickname: "Alice"\r\n-------abcd1234$\r\n',
        *(b"NICKNAME", b"", None, None, END),
    ),
]

#: Bodies that look like what ends them.
CUNNING = (
    b"-------abcd123\r\n",
    b"\r\n-------abcd1234",
    b"\r\n-------abcd1234x\r\n",
    b"\r\n-------abcd1234$\r",
    b"\r\n-------abcd1234$x\n",
    b"\r\n\r\n-------",
    b"\r\r\r\n",
    b"\r",
    b"MSRP abcd1234 SEND\r\n" + PATHS,
    bytes(range(256)) * 3,
)


def read(data: bytes, cuts: list[int] | None = None, *, endToEnd: bool = False) -> list[Part]:
    """
    Read what arrives in pieces.
    """
    reader = Reader(endToEnd=endToEnd)
    parts: list[Part] = []
    places = [0, *sorted(cuts or []), len(data)]
    for start, stop in pairwise(places):
        reader.feed(data[start:stop])
        while (part := reader.nextPart()) is not None:
            parts.append(part)
    return parts


def whole(parts: list[Part]) -> list[Part]:
    """
    The same with pieces of bodies joined; they have to fit.
    """
    joined: list[Part] = []
    for part in parts:
        if isinstance(part, Request) and not part.fragment.first:
            last = joined.pop()
            assert isinstance(last, Request)
            before, after = last.fragment, part.fragment
            assert before.head is after.head and before.flag is None
            assert before.body is not None and after.body is not None
            assert after.position == before.position + len(before.body)
            fragment = Fragment(before.head, before.body + after.body, after.flag, before.position)
            part = last._replace(fragment=fragment)
        joined.append(part)
    return joined


def write(part: Part) -> bytes:
    """
    The bytes of what was read end to end.
    """
    if isinstance(part, Response):
        return bytes(part)
    fragment = part.fragment
    has = fragment.body is not None
    assert fragment.flag is not None
    return (
        formatHead(fragment.head, b"", b"", b"", has)
        + (fragment.body or b"")
        + formatEnd(fragment.head.transaction, fragment.flag, has)
    )


def send(body: bytes, *headers: bytes, tid: bytes = b"abcd1234") -> bytes:
    """
    A SEND.
    """
    lines = b"".join(line + b"\r\n" for line in headers)
    return b"MSRP " + tid + b" SEND\r\n" + PATHS + lines + b"\r\n" + body + b"\r\n-------" + tid + b"$\r\n"


class ReaderTests(SynchronousTestCase):
    """
    Messages out of a stream.
    """

    def test_vectors(self) -> None:
        """
        The RFC's examples are read as what they are, whole and octet by octet.
        """
        for data, what, messageID, byteRange, body, flag in VECTORS:
            for cuts in ([], list(range(len(data)))):
                (part,) = whole(read(data, cuts))
                self.assertEqual((part.toPath, part.fromPath), (BOB, ALICE))
                if isinstance(part, Response):
                    self.assertEqual((part.code, part.comment), (what, b" OK"))
                    continue
                fragment = part.fragment
                self.assertEqual(part.fault, "")
                self.assertEqual((fragment.head.method, fragment.head.messageID), (what, messageID))
                self.assertEqual((fragment.head.byteRange, fragment.body), (byteRange, body))
                self.assertEqual(fragment.flag, flag)

    def test_allAtOnce(self) -> None:
        """
        Where one message ends the next one begins; empty lines between them
        are nothing.
        """
        data = b"\r\n".join(vector[0] for vector in VECTORS)
        expected = [part for vector in VECTORS for part in read(vector[0])]
        self.assertEqual(read(data), expected)
        self.assertEqual(whole(read(data, list(range(len(data))))), expected)

    def test_writtenAgain(self) -> None:
        """
        Read end to end and written again, a message has the same octets, its
        paths and its spelling of headers included.
        """
        odd = b"MSRP a1b2 SEND\r\nto-path:  %b\r\nX-Odd:\tv \xc3\xa9\r\nFROM-PATH: %b\r\n-------a1b2$\r\n"
        for data in [*(vector[0] for vector in VECTORS), odd % (BOB, ALICE)]:
            (part,) = whole(read(data, list(range(len(data))), endToEnd=True))
            if b"a/b\r\n\r\n----" not in data:
                self.assertEqual(write(part), data)

    def test_unknownHeaders(self) -> None:
        """
        Headers that mean nothing here are kept to the octet and in order; those
        of the hop are not in the unit.
        """
        lines = (b"X-Strange:value", b"x-other:  \xff\xfe ", b"Expires: 5", b"X-Strange: again")
        (part,) = read(send(b"x", *lines))
        assert isinstance(part, Request)
        self.assertEqual(part.fragment.head.lines, lines)
        self.assertEqual(part.fragment.head.get(b"X-OTHER"), b"\xff\xfe")
        self.assertIsNone(part.fragment.head.get(b"To-Path"))

    def test_cunningBodies(self) -> None:
        """
        A body that almost holds its own end is not cut short.
        """
        for body in CUNNING:
            data = send(body) + send(b"next")
            for cuts in ([], list(range(len(data)))):
                first, second = whole(read(data, cuts))
                assert isinstance(first, Request) and isinstance(second, Request)
                self.assertEqual(first.fragment.body, body)
                self.assertEqual(second.fragment.body, b"next")

    def test_reports(self) -> None:
        """
        What is asked for by way of reports is read; the default is failures
        only (RFC 4975 clause 7.1.1).
        """
        for value, meaning in ((b"yes", b"yes"), (b"NO", b"no"), (b"partial", b"partial"), (b"?", b"yes")):
            (part,) = read(send(b"x", b"Failure-Report: " + value, b"Success-Report: " + value))
            assert isinstance(part, Request)
            self.assertEqual(part.fragment.head.failureReport, meaning)
            self.assertEqual(part.fragment.head.successReport, value == b"yes")
        (part,) = read(send(b"x"))
        assert isinstance(part, Request)
        self.assertEqual(part.fragment.head.failureReport, b"yes")
        self.assertFalse(part.fragment.head.successReport)

    def test_streaming(self) -> None:
        """
        A long body is handed on as it comes, without being kept or, if it
        arrives in a piece of its own, copied.
        """
        reader = Reader()
        reader.feed(b"MSRP abcd1234 SEND\r\n" + PATHS + b"Byte-Range: 1-*/*\r\nContent-Type: a/b\r\n\r\n")
        self.assertIsNone(reader.nextPart())
        self.assertIsNone(reader.interrupted)
        piece, part = bytes(65536), None
        for number in range(100):
            reader.feed(piece)
            part = reader.nextPart()
            assert isinstance(part, Request)
            if number:
                self.assertIs(part.fragment.body, piece)
                self.assertEqual(part.fragment.position, 1 + number * 65536)
            self.assertIsNone(reader.nextPart())
        interrupted = reader.interrupted
        assert interrupted is not None
        self.assertEqual((interrupted.flag, interrupted.position), (ABORT, 1 + 6553600))
        assert isinstance(part, Request)
        self.assertIs(interrupted.head, part.fragment.head)

    def test_otherBodiesAreWhole(self) -> None:
        """
        The body of a request that is not a SEND comes in one piece, and has a
        limit.
        """
        start = b"MSRP abcd1234 REPORT\r\n" + PATHS + b"Content-Type: a/b\r\n\r\n"
        data = start + b"x" * MAX_CONTROL_BODY + b"\r\n-------abcd1234$\r\n"
        (part,) = read(data, list(range(0, len(data), 7)))
        assert isinstance(part, Request)
        self.assertEqual(part.fragment.body, b"x" * MAX_CONTROL_BODY)
        error = self.assertRaises(RemoteError, read, start + b"x" * (MAX_CONTROL_BODY + 1))
        self.assertEqual(error.reason, "MSRP body")

    def test_fault(self) -> None:
        """
        A range that is none does not hide where the message ends.
        """
        for value in (b"", b"x", b"1-2", b"1-2/3/4", b"-1-2/3", b"1" * 20 + b"-*/*"):
            first, second = read(send(b"x", b"Byte-Range: " + value) + send(b"y"))
            assert isinstance(first, Request) and isinstance(second, Request)
            self.assertEqual((first.fault, second.fault), ("Byte-Range", ""))

    def test_refused(self) -> None:
        """
        What is not MSRP is L{RemoteError}, for good.
        """
        head = b"MSRP abcd1234 SEND\r\n"
        for data, reason in (
            (b"GET / HTTP/1.1\r\n", "MSRP start line"),
            (b"MSRP  abcd1234 SEND\r\n", "MSRP start line"),
            (b"MSRP abcd1234 send\r\n", "MSRP start line"),
            (b"MSRP " + b"a" * 65 + b" SEND\r\n", "MSRP start line"),
            (b"MSRP abcd1234 2000\r\n", "MSRP start line"),
            (b"MSRP abcd1234 200 a\rb\r\n" + PATHS + b"-------abcd1234$\r\n", "MSRP start line"),
            (head + b"no colon\r\n-------abcd1234$\r\n", "MSRP header"),
            (head + b"9: x\r\n-------abcd1234$\r\n", "MSRP header"),
            (head + PATHS + b"X-A: b\nX-C: d\r\n-------abcd1234$\r\n", "MSRP header"),
            (head + PATHS + PATHS + b"-------abcd1234$\r\n", "MSRP header"),
            (head + b"To-Path: a\r\n-------abcd1234$\r\n", "MSRP path"),
            (head + PATHS + b"-------other123$\r\n", "MSRP end-line"),
            (head + PATHS + b"-------abcd1234!\r\n", "MSRP end-line"),
            (b"MSRP abcd1234 200 OK\r\n" + PATHS + b"\r\nbody", "MSRP response"),
            (head + b"X: " + b"x" * MAX_HEAD, "MSRP headers"),
            (head + b"X: y\r\n" * (MAX_LINES + 1), "MSRP headers"),
            (b"x" * (MAX_HEAD + 1), "MSRP headers"),
        ):
            for cuts in ([], list(range(len(data)))):
                error = self.assertRaises(RemoteError, read, data, cuts)
                self.assertEqual(error.reason, reason, data[:80])
        reader = Reader()
        reader.feed(b"x\r\n")
        for _ in range(3):
            self.assertRaises(RemoteError, reader.nextPart)
            reader.feed(VECTORS[0][0])

    @settings(deadline=None, max_examples=150)
    @given(st.data())
    def test_anyCuts(self, data: st.DataObject) -> None:
        """
        However a stream is cut, it says the same.
        """
        messages = data.draw(
            st.lists(
                st.one_of(
                    st.sampled_from([vector[0] for vector in VECTORS]),
                    st.sampled_from(CUNNING).map(send),
                    st.binary(max_size=60).map(send),
                    st.lists(
                        st.sampled_from([b"\r", b"\n", b"-------", b"abcd1234", b"$", b"+", b"x"]),
                        max_size=12,
                    )
                    .map(b"".join)
                    .filter(
                        lambda body: not any(b"-------abcd1234" + flag in body for flag in (END, MORE, ABORT))
                    )
                    .map(send),
                ),
                min_size=1,
                max_size=4,
            )
        )
        stream = b"".join(messages)
        cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=20))
        self.assertEqual(whole(read(stream, cuts)), whole(read(stream)))
        self.assertEqual(len(whole(read(stream))), len(messages))

    @settings(deadline=None, max_examples=300)
    @given(
        st.lists(
            st.one_of(
                st.binary(max_size=20),
                st.sampled_from(
                    [b"MSRP a1b2 SEND\r\n", PATHS, b"\r\n", b"-------a1b2$\r\n", b"X: y\r\n", b"\r"]
                ),
            ),
            max_size=12,
        )
    )
    def test_anyBytes(self, pieces: list[bytes]) -> None:
        """
        Any bytes are read or L{RemoteError}, and the same whole as one at a
        time.
        """
        data = b"".join(pieces)
        results: list[object] = []
        for cuts in ([], list(range(len(data)))):
            reader, parts = Reader(), []
            failed = ""
            places = [0, *cuts, len(data)]
            for start, stop in pairwise(places):
                reader.feed(data[start:stop])
                try:
                    while (part := reader.nextPart()) is not None:
                        parts.append(part)
                except RemoteError as e:
                    failed = e.reason
            joined = whole(parts)
            if not failed and joined and isinstance(joined[-1], Request) and joined[-1].fragment.flag is None:
                # How much of what is not complete was handed on may differ.
                joined.pop()
            results.append((failed, joined))
        self.assertEqual(results[0], results[1])


class ByteRangeTests(SynchronousTestCase):
    """
    The Byte-Range header.
    """

    def test_bothWays(self) -> None:
        """
        Each form is read and written.
        """
        for text, value in (
            (b"1-16/16", ByteRange(1, 16, 16)),
            (b"1-*/8", ByteRange(1, None, 8)),
            (b"5-*/*", ByteRange(5, None, None)),
            (b"1-0/0", ByteRange(1, 0, 0)),
            (b"4294967297-*/9999999999999999999", ByteRange(2**32 + 1, None, 10**19 - 1)),
        ):
            self.assertEqual(ByteRange.parse(text), value)
            self.assertEqual(bytes(value), text)

    def test_within(self) -> None:
        """
        A part's range takes the place of the whole's, or stands behind the
        Message-ID if there was none.
        """
        head = Head(lines=(b"X: 1", b"byte-range: 1-9/9", b"Content-Type: a/b"))
        part = head.within(ByteRange(1, 4, 9))
        self.assertEqual(part.lines, (b"X: 1", b"Byte-Range: 1-4/9", b"Content-Type: a/b"))
        self.assertEqual(part.byteRange, ByteRange(1, 4, 9))
        head = Head(lines=(b"Message-ID: 1", b"Content-Type: a/b"))
        part = head.within(ByteRange(1, 4, None))
        self.assertEqual(part.lines, (b"Message-ID: 1", b"Byte-Range: 1-4/*", b"Content-Type: a/b"))


class URITests(SynchronousTestCase):
    """
    MSRP URIs.
    """

    def test_parts(self) -> None:
        """
        A URI is taken apart, with and without what may be left out.
        """
        for text, parts in (
            (b"msrp://host.example.com:8493/asfd34;tcp", ("msrp", "host.example.com", 8493, "asfd34", "tcp")),
            (b"msrps://a:b@h:1/s/t=+;tcp;x=y;z", ("msrps", "h", 1, "s/t=+", "tcp")),
            (b"msrps://r.example.com;tcp", ("msrps", "r.example.com", None, "", "tcp")),
            (b"msrp://192.0.2.1:9/x;ws", ("msrp", "192.0.2.1", 9, "x", "ws")),
            (b"msrps://[2001:db8::3]:54111/si438;dc", ("msrps", "2001:db8::3", 54111, "si438", "dc")),
            (b"msrps://2001:db8::3:54111/si438;dc", ("msrps", "2001:db8::3", 54111, "si438", "dc")),
            (b"msrp://[::1]/x;tcp", ("msrp", "::1", None, "x", "tcp")),
        ):
            uri = URI.parse(text)
            self.assertEqual((uri.scheme, uri.host, uri.port, uri.sessionID, uri.transport), parts)
            self.assertEqual(str(uri), text.decode())

    def test_comparison(self) -> None:
        """
        RFC 4975 clause 6.1: what is and what is not the same URI.
        """
        uri = URI.parse(b"msrps://[2001:DB8::3]:9/aB;tcp")
        for same in (
            b"MSRPS://[2001:db8:0:0::3]:9/aB;TCP",
            b"msrps://2001:db8::3:9/aB;tcp",
            b"msrps://me@[2001:db8::3]:9/aB;tcp;parameter=1",
        ):
            self.assertTrue(uri.matches(URI.parse(same)), same)
        for other in (
            b"msrp://[2001:db8::3]:9/aB;tcp",
            b"msrps://[2001:db8::4]:9/aB;tcp",
            b"msrps://[2001:db8::3]:8/aB;tcp",
            b"msrps://[2001:db8::3]/aB;tcp",
            b"msrps://[2001:db8::3]:9/ab;tcp",
            b"msrps://[2001:db8::3]:9;tcp",
            b"msrps://[2001:db8::3]:9/aB;dc",
        ):
            self.assertFalse(uri.matches(URI.parse(other)), other)
        names = URI.parse(b"msrp://EXAMPLE.com:9/a;tcp"), URI.parse(b"msrp://ex%61mple.com:9/a;tcp")
        self.assertTrue(names[0].matches(names[1]))

    def test_ours(self) -> None:
        """
        A URI of ours can be read, and two are never the same.
        """
        for host in ("192.0.2.1", "2001:db8::1", "gw.example.com"):
            made = {URI.make(host, 9, secure=True, transport="dc").text for _ in range(50)}
            self.assertEqual(len(made), 50)
            for text in made:
                uri = URI.parse(text)
                self.assertEqual((uri.scheme, uri.host, uri.port, uri.transport), ("msrps", host, 9, "dc"))
                # 80 bits at 6 bits a character.
                self.assertGreaterEqual(len(uri.sessionID), 14)

    def test_refused(self) -> None:
        """
        What is not a URI is L{RemoteError}.
        """
        for text in (
            *(
                b"",
                b"sip:a@b",
                b"msrp://h:1/x",
                b"msrp://:1/x;tcp",
                b"msrp://h:/x;tcp",
                b"msrp://h:65536/x;tcp",
            ),
            *(b"msrp://[h]:1/x;tcp", b"msrp://a:b:c/x;tcp", b"msrp://h:1/\xe9;tcp", b"msrp://h:1/x;tcp\n"),
            *(b"msrp://[::1:1/x;tcp", b"msrp://h:1/x y;tcp", b"msrp://h:1/" + b"x" * MAX_URI + b";tcp"),
        ):
            self.assertRaises(RemoteError, URI.parse, text)

    def test_paths(self) -> None:
        """
        A path is some URIs, in order, and not too many.
        """
        self.assertEqual([uri.text for uri in parsePath(BOB + b" " + ALICE)], [BOB, ALICE])
        self.assertEqual(len(parsePath(b" ".join([BOB] * MAX_PATH))), MAX_PATH)
        for path in (b"", b"  ", b" ".join([BOB] * (MAX_PATH + 1)), BOB + b", " + ALICE):
            self.assertRaises(RemoteError, parsePath, path)

    @settings(deadline=None, max_examples=300)
    @given(st.one_of(st.binary(max_size=60), st.from_regex(rb"msrps?://[a-z0-9:.\[\]@%]*/?[a-z]*;?[a-z]*")))
    def test_anyBytes(self, text: bytes) -> None:
        """
        Any bytes are a URI, which is then the same as itself, or
        L{RemoteError}.
        """
        try:
            uri = URI.parse(text)
        except RemoteError:
            return
        self.assertTrue(uri.matches(URI.parse(uri.text)))


class PathsTests(SynchronousTestCase):
    """
    Who may say what on a hop.
    """

    def judge(self, paths: Paths, to: bytes, sender: bytes, *headers: bytes) -> int:
        """
        The verdict on a request.
        """
        data = send(b"x", *headers).replace(PATHS, b"To-Path: " + to + b"\r\nFrom-Path: " + sender + b"\r\n")
        (part,) = read(data)
        assert isinstance(part, Request)
        return paths.judge(part)

    def test_verdicts(self) -> None:
        """
        A request is for us and from the party, or refused.
        """
        paths = Paths()
        paths.use(URI.parse(BOB))
        self.assertEqual(self.judge(paths, BOB, b"msrp://anybody:1/x;tcp"), 0)
        paths.remote = parsePath(ALICE)
        self.assertEqual(self.judge(paths, BOB, b"msrp://anybody:1/x;tcp"), 481)
        for _ in range(2):
            self.assertEqual(self.judge(paths, BOB, ALICE), 0)
            self.assertEqual(
                self.judge(paths, BOB.upper().replace(b"9DI4EAE923WZD", b"9di4eae923wzd"), ALICE), 0
            )
            self.assertEqual(self.judge(paths, BOB, b"msrp://relay:1/x;tcp " + ALICE), 0)
            self.assertEqual(self.judge(paths, ALICE, ALICE), 481)
            self.assertEqual(self.judge(paths, BOB + b" " + ALICE, ALICE), 481)
            self.assertEqual(self.judge(paths, b"nobody", ALICE), 400)
            self.assertEqual(self.judge(paths, BOB, ALICE, b"Byte-Range: x"), 400)

    def test_ownURI(self) -> None:
        """
        The part of our URI that nobody can guess stays as long as the session,
        and URIs of before remain ours.
        """
        paths = Paths()
        first = paths.use(paths.own("192.0.2.1", 9, secure=False, transport="tcp"))
        second = paths.use(paths.own("192.0.2.2", 9, secure=False, transport="tcp"))
        self.assertEqual(first.sessionID, second.sessionID)
        for uri in (first, second):
            self.assertEqual(self.judge(paths, uri.text, ALICE), 0)
