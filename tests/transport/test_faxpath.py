"""
Fax calls over real sockets, with a datapath and without, on the loopback
interface.
"""

import random
import socket

from twisted.trial.unittest import SynchronousTestCase

from e2aegw.adapter import udptl
from e2aegw.gateway.config import LimitsTable, SideConfig
from e2aegw.gateway.service import Gateway, Route
from e2aegw.sansio.sdp import Side
from e2aegw.sansio.terms import Terms
from e2aegw.transport.datapath import SocketDatapath
from e2aegw.transport.sockets import SocketNetwork
from tests.gateway.fax import ATTRIBUTES, OUR_RSA, FaxPhone, FaxUE, datagram
from tests.transport.handreactor import HandReactor, descriptors

#: A loopback address that nobody else on this machine happens to use.
HOST = f"127.{random.randrange(64, 255)}.{random.randrange(256)}.{random.randrange(1, 255)}"
FAX = udptl.Factory()
NO_TERMS = Terms()
AGREED = Terms(e2ae=frozenset({"udptl-dtls"}))


class FaxPathTests(SynchronousTestCase):
    """
    Two plain terminals.
    """

    offloads = True

    def setUp(self) -> None:
        """
        A gateway and terminals on one machine, and a call.
        """
        self.before = descriptors()
        self.reactor = HandReactor()
        network, self.world = SocketNetwork(self.reactor), SocketNetwork(self.reactor)
        self.poller = network.poller
        self.gateway = Gateway(
            self.reactor,
            {
                Side.ACCESS: SideConfig(addresses=((HOST, HOST),), ports=(20000, 20199)),
                Side.CORE: SideConfig(addresses=((HOST, HOST),), ports=(20200, 20399)),
            },
            [Route(FAX, FAX)],
            rsa=OUR_RSA,
            limits=LimitsTable(media_timeout=0, silent_timeout=0, offer_timeout=0),
            network=network,
            datapath=SocketDatapath(network.poller) if self.offloads else None,
        )
        self.ue, self.phone = self.makeUE(), FaxPhone(self.world, HOST, port=0)
        self.session = self.gateway.newSession("fax")
        self.call()

    def tearDown(self) -> None:
        """
        Nothing is left.
        """
        self.session.close()
        for each in (self.ue, self.phone):
            each.close()
        for poller in (self.poller, self.world.poller):
            poller.connectionLost(None)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertEqual(self.gateway.portsLent, 0)
        self.assertEqual(descriptors() - self.before, set())

    def makeUE(self) -> FaxPhone:
        """
        Who is on the access side.
        """
        return FaxPhone(self.world, HOST, port=0)

    def call(self) -> None:
        """
        Offer and answer.
        """
        offer = self.successResultOf(self.session.offer(self.ue.describe(), Side.ACCESS, AGREED))
        self.phone.accept(offer)
        self.ue.accept(self.successResultOf(self.session.answer(self.phone.describe())))

    def assertFax(self) -> None:
        """
        Datagrams pass both ways, whatever their number is.
        """
        for one, other in ((self.ue, self.phone), (self.phone, self.ue)):
            count = len(other.received)
            sent = [one.send(datagram(number)) for number in (0, 1, 0x1600, 0x4000, 0x8000, 0xFFFF)]
            self.reactor.until(lambda other=other, n=count + 6: len(other.received) == n)  # type: ignore[misc]
            self.assertEqual(other.received[count:], sent)

    def counters(self, party: int) -> dict[str, int]:
        """
        What was counted on a leg.
        """
        return self.session.report().parties[party].medias[0].streams[0].counters

    @property
    def offloaded(self) -> bool:
        """
        Whether the call is in the datapath's care.
        """
        return self.session.streams[0].pipeline._offload is not None  # type: ignore[union-attr]

    def test_media(self) -> None:
        """
        Datagrams pass, before the datapath has them and when it has; and both
        ways count alike.
        """
        for _ in range(3):
            self.assertFax()
        self.assertEqual(self.offloaded, self.offloads)
        self.session.packets()
        legs = self.session.streams[0].pipeline.legs  # type: ignore[union-attr]
        octets = 18 * len(datagram(0))
        for adapter in (leg.adapter for leg in legs):
            self.assertEqual((adapter.packetsReceived, adapter.packetsSent), (18, 18))
            self.assertEqual((adapter.octetsReceived, adapter.octetsSent), (octets, octets))

    def test_malformed(self) -> None:
        """
        What is no UDPTL is counted and dropped.
        """
        self.assertFax()
        self.assertFax()
        bad = (b"\0", b"\0\1\5abc", datagram(1)[:-1], b"\xff" * 1400, b"\0\1\0\0\0")
        for data in bad:
            self.ue.sendRaw(data)
        self.reactor.quiet()
        self.assertFax()
        self.assertEqual(self.counters(0)["dropped malformed UDPTL"], len(bad))

    def test_datagramLimit(self) -> None:
        """
        What is longer than its receiver takes is counted there, and kept back;
        also if the receiver changes its mind.
        """
        self.assertFax()
        self.assertFax()
        self.phone.attributes = ("T38FaxMaxDatagram:100",)
        self.call()
        self.assertFax()
        count = len(self.phone.received)
        exact = datagram(1) + bytes(100 - len(datagram(1)))
        self.ue.sendRaw(exact + b"\0")
        self.ue.sendRaw(exact)
        self.reactor.until(lambda: len(self.phone.received) > count)
        self.assertEqual(self.phone.received[count:], [exact])
        self.assertEqual(self.counters(1)["unsent too long"], 1)

    def test_R_110_strangers(self) -> None:
        """
        What others send to the port is dropped.
        """
        self.assertFax()
        self.assertFax()
        stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for each in (self.ue, self.phone):
            assert each.remote is not None
            stranger.sendto(datagram(9), each.remote)
        stranger.close()
        self.reactor.quiet()
        self.assertNotIn(datagram(9), self.ue.received + self.phone.received)

    def test_R_108_blocked(self) -> None:
        """
        What is blocked does not pass, and passes again.
        """
        self.assertFax()
        self.session.block(False, True)
        count = len(self.phone.received)
        self.ue.send(datagram(9))
        self.reactor.quiet()
        self.assertEqual(len(self.phone.received), count)
        self.session.block(False, False)
        self.assertFax()

    def test_gone(self) -> None:
        """
        That nobody listens any more is counted.
        """
        self.assertFax()
        self.assertFax()
        self.phone.close()
        for _ in range(8):
            self.ue.send(datagram(1))
            self.reactor.quiet()
        self.ue.attributes = ATTRIBUTES
        self.phone = FaxPhone(self.world, HOST, port=0)
        self.call()
        self.assertFax()


class SlowTests(FaxPathTests):
    """
    The same without a datapath.
    """

    offloads = False


class ProtectedTests(FaxPathTests):
    """
    A UE with DTLS: a datapath must never have it.
    """

    def makeUE(self) -> FaxUE:
        """
        See L{FaxPathTests}.
        """
        ue = FaxUE(self.world, HOST, port=0)
        ue.setup = "active"
        return ue

    def call(self) -> None:
        """
        See L{FaxPathTests}.
        """
        super().call()
        assert isinstance(self.ue, FaxUE)
        ue = self.ue
        if ue.connection is None:
            ue.hello(client=True)
            self.reactor.until(lambda: ue.connection is not None and ue.connection.done)

    def test_media(self) -> None:
        """
        Nothing is taken over, and nothing leaves but records.
        """
        for _ in range(3):
            self.assertFax()
        self.session.streams[0].pipeline.tryOffload()  # type: ignore[union-attr]
        self.assertFalse(self.offloaded)
        self.assertEqual({data[0] for data in self.ue.wire} - {20, 21, 22, 23}, set())

    def test_malformed(self) -> None:
        """
        What is not inside DTLS is counted and dropped.
        """
        self.assertFax()
        for number in (0x8000, 0x1700):
            self.ue.sendRaw(datagram(number))
        self.reactor.quiet()
        self.assertFax()
        self.assertEqual(self.counters(0)["dropped not protected"], 1)
        self.assertEqual(self.counters(0)["dropped malformed record"], 1)

    def test_datagramLimit(self) -> None:
        """
        The limit is that of what is inside.
        """
        self.assertFax()
        exact = datagram(1) + bytes(400 - len(datagram(1)))
        count = len(self.ue.received)
        self.phone.send(exact + b"\0")
        self.phone.send(exact)
        self.reactor.until(lambda: len(self.ue.received) > count)
        self.assertEqual(self.ue.received[count:], [exact])
