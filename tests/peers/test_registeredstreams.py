"""
MSRP and floor control of a UE that registered: through the manual's P-CSCF,
with TLS up to the gateway and plain TCP in the core.
"""

import random
import re
import socket

from tests.adapter.msrppeer import Endpoint
from tests.peers.deadline import until
from tests.peers.floors import CLIENT_HEARD, SERVER_HEARD, Floors, build
from tests.peers.peers import GCC, KAMAILIO, KAMAILIO_TLS, LIBRE, OPENSSL, TSHARK, needs
from tests.peers.ports import freePort
from tests.peers.streamcase import HOST, NOWHERE, StreamTestCase
from tests.peers.tlsends import OpenSSL, Pipe, carry, piped

#: Octets of the file, and from how many places of it some are looked for.
FILE = 20_000_000
PLACES = 200
SAMPLE = 32


@needs(KAMAILIO, KAMAILIO_TLS, OPENSSL, TSHARK)
class MessageTests(StreamTestCase):
    """
    MSRP.
    """

    media, plain, secured = "message", "TCP/MSRP", "TCP/TLS/MSRP"

    def setUp(self) -> None:
        """
        Have both ends.
        """
        super().setUp()
        self.waiting = freePort()
        self.ends(NOWHERE)
        self.data = random.Random(1).randbytes(FILE)

    def ends(self, port: int) -> None:
        """
        Describe them.

        @param port: where the UE is.
        """
        self.mine = Endpoint(f"msrps://{HOST}:{port}/terminal12;tcp")
        self.yours = Endpoint(f"msrp://{HOST}:{self.listening}/telephone12;tcp")
        self.ueSays = ("a=accept-types:*", f"a=path:{self.mine.uri}")
        self.telephoneSays = ("a=accept-types:*", f"a=path:{self.yours.uri}")

    def assertAgreed(self) -> None:
        """
        And the paths are the gateway's.
        """
        super().assertAgreed()
        self.mine.path, self.yours.path = (
            re.findall(r"a=path:(\S+)", each)[0] for each in (self.near, self.far)
        )

    def assertWires(self) -> None:
        """
        No piece of the file nor of MSRP is on the wire of the access side, and
        tshark finds MSRP in the core.
        """
        pieces = [self.data[at : at + SAMPLE] for at in range(0, FILE, FILE // PLACES)]
        self.assertProtected(b"MSRP ", b"SEND\r\n", b"To-Path", *pieces)
        decoded = self.coreWire.decoded("msrp", "msrp.method")
        self.assertIn("SEND", decoded)
        self.assertGreater(len(decoded), 20)
        self.assertEqual(self.accessWire.decoded("msrp", "msrp.method"), [])

    def test_R_45_registeredUECalls(self) -> None:
        """
        The UE calls, connects, and sends a file of 20 MB to the core.
        """
        self.watch()
        self.originate("actpass")
        pipes: list[Pipe] = [self.client(self.mine).pipe, piped(self.taken(), self.yours)]
        carry(self.data, self.mine, self.yours, pipes)
        self.hangUp()
        self.assertWires()
        self.assertEqual(self.event("Secured")["call-id"], self.callID)

    def test_R_45_registeredUEIsCalled(self) -> None:
        """
        The UE is called, waits, and gets a file of 20 MB from the core.
        """
        self.connects = False
        self.ends(self.waiting)
        self.watch(self.waiting)
        server = self.server(self.waiting, self.mine)
        self.terminate("passive", self.waiting)
        pipes = [server.pipe, piped(self.connected(), self.yours)]
        self.yours.begin()
        carry(self.data, self.yours, self.mine, pipes)
        self.hangUp()
        self.assertWires()


@needs(KAMAILIO, KAMAILIO_TLS, OPENSSL, TSHARK, LIBRE, GCC)
class FloorTests(StreamTestCase):
    """
    BFCP of libre's.
    """

    media, plain, secured = "application", "TCP/BFCP", "TCP/TLS/BFCP"
    ueSays = ("a=floorctrl:c-only", "a=bfcpver:1", "a=connection:new")
    telephoneSays = (
        "a=floorctrl:s-only",
        "a=confid:4321",
        "a=userid:1234",
        "a=floorid:1 mstrm:10",
        "a=bfcpver:1",
        "a=connection:new",
    )

    def setUp(self) -> None:
        """
        Build both ends.
        """
        super().setUp()
        self.program = build(self.directory)
        self.waiting = freePort()

    def assertFloor(self, tls: OpenSSL, there: socket.socket) -> None:
        """
        The UE asks for the floor and gets it; nothing of that is on the wire of
        the access side, and tshark finds BFCP in the core.
        """
        for line in self.telephoneSays[:4]:
            self.assertIn(f"{line}\r\n", self.near)
        self.assertIn("a=floorctrl:c-only\r\n", self.far)
        there.settimeout(None)
        server = Floors(self.program, "server", "pipe", source=there, sink=there)
        self.addCleanup(server.end)
        source, sink = tls.hand()
        client = Floors(self.program, "client", "pipe", source=source, sink=sink)
        self.addCleanup(client.end)
        until(
            lambda: client.heard()[-1:] == ["done"],
            "the client is done",
            explain=lambda: (client.heard(), server.heard(), tls.said),
        )
        heard = client.heard()
        heard.remove("FloorStatus")
        self.assertEqual(heard, [*CLIENT_HEARD, "done"])
        self.assertEqual([each for each in server.heard() if each != "done"], SERVER_HEARD)
        self.hangUp()
        # Conference, and the user behind the transaction: of every message.
        identities = re.compile(rb"\x00\x00\x10\xe1..\x04\xd2", re.DOTALL)
        self.assertProtected()
        self.assertIsNone(identities.search(self.accessWire.octets()))
        self.assertIsNotNone(identities.search(self.coreWire.octets()))
        primitives = self.coreWire.decoded("bfcp", "bfcp.primitive", "--enable-heuristic", "bfcp_tcp")
        # Hello, HelloAck, FloorRequest, FloorRelease.
        said = {each for line in primitives for each in line.split(",")}
        self.assertLessEqual({"11", "12", "1", "2"}, said)
        self.assertEqual(
            self.accessWire.decoded("bfcp", "bfcp.primitive", "--enable-heuristic", "bfcp_tcp"), []
        )

    def test_R_53_registeredUECalls(self) -> None:
        """
        The UE calls and connects.
        """
        self.watch()
        self.originate("actpass")
        self.assertFloor(self.client(), self.taken())

    def test_R_52_registeredUEWaits(self) -> None:
        """
        The UE is called and waits, as the server of TLS.
        """
        self.connects = False
        self.watch(self.waiting)
        server = self.server(self.waiting)
        self.terminate("passive", self.waiting)
        self.assertFloor(server, self.connected())

    def test_R_53_registeredUEIsCalled(self) -> None:
        """
        The UE is called and connects, and the core's server does, too.
        """
        self.watch()
        self.terminate("active", offer="active")
        self.assertFloor(self.client(), self.connected())
