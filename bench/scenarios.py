"""
What is measured.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.calls import Call, dtlsCall, faxCall, sdesCall
from bench.controllers import Pairs
from bench.cores import Cores
from bench.gateways import NG_PORT, Gateway, Program, UnbufferedGateway
from bench.load import Load, Outcome
from bench.table import Table, Target, atLeast, atMost, atMostAbove, atMostTimes
from e2aegw.sansio.srtp import Profile
from tests.peers.ng import NG

#: Calls that carry packets.
CALLS = 50
#: Packets a second, over all calls.
RATES = 20_000, 60_000
#: Calls before figures are taken of them: some things are made once.
FIRST = 20
#: Packets each way through each call before figures are taken: what it costs
#: to find out where a call's packets come from is no cost of a packet.
SETTLING = 3
SETTLING_RATE = 5_000
#: How often two figures that are to be the same are taken in turn.
TURNS = 3
#: Turns in which handshakes are measured.
SHARES = 10
#: Seconds for which typing is measured.
TYPING = 10
#: What such figures may differ by, in quotient, and still be called the same.
NOISE = 1.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """
    How much to measure.

    @ivar repetitions: how often everything is done.
    @ivar seconds: how long packets are sent for a figure.
    @ivar pairs: calls that are set up for a figure.
    @ivar handshakes: DTLS-SRTP calls that are set up for a figure.
    @ivar held: calls that are held for a figure.
    @ivar chunks: chunks of MSRP, of 64 KB, that are sent for a figure.
    @ivar texts: calls of text in which people type for a figure.
    """

    repetitions: int
    seconds: float
    pairs: int
    handshakes: int
    held: int
    chunks: int
    texts: int


FULL = Effort(repetitions=3, seconds=2.5, pairs=1500, handshakes=200, held=2000, chunks=6000, texts=2000)
QUICK = Effort(repetitions=1, seconds=1.0, pairs=400, handshakes=60, held=2000, chunks=2000, texts=200)

#: Programs in the order in which they are to be measured, each with the number
#: of its column.
Contestants = Sequence[tuple[int, Program]]


class Scenarios:
    """
    Everything that is measured, and the tables that it fills.
    """

    def __init__(self, effort: Effort, cores: Cores, load: Path) -> None:
        """
        @param load: the load generator, compiled.
        """
        self._effort = effort
        self._cores = cores
        self._load = load
        self._cpu = Table("CPU for a relayed packet, in microseconds")
        self._lost = Table("Packets lost, damaged or duplicated")
        self._delay = Table("Delay of packets, in milliseconds")
        self._setUp = Table("Setting up calls")
        self._memory = Table("Memory for a held call, in KB")
        self._text = Table("Real-time text")
        self._noise = Table("What else went on")
        self.tables = (self._cpu, self._lost, self._delay, self._setUp, self._memory, self._text, self._noise)

    def all(self) -> Sequence[Callable[[Contestants], None]]:
        """
        What to do once for a repetition, each with programs that have just
        been started.
        """
        return (
            self.sdesPackets,
            self.dtlsPackets,
            self.gcmPackets,
            self.faxPackets,
            self.heldCalls,
            self.pairs,
            self.handshakes,
            self.text,
        )

    def sdesPackets(self, contestants: Contestants) -> None:
        """
        Packets between SDES and plain RTP.
        """
        self._packets(contestants, "SDES", sdesCall, RATES, atMostTimes(0.85))

    def dtlsPackets(self, contestants: Contestants) -> None:
        """
        Packets between DTLS-SRTP and plain RTP.
        """
        self._packets(contestants, "DTLS-SRTP", dtlsCall, RATES, atMostTimes(0.85))

    def gcmPackets(self, contestants: Contestants) -> None:
        """
        The same with another cipher, for comparison.
        """
        self._packets(
            contestants,
            "SDES with AES-GCM",
            lambda ng: sdesCall(ng, Profile.AEAD_AES_128_GCM),
            RATES[:1],
            None,
        )

    def faxPackets(self, contestants: Contestants) -> None:
        """
        UDPTL between terminals of T.38 without protection.
        """
        self._packets(contestants, "UDPTL", faxCall, RATES, atMostTimes(0.85))

    def heldCalls(self, contestants: Contestants) -> None:
        """
        What it costs a packet that there are many calls, and what a call costs
        in memory.
        """
        rate, count = RATES[0], self._effort.held
        where = f"SDES, both ways, {rate:,}/s over"
        for which, program in contestants:
            with self._another(program) as crowded, self._calls(program, sdesCall, CALLS) as (calls, alone):
                self._settle(alone, calls)
                with self._calls(crowded, sdesCall, CALLS) as (calls, among):
                    self._settle(among, calls)
                    before = crowded.memory
                    with self._calls(crowded, sdesCall, count) as (calls, rest):
                        answered = crowded.memory
                        self._settle(rest, calls)
                        talking = crowded.memory
                        few = many = 0.0
                        for _ in range(TURNS):
                            few += self._run(which, program, alone, "both", rate, CALLS)[0] / TURNS
                            many += self._run(which, crowded, among, "both", rate, CALLS)[0] / TURNS
                        spread, _ = self._run(which, crowded, rest, "both", rate, count)
            self._cpu.add(f"{where} {CALLS} calls", which, few, 1)
            self._cpu.add(f"{where} {CALLS} calls, {count:,} more held", which, many, 1)
            self._cpu.add("the second of these against the first", which, many / few, 2, atMost(NOISE))
            self._cpu.add(f"{where} {count:,} calls", which, spread, 1)
            self._memory.add("SDES, answered", which, (answered - before) / count, 1, atMost(60))
            self._memory.add("SDES, with packets both ways", which, (talking - before) / count, 1, atMost(60))

    def pairs(self, contestants: Contestants) -> None:
        """
        Offers and their answers.
        """
        count = self._effort.pairs
        for which, program in contestants:
            address = program.host, NG_PORT
            Pairs(FIRST).send(address)
            pairs = Pairs(count)
            cpu, begun = program.cpu, time.perf_counter()
            pairs.send(address)
            seconds, cpu = time.perf_counter() - begun, program.cpu - cpu
            self._setUp.add("offer+answer pairs a second, SDES", which, count / seconds, 0, atLeast(1000))
            self._setUp.add("CPU for an offer+answer pair, SDES, in ms", which, cpu / count * 1e3, 2)

    def handshakes(self, contestants: Contestants) -> None:
        """
        DTLS-SRTP calls from the offer to the keys.
        """
        count = self._effort.handshakes
        for which, program in contestants:
            calls = [dtlsCall(program.ng) for _ in range(FIRST)]
            before = program.memory
            calls += [dtlsCall(program.ng) for _ in range(count)]
            agreed = program.memory
            with self._ready(calls[FIRST:]) as load:
                self._settle(load, calls[FIRST:])
            talking = program.memory
            for call in calls:
                call.close()
            self._memory.add("DTLS-SRTP, keys agreed on", which, (agreed - before) / count, 1, atMost(120))
            self._memory.add(
                "DTLS-SRTP, with packets both ways", which, (talking - before) / count, 1, atMost(120)
            )
        spent: dict[tuple[int, bool], float] = defaultdict(float)
        few = count // SHARES
        # In short turns: what else a machine does is not the same for long.
        for _ in range(SHARES):
            for which, program in contestants:
                for client in (True, False):
                    cpu = program.cpu
                    calls = [dtlsCall(program.ng, client=client) for _ in range(few)]
                    spent[which, client] += program.cpu - cpu
                    for call in calls:
                        call.close()
        for (which, client), seconds in spent.items():
            self._setUp.add(
                "CPU for a DTLS-SRTP call from offer to keys, in ms; the terminal is "
                + ("active" if client else "passive"),
                which,
                seconds / (few * SHARES) * 1e3,
                2,
                atMostTimes(1),
            )

    def text(self, contestants: Contestants) -> None:
        """
        Real-time text between data channels and RTP, which rtpengine does not
        do.
        """
        for which, program in contestants:
            if not isinstance(program, Gateway):
                continue
            count, row = self._effort.texts, self._text.add
            found = self._type(program, count)
            title = f"{count:,} calls in which people type: share of one core, in %"
            row(title, which, found["share"] * 1e2, 1, atMost(50))
            row("characters lost in these", which, found["lost"], 0, atMost(0))
            slow, fast = 310, 20
            for kind, words, wire in ((Gateway, "", slow), (UnbufferedGateway, " without buffering", fast)):
                with tempfile.TemporaryDirectory(prefix="e2aegw-bench-") as name:
                    another = kind(Path(name), self._cores, second=True)
                    try:
                        found = self._type(another, CALLS)
                    finally:
                        another.end()
                for end, limit, way in (
                    ("wire", wire, "channel to wire"),
                    ("channel", fast, "wire to channel"),
                ):
                    row(f"{way}{words}, p50, in ms", which, found[end]["p50"], 1)
                    row(f"{way}{words}, p99, in ms", which, found[end]["p99"], 1, atMost(limit))

    def _type(self, program: Program, count: int) -> dict[str, Any]:
        """
        Let people type.

        @raise RuntimeError: their calls do not come up.
        """
        words = (program.host, program.pid, count, TYPING)
        command = [sys.executable, "-m", "bench.textload", *map(str, words)]
        done = subprocess.run(self._cores.onLoad(command), stdout=subprocess.PIPE, check=True)
        found: dict[str, Any] = json.loads(done.stdout)
        if "failed" in found:
            raise RuntimeError(found["failed"])
        return found

    def _packets(
        self,
        contestants: Contestants,
        kind: str,
        setUp: Callable[[NG], Call],
        rates: Sequence[int],
        target: Target | None,
    ) -> None:
        with self._many(contestants, setUp) as loads:
            for rate in rates:
                for direction, words in (("up", "to the core"), ("down", "to the access")):
                    title = f"{kind}, {words}, {rate:,}/s"
                    # In turn within seconds, so that what else goes on on the
                    # machine is the same for both.
                    for which, program in contestants:
                        cpu, outcome = self._run(which, program, loads[which], direction, rate, CALLS)
                        self._cpu.add(title, which, cpu, 1, target)
                        missing = outcome.sent - outcome.received + outcome.bad + outcome.duplicate
                        self._lost.add(title, which, missing, 0, atMost(0))
                        slow = atMostAbove(5, "ms") if rate == RATES[0] else None
                        self._delay.add(f"{title}, p50", which, outcome.p50 / 1e3, 2)
                        self._delay.add(f"{title}, p99", which, outcome.p99 / 1e3, 2, slow)

    @contextmanager
    def _another(self, program: Program) -> Iterator[Program]:
        """
        A second program of the same kind.
        """
        with tempfile.TemporaryDirectory(prefix="e2aegw-bench-") as name:
            another = type(program)(Path(name), self._cores, second=True)
            try:
                yield another
            finally:
                another.end()

    @contextmanager
    def _many(self, contestants: Contestants, setUp: Callable[[NG], Call]) -> Iterator[dict[int, Load]]:
        """
        Calls through all of the programs, with packets on their way.
        """
        if not contestants:
            yield {}
            return
        (which, program), *others = contestants
        with self._calls(program, setUp, CALLS) as (calls, load), self._many(others, setUp) as loads:
            self._settle(load, calls)
            yield {which: load, **loads}

    @contextmanager
    def _calls(
        self, program: Program, setUp: Callable[[NG], Call], count: int
    ) -> Iterator[tuple[list[Call], Load]]:
        """
        Calls, and a load generator for them.
        """
        calls = [setUp(program.ng) for _ in range(count)]
        try:
            with self._ready(calls) as load:
                yield calls, load
        finally:
            for call in calls:
                call.close()

    @contextmanager
    def _ready(self, calls: Sequence[Call]) -> Iterator[Load]:
        load = Load(self._load, self._cores, calls)
        try:
            yield load
        finally:
            load.end()

    def _settle(self, load: Load, calls: Sequence[Call]) -> None:
        """
        Send a few packets both ways through each call.

        @raise RuntimeError: one does not let packets through.
        """
        load.prepare("both", SETTLING_RATE, 2 * SETTLING * len(calls), len(calls))
        outcome = load.go()
        # The very first may come before the gateway knows whose it is.
        if outcome.received < outcome.sent * (SETTLING - 1) / SETTLING:
            raise RuntimeError(f"packets do not get through: {outcome}")

    def _run(
        self, which: int, program: Program, load: Load, direction: str, rate: int, calls: int
    ) -> tuple[float, Outcome]:
        """
        @return: the program's time on a core for each packet that came
            through, in microseconds, and how it went.
        """
        load.prepare(direction, rate, round(rate * self._effort.seconds), calls)
        cpu, waiting = program.cpu, program.waiting
        outcome = load.go()
        cpu, waiting = program.cpu - cpu, program.waiting - waiting
        self._noise.add("waiting for the core, in % of the time", which, waiting / outcome.seconds * 1e2, 1)
        pace = outcome.sent / outcome.seconds / rate
        self._noise.add("packets sent, in % of the rate", which, pace * 1e2, 1)
        return cpu / max(1, outcome.received) * 1e6, outcome
