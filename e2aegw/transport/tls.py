"""
TLS over TCP towards one network party, with certificates and roles from the
description (RFC 8122, RFC 4145, RFC 8842 clause 7).
"""

import secrets
from collections.abc import Sequence
from typing import Any

from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from e2aegw.errors import NegotiationError, RemoteError
from e2aegw.interfaces import Apply, IStreamPortSource
from e2aegw.sansio.certificate import Fingerprint, acceptable, matches
from e2aegw.sansio.events import HandshakeFailed, Secured
from e2aegw.sansio.sdp import Line, Section
from e2aegw.sansio.terms import Kind, Terms
from e2aegw.sansio.tls import Connection, Endpoint, Trust
from e2aegw.transport.allowance import Allowance
from e2aegw.transport.stream import StreamTransport
from e2aegw.transport.streamconnection import StreamConnection

#: Seconds that a handshake may take.
HANDSHAKE_TIMEOUT = 10.0
#: Octets that are kept of who is known before the description says whether it
#: is the right one.  Then nothing more is read, and the network holds the rest.
MAX_HELD = 64 * 1024
#: Connections under way at a time, of which one may be the right one.
MAX_ATTEMPTS = 4
#: Seconds to wait for a ClientHello from somebody who may think that it is the
#: server (RFC 8856 clause 8), too.
ROLE_TIMEOUT = 1.0
#: The media in which it is the answerer who is the TLS server, whoever
#: connects.
_ANSWERER_SERVES = frozenset({"bfcp"})
_CONTENT_HANDSHAKE = 22


class SecureConnection(StreamConnection):
    """
    A TCP connection with TLS on it, or about to be.

    @ivar tls: what is spoken on it; L{None} as long as it is not known who is
        the server.
    @ivar held: what came before it was known whose it is.
    @ivar timer: until when something must have happened.
    @ivar early: whether it began before the present description.
    """

    owner: "TLSTransport"

    def __init__(self, owner: "TLSTransport") -> None:
        super().__init__(owner)
        self.tls: Connection | None = None
        self.held: list[bytes] = []
        self.timer: IDelayedCall | None = None
        self.early = False
        # What is not protected yet.
        self._plain: list[bytes] = []

    def write(self, data: bytes) -> None:
        """
        Send, protected.
        """
        self._plain.append(data)
        if len(self._plain) == 1:
            self.postpone()

    def release(self) -> None:
        """
        Protect what there is, all of it at once: a record of its own for each
        of many small messages costs more than they do.
        """
        plain, self._plain = self._plain, []
        if plain:
            assert self.tls is not None
            try:
                self._pending.append(self.tls.send(plain[0] if len(plain) == 1 else b"".join(plain)))
            except RemoteError as e:
                self.owner.counters["unsent " + e.reason] += len(plain)
        super().release()

    def flush(self) -> None:
        """
        Send what TLS itself has to say.
        """
        if self.tls is not None and (out := self.tls.output()):
            self.put(out)

    def end(self) -> None:
        """
        Say goodbye and close.
        """
        self.stopTimer()
        if self.tls is not None:
            self.release()
            self.tls.close()
            self.flush()
        super().end()

    def stopTimer(self) -> None:
        """
        Whatever was waited for has come, or will not.
        """
        if self.timer is not None and self.timer.active():
            self.timer.cancel()
        self.timer = None


class TLSTransport(StreamTransport):
    """
    One TLS connection.

    It owns the C{fingerprint} and C{tls-id} attributes, too.

    Whoever connects is believed when its certificate is the one that the
    description vouches for, and not before: until then there may be several.
    """

    protocolName = "TLS"

    def __init__(
        self, reactor: Any, ports: IStreamPortSource, endpoint: Endpoint, trust: Trust | None = None
    ) -> None:
        """
        @param endpoint: our certificate.
        @param trust: whom to believe if the description has no fingerprint.

        The other parameters are those of L{StreamTransport}.

        @raise ResourceError: there is no port.
        """
        super().__init__(reactor, ports)
        self._endpoint = endpoint
        self._trust = trust
        self._described = False
        self._expected: tuple[Fingerprint, ...] = ()
        self._peerID: str | None = None
        self._ourID = secrets.token_hex(16)
        # Who made the last offer: who answers it may be the server.
        self._offered = False
        self._handshakes: list[SecureConnection] = []
        self._allowance = Allowance(self._reactor.seconds)

    def configure(self, section: Section, terms: Terms) -> Apply:
        """
        See L{ILegPart}.

        @raise NegotiationError: no fingerprint that can be believed, or what
            L{StreamTransport} says.
        """
        configureStream = super().configure(section, terms)
        values = section.all("fingerprint")
        if not values and self._trust is None:
            raise NegotiationError("no fingerprint")
        expected = acceptable(values) if values else ()
        tlsID = section.get("tls-id")

        def apply() -> None:
            if self._described and (set(expected) != set(self._expected) or tlsID != self._peerID):
                # RFC 8122 clause 6.2, RFC 8842 clause 7.
                self._renewSecure()
            self._described, self._expected, self._peerID = True, expected, tlsID
            self._offered = terms.kind is Kind.ANSWER
            self._allowance.renew()
            configureStream()
            for attempt in list(self._handshakes):
                attempt.early = True
                self._verify(attempt)

        return apply

    def describe(self, terms: Terms) -> Sequence[Line]:
        """
        See L{ILegPart}.
        """
        if terms.kind is Kind.OFFER:
            self._offered = True
        lines = [
            *super().describe(terms),
            *(Line("fingerprint", str(each)) for each in self._endpoint.fingerprints),
        ]
        if terms.kind is Kind.OFFER or self._peerID is not None:
            lines.append(Line("tls-id", self._ourID))
        return lines

    def loseConnection(self) -> None:
        """
        See L{StreamTransport}.
        """
        self._giveUp()
        super().loseConnection()

    def shut(self) -> None:
        """
        See L{StreamTransport}.
        """
        self._giveUp()
        super().shut()

    @property
    def doubtful(self) -> bool:
        """
        See L{StreamTransport}: its certificate is the right one.
        """
        return False

    # What connections say

    def build(self) -> SecureConnection:
        """
        See L{StreamTransport}.
        """
        return SecureConnection(self)

    def expects(self, host: str) -> bool:
        """
        See L{StreamTransport}.  Even if there is a connection, another one of
        the same party may take its place: its network may have changed.
        """
        if self._closed:
            self.counters["dropped second connection"] += 1
            return False
        if not self._allowance.permits(self._isSignalled(host)):
            self.counters["dropped too many handshakes"] += 1
            return False
        return True

    def opened(self, connection: StreamConnection) -> None:
        """
        TCP is up.
        """
        assert isinstance(connection, SecureConnection)
        if self._closed:
            connection.transport.abortConnection()
            return
        self._allowance.spend()
        connection.transport.setTcpNoDelay(True)
        if len(self._handshakes) >= MAX_ATTEMPTS:
            self._makeRoom()
        self._handshakes.append(connection)
        if self.active:
            self._connector = None
        if self.active is not self._offered and self._medium in _ANSWERER_SERVES:
            # RFC 8856 clause 8 makes a server of one, clause 10.2 of the other:
            # whoever speaks first is the client.
            connection.timer = self._reactor.callLater(ROLE_TIMEOUT, self._begin, connection, True)
        else:
            self._begin(connection, bool(self.active))

    def received(self, connection: StreamConnection, data: bytes) -> None:
        """
        Bytes came.
        """
        assert isinstance(connection, SecureConnection)
        if connection is not self._connection and connection not in self._handshakes:
            return
        if connection.tls is None:
            self._begin(connection, client=data[0] != _CONTENT_HANDSHAKE)
        tls = connection.tls
        if tls is None:
            return
        settled = connection is self._connection
        try:
            plain = tls.receive(data)
        except RemoteError as e:
            connection.flush()
            self._broken(connection, e.reason)
            return
        connection.flush()
        if plain and settled:
            self._deliver(plain)
        elif not settled:
            if plain:
                connection.held.append(plain)
            if tls.established:
                self._verify(connection)
        if tls.closed and not self._closed:
            connection.end()

    def disconnected(self, connection: StreamConnection, reason: Failure) -> None:
        """
        TCP is down.
        """
        assert isinstance(connection, SecureConnection)
        connection.stopTimer()
        if connection in self._handshakes:
            self._attemptFailed(connection, "closed by the remote party")
            return
        ended = self._closed or connection.tls is None or connection.tls.closed
        if connection is self._connection and not ended:
            self.counters["closed without goodbye"] += 1
        super().disconnected(connection, reason)

    # Inside

    @property
    def _medium(self) -> str | None:
        return getattr(self.protocol, "medium", None)

    def _begin(self, connection: SecureConnection, client: bool) -> None:
        """
        Begin the handshake.
        """
        connection.stopTimer()
        connection.tls = tls = self._endpoint.connect(client=client, judge=self._judge)
        connection.timer = self._reactor.callLater(
            HANDSHAKE_TIMEOUT, self._attemptFailed, connection, "timeout"
        )
        if client:
            tls.start()
            connection.flush()

    def _judge(self, certificate: bytes) -> bool | None:
        """
        Whether that is the right one, as far as that is known.
        """
        if not self._expected:
            return None
        return matches(certificate, self._expected)

    def _verify(self, attempt: SecureConnection) -> None:
        """
        Believe the remote party, if the handshake is done and its description
        is there.
        """
        tls = attempt.tls
        if tls is None or not tls.established or attempt not in self._handshakes:
            return
        if not self._described:
            attempt.stopTimer()
            if sum(map(len, attempt.held)) >= MAX_HELD:
                attempt.transport.pauseProducing()
            return
        if self._judge(tls.certificate or b"") is False:
            self._attemptFailed(attempt, "fingerprint mismatch")
            return
        try:
            if not self._expected and self._trust is not None:
                self._trust.check(tls.chain(), self._named())
        except RemoteError as e:
            self._attemptFailed(attempt, e.reason)
            return
        self._forget(attempt)
        for other in list(self._handshakes):
            self._forget(other)
            other.transport.abortConnection()
        if self._connection is not None:
            self.counters["connections replaced"] += 1
            self._drop()
        self.notify(Secured(protocol=self.protocolName, profile=tls.cipher()))
        self._take(attempt)
        if not self._paused:
            attempt.transport.resumeProducing()
        held, attempt.held = attempt.held, []
        if held and attempt is self._connection and not self._closed:
            self._deliver(b"".join(held))

    def _named(self) -> str:
        """
        The name that the description has for the remote party.
        """
        destination = getattr(self.protocol, "destination", None) or self._signalled
        return str(destination[0]) if destination is not None else ""

    def _isSignalled(self, host: str) -> bool:
        return self._signalled is not None and self._signalled[0] == host

    def _makeRoom(self) -> None:
        """
        There are too many: let go of the oldest, rather a stranger.
        """
        strangers = [each for each in self._handshakes if not self._isSignalled(each.remote[0])]
        oldest = (strangers or self._handshakes)[0]
        self._forget(oldest)
        self.counters["dropped too many handshakes"] += 1
        oldest.transport.abortConnection()

    def _giveUp(self) -> None:
        """
        No handshake that is under way is wanted.
        """
        for attempt in list(self._handshakes):
            self._forget(attempt)
            attempt.transport.abortConnection()

    def _forget(self, attempt: SecureConnection) -> None:
        attempt.stopTimer()
        self._handshakes.remove(attempt)

    def _broken(self, connection: SecureConnection, reason: str) -> None:
        """
        What came is not TLS, or not any more.
        """
        if connection in self._handshakes:
            self._attemptFailed(connection, reason)
        else:
            self.counters["dropped " + reason] += 1
            connection.end()

    def _attemptFailed(self, attempt: SecureConnection, reason: str) -> None:
        """
        A handshake came to nothing.  Others may still go well, unless it was
        us who connected.
        """
        stranger = not self.active and not self._isSignalled(attempt.remote[0])
        early = attempt.early or not self._described
        self._forget(attempt)
        attempt.end()
        if reason == "not protected":
            self.counters["dropped not protected"] += 1
        if stranger and not early:
            # Anybody can try, and fail.
            self.counters["failed strangers"] += 1
            return
        self.counters["failed " + reason] += 1
        certificate = None if attempt.tls is None else attempt.tls.certificate
        function = self._expected[0].function if self._expected else "sha-256"
        presented = "" if certificate is None else str(Fingerprint.of(certificate, function))
        expected = ", ".join(map(str, self._expected))
        self.notify(
            HandshakeFailed(protocol=self.protocolName, reason=reason, expected=expected, presented=presented)
        )

    def _restart(self) -> None:
        """
        See L{StreamTransport}.
        """
        self._renewSecure()

    def _renewSecure(self) -> None:
        """
        The remote party wants another connection.
        """
        self._ourID = secrets.token_hex(16)
        for attempt in list(self._handshakes):
            if self.active:
                self._forget(attempt)
                attempt.transport.abortConnection()
        self._renew()
