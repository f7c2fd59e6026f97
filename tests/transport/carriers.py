"""
Two carriers of data channels, back to back on the memory network.
"""

import datetime
from typing import Any

from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from e2aegw.gateway.ports import PortPool
from e2aegw.sansio.certificate import Identity
from e2aegw.sansio.datachannel import FORMAT, ChannelMap
from e2aegw.sansio.dtls import Endpoint
from e2aegw.sansio.events import Event
from e2aegw.sansio.sdp import Line, Section
from e2aegw.sansio.terms import Kind, Terms
from e2aegw.testing import MemoryNetwork
from e2aegw.transport.channel import ChannelCarrier
from e2aegw.transport.datachannel import DataChannel
from e2aegw.transport.dtls import DTLSTransport

OFFER = Terms(kind=Kind.OFFER)
ANSWER = Terms(kind=Kind.ANSWER)
CHAT = ChannelMap(streamID=0, label="chat", subprotocol="msrp")
FILES = ChannelMap(streamID=2, label="files", subprotocol="msrp")

_ENDPOINTS: list[Endpoint] = []


def endpoint(number: int) -> Endpoint:
    """
    One of two endpoints, which are slow to make.
    """
    while len(_ENDPOINTS) <= number:
        _ENDPOINTS.append(Endpoint(Identity.generate(datetime.datetime.now(datetime.UTC))))
    return _ENDPOINTS[number]


class Recorder(Protocol):
    """
    An adapter that remembers.

    @ivar messages: what it got.
    @ivar life: C{"opened"} and C{"lost"}, as they came.
    """

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.life: list[str] = []
        self.reasons: list[Failure] = []

    def connectionMade(self) -> None:
        """
        See L{DataChannel}.
        """
        transport: Any = self.transport
        if transport.connected:
            self.connectionOpened()

    def connectionOpened(self) -> None:
        """
        See L{DataChannel}.
        """
        self.life.append("opened")

    def dataReceived(self, data: bytes) -> None:
        """
        Remember it.
        """
        self.messages.append(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        Remember it.
        """
        self.life.append("lost")
        self.reasons.append(reason)


class Party:
    """
    One end.

    @ivar events: what was said of its channels.
    """

    def __init__(self, clock: Clock, pool: PortPool, number: int) -> None:
        self.carrier = ChannelCarrier(clock, DTLSTransport(clock, pool, endpoint(number), control=False))
        self.carrier.notify = self.happened
        self.events: list[Event] = []

    def happened(self, event: Event) -> None:
        """
        Remember it.
        """
        self.events.append(event)

    def share(self, channel: ChannelMap, protocol: Any = None) -> tuple[DataChannel, Any]:
        """
        A channel and what stands on it.
        """
        share = self.carrier.share(channel)
        share.notify = self.happened
        protocol = Recorder() if protocol is None else protocol
        share.attach(protocol)
        return share, protocol

    def section(self, terms: Terms, *changes: Line) -> Section:
        """
        What it says of itself.

        @param changes: what to say instead.
        """
        names = {line.name for line in changes}
        lines = [line for line in self.carrier.describe(terms) if line.name not in names] + list(changes)
        host, port = self.carrier.dtls.localAddress
        return Section("application", port, "UDP/DTLS/SCTP", (FORMAT,), address=host, lines=lines)


class CarrierTestCase(SynchronousTestCase):
    """
    Two parties that nobody has introduced yet.
    """

    def setUp(self) -> None:
        """
        Make both.
        """
        self.clock = Clock()
        self.network = MemoryNetwork(self.clock)
        self.pools = [PortPool(self.network, f"192.0.2.{n}", 30000, 30001) for n in (1, 2)]
        self.offerer, self.answerer = (Party(self.clock, pool, n) for n, pool in enumerate(self.pools))

    def negotiate(self, offer: tuple[Line, ...] = (), answer: tuple[Line, ...] = ()) -> None:
        """
        Offer and answer.

        @param offer: what to say in the offer instead of what would be said.
        @param answer: the same for the answer.
        """
        self.answerer.carrier.configure(self.offerer.section(OFFER, *offer), OFFER)()
        self.offerer.carrier.configure(self.answerer.section(ANSWER, *answer), ANSWER)()
        self.network.flush()

    def end(self) -> None:
        """
        End both, and see that nothing is left.
        """
        for party in (self.offerer, self.answerer):
            party.carrier.loseConnection()
        self.network.flush()
        self.assertEqual(self.network.ports, {})
        self.assertEqual([pool.lent for pool in self.pools], [0, 0])
        self.assertEqual(self.clock.getDelayedCalls(), [])
