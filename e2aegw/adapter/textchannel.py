"""
Text in a data channel (RFC 8865).
"""

from collections.abc import Sequence
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from e2aegw.adapter.stream import StreamAdapter
from e2aegw.errors import NegotiationError, RemoteError
from e2aegw.interfaces import Apply, IAdapter, ITranslator
from e2aegw.sansio.events import MediaStarted
from e2aegw.sansio.sdp import Line, Section
from e2aegw.sansio.t140 import LOST, NEW_LINE, Decoder, Run
from e2aegw.sansio.t140queue import DEFAULT_RATE, Queue
from e2aegw.sansio.t140terms import channelRate, crosses, rateIn, receives
from e2aegw.sansio.terms import Terms

PROTO = "DC/T140"
#: Octets of text in one message.
MAX_MESSAGE = 16384
#: Octets that any message has room for: one character.
_SHORTEST = 4
#: Seconds for which what was written may not have arrived, if the channel
#: breaks: SCTP gives up after about a minute of silence (RFC 9260 clause 8.1).
UNSURE = 60.0
#: Seconds after which to look again at the earliest.
_SOON = 0.001
_STARTED = MediaStarted()


@implementer(IAdapter, ITranslator)
class ChannelTextAdapter(StreamAdapter):
    """
    Text in a data channel.  The unit is a L{Run}.

    @ivar text: that messages are called text.
    @ivar rate: the characters a second that the network party takes, if it
        says.
    """

    medium = "text"
    passes: frozenset[str] = frozenset()
    text = True
    formats: Sequence[str] = ("t140",)

    def __init__(self, clock: Any) -> None:
        """
        @param clock: provides C{IReactorTime}.
        """
        super().__init__(self._write)
        self.rate: int | None = None
        self._clock = clock
        self._queue = Queue()
        self._decoder = Decoder()
        self._receives = True
        # After a break: whether what the party said, or heard, may be
        # incomplete.
        self._unsureIn = self._unsureOut = False
        self._wroteAt: float | None = None
        self._source = 0
        self._timer: IDelayedCall | None = None

    # ILegPart

    def configure(self, section: Section, terms: Terms) -> Apply:
        """
        See L{ILegPart}.

        @raise NegotiationError: the section is not a channel of text.
        """
        if section.proto.upper() != PROTO:
            raise NegotiationError(f"{section.proto} where a channel of text was expected")
        rate, wanted = channelRate(section), receives(section)

        def apply() -> None:
            self.rate, self._receives = rate, wanted
            self._queue.rate = DEFAULT_RATE if rate is None else rate
            self._write()

        return apply

    def describe(self, terms: Terms) -> Sequence[Line]:
        """
        See L{ILegPart}.
        """
        return ()

    def translate(self, lines: Sequence[Line]) -> Sequence[Line]:
        """
        See L{ITranslator}.  What the other party takes is what we take.
        """
        rate = rateIn(lines)
        said = [] if rate is None else [Line("fmtp", f"t140 cps={rate}")]
        return [*said, *(line for line in lines if crosses(line, channel=True))]

    # IProtocol

    def connectionOpened(self) -> None:
        """
        What is written reaches the network party from now on.

        RFC 8865 clause 5.4: what was said before a break is not said again.
        """
        self._connected = True
        self._decoder = Decoder()
        if self._unsureIn:
            self._unsureIn = False
            self._toPeer(LOST)
        self._throttle.opened()
        self._write()

    def dataReceived(self, data: bytes) -> None:
        """
        A message from the network party.

        @raise RemoteError: there is no connection.
        """
        if not self._connected:
            raise RemoteError("not expected")
        if not self.packetsReceived:
            self.notify(_STARTED)
        self.packetsReceived += 1
        self.octetsReceived += len(data)
        if text := self._decoder.decode(data):
            self._toPeer(text)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The channel is no more; it may come back.
        """
        if self._connected:
            self._connected = False
            # Who closes a channel has said everything.
            self._unsureIn = self._decoder.finish() or reason.check(ConnectionDone) is None
            now = self._clock.seconds()
            self._unsureOut = self._wroteAt is not None and now < self._wroteAt + UNSURE
        self._throttle.closed()
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    # IPushProducer: what the network party sends

    def pauseProducing(self) -> None:
        """
        Read no more from the network party, for now.
        """
        self.counters["pauses"] += 1
        super().pauseProducing()

    # IAdapter

    def sendUnit(self, unit: Run) -> None:
        """
        See L{IAdapter}.
        """
        if not self._receives:
            self.counters["unsent not wanted"] += 1
            return
        text = unit.text
        if unit.source != self._source:
            # RFC 8865 clause 5.5: a channel is of one party.  If there are
            # several after all, say who it is.
            text = f"{NEW_LINE}[{unit.source or 'mixer'}] {text}"
            self._source = unit.source
        lost = self._queue.lost
        self._queue.push(text, paced=unit.paced)
        if self._queue.lost > lost:
            self.counters["unsent characters"] += self._queue.lost - lost
        self._write()
        if self._queue.waiting:
            self.counters["units that waited"] += 1

    def _write(self) -> None:
        """
        Write what may be written now.
        """
        if not self._connected or self._throttle.full:
            return
        now = self._clock.seconds()
        if self._unsureOut:
            self._unsureOut = False
            self._send(LOST, now)
        most = getattr(self.transport, "maxMessageSize", None) or MAX_MESSAGE
        most = max(_SHORTEST, min(most, MAX_MESSAGE))
        while not self._throttle.full and (text := self._queue.take(now, most)):
            self._send(text, now)
        if self._queue.waiting and self._timer is None and not self._throttle.full:
            wait = self._queue.nextAllowed(now) - now
            self._timer = self._clock.callLater(max(_SOON, wait), self._expire)

    def _send(self, text: str, now: float) -> None:
        data = text.encode(errors="replace")
        self._wroteAt = now
        self.packetsSent += 1
        self.octetsSent += len(data)
        self.transport.write(data)

    def _expire(self) -> None:
        self._timer = None
        self._write()

    def _toPeer(self, text: str) -> None:
        if self.peer is None:
            self.counters["dropped nobody there"] += 1
        else:
            self.peer.sendUnit(Run(text))
