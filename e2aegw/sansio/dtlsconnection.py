"""
OpenSSL's DTLS on memory buffers, called directly.

pyOpenSSL's own C{Connection} says "more, please" with an exception, allocates
64 KB for whatever it reads, and has a callback in Python look at each
certificate; of a handshake that was as much as its elliptic curves.  Contexts
are pyOpenSSL's.
"""

from collections.abc import Callable
from typing import Any
from weakref import WeakValueDictionary

from OpenSSL import SSL
from OpenSSL._util import exception_from_error_queue, ffi, lib

#: The longest datagram, and the longest flight that is fetched at a time.
_MAX_READ = 65536
#: The error of which OpenSSL tells the remote party as C{bad_certificate}:
#: X509_V_ERR_CERT_REJECTED.
_REJECTED = 28

#: Says whether a certificate, in DER, may be the right one.
Judge = Callable[[bytes], bool]

# Everybody's: nothing in it outlives the call that filled it.
_buffer = ffi.new("unsigned char[]", _MAX_READ)
_view = ffi.buffer(_buffer)
_seconds, _microseconds = ffi.new("time_t *"), ffi.new("long *")


# The handshakes that somebody judges, by where OpenSSL has them.
_judged: "WeakValueDictionary[int, Connection]" = WeakValueDictionary()


@ffi.callback("int (*)(int, X509_STORE_CTX *)")  # type: ignore[untyped-decorator]
def _judge(ok: int, store: object) -> int:
    if lib.X509_STORE_CTX_get_error_depth(store):
        return 1  # Who signed it does not matter.
    ssl = lib.X509_STORE_CTX_get_ex_data(store, lib.SSL_get_ex_data_X509_STORE_CTX_idx())
    connection = _judged.get(_key(ssl))
    if connection is None or connection.allows(_der(lib.X509_STORE_CTX_get_current_cert(store))):
        return 1
    lib.X509_STORE_CTX_set_error(store, _REJECTED)
    return 0


def _key(ssl: Any) -> int:
    return int(ffi.cast("uintptr_t", ssl))


def _der(certificate: Any) -> bytes:
    out = lib.BIO_new(lib.BIO_s_mem())
    try:
        lib.i2d_X509_bio(out, certificate)
        size = lib.BIO_read(out, _buffer, _MAX_READ)
        return _view[0 : max(0, size)]  # type: ignore[no-any-return]
    finally:
        lib.BIO_free(out)


def wantCertificate(context: SSL.Context) -> None:
    """
    Want a certificate, and take whatever it says, unless the connection's judge
    is against it.
    """
    lib.SSL_CTX_set_verify(context._context, SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, _judge)


class Connection:
    """
    One end of a connection.

    All methods may raise C{SSL.Error}.

    @ivar rejected: the certificate, as DER, that was not the right one.
    """

    __slots__ = ("__weakref__", "_fromSSL", "_judge", "_ssl", "_toSSL", "rejected")

    def __init__(self, context: SSL.Context, *, client: bool, mtu: int, judge: Judge | None = None) -> None:
        """
        @param mtu: the longest datagram to send.
        @param judge: asked during the handshake, once the remote party has
            shown its certificate.
        """
        self._judge, self.rejected = judge, b""
        ssl = lib.SSL_new(context._context)
        if ssl == ffi.NULL:
            exception_from_error_queue(SSL.Error)
        self._ssl: Any = ffi.gc(ssl, lib.SSL_free)
        if judge is not None:
            _judged[_key(ssl)] = self
        # They go with the connection.
        self._toSSL, self._fromSSL = lib.BIO_new(lib.BIO_s_mem()), lib.BIO_new(lib.BIO_s_mem())
        lib.SSL_set_bio(ssl, self._toSSL, self._fromSSL)
        lib.SSL_set_mtu(ssl, mtu)
        if client:
            lib.SSL_set_connect_state(ssl)
        else:
            lib.SSL_set_accept_state(ssl)

    def take(self, data: bytes) -> None:
        """
        Take a datagram from the network; what it means shows in what follows.
        """
        lib.BIO_write(self._toSSL, data, len(data))

    def handshake(self) -> bool:
        """
        Go on with the handshake.

        @return: whether it is done.
        """
        result = lib.SSL_do_handshake(self._ssl)
        if result == 1:
            if self._judge is not None:
                self._judge = None
                _judged.pop(_key(self._ssl), None)
            return True
        self._wait(result)
        return False

    def allows(self, certificate: bytes) -> bool:
        """
        Whether nobody is against the remote party's certificate.

        @param certificate: as DER.
        """
        if self._judge is None or self._judge(certificate):
            return True
        self.rejected = certificate
        return False

    def read(self) -> bytes | None:
        """
        One record of application data, if there is any.
        """
        result = lib.SSL_read(self._ssl, _buffer, _MAX_READ)
        if result > 0:
            return _view[0:result]  # type: ignore[no-any-return]
        self._wait(result)
        return None

    def send(self, data: bytes) -> None:
        """
        Send one record of application data.
        """
        result = lib.SSL_write(self._ssl, data, len(data))
        if result <= 0:
            self._wait(result)
            raise SSL.WantReadError

    def shutdown(self) -> None:
        """
        Say goodbye.
        """
        result = lib.SSL_shutdown(self._ssl)
        if result < 0:
            self._wait(result)

    def flight(self) -> bytes:
        """
        What is to be sent: datagrams, one behind the other.
        """
        size = lib.BIO_read(self._fromSSL, _buffer, _MAX_READ)
        if size <= 0:
            return b""
        flight: bytes = _view[0:size]
        while size == _MAX_READ:
            size = lib.BIO_read(self._fromSSL, _buffer, _MAX_READ)
            flight += _view[0 : max(0, size)]
        return flight

    def timeout(self) -> float | None:
        """
        Seconds until L{retransmit} is due, if at all.
        """
        if lib.Cryptography_DTLSv1_get_timeout(self._ssl, _seconds, _microseconds):
            return float(_seconds[0] + _microseconds[0] / 1e6)
        return None

    def retransmit(self) -> None:
        """
        Send the last flight again, if it is time.
        """
        result = lib.DTLSv1_handle_timeout(self._ssl)
        if result < 0:
            self._wait(result)

    def certificate(self) -> bytes | None:
        """
        The remote party's certificate, as DER.
        """
        certificate = lib.SSL_get_peer_certificate(self._ssl)
        if certificate == ffi.NULL:
            return None
        try:
            return _der(certificate)
        finally:
            lib.X509_free(certificate)

    def profile(self) -> str:
        """
        OpenSSL's name of the SRTP profile that was agreed on, or C{""}.
        """
        profile = lib.SSL_get_selected_srtp_profile(self._ssl)
        return "" if profile == ffi.NULL else str(ffi.string(profile.name).decode())

    def export(self, label: bytes, length: int) -> bytes:
        """
        Keying material (RFC 5705).
        """
        done = lib.SSL_export_keying_material(self._ssl, _buffer, length, label, len(label), ffi.NULL, 0, 0)
        if done != 1:
            exception_from_error_queue(SSL.Error)
        return _view[0:length]  # type: ignore[no-any-return]

    def cipher(self) -> str:
        """
        The name of the cipher suite in use, or C{""}.
        """
        cipher = lib.SSL_get_current_cipher(self._ssl)
        return "" if cipher == ffi.NULL else str(ffi.string(lib.SSL_CIPHER_get_name(cipher)).decode())

    def _wait(self, result: int) -> None:
        """
        Something could not be done, or not yet.

        @raise SSL.ZeroReturnError: the remote party has said goodbye.
        @raise SSL.Error: it never will be.
        """
        error = lib.SSL_get_error(self._ssl, result)
        if error == lib.SSL_ERROR_WANT_READ:
            return
        if error == lib.SSL_ERROR_ZERO_RETURN:
            raise SSL.ZeroReturnError
        exception_from_error_queue(SSL.Error)
