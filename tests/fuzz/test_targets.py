"""
Every target, briefly; C{make fuzz} takes its time.
"""

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from tests.fuzz.mutation import mutate
from tests.fuzz.targets import TARGETS

#: How many inputs each target gets here.
INPUTS = 300


class TargetTests(SynchronousTestCase):
    """
    What reads the network's bytes, and bytes that nobody should send.
    """

    def test_targets(self) -> None:
        """
        There are targets.
        """
        self.assertTrue(TARGETS)

    def test_seeds(self) -> None:
        """
        Every target is happy with the inputs that are good, whole or cut off.
        """
        for function, seeds in TARGETS.items():
            for seed in seeds:
                for end in range(len(seed), -1, -1):
                    function(seed[:end])

    def test_mutations(self) -> None:
        """
        Every target keeps its promises on inputs that are almost good.
        """
        for function, seeds in TARGETS.items():
            random = Random(function.__name__)
            for _ in range(INPUTS):
                function(mutate(seeds, random))
