"""
Programs that a test runs beside it.
"""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

#: How long a program may take to end once it is asked to, in seconds.
GRACE = 10.0


class Process:
    """
    A running program in a process group of its own, so that all of it can be
    ended.

    @ivar name: what failures call it.
    @ivar log: the file that holds what it said.
    """

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        directory: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.log = directory / f"{name}.log"
        with self.log.open("wb") as log:
            self._popen = subprocess.Popen(
                arguments,
                cwd=directory,
                env={**os.environ, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """
        The number of the process that leads the group.
        """
        return self._popen.pid

    @property
    def exitCode(self) -> int | None:
        """
        How it ended, or L{None} while it runs.
        """
        return self._popen.poll()

    def output(self) -> str:
        """
        What it said so far.
        """
        return self.log.read_text(errors="replace")

    def alive(self) -> bool:
        """
        @return: L{True}.

        @raise AssertionError: it has ended.
        """
        if self.exitCode is not None:
            raise AssertionError(f"{self.name} ended with {self.exitCode}:\n{self.output()[-4000:]}")
        return True

    def wait(self, seconds: float = GRACE) -> int:
        """
        Wait for its end.

        @return: its exit code.

        @raise AssertionError: it still runs.
        """
        try:
            return self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} still runs:\n{self.output()[-4000:]}") from None

    def end(self, seconds: float = GRACE) -> int:
        """
        Ask it to end, and see to it that the whole group does.

        @return: its exit code, which is minus the number of the signal that
            killed it if it did not end when it was asked.
        """
        if self._popen.poll() is None:
            self._popen.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._popen.wait(seconds)
        # Also what it started itself, and what did not listen; often nobody is left.
        with suppress(ProcessLookupError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        return self._popen.wait()
