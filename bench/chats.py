"""
What chats and files cost.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from bench.cores import Cores
from bench.gateways import NG_PORT, Gateway
from bench.table import Table, atLeast, atMost, atMostTimes
from bench.usage import cpuSeconds

#: How often a network of radio loses a packet, and how much later it delivers
#: the others, in seconds.
LOSS, DELAY = 0.01, 0.02
#: Octets of a file before figures are taken: windows have to grow.
FIRST = 5_000_000


class Helper:
    """
    A program of the benchmark's that does what it is told, line by line.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    @property
    def cpu(self) -> float:
        """
        How long it was on a core so far, in seconds.
        """
        return cpuSeconds(self._process.pid)

    def say(self, *order: Any) -> None:
        """
        Order something.
        """
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")

    def hear(self) -> dict[str, Any]:
        """
        What came of it.

        @raise RuntimeError: the program has ended.
        """
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("a program of the benchmark has ended")
        told: dict[str, Any] = json.loads(line)
        return told

    def ask(self, *order: Any) -> dict[str, Any]:
        """
        Order something, and wait for it.
        """
        self.say(*order)
        return self.hear()

    def end(self) -> None:
        """
        End it.
        """
        self._process.kill()
        self._process.communicate()


class Chats:
    """
    Everything that is measured, and the tables that it fills.
    """

    def __init__(self, quick: bool, cores: Cores) -> None:
        self._size = 20_000_000 if quick else 100_000_000
        self._chats = 200 if quick else 1000
        self._seconds = 5.0 if quick else 30.0
        self._cores = cores
        self._cpu = Table("CPU for a megabyte of a file, in seconds", other="aiortc")
        self._speed = Table("Speed of a file, in Mbit/s", other="aiortc")
        self._idle = Table("Chats in which nobody says anything", other="aiortc")
        self.tables = (self._cpu, self._speed, self._idle)

    def all(self) -> Sequence[Callable[[Path], None]]:
        """
        What to do once for a repetition.
        """
        return (self.files, self.aiortc, self.lossyFiles, self.idleChats)

    def files(self, directory: Path) -> None:
        """
        Files from a data channel to TCP, and back.
        """
        with self._gateway(directory) as (gateway, load):
            load.ask("open", 1, 0, 0)
            for way, words in (("up", "to the core"), ("down", "to the access")):
                load.ask("run", way, FIRST)
                cpu = gateway.cpu
                seconds = self._run(load, way, self._size)
                megabytes = self._size / 1e6
                self._cpu.add(words, 0, (gateway.cpu - cpu) / megabytes, 4, atMostTimes(0.5))
                self._speed.add(words, 0, 8 * megabytes / seconds, 0, atLeast(200))

    def aiortc(self, directory: Path) -> None:
        """
        The same bytes, received and sent by an endpoint that is aiortc's.
        """
        command = [sys.executable, "-m", "bench.aiortcend"]
        with ExitStack() as stack:
            measured, other = Helper(self._cores.onMeasured(command)), Helper(self._cores.onLoad(command))
            stack.callback(measured.end)
            stack.callback(other.end)
            answer = measured.ask("answer", other.ask("offer")["sdp"])
            other.ask("take", answer["sdp"])
            for sender, receiver, words in (
                (other, measured, "to the core"),
                (measured, other, "to the access"),
            ):
                for size in (FIRST, self._size):
                    receiver.say("receive", size)
                    sender.say("send", size)
                    cpu, began = measured.cpu, time.perf_counter()
                    receiver.hear()
                    sender.hear()
                    cpu, seconds = measured.cpu - cpu, time.perf_counter() - began
                self._cpu.add(words, 1, cpu / (self._size / 1e6), 4)
                self._speed.add(words, 1, 8 * self._size / 1e6 / seconds, 0)

    def lossyFiles(self, directory: Path) -> None:
        """
        Files where packets get lost.
        """
        with self._gateway(directory) as (_, load):
            load.ask("open", 1, LOSS, DELAY)
            for way, words in (("up", "to the core"), ("down", "to the access")):
                load.ask("run", way, FIRST)
                seconds = self._run(load, way, self._size)
                title = f"{words}, {LOSS:.0%} loss and {DELAY * 1e3:.0f} ms each way"
                self._speed.add(title, 0, 8 * self._size / 1e6 / seconds, 0, atLeast(60))

    def idleChats(self, directory: Path) -> None:
        """
        Chats that only are there.
        """
        with self._gateway(directory) as (gateway, load):
            load.ask("open", 1, 0, 0)
            load.ask("close")
            before = gateway.memory
            load.ask("open", self._chats, 0, 0)
            self._idle.add(
                "memory for each, in KB", 0, (gateway.memory - before) / self._chats, 1, atMost(150)
            )
            cpu = gateway.cpu
            load.ask("rest", self._seconds)
            share = (gateway.cpu - cpu) / self._seconds * 1e2 / self._chats * 1000
            self._idle.add("CPU for 1,000 of them, in % of a core", 0, share, 2, atMost(2))

    def _run(self, load: Helper, way: str, size: int) -> float:
        """
        @return: how long a file took, in seconds.

        @raise RuntimeError: it did not arrive as it was.
        """
        told = load.ask("run", way, size)
        if not told["good"]:
            raise RuntimeError("a file has changed on its way")
        seconds: float = told["seconds"]
        return seconds

    @contextmanager
    def _gateway(self, directory: Path) -> Iterator[tuple[Gateway, Helper]]:
        gateway = Gateway(directory, self._cores)
        try:
            command = [sys.executable, "-m", "bench.chatload", gateway.host, str(NG_PORT)]
            load = Helper(self._cores.onLoad(command))
            try:
                yield gateway, load
            finally:
                load.end()
        finally:
            gateway.end()
