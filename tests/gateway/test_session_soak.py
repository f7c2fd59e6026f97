"""
Many calls of each medium that is no voice, with datagrams that get lost, and
nothing of them is left.
"""

import gc
import random
from collections import Counter
from collections.abc import Callable
from typing import Any

from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock

from e2aegw.interfaces import Address
from e2aegw.sansio.sdp import Side
from e2aegw.sansio.terms import Terms
from tests.gateway.fax import datagram
from tests.gateway.floors import ERROR, FloorClient, FloorServer
from tests.gateway.test_session_channels import Browser as ChatBrowser
from tests.gateway.test_session_channels import ChannelTestCase
from tests.gateway.test_session_fax import FaxTestCase
from tests.gateway.test_session_floors import FAR, SERVES, UE, FloorTestCase, description
from tests.gateway.test_session_text import Browser as TextBrowser
from tests.gateway.test_session_text import TextTestCase

#: Calls of one medium, and those before the first count of objects, which fill
#: whatever is filled once.
CALLS, WARM = 100, 5
OVER_TCP = Terms(transportProtocol="TCP/BFCP")
#: How many datagrams get lost.
LOSS = 0.1
#: Seconds that a conversation may take, in steps of some.
PATIENCE, STEP = 60, 0.25


def census() -> Counter[str]:
    """
    The objects that there are of our own classes.
    """
    gc.collect()
    # Some classes have a property of that name.
    kinds = Counter(f"{type(each).__module__}.{type(each).__qualname__}" for each in gc.get_objects())
    ours = {name: count for name, count in kinds.items() if name.startswith("e2aegw.")}
    return Counter({name: count for name, count in ours.items() if not name.startswith("e2aegw.testing.")})


class Weather:
    """
    Loses some of what is sent, always the same.
    """

    def __init__(self) -> None:
        self._random = random.Random(4711)
        self.lost = 0

    def __call__(self, data: bytes, source: Address, destination: Address) -> bool:
        lost = self._random.random() < LOSS
        self.lost += lost
        return lost


class Soak:
    """
    What the tests have in common.

    @ivar calls: how many calls are counted.
    """

    calls = CALLS
    weather: Weather

    def soak(self, call: Callable[[int], None]) -> None:
        """
        Make calls, and count what is left.

        @param call: makes one, and ends it; its number is given.
        """
        test: Any = self
        weather = self.weather = Weather()
        before: Counter[str] = Counter()
        for number in range(WARM + self.calls):
            call(number)
            test.network.lose = lambda data, source, destination: False
            test.network.flush()
            test.assertEqual(test.gateway.portsLent, 0)
            test.witness.events.clear()
            if number == WARM - 1:
                before = census()
        self.assertNothingMore(before)
        test.assertGreater(weather.lost, self.calls / 10)

    def assertNothingMore(self, before: Counter[str]) -> None:
        """
        No more objects are there than before.
        """
        test: Any = self
        more = {kind: count for kind, count in (census() - before).items() if count >= self.calls // 4}
        test.assertEqual(more, {})

    def forgetServers(self) -> None:
        """
        The reactor in memory remembers those that do not listen any more.
        """
        test: Any = self
        test.clock.tcpServers.clear()

    def until(self, condition: Callable[[], bool]) -> None:
        """
        Time goes by until something is true.
        """
        test: Any = self
        for _ in range(int(PATIENCE / STEP)):
            test.network.flush()
            if condition():
                return
            test.clock.advance(STEP)
        test.fail("it never happens")


class FaxSoakTests(Soak, FaxTestCase):
    """
    T.38 in DTLS, whose handshakes cost much.
    """

    calls = 40

    def test_nothingIsLeft(self) -> None:
        """
        Nothing is left of forty faxes.
        """

        def call(number: int) -> None:
            self.call()
            self.shakeHands(client=self.ue.theirSetup == "passive")
            self.network.lose = self.weather
            for each in range(20):
                self.ue.send(datagram(each))
                self.phone.send(datagram(each))
            self.network.flush()
            for heard in (self.ue.received, self.phone.received):
                self.assertTrue(5 < len(heard) <= 20)
                heard.clear()
            self.phone.wire.clear()
            self.ue.wire.clear()
            self.again()

        self.soak(call)


class TextSoakTests(Soak, TextTestCase):
    """
    Text between a data channel and RTP.
    """

    def test_nothingIsLeft(self) -> None:
        """
        Nothing is left of a hundred conversations, and nothing was lost that
        could be recovered.
        """

        def call(number: int) -> None:
            self.browser.line(0)
            (answer,) = self.answered(self.offered(self.browser.offer()))
            self.accept(answer)
            self.network.lose = self.weather
            self.browser.type("how are you?")
            self.until(lambda: "".join(self.words()).endswith("?"))
            self.phones[0].say("well")
            self.network.lose = lambda data, source, destination: False
            self.phones[0].say("!")
            self.until(lambda: self.browser.heard().endswith("!"))
            self.session.close()
            self.browser.carrier.loseConnection()
            self.phones.pop().close()
            self.browser = TextBrowser(self.clock, self.pool)
            self.session = self.gateway.newSession("another")

        self.soak(call)

    def words(self) -> list[str]:
        """
        What the telephone heard, with what redundancy has.
        """
        return [b"".join([*(each.redundant or ()), each.primary]).decode() for each in self.phones[0].heard]


class ChatSoakTests(Soak, ChannelTestCase):
    """
    MSRP between a data channel and TCP.
    """

    def test_nothingIsLeft(self) -> None:
        """
        Nothing is left of a hundred chats, in which everything arrives.
        """

        def call(number: int) -> None:
            (answer,) = self.answered(self.offered(self.browser.offer(0)))
            self.browser.accept(answer)
            self.connect()
            self.network.lose = self.weather
            near, far = self.browser.chats[0], self.far[0]
            near.say(bytes(20_000), "there")
            far.say(bytes(20_000), "back")
            self.until(lambda: "there" in far.complete and "back" in near.complete)
            self.session.close()
            self.browser.carrier.loseConnection()
            self.far.clear()
            self.connections.clear()
            self.forgetServers()
            self.browser = ChatBrowser(self.clock, self.pool)
            self.browser.chat(0)
            self.session = self.gateway.newSession("another")

        self.soak(call)


class FloorSoakTests(Soak, FloorTestCase):
    """
    BFCP between UDP and TCP.
    """

    def makeClock(self) -> Clock:
        """
        A reactor, for TCP.
        """
        return MemoryReactorClock()

    def test_nothingIsLeft(self) -> None:
        """
        Nothing is left of a hundred conferences, in which every question is
        answered.
        """

        def call(number: int) -> None:
            client, server = FloorClient(reliable=True), FloorServer(reliable=False)
            serves = [f"a={each}" for each in SERVES]
            (floor,) = self.offer(
                description(UE, "m=application 5060 UDP/BFCP *", *serves), Side.ACCESS, OVER_TCP
            )
            (own,) = self.answer(
                description(FAR, "m=application 9 TCP/BFCP *", "a=floorctrl:c-only", "a=setup:active")
            )
            there = (str(own.address), own.port)
            bound = self.network.bind((UE, 5060), lambda data, source: server.receive(data))
            server.send = lambda data: bound.sendto(data, there)
            self.connect(client, floor.port)
            self.network.lose = self.weather
            for transaction, expected in enumerate(client.conversation(), 1):
                self.until(lambda at=transaction: at in client.responses)  # type: ignore[misc]
                # One in some hundreds is lost four times, and then so is the server.
                self.assertIn(client.responses[transaction][1], (expected, ERROR))
            bound.close()
            self.session.close()
            self.forgetServers()
            self.session = self.gateway.newSession("another")

        self.soak(call)
