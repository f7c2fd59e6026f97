"""
The text telephone at the far end of the demonstration.
"""

from e2aegw.demo.textpackets import TextReader, TextWriter
from e2aegw.demo.textphone import BUFFERING, MAX_WAITING, SCREEN, TextPhone, choose, typed
from e2aegw.errors import NegotiationError
from e2aegw.sansio.rtp import Control, walk
from e2aegw.sansio.sdp import Description
from tests.demo.test_farend import FarEndCase, offer, section

RED = ("rtpmap:98 t140/1000", "rtpmap:100 red/1000", "fmtp:100 98/98/98")


class TextPhoneTests(FarEndCase):
    """
    A telephone, and the gateway that types.
    """

    def call(self, formats: str = "98 100", *lines: str) -> TextPhone:
        """
        Offer text.
        """
        self.answer = Description.parse(self.far.answer(offer(section(formats, *lines, media="text"))))
        (phone,) = self.far.speakers
        assert isinstance(phone, TextPhone)
        self.phone = phone
        return phone

    def test_answer(self) -> None:
        """
        The answer has text with redundancy, as it was offered, and two ports.
        """
        phone = self.call("98 100", *RED)
        (text,) = self.answer.sections
        self.assertEqual((text.media, text.proto, text.formats), ("text", "RTP/AVP", ("100", "98")))
        self.assertEqual(text.all("rtpmap"), ["98 t140/1000", "100 red/1000"])
        self.assertEqual(text.all("fmtp"), ["100 98/98/98"])
        self.assertEqual(text.port, phone.address[1])
        self.assertIn((phone.address[0], int(text.get("rtcp") or 0)), self.network.ports)

    def test_refused(self) -> None:
        """
        What is no text, or protected, is refused.
        """
        for each in (
            section("98", "rtpmap:98 t140/8000", media="text"),
            section("98", "rtpmap:97 t140/1000", media="text"),
        ):
            self.assertRaises(NegotiationError, choose, each)
        protected = section("98", *RED, media="text", proto="RTP/SAVP")
        self.assertRaises(NegotiationError, self.far.answer, offer(protected))

    def test_typedBack(self) -> None:
        """
        What is typed can be read at once, and comes back a moment later, as
        often as was agreed; whoever watches is told.
        """
        told: list[str] = []
        phone = self.call("98 100", *RED)
        self.far.changed = lambda: told.append(phone.screen)
        writer, reader = TextWriter(98, 100), TextReader(98, 100)
        for each in ("H", "ex", "\bj"):
            self.media.sendto(writer.write(each, self.clock.seconds()), phone.address)
            self.network.advance(0.01)
        self.assertEqual(told, ["H", "Hex", "Hej"])
        self.assertEqual(self.heard, [])
        self.network.advance(BUFFERING)
        self.assertEqual([reader.read(data) for data, _ in self.heard], ["Hex\bj"])
        for _ in range(5):
            self.network.advance(BUFFERING)
        self.assertEqual([reader.read(data) for data, _ in self.heard[1:]], ["", ""])
        report = phone.report()
        self.assertEqual((report["screen"], report["characters"], report["packetsSent"]), ("Hej", 5, 3))

    def test_much(self) -> None:
        """
        Much that is typed comes back in several packets; more than that does
        not, and the screen shows the last of it.
        """
        phone = self.call("98", RED[0])
        writer, reader = TextWriter(98, None), TextReader(98, None)
        for _ in range(MAX_WAITING // 1000 + 1):
            self.media.sendto(writer.write("\N{SNOWMAN}" * 1000, 0), phone.address)
        for _ in range(MAX_WAITING // 100):
            self.network.advance(BUFFERING)
        self.assertEqual(sum(len(reader.read(data)) for data, _ in self.heard), MAX_WAITING)
        self.assertEqual(len(phone.screen), SCREEN)

    def test_others(self) -> None:
        """
        Others are not listened to, and RTCP is not text.
        """
        phone = self.call("98", RED[0])
        stranger = self.network.bind(("203.0.113.9", 5000), lambda data, source: None)
        stranger.sendto(TextWriter(98, None).write("x", 0), phone.address)
        self.media.sendto(b"nonsense", phone.address)
        self.control.sendto(bytes.fromhex("80c9000100000001"), phone.address)
        self.network.advance(0.01)
        stranger.close()
        self.assertEqual((phone.screen, phone.dropped), ("", 2))

    def test_control(self) -> None:
        """
        RTCP tells who is there, what was sent, and goodbye.
        """
        phone = self.call("98", RED[0])
        self.network.advance(10)
        self.media.sendto(TextWriter(98, None).write("x", 0), phone.address)
        for _ in range(20):
            self.network.advance(1)
        self.far.close()
        self.network.advance(0.01)
        kinds = [[packet.type for packet in walk(data)] for data in self.told]
        self.assertEqual(kinds[0], [Control.RR, Control.SDES])
        self.assertEqual(kinds[-2:], [[Control.SR, Control.SDES], [Control.SR, Control.SDES, Control.BYE]])

    def test_unsent(self) -> None:
        """
        What the system does not send is counted.
        """
        phone = self.call("98", RED[0])
        writer = TextWriter(98, None)
        self.media.sendto(writer.write("x", 0), phone.address)
        self.network.advance(0.01)

        def sendto(data: bytes, destination: object) -> None:
            raise OSError("no way")

        self.patch(phone._media, "sendto", sendto)
        self.network.advance(BUFFERING)
        self.assertEqual(phone.dropped, 1)

    def test_screen(self) -> None:
        """
        A character is taken back, if there is one.
        """
        self.assertEqual(typed("ab", "\b\b\bc"), "c")
