"""
Whole MSRP messages (RFC 4975) for an application.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from e2aegw.application.adapter import ApplicationAdapter, ApplicationFactory
from e2aegw.interfaces import IAdapterFactory
from e2aegw.sansio.msrp import ABORT, END, REPORT, SEND, ByteRange, Fragment, Head, newTransaction
from e2aegw.sansio.msrpsender import failureReport

#: Messages that are under way at a time, and the longest; more is refused with
#: a report of 413.
MAX_OPEN = 16
MAX_MESSAGE = 1 << 20
#: Pieces of one message: each may be a single octet, and costs some hundreds.
MAX_PIECES = 16384


@dataclass(frozen=True, slots=True)
class Message:
    """
    A message.

    @ivar contentType: of the body, such as C{"text/plain"}; C{""} if there
        was none.
    @ivar messageID: its name in reports.
    """

    contentType: str
    body: bytes
    messageID: str


class MessageProtocol(Protocol):
    """
    What an application makes a subclass of, to chat.

    @ivar transport: a L{MessageAdapter}.
    """

    transport: Any

    def messageReceived(self, message: Message) -> None:
        """
        The party sent a whole message.  Its sender is told, if it asked to be.
        """

    def messageReported(self, messageID: str, code: int) -> None:
        """
        The party, or somebody on the way, says what became of a message of
        ours.

        @param code: 200, or why it did not arrive.
        """

    def sendMessage(self, contentType: str, body: bytes, *, report: bool = False) -> str:
        """
        Send a message.

        @param report: whether L{messageReported} shall be called on success,
            too.

        @return: its name in reports.
        """
        name: str = self.transport.sendMessage(contentType, body, report)
        return name


@dataclass(slots=True)
class _Incoming:
    """
    A message of which not all is there.

    @ivar end: how long it is, once that is known.
    """

    head: Head
    pieces: dict[int, bytes] = field(default_factory=dict)
    size: int = 0
    end: int | None = None


class MessageAdapter(ApplicationAdapter):
    """
    Puts messages together, and takes those of the application.
    """

    def __init__(self, protocol: Any, limit: int = MAX_MESSAGE) -> None:
        """
        @param protocol: has C{messageReceived} and C{messageReported}.
        @param limit: the longest message, in octets.
        """
        super().__init__("msrp", protocol)
        self._limit = limit
        self._incoming: dict[bytes, _Incoming] = {}

    def sendUnit(self, unit: Any) -> None:
        """
        See L{e2aegw.interfaces.IAdapter}.
        """
        if not self._open:
            self.counters["dropped nobody there"] += 1
        elif not isinstance(unit, Fragment):
            self.counters["dropped not expected"] += 1
        elif unit.head.method == REPORT:
            self._reported(unit.head)
        elif unit.head.method == SEND and unit.body is not None:
            self.octetsSent += len(unit.body)
            self._received(unit, unit.body)

    def sendMessage(self, contentType: str, body: bytes, report: bool) -> str:
        """
        See L{MessageProtocol.sendMessage}.
        """
        name = newTransaction()
        byteRange = ByteRange(1, len(body), len(body))
        lines = [b"Message-ID: " + name, b"Byte-Range: " + bytes(byteRange)]
        if report:
            lines.append(b"Success-Report: yes")
        lines.append(b"Content-Type: " + contentType.encode("ascii"))
        head = Head(lines=tuple(lines), messageID=name, successReport=report, byteRange=byteRange)
        self._say(Fragment(head, body, END), len(body))
        return name.decode()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        See L{ApplicationAdapter}.
        """
        self._incoming.clear()
        super().connectionLost(reason)

    def _received(self, unit: Fragment, body: bytes) -> None:
        name = unit.head.messageID
        message = self._incoming.get(name)
        if message is None:
            if len(self._incoming) >= MAX_OPEN:
                self._refuse(unit)
                return
            message = self._incoming[name] = _Incoming(unit.head)
        if unit.flag == ABORT:
            del self._incoming[name]
            self.counters["messages aborted"] += 1
            return
        if body:
            known = message.pieces.get(unit.position, b"")
            message.pieces[unit.position] = body
            message.size += len(body) - len(known)
        if message.size > self._limit or len(message.pieces) > MAX_PIECES:
            del self._incoming[name]
            self._refuse(unit)
            return
        if unit.flag == END:
            message.end = unit.position - 1 + len(body)
        if message.end is not None and message.size >= message.end:
            del self._incoming[name]
            self._complete(message, message.end)

    def _complete(self, message: _Incoming, end: int) -> None:
        body = b"".join(message.pieces[position] for position in sorted(message.pieces))[:end]
        head = message.head
        self.packetsSent += 1
        kind = (head.get(b"Content-Type") or b"").decode("ascii", "replace")
        self.protocol.messageReceived(Message(kind, body, head.messageID.decode("ascii", "replace")))
        if head.successReport:
            self._say(failureReport(head.messageID, ByteRange(1, end, end), 200, b" OK"), 0)

    def _refuse(self, unit: Fragment) -> None:
        self.counters["messages refused"] += 1
        if unit.head.failureReport != b"no" and unit.head.messageID:
            self._say(failureReport(unit.head.messageID, ByteRange(unit.position, None, None), 413), 0)

    def _reported(self, head: Head) -> None:
        # "000 200 OK" (RFC 4975 clause 7.1.4).
        words = (head.get(b"Status") or b"").split()
        if len(words) < 2 or len(words[1]) != 3 or not words[1].isdigit():
            self.counters["dropped malformed report"] += 1
            return
        self.protocol.messageReported(head.messageID.decode("ascii", "replace"), int(words[1]))


@implementer(IAdapterFactory)
class MessageFactory(ApplicationFactory):
    """
    Builds a protocol of the application for each session of MSRP.
    """

    def __init__(self, build: Callable[[], MessageProtocol], limit: int = MAX_MESSAGE) -> None:
        """
        @param build: makes the protocol.
        @param limit: the longest message, in octets.
        """
        super().__init__("msrp", build)
        self._limit = limit

    def buildAdapter(self, proto: str) -> MessageAdapter:
        """
        See L{IAdapterFactory}.
        """
        return MessageAdapter(self._build(), self._limit)
