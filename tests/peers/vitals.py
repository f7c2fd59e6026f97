"""
What the system knows of a process.
"""

import re
from pathlib import Path


class Vitals:
    """
    A process's file descriptors, memory and wake-ups.
    """

    def __init__(self, pid: int) -> None:
        self._folder = Path(f"/proc/{pid}")

    def _status(self, name: str) -> int:
        found = re.search(rf"^{name}:\s+(\d+)", (self._folder / "status").read_text(), re.MULTILINE)
        assert found is not None
        return int(found[1])

    @property
    def descriptors(self) -> int:
        """
        How many files and sockets it has open.
        """
        return len(list((self._folder / "fd").iterdir()))

    @property
    def memory(self) -> int:
        """
        How much of it is in memory, in KiB.
        """
        return self._status("VmRSS")

    @property
    def wakeUps(self) -> int:
        """
        How often its threads have waited for something and gone on.
        """
        files = (self._folder / "task").glob("*/status")
        texts = [file.read_text() for file in files]
        return sum(
            int(line.split()[1]) for t in texts for line in t.splitlines() if line.startswith("voluntary")
        )
