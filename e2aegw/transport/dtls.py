"""
DTLS over UDP (RFC 6347), with roles and certificates from the description (RFC
5763, RFC 8842).

There is one association for each component: RTP and RTCP on different ports
need one each (RFC 5764 clause 3).
"""

import secrets
from collections.abc import Sequence
from typing import Any

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHandshakeListener
from twisted.python.failure import Failure

from e2aegw.errors import NegotiationError, RemoteError
from e2aegw.interfaces import Address, Apply, IPortSource
from e2aegw.sansio.certificate import Fingerprint, acceptable, matches
from e2aegw.sansio.dtls import Association, Closed, Endpoint, Established, Failed, Received
from e2aegw.sansio.events import HandshakeFailed, PathChanged, Secured
from e2aegw.sansio.sdp import Line, Section
from e2aegw.sansio.srtp import Context
from e2aegw.sansio.terms import Kind, Terms
from e2aegw.transport.allowance import Allowance
from e2aegw.transport.component import Component
from e2aegw.transport.udp import UDPTransport

#: Datagrams that are kept while the handshake is done but the
#: description with the fingerprint has not come: 200 ms of video.
MAX_HELD = 64
#: The longest of them: no MTU is larger.
MAX_HELD_LENGTH = 1500
#: Handshakes that a component has under way: who the description is from, and
#: others who were called, or were not.
MAX_ATTEMPTS = 4
_CONTENT_HANDSHAKE = 22
_CLIENT_HELLO = 1


class Secure:
    """
    An association of a component, or a handshake that may become one.

    @ivar source: who it is with.
    @ivar nonce: the random value of the remote party's ClientHello, by which
        it is known wherever it comes from; empty if we began.
    @ivar hello: our ClientHello, as long as there was no response to it.
    @ivar early: whether it began before the present description.
    @ivar verified: whether the certificate is the one of the description.
    @ivar held: what came beside it, and from where, before that was known.
    @ivar records: what came in it before that was known.
    """

    __slots__ = (
        "association",
        "certificate",
        "contexts",
        "early",
        "held",
        "hello",
        "nonce",
        "records",
        "source",
        "verified",
    )

    def __init__(self, association: Association, source: Address, nonce: bytes = b"") -> None:
        self.association = association
        self.source = source
        self.nonce = nonce
        self.early = self.verified = False
        self.certificate: bytes | None = None
        self.contexts: tuple[Context, Context] | None = None
        self.held: list[tuple[bytes, Address]] = []
        self.records: list[bytes] = []
        self.hello: list[bytes] = []

    def hold(self, data: bytes, source: Address) -> None:
        """
        Keep a datagram until the description says whose it is.  The latest are
        what somebody waits for.
        """
        self.held.append((data, source))
        del self.held[:-MAX_HELD]

    def holdRecord(self, data: bytes) -> None:
        """
        The same for what came inside.
        """
        self.records.append(data)
        del self.records[:-MAX_HELD]


class DTLSTransport(UDPTransport):
    """
    Datagrams inside DTLS: what is written is one record, and one record is one
    datagram received.

    A protocol that provides C{IHandshakeListener} is told of each association;
    C{connectionLost} says that there is none any more.

    It owns the C{fingerprint}, C{setup} and C{tls-id} attributes, too.
    """

    protocolName = "DTLS"

    def __init__(
        self,
        clock: Any,
        ports: IPortSource,
        endpoint: Endpoint,
        *,
        control: bool,
        consent: bool = False,
        muxed: bool = False,
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
        self._allowance = Allowance(clock.seconds)
        # The components that need an association, or a new one; what is under
        # way for them; and what they have.
        self._wanted: set[int] = set()
        self._attempts: dict[int, list[Secure]] = {}
        self._verified: dict[int, Secure] = {}
        # Whether what is under way may fail: the association that there is
        # may be the one to go on with.
        self._optional = False
        super().__init__(clock, ports, control=control, consent=consent, muxed=muxed)

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
            if self._failed or self._renews(expected, setup, tlsID):
                self._renew()
            before = [component.signalled for component in self.components]
            self._peerSetup, self._peerID, self._expected = setup, tlsID, expected
            self._allowance.renew()
            for attempts in self._attempts.values():
                for attempt in attempts:
                    attempt.early = True
            configureUDP()
            if tlsID is None:
                self._renewMoved(before)
            if terms.kind is Kind.ANSWER:
                self._takeRole(setup == "passive")
            for number, attempts in list(self._attempts.items()):
                for attempt in list(attempts):
                    self._verify(number, attempt)
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

    def write(self, data: bytes) -> None:
        """
        See L{IMediaTransport}.
        """
        self.writeRecord(data)

    def writeRecord(self, data: bytes) -> None:
        """
        Send inside the first component's association.
        """
        secure = self._verified.get(1)
        if secure is None:
            self.counters["unsent no association"] += 1
            return
        try:
            secure.association.send(data)
        except RemoteError as e:
            self.counters["unsent " + e.reason] += 1
        self._flush(1, secure)

    @property
    def isClient(self) -> bool:
        """
        Whether we are the DTLS client.
        """
        secure = self._verified.get(1)
        return bool(self._client) if secure is None else secure.association.client

    @property
    def secured(self) -> bool:
        """
        Whether the first component has an association.
        """
        return 1 in self._verified

    def loseConnection(self) -> None:
        """
        See L{IMediaTransport}.
        """
        for number in {*self._verified, *self._attempts}:
            self._end(number)
        super().loseConnection()

    def _prepare(self, component: Component) -> None:
        super()._prepare(component)
        component.onDTLS = self._dtlsReceived
        component.hold = self._outsideRecords
        self._wanted.add(component.number)
        self._attempts[component.number] = []

    def _closePort(self, component: Component) -> None:
        self._end(component.number)
        self._wanted.discard(component.number)
        super()._closePort(component)

    def _end(self, number: int) -> None:
        """
        Say goodbye to whoever a component has to do with.
        """
        verified = self._verified.pop(number, None)
        for secure in [*self._attempts.pop(number, ()), *([] if verified is None else [verified])]:
            secure.association.close()
            self._flush(number, secure)

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

    def _renew(self) -> None:
        """
        Begin anew.  The keys that there are stay until there are others (RFC
        5764 clause 5.2).
        """
        if self._failed:
            for component in self.components:
                component.remote = component.source = component.signalled = None
                if self.agent is not None:
                    component.remote = self.agent.selected(component.number)
        self._client = None
        self._failed = self._optional = False
        self._ourID = secrets.token_hex(16)
        for component in self.components:
            self._wanted.add(component.number)
            if component.isValid is None:
                # Where the old association was says nothing of the new one.
                component.source = None
        for attempts in self._attempts.values():
            # Of those who began before, some may be who is described now.
            attempts[:] = [attempt for attempt in attempts if not attempt.association.client]
        self._happened(PathChanged(reason="new DTLS association"))

    def _renewMoved(self, before: Sequence[Address | None]) -> None:
        """
        Without ICE and without a C{tls-id}, another address means a new
        association (RFC 8842 clause 4).  Not everybody thinks so.
        """
        for component, address in zip(self.components, before, strict=False):
            moved = component.isValid is None and address is not None and address != component.signalled
            if moved and component.number in self._verified and component.number not in self._wanted:
                self._wanted.add(component.number)
                self._optional = True

    def _takeRole(self, client: bool) -> None:
        if self._client is None:
            self._client = client
            for attempts in self._attempts.values():
                # A ClientHello came before the answer that says that we are
                # the client: the answer counts.
                attempts[:] = [attempt for attempt in attempts if attempt.association.client is client]

    def _startClient(self) -> None:
        """
        As the client, begin, wherever there is somebody to begin with.
        """
        for component in self.components:
            self._pairReady(component)

    def _pairReady(self, component: Component) -> None:
        # With ICE, the pair is valid by now: nothing is sent before (RFC 8842
        # clause 6).
        number, remote = component.number, component.remote
        if not self._client or self._failed or remote is None or number not in self._wanted:
            return
        attempts = self._attempts[number]
        if attempts:
            attempt = attempts[0]
            if component.isValid is not None or attempt.source == remote:
                if attempt.source != remote:
                    attempt.source = remote
                    # Who waits there has heard nothing yet.
                    for datagram in attempt.hello:
                        component.sendTo(datagram, remote)
                return
            attempts.clear()
        attempt = Secure(self._endpoint.connect(client=True, judge=self._judge), remote)
        attempts.append(attempt)
        attempt.association.start(self._clock.seconds())
        while (hello := attempt.association.nextDatagram()) is not None:
            attempt.hello.append(hello)
            component.sendTo(hello, remote)
        self._advance(number, attempt)

    def _dtlsReceived(self, data: bytes, component: Component, source: Address) -> None:
        if self._failed:
            raise RemoteError("handshake failed")
        if component.isValid is not None and not component.isValid(component.number, source):
            raise RemoteError("unknown source")
        secure = self._associationOf(data, component, source)
        if component.isValid is not None:
            secure.source = source
        try:
            secure.association.receive(data, self._clock.seconds())
            secure.hello.clear()
        finally:
            self._advance(component.number, secure)

    def _associationOf(self, data: bytes, component: Component, source: Address) -> Secure:
        """
        Whom a datagram is from.

        @raise RemoteError: nobody whom we know or want to know.
        """
        number, roams = component.number, component.isValid is not None
        attempts, verified = self._attempts[number], self._verified.get(number)
        if number in self._wanted:
            if self._client:
                if attempts and (roams or attempts[0].source == source):
                    return attempts[0]
            else:
                hello, nonce = _hello(data)
                for attempt in attempts:
                    if attempt.source == source or (roams and nonce and attempt.nonce == nonce):
                        if not nonce or nonce == attempt.nonce or attempt.association.established:
                            return attempt
                        if attempt.nonce:
                            # Who was here has begun again.
                            attempts.remove(attempt)
                            break
                        attempt.nonce = nonce
                        return attempt
                if hello:
                    return self._begin(component, source, nonce)
                if roams and len(attempts) == 1:
                    return attempts[0]
        if verified is not None and (roams or verified.source == source):
            return verified
        raise RemoteError("unknown source")

    def _begin(self, component: Component, source: Address, nonce: bytes) -> Secure:
        attempts = self._attempts[component.number]
        # Without ICE anybody may send a ClientHello, and strangers must not use
        # up what is there for the right one.
        if not self._allowance.permits(source == component.signalled):
            raise RemoteError("too many handshakes")
        self._allowance.spend()
        if len(attempts) >= MAX_ATTEMPTS:
            others = [each for each in attempts if each.source != component.signalled]
            attempts.remove((others or attempts)[0])
        attempt = Secure(self._endpoint.connect(client=False, judge=self._judge), source, nonce)
        attempts.append(attempt)
        return attempt

    def _advance(self, number: int, secure: Secure) -> None:
        # Who is known has no timers any more.
        quiet = secure.verified
        self._flush(number, secure)
        while (event := secure.association.nextEvent()) is not None:
            if isinstance(event, Established):
                secure.certificate = event.certificate
                self._verify(number, secure)
            elif isinstance(event, Failed):
                presented = self._presented(event.certificate) if event.certificate else ""
                self._attemptFailed(number, secure, event.reason, presented)
            elif isinstance(event, Received):
                self._recordReceived(number, secure, event.data)
            elif isinstance(event, Closed):
                self.counters["closed by the remote party"] += 1
                if secure is self._verified.get(number):
                    self._lost(Failure(ConnectionDone()))
        if not quiet:
            self._schedule()

    def _flush(self, number: int, secure: Secure) -> None:
        while (datagram := secure.association.nextDatagram()) is not None:
            if number <= len(self.components):
                self.components[number - 1].sendTo(datagram, secure.source)

    def _attemptFailed(self, number: int, secure: Secure, reason: str, presented: str = "") -> None:
        """
        An association has come to nothing.  Whether that is the end depends on
        whose it was.
        """
        attempts = self._attempts.get(number, [])
        if secure is not self._verified.get(number):
            if secure not in attempts:
                return
            attempts.remove(secure)
            secure.association.close()
            self._flush(number, secure)
            component = self.components[number - 1]
            stranger = component.isValid is None and secure.source != component.signalled
            if stranger and not self._client:
                # Anybody can try, and fail.
                self.counters["failed strangers"] += 1
                return
            if attempts or self._optional:
                self.counters["failed " + reason] += 1
                return
            if secure.early or not self._expected:
                # Of several who were called one may be too quick.
                self._tellFailure(reason, presented)
                return
        self._fail(reason, presented)

    def _judge(self, certificate: bytes) -> bool:
        """
        Whether a certificate, seen in a handshake, may be the right one: else
        its party is told that it is not (RFC 8122 clause 6.2).  Before there is
        a description it may.
        """
        return not self._expected or matches(certificate, self._expected)

    def _presented(self, certificate: bytes) -> str:
        """
        A certificate, as the description would have it.
        """
        return str(Fingerprint.of(certificate, self._expected[0].function))

    def _verify(self, number: int, secure: Secure) -> None:
        """
        Believe the remote party, if its certificate is known, and its
        description says that it is the right one.
        """
        if secure.verified or secure.certificate is None or not self._expected:
            return
        if not matches(secure.certificate, self._expected):
            self._attemptFailed(number, secure, "fingerprint mismatch", self._presented(secure.certificate))
            return
        try:
            profile = self._agree(secure)
        except RemoteError as e:
            self._attemptFailed(number, secure, e.reason)
            return
        secure.verified = True
        self._verified[number] = secure
        self._attempts[number] = []
        self._wanted.discard(number)
        component = self.components[number - 1]
        self._open(component)
        if IHandshakeListener.providedBy(self.protocol):
            self.protocol.handshakeCompleted()
        # With ICE the nominated address is where media comes from; else it is
        # where the handshake came from.
        settled = component.remote if component.isValid is not None else secure.source
        if settled is not None:
            component.settle(settled)
        self._happened(Secured(protocol=self.protocolName, profile=profile))
        self._releaseAll(component, secure)

    def _agree(self, secure: Secure) -> str:
        """
        The remote party is the right one: take what the handshake agreed on.

        @return: what to call it.

        @raise RemoteError: it is of no use.
        """
        return secure.association.cipher()

    def _open(self, component: Component) -> None:
        """
        Media may pass on this component.
        """

    def _releaseAll(self, component: Component, secure: Secure) -> None:
        """
        Deliver all that was held.
        """
        held, secure.held = secure.held, []
        for each in held:
            self._release(component, *each)

    def _release(self, component: Component, data: bytes, source: Address) -> None:
        """
        Deliver what was held.
        """
        if self.protocol is None:
            return  # Somebody ended it, on hearing of what came before.
        try:
            self.protocol.dataReceived(data)
        except RemoteError as e:
            self.counters["dropped " + e.reason] += 1

    def _recordReceived(self, number: int, secure: Secure, data: bytes) -> None:
        """
        Application data came.  Before the description says whose it is, it is
        held (RFC 8842 clause 5.2).
        """
        if secure.verified:
            self._release(self.components[number - 1], data, secure.source)
        elif len(data) <= MAX_HELD_LENGTH:
            secure.hold(data, secure.source)

    def _lost(self, reason: Failure) -> None:
        """
        The association that there was is no more.
        """
        if self.protocol is not None:
            self.protocol.connectionLost(reason)

    def _outsideRecords(self, data: bytes, component: Component, source: Address) -> None:
        """
        Something other than DTLS came; nothing is to pass outside (RFC 7345
        clause 3).
        """
        raise RemoteError("not protected")

    def _fail(self, reason: str, presented: str = "") -> None:
        if self._failed:
            return
        self._failed = True
        had = bool(self._verified)
        for component in self.components:
            self._end(component.number)
            self._attempts[component.number] = []
            self._wanted.add(component.number)
            component.hold = self._outsideRecords
            component.source = component.remote = None
        self._tellFailure(reason, presented)
        if had:
            self._lost(Failure(ConnectionLost(reason)))

    def _tellFailure(self, reason: str, presented: str) -> None:
        self.counters["failed " + reason] += 1
        expected = ", ".join(map(str, self._expected))
        self._happened(
            HandshakeFailed(protocol="DTLS", reason=reason, expected=expected, presented=presented)
        )

    def _nextTimeout(self) -> float | None:
        earliest = super()._nextTimeout()
        for attempts in self._attempts.values():
            for attempt in attempts:
                at = attempt.association.nextTimeout()
                if at is not None and (earliest is None or at < earliest):
                    earliest = at
        return earliest

    def _due(self, now: float) -> None:
        for number, attempts in list(self._attempts.items()):
            for attempt in list(attempts):
                at = attempt.association.nextTimeout()
                if at is not None and at <= now:
                    attempt.association.timeout(now)
                    self._advance(number, attempt)
        super()._due(now)


def _hello(data: bytes) -> tuple[bool, bytes]:
    """
    Whether a datagram begins with a ClientHello or a fragment of one, outside
    of any association, and its random value if that is in it (RFC 6347
    clauses 4.1 and 4.2.2)::

         0      1        3      5        11      13
        +------+--------+------+--------+-------+----------
        | type |version |epoch |sequence|length | fragment
        +------+--------+------+--------+-------+----------
           13     14      17     19       22       25       27       59
        +------+--------+------+--------+--------+--------+--------+---
        | type | length | seq  | offset | length |version | random |
        +------+--------+------+--------+--------+--------+--------+---
    """
    if len(data) < 25 or data[0] != _CONTENT_HANDSHAKE or data[3:5] != b"\0\0" or data[13] != _CLIENT_HELLO:
        return False, b""
    return True, data[27:59] if data[19:22] == b"\0\0\0" and len(data) >= 59 else b""
