"""
Who is told of events, over the network.
"""

from collections import Counter, deque
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import MessageLengthError
from twisted.internet.interfaces import IDelayedCall, IPushProducer
from twisted.internet.protocol import ClientFactory, DatagramProtocol, Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from e2aegw.interfaces import Address

#: Most lines that wait for a receiver that is slow or away.  A line has about
#: 200 bytes; a call has about ten.  Of more the oldest are lost.
MAX_WAITING = 4096
#: Longest time that connecting takes, in seconds.
CONNECT_TIMEOUT = 5.0
#: Seconds from one attempt to connect to the next: the first, and the longest.
#: Each is twice as long as the one before.
FIRST_RETRY = 0.5
LONGEST_RETRY = 30.0
#: How long a receiver may take for the last lines, in seconds.
FAREWELL = 2.0


class UDPReceiver:
    """
    One that gets datagrams.  Nobody knows whether it does.
    """

    def __init__(self, reactor: Any, address: Address, counters: Counter[str]) -> None:
        """
        @param reactor: provides C{IReactorUDP}.
        """
        self._reactor = reactor
        self._address = address
        self._counters = counters
        self._port: Any = None

    def start(self) -> None:
        """
        Take a port to send from.
        """
        interface = "::" if ":" in self._address[0] else ""
        self._port = self._reactor.listenUDP(0, DatagramProtocol(), interface=interface)

    def send(self, line: bytes) -> None:
        """
        Send a line, or count that it could not be sent.
        """
        try:
            self._port.write(line, self._address)
        except (OSError, MessageLengthError):
            self._counters["lines not sent over UDP"] += 1
        else:
            self._counters["lines sent over UDP"] += 1

    async def stop(self) -> None:
        """
        Give the port back.
        """
        port, self._port = self._port, None
        if (stopping := port.stopListening()) is not None:
            await stopping


@implementer(IPushProducer)
class StreamReceiver:
    """
    One that is connected to.  While it is slow or away lines wait, and of too
    many the oldest are lost.
    """

    _log = Logger()

    def __init__(
        self, reactor: Any, address: Address, counters: Counter[str], missing: Callable[[int], bytes]
    ) -> None:
        """
        @param reactor: provides C{IReactorTCP} and C{IReactorTime}.
        @param missing: makes the line that says how many are missing.
        """
        self._reactor = reactor
        self._address = address
        self._counters = counters
        self._missing = missing
        self._waiting: deque[bytes] = deque()
        self._lost = 0
        self._wait = FIRST_RETRY
        self._transport: Any = None
        self._paused = self._stopping = False
        self._connector: Any = None
        self._timer: IDelayedCall | None = None
        self._gone: Deferred[None] | None = None

    def start(self) -> None:
        """
        Connect.
        """
        self._stopping = False
        self._connect()

    def send(self, line: bytes) -> None:
        """
        Send a line as soon as possible.
        """
        self._waiting.append(line)
        if len(self._waiting) > MAX_WAITING:
            self._waiting.popleft()
            self._lost += 1
            self._counters["lines lost over TCP"] += 1
        self._flush()

    async def stop(self) -> None:
        """
        Let the receiver have what waits, but not for long, and disconnect.
        """
        self._stopping = True
        self._stopTimer()
        if self._transport is None:
            connector, self._connector = self._connector, None
            if connector is not None:
                connector.disconnect()
            return
        gone: Deferred[None] = Deferred()
        self._gone = gone
        self._timer = self._reactor.callLater(FAREWELL, self._abort)
        self._flush()
        await gone

    # IPushProducer: the transport says when it has enough.

    def pauseProducing(self) -> None:
        """
        The receiver is slow.
        """
        self._paused = True

    def resumeProducing(self) -> None:
        """
        It takes more.
        """
        self._paused = False
        self._flush()

    def stopProducing(self) -> None:
        """
        It is gone; L{disconnected} comes, too.
        """

    # From the connection

    def connected(self, transport: Any) -> None:
        """
        The receiver is there.
        """
        self._connector = None
        if self._stopping:
            transport.abortConnection()
            return
        self._wait = FIRST_RETRY
        self._transport, self._paused = transport, False
        transport.registerProducer(self, True)
        self._flush()

    def disconnected(self, transport: Any) -> None:
        """
        The receiver is away.
        """
        if transport is not self._transport:
            return
        self._transport = None
        self._stopTimer()
        gone, self._gone = self._gone, None
        if gone is not None:
            gone.callback(None)
        elif not self._stopping:
            self._counters["connections lost"] += 1
            self._again("it closed the connection")

    def failed(self, reason: str) -> None:
        """
        The receiver is not there.
        """
        if self._connector is not None and not self._stopping:
            self._connector = None
            self._again(reason)

    # Inside

    def _connect(self) -> None:
        self._timer = None
        host, port = self._address
        # The factory may fail before this returns.
        self._connector = True
        connector = self._reactor.connectTCP(host, port, _Factory(self), timeout=CONNECT_TIMEOUT)
        if self._connector is True:
            self._connector = connector

    def _again(self, reason: str) -> None:
        if self._wait == FIRST_RETRY:
            # The first time only: it may be away for days.
            self._log.warn(
                "events: no connection with {host} port {port}: {reason}",
                host=self._address[0],
                port=self._address[1],
                reason=reason,
            )
        self._timer = self._reactor.callLater(self._wait, self._connect)
        self._wait = min(2 * self._wait, LONGEST_RETRY)

    def _flush(self) -> None:
        while self._transport is not None and not self._paused:
            if self._lost:
                lost, self._lost = self._lost, 0
                self._transport.write(self._missing(lost))
            elif self._waiting:
                self._counters["lines sent over TCP"] += 1
                self._transport.write(self._waiting.popleft())
            else:
                break
        if self._stopping and self._transport is not None and not self._waiting:
            # Otherwise it would wait for us, and not close.
            self._transport.unregisterProducer()
            self._transport.loseConnection()

    def _abort(self) -> None:
        self._timer = None
        if self._transport is not None:
            self._counters["lines lost over TCP"] += len(self._waiting)
            self._waiting.clear()
            self._transport.abortConnection()

    def _stopTimer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _Connection(Protocol):
    """
    One connection.  What the receiver says is of no interest.
    """

    def __init__(self, receiver: StreamReceiver) -> None:
        self._receiver = receiver

    def connectionMade(self) -> None:
        self._receiver.connected(self.transport)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._receiver.disconnected(self.transport)


class _Factory(ClientFactory):
    """
    Makes it.
    """

    noisy = False

    def __init__(self, receiver: StreamReceiver) -> None:
        self._receiver = receiver

    def buildProtocol(self, addr: Any) -> _Connection:
        return _Connection(self._receiver)

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        self._receiver.failed(reason.getErrorMessage())
