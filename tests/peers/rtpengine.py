"""
Debian's rtpengine, in userspace.
"""

from collections.abc import Sequence
from pathlib import Path

from tests.peers.media import ready
from tests.peers.ports import freePort, freeRange
from tests.peers.process import Process

#: How many media ports it gets.
PORTS = 400


class RTPEngine:
    """
    A running rtpengine, which knows two sides by the names C{access} and
    C{core}, IPv4 and IPv6 on each.

    @ivar ngPort: where it takes ng messages, on 127.0.0.1.
    """

    def __init__(self, directory: Path) -> None:
        self.ngPort = freePort()
        first = freeRange(PORTS)
        self._ports = range(first, first + PORTS)
        self._process = Process(
            "rtpengine",
            [
                "rtpengine",
                # Without this it reads /etc/rtpengine/rtpengine.conf and opens that one's ports too.
                "--config-file=none",
                "--foreground",
                "--log-stderr",
                "--log-level=6",
                "--table=-1",
                "--num-threads=2",
                "--delete-delay=0",
                *(
                    f"--interface={side}/{host}"
                    for side in ("access", "core")
                    for host in ("127.0.0.1", "::1")
                ),
                f"--listen-ng=127.0.0.1:{self.ngPort}",
                f"--port-min={self._ports.start}",
                f"--port-max={self._ports.stop - 1}",
            ],
            directory,
        )
        try:
            ready(self)
        except BaseException:
            self._process.end()
            raise

    @property
    def pid(self) -> int:
        """
        The number of its process.
        """
        return self._process.pid

    @property
    def ports(self) -> Sequence[int]:
        """
        The media ports that it may use.
        """
        return self._ports

    def alive(self) -> bool:
        """
        @return: L{True}.

        @raise AssertionError: it has ended.
        """
        return self._process.alive()

    def end(self) -> None:
        """
        End it.
        """
        self._process.end()
