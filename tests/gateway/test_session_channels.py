"""
Calls of data channels: a browser's chat and files to MSRP over TCP.
"""

from typing import Any, ClassVar

from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure

from e2aegw.adapter import msrp
from e2aegw.gateway.ports import PortPool
from e2aegw.gateway.service import Route
from e2aegw.sansio.datachannel import ChannelMap, explode
from e2aegw.sansio.dcep import Open
from e2aegw.sansio.events import AssociationLost, ChannelRefused, LegLost, LineRefused
from e2aegw.sansio.sdp import Description, Section, Side
from tests.adapter.msrppeer import Endpoint
from tests.gateway.fixture import ROUTES, GatewayTestCase
from tests.transport.carriers import ANSWER, OFFER, Party
from tests.transport.connection import Connection, join

#: No pauses in which more is gathered.
MSRP = msrp.Factory(relay="never", clock=Clock())


class Voice(Protocol):
    """
    Carries the bytes of an MSRP endpoint.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        endpoint.send = self.write

    def write(self, data: bytes) -> None:
        """
        Say it.
        """
        transport: Any = self.transport
        transport.write(data)

    def dataReceived(self, data: bytes) -> None:
        """
        Hear it.
        """
        self.endpoint.receive(data)


class Browser(Party):
    """
    A browser, without ICE.

    @ivar chats: its MSRP endpoints, by stream.
    """

    def __init__(self, clock: Clock, pool: PortPool) -> None:
        super().__init__(clock, pool, 0)
        self.chats: dict[int, Endpoint] = {}
        self.shares: dict[int, Any] = {}
        self.extra = ""
        self.before = ""

    def chat(self, stream: int) -> Endpoint:
        """
        Have a channel for MSRP.
        """
        endpoint = self.chats[stream] = Endpoint(f"msrps://198.51.100.7:9/browser{stream};dc")
        channel = ChannelMap(streamID=stream, label=f"chat {stream}", subprotocol="msrp")
        self.shares[stream], _ = self.share(channel, Voice(endpoint))
        return endpoint

    def offer(self, *streams: int, version: int = 1) -> str:
        """
        Offer these channels.
        """
        section = self.section(OFFER)
        lines = [str(line) for line in section.lines]
        for stream in streams:
            lines += [
                str(self.shares[stream].map.line()),
                f"a=dcsa:{stream} accept-types:*",
                f"a=dcsa:{stream} msrp-cema",
                f"a=dcsa:{stream} setup:active",
                f"a=dcsa:{stream} path:{self.chats[stream].uri}",
            ]
        return "\r\n".join(
            [
                "v=0",
                f"o=- 1 {version} IN IP4 198.51.100.7",
                "s=-",
                "c=IN IP4 198.51.100.7",
                "t=0 0",
                *self.before.splitlines(),
                f"m=application {section.port} UDP/DTLS/SCTP webrtc-datachannel",
                "a=mid:data",
                *lines,
                *self.extra.splitlines(),
                "",
            ]
        )

    def accept(self, section: Section) -> list[int]:
        """
        Read the answer.

        @return: the streams that are agreed.
        """
        self.carrier.configure(section, ANSWER)()
        streams = []
        for channel, child in explode(section):
            streams.append(channel.streamID)
            self.chats[channel.streamID].path = child.get("path") or ""
        return streams


class ChannelTestCase(GatewayTestCase):
    """
    A browser on the access side, and somebody with MSRP over TCP on the core
    side.
    """

    routes: ClassVar[tuple[Route, ...]] = (*ROUTES, Route(MSRP, MSRP))

    def setUp(self) -> None:
        """
        Bring both.
        """
        super().setUp()
        self.pool = PortPool(self.network, "198.51.100.7", 50000, 50003)
        self.browser = Browser(self.clock, self.pool)
        self.browser.chat(0)
        self.browser.chat(2)
        self.session = self.gateway.newSession("chat")
        self.far: list[Endpoint] = []
        self.connections: list[Connection] = []

    def tearDown(self) -> None:
        """
        Everything ends.
        """
        self.session.close()
        self.browser.carrier.loseConnection()
        super().tearDown()
        self.assertEqual(self.network.ports, {})

    def makeClock(self) -> Clock:
        """
        A reactor, for TCP.
        """
        return MemoryReactorClock()

    def offered(self, text: str) -> list[Section]:
        """
        The browser offers.

        @return: what the core gets.
        """
        return Description.parse(self.result(self.session.offer(text, Side.ACCESS))).sections

    def answered(self, sections: list[Section], *refused: int) -> list[Section]:
        """
        The core answers, and takes connections.

        @param refused: the lines that it refuses.

        @return: what the browser gets.
        """
        lines = ["v=0", "o=- 2 2 IN IP4 203.0.113.7", "s=-", "c=IN IP4 203.0.113.7", "t=0 0"]
        for number, section in enumerate(sections):
            isChat = section.media == "message"
            if number == len(self.far):
                self.far.append(Endpoint(f"msrp://203.0.113.7:{2855 + number}/far{number};tcp"))
            port = 0 if number in refused or section.rejected else 2855 + number
            lines.append(f"m={section.media} {port} {section.proto} {' '.join(section.formats)}")
            if port and isChat:
                self.far[number].path = section.get("path") or ""
                lines += ["a=setup:passive", "a=accept-types:*", f"a=path:{self.far[number].uri}"]
        text = "\r\n".join([*lines, ""])
        answer = Description.parse(self.result(self.session.answer(text)))
        return answer.sections

    def connect(self) -> None:
        """
        Let the browser and the core be reached.
        """
        self.clock.advance(0)
        reactor: Any = self.clock
        while reactor.tcpClients:
            host, port, factory, *_ = reactor.tcpClients.pop(0)
            self.assertEqual(host, "203.0.113.7")
            connection = join(factory.buildProtocol(None))
            assert connection is not None
            self.far[port - 2855].send = connection.protocol.dataReceived
            connection.write = self.far[port - 2855].receive  # type: ignore[method-assign]
            self.connections.append(connection)
        self.network.flush()

    def assertChat(self, stream: int, line: int) -> None:
        """
        Messages cross between a channel and a line, in both directions.
        """
        near, far = self.browser.chats[stream], self.far[line]
        for one, other, body in ((near, far, b"there %d" % stream), (far, near, b"and back %d" % line)):
            count = len(other.complete)
            one.say(body, f"id{stream}{line}{count}")
            self.network.flush()
            self.assertEqual(len(other.complete), count + 1)
            self.assertEqual(other.messages[other.complete[-1]], body)


class ChannelCallTests(ChannelTestCase):
    """
    The browser calls.
    """

    def test_R_65_oneLineEach(self) -> None:
        """
        Each channel is a line of its own for the core, with nothing of data
        channels or DTLS; the answer has all in one line with the streams of
        the offer; and messages cross.
        """
        self.browser.chat(4)
        core = self.offered(self.browser.offer(0, 2, 4))
        self.assertEqual(
            [(each.media, each.proto, each.formats) for each in core], [("message", "TCP/MSRP", ("*",))] * 3
        )
        self.assertEqual(len({each.port for each in core}), 3)
        for each in core:
            names = {line.name for line in each.lines}
            self.assertLessEqual({"path", "accept-types", "setup"}, names)
            self.assertTrue(names.isdisjoint({"dcmap", "dcsa", "fingerprint", "sctp-port", "tls-id", "mid"}))
            self.assertTrue((each.get("path") or "").startswith(f"msrp://203.0.113.1:{each.port}/"))
        (answer,) = self.answered(core)
        self.assertEqual(
            (answer.media, answer.proto, answer.get("mid")), ("application", "UDP/DTLS/SCTP", "data")
        )
        self.assertEqual(answer.formats, ("webrtc-datachannel",))
        self.assertEqual(self.browser.accept(answer), [0, 2, 4])
        self.assertEqual(answer.all("dcmap")[0], '0 label="chat 0";subprotocol="msrp"')
        self.connect()
        self.assertEqual(len(self.connections), 3)
        for line, stream in enumerate((0, 2, 4)):
            self.assertChat(stream, line)
        report = self.session.report()
        self.assertEqual([media.proto for media in report.parties[0].medias], ["DC/MSRP"] * 3)
        self.assertEqual([media.index for media in report.parties[0].medias], [1, 1, 1])
        self.assertEqual([media.index for media in report.parties[1].medias], [1, 2, 3])

    def test_quiet(self) -> None:
        """
        Nobody need write anything: a chat lasts as long as a call on hold, and
        not as long as one in which nobody speaks.
        """
        self.assertFalse(self.session.silent)
        self.answered(self.offered(self.browser.offer(0)))
        self.assertTrue(self.session.silent)

    def test_R_66_unknownSubprotocol(self) -> None:
        """
        A channel of something else, or whose attributes will not do, is not
        asked of the core, and is absent from the answer.
        """
        self.browser.extra = (
            'a=dcmap:6 subprotocol="chess"\na=dcsa:6 accept-types:*\n'
            'a=dcmap:8 subprotocol="bfcp"\na=dcmap:10 subprotocol="msrp"\n'
        )
        core = self.offered(self.browser.offer(0))
        self.assertEqual(len(core), 1)
        self.assertEqual([event.line for event in self.happened(LineRefused)], [0, 0])
        (answer,) = self.answered(core)
        self.assertEqual(self.browser.accept(answer), [0])
        self.connect()
        self.assertChat(0, 0)

    def test_R_66_refusedByTheCore(self) -> None:
        """
        A channel whose line the core refuses is absent from the answer.
        """
        (answer,) = self.answered(self.offered(self.browser.offer(0, 2)), 0)
        self.assertEqual(self.browser.accept(answer), [2])
        self.assertEqual(answer.all("dcsa"), [each for each in answer.all("dcsa") if each.startswith("2 ")])
        self.connect()
        self.assertChat(2, 1)

    def test_R_66_allRefused(self) -> None:
        """
        When the core refuses all, the line is refused, and nothing is left.
        """
        (answer,) = self.answered(self.offered(self.browser.offer(0, 2)), 0, 1)
        self.assertEqual((answer.port, answer.get("mid"), answer.all("dcmap")), (0, "data", []))
        self.assertEqual(self.gateway.portsLent, 0)

    def test_noChannels(self) -> None:
        """
        A line that describes no channel is refused on both sides, as any other
        that nobody understands.
        """
        core = self.offered(self.browser.offer())
        self.assertEqual([(each.media, each.port) for each in core], [("application", 0)])
        (answer,) = self.answered(core)
        self.assertEqual(answer.port, 0)

    def test_badCarrier(self) -> None:
        """
        When the line itself cannot be agreed to, none of its channels can; and
        the core gets a line with port 0, for an offer has to be about
        something.
        """
        text = self.browser.offer(0, 2).replace("a=sctp-port:5000", "a=sctp-port:x")
        core = self.offered(text)
        self.assertEqual([(each.media, each.port, each.proto) for each in core], [("message", 0, "TCP/MSRP")])
        self.assertEqual(len(self.happened(LineRefused)), 2)
        (answer,) = self.answered(core)
        self.assertEqual(answer.port, 0)
        self.assertEqual(self.gateway.portsLent, 0)

    def test_overTCP(self) -> None:
        """
        DTLS over TCP is not spoken here.
        """
        core = self.offered(self.browser.offer(0).replace("UDP/DTLS", "TCP/DTLS"))
        self.assertEqual([(each.media, each.port) for each in core], [("application", 0)])

    def test_overTLS(self) -> None:
        """
        TLS that nobody could check, though it is to end here, is refused.
        """
        text = "\r\n".join(
            [
                "v=0",
                "o=- 1 1 IN IP4 198.51.100.7",
                "s=-",
                "c=IN IP4 198.51.100.7",
                "t=0 0",
                "m=message 2855 TCP/TLS/MSRP *",
                "a=path:msrps://198.51.100.7:2855/x;tcp",
                "a=3ge2ae:requested",
                "",
            ]
        )
        self.assertEqual([each.port for each in self.offered(text)], [0])

    def test_besideOtherLines(self) -> None:
        """
        Channels in front of a line of audio, and a line that is added after
        them later, keep their own places on either side.
        """
        audio = "m=audio 6000 RTP/AVP 0\n"
        self.browser.extra = audio
        core = self.offered(self.browser.offer(0, 2))
        self.assertEqual([each.media for each in core], ["message", "message", "audio"])
        data, voice = self.answered(core)
        self.assertEqual((data.media, voice.media), ("application", "audio"))
        self.assertNotEqual(voice.port, 0)
        self.browser.accept(data)
        self.connect()
        self.browser.extra = audio + "m=video 6002 RTP/AVP 31\n"
        core = self.offered(self.browser.offer(0, 2, version=2))
        self.assertEqual([each.media for each in core], ["message", "message", "audio", "video"])
        answer = self.answered(core)
        self.assertEqual([each.media for each in answer], ["application", "audio", "video"])
        self.assertEqual(self.browser.accept(answer[0]), [0, 2])
        self.assertEqual(answer[0].port, data.port)
        self.connect()
        self.assertEqual(len(self.connections), 2)
        self.assertChat(0, 0)
        self.assertChat(2, 1)

    def test_sameOfferSameResult(self) -> None:
        """
        A repeated offer builds nothing new.
        """
        text = self.browser.offer(0, 2)
        first = self.result(self.session.offer(text, Side.ACCESS))
        self.assertEqual(self.result(self.session.offer(text, Side.ACCESS)), first)
        self.assertEqual(self.gateway.portsLent, 3)

    def test_outOfPorts(self) -> None:
        """
        When there are no ports for all channels, there is none for any, and
        the next try is as good as the first.
        """
        pool = next(iter(self.gateway._pools[Side.CORE].values()))
        taken = [pool.open([lambda *_: None])[0] for _ in range(pool.free - 1)]
        self.failureResultOf(self.session.offer(self.browser.offer(0, 2), Side.ACCESS))
        self.assertEqual(self.gateway.portsLent, len(taken))
        for port in taken:
            pool.close(port)
        self.assertEqual(len(self.offered(self.browser.offer(0, 2, version=2))), 2)


class ChangeTests(ChannelTestCase):
    """
    Channels come and go.
    """

    def setUp(self) -> None:
        """
        Have a call with two.
        """
        super().setUp()
        self.core = self.offered(self.browser.offer(0, 2))
        (answer,) = self.answered(self.core)
        self.browser.accept(answer)
        self.connect()

    def test_R_69_removed(self) -> None:
        """
        A channel that an offer leaves out is closed, and its core line ends;
        the other one goes on.
        """
        self.browser.shares[0].loseConnection()
        core = self.offered(self.browser.offer(2, version=2))
        self.assertEqual([bool(each.port) for each in core], [False, True])
        (answer,) = self.answered(core)
        self.assertEqual(self.browser.accept(answer), [2])
        self.network.flush()
        self.assertFalse(self.connections[0].connected)
        self.assertChat(2, 1)

    def test_R_69_removedByTheCore(self) -> None:
        """
        A line that the core ends is a channel that is left out of the offer
        for the browser, and is closed; the other one goes on.
        """
        lines = ["v=0", "o=- 2 3 IN IP4 203.0.113.7", "s=-", "c=IN IP4 203.0.113.7", "t=0 0"]
        lines += ["m=message 0 TCP/MSRP *", "m=message 2856 TCP/MSRP *", "a=setup:actpass"]
        lines += ["a=accept-types:*", f"a=path:{self.far[1].uri}", ""]
        offer = self.result(self.session.offer("\r\n".join(lines), Side.CORE, answerer=True))
        (section,) = Description.parse(offer).sections
        self.assertEqual([channel.streamID for channel, _ in explode(section)], [2])
        self.assertNotEqual(section.port, 0)
        self.browser.carrier.configure(section, OFFER)()
        answer = self.browser.offer(2, version=2).replace("a=setup:actpass", "a=setup:active")
        result = Description.parse(self.result(self.session.answer(answer))).sections
        self.assertEqual([bool(each.port) for each in result], [False, True])
        self.network.flush()
        self.assertFalse(self.browser.shares[0].connected)
        self.assertChat(2, 1)

    def test_added(self) -> None:
        """
        A channel that a later offer adds is one more line for the core, on the
        association that there is.
        """
        self.browser.chat(4)
        core = self.offered(self.browser.offer(0, 2, 4, version=2))
        self.assertEqual(len(core), 3)
        (answer,) = self.answered(core)
        self.assertEqual(self.browser.accept(answer), [0, 2, 4])
        self.connect()
        for line, stream in enumerate((0, 2, 4)):
            self.assertChat(stream, line)

    def test_allRemoved(self) -> None:
        """
        When no channel is left the line is refused, and nothing is left of it;
        later it can begin anew.
        """
        core = self.offered(self.browser.offer(version=2))
        self.assertEqual([each.port for each in core], [0, 0])
        (answer,) = self.answered(core)
        self.assertEqual(answer.port, 0)
        self.assertEqual(self.gateway.portsLent, 0)
        self.browser.carrier.loseConnection()
        self.network.flush()
        self.browser = Browser(self.clock, self.pool)
        self.browser.chat(0)
        core = self.offered(self.browser.offer(0, version=3))
        self.assertEqual([bool(each.port) for each in core], [True, False])
        (answer,) = self.answered(core)
        self.assertEqual(self.browser.accept(answer), [0])
        self.connect()
        self.assertChat(0, 0)

    def test_voidOffer(self) -> None:
        """
        An offer that nobody answers changes nothing, whatever it adds or
        leaves out; the next one finds everything as it was.
        """
        self.browser.chat(4)
        lent = self.gateway.portsLent
        self.assertEqual(len(self.offered(self.browser.offer(2, 4, version=2))), 3)
        self.assertEqual(self.gateway.portsLent, lent + 1)
        self.assertChat(0, 0)
        core = self.offered(self.browser.offer(0, 2, version=3))
        self.assertEqual(len(core), 2)
        self.assertEqual(self.gateway.portsLent, lent)
        (answer,) = self.answered(core)
        self.assertEqual(self.browser.accept(answer), [0, 2])
        self.assertChat(0, 0)
        self.assertChat(2, 1)

    def test_strangeAnswer(self) -> None:
        """
        An answer that makes something else of the line that carries channels
        closes them, and does not keep anybody from offering again.
        """
        lines = ["v=0", "o=- 2 3 IN IP4 203.0.113.7", "s=-", "c=IN IP4 203.0.113.7", "t=0 0"]
        for number, far in enumerate(self.far):
            lines += [f"m=message {2855 + number} TCP/MSRP *", "a=setup:actpass", f"a=path:{far.uri}"]
        for version in (3, 4):
            lines[1] = f"o=- 2 {version} IN IP4 203.0.113.7"
            text = "\r\n".join([*lines, ""])
            offer = Description.parse(self.result(self.session.offer(text, Side.CORE, answerer=True)))
            self.assertEqual([each.media for each in offer.sections], ["application"])
            strange = text.replace("203.0.113.7", "198.51.100.7")
            answer = Description.parse(self.result(self.session.answer(strange)))
            self.assertEqual([each.port for each in answer.sections], [0, 0])

    def test_nothingToSay(self) -> None:
        """
        A chat in which nobody says anything is not a call that has died.
        """
        for _ in range(30):
            self.clock.advance(10)
            self.network.flush()
        self.assertFalse(self.session.closed)
        self.assertChat(0, 0)

    def test_R_73_connectionLost(self) -> None:
        """
        When the core ends a connection its channel is closed, and the other
        one goes on.
        """
        self.connections[0].abortConnection()
        self.network.flush()
        self.assertFalse(self.browser.shares[0].connected)
        (lost,) = [event for event in self.happened(LegLost) if event.side == "core"]
        self.assertEqual(lost.line, 0)
        self.assertChat(2, 1)

    def test_R_73_channelClosed(self) -> None:
        """
        When the browser closes a channel its connection is closed, and the
        other one goes on.
        """
        self.browser.shares[0].shut()
        self.network.flush()
        self.assertEqual([each.connected for each in self.connections], [False, True])
        self.assertChat(2, 1)

    def test_R_73_notConnected(self) -> None:
        """
        When there is no connection to the core, the channel is closed.
        """
        self.browser.chat(4)
        (answer,) = self.answered(self.offered(self.browser.offer(0, 2, 4, version=2)))
        self.browser.accept(answer)
        self.network.flush()
        self.assertTrue(self.browser.shares[4].connected)
        reactor: Any = self.clock
        for _ in range(5):
            self.clock.advance(5)
            while reactor.tcpClients:
                factory = reactor.tcpClients.pop(0)[2]
                factory.clientConnectionFailed(None, Failure(ConnectionRefusedError()))
        self.network.flush()
        self.assertFalse(self.browser.shares[4].connected)
        self.assertChat(0, 0)

    def test_R_73_associationLost(self) -> None:
        """
        When the association is lost, that is told for each channel, and all
        connections end.
        """
        self.browser.carrier.loseConnection()
        self.network.flush()
        lost = self.happened(AssociationLost)
        self.assertEqual([(event.side, event.line) for event in lost], [("access", 0)] * 2)
        self.assertEqual([each.connected for each in self.connections], [False, False])

    def test_R_70_openedInBand(self) -> None:
        """
        A channel that the browser opens in band is refused, and told of; the
        others go on.
        """
        channels = self.browser.carrier._channels
        assert channels is not None
        channels.open(Open(label="more", protocol="msrp"), self.clock.seconds())
        self.browser.carrier._drain()
        self.network.flush()
        (event,) = self.happened(ChannelRefused)
        self.assertEqual((event.side, event.line, event.label, event.protocol), ("access", 0, "more", "msrp"))
        self.assertChat(0, 0)

    def test_closed(self) -> None:
        """
        The end of the call ends channels and connections.
        """
        self.session.close()
        self.network.flush()
        self.assertEqual([connection.connected for connection in self.connections], [False, False])
        self.assertFalse(self.browser.shares[0].connected)
        self.assertEqual(self.gateway.portsLent, 0)
