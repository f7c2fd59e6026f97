"""
Channels that a browser opens without describing them.
"""

from typing import Any, ClassVar

from e2aegw.gateway.config import PolicyTable
from e2aegw.gateway.service import Route
from e2aegw.sansio.channels import Channel, ChannelEvent, ChannelMessage
from e2aegw.sansio.dcep import Open
from e2aegw.sansio.events import ChannelRefused
from e2aegw.sansio.sdp import Description, Section, Side
from e2aegw.sansio.terms import Terms
from e2aegw.testing import Terminal
from tests.gateway.fixture import ROUTES
from tests.gateway.plainmedium import FLOOR, TEXT
from tests.gateway.test_session_channels import MSRP, ChannelTestCase


class InBandTestCase(ChannelTestCase):
    """
    A browser that may open channels for text and for floor control.
    """

    routes: ClassVar[tuple[Route, ...]] = (*ROUTES, Route(MSRP, MSRP), Route(TEXT, TEXT), Route(FLOOR, FLOOR))
    wanted: ClassVar[tuple[str, ...] | None] = ("t140", "bfcp")

    def setUp(self) -> None:
        """
        Listen to what comes in channels that nobody described.
        """
        super().setUp()
        self.messages: list[tuple[Channel, bytes]] = []
        self.printer = Terminal(self.network, "203.0.113.7", media="text", format="98 t140/1000")
        self.addCleanup(self.printer.close)
        carrier: Any = self.browser.carrier
        say = carrier._say

        def hear(event: ChannelEvent) -> None:
            if isinstance(event, ChannelMessage):
                self.messages.append((event.channel, event.data))
            say(event)

        carrier._say = hear

    def tearDown(self) -> None:
        """
        Everything ends.
        """
        self.printer.close()
        super().tearDown()

    def asked(self, *streams: int, version: int = 1, **more: Any) -> list[Section]:
        """
        The browser offers.

        @return: what the core gets.
        """
        terms = Terms(channels=self.wanted, **more)
        self.text = self.result(
            self.session.offer(self.browser.offer(*streams, version=version), Side.ACCESS, terms)
        )
        return Description.parse(self.text).sections

    def told(self, core: list[Section], *refused: str) -> list[Section]:
        """
        The core answers.

        @param refused: the media that it refuses.

        @return: what the browser gets.
        """
        lines = ["v=0", "o=- 2 2 IN IP4 203.0.113.7", "s=-", "c=IN IP4 203.0.113.7", "t=0 0"]
        for section in core:
            port = 0 if section.media in refused or not section.port else self.printer.port
            lines.append(f"m={section.media} {port} {section.proto} {' '.join(section.formats)}")
            lines.append("a=setup:active")
        sections = Description.parse(self.result(self.session.answer("\r\n".join([*lines, ""])))).sections
        if sections[0].port:
            self.browser.accept(sections[0])
        self.network.flush()
        return sections

    def open(self, protocol: str, **more: Any) -> Channel:
        """
        The browser opens a channel.
        """
        channels = self.browser.carrier._channels
        assert channels is not None
        channel = channels.open(Open(label="l", protocol=protocol, **more), self.clock.seconds())
        self.browser.carrier._drain()
        self.network.flush()
        return channel

    def say(self, channel: Channel, data: bytes) -> None:
        """
        The browser says something in it.
        """
        channels = self.browser.carrier._channels
        assert channels is not None
        channels.send(channel, data, self.clock.seconds())
        self.browser.carrier._drain()
        self.network.flush()

    def port(self, core: list[Section]) -> tuple[str, int]:
        """
        Where the gateway takes text from the core.
        """
        (port,) = (each.port for each in core if each.media == "text")
        return ("203.0.113.1", port)


class InBandTests(InBandTestCase):
    """
    The controller has asked for lines.
    """

    def test_R_70_matched(self) -> None:
        """
        The core gets a line for each protocol that was asked for; the answer
        says nothing of them but accepts the line; and a channel that is opened
        then is joined to its core line, in both directions.
        """
        core = self.asked()
        found = [(each.media, each.proto) for each in core]
        self.assertEqual(found, [("text", "RTP/AVP"), ("application", "TCP/BFCP")])
        (answer,) = self.told(core)
        self.assertNotEqual(answer.port, 0)
        self.assertEqual((answer.all("dcmap"), answer.all("dcsa")), ([], []))
        channel = self.open("T140")
        heard = self.record()
        self.say(channel, b"hello")
        self.assertIn(b"hello", heard)
        self.printer._ports[0].sendto(b"\x80back at you", self.port(core))
        self.network.flush()
        self.assertEqual(self.messages[-1], (channel, b"\x80back at you"))
        self.assertEqual(self.happened(ChannelRefused), [])

    def test_besideOthers(self) -> None:
        """
        What the offer describes needs not be opened in band, and is not.
        """
        core = self.asked(0)
        self.assertEqual([each.media for each in core], ["message", "text", "application"])

    def test_openedAgain(self) -> None:
        """
        A channel that is closed may be opened again; a second one of the same
        protocol may not.
        """
        self.told(self.asked())
        channel = self.open("t140")
        other = self.open("t140")
        (event,) = self.happened(ChannelRefused)
        self.assertEqual((event.protocol, event.stream), ("t140", other.streamID))
        channels = self.browser.carrier._channels
        assert channels is not None
        channels.close(channel, self.clock.seconds())
        self.browser.carrier._drain()
        self.network.flush()
        again = self.open("t140")
        self.say(again, b"once more")
        self.assertEqual(len(self.happened(ChannelRefused)), 1)

    def test_notReliable(self) -> None:
        """
        Text may not be given up on the way (RFC 8865 clause 4.1).
        """
        self.told(self.asked())
        self.open("t140", maxRetransmits=2)
        self.assertEqual(len(self.happened(ChannelRefused)), 1)

    def test_R_80_msrpInBand(self) -> None:
        """
        A channel for MSRP has to be described; one that is not is closed, and
        an event says so.
        """
        self.told(self.asked())
        channel = self.open("msrp")
        (event,) = self.happened(ChannelRefused)
        self.assertEqual(event.protocol, "msrp")
        self.assertNotEqual(channel.state.name, "OPEN")

    def test_R_66_refusedByTheCore(self) -> None:
        """
        A channel whose line the core refused is refused, and the line itself
        if there is nothing left of it.
        """
        (answer,) = self.told(self.asked(), "text")
        self.assertNotEqual(answer.port, 0)
        self.open("t140")
        self.assertEqual(len(self.happened(ChannelRefused)), 1)

    def test_allRefused(self) -> None:
        """
        When the core refuses all lines, so is the browser's.
        """
        (answer,) = self.told(self.asked(), "text", "application")
        self.assertEqual(answer.port, 0)
        self.assertEqual(self.gateway.portsLent, 0)

    def test_offeredAgain(self) -> None:
        """
        A later offer keeps what is there.
        """
        self.told(self.asked())
        channel = self.open("t140")
        core = self.asked(version=2)
        self.assertEqual([bool(each.port) for each in core], [True, True])
        self.told(core)
        self.say(channel, b"still here")
        self.printer._ports[0].sendto(b"\x80so am I", self.port(core))
        self.network.flush()
        self.assertEqual(self.messages[-1], (channel, b"\x80so am I"))


class DefaultTests(InBandTestCase):
    """
    The controller says nothing, and the configuration does.
    """

    policy = PolicyTable(channels=["t140"])
    wanted: ClassVar[tuple[str, ...] | None] = None

    def test_configured(self) -> None:
        """
        The configuration's protocols are asked for.
        """
        self.assertEqual([each.media for each in self.asked()], ["text"])


class NoneTests(InBandTestCase):
    """
    The controller wants none, whatever the configuration says.
    """

    policy = PolicyTable(channels=["t140"])
    wanted: ClassVar[tuple[str, ...] | None] = ()

    def test_none(self) -> None:
        """
        Nothing is asked for.
        """
        self.assertEqual([(each.media, each.port) for each in self.asked()], [("application", 0)])
