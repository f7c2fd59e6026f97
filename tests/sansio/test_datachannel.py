"""
Tests for L{e2aegw.sansio.datachannel}.
"""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from e2aegw.errors import NegotiationError
from e2aegw.sansio import datachannel
from e2aegw.sansio.datachannel import (
    DEFAULT_MESSAGE_SIZE,
    FORMAT,
    MAX_CHANNELS,
    ChannelMap,
    explode,
    implode,
    isCarrier,
    maxMessageSize,
)
from e2aegw.sansio.sdp import HOP_BY_HOP, Description, Line, Section

#: A browser's offer of four channels.
OFFER = """\
v=0
o=- 1 1 IN IP6 2001:db8::3
s=-
c=IN IP6 2001:db8::3
t=0 0
m=application 54111 UDP/DTLS/SCTP webrtc-datachannel
a=sctp-port:5000
a=max-message-size:65536
a=setup:actpass
a=dcmap:0 label="chat";subprotocol="msrp"
a=dcsa:0 msrp-cema
a=dcsa:0 setup:active
a=dcsa:0 accept-types:message/cpim text/plain
a=dcsa:0 path:msrps://[2001:db8::3]:54111/si438dsaodes;dc
a=dcmap:2 subprotocol="bfcp"
a=dcsa:2 floorctrl:c-only
a=dcmap:4 subprotocol="t140"
a=dcsa:4 fmtp:t140 cps=30
a=dcmap:6 subprotocol="t38"
a=dcsa:6 T38FaxVersion:0
"""

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
names = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=8)
values = st.none() | st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=20)


def carrier(*lines: str, proto: str = "UDP/DTLS/SCTP") -> Section:
    """
    A section with these attributes.
    """
    text = "v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\n"
    text += f"m=application 9 {proto} webrtc-datachannel\n" + "".join(f"a={line}\n" for line in lines)
    return Description.parse(text).sections[0]


@st.composite
def maps(draw: st.DrawFn) -> ChannelMap:
    """
    Anything that can be said of a channel.
    """
    limits = st.none() | st.integers(0, (1 << 32) - 1)
    retransmits = draw(limits)
    return ChannelMap(
        streamID=draw(st.integers(0, 65534)),
        label=draw(texts),
        subprotocol=draw(texts),
        ordered=draw(st.booleans()),
        maxRetransmits=retransmits,
        maxLifetime=draw(limits) if retransmits is None else None,
        priority=draw(st.none() | st.integers(0, 65535)),
    )


class ChannelMapTests(SynchronousTestCase):
    """
    C{a=dcmap}: RFC 8864 clause 5.1.
    """

    def test_examples(self) -> None:
        """
        The RFC's examples are read, and written as they are or in our order.
        """
        for value, expected in (
            ("0", ChannelMap(streamID=0)),
            (
                '1 subprotocol="bfcp";max-time=60000;priority=512',
                ChannelMap(streamID=1, subprotocol="bfcp", maxLifetime=60000, priority=512),
            ),
            (
                '2 subprotocol="msrp";ordered=true;label="msrp"',
                ChannelMap(streamID=2, subprotocol="msrp", label="msrp"),
            ),
            (
                '3 label="Label 1";ordered=false;max-retr=5;priority=128',
                ChannelMap(streamID=3, label="Label 1", ordered=False, maxRetransmits=5, priority=128),
            ),
            (
                '4 label="foo%09bar";ordered=true;max-time=15000',
                ChannelMap(streamID=4, label="foo\tbar", maxLifetime=15000),
            ),
        ):
            self.assertEqual(ChannelMap.parse(value), expected)
            self.assertEqual(ChannelMap.parse(expected.line().value or ""), expected)
        self.assertEqual(str(ChannelMap(streamID=0).line()), "a=dcmap:0")
        self.assertEqual(
            str(ChannelMap(streamID=4, label="foo\tbar", maxLifetime=15000).line()),
            'a=dcmap:4 label="foo%09bar";max-time=15000',
        )

    @settings(deadline=None)
    @given(maps())
    def test_roundTrip(self, channel: ChannelMap) -> None:
        """
        What was written is read, and fits a line.
        """
        value = channel.line().value or ""
        self.assertEqual(ChannelMap.parse(value), channel)
        self.assertTrue(value.isascii() and value.isprintable())

    def test_lenient(self) -> None:
        """
        Blanks between options, options that are not known and a strange order
        are no reason to refuse a channel.
        """
        for value in (
            '2 subprotocol="msrp"; label="a;b"',
            '2 label="a;b";subprotocol=msrp;new=1;',
            ' 2  subprotocol="msrp";ordered=maybe;label="a;b"',
        ):
            self.assertEqual(ChannelMap.parse(value), ChannelMap(streamID=2, label="a;b", subprotocol="msrp"))

    def test_malformed(self) -> None:
        """
        What the grammar does not know, or what SCTP has no room for, is
        refused.
        """
        for value in (
            "",
            "x",
            "-1",
            "65535",
            "99999999999",
            "\N{ARABIC-INDIC DIGIT ONE}",
            '1 label="a',
            '1 label="a"b"',
            "1 label",
            "1 max-retr=x",
            "1 max-retr=4294967296",
            "1 max-time=-1",
            "1 max-time=",
            "1 priority=65536",
        ):
            self.assertRaises(NegotiationError, ChannelMap.parse, value)

    def test_R_67_oneLimitAtMost(self) -> None:
        """
        Messages cannot be given up in two ways.
        """
        self.assertRaises(NegotiationError, ChannelMap.parse, "1 max-retr=1;max-time=1")
        self.assertRaises(NegotiationError, ChannelMap.parse, "1 max-time=0;max-retr=0")


class ExplodeTests(SynchronousTestCase):
    """
    One section on the wire, a section for each channel inside.
    """

    def test_R_65_aSectionForEachChannel(self) -> None:
        """
        Each channel is a section of its own with its attributes unwrapped, at
        the address of the carrier.
        """
        section = Description.parse(OFFER).sections[0]
        self.assertTrue(isCarrier(section))
        children = explode(section)
        self.assertEqual([channel.streamID for channel, _ in children], [0, 2, 4, 6])
        self.assertEqual(
            [(child.media, child.proto, child.formats) for _, child in children],
            [
                ("message", "DC/MSRP", ("*",)),
                ("application", "DC/BFCP", ("*",)),
                ("text", "DC/T140", ("98",)),
                ("image", "DC/UDPTL", ("t38",)),
            ],
        )
        self.assertEqual({(child.address, child.port) for _, child in children}, {("2001:db8::3", 54111)})
        self.assertEqual(
            children[0][1].lines,
            [
                Line("msrp-cema"),
                Line("setup", "active"),
                Line("accept-types", "message/cpim text/plain"),
                Line("path", "msrps://[2001:db8::3]:54111/si438dsaodes;dc"),
            ],
        )
        self.assertEqual(children[3][1].lines, [Line("T38FaxVersion", "0")])

    def test_R_65_andBack(self) -> None:
        """
        The attributes of the channels are what they were, stream identifiers
        included.
        """
        section = Description.parse(OFFER).sections[0]
        again = implode((channel, child.lines) for channel, child in explode(section))
        self.assertEqual(again, [line for line in section.lines if line.name in ("dcmap", "dcsa")])

    def test_R_66_whatIsNotUnderstoodIsAbsent(self) -> None:
        """
        A channel of another subprotocol, or of none, is not there; the others
        are.
        """
        children = explode(
            carrier('dcmap:0 subprotocol="chess"', "dcmap:2", 'dcmap:4 subprotocol="MSRP"', "dcsa:0 x:y")
        )
        self.assertEqual([channel.streamID for channel, _ in children], [4])
        self.assertEqual(str(children[0][0].line()), 'a=dcmap:4 subprotocol="msrp"')

    def test_R_67_textAndMessagesAreReliable(self) -> None:
        """
        A channel whose map breaks the rules of its subprotocol is not there.
        """
        for bad in (
            'subprotocol="msrp";max-retr=1',
            'subprotocol="msrp";max-time=0',
            'subprotocol="MSRP";ordered=false',
            'subprotocol="t140";max-retr=0',
            'subprotocol="t140";max-time=1000',
            'subprotocol="t140";ordered=false',
            'subprotocol="bfcp";max-time=1;max-retr=1',
        ):
            children = explode(carrier(f"dcmap:0 {bad}", 'dcmap:2 subprotocol="bfcp"'))
            self.assertEqual([channel.streamID for channel, _ in children], [2], bad)

    def test_R_67_othersNeedNotBe(self) -> None:
        """
        The RFC's example of an unreliable channel is there.
        """
        ((channel, _),) = explode(carrier('dcmap:1 subprotocol="bfcp";max-time=60000;priority=512'))
        self.assertEqual(channel.maxLifetime, 60000)

    def test_R_68_attributesWithoutAChannel(self) -> None:
        """
        Attributes of a channel that is not there are discarded, and so is what
        is not an attribute.
        """
        self.assertEqual(explode(carrier("dcsa:0 path:x")), [])
        ((_, child),) = explode(
            carrier(
                'dcmap:0 subprotocol="msrp"',
                "dcsa:2 path:x",
                "dcsa:0",
                "dcsa:0 :x",
                "dcsa:zero a:b",
                "dcsa:0 new:thing",
            )
        )
        self.assertEqual(child.lines, [Line("new", "thing")])

    def test_R_68_hiddenHopByHop(self) -> None:
        """
        What concerns one hop does not cross by being wrapped, blank or not.
        """
        section = carrier('dcmap:0 subprotocol="msrp"', "dcsa:0 crypto :1 x", "dcsa:0 setup:active")
        ((_, child),) = explode(section)
        self.assertEqual(list(child.endToEnd()), [])
        self.assertTrue(HOP_BY_HOP.issuperset(line.name for line in child.lines))

    def test_sameStreamTwice(self) -> None:
        """
        The first of two channels on one stream counts.
        """
        ((channel, _),) = explode(
            carrier('dcmap:0 subprotocol="msrp";label="a"', 'dcmap:0 subprotocol="bfcp";label="b"')
        )
        self.assertEqual(channel.label, "a")

    def test_tooMany(self) -> None:
        """
        There is a limit to the channels of a section.
        """
        lines = [f'dcmap:{n} subprotocol="msrp"' for n in range(MAX_CHANNELS + 1)]
        self.assertEqual(len(explode(carrier(*lines[:-1]))), MAX_CHANNELS)
        self.assertRaises(NegotiationError, explode, carrier(*lines))

    @settings(deadline=None)
    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["msrp", "bfcp", "t140", "t38"]), texts, st.lists(st.tuples(names, values))
            ),
            max_size=5,
        )
    )
    def test_roundTrip(self, wanted: list[tuple[str, str, list[tuple[str, str | None]]]]) -> None:
        """
        What was put into one section comes out of it.
        """
        children = [
            (ChannelMap(streamID=2 * n, label=label, subprotocol=kind), [Line(*line) for line in lines])
            for n, (kind, label, lines) in enumerate(wanted)
        ]
        section = Section("application", 9, "UDP/DTLS/SCTP", (FORMAT,), lines=implode(children))
        again = explode(section)
        self.assertEqual([channel for channel, _ in again], [channel for channel, _ in children])
        for (_, child), (_, lines) in zip(again, children, strict=True):
            # White space at the end of a line is nobody's.
            trimmed = [(line.name, line.value and line.value.rstrip()) for line in lines]
            self.assertEqual(
                [(line.name, line.value and line.value.rstrip()) for line in child.lines], trimmed
            )

    @settings(deadline=None)
    @given(
        st.lists(
            st.tuples(st.sampled_from(["dcmap", "dcsa"]), st.text('012 abmsrp:;="%', max_size=30)), max_size=6
        )
    )
    def test_anything(self, attributes: list[tuple[str, str]]) -> None:
        """
        Whatever the attributes are, they are read or left out.
        """
        lines = [Line(*each) for each in attributes]
        explode(Section("application", 9, "UDP/DTLS/SCTP", (FORMAT,), lines=lines))


class CarrierTests(SynchronousTestCase):
    """
    What a section says of the association.
    """

    def test_isCarrier(self) -> None:
        """
        A carrier is known by media, proto and format, in all three spellings
        of the proto.
        """
        for proto in ("UDP/DTLS/SCTP", "TCP/DTLS/SCTP", "DTLS/SCTP", "udp/dtls/sctp"):
            self.assertTrue(isCarrier(carrier(proto=proto)))
        self.assertFalse(isCarrier(carrier(proto="UDP/TLS/RTP/SAVPF")))
        self.assertFalse(isCarrier(Section("application", 9, "DTLS/SCTP", ("5000",))))
        self.assertFalse(isCarrier(Section("audio", 9, "UDP/DTLS/SCTP", (FORMAT,))))

    def test_R_72_port(self) -> None:
        """
        The port is read with the colon of the grammar and with the blank of
        RFC 8865's examples; 0 means that there is to be no association.
        """
        for line, port in (
            ("sctp-port:5000", 5000),
            ("sctp-port 5001", 5001),
            ("sctp-port: 6000", 6000),
            ("sctp-port:0", 0),
            ("x", 5000),
        ):
            self.assertEqual(datachannel.port(carrier(line)), port)
        for line in (
            "sctp-port:",
            "sctp-port",
            "sctp-port:65536",
            "sctp-port:-1",
            "sctp-port x",
            "sctp-port:1e3",
        ):
            self.assertRaises(NegotiationError, datachannel.port, carrier(line))

    def test_R_71_maxMessageSize(self) -> None:
        """
        Who says nothing takes 64K; 0 is any size.
        """
        self.assertEqual(maxMessageSize(carrier()), DEFAULT_MESSAGE_SIZE)
        self.assertEqual(maxMessageSize(carrier("max-message-size:0")), 0)
        self.assertEqual(maxMessageSize(carrier("max-message-size:262144")), 262144)
        self.assertEqual(maxMessageSize(carrier("max-message-size:9223372036854775807")), (1 << 63) - 1)
        for value in ("", "-1", "x", "1" * 20, "\N{ARABIC-INDIC DIGIT ONE}"):
            self.assertRaises(NegotiationError, maxMessageSize, carrier(f"max-message-size:{value}"))
