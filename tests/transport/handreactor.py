"""
A reactor that is turned by hand, over real sockets.
"""

import os
import select
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReactorFDSet, IReactorTime
from twisted.internet.task import Clock
from zope.interface import implementer

# Twisted's timers import this when they are first used, and it opens
# descriptors: let that be before anybody counts them.
__import__("twisted.internet.reactor")

#: Seconds that a datagram may take over the loopback interface before a test
#: fails.
PATIENCE = 5.0


@implementer(IReactorFDSet, IReactorTime)
class HandReactor(Clock):
    """
    Knows who wants to read, and lets them when told to.

    @ivar readers: they.
    """

    def __init__(self) -> None:
        super().__init__()
        self.readers: list[Any] = []

    def addReader(self, reader: Any) -> None:
        """
        See L{IReactorFDSet}.
        """
        if reader not in self.readers:
            self.readers.append(reader)

    def removeReader(self, reader: Any) -> None:
        """
        See L{IReactorFDSet}.
        """
        if reader in self.readers:
            self.readers.remove(reader)

    def addWriter(self, writer: Any) -> None:
        """
        See L{IReactorFDSet}.
        """

    def removeWriter(self, writer: Any) -> None:
        """
        See L{IReactorFDSet}.
        """

    def removeAll(self) -> list[Any]:
        """
        See L{IReactorFDSet}.
        """
        readers, self.readers = self.readers, []
        return readers

    def getReaders(self) -> list[Any]:
        """
        See L{IReactorFDSet}.
        """
        return list(self.readers)

    def getWriters(self) -> list[Any]:
        """
        See L{IReactorFDSet}.
        """
        return []

    def turn(self, wait: float = 0.0) -> bool:
        """
        Let everybody read once who can.

        @return: whether there was anybody.
        """
        poll = select.poll()
        by = {reader.fileno(): reader for reader in self.readers}
        for fileno in by:
            poll.register(fileno, select.POLLIN)
        ready = [by[fileno] for fileno, _ in poll.poll(wait * 1000)]
        for reader in ready:
            reader.doRead()
        return bool(ready)

    def until(self, condition: Callable[[], bool]) -> None:
        """
        Turn until something has come to pass, and until there is nothing more
        to read.
        """
        for _ in range(10000):
            paused = bool(self.getDelayedCalls())
            if self.turn(0.0 if paused or condition() else PATIENCE):
                continue
            if not paused:
                if condition():
                    return
                break
            # A busy reader puts its next look off by a millisecond.
            self.advance(0.001)
        raise AssertionError("it did not come to pass")

    def quiet(self) -> None:
        """
        Turn as long as there is something to read.
        """
        self.until(lambda: True)


def descriptors() -> set[tuple[int, str]]:
    """
    The sockets and sets of sockets that this process has open: number and kind,
    which for a socket is its own.

    Those that an earlier test left to the garbage collector may go at any time,
    so two looks are compared by what is new.
    """
    found = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            kind = os.readlink(f"/proc/self/fd/{name}")
        except FileNotFoundError:
            continue  # What the list itself was read with.
        if kind.startswith(("socket:", "anon_inode:[eventpoll]")):
            found.add((int(name), kind))
    return found
