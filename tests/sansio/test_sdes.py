"""
Tests for L{e2aegw.sansio.sdes}.
"""

import base64
import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from e2aegw.errors import NegotiationError
from e2aegw.sansio.sdes import Crypto, generate, match, select
from e2aegw.sansio.sdp import Line, Section
from e2aegw.sansio.srtp import Keys, Profile

SHA1_80 = Profile.AES_CM_128_HMAC_SHA1_80
SHA1_32 = Profile.AES_CM_128_HMAC_SHA1_32
GCM_128 = Profile.AEAD_AES_128_GCM
GCM_256 = Profile.AEAD_AES_256_GCM

#: A key of the length of AES_CM's, and the attribute that says it.
KEY = base64.b64encode(bytes(range(30))).decode()
GOOD = f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}"


def section(*values: str) -> Section:
    """
    A section with these C{a=crypto} attributes.
    """
    return Section("audio", 4000, "RTP/SAVP", ["0"], lines=[Line("crypto", value) for value in values])


class ParseTests(SynchronousTestCase):
    """
    L{Crypto.parse}.
    """

    def assertInvalid(self, value: str) -> None:
        """
        An attribute is refused by a message that does not hold the key.
        """
        with self.assertRaises(NegotiationError, msg=value) as caught:
            Crypto.parse(value)
        self.assertNotIn(KEY[:10], str(caught.exception))
        self.assertIsNone(caught.exception.__cause__)

    def test_rfc(self) -> None:
        """
        The keys in RFC 4568's examples are what base64 makes of them.
        """
        for suite, key in (
            ("AES_CM_128_HMAC_SHA1_80", "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj"),  # clause 4.5
            ("AES_CM_128_HMAC_SHA1_32", "NzB4d1BINUAvLEw6UzF3WSJ+PSdFcGdUJShpX1Zj"),
            ("AES_CM_128_HMAC_SHA1_80", "PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR"),  # clause 7.1.5
        ):
            crypto = Crypto.parse(f"1 {suite} inline:{key}|2^20 FEC_ORDER=FEC_SRTP")
            self.assertEqual(crypto.tag, "1")
            self.assertEqual(crypto.keys.profile.value, suite)
            self.assertEqual(crypto.keys.material, base64.b64decode(key))

    def test_rfcWithMKI(self) -> None:
        """
        The examples as they stand in RFC 4568 have a master key identifier.
        Several keys at once are not supported.
        """
        suite = "1 AES_CM_128_HMAC_SHA1_80 inline:"
        for info, mki in (
            ("d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|2^20|1:4", "00000001"),
            ("YUJDZGVmZ2hpSktMbW9QUXJzVHVWd3l6MTIzNDU2|1066:4", "0000042a"),
        ):
            crypto = Crypto.parse(suite + info)
            self.assertEqual(crypto.keys.mki.hex(), mki)
            self.assertEqual(Crypto.parse(crypto.line().value or ""), crypto)
            self.assertEqual(crypto.keys.material, base64.b64decode(info[:40]))
        self.assertInvalid(
            suite + "MTIzNDU2Nzg5QUJDREUwMTIzNDU2Nzg5QUJjZGVm|2^20|1:4;"
            "inline:QUJjZGVmMTIzNDU2Nzg5QUJDREUwMTIzNDU2Nzg5|2^20|2:4"
        )

    def test_suites(self) -> None:
        """
        Each suite has a key of its own length (RFC 4568 clause 6.2, RFC 7714
        clause 12).
        """
        for profile, length in ((SHA1_80, 30), (SHA1_32, 30), (GCM_128, 28), (GCM_256, 44)):
            key = base64.b64encode(bytes(length)).decode()
            self.assertEqual(
                Crypto.parse(f"7 {profile.value} inline:{key}"), Crypto("7", Keys(profile, bytes(length)))
            )

    def test_padding(self) -> None:
        """
        The padding of a key may be left away, as RFC 4568 clause 6.1 is read
        by some.
        """
        for profile in (GCM_128, GCM_256):
            crypto = generate("1", profile)
            bare = (crypto.line().value or "").rstrip("=")
            self.assertNotEqual(bare, crypto.line().value)
            self.assertEqual(Crypto.parse(bare), crypto)

    def test_spaces(self) -> None:
        """
        There may be any white space between the fields.
        """
        self.assertEqual(Crypto.parse(f" 1\t AES_CM_128_HMAC_SHA1_80   inline:{KEY}  ").keys.profile, SHA1_80)

    def test_valid(self) -> None:
        """
        What does not change the packets may stand in an attribute.
        """
        for value in (
            GOOD.replace("1 ", "0 ", 1),
            GOOD.replace("1 ", "999999999 ", 1),
            GOOD + "|1",
            GOOD + "|281474976710656",
            GOOD + "|2^0",
            GOOD + "|2^48",
            GOOD + " WSH=64",
            GOOD + " WSH=1024 FEC_ORDER=FEC_SRTP",
            GOOD + " -UNHEARD_OF=1 -x",
            GOOD + "|2^20|1:128",
            GOOD + "|255:1",
            GOOD + f"|{2**1024 - 1}:128",
        ):
            self.assertEqual(Crypto.parse(value).keys.material, bytes(range(30)), value)

    def test_R_23_invalid(self) -> None:
        """
        A key of the wrong length, a lifetime over the limit, an MKI that is
        too long or anything else that is wrong makes the attribute invalid.
        """
        short = base64.b64encode(bytes(29)).decode()
        long = base64.b64encode(bytes(31)).decode()
        for value in (
            "",
            "1",
            "1 AES_CM_128_HMAC_SHA1_80",
            GOOD.replace("1 ", "x ", 1),
            GOOD.replace("1 ", "01 ", 1),
            GOOD.replace("1 ", "-1 ", 1),
            GOOD.replace("1 ", "1000000000 ", 1),
            GOOD.replace("1 ", "\u0661 ", 1),
            GOOD.replace("AES", "F8_"),
            GOOD.replace("inline:", "uri:"),
            GOOD.replace("inline:", "inline"),
            GOOD.replace("inline:", ":"),
            f"1 AES_CM_128_HMAC_SHA1_80 inline:{short}",
            f"1 AES_CM_128_HMAC_SHA1_80 inline:{long}",
            "1 AES_CM_128_HMAC_SHA1_80 inline:",
            GOOD[:-1],
            GOOD[:-1] + "\u00e9",
            GOOD[:-1] + "*",
            GOOD.replace("inline:", "inline:="),
            GOOD + ";inline:" + KEY,
            GOOD + "|",
            GOOD + "|0",
            GOOD + "|010",
            GOOD + "|2^049",
            GOOD + "|2^49",
            GOOD + "|2^-1",
            GOOD + "|281474976710657",
            GOOD + "|9999999999999999",
            GOOD + "|" + "9" * 5000,
            GOOD + "|2^20|2^20",
            GOOD + "|1:129",
            GOOD + "|1:0",
            GOOD + "|0:4",
            GOOD + "|01:4",
            GOOD + "|1:04",
            GOOD + "|256:1",
            GOOD + "|1:",
            GOOD + "|:4",
            GOOD + "|1:4|1:4",
            GOOD + "|1:4|2^20",
            GOOD + "|" + "9" * 5000 + ":128",
        ):
            self.assertInvalid(value)

    def test_sessionParameters(self) -> None:
        """
        A parameter that weakens protection, or that changes packets in a way
        that we do not know, makes the attribute invalid (RFC 4568 clause
        6.3).
        """
        for parameter in (
            "UNENCRYPTED_SRTP",
            "UNENCRYPTED_SRTCP",
            "UNAUTHENTICATED_SRTP",
            "KDR=0",
            "KDR=1",
            "KDR=24",
            "FEC_ORDER=SRTP_FEC",
            f"FEC_KEY=inline:{KEY}",
            "WSH",
            "WSH=",
            "WSH=63",
            "WSH=064",
            "WSH=x",
            "UNHEARD_OF",
            "--x",
            "-",
        ):
            self.assertInvalid(f"{GOOD} {parameter}")
            self.assertInvalid(f"{GOOD} WSH=64 {parameter}")

    def test_R_111_secrets(self) -> None:
        """
        The key does not show in what a traceback or a log prints.
        """
        crypto = generate("1", SHA1_80)
        for text in (repr(crypto), str(crypto), repr(crypto.keys), repr([crypto.line()])):
            self.assertNotIn((crypto.line().value or "")[-20:], text)
            self.assertNotIn(repr(crypto.keys.material)[2:-1], text)

    @settings(deadline=None, derandomize=True, max_examples=100)
    @given(st.sampled_from(Profile), st.integers(0, 999999999), st.data())
    def test_roundTrip(self, profile: Profile, tag: int, data: st.DataObject) -> None:
        """
        What is written is read again.
        """
        length = profile.keyLength + profile.saltLength
        crypto = Crypto(str(tag), Keys(profile, data.draw(st.binary(min_size=length, max_size=length))))
        self.assertEqual(crypto.line().name, "crypto")
        self.assertEqual(Crypto.parse(crypto.line().value or ""), crypto)

    @settings(deadline=None, derandomize=True, max_examples=200)
    @given(
        st.lists(
            st.sampled_from([*GOOD.split(), f"inline:{KEY}|2^20", "WSH=64", "1:4", "|", ";"]) | st.text()
        ).flatmap(lambda words: st.sampled_from([" ".join(words), "".join(words)]))
    )
    def test_garbage(self, value: str) -> None:
        """
        Any text is an attribute or is refused, and nothing else happens.
        """
        with contextlib.suppress(NegotiationError):
            crypto = Crypto.parse(value)
            self.assertEqual(Crypto.parse(crypto.line().value or ""), crypto)


class GenerateTests(SynchronousTestCase):
    """
    L{generate}.
    """

    def test_R_24_unique(self) -> None:
        """
        No key is made twice, and its bits are as often one as zero.
        """
        for profile in Profile:
            keys = [generate("1", profile).keys.material for _ in range(500)]
            self.assertEqual(len(set(keys)), 500)
            self.assertEqual({len(key) for key in keys}, {profile.keyLength + profile.saltLength})
            joined = b"".join(keys)
            ones = int.from_bytes(joined, "big").bit_count()
            # Twenty standard deviations.
            self.assertLess(abs(ones - len(joined) * 4), 20 * (len(joined) * 2) ** 0.5)


class SelectTests(SynchronousTestCase):
    """
    L{select}.
    """

    def test_R_20_first(self) -> None:
        """
        Of several attributes the first that can be used is selected, not the
        one that we like best.
        """
        offered = [generate(str(n), profile) for n, profile in enumerate((SHA1_32, SHA1_80, GCM_256), 1)]
        offer = section("9 F8_128_HMAC_SHA1_80 inline:x", *(each.line().value or "" for each in offered))
        self.assertEqual(select(offer, Profile), offered[0])
        self.assertEqual(select(offer, [GCM_256, SHA1_80]), offered[1])
        self.assertEqual(select(offer, iter([GCM_256])), offered[2])

    def test_R_21_none(self) -> None:
        """
        If no attribute can be used, the section is refused.
        """
        for values in (
            [],
            [""],
            ["1 F8_128_HMAC_SHA1_80 inline:x", GOOD + " UNENCRYPTED_SRTP"],
            [generate("1", SHA1_32).line().value or ""],
        ):
            self.assertRaises(NegotiationError, select, section(*values), [SHA1_80])

    def test_sameTag(self) -> None:
        """
        A tag that stands twice identifies nothing (RFC 4568 clause 5.1.1),
        even if only one of the two could be used.
        """
        other = generate("2", SHA1_80)
        offer = section(GOOD, "1 F8_128_HMAC_SHA1_80 inline:x", other.line().value or "")
        self.assertEqual(select(offer, Profile), other)


class MatchTests(SynchronousTestCase):
    """
    L{match}.
    """

    def test_accepted(self) -> None:
        """
        An answer accepts the attribute with its tag and suite.
        """
        offered = [generate("1", SHA1_80), generate("2", SHA1_32)]
        theirs = generate("2", SHA1_32)
        self.assertEqual(match(section(theirs.line().value or ""), offered), (theirs, offered[1]))

    def test_R_28_notAccepted(self) -> None:
        """
        An answer without an attribute, with two, with a foreign tag or suite,
        or with one that is invalid accepts nothing.
        """
        offered = [generate("1", SHA1_80), generate("2", SHA1_32)]
        good = generate("1", SHA1_80).line().value or ""
        for values in (
            [],
            [good, generate("2", SHA1_32).line().value or ""],
            [generate("3", SHA1_80).line().value or ""],
            [generate("1", SHA1_32).line().value or ""],
            [generate("2", SHA1_80).line().value or ""],
            [good + " UNAUTHENTICATED_SRTP"],
            ["2 F8_128_HMAC_SHA1_80 inline:x"],
        ):
            self.assertRaises(NegotiationError, match, section(*values), offered)
        self.assertRaises(NegotiationError, match, section(good), [])

    def test_sameKey(self) -> None:
        """
        An answer that repeats our key is refused (RFC 4568 clause 7.1.2):
        what we send and what we get would be under one keystream.
        """
        offered = generate("1", SHA1_80)
        with self.assertRaises(NegotiationError) as caught:
            match(section(offered.line().value or ""), [offered])
        self.assertEqual(str(caught.exception), "the answer repeats our key")
