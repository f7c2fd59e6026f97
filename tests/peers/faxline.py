"""
The way from fax machines to the gateway: sockets, weather, and somebody who
listens in.
"""

import random
import select
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from tests.peers.spandsp import TICKS, FaxMachine

HOST = "127.0.0.1"


def bound() -> socket.socket:
    """
    A UDP socket.
    """
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((HOST, 0))
    sock.setblocking(False)
    return sock


def arrived(sock: socket.socket) -> list[bytes]:
    """
    What came.
    """
    found: list[bytes] = []
    with suppress(BlockingIOError, ConnectionResetError):
        while True:
            try:
                data = sock.recv(65536)
            except ConnectionRefusedError:
                # Of something sent earlier.
                continue
            if not data:
                break
            found.append(data)
    return found


class Wire:
    """
    A terminal's socket, with loss.

    @ivar lost: datagrams that did not arrive.
    """

    def __init__(self, loss: float = 0.0, seed: int = 1) -> None:
        self.socket = bound()
        self.remote: tuple[str, int] | None = None
        self.lost = 0
        self._loss, self._random = loss, random.Random(seed)

    @property
    def port(self) -> int:
        """
        Its number.
        """
        number: int = self.socket.getsockname()[1]
        return number

    def send(self, data: bytes) -> None:
        """
        Send a datagram, perhaps.
        """
        assert self.remote is not None
        if self._random.random() < self._loss:
            self.lost += 1
            return
        with suppress(BlockingIOError, ConnectionRefusedError):
            self.socket.sendto(data, self.remote)

    def end(self) -> None:
        """
        Let go of it.
        """
        self.socket.close()


@dataclass
class Tap:
    """
    Between a UE and the gateway: it passes datagrams on and remembers them.

    @ivar near: where the UE sends to.
    @ivar far: where the gateway sends to, and what the UE's description says.
    @ivar seen: all datagrams.
    """

    near: socket.socket = field(default_factory=bound)
    far: socket.socket = field(default_factory=bound)
    gateway: tuple[str, int] | None = None
    ue: tuple[str, int] | None = None
    seen: list[bytes] = field(default_factory=list)

    def turn(self) -> None:
        """
        Pass on what there is.
        """
        for here, there in ((self.near, self.far), (self.far, self.near)):
            with suppress(BlockingIOError, ConnectionRefusedError):
                while True:
                    data, source = here.recvfrom(65536)
                    self.seen.append(data)
                    if here is self.near:
                        self.ue = source
                    destination = self.gateway if here is self.near else self.ue
                    if destination is not None:
                        there.sendto(data, destination)

    def end(self) -> None:
        """
        Let go of both.
        """
        self.near.close()
        self.far.close()


def transmit(
    machines: Sequence[tuple[FaxMachine, socket.socket]],
    *,
    speed: float = 1,
    seconds: float,
    turn: Callable[[], object] = lambda: None,
    watch: Sequence[socket.socket] = (),
) -> None:
    """
    Let fax machines talk until they have nothing more to say.

    @param machines: with the socket that each hears.
    @param speed: how much faster than real time.
    @param seconds: how long, in our time, it may take.
    @param turn: called whenever something came, or time has passed.
    @param watch: what else something comes to.

    @raise AssertionError: it took longer.
    """
    begun = time.monotonic()
    ticks = 0
    watched = [*watch, *(sock for _, sock in machines)]
    while not all(machine.over for machine, _ in machines):
        now = time.monotonic()
        if now > begun + seconds:
            raise AssertionError(f"still on the line after {seconds} s: {[m.result for m, _ in machines]}")
        due = begun + ticks / (TICKS * speed)
        if now < due:
            select.select(watched, [], [], due - now)
        turn()
        for machine, sock in machines:
            for data in arrived(sock):
                machine.receive(data)
        if time.monotonic() >= due:
            ticks += 1
            for machine, _ in machines:
                machine.tick()
