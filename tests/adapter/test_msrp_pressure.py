"""
Tests for L{e2aegw.adapter.throttle}, and for what L{e2aegw.adapter.msrp} keeps in memory.
"""

from hashlib import sha256
from random import Random

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from e2aegw.adapter.msrp import MAX_WAITING, Factory
from e2aegw.adapter.throttle import MAX_UNREAD
from e2aegw.sansio.msrp import END, ByteRange, Fragment, Head
from e2aegw.sansio.sdp import Line, Section
from e2aegw.sansio.terms import Kind, Terms
from e2aegw.testing import MemoryAdapter, MemoryTransport
from tests.adapter.msrpcall import CEMA, PAIRS, Call, Wire


class PressureTests(SynchronousTestCase):
    """
    Slow readers slow down who writes, and memory stays bounded.
    """

    def bound(self, call: Call) -> int:
        """
        The most that may wait for a party: what its transport holds before it
        says stop, a piece of what was read by then, and a gathered message.
        """
        return Wire.HIGH + 65536 + 70000

    def test_slowReader(self) -> None:
        """
        A large file to a party that reads slowly arrives whole, and no more
        than a bound is ever held for it.
        """
        size, block = 20_000_000, Random(1).randbytes(65536)
        for protos in (PAIRS[2], PAIRS[6], PAIRS[0]):
            for relay in ("never", "always"):
                call = Call(*protos, seed=None, limit=65536, relay=relay)
                call.establish(CEMA)
                expected, got = sha256(), sha256()
                received = 0
                left, position = size, 1
                name = b"MSRP abcd1234 SEND\r\nTo-Path: %b\r\nFrom-Path: %b\r\nMessage-ID: big\r\n" % (
                    call.a.path.encode(),
                    call.a.uri.encode(),
                )
                stream = protos[0] != "DC/MSRP"
                if stream:
                    call.wires[0].put(name + b"Byte-Range: 1-*/*\r\nContent-Type: a/b\r\n\r\n")
                steps = 0
                while left or call.wires[0].inbound or call.wires[1].outbound:
                    steps += 1
                    while left and not call.wires[0].inbound:
                        piece = block[: min(left, 60000)]
                        expected.update(piece)
                        left -= len(piece)
                        if stream:
                            data = piece if left else piece + b"\r\n-------abcd1234$\r\n"
                        else:
                            data = name + b"Byte-Range: %d-*/*\r\nContent-Type: a/b\r\n\r\n" % position
                            data += piece + b"\r\n-------abcd1234%b\r\n" % (b"+" if left else b"$")
                        position += len(piece)
                        call.wires[0].put(data)
                    call.wires[0].hear()
                    # It reads once while the other one writes twice.
                    if steps % 2:
                        call.wires[1].drain(call.b)
                        while call.b.requests:
                            heard = call.b.requests.pop(0)
                            if heard.get("Message-ID") == "big":
                                got.update(heard.body or b"")
                                received += len(heard.body or b"")
                        call.b.messages.clear()
                        if protos[1] == "DC/MSRP" or not stream:
                            continue
                        # An endpoint in a test that waits for the whole of a
                        # chunk would be what grows.
                        start = call.b.wire.find(b"\r\n\r\n")
                        if b"Message-ID: big" in call.b.wire[:start] and len(call.b.wire) > 1000:
                            keep = call.b.wire[: start + 4]
                            body = call.b.wire[start + 4 :]
                            if not body.endswith(b"$\r\n"):
                                got.update(body)
                                received += len(body)
                                call.b.wire = keep
                    call.wires[0].drain(call.a)
                    call.a.responses.clear()
                call.run()
                for heard in call.b.requests:
                    got.update(heard.body or b"")
                    received += len(heard.body or b"")
                self.assertEqual((received, got.digest()), (size, expected.digest()), (protos, relay))
                self.assertLess(call.wires[1].most, self.bound(call))
                call.close()

    def test_readsNothing(self) -> None:
        """
        A party that reads nothing at all is written no more than the bound,
        and holds up nobody but who writes to it.
        """
        call = Call(seed=None)
        call.establish()
        for number in range(100):
            call.a.say(b"x" * 60000, f"m{number}")
        call.run(drain=(0,))
        self.assertTrue(call.wires[0].paused)
        self.assertLess(call.wires[1].most, self.bound(call))
        call.b.say(b"I can write", "back")
        call.run(drain=(0,))
        self.assertEqual(call.a.messages["back"], b"I can write")
        call.run()
        self.assertEqual(len(call.b.complete), 100)
        self.assertFalse(call.wires[0].paused)

    def test_readsNoResponses(self) -> None:
        """
        Who does not read the responses to what it sends is not read any more
        after some of them.
        """
        call = Call(seed=None)
        call.establish()
        call.wires[0].HIGH = 1000
        for number in range(MAX_UNREAD * 2):
            call.a.say(b"x", f"m{number}")
        call.run(drain=(1,))
        self.assertTrue(call.wires[0].paused)
        self.assertGreater(len(call.wires[0].inbound), MAX_UNREAD // 2)
        call.run()
        self.assertEqual(len(call.b.complete), MAX_UNREAD * 2)

    def test_noTimeoutWhileFull(self) -> None:
        """
        Nothing is reported as unanswered while it is not even sent.
        """
        call = Call(seed=None)
        call.establish()
        for number in range(3):
            call.a.say(b"x" * 60000, f"m{number}")
        call.run(drain=(0,))
        for _ in range(10):
            call.clock.advance(20)
        call.run()
        self.assertEqual([heard for heard in call.a.requests if heard.what == b"REPORT"], [])
        self.assertEqual(len(call.b.complete), 3)

    def test_waitingIsBounded(self) -> None:
        """
        If a party does not pause, what waits for the other one is bounded; the
        rest is reported, and what arrives is no message with a hole.
        """
        peer, transport = MemoryAdapter("msrp"), MemoryTransport()
        adapter = Factory(clock=Clock()).buildAdapter("TCP/MSRP")
        adapter.peer = peer
        head = Head(lines=(b"Message-ID: 1",), messageID=b"1", byteRange=ByteRange(1, None, None))
        size = 60000
        count = MAX_WAITING // size + 5
        for number in range(count):
            flag = END if number == count - 1 else None
            adapter.sendUnit(Fragment(head, b"x" * size, flag, 1 + number * size, number == 0))
        (report,) = peer.units
        self.assertEqual(report.head.get(b"Status"), b"000 408 Timeout")
        self.assertEqual(report.head.get(b"Byte-Range"), b"1-%d/*" % (count * size))
        transport.attach(adapter)
        section = Section("message", 1, "TCP/MSRP", ["*"], lines=[Line("path", "msrp://a:1/x;tcp")])
        adapter.configure(section, Terms(kind=Kind.ANSWER))()
        adapter.describe(Terms(kind=Kind.ANSWER))
        self.assertTrue(transport.written[-1].endswith(b"#\r\n"))
        self.assertLess(sum(map(len, transport.written)), MAX_WAITING + 2000)

    def test_reentrant(self) -> None:
        """
        A transport that delivers while it is written to does not mix up
        messages.
        """
        call = Call(seed=None)
        call.establish()
        write = call.wires[1].write

        def eager(data: bytes) -> None:
            write(data)
            call.wires[0].hear()

        call.wires[1].write = eager  # type: ignore[method-assign]
        for number in range(20):
            call.a.say(bytes([number]) * 20000, f"m{number}")
        call.run()
        self.assertEqual(call.b.complete, [f"m{number}" for number in range(20)])
        for number in range(20):
            self.assertEqual(call.b.messages[f"m{number}"], bytes([number]) * 20000)
