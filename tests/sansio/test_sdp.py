"""
Tests for L{e2aegw.sansio.sdp}.
"""

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from e2aegw.errors import NegotiationError
from e2aegw.sansio.sdp import (
    HOP_BY_HOP,
    MAX_DESCRIPTION,
    MAX_LINES,
    MAX_SECTIONS,
    Description,
    Line,
    Section,
    Side,
    family,
)

#: RFC 8866 clause 5.
EXAMPLE = """\
v=0
o=jdoe 3724394400 3724394405 IN IP4 198.51.100.1
s=Call to John Smith
i=SDP Offer #1
u=http://www.jdoe.example.com/home.html
e=Jane Doe <jane@jdoe.example.com>
p=+1 617 555-6011
c=IN IP4 198.51.100.1
t=0 0
m=audio 49170 RTP/AVP 0
m=audio 49180 RTP/AVP 0
m=video 51372 RTP/AVP 99
c=IN IP6 2001:db8::2
a=rtpmap:99 h263-1998/90000
"""

#: The lines before the sections, and the shortest there can be.
HEAD = "v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\n"


def parse(*lines: str) -> Description:
    """
    Read a description with these lines behind L{HEAD}.
    """
    return Description.parse(HEAD + "\n".join(lines))


def section(*lines: str) -> Section:
    """
    Read one section with these lines in it.
    """
    return parse("m=audio 4000 RTP/AVP 0", *lines).sections[0]


TOKEN = st.text(st.sampled_from("abcdefghijklmnopqrstuvwxyz-0123456789"), min_size=1, max_size=12).map(
    "x".__add__
)
#: What may stand in a line: anything but the ends of one.
TEXT = st.text(st.characters(exclude_characters="\0\r\n", exclude_categories=["Cs"]), max_size=30)
ATTRIBUTE = st.builds(Line, TOKEN, st.none() | TEXT).map(str)
HOST = st.ip_addresses().map(str)
CONNECTION = HOST.map(lambda host: f"c=IN {family(host)} {host}")


def block(*parts: "st.SearchStrategy[list[str]]") -> "st.SearchStrategy[list[str]]":
    """
    Lines behind one another.
    """
    return st.tuples(*parts).map(lambda lists: [line for part in lists for line in part])


def one(*strategies: "st.SearchStrategy[str]") -> "st.SearchStrategy[list[str]]":
    """
    One line of each.
    """
    return st.tuples(*strategies).map(list)


def maybe(strategy: "st.SearchStrategy[str]") -> "st.SearchStrategy[list[str]]":
    """
    One line or none.
    """
    return st.lists(strategy, max_size=1)


MEDIA = block(
    one(
        st.builds(
            "m={} {}{} {} {}".format,
            TOKEN,
            st.integers(0, 65535),
            st.just("") | st.integers(2, 99).map("/{}".format),
            st.sampled_from(["RTP/AVP", "UDP/TLS/RTP/SAVPF", "udptl", "TCP/MSRP"]),
            st.lists(TOKEN, min_size=1, max_size=3).map(" ".join),
        )
    ),
    maybe(TEXT.map("i={}".format)),
    maybe(CONNECTION),
    maybe(st.integers(0, 10**6).map("b=AS:{}".format)),
    st.lists(ATTRIBUTE, max_size=4),
)
#: Descriptions in the order of lines of RFC 8866 clause 9.
DESCRIPTION = block(
    one(st.just("v=0"), HOST.map(lambda host: f"o=- 1 2 IN {family(host)} {host}"), TEXT.map("s={}".format)),
    maybe(TEXT.map("i={}".format)),
    maybe(st.just("u=http://example.com/")),
    maybe(CONNECTION.map(lambda line: line + "0")),
    maybe(st.just("b=CT:128")),
    one(st.just("t=0 0")),
    st.lists(ATTRIBUTE, max_size=4),
    st.lists(MEDIA, max_size=3).map(lambda sections: [line for each in sections for line in each]),
).map(lambda lines: "".join(line + "\r\n" for line in lines))


class ReadTests(SynchronousTestCase):
    """
    L{Description.parse}.
    """

    def test_example(self) -> None:
        """
        The example of RFC 8866 clause 5 has the values that stand there.
        """
        description = Description.parse(EXAMPLE)
        self.assertEqual(description.origin, "jdoe 3724394400 3724394405 IN IP4 198.51.100.1")
        self.assertEqual(description.name, "Call to John Smith")
        self.assertEqual(description.address, "198.51.100.1")
        self.assertEqual([line[0] for line in description.others], ["i", "u", "e", "p", "t"])
        self.assertEqual(
            [
                (each.media, each.port, each.proto, each.formats, each.address)
                for each in description.sections
            ],
            [
                ("audio", 49170, "RTP/AVP", ("0",), "198.51.100.1"),
                ("audio", 49180, "RTP/AVP", ("0",), "198.51.100.1"),
                ("video", 51372, "RTP/AVP", ("99",), "2001:db8::2"),
            ],
        )
        self.assertEqual(description.sections[2].lines, [Line("rtpmap", "99 h263-1998/90000")])

    def test_multicast(self) -> None:
        """
        The scope of a multicast address is no part of the host (RFC 8866
        clause 5.7).
        """
        self.assertEqual(section("c=IN IP4 233.252.0.1/127/3").address, "233.252.0.1")

    def test_firstConnection(self) -> None:
        """
        Of several connections of a section, the first counts.
        """
        self.assertEqual(section("c=IN IP4 192.0.2.7", "c=IN IP4 192.0.2.8").address, "192.0.2.7")

    def test_noConnection(self) -> None:
        """
        A section without any address is told apart from one with.
        """
        text = HEAD.replace("c=IN IP4 192.0.2.1\n", "") + "m=audio 0 RTP/AVP 0\n"
        self.assertIsNone(Description.parse(text).sections[0].address)

    def test_ports(self) -> None:
        """
        The number of ports is one unless it is said.
        """
        self.assertEqual(section().ports, 1)
        self.assertEqual(parse("m=video 49170/2 RTP/AVP 31").sections[0].ports, 2)

    def test_bareNewlines(self) -> None:
        """
        Lines may end in LF alone (RFC 8866 clause 5), even some of them.
        """
        crlf = Description.parse(EXAMPLE.replace("\n", "\r\n")).serialize()
        self.assertEqual(Description.parse(EXAMPLE).serialize(), crlf)
        self.assertEqual(Description.parse(EXAMPLE.replace("\n", "\r\n", 4)).serialize(), crlf)

    def test_endOfText(self) -> None:
        """
        What ends in no newline, or in several, is the same description.
        """
        whole = Description.parse(EXAMPLE).serialize()
        for end in ("", "\n\n", "\r\n\r\n"):
            self.assertEqual(Description.parse(EXAMPLE.rstrip("\n") + end).serialize(), whole)

    def test_malformed(self) -> None:
        """
        What is no description is refused.
        """
        media = "m=audio 4000 RTP/AVP 0\n"
        cases = {
            "empty": "",
            "nothing but newlines": "\n\n",
            "no version": HEAD[4:],
            "another version": HEAD.replace("v=0", "v=1"),
            "a mark of the byte order": "\ufeff" + HEAD,
            "no origin": HEAD.replace("o=- 1 1 IN IP4 192.0.2.1\n", ""),
            "a short origin": HEAD.replace("o=- 1 1 ", "o=- 1 "),
            "a long origin": HEAD.replace("o=-", "o=- x"),
            "a line of one character": HEAD + "a\n",
            "a line without a letter": HEAD + "=a\n",
            "a blank before the sign": HEAD + "a =b\n",
            "an empty line": HEAD + "\n" + media,
            "a short m=": HEAD + "m=audio 4000 RTP/AVP\n",
            "a negative port": HEAD + "m=audio -1 RTP/AVP 0\n",
            "a port in Arabic digits": HEAD + "m=audio \u0664\u0660 RTP/AVP 0\n",
            "a port too high": HEAD + "m=audio 65536 RTP/AVP 0\n",
            "no port": HEAD + "m=audio x RTP/AVP 0\n",
            "no number of ports": HEAD + "m=audio 4000/ RTP/AVP 0\n",
            "no ports": HEAD + "m=audio 4000/0 RTP/AVP 0\n",
            "too many ports": HEAD + "m=audio 4000/65536 RTP/AVP 0\n",
            "a short c=": HEAD + media + "c=IN IP4\n",
            "another network": HEAD + media + "c=TN RFC2543 +1-201-406-4090\n",
            "another family": HEAD + media + "c=IN E164 49\n",
        }
        for name, text in cases.items():
            with self.assertRaises(NegotiationError, msg=name):
                Description.parse(text)

    def test_manyDigits(self) -> None:
        """
        A port with more digits than Python reads is refused like another.
        """
        for port in ("9" * 5000, "4000/" + "9" * 5000):
            self.assertRaises(NegotiationError, parse, f"m=audio {port} RTP/AVP 0")

    def test_unknownLetter(self) -> None:
        """
        A description with a type letter that there is not is refused as a
        whole (RFC 8866 clause 5).
        """
        for line in ("x=1", "A=crypto", "\u00e9=1", "y=0123"):
            self.assertRaises(NegotiationError, parse, line)
            self.assertRaises(NegotiationError, section, line)

    def test_lineEndsInside(self) -> None:
        """
        A line that holds what another reader may take for its end is refused:
        a second line behind it would cross unseen.
        """
        for inside in ("\r", "\0"):
            self.assertRaises(NegotiationError, section, f"a=tool:x{inside}a=crypto:1 key")
            self.assertRaises(NegotiationError, section, f"a=tool:x{inside}")

    def test_keyLineDiscarded(self) -> None:
        """
        A C{k=} line is discarded (RFC 8866 clause 5.12), at either level.
        """
        description = parse("k=clear:secret", "m=audio 4000 RTP/AVP 0", "k=clear:secret")
        self.assertNotIn("secret", description.serialize())

    def test_limits(self) -> None:
        """
        A description is as long, has as many lines and as many sections as
        is allowed, and no more.
        """
        text = HEAD + "a="
        Description.parse(text.ljust(MAX_DESCRIPTION, "x"))
        self.assertRaises(NegotiationError, Description.parse, text.ljust(MAX_DESCRIPTION + 1, "x"))
        lines = ["a=x"] * (MAX_LINES - HEAD.count("\n"))
        parse(*lines)
        self.assertRaises(NegotiationError, parse, *lines, "a=x")
        sections = ["m=audio 0 RTP/AVP 0"] * MAX_SECTIONS
        parse(*sections)
        self.assertRaises(NegotiationError, parse, *sections, sections[0])

    def test_inheritanceLimit(self) -> None:
        """
        Lines that all sections inherit count in each of them.
        """
        sections = ["m=a 0 b c"] * MAX_SECTIONS
        most = MAX_LINES // MAX_SECTIONS
        parse(*["a=setup:active"] * most, *sections)
        self.assertRaises(NegotiationError, parse, *["a=setup:active"] * (most + 1), *sections)


class AttributeTests(SynchronousTestCase):
    """
    What sections say of their attributes.
    """

    def test_values(self) -> None:
        """
        An attribute has a value, an empty one, or none.
        """
        found = section("a=x: 1 ", "a=x", "a=y", "a=z:a:b")
        self.assertEqual(found.get("x"), "1")
        self.assertEqual(found.all("x"), ["1", ""])
        self.assertEqual(found.get("y"), "")
        self.assertIsNone(found.get("X"))
        self.assertEqual(found.get("z"), "a:b")
        self.assertTrue(found.has("y"))
        self.assertFalse(found.has("Y"))

    def test_sessionValues(self) -> None:
        """
        The description has its own attributes.
        """
        description = parse("a=x:1", "a=y", "m=audio 4000 RTP/AVP 0", "a=z")
        self.assertEqual([description.get(name) for name in "xyz"], ["1", "", None])

    def test_R_12_blankBehindName(self) -> None:
        """
        A name with a blank behind it is the name: a key does not cross
        because of it, and a hold is one.
        """
        found = section("a=crypto :1 x y", "a= fingerprint:sha-256 00", "a=sendonly ")
        self.assertEqual([line.name for line in found.endToEnd()], ["sendonly"])
        self.assertEqual(found.direction, "sendonly")

    def test_R_12_hopByHop(self) -> None:
        """
        Nothing that concerns one hop is among what crosses.
        """
        names = sorted(HOP_BY_HOP)
        for name in ("crypto", "fingerprint", "tls-id", "3ge2ae", "ice-ufrag", "ice-pwd", "candidate"):
            self.assertIn(name, names)
        for name in ("dcmap", "dcsa", "group", "mid", "key-mgmt", "altc", "identity"):
            self.assertIn(name, names)
        found = section(*(f"a={name}:x" for name in names), "a=rtpmap:0 PCMU/8000", "a=future")
        self.assertEqual(list(found.endToEnd()), [Line("rtpmap", "0 PCMU/8000"), Line("future")])

    def test_inheritance(self) -> None:
        """
        A session's fingerprint holds for sections without one of their own
        (RFC 8122 clause 5), and so do setup and ICE credentials.
        """
        first, second = parse(
            "a=fingerprint:sha-256 AA",
            "a=fingerprint:sha-256 BB",
            "a=setup:actpass",
            "a=ice-ufrag:abcd",
            "a=tool:x",
            "m=audio 4000 RTP/AVP 0",
            "m=audio 4002 RTP/AVP 0",
            "a=fingerprint:sha-256 CC",
        ).sections
        self.assertEqual(first.all("fingerprint"), ["sha-256 AA", "sha-256 BB"])
        self.assertEqual(second.all("fingerprint"), ["sha-256 CC"])
        self.assertEqual([each.get("setup") for each in (first, second)], ["actpass", "actpass"])
        self.assertEqual([each.get("ice-ufrag") for each in (first, second)], ["abcd", "abcd"])
        self.assertFalse(first.has("tool"))

    def test_direction(self) -> None:
        """
        The direction is the section's, else the session's, else both ways:
        the example of RFC 8866 clause 6.7.
        """
        description = parse(
            "a=inactive",
            *("m=audio 49170 RTP/AVP 0", "a=sendrecv"),
            *("m=audio 49180 RTP/AVP 0",),
            *("m=video 51372 RTP/AVP 99", "a=recvonly"),
        )
        directions = [each.direction for each in description.sections]
        self.assertEqual(directions, ["sendrecv", "inactive", "recvonly"])
        self.assertEqual(section("a=tool:x").direction, "sendrecv")

    def test_rejected(self) -> None:
        """
        Port zero is a rejection (RFC 3264 clause 6) unless the section is in a
        bundle and says so (RFC 9143 clause 6).
        """
        sections = parse(
            "a=group:BUNDLE 0 1 2",
            *("m=audio 4000 RTP/AVP 0", "a=mid:0"),
            *("m=video 0 RTP/AVP 96", "a=mid:1", "a=bundle-only"),
            *("m=video 0 RTP/AVP 96", "a=mid:2"),
            *("m=video 0 RTP/AVP 96", "a=mid:3", "a=bundle-only"),
            *("m=video 0 RTP/AVP 96", "a=bundle-only"),
        ).sections
        self.assertEqual([each.rejected for each in sections], [False, False, True, True, True])
        self.assertFalse(sections[3].has("bundle-only"))

    def test_bundles(self) -> None:
        """
        BUNDLE groups are found among other groups (RFC 5888 clause 5).
        """
        description = parse(
            "a=group:LS a b",
            "a=group:BUNDLE a b",
            "a=group:BUNDLE",
            "a=group",
            "a=group: ",
            "a=group:BUNDLE c",
        )
        self.assertEqual(description.bundles(), [["a", "b"], [], ["c"]])

    def test_R_111_secrets(self) -> None:
        """
        Keys and passwords do not show in what a traceback or a log prints.
        """
        found = section(
            "a=crypto:1 suite inline:topsecret", "a=ice-pwd:topsecret", "a=key-mgmt:mikey topsecret"
        )
        for text in (repr(found), repr(found.lines), f"{found.lines}", repr(found.lines[0])):
            self.assertNotIn("topsecret", text)
        self.assertIn("crypto", repr(found.lines))
        self.assertEqual(repr(Line("x", "1")), "<a=x:1>")
        self.assertEqual(repr(Line("crypto")), "<a=crypto>")
        self.assertIn("topsecret", str(found.lines[0]))

    def test_equality(self) -> None:
        """
        Sections are equal if all that they say is.
        """
        self.assertEqual(section("a=x"), section("a=x"))
        self.assertNotEqual(section("a=x"), section("a=y"))
        self.assertNotEqual(section(), "m=audio 4000 RTP/AVP 0")
        self.assertRaises(TypeError, hash, section())

    def test_sides(self) -> None:
        """
        Each side is opposite to the other.
        """
        self.assertEqual([side.other for side in Side], [Side.CORE, Side.ACCESS])


class WriteTests(SynchronousTestCase):
    """
    L{Description.serialize}.
    """

    def test_example(self) -> None:
        """
        The example of RFC 8866 clause 5 is written as it was read.
        """
        self.assertEqual(Description.parse(EXAMPLE).serialize(), EXAMPLE.replace("\n", "\r\n"))

    def test_order(self) -> None:
        """
        Lines are written in the order of RFC 8866 clause 9, in whatever order
        they came.
        """
        text = parse("b=AS:1", "e=x", "i=y", "m=audio 4000/2 RTP/AVP 0 8", "b=AS:2", "i=z", "c=IN IP6 ::1")
        self.assertEqual(
            text.serialize().split("\r\n"),
            [
                *("v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=-", "e=x", "i=y", "c=IN IP4 192.0.2.1", "t=0 0"),
                *("b=AS:1", "m=audio 4000/2 RTP/AVP 0 8", "i=z", "c=IN IP6 ::1", "b=AS:2", ""),
            ],
        )

    def test_defaults(self) -> None:
        """
        The shortest description that can be made is one that can be read.
        """
        text = Description("- 1 1 IN IP4 192.0.2.1").serialize()
        self.assertEqual(text, "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\n")
        self.assertEqual(Description.parse(text).sections, [])

    @settings(deadline=None, derandomize=True, max_examples=150)
    @given(DESCRIPTION)
    def test_roundTrip(self, text: str) -> None:
        """
        A well-formed description is written as it was read, with whatever is
        not understood.
        """
        self.assertEqual(Description.parse(text).serialize(), text)


class GarbageTests(SynchronousTestCase):
    """
    Text that is no description.
    """

    def check(self, text: str) -> None:
        """
        Text is refused, or what was read is written so that it reads the same.
        """
        with contextlib.suppress(NegotiationError):
            description = Description.parse(text)
            again = Description.parse(description.serialize())
            self.assertEqual(again.serialize(), description.serialize())
            self.assertEqual(
                [each.rejected for each in again.sections], [each.rejected for each in description.sections]
            )

    @settings(deadline=None, derandomize=True, max_examples=200)
    @given(
        st.lists(
            st.sampled_from(list("vosiuepcbtrzkamxyzA\u00e9"))
            .flatmap(lambda kind: st.text(max_size=20).map(f"{kind}=".__add__))
            .flatmap(lambda line: st.sampled_from([line, "m=audio 0 RTP/AVP 0", "a=setup:active", "a=mid:x"]))
            | st.text(max_size=20),
            max_size=12,
        )
    )
    def test_anything(self, lines: list[str]) -> None:
        """
        Any text is a description or is refused, and nothing else happens.
        """
        self.check("\n".join(lines))
        self.check(HEAD + "\n".join(lines))

    def test_prefixes(self) -> None:
        """
        The same holds for a description that is cut off anywhere.
        """
        for end in range(len(EXAMPLE)):
            self.check(EXAMPLE[:end])
