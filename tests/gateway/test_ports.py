"""
Tests for L{e2aegw.gateway.ports}.
"""

import errno
from collections.abc import Callable
from functools import partial
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactor
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from e2aegw.errors import ResourceError
from e2aegw.gateway.ports import MAX_ATTEMPTS, PortPool
from e2aegw.interfaces import (
    Address,
    IDatagramNetwork,
    IDatagramPort,
    IPortSource,
    IStreamPortSource,
    Receive,
)


@implementer(IDatagramPort)
class Port:
    """
    A port of a L{Network}.
    """

    def __init__(self, network: "Network", address: Address, receive: Receive) -> None:
        self.address = address
        self.receive = receive
        self._network = network

    def sendto(self, data: bytes, destination: Address) -> object:
        """
        See L{IDatagramPort}.
        """
        return None

    def setTOS(self, tos: int) -> None:
        """
        See L{IDatagramPort}.
        """

    def setReceiveBuffer(self, size: int) -> None:
        """
        See L{IDatagramPort}.
        """

    def close(self) -> None:
        """
        See L{IDatagramPort}.
        """
        del self._network.bound[self.address]


@implementer(IDatagramNetwork)
class Network:
    """
    A machine on which ports may be somebody else's.

    @ivar bound: our ports.
    @ivar taken: the numbers of others' ports.
    @ivar attempts: the numbers that were tried.
    @ivar error: what every attempt ends with, if not 0.
    """

    def __init__(self) -> None:
        self.bound: dict[Address, Port] = {}
        self.taken: set[int] = set()
        self.attempts: list[int] = []
        self.error = 0

    def bind(self, address: Address, receive: Receive) -> Port:
        """
        See L{IDatagramNetwork}.
        """
        self.attempts.append(address[1])
        if self.error:
            raise OSError(self.error, "no more")
        if address in self.bound or address[1] in self.taken:
            raise OSError(errno.EADDRINUSE, "in use")
        port = self.bound[address] = Port(self, address, receive)
        return port


def ignore(data: bytes, source: Address) -> None:
    """
    Receive.
    """


def pool(first: int = 30000, last: int = 30009) -> tuple[PortPool, Network]:
    """
    A pool on a machine of its own.
    """
    network = Network()
    return PortPool(network, "192.0.2.1", first, last), network


def numbers(ports: "list[IDatagramPort]") -> list[int]:
    """
    The numbers of ports.
    """
    return [port.address[1] for port in ports]


class PortPoolTests(SynchronousTestCase):
    """
    L{PortPool}.
    """

    def assertEmpty(self, action: Callable[[], object]) -> None:
        """
        There is no port, in the words that controllers look for.
        """
        with self.assertRaises(ResourceError) as caught:
            action()
        self.assertEqual(str(caught.exception), "Ran out of ports")

    def test_interface(self) -> None:
        """
        It is what transports ask for.
        """
        ports, network = pool()
        self.assertTrue(verifyObject(IPortSource, ports))
        self.assertTrue(verifyObject(IDatagramNetwork, network))
        self.assertTrue(verifyObject(IDatagramPort, ports.open([ignore])[0]))

    def test_advertised(self) -> None:
        """
        Descriptions say another address if there is one.
        """
        self.assertEqual(pool()[0].advertised, "192.0.2.1")
        behind = PortPool(Network(), "192.0.2.1", 30000, 30009, "203.0.113.1")
        self.assertEqual((behind.host, behind.advertised), ("192.0.2.1", "203.0.113.1"))

    def test_R_17_pairs(self) -> None:
        """
        A pair is an even port and the next (RFC 3550 clause 11); both come
        back when both are closed.
        """
        ports, network = pool()
        self.assertEqual((ports.free, ports.lent), (5, 0))
        rtp, rtcp = ports.open([ignore, lambda data, source: None])
        self.assertEqual(numbers([rtp, rtcp]), [30000, 30001])
        self.assertEqual(set(network.bound), {("192.0.2.1", 30000), ("192.0.2.1", 30001)})
        self.assertIs(network.bound["192.0.2.1", 30000].receive, ignore)
        self.assertEqual((ports.free, ports.lent), (4, 1))
        ports.close(rtp)
        self.assertEqual((ports.free, ports.lent), (4, 1))
        ports.close(rtcp)
        self.assertEqual((ports.free, ports.lent), (5, 0))
        self.assertEqual(network.bound, {})

    def test_one(self) -> None:
        """
        Who needs one port gets the even one, and nobody else gets the odd
        one.
        """
        ports, _ = pool()
        self.assertEqual([numbers(ports.open([ignore])) for _ in range(3)], [[30000], [30002], [30004]])

    def test_ends(self) -> None:
        """
        Both ends of the range belong to it, and no port outside does.
        """
        for first, last, bases in (
            (30000, 30003, [30000, 30002]),
            (30001, 30004, [30002]),
            (30001, 30003, [30002]),
            (30000, 30002, [30000]),
            (30000, 30001, [30000]),
            (65534, 65535, [65534]),
        ):
            ports, _ = pool(first, last)
            self.assertEqual(ports.free, len(bases))
            self.assertEqual([numbers(ports.open([ignore, ignore]))[0] for _ in bases], bases)
            self.assertEmpty(partial(ports.open, [ignore]))

    def test_order(self) -> None:
        """
        The port that came back last is the last to be lent again.
        """
        ports, _ = pool()
        first, second = ports.open([ignore])[0], ports.open([ignore])[0]
        ports.close(second)
        ports.close(first)
        self.assertEqual(
            [numbers(ports.open([ignore]))[0] for _ in range(5)], [30004, 30006, 30008, 30002, 30000]
        )

    def test_taken(self) -> None:
        """
        Ports that are somebody else's are passed over, and nothing of their
        pair stays open; later they may be free again.
        """
        ports, network = pool()
        network.taken = {30000, 30003}
        self.assertEqual(numbers(ports.open([ignore, ignore])), [30004, 30005])
        self.assertEqual(len(network.bound), 2)
        self.assertEqual((ports.free, ports.lent), (4, 1))
        network.taken = set()
        taken = [numbers(ports.open([ignore]))[0] for _ in range(4)]
        self.assertEqual(taken, [30006, 30008, 30000, 30002])

    def test_allTaken(self) -> None:
        """
        If all are somebody else's, not every one of many is tried, and all
        stay in the pool.
        """
        ports, network = pool(30000, 39999)
        network.taken = set(range(30000, 40000))
        self.assertEmpty(lambda: ports.open([ignore, ignore]))
        self.assertEqual(len(network.attempts), MAX_ATTEMPTS)
        self.assertEqual((ports.free, ports.lent), (5000, 0))
        few, network = pool()
        network.taken = set(range(30000, 40000))
        self.assertEmpty(lambda: few.open([ignore]))
        self.assertEqual(network.attempts, [30000, 30002, 30004, 30006, 30008])

    def test_outOfFiles(self) -> None:
        """
        If the system has no more to give, other ports are no help.
        """
        for error in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
            ports, network = pool()
            network.error = error
            self.assertEmpty(partial(ports.open, [ignore]))
            self.assertEqual(len(network.attempts), 1)
            self.assertEqual((ports.free, ports.lent), (5, 0))

    def test_reopen(self) -> None:
        """
        The second port of a pair comes back beside the first, unless somebody
        else has it.
        """
        ports, network = pool()
        rtp, rtcp = ports.open([ignore, ignore])
        ports.close(rtcp)
        network.taken = {30001}
        self.assertEmpty(lambda: ports.reopen(rtp, ignore))
        self.assertEqual((ports.free, ports.lent), (4, 1))
        network.taken = set()
        again = ports.reopen(rtp, ignore)
        self.assertEqual(again.address, ("192.0.2.1", 30001))
        for port in (rtp, again):
            ports.close(port)
        self.assertEqual((ports.free, ports.lent, network.bound), (5, 0, {}))

    def test_truth(self) -> None:
        """
        A pool with no free port is still a pool.
        """
        ports, _ = pool(30000, 30001)
        ports.open([ignore])
        self.assertEqual(ports.free, 0)
        self.assertTrue(ports)


class Calls(RuleBasedStateMachine):
    """
    Calls that begin, change and end in any order, beside others' programs.
    """

    def __init__(self) -> None:
        super().__init__()
        self.pool, self.network = pool(30000, 30011)
        self.calls: list[list[IDatagramPort]] = []

    def ours(self) -> list[int]:
        """
        The numbers of all ports that calls have.
        """
        return numbers([port for call in self.calls for port in call])

    @rule(count=st.integers(1, 2))
    def begin(self, count: int) -> None:
        """
        A call takes ports, if there are any.
        """
        try:
            self.calls.append(self.pool.open([ignore] * count))
        except ResourceError:
            free = set(range(30000, 30012)) - self.network.taken - set(self.ours())
            pairs = [base for base in range(30000, 30012, 2) if {base, base + count - 1} <= free]
            assert not pairs

    @precondition(lambda self: self.calls)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        """
        A call ends.
        """
        call = data.draw(st.sampled_from(self.calls))
        self.calls.remove(call)
        for port in data.draw(st.permutations(call)):
            self.pool.close(port)

    @precondition(lambda self: any(len(call) == 2 for call in self.calls))
    @rule(data=st.data())
    def multiplex(self, data: st.DataObject) -> None:
        """
        A call gives its second port back.
        """
        call = data.draw(st.sampled_from([call for call in self.calls if len(call) == 2]))
        self.pool.close(call.pop())

    @precondition(lambda self: any(len(call) == 1 for call in self.calls))
    @rule(data=st.data())
    def demultiplex(self, data: st.DataObject) -> None:
        """
        A call wants its second port back.
        """
        call = data.draw(st.sampled_from([call for call in self.calls if len(call) == 1]))
        try:
            call.append(self.pool.reopen(call[0], ignore))
        except ResourceError:
            assert call[0].address[1] + 1 in self.network.taken

    @rule(number=st.integers(30000, 30011))
    def others(self, number: int) -> None:
        """
        Another program takes or leaves a port.
        """
        if ("192.0.2.1", number) not in self.network.bound:
            self.network.taken ^= {number}

    @invariant()
    def nothingIsLost(self) -> None:
        """
        Every pair is free or lent, and what is bound is what calls have.
        """
        assert self.pool.free + self.pool.lent == 6
        assert self.pool.lent == len(self.calls)
        assert sorted(self.ours()) == sorted(port for _, port in self.network.bound)


class CallTests(SynchronousTestCase):
    """
    Many calls.
    """

    def test_R_17_nothingIsLost(self) -> None:
        """
        No order of events loses a port.
        """
        run_state_machine_as_test(
            Calls, settings=settings(deadline=None, derandomize=True, max_examples=25, stateful_step_count=30)
        )


class StreamPortTests(SynchronousTestCase):
    """
    TCP ports from L{PortPool}.
    """

    def setUp(self) -> None:
        """
        Make a pool of two pairs.
        """
        self.reactor = Listening()
        self.pool = PortPool(Network(), "192.0.2.1", 30000, 30003, streams=self.reactor)

    def number(self) -> int:
        """
        Listen.

        @return: on which port.
        """
        return self.pool.listen(self.factory).getHost().port  # type: ignore[attr-defined, no-any-return]

    factory = Factory()

    def test_sameRange(self) -> None:
        """
        TCP ports are the even ones of the same range, so no port is another
        call's; who comes when there are none is told so.
        """
        self.assertTrue(verifyObject(IStreamPortSource, self.pool))
        self.pool.open([ignore])
        self.assertEqual(self.number(), 30002)
        self.assertEqual((self.pool.lent, self.pool.free), (2, 0))
        self.assertRaises(ResourceError, self.pool.listen, self.factory)
        self.assertRaises(ResourceError, self.pool.open, [ignore])

    def test_givenBack(self) -> None:
        """
        A port comes back when it is closed, which may take a moment.
        """
        port = self.pool.listen(self.factory)
        self.reactor.closing = Deferred()
        self.pool.unlisten(port)
        self.assertEqual((self.pool.lent, self.pool.free), (1, 1))
        self.reactor.closing.callback(None)
        self.assertEqual((self.pool.lent, self.pool.free), (0, 2))
        self.assertEqual([self.number(), self.number()], [30002, 30000])

    def test_somebodyElses(self) -> None:
        """
        A port that somebody else has is passed over; others are tried.
        """
        self.reactor.taken.add(30000)
        self.assertEqual(self.number(), 30002)
        self.assertEqual(self.pool.free, 1)
        self.assertRaises(ResourceError, self.pool.listen, self.factory)

    def test_exhausted(self) -> None:
        """
        When the system has no more of anything, other ports are not tried.
        """
        self.reactor.error = errno.EMFILE
        self.assertRaises(ResourceError, self.pool.listen, self.factory)
        self.assertEqual((self.reactor.attempts, self.pool.free), ([30000], 2))

    def test_noStreams(self) -> None:
        """
        Without a reactor for them there are no TCP ports.
        """
        self.assertRaises(ResourceError, pool()[0].listen, self.factory)


class Listening(MemoryReactor):
    """
    A reactor on a machine on which ports may be somebody else's.

    @ivar taken: their numbers.
    @ivar attempts: the numbers that were tried.
    @ivar error: what every attempt ends with, if not 0.
    @ivar closing: what closing a port waits for.
    """

    def __init__(self) -> None:
        super().__init__()
        self.taken: set[int] = set()
        self.attempts: list[int] = []
        self.error = 0
        self.closing: Deferred[None] | None = None

    def listenTCP(self, port: int, *rest: Any, **named: Any) -> Any:
        """
        See C{IReactorTCP}.

        @raise CannotListenError: the port is taken.
        """
        self.attempts.append(port)
        error = errno.EADDRINUSE if port in self.taken else self.error
        if error:
            raise CannotListenError("192.0.2.1", port, OSError(error, "no more"))
        listening = super().listenTCP(port, *rest, **named)
        listening.stopListening = lambda: self.closing
        return listening
