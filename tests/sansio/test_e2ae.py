"""
Tests for L{e2aegw.sansio.e2ae}.
"""

from itertools import product

from twisted.trial.unittest import SynchronousTestCase

from e2aegw.errors import NegotiationError
from e2aegw.sansio.e2ae import (
    DTLS_PROTOS,
    PLAIN_PROTOS,
    RTP_PROTOS,
    SDES_PROTOS,
    Decision,
    Protection,
    decide,
    inferSides,
    protection,
    requested,
)
from e2aegw.sansio.sdp import Description, Line, Section, Side
from e2aegw.sansio.terms import Terms

CRYPTO = Line("crypto", "1 AES_CM_128_HMAC_SHA1_80 inline:x")
FINGERPRINT = Line("fingerprint", "sha-256 AA")
REQUESTED = Line("3ge2ae", "requested")

ACCESS, CORE = Side.ACCESS, Side.CORE


def section(proto: str, *lines: Line) -> Section:
    """
    A section of some profile with these lines.
    """
    return Section("audio", 4000, proto, ["0"], lines=lines)


#: One section of each kind.
PLAIN = section("RTP/AVP")
FEEDBACK = section("RTP/AVPF")
SDES = section("RTP/SAVP", CRYPTO)
DTLS = section("UDP/TLS/RTP/SAVPF", FINGERPRINT)


def e2ae(*agreed: str, transportProtocol: str | None = None) -> Terms:
    """
    The terms of a UE that agreed to these mechanisms at registration.
    """
    return Terms(e2ae=frozenset(agreed), transportProtocol=transportProtocol)


class ProtectionTests(SynchronousTestCase):
    """
    L{protection}.
    """

    def test_table(self) -> None:
        """
        How a section is protected follows from its profile and its keys.
        """
        for proto, lines, expected in (
            ("RTP/AVP", (), Protection.NONE),
            ("RTP/AVPF", (FINGERPRINT,), Protection.NONE),
            ("rtp/avp", (), Protection.NONE),
            # TS 34.229-1's terminals
            ("RTP/AVP", (CRYPTO,), Protection.SDES),
            ("RTP/SAVP", (), Protection.SDES),
            ("RTP/SAVP", (CRYPTO,), Protection.SDES),
            ("RTP/SAVPF", (CRYPTO, FINGERPRINT), Protection.SDES),
            # browsers of long ago
            ("RTP/SAVPF", (FINGERPRINT,), Protection.DTLS),
            ("UDP/TLS/RTP/SAVP", (), Protection.DTLS),
            ("UDP/TLS/RTP/SAVPF", (CRYPTO,), Protection.DTLS),
            ("TCP/TLS/MSRP", (FINGERPRINT,), Protection.TLS),
            ("TCP/BFCP", (), Protection.NONE),
            ("udptl", (), Protection.NONE),
            ("UDPTL", (FINGERPRINT,), Protection.NONE),
            ("UDP/TLS/UDPTL", (FINGERPRINT,), Protection.TLS),
            ("udp/tls/udptl", (), Protection.TLS),
            ("DC/UDPTL", (), None),
            ("", (), None),
        ):
            self.assertIs(protection(section(proto, *lines)), expected, (proto, lines))

    def test_protos(self) -> None:
        """
        Every profile is of one kind.
        """
        self.assertEqual(len(RTP_PROTOS), len(PLAIN_PROTOS) + len(SDES_PROTOS) + len(DTLS_PROTOS))


class RequestedTests(SynchronousTestCase):
    """
    L{requested}.
    """

    def test_R_08_otherValues(self) -> None:
        """
        Only C{requested} is a request, with or without a blank before it;
        other values say nothing.
        """
        for value, expected in (
            ("requested", True),
            (" requested", True),
            ("REQUESTED", True),
            ("applied", False),
            ("requested2", False),
            ("", False),
            (None, False),
        ):
            self.assertIs(requested(section("RTP/SAVP", Line("3ge2ae", value))), expected, value)
        self.assertFalse(requested(SDES))

    def test_R_08_decision(self) -> None:
        """
        A section with another value is treated as one without.
        """
        odd = section("RTP/SAVP", CRYPTO, Line("3ge2ae", "maybe"))
        for terms in (Terms(), e2ae("sdes-srtp"), Terms(transportProtocol="RTP/AVP")):
            self.assertEqual(decide(odd, ACCESS, CORE, terms), decide(SDES, ACCESS, CORE, terms))


class SidesTests(SynchronousTestCase):
    """
    L{inferSides}.
    """

    def infer(self, *sections: Section, transportProtocol: str | None = None) -> tuple[Side, Side]:
        """
        Infer the sides of an offer.
        """
        description = Description("- 1 1 IN IP4 192.0.2.1", sections=sections)
        return inferSides(description, Terms(transportProtocol=transportProtocol))

    def test_near(self) -> None:
        """
        Protection, ICE and data channels come from the access side, anything
        else from the core.
        """
        for line in (
            CRYPTO,
            FINGERPRINT,
            REQUESTED,
            Line("ice-ufrag", "abcd"),
            Line("dcmap", '0 subprotocol="msrp"'),
        ):
            self.assertEqual(self.infer(PLAIN, section("RTP/AVP", line)), (ACCESS, CORE), line.name)
        self.assertEqual(self.infer(PLAIN, FEEDBACK), (CORE, ACCESS))
        self.assertEqual(self.infer(), (CORE, ACCESS))

    def test_far(self) -> None:
        """
        Who asks for a protected profile asks for a party on the access side,
        whoever sent the offer.
        """
        for proto in sorted(SDES_PROTOS | DTLS_PROTOS):
            self.assertEqual(self.infer(PLAIN, transportProtocol=proto), (CORE, ACCESS))
            self.assertEqual(self.infer(DTLS, transportProtocol=proto.lower()), (ACCESS, ACCESS))
        self.assertEqual(self.infer(SDES, transportProtocol="RTP/AVP"), (ACCESS, CORE))
        self.assertEqual(self.infer(PLAIN, transportProtocol="RTP/AVP"), (CORE, ACCESS))


class DecideTests(SynchronousTestCase):
    """
    L{decide}.
    """

    def test_R_06_requestedAndAgreed(self) -> None:
        """
        A request by a UE that agreed on the mechanism at registration ends
        protection here, for the section that has it and for no other.
        """
        wanted = section("RTP/SAVP", CRYPTO, REQUESTED)
        for terms in (e2ae("sdes-srtp"), e2ae("msrp-tls", "sdes-srtp"), Terms()):
            self.assertEqual(decide(wanted, ACCESS, CORE, terms), Decision(False, "RTP/AVP"))
            self.assertEqual(decide(SDES, ACCESS, CORE, terms), Decision(True, "RTP/SAVP"))

    def test_R_06_plainProfile(self) -> None:
        """
        A terminal that writes RTP/AVP with keys and a request means it (TS
        34.229-1).
        """
        wanted = section("RTP/AVP", CRYPTO, REQUESTED)
        self.assertEqual(decide(wanted, ACCESS, CORE, e2ae("sdes-srtp")), Decision(False, "RTP/AVP"))

    def test_R_07_notAgreed(self) -> None:
        """
        A request for what was not agreed on is refused, whatever the
        controller asks for: it never becomes clear media.
        """
        wanted = section("RTP/SAVP", CRYPTO, REQUESTED)
        for agreed, proto in product(((), ("msrp-tls",), ("webrtc",)), (None, *sorted(RTP_PROTOS))):
            terms = e2ae(*agreed, transportProtocol=proto)
            self.assertRaises(NegotiationError, decide, wanted, ACCESS, CORE, terms)

    def test_fax(self) -> None:
        """
        What becomes of fax follows from its proto, a request, and what the UE
        announced.
        """
        secured, plain, channel = "UDP/TLS/UDPTL", "udptl", "DC/UDPTL"
        told, other = e2ae("udptl-dtls"), e2ae("sdes-srtp")
        clear = Decision(False, plain)
        for proto, asks, near, far, terms, expected in (
            (secured, True, ACCESS, CORE, told, clear),
            (secured, True, ACCESS, CORE, Terms(), clear),
            (secured, True, ACCESS, CORE, other, None),
            (secured, True, ACCESS, ACCESS, told, clear),
            # without a request it is the ends' business
            (secured, False, ACCESS, CORE, told, Decision(True, secured)),
            (secured, False, CORE, ACCESS, told, Decision(True, secured)),
            # the core cannot ask
            (secured, True, CORE, ACCESS, told, Decision(True, secured)),
            (plain, False, CORE, ACCESS, told, Decision(False, secured, True)),
            (plain, False, CORE, ACCESS, other, clear),
            (plain, False, CORE, ACCESS, Terms(), clear),
            (plain, False, CORE, ACCESS, e2ae("webrtc"), Decision(False, channel)),
            (plain, False, ACCESS, CORE, told, clear),
            (plain, True, ACCESS, CORE, told, None),
            ("UDPTL", False, CORE, CORE, told, Decision(False, "UDPTL")),
            (channel, False, ACCESS, CORE, other, clear),
            (channel, True, ACCESS, CORE, other, clear),
            (channel, False, ACCESS, ACCESS, told, Decision(False, secured, True)),
        ):
            fax = Section("image", 4000, proto, ("t38",), lines=[REQUESTED] if asks else [])
            if expected is None:
                self.assertRaises(NegotiationError, decide, fax, near, far, terms)
            else:
                self.assertEqual(decide(fax, near, far, terms), expected, (proto, asks, near, far))

    def test_R_07_noKeys(self) -> None:
        """
        A request for a section without keys is refused.
        """
        for proto in ("RTP/AVP", "RTP/AVPF"):
            wanted = section(proto, REQUESTED)
            for terms in (Terms(), e2ae("sdes-srtp"), e2ae()):
                self.assertRaises(NegotiationError, decide, wanted, ACCESS, CORE, terms)

    def test_R_07_theCoreCannotAsk(self) -> None:
        """
        A request from the core takes no protection away from a UE.
        """
        for proto, lines in (("RTP/SAVP", (CRYPTO, REQUESTED)), ("RTP/AVP", (REQUESTED,))):
            with_, without = section(proto, *lines), section(proto, *lines[:-1])
            for terms in (Terms(), e2ae("sdes-srtp"), e2ae("webrtc"), e2ae()):
                self.assertEqual(
                    decide(with_, CORE, ACCESS, terms), decide(without, CORE, ACCESS, terms), (proto, terms)
                )

    def test_R_09_endToEnd(self) -> None:
        """
        Keys without a request pass from end to end, in either direction and
        with the profile that was offered, unless a plain profile is asked
        for.
        """
        for proto, (near, far) in product(("RTP/SAVP", "RTP/SAVPF"), ((ACCESS, CORE), (CORE, ACCESS))):
            offered = section(proto, CRYPTO)
            for terms in (
                Terms(),
                e2ae("sdes-srtp"),
                e2ae(),
                Terms(transportProtocol="RTP/SAVP"),
                Terms(transportProtocol="no such profile"),
            ):
                self.assertEqual(decide(offered, near, far, terms), Decision(True, proto))
            for plain in sorted(PLAIN_PROTOS):
                terms = Terms(transportProtocol=plain.lower())
                self.assertEqual(decide(offered, near, far, terms), Decision(False, plain))

    def test_R_18_ownKeys(self) -> None:
        """
        If keys from the core end here, a UE that agreed on SDES gets ours, not
        clear media.
        """
        terms = e2ae("sdes-srtp", transportProtocol="RTP/AVP")
        self.assertEqual(decide(SDES, CORE, ACCESS, terms), Decision(False, "RTP/SAVP", True))

    def test_R_10_notRTP(self) -> None:
        """
        Sections that are not RTP keep their profile, whatever the terms.
        """
        for proto in ("TCP/TLS/MSRP", "TCP/MSRP", "udptl", "UDP/TLS/UDPTL", "TCP/TLS/BFCP"):
            offered = section(proto, FINGERPRINT)
            for terms in (Terms(), Terms(transportProtocol="RTP/AVP"), e2ae("webrtc")):
                self.assertEqual(decide(offered, ACCESS, CORE, terms).proto, proto)

    def test_R_11_sameRules(self) -> None:
        """
        A decision depends on the section, the sides and the terms alone, so
        that a section that is added later is treated as one of the first
        offer.
        """
        wanted = section("RTP/SAVP", CRYPTO, REQUESTED)
        terms = e2ae("sdes-srtp")
        self.assertEqual(
            [decide(each, ACCESS, CORE, terms) for each in (wanted, SDES, wanted)],
            [Decision(False, "RTP/AVP"), Decision(True, "RTP/SAVP"), Decision(False, "RTP/AVP")],
        )

    def test_R_18_applied(self) -> None:
        """
        A UE that agreed on SDES is offered protection that the network
        applied.
        """
        for offered, proto in product((PLAIN, FEEDBACK, DTLS), (None, "RTP/AVP", "RTP/SAVP")):
            terms = e2ae("sdes-srtp", "msrp-tls", transportProtocol=proto)
            self.assertEqual(decide(offered, CORE, ACCESS, terms), Decision(False, "RTP/SAVP", True))
        terms = e2ae("sdes-srtp", transportProtocol="RTP/SAVPF")
        self.assertEqual(decide(PLAIN, CORE, ACCESS, terms), Decision(False, "RTP/SAVPF", True))

    def test_browser(self) -> None:
        """
        A browser is offered DTLS-SRTP, whoever calls it and whatever is asked
        for, and nobody tells it who applied it.
        """
        for offered in (PLAIN, FEEDBACK, SDES, DTLS):
            for proto in (None, "RTP/AVP", "RTP/SAVP", "UDP/TLS/RTP/SAVPF"):
                decision = decide(offered, CORE, ACCESS, e2ae("webrtc", transportProtocol=proto))
                self.assertEqual(decision, Decision(False, "UDP/TLS/RTP/SAVPF"))
        terms = e2ae("webrtc", "sdes-srtp", transportProtocol="UDP/TLS/RTP/SAVP")
        self.assertEqual(decide(PLAIN, CORE, ACCESS, terms), Decision(False, "UDP/TLS/RTP/SAVP"))

    def test_DTLSAnnounced(self) -> None:
        """
        A UE that announced SRTP with keys from DTLS, and nothing better, is
        offered that; TS 24.229 has no word to tell it of.
        """
        for asked, proto in ((None, "UDP/TLS/RTP/SAVP"), ("UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVPF")):
            terms = e2ae("dtls-srtp", transportProtocol=asked)
            self.assertEqual(decide(PLAIN, CORE, ACCESS, terms), Decision(False, proto))
        both = e2ae("dtls-srtp", "sdes-srtp")
        self.assertEqual(decide(PLAIN, CORE, ACCESS, both), Decision(False, "RTP/SAVP", True))

    def test_nothingAgreed(self) -> None:
        """
        A UE that agreed on nothing, or of which nothing is said, is offered
        what came, or what is asked for.
        """
        for terms in (Terms(), e2ae(), e2ae("msrp-tls")):
            self.assertEqual(decide(PLAIN, CORE, ACCESS, terms), Decision(False, "RTP/AVP"))
            self.assertEqual(decide(FEEDBACK, CORE, ACCESS, terms), Decision(False, "RTP/AVPF"))
        terms = Terms(transportProtocol="RTP/SAVPF")
        self.assertEqual(decide(PLAIN, CORE, ACCESS, terms), Decision(False, "RTP/SAVPF"))

    def test_R_27_core(self) -> None:
        """
        What ends here is offered to the core in the clear and without
        feedback.
        """
        for proto in ("RTP/SAVP", "RTP/SAVPF"):
            wanted = section(proto, CRYPTO, REQUESTED)
            self.assertEqual(decide(wanted, ACCESS, CORE, Terms()), Decision(False, "RTP/AVP"))

    def test_handshake(self) -> None:
        """
        DTLS-SRTP always ends here: the core gets it in the clear, the access
        side under a handshake of its own, and either what is asked for.
        """
        self.assertEqual(decide(DTLS, ACCESS, CORE, Terms()), Decision(False, "RTP/AVP"))
        self.assertEqual(decide(DTLS, ACCESS, ACCESS, Terms()), Decision(False, "UDP/TLS/RTP/SAVPF"))
        for far, proto in product((ACCESS, CORE), sorted(RTP_PROTOS)):
            terms = Terms(transportProtocol=proto)
            self.assertEqual(decide(DTLS, ACCESS, far, terms), Decision(False, proto))

    def test_neverClear(self) -> None:
        """
        Over every combination: a section that its UE wants protected ends
        here only if the network agreed, and a UE that agreed never gets clear
        media from the core.
        """
        protos = (None, *sorted(RTP_PROTOS))
        agreements: tuple[frozenset[str] | None, ...] = (
            None,
            frozenset(),
            frozenset({"sdes-srtp"}),
            frozenset({"webrtc"}),
        )
        for offered, near, far, proto, agreed in product(
            (PLAIN, FEEDBACK, SDES, DTLS, section("RTP/SAVP", CRYPTO, REQUESTED)),
            Side,
            Side,
            protos,
            agreements,
        ):
            terms = Terms(transportProtocol=proto, e2ae=agreed)
            try:
                decision = decide(offered, near, far, terms)
            except NegotiationError:
                self.assertTrue(requested(offered) and near is ACCESS)
                continue
            if decision.endToEnd:
                self.assertEqual(decision.proto, offered.proto)
                self.assertTrue(offered.has("crypto"))
            elif near is CORE and far is ACCESS and agreed:
                self.assertIn(decision.proto, SDES_PROTOS | DTLS_PROTOS, (offered, terms))
