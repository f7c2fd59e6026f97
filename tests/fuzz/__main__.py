"""
Throw garbage at every target: C{python -m tests.fuzz SECONDS [NAME ...]}.
"""

import resource
import sys
import time
from random import Random

from tests.fuzz.mutation import mutate
from tests.fuzz.targets import TARGETS, Target

#: No input is worth more time than this, in seconds ...
MAX_TIME = 1.0

#: ... or more memory than this, in bytes, for all that is loaded.
MAX_MEMORY = 1 << 30


def fuzz(function: Target, seconds: float) -> bool:
    """
    Run one target, and print the input that it fails on.

    @return: whether it kept its promises.
    """
    random, count, end = Random(), 0, time.monotonic() + seconds
    data = b""
    try:
        while (began := time.monotonic()) < end:
            data = mutate(TARGETS[function], random)
            function(data)
            count += 1
            if time.monotonic() - began > MAX_TIME:
                raise TimeoutError(f"longer than {MAX_TIME} s")
    except Exception as error:
        print(f"{function.__name__}: {error!r}\n    for {data!r}")
        return False
    print(f"{function.__name__}: {count} inputs")
    return True


def main(seconds: str = "60", *names: str) -> int:
    """
    Run the targets that were named, or all.
    """
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    chosen = [function for function in TARGETS if not names or function.__name__ in names]
    if not chosen:
        print("there are no such targets")
    results = [fuzz(function, float(seconds)) for function in chosen]
    return not results or not all(results)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
