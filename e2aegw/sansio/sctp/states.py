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


S = State
I = Input

#: What is done, by the name of the method of L{Association
#: <e2aegw.sansio.sctp.association.Association>}, and the state after it.
TRANSITIONS: Final[dict[tuple[State, Input], tuple[str, State]]] = {
    # RFC 9260 clause 5.1, and figure 3.
    (S.CLOSED, I.ASSOCIATE): ("_sendInit", S.COOKIE_WAIT),
    (S.CLOSED, I.INIT): ("_answerInit", S.CLOSED),
    (S.CLOSED, I.COOKIE_NEW): ("_accept", S.ESTABLISHED),
    (S.COOKIE_WAIT, I.INIT_ACK): ("_sendCookie", S.COOKIE_ECHOED),
    (S.COOKIE_ECHOED, I.COOKIE_ACK): ("_establish", S.ESTABLISHED),
    # Clause 5.2.6, alternative 1.
    (S.COOKIE_ECHOED, I.STALE_COOKIE): ("_sendInit", S.COOKIE_WAIT),
    # Clause 5.2.1: both sides began.
    (S.COOKIE_WAIT, I.INIT): ("_answerInit", S.COOKIE_WAIT),
    (S.COOKIE_ECHOED, I.INIT): ("_answerInit", S.COOKIE_ECHOED),
    (S.COOKIE_WAIT, I.COOKIE_COLLISION): ("_accept", S.ESTABLISHED),
    (S.COOKIE_ECHOED, I.COOKIE_COLLISION): ("_accept", S.ESTABLISHED),
    (S.COOKIE_ECHOED, I.COOKIE_DUPLICATE): ("_establishAgreed", S.ESTABLISHED),
    # Clause 5.2.2: the other side may have begun anew.
    (S.ESTABLISHED, I.INIT): ("_answerInitAnew", S.ESTABLISHED),
    (S.SHUTDOWN_PENDING, I.INIT): ("_answerInitAnew", S.SHUTDOWN_PENDING),
    (S.SHUTDOWN_SENT, I.INIT): ("_answerInitAnew", S.SHUTDOWN_SENT),
    (S.SHUTDOWN_RECEIVED, I.INIT): ("_answerInitAnew", S.SHUTDOWN_RECEIVED),
    (S.SHUTDOWN_ACK_SENT, I.INIT): ("_sendShutdownAck", S.SHUTDOWN_ACK_SENT),
    # Clause 5.2.4 action A: it has.
    (S.ESTABLISHED, I.COOKIE_RESTART): ("_restart", S.ESTABLISHED),
    (S.SHUTDOWN_PENDING, I.COOKIE_RESTART): ("_restart", S.ESTABLISHED),
    (S.SHUTDOWN_SENT, I.COOKIE_RESTART): ("_restart", S.ESTABLISHED),
    (S.SHUTDOWN_RECEIVED, I.COOKIE_RESTART): ("_restart", S.ESTABLISHED),
    (S.SHUTDOWN_ACK_SENT, I.COOKIE_RESTART): ("_refuseRestart", S.SHUTDOWN_ACK_SENT),
    # Action B: it chose another tag after it had answered our INIT.
    (S.ESTABLISHED, I.COOKIE_COLLISION): ("_learnTag", S.ESTABLISHED),
    # Action D: our COOKIE ACK got lost.  Action C is to do nothing.
    (S.ESTABLISHED, I.COOKIE_DUPLICATE): ("_sendCookieAck", S.ESTABLISHED),
    (S.SHUTDOWN_PENDING, I.COOKIE_DUPLICATE): ("_sendCookieAck", S.SHUTDOWN_PENDING),
    (S.SHUTDOWN_SENT, I.COOKIE_DUPLICATE): ("_sendCookieAck", S.SHUTDOWN_SENT),
    (S.SHUTDOWN_RECEIVED, I.COOKIE_DUPLICATE): ("_sendCookieAck", S.SHUTDOWN_RECEIVED),
    # Clause 9.2, and figure 3.
    (S.ESTABLISHED, I.SHUT): ("_drain", S.SHUTDOWN_PENDING),
    (S.SHUTDOWN_PENDING, I.DRAINED): ("_sendShutdown", S.SHUTDOWN_SENT),
    (S.ESTABLISHED, I.SHUTDOWN): ("_drain", S.SHUTDOWN_RECEIVED),
    (S.SHUTDOWN_PENDING, I.SHUTDOWN): ("_drain", S.SHUTDOWN_RECEIVED),
    (S.SHUTDOWN_RECEIVED, I.SHUTDOWN): ("_drain", S.SHUTDOWN_RECEIVED),
    (S.SHUTDOWN_RECEIVED, I.DRAINED): ("_sendShutdownAck", S.SHUTDOWN_ACK_SENT),
    (S.SHUTDOWN_SENT, I.SHUTDOWN): ("_sendShutdownAck", S.SHUTDOWN_ACK_SENT),
    (S.SHUTDOWN_ACK_SENT, I.SHUTDOWN): ("_sendShutdownAck", S.SHUTDOWN_ACK_SENT),
    (S.SHUTDOWN_SENT, I.SHUTDOWN_ACK): ("_complete", S.CLOSED),
    (S.SHUTDOWN_ACK_SENT, I.SHUTDOWN_ACK): ("_complete", S.CLOSED),
    (S.SHUTDOWN_ACK_SENT, I.SHUTDOWN_COMPLETE): ("_finish", S.CLOSED),
    # Clause 8.5.1 E: as if there were no association.
    (S.COOKIE_WAIT, I.SHUTDOWN_ACK): ("_completeReflected", S.COOKIE_WAIT),
    (S.COOKIE_ECHOED, I.SHUTDOWN_ACK): ("_completeReflected", S.COOKIE_ECHOED),
    # Nothing has been promised to anybody yet.
    (S.COOKIE_WAIT, I.SHUT): ("_finish", S.CLOSED),
    (S.COOKIE_ECHOED, I.SHUT): ("_giveUp", S.CLOSED),
    # Clause 9.1, and the ends of all patience.
    **{(state, I.ABORT): ("_aborted", S.CLOSED) for state in State if state is not S.CLOSED},
    **{(state, I.GIVE_UP): ("_giveUp", S.CLOSED) for state in State if state is not S.CLOSED},
}
