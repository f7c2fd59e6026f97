"""
What a process uses, as the kernel counts it.
"""

from pathlib import Path

_PROC = Path("/proc")


def cpuSeconds(pid: int) -> float:
    """
    How long the threads of a process were on a core, the kernel's work for
    them included.  C{schedstat} counts in nanoseconds, where C{stat} has
    hundredths of a second.
    """
    return _schedule(pid, 0)


def waitingSeconds(pid: int) -> float:
    """
    How long they wanted one and had none.
    """
    return _schedule(pid, 1)


def _schedule(pid: int, column: int) -> float:
    tasks = (_PROC / str(pid) / "task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[column]) for task in tasks) / 1e9


def residentKilobytes(pid: int) -> int:
    """
    How much of a process is in memory.
    """
    for line in (_PROC / str(pid) / "status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise ValueError(f"process {pid} has no memory")
