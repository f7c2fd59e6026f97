"""
A large file for who reads slowly: the gateway slows its sender down, and holds
no more than it says.
"""

import re
from hashlib import sha256
from random import Random
from typing import Any, ClassVar

from e2aegw.transport.channel import MAX_HELD, MAX_MESSAGE
from tests.gateway.test_session_channels import ChannelTestCase
from tests.transport.connection import Connection, join

#: Octets of the file.  More of them show no more.
SIZE = 30_000_000
#: Octets that the reader takes in a second.
RATE = 1_000_000
#: The part of a file that stands in one request.
CHUNK = 200_000
#: What Twisted's TCP holds before it asks its producer to pause.
TCP_HIGH = 65536

_HEAD = re.compile(rb"MSRP (\S+) (\S+)[^\r\n]*\r\n")


class SlowConnection(Connection):
    """
    Holds what is written until it is read.

    @ivar most: the most that it ever held.
    """

    def __init__(self) -> None:
        super().__init__()
        self.held = bytearray()
        self.most = 0
        self.full = False

    def write(self, data: bytes) -> None:
        """
        Hold it, and say when that is enough.
        """
        self.held += data
        self.most = max(self.most, len(self.held))
        if len(self.held) > TCP_HIGH and self.producer is not None and not self.full:
            self.full = True
            self.producer.pauseProducing()

    def read(self, size: int) -> bytes:
        """
        Read so much, as it comes.
        """
        out = bytearray()
        while self.held and len(out) < size:
            piece = self.held[: size - len(out)]
            del self.held[: len(piece)]
            out += piece
            if not self.held and self.full and self.producer is not None:
                self.full = False
                self.producer.resumeProducing()
        return bytes(out)


class Reader:
    """
    Puts a file together, written from RFC 4975.
    """

    def __init__(self) -> None:
        self.hash = sha256()
        self.size = 0
        self.whole = False
        self._data = bytearray()
        self._searched = 0

    def feed(self, data: bytes) -> list[tuple[bytes, bytes]]:
        """
        Read some.

        @return: transactions to answer, and whom.
        """
        self._data += data
        requests = []
        while (head := _HEAD.match(self._data)) is not None:
            mark = b"-------" + head[1]
            at = self._data.find(mark, max(head.end(), self._searched))
            if at < 0 or len(self._data) < at + len(mark) + 3:
                self._searched = max(0, len(self._data) - len(mark) - 3)
                break
            lines, blank, body = bytes(self._data[head.end() : at]).partition(b"\r\n\r\n")
            if head[2] == b"SEND":
                if blank:
                    self.hash.update(body[:-2])
                    self.size += len(body) - 2
                    self.whole = self._data[at + len(mark) : at + len(mark) + 1] == b"$"
                sender = re.search(rb"From-Path: (\S+)", lines)
                assert sender is not None
                requests.append((head[1], sender[1]))
            del self._data[: at + len(mark) + 3]
            self._searched = 0
        return requests


class LargeFileTests(ChannelTestCase):
    """
    A browser sends a file to a party in the core that reads 1 MB a second.

    @cvar size: how large it is.
    """

    size: ClassVar[int] = SIZE

    def connect(self) -> None:
        """
        Connections that are read slowly.
        """
        self.clock.advance(0)
        reactor: Any = self.clock
        while reactor.tcpClients:
            _, _, factory, *_ = reactor.tcpClients.pop(0)
            connection = join(factory.buildProtocol(None), connection=SlowConnection())
            assert connection is not None
            self.connections.append(connection)
        self.network.flush()

    def test_slowReader(self) -> None:
        """
        All of it arrives, at the reader's pace, and never does the gateway
        hold more of it than L{MAX_HELD} and what is on its way to TCP.
        """
        size = self.size
        (answer,) = self.answered(self.offered(self.browser.offer(0)))
        self.browser.accept(answer)
        self.connect()
        self.browser.chats[0].send = lambda data: None
        share, chat, reader = self.browser.shares[0], self.browser.chats[0], Reader()
        slow: Any = self.connections[0]
        carrier = self.carrier()
        block, sent, expected, most = Random(1).randbytes(CHUNK), 0, sha256(), 0
        began = self.clock.seconds()
        while not reader.whole:
            while sent < size and self.browser.carrier.buffered(share) < CHUNK:
                number, end = sent // CHUNK, min(sent + CHUNK, size)
                body = number.to_bytes(8, "big") + block[8 : end - sent]
                expected.update(body)
                flag = "$" if end == size else "+"
                share.write(
                    f"MSRP tid{number:09d} SEND\r\nTo-Path: {chat.path}\r\nFrom-Path: {chat.uri}\r\n"
                    f"Message-ID: large\r\nByte-Range: {sent + 1}-{end}/{size}\r\n"
                    f"Failure-Report: no\r\nContent-Type: a/b\r\n\r\n".encode()
                    + body
                    + f"\r\n-------tid{number:09d}{flag}\r\n".encode()
                )
                sent = end
                self.network.flush()
            self.clock.advance(0.5)
            self.network.flush()
            most = max(most, carrier._association._transfer.inbound.used)
            for transaction, sender in reader.feed(slow.read(RATE // 2)):
                slow.protocol.dataReceived(
                    b"MSRP %b 200 OK\r\nTo-Path: %b\r\nFrom-Path: %b\r\n-------%b$\r\n"
                    % (transaction, sender, self.far[0].uri.encode(), transaction)
                )
            self.network.flush()
            self.assertLess(self.clock.seconds() - began, 3 * size / RATE)
        self.assertEqual((reader.size, reader.hash.hexdigest()), (size, expected.hexdigest()))
        self.assertGreater(self.clock.seconds() - began, 0.9 * size / RATE)
        self.assertLessEqual(most, MAX_HELD)
        self.assertLessEqual(slow.most, TCP_HIGH + MAX_MESSAGE + CHUNK)

    def carrier(self) -> Any:
        """
        What carries the channels on the gateway's side.
        """
        (session,) = self.gateway.sessions
        return session.streams[0].pipeline.legs[0].transport.carrier  # type: ignore[union-attr]
