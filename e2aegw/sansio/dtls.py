"""
DTLS (RFC 6347) as OpenSSL speaks it, on memory buffers.

OpenSSL keeps a clock of its own for retransmission, so unlike everything else
in this room an L{Association}'s timers run in real time; C{now} only says
where that is on the caller's clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from OpenSSL import SSL

from e2aegw.errors import RemoteError
from e2aegw.sansio.certificate import Identity
from e2aegw.sansio.dtlsconnection import Connection, Judge, wantCertificate
from e2aegw.sansio.srtp import Context, Keys, Profile, contextPair, exporterLength, keysFromExporter

#: The longest datagram that a handshake is sent in: what fits into IPv6's
#: minimum MTU with a tunnel's header.
MTU = 1200
#: Datagrams that a handshake may take.  A long one takes 10.
MAX_HANDSHAKE_DATAGRAMS = 400
#: Times that the last flight of a handshake is repeated: a client that has not
#: got it asks seven times in a minute.
MAX_REPETITIONS = 16
#: Seconds that a handshake may take before it has failed.
HANDSHAKE_TIMEOUT = 30.0
#: The longest datagram that is read: a full record.  OpenSSL reads from its
#: buffer in pieces of a bit more, and where a piece ends it takes what follows
#: for the start of a datagram.
MAX_DATAGRAM = 16384 + 256
_RECORD_HEADER = 13
_FRAGMENT_HEADER = 12
#: DTLS 1.2.  1.0 is refused (TS 33.210 clause 6.2.1).
_DTLS_1_2 = 0xFEFD
#: What the headers of records may say: 1.2 or, of a first flight, 1.0 (RFC
#: 6347 clause 4.2.1).
_VERSIONS = (b"\xfe\xfd", b"\xfe\xff")
_CHANGE_CIPHER_SPEC, _ALERT, _HANDSHAKE, _APPLICATION_DATA = 20, 21, 22, 23
_CLIENT_HELLO = 1
#: AES-128 with SHA-256 is what everybody has (RFC 8827 clause 6.5).  As keys for
#: SRTP are all that most associations yield, the longer one before it would only
#: make handshakes cost more.
_CIPHERS = b"ECDHE+AES128+AESGCM:ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:!aNULL:!eNULL"
_EXPORTER = b"EXTRACTOR-dtls_srtp"
_PROFILES = {profile.dtls: profile for profile in Profile}
#: The group ffdhe2048 (RFC 7919 appendix A.1), without which a server has no
#: DHE suites.
_GROUP = Path(__file__).with_name("ffdhe2048.pem")


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

    @ivar certificate: the remote party's, as DER, if it is the reason.
    """

    reason: str
    certificate: bytes = b""


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

    def __init__(
        self,
        identity: Identity,
        profiles: Sequence[Profile] = (),
        *,
        rsa: Identity | None = None,
        dataless: bool = False,
    ) -> None:
        """
        @param profiles: the SRTP profiles to agree on, best first; none for
            associations that carry data themselves.
        @param rsa: a second certificate, for peers that have no others (RFC
            7345 clause 4.1).  As the server we show the one that the cipher
            suite asks for.  As the client, who cannot be asked beforehand, we
            show this one: every peer of such media has RSA.
        @param dataless: whether associations will never carry anything: what
            they are after their handshake can be let go.
        """
        self.identity = identity
        self.dataless = dataless
        self.fingerprints = identity.fingerprints + (() if rsa is None else rsa.fingerprints)
        context = SSL.Context(SSL.DTLS_METHOD)
        context.set_min_proto_version(_DTLS_1_2)
        context.set_options(
            SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_QUERY_MTU | SSL.OP_NO_COMPRESSION | SSL.OP_NO_TICKET
        )
        context.set_mode(SSL.MODE_RELEASE_BUFFERS)
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.set_cipher_list(_CIPHERS)
        wantCertificate(context)
        # The one that comes last is the client's.
        for each in (identity,) if rsa is None else (identity, rsa):
            context.use_certificate(each.certificate)
            context.use_privatekey(each.key)
        if rsa is not None:
            context.load_tmp_dh(_GROUP)
        if profiles:
            context.set_tlsext_use_srtp(":".join(profile.dtls for profile in profiles).encode())
        self._context = context

    def connect(self, *, client: bool, judge: Judge | None = None) -> "Association":
        """
        Begin an association.

        @param judge: asked during the handshake, once the remote party has
            shown its certificate, whether that may be the right one.
        """
        connection = Connection(self._context, client=client, mtu=MTU, judge=judge)
        return Association(connection, client=client)


class Association:
    """
    One DTLS association.
    """

    __slots__ = (
        "_connection",
        "_datagrams",
        "_deadline",
        "_events",
        "_goodbye",
        "_greeted",
        "_last",
        "_out",
        "_repetitions",
        "_timeoutAt",
        "client",
        "established",
        "failed",
    )

    def __init__(self, connection: Connection, *, client: bool) -> None:
        self.client = client
        self.established = False
        self.failed = False
        self._greeted = client
        self._connection: Connection | None = connection
        self._goodbye = b""
        self._last: tuple[bytes, ...] = ()
        self._repetitions = 0
        # Lists, because they are almost always empty, and an empty deque is
        # the larger part of a kilobyte.
        self._events: list[Established | Failed | Closed | Received] = []
        self._out: list[bytes] = []
        self._timeoutAt: float | None = None
        self._deadline: float | None = None
        self._datagrams = 0

    def start(self, now: float) -> None:
        """
        As the client, send a ClientHello.
        """
        self._advance(now)

    def receive(self, data: bytes, now: float) -> None:
        """
        Take a datagram from the remote party.

        OpenSSL gives a handshake up when it sees a record that makes no sense,
        though RFC 6347 clause 4.1.2.7 wants it to be discarded.  So it does
        not get to see those that anybody might send, by mistake or not.

        @raise RemoteError: it does not consist of whole and sound DTLS
            records, or is one too many for a handshake, or the association has
            ended.
        """
        if self.failed:
            raise RemoteError("association ended")
        _checkRecords(data)
        if self._connection is None:
            self._repeat(data)
            return
        if not self._greeted:
            if data[0] != _HANDSHAKE or data[_RECORD_HEADER] != _CLIENT_HELLO:
                raise RemoteError("no ClientHello")
            self._greeted = True
        if not self.established:
            self._datagrams += 1
            if self._datagrams > MAX_HANDSHAKE_DATAGRAMS:
                raise RemoteError("endless handshake")
        self._connection.take(data)
        if self.established and data[0] == _APPLICATION_DATA and _isOne(data):
            self._readOne()
        else:
            self._advance(now)

    def send(self, data: bytes) -> None:
        """
        Send one record of application data.

        @raise RemoteError: the association is not up.
        """
        if not self.established or self.failed or self._connection is None:
            raise RemoteError("association not established")
        try:
            self._connection.send(data)
        except SSL.Error as e:
            raise RemoteError("not sent", _reason(e)) from None
        self._flush()

    def close(self) -> None:
        """
        End, and say goodbye if there is anybody to say it to.
        """
        over, self.failed, self._timeoutAt = self.failed, True, None
        if self.established and not over:
            goodbye = self._sayGoodbye()
            if goodbye:
                self._out.append(goodbye)

    def retire(self) -> None:
        """
        Nothing will be sent or received inside: let go of OpenSSL's memory,
        which is more than all else that a call has.

        What may still have to be said was said before, or can be said in
        advance.  A server whose last flight is lost hears the client's again,
        and repeats its own (RFC 6347 clause 4.2.4): the same octets, which a
        client that has got them knows to be a repetition.
        """
        if self.established and not self.failed and self._connection is not None:
            self._flush()
            # Its number is the last: there will be no other record.
            self._goodbye = self._sayGoodbye()
            self._connection = None

    @property
    def retired(self) -> bool:
        """
        Whether there can be nothing inside any more.
        """
        return self.established and self._connection is None

    def _repeat(self, data: bytes) -> None:
        """
        Say again what the remote party seems to have missed.

        @raise RemoteError: it is not that, or missed it too often.
        """
        if not self._last or not _finishes(data) or self._repetitions >= MAX_REPETITIONS:
            raise RemoteError("not expected")
        self._repetitions += 1
        self._out += self._last

    def _sayGoodbye(self) -> bytes:
        if self._connection is None:
            return self._goodbye
        try:
            self._connection.shutdown()
        except SSL.Error:
            # It is a courtesy; the association ends either way.
            return b""
        return self._connection.flight()

    def nextDatagram(self) -> bytes | None:
        """
        What to send to the remote party, one datagram at a time.
        """
        return self._out.pop(0) if self._out else None

    def nextEvent(self) -> Established | Failed | Closed | Received | None:
        """
        What happened, in order.
        """
        return self._events.pop(0) if self._events else None

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
            self._advance(now, late=True)

    def profile(self) -> Profile | None:
        """
        The SRTP profile that was agreed on, if any.
        """
        return None if self._connection is None else _PROFILES.get(self._connection.profile())

    def keys(self) -> tuple[Keys, Keys]:
        """
        The exported keys (RFC 5764 clause 4.2): inbound, outbound.

        @raise RemoteError: no SRTP profile was agreed on.
        """
        profile = self.profile()
        if profile is None or self._connection is None:
            raise RemoteError("no common profile")
        material = self._connection.export(_EXPORTER, exporterLength(profile))
        return keysFromExporter(profile, material, client=self.client)

    def contexts(self) -> tuple[Context, Context]:
        """
        Fresh SRTP contexts from the exported keys: what unprotects what
        arrives, and what protects what is sent.  To be asked for once.

        @raise RemoteError: no SRTP profile was agreed on.
        """
        return contextPair(*self.keys())

    def cipher(self) -> str:
        """
        The cipher suite's name.
        """
        return "" if self._connection is None else self._connection.cipher()

    def _advance(self, now: float, *, late: bool = False) -> None:
        if self._deadline is None:
            self._deadline = now + HANDSHAKE_TIMEOUT
        connection = self._connection
        assert connection is not None
        before = self.established
        try:
            if late:
                connection.retransmit()
            if not before and connection.handshake():
                self._finish()
            if self.established:
                # Even without application data this makes OpenSSL answer a
                # retransmitted last flight.
                while (data := connection.read()) is not None:
                    self._events.append(Received(data))
        except SSL.ZeroReturnError:
            if self.established:
                self.failed = True
                self._events.append(Closed())
            else:
                self._fail("closed by the remote party")
        except SSL.Error as e:
            if connection.rejected:
                self._fail("fingerprint mismatch", connection.rejected)
            else:
                self._fail(_reason(e))
        self._flush()
        if self.established and not before and not self.client:
            self._last = tuple(self._out)
        self._schedule(now)

    def _readOne(self) -> None:
        """
        Read the only record that there is, without asking OpenSSL whether
        there is more and whether it has an answer: there is neither.
        """
        assert self._connection is not None
        try:
            if (data := self._connection.read()) is not None:
                self._events.append(Received(data))
        except SSL.Error as e:
            self._fail(_reason(e))
            self._flush()

    def _finish(self) -> None:
        assert self._connection is not None
        certificate = self._connection.certificate()
        if certificate is None:
            self._fail("no certificate")
        else:
            self.established = True
            self._events.append(Established(certificate))

    def _fail(self, reason: str, certificate: bytes = b"") -> None:
        self.failed = True
        self._timeoutAt = None
        self._events.append(Failed(reason, certificate))

    def _schedule(self, now: float) -> None:
        if self.established or self.failed:
            self._timeoutAt = None
            return
        assert self._connection is not None and self._deadline is not None
        wait = self._connection.timeout()
        self._timeoutAt = self._deadline if wait is None else min(self._deadline, now + wait)

    def _flush(self) -> None:
        flight = b"" if self._connection is None else self._connection.flight()
        if not flight:
            return
        if len(flight) <= MTU:
            self._out.append(flight)
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


def _isOne(data: bytes) -> bool:
    """
    Whether sound records are one.
    """
    return _RECORD_HEADER + int.from_bytes(data[11:13], "big") == len(data)


def _checkRecords(data: bytes) -> None:
    """
    See whether this is a row of whole records, and those in the clear are
    sound::

        type (1), version (2), epoch (2), sequence number (6), length (2)

    @raise RemoteError: it is not.
    """
    at, end = 0, len(data)
    while end - at > _RECORD_HEADER:
        body = at + _RECORD_HEADER
        after = body + int.from_bytes(data[body - 2 : body], "big")
        sound = data[at + 1 : at + 3] in _VERSIONS and body < after <= end
        if sound and data[at + 3 : at + 5] == b"\0\0":
            sound = _soundInTheClear(data[at], data[body:after])
        if not sound:
            break
        at = after
    if at != end or not 0 < end <= MAX_DATAGRAM:
        raise RemoteError("malformed record")


def _finishes(data: bytes) -> bool:
    """
    Whether an encrypted handshake message is among these records: Finished,
    with which a flight of the client's ends.
    """
    at = 0
    while at < len(data):
        if data[at] == _HANDSHAKE and data[at + 3 : at + 5] != b"\0\0":
            return True
        at += _RECORD_HEADER + int.from_bytes(data[at + 11 : at + 13], "big")
    return False


def _soundInTheClear(kind: int, body: bytes) -> bool:
    if kind == _CHANGE_CIPHER_SPEC:
        return body == b"\x01"
    if kind == _ALERT:
        return len(body) == 2 and body[0] in (1, 2)
    return kind == _HANDSHAKE and _wholeFragments(body)


def _wholeFragments(body: bytes) -> bool:
    """
    Whether this is a row of fragments of handshake messages (RFC 6347 clause
    4.2.2)::

        type (1), length (3), sequence (2), offset (3), length of this (3)
    """
    at, end = 0, len(body)
    while end - at >= _FRAGMENT_HEADER:
        whole = int.from_bytes(body[at + 1 : at + 4], "big")
        offset = int.from_bytes(body[at + 6 : at + 9], "big")
        length = int.from_bytes(body[at + 9 : at + 12], "big")
        if offset + length > whole:
            return False
        at += _FRAGMENT_HEADER + length
    return at == end


def _reason(error: SSL.Error) -> str:
    """
    What OpenSSL says, for people.
    """
    causes = error.args[0] if error.args else ()
    texts = [cause[-1] for cause in causes] if isinstance(causes, list) else []
    if "peer did not return a certificate" in texts:
        return "no certificate"
    return ", ".join(texts) or type(error).__name__
