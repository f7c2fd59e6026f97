"""
Tests for L{e2aegw.testing.contract}: the contract must find who breaks it.
"""

import unittest
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from twisted.internet.protocol import Protocol
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyClass, verifyObject

from e2aegw.errors import NegotiationError, RemoteError
from e2aegw.interfaces import Apply, IAdapter, IAdapterFactory, IMediaTransport
from e2aegw.sansio.sdp import Line, Section
from e2aegw.sansio.terms import Kind, Terms
from e2aegw.testing import AdapterContract, MemoryAdapter, MemoryTransport


@implementer(IAdapter)
class GoodAdapter(Protocol):
    """
    An adapter that keeps its promises: RTP whose payload type is even.
    """

    medium = "rtp"
    authenticates = False
    passes: frozenset[str] = frozenset()
    transport: Any
    __slots__ = ("open",)

    def __init__(self) -> None:
        self.counters: Counter[str] = Counter()
        self.packetsReceived = self.octetsReceived = 0
        self.notify: Any = None
        self.peer: Any = None
        self.open = True
        self.proto = ""
        self.heard: list[str] = []
        self.packetsReceived = self.octetsReceived = 0

    def configure(self, section: Section, terms: Terms) -> Apply:
        """
        See L{IAdapter}.
        """
        if section.proto not in GoodFactory.protos:
            raise NegotiationError(section.proto)

        def apply() -> None:
            self.proto = section.proto
            self.heard.append(section.proto)

        return apply

    def describe(self, terms: Terms) -> Sequence[Line]:
        """
        See L{IAdapter}.
        """
        return [Line("x-good", self.proto)]

    def dataReceived(self, data: bytes) -> None:
        """
        See L{IAdapter}.
        """
        if len(data) < 2 or data[1] & 1:
            raise RemoteError("odd")
        self.packetsReceived += 1
        self.octetsReceived += len(data)
        self.peer.sendUnit(data)

    def sendUnit(self, unit: bytes) -> None:
        """
        See L{IAdapter}.
        """
        if self.proto and self.open:
            self.transport.write(unit)
        else:
            self.counters["unsent"] += 1

    def connectionLost(self, reason: Any = None) -> None:
        """
        See L{IAdapter}.
        """
        self.open = False


@implementer(IAdapterFactory)
class GoodFactory:
    """
    Builds L{GoodAdapter}s, or worse ones.
    """

    medium: Any = "rtp"
    protos: ClassVar[Any] = {"RTP/AVP": "udp+rtcp", "RTP/AVPF": "udp+rtcp"}

    def __init__(self, adapter: Any = GoodAdapter) -> None:
        self.adapter = adapter

    def claim(self, section: Section) -> str | None:
        """
        See L{IAdapterFactory}.
        """
        return self.protos.get(section.proto)  # type: ignore[no-any-return]

    def buildAdapter(self, proto: str) -> Any:
        """
        See L{IAdapterFactory}.
        """
        return self.adapter()


class GoodTests(AdapterContract, SynchronousTestCase):
    """
    The contract holds for who keeps it.
    """

    def makeFactory(self) -> GoodFactory:
        """
        See L{AdapterContract}.
        """
        return GoodFactory()


class RTPMediumTests(AdapterContract, SynchronousTestCase):
    """
    The contract holds for the adapter that the tests use as the other leg,
    which refuses nothing.
    """

    def makeFactory(self) -> GoodFactory:
        """
        See L{AdapterContract}.
        """

        class Keeps(MemoryAdapter):
            def __init__(self) -> None:
                super().__init__("rtp")

            def sendUnit(self, unit: Any) -> None:
                super().sendUnit(unit)
                self.transport.write(unit)

        return GoodFactory(Keeps)

    def refused(self, proto: str) -> list[tuple[Section, Terms]]:
        """
        See L{AdapterContract}.
        """
        return []


class ContractTests(SynchronousTestCase):
    """
    L{AdapterContract} finds who breaks it.
    """

    def broken(self, test: str, factory: Callable[[], Any], **methods: Any) -> None:
        """
        Assert that one test of the contract, and that one, finds a fault.
        """

        class Case(AdapterContract, SynchronousTestCase):
            def makeFactory(self) -> Any:
                return factory()

        for name, method in methods.items():
            setattr(Case, name, method)
        result = unittest.TestResult()
        Case(test)(result)
        self.assertEqual(len(result.failures) + len(result.errors), 1, f"{test} found nothing")

    def worse(self, test: str, **changes: Any) -> None:
        """
        Assert that an adapter with some attributes changed is found.
        """
        self.broken(test, lambda: GoodFactory(type("Worse", (GoodAdapter,), changes)))

    def test_factory(self) -> None:
        """
        A factory that is none, or has no medium or proto, is found.
        """
        changes: dict[str, Any]
        for changes in ({"medium": ""}, {"medium": 1}, {"protos": {}}, {"protos": {"x": 1}}, {"claim": None}):
            self.broken("test_contractFactory", type("Worse", (GoodFactory,), changes))
        self.broken("test_contractFactory", object)

    def test_noFactory(self) -> None:
        """
        Who does not say which factory is told.
        """

        class Case(AdapterContract, SynchronousTestCase):
            pass

        result = unittest.TestResult()
        Case("test_contractFactory")(result)
        self.assertIn("does not say which factory", result.errors[0][1])

    def test_adapter(self) -> None:
        """
        An adapter that is none, speaks another medium, or is shared, is found.
        """
        self.worse("test_contractAdapter", medium="msrp")
        self.worse("test_contractAdapter", sendUnit=lambda self: None)
        shared = GoodAdapter()
        self.broken("test_contractAdapter", lambda: GoodFactory(lambda: shared))

    def test_claim(self) -> None:
        """
        A factory that disowns its own proto, or raises at an odd section, is
        found.
        """
        self.broken(
            "test_contractClaim", type("Worse", (GoodFactory,), {"claim": lambda self, section: None})
        )

        class Raises(GoodFactory):
            def claim(self, section: Section) -> str | None:
                return str(self.protos[section.proto])

        self.broken("test_contractClaim", Raises)

    def test_early(self) -> None:
        """
        An adapter that changes itself in C{configure}, be it in an attribute,
        in a slot or inside a list, is found; and so is one whose C{apply}
        returns something.
        """

        def attribute(self: Any, section: Section, terms: Terms) -> Apply:
            self.proto = section.proto
            return lambda: None

        def slot(self: Any, section: Section, terms: Terms) -> Apply:
            self.open = None
            return lambda: None

        def inside(self: Any, section: Section, terms: Terms) -> Apply:
            self.heard.append(section.proto)
            return lambda: None

        def fresh(self: Any, section: Section, terms: Terms) -> Apply:
            self.novelty = section.proto
            return lambda: None

        for method in (attribute, slot, inside, fresh, lambda self, section, terms: lambda: 1):
            self.worse("test_contractNothingBeforeApply", configure=method)

    def test_refusal(self) -> None:
        """
        An adapter that refuses nothing, refuses with another exception, or
        changes before it refuses, is found.
        """

        def changed(self: Any, section: Section, terms: Terms) -> Apply:
            self.proto = section.proto
            return GoodAdapter.configure(self, section, terms)

        def other(self: Any, section: Section, terms: Terms) -> Apply:
            if section.proto not in GoodFactory.protos:
                raise ValueError
            return GoodAdapter.configure(self, section, terms)

        for method in (changed, other, lambda self, section, terms: lambda: None):
            self.worse("test_contractRefusalChangesNothing", configure=method)
        for method in (changed, other):
            self.worse("test_contractAnySection", configure=method)

    def test_describe(self) -> None:
        """
        An adapter that says something else each time, or says no lines, is
        found; one that cannot agree to the terms is not.
        """

        def unsteady(self: Any, terms: Terms) -> Sequence[Line]:
            self.heard.append("again")
            return [Line("x-good", str(len(self.heard)))]

        self.worse("test_contractDescribe", describe=unsteady)
        self.worse("test_contractDescribe", describe=lambda self, terms: ["a=x"])

        def refuses(self: Any, terms: Terms) -> Sequence[Line]:
            raise NegotiationError("no")

        class Case(AdapterContract, SynchronousTestCase):
            def makeFactory(self) -> Any:
                return GoodFactory(type("Refuses", (GoodAdapter,), {"describe": refuses}))

        result = unittest.TestResult()
        Case("test_contractDescribe")(result)
        self.assertTrue(result.wasSuccessful())

    def test_sendUnit(self) -> None:
        """
        An adapter that raises, swallows a unit, or minds that its transport is
        gone, is found.
        """

        def raises(self: Any, unit: bytes) -> None:
            raise RemoteError("no")

        def gone(self: Any, unit: bytes) -> None:
            self.counters["x"] += 1
            if not self.open:
                raise ValueError

        for method in (raises, gone, lambda self, unit: None):
            self.worse("test_contractSendUnit", sendUnit=method)

    def test_anyBytes(self) -> None:
        """
        An adapter that raises anything else at what the network sends is
        found, also if a good packet with few changes is needed, and also if
        it gives no reason.
        """

        def index(self: Any, data: bytes) -> None:
            data[11]

        def deep(self: Any, data: bytes) -> None:
            if data[:1] == b"\x80" and len(data) not in (1, 172, 24):
                raise KeyError

        def mute(self: Any, data: bytes) -> None:
            raise RemoteError("")

        for method in (index, deep, mute):
            self.worse("test_contractAnyBytes", dataReceived=method)

    def test_counters(self) -> None:
        """
        Counters that are not numbers by name are found.
        """

        def badName(self: Any, unit: bytes) -> None:
            self.counters[len(self.counters)] = 1

        def badCount(self: Any, unit: bytes) -> None:
            self.counters[f"x{len(self.counters)}"] = -1

        for method in (badName, badCount):
            self.worse("test_contractCounters", sendUnit=method)

    def test_connectionLost(self) -> None:
        """
        An adapter that cannot hear twice that its transport is gone is found.
        """

        def once(self: Any, reason: Any = None) -> None:
            assert self.open
            self.open = False

        self.worse("test_contractConnectionLost", connectionLost=once)

    def test_memory(self) -> None:
        """
        What stands around an adapter provides the interfaces, keeps what it is
        given and agrees to anything.
        """
        verifyClass(IMediaTransport, MemoryTransport)
        adapter, transport = MemoryAdapter("text"), MemoryTransport()
        verifyObject(IMediaTransport, transport)
        verifyObject(IAdapter, adapter)
        transport.attach(adapter)
        self.assertIs(adapter.transport, transport)
        transport.write(b"data")
        transport.writeControl(b"control")
        transport.loseConnection()
        self.assertEqual((transport.written, transport.writtenControl), ([b"data"], [b"control"]))
        self.assertTrue(transport.closed)
        adapter.dataReceived(b"nobody is there")
        adapter.peer = MemoryAdapter("text")
        adapter.dataReceived(b"unit")
        self.assertEqual(adapter.peer.units, [b"unit"])
        section, terms = Section("audio", 1, "RTP/AVP", ["0"]), Terms(kind=Kind.ANSWER)
        for part in (adapter, transport):
            self.assertIsNone(part.configure(section, terms)())
            self.assertEqual(part.describe(terms), ())
        adapter.connectionMade()
        adapter.connectionLost()
