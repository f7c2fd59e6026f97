"""
One TCP connection, and how there comes to be one.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from twisted.internet import protocol
from twisted.python.failure import Failure

from e2aegw.interfaces import Address

#: Octets that are read, and may wait to be written, at a time: four chunks of
#: what is usual (64 KB), for which the reactor need not turn so often.
READ = 1 << 18
#: Pieces that are written by one call, without being put together: systems
#: take 1024.
_AT_ONCE = 256


class Owner(Protocol):
    """
    Who wants to have a connection.
    """

    def build(self) -> "StreamConnection":
        """
        What will speak to who is connected.
        """

    def expects(self, host: str) -> bool:
        """
        Whether one who connects now is welcome.

        @param host: where it comes from.
        """

    def connectFailed(self, reason: str) -> None:
        """
        An attempt to connect came to nothing.
        """

    def writers(self) -> Sequence[Any]:
        """
        Which connections of the reactor's have something that waits.
        """

    def opened(self, connection: Any) -> None:
        """
        TCP is up.
        """

    def received(self, connection: Any, data: bytes) -> None:
        """
        Bytes came.
        """

    def disconnected(self, connection: Any, reason: Failure) -> None:
        """
        TCP is down.
        """


class _Turn:
    """
    One connection is being read.

    @ivar reading: whether that is so.
    @ivar waiting: those that have something to write then.
    """

    def __init__(self) -> None:
        self.reading = False
        self.waiting: list[StreamConnection] = []


#: There is one reactor, which reads one connection at a time.
_TURN = _Turn()


class StreamConnection(protocol.Protocol):
    """
    A TCP connection that belongs, or wants to belong, to a transport.
    """

    transport: Any

    def __init__(self, owner: Owner) -> None:
        self.owner = owner
        self._handle: Any = None
        self._pending: list[bytes] = []
        # Whether something may wait in the transport.
        self._behind = False

    @property
    def remote(self) -> Address:
        """
        Who is at the other end.
        """
        peer = self.transport.getPeer()
        return peer.host, peer.port

    def write(self, data: bytes) -> None:
        """
        Send.
        """
        self.put(data)

    def put(self, data: bytes) -> None:
        """
        Give octets to the network: at once, or with all else that is said to
        what is just being read.
        """
        self._pending.append(data)
        if len(self._pending) == 1:
            self.postpone()

    def postpone(self) -> None:
        """
        Call L{release} at the end of what is just being read, or now.
        """
        if _TURN.reading:
            _TURN.waiting.append(self)
        else:
            self.release()

    def release(self) -> None:
        """
        Give what there is to the network.  The reactor would first ask it
        whether it takes any, which costs more than to try.
        """
        pending, self._pending = self._pending, []
        if not pending:
            return
        if self._handle is None:
            self.transport.write(b"".join(pending))
            return
        if self._behind and self.transport in self.owner.writers():
            # What comes behind something that waits has to wait, too.
            self.transport.writeSequence(pending)
            return
        self._behind = False
        try:
            if len(pending) == 1:
                sent = self._handle.send(pending[0])
            else:
                sent = self._handle.sendmsg(pending[:_AT_ONCE])
        except OSError:
            sent = 0  # The transport finds out what is the matter.
        if sent < sum(map(len, pending)):
            self._behind = True
            self.transport.write(b"".join(pending)[sent:])

    def end(self) -> None:
        """
        Close, when what was written has gone out.
        """
        self.release()
        # Who is paused would never see the end.
        self.transport.resumeProducing()
        self.transport.loseConnection()

    def connectionMade(self) -> None:
        """
        See C{IProtocol}.
        """
        self.transport.bufferSize = READ
        handle = getattr(self.transport, "getHandle", None)
        if handle is not None:
            self._handle = handle()
        self.owner.opened(self)

    def dataReceived(self, data: bytes) -> None:
        """
        See C{IProtocol}.
        """
        if _TURN.reading:
            self.owner.received(self, data)
            return
        _TURN.reading = True
        try:
            self.owner.received(self, data)
        finally:
            _TURN.reading = False
            waiting, _TURN.waiting = _TURN.waiting, []
            for connection in waiting:
                connection.release()

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        """
        See C{IProtocol}.
        """
        self.owner.disconnected(self, reason)


class Passive(protocol.Factory):
    """
    Where somebody may connect.
    """

    noisy = False

    def __init__(self, owner: Owner) -> None:
        self.owner = owner

    def buildProtocol(self, addr: Any) -> StreamConnection | None:
        """
        Somebody connects.
        """
        return self.owner.build() if self.owner.expects(getattr(addr, "host", "")) else None


class Active(protocol.ClientFactory):
    """
    An attempt to connect to somebody.
    """

    noisy = False

    def __init__(self, owner: Owner) -> None:
        self.owner = owner

    def buildProtocol(self, addr: Any) -> StreamConnection:
        """
        We are connected.
        """
        return self.owner.build()

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        """
        We are not.
        """
        self.owner.connectFailed(reason.getErrorMessage())
