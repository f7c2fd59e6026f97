"""
Measure the gateway and rtpengine in turn, and write what came out to
C{docs/benchmarks.md}: C{python -m bench}.

With C{BENCH=quick} in the environment everything is done once and briefly, and
nothing is written.  Nor is it if only some of it is asked for, by name:
C{python -m bench handshakes}.
"""

import datetime
import os
import resource
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from bench import machine
from bench.chats import Chats
from bench.cores import Cores
from bench.gateways import PROGRAMS
from bench.load import build
from bench.page import page
from bench.scenarios import FULL, QUICK, Scenarios
from bench.security import Security
from bench.streams import Streams

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks.md"
#: Programs of others that this needs.
NEEDED = ("rtpengine", "cc")
#: Files that a program has open when calls are held: for each up to three on
#: either side.
FILES = 16384


def _ready() -> str:
    """
    What is in the way, or C{""}.
    """
    missing = [name for name in NEEDED if shutil.which(name) is None]
    if missing:
        return f"not installed: {', '.join(missing)} (make peers)"
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < FILES and hard != resource.RLIM_INFINITY:
        return f"only {hard} files may be open, and {FILES} are needed (ulimit -n)"
    if soft < FILES:
        resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, hard))
    return ""


def main(parts: Sequence[str] = ()) -> int:
    """
    Measure.

    @param parts: the names of the scenarios to do; all, if there are none.
    """
    if trouble := _ready():
        print(f"bench: {trouble}", file=sys.stderr)
        return 1
    # Whoever ends us ends what we started, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("bench: ended"))
    quick = os.environ.get("BENCH") == "quick"
    effort = QUICK if quick else FULL
    others = machine.others()
    cores = Cores()
    cores.moveHere()
    with tempfile.TemporaryDirectory(prefix="e2aegw-bench-") as folder:
        directory = Path(folder)
        scenarios = Scenarios(effort, cores, build(directory))
        security = Security(effort, directory)
        streams = Streams(effort, cores, directory)
        chats = Chats(quick, cores)
        names = {scenario.__name__: scenario for scenario in (*scenarios.all(), security.security)}
        talks = {measure.__name__: measure for measure in chats.all()}
        known = {*names, *talks, "streams"}
        if unknown := [part for part in parts if part not in known]:
            print(f"bench: no {', '.join(unknown)}; there are {', '.join(sorted(known))}", file=sys.stderr)
            return 1
        chosen = [scenario for name, scenario in names.items() if not parts or name in parts]
        for repetition in range(effort.repetitions):
            for scenario in chosen:
                print(f"{repetition + 1}/{effort.repetitions} {scenario.__name__}", file=sys.stderr)
                with ExitStack() as stack:
                    contestants = []
                    for which, program in enumerate(PROGRAMS):
                        running = program(directory, cores)
                        stack.callback(running.end)
                        contestants.append((which, running))
                    # Nobody is always the first.
                    scenario(contestants if repetition % 2 == 0 else contestants[::-1])
            for name, measure in talks.items():
                if not parts or name in parts:
                    print(f"{repetition + 1}/{effort.repetitions} {name}", file=sys.stderr)
                    measure(directory)
            if not parts or "streams" in parts:
                print(f"{repetition + 1}/{effort.repetitions} streams", file=sys.stderr)
                streams.measure()
    every = (*scenarios.tables, *chats.tables, streams.table, security.table)
    tables = [table for table in every if table.rows or not parts]
    text = page(tables, effort, cores, datetime.date.today(), others)
    print(text)
    if not (quick or parts):
        PAGE.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
