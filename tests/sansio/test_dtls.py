"""
Tests for L{e2aegw.sansio.dtls}.
"""

import contextlib
import time
from random import Random

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st
from OpenSSL import SSL
from OpenSSL._util import lib
from twisted.trial.unittest import SynchronousTestCase

from e2aegw.errors import RemoteError
from e2aegw.sansio.certificate import Identity, acceptable, matches
from e2aegw.sansio.dtls import (
    HANDSHAKE_TIMEOUT,
    MAX_DATAGRAM,
    MAX_HANDSHAKE_DATAGRAMS,
    MTU,
    Association,
    Closed,
    Endpoint,
    Established,
    Failed,
    Received,
)
from e2aegw.sansio.dtlsconnection import Connection
from e2aegw.sansio.srtp import Profile
from tests.sansio.dtlspeer import (
    DTLS_1_0,
    ENDPOINT,
    NOW,
    NUMBERS,
    OURS,
    THEIR_DER,
    THEIRS,
    Peer,
    datagrams,
    established,
    events,
    fragments,
    record,
    records,
    shake,
)


class HandshakeTests(SynchronousTestCase):
    """
    Handshakes that end well.
    """

    def test_R_40_version(self) -> None:
        """
        DTLS 1.2 works in both roles, with the suite and curve that everybody
        has (RFC 8827 clause 6.5).
        """
        for client in (False, True):
            association = ENDPOINT.connect(client=client)
            peer = Peer(client=not client, ciphers=b"ECDHE-ECDSA-AES128-GCM-SHA256")
            shake(association, peer)
            self.assertEqual(events(association), [Established(THEIR_DER)])
            self.assertTrue(association.established)
            self.assertEqual(association.cipher(), "ECDHE-ECDSA-AES128-GCM-SHA256")
            self.assertEqual(peer.connection.get_protocol_version_name(), "DTLSv1.2")
            self.assertIsNone(association.nextTimeout())

    def test_R_33_certificate(self) -> None:
        """
        The certificate that is shown is the one to hold against the
        description's fingerprints: ours to the peer, and the peer's to us.
        """
        association, peer = ENDPOINT.connect(client=False), Peer(client=True)
        shake(association, peer)
        (event,) = events(association)
        assert isinstance(event, Established)
        self.assertTrue(matches(event.certificate, acceptable([str(THEIRS.fingerprints[0])])))
        self.assertFalse(matches(event.certificate, acceptable([str(OURS.fingerprints[0])])))
        shown = peer.connection.get_peer_certificate(as_cryptography=True)
        assert shown is not None
        self.assertTrue(matches(shown.public_bytes(Encoding.DER), ENDPOINT.fingerprints))
        self.assertEqual(ENDPOINT.fingerprints, OURS.fingerprints)

    def test_R_37_offer(self) -> None:
        """
        The ClientHello offers the configured profiles in our order, among
        them the one that everybody has, and no MKI (RFC 5764 clause 4.1.1).
        """
        association = ENDPOINT.connect(client=True)
        association.start(0.0)
        (hello,) = datagrams(association)
        numbers = "".join(NUMBERS[profile.dtls.encode()] for profile in Profile)
        self.assertIn("0001", numbers)
        extension = f"000e{len(numbers) // 2 + 3:04x}{len(numbers) // 2:04x}{numbers}00"
        self.assertIn(extension, hello.hex())

    def test_R_37_selection(self) -> None:
        """
        Every profile can be agreed on, and of several the server's first.
        """
        for client in (False, True):
            for profile in Profile:
                association, _ = established(client=client, profile=profile)
                self.assertIs(association.profile(), profile)
        peer = Peer(client=True, profiles=b":".join(reversed(NUMBERS)))
        association = ENDPOINT.connect(client=False)
        shake(association, peer)
        self.assertIs(association.profile(), next(iter(Profile)))

    def test_R_37_noCommonProfile(self) -> None:
        """
        Without a common profile there are no keys.
        """
        endpoint = Endpoint(OURS, [Profile.AEAD_AES_256_GCM])
        for client in (False, True):
            for profiles in (b"", b"SRTP_AES128_CM_SHA1_80"):
                association, peer = (
                    endpoint.connect(client=client),
                    Peer(client=not client, profiles=profiles),
                )
                shake(association, peer)
                self.assertIsNone(association.profile())
                with self.assertRaises(RemoteError) as caught:
                    association.contexts()
                self.assertEqual(caught.exception.reason, "no common profile")

    def test_R_38_keys(self) -> None:
        """
        What either end protects with the exported keys, the other end
        unprotects, in both roles and with every profile.
        """
        packet = bytes.fromhex("800000010000000000000007") + b"payload"
        control = bytes.fromhex("80c9000100000007")
        for client in (False, True):
            for profile in Profile:
                association, peer = established(client=client, profile=profile)
                inbound, outbound = association.contexts()
                theirIn, theirOut = peer.sessions(profile)
                self.assertEqual(inbound.unprotect(theirOut.protect(packet)), packet)
                self.assertEqual(theirIn.unprotect(outbound.protect(packet)), packet)
                self.assertEqual(inbound.unprotectControl(theirOut.protect_rtcp(control)), control)
                self.assertEqual(theirIn.unprotect_rtcp(outbound.protectControl(control)), control)

    def test_fragments(self) -> None:
        """
        A ClientHello in several datagrams arrives in any order, and some of
        it twice, as with Chromium and Firefox.
        """
        for seed in range(8):
            random = Random(seed)
            association, peer = ENDPOINT.connect(client=False), Peer(client=True)
            pieces = fragments(peer.receive(), 150 - 15 * seed)
            for datagram in random.sample(pieces * 2, 2 * len(pieces)):
                association.receive(datagram, 0.0)
            self.assertGreater(len(pieces), 1)
            shake(association, peer)
            self.assertEqual(events(association), [Established(THEIR_DER)])
            self.assertTrue(peer.done)

    def test_reordered(self) -> None:
        """
        The same as the client, with flights of the server mixed up.
        """
        for seed in range(8):
            peer, random = Peer(client=False, mtu=300), Random(seed)
            association = ENDPOINT.connect(client=True)

            def network(sent: list[bytes], random: Random = random) -> list[bytes]:
                return random.sample(sent, len(sent))

            shake(association, peer, network)
            self.assertEqual(events(association), [Established(THEIR_DER)])

    def test_severalRecords(self) -> None:
        """
        Records share a datagram, theirs and ours (RFC 6347 clause 4.1.1).
        """
        association, peer = ENDPOINT.connect(client=False), Peer(client=True)
        shake(association, peer, lambda sent: [b"".join(sent)] if sent else [])
        self.assertEqual(events(association), [Established(THEIR_DER)])

    def test_datagrams(self) -> None:
        """
        A flight that is too long for one datagram goes out in several, each
        of whole records and none above the MTU.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([])
        certificate = (
            x509.CertificateBuilder(name, name, key.public_key(), 1, NOW, NOW)
            .add_extension(x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), bytes(3000)), False)
            .sign(key, hashes.SHA256())
        )
        association = Endpoint(Identity(certificate, key), list(Profile)).connect(client=False)
        peer, sent = Peer(client=True), []
        for datagram in peer.receive():
            association.receive(datagram, 0.0)
        sent = datagrams(association)
        self.assertGreater(len(sent), 3)
        for datagram in sent:
            self.assertLessEqual(len(datagram), MTU)
            self.assertEqual(b"".join(records(datagram)), datagram)
        # Small records share a datagram.
        self.assertLess(len(sent), sum(len(records(datagram)) for datagram in sent))
        for datagram in peer.receive(sent):
            association.receive(datagram, 0.0)
        self.assertEqual(events(association), [Established(THEIR_DER)])


class RefusalTests(SynchronousTestCase):
    """
    Handshakes that must not end well.
    """

    def fails(self, peer: Peer) -> str:
        """
        A handshake fails for good.

        @return: the reason.
        """
        association = ENDPOINT.connect(client=not peer.client)
        shake(association, peer)
        (event,) = events(association)
        assert isinstance(event, Failed)
        self.assertTrue(association.failed)
        self.assertFalse(association.established)
        self.assertIsNone(association.nextTimeout())
        with self.assertRaises(RemoteError) as caught:
            association.receive(record(22, b"x"), 0.0)
        self.assertEqual(caught.exception.reason, "association ended")
        self.assertRaises(RemoteError, association.send, b"x")
        self.assertNotIn("\n", event.reason)
        return event.reason

    def test_R_34_noCertificate(self) -> None:
        """
        A client without a certificate is refused, and is told so.
        """
        peer = Peer(client=True, identity=None)
        self.assertEqual(self.fails(peer), "no certificate")
        self.assertIsNotNone(peer.error)

    def test_R_34_notAsked(self) -> None:
        """
        Even if OpenSSL were content without a certificate, we are not.
        """
        context = SSL.Context(SSL.DTLS_METHOD)
        context.use_certificate(OURS.certificate)
        context.use_privatekey(OURS.key)
        context.set_options(SSL.OP_NO_QUERY_MTU)
        association = Association(Connection(context, client=False, mtu=MTU), client=False)
        shake(association, Peer(client=True, profiles=b""))
        self.assertEqual(events(association), [Failed("no certificate")])

    def test_R_40_oldVersion(self) -> None:
        """
        DTLS 1.0 is refused in both roles.
        """
        for client in (False, True):
            peer = Peer(client=client, version=DTLS_1_0, ciphers=b"ALL:@SECLEVEL=0")
            self.fails(peer)
            self.assertFalse(peer.done)

    def test_ciphers(self) -> None:
        """
        Suites without forward secrecy, without encryption or without
        authentication are refused.
        """
        for ciphers in (
            b"AES128-GCM-SHA256",
            b"ECDHE-ECDSA-NULL-SHA",
            b"AECDH-AES128-SHA",
            b"ECDHE-ECDSA-AES128-SHA",
        ):
            self.fails(Peer(client=True, ciphers=ciphers + b":@SECLEVEL=0"))

    def test_R_40_renegotiation(self) -> None:
        """
        Renegotiation is refused whoever wants it, and the association goes on
        (RFC 8827 clause 6.5).
        """
        for client in (False, True):
            association, peer = established(client=client)
            peer.connection.send(b"on its way")
            late = peer.written()
            peer.connection.renegotiate()
            with contextlib.suppress(SSL.WantReadError):
                peer.connection.do_handshake()
            for datagram in peer.written():
                association.receive(datagram, 0.0)
            self.assertEqual(events(association), [])
            peer.receive(datagrams(association))
            assert peer.error is not None
            self.assertIn("no renegotiation", str(peer.error))
            # OpenSSL's peer gives up over that; we do not.
            association.receive(b"".join(late), 0.0)
            self.assertEqual(events(association), [Received(b"on its way")])

    def test_closedEarly(self) -> None:
        """
        A peer that says goodbye before the handshake is done has failed it.
        """
        association, peer = ENDPOINT.connect(client=False), Peer(client=True)
        for datagram in peer.receive():
            association.receive(datagram, 0.0)
        association.receive(record(21, b"\x01\x00"), 0.0)
        self.assertEqual(events(association), [Failed("closed by the remote party")])

    def test_alert(self) -> None:
        """
        A peer that gives up is believed, and why is told.
        """
        association = ENDPOINT.connect(client=True)
        association.start(0.0)
        association.receive(record(21, b"\x02\x28"), 0.0)
        (event,) = events(association)
        assert isinstance(event, Failed)
        self.assertIn("handshake failure", event.reason)


class GarbageTests(SynchronousTestCase):
    """
    What is no DTLS, or none that makes sense.
    """

    #: Datagrams that are refused at any time, whoever sends them.
    BAD = (
        b"",
        b"\x16",
        b"\x80\x00\x00\x01",
        record(22, b""),
        record(22, b"x")[:-1],
        record(22, b"x") + b"x",
        record(22, b"x" * 11),
        record(22, bytes(12) + b"x"),
        record(22, b"\x01" + bytes(8) + b"\x00\x00\x01x"),
        record(22, b"\x01\x00\x00\x02\x00\x00\x00\x00\x01\x00\x00\x02xx"),
        record(22, bytes(12), version=b"\x03\x03"),
        record(22, bytes(12), version=b"\xfe\xfc"),
        record(20, b"\x02"),
        record(20, b"\x01\x01"),
        record(21, b"\x02"),
        record(21, b"\x03\x28"),
        record(21, b"\x02\x28\x00"),
        record(23, b"in the clear"),
        record(24, b"\x01\x40\x00"),
        record(63, b"x"),
        record(22, bytes(12)) + b"\x00" * 20 + record(22, bytes(12)),
        record(22, bytes(12)) * (MAX_DATAGRAM // 25 + 1),
        record(23, bytes(MAX_DATAGRAM - 12), epoch=1),
    )

    def test_refused(self) -> None:
        """
        What is not a row of sound records is refused, before, while and after
        hands are shaken, and does no harm.
        """
        for client in (False, True):
            association, peer = ENDPOINT.connect(client=client), Peer(client=not client)

            def network(sent: list[bytes], association: Association = association) -> list[bytes]:
                for bad in self.BAD:
                    with self.assertRaises(RemoteError) as caught:
                        association.receive(bad, 0.0)
                    self.assertEqual(caught.exception.reason, "malformed record")
                return sent

            shake(association, peer, network)
            self.assertEqual(events(association), [Established(THEIR_DER)])
            network([])
            association.send(b"still here")
            peer.receive(datagrams(association))
            self.assertEqual(peer.data, [b"still here"])

    def test_ignored(self) -> None:
        """
        Records that claim to be encrypted and are not are ignored, before,
        while and after hands are shaken.
        """
        for client in (False, True):
            association, peer = ENDPOINT.connect(client=client), Peer(client=not client)
            junk = [
                record(kind, bytes(40), epoch=epoch) for kind in (20, 21, 22, 23, 24, 63) for epoch in (1, 2)
            ]

            def network(
                sent: list[bytes], association: Association = association, junk: list[bytes] = junk
            ) -> list[bytes]:
                for each in junk:
                    with contextlib.suppress(RemoteError):
                        association.receive(each, 0.0)
                return sent

            shake(association, peer, network)
            self.assertEqual(events(association), [Established(THEIR_DER)])
            network([])
            self.assertEqual(events(association), [])
            self.assertFalse(association.failed)

    def test_noClientHello(self) -> None:
        """
        As the server, we begin with a ClientHello and with nothing else.
        """
        association = ENDPOINT.connect(client=False)
        for datagram in (
            record(21, b"\x01\x00"),
            record(20, b"\x01"),
            record(22, b"\x02" + bytes(11)),
            record(23, bytes(40), epoch=1),
        ):
            with self.assertRaises(RemoteError) as caught:
                association.receive(datagram, 0.0)
            self.assertEqual(caught.exception.reason, "no ClientHello")
        shake(association, Peer(client=True))
        self.assertEqual(events(association), [Established(THEIR_DER)])

    def test_clearAfterwards(self) -> None:
        """
        When hands are shaken, nothing in the clear counts: not a goodbye, not
        a failure, not another ClientHello.
        """
        association, peer = established(client=False)
        for datagram in (record(21, b"\x01\x00"), record(21, b"\x02\x28"), *Peer(client=True).receive()):
            association.receive(datagram, 0.0)
        self.assertEqual(events(association), [])
        association.send(b"still here")
        peer.receive(datagrams(association))
        self.assertEqual(peer.data, [b"still here"])

    def test_endless(self) -> None:
        """
        A handshake that does not end takes so many datagrams and no more.
        """
        association = ENDPOINT.connect(client=False)
        fragment = fragments(Peer(client=True).receive(), 100)[0]
        for _ in range(MAX_HANDSHAKE_DATAGRAMS):
            association.receive(fragment, 0.0)
        with self.assertRaises(RemoteError) as caught:
            association.receive(fragment, 0.0)
        self.assertEqual(caught.exception.reason, "endless handshake")
        self.assertEqual(events(association) + datagrams(association), [])
        association.timeout(HANDSHAKE_TIMEOUT)
        self.assertEqual(events(association), [Failed("timeout")])

    def test_manyAfterwards(self) -> None:
        """
        Datagrams after the handshake are not counted.
        """
        association, peer = established(client=True)
        for _ in range(MAX_HANDSHAKE_DATAGRAMS + 10):
            peer.connection.send(b"x")
            association.receive(b"".join(peer.written()), 0.0)
        self.assertEqual(events(association), [Received(b"x")] * (MAX_HANDSHAKE_DATAGRAMS + 10))

    @settings(deadline=None, derandomize=True, max_examples=60)
    @given(
        st.booleans(),
        st.lists(
            st.binary(max_size=60)
            | st.builds(record, st.integers(19, 24), st.binary(max_size=40), epoch=st.integers(0, 1))
            | st.builds(
                lambda kind, body: record(
                    22, bytes([kind, 0, 0, len(body)]) + bytes(7) + bytes([len(body)]) + body
                ),
                st.integers(0, 25),
                st.binary(max_size=60),
            ),
            max_size=6,
        ),
    )
    def test_garbage(self, client: bool, data: list[bytes]) -> None:
        """
        Whatever arrives is taken or refused, and nothing else happens.
        """
        association = ENDPOINT.connect(client=client)
        if client:
            association.start(0.0)
        for each in data:
            with contextlib.suppress(RemoteError):
                association.receive(each, 0.0)
        for event in events(association):
            self.assertIsInstance(event, Failed)

    def test_mutations(self) -> None:
        """
        The same for flights that are almost good.
        """
        for seed in range(60):
            random = Random(seed)
            association, peer = ENDPOINT.connect(client=bool(seed % 2)), Peer(client=not seed % 2)

            def network(sent: list[bytes], random: Random = random) -> list[bytes]:
                spoiled = []
                for each in map(bytearray, sent):
                    for _ in range(random.randrange(3)):
                        each[random.randrange(len(each))] = random.randrange(256)
                    spoiled.append(bytes(each))
                return spoiled

            shake(association, peer, network)
            for event in events(association):
                self.assertIsInstance(event, Failed | Established)


class DataTests(SynchronousTestCase):
    """
    Application data and the end.
    """

    def test_data(self) -> None:
        """
        A record in is a record out, in both directions, up to the longest.
        """
        for client in (False, True):
            association, peer = established(client=client)
            for size in (1, 100, MTU, 16384):
                association.send(bytes(size))
                sent = datagrams(association)
                self.assertEqual(len(sent), 1)
                peer.receive(sent)
                self.assertEqual(peer.data.pop(), bytes(size))
                peer.connection.send(bytes(size))
                association.receive(b"".join(peer.written()), 0.0)
                self.assertEqual(events(association), [Received(bytes(size))])

    def test_withoutProfiles(self) -> None:
        """
        An endpoint for data alone agrees on no profile.
        """
        association, peer = Endpoint(OURS).connect(client=True), Peer(client=False)
        shake(association, peer)
        self.assertEqual(events(association), [Established(THEIR_DER)])
        self.assertIsNone(association.profile())
        association.send(b"data")
        peer.receive(datagrams(association))
        self.assertEqual(peer.data, [b"data"])

    def test_unsendable(self) -> None:
        """
        What fits into no record is not sent, and does no harm.
        """
        association, peer = established(client=True)
        for data in (b"", bytes(16385)):
            with self.assertRaises(RemoteError) as caught:
                association.send(data)
            self.assertEqual(caught.exception.reason, "not sent")
        self.assertEqual(datagrams(association), [])
        association.send(b"still here")
        peer.receive(datagrams(association))
        self.assertEqual(peer.data, [b"still here"])

    def test_tooEarly(self) -> None:
        """
        Before the handshake is done nothing can be sent.
        """
        association = ENDPOINT.connect(client=True)
        self.assertRaises(RemoteError, association.send, b"x")
        self.assertEqual(datagrams(association), [])

    def test_close(self) -> None:
        """
        Whoever closes says so to the other, once; then it is over.
        """
        association, peer = established(client=True)
        association.close()
        peer.receive(datagrams(association))
        self.assertIsInstance(peer.error, SSL.ZeroReturnError)
        association.close()
        self.assertEqual(datagrams(association) + events(association), [])
        self.assertRaises(RemoteError, association.send, b"x")
        self.assertRaises(RemoteError, association.receive, record(22, bytes(12)), 0.0)

    def test_closed(self) -> None:
        """
        A peer that says goodbye is gone.
        """
        association, peer = established(client=False)
        peer.connection.shutdown()
        association.receive(b"".join(peer.written()), 0.0)
        self.assertEqual(events(association), [Closed()])
        self.assertTrue(association.failed)
        association.close()
        self.assertEqual(events(association), [])

    def test_closedBeforeTheEnd(self) -> None:
        """
        An association that is closed while hands are shaken has no timer and
        takes nothing more.
        """
        association, peer = ENDPOINT.connect(client=True), Peer(client=False)
        association.start(5.0)
        self.assertIsNotNone(association.nextTimeout())
        hello = datagrams(association)
        association.close()
        self.assertIsNone(association.nextTimeout())
        association.timeout(100.0)
        for datagram in peer.receive(hello):
            self.assertRaises(RemoteError, association.receive, datagram, 6.0)
        self.assertEqual(datagrams(association) + events(association), [])

    def test_unkind(self) -> None:
        """
        A goodbye that cannot be said is not.
        """
        association, _ = established(client=True)
        connection = association._connection
        assert connection is not None
        with contextlib.suppress(SSL.Error):
            connection.shutdown()
            connection.shutdown()
        lib.SSL_set_accept_state(connection._ssl)
        association.close()
        self.assertTrue(association.failed)

    def test_R_111_secrets(self) -> None:
        """
        Neither keys nor data show in what a traceback or a log prints.
        """
        association, _ = established(client=True)
        inbound, _ = association.contexts()
        for text in (repr(association), repr(ENDPOINT), repr(inbound), repr(vars(ENDPOINT))):
            self.assertNotIn("key", text.replace("key=None", "").lower())


class TimeTests(SynchronousTestCase):
    """
    Retransmission and its end.
    """

    def test_deadline(self) -> None:
        """
        A handshake that is not done in time has failed, in either role; the
        time runs from the first datagram.
        """
        client, server = ENDPOINT.connect(client=True), ENDPOINT.connect(client=False)
        self.assertEqual((client.nextTimeout(), server.nextTimeout()), (None, None))
        client.start(100.0)
        at = client.nextTimeout()
        assert at is not None
        self.assertTrue(100.0 < at <= 101.0)
        server.receive(fragments(Peer(client=True).receive(), 100)[0], 200.0)
        # Part of a ClientHello is nothing to be retransmitted.
        self.assertEqual(server.nextTimeout(), 200.0 + HANDSHAKE_TIMEOUT)
        for association, end in ((client, 100.0), (server, 200.0)):
            association.timeout(end + HANDSHAKE_TIMEOUT - 0.001)
            self.assertEqual(events(association), [])
            association.timeout(end + HANDSHAKE_TIMEOUT)
            self.assertEqual(events(association), [Failed("timeout")])
            self.assertIsNone(association.nextTimeout())
            association.timeout(end + 100.0)
            self.assertEqual(events(association) + datagrams(association)[1:], [])

    def test_tooEarly(self) -> None:
        """
        Nothing is sent again before its time, and nothing at all when hands
        are shaken.
        """
        association = ENDPOINT.connect(client=True)
        association.start(0.0)
        datagrams(association)
        association.timeout(0.5)
        self.assertEqual(datagrams(association), [])
        association, _ = established(client=True)
        association.timeout(50.0)
        self.assertEqual(datagrams(association) + events(association), [])

    def test_retransmission(self) -> None:
        """
        Whatever flight is lost comes again: our ClientHello, our server's
        flights, and our last one when the peer asks for it.

        OpenSSL has a clock of its own, which no test can turn, so this one
        has to wait for its first second, once, for all.
        """
        lostHello, helloServer = ENDPOINT.connect(client=True), Peer(client=False)
        lostHello.start(0.0)
        hello = datagrams(lostHello)

        lostFlight, flightClient = ENDPOINT.connect(client=False), Peer(client=True)
        for datagram in flightClient.receive():
            lostFlight.receive(datagram, 0.0)
        flight = datagrams(lostFlight)

        lostEnd, endClient = ENDPOINT.connect(client=False), Peer(client=True)
        for datagram in endClient.receive():
            lostEnd.receive(datagram, 0.0)
        for datagram in endClient.receive(datagrams(lostEnd)):
            lostEnd.receive(datagram, 0.0)
        self.assertEqual(events(lostEnd), [Established(THEIR_DER)])
        end = datagrams(lostEnd)

        wait = max(lostHello.nextTimeout() or 0.0, lostFlight.nextTimeout() or 0.0)
        self.assertLessEqual(wait, 1.0)
        time.sleep(wait + 0.02)  # noqa: TID251

        lostHello.timeout(wait)
        self.assertEqual(_bodies(datagrams(lostHello)), _bodies(hello))
        later = lostHello.nextTimeout()
        assert later is not None
        # RFC 6347 clause 4.2.4.1: twice as long each time.
        self.assertTrue(wait + 1.0 < later <= wait + 2.0)

        lostFlight.timeout(wait)
        again = datagrams(lostFlight)
        self.assertEqual(_bodies(again), _bodies(flight))
        for datagram in flightClient.receive(again):
            lostFlight.receive(datagram, 1.0)
        self.assertEqual(events(lostFlight), [Established(THEIR_DER)])
        self.assertEqual(flightClient.receive(datagrams(lostFlight)), [])
        self.assertTrue(flightClient.done)

        endClient.connection.DTLSv1_handle_timeout()
        for datagram in endClient.written():
            lostEnd.receive(datagram, 1.0)
        again = datagrams(lostEnd)
        self.assertEqual(len(b"".join(again)), len(b"".join(end)))
        endClient.receive(again)
        self.assertTrue(endClient.done)
        self.assertEqual(events(lostEnd), [])
        self.assertFalse(helloServer.done)


def _bodies(sent: list[bytes]) -> list[bytes]:
    """
    Records without their sequence numbers.
    """
    return [each[:5] + each[11:] for each in records(b"".join(sent))]
