"""
An MSRP endpoint over TCP, written from RFC 4975 and RFC 6135 and apart from the
gateway's own MSRP.
"""

import hashlib
import re
import secrets
import socket
import threading
from collections import Counter, deque
from contextlib import suppress
from dataclasses import dataclass, field

from tests.peers.deadline import PATIENCE, until

HOST = "127.0.0.1"
#: Octets of a body that are sent in a chunk.
CHUNK = 60000
#: Chunks that wait to be written before whoever sends a message waits, too.
QUEUE = 32
#: The longest message that is said back to who says something.
SMALL = 1000

_START = re.compile(rb"MSRP ([A-Za-z0-9.+%=-]{4,32}) ([A-Z]+|[0-9]{3})(?: [^\r\n]*)?\r\n")
_RANGE = re.compile(rb"(\d+)-(\d+|\*)/(\d+|\*)")


@dataclass
class Message:
    """
    What arrived of a message.
    """

    size: int = 0
    hash: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    small: bytes = b""


class MSRPFarEnd:
    """
    One MSRP session, over one connection.

    @ivar path: its URI.
    @ivar received: what messages arrived whole: their hashes.
    @ivar answers: how often each response code came.
    @ivar aborted: how many messages were given up by their sender.
    @ivar trouble: what should not have come.
    @ivar echoes: whether to say short messages back.
    @ivar ended: whether the connection that there was is gone.
    """

    def __init__(self, *, echoes: bool = False) -> None:
        self._server = socket.create_server((HOST, 0))
        self.port: int = self._server.getsockname()[1]
        self.path = f"msrp://{HOST}:{self.port}/{secrets.token_hex(10)};tcp"
        self.remote = ""
        self.received: list[str] = []
        self.sizes: list[int] = []
        self.answers: Counter[str] = Counter()
        self.aborted = 0
        self.trouble: list[str] = []
        self.echoes = echoes
        self.connected = threading.Event()
        self.ended = False
        self._connection: socket.socket | None = None
        self._queue: deque[bytes] = deque()
        self._room = threading.Condition()
        self._closing = False
        self._messages: dict[bytes, Message] = {}
        self._threads: list[threading.Thread] = []

    # What tests say

    def section(self, setup: str, media: str = "message", proto: str = "TCP/MSRP") -> str:
        """
        Its section of a description.
        """
        return (
            f"m={media} {self.port} {proto} *\r\nc=IN IP4 {HOST}\r\na=setup:{setup}\r\n"
            f"a=accept-types:*\r\na=path:{self.path}\r\n"
        )

    def begin(self, section: str, *, active: bool) -> None:
        """
        Learn of the other end, and connect to it or wait for it.

        @param section: its section of the description.
        """
        self.remote = re.findall(r"^a=path:(.*?)\r?$", section, re.MULTILINE)[0]
        self._start(lambda: self._open(active))

    def say(self, data: bytes, type: str = "application/octet-stream") -> str:
        """
        Send a message.

        @return: its hash.
        """
        self.connected.wait(PATIENCE)
        message = secrets.token_hex(8)
        for start in range(0, max(len(data), 1), CHUNK):
            body = data[start : start + CHUNK]
            end = start + len(body)
            flag = "$" if end == len(data) else "+"
            with self._room:
                self._room.wait_for(lambda: len(self._queue) < QUEUE or self.ended)
            if self.ended:
                break
            headers = [
                f"Message-ID: {message}",
                f"Byte-Range: {start + 1}-{end}/{len(data)}",
                f"Content-Type: {type}",
            ]
            self._request(headers, body, flag)
        return hashlib.sha256(data).hexdigest()

    def awaitMessage(self, seconds: float = PATIENCE) -> str:
        """
        The hash of the next message.
        """
        until(lambda: self.received or self.trouble or self.ended, "a message", seconds)
        if not self.received:
            raise AssertionError(f"no message; {self.trouble}, ended {self.ended}")
        return self.received.pop(0)

    def disconnect(self) -> None:
        """
        End the connection when all is written.
        """
        until(lambda: not self._queue, "everything is written")
        with suppress(OSError):
            if self._connection is not None:
                self._connection.shutdown(socket.SHUT_WR)

    def end(self) -> None:
        """
        End it all.
        """
        self._closing = True
        for each in (self._server, self._connection):
            if each is not None:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
                each.close()
        with self._room:
            self._room.notify_all()
        for thread in self._threads:
            thread.join(PATIENCE)

    # Inside

    def _start(self, work: object) -> None:
        thread = threading.Thread(target=work, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _open(self, active: bool) -> None:
        try:
            if active:
                found = re.match(r"msrps?://([^/:]+|\[[^\]]*\]):(\d+)/", self.remote)
                assert found is not None
                self._connection = socket.create_connection((found[1], int(found[2])), PATIENCE)
                self._connection.settimeout(None)
            else:
                self._connection, _ = self._server.accept()
            self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as e:
            if not self._closing:
                self.trouble.append(f"connecting: {e}")
            self.ended = True
            return
        if active:
            # RFC 4975 clause 5.4: so that the other end knows whose this is.
            self._request([f"Message-ID: {secrets.token_hex(8)}", "Byte-Range: 1-0/0"], None, "$")
        self._start(self._write)
        self.connected.set()
        try:
            self._read(self._connection)
        except OSError as e:
            if not self._closing:
                self.trouble.append(f"reading: {e}")
        except Exception as e:
            self.trouble.append(repr(e))
        self.ended = True
        with self._room:
            self._room.notify_all()

    def _write(self) -> None:
        assert self._connection is not None
        while True:
            with self._room:
                self._room.wait_for(lambda: self._queue or self.ended or self._closing)
                if not self._queue:
                    return
                data = self._queue.popleft()
                self._room.notify_all()
            try:
                self._connection.sendall(data)
            except OSError:
                return  # Whoever reads is told, too.

    def _put(self, data: bytes) -> None:
        with self._room:
            self._queue.append(data)
            self._room.notify_all()

    def _request(self, headers: list[str], body: bytes | None, flag: str) -> None:
        transaction = secrets.token_hex(8)
        lines = [f"MSRP {transaction} SEND", f"To-Path: {self.remote}", f"From-Path: {self.path}", *headers]
        head = "\r\n".join(lines).encode() + b"\r\n"
        tail = f"-------{transaction}{flag}\r\n".encode()
        self._put(head + tail if body is None else head + b"\r\n" + body + b"\r\n" + tail)

    def _read(self, connection: socket.socket) -> None:
        buffer = bytearray()
        searched = 0
        while data := connection.recv(1 << 18):
            buffer += data
            while True:
                start = _START.match(buffer)
                if start is None:
                    if b"\r\n" in buffer[:200]:
                        raise ValueError(f"not MSRP: {bytes(buffer[:100])!r}")
                    break
                mark = b"-------" + start[1]
                at = buffer.find(mark, max(searched, start.end()))
                if at < 0:
                    searched = max(0, len(buffer) - len(mark))
                    break
                end = at + len(mark) + 3
                if len(buffer) < end:
                    searched = at
                    break
                flag, line = bytes(buffer[end - 3 : end - 2]), bytes(buffer[end - 2 : end])
                if line != b"\r\n" or flag not in (b"$", b"+", b"#"):
                    raise ValueError(f"not the end of a message: {bytes(buffer[at:end])!r}")
                self._hear(start[1], start[2], bytes(buffer[start.end() : at]), flag)
                del buffer[:end]
                searched = 0

    def _hear(self, transaction: bytes, what: bytes, rest: bytes, flag: bytes) -> None:
        head, blank, body = rest.partition(b"\r\n\r\n")
        headers = {}
        for line in (head if blank else rest).split(b"\r\n"):
            name, colon, value = line.partition(b": ")
            if colon:
                headers[name] = value
        if headers.get(b"To-Path") != self.path.encode():
            raise ValueError(f"To-Path: {headers.get(b'To-Path')!r}")
        if headers.get(b"From-Path") != self.remote.encode():
            raise ValueError(f"From-Path: {headers.get(b'From-Path')!r}")
        if what.isdigit():
            self.answers[what.decode()] += 1
            return
        if what != b"SEND":
            return
        if headers.get(b"Failure-Report") != b"no":
            lines = [b"MSRP " + transaction + b" 200 OK", b"To-Path: " + headers[b"From-Path"].split()[0]]
            lines += [b"From-Path: " + self.path.encode(), b"-------" + transaction + b"$\r\n"]
            self._put(b"\r\n".join(lines))
        if not blank:
            return
        if not body.endswith(b"\r\n"):
            raise ValueError("no line's end behind the body")
        self._take(headers[b"Message-ID"], headers[b"Byte-Range"], body[:-2], flag)

    def _take(self, name: bytes, range: bytes, body: bytes, flag: bytes) -> None:
        message = self._messages.setdefault(name, Message())
        found = _RANGE.fullmatch(range)
        if found is None or int(found[1]) != message.size + 1:
            raise ValueError(f"{range!r} after {message.size} octets")
        message.hash.update(body)
        message.size += len(body)
        if found[2] != b"*" and flag != b"#" and int(found[2]) != message.size:
            raise ValueError(f"{range!r} ends at {message.size}")
        if message.size <= SMALL:
            message.small += body
        if flag == b"#":
            self.aborted += 1
            del self._messages[name]
        elif flag == b"$":
            del self._messages[name]
            if self.echoes and message.size <= SMALL:
                self.say(message.small, "text/plain")
                return
            self.sizes.append(message.size)
            self.received.append(message.hash.hexdigest())
