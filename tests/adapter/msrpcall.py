"""
A call between two MSRP endpoints through two adapters, with transports in
memory that push back.
"""

from collections import Counter, deque
from collections.abc import Callable, MutableMapping
from random import Random
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IConsumer, IPushProducer
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from zope.interface import implementer

from e2aegw.adapter.msrp import PROTOS, Factory, MSRPAdapter
from e2aegw.errors import RemoteError
from e2aegw.interfaces import Address
from e2aegw.sansio.compose import crosses
from e2aegw.sansio.events import Event
from e2aegw.sansio.sdp import Line, Section
from e2aegw.sansio.terms import Kind, Terms
from tests.adapter.msrppeer import Endpoint

CEMA = Line("msrp-cema")
#: Each proto with each.
PAIRS = [(a, b) for a in PROTOS for b in PROTOS]


@implementer(IConsumer, IPushProducer)
class Wire:
    """
    A transport between an adapter and an endpoint.

    @ivar HIGH: how much may wait to be sent before the producer has to pause.
    @ivar outbound: what the adapter wrote and the endpoint did not get.
    @ivar inbound: what the endpoint sent and the adapter did not get.
    @ivar most: the most that ever waited in C{outbound}.
    """

    HIGH = 65536

    def __init__(self, address: Address, *, messages: bool, piece: Callable[[int], int]) -> None:
        self.localAddress = address
        self.messages = messages
        self.maxMessageSize = 0
        self.connected = True
        self.active: bool | None = None
        self.notify: Callable[[Event], None] = lambda event: None
        self.counters: MutableMapping[str, int] = Counter()
        self.protocol: Any = None
        self.outbound: deque[bytes] = deque()
        self.waiting = self.most = 0
        self.inbound: deque[bytes] = deque()
        self.paused = self.closed = False
        self.producer: Any = None
        self.producing = True
        self.errors: list[str] = []
        self._piece = piece

    def attach(self, protocol: Any) -> None:
        """
        Connect the adapter.
        """
        self.protocol = protocol
        protocol.makeConnection(self)

    def write(self, data: bytes) -> None:
        """
        Keep it for the endpoint.
        """
        assert not self.closed
        assert not (self.messages and self.maxMessageSize and len(data) > self.maxMessageSize)
        self.outbound.append(data)
        self.waiting += len(data)
        self.most = max(self.most, self.waiting)
        if self.waiting > self.HIGH and self.producer is not None and self.producing:
            self.producing = False
            self.producer.pauseProducing()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """
        See L{IConsumer}.
        """
        assert self.producer is None and streaming
        self.producer = producer

    def unregisterProducer(self) -> None:
        """
        See L{IConsumer}.
        """
        self.producer = None

    def pauseProducing(self) -> None:
        """
        See L{IPushProducer}.
        """
        assert not self.paused
        self.paused = True

    def resumeProducing(self) -> None:
        """
        See L{IPushProducer}.
        """
        assert self.paused
        self.paused = False

    def stopProducing(self) -> None:
        """
        See L{IPushProducer}.
        """

    def loseConnection(self) -> None:
        """
        Close.
        """
        self.closed = True

    def lose(self) -> None:
        """
        The connection breaks.
        """
        self.closed = True
        self.protocol.connectionLost(Failure(ConnectionDone()))

    def put(self, data: bytes) -> None:
        """
        The endpoint sends.
        """
        self.inbound.append(data)

    def hear(self) -> bool:
        """
        Give the adapter some of what the endpoint sent.

        @return: whether there was something and the adapter wanted it.
        """
        if self.paused or self.closed or not self.inbound or not self.connected:
            return False
        data = self.inbound.popleft()
        if not self.messages:
            size = self._piece(len(data))
            if size < len(data):
                self.inbound.appendleft(data[size:])
                data = data[:size]
        try:
            self.protocol.dataReceived(data)
        except RemoteError as e:
            self.errors.append(e.reason)
        return True

    def drain(self, endpoint: Endpoint) -> bool:
        """
        Give the endpoint some of what the adapter wrote.

        @return: whether there was something.
        """
        if not self.outbound:
            return False
        data = self.outbound.popleft()
        self.waiting -= len(data)
        if self.messages:
            # A message holds a chunk, all of it and nothing else.
            assert not endpoint.wire
            endpoint.receive(data)
            assert not endpoint.wire
        else:
            endpoint.receive(data)
        if self.waiting == 0 and not self.producing and self.producer is not None:
            self.producing = True
            self.producer.resumeProducing()
        return True


class Call:
    """
    Two endpoints, two adapters.

    @ivar a, b: who offers and who answers.
    @ivar wires: their transports.
    @ivar legs: their adapters.
    @ivar sections: the last ones that were translated: the offer's for B and
        the answer's for A.
    """

    HOSTS = ("198.51.100.1", "192.0.2.1")

    def __init__(
        self,
        protoA: str = "TCP/MSRP",
        protoB: str = "TCP/MSRP",
        *,
        seed: int | None = 1,
        limit: int = 0,
        **options: Any,
    ) -> None:
        """
        @param seed: of the sizes of the pieces in which a stream arrives;
            L{None} leaves them as they are.
        @param limit: the longest message on a data channel.
        """
        random = Random(seed)
        self.clock = Clock()
        factory = Factory(clock=self.clock, **options)
        self.protos = (protoA, protoB)
        self.legs: list[MSRPAdapter] = [factory.buildAdapter(proto) for proto in self.protos]
        self.legs[0].peer, self.legs[1].peer = self.legs[1], self.legs[0]
        self.events: list[Event] = []
        #: What the controller says with each offer and answer.
        self.said: dict[str, Any] = {}
        self.wires: list[Wire] = []
        self.sections: list[Section] = []
        uris = []
        for number, (leg, proto) in enumerate(zip(self.legs, self.protos, strict=True)):
            messages = proto == "DC/MSRP"
            wire = Wire(
                (self.HOSTS[number], 7000 + number),
                messages=messages,
                piece=(lambda size: size)
                if seed is None
                else (lambda size: random.randint(1, min(size, 3000))),
            )
            wire.maxMessageSize = limit
            leg.notify = self.events.append
            self.wires.append(wire)
            scheme = "msrp" if proto == "TCP/MSRP" else "msrps"
            host = f"{'ab'[number]}.example.com:90{number}0"
            uris.append(f"{scheme}://{host}/session{number};{'dc' if messages else 'tcp'}")
        self.a, self.b = Endpoint(uris[0]), Endpoint(uris[1])
        for wire, endpoint in zip(self.wires, (self.a, self.b), strict=True):
            endpoint.send = wire.put

    def section(self, who: int, *lines: Line, path: str = "", setup: str | None = "actpass") -> Section:
        """
        What an endpoint says of itself.
        """
        endpoint = (self.a, self.b)[who]
        own = [Line("path", path or endpoint.uri), Line("accept-types", "*")]
        if setup:
            own.append(Line("setup", setup))
        return Section("message", 9000, self.protos[who], ["*"], address="203.0.113.9", lines=[*own, *lines])

    def translate(self, who: int, section: Section, kind: Kind) -> Section:
        """
        An endpoint's section to the other one's, as a session does it.
        """
        near, far = self.legs[who], self.legs[1 - who]
        terms = Terms(kind=kind, **self.said)
        near.configure(section, terms)()
        own = far.describe(terms)
        lines = [
            line
            for line in section.lines
            if crosses(line, feedback=False, fromWebRTC=False, passes=far.passes)
        ]
        host, port = self.wires[1 - who].localAddress
        made = Section("message", port, self.protos[1 - who], ["*"], address=host, lines=[*lines, *own])
        (self.a, self.b)[1 - who].path = (made.get("path") or "").split()[-1]
        self.sections.append(made)
        return made

    def connect(self, *which: int) -> None:
        """
        The connections are there.
        """
        for number in which or (0, 1):
            self.wires[number].attach(self.legs[number])

    def establish(
        self,
        *lines: Line,
        offer: str | None = "actpass",
        answer: str | None = "passive",
        answers: tuple[Line, ...] | None = None,
        begin: bool = True,
    ) -> None:
        """
        Offer, answer, connections and what active endpoints begin with.

        @param answers: other lines in the answer than in the offer.
        """
        for leg, wire in zip(self.legs, self.wires, strict=True):
            leg.transport = wire
        self.translate(0, self.section(0, *lines, setup=offer), Kind.OFFER)
        self.translate(
            1, self.section(1, *(lines if answers is None else answers), setup=answer), Kind.ANSWER
        )
        self.connect()
        if begin:
            if not self.legs[0].active:
                self.a.begin()
            if not self.legs[1].active:
                self.b.begin()
            self.run()

    def run(self, *, drain: tuple[int, ...] = (0, 1)) -> None:
        """
        Until nothing moves.

        @param drain: which endpoints read.
        """
        moved = True
        while moved:
            moved = False
            for number, (wire, endpoint) in enumerate(zip(self.wires, (self.a, self.b), strict=True)):
                moved = wire.hear() or moved
                if number in drain:
                    moved = wire.drain(endpoint) or moved

    def close(self) -> None:
        """
        The call ends.
        """
        for leg, wire in zip(self.legs, self.wires, strict=True):
            if wire.protocol is not None:
                wire.closed = True
                leg.connectionLost(Failure(ConnectionDone()))
            leg.peer = None
