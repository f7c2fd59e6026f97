"""
Browsers that bundle: one port, one handshake, and in it both the keys of SRTP
and the data channels.
"""

import datetime
from typing import Any, ClassVar

from twisted.internet.task import Clock

from e2aegw.adapter import srtp
from e2aegw.gateway.ports import PortPool
from e2aegw.gateway.service import Route
from e2aegw.sansio.certificate import Identity
from e2aegw.sansio.datachannel import ChannelMap, explode
from e2aegw.sansio.dtls import Endpoint
from e2aegw.sansio.events import AssociationLost, LegLost, LineRefused, Secured
from e2aegw.sansio.sdp import Description, Section, Side
from e2aegw.sansio.srtp import Profile
from e2aegw.testing import Terminal
from e2aegw.transport.bundle import Bundle
from e2aegw.transport.channel import ChannelCarrier
from e2aegw.transport.dtlskeys import DTLSKeyTransport
from tests.adapter.msrppeer import Endpoint as MSRPEndpoint
from tests.gateway.fixture import ROUTES
from tests.gateway.test_session_channels import MSRP, ChannelTestCase, Voice
from tests.transport.carriers import ANSWER, OFFER

_ENDPOINTS: list[Endpoint] = []


def endpoint() -> Endpoint:
    """
    A certificate and the profiles of a browser, which are slow to make.
    """
    if not _ENDPOINTS:
        identity = Identity.generate(datetime.datetime.now(datetime.UTC))
        _ENDPOINTS.append(Endpoint(identity, tuple(Profile)))
    return _ENDPOINTS[0]


class Ears:
    """
    Stands where a gateway's other leg would.
    """

    def __init__(self) -> None:
        self.units: list[bytes] = []

    def sendUnit(self, unit: bytes) -> None:
        """
        Remember it.
        """
        self.units.append(unit)


class BundlingBrowser:
    """
    A browser, without ICE, that has everything on one port.

    @ivar chats: its MSRP endpoints, by stream.
    """

    def __init__(self, clock: Clock, pool: PortPool) -> None:
        self.clock = clock
        self.bundle = Bundle(DTLSKeyTransport(clock, pool, endpoint(), control=True), "")
        self.chats: dict[int, MSRPEndpoint] = {}
        self.shares: dict[int, Any] = {}
        self.version = 0
        self.ears = Ears()
        self.carrier: Any = None
        self.audio: Any = None
        self.voice: Any = None

    def speak(self) -> None:
        """
        Have a microphone.
        """
        self.audio = self.bundle.add("voice")
        self.voice = srtp.Factory().buildAdapter("UDP/TLS/RTP/SAVPF")
        self.voice.peer = self.ears
        self.audio.attach(self.voice)

    def write(self, *streams: int) -> None:
        """
        Have channels.
        """
        if self.carrier is None:
            self.carrier = ChannelCarrier(self.clock, self.bundle.addRecords("data"))
        for stream in streams:
            chat = self.chats[stream] = MSRPEndpoint(f"msrps://198.51.100.7:9/browser{stream};dc")
            channel = ChannelMap(streamID=stream, label=f"chat {stream}", subprotocol="msrp")
            self.shares[stream] = self.carrier.share(channel)
            self.shares[stream].attach(Voice(chat))

    def offer(self, *names: str, group: str | None = None, bundleOnly: bool = False) -> str:
        """
        Offer these sections, or have them be answered.

        @param names: C{voice}, C{data}, or C{no voice}, C{no data} for lines
            that are refused.
        @param bundleOnly: whether all but the first have port 0.
        """
        self.version += 1
        self.bundle.begin()
        present = [name for name in names if not name.startswith("no ")]
        lines = [
            "v=0",
            f"o=- 1 {self.version} IN IP4 198.51.100.7",
            "s=-",
            "c=IN IP4 198.51.100.7",
            "t=0 0",
            f"a=group:BUNDLE {' '.join(present) if group is None else group}",
        ]
        for name in names:
            port = self.bundle.transport.localAddress[1]
            if name.startswith("no "):
                port = 0
            only = bundleOnly and name != present[0]
            mid = name.removeprefix("no ")
            kind = (
                "audio %d UDP/TLS/RTP/SAVPF 0"
                if mid == "voice"
                else ("application %d UDP/DTLS/SCTP webrtc-datachannel")
            )
            lines += ["m=" + kind % (0 if only else port), f"a=mid:{mid}"]
            if only:
                lines.append("a=bundle-only")
            if name == "voice":
                # A browser never does without.
                own = self.bundle.transport.describe(OFFER)
                lines += [*(str(line) for line in own if "rtcp" not in line.name), "a=rtcp-mux"]
            elif name == "data":
                lines += [str(line) for line in self.carrier.describe(OFFER)]
                for stream, share in self.shares.items():
                    lines += [
                        str(share.map.line()),
                        f"a=dcsa:{stream} accept-types:*",
                        f"a=dcsa:{stream} msrp-cema",
                        f"a=dcsa:{stream} setup:active",
                        f"a=dcsa:{stream} path:{self.chats[stream].uri}",
                    ]
        return "\r\n".join([*lines, ""])

    def accept(self, sections: list[Section]) -> None:
        """
        Read the answer.
        """
        self.bundle.begin()
        self.bundle.transport._ourMux = True
        for section in sections:
            if not section.port:
                continue
            if section.get("mid") == "voice":
                applies = [part.configure(section, ANSWER) for part in (self.voice, self.audio)]
                for apply in reversed(applies):
                    apply()
            else:
                self.carrier.configure(section, ANSWER)()
                for channel, child in explode(section):
                    self.chats[channel.streamID].path = child.get("path") or ""


class DataBundleTests(ChannelTestCase):
    """
    A browser with a voice and chats calls.
    """

    routes: ClassVar[tuple[Route, ...]] = (*ROUTES, Route(MSRP, MSRP))

    def setUp(self) -> None:
        """
        Bring it, and a telephone.
        """
        super().setUp()
        self.several = BundlingBrowser(self.clock, PortPool(self.network, "198.51.100.7", 51000, 51003))
        self.phone = Terminal(self.network, "203.0.113.7")
        self.addCleanup(self.phone.close)
        self.text = ""

    def tearDown(self) -> None:
        """
        Everything ends.
        """
        self.phone.close()
        self.session.close()
        for stream in list(self.several.bundle.streams):
            stream.loseConnection()
        if self.several.carrier is not None:
            self.several.carrier.loseConnection()
        if self.several.voice is not None:
            self.several.voice.connectionLost()
        self.several.bundle.transport.loseConnection()
        super().tearDown()

    def call(self, *names: str, **more: Any) -> list[Section]:
        """
        Offer, and be answered.

        @return: the answer's sections.
        """
        core = self.offered(self.several.offer(*names, **more))
        self.core = core
        answer = self.answer(core)
        self.several.accept(answer.sections)
        self.browser.chats = self.several.chats
        self.browser.shares = self.several.shares
        self.connect()
        return answer.sections

    def offered(self, text: str) -> list[Section]:
        """
        See L{ChannelTestCase}.
        """
        self.text = self.result(self.session.offer(text, Side.ACCESS))
        return Description.parse(self.text).sections

    def answer(self, core: list[Section]) -> Description:
        """
        The telephone answers to audio, others to chats.
        """
        lines = ["v=0", "o=- 2 2 IN IP4 203.0.113.7", "s=-", "c=IN IP4 203.0.113.7", "t=0 0"]
        for number, section in enumerate(core):
            if number == len(self.far):
                self.far.append(MSRPEndpoint(f"msrp://203.0.113.7:{2855 + number}/far{number};tcp"))
            if section.media == "audio" and section.port:
                lines += self.phone.answerSection(self.text, number).splitlines()
                continue
            port = 0 if section.rejected else 2855 + number
            lines.append(f"m={section.media} {port} {section.proto} {' '.join(section.formats)}")
            if port:
                self.far[number].path = section.get("path") or ""
                lines += ["a=setup:passive", "a=accept-types:*", f"a=path:{self.far[number].uri}"]
        answer = self.result(self.session.answer("\r\n".join([*lines, ""])))
        return Description.parse(answer)

    def assertVoice(self) -> None:
        """
        Sound passes both ways.
        """
        packet = bytes.fromhex("800000010000000100000bee") + b"from the browser"
        self.several.voice.sendUnit(packet)
        self.network.flush()
        self.assertEqual(self.phone.received[-1], packet)
        packet = self.phone.sendMedia()
        self.network.flush()
        self.assertEqual(self.several.ears.units[-1], packet)

    def assertOnePort(self, sections: list[Section], group: str) -> None:
        """
        All that is in the group is on one port of the gateway.
        """
        ports = {each.port for each in sections if each.get("mid") in group.split()}
        self.assertEqual(len(ports), 1)
        self.assertNotIn(0, ports)

    def test_R_65_voiceFirst(self) -> None:
        """
        Audio and data of a bundle are on one port with one association.
        """
        self.several.speak()
        self.several.write(0, 2)
        sections = self.call("voice", "data")
        self.assertEqual([each.media for each in self.core], ["audio", "message", "message"])
        self.assertOnePort(sections, "voice data")
        self.assertVoice()
        self.assertChat(0, 1)
        self.assertChat(2, 2)
        # One for each section and channel, of one handshake.
        self.assertEqual({event.profile for event in self.happened(Secured)}, {"AEAD_AES_128_GCM"})
        self.assertEqual(self.happened(LineRefused), [])

    def test_R_65_dataFirst(self) -> None:
        """
        The line of channels may be the one that speaks for the bundle.
        """
        self.several.speak()
        self.several.write(0)
        sections = self.call("data", "voice", bundleOnly=True)
        self.assertEqual([each.media for each in self.core], ["message", "audio"])
        self.assertOnePort(sections, "voice data")
        self.assertVoice()
        self.assertChat(0, 0)

    def test_bundleOnlyData(self) -> None:
        """
        The line of channels may have port 0, and nothing to say for itself.
        """
        self.several.speak()
        self.several.write(0)
        sections = self.call("voice", "data", bundleOnly=True)
        self.assertOnePort(sections, "voice data")
        self.assertVoice()
        self.assertChat(0, 1)

    def test_dataAlone(self) -> None:
        """
        A bundle of one line of channels can have a voice later, in the
        association that it has.
        """
        self.several.write(0)
        (data,) = self.call("data")
        self.assertChat(0, 0)
        self.several.speak()
        sections = self.call("data", "voice")
        self.assertEqual([each.port for each in sections], [data.port] * 2)
        self.assertVoice()
        self.assertChat(0, 0)

    def test_dataAdded(self) -> None:
        """
        Channels can come to a call that has only a voice, and go again.
        """
        self.several.speak()
        (voice,) = self.call("voice")
        self.assertVoice()
        self.several.write(0)
        sections = self.call("voice", "data")
        self.assertEqual([each.port for each in sections], [voice.port] * 2)
        self.assertVoice()
        self.assertChat(0, 1)
        lent = self.gateway.portsLent
        self.several.carrier.loseConnection()
        self.network.flush()
        self.several.carrier = None
        sections = self.call("voice", "no data")
        self.assertEqual(sections[1].port, 0)
        self.assertEqual(self.gateway.portsLent, lent)
        self.assertVoice()
        self.several.shares.clear()
        self.several.write(2)
        self.call("voice", "data")
        self.assertVoice()
        self.assertChat(2, 3 if len(self.core) > 3 else 2)

    def test_voiceRemoved(self) -> None:
        """
        When the voice goes, the channels stay.
        """
        self.several.speak()
        self.several.write(0)
        sections = self.call("voice", "data")
        self.assertVoice()
        self.several.audio.loseConnection()
        again = self.call("no voice", "data")
        self.assertEqual([each.port for each in again], [0, sections[1].port])
        self.assertChat(0, 1)

    def test_voidOffer(self) -> None:
        """
        An offer that adds channels and is not answered leaves the voice as it
        was, and no association begins.
        """
        self.several.speak()
        self.call("voice")
        self.several.write(0)
        before = self.gateway.portsLent
        self.offered(self.several.offer("voice", "data"))
        self.network.flush()
        self.assertEqual(self.happened(AssociationLost), [])
        self.call("voice", "no data")
        self.assertEqual(self.gateway.portsLent, before)
        self.assertVoice()

    def test_leavesTheBundle(self) -> None:
        """
        Channels cannot go on outside of the bundle whose DTLS they are in.
        """
        self.several.speak()
        self.several.write(0)
        self.call("voice", "data")
        sections = self.call("voice", "data", group="voice")
        self.assertEqual(sections[1].port, 0)
        self.assertEqual(len(self.happened(LineRefused)), 1)
        self.assertVoice()

    def test_secondLineOfChannels(self) -> None:
        """
        One association of DTLS has one of SCTP (RFC 8841 clause 3).
        """
        self.several.speak()
        self.several.write(0)
        text = self.several.offer("voice", "data")
        data = text[text.index("m=application") :]
        text = text.replace("voice data\r\n", "voice data more\r\n", 1) + data.replace("mid:data", "mid:more")
        core = self.offered(text)
        self.assertEqual([each.media for each in core], ["audio", "message"])
        self.assertEqual(len(self.happened(LineRefused)), 1)

    def test_R_73_dtlsEnds(self) -> None:
        """
        When the browser ends DTLS, the connections of its channels end.
        """
        self.several.speak()
        self.several.write(0, 2)
        self.call("voice", "data")
        self.assertChat(0, 1)
        self.several.bundle.transport.loseConnection()
        self.network.flush()
        lost = [(event.side, event.line) for event in self.happened(LegLost)]
        self.assertIn(("access", 1), lost)
        self.assertEqual([each.connected for each in self.connections], [False, False])

    def test_withoutDTLS(self) -> None:
        """
        A bundle whose voice is protected otherwise has no place for channels.
        """
        self.several.speak()
        self.several.write(0)
        text = self.several.offer("voice", "data").replace("UDP/TLS/RTP/SAVPF", "RTP/AVP")
        core = self.offered(text)
        self.assertEqual([bool(each.port) for each in core], [True])
        (refused,) = self.happened(LineRefused)
        self.assertIn("DTLS", refused.reason)

    def test_noKeys(self) -> None:
        """
        A voice that comes to an association that was made without SRTP is
        refused; the channels go on.
        """
        transport: Any = self.several.bundle.transport
        transport._endpoint = Endpoint(Identity.generate(datetime.datetime.now(datetime.UTC)))
        self.several.write(0)
        self.call("data")
        self.assertChat(0, 0)
        self.several.speak()
        sections = self.call("data", "no voice")
        text = self.several.offer("data", "voice")
        answer = self.answer(self.offered(text)).sections
        self.assertEqual([bool(each.port) for each in answer], [True, False])
        self.assertEqual(len(sections), 2)
        self.assertChat(0, 0)
