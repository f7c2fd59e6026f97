"""
Offers of either party in any order, answered, answered twice, or refused: what
must be true after each of them.
"""

import re
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from e2aegw.gateway.config import SideConfig
from e2aegw.gateway.service import Gateway
from e2aegw.gateway.session import Session
from e2aegw.sansio.sdp import Side
from e2aegw.sansio.terms import Terms
from e2aegw.testing import MemoryNetwork
from tests.gateway.fixture import ACCESS, CORE, ROUTES

#: Most sections that the parties have between them.
MAX_SLOTS = 4
KEYS = ("A" * 40, "B" * 40)


@dataclass(frozen=True)
class Slot:
    """
    A media section of a party.
    """

    media: str = "audio"
    port: int = 5000
    live: bool = True


@dataclass(frozen=True)
class State:
    """
    What a party says.
    """

    host: str
    slots: tuple[Slot, ...] = ()
    key: int = 0
    held: bool = False
    mux: bool = False


@dataclass
class Party:
    """
    A party, as it was agreed on.
    """

    secure: bool
    state: State
    version: int = 0
    ports: list[int] = field(default_factory=list)

    def describe(self, state: State) -> str:
        """
        A description.
        """
        self.version += 1
        host = "0.0.0.0" if state.held else state.host
        lines = [f"v=0\r\no=- 1 {self.version} IN IP4 {state.host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0"]
        for slot in state.slots:
            proto = "RTP/SAVP" if self.secure else "RTP/AVP"
            lines.append(f"m={slot.media} {slot.port if slot.live else 0} {proto} 0")
            if slot.live:
                if self.secure:
                    key = KEYS[state.key]
                    lines.append(f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{key}\r\na=3ge2ae:requested")
                lines += ["a=rtcp-mux"] if state.mux else []
        return "\r\n".join(lines) + "\r\n"


#: What a party may change: a name and a number for it to mean something by.
changes = st.lists(
    st.tuples(
        st.sampled_from(["add", "remove", "recycle", "move", "hold", "resume", "rekey", "mux", "nothing"]),
        st.integers(0, 3),
    ),
    max_size=3,
)
steps = st.tuples(
    st.integers(0, 1),
    changes,
    st.sampled_from(["answered", "answered", "refused", "twice", "rejected"]),
    changes,
)


def change(state: State, what: str, number: int) -> State:
    """
    A party changes its mind.
    """
    slots = list(state.slots)
    if what == "add" and len(slots) < MAX_SLOTS:
        slots.append(Slot("video" if number % 2 else "audio", 5000 + 10 * len(slots)))
    elif what == "remove" and slots:
        at = number % len(slots)
        slots[at] = replace(slots[at], live=False)
    elif what == "recycle" and slots:
        at = number % len(slots)
        slots[at] = Slot("video" if slots[at].media == "audio" else "audio", 6000 + 10 * number)
    state = replace(state, slots=tuple(slots))
    if what == "move":
        return replace(state, host=state.host.rpartition(".")[0] + f".{10 + number}")
    if what in ("hold", "resume"):
        return replace(state, held=what == "hold")
    if what == "rekey":
        return replace(state, key=1 - state.key)
    if what == "mux":
        return replace(state, mux=not state.mux)
    return state


def medias(sdp: str) -> list[tuple[str, int]]:
    """
    The sections of a description.
    """
    return [(media, int(port)) for media, port in re.findall(r"m=(\w+) (\d+)", sdp)]


class RandomTests(SynchronousTestCase):
    """
    The session, and a model of what the parties know.
    """

    def begin(self) -> None:
        """
        A gateway and two parties that know nothing of each other.
        """
        self.clock = Clock()
        sides = {
            Side.ACCESS: SideConfig(addresses=((ACCESS, ACCESS),), ports=(30000, 30099)),
            Side.CORE: SideConfig(addresses=((CORE, CORE),), ports=(40000, 40099)),
        }
        self.gateway = Gateway(self.clock, sides, ROUTES, network=MemoryNetwork(self.clock))
        self.session: Session = self.gateway.newSession("random")
        self.parties = [Party(True, State("198.51.100.7")), Party(False, State("203.0.113.7"))]

    def result(self, deferred: Any) -> str:
        """
        What came of it.
        """
        return str(self.successResultOf(deferred))

    def exchange(self, who: int, mine: Any, outcome: str, theirs: Any) -> None:
        """
        An offer, and what comes of it.
        """
        near, far = self.parties[who], self.parties[1 - who]
        state = near.state
        for each in mine:
            state = change(state, *each)
        if not state.slots:
            state = change(state, "add", 0)
        # What the UE agreed to is said once.
        terms = Terms() if self.session.signals else Terms(e2ae={"sdes-srtp"})
        offer = self.result(self.session.offer(near.describe(state), None, terms, answerer=bool(who)))
        self.checkFor(1 - who, offer)
        # The far party has its sections where they were, and new ones behind.
        sections = medias(offer)
        self.assertGreaterEqual(len(sections), len(far.state.slots))
        if outcome == "refused":
            self.checkEndpoints()
            return
        for _ in range(2 if outcome == "twice" else 1):
            reply = replace(
                far.state,
                slots=tuple(
                    Slot(media, 7000 + 10 * n, live=port > 0 and outcome != "rejected")
                    for n, (media, port) in enumerate(sections)
                ),
            )
            for each in theirs:
                if each[0] not in ("add", "recycle"):
                    reply = change(reply, *each)
            answer = self.result(self.session.answer(far.describe(reply)))
            self.checkFor(who, answer)
            # Exactly the sections that were offered, in their order.
            answered = medias(answer)
            self.assertEqual([media for media, _ in answered], [slot.media for slot in state.slots])
        for n, slot in enumerate(state.slots):
            self.assertTrue(slot.live or not answered[n][1])
        accepted = {port for _, port in answered if port}
        slots = tuple(
            replace(slot, live=bool(port)) for slot, (_, port) in zip(state.slots, answered, strict=True)
        )
        near.state, far.state = replace(state, slots=slots), reply
        self.assertEqual(self.gateway.portsLent, 2 * len(accepted))
        self.checkEndpoints()

    def checkFor(self, who: int, sdp: str) -> None:
        """
        What a party may see, and nothing else.
        """
        live = [port for _, port in medias(sdp) if port]
        self.assertEqual(len(set(live)), len(live))
        for section in sdp.split("m=")[1:]:
            secure = who == 0 and section.split()[1] != "0"
            self.assertEqual("a=crypto" in section, secure)
        self.assertNotIn(self.parties[1 - who].state.host.rpartition(".")[0] + ".", sdp.replace(ACCESS, ""))

    def checkEndpoints(self) -> None:
        """
        Packets go where the parties agreed, whatever was offered since.
        """
        for party, report in zip(self.parties, self.session.report().parties, strict=True):
            for media in report.medias:
                slot = party.state.slots[media.index - 1]
                expected = None if party.state.held else (party.state.host, slot.port)
                self.assertEqual(media.streams[0].endpoint, expected)

    @settings(deadline=None, max_examples=60)
    @given(st.lists(steps, max_size=8))
    def test_anything(self, script: list[Any]) -> None:
        """
        Nothing that parties agree on, or do not, confuses the session.
        """
        self.begin()
        self.exchange(0, [("add", 0)], "answered", [])
        for step in script:
            self.exchange(*step)
        self.session.close()
        self.assertEqual(self.gateway.portsLent, 0)
