"""
Chats and files between a browser and MSRP over TCP: the stories, for any
browser.
"""

import re
from pathlib import Path
from typing import ClassVar

from tests.peers.capture import Capture
from tests.peers.deadline import until
from tests.peers.desk import DeskCase, sections
from tests.peers.echophone import EchoPhone
from tests.peers.relay import Relay
from tests.peers.weather import Weather

#: Octets of a file.
FILE = 10_000_000
#: Octets of one that tshark reads, too.
DECODED = 5_000_000
#: One of text.
ROWS = b"number;name\r\n" * 20000
#: Octets of a large one.
LARGE = 100_000_000
#: Milliseconds that something short may take there and back beside it.
DELAY = 200
#: Octets that a gateway may grow by while a large file passes: windows and
#: buffers, and what the allocator keeps.
GROWTH = 32_000_000
#: RTP packets that make a conversation: half a second's.
PACKETS = 25


def memory(pid: int) -> int:
    """
    How many octets of memory a process has.
    """
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return 1024 * int(fields["VmRSS"].split()[0])


def schedule(pid: int) -> tuple[int, int]:
    """
    For how long a process ran, and for how long it could have run and had no
    processor.
    """
    ran, waited, _ = Path(f"/proc/{pid}/schedstat").read_text().split()
    return int(ran), int(waited)


class Stories(DeskCase):
    """
    What happens, for any browser.
    """

    #: Whether the browser offers to interleave messages (RFC 8260).
    interleaves: ClassVar[bool]

    def newTelephone(self) -> EchoPhone:
        """
        Somebody to talk to.
        """
        telephone = EchoPhone()
        self.addCleanup(telephone.end)
        return telephone

    def converses(self, telephone: EchoPhone) -> None:
        """
        Sound passes both ways.
        """
        before, heard = self.page("statistics")["received"], telephone.heard
        until(
            lambda: self.page("statistics")["received"] > before + PACKETS,
            "the browser hears itself",
            explain=self.situation,
        )
        self.assertGreater(telephone.heard, heard + PACKETS // 2)

    def assertOneBundle(self, answer: str) -> None:
        """
        All sections of an answer are on one port.
        """
        ports = {section.split()[1] for section in sections(answer)}
        self.assertEqual(len(ports), 1, answer)
        self.assertNotIn("0", ports)
        self.assertIn("a=group:BUNDLE", answer)

    def test_R_65_files(self) -> None:
        """
        Two channels; the gateway begins DTLS, and connects; files of 10 MB
        arrive as they were, in both directions.
        """
        self.call(0, 2)
        self.opened(0, 2)
        self.assertEqual(self.page("statistics")["role"], "server")
        self.exchange(0, self.far[0], FILE)
        self.exchange(2, self.far[1], 20_000)
        self.hangUp()
        until(lambda: self.page("state") == {"0": "closed", "2": "closed"}, "the channels are closed")
        until(lambda: self.far[0].ended and self.far[1].ended, "the connections are closed")

    def test_R_70_otherRoles(self) -> None:
        """
        The browser begins DTLS, and the far ends connect to the gateway.
        """
        self.call(0, setup="active", dtls="passive")
        self.opened(0)
        self.assertEqual(self.page("statistics")["role"], "client")
        self.exchange(0, self.far[0], FILE)

    def test_interleaving(self) -> None:
        """
        Messages are interleaved with a browser that offers it, and with no
        other.
        """
        self.call(0, 2)
        self.opened(0, 2)
        self.exchange(0, self.far[0], 200_000)
        self.exchange(2, self.far[1], 200_000)
        self.assertEqual(self.counters().get("interleaved associations", 0) > 0, self.interleaves)

    def test_R_65_besideAVoice(self) -> None:
        """
        A voice and a chat in one bundle: one transport, one handshake.
        """
        telephone = self.newTelephone()
        answer = self.call(0, telephone=telephone, audio=True)
        self.assertOneBundle(answer)
        self.opened(0)
        self.converses(telephone)
        self.exchange(0, self.far[0], 1_000_000)
        self.assertEqual(self.page("statistics")["pairs"], 1)

    def test_R_65_dataFirst(self) -> None:
        """
        The line of channels is the first of the bundle, and speaks for it.
        """
        telephone = self.newTelephone()
        answer = self.call(0, telephone=telephone, audio=True, dataFirst=True)
        self.assertTrue(sections(answer)[0].startswith("m=application"), answer)
        self.assertOneBundle(answer)
        self.opened(0)
        self.converses(telephone)
        self.exchange(0, self.far[0], 20_000)

    def test_R_65_called(self) -> None:
        """
        The core calls the browser with two chats, which it takes in one line;
        a third one joins them later.
        """
        self.page("open", [], {})
        for chats in (2, 3):
            while len(self.far) < chats:
                self.newFarEnd()
            offer = f"v=0\r\no=- 1 {chats} IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            offer += "".join(far.section("actpass") for far in self.far)
            flags = {"direction": ["internal", "external"], "e2ae": "webrtc"}
            folded = self.tell("offer", offer, tag="far", **flags)
            self.assertEqual([each.split()[0] for each in sections(folded)], ["m=application"])
            answer = self.tell("answer", self.page("answer", folded), tag="far", toTag="browser")
            for far, section in zip(self.far, sections(answer), strict=True):
                self.assertIn("a=setup:passive", section)
                if not far.remote:
                    far.begin(section, active=True)
            streams = list(range(0, 2 * chats, 2))
            self.opened(*streams)
            for stream, far in zip(streams, self.far, strict=True):
                self.exchange(stream, far, 200_000)

    def test_R_65_calledWithAVoice(self) -> None:
        """
        The core calls the browser with a voice and a chat, which are two lines
        without a bundle, and both pass.
        """
        self.page("open", [], {})
        telephone, far = self.newTelephone(), self.newFarEnd()
        offer = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
        offer += f"m=audio {telephone.port} RTP/AVP 0\r\n" + far.section("actpass")
        flags = {"direction": ["internal", "external"], "e2ae": "webrtc"}
        folded = self.tell("offer", offer, tag="far", **flags)
        self.assertNotIn("a=group", folded)
        kinds = ["m=audio", "m=application"]
        self.assertEqual([each.split()[0] for each in sections(folded)], kinds)
        answer = self.tell("answer", self.page("answer", folded), tag="far", toTag="browser")
        far.begin(sections(answer)[1], active=True)
        self.opened(0)
        self.converses(telephone)
        self.exchange(0, far, 200_000)

    def test_R_80_inBand(self) -> None:
        """
        A channel for MSRP that no description names is closed.
        """
        self.call(0, inBand=["msrp"])
        self.opened(0)
        until(lambda: self.page("inBandState", "msrp") == "closed", "the channel is closed")
        until(lambda: "'msrp' is in no description" in self.gateway.output(), "the log says so")
        self.exchange(0, self.far[0], 20_000)

    def test_addedAndRemoved(self) -> None:
        """
        A chat comes to a call, and a voice to a chat, in the bundle that there
        is; a channel that is closed and left out leaves the others alone.
        """
        telephone = self.newTelephone()
        self.call(0)
        self.opened(0)
        self.exchange(0, self.far[0], 20_000)
        self.page("speak")
        answer = self.reoffer(telephone=telephone)
        self.assertOneBundle(answer)
        self.converses(telephone)
        self.exchange(0, self.far[0], 20_000)
        self.page("add", 2)
        self.reoffer(telephone=telephone)
        self.opened(0, 2)
        self.exchange(0, self.far[0], 20_000)
        self.exchange(2, self.far[1], 20_000)
        self.page("close", 0)
        until(lambda: self.far[0].ended, "the connection is closed", explain=self.situation)
        self.reoffer(telephone=telephone)
        self.exchange(2, self.far[1], 20_000)

    def test_R_69_closedByThePage(self) -> None:
        """
        The page sends a file and closes its channel at once: all of it arrives,
        and then the connection ends; the other chat goes on.
        """
        self.call(0, 2)
        self.opened(0, 2)
        sent = self.page("send", 0, 2_000_000)
        self.page("close", 0)
        self.assertEqual(self.far[0].awaitMessage(), sent)
        until(lambda: self.far[0].ended, "the connection is closed", explain=self.situation)
        self.exchange(2, self.far[1], 20_000)

    def test_R_73_closedByTheFarEnd(self) -> None:
        """
        The far end sends a file and ends its connection: all of it arrives,
        and then the channel is closed; the other chat goes on.
        """
        self.call(0, 2)
        self.opened(0, 2)
        sent = self.far[0].say(self.noise(2_000_000))
        self.far[0].disconnect()
        self.assertEqual(self.page("next", 0), sent)
        until(lambda: self.page("state")["0"] == "closed", "the channel is closed", explain=self.situation)
        self.exchange(2, self.far[1], 20_000)

    def test_R_73_gone(self) -> None:
        """
        The page leaves without a word to anybody but the gateway: all
        connections end.
        """
        self.call(0, 2)
        self.opened(0, 2)
        self.exchange(0, self.far[0], 900)
        self.page("hangUp")
        until(lambda: self.far[0].ended and self.far[1].ended, "the connections are closed")

    def test_R_65_largeFile(self) -> None:
        """
        100 MB to the far end and back are what they were, and while they are
        under way nobody in the other chat of the same association waits for
        longer than L{DELAY} for what was said.
        """
        self.call(0, 2)
        self.opened(0, 2)
        self.page("converse", 2, 100)
        before = memory(self.gateway.pid)
        ran, waited = schedule(self.gateway.pid)
        self.exchange(0, self.far[0], LARGE, 200)
        delays = sorted(self.page("delaysSoFar"))
        self.assertGreater(len(delays), 20)
        after = schedule(self.gateway.pid)
        # Where others keep it from running, it cannot help it.
        slowness = 1 + (after[1] - waited) / (after[0] - ran)
        self.assertLess(delays[-1] / slowness, DELAY, (slowness, delays[-20:]))
        self.assertLess(memory(self.gateway.pid) - before, GROWTH)


class BadWeatherStories(DeskCase):
    """
    What happens when datagrams are lost, doubled and overtaken.
    """

    def fromHere(self, offer: str) -> str:
        """
        See L{DeskCase.fromHere}.
        """
        # The gateway shall not find its own way to the browser.
        return re.sub(r"^a=candidate:.*\r\n", "", offer, flags=re.MULTILINE)

    def onTheWay(self, answer: str) -> str:
        """
        See L{DeskCase.onTheWay}.
        """
        port = sections(answer)[0].split()[1]
        relay = Relay(int(port), Weather(5, 0.05, 0.02, 0.05))
        self.addCleanup(relay.end)
        return re.sub(rf"(?<=[ ]){port}(?=[ \r])", str(relay.port), answer)

    def test_files(self) -> None:
        """
        Files arrive as they were, all the same.
        """
        self.call(0)
        self.opened(0)
        self.exchange(0, self.far[0], 1_000_000)


class DecodedStories(DeskCase):
    """
    What tshark reads of a whole call with two chats.
    """

    def noise(self, size: int) -> bytes:
        """
        See L{DeskCase.noise}: but not what tshark takes for the beginning of a
        parameter of the type, wherever it is, if the type has none.
        """
        return super().noise(size).replace(b";", b"\0")

    def test_live(self) -> None:
        """
        Words, and files of text and of binary data both ways: tshark finds
        every message, and complains of nothing but TCP's flow control.
        """
        wire = Capture(self.directory, "wire", "tcp")
        self.addCleanup(wire.end)
        self.call(0, 2)
        self.opened(0, 2)
        self.page("converse", 2, 20)
        hashes = [self.pageAtLength(60, "send", 0, DECODED, ord(";"))]
        hashes.append(self.far[0].say(self.noise(DECODED)))
        hashes.append(self.far[0].say(ROWS, "text/csv;charset=utf-8"))
        self.assertEqual(self.far[0].awaitMessage(), hashes[0])
        self.assertEqual([self.pageAtLength(60, "next", 0) for _ in range(2)], hashes[1:])
        words = len(self.page("delaysSoFar"))
        self.hangUp()
        until(lambda: self.far[0].ended and self.far[1].ended, "the connections are closed")
        wire.end()
        ports = re.findall(r"^m=message (\d+)", self.core, re.MULTILINE) + [str(far.port) for far in self.far]
        here = [word for port in ports for word in ("-d", f"tcp.port=={port},msrp")]
        self.assertLessEqual(wire.complaints(*here), {"TCP"})
        found = wire.decoded("msrp.messageid", "msrp.messageid", *here)
        # Each that was said on the second session came back as another one.
        self.assertGreaterEqual(len(set(found)), len(hashes) + 2 * words)
        self.assertGreater(words, 5)
