"""
Packets through calls.
"""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.calls import Call, End
from bench.cores import Cores

SOURCE = Path(__file__).with_name("rtpload.c")
#: 20 ms of G.711.
PAYLOAD = 160


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """
    How a run went.

    @ivar sent: packets.
    @ivar received: those that came out on the other side, unharmed.
    @ivar bad: others that did: not authentic, altered, where they should not.
    @ivar refused: those of C{sent} that the system did not take.
    @ivar duplicate: those that came out again.
    @ivar p50: the median of the delays, in microseconds.
    @ivar p99: what one of a hundred packets was delayed by or more.
    @ivar worst: the longest delay.
    @ivar seconds: how long sending took.
    """

    sent: int
    received: int
    bad: int
    refused: int
    duplicate: int
    p50: float
    p99: float
    worst: float
    seconds: float


def build(directory: Path) -> Path:
    """
    Compile the load generator.

    @raise subprocess.CalledProcessError: the compiler or libsrtp's headers are
        missing.
    """
    program = directory / "rtpload"
    subprocess.run(["cc", "-O2", "-o", str(program), str(SOURCE), "-lsrtp2"], check=True)
    return program


class Load:
    """
    A load generator that is ready to send.
    """

    def __init__(self, program: Path, cores: Cores, calls: Sequence[Call]) -> None:
        ends = [end for call in calls for end in (call.access, call.core)]
        self._process = subprocess.Popen(
            cores.onLoad([str(program)]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            pass_fds=[end.socket.fileno() for end in ends],
        )
        for call in calls:
            self._say(f"call {_words(call.access)} {_words(call.core)}")

    def prepare(self, direction: str, rate: int, packets: int, calls: int) -> None:
        """
        Make packets for a run.

        @param direction: C{"up"}, from the access side to the core, C{"down"}
            or C{"both"}.
        @param rate: packets a second, all calls together.
        @param packets: how many.
        @param calls: over how many of the calls.
        """
        self._say(f"run {direction} {rate} {packets} {calls} {PAYLOAD}")
        self._hear("ready")

    def go(self) -> Outcome:
        """
        Send them, and wait until they have arrived or not.
        """
        self._say("go")
        fields: dict[str, Any] = json.loads(self._hear())
        return Outcome(**fields)

    def end(self) -> None:
        """
        End it.
        """
        self._process.kill()
        self._process.communicate()

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")

    def _hear(self, expected: str = "") -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.endswith("\n") or (expected and line.strip() != expected):
            raise RuntimeError(f"the load generator says {line!r}")
        return line


def _words(end: End) -> str:
    host, port = end.remote
    protection = "UDPTL - -" if end.fax else "- - -"
    if end.keys is not None:
        receives, sends = end.keys
        protection = f"{sends.profile.value} {sends.material.hex()} {receives.material.hex()}"
    return f"{end.socket.fileno()} {host} {port} {protection}"
