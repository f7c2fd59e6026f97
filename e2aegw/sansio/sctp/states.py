"""
The states of an association and the law that moves it between them.

The states are those of RFC 9260 clause 4.  What comes in is either a chunk,
already told apart where the RFC tells it apart (a COOKIE ECHO by the table of
clause 5.2.4), or a wish of the application, or the end of a wait.  A pair that
is not in the table changes nothing: the chunk is discarded.
"""

import enum
from typing import Final

from e2aegw.errors import RemoteError
from e2aegw.sansio.sctp.chunks import PROTOCOL_VIOLATION, Cause


class Violation(RemoteError):
    """
    What arrived ends the association.

    @ivar cause: what the ABORT says; by default that it violates the protocol
        (RFC 9260 clause 3.3.10.13).
    """

    def __init__(self, reason: str, detail: str = "", cause: Cause | None = None) -> None:
        super().__init__(reason, detail)
        self.cause = cause or Cause(PROTOCOL_VIOLATION, str(self).encode())


class State(enum.Enum):
    """
    RFC 9260 clause 4.
    """

    CLOSED = enum.auto()
    COOKIE_WAIT = enum.auto()
    COOKIE_ECHOED = enum.auto()
    ESTABLISHED = enum.auto()
    SHUTDOWN_PENDING = enum.auto()
    SHUTDOWN_SENT = enum.auto()
    SHUTDOWN_RECEIVED = enum.auto()
    SHUTDOWN_ACK_SENT = enum.auto()


class Input(enum.Enum):
    """
    What moves an association.
    """

    #: The application wants it.
    ASSOCIATE = enum.auto()
    #: The application wants it to end in order.
    SHUT = enum.auto()
    #: Everything that was queued has been acknowledged.
    DRAINED = enum.auto()
    #: The application aborts, the other side does not answer, or it violates
    #: the protocol.
    GIVE_UP = enum.auto()

    INIT = enum.auto()
    INIT_ACK = enum.auto()
    #: A COOKIE ECHO whose tags are new, and which knows no older tags.
    COOKIE_NEW = enum.auto()
    #: A COOKIE ECHO that calls for action A, B, C or D of RFC 9260 clause
    #: 5.2.4.
    COOKIE_RESTART = enum.auto()
    COOKIE_COLLISION = enum.auto()
    COOKIE_LATE = enum.auto()
    COOKIE_DUPLICATE = enum.auto()
    COOKIE_ACK = enum.auto()
    #: An ERROR chunk: our cookie came too late.
    STALE_COOKIE = enum.auto()
    SHUTDOWN = enum.auto()
    SHUTDOWN_ACK = enum.auto()
    SHUTDOWN_COMPLETE = enum.auto()
    ABORT = enum.auto()


_S = State
_I = Input

#: What is done, by the name of the method of L{Association
#: <e2aegw.sansio.sctp.association.Association>}, and the state after it.
TRANSITIONS: Final[dict[tuple[State, Input], tuple[str, State]]] = {
    # RFC 9260 clause 5.1, and figure 3.
    (_S.CLOSED, _I.ASSOCIATE): ("_sendInit", _S.COOKIE_WAIT),
    (_S.CLOSED, _I.INIT): ("_answerInit", _S.CLOSED),
    (_S.CLOSED, _I.COOKIE_NEW): ("_accept", _S.ESTABLISHED),
    (_S.COOKIE_WAIT, _I.INIT_ACK): ("_sendCookie", _S.COOKIE_ECHOED),
    (_S.COOKIE_ECHOED, _I.COOKIE_ACK): ("_establish", _S.ESTABLISHED),
    # Clause 5.2.6, alternative 1.
    (_S.COOKIE_ECHOED, _I.STALE_COOKIE): ("_sendInit", _S.COOKIE_WAIT),
    # Clause 5.2.1: both sides began.
    (_S.COOKIE_WAIT, _I.INIT): ("_answerInit", _S.COOKIE_WAIT),
    (_S.COOKIE_ECHOED, _I.INIT): ("_answerInit", _S.COOKIE_ECHOED),
    (_S.COOKIE_WAIT, _I.COOKIE_COLLISION): ("_accept", _S.ESTABLISHED),
    (_S.COOKIE_ECHOED, _I.COOKIE_COLLISION): ("_accept", _S.ESTABLISHED),
    (_S.COOKIE_ECHOED, _I.COOKIE_DUPLICATE): ("_establishAgreed", _S.ESTABLISHED),
    # Clause 5.2.2: the other side may have begun anew.
    (_S.ESTABLISHED, _I.INIT): ("_answerInitAnew", _S.ESTABLISHED),
    (_S.SHUTDOWN_PENDING, _I.INIT): ("_answerInitAnew", _S.SHUTDOWN_PENDING),
    (_S.SHUTDOWN_SENT, _I.INIT): ("_answerInitAnew", _S.SHUTDOWN_SENT),
    (_S.SHUTDOWN_RECEIVED, _I.INIT): ("_answerInitAnew", _S.SHUTDOWN_RECEIVED),
    (_S.SHUTDOWN_ACK_SENT, _I.INIT): ("_sendShutdownAck", _S.SHUTDOWN_ACK_SENT),
    # Clause 5.2.4 action A: it has.
    (_S.ESTABLISHED, _I.COOKIE_RESTART): ("_restart", _S.ESTABLISHED),
    (_S.SHUTDOWN_PENDING, _I.COOKIE_RESTART): ("_restart", _S.ESTABLISHED),
    (_S.SHUTDOWN_SENT, _I.COOKIE_RESTART): ("_restart", _S.ESTABLISHED),
    (_S.SHUTDOWN_RECEIVED, _I.COOKIE_RESTART): ("_restart", _S.ESTABLISHED),
    (_S.SHUTDOWN_ACK_SENT, _I.COOKIE_RESTART): ("_refuseRestart", _S.SHUTDOWN_ACK_SENT),
    # Action B: it chose another tag after it had answered our INIT.
    (_S.ESTABLISHED, _I.COOKIE_COLLISION): ("_learnTag", _S.ESTABLISHED),
    # Action D: our COOKIE ACK got lost.  Action C is to do nothing.
    (_S.ESTABLISHED, _I.COOKIE_DUPLICATE): ("_sendCookieAck", _S.ESTABLISHED),
    (_S.SHUTDOWN_PENDING, _I.COOKIE_DUPLICATE): ("_sendCookieAck", _S.SHUTDOWN_PENDING),
    (_S.SHUTDOWN_SENT, _I.COOKIE_DUPLICATE): ("_sendCookieAck", _S.SHUTDOWN_SENT),
    (_S.SHUTDOWN_RECEIVED, _I.COOKIE_DUPLICATE): ("_sendCookieAck", _S.SHUTDOWN_RECEIVED),
    # Clause 9.2, and figure 3.
    (_S.ESTABLISHED, _I.SHUT): ("_drain", _S.SHUTDOWN_PENDING),
    (_S.SHUTDOWN_PENDING, _I.DRAINED): ("_sendShutdown", _S.SHUTDOWN_SENT),
    (_S.ESTABLISHED, _I.SHUTDOWN): ("_drain", _S.SHUTDOWN_RECEIVED),
    (_S.SHUTDOWN_PENDING, _I.SHUTDOWN): ("_drain", _S.SHUTDOWN_RECEIVED),
    (_S.SHUTDOWN_RECEIVED, _I.SHUTDOWN): ("_drain", _S.SHUTDOWN_RECEIVED),
    (_S.SHUTDOWN_RECEIVED, _I.DRAINED): ("_sendShutdownAck", _S.SHUTDOWN_ACK_SENT),
    (_S.SHUTDOWN_SENT, _I.SHUTDOWN): ("_sendShutdownAck", _S.SHUTDOWN_ACK_SENT),
    (_S.SHUTDOWN_ACK_SENT, _I.SHUTDOWN): ("_sendShutdownAck", _S.SHUTDOWN_ACK_SENT),
    (_S.SHUTDOWN_SENT, _I.SHUTDOWN_ACK): ("_complete", _S.CLOSED),
    (_S.SHUTDOWN_ACK_SENT, _I.SHUTDOWN_ACK): ("_complete", _S.CLOSED),
    (_S.SHUTDOWN_ACK_SENT, _I.SHUTDOWN_COMPLETE): ("_finish", _S.CLOSED),
    # Clause 8.5.1 E: as if there were no association.
    (_S.COOKIE_WAIT, _I.SHUTDOWN_ACK): ("_completeReflected", _S.COOKIE_WAIT),
    (_S.COOKIE_ECHOED, _I.SHUTDOWN_ACK): ("_completeReflected", _S.COOKIE_ECHOED),
    # Nothing has been promised to anybody yet.
    (_S.COOKIE_WAIT, _I.SHUT): ("_finish", _S.CLOSED),
    (_S.COOKIE_ECHOED, _I.SHUT): ("_giveUp", _S.CLOSED),
    # Clause 9.1, and the ends of all patience.
    **{(state, _I.ABORT): ("_aborted", _S.CLOSED) for state in State if state is not _S.CLOSED},
    **{(state, _I.GIVE_UP): ("_giveUp", _S.CLOSED) for state in State if state is not _S.CLOSED},
}
