"""
Ports on the loopback interface that are free right now.
"""

import random
import socket
from contextlib import ExitStack

#: Below the range from which the system takes ports for sockets that do not
#: ask for one, so that nobody takes ours between our look and their use.
LOWEST, HIGHEST = 10000, 32000


def _bind(stack: ExitStack, kind: socket.SocketKind, port: int) -> None:
    taken = stack.enter_context(socket.socket(socket.AF_INET, kind))
    taken.bind(("127.0.0.1", port))


def freeRange(count: int) -> int:
    """
    The first, an even number, of so many ports in a row that are free for UDP
    and TCP.
    """
    while True:
        first = random.randrange(LOWEST, HIGHEST - count, 2)
        with ExitStack() as stack:
            try:
                for port in range(first, first + count):
                    _bind(stack, socket.SOCK_DGRAM, port)
                    _bind(stack, socket.SOCK_STREAM, port)
            except OSError:
                continue  # somebody has one of them
            return first


def freePort() -> int:
    """
    A port that is free for UDP and TCP.
    """
    return freeRange(1)
