"""
What the log says of the events of calls.
"""

from collections.abc import Mapping
from dataclasses import fields

from twisted.logger import Logger, LogLevel

from e2aegw.sansio.events import (
    NOWHERE,
    AssociationLost,
    ChannelRefused,
    ConnectFailed,
    ConsentLost,
    Event,
    HandshakeFailed,
    LegLost,
    LineRefused,
    MediaTimeout,
    PathSettled,
)
from e2aegw.sansio.ng import readable

#: The longest reason that the log shows: it may have words of a description.
_MAX_REASON = 200
#: The events that it has, and in which words.  What it does not have happens in
#: every call, or is of interest to the application alone.
WORDS: Mapping[type[Event], str] = {
    HandshakeFailed: (
        "{side} line {line}: {protocol} failed: {reason}; expected {expected}; presented {presented}"
    ),
    LineRefused: "line {line} refused: {reason}",
    ConnectFailed: "{side} line {line}: no connection with {remote}: {reason}",
    ConsentLost: "{side} line {line}: {remote} does not answer any more",
    AssociationLost: "{side} line {line}: data channels are lost: {reason}",
    LegLost: "{side} line {line}: lost: {reason}",
    ChannelRefused: "{side} line {line}: a data channel for {protocol!r} is in no description",
    MediaTimeout: "silent for {seconds} s",
    PathSettled: "{side} line {line}: media comes from {remote}, not from {signalled}",
}
#: Those for which somebody may have to do something.
_GRAVE = (HandshakeFailed, ConnectFailed)


def enter(log: Logger, label: str, event: Event) -> None:
    """
    Say that something happened, if the log is to have that.

    @param label: the call's.
    """
    words = WORDS.get(type(event))
    if words is None or (isinstance(event, PathSettled) and event.signalled in (event.remote, NOWHERE)):
        return
    values = {field.name: getattr(event, field.name) for field in fields(event)}
    if isinstance(event, LineRefused):
        values["reason"] = readable(event.reason, _MAX_REASON)
    elif isinstance(event, HandshakeFailed):
        values["expected"] = event.expected or "nothing"
        values["presented"] = event.presented or "nothing"
    values["label"] = label
    level = LogLevel.warn if isinstance(event, _GRAVE) else LogLevel.info
    log.emit(level, "{label}: " + words, **values)
