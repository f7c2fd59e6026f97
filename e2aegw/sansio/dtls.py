"""
DTLS (RFC 6347) as OpenSSL speaks it, on memory buffers.

OpenSSL keeps a clock of its own for retransmission, so unlike everything else
in this room an L{Association}'s timers run in real time; C{now} only says
where that is on the caller's clock.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL

from e2aegw.errors import RemoteError
from e2aegw.sansio.certificate import Identity
from e2aegw.sansio.srtp import Context, Profile, contextPair, exporterLength, keysFromExporter

#: The longest datagram that a handshake is sent in: what fits into IPv6's
#: minimum MTU with a tunnel's header.
MTU = 1200
#: Datagrams that a handshake may take.  A long one takes 10.
MAX_HANDSHAKE_DATAGRAMS = 400
#: Seconds that a handshake may take before it has failed.
HANDSHAKE_TIMEOUT = 30.0
_RECORD_HEADER = 13
#: DTLS 1.2.  1.0 is refused (TS 33.210 clause 6.2.1).
_DTLS_1_2 = 0xFEFD
_CIPHERS = b"ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:!aNULL:!eNULL"
_EXPORTER = b"EXTRACTOR-dtls_srtp"


@dataclass(frozen=True, slots=True)
class Established:
    """
    The handshake is done.  Whether the certificate is the right one is for
    the caller to say.

    @ivar certificate: the remote party's, as DER.
    """

    certificate: bytes


@dataclass(frozen=True, slots=True)
class Failed:
    """
    The handshake, or the association later, came to an end by an error.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class Closed:
    """
    The remote party said goodbye.
    """


@dataclass(frozen=True, slots=True)
class Received:
    """
    Application data: one record.
    """

    data: bytes


class Endpoint:
    """
    What all associations under one certificate share.
    """

    def __init__(self, identity: Identity, profiles: Sequence[Profile] = ()) -> None:
        """
        @param profiles: the SRTP profiles to agree on, best first; none for
            associations that carry data themselves.
        """
        self.identity = identity
        self.fingerprints = identity.fingerprints
        context = SSL.Context(SSL.DTLS_METHOD)
        context.set_min_proto_version(_DTLS_1_2)
        context.set_options(
            SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_QUERY_MTU | SSL.OP_NO_COMPRESSION | SSL.OP_NO_TICKET
        )
        context.set_mode(SSL.MODE_RELEASE_BUFFERS)
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.set_cipher_list(_CIPHERS)
        # Any certificate will do here: its fingerprint is compared later.
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, _anyCertificate)
        context.use_certificate(identity.certificate)
        context.use_privatekey(identity.key)
        if profiles:
            context.set_tlsext_use_srtp(":".join(profile.dtls for profile in profiles).encode())
        self._context = context

    def connect(self, *, client: bool) -> "Association":
        """
        Begin an association.
        """
        return Association(SSL.Connection(self._context, None), client=client)


class Association:
    """
    One DTLS association.
    """

    def __init__(self, connection: SSL.Connection, *, client: bool) -> None:
        self.client = client
        self.established = False
        self.failed = False
        self._connection = connection
        self._events: deque[Established | Failed | Closed | Received] = deque()
        self._out: deque[bytes] = deque()
        self._timeoutAt: float | None = None
        self._deadline: float | None = None
        self._datagrams = 0
        connection.set_ciphertext_mtu(MTU)
        if client:
            connection.set_connect_state()
        else:
            connection.set_accept_state()

    def start(self, now: float) -> None:
        """
        As the client, send a ClientHello.
        """
        self._advance(now)

    def receive(self, data: bytes, now: float) -> None:
        """
        Take a datagram from the remote party.

        @raise RemoteError: it does not consist of whole DTLS records, or is
            one too many for a handshake.
        """
        if self.failed:
            raise RemoteError("association ended")
        _checkRecords(data)
        if not self.established:
            self._datagrams += 1
            if self._datagrams > MAX_HANDSHAKE_DATAGRAMS:
                raise RemoteError("endless handshake")
        self._connection.bio_write(data)
        self._advance(now)

    def send(self, data: bytes) -> None:
        """
        Send one record of application data.

        @raise RemoteError: the association is not up.
        """
        if not self.established or self.failed:
            raise RemoteError("association not established")
        try:
            self._connection.send(data)
        except SSL.Error as e:
            raise RemoteError("not sent", _reason(e)) from None
        self._flush()

    def close(self) -> None:
        """
        Say goodbye, if there is anybody to say it to.
        """
        if self.established and not self.failed:
            self.failed = True
            try:
                self._connection.shutdown()
            except SSL.Error:
                # The goodbye is a courtesy; the association ends either way.
                return
            self._flush()

    def nextDatagram(self) -> bytes | None:
        """
        What to send to the remote party, one datagram at a time.
        """
        return self._out.popleft() if self._out else None

    def nextEvent(self) -> Established | Failed | Closed | Received | None:
        """
        What happened, in order.
        """
        return self._events.popleft() if self._events else None

    def nextTimeout(self) -> float | None:
        """
        When L{timeout} wants to be called.
        """
        return self._timeoutAt

    def timeout(self, now: float) -> None:
        """
        Retransmit, or give up.
        """
        if self.established or self.failed:
            self._timeoutAt = None
        elif self._deadline is not None and now >= self._deadline:
            self._fail("timeout")
        else:
            try:
                self._connection.DTLSv1_handle_timeout()
            except SSL.Error as e:
                self._fail(_reason(e))
            self._flush()
            self._schedule(now)

    def profile(self) -> Profile | None:
        """
        The SRTP profile that was agreed on, if any.
        """
        name = self._connection.get_selected_srtp_profile().decode()
        return next((profile for profile in Profile if profile.dtls == name), None)

    def contexts(self) -> tuple[Context, Context]:
        """
        Fresh SRTP contexts from the exported keys (RFC 5764 clause 4.2): what
        unprotects what arrives, and what protects what is sent.  To be asked
        for once.

        @raise RemoteError: no SRTP profile was agreed on.
        """
        profile = self.profile()
        if profile is None:
            raise RemoteError("no common profile")
        material = self._connection.export_keying_material(_EXPORTER, exporterLength(profile))
        return contextPair(*keysFromExporter(profile, material, client=self.client))

    def cipher(self) -> str:
        """
        The cipher suite's name.
        """
        return self._connection.get_cipher_name() or ""

    def _advance(self, now: float) -> None:
        if self._deadline is None:
            self._deadline = now + HANDSHAKE_TIMEOUT
        try:
            if not self.established:
                self._connection.do_handshake()
                self._finish()
            # Even without application data this makes OpenSSL answer a
            # retransmitted last flight.
            while True:
                self._events.append(Received(self._connection.recv(65536)))
        except SSL.WantReadError:
            pass  # OpenSSL's way to say that it has seen everything.
        except SSL.ZeroReturnError:
            self.failed = True
            self._events.append(Closed())
        except SSL.Error as e:
            self._fail(_reason(e))
        self._flush()
        self._schedule(now)

    def _finish(self) -> None:
        certificate = self._connection.get_peer_certificate(as_cryptography=True)
        if certificate is None:
            self._fail("no certificate")
        else:
            self.established = True
            self._events.append(Established(certificate.public_bytes(Encoding.DER)))

    def _fail(self, reason: str) -> None:
        self.failed = True
        self._timeoutAt = None
        self._events.append(Failed(reason))

    def _schedule(self, now: float) -> None:
        if self.established or self.failed:
            self._timeoutAt = None
            return
        wait = self._connection.DTLSv1_get_timeout()
        assert self._deadline is not None
        self._timeoutAt = self._deadline if wait is None else min(self._deadline, now + wait)

    def _flush(self) -> None:
        try:
            flight = self._connection.bio_read(65536)
        except SSL.WantReadError:
            return
        # The buffer forgot where datagrams end; records remember where they
        # do, and may share a datagram (RFC 6347 clause 4.1.1).
        start = end = 0
        while end < len(flight):
            size = _RECORD_HEADER + int.from_bytes(flight[end + 11 : end + 13], "big")
            if end + size - start > MTU and end > start:
                self._out.append(flight[start:end])
                start = end
            end += size
        self._out.append(flight[start:])


def _anyCertificate(*arguments: object) -> bool:
    return True


def _checkRecords(data: bytes) -> None:
    at, end = 0, len(data)
    while at < end:
        if end - at < _RECORD_HEADER or not 20 <= data[at] <= 63:
            raise RemoteError("malformed record")
        at += _RECORD_HEADER + int.from_bytes(data[at + 11 : at + 13], "big")
    if at != end or not data:
        raise RemoteError("malformed record")


def _reason(error: SSL.Error) -> str:
    """
    What OpenSSL says, for people.
    """
    causes = error.args[0] if error.args else ()
    if isinstance(causes, list | tuple):
        texts = [cause[-1] for cause in causes if isinstance(cause, tuple) and cause]
        if "peer did not return a certificate" in texts:
            return "no certificate"
        return ", ".join(texts) or type(error).__name__
    return str(causes)
