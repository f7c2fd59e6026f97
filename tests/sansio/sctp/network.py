"""
Two associations and a bad network between them, on a clock of their own.
"""

import heapq
import math
import struct
from collections import Counter, deque
from collections.abc import Callable, Iterator
from random import Random

from e2aegw.errors import RemoteError
from e2aegw.sansio.sctp import chunks as c
from e2aegw.sansio.sctp.association import Association
from e2aegw.sansio.sctp.events import MessageReceived, SCTPEvent
from e2aegw.sansio.sctp.settings import Settings
from e2aegw.sansio.sctp.states import State

#: No test needs more steps than this.
MAX_STEPS = 2_000_000


def chunkTypes(packet: bytes) -> list[int]:
    """
    The types of the chunks in a packet, in their order.
    """
    return [kind for kind, _, _ in chunksOf(packet)]


def chunksOf(packet: bytes) -> Iterator[tuple[int, int, bytes]]:
    """
    The type, flags and value of each chunk in a packet.
    """
    offset = 12
    while offset < len(packet):
        length = int.from_bytes(packet[offset + 2 : offset + 4], "big")
        yield packet[offset], packet[offset + 1], packet[offset + 4 : offset + length]
        offset += length + (-length & 3)


def forge(end: "End", *chunks: bytes, tag: int | None = None) -> bytes:
    """
    A packet for an end that its other end never sent.

    @param tag: the verification tag; by default it is right.
    """
    association = end.association
    right = association._localTag if tag is None else tag
    return c.packet(struct.pack("!HHI", 5000, 5000, right), chunks)


class End:
    """
    One of the two ends.

    @ivar association: its association.
    @ivar events: what it said, messages left out.
    @ivar received: the messages of each stream.
    @ivar sent: the packets that it sent, whether or not they got lost.
    @ivar onEvent: called with every event.
    """

    def __init__(self, network: "Network", settings: Settings, random: Random) -> None:
        self.network = network
        self.association = Association(settings, random.randbytes)
        self.events: deque[SCTPEvent] = deque()
        self.received: dict[int, list[bytes]] = {}
        self.sent: list[bytes] = []
        self.onEvent: Callable[[SCTPEvent], None] = lambda event: None

    @property
    def other(self) -> "End":
        """
        The other end.
        """
        return self.network.right if self is self.network.left else self.network.left

    def send(self, streamID: int, data: bytes, **how: object) -> None:
        """
        Send a message.
        """
        self.association.send(streamID, data, 53, now=self.network.now, **how)  # type: ignore[arg-type]
        self.pump()

    def pump(self) -> None:
        """
        Take what the association has to say and to send.
        """
        while (event := self.association.nextEvent()) is not None:
            if isinstance(event, MessageReceived):
                self.received.setdefault(event.streamID, []).append(event.data)
            else:
                self.events.append(event)
            self.onEvent(event)
        while (packet := self.association.nextDatagram()) is not None:
            if self.network.keep:
                self.sent.append(packet)
            self.network.carry(self, packet)

    def give(self, *chunks: bytes, tag: int | None = None) -> list[bytes]:
        """
        Give the association a packet that was forged.

        @return: what it answers.
        """
        count = len(self.sent)
        try:
            self.association.receive(forge(self, *chunks, tag=tag), self.network.now)
        finally:
            self.pump()
        return self.sent[count:]

    def take(self, kind: type[SCTPEvent]) -> list[SCTPEvent]:
        """
        The events of one kind, so far.
        """
        return [event for event in self.events if isinstance(event, kind)]


class Network:
    """
    What loses, delays, reorders and doubles packets, the same way each time.

    @ivar now: the time.
    @ivar lose: says of which packets to lose, beside those that chance loses.
    @ivar keep: whether to keep the packets that were sent.
    @ivar counts: of what happened to packets.
    """

    def __init__(
        self,
        seed: int = 0,
        *,
        left: Settings | None = None,
        right: Settings | None = None,
        loss: float = 0,
        jitter: float = 0,
        duplication: float = 0,
        delay: float = 0.02,
        rate: float = 0,
    ) -> None:
        """
        @param jitter: of the delay, in seconds; it reorders packets.
        @param rate: bits per second in each direction, or 0.
        """
        self.random = Random(seed)
        self.loss = loss
        self.jitter = jitter
        self.duplication = duplication
        self.delay = delay
        self.rate = rate
        self.now = 1000.0
        self.keep = True
        self.lose: Callable[[bytes], bool] = lambda packet: False
        self.counts: Counter[str] = Counter()
        self._queue: list[tuple[float, int, End, bytes]] = []
        self._count = 0
        self._free: dict[bool, float] = {}
        self.left = End(self, left or Settings(), self.random)
        self.right = End(self, right or Settings(), self.random)

    def carry(self, source: End, packet: bytes) -> None:
        """
        Take a packet.
        """
        self.counts["packets"] += 1
        if self.lose(packet) or self.random.random() < self.loss:
            self.counts["lost"] += 1
            return
        copies = 2 if self.random.random() < self.duplication else 1
        sentAt = self.now
        if self.rate:
            side = source is self.left
            sentAt = max(self.now, self._free.get(side, 0.0)) + (len(packet) + 60) * 8 / self.rate
            self._free[side] = sentAt
        for _ in range(copies):
            self._count += 1
            at = sentAt + self.delay + self.random.random() * self.jitter
            heapq.heappush(self._queue, (at, self._count, source.other, packet))

    def progress(self, end: float = math.inf) -> bool:
        """
        Go on to the next thing that happens.

        @return: whether there was one before the end.
        """
        ends = (self.left, self.right)
        times = [at for side in ends if (at := side.association.nextTimeout()) is not None]
        times += [self._queue[0][0]] if self._queue else []
        if not times or min(times) > end:
            return False
        self.now = max(self.now, min(times))
        if self._queue and self._queue[0][0] <= self.now:
            _, _, side, packet = heapq.heappop(self._queue)
            try:
                side.association.receive(packet, self.now)
            except RemoteError as error:
                self.counts[error.reason] += 1
            side.pump()
            return True
        for side in ends:
            due = side.association.nextTimeout()
            if due is not None and due <= self.now:
                side.association.timeout(self.now)
                side.pump()
        return True

    def run(self, until: Callable[[], bool], seconds: float = 3600) -> bool:
        """
        Go on until something holds.

        @return: whether it does, before the time is up.
        """
        end = self.now + seconds
        for _ in range(MAX_STEPS):
            if until():
                return True
            if not self.progress(end):
                break
        return until()

    def rest(self, seconds: float) -> None:
        """
        Let time pass.
        """
        end = self.now + seconds
        self.run(lambda: False, seconds)
        self.now = max(self.now, end)

    def connect(self, *, both: bool = False) -> None:
        """
        Set the association up.
        """
        self.left.association.associate(self.now)
        self.left.pump()
        if both:
            self.right.association.associate(self.now)
            self.right.pump()
        established = "ESTABLISHED"
        assert self.run(
            lambda: (
                self.left.association.state.name == established
                and self.right.association.state.name == established
            )
        )


def inState(state: State) -> End:
    """
    One end of an association in some state, with a dead network around it.
    """
    network = Network()
    left, right = network.left, network.right
    if state is State.CLOSED:
        return left
    if state in (State.COOKIE_WAIT, State.COOKIE_ECHOED):
        last = c.INIT if state is State.COOKIE_WAIT else c.COOKIE_ECHO
        network.lose = lambda packet: chunkTypes(packet)[0] == last
        left.association.associate(network.now)
        left.pump()
        network.rest(0.1)
        network.lose = lambda packet: True
        return left
    network.connect()
    if state in (State.SHUTDOWN_PENDING, State.SHUTDOWN_RECEIVED):
        network.lose = lambda packet: bool({c.I_DATA, c.SACK} & set(chunkTypes(packet)))
        left.send(1, b"never")
    if state in (State.SHUTDOWN_PENDING, State.SHUTDOWN_SENT):
        network.lose = lambda packet: True
        left.association.shutdown(network.now)
        left.pump()
    elif state in (State.SHUTDOWN_RECEIVED, State.SHUTDOWN_ACK_SENT):
        right.association.shutdown(network.now)
        right.pump()
        if state is State.SHUTDOWN_ACK_SENT:
            network.lose = lambda packet: c.SHUTDOWN_ACK in chunkTypes(packet)
        network.run(lambda: left.association.state is state, 0.1)
    network.lose = lambda packet: True
    return left
