"""
The other end of a DTLS association: OpenSSL, too, but set up here and from
the RFCs.
"""

import contextlib
import datetime
from collections.abc import Callable, Iterable

from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL
from pylibsrtp import Policy, Session

from e2aegw.errors import RemoteError
from e2aegw.sansio import dtls
from e2aegw.sansio.certificate import Identity
from e2aegw.sansio.dtls import Association, Endpoint, Established
from e2aegw.sansio.srtp import Profile

NOW = datetime.datetime.now(datetime.UTC)
OURS, THEIRS = Identity.generate(NOW), Identity.generate(NOW)
ENDPOINT = Endpoint(OURS, list(Profile))
THEIR_DER = THEIRS.certificate.public_bytes(Encoding.DER)

#: OpenSSL's number of the version.
DTLS_1_0 = 0xFEFF

#: RFC 5764 clause 4.1.2 and RFC 7714 clause 14.2.
NUMBERS = {
    b"SRTP_AES128_CM_SHA1_80": "0001",
    b"SRTP_AES128_CM_SHA1_32": "0002",
    b"SRTP_AEAD_AES_128_GCM": "0007",
    b"SRTP_AEAD_AES_256_GCM": "0008",
}
POLICIES = {
    Profile.AEAD_AES_128_GCM: Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
    Profile.AEAD_AES_256_GCM: Policy.SRTP_PROFILE_AEAD_AES_256_GCM,
    Profile.AES_CM_128_HMAC_SHA1_80: Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    Profile.AES_CM_128_HMAC_SHA1_32: Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
}


def records(flight: bytes) -> list[bytes]:
    """
    Cut what OpenSSL wrote into records.
    """
    found = []
    while flight:
        end = 13 + int.from_bytes(flight[11:13], "big")
        found.append(flight[:end])
        flight = flight[end:]
    return found


def record(
    kind: int, body: bytes, version: bytes = b"\xfe\xfd", epoch: int = 0, sequence: int = 1000
) -> bytes:
    """
    A record that anybody could send.
    """
    numbers = epoch.to_bytes(2, "big") + sequence.to_bytes(6, "big") + len(body).to_bytes(2, "big")
    return bytes([kind]) + version + numbers + body


def fragments(flight: list[bytes], size: int) -> list[bytes]:
    """
    Cut a handshake message that is alone in its flight into records that hold
    a piece each (RFC 6347 clause 4.2.3), under numbers that OpenSSL does not
    get to.
    """
    (hello,) = flight
    kind, body = hello[13:19], hello[25:]
    found: list[bytes] = []
    for offset in range(0, len(body), size):
        piece = body[offset : offset + size]
        header = kind + offset.to_bytes(3, "big") + len(piece).to_bytes(3, "big")
        found.append(record(22, header + piece, hello[1:3], sequence=20 + len(found)))
    return found


class Peer:
    """
    The other end.

    @ivar done: whether its handshake is.
    @ivar error: what it ended with, if it did.
    @ivar data: what it received.
    """

    def __init__(
        self,
        *,
        client: bool,
        identity: Identity | None = THEIRS,
        profiles: bytes = b"SRTP_AES128_CM_SHA1_80",
        version: int | None = None,
        ciphers: bytes | None = None,
        mtu: int = 1400,
    ) -> None:
        context = SSL.Context(SSL.DTLS_METHOD)
        if version is not None:
            context.set_min_proto_version(version)
            context.set_max_proto_version(version)
        if ciphers is not None:
            context.set_cipher_list(ciphers)
            if ciphers.startswith(b"DHE"):
                context.load_tmp_dh(dtls.__file__.replace("dtls.py", "ffdhe2048.pem"))
        if identity is not None:
            context.use_certificate(identity.certificate)
            context.use_privatekey(identity.key)
        context.set_verify(SSL.VERIFY_PEER, lambda *arguments: True)
        context.set_options(SSL.OP_NO_QUERY_MTU)
        if profiles:
            context.set_tlsext_use_srtp(profiles)
        self.connection = SSL.Connection(context, None)
        self.connection.set_ciphertext_mtu(mtu)
        if client:
            self.connection.set_connect_state()
        else:
            self.connection.set_accept_state()
        self.client = client
        self.done = False
        self.error: SSL.Error | None = None
        self.data: list[bytes] = []

    def receive(self, datagrams: Iterable[bytes] = ()) -> list[bytes]:
        """
        Take datagrams.

        @return: the records to send.
        """
        for datagram in datagrams:
            self.connection.bio_write(datagram)
        try:
            if not self.done:
                self.connection.do_handshake()
                self.done = True
            while True:
                self.data.append(self.connection.recv(65536))
        except SSL.WantReadError:
            pass  # That was all.
        except SSL.Error as error:
            self.error = error
        return self.written()

    def written(self) -> list[bytes]:
        """
        The records to send.
        """
        flight = b""
        with contextlib.suppress(SSL.WantReadError):
            while True:
                flight += self.connection.bio_read(65536)
        return records(flight)

    def sessions(self, profile: Profile) -> tuple[Session, Session]:
        """
        SRTP sessions from the exported keys, laid out as RFC 5764 clause 4.2
        says: what unprotects what arrives, and what protects what is sent.
        """
        key, salt = profile.keyLength, profile.saltLength
        exported = self.connection.export_keying_material(b"EXTRACTOR-dtls_srtp", 2 * (key + salt))
        clientKey, serverKey = exported[:key], exported[key : 2 * key]
        clientSalt, serverSalt = exported[2 * key : 2 * key + salt], exported[2 * key + salt :]
        ofClient, ofServer = clientKey + clientSalt, serverKey + serverSalt
        mine, yours = (ofClient, ofServer) if self.client else (ofServer, ofClient)
        return (
            Session(Policy(yours, Policy.SSRC_ANY_INBOUND, srtp_profile=POLICIES[profile])),
            Session(Policy(mine, Policy.SSRC_ANY_OUTBOUND, srtp_profile=POLICIES[profile])),
        )


def datagrams(association: Association) -> list[bytes]:
    """
    What an association has to send.
    """
    return list(iter(association.nextDatagram, None))


def events(association: Association) -> list[object]:
    """
    What happened to an association.
    """
    return list(iter(association.nextEvent, None))


def shake(
    association: Association,
    peer: Peer,
    network: Callable[[list[bytes]], list[bytes]] = lambda sent: sent,
) -> None:
    """
    Carry datagrams between both until there are none.

    @param network: what becomes of the datagrams of one flight.
    """
    if association.client:
        association.start(0.0)
        toUs: list[bytes] = []
    else:
        toUs = peer.receive()
    while True:
        for datagram in network(toUs):
            with contextlib.suppress(RemoteError):
                association.receive(datagram, 0.0)
        toPeer = datagrams(association)
        if not toUs and not toPeer:
            return
        toUs = peer.receive(network(toPeer))


def established(
    *, client: bool, profile: Profile = Profile.AES_CM_128_HMAC_SHA1_80
) -> tuple[Association, Peer]:
    """
    Both ends after a handshake.

    @param client: whether we are the client.
    """
    association, peer = (
        ENDPOINT.connect(client=client),
        Peer(client=not client, profiles=profile.dtls.encode()),
    )
    shake(association, peer)
    assert isinstance(association.nextEvent(), Established)
    return association, peer
