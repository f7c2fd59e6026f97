"""
A browser, as far as its media goes, on the memory network: full ICE, DTLS 1.2
and SRTP, written on other people's libraries and not on the gateway's modules.
"""

import datetime
import hashlib
import re
import struct
from typing import Any

from aioice import stun
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from OpenSSL import SSL
from pylibsrtp import Error, Policy, Session

from e2aegw.interfaces import Address, IDatagramNetwork

_PASSWORD = "browserbrowserbrowserbr"
_PROFILES = {
    b"SRTP_AES128_CM_SHA1_80": (Policy.SRTP_PROFILE_AES128_CM_SHA1_80, 16, 14),
    b"SRTP_AEAD_AES_128_GCM": (Policy.SRTP_PROFILE_AEAD_AES_128_GCM, 16, 12),
    b"SRTP_AEAD_AES_256_GCM": (Policy.SRTP_PROFILE_AEAD_AES_256_GCM, 32, 12),
    b"SRTP_AES128_CM_SHA1_32": (Policy.SRTP_PROFILE_AES128_CM_SHA1_32, 16, 14),
}


def certificate() -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey, str]:
    """
    A fresh certificate, its key and its SHA-256 fingerprint.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "browser")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .sign(key, hashes.SHA256())
    )
    digest = hashlib.sha256(made.public_bytes(serialization.Encoding.DER)).hexdigest().upper()
    return made, key, ":".join(digest[i : i + 2] for i in range(0, 64, 2))


class Browser:
    """
    One end of a call.

    @ivar setup: what its descriptions say.
    @ivar received: RTP packets in the clear; C{receivedControl}: RTCP packets.
    """

    def __init__(
        self,
        network: IDatagramNetwork,
        host: str = "192.0.2.9",
        *,
        port: int = 50000,
        profiles: bytes = b"SRTP_AES128_CM_SHA1_80",
        formats: str = "111 0",
        present: bool = True,
    ) -> None:
        """
        @param present: whether to show a certificate.
        """
        self.network, self.host = network, host
        self.port = network.bind((host, port), self._receive)
        self.setup = "actpass"
        self.ufrag, self.formats = "brow", formats
        made, key, self.fingerprint = certificate()
        context = SSL.Context(SSL.DTLS_METHOD)
        context.set_verify(SSL.VERIFY_PEER, lambda *_: True)
        context.set_cipher_list(b"ECDHE+AESGCM:@SECLEVEL=1")
        if present:
            context.use_certificate(made)
            context.use_privatekey(key)
        if profiles:
            context.set_tlsext_use_srtp(profiles)
        self.context = context
        self.connection: SSL.Connection | None = None
        self.established = False
        self.received: list[bytes] = []
        self.receivedControl: list[bytes] = []
        self.responses: list[stun.Message] = []
        self.refused = 0
        self.remote: Address | None = None
        self.remoteUfrag = self.remotePwd = ""
        self._in: Any = None
        self._out: Any = None
        self._sequence = 100
        self.ssrc = 0x0B00B5

    def offer(self, extra: str = "", media: str = "audio") -> str:
        """
        A description, as an offer or, if something was accepted, an answer.
        """
        return self.session() + self.section(extra, media)

    def session(self, lines: str = "") -> str:
        """
        The session-level part.
        """
        return (
            "v=0\r\no=- 4611 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
            f"a=extmap-allow-mixed\r\na=msid-semantic: WMS stream\r\n{lines}"
        )

    def section(self, extra: str = "", media: str = "audio") -> str:
        """
        A media section.
        """
        host, port = self.port.address
        return (
            f"m={media} {port} UDP/TLS/RTP/SAVPF {self.formats}\r\nc=IN IP4 {host}\r\n"
            "a=rtcp:9 IN IP4 0.0.0.0\r\n"
            f"a=candidate:1 1 udp 2130706431 {host} {port} typ host generation 0\r\n"
            f"a=ice-ufrag:{self.ufrag}\r\na=ice-pwd:{_PASSWORD}\r\na=ice-options:trickle\r\n"
            f"a=fingerprint:sha-256 {self.fingerprint}\r\na=setup:{self.setup}\r\n"
            "a=sendrecv\r\na=msid:stream track\r\na=rtcp-mux\r\na=rtcp-rsize\r\n"
            "a=rtpmap:111 opus/48000/2\r\na=rtcp-fb:111 transport-cc\r\na=fmtp:111 minptime=10\r\n"
            f"a=rtpmap:0 PCMU/8000\r\na=ssrc:{self.ssrc} cname:abc\r\n{extra}"
        )

    def accept(self, sdp: str) -> None:
        """
        Take the gateway's description.
        """
        self.remoteUfrag = re.findall(r"a=ice-ufrag:(\S+)", sdp)[0]
        self.remotePwd = re.findall(r"a=ice-pwd:(\S+)", sdp)[0]
        found = re.findall(r"a=candidate:\S+ 1 udp \d+ (\S+) (\d+) typ host", sdp)[0]
        self.remote = (found[0], int(found[1]))
        self.theirFingerprint = re.findall(r"a=fingerprint:sha-256 (\S+)", sdp)[0]
        self.theirSetup = re.findall(r"a=setup:(\S+)", sdp)[0]

    def check(self, *, use: bool = True, password: str | None = None, to: Address | None = None) -> None:
        """
        Send a connectivity check.
        """
        request = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
        request.attributes["USERNAME"] = f"{self.remoteUfrag}:{self.ufrag}"
        request.attributes["PRIORITY"] = 1
        request.attributes["ICE-CONTROLLING"] = 1
        if use:
            request.attributes["USE-CANDIDATE"] = None
        request.add_message_integrity((password or self.remotePwd).encode())
        self._send(bytes(request), to)

    def hello(self, *, client: bool) -> None:
        """
        Begin or await the handshake.
        """
        self.connection = SSL.Connection(self.context, None)
        if client:
            self.connection.set_connect_state()
        else:
            self.connection.set_accept_state()
        self.client = client
        self._handshake()

    def sendMedia(self, payloadType: int = 0, ssrc: int | None = None) -> bytes:
        """
        Send an RTP packet.

        @return: the packet in the clear.
        """
        self._sequence += 1
        source = self.ssrc if ssrc is None else ssrc
        packet = struct.pack("!BBHII", 0x80, payloadType, self._sequence, 160, source) + b"m" * 160
        self._send(self._out.protect(packet))
        return packet

    def sendControl(self, packet: bytes) -> None:
        """
        Send an RTCP packet.
        """
        self._send(self._out.protect_rtcp(packet))

    def sendRaw(self, data: bytes, to: Address | None = None) -> None:
        """
        Send a datagram as it is.
        """
        self._send(data, to)

    def _send(self, data: bytes, to: Address | None = None) -> None:
        destination = to or self.remote
        assert destination is not None
        self.port.sendto(data, destination)

    def _receive(self, data: bytes, source: Address) -> None:
        if data[0] < 4:
            self.responses.append(stun.parse_message(data))
        elif data[0] < 64:
            if self.connection is None:
                self.hello(client=False)
            assert self.connection is not None
            self.connection.bio_write(data)
            self._handshake()
        else:
            control = 192 <= data[1] <= 223
            try:
                if control:
                    self.receivedControl.append(self._in.unprotect_rtcp(data))
                else:
                    self.received.append(self._in.unprotect(data))
            except Error:
                self.refused += 1

    def _handshake(self) -> None:
        connection = self.connection
        assert connection is not None
        try:
            if self.established:
                connection.recv(4096)
            else:
                connection.do_handshake()
                self._keys(connection)
        except SSL.WantReadError:
            pass  # More has to come.
        except SSL.ZeroReturnError:
            self.established = False
        except SSL.Error as e:
            self.error = str(e)
        try:
            flight = connection.bio_read(65536)
        except SSL.WantReadError:
            return
        while flight:
            size = 13 + int.from_bytes(flight[11:13], "big")
            self._send(flight[:size])
            flight = flight[size:]

    def _keys(self, connection: SSL.Connection) -> None:
        self.established = True
        if not connection.get_selected_srtp_profile():
            return
        profile, key, salt = _PROFILES[connection.get_selected_srtp_profile()]
        material = connection.export_keying_material(b"EXTRACTOR-dtls_srtp", 2 * (key + salt))
        mine = material[:key] + material[2 * key : 2 * key + salt]
        theirs = material[key : 2 * key] + material[2 * key + salt :]
        if not self.client:
            mine, theirs = theirs, mine
        self._out = Session(Policy(key=mine, ssrc_type=Policy.SSRC_ANY_OUTBOUND, srtp_profile=profile))
        self._in = Session(Policy(key=theirs, ssrc_type=Policy.SSRC_ANY_INBOUND, srtp_profile=profile))
