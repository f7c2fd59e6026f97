"""
UDP in memory.
"""

import errno
import os
from collections import Counter, deque
from collections.abc import Callable, Container
from typing import TypeAlias

from twisted.internet.task import Clock
from zope.interface import implementer

from e2aegw.errors import UsageError
from e2aegw.interfaces import Address, IDatagramNetwork, IDatagramPort, Receive
from e2aegw.sansio.sdp import family

#: Called with a datagram, where it comes from and where it goes.
Question: TypeAlias = Callable[[bytes, Address, Address], bool]

#: The payload limit of UDP over IPv4.
MAX_DATAGRAM = 65507
#: The ports that a bind to port zero chooses from, as Linux has it.
EPHEMERAL = range(32768, 61000)
#: Datagrams that one flush delivers before it is taken for two parties that
#: answer each other forever.
MAX_FLUSH = 1_000_000


def _no(data: bytes, source: Address, destination: Address) -> bool:
    return False


def _atOnce(data: bytes, source: Address, destination: Address) -> float:
    return 0.0


@implementer(IDatagramPort)
class MemoryPort:
    """
    A port of a L{MemoryNetwork}.

    @ivar tos: what was set as the traffic class octet.
    @ivar closed: whether it is.
    """

    def __init__(self, network: "MemoryNetwork", address: Address, receive: Receive) -> None:
        self.address = address
        self.receive = receive
        self.tos = 0
        self.closed = False
        self._network = network

    def sendto(self, data: bytes | bytearray | memoryview, destination: Address) -> int:
        """
        See L{IDatagramPort}.

        @raise OSError: the port is closed, the datagram is too long, or the
            destination is of the other address family or has no port.
        """
        if self.closed:
            raise systemError(errno.EBADF)
        if len(data) > MAX_DATAGRAM:
            raise systemError(errno.EMSGSIZE)
        if family(destination[0]) != family(self.address[0]):
            raise systemError(errno.EAFNOSUPPORT)
        if not 0 < destination[1] <= 65535:
            raise systemError(errno.EINVAL)
        self._network.carry(bytes(data), self.address, destination)
        return len(data)

    def setTOS(self, tos: int) -> None:
        """
        See L{IDatagramPort}.
        """
        self.tos = tos

    def setReceiveBuffer(self, size: int) -> None:
        """
        See L{IDatagramPort}.  Nothing waits here.
        """

    def close(self) -> None:
        """
        See L{IDatagramPort}.
        """
        if not self.closed:
            self.closed = True
            del self._network.ports[self.address]


@implementer(IDatagramNetwork)
class MemoryNetwork:
    """
    UDP in memory.  What is sent waits in a queue until L{deliver}, L{flush} or
    L{advance}, so nothing ever happens inside a call of the code under test.

    What goes wrong is named, not left to chance: assign a function to
    C{lose}, C{duplicate}, C{overtake} or C{delay}.  Each is asked once for
    each datagram, so it may also count and record them::

        network.lose = lambda data, source, destination: data[0] == 22

    @ivar lose: whether this datagram is lost.
    @ivar duplicate: whether this one arrives twice.
    @ivar overtake: whether the next one on the same way overtakes this one.
    @ivar delay: how many seconds this one takes.
    @ivar ports: the open ports, by address.  Empty at the end of a test that
        cleaned up.
    @ivar counters: C{sent}, C{lost}, C{duplicated}, C{delivered}, and
        C{unreachable} for what came to a port that is not open.
    """

    def __init__(self, clock: Clock | None = None, *, hosts: Container[str] | None = None) -> None:
        """
        @param clock: for delays.
        @param hosts: the addresses that can be bound; any if left out.
        """
        self.lose: Question = _no
        self.duplicate: Question = _no
        self.overtake: Question = _no
        self.delay: Callable[[bytes, Address, Address], float] = _atOnce
        self.ports: dict[Address, MemoryPort] = {}
        self.counters: Counter[str] = Counter()
        self._clock = clock
        self._hosts = hosts
        self._queue: deque[tuple[bytes, Address, Address]] = deque()
        self._slow: dict[tuple[Address, Address], list[tuple[bytes, Address, Address]]] = {}

    def bind(self, address: Address, receive: Receive) -> MemoryPort:
        """
        See L{IDatagramNetwork}.

        @raise OSError: C{EADDRINUSE}, C{EADDRNOTAVAIL} or, for a number that
            is no port, C{EINVAL}, as from the system.
        """
        host, number = address
        if self._hosts is not None and host not in self._hosts:
            raise systemError(errno.EADDRNOTAVAIL)
        if not 0 <= number <= 65535:
            raise systemError(errno.EINVAL)
        if number == 0:
            number = next((n for n in EPHEMERAL if (host, n) not in self.ports), 0)
        if number == 0 or (host, number) in self.ports:
            raise systemError(errno.EADDRINUSE)
        port = self.ports[host, number] = MemoryPort(self, (host, number), receive)
        return port

    def carry(self, data: bytes, source: Address, destination: Address) -> None:
        """
        Take a datagram from a port, or from a test that plays the part of
        somebody with a forged address.
        """
        self.counters["sent"] += 1
        datagram = (data, source, destination)
        if self.lose(*datagram):
            self.counters["lost"] += 1
            return
        copies = [datagram]
        if self.duplicate(*datagram):
            self.counters["duplicated"] += 1
            copies.append(datagram)
        if self.overtake(*datagram):
            self._slow.setdefault((source, destination), []).extend(copies)
            return
        # Whoever was told to wait goes behind this one.
        copies += self._slow.pop((source, destination), [])
        seconds = self.delay(*datagram)
        if seconds <= 0:
            self._queue.extend(copies)
        elif self._clock is None:
            raise UsageError("a network that delays needs a clock")
        else:
            self._clock.callLater(seconds, self._queue.extend, copies)

    @property
    def waiting(self) -> int:
        """
        How many datagrams could be delivered now.
        """
        return len(self._queue)

    def deliver(self) -> bool:
        """
        Deliver one datagram.

        @return: whether there was one.
        """
        if not self._queue:
            for copies in self._slow.values():
                # Nobody came to overtake them.
                self._queue.extend(copies)
            self._slow.clear()
        if not self._queue:
            return False
        data, source, destination = self._queue.popleft()
        port = self.ports.get(destination)
        if port is None:
            self.counters["unreachable"] += 1
        else:
            self.counters["delivered"] += 1
            port.receive(data, source)
        return True

    def flush(self) -> int:
        """
        Deliver until nothing is left, what is sent meanwhile included.

        @return: how many datagrams were delivered.

        @raise UsageError: there is no end to it (L{MAX_FLUSH}).
        """
        for count in range(MAX_FLUSH):
            if not self.deliver():
                return count
        raise UsageError("the network does not come to rest")

    def advance(self, seconds: float) -> None:
        """
        Let time pass, stopping at each thing that is due on the way to deliver
        what it sent.

        @raise UsageError: the network has no clock.
        """
        if self._clock is None:
            raise UsageError("a network without a clock has no time")
        end = self._clock.seconds() + seconds
        self.flush()
        while True:
            due = [call.getTime() for call in self._clock.getDelayedCalls()]
            at = min([*due, end])
            if at >= end:
                break
            self._clock.advance(max(0.0, at - self._clock.seconds()))
            self.flush()
        self._clock.advance(max(0.0, end - self._clock.seconds()))
        self.flush()


def systemError(number: int) -> OSError:
    """
    What the system raises.
    """
    return OSError(number, os.strerror(number))
