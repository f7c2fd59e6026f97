"""
The floor control server at the far end of the demonstration.
"""

import struct
from typing import Any

from twisted.internet.error import CannotListenError, ConnectionDone
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from e2aegw.demo.farend import FarEnd
from e2aegw.demo.floor import CONFERENCE, FLOOR, MAX_MESSAGE, PENDING, USER, FloorServer
from e2aegw.errors import NegotiationError, ResourceError
from e2aegw.sansio.bfcp import Header, checkAttributes
from e2aegw.sansio.sdp import Description, Line, Section
from e2aegw.testing import MemoryNetwork
from tests.demo.test_farend import FAR, GATEWAY, offer

FLOOR_ID = bytes((2 << 1 | 1, 4)) + FLOOR.to_bytes(2, "big")


def section(*lines: Line, proto: str = "TCP/BFCP") -> Section:
    """
    A section of the gateway's offer.
    """
    return Section("application", 40000, proto, ["*"], address=GATEWAY, lines=list(lines))


class FloorTests(SynchronousTestCase):
    """
    A server, and the gateway that connects to it.
    """

    def setUp(self) -> None:
        """
        Offer, and connect.
        """
        self.reactor = MemoryReactorClock()
        self.far = FarEnd(self.reactor, MemoryNetwork(self.reactor), lambda remote: FAR)
        lines = (Line("floorctrl", "c-only"), Line("setup", "actpass"))
        self.answer = Description.parse(self.far.answer(offer(section(*lines))))
        (server,) = self.far.speakers
        assert isinstance(server, FloorServer)
        self.server = server
        self.transport = StringTransport()
        door: Any = self.reactor.tcpServers[0][1]
        self.protocol = door.buildProtocol(None)
        self.protocol.makeConnection(self.transport)
        self.transaction = 0

    def heard(self) -> list[bytes]:
        """
        The messages that came, well-formed.
        """
        data, messages = self.transport.value(), []
        self.transport.clear()
        while data:
            length = Header.parse(data).length
            messages.append(data[:length])
            checkAttributes(messages[-1])
            data = data[length:]
        return messages

    def ask(
        self, primitive: int, payload: bytes = b"", conference: int = CONFERENCE, user: int = USER
    ) -> bytes:
        """
        Ask something.

        @return: the response.
        """
        self.transaction += 1
        head = struct.pack("!BBHIHH", 0x20, primitive, len(payload) // 4, conference, self.transaction, user)
        self.protocol.dataReceived(head + payload)
        (response,) = self.heard()
        self.assertEqual(Header.parse(response).name, (conference, user, self.transaction))
        return response

    def state(self, status: bytes) -> tuple[int, int]:
        """
        What a FloorRequestStatus says: the state and the request's number.
        """
        self.assertEqual(status[1], 4)
        return status[22], int.from_bytes(status[14:16], "big")

    def test_description(self) -> None:
        """
        It says where it is, and what a client has to know.
        """
        (answer,) = self.answer.sections
        self.assertEqual((answer.proto, answer.port), ("TCP/BFCP", self.server.address[1]))
        found = {name: answer.get(name) for name in ("floorctrl", "confid", "userid", "bfcpver", "setup")}
        expected = {"floorctrl": "s-only", "confid": "1", "userid": "7", "bfcpver": "1", "setup": "passive"}
        self.assertEqual(found, expected)
        self.assertEqual((answer.get("floorid") or "").split()[0], str(FLOOR))

    def test_conversation(self) -> None:
        """
        Who asks for the floor is accepted at once and has it a moment later,
        until it is given back.
        """
        self.assertEqual(self.ask(11)[1], 12)
        self.assertEqual(self.state(self.ask(1, FLOOR_ID)), (2, 1))
        self.assertEqual(self.ask(1, FLOOR_ID)[-2], 8)
        self.reactor.advance(PENDING)
        (granted,) = self.heard()
        self.assertEqual((Header.parse(granted).transaction, self.state(granted)), (0, (3, 1)))
        self.assertEqual(self.state(self.ask(2, b"\x07\x04\x00\x01")), (6, 1))
        self.assertEqual(self.state(self.ask(1, FLOOR_ID)), (2, 2))
        self.assertEqual(self.state(self.ask(2, b"\x07\x04\x00\x02")), (5, 2))
        self.reactor.advance(PENDING)
        self.assertEqual(self.heard(), [])
        self.assertEqual(self.ask(16)[1], 17)
        self.assertEqual(self.server.report()["grants"], 1)

    def test_errors(self) -> None:
        """
        What cannot be is answered with the error that says so.
        """
        for code, response in (
            (1, self.ask(11, conference=9)),
            (2, self.ask(11, user=9)),
            (3, self.ask(9)),
            (6, self.ask(1, b"\x05\x04\x00\x09")),
            (6, self.ask(1, b"\x05\x00\x00\x09")),
            (7, self.ask(2, b"\x07\x04\x00\x01")),
        ):
            self.assertEqual((response[1], response[14]), (13, code))

    def test_pieces(self) -> None:
        """
        Messages may come in pieces, but not be as long as nobody's are.
        """
        for octet in bytes.fromhex("200b0000 00000001 00050007"):
            self.protocol.dataReceived(bytes((octet,)))
        self.assertEqual([each[1] for each in self.heard()], [12])
        self.protocol.dataReceived(b"\x20\x0b" + MAX_MESSAGE.to_bytes(2, "big") + bytes(8))
        self.assertTrue(self.transport.disconnected)

    def test_end(self) -> None:
        """
        One connection at a time; and when the call is over nothing is left.
        """
        self.ask(1, FLOOR_ID)
        factory: Any = self.reactor.tcpServers[0][1]
        self.assertIsNone(factory.buildProtocol(None))
        self.protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertIsNone(self.server.report()["remote"])
        again = factory.buildProtocol(None)
        again.makeConnection(self.transport)
        self.assertIsNotNone(self.server.report()["remote"])
        self.far.close()
        self.assertTrue(self.transport.disconnected)
        self.assertIsNone(factory.buildProtocol(None))

    def test_refused(self) -> None:
        """
        What it does not speak, or would have to connect to, is refused; and so
        is a second server.
        """
        for lines, proto in (
            ((), "UDP/BFCP"),
            ((Line("setup", "passive"),), "TCP/BFCP"),
            ((Line("floorctrl", "s-only"),), "TCP/BFCP"),
        ):
            self.assertRaises(NegotiationError, FloorServer, self.reactor, FAR, section(*lines, proto=proto))

    def test_noPort(self) -> None:
        """
        Without a port there is no call.
        """

        def listenTCP(port: int, factory: object, backlog: int, interface: str) -> object:
            raise CannotListenError(interface, port, OSError("taken"))

        self.reactor.listenTCP = listenTCP  # type: ignore[method-assign,assignment]
        self.assertRaises(ResourceError, FloorServer, self.reactor, FAR, section())
