"""
What a UE and the network agree on at registration.
"""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from e2aegw.errors import RemoteError, UsageError
from e2aegw.sansio import ngeffects, ngflags
from e2aegw.sansio.sdp import Side
from e2aegw.sip import media
from e2aegw.sip.mechanism import parse

SIGNALLING = (
    "ipsec-3gpp;q=0.1;alg=hmac-sha-1-96;spi-c=3333;spi-s=4444;port-c=5064;port-s=5065",
    'tls;d-ver="0000000000000000000000000000a902"',
)
ALL = ", ".join(f"{token};mediasec" for token in media.STANDARD)

_TOKENS = st.sets(st.sampled_from(sorted(media.MEDIA)))
_ENTRIES = st.lists(
    st.sampled_from(
        [*SIGNALLING, *(f"{token};mediasec" for token in media.MEDIA), "foo;Mediasec;x=1", "sdes-srtp"]
    ),
    min_size=1,
    max_size=8,
)


class AnnouncementTests(SynchronousTestCase):
    """
    What parties announce.
    """

    def test_R_01_announced(self) -> None:
        """
        A UE that announces SDES, among mechanisms for signalling, has it.
        """
        client = [f"{SIGNALLING[0]}, sdes-srtp;mediasec"]
        self.assertEqual(media.supported(client, media.STANDARD), {"sdes-srtp"})

    def test_R_01_alone(self) -> None:
        """
        Media may be all that is announced.
        """
        self.assertEqual(media.announced(parse(["sdes-srtp;mediasec"])), {"sdes-srtp"})

    def test_R_01_onlyMediasec(self) -> None:
        """
        A token without C{mediasec} is not about media, whatever it is called.
        """
        self.assertEqual(media.announced(parse(["sdes-srtp, msrp-tls;mediasec-2"])), frozenset())

    def test_R_02_eachByItself(self) -> None:
        """
        Each token is announced without the others, and is about one medium.
        """
        for token in media.STANDARD:
            found = media.announced(parse([f"{token};mediasec"]))
            self.assertEqual(found, {token})
            for medium in ("rtp", "msrp", "bfcp", "udptl"):
                self.assertEqual(bool(media.of(medium, found)), media.MEDIA[token] == medium)

    def test_R_02_all(self) -> None:
        """
        All of them, in one header or in several, in any case and order.
        """
        for values in (
            [ALL],
            ALL.split(", "),
            [ALL.upper()],
            [", ".join(reversed(ALL.split(", ")))],
            [ALL, ALL],
            [ALL.replace(";", " ; x=1; ")],
        ):
            self.assertEqual(media.announced(parse(values)), set(media.STANDARD))

    def test_R_02_unknown(self) -> None:
        """
        Unknown tokens for media are ignored.
        """
        client = ["zrtp;mediasec, sdes-srtp;mediasec", "quic;mediasec;mediasec"]
        self.assertEqual(media.supported(client, media.STANDARD), {"sdes-srtp"})

    def test_R_02_DTLS(self) -> None:
        """
        SRTP with keys from DTLS is told apart from SRTP with keys from SDES.
        """
        found = media.supported(["dtls-srtp;mediasec"], media.MEDIA)
        self.assertEqual(found, {"dtls-srtp"})
        self.assertEqual(media.of("rtp", found | {"sdes-srtp"}), {"sdes-srtp", "dtls-srtp"})

    def test_bothSides(self) -> None:
        """
        What one side alone has is not agreed on.
        """
        self.assertEqual(media.supported([ALL], {"msrp-tls", "dtls-srtp"}), {"msrp-tls"})

    def test_malformed(self) -> None:
        """
        What cannot be read announces nothing, and is said.
        """
        self.assertRaises(RemoteError, media.supported, ["sdes-srtp;mediasec,"], media.STANDARD)

    def test_oneText(self) -> None:
        """
        A value by itself is one, and not a row of letters.
        """
        value = "ipsec-3gpp;alg=x, msrp-tls;mediasec, bfcp-tls;mediasec"
        self.assertEqual(media.supported(value, media.STANDARD), {"msrp-tls", "bfcp-tls"})
        self.assertEqual(media.strip(value), ["ipsec-3gpp;alg=x"])
        self.assertEqual(media.announce(["msrp-tls"], "tls;q=0.2"), "tls;q=0.2, msrp-tls;mediasec")
        self.assertEqual(media.verify(value), value)

    def test_R_03_server(self) -> None:
        """
        The network announces what is configured, each with C{mediasec}, next
        to the mechanisms for signalling.
        """
        value = media.announce({"msrp-tls", "sdes-srtp"}, SIGNALLING[:1])
        self.assertEqual(value, f"{SIGNALLING[0]}, sdes-srtp;mediasec, msrp-tls;mediasec")
        self.assertEqual(media.announce(()), "")
        self.assertEqual(media.announce(media.STANDARD), ALL)

    def test_R_03_exactly(self) -> None:
        """
        What somebody else wrote about media is not announced for him.
        """
        self.assertEqual(media.announce({"sdes-srtp"}, ["msrp-tls;mediasec"]), "sdes-srtp;mediasec")

    def test_noSuchToken(self) -> None:
        """
        A token that there is not cannot be announced; nor can C{webrtc}, which
        is none.
        """
        for token in ("zrtp", "webrtc", "tls"):
            self.assertRaises(UsageError, media.announce, [token])

    def test_verify(self) -> None:
        """
        A UE repeats what the network announced, as it was written (RFC 3329
        clause 2.3.1).
        """
        self.assertEqual(media.verify([SIGNALLING[0], ALL]), f"{SIGNALLING[0]}, {ALL}")

    @settings(deadline=None)
    @given(_TOKENS, _TOKENS)
    def test_agreement(self, theirs: set[str], ours: set[str]) -> None:
        """
        What both announced is agreed on, whoever asks whom.
        """
        client, server = media.announce(theirs), media.announce(ours)
        expected = theirs & ours
        self.assertEqual(media.supported([client] if client else [], ours), expected)
        self.assertEqual(media.supported([server] if server else [], theirs), expected)


class StripTests(SynchronousTestCase):
    """
    What the core gets.
    """

    def test_R_04_stripped(self) -> None:
        """
        Nothing about media goes to the core, and what is about signalling
        stays byte by byte.
        """
        values = [f"{SIGNALLING[0]} , sdes-srtp;mediasec,zrtp ; MediaSec", ALL, f"{SIGNALLING[1]},x;y= z"]
        self.assertEqual(media.strip(values), [SIGNALLING[0], f"{SIGNALLING[1]},x;y= z"])

    def test_R_04_malformed(self) -> None:
        """
        What cannot be read does not go there at all.
        """
        self.assertRaises(RemoteError, media.strip, [SIGNALLING[0], 'sdes-srtp;mediasec;x="'])

    @settings(deadline=None)
    @given(st.lists(_ENTRIES.map(", ".join), max_size=3))
    def test_R_04_any(self, values: list[str]) -> None:
        """
        Whatever is listed, all that is about signalling is left, in order, and
        to strip it again changes nothing.
        """
        left = media.strip(values)
        self.assertEqual(parse(left), tuple(each for each in parse(values) if not each.has("mediasec")))
        self.assertEqual(media.strip(left), left)
        self.assertNotIn("mediasec", "".join(left).lower())


class ToldTests(SynchronousTestCase):
    """
    What the gateway is told.
    """

    def test_told(self) -> None:
        """
        The words are those of the key C{e2ae}; a browser's is what it came
        over.
        """
        self.assertEqual(media.told(set(media.STANDARD)), "sdes-srtp,msrp-tls,bfcp-tls,udptl-dtls")
        self.assertEqual(media.told({"sdes-srtp"}, webSocket=True), "sdes-srtp,webrtc")
        self.assertEqual(media.told(frozenset(), webSocket=True), "webrtc")
        self.assertEqual(media.told(frozenset()), "none")

    @settings(deadline=None)
    @given(_TOKENS, st.booleans())
    def test_understood(self, tokens: set[str], webSocket: bool) -> None:
        """
        The gateway understands all that it is told.
        """
        request = ngflags.read(
            {"command": "offer", "rtpp-flags": f"e2ae={media.told(tokens, webSocket)}"},
            {"access": Side.ACCESS, "core": Side.CORE},
        )
        self.assertEqual((request.unknown, request.warnings), ((), ()))
        self.assertEqual(request.terms.e2ae, tokens | ({"webrtc"} if webSocket else set()))

    def test_words(self) -> None:
        """
        There are no other words.
        """
        self.assertEqual(ngeffects.E2AE, media.TOLD)
