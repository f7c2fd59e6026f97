"""
Run every test: C{python -m tests}.

The tests with real peers share well-known ports of the loopback interface and
run one by one; all others run in parallel.  With C{CI=true} a test that was
skipped has failed, unless it was because this machine does not allow what it does.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.peers.peers import NOT_ALLOWED

HERE = Path(__file__).parent
PEERS = "tests.peers"


def names() -> list[str]:
    """
    The test modules and packages in this folder, the real peers' left out.
    """
    modules = [path.stem for path in HERE.glob("test_*.py")]
    packages = [path.parent.name for path in HERE.glob("*/__init__.py")]
    return sorted({f"tests.{name}" for name in modules + packages} - {PEERS})


def trial(*arguments: str) -> tuple[dict[str, int], list[str]]:
    """
    Run trial and show what it says.

    @return: the counts of its summary, and why tests were skipped.
    """
    command = [sys.executable, "-m", "twisted.trial", "--reporter=text", *arguments]
    said = b""
    with subprocess.Popen(command, cwd=HERE.parent, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        while chunk := process.stdout.read1():  # type: ignore[attr-defined]
            sys.stdout.buffer.write(chunk)
            sys.stdout.buffer.flush()
            said += chunk
    text = said.decode(errors="replace")
    summary = text.rstrip().rpartition("\n")[2]
    counts = {name: int(count) for name, count in re.findall(r"(\w+)=(\d+)", summary)}
    if process.returncode and not counts.keys() & {"failures", "errors", "unexpectedSuccesses"}:
        counts["errors"] = 1
    return counts, re.findall(r"^\[SKIPPED\]\n(.*)\n", text, re.MULTILINE)


def main() -> int:
    """
    Run everything, and say how many tests passed and failed.
    """
    jobs = len(os.sched_getaffinity(0))
    runs = [trial(f"-j{jobs}", *names()), trial(PEERS)]
    total = {name: sum(counts.get(name, 0) for counts, _ in runs) for counts, _ in runs for name in counts}
    passed = total.get("successes", 0) + total.get("expectedFailures", 0)
    failed = sum(total.get(name, 0) for name in ("failures", "errors", "unexpectedSuccesses"))
    skipped = total.get("skips", 0)
    reasons = sorted({reason for _, why in runs for reason in why})
    if skipped:
        print(f'\n{skipped} tests were skipped; "make peers", as root, installs what they need:')
        print(*reasons, sep="\n")
    if os.environ.get("CI") == "true" and not all(reason.startswith(NOT_ALLOWED) for reason in reasons):
        failed, skipped = failed + skipped, 0
    print(f"\n{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return bool(failed) or not passed


if __name__ == "__main__":
    sys.exit(main())
