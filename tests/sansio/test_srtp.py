"""
Tests for L{e2aegw.sansio.srtp}.
"""

import contextlib
import gc
import struct

from hypothesis import given, settings
from hypothesis import strategies as st
from pylibsrtp import Error, Policy, Session
from twisted.trial.unittest import SynchronousTestCase

from e2aegw.errors import RemoteError
from e2aegw.sansio import srtp
from e2aegw.sansio.srtp import (
    ARENA,
    MAX_DATAGRAM,
    MAX_SOURCES,
    REPLAY_WINDOW,
    Context,
    Keys,
    Profile,
    contextPair,
    exporterLength,
    keysFromExporter,
    profilesNamed,
)
from tests.sansio.referencesrtp import Reference, counterIV, derive, keystream, sealRTCP, sealRTP

#: What pylibsrtp calls the profiles, and the length of the RTP tag under
#: HMAC-SHA1.
PROFILES = {
    Profile.AEAD_AES_128_GCM: (Policy.SRTP_PROFILE_AEAD_AES_128_GCM, None),
    Profile.AEAD_AES_256_GCM: (Policy.SRTP_PROFILE_AEAD_AES_256_GCM, None),
    Profile.AES_CM_128_HMAC_SHA1_80: (Policy.SRTP_PROFILE_AES128_CM_SHA1_80, 10),
    Profile.AES_CM_128_HMAC_SHA1_32: (Policy.SRTP_PROFILE_AES128_CM_SHA1_32, 4),
}
SSRC = 0xCAFEBABE


def material(profile: Profile, seed: int = 0) -> bytes:
    """
    A key and a salt that nobody should use.
    """
    return bytes((seed + n) % 256 for n in range(profile.keyLength + profile.saltLength))


def pair(profile: Profile = Profile.AES_CM_128_HMAC_SHA1_80, seed: int = 0) -> tuple[Context, Context]:
    """
    What protects, and what unprotects that.
    """
    keys = Keys(profile, material(profile, seed))
    return Context(keys, inbound=False), Context(keys, inbound=True)


def rtp(sequence: int = 1, ssrc: int = SSRC, payload: bytes = b"payload") -> bytes:
    """
    An RTP packet.
    """
    return struct.pack("!BBHII", 0x80, 0, sequence % 65536, 160 * sequence % 2**32, ssrc) + payload


def rtcp(ssrc: int = SSRC, body: bytes = bytes(20)) -> bytes:
    """
    A sender report.
    """
    return struct.pack("!BBHI", 0x80, 200, (4 + len(body)) // 4, ssrc) + body


def reference(profile: Profile) -> Reference:
    """
    The reference implementation under the same keys as L{pair}.
    """
    both = material(profile)
    return Reference(both[: profile.keyLength], both[profile.keyLength :], PROFILES[profile][1])


class ReferenceTests(SynchronousTestCase):
    """
    The reference implementation against the RFCs.
    """

    def test_keyDerivation(self) -> None:
        """
        RFC 3711 appendix B.3.
        """
        key = bytes.fromhex("E1F97A0D3E018BE0D64FA32C06DE4139")
        salt = bytes.fromhex("0EC675AD498AFEEBB6960B3AABE6")
        self.assertEqual(derive(key, salt, 0, 16).hex(), "c61e7a93744f39ee10734afe3ff7a087")
        self.assertEqual(derive(key, salt, 2, 14).hex(), "30cbbc08863d8c85d49db34a9ae1")
        self.assertEqual(
            derive(key, salt, 1, 94).hex(),
            "cebe321f6ff7716b6fd4ab49af256a156d38baa48f0a0acf3c34e2359e6cdbce"
            "e049646c43d9327ad175578ef72270986371c10c9a369ac2f94a8c5fbcdddc25"
            "6d6e919a48b610ef17c2041e474035766b68642c59bbfc2f34db60dbdfb2",
        )

    def test_counterMode(self) -> None:
        """
        RFC 3711 appendix B.2.
        """
        iv = counterIV(bytes.fromhex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD"), bytes(4), 0)
        stream = keystream(bytes.fromhex("2B7E151628AED2A6ABF7158809CF4F3C"), iv, bytes(1044512))
        self.assertEqual(
            [stream[16 * block :][:16].hex() for block in (0, 1, 2, 0xFEFF, 0xFF00, 0xFF01)],
            [
                "e03ead0935c95e80e166b16dd92b4eb4",
                "d23513162b02d0f72a43a2fe4a5f97ab",
                "41e95b3bb0a2e8dd477901e4fca894c0",
                "ec8cdf7398607cb0f2d21675ea9ea1e4",
                "362b7c3c6773516318a077d7fc5073ae",
                "6a2cc3787889374fbeb4c81b17ba6c44",
            ],
        )

    #: RFC 7714 clauses 16 and 17.
    SALT = b"Quid pro quo"
    PACKET = bytes.fromhex("8040f17b8041f8d35501a0b2") + b"Gallia est omnis divisa in partes tres"
    CONTROL = bytes.fromhex(
        "81c8000d4d6172734e5450314e545032525450200000042a0000e9304c756e61"
        "deadbeefdeadbeefdeadbeefdeadbeefdeadbeef"
    )

    def test_gcm(self) -> None:
        """
        RFC 7714 clauses 16.1.1 and 16.2.1.
        """
        self.assertEqual(
            sealRTP(bytes(range(16)), self.SALT, self.PACKET, 0).hex(),
            "8040f17b8041f8d35501a0b2f24de3a3fb34de6cacba861c9d7e4bcabe633bd5"
            "0d294e6f42a5f47a51c7d19b36de3adf8833899d7f27beb16a9152cf765ee4390cce",
        )
        self.assertEqual(
            sealRTP(bytes(range(32)), self.SALT, self.PACKET, 0).hex(),
            "8040f17b8041f8d35501a0b232b1de78a822fe12ef9f78fa332e33aab1801238"
            "9a58e2f3b50b2a0276ffae0f1ba63799b87b7aa3db36dfffd6b0f9bb7878d7a76c13",
        )

    def test_gcmControl(self) -> None:
        """
        RFC 7714 clauses 17.1 and 17.2.
        """
        self.assertEqual(
            sealRTCP(bytes(range(16)), self.SALT, self.CONTROL, 0x5D4).hex(),
            "81c8000d4d61727363e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32d"
            "c676a5f1730d6fda4ce09b4686303ded0bb9275bc84aa45896cf4d2fc5abf872"
            "45d9eade800005d4",
        )
        self.assertEqual(
            sealRTCP(bytes(range(32)), self.SALT, self.CONTROL, 0x5D4).hex(),
            "81c8000d4d617273d50ae4d1f5ce5d304ba297e47d470c282c3ece5dbffe0a50"
            "a2eaa5c1110555be8415f658c61de0476f1b6fad1d1eb30c4446839f57ff6f6c"
            "b26ac3be800005d4",
        )


class TransformTests(SynchronousTestCase):
    """
    L{Context} against the reference and against pylibsrtp.
    """

    def session(self, profile: Profile, *, inbound: bool) -> Session:
        """
        The other end, as pylibsrtp has it.
        """
        kind = Policy.SSRC_ANY_INBOUND if inbound else Policy.SSRC_ANY_OUTBOUND
        return Session(Policy(key=material(profile), ssrc_type=kind, srtp_profile=PROFILES[profile][0]))

    def test_R_22_reference(self) -> None:
        """
        Packets are protected as RFC 3711 and RFC 7714 say, before and after
        the sequence number wraps, and RTCP packets are counted from one.
        """
        for profile in Profile:
            out, back = pair(profile)
            expected = reference(profile)
            for index in (65534, 65535, 65536, 65537, 65540):
                packet = rtp(index)
                wire = out.protect(packet)
                self.assertEqual(wire, expected.protect(packet, index >> 16), profile)
                self.assertEqual(back.unprotect(wire), packet)
            for index in (1, 2, 3):
                wire = out.protectControl(rtcp())
                self.assertEqual(wire, expected.protectControl(rtcp(), index), profile)
                self.assertEqual(back.unprotectControl(wire), rtcp())

    def test_R_22_libsrtp(self) -> None:
        """
        Each profile works with a plain pylibsrtp session, in both directions
        and for RTCP.
        """
        for profile in Profile:
            out, back = pair(profile)
            theirOut = self.session(profile, inbound=False)
            theirBack = self.session(profile, inbound=True)
            for sequence in (1, 2, 3, 7, 5):
                packet, control = rtp(sequence), rtcp(SSRC + sequence)
                self.assertEqual(theirBack.unprotect(out.protect(packet)), packet)
                self.assertEqual(back.unprotect(theirOut.protect(packet)), packet)
                self.assertEqual(theirBack.unprotect_rtcp(out.protectControl(control)), control)
                self.assertEqual(back.unprotectControl(theirOut.protect_rtcp(control)), control)
            forged = bytearray(out.protect(rtp(9)))
            forged[-1] ^= 1
            self.assertRaises(Error, theirBack.unprotect, bytes(forged))

    def test_overhead(self) -> None:
        """
        RTCP has a tag of 80 bits even where RTP has one of 32 (RFC 4568
        clause 6.2), and AES-GCM has one of 128.
        """
        for profile, media, control in (
            (Profile.AES_CM_128_HMAC_SHA1_80, 10, 14),
            (Profile.AES_CM_128_HMAC_SHA1_32, 4, 14),
            (Profile.AEAD_AES_128_GCM, 16, 20),
            (Profile.AEAD_AES_256_GCM, 16, 20),
        ):
            out, _ = pair(profile)
            self.assertEqual(len(out.protect(rtp())) - len(rtp()), media)
            self.assertEqual(len(out.protectControl(rtcp())) - len(rtcp()), control)

    def test_inPlace(self) -> None:
        """
        A datapath transforms packets in the arena, with the same outcome.
        """
        out, back = pair()
        twin, _ = pair()
        length = srtp.newLength()
        for sequence in (1, 2):
            packet = rtp(sequence)
            ARENA[: len(packet)] = packet
            length[0] = len(packet)
            self.assertEqual(srtp.protectInPlace(out.session, srtp.ARENA_POINTER, length), 0)
            self.assertEqual(ARENA[: length[0]], twin.protect(packet))
            length[0] = len(packet) + 10
            self.assertEqual(srtp.unprotectInPlace(back.session, srtp.ARENA_POINTER, length), 0)
            self.assertEqual(ARENA[: length[0]], packet)
        wire = out.protect(rtp(3))
        for expected in (None, "replayed"):
            ARENA[: len(wire)] = wire
            length[0] = len(wire)
            status = srtp.unprotectInPlace(back.session, srtp.ARENA_POINTER, length)
            self.assertEqual(srtp.REASONS.get(status), expected)

    def test_manySources(self) -> None:
        """
        Each source has its own rollover counter.
        """
        out, back = pair()
        for sequence in (65535, 65536):
            wires = [out.protect(rtp(sequence, ssrc)) for ssrc in range(5)]
            for ssrc, wire in enumerate(wires):
                self.assertEqual(back.unprotect(wire), rtp(sequence, ssrc))
        self.assertEqual(out.sources, set(range(5)))
        self.assertEqual(back.sources, set(range(5)))

    @settings(deadline=None, derandomize=True, max_examples=100)
    @given(st.sampled_from(Profile), st.integers(0, 2**32 - 1), st.binary(max_size=1500), st.binary())
    def test_roundTrip(self, profile: Profile, ssrc: int, payload: bytes, body: bytes) -> None:
        """
        What is protected is unprotected again, of any length.
        """
        out, back = pair(profile)
        packet, control = rtp(7, ssrc, payload), rtcp(ssrc, body)
        self.assertEqual(back.unprotect(out.protect(packet)), packet)
        self.assertEqual(back.unprotectControl(out.protectControl(control)), control)

    def test_length(self) -> None:
        """
        The longest datagram goes through and one longer does not, whatever
        is done with it.
        """
        for profile in Profile:
            out, back = pair(profile)
            packet = rtp(payload=bytes(MAX_DATAGRAM - 12))
            wire = out.protect(packet)
            self.assertLessEqual(len(wire), len(ARENA))
            control = rtcp(body=bytes(MAX_DATAGRAM - 8))
            self.assertLessEqual(len(out.protectControl(control)), len(ARENA))
            for context in (out, back):
                for method in (
                    context.protect,
                    context.protectControl,
                    context.unprotect,
                    context.unprotectControl,
                ):
                    with self.assertRaises(RemoteError) as caught:
                        method(packet + b"x")
                    self.assertEqual(caught.exception.reason, "too long")
            self.assertEqual(back.unprotect(out.protect(rtp(2))), rtp(2))


class IdentifiedTests(SynchronousTestCase):
    """
    Packets with a master key identifier.
    """

    #: What libsrtp 2.5 makes of an RTP packet and of an RTCP packet under
    #: L{material}'s keys, with the identifier 1066 in four octets.
    PACKETS = (
        (
            Profile.AES_CM_128_HMAC_SHA1_80,
            "80000007000004600a0b0c0d665b108b046991263efb80a1d90000042adac1c969df1c5786c5ca",
            "80c800060a0b0c0d33cc0ba5942ee46ffeb497ef1520026e29baaa5c800000010000042a01b6498e367027816e87",
        ),
        (
            Profile.AES_CM_128_HMAC_SHA1_32,
            "80000007000004600a0b0c0d665b108b046991263efb80a1d90000042adac1c969",
            "80c800060a0b0c0d33cc0ba5942ee46ffeb497ef1520026e29baaa5c800000010000042a01b6498e367027816e87",
        ),
        (
            Profile.AEAD_AES_128_GCM,
            "80000007000004600a0b0c0df0a3eea5e5ac962847cbdc77cfb071c21541ca9f4bd5f75db1fbce93250000042a",
            "80c800060a0b0c0d7798e2985cef27647c1be4b114b29a512b34540aff48d6105c7b34710ea4694937854dd7"
            "800000010000042a",
        ),
    )

    def context(self, profile: Profile, number: int = 1066) -> Context:
        """
        What unprotects them, from a party that has this identifier.
        """
        keys = Keys(profile, material(profile), number.to_bytes(4, "big"))
        return contextPair(keys, Keys(profile, material(profile, 1)))[0]

    def test_libsrtp(self) -> None:
        """
        What libsrtp protects is unprotected.
        """
        for profile, media, control in self.PACKETS:
            context = self.context(profile)
            self.assertEqual(context.unprotect(bytes.fromhex(media))[12:], b"what was said")
            self.assertEqual(context.unprotectControl(bytes.fromhex(control))[8:], bytes(20))

    def test_another(self) -> None:
        """
        Under another identifier, or none, packets are refused, however short,
        and so they are when they come twice.
        """
        for profile, media, control in self.PACKETS:
            context = self.context(profile, 1)
            for packet in (media, control):
                data = bytes.fromhex(packet)
                for each in (data, data[:4], b""):
                    refused = self.assertRaises(RemoteError, context.unprotect, each)
                    self.assertEqual(refused.reason, "unknown master key")
                    refused = self.assertRaises(RemoteError, context.unprotectControl, each)
                    self.assertEqual(refused.reason, "unknown master key")
            context = self.context(profile)
            context.unprotect(bytes.fromhex(media))
            refused = self.assertRaises(RemoteError, context.unprotect, bytes.fromhex(media))
            self.assertEqual(refused.reason, "replayed")

    def test_oneWay(self) -> None:
        """
        What is sent has none: that is for who sends to say.
        """
        profile = Profile.AES_CM_128_HMAC_SHA1_80
        identified = Keys(profile, material(profile), b"\1")
        self.assertEqual(
            contextPair(identified, identified)[1].protect(rtp()), pair(profile)[0].protect(rtp())
        )


class RefusalTests(SynchronousTestCase):
    """
    What is not authentic, or was there before.
    """

    def assertRefused(self, reason: str, method: "object", packet: bytes) -> None:
        """
        A packet is refused for this reason.
        """
        assert callable(method)
        with self.assertRaises(RemoteError) as caught:
            method(packet)
        self.assertEqual(caught.exception.reason, reason)

    def test_R_99_replayed(self) -> None:
        """
        A packet is accepted once, of RTP and of RTCP.
        """
        for profile in Profile:
            out, back = pair(profile)
            media, control = out.protect(rtp()), out.protectControl(rtcp())
            back.unprotect(media)
            back.unprotectControl(control)
            self.assertRefused("replayed", back.unprotect, media)
            self.assertRefused("replayed", back.unprotectControl, control)

    def test_R_99_window(self) -> None:
        """
        Packets may come out of order within a window of more than 64, each of
        them once; what is older is refused.
        """
        self.assertGreaterEqual(REPLAY_WINDOW, 64)
        out, back = pair()
        wires = [out.protect(rtp(sequence)) for sequence in range(1, 2 * REPLAY_WINDOW)]
        newest, *rest = reversed(wires)
        back.unprotect(newest)
        for age, wire in enumerate(rest, 1):
            if age < REPLAY_WINDOW:
                back.unprotect(wire)
                self.assertRefused("replayed", back.unprotect, wire)
            else:
                self.assertRefused("too old", back.unprotect, wire)

    def test_R_99_controlWindow(self) -> None:
        """
        The same holds for RTCP.
        """
        out, back = pair()
        wires = [out.protectControl(rtcp()) for _ in range(200)]
        back.unprotectControl(wires[-1])
        for wire in wires[-64:-1]:
            back.unprotectControl(wire)
            self.assertRefused("replayed", back.unprotectControl, wire)
        self.assertRefused("too old", back.unprotectControl, wires[0])

    def test_R_99_updatedAfterAuthentication(self) -> None:
        """
        A forged packet from the future neither moves the window nor counts
        as seen.
        """
        out, back = pair()
        first, second = out.protect(rtp(1)), out.protect(rtp(2))
        back.unprotect(first)
        forged = second[:-1] + bytes([second[-1] ^ 1])
        self.assertRefused("bad authentication", back.unprotect, forged)
        self.assertRefused("bad authentication", back.unprotect, first[:2] + b"\x7f\xff" + first[4:])
        self.assertEqual(back.unprotect(second), rtp(2))

    def test_R_100_tampered(self) -> None:
        """
        A packet with any octet changed, cut off or added is refused.
        """
        for profile in Profile:
            out, back = pair(profile)
            for wire, method in (
                (out.protect(rtp(5)), back.unprotect),
                (out.protectControl(rtcp()), back.unprotectControl),
            ):
                for at in range(len(wire)):
                    forged = bytearray(wire)
                    forged[at] ^= 0x10
                    self.assertRaises(RemoteError, method, bytes(forged))
                    self.assertRaises(RemoteError, method, wire[:at])
                self.assertRaises(RemoteError, method, wire + b"\0")
                self.assertEqual(back.sources, set())
            self.assertEqual(back.unprotect(out.protect(rtp(6))), rtp(6))

    def test_R_100_otherKeys(self) -> None:
        """
        What was protected under another key, or by us, is refused.
        """
        for profile in Profile:
            out, _ = pair(profile, seed=1)
            _, back = pair(profile)
            self.assertRefused("bad authentication", back.unprotect, out.protect(rtp()))
            self.assertRefused("bad authentication", back.unprotectControl, out.protectControl(rtcp()))

    def test_unencryptedControl(self) -> None:
        """
        An RTCP packet that says that it is not encrypted is refused, even if
        it is authentic (RFC 4568 clause 6.3.2).
        """
        out, back = pair()
        wire = bytearray(out.protectControl(rtcp()))
        wire[-14] &= 0x7F
        self.assertRaises(RemoteError, back.unprotectControl, bytes(wire))

    def test_sentTwice(self) -> None:
        """
        A packet is not protected twice: the keystream would be the same.
        """
        out, _ = pair()
        out.protect(rtp(1))
        self.assertRefused("replayed", out.protect, rtp(1, payload=b"another"))
        out.protect(rtp(2 * REPLAY_WINDOW))
        self.assertRefused("too old", out.protect, rtp(2))

    def test_sources(self) -> None:
        """
        A context has as many sources as are allowed; those that it has go on.
        """
        out, back = pair()
        wires = [out.protect(rtp(1, ssrc)) for ssrc in range(MAX_SOURCES)]
        self.assertRefused("too many sources", out.protect, rtp(1, MAX_SOURCES))
        self.assertRefused("too many sources", out.protectControl, rtcp(MAX_SOURCES))
        another, _ = pair()
        for wire in wires:
            back.unprotect(wire)
        self.assertRefused("too many sources", back.unprotect, another.protect(rtp(1, MAX_SOURCES)))
        self.assertRefused(
            "too many sources", back.unprotectControl, another.protectControl(rtcp(MAX_SOURCES))
        )
        self.assertEqual(back.unprotect(out.protect(rtp(2, 0))), rtp(2, 0))
        self.assertEqual(back.unprotectControl(out.protectControl(rtcp(1))), rtcp(1))

    def test_strangers(self) -> None:
        """
        Whoever cannot authenticate uses up no source.
        """
        _, back = pair()
        for ssrc in range(2 * MAX_SOURCES):
            self.assertRefused("bad authentication", back.unprotect, rtp(1, ssrc, bytes(40)))
        self.assertEqual(back.sources, set())

    @settings(deadline=None, derandomize=True, max_examples=150)
    @given(
        st.sampled_from(Profile),
        st.binary(max_size=80) | st.binary(max_size=60).map(rtp(1).__add__) | st.binary().map(rtcp().__add__),
    )
    def test_garbage(self, profile: Profile, data: bytes) -> None:
        """
        Whatever arrives is refused; what is sent is protected or refused.
        """
        out, back = pair(profile)
        for refuse in (back.unprotect, back.unprotectControl):
            self.assertRaises(RemoteError, refuse, data)
        for protect, again in ((out.protect, back.unprotect), (out.protectControl, back.unprotectControl)):
            with contextlib.suppress(RemoteError):
                self.assertEqual(again(protect(data)), data)


class KeyTests(SynchronousTestCase):
    """
    Profiles and keys.
    """

    def test_R_37_profiles(self) -> None:
        """
        The profile that everybody has is there, and none without encryption.
        """
        self.assertIn("SRTP_AES128_CM_SHA1_80", [profile.dtls for profile in Profile])
        for profile in Profile:
            self.assertNotIn("NULL", profile.dtls + profile.value)

    def test_lengths(self) -> None:
        """
        RFC 4568 clause 6.2 and RFC 7714 clause 12.
        """
        self.assertEqual(
            [(profile.keyLength, profile.saltLength) for profile in Profile],
            [(16, 12), (32, 12), (16, 14), (16, 14)],
        )

    def test_names(self) -> None:
        """
        Profiles are found by their names, in our order.
        """
        chosen = profilesNamed(["AES_CM_128_HMAC_SHA1_32", "AEAD_AES_128_GCM"])
        self.assertEqual(chosen, (Profile.AEAD_AES_128_GCM, Profile.AES_CM_128_HMAC_SHA1_32))
        self.assertEqual(profilesNamed(set()), ())
        with self.assertRaises(KeyError) as caught:
            profilesNamed({"AEAD_AES_128_GCM", "NULL_HMAC_SHA1_80"})
        self.assertEqual(caught.exception.args, ("NULL_HMAC_SHA1_80",))

    def test_R_38_exporter(self) -> None:
        """
        What a handshake exports is the client's key, the server's key, the
        client's salt and the server's salt (RFC 5764 clause 4.2).
        """
        for profile in Profile:
            key, salt = profile.keyLength, profile.saltLength
            parts = [b"a" * key, b"b" * key, b"c" * salt, b"d" * salt]
            exported = b"".join(parts)
            self.assertEqual(exporterLength(profile), len(exported))
            ofClient, ofServer = Keys(profile, parts[0] + parts[2]), Keys(profile, parts[1] + parts[3])
            self.assertEqual(keysFromExporter(profile, exported, client=True), (ofServer, ofClient))
            self.assertEqual(keysFromExporter(profile, exported, client=False), (ofClient, ofServer))

    def test_pair(self) -> None:
        """
        A pair speaks with the pair that has its keys the other way round.
        """
        profile = Profile.AEAD_AES_256_GCM
        one, other = Keys(profile, material(profile, 1)), Keys(profile, material(profile, 2))
        inbound, outbound = contextPair(one, other)
        theirIn, theirOut = contextPair(other, one)
        self.assertEqual(inbound.unprotect(theirOut.protect(rtp())), rtp())
        self.assertEqual(theirIn.unprotect(outbound.protect(rtp())), rtp())
        self.assertIs(inbound.profile, profile)

    def test_shortKey(self) -> None:
        """
        A key that is too short makes no context, and is not in the message.
        """
        for profile in Profile:
            with self.assertRaises(ValueError) as caught:
                Context(Keys(profile, b"secret"), inbound=True)
            self.assertNotIn("secret", str(caught.exception))

    def test_R_111_secrets(self) -> None:
        """
        Keys do not show in what a traceback or a log prints.
        """
        keys = Keys(Profile.AEAD_AES_128_GCM, b"secret")
        self.assertNotIn("secret", repr(keys) + str([keys]))
        self.assertIn("AEAD_AES_128_GCM", repr(keys))

    def test_released(self) -> None:
        """
        Contexts that nobody has any more are released, in any order.
        """
        before = _contexts()
        contexts = [pair(profile) for profile in Profile for _ in range(20)]
        for out, back in contexts:
            back.unprotect(out.protect(rtp()))
        self.assertGreater(_contexts(), before)
        contexts.sort(key=id)
        del contexts, out, back
        self.assertEqual(_contexts(), before)

    def test_refused(self) -> None:
        """
        What libsrtp would not do is a mistake of ours, and not a packet's.
        """
        self.patch(srtp, "REPLAY_WINDOW", 1)
        out, _ = pair()
        self.assertRaises(ValueError, out.protect, rtp())

    def test_derivedLater(self) -> None:
        """
        Session keys are derived when there is something to protect, and the
        master key is forgotten then.
        """
        out, back = pair()
        protected = out.protect(rtp())
        self.assertEqual((out._keys, out.session), (None, out.session))
        self.assertIsNotNone(back._keys)
        self.assertEqual(back.unprotect(protected), rtp())
        self.assertIsNone(back._keys)
        self.assertRaises(AttributeError, getattr, back, "sessions")


def _contexts() -> int:
    gc.collect()
    return sum(isinstance(each, Context) for each in gc.get_objects())
