"""
The other end of TLS connections: OpenSSL, too, but set up here and from the
RFCs.
"""

import datetime
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL

from e2aegw.sansio.certificate import Fingerprint, Identity
from tests.transport.connection import Connection

NOW = datetime.datetime.now(datetime.UTC)
OURS, THEIRS, OTHERS = (Identity.generate(NOW) for _ in range(3))


def fingerprintOf(identity: Identity, function: str = "sha-256") -> str:
    """
    What a description says of a certificate.
    """
    return str(Fingerprint.of(identity.certificate.public_bytes(Encoding.DER), function))


class TLSPeer:
    """
    One end of a TLS connection.

    @ivar received: what the other end said.
    @ivar established: whether the handshake is done, as seen from here.
    @ivar error: what went wrong.
    @ivar alerts: the alerts that came before anything was encrypted, and what
        OpenSSL made of the others.
    @ivar ended: whether the other end said goodbye.
    """

    def __init__(
        self,
        *,
        client: bool,
        identity: Identity | None = THEIRS,
        version: int | None = None,
        oldest: int | None = None,
    ) -> None:
        """
        @param identity: whose certificate to show, or L{None} for no one's.
        @param version: the version to speak, or L{None} for any.
        @param oldest: the same, if it is one that OpenSSL does not like.
        """
        context = SSL.Context(SSL.TLS_METHOD)
        if identity is not None:
            context.use_certificate(identity.certificate)
            context.use_privatekey(identity.key)
        if oldest is not None:
            context.set_cipher_list(b"ALL:@SECLEVEL=0")
            version = oldest
        if version is not None:
            context.set_min_proto_version(version)
            context.set_max_proto_version(version)
        context.set_verify(SSL.VERIFY_PEER, lambda *args: True)
        self.connection = SSL.Connection(context, None)
        if client:
            self.connection.set_connect_state()
        else:
            self.connection.set_accept_state()
        self.received = b""
        self.established = self.ended = False
        self.error = ""
        self.link: Connection | None = None

    def join(self, link: Connection) -> "TLSPeer":
        """
        Take the other end of a TCP connection, and do what there is to do.
        """
        self.link = link
        self.advance()
        return self

    def say(self, data: bytes) -> None:
        """
        Send.
        """
        while data:
            # pyOpenSSL writes one record at a time.
            data = data[self.connection.send(data) :]
        self.advance()

    def goodbye(self) -> None:
        """
        Say that there is no more.
        """
        self.connection.shutdown()
        self.advance()

    def advance(self) -> None:
        """
        Move bytes until nobody has any.
        """
        assert self.link is not None
        link: Any = self.link
        for _ in range(100):
            self._step()
            out = self._out()
            if out and link.connected:
                link.protocol.dataReceived(out)
            heard = link.value()
            link.clear()
            if heard:
                self.connection.bio_write(heard)
            elif not out:
                return

    def _step(self) -> None:
        try:
            if not self.established:
                self.connection.do_handshake()
                self.established = True
            while True:
                self.received += self.connection.recv(65536)
        except SSL.WantReadError:
            pass  # It has seen everything.
        except SSL.ZeroReturnError:
            self.ended = True
        except SSL.Error as e:
            self.error = self.error or str(e)

    def _out(self) -> bytes:
        try:
            return self.connection.bio_read(1 << 20)
        except SSL.WantReadError:
            return b""
