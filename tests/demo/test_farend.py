"""
The far end of the demonstration's calls, on the memory network.
"""

import errno
import struct

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from e2aegw.demo.echo import DELAY, MAX_KEPT, Codec, Echo, choose
from e2aegw.demo.farend import MAX_SPEAKERS, FarEnd, ourAddress
from e2aegw.errors import NegotiationError, ResourceError
from e2aegw.interfaces import Address
from e2aegw.sansio.rtp import Control, walk
from e2aegw.sansio.sdp import Description, Line, Section
from e2aegw.testing import MemoryNetwork
from tests.demo.test_mirror import packet, senderReport

GATEWAY, FAR = "203.0.113.1", "192.0.2.77"
MEDIA, CONTROL = (GATEWAY, 40000), (GATEWAY, 40001)


def section(formats: str = "111 0 8", *lines: str, media: str = "audio", proto: str = "RTP/AVP") -> Section:
    """
    A section of an offer, with C{name:value} lines.
    """
    return Section(
        media,
        MEDIA[1],
        proto,
        formats.split(),
        address=GATEWAY,
        lines=[Line(*each.split(":", 1)) for each in lines],
    )


def offer(*sections: Section) -> str:
    """
    The text of an offer.
    """
    return Description(f"- 1 1 IN IP4 {GATEWAY}", address=GATEWAY, sections=sections).serialize()


class ChooseTests(SynchronousTestCase):
    """
    Which codec is agreed on.
    """

    def test_first(self) -> None:
        """
        It is the first in the offer that is understood, whatever the case.
        """
        opus = Codec("96", "OPUS/48000/2", 48000)
        self.assertEqual(choose(section("9 96 0", "rtpmap:9 G722/8000", "rtpmap:96 OPUS/48000/2")), opus)
        self.assertEqual(choose(section("0 96", "rtpmap:96 opus/48000/2")), Codec("0", "PCMU/8000", 8000))

    def test_static(self) -> None:
        """
        What needs no description needs none; what has one is that.
        """
        self.assertEqual(choose(section("8")), Codec("8", "PCMA/8000", 8000))
        self.assertEqual(choose(section("8", "rtpmap:8 PCMU/8000")), Codec("8", "PCMU/8000", 8000))

    def test_none(self) -> None:
        """
        An offer of nothing that is understood cannot be agreed to.
        """
        for lines in (
            ["rtpmap:96 EVS/16000"],
            ["rtpmap:96 opus"],
            ["rtpmap:96 opus/0"],
            ["rtpmap:96 opus/99999999"],
            ["rtpmap:96 opus/48000/2/x"],
            ["rtpmap:96"],
            [],
        ):
            self.assertRaises(NegotiationError, choose, section("96", *lines))


class FarEndCase(SynchronousTestCase):
    """
    A far end, and the ports of the gateway that it talks to.
    """

    def setUp(self) -> None:
        """
        Open the gateway's ports.
        """
        self.clock = Clock()
        self.network = MemoryNetwork(self.clock)
        self.heard: list[tuple[bytes, Address]] = []
        self.told: list[bytes] = []
        self.media = self.network.bind(MEDIA, lambda data, source: self.heard.append((data, source)))
        self.control = self.network.bind(CONTROL, lambda data, source: self.told.append(data))
        self.far = FarEnd(self.clock, self.network, lambda remote: FAR)

    def tearDown(self) -> None:
        """
        Nothing may be left.
        """
        self.far.close()
        self.assertEqual(set(self.network.ports), {MEDIA, CONTROL})
        self.assertEqual(self.clock.getDelayedCalls(), [])


class AnswerTests(FarEndCase):
    """
    Answers to offers.
    """

    def test_audio(self) -> None:
        """
        The answer has one codec, our address, and two ports.
        """
        lines = ("rtpmap:111 opus/48000/2", "fmtp:111 minptime=10", "fmtp:0 x=y", "ptime:20", "sendrecv")
        answer = Description.parse(self.far.answer(offer(section("111 0", *lines))))
        (audio,) = answer.sections
        self.assertEqual((audio.media, audio.proto, audio.formats), ("audio", "RTP/AVP", ("111",)))
        self.assertEqual(audio.address, FAR)
        self.assertEqual(audio.all("rtpmap"), ["111 opus/48000/2"])
        self.assertEqual(audio.all("fmtp"), ["111 minptime=10"])
        self.assertEqual(audio.direction, "sendrecv")
        self.assertEqual({(FAR, audio.port), (FAR, int(audio.get("rtcp") or 0))} | {MEDIA, CONTROL},
                         set(self.network.ports))  # fmt: skip

    def test_direction(self) -> None:
        """
        Who only wants to hear is sent to, and the other way round.
        """
        for theirs, ours in (("sendonly", "recvonly"), ("recvonly", "sendonly"), ("inactive", "inactive")):
            far = FarEnd(self.clock, self.network, lambda remote: FAR)
            answer = Description.parse(far.answer(offer(section("0", theirs))))
            self.assertEqual(answer.sections[0].direction, ours)
            far.close()

    def test_others(self) -> None:
        """
        What it does not understand is rejected, each in its place.
        """
        gone = section("0")
        gone.port = 0
        sections = [section("96", media="video"), gone, section("96", "rtpmap:96 EVS/16000"), section("0")]
        answer = Description.parse(self.far.answer(offer(*sections)))
        self.assertEqual([each.media for each in answer.sections], ["video", "audio", "audio", "audio"])
        self.assertEqual([bool(each.port) for each in answer.sections], [False, False, False, True])

    def test_nothing(self) -> None:
        """
        If nothing can be agreed to, the reason of the last section is told.
        """
        for sdp, reason in (
            (offer(), "empty"),
            (offer(section("96", media="video")), "nobody here understands video"),
            (offer(section("0", proto="RTP/SAVP")), "plain RTP, not RTP/SAVP"),
            (offer(section("96")), "opus, PCMA, PCMU"),
            ("nonsense", "v=0"),
        ):
            error = self.assertRaises(NegotiationError, self.far.answer, sdp)
            self.assertIn(reason, str(error))

    def test_name(self) -> None:
        """
        An address that is a name is nowhere: nobody is asked for it.
        """
        named = section("0")
        named.address = "gateway.example"
        description = Description(f"- 1 1 IN IP4 {GATEWAY}", sections=[named])
        error = self.assertRaises(NegotiationError, self.far.answer, description.serialize())
        self.assertIn("where to send", str(error))

    def test_many(self) -> None:
        """
        There is a limit to the media of one call.
        """
        answer = Description.parse(self.far.answer(offer(*[section("0")] * (MAX_SPEAKERS + 2))))
        self.assertEqual(sum(bool(each.port) for each in answer.sections), MAX_SPEAKERS)

    def test_noPorts(self) -> None:
        """
        Without ports there is no answer, and one of two is given back.
        """
        bind, left = self.network.bind, 1

        def some(address: Address, receive: object) -> object:
            nonlocal left
            left -= 1
            if left < 0:
                raise OSError(errno.EMFILE, "Too many open files")
            return bind(address, receive)  # type: ignore[arg-type]

        self.patch(self.network, "bind", some)
        error = self.assertRaises(ResourceError, self.far.answer, offer(section("0")))
        self.assertEqual(str(error), "the echo has no port: Too many open files")

    def test_route(self) -> None:
        """
        Our address on the way to the loopback address is that address; there
        is no way to one that is for nobody alone.
        """
        self.assertEqual(ourAddress("127.0.0.1"), "127.0.0.1")
        self.assertRaises(NegotiationError, ourAddress, "255.255.255.255")


class EchoTests(FarEndCase):
    """
    Media with somebody who was answered.
    """

    def setUp(self) -> None:
        """
        Answer.
        """
        super().setUp()
        self.far.answer(offer(section("0")))
        (echo,) = self.far.speakers
        assert isinstance(echo, Echo)
        self.echo = echo

    def say(self, data: bytes, seconds: float = 0.0) -> None:
        """
        The gateway sends a packet, and time passes.
        """
        self.media.sendto(data, self.echo.address)
        self.network.advance(seconds)

    def test_echo(self) -> None:
        """
        What is said comes back a moment later, from the port in the answer,
        with the same payload and another source.
        """
        self.say(packet(1, payload=b"speech"), DELAY - 0.01)
        self.assertEqual(self.heard, [])
        self.network.advance(0.02)
        ((data, source),) = self.heard
        self.assertEqual((data[12:], source), (b"speech", self.echo.address))
        self.assertNotEqual(data[8:12], packet(1)[8:12])

    def test_rhythm(self) -> None:
        """
        Each packet comes back after the same time.
        """
        began = self.clock.seconds()
        times: list[float] = []
        self.media.receive = lambda data, source: times.append(self.clock.seconds() - began)
        for n, pause in enumerate((0.02, 0.05, 0.01, 2.0)):
            self.say(packet(n, n * 160), pause)
        self.assertEqual([round(at - DELAY, 6) for at in times], [0.0, 0.02, 0.07, 0.08])

    def test_strangers(self) -> None:
        """
        Whoever is not in the offer gets nothing.
        """
        self.network.carry(packet(1), (GATEWAY, 40002), self.echo.address)
        self.network.carry(packet(2), ("198.51.100.66", 40000), self.echo.address)
        self.network.advance(2 * DELAY)
        self.assertEqual((self.heard, self.echo.dropped), ([], 2))

    def test_garbage(self) -> None:
        """
        Garbage is counted.
        """
        for data in (b"", b"x", b"\x80\xc8", bytes(12), b"\x8f" + bytes(20)):
            self.say(data)
        self.network.advance(2 * DELAY)
        self.assertEqual((self.heard, self.echo.dropped), ([], 5))

    def test_flood(self) -> None:
        """
        No more is kept than is allowed.
        """
        for n in range(2 * MAX_KEPT):
            self.say(packet(n, n * 160))
        self.network.advance(2 * DELAY)
        self.assertEqual((len(self.heard), self.echo.dropped), (MAX_KEPT, MAX_KEPT))

    def test_control(self) -> None:
        """
        Reports go to the RTCP port, every few seconds, and tell what was
        heard.
        """
        self.say(packet(1))
        self.control.sendto(senderReport(0x11223344, 1 << 32), self.echo.address)
        self.network.advance(60.0)
        self.assertTrue(8 < len(self.told) < 30, len(self.told))
        self.assertEqual(self.echo.mirror.controlReceived, 1)
        last = next(walk(self.told[-1]))
        self.assertEqual((last.type, last.fmt), (Control.SR, 1))
        self.assertEqual(struct.unpack_from("!I", last.body, 24), (0x11223344,))

    def test_controlPort(self) -> None:
        """
        If the offer names a port for RTCP, reports go there.
        """
        elsewhere: list[bytes] = []
        port = self.network.bind((GATEWAY, 41234), lambda data, source: elsewhere.append(data))
        far = FarEnd(self.clock, self.network, lambda remote: FAR)
        far.answer(offer(section("0", "rtcp:41234")))
        self.network.advance(10.0)
        far.close()
        port.close()
        self.assertTrue(elsewhere)

    def test_goodbye(self) -> None:
        """
        Hanging up is told over RTCP, and what was to be said is not.
        """
        self.say(packet(1))
        self.far.close()
        self.network.flush()
        self.assertEqual([each.type for each in walk(self.told[-1])][-1], Control.BYE)
        self.clock.advance(2 * DELAY)
        self.assertEqual(self.heard, [])

    def test_nobodyThere(self) -> None:
        """
        What cannot be sent is counted.
        """
        self.say(packet(1))
        refused = OSError(errno.ENETUNREACH, "Network is unreachable")

        def sendto(data: bytes, destination: Address) -> int:
            raise refused

        port = self.network.ports[self.echo.address]
        port.sendto = sendto  # type: ignore[assignment]
        self.network.advance(DELAY)
        self.assertEqual(self.echo.dropped, 1)
