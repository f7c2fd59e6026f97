"""
DTLS over UDP for keys alone: DTLS-SRTP (RFC 5763, RFC 5764).
"""

from typing import Any

from twisted.python.failure import Failure
from zope.interface import implementer

from e2aegw.errors import RemoteError
from e2aegw.interfaces import Address, Apply, IKeyExporter
from e2aegw.sansio.sdp import Section
from e2aegw.sansio.srtp import Context
from e2aegw.sansio.terms import Kind, Terms
from e2aegw.transport.component import Component
from e2aegw.transport.dtls import MAX_HELD_LENGTH, DTLSTransport, Secure
from e2aegw.transport.udp import UDPTransport


@implementer(IKeyExporter)
class DTLSKeyTransport(DTLSTransport):
    """
    UDP with keys agreed on by DTLS.  The medium's packets travel beside it.

    @ivar inside: who is told of what travels in the association itself: data
        channels that share it (RFC 8841 clause 3).  It has C{dataReceived} and
        C{connectionLost}.
    @ivar keyless: whether nobody needs keys as yet.
    """

    protocolName = "DTLS-SRTP"
    inside: Any = None
    keyless = False
    # Whether nothing will ever share the association.
    _alone = False

    def configure(self, section: Section, terms: Terms) -> Apply:
        """
        See L{ILegPart}.

        @raise NegotiationError: see L{DTLSTransport.configure}.
        """
        configureDTLS = super().configure(section, terms)
        # Who does not name its sections bundles none (RFC 9143 clause 7.2), and
        # so has no data channels in an association for SRTP.
        alone = section.get("mid") is None

        def apply() -> None:
            if terms.kind is Kind.OFFER:
                self._alone = alone
            configureDTLS()

        return apply

    def write(self, data: bytes) -> None:
        """
        See L{IMediaTransport}.
        """
        UDPTransport.write(self, data)

    def contexts(self, control: bool) -> tuple[Context, Context] | None:
        """
        See L{IKeyExporter}.
        """
        secure = self._verified.get(2 if control and not self.muxed else 1)
        return secure.contexts if secure is not None else None

    def _acceptsMux(self, terms: Terms) -> bool:
        # A browser that requires it (RFC 8858) could do nothing with a
        # refusal, and nobody else minds.
        return "reject" not in terms.rtcpMux

    def _agree(self, secure: Secure) -> str:
        try:
            secure.contexts = secure.association.contexts()
        except RemoteError:
            if not self.keyless:
                raise
            return secure.association.cipher()
        return secure.contexts[0].profile.value

    def _open(self, component: Component) -> None:
        component.hold = None
        if self._endpoint.dataless or self._alone:
            self._verified[component.number].association.retire()

    def _release(self, component: Component, data: bytes, source: Address) -> None:
        component.datagramReceived(data, source)

    def _recordReceived(self, number: int, secure: Secure, data: bytes) -> None:
        if number != 1 or self.inside is None:
            self.counters["dropped not expected"] += 1
        elif secure.verified:
            self._deliver(data)
        elif len(data) <= MAX_HELD_LENGTH:
            secure.holdRecord(data)

    def _deliver(self, data: bytes) -> None:
        try:
            if self.inside is None:
                raise RemoteError("not expected")
            self.inside.dataReceived(data)
        except RemoteError as e:
            self.counters["dropped " + e.reason] += 1

    def _releaseAll(self, component: Component, secure: Secure) -> None:
        super()._releaseAll(component, secure)
        records, secure.records = secure.records, []
        for each in records:
            self._deliver(each)

    def _lost(self, reason: Failure) -> None:
        """
        The adapter has its keys, and signalling ends the call; what travels
        inside has lost its way.
        """
        if self.inside is not None:
            self.inside.connectionLost(reason)

    def _outsideRecords(self, data: bytes, component: Component, source: Address) -> None:
        """
        Keep a datagram that came before we could know whether to believe it.
        """
        for attempt in self._attempts.get(component.number, ()):
            if attempt.source == source and attempt.association.established and len(data) <= MAX_HELD_LENGTH:
                attempt.hold(data, source)
                return
        raise RemoteError("no keys")
