"""
What all adapters have that speak on connections: TCP, TLS and data channels.
"""

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Protocol
from zope.interface import implementer

from e2aegw.adapter.throttle import Throttle
from e2aegw.sansio.events import Event


@implementer(IPushProducer)
class StreamAdapter(Protocol):
    """
    A party with a connection that comes and goes, and that can be kept from
    sending: as C{IPushProducer} the adapter is what its network party sends.
    """

    authenticates = False
    transport: Any

    def __init__(self, drained: Callable[[], None]) -> None:
        """
        @param drained: called when the transport takes more again.
        """
        self.counters: dict[str, int] = defaultdict(int)
        self.notify: Callable[[Event], None] = lambda event: None
        self.peer: Any = None
        self.packetsReceived = self.octetsReceived = self.packetsSent = self.octetsSent = 0
        self.transport = None
        self._connected = False
        self._throttle = Throttle(self, drained)

    def connectionMade(self) -> None:
        """
        The transport is there.  If it says by an attribute C{connected} that
        nobody is at its other end yet, L{connectionOpened} follows.
        """
        if getattr(self.transport, "connected", True):
            self.connectionOpened()

    def connectionOpened(self) -> None:
        """
        What is written reaches the network party from now on.
        """
        raise NotImplementedError

    def pauseProducing(self) -> None:
        """
        Read no more from the network party, for now.
        """
        self._throttle.hold(True)

    def resumeProducing(self) -> None:
        """
        Read again.
        """
        self._throttle.hold(False)

    def stopProducing(self) -> None:
        """
        Nobody wants to hear of the network party any more.
        """
        self.pauseProducing()
