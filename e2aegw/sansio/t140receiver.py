"""
Text from RTP (RFC 4103): in order, each block once, what is missing taken from
redundancy, and what is missing there, too, marked.
"""

from collections import OrderedDict, defaultdict
from collections.abc import MutableMapping

from e2aegw.sansio.t140 import LOST, Run, cleaned
from e2aegw.sansio.t140packet import Block, TextPacket

#: RFC 4103 clause 5.4: seconds to wait for what is late.
WAIT = 1.0
#: Blocks that are kept meanwhile.  With the shortest intervals that anybody
#: uses, as many come in a second.
MAX_HELD = 128
#: Marks for one gap.  Who was away for minutes need not be told by a page of
#: them.
MAX_MARKS = 64
#: RFC 3550 appendix A.1: how far a sequence number may jump, forwards and back,
#: before the source is taken to have begun anew.
MAX_DROPOUT, MAX_MISORDER = 3000, 100
#: Sources that are listened to at a time, and parties that one of them may
#: speak for (RFC 9071): those of a large conference.
MAX_SOURCES, MAX_CONTRIBUTORS = 8, 64
#: Lost packets of a source that speaks for several, after which text is taken
#: to be lost (RFC 9071 clause 3.16.2).
MAX_MIXED_LOSS = 3


class Source:
    """
    The text of one SSRC.

    @ivar received: packets; C{highest}: the extended highest sequence number;
        C{base}: the first one.
    """

    def __init__(self, generations: int, counters: MutableMapping[str, int]) -> None:
        """
        @param generations: how much redundancy was agreed on.
        @param counters: where to count blocks that came from redundancy, were
            marked as missing, or had been there before.
        """
        self.received = 0
        self._counters = counters
        self.base = self.highest = 0
        self._generations = generations
        # How much redundancy it seems to send, and the last packet had.
        self._level = self._lastLevel = 0
        self._next: int | None = None
        self._said = False
        # By sequence number: what came, and when.
        self._held: dict[int, tuple[str, float]] = {}
        self._restart: int | None = None
        self._left = ""
        self._contributors: OrderedDict[int, int] = OrderedDict()

    def receive(self, packet: TextPacket, now: float) -> str:
        """
        Take a packet.

        @return: the text that is complete up to here.
        """
        number = self._number(packet)
        if number is None:
            return ""
        self.received += 1
        oldest = number - len(packet.blocks) + 1
        if self._next is None or (not self._said and oldest < self._next):
            self._begin(packet, oldest)
        if packet.redundant:
            self._learn(packet, number, now)
        for position, block in enumerate(packet.blocks):
            self._hold(oldest + position, block, now, recovered=position + 1 < len(packet.blocks))
        return self._release(now)

    def mixed(self, packet: TextPacket) -> str:
        """
        Take a packet of somebody that the source speaks for: here timestamps
        say what is new (RFC 9071 clause 3.16.3).
        """
        number = self._number(packet)
        if number is None:
            return ""
        self.received += 1
        expected = self._next
        gap = 0 if expected is None else number - expected
        self._next = number + 1 if expected is None else max(expected, number + 1)
        self._said = True
        who = packet.contributor
        latest = self._contributors.get(who)
        text = []
        if gap >= MAX_MIXED_LOSS:
            self._counters["blocks lost"] += 1
            text.append(LOST)
        for block in packet.blocks:
            if latest is None or 0 < (block.timestamp - latest & 0xFFFFFFFF) < 1 << 31:
                latest = block.timestamp
                text.append(block.data.decode(errors="replace"))
        if latest is not None:
            self._contributors[who] = latest
            self._contributors.move_to_end(who)
            if len(self._contributors) > MAX_CONTRIBUTORS:
                self._contributors.popitem(last=False)
        return cleaned("".join(text))

    def timeout(self, now: float) -> str:
        """
        Give up what did not come in time.
        """
        return self._release(now)

    def nextTimeout(self) -> float | None:
        """
        When to give up.
        """
        if not self._held:
            return None
        return min(came for _, came in self._held.values()) + WAIT

    def _number(self, packet: TextPacket) -> int | None:
        """
        The extended sequence number, or L{None} if it cannot be one.
        """
        sequence = packet.sequence
        if self._next is None:
            self.base = self.highest = sequence
            return sequence
        distance = (sequence - self._next + 0x8000 & 0xFFFF) - 0x8000
        if -MAX_MISORDER <= distance < MAX_DROPOUT:
            self._restart = None
            number = self._next + distance
            self.highest = max(self.highest, number)
            return number
        if sequence != self._restart:
            # RFC 3550 appendix A.1: two in a row are no accident.
            self._restart = sequence + 1 & 0xFFFF
            return None
        self._restart = None
        # It began anew, and nobody knows what is missing in between.
        self._left = "".join(self._held.pop(each)[0] for each in sorted(self._held))
        number = (self.highest | 0xFFFF) + 1 + sequence
        first = number - len(packet.blocks) + 1
        self._next, self._said, self.highest = first - 1, True, number
        return number

    def _begin(self, packet: TextPacket, oldest: int) -> None:
        """
        This is the earliest so far.  If it does not look like a beginning,
        something before it may be missing.
        """
        redundancy = packet.blocks[:-1]
        whole = packet.marker or (
            bool(redundancy) and (len(redundancy) < self._generations or not redundancy[0].data)
        )
        self._next = oldest if whole else oldest - 1

    def _learn(self, packet: TextPacket, number: int, now: float) -> None:
        """
        RFC 4103 clause 5.3: a level of redundancy that is missing stands for
        an empty block that became too old.
        """
        level = len(packet.blocks) - 1
        if level == self._lastLevel:
            self._level = level
        self._lastLevel = level
        for position in range(level + 1, self._level + 1):
            self._hold(number - position, Block(0, b""), now, recovered=True)

    def _hold(self, number: int, block: Block, now: float, *, recovered: bool) -> None:
        assert self._next is not None
        if number < self._next or number in self._held:
            if not recovered:
                self._counters["blocks repeated"] += 1
        else:
            self._held[number] = (block.data.decode(errors="replace"), now)
            if recovered and block.data:
                self._counters["blocks recovered"] += 1

    def _release(self, now: float) -> str:
        """
        What is in order now, or will never be.
        """
        assert self._next is not None
        text, self._left = [self._left], ""
        held = self._held
        while held:
            if self._next in held:
                text.append(held.pop(self._next)[0])
                self._next += 1
                self._said = True
                continue
            due = self.nextTimeout()
            if len(held) <= MAX_HELD and (due is None or now < due):
                break
            first = min(held)
            missing = first - self._next
            self._counters["blocks lost"] += missing
            text.append(LOST * min(missing, MAX_MARKS))
            self._next = first
        return cleaned("".join(text))


class Receiver:
    """
    The text of all sources of one stream.  There is mostly one; another takes
    its place when the remote party changes.

    @ivar sources: by their SSRCs.
    @ivar counters: what became of blocks.
    """

    def __init__(self, generations: int = 0, counters: MutableMapping[str, int] | None = None) -> None:
        """
        @param generations: how much redundancy was agreed on.
        @param counters: see L{Source}.
        """
        self.generations = generations
        self.counters = defaultdict(int) if counters is None else counters
        self.sources: OrderedDict[int, Source] = OrderedDict()

    def receive(self, packet: TextPacket, now: float) -> list[Run]:
        """
        Take a packet.

        @return: what is complete.
        """
        source = self.sources.get(packet.source)
        if source is None:
            source = self.sources[packet.source] = Source(self.generations, self.counters)
        self.sources.move_to_end(packet.source)
        runs = []
        if len(self.sources) > MAX_SOURCES:
            _, gone = self.sources.popitem(last=False)
            if text := gone.timeout(float("inf")):
                runs.append(Run(text, True))
        text = source.mixed(packet) if packet.contributor else source.receive(packet, now)
        if text:
            runs.append(Run(text, True, packet.contributor))
        return runs

    def timeout(self, now: float) -> list[Run]:
        """
        Give up what did not come in time.
        """
        texts = [each.timeout(now) for each in self.sources.values() if each.nextTimeout() is not None]
        return [Run(text, True) for text in texts if text]

    def nextTimeout(self) -> float | None:
        """
        When to give up.
        """
        times = [at for each in self.sources.values() if (at := each.nextTimeout()) is not None]
        return min(times, default=None)
