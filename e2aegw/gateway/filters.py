"""
What stands between two adapters of one medium.
"""

from collections.abc import Sequence
from typing import Any

from e2aegw.sansio.sdp import Side


class Seat:
    """
    Stands where an adapter would as somebody's peer, and lets a filter see the
    units that go there.

    All else that one adapter asks another (to pause, for example) goes to the
    adapter itself.
    """

    def __init__(self, target: Any, each: Any, side: Side) -> None:
        """
        @param target: an adapter, or another seat in front of it.
        @param each: provides L{e2aegw.interfaces.IFilter}.
        @param side: where the units come from.
        """
        self._target = target
        self._filter = each
        self._side = side

    def sendUnit(self, unit: Any) -> None:
        """
        See L{e2aegw.interfaces.IAdapter}.
        """
        self._filter.unitReceived(unit, self._side, self._target.sendUnit)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._target, name)


def seated(target: Any, filters: Sequence[Any], side: Side) -> Any:
    """
    An adapter with filters in front of it.

    @param filters: the first is the one that a unit from the access side meets
        first.
    @param side: where the units for the adapter come from.
    """
    for each in reversed(filters) if side is Side.ACCESS else filters:
        target = Seat(target, each, side)
    return target
