"""
The two programs that are measured.
"""

import select
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from bench.cores import Cores
from bench.usage import cpuSeconds, residentKilobytes, waitingSeconds
from tests.peers.deadline import until
from tests.peers.ng import NG
from tests.peers.process import Process

#: Where the programs take ng messages; each has an address for itself.
NG_PORT = 2223
#: Media ports, both ends included.  Each held call has four, and 2,000 are held.
ACCESS_PORTS = 10000, 19999
CORE_PORTS = 20000, 29999
#: No call is to time out while it is held, in seconds.
PATIENCE = 3600
#: Who was on a core for less than this share of so many seconds has nothing to
#: do.
_IDLE, _QUIET = 0.05, 0.1

_CONFIG = """\
[side.access]
address = "{host}"
ports = "{access[0]}-{access[1]}"

[side.core]
address = "{host}"
ports = "{core[0]}-{core[1]}"

[control]
ng = "{host}:{ng}"
delete_delay = 0

[limits]
media_timeout = {patience}
silent_timeout = {patience}
offer_timeout = {patience}

[[route]]
access = "srtp"
core = "rtp"

[[route]]
access = "msrp"
core = "msrp"

[[route]]
access = "udptl"
core = "udptl"

[[route]]
access = "text"
core = "text"
"""


class Program:
    """
    A running program that speaks the ng protocol, with all of a loopback
    address's ports to itself.

    @cvar name: what the table calls it.
    @cvar hosts: its address, and that of a second one.
    @ivar host: its address.
    @ivar ng: a controller's connection to it.
    """

    name: ClassVar[str]
    hosts: ClassVar[tuple[str, str]]

    def __init__(self, directory: Path, cores: Cores, second: bool = False) -> None:
        """
        Start it.

        @param directory: where it may have files.
        @param second: whether there is one already.
        """
        self.host = self.hosts[second]
        command = cores.onMeasured(self.command(directory))
        self._process = Process(f"{self.name}-{self.host}", command, directory)
        cores.prefer(self._process.pid)
        self.ng = NG(NG_PORT, self.host)
        try:
            until(lambda: self._process.alive() and self.ng.alive(), f"{self.name} answers a ping")
        except BaseException:
            self.end()
            raise

    def command(self, directory: Path) -> Sequence[str]:
        """
        What starts it.

        @param directory: where it may have files.
        """
        raise NotImplementedError

    @property
    def cpu(self) -> float:
        """
        How long it was on a core so far, in seconds.
        """
        return cpuSeconds(self._process.pid)

    @property
    def waiting(self) -> float:
        """
        How long it wanted a core and had none.
        """
        return waitingSeconds(self._process.pid)

    @property
    def memory(self) -> int:
        """
        How many kilobytes of memory it has.
        """
        return residentKilobytes(self._process.pid)

    @property
    def pid(self) -> int:
        """
        The number of its process.
        """
        return self._process.pid

    def rest(self) -> None:
        """
        Wait until it has nothing to do any more.

        @raise AssertionError: it always has.
        """
        until(self._isIdle, f"{self.name} has nothing to do")

    def _isIdle(self) -> bool:
        start = self.cpu
        select.select([], [], [], _QUIET)
        return self.cpu - start < _QUIET * _IDLE

    def end(self) -> None:
        """
        End it.
        """
        self.ng.close()
        self._process.end()


class Gateway(Program):
    """
    This project's gateway, as C{twistd} runs it.
    """

    name = "e2aegw"
    more: ClassVar[str] = ""
    # Nobody else has these: no port can be taken.
    hosts: ClassVar[tuple[str, str]] = "127.101.0.1", "127.101.0.2"

    def command(self, directory: Path) -> Sequence[str]:
        """
        See L{Program}.
        """
        config = directory / f"{self.host}.toml"
        config.write_text(
            _CONFIG.format(
                host=self.host, access=ACCESS_PORTS, core=CORE_PORTS, ng=NG_PORT, patience=PATIENCE
            )
            + self.more
        )
        twistd = Path(sys.executable).with_name("twistd")
        return [str(twistd), "--nodaemon", "--pidfile=", "e2aegw", "--config", str(config)]


class UnbufferedGateway(Gateway):
    """
    The same, which does not gather text.
    """

    more = "[adapter.text]\nbuffering = 0\n"


class RTPEngine(Program):
    """
    Debian's rtpengine, in userspace.

    @cvar threads: how many of its threads move packets.
    """

    name = "rtpengine"
    hosts = "127.101.0.3", "127.101.0.4"
    threads: ClassVar[int] = 1

    def command(self, directory: Path) -> Sequence[str]:
        """
        See L{Program}.
        """
        return [
            "rtpengine",
            # Without this it reads the one in /etc.
            "--config-file=none",
            "--foreground",
            "--log-stderr",
            # Errors only, as the gateway.
            "--log-level=3",
            "--table=-1",
            f"--num-threads={self.threads}",
            "--delete-delay=0",
            f"--timeout={PATIENCE}",
            f"--silent-timeout={PATIENCE}",
            f"--offer-timeout={PATIENCE}",
            f"--interface=access/{self.host}",
            f"--interface=core/{self.host}",
            f"--listen-ng={self.host}:{NG_PORT}",
            f"--port-min={ACCESS_PORTS[0]}",
            f"--port-max={CORE_PORTS[1]}",
        ]


#: In the order of the table's columns.
PROGRAMS: tuple[type[Program], ...] = (Gateway, RTPEngine)
