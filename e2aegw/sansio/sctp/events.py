"""
What an association has to say.
"""

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class Established:
    """
    The association is up.

    @ivar outboundStreams: how many streams may be sent on.
    @ivar inboundStreams: how many streams may be received on.
    @ivar interleaved: whether messages are interleaved (RFC 8260).
    @ivar partial: whether the other side lets messages be abandoned (RFC
        3758); if not, all are delivered.
    @ivar resettable: whether the other side lets streams be reset (RFC 6525).
    """

    outboundStreams: int
    inboundStreams: int
    interleaved: bool
    partial: bool
    resettable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Restarted:
    """
    The other side began anew (RFC 9260 clause 5.2.4 action A): whatever was
    under way is lost, and all streams are as after L{Established}, which
    follows.
    """


class MessageReceived(NamedTuple):
    """
    A whole message.
    """

    streamID: int
    ppid: int
    data: bytes


class StreamReset(NamedTuple):
    """
    A stream begins anew.

    @ivar incoming: whether it is the direction towards us.
    """

    streamID: int
    incoming: bool


class ResetRefused(NamedTuple):
    """
    The other side does not let us reset a stream.
    """

    streamID: int


class StreamRefused(NamedTuple):
    """
    The other side has no such stream.  What waited in it is gone.
    """

    streamID: int


class BufferLow(NamedTuple):
    """
    What waits to be sent on a stream fell to the low-water mark.
    """

    streamID: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """
    The end of the association; the last event.

    @ivar reason: what to tell people: C{"shutdown"}, C{"aborted"}, C{"aborted
        by the other side: ..."}, C{"no answer"}, ...
    @ivar clean: whether all that was sent has arrived, both ways.
    """

    reason: str
    clean: bool


SCTPEvent: TypeAlias = (
    Established
    | Restarted
    | MessageReceived
    | StreamReset
    | ResetRefused
    | StreamRefused
    | BufferLow
    | Closed
)
