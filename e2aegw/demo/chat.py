"""
Somebody to chat with, in MSRP over TCP (RFC 4975): it answers what is said to
it, and sends files back.
"""

import base64
import hashlib
import secrets
from collections import deque
from tempfile import SpooledTemporaryFile
from typing import Any, Final

from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IPullProducer
from twisted.internet.protocol import Factory, Protocol
from zope.interface import implementer

from e2aegw.demo.msrpwire import Head, Wire, request, response
from e2aegw.errors import NegotiationError, ResourceError
from e2aegw.interfaces import Address
from e2aegw.sansio.sdp import Line, Section

#: Most octets of a file.  It goes to the disk, and this is a demonstration.
MAX_FILE: Final = 256 << 20
#: What of a message is kept in memory.
IN_MEMORY: Final = 1 << 18
#: Most octets of what is taken for words; the rest is not repeated.
MAX_WORDS: Final = 4096
#: Most messages that are incomplete, or files that wait to be sent back.
MAX_MESSAGES: Final = 16
#: Octets of a file in one chunk.  Others may be said in between.
CHUNK: Final = 1 << 15

#: What it says first.
GREETING: Final = (
    "Hello! I speak MSRP over plain TCP and know nothing of browsers or data channels."
    " Write something, or drop a file: both come back."
)


class Message:
    """
    A message that arrives, or a file that is sent back.

    @ivar name: its Message-ID.
    @ivar size: how much of it there is.
    @ivar headers: what is said of its content.
    """

    def __init__(self, head: Head) -> None:
        self.name = head.get(b"message-id")
        self.wantsReport = head.get(b"success-report").lower() == b"yes"
        isText = head.get(b"content-type").lower().startswith(b"text/plain")
        self.isFile = not isText or head.get(b"content-disposition").lower().startswith(b"attachment")
        self.headers = tuple(
            b"%s: %s" % (name.title(), value)
            for name, value in sorted(head.headers.items())
            if name in (b"content-disposition", b"content-type")
        )
        self.size = 0
        self.sent = 0
        self.file = SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115
        self._digest = hashlib.sha256()

    def add(self, data: bytes) -> None:
        """
        Some more of it.
        """
        self.file.write(data)
        self._digest.update(data)
        self.size += len(data)

    def words(self) -> str:
        """
        What it says.
        """
        self.file.seek(0)
        return self.file.read(MAX_WORDS).decode(errors="replace")

    def digest(self) -> bytes:
        """
        Its SHA-256, as a header field (RFC 9530).
        """
        return b"Content-Digest: sha-256=:%s:" % base64.b64encode(self._digest.digest())


@implementer(IPullProducer)
class _Conversation(Protocol):
    """
    The connection.
    """

    transport: Any

    def __init__(self, chat: "Chat") -> None:
        self._chat = chat
        self._wire = Wire(self)
        self._messages: dict[bytes, Message] = {}
        self._returning: deque[Message] = deque()
        self._head: Head | None = None
        self._message: Message | None = None
        self._code = 0
        self._greeted = False

    def dataReceived(self, data: bytes) -> None:
        """
        See C{IProtocol}.
        """
        self._chat.octetsReceived += len(data)
        if not self._wire.feed(data):
            self.transport.abortConnection()

    def connectionLost(self, reason: Any = None) -> None:
        """
        See C{IProtocol}.
        """
        for message in (*self._messages.values(), *self._returning):
            message.file.close()
        self._messages.clear()
        self._returning.clear()
        self._chat.lost(self)

    # What was read

    def began(self, head: Head) -> None:
        """
        See L{e2aegw.demo.msrpwire.Listener}.
        """
        self._head, self._message, self._code = head, None, 0
        if head.what == b"SEND":
            self._code = self._judge(head)
            if self._code == 200 and head.get(b"content-type"):
                self._code = self._find(head)

    def _judge(self, head: Head) -> int:
        """
        Whether it is for this session, and from whom it is said to be.
        """
        here = (head.get(b"to-path"), head.get(b"from-path")) == (self._chat.uri, self._chat.path)
        return 200 if here else 481

    def _find(self, head: Head) -> int:
        """
        Find the message that this is a piece of.
        """
        name = head.get(b"message-id")
        start = head.get(b"byte-range").partition(b"-")[0] or b"1"
        message = self._messages.get(name)
        if message is None:
            if len(self._messages) + len(self._returning) >= MAX_MESSAGES:
                return 413
            message = Message(head)
            self._messages[name] = message
        # On one connection the pieces come in order, or are lost.
        if start != b"%d" % (message.size + 1):
            self._messages.pop(name).file.close()
            return 413
        self._message = message
        return 200

    def body(self, data: bytes) -> None:
        """
        See L{e2aegw.demo.msrpwire.Listener}.
        """
        message = self._message
        if message is None:
            return
        if message.size + len(data) > MAX_FILE:
            self._messages.pop(message.name).file.close()
            self._message, self._code = None, 413
            return
        message.add(data)

    def ended(self, flag: bytes) -> None:
        """
        See L{e2aegw.demo.msrpwire.Listener}.
        """
        head, message = self._head, self._message
        self._head = self._message = None
        if head is None or not self._code:
            return
        failures = head.get(b"failure-report").lower()
        if failures != b"no" and not (failures == b"partial" and self._code == 200):
            words = {200: "OK", 413: "Stop", 481: "No such session"}[self._code]
            self._write(response(head, self._code, words))
        if self._code != 200:
            return
        if not self._greeted:
            self._greeted = True
            self._say(GREETING)
        if message is None or flag == b"+":
            return
        del self._messages[message.name]
        if flag == b"#":
            message.file.close()
        else:
            self._complete(message)

    # What is said

    def _complete(self, message: Message) -> None:
        chat = self._chat
        chat.messagesReceived += 1
        if message.wantsReport:
            size = b"%d" % message.size
            lines = (b"Message-ID: " + message.name, b"Byte-Range: 1-%s/%s" % (size, size))
            self._write(request(b"REPORT", chat.path, chat.uri, *lines, b"Status: 000 200 OK"))
        if not message.isFile:
            words = message.words()
            message.file.close()
            self._say(f"You said: {words}")
            return
        chat.files += 1
        message.file.seek(0)
        message.name = _name()
        self._returning.append(message)
        if len(self._returning) == 1:
            self.transport.registerProducer(self, False)

    def _say(self, words: str) -> None:
        data = words.encode()
        self._chat.messagesSent += 1
        self._send(_name(), 0, data, len(data), b"Content-Type: text/plain")

    def _send(self, name: bytes, start: int, data: bytes, size: int, *headers: bytes) -> None:
        stop = start + len(data)
        flag = b"$" if stop >= size else b"+"
        lines = (b"Message-ID: " + name, b"Byte-Range: %d-%d/%d" % (start + 1, stop, size), *headers)
        self._write(request(b"SEND", self._chat.path, self._chat.uri, *lines, body=data, flag=flag))

    def _write(self, data: bytes) -> None:
        self._chat.octetsSent += len(data)
        self.transport.write(data)

    def resumeProducing(self) -> None:
        """
        See L{IPullProducer}: send a piece of a file.
        """
        message = self._returning[0]
        data = message.file.read(CHUNK)
        self._send(message.name, message.sent, data, message.size, *message.headers, message.digest())
        message.sent += len(data)
        if message.sent >= message.size:
            self._chat.messagesSent += 1
            self._returning.popleft().file.close()
            if not self._returning:
                self.transport.unregisterProducer()

    def stopProducing(self) -> None:
        """
        See L{IPullProducer}.
        """


class _Door(Factory):
    noisy = False

    def __init__(self, chat: "Chat") -> None:
        self._chat = chat

    def buildProtocol(self, addr: Any) -> _Conversation | None:
        """
        One connection is a session.
        """
        return self._chat.connected()


class Chat:
    """
    What answers one section of an offer, and waits to be connected to.

    @ivar address: where it is.
    @ivar uri: its own MSRP URI.
    @ivar path: the path to the other end.
    """

    def __init__(self, reactor: Any, host: str, section: Section) -> None:
        """
        @param reactor: provides C{IReactorTCP}.
        @param host: our address.
        @param section: of MSRP over TCP, from the offer.

        @raise NegotiationError: this cannot be agreed to.
        @raise ResourceError: there is no port.
        """
        if section.proto.upper() != "TCP/MSRP":
            raise NegotiationError(f"the chat speaks MSRP over TCP, not {section.proto}")
        path = section.get("path")
        if not path:
            raise NegotiationError("the chat is not told a path")
        if section.get("setup") == "passive":
            raise NegotiationError("the chat waits to be connected to")
        self.path = path.encode()
        self.messagesReceived = self.messagesSent = self.octetsReceived = self.octetsSent = self.files = 0
        self._conversation: _Conversation | None = None
        try:
            self._port: IListeningPort | None = reactor.listenTCP(0, _Door(self), 1, host)
        except CannotListenError as e:
            raise ResourceError(f"the chat has no port: {e.socketError}") from None
        where: Any = self._port.getHost()
        self.address: Address = (host, where.port)
        self.uri = f"msrp://{_text(host, where.port)}/{secrets.token_hex(10)};tcp".encode()

    def describe(self) -> Section:
        """
        The section of the answer.
        """
        host, port = self.address
        lines = [
            Line("accept-types", "*"),
            Line("path", self.uri.decode()),
            Line("setup", "passive"),
        ]
        return Section("message", port, "TCP/MSRP", ["*"], address=host, lines=lines)

    def report(self) -> dict[str, Any]:
        """
        What it has counted.
        """
        peer = None if self._conversation is None else self._conversation.transport.getPeer()
        return {
            "address": _text(*self.address),
            "remote": None if peer is None else _text(peer.host, peer.port),
            "files": self.files,
            "messagesReceived": self.messagesReceived,
            "messagesSent": self.messagesSent,
            "octetsReceived": self.octetsReceived,
            "octetsSent": self.octetsSent,
        }

    def connected(self) -> _Conversation | None:
        """
        Somebody connects.
        """
        if self._conversation is not None or self._port is None:
            return None
        self._conversation = _Conversation(self)
        return self._conversation

    def lost(self, conversation: _Conversation) -> None:
        """
        A connection is no more; another may come.
        """
        if self._conversation is conversation:
            self._conversation = None

    def close(self) -> None:
        """
        Let go of the port and the connection, now.
        """
        port, self._port = self._port, None
        if port is not None:
            port.stopListening()
        if self._conversation is not None and self._conversation.transport is not None:
            self._conversation.transport.abortConnection()


def _name() -> bytes:
    """
    A Message-ID.
    """
    return secrets.token_hex(10).encode()


def _text(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


__all__ = ["Chat"]
