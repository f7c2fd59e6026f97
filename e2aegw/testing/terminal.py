"""
A telephone for tests.
"""

import base64
import errno
import re
import secrets
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

import pylibsrtp

from e2aegw.errors import UsageError
from e2aegw.interfaces import Address, IDatagramNetwork, IDatagramPort
from e2aegw.sansio.sdp import family
from e2aegw.testing.network import EPHEMERAL, systemError

#: For each SDES suite, libsrtp's name and the length of key and salt (RFC 4568
#: clause 6.2, RFC 7714 clause 14.2).
SUITES = {
    "AES_CM_128_HMAC_SHA1_80": (pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_80, 30),
    "AES_CM_128_HMAC_SHA1_32": (pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_32, 30),
    "AEAD_AES_128_GCM": (pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_128_GCM, 28),
    "AEAD_AES_256_GCM": (pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_256_GCM, 44),
}


@dataclass(frozen=True, slots=True)
class _Heard:
    """
    What a description says of one media section, as a telephone reads it.
    """

    port: int
    proto: str
    formats: str
    host: str
    control: int
    mux: bool
    cryptos: tuple[tuple[str, str, bytes], ...] = field(repr=False)


class Terminal:
    """
    A telephone: one stream of RTP, plain or protected with keys from the
    description (RFC 4568), with RTCP beside it or on the same port.

    It reads and writes descriptions and protects packets with code of its
    own, so that it does not repeat the mistakes of what it tests.

    @ivar host: its address.
    @ivar port: its RTP port.  RTCP has the next one.
    @ivar ssrc: the source of what it sends.
    @ivar direction: what it says in its next description: C{"sendrecv"},
        C{"sendonly"}, C{"recvonly"} or C{"inactive"}.
    @ivar lines: attributes that it adds to its descriptions, as they are,
        without C{a=}.
    @ivar remote: where it sends RTP, or L{None}.
    @ivar remoteControl: where it sends RTCP, or L{None}.
    @ivar received: the RTP packets that arrived, in the clear.
    @ivar receivedControl: the RTCP packets, in the clear.
    @ivar sources: where they came from.
    @ivar refused: how many packets were not authentic, were replayed, or came
        before there was a key.
    """

    def __init__(
        self,
        network: IDatagramNetwork,
        host: str = "192.0.2.1",
        port: int = 0,
        *,
        suites: Sequence[str] = (),
        media: str = "audio",
        format: str = "0 PCMU/8000",
        feedback: bool = False,
        mux: bool = False,
        lines: Sequence[str] = (),
    ) -> None:
        """
        @param port: an even number, or zero for any.
        @param suites: the SDES suites it knows, best first; none means that
            it speaks plain RTP and nothing else.
        @param format: the payload type and what C{a=rtpmap} says of it.
        @param feedback: whether it offers AVPF (RFC 4585).
        @param mux: whether it wants RTP and RTCP on one port (RFC 5761).
        @param lines: more attributes, for example C{"3ge2ae:requested"}.

        @raise OSError: the port is taken.
        """
        self.host = host
        self.ssrc = secrets.randbits(32)
        self.direction = "sendrecv"
        self.lines = list(lines)
        self.remote: Address | None = None
        self.remoteControl: Address | None = None
        self.received: list[bytes] = []
        self.receivedControl: list[bytes] = []
        self.sources: set[Address] = set()
        self.refused = 0
        self.muxed = False
        self._media, self._format, self._feedback, self._wantsMux = media, format, feedback, mux
        self._sequence = secrets.randbits(15)
        self._timestamp = secrets.randbits(31)
        self._session, self._version = secrets.randbits(31), 0
        self._suites = tuple(suites)
        self._keys: dict[str, bytes] = {}
        self.rekey()
        self._agreed: dict[str, tuple[str, bytes]] = {}
        self._contexts: dict[str, pylibsrtp.Session] = {}
        self._ports = self._bind(network, port)
        self.port = self._ports[0].address[1]

    def __repr__(self) -> str:
        return f"<Terminal {self.host}:{self.port}>"

    def rekey(self) -> None:
        """
        Take new keys, for the next description.
        """
        self._keys = {suite: secrets.token_bytes(SUITES[suite][1]) for suite in self._suites}

    def offer(self) -> str:
        """
        An offer.
        """
        return self.session() + self.section()

    def session(self) -> str:
        """
        The session level of a description.
        """
        self._version += 1
        kind = family(self.host)
        return (
            f"v=0\r\no=- {self._session} {self._version} IN {kind} {self.host}\r\ns=-\r\n"
            f"c=IN {kind} {self.host}\r\nt=0 0\r\n"
        )

    def section(self) -> str:
        """
        Its media section in an offer.  A telephone with several streams is
        several of these behind one session level.
        """
        proto = ("RTP/SAVP" if self._suites else "RTP/AVP") + ("F" if self._feedback else "")
        cryptos = [(str(tag), suite) for tag, suite in enumerate(self._suites, 1)]
        return self._section(proto, self._format.split()[0], cryptos, self._wantsMux)

    def answer(self, offer: str, index: int = 0) -> str:
        """
        The answer to an offer.

        If this telephone cannot take part, the port in it is zero.

        @param index: which media section is meant.

        @raise UsageError: there is no such section.
        """
        return self.session() + self.answerSection(offer, index)

    def answerSection(self, offer: str, index: int = 0) -> str:
        """
        Its media section in an answer, as L{section} in an offer.

        @raise UsageError: there is no such section.
        """
        heard = _listen(offer, index)
        chosen = next((c for suite in self._suites for c in heard.cryptos if c[1] == suite), None)
        if not heard.port or bool(heard.cryptos or "SAVP" in heard.proto) != bool(self._suites):
            chosen, acceptable = None, False
        else:
            acceptable = chosen is not None or not self._suites
        if not acceptable:
            self.remote = self.remoteControl = None
            return f"m={self._media} 0 {heard.proto} {heard.formats}\r\n"
        self._settle(heard, heard.mux and self._wantsMux)
        if chosen is not None:
            self._agree(chosen[1], chosen[2])
        cryptos = [] if chosen is None else [chosen[:2]]
        return self._section(heard.proto, heard.formats.split()[0], cryptos, self.muxed)

    def accept(self, answer: str, index: int = 0) -> None:
        """
        Take the answer to its offer.

        @raise UsageError: there is no such section, or what is in it was not
            offered.
        """
        heard = _listen(answer, index)
        if not heard.port:
            self.remote = self.remoteControl = None
            return
        if bool(self._suites) != bool(heard.cryptos) or len(heard.cryptos) > 1:
            raise UsageError("the answer protects otherwise than was offered")
        for tag, suite, key in heard.cryptos:
            if tag != str(1 + self._suites.index(suite) if suite in self._suites else 0):
                raise UsageError("the answer has a crypto attribute that was not offered")
            self._agree(suite, key)
        if heard.mux and not self._wantsMux:
            raise UsageError("the answer has an rtcp-mux that was not offered")
        self._settle(heard, heard.mux)

    def sendMedia(self, payload: bytes = b"\xff" * 160, *, to: Address | None = None) -> bytes:
        """
        Send the next RTP packet.

        @param to: somewhere else than to the remote party.

        @return: the packet, in the clear.

        @raise UsageError: there is nowhere to send to.
        """
        self._sequence = self._sequence + 1 & 0xFFFF
        self._timestamp = self._timestamp + 160 & 0xFFFFFFFF
        kind = int(self._format.split()[0])
        packet = struct.pack("!BBHII", 0x80, kind, self._sequence, self._timestamp, self.ssrc) + payload
        self.sendPacket(packet, to=to)
        return packet

    def sendReport(self, *more: bytes, to: Address | None = None) -> bytes:
        """
        Send a receiver report with a CNAME.

        @param more: RTCP packets to put behind.

        @return: the compound packet, in the clear.

        @raise UsageError: there is nowhere to send to.
        """
        compound = struct.pack("!BBHI", 0x80, 201, 1, self.ssrc)
        compound += struct.pack("!BBHI", 0x81, 202, 3, self.ssrc) + b"\x01\x04a@b.\x00\x00"
        compound += b"".join(more)
        self.sendPacket(compound, to=to)
        return compound

    def sendPacket(self, packet: bytes, *, to: Address | None = None) -> None:
        """
        Protect, if so agreed, and send an RTP or RTCP packet.

        @raise UsageError: there is nowhere to send to, or no key.
        """
        control = _isControl(packet)
        destination = to or (self.remoteControl if control else self.remote)
        if destination is None:
            raise UsageError("there is nobody to send to")
        if self._suites:
            context = self._contexts.get("out")
            if context is None:
                raise UsageError("there is no key")
            packet = context.protect_rtcp(packet) if control else context.protect(packet)
        self.sendRaw(packet, control=control, to=destination)

    def sendRaw(self, data: bytes, *, control: bool = False, to: Address | None = None) -> None:
        """
        Send anything, as it is.

        @raise UsageError: there is nowhere to send to.
        """
        destination = to or (self.remoteControl if control else self.remote)
        if destination is None:
            raise UsageError("there is nobody to send to")
        self._ports[1 if control and not self.muxed else 0].sendto(data, destination)

    def close(self) -> None:
        """
        Release the ports.
        """
        for port in self._ports:
            port.close()

    def _bind(self, network: IDatagramNetwork, wanted: int) -> list[IDatagramPort]:
        for number in [wanted] if wanted else range(EPHEMERAL.start, EPHEMERAL.stop, 2):
            first = None
            try:
                first = network.bind((self.host, number), self._receive)
                return [first, network.bind((self.host, number + 1), self._receive)]
            except OSError as e:
                if first is not None:
                    first.close()
                if wanted or e.errno != errno.EADDRINUSE:
                    raise
        raise systemError(errno.EADDRINUSE)

    def _section(self, proto: str, payload: str, cryptos: Sequence[tuple[str, str]], mux: bool) -> str:
        lines = [f"m={self._media} {self.port} {proto} {payload}", f"c=IN {family(self.host)} {self.host}"]
        if payload == self._format.split()[0]:
            lines.append(f"a=rtpmap:{self._format}")
        lines.append(f"a=rtcp:{self.port if mux and self.muxed else self.port + 1}")
        if mux:
            lines.append("a=rtcp-mux")
        for tag, suite in cryptos:
            lines.append(f"a=crypto:{tag} {suite} inline:{base64.b64encode(self._keys[suite]).decode()}")
        lines += ["a=" + line for line in self.lines]
        lines.append("a=" + self.direction)
        return "\r\n".join(lines) + "\r\n"

    def _settle(self, heard: _Heard, muxed: bool) -> None:
        self.muxed = muxed
        self.remote = (heard.host, heard.port)
        self.remoteControl = self.remote if muxed else (heard.host, heard.control)

    def _agree(self, suite: str, key: bytes) -> None:
        inbound, outbound = pylibsrtp.Policy.SSRC_ANY_INBOUND, pylibsrtp.Policy.SSRC_ANY_OUTBOUND
        for name, material, kind in (("in", key, inbound), ("out", self._keys[suite], outbound)):
            # With the key it had, a context goes on counting.
            if self._agreed.get(name) != (suite, material):
                self._agreed[name] = (suite, material)
                policy = pylibsrtp.Policy(key=material, ssrc_type=kind, srtp_profile=SUITES[suite][0])
                self._contexts[name] = pylibsrtp.Session(policy)

    def _receive(self, data: bytes, source: Address) -> None:
        control = _isControl(data)
        if self._suites:
            context = self._contexts.get("in")
            try:
                if context is None:
                    raise pylibsrtp.Error("no key")
                data = context.unprotect_rtcp(data) if control else context.unprotect(data)
            except (pylibsrtp.Error, ValueError):
                self.refused += 1
                return
        self.sources.add(source)
        (self.receivedControl if control else self.received).append(data)


def _isControl(packet: bytes) -> bool:
    return len(packet) > 1 and 192 <= packet[1] <= 223


def _listen(sdp: str, index: int) -> _Heard:
    session, *sections = re.split(r"^(?=m=)", sdp, flags=re.MULTILINE)
    if index >= len(sections):
        raise UsageError("the description has no such media section")
    text = sections[index]

    def find(pattern: str, where: str = text) -> list[tuple[str, ...]]:
        return [match.groups() for match in re.finditer(pattern, where, re.MULTILINE)]

    ((port, proto, formats),) = find(r"^m=\S+ (\d+)(?:/\d+)? (\S+) (.*?)\s*$")
    connections = find(r"^c=IN IP[46] ([^\s/]+)") or find(r"^c=IN IP[46] ([^\s/]+)", session)
    control = find(r"^a=rtcp: ?(\d+)")
    keys = find(r"^a=crypto: ?(\d+) (\S+) inline:([A-Za-z0-9+/=]+)")
    return _Heard(
        port=int(port),
        proto=proto,
        formats=formats,
        host=connections[0][0] if connections else "",
        control=int(control[0][0]) if control else int(port) + 1,
        mux=bool(find(r"^(a=rtcp-mux)\s*$")),
        cryptos=tuple((tag, suite, base64.b64decode(key)) for tag, suite, key in keys),
    )
