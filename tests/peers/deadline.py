"""
Waiting for something to become true, and not a moment longer.
"""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

#: How long things may take that take a second on an idle machine.
PATIENCE = 20.0
#: Pause between two looks.
PERIOD = 0.03


def until(
    condition: Callable[[], T | None],
    what: str,
    seconds: float = PATIENCE,
    explain: Callable[[], object] = lambda: "nothing more is known",
) -> T:
    """
    Ask again and again until the answer is true.

    @param what: what is waited for, for the failure's text.
    @param explain: what else to say in it.

    @return: the answer.

    @raise AssertionError: it did not become true in time.
    """
    end = time.monotonic() + seconds
    while not (answer := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds:g} s: {what}; last answer {answer!r}; {explain()}")
        time.sleep(PERIOD)
    return answer
