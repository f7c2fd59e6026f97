"""
Which processor core runs what.
"""

import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

#: How much nicer the measured program is than others: less.
PRIORITY = -10


class Cores:
    """
    Two of the cores that we may use: one for whatever is measured, and another
    for the load, so that neither takes time or cache from the other.

    @ivar measured: the core for what is measured, or L{None} if there is only
        one core, or no C{taskset}.
    @ivar load: the core for everything else, or L{None}.
    """

    def __init__(self) -> None:
        usable = sorted(os.sched_getaffinity(0))
        self.measured: int | None = None
        self.load: int | None = None
        if len(usable) > 1 and shutil.which("taskset"):
            # Interrupts prefer the first.
            self.load, self.measured = usable[0], usable[-1]

    def onMeasured(self, command: Sequence[str]) -> list[str]:
        """
        A command that runs this one on the core for what is measured.
        """
        return _on(self.measured, command)

    def onLoad(self, command: Sequence[str]) -> list[str]:
        """
        A command that runs this one on the other core.
        """
        return _on(self.load, command)

    def prefer(self, pid: int) -> None:
        """
        Let a program that was just started go before everybody else, if we
        may: others shall not show in its figures.
        """
        with suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, pid, PRIORITY)
        # Where each session is a group of its own, it is groups that compete.
        with suppress(FileNotFoundError, PermissionError):
            Path(f"/proc/{pid}/autogroup").write_text(str(PRIORITY))

    def moveHere(self) -> None:
        """
        Move this process to the core for the load.
        """
        if self.load is not None:
            os.sched_setaffinity(0, {self.load})


def _on(core: int | None, command: Sequence[str]) -> list[str]:
    return list(command) if core is None else ["taskset", "--cpu-list", str(core), *command]
