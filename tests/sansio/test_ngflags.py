"""
What the keys and flags of ng messages ask for.
"""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from e2aegw.errors import UsageError
from e2aegw.sansio import ngeffects, ngflags
from e2aegw.sansio.ngflags import FLAGS, MAX_KNOWN, Place, Policy, Reader, Request
from e2aegw.sansio.sdp import Side
from e2aegw.sansio.terms import ICE, Kind, Terms

SIDES = {"access": Side.ACCESS, "core": Side.CORE}
_NAMES = sorted({n for f in FLAGS for n in f.names} - {"command"})
_VALUES = (
    st.booleans() | st.integers(0, 2) | st.floats() | st.sampled_from(("1", "off", "core", "demux"))
) | st.lists(st.sampled_from(("1", "off", "core", "demux", 1)), max_size=2)


def read(command: str = "offer", **keys: Any) -> Request:
    """
    Read a message with these keys.
    """
    return ngflags.read({"command": command, **{k.replace("_", "-"): v for k, v in keys.items()}}, SIDES)


def flags(*words: str) -> Request:
    """
    Read an offer with these flags.
    """
    return read(flags=list(words))


class Reading(SynchronousTestCase):
    """
    One flag after the other.
    """

    def check(self, request: Request, **terms: Any) -> None:
        """
        Nothing else is asked for, and nothing is unknown or refused.
        """
        self.assertEqual(request.terms, Terms(**terms))
        self.assertEqual((request.warnings, request.unknown), ((), ()))

    def test_nothing(self) -> None:
        """
        A message without flags has the terms that nobody asks for.
        """
        self.check(read())
        self.check(read("answer"), kind=Kind.ANSWER)

    def test_names(self) -> None:
        """
        Who is meant.
        """
        request = read(call_id="c", from_tag="f", to_tag="t", via_branch="v", sdp="v=0", label="caller")
        self.assertEqual(
            (request.callID, request.fromTag, request.toTag, request.viaBranch, request.sdp, request.label),
            ("c", "f", "t", "v", "v=0", "caller"),
        )
        self.check(request)
        self.assertNotIn("v=0", repr(request))

    def test_spelling(self) -> None:
        """
        Blank, hyphen, underscore and case make no difference in a name.
        """
        for name in ("received-from", "received from", "Received_From"):
            self.check(
                ngflags.read({"command": "offer", name: ["IP4", "192.0.2.1"]}, SIDES),
                receivedFrom="192.0.2.1",
            )
        self.check(flags("SIP source address"), trustAddress=False)

    def test_direction(self) -> None:
        """
        The first side is where the offer comes from, the second where it goes.
        """
        request = read(direction=["core", "access"])
        self.assertIs(request.near, Side.CORE)
        self.check(request, far=Side.ACCESS)
        request = read(from_interface="access", to_interface="core")
        self.assertIs(request.near, Side.ACCESS)
        self.check(request, far=Side.CORE)
        self.assertEqual(read(direction=["core"]).near, Side.CORE)

    def test_directionOfAnswer(self) -> None:
        """
        An answer goes where its offer came from, whatever it says.
        """
        request = read("answer", direction=["core", "mars"])
        self.assertEqual((request.near, request.terms.far), (None, None))

    def test_unknownSide(self) -> None:
        """
        A side that is not there is named, and those that are.
        """
        for keys in ({"direction": ["x", "core"]}, {"direction": ["core", "x"]}, {"to-interface": "x"}):
            error = self.assertRaises(UsageError, read, **keys)
            self.assertEqual(str(error), "Unknown direction 'x'; there are: access, core")

    def test_transportProtocol(self) -> None:
        """
        The six profiles of RTP, in any case.
        """
        for protocol in ngeffects.PROTOCOLS:
            self.check(read(transport_protocol=protocol.lower()), transportProtocol=protocol)
        self.assertEqual(read(transport_protocol="RTP/XYZ").unknown, ("transport-protocol=RTP/XYZ",))
        self.assertEqual(read(transport_protocol={}).unknown, ())

    def test_ice(self) -> None:
        """
        ICE is removed, forced, or left to the offer.
        """
        self.check(read(ICE="remove"), ice=ICE.REMOVE)
        self.check(read(ICE="force"), ice=ICE.FORCE)
        self.check(read(ICE=["force", "trickle"]), ice=ICE.FORCE)
        self.check(read(ICE="default"), ice=ICE.OFFERED)
        self.check(read(ICE="optional"), ice=ICE.OFFERED)
        self.assertEqual(read(ICE="force-relay").warnings, ("ICE=force-relay",))
        self.assertEqual(read(ICE="x").unknown, ("ICE=x",))

    def test_iceLite(self) -> None:
        """
        We are the lite agent anyway.
        """
        for word in ("forward", "backward", "both"):
            self.check(read(ICE_lite=word))
        self.assertEqual(read(ICE_lite="off").warnings, ("ICE-lite=off",))

    def test_dtls(self) -> None:
        """
        A role, or no DTLS.
        """
        self.check(read(DTLS="passive"), dtls="passive")
        self.check(read(DTLS="active"), dtls="active")
        for word in ("off", "no", "disable"):
            self.check(read(DTLS=word), dtls="off")
        self.assertEqual(read(DTLS="x").unknown, ("DTLS=x",))

    def test_sdes(self) -> None:
        """
        SDES off, or only some suites, in a list or among the flags.
        """
        for word in ("off", "no", "disable"):
            self.check(read(SDES=[word]), sdes=False)
        self.check(flags("SDES-off"), sdes=False)
        self.check(
            read(SDES=["only-AES_CM_128_HMAC_SHA1_80", "only-AEAD_AES_256_GCM"]),
            sdesOnly={"AES_CM_128_HMAC_SHA1_80", "AEAD_AES_256_GCM"},
        )
        self.check(flags("SDES-no-AES_CM_128_HMAC_SHA1_32"), sdesNot={"AES_CM_128_HMAC_SHA1_32"})
        self.check(read(SDES="pad,lifetime,order:AES_CM_128_HMAC_SHA1_80;F8_128_HMAC_SHA1_80"))
        self.assertEqual(flags("SDES-unencrypted_srtp").warnings, ("SDES=unencrypted_srtp",))
        self.assertEqual(flags("SDES-x").unknown, ("SDES=x",))

    def test_rtcpMux(self) -> None:
        """
        What is asked for adds up, and to require is to offer.
        """
        self.check(read(rtcp_mux=["demux", "accept"]), rtcpMux={"demux", "accept"})
        self.check(flags("rtcp-mux-reject"), rtcpMux={"reject"})
        self.check(flags("rtcp-mux-require"), rtcpMux={"require", "offer"})
        self.assertEqual(read(rtcp_mux=["x"]).unknown, ("rtcp-mux=x",))

    def test_replace(self) -> None:
        """
        What is rewritten besides.
        """
        self.check(read(replace=["origin", "session-connection"]))
        self.check(
            flags("replace-session-name", "replace-SDP-version"), replace={"session-name", "sdp-version"}
        )
        self.check(read(replace=["zero address", "username"]), replace={"zero-address", "username"})
        self.check(read(replace=["force-increment-SDP-ver"]), replace={"force-increment-sdp-ver"})
        self.assertEqual(read(replace=["x"]).unknown, ("replace=x",))

    def test_addresses(self) -> None:
        """
        Families and addresses.
        """
        self.check(read(address_family="IP4"), addressFamily=4)
        self.check(read(address_family="IP6"), addressFamily=6)
        self.assertEqual(read(address_family="IPX").unknown, ("address-family=IPX",))
        self.check(read(media_address="2001:DB8::1"), mediaAddress="2001:db8::1")
        self.check(read(media_address="[2001:db8::1]"), mediaAddress="2001:db8::1")
        self.assertEqual(read(media_address="example.org").warnings, ("media-address=example.org",))
        self.check(read(received_from="192.0.2.1"), receivedFrom="192.0.2.1")
        self.check(read(received_from=["IP6", "2001:db8::1"]), receivedFrom="2001:db8::1")
        self.check(read(received_from=["IP4", "nonsense"]))

    def test_near(self) -> None:
        """
        How the party that speaks is heard.
        """
        self.check(flags("trust-address", "symmetric", "strict-source"))
        self.check(flags("SIP-source-address"), trustAddress=False)
        self.check(flags("SIP-source-address", "trust-address"))
        self.check(flags("asymmetric"), asymmetric=True)
        self.check(flags("port-latching"))
        self.check(read(endpoint_learning="off"), asymmetric=True)
        self.check(flags("endpoint-learning-immediate"))

    def test_strictSource(self) -> None:
        """
        That the source of packets is looked at cannot be switched off.
        """
        self.assertEqual(read(strict_source="off").warnings, ("strict-source=off",))
        self.assertEqual(read(strict_source="on").warnings, ())

    def test_directional(self) -> None:
        """
        One party, or the whole call.
        """
        self.assertTrue(flags("directional").directional)
        self.assertFalse(flags("all").directional)

    def test_tos(self) -> None:
        """
        The octet is a number or a text; rtpengine's 256 means nothing.
        """
        self.check(read(TOS=184), tos=184)
        self.check(read(TOS="184"), tos=184)
        self.check(read(TOS=256))
        for wrong in (-1, 300, "x", ""):
            self.assertEqual(read(TOS=wrong).unknown, (f"TOS={wrong}",))

    def test_e2ae(self) -> None:
        """
        What was agreed on at registration: nothing is not the same as not to
        say.
        """
        self.check(read(e2ae="sdes-srtp,msrp-tls"), e2ae={"sdes-srtp", "msrp-tls"})
        self.check(read(e2ae=["udptl-dtls", "bfcp_tls", "WebRTC"]), e2ae={"udptl-dtls", "bfcp-tls", "webrtc"})
        self.check(read(e2ae="none"), e2ae=frozenset())
        self.check(read(e2ae=""), e2ae=frozenset())
        self.assertEqual(read(e2ae="sdes-srtp,x").warnings, ("e2ae=x",))

    def test_msrp(self) -> None:
        """
        Whether to relay is said for each call.
        """
        for word, meant in (("relay", "always"), ("bridge", "never"), ("auto", "auto")):
            self.check(read(msrp=word), msrpRelay=meant)
        self.assertEqual(read(msrp="tunnel").warnings, ("msrp=tunnel",))

    def test_webRTC(self) -> None:
        """
        One word for what browsers need; a key that is more exact overrules
        it, wherever it stands.
        """
        webRTC: dict[str, Any] = {
            "transportProtocol": "UDP/TLS/RTP/SAVPF",
            "ice": ICE.FORCE,
            "sdes": False,
            "rtcpMux": {"offer", "require"},
        }
        self.check(flags("WebRTC"), **webRTC)
        self.check(flags("webrtc"), **webRTC)
        self.check(read(ICE="remove", flags=["WebRTC"]), **{**webRTC, "ice": ICE.REMOVE})

    def test_osrtpAndBundle(self) -> None:
        """
        Accepting is what we do; offering is not done.
        """
        self.check(flags("OSRTP-accept", "bundle-accept"))
        self.check(read(OSRTP=["accept-RFC"], bundle=["reject"]))
        self.assertEqual(flags("OSRTP-offer-legacy").warnings, ("OSRTP=offer-legacy",))
        self.assertEqual(read(BUNDLE=["offer", "accept"]).warnings, ("BUNDLE=offer",))
        self.assertEqual(flags("OSRTP-x", "bundle-y").unknown, ("OSRTP=x", "bundle=y"))

    def test_anonymous(self) -> None:
        """
        A certificate for this call alone.
        """
        self.check(flags("anonymous"), anonymous=True)

    def test_delete(self) -> None:
        """
        What C{delete} and C{list} take.
        """
        request = read("delete", flags=["fatal", "fast", "to-tag"], delete_delay="7", limit=3)
        self.assertEqual(
            (request.fatal, request.fast, request.honourToTag, request.deleteDelay, request.limit),
            (True, True, True, 7, 3),
        )
        self.assertEqual(read("delete", delete_delay=0).deleteDelay, 0)
        self.assertEqual(read("delete", delete_delay="soon").unknown, ("delete-delay=soon",))

    def test_supports(self) -> None:
        """
        Whether the controller understands C{load limit}.
        """
        self.assertTrue(read(supports=["load limit"]).supportsLoadLimit)
        self.assertFalse(read(supports=["x"]).supportsLoadLimit)

    def test_refused(self) -> None:
        """
        What we will not do is said in the reply.
        """
        request = read(
            flags=["record-call", "codec-transcode-PCMA", "transcode-opus", "T38-decode", "SIPREC"],
            codec={"strip": ["G722"], "offer": ["PCMU"]},
            record_call="yes",
            ptime=30,
            sdp_attr={"audio": {}},
        )
        self.assertEqual(request.unknown, ())
        self.assertEqual(
            request.warnings,
            (
                *("record-call", "codec-transcode-PCMA", "transcode-opus", "T38-decode", "SIPREC"),
                *("codec-strip", "codec-offer", "ptime", "sdp-attr"),
            ),
        )
        self.check(read(record_call="off"))

    def test_unknown(self) -> None:
        """
        What means nothing to us is named, without its value.
        """
        request = read(flags=["frobnicate", "x-y"], gizmo="secret", mrsp="bridge")
        self.assertEqual(request.unknown, ("frobnicate", "x-y", "gizmo", "mrsp"))

    def test_muchUnknown(self) -> None:
        """
        Not more than a few are named, and not whole if they are long.
        """
        request = flags(*("x" * 500 + str(n) for n in range(5)), *(f"f{n}" for n in range(99)))
        self.assertEqual(len(request.unknown), ngeffects.MAX_UNKNOWN)
        self.assertEqual(max(map(len, request.unknown)), ngeffects.MAX_NAME)
        self.assertEqual(len(flags(*(f"record-{n}" for n in range(99))).unknown), ngeffects.MAX_UNKNOWN)
        self.assertEqual(len(flags(*(f"transcode-{n}" for n in range(99))).warnings), ngeffects.MAX_UNKNOWN)

    def test_rtppFlags(self) -> None:
        """
        A flags string means what its keys would mean; what it says to
        Kamailio's own module does not concern us.
        """
        for name in ("rtpp-flags", "rtpp_flags", "rtpp flags"):
            text = (
                "replace-origin ICE=remove transport-protocol=RTP/AVP direction=[access core] SDES=[off]"
                " via-branch=1 call-id=x TOS=184 e2ae=sdes-srtp,msrp-tls"
            )
            request = ngflags.read({"command": "offer", "call-id": "c", name: text}, SIDES)
            self.assertEqual((request.callID, request.viaBranch, request.near), ("c", "", Side.ACCESS))
            self.check(
                request,
                far=Side.CORE,
                ice=ICE.REMOVE,
                transportProtocol="RTP/AVP",
                sdes=False,
                tos=184,
                e2ae={"sdes-srtp", "msrp-tls"},
            )
        self.assertEqual(read(rtpp_flags="codec-strip-PCMA").warnings, ("codec-strip-PCMA",))
        self.assertEqual(read(rtpp_flags="codec-strip=PCMA").warnings, ("codec-strip",))
        self.check(read(rtpp_flags=["no", "string"]))

    def test_kamailio(self) -> None:
        """
        The messages that Kamailio 5.6 sends for a call from a browser to a
        plain phone.
        """
        offer = read(
            supports=["load limit"],
            sdp="v=0",
            ICE="remove",
            flags=["trust-address"],
            replace=["origin", "session-connection"],
            transport_protocol="RTP/AVP",
            rtcp_mux=["demux"],
            call_id="m3m9jej4nkbflv3reh4g",
            received_from=["IP4", "127.0.0.1"],
            from_tag="hnfekv539l",
        )
        self.check(
            offer,
            ice=ICE.REMOVE,
            transportProtocol="RTP/AVP",
            rtcpMux={"demux"},
            receivedFrom="127.0.0.1",
        )
        answer = read(
            "answer",
            supports=["load limit"],
            ICE="force",
            flags=["trust-address"],
            replace=["origin", "session-connection"],
            transport_protocol="UDP/TLS/RTP/SAVPF",
            rtcp_mux=["offer"],
            SDES=["off"],
            received_from=["IP4", "127.0.0.1"],
        )
        self.check(
            answer,
            kind=Kind.ANSWER,
            ice=ICE.FORCE,
            transportProtocol="UDP/TLS/RTP/SAVPF",
            rtcpMux={"offer"},
            sdes=False,
            receivedFrom="127.0.0.1",
        )

    @settings(deadline=None, max_examples=200)
    @given(
        st.dictionaries(
            st.sampled_from(sorted({n for f in FLAGS for n in f.names} - {"command"})) | st.text(max_size=5),
            st.recursive(
                st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
                lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=3), v, max_size=2),
                max_leaves=5,
            ),
            max_size=5,
        )
    )
    def test_anyValues(self, fields: dict[str, Any]) -> None:
        """
        No value of any type does harm.
        """
        try:
            request = ngflags.read({**fields, "command": "offer"}, SIDES)
        except UsageError as e:
            self.assertIn("Unknown direction", str(e))
        else:
            self.assertIsInstance(hash(request.terms), int)


class ReaderTests(SynchronousTestCase):
    """
    What is remembered of flags.
    """

    def setUp(self) -> None:
        """
        Know nothing.
        """
        self.reader = Reader(SIDES)
        self.offer = {
            "command": "offer",
            "direction": ["access", "core"],
            "rtcp-mux": ["demux"],
            "TOS": 184,
        }

    def test_same(self) -> None:
        """
        The same flags with another call mean the same, and the call is the
        other one.
        """
        first = self.reader.read({**self.offer, "call-id": "a", "from-tag": "b", "sdp": "v=0"})
        second = self.reader.read({**self.offer, "call-id": "c", "from-tag": "d", "sdp": "v=1"})
        self.assertEqual((first.callID, first.fromTag, first.sdp), ("a", "b", "v=0"))
        self.assertEqual((second.callID, second.fromTag, second.sdp), ("c", "d", "v=1"))
        self.assertIs(first.terms, second.terms)
        self.assertEqual(first.terms.tos, 184)

    def test_refused(self) -> None:
        """
        What is refused or unknown is so each time.
        """
        for _ in range(2):
            request = self.reader.read({**self.offer, "flags": ["inject-DTMF", "strange"]})
            self.assertEqual((request.warnings, request.unknown), (("inject-DTMF",), ("strange",)))
            self.assertRaises(UsageError, self.reader.read, {**self.offer, "direction": ["nowhere"]})

    def test_bounded(self) -> None:
        """
        Neither many flags nor long ones fill memory.
        """
        for number in range(3 * MAX_KNOWN):
            self.assertEqual(self.reader.read({**self.offer, "label": str(number)}).label, str(number))
            self.reader.read({**self.offer, "label": f"{number}" + 1000 * "x"})
        self.assertLessEqual(len(self.reader._known), MAX_KNOWN)

    @settings(deadline=None)
    @given(st.dictionaries(st.sampled_from(_NAMES), _VALUES, max_size=4))
    def test_anything(self, fields: dict[str, Any]) -> None:
        """
        Remembered or not, a message means the same.
        """
        message = {"command": "offer", **fields}
        try:
            expected = ngflags.read(message, SIDES)
        except UsageError:
            self.assertRaises(UsageError, self.reader.read, message)
        else:
            for _ in range(2):
                self.assertEqual(self.reader.read(message), expected)


class Table(SynchronousTestCase):
    """
    The table of flags.
    """

    def test_unambiguous(self) -> None:
        """
        No name stands for two things in one place.
        """
        for places in ((Place.KEY, Place.EITHER), (Place.FLAG, Place.EITHER)):
            names = [ngeffects.normalize(n) for f in FLAGS if f.place in places for n in f.names]
            self.assertEqual(len(names), len(set(names)))

    def test_allMean(self) -> None:
        """
        Every name in the table is understood where it may stand, and what is
        refused warns.
        """
        for flag in FLAGS:
            for name in flag.names:
                if name in ("direction", "from-interface", "to-interface"):
                    continue
                if flag.place is not Place.FLAG and name != "command":
                    request = ngflags.read({"command": "offer", name: "0"}, SIDES)
                    self.assertNotIn(name, request.unknown)
                if flag.place is not Place.KEY:
                    request = flags(name)
                    self.assertEqual(request.unknown, (), name)
                    self.assertEqual(bool(request.warnings), flag.policy is Policy.REFUSED, name)
