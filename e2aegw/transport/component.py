"""
One UDP port of a transport, and the network party behind it: a I{component}
in the words of RFC 8445.

Here it is decided whom to believe.  A datagram counts as the remote party's

  - with ICE: if it comes from an address that passed an authenticated check;
  - otherwise: if it comes from the address that was settled on.  That is the
    first one that was heard from and found to be authentic; or, where the
    medium has no authentication, found to be well-formed, provided that it
    either is the signalled address or came soon after signalling.  Whoever was
    quicker than the signalled address loses to it.
"""

from collections.abc import Callable, MutableMapping
from typing import TypeAlias

from e2aegw.errors import RemoteError
from e2aegw.interfaces import Address, IDatagramPort
from e2aegw.sansio.events import NOWHERE, Event, PathChanged, PathSettled
from e2aegw.sansio.rtp import FIRST_BYTE, Packet

#: Seconds after signalling in which a plain stream may latch onto another
#: address than the signalled one.
LATCH_WINDOW = 3.0

#: Called with a datagram that is for the medium.
Deliver: TypeAlias = Callable[[bytes], None]
#: Called with a datagram, this component and where it came from.
Special: TypeAlias = Callable[[bytes, "Component", Address], None]

_RTP, _STUN, _DTLS = Packet.RTP, Packet.STUN, Packet.DTLS


class Component:
    """
    One UDP port.

    @ivar number: 1 for RTP and anything else, 2 for RTCP.
    @ivar remote: where we send, or L{None}.
    @ivar source: the only address that media is taken from, once settled.
    @ivar signalled: the address from the description.
    @ivar held: whether the description says that nothing is to be sent (RFC
        3264 clause 8.4: address 0.0.0.0).
    @ivar deliver: gets datagrams of the medium.
    @ivar hold: if set, media is not believed yet, wherever it comes from; it
        keeps a datagram for later or raises L{RemoteError}.
    """

    __slots__ = (
        "_counters",
        "_latchUntil",
        "_notify",
        "_seconds",
        "asymmetric",
        "authenticated",
        "deliver",
        "held",
        "hold",
        "isValid",
        "number",
        "onDTLS",
        "onSTUN",
        "port",
        "remote",
        "signalled",
        "source",
    )

    def __init__(
        self,
        number: int,
        seconds: Callable[[], float],
        counters: MutableMapping[str, int],
        notify: Callable[[Event], None],
    ) -> None:
        """
        @param seconds: the time.
        @param counters: where to count what is dropped.
        @param notify: told when media goes elsewhere than signalled.
        """
        self.number = number
        self._seconds = seconds
        self._notify = notify
        self._counters = counters
        self.port: IDatagramPort | None = None
        self.remote: Address | None = None
        self.source: Address | None = None
        self.signalled: Address | None = None
        self.held = False
        self.asymmetric = False
        self.authenticated = False
        self._latchUntil = float("-inf")
        self.deliver: Deliver = _nobody
        self.hold: Special | None = None
        self.onSTUN: Special | None = None
        self.onDTLS: Special | None = None
        self.isValid: Callable[[int, Address], bool] | None = None

    def close(self) -> None:
        """
        Let go of everybody, so that nobody is kept by what this one would have
        told them.  The port is somebody else's to close.
        """
        self.deliver, self._notify = _nobody, _ignore
        self.hold = self.onSTUN = self.onDTLS = self.isValid = None

    def signal(self, address: Address | None, *, asymmetric: bool) -> None:
        """
        A description says where the remote party is.  If it says so again,
        what was learned stays.

        @param address: L{None} puts the remote party on hold: it gets nothing,
            and is still heard from where it was.
        """
        self.asymmetric = asymmetric
        remote = self.remote
        if address is None:
            remote = None
        elif address != self.signalled:
            remote = self.signalled = address
            self.source = None
            self._latchUntil = self._seconds() + LATCH_WINDOW
        elif remote is None:
            remote = address if asymmetric or self.source is None else self.source
        self.held = address is None
        if remote != self.remote:
            if self.remote is not None:
                self._notify(PathChanged(reason="the description says another address"))
            self.remote = remote

    def expectAnybody(self) -> None:
        """
        No description says where the remote party is: it is whoever comes
        first, and whenever that is.
        """
        self.held = False
        self._latchUntil = float("inf")

    def settle(self, address: Address) -> None:
        """
        The remote party has proven to be here.
        """
        if self.hold is None:
            self.source = address
        if not self.held and (not self.asymmetric or self.isValid is not None):
            self.remote = address
        if self.source is not None:
            self._notify(PathSettled(signalled=_text(self.signalled), remote=_text(address)))

    def datagramReceived(self, data: bytes, source: Address) -> None:
        """
        Take a datagram from the network.
        """
        try:
            kind = FIRST_BYTE[data[0]] if data else None
            if kind is _STUN and self.onSTUN is not None:
                self.onSTUN(data, self, source)
            elif kind is _DTLS and self.onDTLS is not None:
                self.onDTLS(data, self, source)
            elif kind is not _RTP and (self.onSTUN is not None or self.onDTLS is not None):
                raise RemoteError("unknown protocol")
            elif source == self.source:
                self.deliver(data)
            else:
                self._stranger(data, source)
        except RemoteError as e:
            self._counters["dropped " + e.reason] = self._counters.get("dropped " + e.reason, 0) + 1

    def _stranger(self, data: bytes, source: Address) -> None:
        if self.isValid is not None and not self.isValid(self.number, source):
            raise RemoteError("unknown source")
        if self.hold is not None:
            self.hold(data, self, source)
            return
        if self.isValid is not None:
            self.deliver(data)
        else:
            if self.source is not None and source != self.signalled:
                raise RemoteError("unknown source")
            if source != self.signalled and not self.authenticated and self._seconds() > self._latchUntil:
                raise RemoteError("unknown source")
            self.deliver(data)
            # Delivered without complaint, so it is what it claims to be.
            self.settle(source)

    def send(self, data: bytes) -> None:
        """
        Send to the remote party, if it is known.
        """
        if self.remote is None or self.port is None:
            self._counters["unsent no destination"] = self._counters.get("unsent no destination", 0) + 1
            return
        try:
            self.port.sendto(data, self.remote)
        except OSError:
            self._counters["unsent refused"] = self._counters.get("unsent refused", 0) + 1

    def sendTo(self, data: bytes, destination: Address) -> None:
        """
        Send to somebody in particular.
        """
        if self.port is not None:
            try:
                self.port.sendto(data, destination)
            except OSError:
                self._counters["unsent refused"] = self._counters.get("unsent refused", 0) + 1


def _nobody(data: bytes) -> None:
    raise RemoteError("not expected")


def _ignore(event: Event) -> None:
    """
    There is nobody to tell.
    """


def _text(address: Address | None) -> str:
    return NOWHERE if address is None else f"{address[0]}:{address[1]}"
