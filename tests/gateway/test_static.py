"""
Static pipelines on the memory network: L{e2aegw.gateway.static}.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from e2aegw.adapter import relay, rtp, srtp, udptl
from e2aegw.errors import ConfigError, UsageError
from e2aegw.gateway import config
from e2aegw.gateway.config import SideConfig
from e2aegw.gateway.pipelineend import PipelineEnd
from e2aegw.gateway.service import Gateway
from e2aegw.gateway.static import RESTART, Wiring
from e2aegw.interfaces import Address, ISession
from e2aegw.sansio.events import ConnectFailed, LegLost, MediaStarted
from e2aegw.sansio.sdes import Crypto, generate
from e2aegw.sansio.sdp import Side
from e2aegw.sansio.srtp import Context, Profile
from e2aegw.testing import MemoryNetwork
from tests.gateway.fixture import ACCESS, CORE, Witness
from tests.gateway.test_filters import Markers
from tests.sansio.udptlcodec import encode
from tests.transport.connection import Connection, join
from tests.transport.tlspeer import OTHERS, THEIRS, TLSPeer, fingerprintOf

FACTORIES: dict[str, Any] = {
    "relay": relay.Factory(),
    "rtp": rtp.Factory(),
    "srtp": srtp.Factory(),
    "udptl": udptl.Factory(),
}
UE: Address = ("198.51.100.7", 5000)
FAX: Address = ("203.0.113.7", 6000)
PACKET = b"\x80\x00\x00\x01" + bytes(7) + b"\x07speech"


class StaticTestCase(SynchronousTestCase):
    """
    A gateway without a controller.
    """

    def setUp(self) -> None:
        """
        Have a network and a reactor.
        """
        self.reactor: Any = MemoryReactorClock()
        self.network = MemoryNetwork(self.reactor)
        self.witness = Witness()
        self.heard: dict[Address, list[tuple[bytes, Address]]] = {UE: [], FAX: []}
        self.ports = {address: self.network.bind(address, self.hear(address)) for address in (UE, FAX)}

    def hear(self, address: Address) -> Callable[[bytes, Address], None]:
        """
        What remembers the datagrams that come to an address.
        """
        return lambda data, source: self.heard[address].append((data, source))

    def tearDown(self) -> None:
        """
        Nothing is left.
        """
        for port in self.ports.values():
            port.close()
        self.gateway.stopService()
        self.assertEqual(self.network.ports, {})
        self.reactor.advance(100)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def start(
        self,
        access: str,
        core: str,
        connections: int = 2,
        through: tuple[Any, ...] = (),
        patience: float = 0,
    ) -> None:
        """
        Start a gateway with one pipeline.
        """
        ends = PipelineEnd.parse("access", access), PipelineEnd.parse("core", core)
        wiring = Wiring(
            "test",
            ends,
            (FACTORIES[ends[0].kind.adapter], FACTORIES[ends[1].kind.adapter]),
            through,
            connections,
            patience,
        )
        sides = {
            Side.ACCESS: SideConfig(addresses=((ACCESS, ACCESS),), ports=(30000, 30099)),
            Side.CORE: SideConfig(addresses=((CORE, CORE),), ports=(40000, 40099)),
        }
        self.gateway = Gateway(self.reactor, sides, [], network=self.network, wirings=[wiring])
        self.gateway.addObserver(self.witness)
        self.gateway.startService()
        [self.pipeline] = self.gateway.pipelines

    def send(self, sender: Address, to: Address, data: bytes) -> None:
        """
        Send a datagram.
        """
        self.ports[sender].sendto(data, to)
        self.network.flush()


class DatagramTests(StaticTestCase):
    """
    One pair of ports.
    """

    def test_fax(self) -> None:
        """
        Whoever comes to the one port meets the fax server at the other, and
        hears it.
        """
        self.start("udptl:port=4000", "udptl:port=4100:to=203.0.113.7\\:6000")
        fax = encode(0, b"\x01\x02")
        self.send(UE, (ACCESS, 4000), fax)
        self.assertEqual(self.heard[FAX], [(fax, (CORE, 4100))])
        self.send(FAX, (CORE, 4100), fax)
        self.assertEqual(self.heard[UE], [(fax, (ACCESS, 4000))])

    def test_keys(self) -> None:
        """
        Keys of the configuration protect one side.
        """
        theirs, ours = (generate("1", Profile.AES_CM_128_HMAC_SHA1_80) for _ in range(2))

        def said(crypto: Crypto) -> str:
            return str(crypto.line().value).replace(":", "\\:")

        self.start(f"srtp:port=4000:crypto={said(theirs)}:key={said(ours)}", "rtp:to=203.0.113.7\\:6000")
        self.send(UE, (ACCESS, 4000), Context(theirs.keys, inbound=False).protect(PACKET))
        [(packet, source)] = self.heard[FAX]
        self.assertEqual(packet, PACKET)
        self.send(FAX, source, PACKET)
        self.assertEqual(Context(ours.keys, inbound=True).unprotect(self.heard[UE][0][0]), PACKET)

    def test_filters(self) -> None:
        """
        Filters stand between the ends as they do in a route.
        """
        markers = Markers(b"!")
        self.start("rtp:port=4000", "rtp:to=203.0.113.7\\:6000", through=(markers,))
        self.send(UE, (ACCESS, 4000), PACKET)
        self.assertEqual(self.heard[FAX][0][0], PACKET + b"!")

    def test_session(self) -> None:
        """
        Observers are told with what is a session, which is reported and may be
        closed; then the pipeline begins again.
        """
        self.start("rtp:port=4000", "rtp:to=203.0.113.7\\:6000")
        self.send(UE, (ACCESS, 4000), PACKET)
        self.assertIn(MediaStarted(side="access", line=0), self.witness.events)
        [call] = self.pipeline.calls
        verifyObject(ISession, call)
        report = call.report()
        self.assertEqual(report.parties[0].medias[0].streams[0].packets, 1)
        for refused in (call.offer("v=0"), call.answer("v=0")):
            self.failureResultOf(refused, UsageError)
        call.block(False, True)
        self.send(UE, (ACCESS, 4000), PACKET)
        self.assertEqual(len(self.heard[FAX]), 1)
        closed: Deferred[None] = call.whenClosed()
        call.close()
        call.close()
        self.successResultOf(closed)
        self.successResultOf(call.whenClosed())
        self.assertEqual(self.pipeline.calls, set())
        self.reactor.advance(RESTART)
        self.send(UE, (ACCESS, 4000), PACKET)
        self.assertEqual(len(self.heard[FAX]), 2)

    def test_nextParty(self) -> None:
        """
        Whoever came first is the party, until nothing is heard for a while;
        then somebody else may come.
        """
        self.start("rtp:port=4000", "rtp:to=203.0.113.7\\:6000", patience=60)
        self.send(UE, (ACCESS, 4000), PACKET)
        other: Address = ("198.51.100.8", 5000)
        port = self.network.bind(other, self.hear(UE))
        self.ports[other] = port
        self.send(other, (ACCESS, 4000), PACKET)
        self.assertEqual(len(self.heard[FAX]), 1)
        self.reactor.advance(60)
        self.reactor.advance(60)
        self.reactor.advance(RESTART)
        self.send(other, (ACCESS, 4000), PACKET)
        self.assertEqual(len(self.heard[FAX]), 2)

    def test_portTaken(self) -> None:
        """
        A port that somebody else has when the pipeline begins again is tried
        again.
        """
        self.start("rtp:port=4000", "rtp:to=203.0.113.7\\:6000")
        [call] = self.pipeline.calls
        call.close()
        other = self.network.bind((ACCESS, 4000), lambda data, source: None)
        self.reactor.advance(RESTART)
        self.assertEqual(self.pipeline.calls, set())
        other.close()
        self.reactor.advance(RESTART)
        self.assertEqual(len(self.pipeline.calls), 1)


class StreamTests(StaticTestCase):
    """
    Connections.
    """

    def start(self, *arguments: Any, **named: Any) -> None:
        """
        Start, and find where connections come in.
        """
        super().start(*arguments, **named)
        [(self.port, self.door, self.backlog, self.interface)] = self.reactor.tcpServers

    def accept(self) -> Connection | None:
        """
        Somebody connects.
        """
        return join(self.door.buildProtocol(IPv4Address("TCP", "198.51.100.7", 40000)))

    def connect(self) -> Connection:
        """
        The gateway connects.
        """
        self.reactor.advance(0)
        host, port, factory, *_ = self.reactor.tcpClients.pop(0)
        self.assertEqual((host, port), FAX)
        connection = join(factory.buildProtocol(None))
        assert connection is not None
        return connection

    def test_forward(self) -> None:
        """
        For each connection there is one of ours, and octets cross.
        """
        self.start("tcp:port=2855", "tcp:to=203.0.113.7\\:6000")
        self.assertEqual((self.port, self.interface), (2855, ACCESS))
        for words in (b"one", b"two"):
            near = self.accept()
            assert near is not None
            # What comes before the other connection is there waits for it.
            near.protocol.dataReceived(words)
            far = self.connect()
            self.assertEqual(far.value(), words)
            far.protocol.dataReceived(words[::-1])
            self.assertEqual(near.value(), words[::-1])
        self.assertEqual(len(self.pipeline.calls), 2)

    def test_limit(self) -> None:
        """
        One connection too many is closed.
        """
        self.start("tcp:port=2855", "tcp:to=203.0.113.7\\:6000")
        self.assertIsNotNone(self.accept())
        self.assertIsNotNone(self.accept())
        self.assertIsNone(self.accept())
        self.assertEqual(self.pipeline.refused, 1)

    def test_end(self) -> None:
        """
        When one end closes the other is closed, and makes room.
        """
        self.start("tcp:port=2855", "tcp:to=203.0.113.7\\:6000", connections=1)
        near = self.accept()
        assert near is not None
        far = self.connect()
        near.abortConnection()
        self.assertFalse(far.connected)
        self.assertEqual(len([each for each in self.witness.events if isinstance(each, LegLost)]), 1)
        self.assertEqual(self.pipeline.calls, set())
        self.assertIsNotNone(self.accept())

    def test_notBeforeItIsKnown(self) -> None:
        """
        Nobody is connected to for somebody who has not shown the right
        certificate; what the right one says at once is not lost.
        """
        fingerprint = fingerprintOf(THEIRS).replace(":", "\\:")
        self.start(f"tls:port=2855:fingerprint={fingerprint}", "tcp:to=203.0.113.7\\:6000")
        stranger = self.accept()
        assert stranger is not None
        TLSPeer(client=True, identity=OTHERS).join(stranger)
        self.reactor.advance(1)
        self.assertEqual(self.reactor.tcpClients, [])
        self.assertEqual(self.pipeline.calls, set())
        near = self.accept()
        assert near is not None
        self.reactor.advance(1)
        self.assertEqual(self.reactor.tcpClients, [])
        ue = TLSPeer(client=True).join(near)
        ue.say(b"hello")
        far = self.connect()
        self.assertEqual(far.value(), b"hello")
        far.protocol.dataReceived(b"olleh")
        ue.advance()
        self.assertEqual(ue.received, b"olleh")

    def test_otherWay(self) -> None:
        """
        The core may be the one that connects.
        """
        self.start("tcp:to=203.0.113.7\\:6000", "tcp:port=2855")
        self.assertEqual(self.interface, CORE)
        far = self.accept()
        assert far is not None
        near = self.connect()
        far.protocol.dataReceived(b"hello")
        self.assertEqual(near.value(), b"hello")

    def test_nobodyThere(self) -> None:
        """
        If nobody is there to connect to, who came is closed.
        """
        self.start("tcp:port=2855", "tcp:to=203.0.113.7\\:6000")
        near = self.accept()
        assert near is not None
        for _ in range(10):
            self.reactor.advance(10)
            while self.reactor.tcpClients:
                factory = self.reactor.tcpClients.pop(0)[2]
                factory.clientConnectionFailed(None, Failure(ConnectionRefusedError()))
        self.assertFalse(near.connected)
        self.assertEqual(self.pipeline.calls, set())
        self.assertTrue(any(isinstance(each, ConnectFailed) for each in self.witness.events))


class ConfigTests(SynchronousTestCase):
    """
    C{[[pipeline]]}, as far as it is about both ends.
    """

    def test_mistakes(self) -> None:
        """
        Ends that do not go together are refused, with the key.
        """
        for access, core, words in (
            ("tcp:port=1", "udptl:port=2", "tcp and udptl have nothing in common"),
            ("tcp:port=1", "tcp:port=2", "one end has to connect"),
            ("tcp:to=127.0.0.1\\:1", "tcp:to=127.0.0.1\\:1", "one end has to connect"),
            ("tls:port=1", "tcp:to=127.0.0.1\\:1", "access: tls needs fingerprint="),
            ("tcp:setup=passive", "tcp:to=127.0.0.1\\:1", "access: needs port="),
            (
                "rtp:interface=192.0.2.1:port=2",
                "rtp:port=4",
                "access: interface: 192.0.2.1 is not an address",
            ),
        ):
            with self.assertRaises(ConfigError) as caught:
                config.wired(access, core)
            self.assertIn(words, str(caught.exception))

    def test_noAdapterTwice(self) -> None:
        """
        Two pipelines of one name, and one without a connection, are mistakes.
        """
        sides = config.SidesTable(
            access=config.SideTable(address="127.0.0.1", ports="30000-30099"),
            core=config.SideTable(address="127.0.0.1", ports="40000-40099"),
        )
        one = config.PipelineTable(name="a", access="rtp:port=2000", core="rtp:port=2002")
        none = config.PipelineTable(name="a", access="rtp:port=2000", core="rtp:port=2002", connections=0)
        for tables, words in (([one, one], "two of that name"), ([none], "0 are none")):
            with self.assertRaises(ConfigError) as caught:
                config._check(config.FileTable(side=sides, pipeline=tables), Path())
            self.assertIn(words, str(caught.exception))
