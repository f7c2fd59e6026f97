"""
DTLS over UDP for keys alone: DTLS-SRTP (RFC 5763, RFC 5764).
"""

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
    """

    protocolName = "DTLS-SRTP"
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
        secure.contexts = secure.association.contexts()
        return secure.contexts[0].profile.value

    def _open(self, component: Component) -> None:
        component.hold = None
        if self._endpoint.dataless or self._alone:
            self._verified[component.number].association.retire()

    def _release(self, component: Component, data: bytes, source: Address) -> None:
        component.datagramReceived(data, source)

    def _recordReceived(self, number: int, secure: Secure, data: bytes) -> None:
        self.counters["dropped not expected"] += 1

    def _lost(self, reason: Failure) -> None:
        """
        The adapter has its keys; signalling ends the call.
        """

    def _outsideRecords(self, data: bytes, component: Component, source: Address) -> None:
        """
        Keep a datagram that came before we could know whether to believe it.
        """
        for attempt in self._attempts.get(component.number, ()):
            if attempt.source == source and attempt.association.established and len(data) <= MAX_HELD_LENGTH:
                attempt.hold(data, source)
                return
        raise RemoteError("no keys")
