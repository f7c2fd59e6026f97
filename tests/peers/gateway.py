"""
The gateway itself, as an operator starts it: C{twistd -n e2aegw -c FILE}.
"""

import json
import os
import re
import signal
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.peers.deadline import until
from tests.peers.media import ready
from tests.peers.ports import freePort, freeRange
from tests.peers.process import Process

#: What makes it count its objects.
CENSUS = Path(__file__).resolve().parent / "census"
#: How many media ports each side gets.
PORTS = 400

_CONFIG = """\
[side.access]
address = ["127.0.0.1", "::1"]
ports = "{access.start}-{accessLast}"

[side.core]
address = ["127.0.0.1", "::1"]
ports = "{core.start}-{coreLast}"

[control]
ng = "127.0.0.1:{ng}"
delete_delay = 0

[[route]]
access = "srtp"
core = "rtp"

[[route]]
access = "rtp"
core = "rtp"

[[route]]
access = "srtp"
core = "srtp"

[[route]]
access = "rtp"
core = "srtp"

[[route]]
access = "relay"
core = "relay"

[[route]]
access = "udptl"
core = "udptl"
"""

#: What must never be in the log: tracebacks and unhandled errors.
_TROUBLE = re.compile(r"Traceback|Unhandled|\[[^\]]*#(?:error|critical)\]|Exception")


class Gateway:
    """
    A running gateway.

    @ivar ngPort: where it takes ng messages, on 127.0.0.1.
    @ivar access: the access side's media ports.
    @ivar core: the core side's.
    """

    def __init__(self, directory: Path, more: str = "", count: int = PORTS) -> None:
        """
        @param directory: where its files go.
        @param more: what else is in its configuration.
        @param count: how many media ports each side gets.
        """
        directory.mkdir(exist_ok=True)
        self.ngPort = freePort()
        first = freeRange(2 * count)
        self.access = range(first, first + count)
        self.core = range(first + count, first + 2 * count)
        config = directory / "gateway.toml"
        config.write_text(self.configuration() + more)
        self._census = directory / "census.json"
        paths = [str(CENSUS), *filter(None, [os.environ.get("PYTHONPATH")])]
        twistd = Path(sys.executable).with_name("twistd")
        self._process = Process(
            "gateway",
            [
                str(twistd),
                "--nodaemon",
                f"--pidfile={directory / 'gateway.pid'}",
                "e2aegw",
                "-c",
                str(config),
            ],
            directory,
            {"PYTHONPATH": os.pathsep.join(paths), "CENSUS": str(self._census)},
        )
        try:
            ready(self)
        except BaseException:
            self._process.end()
            raise

    def configuration(self) -> str:
        """
        What its configuration file says.
        """
        return _CONFIG.format(
            access=self.access,
            accessLast=self.access.stop - 1,
            core=self.core,
            coreLast=self.core.stop - 1,
            ng=self.ngPort,
        )

    @property
    def pid(self) -> int:
        """
        The number of its process.
        """
        return self._process.pid

    @property
    def ports(self) -> Sequence[int]:
        """
        The media ports of both sides.
        """
        return range(self.access.start, self.core.stop)

    def alive(self) -> bool:
        """
        @return: L{True}.

        @raise AssertionError: it has ended.
        """
        return self._process.alive()

    def ended(self) -> bool:
        """
        Whether it is over.
        """
        return self._process.exitCode is not None

    def census(self) -> Counter[str]:
        """
        How many objects of each type it has.  See C{census/sitecustomize.py}.
        """
        self._census.unlink(missing_ok=True)
        os.kill(self.pid, signal.SIGUSR2)
        until(self._census.exists, "the gateway has counted its objects")
        return Counter(json.loads(self._census.read_text()))

    def output(self) -> str:
        """
        What it said so far.
        """
        return self._process.output()

    def end(self) -> None:
        """
        End it as an operator does, and look at its log.

        @raise AssertionError: it did not end as it should, or something went
            wrong in it.
        """
        code = self._process.end()
        # twistd shuts down in good order and then dies of the signal that it got.
        if code != -signal.SIGTERM or "Server Shut Down." not in self.output():
            raise AssertionError(f"the gateway ended with {code}:\n{self.output()[-4000:]}")
        output = self.output()
        trouble = _TROUBLE.search(output)
        if trouble is not None:
            raise AssertionError(
                f"the gateway logged trouble:\n...{output[max(0, trouble.start() - 300) :][:5000]}"
            )
