"""
Text in RTP (RFC 4103), in the clear or under SRTP.

The adapter is the end of its RTP session: what it sends has a source and
numbers of its own.  Packets and keys are the business of the adapter for RTP
or SRTP inside of it.
"""

import time
from collections.abc import Callable, MutableMapping, Sequence
from math import ceil
from typing import Any

from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from e2aegw.adapter.rtp import RTPAdapter
from e2aegw.alarm import Alarm
from e2aegw.interfaces import Apply, IAdapter, ITranslator
from e2aegw.sansio.events import Event
from e2aegw.sansio.rtp import isControl
from e2aegw.sansio.sdp import Line, Section
from e2aegw.sansio.t140 import Run
from e2aegw.sansio.t140packet import parsePacket
from e2aegw.sansio.t140queue import DEFAULT_RATE, HIGH_WATER, LOW_WATER
from e2aegw.sansio.t140receiver import Receiver
from e2aegw.sansio.t140reports import Reports
from e2aegw.sansio.t140sender import Sender
from e2aegw.sansio.t140terms import Formats, crosses, rateIn, receives
from e2aegw.sansio.terms import Kind, Terms

#: Seconds to which times of sending are rounded up, so that the streams of many
#: calls are looked after at one go: to wake up costs more than to send.
_TICK = 0.005
#: Who wants no reports says that they may have no bandwidth (RFC 3556).
_NO_REPORTS = frozenset({"b=RS:0", "b=RR:0"})


class _Packets:
    """
    Stands where the other leg would, for the adapter inside.
    """

    def __init__(self, received: Callable[[bytes], None]) -> None:
        self.sendUnit = received


@implementer(IAdapter, ITranslator)
class RTPTextAdapter(Protocol):
    """
    Text in RTP.  The unit is a L{Run}.

    @ivar inner: speaks RTP, or SRTP.
    @ivar rate: the characters a second that the network party takes, if it
        says.
    """

    medium = "text"
    transport: Any

    def __init__(self, inner: RTPAdapter, clock: Any, buffering: float, generations: int) -> None:
        """
        @param inner: speaks RTP, or SRTP.
        @param clock: provides C{IReactorTime}.
        @param buffering: seconds to gather text.
        @param generations: how often to repeat.
        """
        self.inner = inner
        self.peer: Any = None
        self.transport = None
        self.rate: int | None = None
        self._clock = clock
        self._generations = generations
        self._sender = Sender(buffering)
        self._receiver = Receiver(generations, inner.counters)
        self._reports = Reports(self._sender, self._receiver)
        # How the network party wants to get text, and how it sends it.
        self._theirs: Formats | None = None
        self._ours: Formats | None = None
        self._plain: frozenset[int] = frozenset()
        self._red: frozenset[int] = frozenset()
        self._receives = True
        self._paused = False
        self._closed = False
        self._alarm = Alarm(clock)
        inner.peer = _Packets(self._packetReceived)

    # What the adapter inside has to say

    @property
    def notify(self) -> Callable[[Event], None]:
        """
        See L{ILegPart}.
        """
        return self.inner.notify

    @notify.setter
    def notify(self, notify: Callable[[Event], None]) -> None:
        self.inner.notify = notify

    @property
    def counters(self) -> MutableMapping[str, int]:
        """
        See L{ILegPart}.
        """
        return self.inner.counters

    @property
    def passes(self) -> frozenset[str]:
        """
        See L{IAdapter}.
        """
        return self.inner.passes

    @property
    def authenticates(self) -> bool:
        """
        See L{IAdapter}.
        """
        return self.inner.authenticates

    @property
    def packetsReceived(self) -> int:
        """
        How many packets arrived.
        """
        return self.inner.packetsReceived

    @property
    def octetsReceived(self) -> int:
        """
        How long they were.
        """
        return self.inner.octetsReceived

    @property
    def packetsSent(self) -> int:
        """
        How many packets were sent.
        """
        return self.inner.packetsSent

    @property
    def octetsSent(self) -> int:
        """
        How long they were.
        """
        return self.inner.octetsSent

    @property
    def suite(self) -> str:
        """
        The name of the protection in use, or C{""}.
        """
        return str(getattr(self.inner, "suite", ""))

    @property
    def sources(self) -> list[int]:
        """
        The SSRCs heard.
        """
        return sorted(self._receiver.sources)

    # ILegPart

    def configure(self, section: Section, terms: Terms) -> Apply:
        """
        See L{ILegPart}.

        @raise NegotiationError: there is no text, or no key that can be used.
        """
        applyInner = self.inner.configure(section, terms)
        formats = Formats.parse(section, self._generations)
        wanted = receives(section)
        reports = not _NO_REPORTS.issubset(line.strip() for line in section.others)

        def apply() -> None:
            applyInner()
            self._theirs, self.rate, self._receives = formats, formats.rate, wanted
            if terms.kind is Kind.OFFER:
                self._ours = formats
            self._listen()
            self._sender.queue.rate = DEFAULT_RATE if formats.rate is None else formats.rate
            self._sender.agree(formats.plain, formats.red, min(formats.generations, self._generations))
            if reports and not self._closed:
                now = self._clock.seconds()
                self._reports.start(now)
                self._arm(self._reports.nextTimeout())
            else:
                self._reports.stop()
            self._turn()

        return apply

    def describe(self, terms: Terms) -> Sequence[Line]:
        """
        See L{ILegPart}.

        @raise NegotiationError: the terms leave no suite to offer.
        """
        lines = self.inner.describe(terms)
        if self._ours is None:
            red = Formats().red if self._generations else None
            names = Formats().names if self._generations else Formats().names[:1]
            self._ours = Formats(red=red, generations=self._generations, names=names)
            self._listen()
        return lines

    @property
    def formats(self) -> Sequence[str]:
        """
        See L{ITranslator}.
        """
        return () if self._ours is None else self._ours.names

    def translate(self, lines: Sequence[Line]) -> Sequence[Line]:
        """
        See L{ITranslator}.  What the other party takes is what we take.
        """
        channel = not isinstance(self.peer, RTPTextAdapter)
        said = [] if self._ours is None else self._ours.lines(rateIn(lines))
        return [*said, *(line for line in lines if crosses(line, channel=channel))]

    # IProtocol

    def connectionMade(self) -> None:
        """
        The transport is there.
        """
        self.inner.makeConnection(self.transport)  # type: ignore[no-untyped-call]

    def dataReceived(self, data: bytes) -> None:
        """
        A datagram from the network party.

        @raise RemoteError: it is malformed, or not authentic.
        """
        self.inner.dataReceived(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The leg has ended.
        """
        self._closed = True
        self._reports.stop()
        self.inner.connectionLost(reason)
        self._alarm.stop()

    # IAdapter

    def sendUnit(self, unit: Run) -> None:
        """
        See L{IAdapter}.
        """
        if self._closed:
            self.counters["unsent no connection"] += 1
        elif not self._receives:
            self.counters["unsent not wanted"] += 1
        else:
            queue = self._sender.queue
            lost = queue.lost
            self._sender.push(unit.text, self._clock.seconds(), paced=unit.paced)
            if queue.lost > lost:
                self.counters["unsent characters"] += queue.lost - lost
            self._turn()
            if queue.waiting:
                self.counters["units that waited"] += 1

    # Inside

    def _listen(self) -> None:
        """
        Who answers with other numbers than it was offered may send either.
        """
        both = [each for each in (self._ours, self._theirs) if each is not None]
        self._plain = frozenset(each.plain for each in both)
        self._red = frozenset(each.red for each in both if each.red is not None)
        self._receiver.generations = max((each.generations for each in both), default=0)

    def _packetReceived(self, packet: bytes) -> None:
        """
        A packet is good.

        @raise RemoteError: what is in it is not.
        """
        now = self._clock.seconds()
        if isControl(packet):
            self._reports.receive(packet, now)
            return
        found = parsePacket(packet, self._plain, self._red)
        if found is None:
            # RFC 6263: what keeps a NAT's door open may have any payload type.
            self.counters["payload types unknown"] += 1
            return
        self._say(self._receiver.receive(found, now))
        self._arm(self._receiver.nextTimeout())

    def _say(self, runs: Sequence[Run]) -> None:
        for run in runs:
            if self.peer is None:
                self.counters["dropped nobody there"] += 1
            else:
                self.peer.sendUnit(run)

    def _turn(self) -> None:
        """
        Send what is due, and wait for what will be.
        """
        while (packet := self._sender.nextDatagram()) is not None:
            self.inner.sendUnit(packet)
        waiting = self._sender.queue.waiting
        if not self._paused and waiting > HIGH_WATER:
            self._paused = True
            _ask(self.peer, "pauseProducing")
        elif self._paused and waiting <= LOW_WATER:
            self._paused = False
            _ask(self.peer, "resumeProducing")
        now = self._clock.seconds()
        self._arm(self._sendAt(now))

    def _sendAt(self, now: float) -> float | None:
        """
        When to send, in whole L{_TICK}s.
        """
        at = self._sender.nextTimeout(now)
        return None if at is None else max(at, ceil(at / _TICK) * _TICK)

    def _arm(self, at: float | None) -> None:
        """
        Something is due, if not before something else.
        """
        if at is not None and not self._closed:
            self._alarm.set(at, self._expire)

    def _expire(self, now: float) -> None:
        self._say(self._receiver.timeout(now))
        report = self._reports.timeout(now, time.time())
        if report is not None:
            self.inner.sendUnit(report)
        self._sender.timeout(now)
        self._arm(self._receiver.nextTimeout())
        self._arm(self._reports.nextTimeout())
        self._turn()


@implementer(IHandshakeListener)
class KeyedTextAdapter(RTPTextAdapter):
    """
    Text in SRTP.
    """

    inner: Any

    def handshakeCompleted(self) -> None:
        """
        See L{IHandshakeListener}.
        """
        self.inner.handshakeCompleted()


def _ask(producer: Any, method: str) -> None:
    """
    Who cannot be asked to pause is not.
    """
    if (asked := getattr(producer, method, None)) is not None:
        asked()
