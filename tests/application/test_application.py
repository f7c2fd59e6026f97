"""
Calls whose core side is the application: L{e2aegw.application}.
"""

import struct
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, ClassVar

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from e2aegw.application import ApplicationFactory, Message, MessageFactory, MessageProtocol, answer
from e2aegw.application.messages import MAX_OPEN, MAX_PIECES, MessageAdapter
from e2aegw.errors import ConfigError, NegotiationError
from e2aegw.gateway.config import SideConfig
from e2aegw.gateway.service import Route
from e2aegw.interfaces import IAdapter, IAdapterFactory
from e2aegw.sansio.msrp import ABORT, END, MORE, ByteRange, Fragment, Head
from e2aegw.sansio.sdp import Description, Section, Side
from e2aegw.sansio.terms import Terms
from e2aegw.testing import MemoryAdapter, MemoryNetwork, Terminal
from tests.adapter.msrppeer import Endpoint
from tests.gateway.fixture import SRTP, GatewayTestCase
from tests.gateway.telephones import CM80, REQUESTED
from tests.transport.connection import join

EXAMPLES = Path(__file__).parent.parent.parent / "docs" / "examples"
SIDES = {
    Side.ACCESS: SideConfig(addresses=(("198.51.100.1", "198.51.100.1"),), ports=(30000, 30099)),
    Side.CORE: SideConfig(addresses=(("203.0.113.1", "203.0.113.1"),), ports=(40000, 40099)),
}


def example(name: str) -> Any:
    """
    A module of the manual's examples.
    """
    spec = spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Listener(Protocol):
    """
    An application's protocol that remembers.
    """

    made: ClassVar[list["Listener"]] = []

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.lost = 0
        self.made.append(self)

    def dataReceived(self, data: bytes) -> None:
        """
        Remember.
        """
        self.heard.append(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        Count.
        """
        self.lost += 1


class SpeechTests(GatewayTestCase):
    """
    A UE calls an application.
    """

    routes: ClassVar[tuple[Route, ...]] = (Route(SRTP, ApplicationFactory("rtp", Listener)),)

    def setUp(self) -> None:
        """
        Call.
        """
        super().setUp()
        Listener.made.clear()
        self.ue = Terminal(self.network, "198.51.100.7", suites=[CM80], lines=REQUESTED)
        self.addCleanup(self.ue.close)
        self.session = self.gateway.newSession("call")
        self.said = self.result(Deferred.fromCoroutine(answer(self.session, self.ue.offer())))
        self.ue.accept(self.said)
        [self.listener] = Listener.made

    def test_bothWays(self) -> None:
        """
        The application hears plain packets, and what it writes the UE hears.
        """
        packet = self.ue.sendMedia(b"hello")
        report = self.ue.sendReport()
        self.network.flush()
        self.assertEqual(self.listener.heard, [packet, report])
        transport: Any = self.listener.transport
        transport.writeSequence([b"\x80\x00\x00\x01" + bytes(8) + b"back"])
        self.network.flush()
        self.assertEqual(self.ue.received[-1][12:], b"back")
        self.assertEqual(transport.section.formats, ("0",))

    def test_ports(self) -> None:
        """
        An application takes no ports.
        """
        self.assertEqual(self.gateway.portsLent, 1)
        self.assertNotIn("127.0.0.1", self.said)

    def test_end(self) -> None:
        """
        The protocol is told of the call's end, once, and from then on nothing
        is heard.
        """
        transport: Any = self.listener.transport
        self.session.close()
        self.session.close()
        self.assertEqual(self.listener.lost, 1)
        transport.write(b"late")
        transport.sendUnit(b"late")
        self.assertEqual(self.listener.heard, [])
        self.assertEqual(transport.counters, {"dropped nobody there": 2})

    def test_hangsUp(self) -> None:
        """
        An application may let go of a line before the call is over.
        """
        transport: Any = self.listener.transport
        transport.loseConnection()
        self.ue.sendMedia(b"hello")
        self.network.flush()
        self.assertEqual((self.listener.lost, self.listener.heard), (1, []))

    def test_rejects(self) -> None:
        """
        What the application does not want is rejected, and its ports are free.
        """
        session = self.gateway.newSession("other")
        said = self.result(
            Deferred.fromCoroutine(answer(session, self.ue.offer(), select=lambda section: ()))
        )
        self.assertIn("m=audio 0 RTP/SAVP 0", said)
        self.assertEqual(self.gateway.portsLent, 1)

    def test_hold(self) -> None:
        """
        What the UE only sends the application only receives; the UE's new
        offer goes the same way, and the protocol stays.
        """
        self.ue.direction = "sendonly"
        said = self.result(Deferred.fromCoroutine(answer(self.session, self.ue.offer())))
        self.assertIn("a=recvonly", said)
        self.assertEqual(len(Listener.made), 1)

    def test_report(self) -> None:
        """
        A call with an application is reported like any other.
        """
        self.ue.sendMedia(b"hello")
        self.network.flush()
        report = self.session.report()
        self.assertEqual(report.parties[0].medias[0].streams[0].packets, 1)
        self.assertEqual(report.parties[1].medias[0].streams, [])


class FactoryTests(SynchronousTestCase):
    """
    L{ApplicationFactory} and its adapter.
    """

    def test_interfaces(self) -> None:
        """
        They are what they say.
        """
        for factory in (ApplicationFactory("rtp", Listener), MessageFactory(MessageProtocol)):
            verifyObject(IAdapterFactory, factory)
            verifyObject(IAdapter, factory.buildAdapter("any"))

    def test_mistakes(self) -> None:
        """
        A medium that nobody knows, and a section of another one.
        """
        with self.assertRaises(ConfigError):
            ApplicationFactory("smell", Listener)
        factory = ApplicationFactory("rtp", Listener)
        section = Section("message", 9, "TCP/MSRP", ["*"])
        self.assertIsNone(factory.claim(section))
        with self.assertRaises(NegotiationError):
            factory.buildAdapter("RTP/AVP").configure(section, Terms())

    def test_producer(self) -> None:
        """
        A party that takes no more pauses the application's producer.
        """
        adapter = ApplicationFactory("bfcp", Listener).buildAdapter("TCP/BFCP")
        adapter.pauseProducing()
        adapter.resumeProducing()
        asked: list[str] = []

        class Producer:
            def pauseProducing(self) -> None:
                asked.append("pause")

            def resumeProducing(self) -> None:
                asked.append("resume")

        adapter.registerProducer(Producer(), True)
        adapter.pauseProducing()
        adapter.resumeProducing()
        adapter.unregisterProducer()
        adapter.pauseProducing()
        self.assertEqual(asked, ["pause", "resume"])


class Chat(MessageProtocol):
    """
    Remembers.
    """

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.reports: list[tuple[str, int]] = []

    def messageReceived(self, message: Message) -> None:
        """
        See L{MessageProtocol}.
        """
        self.messages.append(message)

    def messageReported(self, messageID: str, code: int) -> None:
        """
        See L{MessageProtocol}.
        """
        self.reports.append((messageID, code))


class MessageTests(SynchronousTestCase):
    """
    L{MessageAdapter}.
    """

    def setUp(self) -> None:
        """
        An adapter between an application and a peer.
        """
        self.chat = Chat()
        self.adapter = MessageAdapter(self.chat, limit=100)
        self.peer = self.adapter.peer = MemoryAdapter("msrp")
        self.adapter.makeConnection(None)

    def head(self, name: bytes = b"m1", success: bool = False, failure: bytes = b"yes") -> Head:
        """
        The head of a message.
        """
        lines = (b"Message-ID: " + name, b"Content-Type: text/plain")
        return Head(lines=lines, messageID=name, successReport=success, failureReport=failure)

    def test_pieces(self) -> None:
        """
        Pieces of chunks, in any order of chunks, are one message; success is
        reported if that was asked for.
        """
        one, two = self.head(success=True), self.head(success=True)
        self.adapter.sendUnit(Fragment(two, b"wor", None, 6))
        self.adapter.sendUnit(Fragment(two, b"ld", END, 9, first=False))
        self.assertEqual(self.chat.messages, [])
        self.adapter.sendUnit(Fragment(one, b"hello", MORE, 1))
        self.assertEqual(self.chat.messages, [Message("text/plain", b"helloworld", "m1")])
        [report] = self.peer.units
        self.assertEqual(report.head.lines[1:], (b"Byte-Range: 1-10/10", b"Status: 000 200 OK"))

    def test_nothing(self) -> None:
        """
        An empty body is a message; none at all is the beginning of a session.
        """
        self.adapter.sendUnit(Fragment(self.head(b"a"), None, END))
        self.adapter.sendUnit(Fragment(self.head(b"b"), b"", END))
        self.assertEqual(self.chat.messages, [Message("text/plain", b"", "b")])
        self.assertEqual(self.peer.units, [])

    def test_aborted(self) -> None:
        """
        What is aborted never arrives.
        """
        self.adapter.sendUnit(Fragment(self.head(), b"some", None, 1))
        self.adapter.sendUnit(Fragment(self.head(), b"", ABORT, 4, first=False))
        self.assertEqual(self.chat.messages, [])
        self.assertEqual(self.adapter.counters["messages aborted"], 1)

    def assertRefused(self, count: int) -> None:
        """
        So many messages were refused, and their sender knows.
        """
        self.assertEqual(self.adapter.counters["messages refused"], count)
        statuses = [unit.head.get(b"Status") for unit in self.peer.units]
        self.assertEqual(statuses, [b"000 413 Message Too Large"] * count)

    def test_limits(self) -> None:
        """
        Too long a message, too many pieces and too many messages at a time are
        refused; who wants no report gets none.
        """
        self.adapter.sendUnit(Fragment(self.head(), bytes(101), END))
        self.assertRefused(1)
        for number in range(MAX_OPEN):
            self.adapter.sendUnit(Fragment(self.head(b"o%d" % number), b"x", None))
        self.adapter.sendUnit(Fragment(self.head(b"more"), b"x", None))
        self.assertRefused(2)
        self.adapter.sendUnit(Fragment(self.head(b"quiet", failure=b"no"), b"x", None))
        self.assertEqual(len(self.peer.units), 2)

    def test_pieceLimit(self) -> None:
        """
        A message of single octets does not take all memory.
        """
        adapter = MessageAdapter(self.chat)
        adapter.peer = peer = MemoryAdapter("msrp")
        adapter.makeConnection(None)
        head = self.head()
        for position in range(MAX_PIECES + 1):
            adapter.sendUnit(Fragment(head, b"x", None, 1 + 2 * position))
        self.assertEqual(len(peer.units), 1)

    def test_reports(self) -> None:
        """
        The application hears what became of its messages.
        """
        name = self.chat.sendMessage("text/plain", b"hi", report=True)
        [sent] = self.peer.units
        self.assertEqual((sent.body, sent.flag, sent.head.byteRange), (b"hi", END, ByteRange(1, 2, 2)))
        self.assertIn(b"Success-Report: yes", sent.head.lines)
        for status in (b"000 200 OK", b"000 413", b"nonsense", b"000 " + b"9" * 5000):
            lines = (b"Message-ID: " + name.encode(), b"Status: " + status)
            report = Head(method=b"REPORT", lines=lines, messageID=name.encode())
            self.adapter.sendUnit(Fragment(report, None, END))
        self.assertEqual(self.chat.reports, [(name, 200), (name, 413)])
        self.assertEqual(self.adapter.counters["dropped malformed report"], 2)

    def test_strangers(self) -> None:
        """
        What is no piece of a message is counted, and after the end so is
        everything.
        """
        self.adapter.sendUnit(object())
        self.adapter.connectionLost()
        self.adapter.sendUnit(Fragment(self.head(), b"x", END))
        self.assertEqual(self.adapter.counters, {"dropped not expected": 1, "dropped nobody there": 1})


class RecorderTests(SynchronousTestCase):
    """
    The manual's recorder.
    """

    def test_recording(self) -> None:
        """
        What a protected UE says is in the file.
        """
        module = example("recorder")
        clock, path = Clock(), Path(self.mktemp())
        network = MemoryNetwork(clock)
        gateway = module.makeRecorder(clock, SIDES, iter([path]), network=network)
        ue = Terminal(network, "198.51.100.7", suites=[CM80], lines=REQUESTED)
        self.addCleanup(ue.close)
        recorded = Deferred.fromCoroutine(module.record(gateway, "call", ue.offer()))
        session, said = self.successResultOf(recorded)
        ue.accept(said)
        for word in (b"\xff" * 160, b"\x7f" * 160):
            ue.sendMedia(word)
        ue.sendReport()
        network.flush()
        session.close()
        data = path.read_bytes()
        self.assertEqual(data[44:], b"\xff" * 160 + b"\x7f" * 160)
        self.assertEqual(struct.unpack("<4sI4s", data[:12]), (b"RIFF", len(data) - 8, b"WAVE"))
        self.assertEqual(gateway.portsLent, 0)


class BotTests(SynchronousTestCase):
    """
    The manual's chat bot.
    """

    def test_chat(self) -> None:
        """
        A UE on TCP says something, and the bot answers.
        """
        module = example("chatbot")
        reactor: Any = MemoryReactorClock()
        gateway = module.makeBot(reactor, SIDES, network=MemoryNetwork(reactor))
        ue = Endpoint("msrp://198.51.100.7:2855/ue;tcp")
        offer = "\r\n".join(
            [
                "v=0",
                "o=- 1 1 IN IP4 198.51.100.7",
                "s=-",
                "c=IN IP4 198.51.100.7",
                "t=0 0",
                "m=message 2855 TCP/MSRP *",
                "a=setup:passive",
                "a=accept-types:*",
                f"a=path:{ue.uri}",
                "",
            ]
        )
        session, said = self.successResultOf(Deferred.fromCoroutine(module.chat(gateway, "chat", offer)))
        [section] = Description.parse(said).sections
        ue.path = section.get("path") or ""
        reactor.advance(0)
        [(host, port, factory, *_)] = reactor.tcpClients
        self.assertEqual((host, port), ("198.51.100.7", 2855))
        connection = join(factory.buildProtocol(None))
        assert connection is not None
        ue.send = connection.protocol.dataReceived
        connection.write = ue.receive  # type: ignore[method-assign]
        ue.say(b"hello", "m1")
        reactor.advance(0)
        self.assertEqual(ue.messages[ue.complete[-1]], b"Thank you for 5 octets of application/octet-stream.")
        session.close()
        self.assertEqual(gateway.portsLent, 0)
