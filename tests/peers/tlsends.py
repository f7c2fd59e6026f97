"""
Both ends of a call of MSRP, with the command C{openssl} as TLS, and MSRP as
written from its RFC in L{tests.adapter.msrppeer}.
"""

import os
import select
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from e2aegw.sansio.certificate import Identity
from tests.adapter.msrppeer import Endpoint

#: How long a file of 20 MB may take.
PATIENCE = 60.0
#: Octets of each chunk of it, but the last.
CHUNK = 65536
_READ = 1 << 16


def store(identity: Identity, file: Path) -> Path:
    """
    Write a certificate and its key.
    """
    key = identity.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(identity.certificate.public_bytes(Encoding.PEM) + key)
    return file


class Pipe:
    """
    A stream of which somebody else has the other end.

    @ivar endpoint: what is spoken on it.
    @ivar received: all that came, if nothing is spoken.
    """

    def __init__(self, reading: int, writing: int, endpoint: Endpoint | None) -> None:
        self.reading, self.writing, self.endpoint = reading, writing, endpoint
        self.received = b""
        self.closed = False
        self._out = bytearray()
        os.set_blocking(reading, False)
        os.set_blocking(writing, False)
        if endpoint is not None:
            endpoint.send = self.send

    def send(self, data: bytes) -> None:
        """
        Have something written.
        """
        self._out += data

    def move(self, readable: bool, writable: bool) -> None:
        """
        Read and write what can be.
        """
        if readable:
            try:
                data = os.read(self.reading, _READ)
            except OSError:
                data = b""
            self.closed = self.closed or not data
            if self.endpoint is not None:
                self.endpoint.receive(data)
            else:
                self.received += data
        if writable and self._out:
            try:
                del self._out[: os.write(self.writing, self._out[:_READ])]
            except BlockingIOError:
                return
            except OSError:
                self.closed = True

    @property
    def waits(self) -> bool:
        """
        Whether there is something to write.
        """
        return bool(self._out) and not self.closed


class OpenSSL:
    """
    The command, as client or as server of one connection.

    @ivar pipe: what it deciphers and is given.
    """

    def __init__(self, arguments: Sequence[str], endpoint: Endpoint | None, log: Path) -> None:
        self.log = log
        with log.open("wb") as file:
            self._popen = subprocess.Popen(
                ["openssl", *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=file
            )
        assert self._popen.stdin is not None and self._popen.stdout is not None
        self.pipe = Pipe(self._popen.stdout.fileno(), self._popen.stdin.fileno(), endpoint)

    @classmethod
    def client(
        cls, port: int, certificate: Path | None, endpoint: Endpoint | None, log: Path, *more: str
    ) -> "OpenSSL":
        """
        Connect.
        """
        shown = [] if certificate is None else ["-cert", str(certificate), "-key", str(certificate)]
        return cls(["s_client", "-connect", f"127.0.0.1:{port}", "-quiet", *shown, *more], endpoint, log)

    @classmethod
    def server(
        cls, port: int, certificate: Path, endpoint: Endpoint | None, log: Path, *more: str
    ) -> "OpenSSL":
        """
        Wait for one connection.
        """
        shown = ["-cert", str(certificate), "-key", str(certificate), "-Verify", "1", "-naccept", "1"]
        arguments = ["s_server", "-accept", f"127.0.0.1:{port}", "-quiet", *shown, *more]
        return cls(arguments, endpoint, log)

    @property
    def said(self) -> str:
        """
        What it says of itself.
        """
        return self.log.read_text(errors="replace")

    def hand(self) -> tuple[IO[bytes], IO[bytes]]:
        """
        Have another program read what it deciphers and write what it is given.

        @return: what to read, and what to write.
        """
        reading, writing = self._popen.stdout, self._popen.stdin
        assert reading is not None and writing is not None
        for each in (reading, writing):
            os.set_blocking(each.fileno(), True)
        return reading, writing

    def wait(self) -> None:
        """
        Wait for its end.
        """
        self._popen.wait(PATIENCE)

    def quit(self) -> None:
        """
        Have nothing more to say, so that it says goodbye and ends.
        """
        assert self._popen.stdin is not None
        self._popen.stdin.close()
        self.wait()

    def end(self) -> None:
        """
        End it.
        """
        self._popen.kill()
        self._popen.wait()
        for file in (self._popen.stdin, self._popen.stdout):
            if file is not None:
                try:
                    file.close()
                except BrokenPipeError:
                    continue  # Nobody will read what was not flushed.


def piped(connection: socket.socket, endpoint: Endpoint) -> Pipe:
    """
    A TCP connection as a pipe.
    """
    return Pipe(connection.fileno(), connection.fileno(), endpoint)


def move(pipes: Sequence[Pipe], done: Callable[[], bool], seconds: float = PATIENCE) -> None:
    """
    Move bytes until something is so.

    @param done: called again and again.

    @raise AssertionError: it does not become so.
    """
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise AssertionError(f"not done; {[(len(each.received), each.closed) for each in pipes]}")
        reading = [each.reading for each in pipes if not each.closed]
        writing = [each.writing for each in pipes if each.waits]
        readable, writable, _ = select.select(reading, writing, [], 0.1)
        for each in pipes:
            each.move(each.reading in readable, each.writing in writable)


def carry(data: bytes, near: Endpoint, far: Endpoint, pipes: Sequence[Pipe]) -> None:
    """
    Send a file in chunks of 64 KB, and have it reported.

    @raise AssertionError: it does not arrive as it is.
    """
    near.say(data, "file", "Success-Report: yes", chunk=CHUNK)
    move(pipes, lambda: any(each.what == b"REPORT" for each in near.requests))
    if far.messages["file"] != data:
        raise AssertionError("another file arrived")
    refused = [each.what for each in near.responses if each.what != b"200 OK"]
    if refused:
        raise AssertionError(f"not everything was taken: {refused}")
