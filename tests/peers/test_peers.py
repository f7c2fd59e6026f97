"""
What happens to a test whose peer is not installed.
"""

import os
from unittest import TestResult

from twisted.trial.unittest import SynchronousTestCase

from tests.peers.peers import CI, PAGE, Peer, needs

PRESENT = Peer(name="present", program="sh")
ABSENT = Peer(name="absent", program="no-such-program-anywhere")
BARRED = Peer(name="barred", program="sh", trial=("false",))
UNBUILT = Peer(name="unbuilt", file=PAGE / "no-such-file.js")


class NeedsTests(SynchronousTestCase):
    """
    The decorator.
    """

    def outcome(self, *peers: Peer) -> tuple[int, int, str]:
        """
        Run a test that needs these.

        @return: how often it was skipped and how often it failed, and why.
        """

        @needs(*peers)
        class Example(SynchronousTestCase):
            def test_it(self) -> None:
                """
                Passes.
                """

        result = TestResult()
        Example("test_it").run(result)
        why = "".join(text for _, text in [*result.skipped, *result.failures, *result.errors])
        return len(result.skipped), len(result.failures) + len(result.errors), why

    def test_allInstalled(self) -> None:
        """
        With all peers there the test runs.
        """
        self.assertEqual(self.outcome(PRESENT), (0, 0, ""))

    def test_missing(self) -> None:
        """
        Without one of them the test is skipped, and the reason names what is
        missing and what installs it.
        """
        self.say("")
        skipped, failed, why = self.outcome(PRESENT, ABSENT, UNBUILT)
        self.assertEqual((skipped, failed), (1, 0))
        self.assertIn("peer not installed: absent, unbuilt (make peers)", why)

    def test_missingInCI(self) -> None:
        """
        Where nothing may be missing, the test fails.
        """
        self.say("true")
        skipped, failed, why = self.outcome(PRESENT, ABSENT)
        self.assertEqual((skipped, failed), (0, 1))
        self.assertIn("peer not installed: absent", why)

    def test_notAllowed(self) -> None:
        """
        What a machine does not allow is skipped wherever it is, and named.
        """
        for value in ("", "true"):
            self.say(value)
            skipped, failed, why = self.outcome(PRESENT, BARRED)
            self.assertEqual((skipped, failed), (1, 0))
            self.assertIn("this machine does not allow barred", why)

    def say(self, value: str) -> None:
        """
        Say whether this is CI.
        """
        self.patch(os, "environ", {**os.environ, CI: value})
