"""
Calls of real-time text: a browser's data channel to RTP, and RTP to RTP.
"""

import re
from typing import Any, ClassVar

from twisted.internet.task import Clock

from e2aegw.adapter import text
from e2aegw.gateway.ports import PortPool
from e2aegw.gateway.service import Gateway, Route
from e2aegw.sansio.datachannel import ChannelMap, explode
from e2aegw.sansio.events import MediaStarted
from e2aegw.sansio.sdp import Description, Section, Side
from tests.gateway.fixture import ROUTES, GatewayTestCase
from tests.gateway.textphone import TextPhone
from tests.transport.carriers import ANSWER, OFFER, Party, Recorder

LOST = "\N{REPLACEMENT CHARACTER}"
HEAD = ["v=0", "o=- 2 2 IN IP4 203.0.113.7", "s=-", "c=IN IP4 203.0.113.7", "t=0 0"]
RED = ["a=rtpmap:98 t140/1000", "a=rtpmap:100 red/1000", "a=fmtp:100 98/98/98"]


class Browser(Party):
    """
    A browser with text lines, without ICE.

    @ivar lines: what was heard on each, by stream.
    """

    def __init__(self, clock: Clock, pool: PortPool) -> None:
        super().__init__(clock, pool, 0)
        self.lines: dict[int, Recorder] = {}
        self.shares: dict[int, Any] = {}
        self.attributes: dict[int, list[str]] = {}

    def line(self, stream: int, *attributes: str, label: str = "", subprotocol: str = "t140") -> None:
        """
        Have a text line.

        @param attributes: what its C{dcsa} lines say.
        """
        channel = ChannelMap(streamID=stream, label=label, subprotocol=subprotocol)
        self.shares[stream], self.lines[stream] = self.share(channel)
        self.shares[stream].text = True
        self.attributes[stream] = list(attributes)

    def offer(self, version: int = 1) -> str:
        """
        Offer all lines.
        """
        section = self.section(OFFER)
        lines = [str(line) for line in section.lines]
        for stream, attributes in self.attributes.items():
            channel = self.shares[stream].map
            label = f'label="{channel.label}";' if channel.label else ""
            lines.append(f'a=dcmap:{stream} {label}subprotocol="{channel.subprotocol}"')
            lines += [f"a=dcsa:{stream} {each}" for each in attributes]
        return "\r\n".join(
            [
                "v=0",
                f"o=- 1 {version} IN IP4 198.51.100.7",
                "s=-",
                "c=IN IP4 198.51.100.7",
                "t=0 0",
                f"m=application {section.port} UDP/DTLS/SCTP webrtc-datachannel",
                *lines,
                "",
            ]
        )

    def heard(self, stream: int = 0) -> str:
        """
        What was said on a line.
        """
        return b"".join(self.lines[stream].messages).decode()

    def type(self, data: str, stream: int = 0) -> None:
        """
        Say something.
        """
        self.shares[stream].write(data.encode())


class TextTestCase(GatewayTestCase):
    """
    A browser on the access side, and telephones on the core side.
    """

    factory: ClassVar[dict[str, Any]] = {}

    def setUp(self) -> None:
        """
        Bring both.
        """
        super().setUp()
        factory = text.Factory(clock=self.clock, **self.factory)
        self.gateway._routes = (*ROUTES, Route(factory, factory))
        self.pool = PortPool(self.network, "198.51.100.7", 50000, 50003)
        self.browser = Browser(self.clock, self.pool)
        self.session = self.gateway.newSession("text")
        self.phones: list[TextPhone] = []

    def tearDown(self) -> None:
        """
        Everything ends.
        """
        self.session.close()
        self.browser.carrier.loseConnection()
        for phone in self.phones:
            phone.close()
        super().tearDown()
        self.assertEqual(self.network.ports, {})

    def offered(self, sdp: str) -> list[Section]:
        """
        The browser offers.

        @return: what the core gets.
        """
        return Description.parse(self.result(self.session.offer(sdp, Side.ACCESS))).sections

    def answered(self, sections: list[Section], *attributes: str, formats: str = "98 100") -> list[Section]:
        """
        The core answers each line.

        @param attributes: what its lines say.

        @return: what the browser gets.
        """
        lines = list(HEAD)
        for number, section in enumerate(sections):
            if number == len(self.phones):
                self.phones.append(TextPhone(self.network, ("203.0.113.7", 6000 + 2 * number)))
            self.phones[number].remote = (str(section.address), section.port)
            lines.append(f"m=text {6000 + 2 * number} RTP/AVP {formats}")
            lines += attributes or RED
        answer = self.result(self.session.answer("\r\n".join([*lines, ""])))
        return Description.parse(answer).sections

    def accept(self, section: Section) -> dict[int, Section]:
        """
        The browser reads the answer, and its channels open.

        @return: the channels of the answer.
        """
        self.browser.carrier.configure(section, ANSWER)()
        self.network.advance(0.05)
        return {channel.streamID: child for channel, child in explode(section)}

    def call(self, *attributes: str, answer: tuple[str, ...] = (), formats: str = "98 100") -> TextPhone:
        """
        A call with one line.

        @param attributes: what the browser says of it.
        @param answer: what the core says of it.
        """
        self.browser.line(0, *attributes)
        (section,) = self.answered(self.offered(self.browser.offer()), *answer, formats=formats)
        self.accept(section)
        return self.phones[0]


class DescriptionTests(TextTestCase):
    """
    What each side is told.
    """

    def test_offer(self) -> None:
        """
        The core is offered text over RTP with redundancy, and nothing of data
        channels.
        """
        self.browser.line(0, "fmtp:t140 cps=20", "hlang-send:es eo", "hlang-recv:es eo", "nonsense:1")
        (core,) = self.offered(self.browser.offer())
        self.assertEqual((core.media, core.proto, core.formats), ("text", "RTP/AVP", ("98", "100")))
        self.assertEqual(core.all("rtpmap"), ["98 t140/1000", "100 red/1000"])
        self.assertEqual(core.all("fmtp"), ["98 cps=20", "100 98/98/98"])
        self.assertEqual((core.get("hlang-send"), core.get("hlang-recv")), ("es eo", "es eo"))
        self.assertFalse(core.has("nonsense"))
        self.assertTrue(core.has("rtcp"))

    def test_R_88_rateAndDirection(self) -> None:
        """
        The rate, the direction and the languages are the same on both sides,
        in the offer and in the answer.
        """
        self.browser.line(2, "fmtp:t140 cps=20", "recvonly", "hlang-recv:eo", label="one")
        (core,) = self.offered(self.browser.offer())
        self.assertEqual((core.direction, core.all("fmtp")[0]), ("recvonly", "98 cps=20"))
        lines = [*RED, "a=fmtp:98 cps=7", "a=sendonly", "a=hlang-send:eo", "a=ptime:300", "a=label:x"]
        (answer,) = self.answered([core], *lines)
        channel = self.accept(answer)[2]
        said = [str(line) for line in channel.lines]
        self.assertEqual(said, ["a=fmtp:t140 cps=7", "a=sendonly", "a=hlang-send:eo"])
        self.assertEqual(answer.all("dcmap"), ['2 label="one";subprotocol="t140"'])

    def test_R_88_otherDirection(self) -> None:
        """
        What a party does not want to hear is not sent to it.
        """
        phone = self.call("recvonly", answer=(*RED, "a=sendonly"))
        self.browser.type("not for you")
        phone.say("for you", marker=True)
        self.network.advance(1)
        self.assertEqual(phone.heard, [])
        self.assertEqual(self.browser.heard(), "for you")

    def test_R_88_noRate(self) -> None:
        """
        Who says no rate is not made to; an attribute that is not of the form is
        ignored.
        """
        self.browser.line(0, "fmtp:t140 bps=9", "fmtp:98 cps=4")
        (core,) = self.offered(self.browser.offer())
        self.assertEqual(core.all("fmtp"), ["100 98/98/98"])
        (answer,) = self.answered([core])
        self.assertEqual(answer.all("dcsa"), [])
        self.accept(answer)

    def test_R_88_modified(self) -> None:
        """
        A later offer changes the rate and the direction.
        """
        phone = self.call("fmtp:t140 cps=20")
        self.browser.attributes[0] = ["fmtp:t140 cps=4", "inactive"]
        (core,) = self.offered(self.browser.offer(version=2))
        self.assertEqual((core.all("fmtp")[0], core.direction), ("98 cps=4", "inactive"))
        self.accept(self.answered([core], *RED, "a=inactive")[0])
        phone.say("x", marker=True)
        self.network.advance(2)
        self.assertEqual(self.browser.heard(), "")

    def test_R_92_subprotocol(self) -> None:
        """
        The subprotocol is recognised in any letters and said in small ones.
        """
        self.browser.line(0, subprotocol="T140")
        core = self.offered(self.browser.offer())
        self.assertEqual([each.media for each in core], ["text"])
        (answer,) = self.answered(core)
        self.assertEqual(answer.all("dcmap"), ['0 subprotocol="t140"'])
        self.accept(answer)

    def test_noTextInTheAnswer(self) -> None:
        """
        An answer without text refuses the line.
        """
        self.browser.line(0)
        (answer,) = self.answered(self.offered(self.browser.offer()), "a=rtpmap:98 x/8000")
        self.assertEqual(answer.port, 0)


class TextCallTests(TextTestCase):
    """
    The browser types, and so does the telephone.
    """

    def test_R_85_typed(self) -> None:
        """
        What is typed arrives as RTP with two generations of redundancy: the
        first at once and marked, the rest within 300 ms, and all again until
        everything was there three times.
        """
        phone = self.call()
        began = self.clock.seconds()
        typed = "Hej, \N{SNOWMAN}!"
        for character in typed:
            self.browser.type(character)
            self.network.advance(0.1)
        self.network.advance(3)
        self.assertEqual(phone.text, typed)
        first = phone.heard[0]
        self.assertTrue(first.marker)
        self.assertLess(first.at - began, 0.02)
        self.assertEqual([each.marker for each in phone.heard[1:]], [False] * (len(phone.heard) - 1))
        self.assertEqual({each.kind for each in phone.heard}, {100})
        primaries = [b"", b"", *(each.primary for each in phone.heard)]
        for number, each in enumerate(phone.heard):
            self.assertEqual(each.redundant, primaries[number : number + 2])
        self.assertEqual([each.primary for each in phone.heard[-2:]], [b"", b""])
        gaps = [b.at - a.at for a, b in zip(phone.heard, phone.heard[1:], strict=False)]
        self.assertTrue(all(0.29 < gap < 0.51 for gap in gaps), gaps)
        stamps = [each.timestamp for each in phone.heard]
        self.assertEqual(
            phone.heard[-1].offsets, [(stamps[-1] - each) & 0xFFFFFFFF for each in stamps[-3:-1]]
        )
        sides = {event.side for event in self.happened(MediaStarted)}
        self.assertEqual(sides, {"access"})

    def test_R_85_afterAPause(self) -> None:
        """
        After a pause text is sent at once again, and marked.
        """
        phone = self.call()
        self.browser.type("a")
        self.network.advance(20)
        count = len(phone.heard)
        self.browser.type("b")
        self.network.advance(0.02)
        self.assertEqual([(each.primary, each.marker) for each in phone.heard[count:]], [(b"b", True)])
        # What is older than the field can say is left out.
        self.assertEqual(phone.heard[-1].redundant, [])

    def test_R_85_noCharacterIsCut(self) -> None:
        """
        A character that comes in two messages goes in one packet, and so does
        each of a long text, at the rate that the telephone takes.
        """
        phone = self.call(answer=(*RED, "a=fmtp:98 cps=100"))
        snowman = "\N{SNOWMAN}".encode()
        self.browser.shares[0].write(snowman[:1])
        self.network.advance(1)
        self.browser.shares[0].write(snowman[1:] * 1 + b"e\xcc\x81" * 700)
        self.network.advance(30)
        whole = "\N{SNOWMAN}" + "e\N{COMBINING ACUTE ACCENT}" * 700
        self.assertEqual(phone.text, whole)
        for each in phone.heard:
            self.assertFalse(each.primary.decode().startswith("\N{COMBINING ACUTE ACCENT}"))
        for start in range(30):
            window = [each for each in phone.heard if start <= each.at < start + 10]
            self.assertLessEqual(sum(len(each.primary.decode()) for each in window), 1000)

    def test_R_86_recovered(self) -> None:
        """
        With two packets of three lost, everything arrives once and in order.
        """
        phone = self.call()
        typed = "The quick brown fox jumps over the lazy dog."
        for number, character in enumerate(typed):
            phone.say(character, marker=not number, lost=number % 3 != 0)
            self.network.advance(0.3)
        for _ in range(2):
            phone.say("")
            self.network.advance(0.3)
        self.assertEqual(self.browser.heard(), typed)

    def test_R_86_swapped(self) -> None:
        """
        Packets that come in another order, or twice, say what they said once.
        """
        phone = self.call()
        packets = [phone.packet(each, marker=not number) for number, each in enumerate("abcdefgh")]
        for number in (1, 0, 0, 3, 3, 2, 7, 5, 6, 4, 7):
            phone.port.sendto(packets[number], phone.remote)
            self.network.advance(0.01)
        self.network.advance(2)
        self.assertEqual(self.browser.heard(), "abcdefgh")

    def test_R_87_marked(self) -> None:
        """
        What is beyond redundancy is marked, once for each block, and nobody
        waits longer than a second.
        """
        phone = self.call()
        for number, character in enumerate("abcdefgh"):
            phone.say(character, marker=not number, lost=2 <= number <= 5)
        # The seventh packet has e and f.
        self.network.advance(0.99)
        self.assertEqual(self.browser.heard(), "ab")
        self.network.advance(0.02)
        self.assertEqual(self.browser.heard(), f"ab{LOST}{LOST}efgh")

    def test_R_87_withoutRedundancy(self) -> None:
        """
        A telephone without redundancy is understood, and its losses marked.
        """
        phone = self.call(answer=("a=rtpmap:98 t140/1000",), formats="98")
        for number, character in enumerate("abcd"):
            phone.say(character, red=False, marker=not number, lost=number == 1)
        self.network.advance(1.1)
        self.assertEqual(self.browser.heard(), f"a{LOST}cd")
        self.browser.type("ok")
        self.network.advance(1)
        self.assertEqual([(each.kind, each.primary) for each in phone.heard], [(98, b"ok"), (98, b"")])

    def test_cleaned(self) -> None:
        """
        What keeps a door open, or begins a stream, is not text.
        """
        phone = self.call()
        phone.say("\N{ZERO WIDTH NO-BREAK SPACE}", marker=True)
        phone.say("")
        phone.port.sendto(bytes([0x80, 20]) + bytes(10), phone.remote)
        phone.say("x\N{ZERO WIDTH NO-BREAK SPACE}y")
        self.network.advance(0.1)
        self.assertEqual(self.browser.lines[0].messages, [b"xy"])
        self.browser.type("\N{ZERO WIDTH NO-BREAK SPACE}z")
        self.network.advance(0.1)
        self.assertEqual(phone.text, "z")

    def test_R_85_severalLines(self) -> None:
        """
        Each channel is a stream of its own, with a label of its own.
        """
        self.browser.line(0, label="Alice")
        self.browser.line(2, label="Bob")
        core = self.offered(self.browser.offer())
        self.assertEqual([each.media for each in core], ["text", "text"])
        (answer,) = self.answered(core)
        self.assertEqual(set(self.accept(answer)), {0, 2})
        self.assertEqual(
            answer.all("dcmap"), ['0 label="Alice";subprotocol="t140"', '2 label="Bob";subprotocol="t140"']
        )
        for number, phone in enumerate(self.phones):
            phone.say(f"from {number}", marker=True)
            self.browser.type(f"to {number}", 2 * number)
        self.network.advance(1)
        self.assertEqual([self.browser.heard(0), self.browser.heard(2)], ["from 0", "from 1"])
        self.assertEqual([each.text for each in self.phones], ["to 0", "to 1"])
        self.assertNotEqual(self.phones[0].heard[0].source, self.phones[1].heard[0].source)

    def test_reports(self) -> None:
        """
        The telephone hears reports about what is sent and what arrives.
        """
        phone = self.call()
        phone.say("a", marker=True)
        self.browser.type("b")
        self.network.advance(50)
        self.assertGreater(len(phone.reports), 1)
        first = phone.reports[0]
        self.assertEqual((first[0], first[1]), (0x81, 200))
        self.assertEqual(first[4:8], phone.heard[0].source.to_bytes(4, "big"))
        self.assertEqual(first[28:32], phone.source.to_bytes(4, "big"))
        size = 4 + 4 * int.from_bytes(first[2:4], "big")
        self.assertEqual(first[size + 1], 202)
        # Later there was nothing to send.
        self.assertEqual(phone.reports[-1][1], 201)

    def test_noReports(self) -> None:
        """
        Who allows no bandwidth for reports gets none.
        """
        phone = self.call(answer=("b=RS:0", "b=RR:0", *RED))
        self.browser.type("b")
        self.network.advance(20)
        self.assertEqual((phone.text, phone.reports), ("b", []))

    def test_pressure(self) -> None:
        """
        Who pastes more than the telephone takes is made to wait, and nothing
        is lost.
        """
        phone = self.call(answer=(*RED, "a=fmtp:98 cps=50"))
        pasted = "".join(f"line {number}\n" for number in range(300))
        for start in range(0, len(pasted), 100):
            self.browser.type(pasted[start : start + 100])
        self.network.advance(5)
        self.assertEqual(phone.text, pasted[:500])
        adapter = self.session.streams[0].pipeline.legs[0].adapter  # type: ignore[union-attr]
        self.assertEqual(adapter.counters["pauses"], 1)
        self.network.advance(80)
        self.assertEqual(phone.text, pasted)

    def test_tooFastForTheBrowser(self) -> None:
        """
        A telephone cannot be asked to wait: what is too much is lost in the
        end, and marked once.
        """
        phone = self.call("fmtp:t140 cps=10")
        for number in range(50):
            phone.say("0123456789", marker=not number)
            self.network.advance(0.3)
        self.network.advance(60)
        heard = self.browser.heard()
        self.assertIn(LOST, heard)
        self.assertLess(len(heard), 500)
        kept = heard.split(LOST)[0]
        self.assertEqual(kept, ("0123456789" * 50)[: len(kept)])
        phone.say("!", marker=True)
        self.network.advance(12)
        self.assertTrue(self.browser.heard().endswith("!"))

    def test_R_89_channelComesBack(self) -> None:
        """
        After a break nothing is repeated, and a mark says on both sides that
        something may be missing.
        """
        phone = self.call()
        self.browser.type("abc")
        phone.say("xyz", marker=True)
        self.network.advance(2)
        self.assertEqual((phone.text, self.browser.heard()), ("abc", "xyz"))
        self.restart()
        self.browser.type("def")
        phone.say("uvw", marker=True)
        self.network.advance(2)
        self.assertEqual(phone.text, f"abc{LOST}def")
        self.assertEqual(self.browser.heard(), f"xyz{LOST}uvw")

    def restart(self) -> None:
        """
        The browser forgets its association, and makes another.
        """
        self.browser.carrier._end("forgotten", tell=False)
        self.browser.carrier._begin()
        self.network.advance(5)

    def test_R_89_quiet(self) -> None:
        """
        What was quiet for long before it broke has nothing to mark.
        """
        phone = self.call()
        phone.say("x", marker=True)
        self.network.advance(100)
        self.restart()
        phone.say("y", marker=True)
        self.network.advance(2)
        self.assertEqual(self.browser.heard(), "xy")


class UnbufferedTests(TextTestCase):
    """
    Without buffering.
    """

    factory: ClassVar[dict[str, Any]] = {"buffering": 0, "generations": 0}

    def test_atOnce(self) -> None:
        """
        Each character goes at once, and without redundancy if none is wanted.
        """
        self.browser.line(0)
        core = self.offered(self.browser.offer())
        self.assertEqual((core[0].formats, core[0].all("fmtp")), (("98",), []))
        self.accept(self.answered(core, "a=rtpmap:98 t140/1000", formats="98")[0])
        for character in "abcdef":
            self.browser.type(character)
            self.network.advance(0.03)
            self.assertEqual(self.phones[0].heard[-1].primary, character.encode())
        self.network.advance(5)
        self.assertEqual(
            [each.primary for each in self.phones[0].heard], [b"a", b"b", b"c", b"d", b"e", b"f", b""]
        )
        self.assertEqual([each.marker for each in self.phones[0].heard], [True, *[False] * 6])


class RTPTests(TextTestCase):
    """
    RTP on both sides.
    """

    def setUp(self) -> None:
        """
        Text is routed before packets are.
        """
        super().setUp()
        self.gateway._routes = (self.gateway._routes[-1], *ROUTES)
        self.near = TextPhone(self.network, ("198.51.100.8", 7000))
        self.far = TextPhone(self.network, ("203.0.113.8", 7002))
        self.phones += [self.near, self.far]

    def test_differentRedundancy(self) -> None:
        """
        One side has redundancy, the other has none, with other numbers; losses
        are repaired where they happen.
        """
        lines = ["v=0", "o=- 1 1 IN IP4 198.51.100.8", "s=-", "c=IN IP4 198.51.100.8", "t=0 0"]
        lines += [
            "m=text 7000 RTP/AVP 98",
            "a=rtpmap:98 t140/1000",
            "a=fmtp:98 cps=40",
            "a=ssrc:1 cname:x",
            "",
        ]
        (core,) = self.offered("\r\n".join(lines))
        self.assertEqual((core.formats, core.all("fmtp")), (("98", "100"), ["98 cps=40", "100 98/98/98"]))
        self.assertFalse(core.has("ssrc"))
        self.far.remote = (str(core.address), core.port)
        lines = [*HEAD, "m=text 7002 RTP/AVP 100 98", "c=IN IP4 203.0.113.8", *RED, ""]
        text = self.result(self.session.answer("\r\n".join(lines)))
        (answer,) = Description.parse(text).sections
        self.assertEqual((answer.formats, answer.all("rtpmap")), (("98",), ["98 t140/1000"]))
        self.near.remote = (str(answer.address), answer.port)
        for number, character in enumerate("abcdef"):
            self.near.say(character, red=False, marker=not number)
            self.far.say(character.upper(), marker=not number, lost=number in (1, 2))
            self.network.advance(0.3)
        self.network.advance(3)
        self.assertEqual((self.far.text, self.near.text), ("abcdef", "ABCDEF"))
        self.assertEqual({each.kind for each in self.near.heard}, {98})
        self.assertEqual({each.kind for each in self.far.heard}, {100})
        # What was gathered once is not gathered again.
        self.assertLess(self.far.heard[1].at - self.far.heard[0].at, 0.31)

    def test_R_85_unreadableIsRelayed(self) -> None:
        """
        What is not T.140 is left to those who relay packets.
        """
        lines = ["v=0", "o=- 1 1 IN IP4 198.51.100.8", "s=-", "c=IN IP4 198.51.100.8", "t=0 0"]
        lines += ["m=text 7000 RTP/AVP 97", "a=rtpmap:97 3gpp-tt/1000", ""]
        (core,) = self.offered("\r\n".join(lines))
        self.assertEqual((core.formats, core.get("rtpmap")), (("97",), "97 3gpp-tt/1000"))
        self.assertTrue(re.search("RTP/AVP", core.proto))
        self.assertIsInstance(self.gateway, Gateway)
