"""
Tests for L{e2aegw.sansio.tls}.
"""

import datetime
from collections.abc import Callable, Iterable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from e2aegw.errors import RemoteError
from e2aegw.sansio.certificate import Identity
from e2aegw.sansio.tls import MAX_HANDSHAKE, Connection, Endpoint, Judge
from tests.fuzz.tls import tls
from tests.transport.tlspeer import OTHERS, OURS, THEIRS

RSA = Identity.generateRSA(datetime.datetime.now(datetime.UTC))
ENDPOINT, BOTH = Endpoint(OURS), Endpoint(OURS, rsa=RSA)
#: A record of somebody who does not speak TLS.
PLAIN = b"MSRP a786hjs2 SEND\r\n"


class Peer:
    """
    The other end: OpenSSL, set up here.

    @ivar heard: what it deciphered.
    @ivar error: what it has against us.
    @ivar context: what others may have, too.
    """

    def __init__(
        self,
        *,
        client: bool,
        identity: Identity | None = THEIRS,
        ready: Callable[[Any], None] = lambda context: None,
        context: Any = None,
    ) -> None:
        """
        @param ready: called with the context.
        @param context: another one's.
        """
        if context is None:
            context = SSL.Context(SSL.TLS_METHOD)
            context.set_verify(SSL.VERIFY_PEER, lambda *about: True)
            if identity is not None:
                context.use_certificate(identity.certificate)
                context.use_privatekey(identity.key)
            ready(context)
        self.context = context
        self.connection = SSL.Connection(context, None)
        if client:
            self.connection.set_connect_state()
        else:
            self.connection.set_accept_state()
        self.heard = b""
        self.error = ""
        self._done = False

    def step(self, data: bytes) -> bytes:
        """
        Take something and say something.
        """
        if data:
            self.connection.bio_write(data)
        try:
            if not self._done:
                self.connection.do_handshake()
                self._done = True
            while True:
                self.heard += self.connection.recv(1 << 16)
        except (SSL.WantReadError, SSL.ZeroReturnError):
            pass  # It has seen everything.
        except SSL.Error as e:
            self.error = self.error or str(e)
        try:
            return self.connection.bio_read(1 << 20)
        except SSL.WantReadError:
            return b""

    def say(self, data: bytes) -> bytes:
        """
        Protect something.
        """
        self.connection.sendall(data)
        return self.connection.bio_read(1 << 22)


def shake(
    ours: Connection, peer: Peer, cut: Callable[[bytes], Iterable[bytes]] = lambda data: [data]
) -> None:
    """
    Do the handshake.

    @param cut: what becomes of what the peer says on its way.

    @raise RemoteError: it fails.
    """
    if ours.client:
        ours.start()
    for _ in range(20):
        said = peer.step(ours.output())
        for piece in cut(said):
            ours.receive(piece)
        if not said:
            return


def established(
    *, client: bool = False, endpoint: Endpoint = ENDPOINT, judge: Judge = lambda der: True, **about: Any
) -> tuple[Connection, Peer]:
    """
    A connection, and who is at its other end.

    @param client: whether that is what we are.
    @param about: see L{Peer}.
    """
    ours, peer = endpoint.connect(client=client, judge=judge), Peer(client=not client, **about)
    shake(ours, peer)
    return ours, peer


def exactly(version: int) -> Callable[[Any], None]:
    """
    A context that speaks nothing else.
    """

    def ready(context: Any) -> None:
        context.set_cipher_list(b"ALL:@SECLEVEL=0")
        context.set_min_proto_version(version)
        context.set_max_proto_version(version)

    return ready


class HandshakeTests(SynchronousTestCase):
    """
    Handshakes.
    """

    def assertFails(self, reason: str, **about: Any) -> tuple[Connection, Peer]:
        """
        It does not come about.
        """
        client = about.pop("client", False)
        judge = about.pop("judge", lambda der: True)
        ours, peer = ENDPOINT.connect(client=client, judge=judge), Peer(client=not client, **about)
        failed = self.assertRaises(RemoteError, shake, ours, peer)
        self.assertEqual(failed.reason, reason)
        self.assertFalse(ours.established)
        peer.step(ours.output())
        return ours, peer

    def test_R_48_versions(self) -> None:
        """
        TLS 1.2 and 1.3, in either role; 1.0 and 1.1 never.
        """
        for client in (False, True):
            for version in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
                ours, _ = established(client=client, ready=exactly(version))
                self.assertTrue(ours.established)
                self.assertIn("1.2" if version == SSL.TLS1_2_VERSION else "1.3", ours.cipher())
            for version in (SSL.TLS1_VERSION, SSL.TLS1_1_VERSION):
                self.assertFails("no common version", client=client, ready=exactly(version))

    def test_R_47_judged(self) -> None:
        """
        The judge sees the certificate and decides; who does not know yet lets
        it pass.
        """
        seen: list[bytes] = []

        def judging(verdict: bool | None) -> Judge:
            def judge(der: bytes) -> bool | None:
                seen.append(der)
                return verdict

            return judge

        for client in (False, True):
            for verdict in (True, None):
                ours, _ = established(client=client, judge=judging(verdict))
                self.assertTrue(ours.established)
                self.assertEqual(ours.certificate, seen[-1])
                self.assertEqual(ours.chain()[0], THEIRS.certificate)
                self.assertIsNone(ours.judge)
            _, peer = self.assertFails(
                "fingerprint mismatch", client=client, judge=lambda der: False, identity=OTHERS
            )
            self.assertIn("bad certificate", peer.error)

    def test_R_47_noCertificate(self) -> None:
        """
        A client without a certificate is told so.
        """
        self.assertFails("no certificate", identity=None, ready=exactly(SSL.TLS1_2_VERSION))
        self.assertFails("no certificate", identity=None)

    def test_R_54_plain(self) -> None:
        """
        What is not TLS is told from what is broken, and nothing is said to it.
        """
        ours = ENDPOINT.connect(client=False, judge=lambda der: True)
        self.assertEqual(self.assertRaises(RemoteError, ours.receive, PLAIN).reason, "not protected")
        self.assertEqual(ours.output(), b"")

    def test_endless(self) -> None:
        """
        A handshake that has no end is given up, though it is TLS as far as one
        can see.
        """
        ours = ENDPOINT.connect(client=False, judge=lambda der: True)
        # A ClientHello of 16 MB, of which each record has 16 KB.
        first = b"\x16\x03\x01\x40\x00" + b"\x01\xff\xff\xff" + bytes(0x4000 - 4)
        reason = ""
        for _ in range(2 + MAX_HANDSHAKE // 0x4000):
            try:
                ours.receive(first)
            except RemoteError as e:
                reason = e.reason
                break
        self.assertTrue(reason)

    def test_piecemeal(self) -> None:
        """
        A handshake that arrives octet by octet is the same one.
        """
        ours, peer = ENDPOINT.connect(client=False, judge=lambda der: True), Peer(client=True)
        shake(ours, peer, lambda data: [data[at : at + 1] for at in range(len(data))])
        self.assertTrue(ours.established)

    def test_noResumption(self) -> None:
        """
        Whoever comes again shows its certificate again: there are no tickets.
        """
        for version in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION):
            _, before = established(ready=exactly(version))
            peer = Peer(client=True, context=before.context)
            session = before.connection.get_session()
            assert session is not None
            peer.connection.set_session(session)
            ours = ENDPOINT.connect(client=False, judge=lambda der: True)
            shake(ours, peer)
            self.assertTrue(ours.established)
            self.assertIsNotNone(ours.certificate)

    def test_twoCertificates(self) -> None:
        """
        Both are vouched for; a peer that has RSA alone gets that one, and
        everybody else the other, also a server of TLS 1.3.
        """
        self.assertEqual(BOTH.fingerprints, OURS.fingerprints + RSA.fingerprints)

        def onlyRSA(context: Any) -> None:
            exactly(SSL.TLS1_2_VERSION)(context)
            context.set_cipher_list(b"aRSA+AESGCM")

        for client, ready, expected in (
            (False, onlyRSA, RSA),
            (False, lambda context: context.set_cipher_list(b"DHE-RSA-AES128-GCM-SHA256"), OURS),
            (False, exactly(SSL.TLS1_2_VERSION), OURS),
            (False, exactly(SSL.TLS1_3_VERSION), OURS),
            (True, exactly(SSL.TLS1_2_VERSION), RSA),
            (True, exactly(SSL.TLS1_3_VERSION), OURS),
        ):
            ours, peer = established(client=client, endpoint=BOTH, ready=ready)
            self.assertTrue(ours.established)
            shown = peer.connection.get_peer_certificate(as_cryptography=True)
            self.assertEqual(shown, expected.certificate)


class DataTests(SynchronousTestCase):
    """
    What is said.
    """

    def test_bothWays(self) -> None:
        """
        Data of any size pass, those of several records, too.
        """
        for client in (False, True):
            ours, peer = established(client=client)
            for size in (0, 1, 16384, 16385, 300_000):
                data = bytes(range(251)) * (size // 251 + 1)
                data = data[:size]
                if data:
                    self.assertEqual(ours.receive(peer.say(data)), data)
                before = len(peer.heard)
                peer.step(ours.send(data))
                self.assertEqual(peer.heard[before:], data)

    @settings(deadline=None, max_examples=30)
    @given(st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=6), st.data())
    def test_anyPieces(self, said: list[bytes], data: Any) -> None:
        """
        However it is cut on its way, it is the same.
        """
        ours, peer = established()
        wire = b"".join(map(peer.say, said))
        cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)), max_size=8)))
        pieces = [wire[a:b] for a, b in zip([0, *cuts], [*cuts, len(wire)], strict=True)]
        self.assertEqual(b"".join(map(ours.receive, pieces)), b"".join(said))

    def test_broken(self) -> None:
        """
        An octet that was changed is noticed, and so are records that are none.
        """
        ours, peer = established()
        wire = bytearray(peer.say(b"hello"))
        wire[-1] ^= 1
        self.assertEqual(self.assertRaises(RemoteError, ours.receive, bytes(wire)).reason, "broken record")
        for wrong in (PLAIN, b"\x17\x03\x03\xff\xff", b"\x18\x03\x03\0\1\0", b"\x17\x03\x03\0\x05hello"):
            ours, _ = established()
            self.assertEqual(self.assertRaises(RemoteError, ours.receive, wrong).reason, "broken record")

    def test_R_40_renegotiation(self) -> None:
        """
        A client of TLS 1.2 that wants another handshake gets none.
        """
        ours, peer = established(ready=exactly(SSL.TLS1_2_VERSION))
        peer.connection.renegotiate()
        with_ = peer.step(b"")
        for _ in range(4):
            try:
                peer_ = ours.receive(with_)
            except RemoteError:
                break
            self.assertEqual(peer_, b"")
            with_ = peer.step(ours.output())
        self.assertNotEqual(peer.error, "")

    def test_goodbye(self) -> None:
        """
        The other end says that it has no more; nothing is said to it before
        there is a handshake.
        """
        ours, peer = established()
        peer.connection.shutdown()
        self.assertEqual(ours.receive(peer.connection.bio_read(100)), b"")
        self.assertTrue(ours.closed)
        ours.close()
        self.assertNotEqual(ours.output(), b"")
        fresh = ENDPOINT.connect(client=False, judge=lambda der: True)
        fresh.close()
        self.assertEqual(fresh.output(), b"")
        self.assertEqual(self.assertRaises(RemoteError, fresh.send, b"x").reason, "not established")

    def test_afterGoodbye(self) -> None:
        """
        After our goodbye nothing is sent.
        """
        ours, _ = established()
        ours.close()
        self.assertRaises(RemoteError, ours.send, b"x")

    @settings(deadline=None, max_examples=100)
    @given(st.binary(max_size=200))
    def test_anything(self, data: bytes) -> None:
        """
        Any octets are TLS, or raise L{RemoteError}.
        """
        tls(data)
