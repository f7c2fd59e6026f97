"""
Floor control between a client and a server of libre's, through the gateway.
"""

import re
import socket
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.peers.browsers import Chromium, Pages
from tests.peers.deadline import until
from tests.peers.floors import CLIENT_HEARD, SERVER_HEARD, Floors, Identity, PageChannel, Tunnel, build
from tests.peers.gateway import Gateway
from tests.peers.ng import NG
from tests.peers.peers import CHROMIUM, GCC, LIBRE, needs
from tests.peers.ports import freePort

ROUTE = '\n[[route]]\naccess = "bfcp"\ncore = "bfcp"\n'
HOST = "127.0.0.1"
CLIENT = ("a=floorctrl:c-only",)
SERVER = ("a=floorctrl:s-only", "a=confid:4321", "a=userid:1234", "a=floorid:1 mstrm:10")


def description(port: int, proto: str, *lines: str) -> str:
    """
    A description.
    """
    first = ["v=0", f"o=- 1 1 IN IP4 {HOST}", "s=-", f"c=IN IP4 {HOST}", "t=0 0"]
    return "\r\n".join([*first, f"m=application {port} {proto} *", *lines, ""])


def port(sdp: str) -> int:
    """
    The first port of a description.
    """
    found = re.search(r"^m=application (\d+) ", sdp, re.MULTILINE)
    assert found is not None, sdp
    return int(found[1])


@needs(LIBRE, GCC)
class FloorTestCase(SynchronousTestCase):
    """
    A gateway and libre.
    """

    def setUp(self) -> None:
        """
        Start one and build the other.
        """
        directory = tempfile.TemporaryDirectory(prefix="e2aegw-")
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        self.program = build(self.directory)
        self.gateway = Gateway(self.directory, ROUTE, 20)
        self.addCleanup(self.gateway.end)
        self.ng = NG(self.gateway.ngPort)
        self.addCleanup(self.ng.close)

    def offer(self, sdp: str, **keys: object) -> str:
        """
        The access party calls.

        @return: what the core party gets.
        """
        words: dict[str, object] = {"direction": ["access", "core"], **keys}
        reply = self.ng.command("offer", call_id="floors", from_tag="a", sdp=sdp, **words)
        self.assertEqual(reply.get("result"), "ok", reply)
        return str(reply["sdp"])

    def answer(self, sdp: str) -> str:
        """
        The core party answers.

        @return: what the access party gets.
        """
        reply = self.ng.command("answer", call_id="floors", from_tag="a", to_tag="b", sdp=sdp)
        self.assertEqual(reply.get("result"), "ok", reply)
        return str(reply["sdp"])

    def start(self, role: str, *words: str, source: object = None, sink: object = None) -> Floors:
        """
        Start one of libre's ends.

        @param source, sink: what it reads and writes, if not UDP.
        """
        if source is None:
            end = Floors(self.program, role, *words)
        else:
            end = Floors(self.program, role, *words, source=source, sink=sink)
        self.addCleanup(end.end)
        return end

    def listen(self) -> tuple[socket.socket, int]:
        """
        A port of TCP to connect to.
        """
        listening = socket.create_server((HOST, 0))
        self.addCleanup(listening.close)
        listening.settimeout(10)
        return listening, listening.getsockname()[1]

    def take(self, listening: socket.socket) -> socket.socket:
        """
        The gateway's connection.
        """
        connection, _ = listening.accept()
        self.addCleanup(connection.close)
        connection.settimeout(None)
        return connection

    def connect(self, where: int) -> socket.socket:
        """
        A connection to the gateway.
        """
        connection = socket.create_connection((HOST, where), 10)
        self.addCleanup(connection.close)
        connection.settimeout(None)
        return connection

    def assertConversation(self, client: Floors, server: Floors, *, carry: object = None) -> None:
        """
        The client gets all that it asks for, in order, and the server was
        asked; in between it says something unasked.
        """

        def done() -> bool:
            if callable(carry):
                carry()
            return bool(client.heard()[-1:] == ["done"] or client.process.poll() is not None)

        until(done, "the client is done", explain=lambda: (client.heard(), server.heard()))
        heard = client.heard()
        self.assertIn("FloorStatus", heard)
        heard.remove("FloorStatus")
        self.assertEqual(heard, [*CLIENT_HEARD, "done"])
        self.assertEqual([each for each in server.heard() if each != "done"], SERVER_HEARD)
        self.assertEqual(self.ng.command("delete", call_id="floors", from_tag="a")["result"], "ok")


class DatagramTests(FloorTestCase):
    """
    UDP on the access side.
    """

    def test_clientToTCP(self) -> None:
        """
        A client on UDP and a server on TCP, to which the gateway connects.
        """
        listening, number = self.listen()
        local = freePort()
        self.offer(description(local, "UDP/BFCP", *CLIENT, "a=bfcpver:2"), transport_protocol="TCP/BFCP")
        answer = self.answer(description(number, "TCP/BFCP", *SERVER, "a=bfcpver:1", "a=setup:passive"))
        self.assertIn("a=bfcpver:2\r\n", answer)
        connection = self.take(listening)
        server = self.start("server", "pipe", source=connection, sink=connection)
        client = self.start("client", "udp", str(local), str(port(answer)))
        self.assertConversation(client, server)

    def test_serverToTCP(self) -> None:
        """
        A server on UDP and a client on TCP, that connects to the gateway.
        """
        local = freePort()
        offer = self.offer(
            description(local, "UDP/BFCP", *SERVER, "a=bfcpver:2"), transport_protocol="TCP/BFCP"
        )
        self.answer(description(9, "TCP/BFCP", *CLIENT, "a=bfcpver:1", "a=setup:active"))
        server = self.start("server", "udp", str(local))
        connection = self.connect(port(offer))
        client = self.start("client", "pipe", source=connection, sink=connection)
        self.assertConversation(client, server)

    def test_bothUDP(self) -> None:
        """
        UDP on both sides, with all of libre's own transactions.
        """
        local, far = freePort(), freePort()
        self.offer(description(local, "UDP/BFCP", *CLIENT))
        server = self.start("server", "udp", str(far))
        answer = self.answer(description(far, "UDP/BFCP", *SERVER))
        client = self.start("client", "udp", str(local), str(port(answer)))
        self.assertConversation(client, server)


class TLSTests(FloorTestCase):
    """
    TLS, by openssl, on the access side.
    """

    def setUp(self) -> None:
        """
        Have a certificate.
        """
        super().setUp()
        self.identity = Identity(self.directory)

    def tunnel(self, *, connect: int | None = None, accept: int | None = None) -> Tunnel:
        """
        See L{Tunnel}.
        """
        tunnel = Tunnel(self.identity, connect=connect, accept=accept)
        self.addCleanup(tunnel.end)
        return tunnel

    def test_R_53_client(self) -> None:
        """
        A client that calls and connects by TLS, and a server on TCP.
        """
        listening, number = self.listen()
        lines = (*CLIENT, "a=bfcpver:1", "a=setup:active", "a=connection:new", self.identity.fingerprint)
        offer = self.offer(description(9, "TCP/TLS/BFCP", *lines, "a=3ge2ae:requested"), e2ae=["bfcp-tls"])
        self.assertIn(" TCP/BFCP *", offer)
        for gone in ("fingerprint", "tls-id", "3ge2ae"):
            self.assertNotIn(gone, offer)
        answer = self.answer(
            description(number, "TCP/BFCP", *SERVER, "a=bfcpver:1", "a=setup:passive", "a=connection:new")
        )
        for line in ("a=setup:passive", "a=connection:new", "a=fingerprint:", *SERVER):
            self.assertIn(line, answer)
        connection = self.take(listening)
        server = self.start("server", "pipe", source=connection, sink=connection)
        tunnel = self.tunnel(connect=port(answer))
        client = self.start("client", "pipe", source=tunnel.source, sink=tunnel.sink)
        self.assertConversation(client, server)

    def test_R_53_server(self) -> None:
        """
        A server that is called and connected to by TLS, and a client on TCP.
        """
        offer = self.offer(
            description(9, "TCP/BFCP", *CLIENT, "a=bfcpver:1", "a=setup:active", "a=connection:new"),
            direction=["core", "access"],
            e2ae=["bfcp-tls"],
        )
        for line in (
            " TCP/TLS/BFCP *",
            "a=setup:actpass",
            "a=connection:new",
            "a=fingerprint:",
            "a=3ge2ae:applied",
        ):
            self.assertIn(line, offer)
        where = freePort()
        tunnel = self.tunnel(accept=where)
        server = self.start("server", "pipe", source=tunnel.source, sink=tunnel.sink)
        lines = (*SERVER, "a=bfcpver:1", "a=setup:passive", "a=connection:new", self.identity.fingerprint)
        answer = self.answer(description(where, "TCP/TLS/BFCP", *lines))
        self.assertNotIn("fingerprint", answer)
        connection = self.connect(port(answer))
        client = self.start("client", "pipe", source=connection, sink=connection)
        self.assertConversation(client, server)


@needs(LIBRE, GCC, CHROMIUM)
class ChannelTests(FloorTestCase):
    """
    A data channel of Chromium's on the access side.
    """

    def setUp(self) -> None:
        """
        Open a page.
        """
        super().setUp()
        (self.directory / "page").mkdir()
        (self.directory / "page" / "index.html").write_text("<!doctype html><title>floors</title>")
        pages = Pages(self.directory / "page")
        self.addCleanup(pages.end)
        browser = Chromium(self.directory, pages.url)
        self.addCleanup(browser.end)
        self.channel = PageChannel(browser)
        self.addCleanup(self.channel.end)

    def call(self, *lines: str) -> str:
        """
        The browser calls.

        @param lines: the attributes of its channel.
        """
        wrapped = "".join(f"a=dcsa:2 {line[2:]}\r\n" for line in lines)
        dcmap = 'a=dcmap:2 label="floors";subprotocol="bfcp"\r\n'
        return self.offer(self.channel.offer + dcmap + wrapped)

    def accept(self, sdp: str) -> None:
        """
        The browser gets the answer, and its channel opens.
        """
        self.assertIn('a=dcmap:2 label="floors";subprotocol="bfcp"\r\n', sdp)
        self.channel.accept(sdp)
        until(self.channel.isOpen, "the channel opens")

    def test_client(self) -> None:
        """
        The client's messages go through the page; the server is in the core.
        """
        listening, number = self.listen()
        self.call(*CLIENT, "a=bfcpver:1")
        answer = self.answer(description(number, "TCP/BFCP", *SERVER, "a=bfcpver:1", "a=setup:passive"))
        self.assertIn("a=dcsa:2 floorid:1 mstrm:10\r\n", answer)
        self.accept(answer)
        connection = self.take(listening)
        server = self.start("server", "pipe", source=connection, sink=connection)
        client = self.start("client", "pipe", source=self.channel.source, sink=self.channel.sink)
        self.assertConversation(client, server, carry=self.channel.carry)
        self.assertEqual(len(self.channel.carried), 9)

    def test_server(self) -> None:
        """
        The server's messages go through the page; the client is in the core.
        """
        offer = self.call(*SERVER, "a=bfcpver:1")
        self.accept(self.answer(description(9, "TCP/BFCP", *CLIENT, "a=bfcpver:1", "a=setup:active")))
        server = self.start("server", "pipe", source=self.channel.source, sink=self.channel.sink)
        connection = self.connect(port(offer))
        client = self.start("client", "pipe", source=connection, sink=connection)
        self.assertConversation(client, server, carry=self.channel.carry)
        self.assertEqual(len(self.channel.carried), 9)
