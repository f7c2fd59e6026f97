"""
What happens to datagrams on their way: some are lost, some arrive twice, some
are overtaken.
"""

import random
import socket
from contextlib import suppress


class Weather:
    """
    Bad weather, the same for the same seed.

    @ivar sent: how many datagrams were given to it.
    @ivar lost: how many of them did not arrive.
    """

    def __init__(self, seed: int, loss: float, duplication: float, reordering: float) -> None:
        """
        @param loss: how many of all datagrams are lost.
        @param duplication: how many of all arrive twice.
        @param reordering: how many of all are overtaken by the next of the
            same socket.
        """
        self.random = random.Random(seed)
        self.sent = 0
        self.lost = 0
        self._chances = (loss, duplication, reordering)
        self._late: dict[socket.socket, tuple[bytes, tuple[str, int]]] = {}

    def send(self, via: socket.socket, data: bytes, destination: tuple[str, int]) -> None:
        """
        Send a datagram, perhaps.
        """
        loss, duplication, reordering = self._chances
        self.sent += 1
        if self.random.random() < loss:
            self.lost += 1
            return
        if via not in self._late and self.random.random() < reordering:
            self._late[via] = data, destination
            return
        for _ in range(2 if self.random.random() < duplication else 1):
            self._send(via, data, destination)
        if via in self._late:
            self._send(via, *self._late.pop(via))

    def _send(self, via: socket.socket, data: bytes, destination: tuple[str, int]) -> None:
        # A full buffer, or a port that is closed, is one more loss.
        with suppress(BlockingIOError, ConnectionRefusedError):
            via.sendto(data, destination)

    def clear(self) -> None:
        """
        Whatever is late comes now or never.
        """
        for via, (data, destination) in self._late.items():
            if via.fileno() >= 0:
                self._send(via, data, destination)
        self._late.clear()
