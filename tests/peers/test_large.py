"""
A file that takes minutes.
"""

from typing import ClassVar

from tests.gateway import test_session_large


class GigabyteTests(test_session_large.LargeFileTests):
    """
    1 GB to a reader of 1 MB a second, which are 17 minutes of the test's own
    clock.
    """

    size: ClassVar[int] = 1_000_000_000
    timeout = 900
