"""
DTLS over UDP (RFC 6347), for keys alone: DTLS-SRTP (RFC 5763, RFC 5764).

There is one association for each component: RTP and RTCP on different ports
need one each (RFC 5764 clause 3).
"""

import secrets
from collections import deque
from collections.abc import Sequence
from typing import Any

from twisted.internet.interfaces import IHandshakeListener
from zope.interface import implementer

from e2aegw.errors import NegotiationError, RemoteError
from e2aegw.interfaces import Address, Apply, IKeyExporter, IPortSource
from e2aegw.sansio.certificate import Fingerprint, acceptable, matches
from e2aegw.sansio.dtls import Association, Closed, Endpoint, Established, Failed
from e2aegw.sansio.events import HandshakeFailed, PathChanged, Secured
from e2aegw.sansio.sdp import Line, Section
from e2aegw.sansio.srtp import Context
from e2aegw.sansio.terms import Kind, Terms
from e2aegw.transport.component import Component
from e2aegw.transport.udp import UDPTransport

#: Datagrams of media that are kept while the handshake is done but the
#: description with the fingerprint has not come: 200 ms of video.
MAX_HELD = 64
#: Handshakes that may be begun under one description.  Without ICE anybody may
#: send a ClientHello, and each costs a signature.
MAX_HANDSHAKES = 20
_CONTENT_HANDSHAKE = 22
_CLIENT_HELLO = 1


class _Secure:
    """
    The association of one component.

    @ivar source: who it is with.
    @ivar verified: the certificate is the one of the description.
    """

    __slots__ = ("association", "certificate", "contexts", "held", "source", "verified")

    def __init__(self, association: Association, source: Address | None) -> None:
        self.association = association
        self.source = source
        self.certificate: bytes | None = None
        self.verified = False
        self.contexts: tuple[Context, Context] | None = None
        self.held: deque[tuple[bytes, Address]] = deque(maxlen=MAX_HELD)


@implementer(IKeyExporter)
class DTLSKeyTransport(UDPTransport):
    """
    UDP with keys agreed on by DTLS.

    It owns the C{fingerprint}, C{setup} and C{tls-id} attributes, too.
    """

    def __init__(
        self, clock: Any, ports: IPortSource, endpoint: Endpoint, *, control: bool, consent: bool = False
    ) -> None:
        """
        @param endpoint: our certificate and the profiles to agree on.

        The other parameters are those of L{UDPTransport}.

        @raise ResourceError: there are no ports.
        """
        self._endpoint = endpoint
        self._client: bool | None = None  # our role, once it is final
        self._expected: tuple[Fingerprint, ...] = ()
        self._peerSetup = "actpass"
        self._peerID: str | None = None
        self._ourID = secrets.token_hex(16)
        self._failed = False
        self._begun = 0
        self._secure: dict[int, _Secure] = {}
        super().__init__(clock, ports, control=control, consent=consent)
        for component in self.components:
            component.onDTLS = self._dtlsReceived
            component.hold = self._beforeKeys

    def configure(self, section: Section, terms: Terms) -> Apply:
        """
        See L{ILegPart}.

        @raise NegotiationError: no fingerprint that can be believed, or an
            impossible role.
        """
        configureUDP = super().configure(section, terms)
        values = section.all("fingerprint")
        if not values:
            raise NegotiationError("no fingerprint")
        expected = acceptable(values)
        setup = section.get("setup")
        if terms.kind is Kind.OFFER:
            # RFC 4145 clause 4.1: active is the default of an offer.
            setup = setup or "active"
            if setup not in ("actpass", "active", "passive"):
                raise NegotiationError("the offer's setup attribute is neither actpass, active nor passive")
        else:
            setup = setup or "passive"
            if setup not in ("active", "passive"):
                raise NegotiationError("the answer's setup attribute is neither active nor passive")
        tlsID = section.get("tls-id")

        def apply() -> None:
            if self._renews(expected, setup, tlsID):
                self._forget()
            self._peerSetup, self._peerID, self._expected = setup, tlsID, expected
            self._begun = 0
            configureUDP()
            if terms.kind is Kind.ANSWER:
                self._takeRole(setup == "passive")
            for number in list(self._secure):
                self._verify(number)
            self._startClient()

        return apply

    def describe(self, terms: Terms) -> Sequence[Line]:
        """
        See L{ILegPart}.
        """
        if terms.kind is Kind.OFFER:
            setup = "actpass"  # RFC 8842 clause 5.2
        else:
            if self._client is None:
                if self._peerSetup == "actpass":
                    # RFC 5763 clause 5 recommends active.
                    self._takeRole(terms.dtls != "passive")
                else:
                    self._takeRole(self._peerSetup == "passive")
            setup = "active" if self._client else "passive"
        lines = [
            *super().describe(terms),
            Line("setup", setup),
            *(Line("fingerprint", str(each)) for each in self._endpoint.fingerprints),
        ]
        if terms.kind is Kind.OFFER or self._peerID is not None:
            lines.append(Line("tls-id", self._ourID))
        if terms.kind is Kind.ANSWER:
            self._startClient()
        return lines

    def contexts(self, control: bool) -> tuple[Context, Context] | None:
        """
        See L{IKeyExporter}.
        """
        secure = self._secure.get(2 if control and not self.muxed else 1)
        return secure.contexts if secure is not None else None

    def loseConnection(self) -> None:
        """
        See L{IMediaTransport}.
        """
        for number, secure in self._secure.items():
            secure.association.close()
            self._flush(number, secure)
        self._secure.clear()
        super().loseConnection()

    def _acceptsMux(self, terms: Terms) -> bool:
        # A browser that requires it (RFC 8858) could do nothing with a
        # refusal, and nobody else minds.
        return "reject" not in terms.rtcpMux

    def _renews(self, expected: tuple[Fingerprint, ...], setup: str, tlsID: str | None) -> bool:
        """
        Whether this description asks for a new association (RFC 8842 clause
        4).
        """
        if not self._expected:
            return False
        if set(expected) != set(self._expected) or tlsID != self._peerID:
            return True
        return self._client is not None and setup != "actpass" and (setup == "passive") != self._client

    def _forget(self) -> None:
        self._secure.clear()
        self._client = None
        self._failed = False
        self._ourID = secrets.token_hex(16)
        self._happened(PathChanged(reason="new DTLS association"))

    def _takeRole(self, client: bool) -> None:
        if self._client is None:
            self._client = client
            for number, secure in list(self._secure.items()):
                # A ClientHello came before the answer that says that we are
                # the client: the answer counts.
                if secure.association.client != client:
                    del self._secure[number]

    def _startClient(self) -> None:
        """
        As the client, begin, wherever there is somebody to begin with.
        """
        for component in self.components:
            self._pairReady(component)

    def _pairReady(self, component: Component) -> None:
        if not self._client or self._failed or component.remote is None:
            return
        if component.number not in self._secure:
            # With ICE, the pair is valid by now: nothing is sent before
            # (RFC 8842 clause 6).
            secure = _Secure(self._endpoint.connect(client=True), component.remote)
            self._secure[component.number] = secure
            secure.association.start(self._clock.seconds())
            self._advance(component.number, secure)

    def _dtlsReceived(self, data: bytes, component: Component, source: Address) -> None:
        if self._failed:
            raise RemoteError("handshake failed")
        if component.isValid is not None:
            if not component.isValid(component.number, source):
                raise RemoteError("unknown source")
        elif component.source is not None and source != component.source:
            raise RemoteError("unknown source")
        number = component.number
        secure = self._secure.get(number)
        if self._client:
            if secure is None:
                raise RemoteError("handshake not started")
        elif secure is None or self._begins(secure, data, source):
            self._begun += 1
            if self._begun > MAX_HANDSHAKES:
                raise RemoteError("too many handshakes")
            secure = self._secure[number] = _Secure(self._endpoint.connect(client=False), source)
        if component.isValid is None and source != secure.source and not self._client:
            raise RemoteError("unknown source")
        if component.isValid is not None or not self._client:
            secure.source = source
        try:
            secure.association.receive(data, self._clock.seconds())
        finally:
            self._advance(number, secure)

    def _begins(self, secure: _Secure, data: bytes, source: Address) -> bool:
        """
        Whether this is a ClientHello from somebody else than the one who began
        a handshake and did not finish it.  Without ICE anybody may begin.
        """
        return (
            not secure.association.established
            and source != secure.source
            and data[0] == _CONTENT_HANDSHAKE
            and len(data) > 13
            and data[13] == _CLIENT_HELLO
        )

    def _advance(self, number: int, secure: _Secure) -> None:
        self._flush(number, secure)
        while (event := secure.association.nextEvent()) is not None:
            if isinstance(event, Established):
                secure.certificate = event.certificate
                self._verify(number)
            elif isinstance(event, Failed):
                self._fail(event.reason)
            elif isinstance(event, Closed):
                self.counters["closed by the remote party"] += 1
        self._schedule()

    def _flush(self, number: int, secure: _Secure) -> None:
        while (datagram := secure.association.nextDatagram()) is not None:
            if number <= len(self.components) and secure.source is not None:
                self.components[number - 1].sendTo(datagram, secure.source)

    def _verify(self, number: int) -> None:
        """
        Believe the remote party, if its certificate is known, and its
        description says that it is the right one.
        """
        secure = self._secure.get(number)
        if secure is None or secure.verified or secure.certificate is None or not self._expected:
            return
        if not matches(secure.certificate, self._expected):
            presented = Fingerprint.of(secure.certificate, self._expected[0].function)
            self._fail("fingerprint mismatch", presented=str(presented))
            return
        try:
            secure.contexts = secure.association.contexts()
        except RemoteError as e:
            self._fail(e.reason)
            return
        secure.verified = True
        if number > len(self.components):
            return
        component = self.components[number - 1]
        component.hold = None
        # With ICE the nominated address is where media comes from; else it is
        # where the handshake came from.
        settled = component.remote if component.isValid is not None else secure.source
        if settled is not None:
            component.settle(settled)
        profile = secure.contexts[0].profile.value
        self._happened(Secured(protocol="DTLS-SRTP", profile=profile))
        if IHandshakeListener.providedBy(self.protocol):
            self.protocol.handshakeCompleted()
        while secure.held:
            component.datagramReceived(*secure.held.popleft())

    def _beforeKeys(self, data: bytes, component: Component, source: Address) -> None:
        """
        Keep a datagram that came before we could know whether to believe it.
        """
        secure = self._secure.get(component.number)
        if secure is None or not secure.association.established or source != secure.source:
            raise RemoteError("no keys")
        secure.held.append((data, source))

    def _fail(self, reason: str, presented: str = "") -> None:
        if self._failed:
            return
        self._failed = True
        self.counters["failed " + reason] += 1
        self._secure.clear()
        for component in self.components:
            component.hold = self._beforeKeys
            component.source = component.remote = None
        expected = ", ".join(map(str, self._expected))
        self._happened(
            HandshakeFailed(protocol="DTLS", reason=reason, expected=expected, presented=presented)
        )

    def _nextTimeout(self) -> float | None:
        times = [each.association.nextTimeout() for each in self._secure.values()]
        times.append(super()._nextTimeout())
        return min((at for at in times if at is not None), default=None)

    def _due(self, now: float) -> None:
        for number, secure in list(self._secure.items()):
            at = secure.association.nextTimeout()
            if at is not None and at <= now:
                secure.association.timeout(now)
                self._advance(number, secure)
        super()._due(now)
