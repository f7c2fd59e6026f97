"""
Calls from the core to a browser, which takes chats, text and the like in data
channels.
"""

from typing import ClassVar

from e2aegw.gateway.service import Route
from e2aegw.sansio.datachannel import explode
from e2aegw.sansio.events import LineRefused
from e2aegw.sansio.sdp import Description, Section, Side
from e2aegw.sansio.terms import Terms
from tests.adapter.msrppeer import Endpoint
from tests.gateway.fixture import ROUTES
from tests.gateway.plainmedium import FLOOR, TEXT
from tests.gateway.test_session_channels import MSRP, Browser, ChannelTestCase, Voice
from tests.transport.carriers import ANSWER, OFFER

WEBRTC = Terms(e2ae=frozenset({"webrtc"}))


class FoldingTests(ChannelTestCase):
    """
    Somebody in the core calls a browser.
    """

    routes: ClassVar[tuple[Route, ...]] = (*ROUTES, Route(MSRP, MSRP), Route(TEXT, TEXT), Route(FLOOR, FLOOR))

    def setUp(self) -> None:
        """
        Have a browser that has no channel yet.
        """
        super().setUp()
        self.browser.carrier.loseConnection()
        self.network.flush()
        self.browser = Browser(self.clock, self.pool)
        self.version = 0

    def lines(self, *sections: str) -> str:
        """
        A description of the core's.

        @param sections: C{chat}, C{no chat}, or an C{m=} line.
        """
        self.version += 1
        lines = ["v=0", f"o=- 2 {self.version} IN IP4 203.0.113.7", "s=-", "c=IN IP4 203.0.113.7", "t=0 0"]
        for number, section in enumerate(sections):
            if section == "chat":
                if number == len(self.far):
                    self.far.append(Endpoint(f"msrp://203.0.113.7:{2855 + number}/far{number};tcp"))
                lines += [f"m=message {2855 + number} TCP/MSRP *", "a=setup:passive", "a=accept-types:*"]
                lines += [f"a=path:{self.far[number].uri}"]
            elif section == "no chat":
                lines += ["m=message 0 TCP/MSRP *"]
            else:
                if number == len(self.far):
                    self.far.append(Endpoint("msrp://nobody.invalid:1/x;tcp"))
                lines += [f"m={section}", "a=setup:passive"]
        return "\r\n".join([*lines, ""])

    def called(self, *sections: str, terms: Terms = WEBRTC, answerer: bool = False) -> list[Section]:
        """
        The core offers.

        @return: what the browser gets.
        """
        offer = self.session.offer(self.lines(*sections), Side.CORE, terms, answerer)
        self.offer = Description.parse(self.result(offer))
        return self.offer.sections

    def taken(self, section: Section, *streams: int) -> list[Section]:
        """
        The browser takes these channels and no others.

        @return: what the core gets.
        """
        # It has no ICE, whatever it is offered.
        section.lines = [line for line in section.lines if not line.name.startswith(("ice-", "candidate"))]
        self.browser.carrier.configure(section, OFFER)()
        self.browser.carrier.describe(ANSWER)
        for channel, child in explode(section):
            if channel.streamID not in self.browser.chats and channel.subprotocol == "msrp":
                endpoint = Endpoint(f"msrps://198.51.100.7:9/browser{channel.streamID};dc")
                self.browser.chats[channel.streamID] = endpoint
                self.browser.shares[channel.streamID], _ = self.browser.share(channel, Voice(endpoint))
            if channel.subprotocol == "msrp":
                self.browser.chats[channel.streamID].path = child.get("path") or ""
        answer = self.browser.offer(*streams).replace("a=setup:actpass", "a=setup:active")
        text = self.result(self.session.answer(answer))
        sections = Description.parse(text).sections
        for number, each in enumerate(sections):
            if each.media == "message" and each.port:
                self.far[number].path = each.get("path") or ""
        self.connect()
        return sections

    def test_R_65_folded(self) -> None:
        """
        Chats are one line with a channel each, on even streams; the answer is
        a line for each again, and messages cross.
        """
        (section,) = self.called("chat", "chat")
        self.assertEqual((section.media, section.proto), ("application", "UDP/DTLS/SCTP"))
        self.assertEqual(section.formats, ("webrtc-datachannel",))
        self.assertEqual(section.get("setup"), "actpass")
        self.assertTrue(section.has("ice-ufrag"))
        self.assertTrue(any(line.name == "ice-lite" for line in self.offer.lines))
        self.assertEqual([channel.streamID for channel, _ in explode(section)], [0, 2])
        for channel, child in explode(section):
            self.assertEqual(channel.subprotocol, "msrp")
            self.assertTrue((child.get("path") or "").startswith("msrps://198.51.100.1:"))
            self.assertTrue(child.has("msrp-cema"))
            self.assertEqual(child.get("setup"), "actpass")
            self.assertEqual(child.get("accept-types"), "*")
        core = self.taken(section, 0, 2)
        self.assertEqual([(each.media, each.proto) for each in core], [("message", "TCP/MSRP")] * 2)
        self.assertTrue(all(each.port for each in core))
        self.assertChat(0, 0)
        self.assertChat(2, 1)

    def test_besideOthers(self) -> None:
        """
        Sections keep their order: the line of channels stands where the first
        of them stood, behind a voice that has a port of its own.
        """
        sections = self.called("audio 6000 RTP/AVP 0", "chat", "video 6002 RTP/AVP 31", "chat")
        self.assertEqual([each.media for each in sections], ["audio", "application", "video"])
        self.assertEqual(len({each.port for each in sections}), 3)

    def test_othersBesideMSRP(self) -> None:
        """
        Text and floor control are channels, too.
        """
        (section,) = self.called("text 6000 RTP/AVP 98", "application 6002 TCP/BFCP *", "chat")
        self.assertEqual(
            [(each.streamID, each.subprotocol) for each, _ in explode(section)],
            [(0, "t140"), (2, "bfcp"), (4, "msrp")],
        )

    def test_R_66_noRoute(self) -> None:
        """
        What no route goes with is refused, and the others go on.
        """
        sections = self.called("image 6000 udptl t38", "chat")
        found = [(each.media, bool(each.port)) for each in sections]
        self.assertEqual(found, [("image", False), ("application", True)])
        self.assertEqual(len(self.happened(LineRefused)), 1)

    def test_R_66_notTaken(self) -> None:
        """
        A channel that the browser leaves out is a line that is refused.
        """
        (section,) = self.called("chat", "chat")
        core = self.taken(section, 2)
        self.assertEqual([bool(each.port) for each in core], [False, True])
        self.assertChat(2, 1)

    def test_noneTaken(self) -> None:
        """
        A browser that refuses the line refuses them all, and nothing is left.
        """
        self.called("chat", "chat")
        lines = ["v=0", "o=- 1 1 IN IP4 198.51.100.7", "s=-", "c=IN IP4 198.51.100.7", "t=0 0"]
        lines += ["m=application 0 UDP/DTLS/SCTP webrtc-datachannel", ""]
        core = Description.parse(self.result(self.session.answer("\r\n".join(lines)))).sections
        self.assertEqual([each.port for each in core], [0, 0])
        self.assertEqual(self.gateway.portsLent, 0)

    def test_R_69_offeredAgain(self) -> None:
        """
        The core ends one chat and begins another: the browser is offered
        another stream of the same association.
        """
        (section,) = self.called("chat", "chat")
        self.taken(section, 0, 2)
        (again,) = self.called("no chat", "chat", "chat")
        self.assertEqual(again.port, section.port)
        self.assertEqual([channel.streamID for channel, _ in explode(again)], [2, 4])
        core = self.taken(again, 2, 4)
        self.assertEqual([bool(each.port) for each in core], [False, True, True])
        self.assertChat(2, 1)
        self.assertChat(4, 2)

    def test_allEndedAndOneBegun(self) -> None:
        """
        A line whose channels all ended is used again.
        """
        (section,) = self.called("chat")
        self.taken(section, 0)
        (gone,) = self.called("no chat")
        self.assertEqual(gone.port, 0)
        answer = "v=0\r\no=- 1 9 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\n"
        answer += "m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\n"
        self.result(self.session.answer(answer))
        self.assertEqual(self.gateway.portsLent, 0)
        (again,) = self.called("no chat", "chat")
        self.assertNotEqual(again.port, 0)
        self.assertEqual([channel.subprotocol for channel, _ in explode(again)], ["msrp"])

    def test_voidOffer(self) -> None:
        """
        An offer that nobody answers leaves nothing.
        """
        first = self.called("chat", "chat")
        lent = self.gateway.portsLent
        second = self.called("chat")
        self.assertEqual(len(first), len(second))
        self.assertEqual(self.gateway.portsLent, lent - 1)

    def test_addedToTheBrowsersLine(self) -> None:
        """
        A chat that the core adds to a browser's own call is one more channel
        of the line that the browser has.
        """
        self.browser.chat(0)
        self.browser.chat(2)
        core = self.offered(self.browser.offer(0, 2))
        (answer,) = self.answered(core)
        self.browser.accept(answer)
        self.connect()
        (section,) = self.called("chat", "chat", "chat", answerer=True)
        self.assertEqual(section.port, answer.port)
        self.assertEqual([channel.streamID for channel, _ in explode(section)], [0, 2, 4])
        self.taken(section, 0, 2, 4)
        self.assertChat(0, 0)
        self.assertChat(4, 2)

    def test_notForOthers(self) -> None:
        """
        Who is no browser gets what the core offers.
        """
        (section,) = self.called("chat", terms=Terms(e2ae=frozenset({"sdes-srtp"})))
        self.assertEqual((section.media, section.proto), ("message", "TCP/MSRP"))
