"""
What all adapters have whose unit is a datagram.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.protocol import Protocol

from e2aegw.sansio.events import Event, MediaStarted
from e2aegw.sansio.sdp import Line
from e2aegw.sansio.terms import Terms

_STARTED = MediaStarted()


def _nobody(unit: bytes) -> None:
    """
    There is no peer yet.
    """


class DatagramAdapter(Protocol):
    """
    Counts what passes, and knows where it goes.
    """

    authenticates = False
    passes: frozenset[str] = frozenset()
    transport: Any

    def __init__(self) -> None:
        self.counters: dict[str, int] = defaultdict(int)
        self.notify: Callable[[Event], None] = lambda event: None
        self.packetsReceived = self.octetsReceived = self.packetsSent = self.octetsSent = 0
        self._peer: Any = None
        self._toPeer: Callable[[bytes], None] = _nobody

    @property
    def peer(self) -> Any:
        """
        See L{e2aegw.interfaces.IAdapter}.
        """
        return self._peer

    @peer.setter
    def peer(self, peer: Any) -> None:
        self._peer = peer
        self._toPeer = peer.sendUnit if peer is not None else _nobody

    def describe(self, terms: Terms) -> Sequence[Line]:
        """
        See L{e2aegw.interfaces.ILegPart}.  What there is to say is said from
        end to end.
        """
        return ()

    def packetReceived(self, packet: bytes) -> None:
        """
        A packet is good; tell the other leg.
        """
        if not self.packetsReceived:
            self.notify(_STARTED)
        self.packetsReceived += 1
        self.octetsReceived += len(packet)
        self._toPeer(packet)

    def packetsMoved(self, packets: int, octets: int, sent: bool) -> None:
        """
        See L{e2aegw.interfaces.IOffloadable}.
        """
        if sent:
            self.packetsSent += packets
            self.octetsSent += octets
        else:
            self.packetsReceived += packets
            self.octetsReceived += octets
