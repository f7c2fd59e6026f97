"""
Calls with floor control: data channels, TCP and UDP on either side.
"""

from dataclasses import replace
from typing import Any, ClassVar

from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock

from e2aegw.adapter import bfcp
from e2aegw.gateway.ports import PortPool
from e2aegw.gateway.service import Route
from e2aegw.interfaces import IDatagramNetwork
from e2aegw.sansio.datachannel import ChannelMap, explode
from e2aegw.sansio.events import LineRefused, PartySilent
from e2aegw.sansio.sdp import Description, Section, Side
from e2aegw.sansio.terms import Terms
from tests.gateway.fax import FaxUE
from tests.gateway.fixture import ROUTES, GatewayTestCase
from tests.gateway.floors import FLOOR_STATUS, GOODBYE, HELLO, FloorClient, FloorEnd, FloorServer
from tests.transport.carriers import ANSWER, OFFER, Party
from tests.transport.connection import Connection, join

UE, FAR = "198.51.100.7", "203.0.113.7"
#: What a floor control server says of itself.
SERVES = ("floorctrl:s-only", "confid:4321", "userid:1234", "floorid:1 m-stream:10 11", "floorid:2 mstrm:10")


def description(host: str, *lines: str, version: int = 1) -> str:
    """
    A description.
    """
    first = ["v=0", f"o=- 1 {version} IN IP4 {host}", "s=-", f"c=IN IP4 {host}", "t=0 0"]
    return "\r\n".join([*first, *lines, ""])


class Voice(Protocol):
    """
    Carries what an end says in a data channel.
    """

    def __init__(self, end: FloorEnd) -> None:
        self.end = end
        end.send = self.write

    def write(self, data: bytes) -> None:
        """
        Say it.
        """
        transport: Any = self.transport
        transport.write(data)

    def dataReceived(self, data: bytes) -> None:
        """
        Hear it.
        """
        self.end.receive(data)


class FloorTestCase(GatewayTestCase):
    """
    A UE on the access side and somebody on the core side.
    """

    factory = bfcp.Factory(clock=Clock())
    routes: ClassVar[tuple[Route, ...]] = ROUTES

    def setUp(self) -> None:
        """
        Begin a call.
        """
        clock = self.makeClock()
        self.makeClock = lambda: clock  # type: ignore[method-assign]
        factory = bfcp.Factory(clock=clock)
        self.routes = (*ROUTES, Route(factory, factory))  # type: ignore[misc]
        super().setUp()
        self.session = self.gateway.newSession("floor")

    def tearDown(self) -> None:
        """
        End it.
        """
        self.session.close()
        super().tearDown()
        self.assertEqual(self.network.ports, {})

    def makeClock(self) -> Clock:
        """
        A reactor, for TCP.
        """
        return MemoryReactorClock()

    def offer(self, text: str, side: Side = Side.ACCESS, terms: Terms = OFFER) -> list[Section]:
        """
        One party offers.

        @return: what the other one gets.
        """
        return Description.parse(self.result(self.session.offer(text, side, terms))).sections

    def answer(self, text: str) -> list[Section]:
        """
        The other one answers.

        @return: what the first one gets.
        """
        return Description.parse(self.result(self.session.answer(text))).sections

    def accept(self, end: FloorEnd, host: str) -> Connection:
        """
        The gateway connects to an end.
        """
        self.clock.advance(0)
        reactor: Any = self.clock
        (client,) = reactor.tcpClients
        reactor.tcpClients.clear()
        self.assertEqual(client[0], host)
        return self._joined(client[2], end)

    def connect(self, end: FloorEnd, port: int) -> Connection:
        """
        An end connects to the gateway.
        """
        reactor: Any = self.clock
        (factory,) = (server[1] for server in reactor.tcpServers if server[0] == port)
        return self._joined(factory, end)

    def _joined(self, factory: Any, end: FloorEnd) -> Connection:
        connection = join(factory.buildProtocol(None))
        assert connection is not None
        connection.write = end.receive  # type: ignore[method-assign]
        end.send = connection.protocol.dataReceived
        # What waited for the connection.
        end.receive(connection.value())
        return connection

    def datagrams(self, end: FloorEnd, host: str, port: int, section: Section) -> Any:
        """
        An end sends from a UDP port to where a section says.
        """
        bound = self.network.bind((host, port), lambda data, source: end.receive(data))
        end.send = lambda data: bound.sendto(data, (str(section.address), section.port))
        self.addCleanup(bound.close)
        return bound

    def assertConversation(self, client: FloorClient, server: FloorServer) -> None:
        """
        Everything that a client asks, and something unasked, crosses.
        """
        for transaction, expected in enumerate(client.conversation(), 1):
            self.network.flush()
            self.assertEqual(client.responses[transaction][1], expected)
        server.announce()
        self.network.flush()
        self.assertEqual([notice[1] for notice in client.notices], [FLOOR_STATUS])


class ChannelTests(FloorTestCase):
    """
    A browser's data channel, and TCP.
    """

    def setUp(self) -> None:
        """
        Have a browser.
        """
        super().setUp()
        self.pool = PortPool(self.network, UE, 50000, 50003)
        self.browser = Party(self.clock, self.pool, 0)

    def tearDown(self) -> None:
        """
        Let it go.
        """
        self.session.close()
        self.browser.carrier.loseConnection()
        super().tearDown()

    def call(self, end: FloorEnd, *attributes: str, subprotocol: str = "bfcp") -> list[Section]:
        """
        The browser calls.

        @return: what the core gets.
        """
        channel = ChannelMap(streamID=2, label="floors", subprotocol=subprotocol)
        self.share, _ = self.browser.share(channel, Voice(end))
        section = self.browser.section(OFFER)
        return self.offer(
            description(
                UE,
                f"m=application {section.port} UDP/DTLS/SCTP webrtc-datachannel",
                *map(str, section.lines),
                str(channel.line()),
                *(f"a=dcsa:2 {each}" for each in attributes),
                "m=audio 6000 RTP/AVP 0",
                "a=label:10",
            )
        )

    def test_R_90_client(self) -> None:
        """
        A browser that is the client: attributes cross in both directions, and
        messages one for one, to the letter.
        """
        client, server = FloorClient(reliable=True), FloorServer(reliable=True)
        floor, audio = self.call(client, "floorctrl:c-only", "bfcpver:1", "setup:actpass", "connection:new")
        self.assertEqual((floor.media, floor.proto, floor.formats), ("application", "TCP/BFCP", ("*",)))
        self.assertEqual((floor.get("floorctrl"), floor.get("bfcpver")), ("c-only", "1"))
        self.assertEqual(floor.get("setup"), "actpass")
        self.assertEqual(audio.get("label"), "10")
        names = {line.name for line in floor.lines}
        self.assertTrue(names.isdisjoint({"dcmap", "dcsa", "fingerprint", "sctp-port", "tls-id"}))
        carrier, _ = self.answer(
            description(
                FAR,
                "m=application 5070 TCP/BFCP *",
                *(f"a={each}" for each in SERVES),
                "a=bfcpver:1",
                "a=setup:passive",
                "a=connection:new",
                "m=audio 6002 RTP/AVP 0",
                "a=label:10",
            )
        )
        ((channel, child),) = explode(carrier)
        self.assertEqual((channel.streamID, channel.subprotocol), (2, "bfcp"))
        for name in ("floorctrl", "confid", "userid", "floorid"):
            said = [each.partition(":")[2] for each in SERVES if each.startswith(name)]
            self.assertEqual(child.all(name), said)
        self.assertEqual(
            (child.get("bfcpver"), child.get("setup"), child.get("connection")), ("1", "passive", "new")
        )
        self.browser.carrier.configure(carrier, ANSWER)()
        self.accept(server, FAR)
        self.network.flush()
        self.assertConversation(client, server)
        self.assertEqual(server.heard, client.said)
        self.assertEqual(client.heard, server.said)

    def test_R_92_server(self) -> None:
        """
        A browser that is the server, with the subprotocol in capitals; its
        client in the core connects by itself.
        """
        server, client = FloorServer(reliable=True), FloorClient(reliable=True)
        floor, _ = self.call(server, *SERVES, subprotocol="BFCP")
        self.assertEqual(floor.all("floorid"), ["1 m-stream:10 11", "2 mstrm:10"])
        carrier, _ = self.answer(
            description(
                FAR,
                "m=application 9 TCP/BFCP *",
                "a=floorctrl:c-only",
                "a=bfcpver:1",
                "a=setup:active",
                "m=audio 6002 RTP/AVP 0",
            )
        )
        self.browser.carrier.configure(carrier, ANSWER)()
        self.connect(client, floor.port)
        self.network.flush()
        self.assertConversation(client, server)
        self.assertEqual((server.heard, client.heard), (client.said, server.said))

    def test_R_90_badMessages(self) -> None:
        """
        What is longer than it says, or unknown, does not reach the core: the
        browser is told, and goes on.
        """
        client, server = FloorClient(reliable=True), FloorServer(reliable=True)
        self.call(client, "floorctrl:c-only")
        carrier, _ = self.answer(
            description(FAR, "m=application 5070 TCP/BFCP *", "a=setup:passive", "m=audio 6002 RTP/AVP 0")
        )
        self.browser.carrier.configure(carrier, ANSWER)()
        self.accept(server, FAR)
        self.network.flush()
        hello = bytes.fromhex("200b0000 000010e1 000904d2")
        for bad, code in ((hello + bytes(4), 13), (b"\x20\x63" + hello[2:], 3), (b"\xc0" + hello[1:], 12)):
            client.responses.clear()
            self.share.write(bad)
            self.network.flush()
            self.assertEqual(server.heard, [])
            self.assertEqual(
                client.responses[9], bytes.fromhex("200d0001 000010e1 000904d2 0d03") + bytes((code, 0))
            )
        (media, _), _ = (party.medias for party in self.session.report().parties)
        counted = media.streams[0].counters
        for reason in ("BFCP length", "unknown BFCP primitive", "BFCP version"):
            self.assertEqual(counted["dropped " + reason], 1)
        self.assertConversation(client, server)


class DatagramTests(FloorTestCase):
    """
    UDP on one side, TCP on the other.
    """

    def test_client(self) -> None:
        """
        A client on UDP and a server on TCP: versions are those of each
        transport, repetitions and acknowledgements stay on UDP, everything else
        crosses as it is.
        """
        client, server = FloorClient(reliable=False), FloorServer(reliable=True)
        (floor,) = self.offer(
            description(UE, "m=application 5060 UDP/BFCP *", "a=floorctrl:c-only", "a=bfcpver:2"),
            terms=Terms(transportProtocol="TCP/BFCP"),
        )
        self.assertEqual(
            (floor.proto, floor.all("bfcpver"), floor.get("setup")), ("TCP/BFCP", ["1"], "actpass")
        )
        (own,) = self.answer(
            description(
                FAR, "m=application 5070 TCP/BFCP *", *(f"a={each}" for each in SERVES), "a=setup:passive"
            )
        )
        self.assertEqual((own.proto, own.all("bfcpver"), own.get("floorctrl")), ("UDP/BFCP", ["2"], "s-only"))
        self.assertIsNone(own.get("setup"))
        self.datagrams(client, UE, 5060, own)
        self.accept(server, FAR)
        # Each datagram twice.
        send = client.send
        client.send = lambda data: (send(data), send(data))
        # A response that is doubled is the client's business.
        client.responses = Tolerant()
        self.assertConversation(client, server)
        asked = [each for each in client.said if not each[0] & 0x10]
        self.assertEqual([b"\x20" + each[1:] for each in asked], server.heard)
        self.assertEqual(
            [b"\x20" + each[1:] for each in client.responses.values()],
            [each for each in server.said if each[9]],
        )
        self.assertEqual(
            [each[10:] for each in client.notices], [each[10:] for each in server.said if not each[9]]
        )

    def test_server(self) -> None:
        """
        A client on TCP and a server on UDP that offers, and whose datagrams get
        lost at times.
        """
        client, server = FloorClient(reliable=True), FloorServer(reliable=False)
        lines = [f"a={each}" for each in SERVES]
        (floor,) = self.offer(
            description(UE, "m=application 5060 UDP/BFCP *", *lines),
            terms=Terms(transportProtocol="TCP/BFCP"),
        )
        (own,) = self.answer(
            description(FAR, "m=application 9 TCP/BFCP *", "a=floorctrl:c-only", "a=setup:active")
        )
        self.datagrams(server, UE, 5060, own)
        self.connect(client, floor.port)
        lost: list[bytes] = []

        def lose(data: bytes, source: object, destination: object) -> bool:
            lost.append(data)
            return len(lost) % 3 == 1

        self.network.lose = lose
        for transaction, expected in enumerate(client.conversation(), 1):
            for _ in range(4):
                self.network.flush()
                self.clock.advance(1.0)
            self.assertEqual(client.responses[transaction][1], expected)
        self.assertEqual([each[0] for each in client.heard], [0x20] * 4)
        server.announce()
        server.send(server.said[-1])
        self.network.flush()
        self.assertEqual([each[10:] for each in client.notices], [server.said[-1][10:]])

    def test_silentServer(self) -> None:
        """
        A server on UDP that is gone: the client on TCP hears of it by an Error
        message, and who watches by an event.
        """
        client = FloorClient(reliable=True)
        (floor,) = self.offer(
            description(UE, "m=application 5060 UDP/BFCP *", *(f"a={each}" for each in SERVES)),
            terms=Terms(transportProtocol="TCP/BFCP"),
        )
        self.answer(description(FAR, "m=application 9 TCP/BFCP *", "a=floorctrl:c-only", "a=setup:active"))
        self.connect(client, floor.port)
        client.ask(HELLO)
        self.clock.pump([0.5] * 16)
        self.assertEqual(client.responses[1][1], 13)
        (event,) = self.happened(PartySilent)
        self.assertEqual((event.side, event.protocol), ("access", "BFCP"))

    def test_bothUDP(self) -> None:
        """
        UDP on both sides.
        """
        client, server = FloorClient(reliable=False), FloorServer(reliable=False)
        (floor,) = self.offer(description(UE, "m=application 5060 UDP/BFCP *", "a=floorctrl:c-only"))
        self.assertEqual((floor.proto, floor.get("bfcpver")), ("UDP/BFCP", None))
        (own,) = self.answer(
            description(FAR, "m=application 5070 UDP/BFCP *", *(f"a={each}" for each in SERVES))
        )
        self.datagrams(client, UE, 5060, own)
        self.datagrams(server, FAR, 5070, floor)
        self.assertConversation(client, server)
        self.assertEqual([each for each in client.said if not each[0] & 0x10], server.heard[:4])

    def test_version(self) -> None:
        """
        A version that UDP does not have is refused.
        """
        (floor,) = self.offer(description(UE, "m=application 5060 UDP/BFCP *", "a=bfcpver:1"))
        self.assertEqual(floor.port, 0)
        (event,) = self.happened(LineRefused)
        self.assertEqual(event.reason, "no version of BFCP that can be spoken over this transport")


class FloorUE(FaxUE):
    """
    A terminal with DTLS, of the same sort as those for fax.

    @ivar end: what it speaks.
    """

    proto = "UDP/TLS/BFCP"

    def __init__(self, network: IDatagramNetwork, end: FloorEnd, *attributes: str, host: str = UE) -> None:
        super().__init__(network, host)
        self.attributes = attributes
        self.end = end
        end.send = self.send

    def describe(self, *before: str, lines: tuple[str, ...] = (), port: int | None = None) -> str:
        """
        See L{FaxUE}.
        """
        text = super().describe(*before, lines=lines, port=port)
        return text.replace("m=image", "m=application").replace(" t38", " *")

    def accept(self, sdp: str) -> None:
        """
        See L{FaxUE}.
        """
        super().accept(sdp.replace("m=application", "m=image"))

    def hear(self) -> bool:
        """
        Listen to what arrived.

        @return: whether there was something.
        """
        if not self.received:
            return False
        self.end.receive(self.received.pop(0))
        return True


class SecureDatagramTests(FloorTestCase):
    """
    A UE with DTLS.
    """

    terms = Terms(e2ae=frozenset({"bfcp-tls"}))

    def exchange(self, ue: FloorUE) -> None:
        """
        Let everything arrive.
        """
        self.network.flush()
        while ue.hear():
            self.network.flush()

    def test_R_53_originating(self) -> None:
        """
        A client on DTLS that wants protection up to the edge, and a server on
        TCP: what comes before the handshake's end waits.
        """
        client, server = FloorClient(reliable=False), FloorServer(reliable=True)
        ue = FloorUE(self.network, client, "floorctrl:c-only", "bfcpver:2")
        self.addCleanup(ue.close)
        (floor,) = self.offer(ue.describe(), terms=replace(self.terms, transportProtocol="TCP/BFCP"))
        self.assertEqual((floor.proto, floor.all("bfcpver")), ("TCP/BFCP", ["1"]))
        names = {line.name for line in floor.lines}
        self.assertTrue(names.isdisjoint({"fingerprint", "tls-id", "3ge2ae"}))
        answer = self.result(
            self.session.answer(
                description(
                    FAR, "m=application 5070 TCP/BFCP *", *(f"a={each}" for each in SERVES), "a=setup:passive"
                )
            )
        )
        self.assertIn(" UDP/TLS/BFCP *", answer)
        ue.accept(answer)
        self.accept(server, FAR)
        server.announce()
        ue.hello(client=ue.theirSetup == "passive")
        self.exchange(ue)
        self.assertEqual([each[1] for each in client.notices], [FLOOR_STATUS])
        for transaction, expected in enumerate(client.conversation(), 1):
            self.exchange(ue)
            self.assertEqual(client.responses[transaction][1], expected)
        self.assertTrue(all(20 <= each[0] <= 25 for each in ue.wire))

    def test_R_53_terminating(self) -> None:
        """
        A server on DTLS that is called by a client on TCP.
        """
        client, server = FloorClient(reliable=True), FloorServer(reliable=False)
        ue = FloorUE(self.network, server, *SERVES)
        self.addCleanup(ue.close)
        offer = self.result(
            self.session.offer(
                description(FAR, "m=application 9 TCP/BFCP *", "a=floorctrl:c-only", "a=setup:active"),
                Side.CORE,
                replace(self.terms, transportProtocol="UDP/BFCP"),
            )
        )
        for line in (" UDP/TLS/BFCP *", "a=bfcpver:2", "a=3ge2ae:applied", "a=setup:actpass"):
            self.assertIn(line, offer)
        ue.accept(offer)
        ue.setup, ue.requested = "active", False
        (own,) = self.answer(ue.describe())
        self.assertEqual(own.proto, "TCP/BFCP")
        self.connect(client, own.port)
        ue.hello(client=True)
        for transaction, expected in enumerate(client.conversation(), 1):
            self.exchange(ue)
            self.assertEqual(client.responses[transaction][1], expected)

    def test_R_10_endToEnd(self) -> None:
        """
        Who does not ask for protection up to the edge has it end to end.
        """
        client, server = FloorClient(reliable=False), FloorServer(reliable=False)
        ue = FloorUE(self.network, client, "floorctrl:c-only")
        far = FloorUE(self.network, server, *SERVES, host=FAR)
        for each in (ue, far):
            self.addCleanup(each.close)
            each.requested = False
        far.setup = "active"
        far.accept(self.result(self.session.offer(ue.describe(), Side.ACCESS, self.terms)))
        ue.accept(self.result(self.session.answer(far.describe())))
        self.assertEqual(far.theirFingerprints, [ue.fingerprint])
        far.hello(client=True)
        self.network.flush()
        client.ask(HELLO)
        for _ in range(3):
            self.exchange(ue)
            self.exchange(far)
        self.assertEqual(client.responses[1][1], 12)

    def test_R_07_notAgreed(self) -> None:
        """
        Protection that was not announced at registration is refused.
        """
        ue = FloorUE(self.network, FloorClient(reliable=False), "floorctrl:c-only")
        self.addCleanup(ue.close)
        (floor,) = self.offer(ue.describe(), terms=Terms(e2ae=frozenset({"udptl-dtls"})))
        self.assertEqual(floor.port, 0)


class StreamTests(FloorTestCase):
    """
    TCP on both sides.
    """

    def test_R_51_bothConnect(self) -> None:
        """
        Two parties that both are active meet at the gateway, which is passive
        towards both; what the first one says before the other is there waits.
        """
        client, server = FloorClient(reliable=True), FloorServer(reliable=True)
        (floor,) = self.offer(
            description(
                UE, "m=application 9 TCP/BFCP *", "a=floorctrl:c-only", "a=setup:active", "a=connection:new"
            )
        )
        self.assertEqual(floor.get("setup"), "actpass")
        (own,) = self.answer(
            description(
                FAR, "m=application 9 TCP/BFCP *", *(f"a={each}" for each in SERVES), "a=setup:active"
            )
        )
        self.assertEqual(own.get("setup"), "passive")
        self.connect(client, own.port)
        client.ask(HELLO)
        self.assertEqual(client.heard, [])
        self.connect(server, floor.port)
        self.assertEqual(client.responses[1][1], 12)
        client.ask(GOODBYE)
        self.assertEqual((server.heard, client.heard), (client.said, server.said))


class Tolerant(dict[int, bytes]):
    """
    Responses of a client that does not mind to hear one twice.
    """

    def __contains__(self, transaction: object) -> bool:
        return False
