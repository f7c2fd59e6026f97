"""
Somebody tries the demonstration: the stories, for any browser.
"""

import hashlib
import tempfile
from pathlib import Path
from random import Random
from typing import ClassVar

from twisted.trial.unittest import SynchronousTestCase

from e2aegw.sansio.sdp import Description
from tests.peers.browsers import Chromium, Firefox
from tests.peers.deadline import until
from tests.peers.demo import Demo, Page

#: Packets each way that make a conversation: a second's.
CONVERSATION = 50
#: Bytes of a file.
FILE = 2_000_000
#: How long ports of a call that is over may be open, in seconds.
RELEASE = 1.0
#: Two files are dropped, one of them empty.
DROP = """(() => {
  const held = new DataTransfer();
  held.items.add(new File([], "empty"));
  held.items.add(new File(["x"], "full"));
  const event = new DragEvent("drop", { dataTransfer: held, bubbles: true, cancelable: true });
  document.querySelector("#drop").dispatchEvent(event);
})()"""


class DemoTestCase(SynchronousTestCase):
    """
    @cvar browserClass: the browser.
    """

    browserClass: ClassVar[type[Chromium] | type[Firefox]]

    def setUp(self) -> None:
        """
        Start the gateway and open the page.
        """
        directory = tempfile.TemporaryDirectory(prefix="e2aegw-")
        self.addCleanup(directory.cleanup)
        self.directory = directory.name
        self.demo = Demo(Path(directory.name))
        self.addCleanup(self.demo.end)
        browser = self.browserClass(Path(directory.name), self.demo.url)
        self.addCleanup(browser.end)
        self.page = Page(browser)

    def conversed(self) -> bool:
        """
        Whether enough was said and heard.
        """
        found = self.page.statistics()
        if not {"inbound-rtp", "outbound-rtp"} <= found.keys() or not self.page.flows():
            return False
        heard, said = found["inbound-rtp"], found["outbound-rtp"]
        enough = heard["packetsReceived"] > CONVERSATION and said["packetsSent"] > CONVERSATION
        return bool(enough and heard.get("totalAudioEnergy", 0) > 0)

    def converse(self) -> None:
        """
        Wait until enough was said and heard.
        """
        until(self.conversed, "the echo is heard", seconds=20, explain=self.page.problem)

    def checkReleased(self) -> None:
        """
        Check that the gateway lets go of its ports.
        """
        until(lambda: not self.demo.openPorts(), "the ports are closed", seconds=RELEASE)


class DemoTests(DemoTestCase):
    """
    Somebody tries the demonstration.
    """

    def test_call(self) -> None:
        """
        Pressing Call brings the echo; the page shows what was said on both
        sides, and counts; pressing again ends the call.
        """
        self.assertEqual(self.page.text("#call"), "Call")
        self.assertEqual(self.demo.openPorts(), set())
        self.page.press("#call")
        self.converse()
        self.checkExchange()
        self.checkCounters()
        # One towards the browser, two towards the echo, and the echo's two.
        self.assertEqual(len(self.demo.openPorts()), 5)
        self.assertEqual(self.page.text("#call"), "Hang up")
        self.page.press("#call")
        self.checkReleased()
        self.assertEqual(self.page.text("#call"), "Call")
        self.assertIn("is over after", self.page.text("#status"))
        self.assertFalse(self.page.shows("#problem"))
        self.assertIn("the page hung up", self.demo.output())

    def checkExchange(self) -> None:
        """
        Check that all four descriptions stand in the page, with the
        differences marked.
        """
        descriptions = {
            (exchange, side): Description.parse(self.page.description(exchange, side))
            for exchange in ("offer", "answer")
            for side in ("access", "core")
        }
        for (_, side), description in descriptions.items():
            (section,) = description.sections
            self.assertEqual(section.proto, "UDP/TLS/RTP/SAVPF" if side == "access" else "RTP/AVP")
            self.assertEqual(section.has("fingerprint"), side == "access")
            self.assertEqual(section.has("ice-ufrag"), side == "access")
        removed, added = self.page.marked("offer", "removed"), self.page.marked("answer", "added")
        for lines in (removed, added):
            self.assertTrue(
                {"a=ice-ufrag", "a=fingerprint", "a=setup"} <= {each.split(":")[0] for each in lines}
            )
        for exchange, proto in (("offer", "RTP/AVP"), ("answer", "UDP/TLS/RTP/SAVPF")):
            (media,) = [line for line in self.page.marked(exchange, "changed") if line.startswith("m=")]
            self.assertEqual(media.split()[2], proto)

    def checkCounters(self) -> None:
        """
        Check that the counters of both legs move and agree with each other.
        """
        names = [f"{side}-{way}-packets" for side in ("access", "core") for way in ("out", "in")]
        before = {name: self.page.counter(name) for name in names}
        until(
            lambda: all(self.page.counter(name) > before[name] for name in names),
            "the counters move",
            explain=lambda: (before, {name: self.page.counter(name) for name in names}),
        )
        self.assertIn("SRTP (A", self.page.text("#access-protection"))
        self.assertEqual(self.page.text("#core-protection"), "none (RTP/AVP)")
        self.assertEqual(self.page.text("#core-dropped"), "nothing")
        self.assertRegex(self.page.text("#access-quality"), r"^0 lost, jitter ")
        self.assertRegex(self.page.text("#access-remote"), r":\d+$")
        self.assertIn("DTLS-SRTP agreed on keys", self.page.text("#events ol"))

    def openChat(self) -> None:
        """
        Open the chat, and wait for the greeting.
        """
        self.page.press("#chat-open")
        self.chatShows("Hello! I speak MSRP")

    def chatShows(self, text: str, seconds: float = 20.0) -> None:
        """
        Wait until something stands in the chat.
        """
        until(
            lambda: text in self.page.text("#chat-log"),
            f"the chat shows {text}",
            seconds=seconds,
            explain=lambda: (self.page.text("#chat"), self.page.problem(), self.demo.output()[-2000:]),
        )

    def write(self, text: str) -> None:
        """
        Write something and send it.
        """
        self.page.browser.click("#chat-text")
        self.page.browser.type(text)
        self.page.press("#chat-send")

    def test_floor(self) -> None:
        """
        Join, ask for the floor, have it a moment later, and give it back; the
        messages that did it are shown.
        """

        def says(state: str) -> None:
            until(
                lambda: self.page.text("#floor-state") == state,
                f"the floor is {state}",
                explain=lambda: (self.page.text("#floor"), self.page.problem(), self.demo.output()[-2000:]),
            )

        self.page.press("#floor-open")
        says("free")
        self.page.press("#floor-ask")
        says("yours")
        self.page.press("#floor-ask")
        says("free")
        shown: list[str] = self.page.browser.evaluate(
            "[...document.querySelectorAll('#floor-log li')].map((item) => item.textContent)"
        )
        self.assertEqual(
            shown,
            [
                "Hello",
                "HelloAck",
                "FloorRequest",
                "FloorRequestStatus: Accepted, number 1 in the queue",
                "FloorRequestStatus: Granted",
                "FloorRelease",
                "FloorRequestStatus: Released",
            ],
        )
        self.assertIn("TCP/BFCP", self.page.description("offer", "core"))
        until(lambda: self.page.text("#floor-there") == "3 messages", "the far end has counted them")
        self.page.press("#floor-open")
        says("closed")
        self.checkReleased()

    def test_chat(self) -> None:
        """
        What is written is answered, a file comes back as it was, and both
        descriptions stand in the page; while a call goes on.
        """
        self.page.press("#call")
        self.converse()
        self.openChat()
        self.write("Is anybody there?")
        self.chatShows("You said: Is anybody there?")
        until(
            lambda: (
                self.page.browser.evaluate("document.querySelector('#chat-log .mine').dataset.mark")
                == "arrived"
            ),
            "the report has come",
        )
        content = Random(1).randbytes(FILE)
        file = Path(self.directory, "a file & more.bin")
        file.write_bytes(content)
        self.page.browser.choose("#chat-file", file)
        self.chatShows("Came back unchanged")
        item = self.page.browser.evaluate("({...document.querySelector('#chat-log .file').dataset})")
        self.assertEqual(item, {"mark": "equal", "digest": hashlib.sha256(content).hexdigest()})
        self.assertTrue(self.page.flows())
        offered = Description.parse(self.page.description("offer", "core")).sections[0]
        self.assertEqual((offered.media, offered.proto), ("message", "TCP/MSRP"))
        answered = Description.parse(self.page.description("answer", "access")).sections[0]
        self.assertEqual((answered.media, answered.proto), ("application", "UDP/DTLS/SCTP"))
        self.page.press("#chat-open")
        self.assertEqual(self.page.text("#chat-state"), "closed")
        self.page.press("#call")
        self.checkReleased()

    def test_drop(self) -> None:
        """
        What is dropped onto the card goes the same way, and the chat can be
        opened again.
        """
        for _ in range(2):
            self.openChat()
            self.page.browser.evaluate(DROP)
            until(
                lambda: (
                    self.page.browser.evaluate(
                        "document.querySelectorAll('#chat-log .file[data-mark=equal]').length"
                    )
                    == 2
                ),
                "both files come back",
                explain=lambda: self.page.text("#chat"),
            )
            self.page.press("#chat-open")
            self.checkReleased()

    def test_pageCloses(self) -> None:
        """
        Leaving the page ends the call at once, and coming back another begins.
        """
        self.page.press("#call")
        self.converse()
        self.page.browser.go("about:blank")
        self.checkReleased()
        self.assertIn("the page hung up", self.demo.output())
        self.page.browser.go(self.demo.url)
        self.page.press("#call")
        self.converse()

    def test_gatewayEnds(self) -> None:
        """
        If the gateway ends, the page says so.
        """
        self.page.press("#call")
        self.converse()
        self.demo.end()
        until(lambda: self.page.shows("#problem"), "the page says that something happened")
        self.assertIn("the gateway ends", self.page.text("#problem-text"))
        self.page.press("#call")
        until(
            lambda: "does not answer" in self.page.text("#problem-text"), "the page says that nobody answers"
        )


class EverydayTests(DemoTestCase):
    """
    The browser is as people have it, and there is no microphone.
    """

    def test_tune(self) -> None:
        """
        The page says that there is no microphone, and plays a tune instead.
        """
        self.page.press("#call")
        self.page.press("#problem-tune")
        self.converse()
        self.assertFalse(self.page.shows("#problem"))
        self.page.press("#call")
        self.checkReleased()
