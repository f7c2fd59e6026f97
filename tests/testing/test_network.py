"""
Tests for L{e2aegw.testing.network}.
"""

import errno
from collections.abc import Callable

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from e2aegw.errors import UsageError
from e2aegw.interfaces import Address, IDatagramNetwork, IDatagramPort
from e2aegw.testing import MemoryNetwork
from e2aegw.testing import network as networkModule

A: Address = ("192.0.2.1", 4000)
B: Address = ("192.0.2.2", 5000)


class NetworkTests(SynchronousTestCase):
    """
    L{MemoryNetwork}.
    """

    def setUp(self) -> None:
        """
        Open a port on each side.
        """
        self.clock = Clock()
        self.network = MemoryNetwork(self.clock)
        self.got: list[tuple[bytes, Address]] = []
        self.a = self.network.bind(A, lambda data, source: None)
        self.b = self.network.bind(B, lambda data, source: self.got.append((data, source)))

    def send(self, *datagrams: bytes) -> list[bytes]:
        """
        Send from one to the other.

        @return: what arrived.
        """
        for data in datagrams:
            self.a.sendto(data, B)
        self.network.flush()
        return [data for data, _ in self.got]

    def errorOf(self, number: int, function: Callable[..., object], *arguments: object) -> None:
        """
        Assert that the system would refuse this with that error.
        """
        self.assertEqual(self.assertRaises(OSError, function, *arguments).errno, number)

    def test_interfaces(self) -> None:
        """
        The network and its ports provide what the system's do.
        """
        verifyObject(IDatagramNetwork, self.network)
        verifyObject(IDatagramPort, self.a)

    def test_queue(self) -> None:
        """
        Nothing arrives before it is delivered, then one after the other, with
        the source's address; and what is sent is a copy.
        """
        data = bytearray(b"one")
        self.assertEqual(self.a.sendto(data, B), 3)
        data[:] = b"two"
        self.a.sendto(b"three", B)
        self.assertEqual((self.got, self.network.waiting), ([], 2))
        self.assertTrue(self.network.deliver())
        self.assertEqual(self.got, [(b"one", A)])
        self.assertEqual(self.network.flush(), 1)
        self.assertFalse(self.network.deliver())
        self.assertEqual(self.got[1:], [(b"three", A)])

    def test_unreachable(self) -> None:
        """
        What comes to a port that is not open, any more too, is counted.
        """
        self.a.sendto(b"x", ("192.0.2.9", 9))
        self.a.sendto(b"x", B)
        self.b.close()
        self.network.flush()
        self.assertEqual(self.got, [])
        self.assertEqual(self.network.counters, {"sent": 2, "unreachable": 2})

    def test_lose(self) -> None:
        """
        The network loses what it is told to, and is asked once for each.
        """
        asked: list[tuple[bytes, Address, Address]] = []

        def lose(data: bytes, source: Address, destination: Address) -> bool:
            asked.append((data, source, destination))
            return data == b"2"

        self.network.lose = lose
        self.assertEqual(self.send(b"1", b"2", b"3"), [b"1", b"3"])
        self.assertEqual(asked, [(b"1", A, B), (b"2", A, B), (b"3", A, B)])
        self.assertEqual(self.network.counters["lost"], 1)

    def test_duplicate(self) -> None:
        """
        It delivers twice what it is told to.
        """
        self.network.duplicate = lambda data, source, destination: data == b"2"
        self.assertEqual(self.send(b"1", b"2", b"3"), [b"1", b"2", b"2", b"3"])
        self.assertEqual(self.network.counters["duplicated"], 1)

    def test_overtake(self) -> None:
        """
        It lets the next one on the same way overtake what it is told to; what
        nobody comes to overtake arrives in the end.
        """
        self.network.overtake = lambda data, source, destination: data in (b"1", b"4")
        self.b.sendto(b"other way", A)
        self.assertEqual(self.send(b"1", b"2", b"3", b"4"), [b"2", b"1", b"3", b"4"])

    def test_delay(self) -> None:
        """
        It delivers late what it is told to, when the clock says so.
        """
        self.network.delay = lambda data, source, destination: 0.5 if data == b"1" else 0.0
        self.assertEqual(self.send(b"1", b"2"), [b"2"])
        self.network.advance(0.4)
        self.assertEqual(len(self.got), 1)
        self.network.advance(0.2)
        self.assertEqual([data for data, _ in self.got], [b"2", b"1"])
        self.assertAlmostEqual(self.clock.seconds(), 0.6)

    def test_advance(self) -> None:
        """
        Time passes in steps: what a timer sends is delivered before the next
        one fires, and a timer that is set meanwhile is not missed.
        """
        order: list[str] = []
        self.network.bind(("192.0.2.3", 1), lambda data, source: order.append("arrived"))

        def first() -> None:
            order.append("first")
            self.a.sendto(b"x", ("192.0.2.3", 1))
            self.clock.callLater(0.1, order.append, "third")

        self.clock.callLater(1, first)
        self.clock.callLater(1.05, order.append, "second")
        self.network.advance(2)
        self.assertEqual(order, ["first", "arrived", "second", "third"])
        self.assertEqual(self.clock.seconds(), 2)

    def test_noClock(self) -> None:
        """
        Without a clock there is neither delay nor time.
        """
        network = MemoryNetwork()
        network.delay = lambda data, source, destination: 1.0
        self.assertRaises(UsageError, network.carry, b"x", A, B)
        self.assertRaises(UsageError, network.advance, 1.0)

    def test_ports(self) -> None:
        """
        Open ports are seen, and closed ones are not; closing twice is fine.
        """
        self.assertEqual(set(self.network.ports), {A, B})
        for port in (self.a, self.b, self.b):
            port.close()
        self.assertEqual(self.network.ports, {})
        self.network.bind(A, lambda data, source: None)

    def test_bindErrors(self) -> None:
        """
        A port that is taken, an address that is not ours and a number that is
        no port are refused as the system does it.
        """
        self.errorOf(errno.EADDRINUSE, self.network.bind, A, print)
        self.errorOf(errno.EINVAL, self.network.bind, ("192.0.2.1", 65536), print)
        network = MemoryNetwork(hosts={"192.0.2.1"})
        network.bind(A, lambda data, source: None)
        self.errorOf(errno.EADDRNOTAVAIL, network.bind, B, print)

    def test_anyPort(self) -> None:
        """
        Port zero means any that is free, until none is.
        """
        self.patch(networkModule, "EPHEMERAL", range(40000, 40002))
        ports = [self.network.bind(("192.0.2.1", 0), print).address[1] for _ in range(2)]
        self.assertEqual(ports, [40000, 40001])
        self.errorOf(errno.EADDRINUSE, self.network.bind, ("192.0.2.1", 0), print)

    def test_sendErrors(self) -> None:
        """
        A closed port, a datagram that is too long, the other address family
        and a destination without a port are refused as the system does it.
        """
        self.errorOf(errno.EMSGSIZE, self.a.sendto, bytes(65508), B)
        self.errorOf(errno.EAFNOSUPPORT, self.a.sendto, b"x", ("2001:db8::1", 1))
        self.errorOf(errno.EINVAL, self.a.sendto, b"x", ("192.0.2.2", 0))
        self.a.close()
        self.errorOf(errno.EBADF, self.a.sendto, b"x", B)
        self.assertEqual(self.network.counters["sent"], 0)

    def test_tos(self) -> None:
        """
        The traffic class octet is remembered.
        """
        self.a.setTOS(184)
        self.assertEqual((self.a.tos, self.b.tos), (184, 0))

    def test_restless(self) -> None:
        """
        Two parties that answer each other forever are noticed.
        """
        self.patch(networkModule, "MAX_FLUSH", 100)

        def answer(data: bytes, source: Address) -> None:
            self.network.carry(data, B, source)

        self.network.bind(("192.0.2.3", 1), answer)
        self.a.receive = lambda data, source: self.network.carry(data, A, ("192.0.2.3", 1))
        self.a.sendto(b"x", ("192.0.2.3", 1))
        self.assertRaises(UsageError, self.network.flush)
