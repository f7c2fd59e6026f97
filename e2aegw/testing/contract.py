"""
The promises that every adapter keeps, and what stands around an adapter while
that is tested.
"""

# trial's assertions have no types.
# mypy: disallow-untyped-calls=False

import random
from collections import Counter, deque
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from typing import TYPE_CHECKING, Any

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IProtocol
from twisted.python.failure import Failure
from zope.interface import implementer
from zope.interface.verify import verifyObject

from e2aegw.errors import NegotiationError, RemoteError
from e2aegw.interfaces import Address, Apply, IAdapter, IAdapterFactory, IMediaTransport
from e2aegw.sansio.events import Event
from e2aegw.sansio.sdp import Line, Section
from e2aegw.sansio.terms import Kind, Terms

if TYPE_CHECKING:
    from twisted.trial.unittest import SynchronousTestCase as _Mixed
else:
    _Mixed = object


@implementer(IMediaTransport)
class MemoryTransport:
    """
    A transport that keeps what an adapter writes.

    @ivar written: what was written.
    @ivar writtenControl: what was written for the RTCP port.
    @ivar closed: whether the adapter let go of it.
    """

    localAddress: Address = ("192.0.2.1", 4000)

    def __init__(self) -> None:
        self.notify: Callable[[Event], None] = lambda event: None
        self.counters: MutableMapping[str, int] = Counter()
        self.written: list[bytes] = []
        self.writtenControl: list[bytes] = []
        self.closed = False

    def configure(self, section: Section, terms: Terms) -> Apply:
        """
        See L{IMediaTransport}.  It agrees to anything.
        """
        return lambda: None

    def describe(self, terms: Terms) -> Sequence[Line]:
        """
        See L{IMediaTransport}.
        """
        return ()

    def attach(self, protocol: IProtocol) -> None:
        """
        See L{IMediaTransport}.
        """
        protocol.makeConnection(self)  # type: ignore[arg-type]

    def write(self, data: bytes) -> None:
        """
        See L{IMediaTransport}.
        """
        self.written.append(bytes(data))

    def writeControl(self, data: bytes) -> None:
        """
        See L{IMediaTransport}.
        """
        self.writtenControl.append(bytes(data))

    def loseConnection(self) -> None:
        """
        See L{IMediaTransport}.
        """
        self.closed = True


@implementer(IAdapter)
class MemoryAdapter:
    """
    The other leg's adapter: it keeps the units that it is told to send.

    @ivar units: those.
    """

    authenticates = False
    passes: frozenset[str] = frozenset()
    transport: Any = None

    def __init__(self, medium: str) -> None:
        self.medium = medium
        self.peer: Any = None
        self.notify: Callable[[Event], None] = lambda event: None
        self.counters: MutableMapping[str, int] = Counter()
        self.packetsReceived = self.octetsReceived = 0
        self.units: list[Any] = []
        self.packetsReceived = self.octetsReceived = 0

    def makeConnection(self, transport: Any) -> None:
        """
        See L{IAdapter}.
        """
        self.transport = transport

    def connectionMade(self) -> None:
        """
        See L{IAdapter}.
        """

    def connectionLost(self, reason: "Failure | None" = None) -> None:
        """
        See L{IAdapter}.
        """

    def dataReceived(self, data: bytes) -> None:
        """
        See L{IAdapter}.  Everything is a unit.
        """
        self.packetsReceived += 1
        self.octetsReceived += len(data)
        if self.peer is not None:
            self.peer.sendUnit(data)

    def configure(self, section: Section, terms: Terms) -> Apply:
        """
        See L{IAdapter}.  It agrees to anything.
        """
        return lambda: None

    def describe(self, terms: Terms) -> Sequence[Line]:
        """
        See L{IAdapter}.
        """
        return ()

    def sendUnit(self, unit: Any) -> None:
        """
        See L{IAdapter}.
        """
        self.units.append(unit)


#: An RTP packet and an RTCP one: the units of the medium C{"rtp"}.
RTP_UNITS = (
    b"\x80\x00\x00\x01\x00\x00\x00\xa0\x00\x00\x00\x07" + b"\xff" * 160,
    b"\x80\xc9\x00\x01\x00\x00\x00\x07\x81\xca\x00\x03\x00\x00\x00\x07\x01\x04a@b.\x00\x00",
)


class AdapterContract(_Mixed):
    """
    The promises of L{IAdapterFactory} and L{IAdapter}, as tests.

    Mix it into a test case and say how to make the factory::

        class ScrambledTests(AdapterContract, SynchronousTestCase):
            def makeFactory(self):
                return Factory(strength=11)

    The other methods that may be overridden say what the adapter accepts,
    refuses, sends and receives.
    """

    #: How many strings of arbitrary bytes each test tries.
    ATTEMPTS = 200

    def makeFactory(self) -> Any:
        """
        The factory to test.  This one must be overridden.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say which factory it tests")

    def makeTransport(self, proto: str) -> Any:
        """
        What carries the adapter: an L{IMediaTransport} with C{written} and
        C{writtenControl}, as L{MemoryTransport} has them.
        """
        return MemoryTransport()

    def accepted(self, proto: str) -> Sequence[tuple[Section, Terms]]:
        """
        Sections that an adapter for this proto agrees to.
        """
        return [(Section("audio", 4000, proto, ["0"], address="192.0.2.2"), Terms(kind=Kind.OFFER))]

    def refused(self, proto: str) -> Sequence[tuple[Section, Terms]]:
        """
        Sections that it does not agree to.
        """
        return [(Section("audio", 4000, "X/UNHEARD-OF", ["0"], address="192.0.2.2"), Terms(kind=Kind.OFFER))]

    def units(self) -> Sequence[Any]:
        """
        Units of the medium.  Those of C{"rtp"} are known; for other media,
        override this.
        """
        return RTP_UNITS

    def wire(self, proto: str) -> Sequence[bytes]:
        """
        What a network party might send: the tests send it, and send it with
        octets changed.  The units, if they are bytes, unless overridden.
        """
        return [unit for unit in self.units() if isinstance(unit, bytes)]

    def state(self, adapter: Any) -> dict[str, Any]:
        """
        Whatever of an adapter could change: its attributes, and a copy of each
        list, dictionary and set among them.
        """
        names = {name for kind in type(adapter).__mro__ for name in _slots(kind)}
        values = {name: getattr(adapter, name) for name in names if hasattr(adapter, name)}
        values.update(getattr(adapter, "__dict__", {}))
        return {n: v.copy() if isinstance(v, (list, dict, set, deque)) else v for n, v in values.items()}

    def test_contractFactory(self) -> None:
        """
        The factory provides its interface, and says what it speaks and on
        what.
        """
        factory = self.makeFactory()
        verifyObject(IAdapterFactory, factory)
        self.assertIsInstance(factory.medium, str)
        self.assertTrue(factory.medium)
        self.assertTrue(factory.protos)
        for proto, kind in factory.protos.items():
            self.assertEqual(proto, str(proto).upper())
            self.assertIsInstance(kind, str)

    def test_contractAdapter(self) -> None:
        """
        Each adapter is a new one, provides its interface, and speaks its
        factory's medium.
        """
        factory = self.makeFactory()
        for proto in factory.protos:
            adapter = factory.buildAdapter(proto)
            verifyObject(IAdapter, adapter)
            self.assertEqual(adapter.medium, factory.medium)
            self.assertIsNot(adapter, factory.buildAdapter(proto))

    def test_contractClaim(self) -> None:
        """
        The factory claims what its adapters agree to, for the kind of
        transport that it names, and has no opinion that raises.
        """
        factory = self.makeFactory()
        chance = random.Random(1)
        for proto in factory.protos:
            for section, _ in self.accepted(proto):
                self.assertIn(factory.claim(section), set(factory.protos.values()), section.proto)
        for _ in range(self.ATTEMPTS):
            claimed = factory.claim(_anySection(chance, [*factory.protos]))
            self.assertTrue(claimed is None or isinstance(claimed, str))

    def test_contractNothingBeforeApply(self) -> None:
        """
        What C{configure} returns makes the change, and C{configure} itself
        makes none; the same description can be applied again.
        """
        for adapter, proto in self._connected():
            for section, terms in self.accepted(proto):
                before = self.state(adapter)
                apply = adapter.configure(section, terms)
                self._assertUnchanged(adapter, before, "configure")
                self.assertIsNone(apply())
                adapter.configure(section, terms)()

    def test_contractRefusalChangesNothing(self) -> None:
        """
        A section that is not agreed to is L{NegotiationError} and leaves the
        adapter as it was, fresh or in use.
        """
        for adapter, proto in self._connected():
            for _ in range(2):
                for section, terms in self.refused(proto):
                    before = self.state(adapter)
                    self.assertRaises(NegotiationError, adapter.configure, section, terms)
                    self._assertUnchanged(adapter, before, "a refusal")
                self._configure(adapter, proto)

    def test_contractAnySection(self) -> None:
        """
        Any section is agreed to or L{NegotiationError}.
        """
        chance = random.Random(2)
        for adapter, proto in self._connected():
            for _ in range(self.ATTEMPTS):
                section = _anySection(chance, [proto])
                kind = chance.choice([Kind.OFFER, Kind.ANSWER])
                before = self.state(adapter)
                try:
                    apply = adapter.configure(section, Terms(kind=kind))
                except NegotiationError:
                    self._assertUnchanged(adapter, before, "a refusal")
                else:
                    apply()

    def test_contractDescribe(self) -> None:
        """
        The description of an adapter is lines, and the same when asked again.
        """
        for adapter, proto in self._connected():
            for kind in (Kind.OFFER, Kind.ANSWER):
                terms = Terms(kind=kind)
                if kind is Kind.ANSWER:
                    self._configure(adapter, proto)
                try:
                    lines = list(adapter.describe(terms))
                except NegotiationError:
                    continue
                for line in lines:
                    self.assertIsInstance(line, Line)
                self.assertEqual(list(adapter.describe(terms)), lines)

    def test_contractSendUnit(self) -> None:
        """
        C{sendUnit} does not raise, before it is agreed how or after, nor when
        the transport is gone; and a unit that is not written is counted.
        """
        for adapter, proto in self._connected():
            self._sendAll(adapter)
            self._configure(adapter, proto)
            self._sendAll(adapter)
            adapter.connectionLost(_lost())
            for unit in self.units():
                adapter.sendUnit(unit)

    def test_contractAnyBytes(self) -> None:
        """
        Any bytes from the network are taken or L{RemoteError}, whole and one
        at a time, before it is agreed how and after.
        """
        chance = random.Random(3)
        for number in range(self.ATTEMPTS):
            for adapter, proto in self._connected():
                if number % 2:
                    self._configure(adapter, proto)
                data = _anyBytes(chance, self.wire(proto))
                pieces = [data[i : i + 1] for i in range(len(data))] if number % 4 > 1 else [data]
                for piece in pieces:
                    try:
                        adapter.dataReceived(piece)
                    except RemoteError as e:
                        self.assertIsInstance(e.reason, str)
                        self.assertTrue(e.reason)

    def test_contractCounters(self) -> None:
        """
        What is counted are numbers with names.
        """
        for adapter, proto in self._connected():
            self._configure(adapter, proto)
            for data in self.wire(proto):
                try:
                    adapter.dataReceived(data)
                except RemoteError as e:
                    self.assertTrue(e.reason)
            self._sendAll(adapter)
            for total in (adapter.packetsReceived, adapter.octetsReceived):
                self.assertIsInstance(total, int)
                self.assertGreaterEqual(total, 0)
            for name, count in adapter.counters.items():
                self.assertIsInstance(name, str)
                self.assertIsInstance(count, int)
                self.assertGreaterEqual(count, 0)

    def test_contractConnectionLost(self) -> None:
        """
        An adapter may be told more than once that its transport is gone.
        """
        for adapter, proto in self._connected():
            self._configure(adapter, proto)
            adapter.connectionLost(_lost())
            adapter.connectionLost(_lost())

    def _connected(self) -> Iterator[tuple[Any, str]]:
        factory = self.makeFactory()
        for proto in factory.protos:
            adapter = factory.buildAdapter(proto)
            adapter.notify = lambda event: None
            adapter.peer = MemoryAdapter(factory.medium)
            adapter.makeConnection(self.makeTransport(proto))
            yield adapter, proto

    def _configure(self, adapter: Any, proto: str) -> None:
        for section, terms in self.accepted(proto)[:1]:
            adapter.configure(section, terms)()

    def _sendAll(self, adapter: Any) -> None:
        for unit in self.units():
            before = self._trace(adapter)
            adapter.sendUnit(unit)
            self.assertNotEqual(self._trace(adapter), before, "a unit was neither written nor counted")

    def _trace(self, adapter: Any) -> tuple[Any, ...]:
        transport = adapter.transport
        return len(transport.written), len(transport.writtenControl), dict(adapter.counters)

    def _assertUnchanged(self, adapter: Any, before: dict[str, Any], who: str) -> None:
        after = self.state(adapter)
        changed = {
            name
            for name in before.keys() | after.keys()
            if name not in before
            or name not in after
            or not (before[name] is after[name] or before[name] == after[name])
        }
        self.assertEqual(changed, set(), f"{who} changed these attributes")


def _slots(kind: type) -> Sequence[str]:
    slots = kind.__dict__.get("__slots__", ())
    return (slots,) if isinstance(slots, str) else tuple(slots)


def _lost() -> Failure:
    return Failure(ConnectionDone())


def _anyBytes(chance: random.Random, wire: Sequence[bytes]) -> bytes:
    """
    Sometimes anything, sometimes something good with octets changed.
    """
    if not wire or chance.random() < 0.3:
        return chance.randbytes(chance.randrange(64))
    data = bytearray(chance.choice(wire))
    for _ in range(chance.randrange(4)):
        position = chance.randrange(len(data) + 1)
        data[position : position + chance.randrange(3)] = chance.randbytes(chance.randrange(3))
    return bytes(data)


#: Attributes that adapters and transports read, for L{AdapterContract} to put
#: nonsense into.
_ATTRIBUTES = ("crypto", "fingerprint", "setup", "path", "rtpmap", "fmtp", "rtcp", "3ge2ae", "floorctrl")
_VALUES = (
    None,
    "",
    "1",
    "active",
    "1 2 3",
    "msrp://x:1/y;tcp",
    "1 AES_CM_128_HMAC_SHA1_80 inline:AAAA",
    "\x00\xff",
)


def _anySection(chance: random.Random, protos: Sequence[str]) -> Section:
    proto = chance.choice([*protos, *(p.lower() for p in protos), "RTP/AVP", "TCP/MSRP", "udptl", "x"])
    lines = [Line(chance.choice(_ATTRIBUTES), chance.choice(_VALUES)) for _ in range(chance.randrange(4))]
    return Section(
        chance.choice(["audio", "image", "message", "application", ""]),
        chance.choice([0, 9, 4000]),
        proto,
        chance.choice([["0"], ["*"], ["98", "0"], []]),
        address=chance.choice(["192.0.2.2", "2001:db8::2", None, "host.invalid"]),
        lines=lines,
    )
