"""
Our SCTP and usrsctp, through a network in memory that is as bad as wanted.
"""

import hashlib
from collections.abc import Callable
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from e2aegw.sansio.sctp.association import Association
from e2aegw.sansio.sctp.events import (
    BufferLow,
    Closed,
    Established,
    MessageReceived,
    SCTPEvent,
    StreamReset,
)
from e2aegw.sansio.sctp.settings import Settings
from e2aegw.sansio.sctp.states import State
from tests.peers.peers import USRSCTP, needs
from tests.peers.usrsctp import Peer

#: How much the clock goes on at a time, in milliseconds.
TICK = 10
#: How many times at most.
MAX_TICKS = 60_000
#: A message of the transfers.
SIZE = 16384
#: 10 MB of them.
COUNT = 640


class Wire:
    """
    An association of ours and one of usrsctp's.

    @ivar received: the messages that came to us, by stream.
    @ivar arrived: the messages that came to usrsctp, by stream.
    @ivar events: all else that our association said.
    @ivar chunk: which types of chunks stood first in packets of usrsctp's.
    """

    def __init__(
        self,
        *,
        seed: int = 1,
        interleaving: bool = False,
        loss: float = 0,
        reordering: float = 0,
        duplication: float = 0,
        settings: Settings | None = None,
    ) -> None:
        self.random = Random(seed)
        self.loss = loss
        self.reordering = reordering
        self.duplication = duplication
        self.now = 1000.0
        self.ours = Association(settings or Settings(), self.random.randbytes)
        self.theirs = Peer(interleaving=interleaving)
        self.received: dict[int, list[bytes]] = {}
        self.arrived: dict[int, list[bytes]] = {}
        self.events: list[SCTPEvent] = []
        self.onTick: Callable[[], None] = lambda: None
        self._listening = False
        self._toUs: list[bytes] = []
        self._toThem: list[bytes] = []

    def connect(self, *, ours: bool = True, theirs: bool = True) -> None:
        """
        Set up the association, from one end or from both.
        """
        if theirs:
            self.theirs.connect()
        else:
            self.theirs.listen()
            self._listening = True
        if ours:
            self.ours.associate(self.now)
        assert self.run(lambda: any(isinstance(event, Established) for event in self.events))
        assert self.run(lambda: "up" in self.theirs.states)

    def run(self, until: Callable[[], bool]) -> bool:
        """
        Go on until something holds.

        @return: whether it does, before patience ends.
        """
        for _ in range(MAX_TICKS):
            if until():
                return True
            self._tick()
        return until()

    def _tick(self) -> None:
        self.onTick()
        self._exchange()
        self.now += TICK / 1000
        at = self.ours.nextTimeout()
        if at is not None and at <= self.now:
            self.ours.timeout(self.now)
        Peer.elapse(TICK)
        self._exchange()

    def _exchange(self) -> None:
        while True:
            self._take()
            toThem, self._toThem = self._mangle(self._toThem), []
            toUs, self._toUs = self._mangle(self._toUs), []
            if not toThem and not toUs:
                return
            for packet in toThem:
                self.theirs.receive(packet)
            for packet in toUs:
                self.ours.receive(packet, self.now)
                self._take()

    def _take(self) -> None:
        while (event := self.ours.nextEvent()) is not None:
            if isinstance(event, MessageReceived):
                self.received.setdefault(event.streamID, []).append(event.data)
            else:
                self.events.append(event)
        while (packet := self.ours.nextDatagram()) is not None:
            self._toThem.append(packet)
        if self._listening and self.theirs.accept():
            self._listening = False
        while (message := self.theirs.next()) is not None:
            self.arrived.setdefault(message.streamID, []).append(message.data)
        while self.theirs.packets:
            self._toUs.append(self.theirs.packets.popleft())

    def _mangle(self, packets: list[bytes]) -> list[bytes]:
        kept = []
        for packet in packets:
            if self.random.random() < self.loss:
                continue
            kept.append(packet)
            if self.random.random() < self.duplication:
                kept.append(packet)
        for index in range(len(kept) - 1):
            if self.random.random() < self.reordering:
                kept[index], kept[index + 1] = kept[index + 1], kept[index]
        return kept


@needs(USRSCTP)
class USRSCTPTests(SynchronousTestCase):
    """
    What an association with usrsctp does.
    """

    def wire(self, **how: object) -> Wire:
        """
        Make one that is taken down at the test's end.
        """
        wire = Wire(**how)  # type: ignore[arg-type]
        self.addCleanup(wire.theirs.close)
        return wire

    def transfer(self, wire: Wire, *, ordered: bool = True, count: int = COUNT) -> None:
        """
        Send as much each way as C{count} messages are, at the same time, and
        see that all of it comes.
        """
        there = [wire.random.randbytes(SIZE) for _ in range(count)]
        back = [wire.random.randbytes(SIZE) for _ in range(count)]
        toThem, toUs = iter(there), list(reversed(back))

        def fill() -> None:
            while wire.ours.bufferedAmount(5) < 1 << 18 and (data := next(toThem, None)) is not None:
                wire.ours.send(5, data, 53, ordered=ordered, now=wire.now)
            while toUs and wire.theirs.send(6, toUs[-1], 53, ordered=ordered):
                toUs.pop()

        wire.onTick = fill
        whole = wire.run(
            lambda: len(wire.received.get(6, ())) >= count and len(wire.arrived.get(5, ())) >= count
        )
        self.assertTrue(whole, f"{len(wire.received.get(6, ()))} and {len(wire.arrived.get(5, ()))} came")
        if ordered:
            self.assertEqual(digests(wire.arrived[5]), digests(there))
            self.assertEqual(digests(wire.received[6]), digests(back))
        else:
            self.assertEqual(sorted(digests(wire.arrived[5])), sorted(digests(there)))
            self.assertEqual(sorted(digests(wire.received[6])), sorted(digests(back)))

    def test_R_70_bothBegin(self) -> None:
        """
        Both ends send INIT, as they do in WebRTC; 10 MB go each way.
        """
        wire = self.wire()
        wire.connect()
        self.transfer(wire)

    def test_R_70_weBegin(self) -> None:
        """
        Only we send INIT.
        """
        wire = self.wire()
        wire.connect(theirs=False)
        self.transfer(wire, count=20)

    def test_R_70_theyBegin(self) -> None:
        """
        Only usrsctp sends INIT.
        """
        wire = self.wire()
        wire.connect(ours=False)
        self.transfer(wire, count=20)

    def test_badNetwork(self) -> None:
        """
        10 MB go each way in order, though packets get lost, swapped and
        doubled.
        """
        wire = self.wire(loss=0.05, reordering=0.05, duplication=0.02)
        wire.connect()
        self.transfer(wire)

    def test_badNetworkUnordered(self) -> None:
        """
        So they do without order.
        """
        wire = self.wire(seed=2, loss=0.05, reordering=0.05, duplication=0.02)
        wire.connect()
        self.transfer(wire, ordered=False)

    def test_interleaved(self) -> None:
        """
        So they do with I-DATA.
        """
        wire = self.wire(seed=3, interleaving=True, loss=0.05, reordering=0.05, duplication=0.02)
        wire.connect()
        (established,) = (event for event in wire.events if isinstance(event, Established))
        self.assertTrue(established.interleaved)
        self.transfer(wire)

    def partial(self, wire: Wire) -> None:
        """
        Lose a tenth of what goes each way and may not be sent again.
        """
        wire.connect()
        wire.loss = 0.1
        names = [b"%03d" % number * 1000 for number in range(200)]
        for name in names:
            wire.ours.send(5, name, 53, maxRetransmits=0, now=wire.now)
            self.assertTrue(wire.theirs.send(6, name, 53, maxRetransmits=0))
            wire.run(lambda: wire.ours.bufferedAmount(5) < 10000)
        wire.ours.send(5, b"last", 53, now=wire.now)
        self.assertTrue(wire.theirs.send(6, b"last", 53))
        self.assertTrue(wire.run(lambda: wire.arrived[5][-1] == b"last" and wire.received[6][-1] == b"last"))
        for came in (wire.arrived[5], wire.received[6]):
            self.assertEqual(came, sorted(came))
            self.assertLess(50, len(came))
            self.assertLess(len(came), len(names))

    def test_partialReliability(self) -> None:
        """
        Messages that may not be sent again are skipped if they get lost, both
        ways, and the others come in order.
        """
        self.partial(self.wire())

    def test_partialReliabilityInterleaved(self) -> None:
        """
        So they are with I-DATA and I-FORWARD-TSN.
        """
        self.partial(self.wire(interleaving=True))

    def test_lifetime(self) -> None:
        """
        A message that waits longer than it lives is not sent, and does not
        hold up the next.
        """
        wire = self.wire()
        wire.connect()
        wire.loss = 1.0
        wire.ours.send(5, b"reliable", 53, now=wire.now)
        wire.ours.send(5, bytes(100000), 53, maxLifetime=0.5, now=wire.now)
        end = wire.now + 1
        wire.run(lambda: wire.now >= end)
        wire.loss = 0
        wire.ours.send(5, b"after", 53, now=wire.now)
        self.assertTrue(wire.run(lambda: len(wire.arrived.get(5, ())) == 2))
        self.assertEqual(wire.arrived[5], [b"reliable", b"after"])

    def test_streamReset(self) -> None:
        """
        Streams are reset from either end and can be used again, on a bad
        network, too.
        """
        wire = self.wire(seed=4, loss=0.1, reordering=0.1)
        wire.connect()
        for number in range(5):
            wire.ours.send(7, b"a%d" % number * 500, 53, now=wire.now)
            self.assertTrue(wire.theirs.send(7, b"b%d" % number * 500, 53))
        wire.ours.resetStreams([7], wire.now)
        self.assertTrue(wire.run(lambda: StreamReset(7, False) in wire.events))
        self.assertTrue(wire.run(lambda: any(reset.incoming for reset in wire.theirs.resets)))
        self.assertTrue(wire.run(lambda: len(wire.received[7]) == 5))
        wire.theirs.resetStreams(7)
        self.assertTrue(wire.run(lambda: StreamReset(7, True) in wire.events))
        wire.ours.send(7, b"again", 53, now=wire.now)
        self.assertTrue(wire.run(lambda: len(wire.arrived[7]) == 6))
        self.assertTrue(wire.run(lambda: any(not reset.incoming for reset in wire.theirs.resets)))
        self.assertTrue(wire.theirs.send(7, b"anew", 53))
        self.assertTrue(wire.run(lambda: len(wire.received[7]) == 6))
        self.assertFalse([reset for reset in wire.theirs.resets if reset.failed])

    def test_weShutDown(self) -> None:
        """
        We end in order when all has arrived.
        """
        wire = self.wire(seed=5, loss=0.1)
        wire.connect()
        wire.ours.send(1, bytes(100000), 53, now=wire.now)
        wire.ours.shutdown(wire.now)
        self.assertTrue(wire.run(lambda: "shutdown" in wire.theirs.states))
        self.assertEqual(wire.arrived[1], [bytes(100000)])
        self.assertTrue(wire.run(lambda: wire.ours.state is State.CLOSED))
        self.assertEqual(wire.events[-1], Closed(reason="shutdown", clean=True))

    def test_theyShutDown(self) -> None:
        """
        usrsctp ends in order.
        """
        wire = self.wire()
        wire.connect()
        self.assertTrue(wire.theirs.send(1, bytes(100000), 53))
        wire.theirs.shutdown()
        self.assertTrue(wire.run(lambda: wire.ours.state is State.CLOSED))
        self.assertEqual(wire.events[-1], Closed(reason="shutdown", clean=True))
        self.assertEqual(wire.received[1], [bytes(100000)])

    def test_weAbort(self) -> None:
        """
        Our ABORT ends usrsctp's association.
        """
        wire = self.wire()
        wire.connect()
        wire.ours.abort(wire.now)
        self.assertTrue(wire.run(lambda: "lost" in wire.theirs.states))
        self.assertEqual(wire.events[-1], Closed(reason="aborted", clean=False))

    def test_theyAbort(self) -> None:
        """
        The ABORT of usrsctp ends ours.
        """
        wire = self.wire()
        wire.connect()
        wire.theirs.abort()
        self.assertTrue(wire.run(lambda: wire.ours.state is State.CLOSED))
        closed = wire.events[-1]
        assert isinstance(closed, Closed)
        self.assertTrue(closed.reason.startswith("aborted by the other side"))

    def test_smallWindow(self) -> None:
        """
        A stream that nobody reads stops usrsctp; it goes on when somebody does,
        and nothing is lost.
        """
        wire = self.wire(settings=Settings(receiveWindow=65536, interleaving=False))
        wire.connect()
        messages = [bytes([number]) * 8000 for number in range(60)]
        wire.ours.pause(6)
        for message in messages:
            self.assertTrue(wire.theirs.send(6, message, 53))
        end = wire.now + 5
        wire.run(lambda: wire.now >= end)
        self.assertNotIn(6, wire.received)
        wire.ours.resume(6, wire.now)
        self.assertTrue(wire.run(lambda: len(wire.received.get(6, ())) == 60))
        self.assertEqual(wire.received[6], messages)

    def test_weWait(self) -> None:
        """
        We stop when usrsctp's window is full and go on when it is not.
        """
        wire = self.wire()
        wire.connect()
        take, wire.theirs.next = wire.theirs.next, lambda: None  # type: ignore[method-assign]
        messages = [bytes([number]) * 16000 for number in range(120)]
        for message in messages:
            wire.ours.send(5, message, 53, now=wire.now)
        end = wire.now + 30
        wire.run(lambda: wire.now >= end)
        self.assertGreater(wire.ours.bufferedAmount(5), 0)
        wire.theirs.next = take  # type: ignore[method-assign]
        self.assertTrue(wire.run(lambda: len(wire.arrived.get(5, ())) == 120))
        self.assertEqual(wire.arrived[5], messages)
        self.assertTrue(any(isinstance(event, BufferLow) for event in wire.events))


def digests(messages: list[bytes]) -> list[str]:
    """
    What stands for long messages where they are compared.
    """
    return [hashlib.sha256(message).hexdigest() for message in messages]
