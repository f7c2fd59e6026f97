"""
A gateway on the memory network.
"""

from collections.abc import Callable
from typing import Any, ClassVar

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from e2aegw.adapter import relay, rtp, srtp
from e2aegw.gateway.config import LimitsTable, PolicyTable, SideConfig
from e2aegw.gateway.service import Gateway, Route
from e2aegw.interfaces import Address, IGatewayObserver
from e2aegw.sansio.certificate import Identity
from e2aegw.sansio.events import Event
from e2aegw.sansio.sdp import Side
from e2aegw.testing import MemoryNetwork

SRTP, RTP, RELAY = srtp.Factory(), rtp.Factory(), relay.Factory()
ROUTES = (Route(SRTP, RTP), Route(RTP, RTP), Route(SRTP, SRTP), Route(RTP, SRTP), Route(RELAY, RELAY))
ACCESS, CORE = "198.51.100.1", "203.0.113.1"
ACCESS6, CORE6 = "2001:db8:a::1", "2001:db8:c::1"


@implementer(IGatewayObserver)
class Witness:
    """
    Remembers what happened.
    """

    def __init__(self) -> None:
        self.events: list[Event] = []

    def happened(self, session: Any, event: Event) -> None:
        """
        See L{e2aegw.interfaces.IGatewayObserver}.
        """
        self.events.append(event)


class GatewayTestCase(SynchronousTestCase):
    """
    A gateway with an access side, a core side and a clock.
    """

    routes: ClassVar[tuple[Route, ...]] = ROUTES
    limits = LimitsTable()
    policy = PolicyTable()
    patience = 10.0
    rsa: ClassVar[Identity | None] = None

    def setUp(self) -> None:
        """
        Start it.
        """
        self.clock = self.makeClock()
        self.network = MemoryNetwork(self.clock)
        sides = {
            Side.ACCESS: SideConfig(addresses=((ACCESS, ACCESS), (ACCESS6, ACCESS6)), ports=(30000, 30099)),
            Side.CORE: SideConfig(addresses=((CORE, CORE), (CORE6, CORE6)), ports=(40000, 40099)),
        }
        self.gateway = Gateway(
            self.clock,
            sides,
            self.routes,
            rsa=self.rsa,
            network=self.network,
            limits=self.limits,
            policy=self.policy,
            patience=self.patience,
        )
        self.witness = Witness()
        self.gateway._observers.append(self.witness)
        self.gateway.startService()

    def makeClock(self) -> Clock:
        """
        What the time is.
        """
        return Clock()

    def tearDown(self) -> None:
        """
        Stop it: nothing may be left.
        """
        self.gateway.stopService()
        self.assertEqual(self.gateway.portsLent, 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def record(self, lost: Callable[[Address], bool] = lambda destination: False) -> list[bytes]:
        """
        Write down every datagram from now on.

        @param lost: whether what goes to an address is lost.
        """
        seen: list[bytes] = []

        def lose(data: bytes, source: Address, destination: Address) -> bool:
            seen.append(data)
            return lost(destination)

        self.network.lose = lose
        return seen

    def result(self, deferred: "Deferred[str]") -> str:
        """
        What a deferred has to say.
        """
        return str(self.successResultOf(deferred))

    def happened(self, kind: type[Event]) -> list[Any]:
        """
        The events of one kind.
        """
        return [event for event in self.witness.events if isinstance(event, kind)]
