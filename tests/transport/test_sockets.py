"""
Media sockets behind one reader, on the loopback interface.
"""

import errno
import resource
import select
import socket
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from e2aegw.interfaces import Address
from e2aegw.transport import sockets
from e2aegw.transport.sockets import BUSY, PAUSE, QUIET, Poller, SocketNetwork, SocketPort
from tests.transport.handreactor import HandReactor, descriptors

HOST = "127.0.0.1"


class SocketTestCase(SynchronousTestCase):
    """
    A network, and somebody who sends.
    """

    def setUp(self) -> None:
        """
        A network and a plain socket to send with.
        """
        self.reactor = HandReactor()
        self.network = SocketNetwork(self.reactor)
        self.heard: list[tuple[bytes, Address]] = []
        self.sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(self.sender.close)
        self.sender.bind((HOST, 0))

    def _hear(self, data: bytes, source: Address) -> None:
        self.heard.append((data, source))

    def bind(self, receive: Any = None) -> SocketPort:
        """
        A port that remembers what it hears.
        """
        port = self.network.bind((HOST, 0), receive or self._hear)
        self.addCleanup(port.close)
        return port


class PollerTests(SocketTestCase):
    """
    One reader for all.
    """

    def test_receives(self) -> None:
        """
        A datagram arrives with its source.
        """
        port = self.bind()
        self.sender.sendto(b"hello", port.address)
        self.reactor.until(lambda: len(self.heard) == 1)
        self.assertEqual(self.heard, [(b"hello", self.sender.getsockname())])

    def test_empty(self) -> None:
        """
        A datagram may be empty.
        """
        port = self.bind()
        self.sender.sendto(b"", port.address)
        self.reactor.until(lambda: len(self.heard) == 1)
        self.assertEqual(self.heard[0][0], b"")

    def test_oneReader(self) -> None:
        """
        The reactor watches one descriptor, as long as there is any port.
        """
        self.assertEqual(self.reactor.readers, [])
        one, two = self.bind(), self.bind()
        self.assertEqual(self.reactor.readers, [self.network.poller])
        one.close()
        two.close()
        self.assertEqual(self.reactor.readers, [])

    def busy(self, port: SocketPort) -> None:
        """
        Send as much as makes the reactor look away.
        """
        for _ in range(BUSY):
            self.sender.sendto(b"x", port.address)
        # The loopback interface delivers before it returns.
        self.network.poller.doRead()
        self.assertEqual(len(self.heard), BUSY)
        self.assertEqual(len(self.reactor.getDelayedCalls()), 1)

    def readable(self) -> bool:
        """
        Whether the reactor would see anything.
        """
        poll = select.poll()
        poll.register(self.network.poller.fileno(), select.POLLIN)
        return bool(poll.poll(0))

    def test_pause(self) -> None:
        """
        While datagrams come fast, the reactor looks away for a moment, and
        nothing is lost.
        """
        port = self.bind()
        self.busy(port)
        self.sender.sendto(b"1", port.address)
        self.sender.sendto(b"2", port.address)
        self.assertFalse(self.readable())
        self.reactor.advance(PAUSE)
        self.assertEqual([data for data, _ in self.heard[BUSY:]], [b"1", b"2"])
        # A look that finds nothing may be chance, several in a row are not.
        for _ in range(QUIET):
            self.assertEqual(len(self.reactor.getDelayedCalls()), 1)
            self.reactor.advance(PAUSE)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.sender.sendto(b"3", port.address)
        self.assertTrue(self.readable())

    def test_slice(self) -> None:
        """
        Packets that take long to deal with do not keep the reactor waiting:
        those that are left are read in its next turn.
        """
        port = self.bind()
        other = self.bind()
        self.patch(sockets, "SLICE", 0.0)
        for number in range(3):
            for each in (port, other):
                self.sender.sendto(b"%d" % number, each.address)
        self.network.poller.doRead()
        self.assertEqual(self.heard, [])
        self.patch(sockets, "SLICE", 1.0)
        self.network.poller.doRead()
        self.assertEqual(len(self.heard), 6)

    def test_pauseOutlastsGaps(self) -> None:
        """
        Datagrams that come in twos now and then keep the reactor looking away.
        """
        port = self.bind()
        self.busy(port)
        for _ in range(3):
            for _ in range(QUIET - 1):
                self.reactor.advance(PAUSE)
            self.sender.sendto(b"1", port.address)
            self.sender.sendto(b"2", port.address)
            self.reactor.advance(PAUSE)
            self.assertFalse(self.readable())
        self.assertEqual(len(self.reactor.getDelayedCalls()), 1)

    def test_noPauseForAFew(self) -> None:
        """
        A handshake's worth of datagrams is read as it comes.
        """
        port = self.bind()
        for turn in range(BUSY - 1):
            self.sender.sendto(bytes([turn]), port.address)
            self.reactor.until(lambda turn=turn: len(self.heard) == turn + 1)  # type: ignore[misc]
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_pauseEndsWithTheLastPort(self) -> None:
        """
        When the last port is closed, no timer is left.
        """
        port = self.bind()
        self.busy(port)
        port.close()
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertEqual(self.reactor.readers, [])
        other = self.bind()
        self.sender.sendto(b"after", other.address)
        self.reactor.until(lambda: self.heard[-1][0] == b"after")

    def test_portDuringAPause(self) -> None:
        """
        A port that is opened while the reactor looks away is heard after.
        """
        self.busy(self.bind())
        second = self.bind()
        self.sender.sendto(b"second", second.address)
        self.assertFalse(self.readable())
        self.reactor.advance(PAUSE)
        self.assertEqual(self.heard[-1][0], b"second")

    def test_mistake(self) -> None:
        """
        An exception costs one datagram and is logged; the others' go on.
        """

        def fail(data: bytes, source: Address) -> None:
            raise ZeroDivisionError

        bad, good = self.bind(fail), self.bind()
        self.sender.sendto(b"1", bad.address)
        self.sender.sendto(b"2", good.address)
        self.reactor.until(lambda: len(self.heard) == 1)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_closedByAnother(self) -> None:
        """
        A port that is closed by what another one heard in the same turn is
        not read.
        """
        ports: list[SocketPort] = []

        def closeOther(data: bytes, source: Address) -> None:
            self.heard.append((data, source))
            for port in ports:
                port.close()

        ports += [self.bind(closeOther), self.bind(closeOther)]
        for port in ports:
            self.sender.sendto(b"x", port.address)
        self.reactor.until(lambda: len(self.heard) == 1)
        self.assertEqual(self.reactor.readers, [])

    def test_reactorStops(self) -> None:
        """
        When the reactor stops, nothing is left of the poller, and its ports
        may be closed later.
        """
        port = self.bind()
        self.network.poller.connectionLost(None)
        self.assertEqual(self.network.poller.fileno(), -1)
        port.close()
        self.assertEqual(self.reactor.readers, [])


class PortTests(SocketTestCase):
    """
    A socket.
    """

    def test_taken(self) -> None:
        """
        A port is nobody else's, and a failure leaves no descriptor.
        """
        port = self.bind()
        before = descriptors()
        with self.assertRaises(OSError) as caught:
            self.network.bind(port.address, lambda data, source: None)
        self.assertEqual(caught.exception.errno, errno.EADDRINUSE)
        self.assertEqual(descriptors() - before, set())

    def test_cannotBeWatched(self) -> None:
        """
        A socket that cannot be watched is closed again.
        """
        before = descriptors()

        class Full(Poller):
            def add(self, fileno: int, reader: Any) -> None:
                raise OSError(errno.ENOSPC, "no space left")

        full = Full(self.reactor)
        self.assertRaises(OSError, SocketPort, full, (HOST, 0), lambda data, source: None)
        full.connectionLost(None)
        self.assertEqual(descriptors() - before, set())

    def test_closeTwice(self) -> None:
        """
        Closing again does nothing.
        """
        port = self.bind()
        port.close()
        port.close()

    def test_IPv6(self) -> None:
        """
        An IPv6 port has an IPv6 address, of two parts.
        """
        port = self.network.bind(("::1", 0), lambda data, source: self.heard.append((data, source)))
        self.addCleanup(port.close)
        other = self.network.bind(("::1", 0), lambda data, source: None)
        self.addCleanup(other.close)
        other.sendto(b"six", port.address)
        self.reactor.until(lambda: len(self.heard) == 1)
        self.assertEqual(self.heard, [(b"six", other.address)])

    def test_otherFamily(self) -> None:
        """
        Sending to an address of the other family is refused by the system,
        and by no other exception.
        """
        self.assertRaises(OSError, self.bind().sendto, b"x", ("2001:db8::1", 5000))

    def test_second(self) -> None:
        """
        A second socket on the port hears one party, the first everybody else,
        and it has the traffic class and the buffer of the first.
        """
        port = self.bind()
        port.setTOS(184)
        second = port.connected(self.sender.getsockname())
        self.addCleanup(second.close)
        self.assertEqual(second.getsockopt(socket.IPPROTO_IP, socket.IP_TOS), 184)
        sizes = [each.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) for each in (port.socket, second)]
        self.assertEqual(sizes[0], sizes[1])
        stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(stranger.close)
        self.sender.sendto(b"friend", port.address)
        stranger.sendto(b"stranger", port.address)
        self.reactor.until(lambda: len(self.heard) == 1)
        self.assertEqual(self.heard[0][0], b"stranger")
        self.assertEqual(second.recv(100), b"friend")

    def test_secondIsNobodyElses(self) -> None:
        """
        The port cannot be shared by others after that either.
        """
        port = self.bind()
        second = port.connected(self.sender.getsockname())
        self.addCleanup(second.close)
        other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(other.close)
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.assertRaises(OSError, other.bind, port.address)

    def test_noDescriptors(self) -> None:
        """
        Without descriptors there is no second socket, and no harm.
        """
        port = self.bind()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
        try:
            self.assertRaises(OSError, port.connected, self.sender.getsockname())
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        self.sender.sendto(b"x", port.address)
        self.reactor.until(lambda: len(self.heard) == 1)
