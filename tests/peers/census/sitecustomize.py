"""
Python imports this by itself where this folder is in C{PYTHONPATH}.  On
C{SIGUSR2} the process then counts its objects, into the file that C{CENSUS}
names.
"""

import gc
import json
import os
import signal
from collections import Counter
from pathlib import Path

#: Whose objects are counted: the gateway's, and those that hold what a call
#: must give back.
OWNERS = ("e2aegw.", "OpenSSL.", "pylibsrtp", "socket.", "twisted.internet.", "_cffi_backend")


def count(*arguments: object) -> None:
    """
    Count.
    """
    gc.collect()
    names = (f"{type(each).__module__}.{type(each).__qualname__}" for each in gc.get_objects())
    counts = Counter(name for name in names if name.startswith(OWNERS))
    file = Path(os.environ["CENSUS"])
    part = file.with_suffix(".part")
    part.write_text(json.dumps(counts))
    # Whoever waits for the file finds all of it.
    part.rename(file)


signal.signal(signal.SIGUSR2, count)
