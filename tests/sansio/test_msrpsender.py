"""
Tests for L{e2aegw.sansio.msrpsender}.
"""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from e2aegw.errors import RemoteError
from e2aegw.sansio import msrpsender
from e2aegw.sansio.msrp import ABORT, END, MORE, REPORT, ByteRange, Fragment, Head, Request, Response
from e2aegw.sansio.msrpreader import Reader
from e2aegw.sansio.msrpsender import MAX_FAILED, MAX_TRANSACTIONS, MAX_WAITING, RESPONSE_TIMEOUT, Sender

TO = b"msrp://relay.example.com:1/r;tcp msrp://bob.example.com:8888/9di4eae923wzd;tcp"
FROM = b"msrp://192.0.2.1:7777/iau39soe2843z;tcp"


def sender(*, messages: bool = False, limit: int = 0, chunk: int = 65536) -> Sender:
    """
    A sender that knows its paths.
    """
    made = Sender(messages=messages, chunk=chunk)
    made.toPath, made.fromPath, made.limit = TO, FROM, limit
    return made


def head(byteRange: bytes | None = b"1-*/*", *more: bytes, failure: bytes = b"yes", tid: bytes = b"") -> Head:
    """
    The head of a SEND.
    """
    lines = [b"Message-ID: m1", *more, b"Content-Type: a/b"]
    if byteRange is not None:
        lines.insert(1, b"Byte-Range: " + byteRange)
    if tid:
        lines = [b"To-Path: " + TO, b"From-Path: " + FROM, *lines]
    return Head(
        lines=tuple(lines),
        messageID=b"m1",
        failureReport=failure,
        byteRange=None if byteRange is None else ByteRange.parse(byteRange),
        transaction=tid,
    )


def pieces(head: Head, *bodies: bytes, flag: bytes | None = END) -> list[Fragment]:
    """
    A chunk in pieces, of which the last one has the flag.
    """
    position = 1 if head.byteRange is None else head.byteRange.start
    made = []
    for number, body in enumerate(bodies):
        last = number == len(bodies) - 1
        made.append(Fragment(head, body, flag if last else None, position, number == 0))
        position += len(body)
    return made


def hear(data: bytes) -> list[Request]:
    """
    What the next hop reads, pieces joined.
    """
    reader, heard = Reader(), []
    reader.feed(data)
    while (part := reader.nextPart()) is not None:
        if isinstance(part, Request):
            heard.append(part)
    assert reader.interrupted is None
    return heard


def answer(transaction: bytes, code: int, words: bytes = b"") -> Response:
    """
    A response.
    """
    return Response(transaction=transaction, code=code, comment=words)


def assemble(requests: list[Request]) -> bytes:
    """
    The message that chunks make, by their ranges alone; no two overlap, and
    the flags and ends are right.
    """
    whole = bytearray()
    for number, request in enumerate(requests):
        fragment = request.fragment
        byteRange = fragment.head.byteRange
        assert fragment.body is not None
        start = 1 if byteRange is None else byteRange.start
        assert start == len(whole) + 1
        whole += fragment.body
        if byteRange is not None and byteRange.end is not None:
            assert byteRange.end == len(whole)
        if number < len(requests) - 1:
            assert fragment.flag == MORE
    return bytes(whole)


class StreamTests(SynchronousTestCase):
    """
    Chunks on a stream.
    """

    def test_R_76_onlyTheHopChanges(self) -> None:
        """
        A unit is written with this hop's paths and a fresh transaction, and all
        else as it was.
        """
        one = head(b"1-3/3", b"X-Odd:  \xff", b"Success-Report: yes")
        out = b"".join(sender().send(Fragment(one, b"abc", END), 0))
        (request,) = hear(out)
        self.assertEqual((request.toPath, request.fromPath), (TO, FROM))
        self.assertEqual(request.fragment.head.lines, one.lines)
        self.assertEqual((request.fragment.body, request.fragment.flag), (b"abc", END))
        self.assertGreaterEqual(len(request.transaction), 16)
        (other,) = hear(b"".join(sender().send(Fragment(one, b"abc", END), 0)))
        self.assertNotEqual(other.transaction, request.transaction)

    def test_asItComes(self) -> None:
        """
        A long chunk is written as it comes and remains one chunk.
        """
        made = sender()
        one = head(b"1-*/12")
        fragments = pieces(one, b"abcd", b"", b"efgh", b"ijkl")
        out = [b"".join(made.send(fragment, 0)) for fragment in fragments]
        self.assertTrue(out[0].endswith(b"\r\n\r\nabcd"))
        self.assertEqual(out[1:3], [b"", b"efgh"])
        (request,) = hear(b"".join(out))
        self.assertEqual(request.fragment.body, b"abcdefghijkl")
        self.assertEqual(request.fragment.head.lines, one.lines)

    def test_withoutABody(self) -> None:
        """
        A request without a body has no empty line, one with an empty body has.
        """
        made = sender()
        self.assertNotIn(b"\r\n\r\n", b"".join(made.send(Fragment(head(), None, END), 0)))
        self.assertIn(b"\r\n\r\n\r\n-------", b"".join(made.send(Fragment(head(), b"", END), 0)))

    def test_interrupted(self) -> None:
        """
        What has to be said meanwhile interrupts a chunk that has an open end,
        which then goes on in another one (RFC 4975 clause 7.1.1).
        """
        made = sender()
        first, second, third = pieces(head(b"11-*/22"), b"abcd", b"efgh", b"ijkl", flag=END)
        out = b"".join(made.send(first, 0))
        out += b"".join(
            made.interject(b"MSRP abcd SEND\r\nTo-Path: a\r\nFrom-Path: b\r\n-------abcd$\r\n", 0)
        )
        for fragment in (second, third):
            out += b"".join(made.send(fragment, 0))
        one, between, two = hear(out)
        self.assertEqual(between.transaction, b"abcd")
        self.assertEqual((one.fragment.body, one.fragment.flag), (b"abcd", MORE))
        self.assertEqual((two.fragment.body, two.fragment.flag), (b"efghijkl", END))
        self.assertEqual(two.fragment.head.byteRange, ByteRange(15, None, 22))
        self.assertNotEqual(one.transaction, two.transaction)

    def test_notInterrupted(self) -> None:
        """
        A chunk that says where it ends is not interrupted, unless too much
        waits.
        """
        for size, count in ((10, 2), (MAX_WAITING, 3)):
            made = sender()
            first, second = pieces(head(b"1-8/8"), b"abcd", b"efgh")
            out = b"".join(made.send(first, 0))
            word = b"MSRP abcd X\r\nTo-Path: a\r\nFrom-Path: b\r\nX: " + b"x" * 10 + b"\r\n-------abcd$\r\n"
            for _ in range(size // 10):
                out += b"".join(made.interject(word, 0))
                if count == 3 and b"MSRP abcd" in out:
                    break
            out += b"".join(made.send(second, 0))
            heard = [request for request in hear(out) if request.transaction != b"abcd"]
            self.assertEqual(len(heard), count - 1)
            self.assertEqual(b"".join(request.fragment.body or b"" for request in heard), b"abcdefgh")

    def test_sameName(self) -> None:
        """
        A transaction is called like that of the hop before, unless another one
        of that name waits for its response; what follows an interruption has a
        name of its own.
        """
        made = sender()
        unit = Fragment(replace(head(b"1-1/1"), origin=b"theirs01"), b"x", END)
        names = [hear(b"".join(made.send(unit, 0)))[0].transaction for _ in range(2)]
        self.assertEqual(names[0], b"theirs01")
        self.assertNotEqual(names[1], b"theirs01")
        made.receive(answer(b"theirs01", 200))
        between = b"MSRP abcd SEND\r\nTo-Path: a\r\nFrom-Path: b\r\n-------abcd$\r\n"
        one, two = pieces(replace(head(b"1-*/*"), origin=b"theirs01"), b"abc", b"def")
        out = b"".join([*made.send(one, 0), *made.interject(between, 0), *made.send(two, 0)])
        names = [request.transaction for request in hear(out)]
        self.assertEqual(names[:2], [b"theirs01", b"abcd"])
        self.assertNotIn(names[2], names[:2])

    def test_otherEndInTheBody(self) -> None:
        """
        What an end-line of the hop before would be, but for its flag, is not in
        a chunk of its name, whole or in pieces: whoever reads on might take it
        for one, and what follows it for a request.
        """
        body = b"x\r\n-------theirs01?\r\nMSRP"
        for cut in range(len(body)):
            made = sender()
            parts = [body[:cut], body[cut:]] if cut else [body]
            units = pieces(replace(head(b"1-*/*"), origin=b"theirs01"), *parts)
            heard = hear(b"".join(b"".join(made.send(unit, 0)) for unit in units))
            self.assertEqual(assemble(heard), body)
            for request in heard:
                self.assertNotIn(b"-------" + request.transaction, request.fragment.body or b"")

    def test_ownEndInTheBody(self) -> None:
        """
        A body in which the transaction turns up gets another one (RFC 4975
        clause 7.1), also if it comes in pieces, or is cut in the middle of it.
        """
        names = iter([b"collides00000000", b"another000000000", b"third00000000000"] * 9)
        self.patch(msrpsender, "newTransaction", lambda: next(names))
        (request,) = hear(b"".join(sender().send(Fragment(head(), b"x\r\n-------collides00000000$", END), 0)))
        self.assertEqual(request.transaction, b"another000000000")
        for cut in range(1, 16):
            names = iter([b"collides00000000", b"another000000000", b"third00000000000"])
            bodies = [
                b"safe\r\n-------",
                b"collides00000000"[:cut],
                b"collides00000000"[cut:] + b"$\r\n",
                b".",
            ]
            made = sender()
            out = b"".join(b"".join(made.send(fragment, 0)) for fragment in pieces(head(b"1-*/*"), *bodies))
            self.assertEqual(assemble(hear(out)), b"".join(bodies))

    def test_aborted(self) -> None:
        """
        An aborted chunk is aborted here too; so is one that never ends and is
        followed by another.
        """
        made = sender()
        first, second = pieces(head(), b"abcd", b"", flag=ABORT)
        (one,) = hear(b"".join(made.send(first, 0) + made.send(second, 0)))
        self.assertEqual((one.fragment.body, one.fragment.flag), (b"abcd", ABORT))
        out = made.send(first, 0) + made.send(Fragment(head(b"1-1/1"), b"x", END), 0)
        one, two = hear(b"".join(out))
        self.assertEqual((one.fragment.flag, two.fragment.flag), (ABORT, END))

    @settings(deadline=None, max_examples=100)
    @given(st.lists(st.binary(max_size=40), min_size=1, max_size=8), st.lists(st.integers(0, 7), max_size=4))
    def test_anyPieces(self, bodies: list[bytes], interruptions: list[int]) -> None:
        """
        Whatever comes between, the message arrives.
        """
        made, out = sender(), b""
        for number, fragment in enumerate(pieces(head(), *bodies)):
            out += b"".join(made.send(fragment, 0))
            if number in interruptions:
                out += b"".join(
                    made.interject(b"MSRP a 200\r\nTo-Path: a\r\nFrom-Path: b\r\n-------a$\r\n", 0)
                )
        self.assertEqual(assemble(hear(out)), b"".join(bodies))


class MessageTests(SynchronousTestCase):
    """
    Chunks on a data channel: one in each message (RFC 8873 clause 5.4).
    """

    def test_R_81_divided(self) -> None:
        """
        A chunk above the limit is divided: each part has its own range and the
        flag that says that more comes, the last one the chunk's.
        """
        body = bytes(range(256)) * 40
        for flag in (END, MORE, ABORT):
            for byteRange in (b"1-10240/10240", b"1-*/10240", b"1-*/*", None):
                made = sender(messages=True, limit=1000)
                out = made.send(Fragment(head(byteRange), body, flag), 0)
                self.assertLessEqual(max(map(len, out)), 1000)
                self.assertGreater(min(map(len, out[:-1])), 900)
                requests = [request for message in out for request in hear(message)]
                self.assertEqual(len(requests), len(out))
                self.assertEqual(assemble(requests), body)
                self.assertEqual(requests[-1].fragment.flag, flag)
                self.assertEqual(len({request.transaction for request in requests}), len(out))
                for request in requests:
                    assert request.fragment.head.byteRange is not None
                    self.assertIsNotNone(request.fragment.head.byteRange.end)
                    self.assertEqual(
                        request.fragment.head.byteRange.total,
                        10240 if byteRange and b"/1" in byteRange else None,
                    )
                    self.assertEqual(request.fragment.head.lines[-1], b"Content-Type: a/b")

    def test_notDivided(self) -> None:
        """
        A chunk that fits is not touched, up to the last octet.
        """
        one = head(b"1-*/*")
        made = sender(messages=True)
        (message,) = made.send(Fragment(one, b"x" * 100, END), 0)
        made.limit = len(message)
        (again,) = made.send(Fragment(one, b"x" * 100, END), 0)
        self.assertEqual(hear(again)[0].fragment.head.lines, one.lines)
        made.limit = len(message) - 1
        self.assertGreater(len(made.send(Fragment(one, b"x" * 100, END), 0)), 1)

    def test_gathered(self) -> None:
        """
        Small pieces become one message, and never is more than one message's
        worth held.
        """
        made = sender(messages=True, chunk=4096)
        bodies = [bytes([n % 256]) * 100 for n in range(200)]
        out: list[bytes] = []
        for number, fragment in enumerate(pieces(head(b"1-*/20000"), *bodies)):
            out += made.send(fragment, 0)
            sent = sum(len(request.fragment.body or b"") for each in out for request in hear(each))
            self.assertLessEqual((number + 1) * 100 - sent, 4096)
        self.assertEqual(len(out), 5)
        self.assertEqual(assemble([request for each in out for request in hear(each)]), b"".join(bodies))

    def test_noRoom(self) -> None:
        """
        Headers that leave no room for a body are refused, with the rest of the
        chunk; the next one is not.
        """
        made = sender(messages=True, limit=400)
        first, second = pieces(head(b"1-*/*", b"X: " + b"x" * 400), b"a", b"b")
        self.assertRaises(RemoteError, made.send, first, 0)
        self.assertEqual(made.send(second, 0), [])
        self.assertEqual(len(made.send(Fragment(head(), b"x", END), 0)), 1)
        report = Head(method=REPORT, lines=(b"X: " + b"x" * 400,))
        self.assertRaises(RemoteError, made.send, Fragment(report, None, END), 0)

    def test_neverEnded(self) -> None:
        """
        A chunk that does not end before the next one begins is aborted.
        """
        made = sender(messages=True)
        first, _ = pieces(head(b"1-*/*"), b"abcd", b"")
        self.assertEqual(made.send(first, 0), [])
        one, two = (hear(each)[0] for each in made.send(Fragment(head(b"1-1/1"), b"x", END), 0))
        self.assertEqual((one.fragment.body, one.fragment.flag), (b"abcd", ABORT))
        self.assertEqual((two.fragment.body, two.fragment.flag), (b"x", END))

    def test_abortedHalfway(self) -> None:
        """
        A chunk that is aborted says so in what is left of it.
        """
        made = sender(messages=True, limit=600)
        first, second = pieces(head(b"1-*/*"), b"x" * 1000, b"", flag=ABORT)
        requests = [r for message in made.send(first, 0) + made.send(second, 0) for r in hear(message)]
        self.assertEqual(assemble(requests), b"x" * 1000)
        self.assertEqual(requests[-1].fragment.flag, ABORT)

    def test_R_81_endToEnd(self) -> None:
        """
        Where transactions are end to end, the last part has the chunk's own,
        and the other party hears of one response only.
        """
        body = b"x" * 2000
        made = sender(messages=True, limit=1060)
        one = head(b"1-2000/2000", tid=b"theirs01")
        for codes, heard in (((200, 200, 200), [200]), ((413, 200, 413), [413]), ((200, 413, 200), [413])):
            out = made.send(Fragment(one, body, MORE), 0)
            requests = [request for message in out for request in hear(message)]
            self.assertEqual(assemble(requests), body)
            self.assertEqual(len(out), 3)
            names = [request.transaction for request in requests]
            self.assertEqual(names[2], b"theirs01")
            self.assertEqual(len(set(names)), 3)
            answers = [made.translate(answer(name, code)) for name, code in zip(names, codes, strict=True)]
            passed = [each for each in answers if each is not None]
            self.assertEqual([each.transaction for each in passed], [b"theirs01"] * len(passed))
            self.assertEqual([each.code for each in passed], heard)

    @settings(deadline=None, max_examples=100)
    @given(
        st.lists(st.binary(max_size=300), min_size=1, max_size=8),
        st.integers(500, 900),
        st.sampled_from([b"1-*/*", b"77-*/*", None]),
        st.booleans(),
    )
    def test_anyPieces(self, bodies: list[bytes], limit: int, byteRange: bytes | None, relay: bool) -> None:
        """
        Whatever the pieces and the limit, no message is above it and the body
        arrives.
        """
        made = sender(messages=True, limit=limit)
        one = head(byteRange, tid=b"abcd" if relay else b"")
        requests = []
        start = 77 if byteRange == b"77-*/*" else 1
        for fragment in pieces(one, *bodies):
            for message in made.send(fragment, 0):
                self.assertLessEqual(len(message), limit)
                requests += hear(message)
        whole = b""
        for request in requests:
            found = request.fragment.head.byteRange
            self.assertEqual(start + len(whole), 1 if found is None else found.start)
            whole += request.fragment.body or b""
        self.assertEqual(whole, b"".join(bodies))
        self.assertEqual([r.fragment.flag for r in requests], [MORE] * (len(requests) - 1) + [END])


class TransactionTests(SynchronousTestCase):
    """
    What becomes of requests.
    """

    def sent(self, made: Sender, one: Head, body: bytes = b"abcd", now: float = 0) -> bytes:
        """
        Send a chunk.

        @return: its transaction.
        """
        (request,) = hear(b"".join(made.send(pieces(one, body)[0], now)))
        return request.transaction

    def test_success(self) -> None:
        """
        A success is the hop's own business.
        """
        made = sender()
        name = self.sent(made, head())
        self.assertTrue(made.awaits(name))
        self.assertIsNone(made.receive(answer(name, 200, b" OK")))
        self.assertFalse(made.awaits(name))
        self.assertRaises(RemoteError, made.receive, answer(name, 200))
        self.assertIsNone(made.nextTimeout())

    def test_failure(self) -> None:
        """
        A failure becomes a report to who sent the message, with its name and
        the range that the chunk really had.
        """
        for one, byteRange in ((head(b"5-*/99"), b"5-8/99"), (head(None), b"1-4/*")):
            made = sender()
            report = made.receive(answer(self.sent(made, one), 413, b" Stop that"))
            assert isinstance(report, Fragment)
            self.assertEqual(
                report.head.lines,
                (b"Message-ID: m1", b"Byte-Range: " + byteRange, b"Status: 000 413 Stop that"),
            )
            self.assertEqual((report.head.method, report.body, report.flag), (REPORT, None, END))

    def test_whoWantsToKnow(self) -> None:
        """
        Who wants no failure reports gets none; who wants them in part hears of
        errors and not of silence.
        """
        made = sender()
        self.assertFalse(made.awaits(self.sent(made, head(failure=b"no"))))
        name = self.sent(made, head(failure=b"partial"))
        self.assertIsNone(made.nextTimeout())
        self.assertIsNotNone(made.receive(answer(name, 415)))

    def test_timeout(self) -> None:
        """
        Silence is a failure 30 seconds after the last octet was written, or
        the party began to read again (RFC 4975 clause 7.1.1).
        """
        made = sender()
        first, second = pieces(head(b"1-*/*"), b"abcd", b"efgh")
        made.send(first, 0)
        self.assertIsNone(made.nextTimeout())
        made.send(second, 10)
        self.sent(made, head(b"1-4/4"), now=11)
        self.assertEqual(made.nextTimeout(), 10 + RESPONSE_TIMEOUT)
        self.assertEqual(made.timeout(39.9), [])
        made.resumed(20)
        self.assertEqual(made.timeout(45), [])
        reports = made.timeout(50)
        self.assertEqual([each.head.get(b"Status") for each in reports], [b"000 408 Timeout"] * 2)
        self.assertEqual([each.head.get(b"Byte-Range") for each in reports], [b"1-8/*", b"1-4/4"])
        self.assertIsNone(made.nextTimeout())

    def test_restIsNotSent(self) -> None:
        """
        After a failure the rest of the message is not sent, and one report is
        enough; the next message is sent.
        """
        for messages in (False, True):
            made = sender(messages=messages, limit=900)
            first, second, third = pieces(head(b"1-*/*"), b"x" * 2000, b"y" * 2000, b"z", flag=END)
            out = b"".join(made.send(first, 0))
            name = out.split(b" ", 2)[1]
            self.assertIsNotNone(made.receive(answer(name, 413)))
            out += b"".join(made.send(second, 0) + made.send(third, 0))
            self.assertNotIn(b"yy", out)
            if not messages:
                self.assertEqual(hear(out)[-1].fragment.flag, ABORT)
            self.assertEqual(len(hear(b"".join(made.send(Fragment(head(), b"new", END), 0)))), 1)

    def test_lost(self) -> None:
        """
        What was not answered when the connection went is reported.
        """
        made = sender()
        self.sent(made, head())
        self.sent(made, head(failure=b"no"))
        self.assertEqual([each.head.get(b"Status") for each in made.forget()], [b"000 408 Timeout"])
        self.assertEqual(made.forget(), [])

    def test_otherMethods(self) -> None:
        """
        The response to a request of an unknown method is for who made it; a
        report has none.
        """
        made = sender()
        asked = Fragment(Head(method=b"NICKNAME", lines=(b"Use-Nickname: a",)), None, END)
        (request,) = hear(b"".join(made.send(asked, 0)))
        response = made.receive(answer(request.transaction, 425))
        assert isinstance(response, Response)
        self.assertIs(response.answers, asked)
        (request,) = hear(b"".join(made.send(Fragment(Head(method=REPORT, lines=()), None, END), 0)))
        self.assertFalse(made.awaits(request.transaction))

    def test_endToEnd(self) -> None:
        """
        Where transactions are end to end they are not ours to wait for, and a
        chunk that is left over is aborted rather than gone on with.
        """
        made = sender()
        first, second = pieces(head(b"1-*/*", tid=b"theirs01"), b"abcd", b"efgh")
        out = made.send(first, 0)
        self.assertFalse(made.awaits(b"theirs01"))
        out += made.interject(b"MSRP a 200\r\nTo-Path: a\r\nFrom-Path: b\r\n-------a$\r\n", 0)
        self.assertEqual(made.send(second, 0), [])
        (one,) = hear(b"".join(out))
        self.assertEqual((one.transaction, one.fragment.flag), (b"theirs01", ABORT))

    def test_nameless(self) -> None:
        """
        Of a message without a name nothing can be reported.
        """
        made = sender()
        one = Head(lines=(b"Content-Type: a/b",))
        self.assertIsNone(made.receive(answer(self.sent(made, one), 413)))

    def test_limits(self) -> None:
        """
        However many requests go without response, only so many are remembered.
        """
        made = sender()
        names = [self.sent(made, head()) for _ in range(MAX_TRANSACTIONS + 10)]
        self.assertEqual(sum(map(made.awaits, names)), MAX_TRANSACTIONS)
        asked = Fragment(Head(method=b"NICKNAME"), None, END)
        names = [hear(b"".join(made.send(asked, 0)))[0].transaction for _ in range(MAX_FAILED + 10)]
        self.assertEqual(sum(map(made.awaits, names)), MAX_FAILED)
