"""
Calls over real sockets, with a datapath and without, on the loopback
interface.
"""

import gc
import os
import random
import resource
import socket
from collections.abc import Callable
from typing import Any, ClassVar

from twisted.trial.unittest import SynchronousTestCase

from e2aegw.gateway.config import LimitsTable, SideConfig
from e2aegw.gateway.service import Gateway
from e2aegw.interfaces import IOffload
from e2aegw.sansio.sdp import Side
from e2aegw.sansio.terms import Terms
from e2aegw.testing import Terminal
from e2aegw.transport.component import LATCH_WINDOW
from e2aegw.transport.datapath import SocketDatapath
from e2aegw.transport.sockets import SocketNetwork
from tests.gateway.fixture import ROUTES
from tests.gateway.telephones import CM80, REQUESTED
from tests.gateway.test_session_dtls import TO_CORE
from tests.gateway.webrtc import Browser
from tests.transport.handreactor import HandReactor, descriptors

#: A loopback address that nobody else on this machine happens to use.
HOST = f"127.{random.randrange(64, 255)}.{random.randrange(256)}.{random.randrange(1, 255)}"
PORTS, MORE_PORTS = (20000, 20199), (20200, 20399)
NO_TERMS = Terms()


class Recorder(SocketDatapath):
    """
    Remembers what it took over.
    """

    def __init__(self, poller: Any) -> None:
        super().__init__(poller)
        self.taken: list[IOffload | None] = []

    def offload(self, *arguments: Any) -> IOffload | None:
        """
        See L{e2aegw.interfaces.IDatapath}.
        """
        taken = super().offload(*arguments)
        self.taken.append(taken)
        return taken


class DatapathTestCase(SynchronousTestCase):
    """
    A UE with SDES and a plain telephone.
    """

    offloads = True
    suites: ClassVar[tuple[str, ...]] = (CM80,)
    host = HOST
    ports = (PORTS, MORE_PORTS)

    def setUp(self) -> None:
        """
        A gateway and telephones on one machine.
        """
        self.before = descriptors()
        self.reactor = HandReactor()
        network = SocketNetwork(self.reactor)
        self.poller = network.poller
        self.datapath = Recorder(network.poller)
        self.gateway = Gateway(
            self.reactor,
            {
                Side.ACCESS: SideConfig(addresses=((self.host, self.host),), ports=self.ports[0]),
                Side.CORE: SideConfig(addresses=((self.host, self.host),), ports=self.ports[1]),
            },
            ROUTES,
            limits=LimitsTable(media_timeout=0, silent_timeout=0, offer_timeout=0),
            network=network,
            datapath=self.datapath if self.offloads else None,
        )
        self.world = SocketNetwork(self.reactor)
        self.ue = Terminal(self.world, self.host, suites=self.suites, lines=REQUESTED)
        self.phone = Terminal(self.world, self.host)
        self.session = self.gateway.newSession("call")

    def tearDown(self) -> None:
        """
        Nothing is left.
        """
        self.session.close()
        self.ue.close()
        self.phone.close()
        for poller in (self.poller, self.world.poller):
            poller.connectionLost(None)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertEqual(self.gateway.portsLent, 0)
        self.assertEqual(descriptors() - self.before, set())

    def call(self, terms: Terms = NO_TERMS) -> str:
        """
        Offer and answer.
        """
        offer = self.successResultOf(self.session.offer(self.ue.offer(), Side.ACCESS, terms))
        answer = self.successResultOf(self.session.answer(self.phone.answer(offer), terms))
        self.ue.accept(answer)
        return offer

    def assertMedia(self) -> None:
        """
        Media passes in both directions.
        """
        for one, other in ((self.ue, self.phone), (self.phone, self.ue)):
            count = len(other.received)
            packets = [one.sendMedia(), one.sendMedia()]
            self.reactor.until(lambda other=other, count=count: len(other.received) == count + 2)  # type: ignore[misc]
            self.assertEqual(other.received[count:], packets)
        self.assertEqual((self.ue.refused, self.phone.refused), (0, 0))

    @property
    def offloaded(self) -> bool:
        """
        Whether the call is in the datapath's care.
        """
        return self.session.streams[0].pipeline._offload is not None  # type: ignore[union-attr]


class MediaTests(DatapathTestCase):
    """
    Media, and what is told of it.
    """

    def test_media(self) -> None:
        """
        Media and reports pass, and the datapath has the media.
        """
        self.call()
        self.assertMedia()
        self.assertEqual(self.offloaded, self.offloads)
        self.assertMedia()
        report = self.ue.sendReport()
        self.reactor.until(lambda: len(self.phone.receivedControl) == 1)
        self.assertEqual(self.phone.receivedControl, [report])

    def test_counters(self) -> None:
        """
        What is counted is what went over the adapters' way would count.
        """
        self.call()
        for _ in range(3):
            self.assertMedia()
        self.session.packets()
        legs = self.session.streams[0].pipeline.legs  # type: ignore[union-attr]
        adapters = [leg.adapter for leg in legs]
        self.assertEqual([(a.packetsReceived, a.packetsSent) for a in adapters], [(6, 6), (6, 6)])
        tag = 10 if self.suites else 0
        clear = 6 * 172
        self.assertEqual(
            [(a.octetsReceived, a.octetsSent) for a in adapters], [(clear, clear + 6 * tag), (clear, clear)]
        )

    def test_R_99_replay(self) -> None:
        """
        A packet passes once, on whichever way it came.
        """
        self.call()
        self.assertMedia()
        ports = self.ue._ports
        sent: list[bytes] = []
        original = ports[0].sendto

        def keep(data: bytes, to: Any) -> object:
            sent.append(data)
            return original(data, to)

        ports[0].sendto = keep  # type: ignore[method-assign, assignment]
        self.assertMedia()
        count = len(self.phone.received)
        for data in sent:
            original(data, self.ue.remote)  # type: ignore[arg-type]
        self.phone.sendMedia()
        self.reactor.until(lambda: len(self.ue.received) == 5)
        if self.suites:
            self.assertEqual(len(self.phone.received), count)
            counters = self.session.report().parties[0].medias[0].streams[0].counters
            self.assertEqual(counters["dropped replayed"], 2)

    def test_R_110_strangers(self) -> None:
        """
        What others send to the port is dropped.
        """
        self.call()
        self.assertMedia()
        stranger = socket.socket(socket.AF_INET6 if ":" in self.host else socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(stranger.close)
        for to in (self.ue.remote, self.phone.remote):
            assert to is not None
            stranger.sendto(b"\x80\x00\x00\x01" + bytes(168), to)
        counts = len(self.ue.received), len(self.phone.received)
        self.reactor.quiet()
        self.assertEqual((len(self.ue.received), len(self.phone.received)), counts)
        stranger.close()

    def test_garbage(self) -> None:
        """
        Garbage from the right party is counted and does no harm.
        """
        self.call()
        self.assertMedia()
        for data in (b"", b"\x80", b"\x00" * 20, b"\x16" * 20, b"\x80\xc8", b"\xff" * 1500, b"\x80" * 11):
            self.ue.sendRaw(data)
            self.phone.sendRaw(data)
        self.reactor.quiet()
        self.reactor.quiet()
        self.assertMedia()


class PlainTests(MediaTests):
    """
    The same without any protection.
    """

    suites = ()

    def setUp(self) -> None:
        """
        A plain UE.
        """
        super().setUp()
        self.ue.lines = []


class IPv6Tests(MediaTests):
    """
    The same over IPv6, where there is one address for everybody.
    """

    host = "::1"
    base = random.randrange(10000, 30000, 500)
    ports = ((base, base + 199), (base + 200, base + 399))


class SlowTests(MediaTests):
    """
    The same without a datapath.
    """

    offloads = False


class PlainSlowTests(PlainTests):
    """
    Neither protection nor datapath.
    """

    offloads = False


class ChangeTests(DatapathTestCase):
    """
    What changes while a datapath has the packets.
    """

    def setUp(self) -> None:
        """
        A call that is in the datapath's care.
        """
        super().setUp()
        self.call()
        self.assertMedia()
        self.assertTrue(self.offloaded)

    def reoffer(self, change: Callable[[str], str], terms: Terms = NO_TERMS) -> None:
        """
        The telephone offers, with something changed.
        """
        offer = self.successResultOf(
            self.session.offer(change(self.phone.offer()), None, terms, answerer=True)
        )
        self.phone.accept(self.successResultOf(self.session.answer(self.ue.answer(offer))))

    def test_hold(self) -> None:
        """
        Who is put on hold by its address gets nothing, and may resume.
        """
        count = len(self.phone.received)
        self.reoffer(lambda sdp: sdp.replace(HOST, "0.0.0.0"))
        self.ue.sendMedia(to=self.ueRemote())
        self.reactor.quiet()
        self.assertEqual(len(self.phone.received), count)
        self.reoffer(lambda sdp: sdp)
        self.assertMedia()
        self.assertTrue(self.offloaded)

    def ueRemote(self) -> Any:
        """
        Where the UE sent before it was put on hold.
        """
        pipeline = self.session.streams[0].pipeline
        return pipeline.legs[0].transport.components[0].port.address  # type: ignore[union-attr]

    def test_newAddress(self) -> None:
        """
        Media goes to a new address at once, though nothing was heard from
        there.
        """
        other = Terminal(self.world, self.host)
        self.addCleanup(other.close)
        self.reoffer(lambda sdp: sdp.replace(f"m=audio {self.phone.port}", f"m=audio {other.port}"))
        packet = self.ue.sendMedia()
        self.reactor.until(lambda: len(other.received) == 1)
        self.assertEqual(other.received, [packet])
        other.close()

    def test_newKey(self) -> None:
        """
        With a new key media goes on, and in the datapath's care again once
        the old one is forgotten.
        """
        self.ue.rekey()
        self.call()
        for _ in range(60):
            self.assertMedia()
        self.assertTrue(self.offloaded)

    def test_R_108_blocked(self) -> None:
        """
        What is blocked does not pass, and then it does.
        """
        self.session.block(False, True)
        self.assertFalse(self.offloaded)
        count = len(self.phone.received)
        self.ue.sendMedia()
        self.reactor.quiet()
        self.assertEqual(len(self.phone.received), count)
        self.session.block(False, False)
        self.assertMedia()
        self.assertTrue(self.offloaded)

    def test_unchanged(self) -> None:
        """
        An offer that changes nothing leaves the packets where they are.
        """
        taken = len(self.datapath.taken)
        self.reoffer(lambda sdp: sdp)
        self.assertMedia()
        self.assertEqual(len(self.datapath.taken), taken)

    def test_TOS(self) -> None:
        """
        A new traffic class holds for what the datapath sends.
        """
        ear = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(ear.close)
        ear.bind((HOST, 0))
        ear.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
        ear.settimeout(5)
        for tos in (184, 136):
            self.reoffer(
                lambda sdp: sdp.replace(f"m=audio {self.phone.port}", f"m=audio {ear.getsockname()[1]}"),
                Terms(tos=tos),
            )
            # The telephone is heard from there.
            ear.sendto(b"\x80\x00\x00" + bytes([tos]) + bytes(168), self.phone.remote)  # type: ignore[arg-type]
            self.reactor.quiet()
            self.assertTrue(self.offloaded)
            self.ue.sendMedia()
            self.reactor.quiet()
            _, ancillary, _, _ = ear.recvmsg(2000, 100)
            self.assertEqual([data[0] for _, _, data in ancillary], [tos])
        ear.close()

    def test_close(self) -> None:
        """
        Nothing is left of a call that ends in the datapath's care.
        """
        self.session.close()
        ours = [kind for _, kind in descriptors() - self.before if kind.startswith("socket:")]
        self.assertEqual(len(ours), 4)

    def test_ICMPError(self) -> None:
        """
        A telephone whose port was closed for a moment misses nothing of what
        comes after.
        """
        address = self.phone._ports[0].address
        self.phone._ports[0].close()
        self.ue.sendMedia()
        # Only the sending socket is turned to: the error is still to be told.
        self.reactor.quiet()
        self.phone._ports[0] = self.world.bind(address, self.phone._receive)
        count = len(self.phone.received)
        packet = self.ue.sendMedia()
        self.reactor.until(lambda: len(self.phone.received) == count + 1)
        self.assertEqual(self.phone.received[-1], packet)


class HandOverTests(DatapathTestCase):
    """
    The moment in which the datapath takes over.
    """

    def test_takenBack(self) -> None:
        """
        A packet that comes while the datapath gives a call back is not lost
        with the datapath's sockets, even if they were looked into before.
        """
        self.call()
        self.assertMedia()
        pipeline = self.session.streams[0].pipeline
        assert pipeline is not None
        far = pipeline.legs[1].transport
        original = far.datagramReceived
        sent: list[bytes] = []

        def receive(data: bytes, source: Any) -> None:
            if len(sent) == 1:
                sent.append(self.ue.sendMedia())
            original(data, source)

        self.patch(far, "datagramReceived", receive)
        count = len(self.phone.received), len(self.ue.received)
        sent.append(self.phone.sendMedia())
        pipeline._revoke()
        self.reactor.until(lambda: len(self.phone.received) > count[0] and len(self.ue.received) > count[1])
        self.assertEqual([self.ue.received[-1], self.phone.received[-1]], sent)

    def test_noDescriptors(self) -> None:
        """
        Without descriptors media takes the adapters' way, and nothing leaks.
        """
        self.call()
        gc.collect()  # Or a socket that an earlier test left makes room later.
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, limit)
        for free in (0, 1):
            open_ = descriptors()
            lowest = os.dup(0)
            os.close(lowest)
            # epoll_wait of the reactor needs none; a poll object neither.
            resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + free, limit[1]))
            try:
                self.assertMedia()
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, limit)
            self.assertEqual(descriptors() - open_, set())
        self.assertIn(None, self.datapath.taken)

    def test_cannotBeWatched(self) -> None:
        """
        The same if the sockets cannot be watched.
        """
        self.call()
        add, count = self.poller.add, 0

        def full(fileno: int, reader: Any) -> None:
            nonlocal count
            count += 1
            if count % 2 == 0:
                raise OSError(28, "no space left")
            add(fileno, reader)

        self.poller.add = full  # type: ignore[method-assign]
        open_ = descriptors()
        self.assertMedia()
        self.assertEqual(descriptors() - open_, set())
        self.assertEqual(set(self.datapath.taken), {None})

    def test_strangersBetweenBindAndConnect(self) -> None:
        """
        What strangers sent to the new socket before it was connected is
        strangers' all the same.
        """
        self.call()
        # Nobody latches any more.
        self.reactor.advance(2 * LATCH_WINDOW)
        stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(stranger.close)
        for leg in self.session.streams[0].pipeline.legs:  # type: ignore[union-attr]
            self._disturb(leg.transport.components[0].port, stranger)
        self.assertMedia()
        self.assertTrue(self.offloaded)
        self.assertMedia()
        counters = [
            party.medias[0].streams[0].counters.get("dropped unknown source", 0)
            for party in self.session.report().parties
        ]
        self.assertEqual([count > 0 for count in counters], [True, True])
        stranger.close()

    def _disturb(self, port: Any, stranger: socket.socket) -> None:
        connected = port.connected

        def slowly(remote: Any) -> socket.socket:
            connected(remote).close()
            second = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            second.setblocking(False)
            for each in (port.socket, second):
                each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            second.bind(port.address)
            stranger.sendto(b"\x80\x00\x00\x01" + bytes(168), port.address)
            second.connect(remote)
            return second

        port.connected = slowly

    def test_changeDuringHandOver(self) -> None:
        """
        If what waits in a socket that changes hands moves the stream
        elsewhere, no socket is left behind.
        """
        self.call()
        other = Terminal(self.world, self.host)
        self.addCleanup(other.close)
        pipeline = self.session.streams[0].pipeline
        assert pipeline is not None
        transport = pipeline.legs[1].transport
        connected = transport.components[0].port.connected
        done: list[bool] = []

        def move(remote: Any) -> Any:
            if not done:
                done.append(True)
                transport.components[0].settle((HOST, other.port))
            return connected(remote)

        transport.components[0].port.connected = move
        self.ue.sendMedia()
        self.reactor.quiet()
        self.assertEqual(transport.components[0].remote, (HOST, other.port))
        packet = self.ue.sendMedia()
        self.reactor.until(lambda: packet in other.received)
        other.close()


class BrowserTests(DatapathTestCase):
    """
    A browser, whose sections share a transport even if there is one only.
    """

    def setUp(self) -> None:
        """
        Connect it.
        """
        super().setUp()
        self.browser = Browser(self.world, self.host, port=0)
        self.addCleanup(self.browser.port.close)
        sdp = self.browser.session("a=group:BUNDLE 0\r\n") + self.browser.section("a=mid:0\r\n")
        offer = self.successResultOf(self.session.offer(sdp, Side.ACCESS, TO_CORE))
        self.browser.accept(self.successResultOf(self.session.answer(self.phone.answer(offer))))
        self.browser.check()
        self.reactor.until(lambda: self.browser.established)
        self.reactor.quiet()

    def tearDown(self) -> None:
        """
        Close it.
        """
        self.browser.port.close()
        super().tearDown()

    def assertMedia(self) -> None:
        """
        Media passes in both directions.
        """
        count = len(self.phone.received)
        packet = self.browser.sendMedia()
        self.reactor.until(lambda: len(self.phone.received) == count + 1)
        self.assertEqual(self.phone.received[-1], packet)
        count = len(self.browser.received)
        packet = self.phone.sendMedia()
        self.reactor.until(lambda: len(self.browser.received) == count + 1)
        self.assertEqual(self.browser.received[-1], packet)

    def test_media(self) -> None:
        """
        The datapath has the packets.
        """
        self.assertMedia()
        self.assertTrue(self.offloaded)
        self.assertMedia()

    def test_newCertificate(self) -> None:
        """
        With a new association media goes on, and in the datapath's care again
        once the old keys are forgotten.
        """
        self.assertMedia()
        self.browser.port.close()
        self.browser = Browser(self.world, self.host, port=0)
        sdp = self.browser.session("a=group:BUNDLE 0\r\n") + self.browser.section("a=mid:0\r\n")
        offer = self.successResultOf(self.session.offer(sdp, Side.ACCESS, TO_CORE))
        self.browser.accept(self.successResultOf(self.session.answer(self.phone.answer(offer))))
        self.browser.check()
        self.reactor.until(lambda: self.browser.established)
        self.reactor.quiet()
        self.assertMedia()
        self.assertFalse(self.offloaded)
        for _ in range(100):
            self.assertMedia()
        self.assertTrue(self.offloaded)
        self.assertMedia()

    def test_checks(self) -> None:
        """
        Checks are answered all the same.
        """
        self.assertMedia()
        count = len(self.browser.responses)
        self.browser.check(use=False)
        self.reactor.until(lambda: len(self.browser.responses) == count + 1)

    def test_R_104_consent(self) -> None:
        """
        Without consent nothing is sent, by the datapath neither.
        """
        self.assertMedia()
        transport = self.session.streams[0].pipeline.legs[0].transport.bundle.transport  # type: ignore[union-attr]
        transport.agent._loseConsent(1, transport.agent._components[1], "revoked")
        transport._drainAgent()
        count = len(self.browser.received)
        self.phone.sendMedia()
        self.reactor.quiet()
        self.assertEqual(len(self.browser.received), count)
        self.assertFalse(self.offloaded)

    def test_goodbye(self) -> None:
        """
        A browser that says goodbye with an error gets nothing any more.
        """
        self.assertMedia()
        transport = self.session.streams[0].pipeline.legs[0].transport.bundle.transport  # type: ignore[union-attr]
        transport._fail("something")
        count = len(self.browser.received), len(self.phone.received)
        self.phone.sendMedia()
        self.browser.sendMedia()
        self.reactor.quiet()
        self.assertEqual((len(self.browser.received), len(self.phone.received)), count)
        self.assertFalse(self.offloaded)
