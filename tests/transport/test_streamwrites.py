"""
Tests for L{e2aegw.transport.stream}: what is given to the system at once.
"""

from collections.abc import Sequence
from typing import Any

from tests.transport import connection
from tests.transport.connection import Connection
from tests.transport.test_stream import StreamTestCase


class Handle:
    """
    A socket that takes so much and no more.

    @ivar room: how much, for each call.
    @ivar taken: what it got.
    """

    def __init__(self, room: Sequence[int]) -> None:
        self.room = list(room)
        self.taken = b""

    def send(self, data: bytes) -> int:
        """
        See C{socket.socket}.

        @raise BlockingIOError: there is no room.
        """
        if not self.room:
            raise BlockingIOError
        taken = data[: self.room.pop(0)]
        self.taken += taken
        return len(taken)

    def sendmsg(self, pieces: Sequence[bytes]) -> int:
        """
        See C{socket.socket}.
        """
        return self.send(b"".join(pieces))


class WriteTests(StreamTestCase):
    """
    The remote party is connected.
    """

    def begin(self, *room: int) -> None:
        """
        It connects.

        @param room: what its socket takes.
        """
        handle = self.handle = Handle(room)
        kind = type("Connection", (Connection,), {"getHandle": lambda own: handle})
        self.patch(connection, "Connection", kind)
        self.offered("active")
        self.connection: Any = self.called()

    def assertWritten(self, taken: bytes, waits: bytes) -> None:
        """
        What the system has, and what waits for the reactor.
        """
        self.assertEqual((self.handle.taken, self.connection.value()), (taken, waits))

    def answer(self, *pieces: bytes) -> None:
        """
        Say something to what is being read.
        """
        self.speaker.dataReceived = lambda data: self.speak(pieces)  # type: ignore[method-assign]
        self.connection.protocol.dataReceived(b"x")

    def speak(self, pieces: Sequence[bytes]) -> None:
        """
        Say it; it is not written yet.
        """
        for each in pieces:
            self.transport.write(each)
        self.assertWritten(b"", b"")

    def test_atOnce(self) -> None:
        """
        What the system takes does not wait for the reactor.
        """
        self.begin(100)
        self.transport.write(b"hello")
        self.assertWritten(b"hello", b"")
        self.end()

    def test_rest(self) -> None:
        """
        What it does not take waits, all that follows comes behind that, and
        when nothing waits any more the system is asked again.
        """
        self.begin(2, 100)
        self.transport.write(b"abcd")
        self.assertWritten(b"ab", b"cd")
        self.reactor.getWriters = lambda: [self.connection]
        self.transport.write(b"ef")
        self.assertWritten(b"ab", b"cdef")
        self.reactor.getWriters = lambda: [object()]
        self.transport.write(b"gh")
        self.assertWritten(b"abgh", b"cdef")
        self.end()

    def test_together(self) -> None:
        """
        What is said to what is being read goes out together.
        """
        self.begin(100)
        self.answer(b"one", b"two")
        self.assertWritten(b"onetwo", b"")
        self.end()

    def test_part(self) -> None:
        """
        If there is not enough room for it, the rest waits.
        """
        self.begin(4)
        self.answer(b"one", b"two")
        self.assertWritten(b"onet", b"wo")
        self.end()

    def test_noRoom(self) -> None:
        """
        If there is none, all of it does.
        """
        self.begin()
        self.answer(b"one", b"two")
        self.assertWritten(b"", b"onetwo")
        self.end()

    def test_many(self) -> None:
        """
        More pieces than the system takes at a time arrive, in order.
        """
        self.begin(1 << 20)
        pieces = [b"%04d" % number for number in range(2000)]
        self.answer(*pieces)
        self.assertEqual(self.handle.taken + self.connection.value(), b"".join(pieces))
        self.end()
