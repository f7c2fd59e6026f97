"""
UDP ports of the operating system, all behind one reader.

An epoll descriptor is itself readable.  So every media socket stands in one
epoll set, and that set is the only thing that the reactor watches.  On waking
up, all sockets that have something are read; and while packets come faster
than L{PAUSE}, the next look is put off by that long, because waking up costs
more than reading does.
"""

import select
import socket
import time
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReactorFDSet, IReactorTime, IReadDescriptor
from twisted.logger import Logger
from zope.interface import implementer

from e2aegw.interfaces import Address, IDatagramNetwork, IDatagramPort, Receive

#: Seconds between two looks at busy sockets.  It is also the most that is
#: added to a packet's delay.
PAUSE = 0.001
#: Datagrams within L{SPAN} seconds that make sockets busy.  A handshake of a
#: few datagrams does not: for those, to pause would only cost.
BUSY = 15
SPAN = 0.01
#: Looks in a row that find one datagram at most, until sockets that were busy
#: are so no more: packets do not come evenly.
QUIET = 8
#: Octets that the system may keep for us, if it is not told to keep less: all
#: that an SCTP association's receive window invites, which may come while
#: somebody else has the core.  What the system has by itself is spent by a
#: hundred packets, and each that is lost halves the sender's speed.
RECEIVE_BUFFER = 1 << 20
#: Packets read in a row from one socket.
ROW = 64
#: Packets read before the reactor gets a turn, so that a flood of media does
#: not keep signalling waiting.
BUDGET = 4096
#: Seconds for the same: what comes in a data channel may take a hundred times
#: what a packet of RTP takes.
SLICE = 0.02
#: The longest datagram there is.
_MAX_DATAGRAM = 65536


@implementer(IReadDescriptor)
class Poller:
    """
    Watches sockets and calls a function for each that is readable.
    """

    def __init__(self, reactor: Any) -> None:
        """
        @param reactor: provides L{IReactorFDSet} and L{IReactorTime}.
        """
        self._fdset: Any = IReactorFDSet(reactor)
        self._time: Any = IReactorTime(reactor)
        self._sockets = select.epoll()
        # The reactor's look at the set goes through another that holds nothing
        # else.  To close that one costs the same however many sockets there
        # are; to take a set out of the reactor's and put it back does not: the
        # kernel walks through all of it, to see that no set contains itself.
        self._gate = select.epoll()
        self._gate.register(self._sockets.fileno(), select.EPOLLIN)
        self._readers: dict[int, Callable[[], object]] = {}
        self._since = 0.0
        self._count = 0
        self._quiet = 0
        self._pausing: Any = None

    _log = Logger()

    def logPrefix(self) -> str:
        """
        For the reactor's messages.
        """
        return "media"

    def fileno(self) -> int:
        """
        The descriptor that is readable when any socket is.
        """
        return -1 if self._gate.closed else self._gate.fileno()

    def add(self, fileno: int, reader: Callable[[], object]) -> None:
        """
        Call C{reader} whenever this descriptor is readable.  It reads one
        datagram, says whether there was one, and does not raise.

        @raise OSError: the system watches as many as it may.
        """
        self._sockets.register(fileno, select.EPOLLIN)
        if not self._readers:
            self._fdset.addReader(self)
        self._readers[fileno] = reader

    def remove(self, fileno: int) -> None:
        """
        Stop watching; to be called before the descriptor is closed.
        """
        del self._readers[fileno]
        if not self._sockets.closed:
            self._sockets.unregister(fileno)
        if not self._readers:
            self._fdset.removeReader(self)
            if self._pausing is not None:
                self._pausing.cancel()
                self._pausing = None
                self._gate.modify(self._sockets.fileno(), select.EPOLLIN)

    def doRead(self) -> None:
        """
        Something is readable.
        """
        started = time.monotonic()
        if started - self._since > SPAN:
            self._since, self._count = started, 0
        self._count += self._drain()
        if self._count >= BUSY and self._readers:
            self._gate.modify(self._sockets.fileno(), 0)
            self._pausing = self._time.callLater(PAUSE, self._resume)

    def connectionLost(self, reason: object) -> None:
        """
        The reactor is stopping.
        """
        if self._pausing is not None:
            self._pausing.cancel()
            self._pausing = None
        self._gate.close()
        self._sockets.close()

    def _resume(self) -> None:
        self._pausing = None
        self._quiet = 0 if self._drain() > 1 else self._quiet + 1
        if self._quiet < QUIET and self._readers:
            self._pausing = self._time.callLater(PAUSE, self._resume)
        else:
            self._quiet = 0
            self._gate.modify(self._sockets.fileno(), select.EPOLLIN)

    def _drain(self) -> int:
        total = 0
        poll, readers = self._sockets.poll, self._readers
        until = time.monotonic() + SLICE
        while total < BUDGET and time.monotonic() < until:
            ready = poll(0, 1024)
            if not ready:
                break
            total += len(ready)
            # Where only one has something it may be a file that comes: to
            # read until there is no more costs less than to ask each time.
            row = ROW if len(ready) == 1 else 1
            emptied = False
            for fileno, _ in ready:
                reader = readers.get(fileno)
                if reader is None:
                    continue  # Removed by what an earlier one in this round did.
                try:
                    for more in range(row):
                        if not reader():
                            emptied = row > 1
                            break
                        total += more > 0
                except Exception:
                    # A bug of ours; the other sockets' packets go on.
                    self._log.failure("reading a media socket")
            if emptied:
                # It was the only one, and the reactor sees what came meanwhile.
                break
        return total


@implementer(IDatagramPort)
class SocketPort:
    """
    A UDP socket.

    @ivar sendto: the socket's own method: a call less for each packet.
    """

    def __init__(self, poller: Poller, address: Address, receive: Receive) -> None:
        ipv6 = ":" in address[0]
        # Each call has four of these, so a question less to the system counts.
        kind = socket.SOCK_DGRAM | getattr(socket, "SOCK_NONBLOCK", 0)
        self.socket = socket.socket(socket.AF_INET6 if ipv6 else socket.AF_INET, kind)
        try:
            if self.socket.gettimeout() != 0.0:
                self.socket.setblocking(False)
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
            if ipv6:
                self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            self.socket.bind(address)
            poller.add(self.socket.fileno(), _reader(self.socket, receive, ipv6))
        except OSError:
            self.socket.close()
            raise
        # Whoever asked for any port wants to know which.
        self.address: Address = address if address[1] else self.socket.getsockname()[:2]
        self.poller = poller
        self._tos: int | None = None
        self.sendto = self.socket.sendto

    def setTOS(self, tos: int) -> None:
        """
        See L{IDatagramPort}.
        """
        self._tos = tos
        _setTOS(self.socket, tos)

    def connected(self, remote: Address) -> socket.socket:
        """
        A second socket on the same port that hears one remote party only, and
        sends to it.

        @raise OSError: there are no descriptors left, or no route.
        """
        second = socket.socket(self.socket.family, socket.SOCK_DGRAM)
        try:
            second.setblocking(False)
            # Allowed for as long as it takes: nobody else shall share the port.
            for each in (self.socket, second):
                each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                second.bind(self.address)
            finally:
                for each in (self.socket, second):
                    each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
            second.connect(remote)
            second.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
            if self._tos is not None:
                _setTOS(second, self._tos)
        except OSError:
            second.close()
            raise
        return second

    def close(self) -> None:
        """
        See L{IDatagramPort}.
        """
        if self.socket.fileno() >= 0:
            self.poller.remove(self.socket.fileno())
            self.socket.close()


def _setTOS(sock: socket.socket, tos: int) -> None:
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, tos)
    else:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, tos)


_buffer = bytearray(_MAX_DATAGRAM)
_view = memoryview(_buffer)


def _reader(sock: socket.socket, receive: Receive, ipv6: bool) -> Callable[[], bool]:
    receiveInto = sock.recvfrom_into

    def read() -> bool:
        try:
            size, source = receiveInto(_buffer)
        except OSError:
            # Nothing there after all, or an ICMP error that belongs to
            # something sent earlier: the sender's counters have it.
            return False
        receive(bytes(_view[:size]), source[:2] if ipv6 else source)
        return True

    return read


@implementer(IDatagramNetwork)
class SocketNetwork:
    """
    The operating system's UDP ports.
    """

    def __init__(self, reactor: Any) -> None:
        self.poller = Poller(reactor)

    def bind(self, address: Address, receive: Receive) -> SocketPort:
        """
        See L{IDatagramNetwork}.
        """
        return SocketPort(self.poller, address, receive)
