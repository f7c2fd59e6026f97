"""
TLS (RFC 8446, RFC 5246) as OpenSSL speaks it, on memory buffers.

Whose certificate is the right one the description says (RFC 8122), or, where
the operator has certificates signed, L{Trust}.
"""

import datetime
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL
from OpenSSL.crypto import X509, X509Store, X509StoreContext, X509StoreContextError
from service_identity import CertificateError, VerificationError
from service_identity.cryptography import verify_certificate_hostname, verify_certificate_ip_address

from e2aegw.errors import RemoteError
from e2aegw.sansio.certificate import Identity

#: Octets that the remote party may send before the handshake's end.  A long
#: chain of certificates with a post-quantum key share takes 20,000.
MAX_HANDSHAKE = 128 * 1024
#: The content of a record, at most (RFC 8446 clause 5.1).
_RECORD = 16384
#: What a record is longer than its content, and more.
_OVERHEAD = 64
#: TLS 1.2.  1.0 and 1.1 are refused (TS 33.210 clause 6.2.1).
_TLS_1_2 = SSL.TLS1_2_VERSION
#: The group ffdhe2048 (RFC 7919 appendix A.1).
_GROUP = Path(__file__).with_name("ffdhe2048.pem")
_CIPHERS = b"ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:!aNULL:!eNULL"
#: The records that a party may begin with, and all that there are (RFC 8446
#: clause 5.1).
_ALERT, _HANDSHAKE = 21, 22
_FIRST_TYPE, _LAST_TYPE = 20, 23
#: What comes before a record's content: type, version and length.
_HEADER = 5
#: The longest content of a record that is encrypted (RFC 5246 clause 6.2.3).
_LONGEST = _RECORD + 2048
#: A moment before there were certificates, so that each of them is found not
#: to be valid yet: of the answers that there are, that is the one which tells
#: the remote party C{bad_certificate}.
_LONG_AGO = datetime.datetime(1970, 1, 2, tzinfo=datetime.UTC)
_NOT_YET_VALID = 9
#: What OpenSSL says, in our words.
_WORDS = {
    "peer did not return a certificate": "no certificate",
    "unsupported protocol": "no common version",
    "tlsv1 alert protocol version": "no common version",
    "version too low": "no common version",
    "no shared cipher": "no common cipher",
    "certificate verify failed": "fingerprint mismatch",
}

#: Says whether a certificate, in DER, is the right one, or L{None}: that is not
#: known yet.
Judge = Callable[[bytes], bool | None]


@dataclass(frozen=True, slots=True)
class Trust:
    """
    Whom to believe without a fingerprint.

    @ivar authorities: who signs certificates.
    @ivar names: the names of which a certificate must have one; if there are
        none, the one that the description says.
    """

    authorities: tuple[x509.Certificate, ...]
    names: tuple[str, ...] = ()

    def check(self, chain: Sequence[x509.Certificate], named: str) -> None:
        """
        See whether a certificate is signed and has a name that it should have.

        @param chain: it, and those that its party sent along.
        @param named: the host that the description says.

        @raise RemoteError: it is not, or has not.
        """
        store = X509Store()
        for authority in self.authorities:
            store.add_cert(X509.from_cryptography(authority))
        leaf, *others = (X509.from_cryptography(each) for each in chain)
        try:
            X509StoreContext(store, leaf, others).verify_certificate()
        except X509StoreContextError as e:
            raise RemoteError("untrusted certificate", str(e)) from None
        for name in self.names or (named,):
            verify = verify_certificate_ip_address if _isNumeric(name) else verify_certificate_hostname
            try:
                verify(chain[0], name)
            except (VerificationError, CertificateError, ValueError):
                continue  # It may have another one of them.
            return
        raise RemoteError("wrong name in certificate")


class Endpoint:
    """
    What all connections under one certificate share.
    """

    def __init__(self, identity: Identity, *, rsa: Identity | None = None) -> None:
        """
        @param rsa: a second certificate, for peers that have no others.  With
            TLS 1.3, and as the server, we show the one that the other party
            can check.  As the client of TLS 1.2, who has to decide
            beforehand, we show this one: everybody has RSA.
        """
        self.identity = identity
        self.fingerprints = identity.fingerprints + (() if rsa is None else rsa.fingerprints)
        context = SSL.Context(SSL.TLS_METHOD)
        context.set_min_proto_version(_TLS_1_2)
        context.set_options(SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_COMPRESSION | SSL.OP_NO_TICKET)
        context.set_mode(SSL.MODE_RELEASE_BUFFERS)
        # A session that is resumed shows no certificate.
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.set_cipher_list(_CIPHERS)
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, _verify)
        store = context.get_cert_store()
        assert store is not None
        store.set_time(_LONG_AGO)
        # The one that comes last is the client's.
        for each in (identity,) if rsa is None else (identity, rsa):
            context.use_certificate(each.certificate)
            context.use_privatekey(each.key)
        if rsa is not None or identity.isRSA:
            # Without a group a server has no DHE suites.
            context.load_tmp_dh(_GROUP)
        self._context = context

    def connect(self, *, client: bool, judge: Judge) -> "Connection":
        """
        Begin a connection.

        @param judge: asked during the handshake, once the remote party has
            shown its certificate.
        """
        return Connection(SSL.Connection(self._context, None), client=client, judge=judge)


class Connection:
    """
    One TLS connection.

    @ivar established: the handshake is done.  Whether the certificate is the
        right one is for the caller to say, if the judge did not know.
    @ivar closed: the remote party has said that it sends no more.
    @ivar certificate: the remote party's, as DER, as soon as it was shown.
    """

    def __init__(self, connection: SSL.Connection, *, client: bool, judge: Judge) -> None:
        self.client = client
        self.established = self.closed = False
        self.certificate: bytes | None = None
        self.judge: Judge | None = judge
        self._connection = connection
        self._octets = 0
        # The beginning of a record.
        self._rest = b""
        connection.set_app_data(self)
        if client:
            connection.set_connect_state()
        else:
            connection.set_accept_state()

    def start(self) -> None:
        """
        As the client, write a ClientHello.
        """
        self._handshake()

    def receive(self, data: bytes) -> bytes:
        """
        Take some octets from the remote party.  There may be L{output} after
        that, even if it raises.

        @return: what they say.

        @raise RemoteError: they are not TLS, or the handshake has failed.
        """
        if not self.established:
            if not self._octets and data[:1] and data[0] not in (_HANDSHAKE, _ALERT):
                raise RemoteError("not protected")
            self._octets += len(data)
            if self._octets > MAX_HANDSHAKE:
                raise RemoteError("endless handshake")
        pieces: list[bytes] = []
        rest, at, size = self._rest, 0, len(data)
        if rest:
            if len(rest) < _HEADER:
                data, rest, size = rest + data, b"", len(rest) + size
            else:
                at = _HEADER + (rest[3] << 8 | rest[4]) - len(rest)
                if size < at:
                    self._rest = rest + data
                    return b""
                self._rest = b""
                self._read(rest + data[:at], pieces)
        self._rest = b""
        view = memoryview(data)
        while size - at >= _HEADER:
            length = data[at + 3] << 8 | data[at + 4]
            if length > _LONGEST or not _FIRST_TYPE <= data[at] <= _LAST_TYPE:
                raise RemoteError("broken record")
            end = at + _HEADER + length
            if end > size:
                break
            self._read(view[at:end], pieces)
            at = end
        if at < size:
            self._rest = bytes(view[at:])
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _read(self, record: bytes | memoryview, pieces: list[bytes]) -> None:
        """
        Take a record.  One at a time, because OpenSSL's buffers keep the size
        that they once had, and to hear that there is nothing more costs as
        much as a record.

        @param pieces: where to put what it says.

        @raise RemoteError: it is not TLS, or the handshake has failed.
        """
        connection = self._connection
        connection.bio_write(record)
        if not self.established:
            self._handshake()
            return
        try:
            pieces.append(connection.recv(_RECORD))
        except SSL.WantReadError:
            pass  # It was not for us, but for OpenSSL.
        except SSL.ZeroReturnError:
            self.closed = True
        except SSL.Error as e:
            raise RemoteError("broken record", _reason(e)) from None

    def send(self, data: bytes) -> bytes:
        """
        Protect what is to be sent.

        @raise RemoteError: the handshake is not done, or the connection ended.
        """
        if not self.established:
            raise RemoteError("not established")
        if not data:
            return b""
        if len(data) <= _RECORD:
            return self._seal(data)
        whole = memoryview(data)
        return b"".join(
            [self._seal(whole[start : start + _RECORD]) for start in range(0, len(data), _RECORD)]
        )

    def _seal(self, data: bytes | memoryview) -> bytes:
        """
        The same for what fits into a record; for the size, see L{_read}.

        @raise RemoteError: the connection ended.
        """
        try:
            self._connection.send(data)
        except SSL.Error as e:
            raise RemoteError("not sent", _reason(e)) from None
        return self.output(len(data) + _OVERHEAD)

    def output(self, size: int = _RECORD) -> bytes:
        """
        What is to be sent to the remote party.

        @param size: about how much that may be.
        """
        read = self._connection.bio_read
        out: list[bytes] = []
        try:
            while True:
                out.append(read(size))
                if len(out[-1]) < size:
                    break
        except SSL.WantReadError:
            pass  # OpenSSL's way to say that this was all.
        return out[0] if len(out) == 1 else b"".join(out)

    def close(self) -> None:
        """
        Say goodbye (C{close_notify}).
        """
        if self.established:
            try:
                self._connection.shutdown()
            except SSL.Error:
                # The goodbye is a courtesy; the connection ends either way.
                return

    def chain(self) -> list[x509.Certificate]:
        """
        The remote party's certificate, and those that it sent along.
        """
        leaf = self._connection.get_peer_certificate(as_cryptography=True)
        others = self._connection.get_peer_cert_chain(as_cryptography=True) or []
        return [] if leaf is None else [leaf, *(each for each in others if each != leaf)]

    def cipher(self) -> str:
        """
        The version's and the cipher suite's name.
        """
        return f"{self._connection.get_protocol_version_name()} {self._connection.get_cipher_name() or ''}"

    def _handshake(self) -> None:
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            return
        except SSL.ZeroReturnError:
            raise RemoteError("closed by the remote party") from None
        except SSL.Error as e:
            reason = _reason(e)
            raise RemoteError(reason) from None
        self.established = True
        self.judge = None


def _isNumeric(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _verify(connection: SSL.Connection, certificate: X509, error: int, depth: int, ok: int) -> bool:
    """
    OpenSSL asks about each thing that it has against a certificate, and at
    last whether there is anything else.
    """
    if depth or error not in (0, _NOT_YET_VALID):
        return True
    own: Connection = connection.get_app_data()
    own.certificate = certificate.to_cryptography().public_bytes(Encoding.DER)
    return own.judge is None or own.judge(own.certificate) is not False


def _reason(error: SSL.Error) -> str:
    """
    What went wrong, for people.
    """
    causes = error.args[0] if error.args else ()
    texts = [cause[-1] for cause in causes] if isinstance(causes, list) else []
    for text in texts:
        if text in _WORDS:
            return _WORDS[text]
    if isinstance(error, SSL.SysCallError):
        return "cut short"
    return ", ".join(texts) or type(error).__name__
