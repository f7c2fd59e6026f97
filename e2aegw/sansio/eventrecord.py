"""
What happened, as a record of plain values: for ng's C{query} and for lines of
JSON.
"""

from dataclasses import fields
from typing import TypeAlias

from e2aegw.sansio.events import (
    ChannelRefused,
    ConsentLost,
    Event,
    MediaTimeout,
    OldKeysForgotten,
    PathChanged,
)
from e2aegw.sansio.ng import readable

Record: TypeAlias = dict[str, str | int | float]

#: Longest text in a record, in characters: some are the remote party's.
MAX_TEXT = 200

#: What only a datapath has to know.
_INNER = (PathChanged, OldKeysForgotten)
#: The reasons of events that have one each.
_REASONS: dict[type[Event], str] = {
    ChannelRefused: "no line goes with it",
    ConsentLost: "no consent",
    MediaTimeout: "no media on any line",
}


def worthTelling(event: Event) -> bool:
    """
    Whether a controller may want to know.
    """
    return not isinstance(event, _INNER)


def record(event: Event) -> Record:
    """
    An event's name, side, line (from 0), reason, and what else it has.
    """
    result: Record = {
        "event": type(event).__name__,
        "side": event.side,
        "line": event.line,
        "reason": _REASONS.get(type(event), ""),
    }
    for field in fields(event):
        value = getattr(event, field.name)
        result[field.name] = readable(value, MAX_TEXT) if isinstance(value, str) else value
    return result
