"""
A floor control server, in BFCP over TCP (RFC 8855): whoever asks for the floor
is first in the queue, and has it a moment later.
"""

import struct
from collections.abc import Iterator
from typing import Any, Final

from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IDelayedCall, IListeningPort
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from e2aegw.errors import NegotiationError, ResourceError
from e2aegw.interfaces import Address
from e2aegw.sansio.sdp import Line, Section

#: What clients are told in the description, and have to say.
CONFERENCE: Final = 1
USER: Final = 7
FLOOR: Final = 1
#: Seconds in which the one before is supposed to finish his sentence.
PENDING: Final = 1.5
#: Most octets of a message that are read: clients ask short questions.
MAX_MESSAGE: Final = 1024
#: The primitives (clause 5.1) and the states of a request (clause 5.2.5).
FLOOR_REQUEST, FLOOR_RELEASE, FLOOR_REQUEST_STATUS = 1, 2, 4
HELLO, HELLO_ACK, ERROR, GOODBYE, GOODBYE_ACK = 11, 12, 13, 16, 17
ACCEPTED, GRANTED, CANCELLED, RELEASED = 2, 3, 5, 6
#: Codes of errors (clause 5.2.6).
NO_CONFERENCE, NO_USER, UNKNOWN_PRIMITIVE, NO_FLOOR, NO_REQUEST, ONE_AT_A_TIME = 1, 2, 3, 6, 7, 8

_HEADER: Final = struct.Struct("!BBHIHH")
_FLOOR_ID, _FLOOR_REQUEST_ID, _REQUEST_STATUS, _ERROR_CODE = 2, 3, 5, 6
_SUPPORTED_ATTRIBUTES, _SUPPORTED_PRIMITIVES = 10, 11
_FLOOR_REQUEST_INFORMATION, _FLOOR_REQUEST_STATUS, _OVERALL_REQUEST_STATUS = 15, 17, 18


def attribute(kind: int, contents: bytes) -> bytes:
    """
    A mandatory attribute (clause 5.2).
    """
    return bytes((kind << 1 | 1, len(contents) + 2)) + contents + bytes(-(len(contents) + 2) % 4)


def attributes(payload: bytes) -> Iterator[tuple[int, bytes]]:
    """
    The attributes of a message, as far as they are well-formed.
    """
    while len(payload) >= 2 and 2 <= payload[1] <= len(payload):
        yield payload[0] >> 1, payload[2 : payload[1]]
        payload = payload[(payload[1] + 3) & ~3 :]


class _Client(Protocol):
    """
    The connection.

    @ivar request: the number of the request that is under way; 0 for none.
    """

    transport: Any

    def __init__(self, server: "FloorServer") -> None:
        self.request = 0
        self._server = server
        self._buffer = b""
        self._numbers = 0
        self._granted = False
        self._timer: IDelayedCall | None = None

    def dataReceived(self, data: bytes) -> None:
        """
        See C{IProtocol}.
        """
        self._buffer += data
        while len(self._buffer) >= _HEADER.size:
            end = _HEADER.size + 4 * int.from_bytes(self._buffer[2:4], "big")
            if end > MAX_MESSAGE:
                self.transport.abortConnection()
                return
            if len(self._buffer) < end:
                return
            message, self._buffer = self._buffer[:end], self._buffer[end:]
            self._server.messagesReceived += 1
            self._take(message)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        See C{IProtocol}.
        """
        self._stop()
        self._server.lost(self)

    def _take(self, message: bytes) -> None:
        _, primitive, _, conference, transaction, user = _HEADER.unpack_from(message)
        found = dict(attributes(message[_HEADER.size :]))

        def answer(said: int, payload: bytes = b"") -> None:
            self._say(said, payload, transaction, conference, user)

        def fail(code: int) -> None:
            answer(ERROR, attribute(_ERROR_CODE, bytes((code,))))

        if conference != CONFERENCE or user != USER:
            fail(NO_CONFERENCE if conference != CONFERENCE else NO_USER)
        elif primitive == HELLO:
            primitives = bytes((FLOOR_REQUEST, FLOOR_RELEASE, HELLO, GOODBYE))
            known = bytes(each << 1 for each in (_FLOOR_ID, _FLOOR_REQUEST_ID))
            answer(
                HELLO_ACK,
                attribute(_SUPPORTED_PRIMITIVES, primitives) + attribute(_SUPPORTED_ATTRIBUTES, known),
            )
        elif primitive == FLOOR_REQUEST:
            if found.get(_FLOOR_ID) != FLOOR.to_bytes(2, "big"):
                fail(NO_FLOOR)
            elif self.request:
                fail(ONE_AT_A_TIME)
            else:
                self._numbers += 1
                self.request = self._numbers
                answer(FLOOR_REQUEST_STATUS, self._status(ACCEPTED, 1))
                self._timer = self._server.clock.callLater(PENDING, self._grant)
        elif primitive == FLOOR_RELEASE:
            if not self.request or found.get(_FLOOR_REQUEST_ID) != self.request.to_bytes(2, "big"):
                fail(NO_REQUEST)
            else:
                answer(FLOOR_REQUEST_STATUS, self._status(RELEASED if self._granted else CANCELLED))
                self._stop()
        elif primitive == GOODBYE:
            self._stop()
            answer(GOODBYE_ACK)
        else:
            fail(UNKNOWN_PRIMITIVE)

    def _grant(self) -> None:
        """
        What changes is told unasked, without a transaction (clause 13.1.2).
        """
        self._timer = None
        self._granted = True
        self._server.grants += 1
        self._say(FLOOR_REQUEST_STATUS, self._status(GRANTED), 0, CONFERENCE, USER)

    def _status(self, state: int, position: int = 0) -> bytes:
        """
        A FLOOR-REQUEST-INFORMATION attribute (clause 5.2.15).
        """
        number = self.request.to_bytes(2, "big")
        overall = attribute(
            _OVERALL_REQUEST_STATUS, number + attribute(_REQUEST_STATUS, bytes((state, position)))
        )
        each = attribute(_FLOOR_REQUEST_STATUS, FLOOR.to_bytes(2, "big"))
        return attribute(_FLOOR_REQUEST_INFORMATION, number + overall + each)

    def _say(self, primitive: int, payload: bytes, transaction: int, conference: int, user: int) -> None:
        self._server.messagesSent += 1
        header = _HEADER.pack(0x20, primitive, len(payload) // 4, conference, transaction, user)
        self.transport.write(header + payload)

    def _stop(self) -> None:
        self.request, self._granted = 0, False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _Door(Factory):
    noisy = False

    def __init__(self, server: "FloorServer") -> None:
        self._server = server

    def buildProtocol(self, addr: Any) -> _Client | None:
        """
        One connection is a client.
        """
        return self._server.connected()


class FloorServer:
    """
    What answers one section of an offer, and waits to be connected to.

    @ivar address: where it is.
    """

    def __init__(self, clock: Any, host: str, section: Section) -> None:
        """
        @param clock: provides C{IReactorTCP} and C{IReactorTime}.
        @param host: our address.
        @param section: of BFCP over TCP, from the offer.

        @raise NegotiationError: this cannot be agreed to.
        @raise ResourceError: there is no port.
        """
        if section.proto.upper() != "TCP/BFCP":
            raise NegotiationError(f"the floor control server speaks BFCP over TCP, not {section.proto}")
        if "c-only" not in (section.get("floorctrl") or "c-only").split():
            raise NegotiationError("there is a floor control server already")
        if section.get("setup") == "passive":
            raise NegotiationError("the floor control server waits to be connected to")
        self.clock = clock
        self.messagesReceived = self.messagesSent = self.grants = 0
        self._client: _Client | None = None
        try:
            self._port: IListeningPort | None = clock.listenTCP(0, _Door(self), 1, host)
        except CannotListenError as e:
            raise ResourceError(f"the floor control server has no port: {e.socketError}") from None
        where: Any = self._port.getHost()
        self.address: Address = (host, where.port)

    def describe(self) -> Section:
        """
        The section of the answer (RFC 8856 clause 10.2).
        """
        host, port = self.address
        lines = [
            Line("floorctrl", "s-only"),
            Line("confid", str(CONFERENCE)),
            Line("userid", str(USER)),
            Line("floorid", f"{FLOOR} mstrm:voice"),
            Line("bfcpver", "1"),
            Line("setup", "passive"),
            Line("connection", "new"),
        ]
        return Section("application", port, "TCP/BFCP", ["*"], address=host, lines=lines)

    def report(self) -> dict[str, Any]:
        """
        What it has counted.
        """
        peer = None if self._client is None else self._client.transport.getPeer()
        return {
            "address": _text(*self.address),
            "remote": None if peer is None else _text(peer.host, peer.port),
            "messagesReceived": self.messagesReceived,
            "messagesSent": self.messagesSent,
            "grants": self.grants,
        }

    def connected(self) -> _Client | None:
        """
        Somebody connects.
        """
        if self._client is not None or self._port is None:
            return None
        self._client = _Client(self)
        return self._client

    def lost(self, client: _Client) -> None:
        """
        A connection is no more; another may come.
        """
        if self._client is client:
            self._client = None

    def close(self) -> None:
        """
        Let go of the port and the connection, now.
        """
        port, self._port = self._port, None
        if port is not None:
            port.stopListening()
        if self._client is not None and self._client.transport is not None:
            self._client.transport.abortConnection()


def _text(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


__all__ = ["FloorServer"]
