"""
Floor control clients and servers, as small as RFC 8855 lets them be and
written on nothing but it.
"""

import struct
from collections.abc import Callable, Iterator

FLOOR_REQUEST, FLOOR_RELEASE, FLOOR_REQUEST_STATUS, FLOOR_QUERY, FLOOR_STATUS = 1, 2, 4, 7, 8
HELLO, HELLO_ACK, ERROR, FLOOR_REQUEST_STATUS_ACK, FLOOR_STATUS_ACK, GOODBYE, GOODBYE_ACK = range(11, 18)
GRANTED, RELEASED = 3, 6
CONFERENCE, USER, FLOOR = 4321, 1234, 1

_HEADER = struct.Struct("!BBHIHH")


def attribute(kind: int, contents: bytes) -> bytes:
    """
    A mandatory attribute (clause 5.2).
    """
    length = len(contents) + 2
    return bytes((kind << 1 | 1, length)) + contents + bytes(-length % 4)


def status(state: int, floor: int, request: int = 1) -> bytes:
    """
    A FLOOR-REQUEST-INFORMATION attribute (clause 5.2.15).
    """
    overall = attribute(18, struct.pack("!H", request) + attribute(5, bytes((state, 0))))
    each = attribute(17, struct.pack("!H", floor) + attribute(5, bytes((state, 0))))
    return attribute(15, struct.pack("!H", request) + overall + each)


class FloorEnd:
    """
    What both ends have in common.

    @ivar send: carries a datagram, a message or octets.
    @ivar heard: the messages that came, whole.
    @ivar said: those that went.
    """

    def __init__(self, *, reliable: bool, send: Callable[[bytes], object] = lambda data: None) -> None:
        self.reliable = reliable
        self.send = send
        self.heard: list[bytes] = []
        self.said: list[bytes] = []
        self._buffer = b""

    def receive(self, data: bytes) -> None:
        """
        Octets came; over UDP, a datagram.
        """
        self._buffer += data
        for message in list(self._messages()):
            self.heard.append(message)
            first, primitive, _, _, transaction, _ = _HEADER.unpack_from(message)
            assert first == (first & 0x10 | 0x40 if not self.reliable else 0x20), hex(first)
            self.take(primitive, bool(first & 0x10), transaction, message)

    def _messages(self) -> Iterator[bytes]:
        while len(self._buffer) >= 12:
            end = 12 + 4 * int.from_bytes(self._buffer[2:4], "big")
            if len(self._buffer) < end:
                assert self.reliable
                return
            message, self._buffer = self._buffer[:end], self._buffer[end:]
            yield message

    def say(self, primitive: int, payload: bytes = b"", *, transaction: int, response: bool = False) -> bytes:
        """
        Send a message.
        """
        first = 0x20 if self.reliable else 0x50 if response else 0x40
        header = _HEADER.pack(first, primitive, len(payload) // 4, CONFERENCE, transaction, USER)
        self.said.append(header + payload)
        self.send(header + payload)
        return header + payload

    def take(self, primitive: int, response: bool, transaction: int, message: bytes) -> None:
        """
        A message came.
        """
        raise NotImplementedError

    @property
    def primitives(self) -> list[int]:
        """
        What came.
        """
        return [message[1] for message in self.heard]


class FloorServer(FloorEnd):
    """
    Grants everything.
    """

    _next = 700

    def take(self, primitive: int, response: bool, transaction: int, message: bytes) -> None:
        """
        See L{FloorEnd}.
        """
        answers = {
            HELLO: (HELLO_ACK, attribute(11, bytes((1, 2, 11, 16))) + attribute(10, bytes((4, 10)))),
            FLOOR_REQUEST: (FLOOR_REQUEST_STATUS, status(GRANTED, FLOOR)),
            FLOOR_RELEASE: (FLOOR_REQUEST_STATUS, status(RELEASED, FLOOR)),
            FLOOR_QUERY: (FLOOR_STATUS, attribute(2, struct.pack("!H", FLOOR))),
            GOODBYE: (GOODBYE_ACK, b""),
        }
        if primitive in answers:
            self.say(*answers[primitive], transaction=transaction, response=True)

    def announce(self) -> bytes:
        """
        Say unasked who has the floor (clause 13.5.2).
        """
        self._next += 1
        return self.say(
            FLOOR_STATUS,
            attribute(2, struct.pack("!H", FLOOR)) + status(GRANTED, FLOOR),
            transaction=0 if self.reliable else self._next,
        )


class FloorClient(FloorEnd):
    """
    Asks.

    @ivar responses: what came in response, by transaction.
    @ivar notices: what came unasked.
    """

    def __init__(self, *, reliable: bool, send: Callable[[bytes], object] = lambda data: None) -> None:
        super().__init__(reliable=reliable, send=send)
        self.responses: dict[int, bytes] = {}
        self.notices: list[bytes] = []
        self._transaction = 0

    def ask(self, primitive: int, payload: bytes = b"") -> int:
        """
        Ask something.

        @return: the transaction.
        """
        self._transaction += 1
        self.say(primitive, payload, transaction=self._transaction)
        return self._transaction

    def take(self, primitive: int, response: bool, transaction: int, message: bytes) -> None:
        """
        See L{FloorEnd}.
        """
        if response or (self.reliable and transaction):
            assert transaction not in self.responses
            self.responses[transaction] = message
            return
        self.notices.append(message)
        if not self.reliable:
            ack = {FLOOR_STATUS: FLOOR_STATUS_ACK, FLOOR_REQUEST_STATUS: FLOOR_REQUEST_STATUS_ACK}
            self.say(ack[primitive], transaction=transaction, response=True)

    def conversation(self) -> Iterator[int]:
        """
        Hello, FloorRequest, FloorRelease and Goodbye.

        @return: the primitive that has to come back for each.
        """
        for primitive, payload, expected in (
            (HELLO, b"", HELLO_ACK),
            (FLOOR_REQUEST, attribute(2, struct.pack("!H", FLOOR)), FLOOR_REQUEST_STATUS),
            (FLOOR_RELEASE, attribute(3, struct.pack("!H", 1)), FLOOR_REQUEST_STATUS),
            (GOODBYE, b"", GOODBYE_ACK),
        ):
            self.ask(primitive, payload)
            yield expected
