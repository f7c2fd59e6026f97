"""
Tests for L{e2aegw.sansio.compose}.
"""

from twisted.trial.unittest import SynchronousTestCase

from e2aegw.sansio.compose import crosses, description, held, rejected, section
from e2aegw.sansio.sdp import HOP_BY_HOP, Description, Line, Section
from e2aegw.sansio.terms import Terms

#: What a browser might send, shortened, with everything that must not cross.
BROWSER = """\
v=0
o=mozilla 4611731400430051336 2 IN IP4 127.0.0.1
s=-
i=a call
b=CT:1000
t=0 0
a=group:BUNDLE 0
a=ice-options:trickle
a=msid-semantic:WMS *
a=extmap-allow-mixed
a=identity:eyJ0
a=tool:browser
a=extmap:9 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01
m=audio 54609 UDP/TLS/RTP/SAVPF 111 0
i=speech
c=IN IP4 192.0.2.7
b=AS:64
a=candidate:1 1 udp 2113937151 192.0.2.7 54609 typ host
a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:clientskey
a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level
a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:mid
a=extmap:4 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time
a=extmap:5 urn:ietf:params:rtp-hdrext:encrypt urn:ietf:params:rtp-hdrext:toffset
a=extmap
a=fingerprint:sha-256 AA:BB
a=ice-pwd:x
a=ice-ufrag:y
a=mid:0
a=msid:stream track
a=rtcp-fb:111 transport-cc
a=rtcp-mux
a=rtcp-rsize
a=rtpmap:111 opus/48000/2
a=setup:actpass
a=ssrc:1 cname:somebody
a=ssrc:1 msid:stream track
a=ssrc
a=ssrc-group:FID 1 2
a=tls-id:zzz
a=3ge2ae:requested
a=sendrecv
a=x-future:kept
"""


def names(lines: "list[Line]") -> list[str]:
    """
    The names of attributes.
    """
    return [line.name for line in lines]


class CrossesTests(SynchronousTestCase):
    """
    L{crosses}.
    """

    def crossing(self, *, feedback: bool, fromWebRTC: bool) -> list[str]:
        """
        Which of the lines of L{BROWSER}'s section cross.
        """
        lines = Description.parse(BROWSER).sections[0].lines
        return [str(each) for each in lines if crosses(each, feedback=feedback, fromWebRTC=fromWebRTC)]

    def test_R_12_toTheCore(self) -> None:
        """
        What a telephone gets of a browser's lines.
        """
        self.assertEqual(
            self.crossing(feedback=False, fromWebRTC=True),
            [
                "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level",
                "a=extmap",
                "a=rtpmap:111 opus/48000/2",
                "a=ssrc:1 cname:somebody",
                "a=ssrc",
                "a=sendrecv",
                "a=x-future:kept",
            ],
        )

    def test_betweenBrowsers(self) -> None:
        """
        Between parties of one kind the marks of WebRTC cross, and feedback
        does if the far party speaks AVPF.
        """
        plain = self.crossing(feedback=False, fromWebRTC=False)
        both = self.crossing(feedback=True, fromWebRTC=False)
        for line in ("a=msid:stream track", "a=ssrc:1 msid:stream track", "a=ssrc-group:FID 1 2"):
            self.assertIn(line, plain)
        self.assertEqual(
            [line for line in both if line not in plain],
            [
                "a=extmap:4 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
                "a=rtcp-fb:111 transport-cc",
                "a=rtcp-rsize",
            ],
        )

    def test_R_12_nothingOfAHop(self) -> None:
        """
        No attribute that concerns one hop crosses, between whomever, unless
        it is said to.
        """
        for name in HOP_BY_HOP:
            for feedback in (False, True):
                for browser in (False, True):
                    self.assertFalse(crosses(Line(name, "x"), feedback=feedback, fromWebRTC=browser))
        for name in ("crypto", "key-mgmt"):
            line = Line(name, "x")
            self.assertTrue(crosses(line, feedback=False, fromWebRTC=False, passes=frozenset({name})))
            self.assertFalse(crosses(line, feedback=False, fromWebRTC=False, passes=frozenset({"3ge2ae"})))


class SectionTests(SynchronousTestCase):
    """
    L{section} and L{rejected}.
    """

    near = Section(
        "audio",
        54609,
        "UDP/TLS/RTP/SAVPF",
        ["111", "0"],
        ports=2,
        address="192.0.2.7",
        others=["i=speech", "b=AS:64"],
        lines=[Line("crypto", "1"), Line("mid", "0")],
    )

    def test_R_15_address(self) -> None:
        """
        The address and port are ours; media, formats and bandwidth are
        theirs.
        """
        made = section(
            self.near,
            "RTP/AVP",
            ("198.51.100.1", 40000),
            iter([Line("ptime", "20")]),
            [Line("rtcp", "40001")],
        )
        self.assertEqual(
            made,
            Section(
                "audio",
                40000,
                "RTP/AVP",
                ["111", "0"],
                address="198.51.100.1",
                others=["i=speech", "b=AS:64"],
                lines=[Line("ptime", "20"), Line("rtcp", "40001")],
            ),
        )

    def test_mid(self) -> None:
        """
        If the far party gave the section a name, it comes first.
        """
        made = section(self.near, "RTP/AVP", ("::1", 40000), [Line("ptime", "20")], [], "7")
        self.assertEqual(made.lines, [Line("mid", "7"), Line("ptime", "20")])
        self.assertEqual(made.address, "::1")

    def test_rejected(self) -> None:
        """
        A rejection has port zero and says nothing (RFC 3264 clause 6).
        """
        self.assertEqual(rejected(self.near), Section("audio", 0, "UDP/TLS/RTP/SAVPF", ["111", "0"]))
        self.assertEqual(
            rejected(self.near, "RTP/AVP", "7"),
            Section("audio", 0, "RTP/AVP", ["111", "0"], lines=[Line("mid", "7")]),
        )
        self.assertTrue(rejected(self.near, mid="0").rejected)

    def test_held(self) -> None:
        """
        A party that does not want to receive is on hold (RFC 3264 clause
        8.4), whatever it says of the direction.
        """
        rest = Line("ptime", "20")
        for direction, expected in (
            ("sendrecv", "sendonly"),
            ("sendonly", "sendonly"),
            ("recvonly", "inactive"),
            ("inactive", "inactive"),
        ):
            self.assertEqual(held([Line(direction), rest]), [Line(expected), rest])
        self.assertEqual(held([rest]), [rest, Line("sendonly")])


class DescriptionTests(SynchronousTestCase):
    """
    L{description}.
    """

    near = Description.parse(BROWSER)

    def make(
        self,
        *,
        proto: str = "RTP/AVP",
        address: str = "198.51.100.1",
        replace: frozenset[str] = frozenset(),
        lite: bool = False,
        version: int | None = None,
        bundle: tuple[str, ...] = (),
        fromWebRTC: bool = True,
    ) -> Description:
        """
        The description for the far party.
        """
        sections = [Section("audio", 40000, proto, ["0"], address=address)]
        made = description(
            self.near,
            address,
            sections,
            Terms(replace=replace),
            lite=lite,
            version=version,
            bundle=bundle,
            fromWebRTC=fromWebRTC,
        )
        # What cannot be read again cannot be understood by others.
        return Description.parse(made.serialize())

    def test_origin(self) -> None:
        """
        The origin holds our address, and the version is theirs or what is
        asked for.
        """
        self.assertEqual(self.make().origin, "mozilla 4611731400430051336 2 IN IP4 198.51.100.1")
        made = self.make(address="2001:db8::1", version=7)
        self.assertEqual(made.origin, "mozilla 4611731400430051336 7 IN IP6 2001:db8::1")
        self.assertEqual(made.address, "2001:db8::1")

    def test_replace(self) -> None:
        """
        The user's and the session's names are hidden on demand.
        """
        self.assertEqual(self.near.name, "-")
        self.near.name = "secret plan"
        self.addCleanup(setattr, self.near, "name", "-")
        self.assertEqual(self.make().name, "secret plan")
        made = self.make(replace=frozenset({"username", "session-name"}))
        self.assertEqual(made.name, "-")
        self.assertTrue(made.origin.startswith("- 4611731400430051336 "))

    def test_R_12_toTheCore(self) -> None:
        """
        Of a browser's session-level lines, a telephone gets those that
        anybody might send.
        """
        made = self.make()
        self.assertEqual(names(made.lines), ["tool"])
        self.assertEqual(made.others, ["i=a call", "b=CT:1000", "t=0 0"])
        text = made.serialize()
        for secret in ("192.0.2.7", "127.0.0.1", "clientskey", "AA:BB", "BUNDLE"):
            self.assertNotIn(secret, text)

    def test_feedback(self) -> None:
        """
        A header extension for feedback stands at session level only if some
        section speaks AVPF.
        """
        self.assertEqual(names(self.make(proto="UDP/TLS/RTP/SAVPF").lines), ["tool", "extmap"])

    def test_R_16_bundle(self) -> None:
        """
        The near party's bundle does not cross; the far party gets its own.
        """
        self.assertEqual(self.make().bundles(), [])
        made = self.make(bundle=("a", "b"), lite=True, fromWebRTC=False)
        self.assertEqual(made.bundles(), [["a", "b"]])
        self.assertEqual(
            [str(line) for line in made.lines],
            [
                "a=ice-lite",
                "a=msid-semantic:WMS *",
                "a=extmap-allow-mixed",
                "a=tool:browser",
                "a=group:BUNDLE a b",
            ],
        )
