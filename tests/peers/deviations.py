"""
Where the gateway means to answer otherwise than rtpengine 10.5 does, and why.
"""

from collections.abc import Callable
from dataclasses import dataclass

from tests.peers.exchange import Exchange
from tests.peers.meaning import Difference


def _never(*arguments: object) -> bool:
    return False


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Deviation:
    """
    @ivar reason: what is different, and why.
    @ivar covers: whether it explains a difference in a reply's description.
    @ivar coversOutcome: whether it explains that one of two exchanges failed
        and the other did not, or that they failed differently.
    """

    reason: str
    covers: Callable[[Exchange, Difference], bool] = _never
    coversOutcome: Callable[[Exchange, Exchange], bool] = _never


def _names(difference: Difference) -> tuple[set[str], set[str]]:
    # The attributes that only one of them lets cross: ours, theirs.
    assert isinstance(difference.ours, frozenset)
    assert isinstance(difference.theirs, frozenset)
    ours, theirs = difference.ours - difference.theirs, difference.theirs - difference.ours
    return {line.partition(":")[0] for line in ours}, {line.partition(":")[0] for line in theirs}


DEVIATIONS: tuple[Deviation, ...] = ()
