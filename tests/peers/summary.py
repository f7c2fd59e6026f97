"""
The last lines of C{make test}: which tests were skipped because somebody
else's program is missing, and what installs it.

Run as C{python -m tests.peers.summary}.
"""

import sys
from collections.abc import Iterator
from unittest import TestCase, TestSuite

from twisted.trial.runner import TestLoader

import tests


def _cases(suite: TestSuite) -> Iterator[TestCase]:
    for test in suite:
        if isinstance(test, TestSuite):
            yield from _cases(test)
        else:
            yield test


def skipped(suite: TestSuite) -> dict[str, int]:
    """
    How many of these tests are skipped for want of each peer.
    """
    found: dict[str, int] = {}
    for case in _cases(suite):
        for peer in getattr(case, "missingPeers", ()):
            found[peer] = found.get(peer, 0) + 1
    return found


def lines(missing: dict[str, int]) -> list[str]:
    """
    What people read.
    """
    if not missing:
        return ["Every peer is installed; no test was skipped for want of one."]
    width = max(map(len, missing))
    return [
        "Skipped, because programs of others are not installed:",
        *(f"    {peer:{width}}  {count} tests" for peer, count in sorted(missing.items())),
        '"make peers" (as root) installs them.',
    ]


if __name__ == "__main__":
    suite = TestLoader().loadPackage(tests, recurse=True)
    sys.stdout.write("\n".join(lines(skipped(suite))) + "\n")
