"""
Throw garbage at every target: C{python -m tests.fuzz SECONDS [NAME ...]}.  As
many run at a time as there are cores.
"""

import os
import resource
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
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
        print(f"{function.__name__}: {error!r}\n    for {data!r}", flush=True)
        return False
    print(f"{function.__name__}: {count} inputs", flush=True)
    return True


def limit() -> None:
    """
    Allow this process no more than L{MAX_MEMORY}.
    """
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))


def main(seconds: str = "60", *names: str) -> int:
    """
    Run the targets that were named, or all.
    """
    chosen = [function for function in TARGETS if not names or function.__name__ in names]
    unknown = set(names) - {function.__name__ for function in TARGETS}
    if unknown:
        print(f"there are no such targets: {', '.join(sorted(unknown))}")
    with ProcessPoolExecutor(len(os.sched_getaffinity(0)), initializer=limit) as pool:
        results = list(pool.map(fuzz, chosen, repeat(float(seconds))))
    return bool(unknown) or not all(results)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
