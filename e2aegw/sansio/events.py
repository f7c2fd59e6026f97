"""
What happens on a leg and is worth telling: to the log, to the controller, to
an embedding application.

Values are plain, because an event outlives the call and may become JSON.
"""

from dataclasses import dataclass
from typing import Self

#: The text of an address that is not known.
NOWHERE = "nowhere"

#: Why media stopped: nothing came for a while, or the line is over.
SILENCE = "silence"
ENDED = "the line ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """
    The base of all events.

    @ivar side: C{"access"} or C{"core"}; filled in by the pipeline.
    @ivar line: the index of the media section, from 0; filled in by the
        pipeline.
    """

    side: str = ""
    line: int = -1

    def placed(self, side: str, line: int) -> Self:
        """
        The same event, of a section of a party.  C{dataclasses.replace} does
        so, too, and takes five times as long: every call has a few of these.
        """
        event = object.__new__(type(self))
        put = object.__setattr__
        for name in self.__dataclass_fields__:
            put(event, name, getattr(self, name))
        put(event, "side", side)
        put(event, "line", line)
        return event


@dataclass(frozen=True, slots=True, kw_only=True)
class PairNominated(Event):
    """
    The ICE agent of the remote party chose where media goes (RFC 8445 clause
    8.1.1).
    """

    remote: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PathSettled(Event):
    """
    The remote party was heard, and is believed to be, at this address.  If it
    is not the signalled one, media has latched onto it.
    """

    signalled: str
    remote: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Secured(Event):
    """
    A handshake ended well, or keys from the description are in use.

    @ivar profile: the name of the SRTP profile or the cipher.
    """

    protocol: str
    profile: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OldKeysForgotten(Event):
    """
    New keys are in use for so long that nothing arrives under the old ones any
    more.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class HandshakeFailed(Event):
    """
    A handshake failed for good; no media will pass on this leg.

    @ivar reason: C{"fingerprint mismatch"}, C{"no certificate"}, C{"no common
        profile"}, C{"timeout"} or what the library said.
    @ivar expected: the fingerprints from the description.
    @ivar presented: the fingerprint of the certificate that was shown.
    """

    protocol: str
    reason: str
    expected: str = ""
    presented: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectFailed(Event):
    """
    TCP did not come up, from either end.
    """

    remote: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AssociationLost(Event):
    """
    The SCTP association under data channels ended, and so did they.
    """

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LegLost(Event):
    """
    A leg's connection or data channel has ended, though the call has not; the
    other leg's ends, too.
    """

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelOpened(Event):
    """
    A data channel is open, by whomever.

    @ivar stream: its stream identifier.
    @ivar label: what the remote party calls it.
    @ivar protocol: the subprotocol.
    """

    stream: int
    label: str
    protocol: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelRefused(Event):
    """
    The remote party opened a data channel in band (RFC 8832), and nothing in
    the description goes with it: it is closed.

    @ivar stream: its stream identifier.
    @ivar label: what the remote party calls it.
    @ivar protocol: the subprotocol that it names.
    """

    stream: int
    label: str
    protocol: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentLost(Event):
    """
    The remote party stopped answering (RFC 7675 clause 5.1).
    """

    remote: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LineRefused(Event):
    """
    A media section was not agreed to and has port zero.
    """

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaStarted(Event):
    """
    The first unit arrived from this side, or the first one after
    L{MediaStopped}.
    """


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaStopped(Event):
    """
    Nothing arrives from this side any more.

    @ivar reason: L{SILENCE} or L{ENDED}.
    @ivar packets: how many arrived so far, as the adapter counts them.
    """

    reason: str
    packets: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaTimeout(Event):
    """
    Nothing arrived on any line of the session for as long as is allowed; the
    session is closed.
    """

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PathChanged(Event):
    """
    Where packets go, or with which keys, is about to change: a datapath must
    let go.
    """

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolViolated(Event):
    """
    The remote party sent what is not the medium's protocol on a connection
    that has no next packet to begin anew with; the connection is closed.
    """

    protocol: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PartySilent(Event):
    """
    The remote party left a request without response for as long as is allowed,
    over a transport that would not know if it was gone (RFC 8855 clause 8.3.1).
    """

    protocol: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionIdle(Event):
    """
    Nothing went either way on this leg's connection for as long as is usual.
    """

    seconds: float
