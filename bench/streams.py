"""
What media in streams cost: MSRP between TLS and TCP.
"""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.cores import Cores
from bench.gateways import Gateway
from bench.scenarios import Effort
from bench.securechats import CHUNK, Certificate, Chat
from bench.table import Table, atLeast, atMost, atMostTimes
from bench.usage import cpuSeconds

#: Chunks that are sent before figures are taken.
SETTLING = 100


class _ChatGateway(Gateway):
    """
    The gateway, at addresses where nothing else is measured.
    """

    hosts = "127.101.0.5", "127.101.0.6"


class Streams:
    """
    All of that, and its table.
    """

    def __init__(self, effort: Effort, cores: Cores, directory: Path) -> None:
        """
        @param directory: where there may be files.
        """
        self._effort, self._cores, self._directory = effort, cores, directory
        self._certificate = Certificate(directory)
        self._count = 0
        self.table = Table("MSRP between TLS and TCP", "port forward")

    def measure(self) -> None:
        """
        Do everything once.
        """
        gateway = _ChatGateway(self._directory, self._cores)
        try:
            with socket.create_server((gateway.host, 0), backlog=self._effort.held) as listener:
                self._throughput(gateway, listener)
                self._held(gateway, listener)
        finally:
            gateway.end()

    def _chat(self, gateway: Gateway, listener: socket.socket) -> Chat:
        self._count += 1
        chat = Chat(self._count, self._certificate, listener)
        chat.agree(gateway.ng)
        return chat

    def _throughput(self, gateway: Gateway, listener: socket.socket) -> None:
        megabytes = self._effort.chunks * CHUNK / 1e6
        chat = self._chat(gateway, listener)
        chat.connect()
        chat.send(SETTLING)
        start = gateway.cpu
        chat.send(self._effort.chunks)
        ours = gateway.cpu - start
        self._end(gateway, chat)
        with self._forward(listener) as (pid, port):
            self._count += 1
            bare = Chat(self._count, self._certificate, listener)
            bare.host, bare.port, bare.path = "127.0.0.1", port, "msrps://127.0.0.1:9/bare;tcp"
            bare.connect()
            bare.send(SETTLING)
            start = cpuSeconds(pid)
            bare.send(self._effort.chunks)
            theirs = cpuSeconds(pid) - start
            bare.close()
        for which, cpu in enumerate((ours, theirs)):
            self.table.add("CPU for a megabyte, ms", which, cpu / megabytes * 1e3, 2, atMostTimes(1.3))
            rate = megabytes * 8 / 1e3 / cpu
            self.table.add("on one core, Gbit/s", which, rate, 2, atLeast(1.5))

    def _held(self, gateway: Gateway, listener: socket.socket) -> None:
        count = self._effort.held
        before = gateway.memory
        chats = []
        for _ in range(count):
            chat = self._chat(gateway, listener)
            chat.connect()
            chats.append(chat)
        for chat in chats:
            chat.send(1)
        gateway.rest()
        self.table.add("memory for a held call, KB", 0, (gateway.memory - before) / count, 1, atMost(100))
        for chat in chats:
            self._end(gateway, chat)

    def _end(self, gateway: Gateway, chat: Chat) -> None:
        chat.close()
        gateway.ng.command("delete", call_id=chat.name, from_tag="a")

    @contextmanager
    def _forward(self, listener: socket.socket) -> Iterator[tuple[int, int]]:
        host, port = listener.getsockname()
        program = [sys.executable, "-m", "bench.forward", str(self._certificate.file), host, str(port)]
        with subprocess.Popen(
            self._cores.onMeasured(program), stdout=subprocess.PIPE, cwd=Path(__file__).parent.parent
        ) as process:
            try:
                self._cores.prefer(process.pid)
                assert process.stdout is not None
                yield process.pid, int(process.stdout.readline())
            finally:
                process.terminate()
