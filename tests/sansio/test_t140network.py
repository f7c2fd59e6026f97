"""
Text across a network that loses, delays and doubles packets.
"""

import heapq
import random
import re

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from e2aegw.sansio.t140 import LOST
from e2aegw.sansio.t140packet import TextPacket, parsePacket
from e2aegw.sansio.t140receiver import WAIT, Receiver
from e2aegw.sansio.t140sender import Sender
from tests.sansio.test_t140 import TEXTS

#: How many texts there are in all, and how many in one conversation.
ALL, TOGETHER = 10_000, 40
MARK = re.escape(LOST)


class Network:
    """
    A sender and a receiver, and what is between them.

    @ivar blocks: the text of each primary block that was sent.
    @ivar known: the numbers of the blocks that arrived in some packet.
    @ivar heard: what the receiver says.
    """

    def __init__(self, chance: random.Random, *, loss: float, jitter: float, generations: int = 2) -> None:
        """
        @param loss: the share of packets that are lost.
        @param jitter: seconds that a packet may take.
        @param generations: how often to repeat.
        """
        self.chance, self.loss, self.jitter = chance, loss, jitter
        self.sender = Sender()
        self.sender.agree(98, 100 if generations else None, generations)
        self.receiver = Receiver(generations)
        self.now = 0.0
        self.blocks: list[str] = []
        self.known: set[int] = set()
        self.heard = ""
        self.longest = 0.0
        self._way: list[tuple[float, int, int, TextPacket]] = []

    def say(self, text: str, pause: float) -> None:
        """
        Say something, and let time pass.
        """
        self.sender.push(text, self.now)
        self._carry()
        self.wait(pause)

    def wait(self, seconds: float) -> None:
        """
        Let time pass.
        """
        end = self.now + seconds
        while True:
            times = [self._way[0][0] if self._way else None, self.sender.nextTimeout(self.now)]
            times.append(self.receiver.nextTimeout())
            due = min([at for at in times if at is not None], default=end)
            if due >= end:
                break
            self.now = max(self.now, due)
            while self._way and self._way[0][0] <= self.now:
                *_, number, packet = heapq.heappop(self._way)
                self.known.update(range(number - len(packet.blocks) + 1, number + 1))
                self._hear(self.receiver.receive(packet, self.now))
            self._hear(self.receiver.timeout(self.now))
            self.sender.timeout(self.now)
            self._carry()
        self.now = end

    def _hear(self, runs: list) -> None:  # type: ignore[type-arg]
        self.heard += "".join(run.text for run in runs)

    def _carry(self) -> None:
        while (datagram := self.sender.nextDatagram()) is not None:
            packet = parsePacket(datagram, {98}, {100})
            assert packet is not None
            number = len(self.blocks)
            self.blocks.append(packet.blocks[-1].data.decode())
            for _ in range(1 + (self.chance.random() < 0.05)):
                if self.chance.random() >= self.loss:
                    at = self.now + self.chance.random() * self.jitter
                    heapq.heappush(self._way, (at, self.chance.randrange(1 << 30), number, packet))

    @property
    def expected(self) -> str:
        """
        What should be heard, as a pattern: what arrived, in order and once, and
        a mark for each block that did not; an empty one may have a mark, and
        so may a beginning that does not look like one.
        """
        last = max(self.known, default=-1)
        parts = [f"{MARK}?"]
        for number, text in enumerate(self.blocks[: last + 1]):
            if number in self.known:
                parts.append(re.escape(text))
            else:
                # What was before the first packet is one gap of unknown length.
                first = number < min(self.known)
                parts.append(f"{MARK}?" if first or not text else MARK)
        return "".join(parts)


class NetworkTests(SynchronousTestCase):
    """
    What is said is heard.
    """

    @settings(deadline=None, max_examples=ALL // TOGETHER, derandomize=True, database=None)
    @given(
        st.lists(TEXTS, min_size=TOGETHER, max_size=TOGETHER),
        st.integers(0, 1 << 32),
        st.sampled_from([0.0, 0.1, 0.3, 0.5]),
        st.sampled_from([0.0, 0.4]),
    )
    def test_R_86_randomTexts(self, texts: list[str], seed: int, loss: float, jitter: float) -> None:
        """
        Ten thousand texts arrive as they were, but for marks where a block and
        all its copies are lost.
        """
        chance = random.Random(seed)
        network = Network(chance, loss=loss, jitter=jitter)
        network.sender.queue.rate = 10000
        for text in texts:
            network.say(text, chance.choice((0.0, 0.05, 0.3, 1.0)))
        network.wait(5)
        self.assertEqual("".join(network.blocks), "".join(texts))
        self.assertRegex(network.heard, f"(?s)\\A{network.expected}\\Z")
        if not loss:
            self.assertEqual(network.heard, "".join(texts))

    def test_R_87_thirtyPerCent(self) -> None:
        """
        With 30 % loss and two generations, each character that was in a packet
        that arrived is there once and in its place, and each block that was
        not has its mark.
        """
        network = Network(random.Random(7), loss=0.3, jitter=0.2)
        text = "".join(chr(0x4E00 + number) for number in range(3000))
        network.sender.queue.rate = 100
        for character in text:
            network.say(character, 0.3)
        network.wait(5)
        self.assertRegex(network.heard, f"\\A{network.expected}\\Z")
        lost = sum(bool(each) and number not in network.known for number, each in enumerate(network.blocks))
        # And maybe one for a beginning that does not look like one.
        self.assertIn(network.heard.count(LOST) - lost, (0, 1))
        # Three in a row: 2.7 % of the blocks.
        self.assertTrue(0.015 < lost / len(text) < 0.04, lost)

    def test_R_87_otherGenerations(self) -> None:
        """
        More or less redundancy covers more or less.
        """
        shares = []
        for generations in (0, 1, 4):
            network = Network(random.Random(9), loss=0.3, jitter=0.0, generations=generations)
            for number in range(600):
                network.say(chr(0x4E00 + number), 0.3)
            network.wait(5)
            self.assertRegex(network.heard, f"\\A{network.expected}\\Z")
            shares.append(network.heard.count(LOST))
        self.assertTrue(shares[0] > 100 > shares[1] > 20 > shares[2], shares)

    def test_R_87_nobodyWaitsLonger(self) -> None:
        """
        What is after a gap is heard a second later at the latest.
        """
        network = Network(random.Random(1), loss=0.0, jitter=0.0)
        network.say("a", 1.5)
        network.loss = 1.0
        network.say("b", 0.3)
        network.say("c", 0.9)
        self.assertEqual(network.heard, "a")
        network.loss = 0.0
        network.say("d", WAIT - 0.01)
        self.assertEqual(network.heard, "a")
        network.wait(0.02)
        # The empty blocks after c are in the last packet.
        self.assertEqual(network.heard, f"a{LOST}{LOST}d")
