"""
Terminals that live in the test's own process, many at a time: one with plain
RTP, one with SDES and one with ICE and DTLS-SRTP.

They are made of OpenSSL, libsrtp and aioice's STUN, and of nothing of the
gateway's.
"""

import datetime
import hashlib
import os
import re
import socket
import struct
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Iterator
from typing import Any

from aioice import stun
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from OpenSSL import SSL
from pylibsrtp import Error, Policy, Session

from tests.peers.weather import Weather

HOST = "127.0.0.1"
#: Seconds between two connectivity checks that are not answered.
CHECK_AGAIN = 0.05
#: Seconds between two looks at OpenSSL's own timer.
HANDSHAKE_AGAIN = 0.05
#: Packets read from one socket at a time.
DRAIN = 64

_SUITE = "AES_CM_128_HMAC_SHA1_80"
_KEY, _SALT = 16, 14
_SENDER_REPORT = 200


def rtp(payload: bytes, sequence: int, ssrc: int) -> bytes:
    """
    An RTP packet of PCMU (RFC 3550 clause 5.1).
    """
    return struct.pack("!BBHII", 0x80, 0, sequence & 0xFFFF, 160 * sequence, ssrc) + payload


def senderReport(ssrc: int) -> bytes:
    """
    An RTCP packet (RFC 3550 clause 6.4.1).
    """
    return struct.pack("!BBHI5I", 0x80, _SENDER_REPORT, 6, ssrc, 1, 2, 3, 4, 5)


def _isControl(data: bytes) -> bool:
    # RFC 5761 clause 4
    return len(data) > 1 and 192 <= data[1] <= 223


class Terminal:
    """
    A terminal with plain RTP and a port of its own for RTCP.

    @cvar proto: its profile.
    @ivar sockets: for RTP and, unless they share one, RTCP.
    @ivar heard: the payloads of what arrived, and how often each did.
    @ivar reports: how many RTCP packets arrived.
    @ivar refused: how many packets arrived that were not for these ears.
    """

    proto = "RTP/AVP"
    ports = 2

    def __init__(self, name: str, weather: Weather) -> None:
        self.name = name
        self.heard: Counter[bytes] = Counter()
        self.reports = 0
        self.refused = 0
        self.sockets: list[socket.socket] = []
        self.remotes: list[tuple[str, int]] = []
        self._weather = weather
        self._ssrc = int.from_bytes(os.urandom(4), "big")
        self._sequence = int.from_bytes(os.urandom(2), "big")
        for _ in range(self.ports):
            each = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            each.bind((HOST, 0))
            each.setblocking(False)
            self.sockets.append(each)

    @property
    def ready(self) -> bool:
        """
        Whether it can send media.
        """
        return bool(self.remotes)

    def describe(self) -> str:
        """
        Its description, as an offer or an answer.
        """
        ports = [each.getsockname()[1] for each in self.sockets]
        lines = "".join(f"a={line}\r\n" for line in self.lines())
        rtcp = f"a=rtcp:{ports[1]}\r\n" if len(ports) > 1 else ""
        return (
            f"v=0\r\no=- 1 1 IN IP4 {HOST}\r\ns=-\r\nc=IN IP4 {HOST}\r\nt=0 0\r\n"
            f"m=audio {ports[0]} {self.proto} 0\r\na=rtpmap:0 PCMU/8000\r\n{rtcp}{lines}"
        )

    def lines(self) -> Iterator[str]:
        """
        The attributes that others do not have.
        """
        yield "sendrecv"

    def learn(self, sdp: str) -> None:
        """
        Read the other party's description.
        """
        port = re.search(r"m=audio (\d+) ", sdp)
        rtcp = re.search(r"a=rtcp:(\d+)", sdp)
        assert port is not None
        first = int(port[1])
        assert first, sdp
        self.remotes = [(HOST, first), (HOST, int(rtcp[1]) if rtcp else first + 1)][: self.ports]

    def say(self, number: int) -> bytes:
        """
        Send a packet.

        @return: its payload.
        """
        payload = f"{self.name} {number}".encode().ljust(160, b".")
        self._sequence += 1
        packet = rtp(payload, self._sequence, self._ssrc)
        self._weather.send(self.sockets[0], self.protect(packet), self.remotes[0])
        return payload

    def report(self) -> None:
        """
        Send an RTCP packet.
        """
        self._weather.send(self.sockets[-1], self.protectControl(senderReport(self._ssrc)), self.remotes[-1])

    def protect(self, packet: bytes) -> bytes:
        """
        What goes on the wire for an RTP packet.
        """
        return packet

    def protectControl(self, packet: bytes) -> bytes:
        """
        What goes on the wire for an RTCP packet.
        """
        return packet

    def unprotect(self, data: bytes, control: bool) -> bytes:
        """
        Undo L{protect} and L{protectControl}.

        @raise Error: it is not authentic.
        """
        return data

    def listen(self, which: socket.socket) -> None:
        """
        Read what has arrived.
        """
        for _ in range(DRAIN):
            try:
                data, source = which.recvfrom(4096)
            except (BlockingIOError, ConnectionRefusedError):
                return
            self.received(data, source)

    def received(self, data: bytes, source: tuple[str, int]) -> None:
        """
        A datagram came.
        """
        control = _isControl(data)
        try:
            packet = self.unprotect(data, control)
        except Error:
            self.refused += 1
            return
        if control:
            self.reports += 1
        else:
            self.heard[packet[12:]] += 1

    def tick(self, now: float) -> None:
        """
        Time goes by.
        """

    def close(self) -> None:
        """
        Let go of the sockets.
        """
        for each in self.sockets:
            each.close()


def _session(key: bytes, inbound: bool) -> Session:
    kind = Policy.SSRC_ANY_INBOUND if inbound else Policy.SSRC_ANY_OUTBOUND
    return Session(Policy(key=key, ssrc_type=kind, srtp_profile=Policy.SRTP_PROFILE_AES128_CM_SHA1_80))


class SecuredTerminal(Terminal):
    """
    What SDES and DTLS-SRTP have in common.
    """

    _inbound: Session | None = None
    _outbound: Session | None = None

    @property
    def ready(self) -> bool:
        """
        See L{Terminal.ready}.
        """
        return self._outbound is not None

    def protect(self, packet: bytes) -> bytes:
        """
        See L{Terminal.protect}.
        """
        assert self._outbound is not None
        return self._outbound.protect(packet)

    def protectControl(self, packet: bytes) -> bytes:
        """
        See L{Terminal.protectControl}.
        """
        assert self._outbound is not None
        return self._outbound.protect_rtcp(packet)

    def unprotect(self, data: bytes, control: bool) -> bytes:
        """
        See L{Terminal.unprotect}.

        @raise Error: it is not authentic.
        """
        if self._inbound is None:
            raise Error("no keys yet")
        return self._inbound.unprotect_rtcp(data) if control else self._inbound.unprotect(data)


class SDESTerminal(SecuredTerminal):
    """
    A terminal that says its keys in its description.
    """

    proto = "RTP/SAVP"

    def __init__(self, name: str, weather: Weather) -> None:
        super().__init__(name, weather)
        self._key = os.urandom(_KEY + _SALT)

    def lines(self) -> Iterator[str]:
        """
        See L{Terminal.lines}.
        """
        yield f"crypto:1 {_SUITE} inline:{b64encode(self._key).decode()}"

    def learn(self, sdp: str) -> None:
        """
        See L{Terminal.learn}.
        """
        super().learn(sdp)
        key = re.search(rf"a=crypto:1 {_SUITE} inline:(\S+)", sdp)
        assert key is not None, sdp
        self._inbound = _session(b64decode(key[1]), True)
        self._outbound = _session(self._key, False)


class Certificate:
    """
    A certificate that several terminals share, to save time.
    """

    def __init__(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "terminal")])
        now = datetime.datetime.now(datetime.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .sign(key, hashes.SHA256())
        )
        self.context = SSL.Context(SSL.DTLS_METHOD)
        self.context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *arguments: True)
        self.context.use_certificate(certificate)
        self.context.use_privatekey(key)
        self.context.set_tlsext_use_srtp(b"SRTP_AES128_CM_SHA1_80")
        digest = hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).hexdigest().upper()
        self.fingerprint = ":".join(digest[i : i + 2] for i in range(0, len(digest), 2))


class DTLSTerminal(SecuredTerminal):
    """
    A terminal like a browser: one port, ICE, and DTLS as the client.
    """

    proto = "UDP/TLS/RTP/SAVPF"
    ports = 1

    def __init__(self, name: str, weather: Weather, certificate: Certificate) -> None:
        super().__init__(name, weather)
        self._certificate = certificate
        self._user, self._password = os.urandom(4).hex(), os.urandom(12).hex()
        self._theirs = ("", "")
        self._check: Any = None
        self._checked = False
        self._next = 0.0
        self._connection = SSL.Connection(certificate.context, None)
        self._connection.set_connect_state()
        self._connection.set_ciphertext_mtu(1200)

    def lines(self) -> Iterator[str]:
        """
        See L{Terminal.lines}.
        """
        port = self.sockets[0].getsockname()[1]
        yield "rtcp-mux"
        yield "setup:active"
        yield f"fingerprint:sha-256 {self._certificate.fingerprint}"
        yield f"ice-ufrag:{self._user}"
        yield f"ice-pwd:{self._password}"
        yield f"candidate:1 1 udp 2130706431 {HOST} {port} typ host"

    def learn(self, sdp: str) -> None:
        """
        See L{Terminal.learn}.
        """
        super().learn(sdp)
        user, password = re.search(r"a=ice-ufrag:(\S+)", sdp), re.search(r"a=ice-pwd:(\S+)", sdp)
        assert user is not None
        assert password is not None
        assert "a=setup:passive" in sdp, sdp
        self._theirs = user[1], password[1]

    def tick(self, now: float) -> None:
        """
        Check for connectivity, then do the handshake.
        """
        if not self.remotes or self.ready or now < self._next:
            return
        if not self._checked:
            self._next = now + CHECK_AGAIN
            self._sendCheck()
        else:
            self._next = now + HANDSHAKE_AGAIN
            # After a second without progress this sends the flight again.
            self._connection.DTLSv1_handle_timeout()
            self._handshake()

    def received(self, data: bytes, source: tuple[str, int]) -> None:
        """
        See L{Terminal.received}; the first octet tells what it is (RFC 7983).
        """
        if data[0] < 4:
            self._receivedSTUN(data, source)
        elif 20 <= data[0] <= 63:
            if not self.ready:
                self._connection.bio_write(data)
                self._handshake()
        else:
            super().received(data, source)

    def _sendCheck(self) -> None:
        request = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
        request.attributes.update(
            {
                "USERNAME": f"{self._theirs[0]}:{self._user}",
                "PRIORITY": 2130706431,
                "ICE-CONTROLLING": 7,
                "USE-CANDIDATE": None,
            }
        )
        request.add_message_integrity(self._theirs[1].encode())
        self._check = request.transaction_id
        self._weather.send(self.sockets[0], bytes(request), self.remotes[0])

    def _receivedSTUN(self, data: bytes, source: tuple[str, int]) -> None:
        message = stun.parse_message(data)
        if message.message_class is stun.Class.RESPONSE:
            self._checked = self._checked or message.transaction_id == self._check
        elif message.message_class is stun.Class.REQUEST:
            reply = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, message.transaction_id)
            reply.attributes["XOR-MAPPED-ADDRESS"] = source
            reply.add_message_integrity(self._password.encode())
            self._weather.send(self.sockets[0], bytes(reply), source)

    def _handshake(self) -> None:
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            done = False
        else:
            done = True
        try:
            flight = self._connection.bio_read(65536)
        except SSL.WantReadError:
            flight = b""
        while flight:
            # The flight is one string: a datagram for each record.
            end = 13 + struct.unpack("!H", flight[11:13])[0]
            self._weather.send(self.sockets[0], flight[:end], self.remotes[0])
            flight = flight[end:]
        if done and not self.ready:
            material = self._connection.export_keying_material(
                b"EXTRACTOR-dtls_srtp", 2 * (_KEY + _SALT), None
            )
            keys, salts = material[: 2 * _KEY], material[2 * _KEY :]
            self._outbound = _session(keys[:_KEY] + salts[:_SALT], False)
            self._inbound = _session(keys[_KEY:] + salts[_SALT:], True)
