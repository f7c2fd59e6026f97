"""
Streams that are protected from end to end: bytes pass, and nobody here has the
keys (TS 23.334 clause 6.2.10A).
"""

from collections.abc import Sequence
from typing import Any

from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from e2aegw.adapter.stream import StreamAdapter
from e2aegw.errors import NegotiationError
from e2aegw.interfaces import Apply, IAdapter
from e2aegw.sansio.events import MediaStarted
from e2aegw.sansio.sdp import Line, Section
from e2aegw.sansio.terms import Kind, Terms

#: TLS is for the ends; here it is TCP.
PROTOS = dict.fromkeys(("TCP/TLS/MSRP", "TCP/TLS/BFCP"), "tcp")
#: Octets that wait for the connection.  The other leg is told to pause with the
#: first of them, so this is what it may have read by then.
MAX_WAITING = 1 << 18

_STARTED = MediaStarted()


@implementer(IAdapter)
class StreamRelayAdapter(StreamAdapter):
    """
    Relays a stream as it is.  The unit is some octets.

    The attributes of TLS and of the connection are the ends' business and pass,
    too.  So the ends agree on who connects, and the gateway connects to who
    waits.

    @ivar connects: whether we connect to the network party; L{None} before an
        answer says so.
    """

    medium = "sealed"
    passes = frozenset({"3ge2ae", "connection", "fingerprint", "msrp-cema", "path", "setup", "tls-id"})

    def __init__(self, proto: str) -> None:
        super().__init__(lambda: None)
        self.connects: bool | None = None
        self._proto = proto.upper()
        self._waiting: list[bytes] = []
        self._waitingSize = 0

    # ILegPart

    def configure(self, section: Section, terms: Terms) -> Apply:
        """
        See L{ILegPart}.

        @raise NegotiationError: the section has another proto.
        """
        if section.proto.upper() != self._proto:
            raise NegotiationError(f"{section.proto} where {self._proto} was expected")
        # RFC 4145 clause 4.1: passive is the default of an answer.
        active = section.get("setup") == "active"

        def apply() -> None:
            if terms.kind is Kind.ANSWER and isinstance(self.peer, StreamRelayAdapter):
                # Who made the offer reads that the other party connects.
                self.peer.connects = active

        return apply

    def describe(self, terms: Terms) -> Sequence[Line]:
        """
        See L{ILegPart}.
        """
        return ()

    # IProtocol

    def connectionOpened(self) -> None:
        """
        What is written reaches the network party from now on.
        """
        self._connected = True
        self._throttle.opened()
        waiting, self._waiting = self._waiting, []
        self._waitingSize = 0
        for data in waiting:
            self._write(data)
        self._throttle.wait(False)

    def dataReceived(self, data: bytes) -> None:
        """
        Some octets from the network party.
        """
        if not self.packetsReceived:
            self.notify(_STARTED)
        self.packetsReceived += 1
        self.octetsReceived += len(data)
        if self.peer is None:
            self.counters["dropped nobody there"] += 1
        else:
            self.peer.sendUnit(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The connection has ended.
        """
        self._connected = False
        self._waiting.clear()
        self._waitingSize = 0
        self._throttle.closed()

    # IAdapter

    def sendUnit(self, unit: Any) -> None:
        """
        See L{IAdapter}.
        """
        if self._connected:
            self._write(unit)
            return
        self._waitingSize += len(unit)
        if self._waitingSize > MAX_WAITING:
            # With a piece missing, the rest of a stream is of no use.
            self.counters["unsent no connection"] += 1
            self._waiting.clear()
            self.transport.loseConnection()
            return
        self._waiting.append(unit)
        self.counters["units that waited"] += 1
        self._throttle.wait(True)

    def _write(self, data: bytes) -> None:
        self.packetsSent += 1
        self.octetsSent += len(data)
        self.transport.write(data)
