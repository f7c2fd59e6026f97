"""
DTLS that carries a medium itself, with its packets in records: UDPTL (RFC
7345).
"""

from typing import Any

from twisted.python.failure import Failure

from e2aegw.interfaces import Address
from e2aegw.sansio.events import LegLost
from e2aegw.sansio.flow import Path
from e2aegw.transport.component import Component
from e2aegw.transport.dtls import DTLSTransport, Secure

#: Seconds for which an association that was replaced is heard: what is on its
#: way arrives within them, and the last words of a slow party, too.
DRAIN = 3.0
_APPLICATION_DATA = 23


class DTLSDataTransport(DTLSTransport):
    """
    Datagrams in the records of an association.  When a description asks for a
    new one, what comes in the old one is taken for a while (RFC 7345 clause
    4.5), and what is sent goes into the new one from the moment that its
    certificate is known to be the right one.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """
        The parameters are those of L{DTLSTransport}.

        @raise ResourceError: there are no ports.
        """
        # What was replaced, and until when it is heard.
        self._old: tuple[Secure, float] | None = None
        self._taken = False
        super().__init__(*arguments, **named)

    def path(self) -> Path | None:
        """
        See L{IDatagramTransport}.  What is inside records, nobody else moves.
        """
        return None

    def _verify(self, number: int, secure: Secure) -> None:
        before = self._verified.get(number)
        super()._verify(number, secure)
        if before is not None and self._verified.get(number) is secure is not before:
            self._endOld()
            self._old = before, self._clock.seconds() + DRAIN

    def _dtlsReceived(self, data: bytes, component: Component, source: Address) -> None:
        if data[0] == _APPLICATION_DATA and (self._old is not None or self._attempts.get(component.number)):
            # Nothing outside of a record says whose it is.
            current, old = self._verified.get(component.number), self._old
            for secure in (current, None if old is None else old[0]):
                if secure is not None and self._takes(secure, data, component, source):
                    return
        super()._dtlsReceived(data, component, source)

    def _takes(self, secure: Secure, data: bytes, component: Component, source: Address) -> bool:
        """
        Whether a datagram belongs to an association, which then has it.  What
        does not pass its keys leaves no trace there (RFC 6347 clause 4.1.2.7).
        """
        valid = component.isValid
        if not (secure.source == source if valid is None else valid(component.number, source)):
            return False
        if secure.association.failed:
            return False
        self._taken = False
        try:
            secure.association.receive(data, self._clock.seconds())
        finally:
            self._advance(component.number, secure)
        return self._taken

    def _recordReceived(self, number: int, secure: Secure, data: bytes) -> None:
        self._taken = True
        super()._recordReceived(number, secure, data)

    def _lost(self, reason: Failure) -> None:
        super()._lost(reason)
        self.notify(LegLost(reason=reason.getErrorMessage()))

    def _end(self, number: int) -> None:
        super()._end(number)
        self._endOld()

    def _endOld(self) -> None:
        """
        What was replaced is heard no more.
        """
        if self._old is not None:
            (secure, _), self._old = self._old, None
            secure.association.close()
            self._flush(1, secure)

    def _nextTimeout(self) -> float | None:
        at, old = super()._nextTimeout(), self._old
        if old is None:
            return at
        return old[1] if at is None else min(at, old[1])

    def _due(self, now: float) -> None:
        if self._old is not None and self._old[1] <= now:
            self._endOld()
        super()._due(now)
