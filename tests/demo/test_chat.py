"""
The far end of the demonstration's chats, with the test's own MSRP endpoint.
"""

import base64
import hashlib
from typing import Any

from twisted.internet.error import CannotListenError
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.trial.unittest import SynchronousTestCase

from e2aegw.demo import chat as module
from e2aegw.demo.chat import GREETING, MAX_MESSAGES, Chat
from e2aegw.demo.farend import FarEnd
from e2aegw.demo.msrpwire import MAX_HEAD, Head, Wire
from e2aegw.errors import NegotiationError, ResourceError
from e2aegw.sansio.sdp import Description, Line, Section
from e2aegw.testing import MemoryNetwork
from tests.adapter.msrppeer import Endpoint
from tests.demo.test_farend import FAR, GATEWAY, offer

URI = "msrp://203.0.113.1:40000/gateway;tcp"


def section(*lines: Line, proto: str = "TCP/MSRP") -> Section:
    """
    A section of the gateway's offer.
    """
    return Section("message", 40000, proto, ["*"], address=GATEWAY, lines=list(lines))


class Pulling(StringTransport):
    """
    A transport that asks a producer for one piece at a time.
    """

    def drain(self) -> int:
        """
        Ask until there is no producer any more.

        @return: how often it asked.
        """
        count = 0
        while self.producer is not None:
            self.producer.resumeProducing()
            count += 1
        return count


class ChatTestCase(SynchronousTestCase):
    """
    A chat, and the gateway that connects to it.
    """

    def setUp(self) -> None:
        """
        Offer, and connect.
        """
        self.reactor = MemoryReactorClock()
        self.network = MemoryNetwork(self.reactor)
        self.far = FarEnd(self.reactor, self.network, lambda remote: FAR)
        self.answer = Description.parse(
            self.far.answer(offer(section(Line("path", URI), Line("setup", "actpass"))))
        )
        (chat,) = self.far.speakers
        assert isinstance(chat, Chat)
        self.chat = chat
        self.endpoint = Endpoint(URI, self.answer.sections[0].get("path") or "")
        self.transport = self.connect()
        self.endpoint.begin()
        self.hear()

    def connect(self) -> Any:
        """
        Connect as the gateway does.
        """
        factory: Any = self.reactor.tcpServers[0][1]
        protocol: Any = factory.buildProtocol(None)
        if protocol is None:
            return None
        transport = Pulling()
        protocol.makeConnection(transport)
        self.endpoint.send = protocol.dataReceived
        self.protocol = protocol
        return transport

    def hear(self) -> None:
        """
        Give the endpoint what was written to it.
        """
        self.endpoint.receive(self.transport.value())
        self.transport.clear()

    def said(self) -> list[str]:
        """
        What the chat said in words.
        """
        return [
            bytes(each.body or b"").decode(errors="replace")
            for each in self.endpoint.requests
            if each.what == b"SEND"
        ]


class ChatTests(ChatTestCase):
    """
    What it answers.
    """

    def test_description(self) -> None:
        """
        It waits where its path says, and speaks of nothing else.
        """
        (answer,) = self.answer.sections
        self.assertEqual(
            (answer.media, answer.proto, answer.port), ("message", "TCP/MSRP", self.chat.address[1])
        )
        self.assertEqual((answer.get("setup"), answer.get("accept-types")), ("passive", "*"))
        self.assertTrue((answer.get("path") or "").startswith(f"msrp://{FAR}:{answer.port}/"))

    def test_report(self) -> None:
        """
        Who wants to know hears that it has arrived.
        """
        self.endpoint.say(b"file", "m1", "Success-Report: yes")
        self.hear()
        (report,) = [each for each in self.endpoint.requests if each.what == b"REPORT"]
        self.assertEqual((report["Message-ID"], report["Byte-Range"]), ("m1", "1-4/4"))

    def say(self, text: str, name: str, *more: str) -> None:
        """
        Say something in words.
        """
        data = text.encode()
        headers = [f"Message-ID: {name}", f"Byte-Range: 1-{len(data)}/{len(data)}", *more]
        self.endpoint.request("SEND", [*headers, "Content-Type: text/plain;charset=utf-8"], data)
        self.hear()

    def test_answer(self) -> None:
        """
        What is said comes back.
        """
        self.say("Grüße", "m1")
        self.assertEqual(self.said(), [GREETING, "You said: Grüße"])
        self.say("again", "m1", "Failure-Report: no")
        self.assertEqual(self.said()[-1], "You said: again")
        self.assertEqual([each.what for each in self.endpoint.responses], [b"200 OK"] * 2)
        self.assertEqual(self.chat.report()["messagesReceived"], 2)

    def test_file(self) -> None:
        """
        A file comes back as it was, with its digest, in chunks of which each
        waits until there is room; words can be said in between.
        """
        data = bytes(range(256)) * 1000
        self.endpoint.say(data, "f1", 'Content-Disposition: attachment; filename="a.bin"', chunk=60000)
        self.hear()
        producer = self.transport.producer
        producer.resumeProducing()
        self.say("meanwhile", "m1")
        self.assertEqual(self.transport.drain(), -(-len(data) // module.CHUNK) - 1)
        self.hear()
        (name,) = [name for name in self.endpoint.complete if len(self.endpoint.messages[name]) == len(data)]
        self.assertEqual(bytes(self.endpoint.messages[name]), data)
        first = next(each for each in self.endpoint.requests if each.get("Message-ID") == name)
        digest = base64.b64encode(hashlib.sha256(data).digest()).decode()
        self.assertEqual(first["Content-Digest"], f"sha-256=:{digest}:")
        self.assertEqual(first["Content-Disposition"], 'attachment; filename="a.bin"')
        self.assertIn("You said: meanwhile", self.said())
        self.assertEqual(self.chat.files, 1)

    def test_files(self) -> None:
        """
        Files come back one after the other, those without content, too.
        """
        for name, data in (("f1", b"one"), ("f2", b""), ("f3", b"three")):
            self.endpoint.say(data, name)
        self.assertEqual(self.transport.drain(), 3)
        self.hear()
        self.assertEqual([bytes(self.endpoint.messages[each]) for each in self.endpoint.complete[1:]],
                         [b"one", b"", b"three"])  # fmt: skip

    def test_aborted(self) -> None:
        """
        What is broken off is forgotten.
        """
        headers = ["Message-ID: f1", "Byte-Range: 1-*/9", "Content-Type: a/b"]
        self.endpoint.request("SEND", headers, b"abc", "#")
        self.hear()
        self.assertIsNone(self.transport.producer)
        self.assertEqual(self.endpoint.responses[-1].what, b"200 OK")

    def test_refused(self) -> None:
        """
        What is not for this session, has a gap, is too long or too much is
        refused; the session goes on.
        """
        self.patch(module, "MAX_FILE", 10)
        to = self.endpoint.path
        self.endpoint.request("SEND", ["Message-ID: x", "Content-Type: a/b"], b"x", to=to[:-5] + ";tcp")
        start = ["Message-ID: gap", "Byte-Range: 3-4/9", "Content-Type: a/b"]
        self.endpoint.request("SEND", start, b"34")
        self.endpoint.say(b"much too long", "long")
        for number in range(MAX_MESSAGES + 1):
            headers = [f"Message-ID: part{number}", "Byte-Range: 1-1/2", "Content-Type: a/b"]
            self.endpoint.request("SEND", headers, b"1", "+")
        self.hear()
        codes = [each.what[:3] for each in self.endpoint.responses[1:]]
        self.assertEqual(codes, [b"481", b"413", b"413", *[b"200"] * MAX_MESSAGES, b"413"])

    def test_notMSRP(self) -> None:
        """
        Whoever speaks something else is cut off.
        """
        self.endpoint.send(b"GET / HTTP/1.1\r\n\r\n")
        self.assertTrue(self.transport.disconnected)

    def test_oneConnection(self) -> None:
        """
        There is one connection at a time; when it is lost another may come.
        """
        self.endpoint.say(b"of a file", "f1")
        before = self.protocol
        self.assertIsNone(self.connect())
        before.connectionLost()
        self.assertEqual(self.chat.report()["remote"], None)
        self.assertIsNotNone(self.connect())

    def test_close(self) -> None:
        """
        Hanging up closes the port and the connection.
        """
        self.far.close()
        self.assertTrue(self.transport.disconnected)
        self.assertIsNone(self.connect())


class OfferTests(ChatTestCase):
    """
    What cannot be agreed to.
    """

    def test_refused(self) -> None:
        """
        Another transport, no path, or somebody who waits as well.
        """
        path = Line("path", URI)
        for bad, reason in (
            (section(path, proto="TCP/TLS/MSRP"), "over TCP"),
            (section(), "a path"),
            (section(path, Line("setup", "passive")), "waits"),
        ):
            error = self.assertRaises(NegotiationError, Chat, self.reactor, FAR, bad)
            self.assertIn(reason, str(error))

    def test_noPort(self) -> None:
        """
        Without a port there is no chat.
        """

        def fail(*arguments: object) -> None:
            raise CannotListenError(FAR, 0, OSError(24, "Too many open files"))

        self.patch(self.reactor, "listenTCP", fail)
        error = self.assertRaises(ResourceError, Chat, self.reactor, FAR, section(Line("path", URI)))
        self.assertIn("Too many open files", str(error))


class WireTests(SynchronousTestCase):
    """
    Reading MSRP.
    """

    def setUp(self) -> None:
        """
        Keep what is read.
        """
        self.heard: list[tuple[bytes, bytes, bytes, bytes]] = []
        self.content = b""
        self.head: Head | None = None

    def began(self, head: Head) -> None:
        """
        See L{e2aegw.demo.msrpwire.Listener}.
        """
        self.head, self.content = head, b""

    def body(self, data: bytes) -> None:
        """
        See L{e2aegw.demo.msrpwire.Listener}.
        """
        self.content += data

    def ended(self, flag: bytes) -> None:
        """
        See L{e2aegw.demo.msrpwire.Listener}.
        """
        assert self.head is not None
        self.heard.append((self.head.what, self.head.get(b"message-id"), self.content, flag))

    def test_anyPieces(self) -> None:
        """
        It is the same however it comes.
        """
        data = (
            b"MSRP tid1 SEND\r\nMessage-ID: 1\r\nContent-Type: a/b\r\n\r\n"
            b"\r\n-------tid2$\r\n\r\n-------tid1+\r\n"
            b"MSRP tid2 200 OK\r\nTo-Path: x\r\n-------tid2$\r\nMSRP tid3 SEND\r\n-------tid3$\r\n"
            b"MSRP tid4 SEND\r\nMessage-ID:2\r\nContent-Type: a/b\r\n\r\n\r\n-------tid4#\r\n"
        )
        expected = [
            (b"SEND", b"1", b"\r\n-------tid2$\r\n", b"+"),
            (b"200", b"", b"", b"$"),
            (b"SEND", b"", b"", b"$"),
            (b"SEND", b"2", b"", b"#"),
        ]
        for size in (1, 2, 3, 7, len(data)):
            self.heard = []
            wire = Wire(self)
            for at in range(0, len(data), size):
                self.assertTrue(wire.feed(data[at : at + size]))
            self.assertEqual(self.heard, expected)

    def test_refused(self) -> None:
        """
        What is not MSRP is not taken for it, and heads have an end.
        """
        for data in (
            b"MSRP x SEND\r\n",
            b"MSRP tid1 SEND\r\nnonsense\r\n-------tid1$\r\n",
            b"MSRP tid1 SEND\r\n\r\nbody\r\n-------tid1?\r\n",
            b"MSRP tid1 SEND\r\n" + b"A: b\r\n" * MAX_HEAD,
            b"M" * (MAX_HEAD + 1),
        ):
            self.assertFalse(Wire(self).feed(data), data[:40])
