"""
Calls of MSRP between a terminal with TLS and a party with TCP.
"""

import datetime
import re
import socket
import ssl
import threading
from contextlib import suppress
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from e2aegw.sansio.certificate import Identity
from tests.peers.ng import NG

#: Octets in the body of a chunk.
CHUNK = 65536
#: Chunks that are sent before one of them must have been answered.
WINDOW = 64
#: Octets that are read at a time.
_READ = 1 << 18
_PATH = re.compile(r"a=path:(\S+)")
_PORT = re.compile(r"m=message (\d+) ")
_EMPTY = re.compile(rb"MSRP (\S+) SEND\r\n(?:[A-Z][^\r\n]+\r\n)*-------\1\$\r\n")
_HEAD = re.compile(rb"MSRP (\S+) SEND\r\n((?:[A-Z][^\r\n]+\r\n)*)\r\n")


class Certificate:
    """
    The terminals' certificate.

    @ivar file: where it is, with its key.
    @ivar fingerprint: what descriptions say of it.
    """

    def __init__(self, directory: Path) -> None:
        identity = Identity.generate(datetime.datetime.now(datetime.UTC))
        key = identity.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self.file = directory / "terminal.pem"
        self.file.write_bytes(identity.certificate.public_bytes(Encoding.PEM) + key)
        self.fingerprint = str(identity.fingerprints[0])
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.context.check_hostname = False
        self.context.verify_mode = ssl.CERT_NONE
        self.context.load_cert_chain(self.file)


class Secure:
    """
    TLS on a socket, of which one thread may read while another one writes.
    """

    def __init__(self, plain: socket.socket, context: ssl.SSLContext) -> None:
        self._socket, self._lock = plain, threading.Lock()
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out)
        while True:
            with suppress(ssl.SSLWantReadError):
                self._tls.do_handshake()
                break
            plain.sendall(self._out.read())
            self._in.write(plain.recv(_READ))
        plain.sendall(self._out.read())

    def sendall(self, data: bytes) -> None:
        """
        Send.
        """
        with self._lock:
            self._tls.write(data)
            out = self._out.read()
        self._socket.sendall(out)

    def recv(self, size: int) -> bytes:
        """
        Receive something; nothing at the end.
        """
        while data := self._socket.recv(size):
            plain = b""
            with self._lock, suppress(ssl.SSLWantReadError, ssl.SSLZeroReturnError):
                self._in.write(data)
                while True:
                    plain += self._tls.read(_READ)
            if plain:
                return plain
        return b""

    def close(self) -> None:
        """
        Let go of the socket.
        """
        self._socket.close()


class Chat:
    """
    One call.

    @ivar near: the terminal's connection, once there is one.
    @ivar far: the other party's.
    """

    def __init__(self, number: int, certificate: Certificate, listener: socket.socket) -> None:
        """
        @param listener: where the party on the core side waits.
        """
        self.certificate, self.listener = certificate, listener
        self.name = f"chat-{number}"
        self.host = listener.getsockname()[0]
        self.uri = f"msrps://{self.host}:9/t{number}abcdefgh;tcp"
        self.farURI = f"msrp://{self.host}:{listener.getsockname()[1]}/p{number}abcdefgh;tcp"
        self.path = self.farPath = ""
        self.port = 0
        self.near: Secure | None = None
        self.far: socket.socket | None = None

    def agree(self, ng: NG) -> None:
        """
        Offer and answer.

        @raise AssertionError: the gateway will not have it.
        """
        head = f"v=0\r\no=- 1 1 IN IP4 {self.host}\r\ns=-\r\nc=IN IP4 {self.host}\r\nt=0 0\r\n"
        offer = (
            f"{head}m=message 9 TCP/TLS/MSRP *\r\na=accept-types:*\r\na=path:{self.uri}\r\na=setup:active\r\n"
            f"a=fingerprint:{self.certificate.fingerprint}\r\na=3ge2ae:requested\r\n"
        )
        port = self.listener.getsockname()[1]
        answer = (
            f"{head}m=message {port} TCP/MSRP *\r\na=accept-types:*\r\na=path:{self.farURI}\r\n"
            "a=setup:passive\r\n"
        )
        keys = {"call_id": self.name, "from_tag": "a", "direction": ["external", "internal"]}
        core = ng.command("offer", sdp=offer, **keys)
        access = ng.command("answer", sdp=answer, to_tag="b", **keys)
        assert access.get("result") == "ok", access
        assert core.get("result") == "ok", core
        self.farPath = _PATH.findall(core["sdp"])[0]
        self.path = _PATH.findall(access["sdp"])[0]
        self.port = int(_PORT.findall(access["sdp"])[0])

    def connect(self) -> None:
        """
        Have both connections, and a message across.
        """
        self.secure()
        self.far, _ = self.listener.accept()

    def secure(self) -> None:
        """
        Have the terminal's connection.
        """
        plain = socket.create_connection((self.host, self.port))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.near = Secure(plain, self.certificate.context)

    def close(self) -> None:
        """
        End the connections.
        """
        for each in (self.near, self.far):
            if each is not None:
                each.close()

    def send(self, chunks: int) -> None:
        """
        Send so many chunks of one message to the other party, which answers
        each, and wait until it has the last.

        @raise AssertionError: something else arrived.
        """
        window = threading.Semaphore(WINDOW)
        heard: list[int] = []
        threads = [
            threading.Thread(target=self._hear, args=(chunks, heard)),
            threading.Thread(target=self._countAnswers, args=(chunks, window)),
        ]
        for thread in threads:
            thread.start()
        assert self.near is not None
        body, total = bytes(range(256)) * (CHUNK // 256), chunks * CHUNK
        for number in range(chunks):
            window.acquire()
            start = number * CHUNK
            tid = f"t{number:09d}"
            head = (
                f"MSRP {tid} SEND\r\nTo-Path: {self.path}\r\nFrom-Path: {self.uri}\r\n"
                f"Message-ID: file{self.name}\r\nByte-Range: {start + 1}-{start + CHUNK}/{total}\r\n"
                "Content-Type: application/octet-stream\r\n\r\n"
            )
            flag = "$" if number + 1 == chunks else "+"
            self.near.sendall(head.encode() + body + f"\r\n-------{tid}{flag}\r\n".encode())
        for thread in threads:
            thread.join()
        assert heard == [total], heard

    def _hear(self, chunks: int, heard: list[int]) -> None:
        """
        The other party: answer every chunk.
        """
        assert self.far is not None
        buffer, octets = bytearray(), 0
        total = chunks * CHUNK
        while octets < total:
            data = self.far.recv(_READ)
            assert data, "closed"
            buffer += data
            if first := _EMPTY.match(buffer):
                # What begins the session has no body.
                del buffer[: first.end()]
            while head := _HEAD.match(buffer):
                end = buffer.find(b"\r\n-------" + head[1], head.end())
                if end < 0 or len(buffer) < end + len(head[1]) + 12:
                    break
                octets += end - head.end()
                lines = dict(line.split(b": ", 1) for line in head[2].splitlines())
                self.far.sendall(
                    b"MSRP %s 200 OK\r\nTo-Path: %s\r\nFrom-Path: %s\r\n-------%s$\r\n"
                    % (head[1], lines[b"From-Path"], lines[b"To-Path"], head[1])
                )
                del buffer[: end + len(head[1]) + 12]
        heard.append(octets)

    def _countAnswers(self, chunks: int, window: threading.Semaphore) -> None:
        assert self.near is not None
        count, rest = 0, b""
        while count < chunks:
            more = self.near.recv(_READ)
            assert more, "closed"
            data = rest + more
            found = data.count(b"200 OK\r\n")
            rest = data[-7:]
            count += found
            with suppress(ValueError):
                for _ in range(found):
                    window.release()
