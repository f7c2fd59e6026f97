"""
Tests for L{e2aegw.adapter.msrp} and L{e2aegw.adapter.throttle}.
"""

from random import Random
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from e2aegw.adapter.msrp import MAX_REFUSED, Factory
from e2aegw.sansio.events import ConnectionIdle, MediaStarted, ProtocolViolated
from e2aegw.sansio.msrp import END, MORE, REPORT, ByteRange, Fragment, Head
from e2aegw.sansio.sdp import Line, Section
from e2aegw.sansio.terms import Kind, Terms
from e2aegw.testing import AdapterContract
from tests.adapter.msrpcall import CEMA, PAIRS, Call, Wire


class MSRPContractTests(AdapterContract, SynchronousTestCase):
    """
    MSRP keeps the promises of all adapters.
    """

    def makeFactory(self) -> Any:
        """
        See L{AdapterContract}.
        """
        return Factory(clock=Clock())

    def accepted(self, proto: str) -> list[tuple[Section, Terms]]:
        """
        See L{AdapterContract}.
        """
        line = Line("path", "msrp://a.example.com:9000/secret;tcp")
        sections = [
            Section("message", 9000, proto, ["*"], address="192.0.2.2", lines=[line, Line("setup", setup)])
            for setup in ("active", "passive", "actpass", "holdconn")
        ]
        return [(section, Terms(kind=kind)) for section in sections for kind in (Kind.OFFER, Kind.ANSWER)]

    def refused(self, proto: str) -> list[tuple[Section, Terms]]:
        """
        See L{AdapterContract}.
        """
        return [
            *super().refused(proto),
            *(
                (Section("message", 9000, proto, ["*"], lines=lines), Terms())
                for lines in (
                    [],
                    [Line("path")],
                    [Line("path", "sip:a@b")],
                    [Line("path", "msrp://h:1/x;tcp " * 17)],
                )
            ),
        ]

    def units(self) -> list[Fragment]:
        """
        See L{AdapterContract}.
        """
        head = Head(
            lines=(b"Message-ID: 1", b"Byte-Range: 1-*/6", b"Content-Type: a/b"),
            messageID=b"1",
            byteRange=ByteRange(1, None, 6),
        )
        report = Head(method=REPORT, lines=(b"Message-ID: 1", b"Status: 000 200 OK"), messageID=b"1")
        return [
            Fragment(head, b"abc", None),
            Fragment(head, b"def", END, 4, False),
            Fragment(head, b"ghi", MORE),
            Fragment(report, None, END),
            Fragment(Head(), None, END),
        ]

    def wire(self, proto: str) -> list[bytes]:
        """
        See L{AdapterContract}.
        """
        paths = b"To-Path: msrp://h:1/x;tcp\r\nFrom-Path: msrp://a.example.com:9000/secret;tcp\r\n"
        return [
            b"MSRP a1b2c3d4 SEND\r\n" + paths + b"Content-Type: a/b\r\n\r\nbody\r\n-------a1b2c3d4$\r\n",
            b"MSRP a1b2c3d4 200 OK\r\n" + paths + b"-------a1b2c3d4$\r\n",
            b"MSRP a1b2c3d4 REPORT\r\n" + paths + b"Status: 000 200 OK\r\n-------a1b2c3d4$\r\n",
        ]


class MessageTests(SynchronousTestCase):
    """
    Messages from one endpoint to the other.
    """

    def test_R_45_bothWays(self) -> None:
        """
        SEND, its response and the success report cross in both directions,
        between all kinds of legs.
        """
        for protos in PAIRS:
            call = Call(*protos, limit=65536)
            call.establish()
            for near, far, name in ((call.a, call.b, "m1"), (call.b, call.a, "m2")):
                body = Random(name).randbytes(5000)
                (tid,) = near.say(body, name, "Success-Report: yes", "X-Mine: kept")
                call.run()
                self.assertEqual(far.messages[name], body, protos)
                answers = [heard for heard in near.responses if heard.tid == tid.encode()]
                self.assertEqual([heard.what for heard in answers], [b"200 OK"])
                report = near.requests[-1]
                self.assertEqual(report.what, b"REPORT")
                self.assertEqual((report["Message-ID"], report["Status"]), (name, "000 200 OK"))
                self.assertEqual((report["To-Path"], report["From-Path"]), (near.uri, near.path))
                self.assertEqual(far.requests[-1]["X-Mine"], "kept")
            self.assertIn(MediaStarted(), call.events)
            call.close()
            self.assertEqual(call.clock.getDelayedCalls(), [])

    def test_R_76_headersAndBodyUnchanged(self) -> None:
        """
        The paths are this hop's; the transaction's name, every other header and
        the body are as they were, to the octet.
        """
        call = Call("DC/MSRP", "TCP/MSRP")
        call.establish(CEMA, answers=())
        headers = ["X-Odd:  tab\there ", "Message-ID: abc", "Byte-Range: 1-*/256", "x-ODD: \xe9"]
        body = bytes(range(256))
        tid = call.a.request("SEND", [*headers, "Content-Type: image/jpeg"], body, "+")
        call.run()
        heard = call.b.requests[-1]
        self.assertEqual(
            heard.raw,
            (
                f"MSRP {heard.tid.decode()} SEND\r\nTo-Path: {call.b.uri}\r\nFrom-Path: {call.b.path}\r\n"
                + "".join(line + "\r\n" for line in [*headers, "Content-Type: image/jpeg"])
                + "\r\n"
            ).encode()
            + body
            + f"\r\n-------{heard.tid.decode()}+\r\n".encode(),
        )
        self.assertEqual(heard.tid, tid.encode())

    def test_R_77_wrongPath(self) -> None:
        """
        A request for another session, or from another party, gets 481 and goes
        no further.
        """
        call = Call("TCP/TLS/MSRP", "TCP/MSRP")
        call.establish()
        before = len(call.b.requests)
        headers = ["Message-ID: abc", "Byte-Range: 1-*/*", "Content-Type: a/b"]
        other = call.a.path.removesuffix(";tcp") + "x;tcp"
        for options in (
            {"to": other},
            {"sender": "msrps://x.example.com:1/x;tcp"},
            {"to": f"{call.a.path} {other}"},
        ):
            call.a.request("SEND", headers, b"x" * 9000, **options)
            call.run()
            self.assertEqual(call.a.responses[-1].what, b"481 Session Does Not Exist")
        call.a.request("SEND", [*headers, "Failure-Report: no"], b"x", to=other)
        call.a.request("REPORT", ["Message-ID: abc", "Status: 000 200 OK"], to=other)
        count = len(call.a.responses)
        call.run()
        self.assertEqual(len(call.a.responses), count)
        self.assertEqual(len(call.b.requests), before)
        self.assertEqual(call.legs[0].counters["dropped 481"], 5)
        call.a.request("SEND", headers, b"x")
        call.run()
        self.assertEqual(len(call.b.requests), before + 1)

    def test_R_78_cemaRelay(self) -> None:
        """
        With CEMA on both sides not an octet of a message changes, transactions
        and responses included.
        """
        for protos in PAIRS:
            call = Call(*protos, relay="always", limit=65536)
            call.establish(CEMA, answer="active")
            for near in (call.a, call.b):
                near.say(bytes(range(256)) * 20, f"{id(near)}", "Success-Report: yes", "X-Odd:  z")
                near.request("NICKNAME", ["Use-Nickname: x"])
            call.run()
            for near, far in ((call.a, call.b), (call.b, call.a)):
                heard = [each.raw for each in far.requests + far.responses]
                self.assertEqual(sorted(heard), sorted(near.sent), protos)
                self.assertEqual(near.messages[f"{id(far)}"], bytes(range(256)) * 20)
            call.close()

    def test_R_79_cemaMissingInTheAnswer(self) -> None:
        """
        If the answer has no CEMA the gateway becomes a B2BUA, whose URI on that
        leg is what the offer said; the offerer hears the gateway's own.
        """
        for proto in ("TCP/MSRP", "DC/MSRP"):
            call = Call(proto, "TCP/MSRP", relay="always")
            call.establish(CEMA, answers=(), begin=False)
            self.assertEqual(call.b.path, call.a.uri)
            self.assertIn("198.51.100.1:7000", call.a.path)
            self.assertEqual(call.sections[1].has("msrp-cema"), proto == "DC/MSRP")
            self.assertFalse(call.legs[0].relaying or call.legs[1].relaying)
            call.a.begin()
            call.a.say(b"there", "m1", "Success-Report: yes")
            call.run()
            call.b.say(b"and back", "m2")
            call.run()
            self.assertEqual(call.b.messages["m1"], b"there")
            self.assertEqual(call.a.messages["m2"], b"and back")
            self.assertEqual(call.a.requests[-2].what, b"REPORT")

    def test_R_81_oneChunkAMessage(self) -> None:
        """
        A long chunk from TCP arrives through a data channel in messages that
        are not above the limit, each a chunk with its own range; nothing of it
        is lost either way, with paths rewritten or not.
        """
        body = Random(2).randbytes(100000)
        for relay in ("never", "always"):
            call = Call("TCP/MSRP", "DC/MSRP", limit=4000, relay=relay)
            call.establish(CEMA)
            (tid,) = call.a.say(body)
            call.run()
            self.assertEqual(call.b.messages["m1"], body)
            chunks = [heard for heard in call.b.requests if heard.get("Message-ID") == "m1"]
            self.assertGreater(len(chunks), 25)
            place = 0
            for heard in chunks:
                assert heard.body is not None
                self.assertLessEqual(len(heard.raw), 4000)
                end = place + len(heard.body)
                self.assertEqual(heard["Byte-Range"], f"{place + 1}-{end}/100000")
                self.assertEqual(heard.flag, b"$" if end == 100000 else b"+")
                place = end
            answers = [heard.what for heard in call.a.responses if heard.tid == tid.encode()]
            self.assertEqual(answers, [b"200 OK"])
            self.assertEqual({heard.tid.decode() for heard in call.a.responses}, {tid, *answered(call, tid)})
            call.b.say(body, "m2", chunk=3000)
            call.run()
            self.assertEqual(call.a.messages["m2"], body)

    def test_R_82_activeBegins(self) -> None:
        """
        Where we are active we send an empty SEND as soon as the connection is
        there, and only then; it is not for the other leg.
        """
        for proto in ("TCP/MSRP", "TCP/TLS/MSRP", "DC/MSRP"):
            for answer, begins in (("passive", True), ("active", False)):
                call = Call("TCP/TLS/MSRP", proto)
                call.establish(answer=answer, begin=False)
                self.assertEqual(len(call.wires[1].outbound), int(begins), (proto, answer))
                call.run()
                if begins:
                    (heard,) = call.b.requests
                    self.assertEqual((heard.what, heard.body, heard.flag), (b"SEND", None, b"$"))
                    self.assertEqual(heard["Byte-Range"], "1-0/0")
                    self.assertEqual((heard["To-Path"], heard["From-Path"]), (call.b.uri, call.b.path))
                self.assertEqual(call.a.requests, [])
                call.b.answers = 403
                call.clock.advance(100)
                call.run()
                self.assertEqual(call.a.requests, [])

    def test_R_82_byTheTransport(self) -> None:
        """
        Who connected is active, whatever descriptions say; and nothing is said
        before somebody is there.
        """
        call = Call()
        call.wires[1].connected, call.wires[1].active = False, True
        call.establish(answer="active", begin=False)
        self.assertEqual(list(call.wires[1].outbound), [])
        call.wires[1].connected = True
        call.legs[1].connectionOpened()
        self.assertEqual(len(call.wires[1].outbound), 1)

    def test_R_83_relaysInThePath(self) -> None:
        """
        A path of several URIs is the To-Path, in order; what comes through
        relays is accepted, and responses go one hop back.
        """
        call = Call("DC/MSRP", "TCP/MSRP")
        relays = "msrp://r1.example.com:1/a;tcp msrp://r2.example.com:2/b;tcp"
        call.legs[0].transport, call.legs[1].transport = call.wires
        call.translate(0, call.section(0, CEMA), Kind.OFFER)
        call.translate(1, call.section(1, path=f"{relays} {call.b.uri}", setup="passive"), Kind.ANSWER)
        call.connect()
        call.a.begin()
        call.a.say(b"hello")
        call.run()
        self.assertEqual(call.b.requests[-1]["To-Path"], f"{relays} {call.b.uri}")
        call.b.request(
            "SEND",
            ["Message-ID: m2", "Byte-Range: 1-2/2", "Content-Type: a/b"],
            b"hi",
            sender=f"{relays} {call.b.uri}",
        )
        call.run()
        self.assertEqual(call.a.messages["m2"], b"hi")
        self.assertEqual(call.b.responses[-1]["To-Path"], relays.split()[0])

    def test_emptyRequests(self) -> None:
        """
        What only keeps a connection alive is answered and stays on its hop,
        unless somebody wants to know that it arrived; an empty message
        crosses.
        """
        call = Call()
        call.establish()
        before = len(call.b.requests)
        call.a.request("SEND", ["Message-ID: x", "Byte-Range: 1-0/0"])
        call.run()
        self.assertEqual(call.a.responses[-1].what, b"200 OK")
        self.assertEqual(len(call.b.requests), before)
        call.a.request("SEND", ["Message-ID: x", "Byte-Range: 1-0/0", "Success-Report: yes"])
        call.a.request("SEND", ["Message-ID: x", "Byte-Range: 1-0/0", "Content-Type: a/b"], b"")
        call.run()
        self.assertEqual([heard.body for heard in call.b.requests[before:]], [None, b""])

    def test_responses(self) -> None:
        """
        Who wants no responses gets none (RFC 4975 clause 7.2).
        """
        call = Call()
        call.establish()
        count = len(call.a.responses)
        for value, expected in (("no", 0), ("partial", 0), ("yes", 1), ("", 1)):
            call.a.say(b"x", "m", *([f"Failure-Report: {value}"] if value else []))
            call.run()
            self.assertEqual(len(call.a.responses), count + expected, value)
            count += expected

    def test_failureIsReported(self) -> None:
        """
        When the far party refuses a message its sender hears so by a REPORT,
        unless it does not want to; the session goes on.
        """
        for protos in PAIRS:
            call = Call(*protos)
            call.establish()
            call.b.answers = 415
            for value, expected in (("yes", 1), ("partial", 1), ("no", 0)):
                count = len(call.a.requests)
                call.a.say(b"x" * 10, "m" + value, f"Failure-Report: {value}")
                call.run()
                heard = call.a.requests[count:]
                self.assertEqual(len(heard), expected)
                for report in heard:
                    self.assertEqual((report.what, report["Status"]), (b"REPORT", "000 415 No"))
                    self.assertEqual((report["Message-ID"], report["Byte-Range"]), ("m" + value, "1-10/10"))
            call.b.answers = 200
            call.a.say(b"y", "last")
            call.run()
            self.assertEqual(call.b.complete, ["last"])
            call.close()

    def test_silenceIsReported(self) -> None:
        """
        If the far party does not answer within 30 seconds its sender hears of a
        timeout.
        """
        call = Call()
        call.establish()
        call.b.answers = 0
        for value in ("yes", "partial", "no"):
            call.a.say(b"x", "m" + value, f"Failure-Report: {value}")
        call.run()
        call.clock.advance(29)
        call.run()
        self.assertEqual([heard.what for heard in call.a.requests if heard.what == b"REPORT"], [])
        call.clock.advance(2)
        call.run()
        (report,) = [heard for heard in call.a.requests if heard.what == b"REPORT"]
        self.assertEqual((report["Message-ID"], report["Status"]), ("myes", "000 408 Timeout"))
        self.assertEqual(call.clock.getDelayedCalls(), [])

    def test_otherMethods(self) -> None:
        """
        A method that is not known here is asked of the other party, and its
        answer goes back (RFC 7701 has one); AUTH is for relays.
        """
        call = Call("DC/MSRP", "TCP/MSRP")
        call.establish()
        tid = call.a.request("NICKNAME", ['Use-Nickname: "Alice"'])
        call.run()
        asked = call.b.requests[-1]
        self.assertEqual((asked.what, asked["Use-Nickname"]), (b"NICKNAME", '"Alice"'))
        call.b.respond(asked, 425)
        call.run()
        answer = call.a.responses[-1]
        self.assertEqual((answer.tid, answer.what), (tid.encode(), b"425 No"))
        self.assertEqual((answer["To-Path"], answer["From-Path"]), (call.a.uri, call.a.path))
        count = len(call.b.requests)
        call.a.request("AUTH", [])
        call.run()
        self.assertEqual(call.a.responses[-1].what, b"501 Not Implemented")
        self.assertEqual(len(call.b.requests), count)

    def test_badRange(self) -> None:
        """
        A range that is none is answered with 400.
        """
        call = Call()
        call.establish()
        call.a.request("SEND", ["Message-ID: x", "Byte-Range: all", "Content-Type: a/b"], b"x")
        call.run()
        self.assertEqual(call.a.responses[-1].what, b"400 Bad Request")
        self.assertNotIn("x", call.b.messages)

    def test_aborted(self) -> None:
        """
        A message that is given up is given up on the other leg.
        """
        for protos in PAIRS:
            call = Call(*protos)
            call.establish()
            headers = ["Message-ID: x", "Byte-Range: 1-*/9999", "Content-Type: a/b"]
            call.a.request("SEND", headers, b"x" * 500, "#")
            call.run()
            self.assertEqual((call.b.aborted, bytes(call.b.messages["x"])), (["x"], b"x" * 500))
            call.close()

    def test_lostHalfway(self) -> None:
        """
        If one party is lost in the middle of a message the other one sees it
        aborted.
        """
        for proto in ("TCP/MSRP", "DC/MSRP"):
            call = Call("TCP/MSRP", proto, seed=None)
            call.establish()
            call.a.put(beginning(call) + b"abc")
            call.run()
            call.wires[0].lose()
            call.run()
            self.assertEqual((call.b.aborted, bytes(call.b.messages["x"])), (["x"], b"abc"))

    def test_nobodyThere(self) -> None:
        """
        What is for a party whose connection broke is reported as not
        delivered, and so is what it did not answer.
        """
        call = Call()
        call.establish()
        call.b.answers = 0
        call.a.say(b"x", "before")
        call.run()
        call.wires[1].lose()
        call.a.say(b"x" * 5000, "after")
        call.a.say(b"x", "quiet", "Failure-Report: no")
        call.run()
        reports = [heard for heard in call.a.requests if heard.what == b"REPORT"]
        self.assertEqual(
            [(heard["Message-ID"], heard["Status"][:7], heard["Byte-Range"]) for heard in reports],
            [("before", "000 408", "1-1/1"), ("after", "000 481", "1-5000/5000")],
        )

    def test_interrupted(self) -> None:
        """
        While a long message goes to a party, its own are answered: the long one
        is interrupted and arrives.
        """
        call = Call(seed=None)
        call.establish()
        call.a.put(beginning(call) + b"abc")
        call.run()
        # Its own responses have to wait for the end of its chunk.
        later: list[bytes] = []
        call.a.send = later.append
        call.b.say(b"meanwhile", "y")
        call.run()
        self.assertEqual(call.b.responses[-1].what, b"200 OK")
        self.assertEqual(call.a.messages["y"], b"meanwhile")
        for data in [b"def\r\n-------abcd1234$\r\n", *later]:
            call.wires[0].put(data)
        call.run()
        self.assertEqual(call.b.messages["x"], b"abcdef")
        self.assertEqual([heard.flag for heard in call.b.requests[-2:]], [b"+", b"$"])

    def test_earlyMessages(self) -> None:
        """
        What comes before the other party is connected waits for it, and its
        sender is not read meanwhile.
        """
        call = Call("DC/MSRP", "TCP/MSRP")
        call.wires[1].connected = False
        call.establish(CEMA, answers=(), begin=False)
        for number in range(20):
            call.a.say(b"x" * 50000, f"m{number}")
        call.run()
        self.assertTrue(call.wires[0].paused)
        self.assertEqual(len(call.wires[0].inbound), 19)
        call.wires[1].connected = True
        call.legs[1].connectionOpened()
        call.run()
        self.assertEqual(len(call.b.complete), 20)

    def test_strangers(self) -> None:
        """
        On TCP, who connects is nobody until it names the session: it is told
        nothing, and not listened to for long.
        """
        call = Call("TCP/TLS/MSRP", "TCP/MSRP")
        call.establish(answer="active", begin=False)
        call.a.begin()
        call.a.say(b"secret")
        call.run()
        self.assertEqual(call.b.requests, [])
        good, call.b.path = call.b.path, "msrp://192.0.2.1:7001/guess;tcp"
        call.b.begin()
        call.run()
        self.assertEqual(call.b.responses[-1].what, b"481 Session Does Not Exist")
        self.assertEqual(call.b.requests, [])
        call.b.path = good
        call.b.begin()
        call.run()
        self.assertEqual(call.b.complete, ["m1"])

    def test_strangersAreShutOut(self) -> None:
        """
        Who guesses too often is cut off.
        """
        call = Call()
        call.establish(answer="active", begin=False)
        call.b.path = "msrp://192.0.2.1:7001/guess;tcp"
        for _ in range(MAX_REFUSED + 1):
            call.b.begin()
        call.run()
        self.assertTrue(call.wires[1].closed)
        self.assertEqual(call.wires[1].errors, ["stranger"])

    def test_notMSRP(self) -> None:
        """
        What is not MSRP ends the connection, with an event that says why.
        """
        call = Call()
        call.establish()
        call.a.put(b"GET / HTTP/1.1\r\n\r\n")
        call.run()
        self.assertTrue(call.wires[0].closed)
        self.assertIsNone(call.wires[0].producer)
        self.assertEqual(call.wires[0].errors, ["MSRP start line"])
        self.assertIn(ProtocolViolated(protocol="MSRP", reason="MSRP start line"), call.events)
        call.b.say(b"x")
        call.run()
        self.assertEqual(call.b.requests[-1]["Status"], "000 481 Session Does Not Exist")

    def test_headersTooLong(self) -> None:
        """
        A message whose headers leave no room in the far party's messages is
        reported as too long, and the next one arrives.
        """
        call = Call("TCP/MSRP", "DC/MSRP", limit=800)
        call.establish()
        call.a.say(b"x" * 5000, "long", "X-Long: " + "x" * 800)
        call.a.say(b"x" * 5000, "short")
        call.run()
        self.assertEqual(call.b.complete, ["short"])
        reports = [heard for heard in call.a.requests if heard.what == b"REPORT"]
        self.assertEqual([heard["Status"] for heard in reports], ["000 413 Message Too Large"])

    def test_idle(self) -> None:
        """
        Silence is told of, if that is wanted; words put it off.
        """
        call = Call(idle=60)
        call.establish()
        call.clock.advance(59)
        call.a.say(b"x")
        call.run()
        call.clock.advance(59)
        self.assertNotIn(ConnectionIdle(seconds=60), call.events)
        call.clock.advance(1)
        self.assertEqual(call.events.count(ConnectionIdle(seconds=60)), 2)
        call.close()
        self.assertEqual(call.clock.getDelayedCalls(), [])

    def test_reconnected(self) -> None:
        """
        A new connection begins the session anew.
        """
        call = Call()
        call.establish()
        call.wires[1].lose()
        old = call.wires[1]
        new = call.wires[1] = Wire(old.localAddress, messages=False, piece=lambda size: size)
        call.b.send = new.put
        call.b.wire = b""
        call.connect(1)
        call.a.say(b"again")
        call.run()
        self.assertEqual(call.b.messages["m1"], b"again")
        self.assertEqual([heard.body for heard in call.b.requests[-2:]], [None, b"again"])


def beginning(call: Call) -> bytes:
    """
    What A begins a long chunk with.
    """
    return (
        f"MSRP abcd1234 SEND\r\nTo-Path: {call.a.path}\r\nFrom-Path: {call.a.uri}\r\n"
        "Message-ID: x\r\nByte-Range: 1-*/6\r\nContent-Type: a/b\r\n\r\n"
    ).encode()


def answered(call: Call, tid: str) -> set[str]:
    """
    The transactions of A's that were answered beside one.
    """
    own = {data.split(b" ", 2)[1].decode() for data in call.a.sent}
    return {heard.tid.decode() for heard in call.a.responses if heard.tid.decode() in own} - {tid}
