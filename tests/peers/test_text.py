"""
A browser's data channel and a text telephone talk through the gateway.
"""

import re
from pathlib import Path
from typing import ClassVar

from twisted.trial.unittest import SynchronousTestCase

from tests.peers.browsers import Chromium, Firefox, Pages
from tests.peers.deadline import until
from tests.peers.gateway import Gateway
from tests.peers.ng import NG
from tests.peers.peers import CHROMIUM, FIREFOX, MEDIASTREAMER, PAGE, needs
from tests.peers.ports import freeRange
from tests.peers.textphone import TextPhone, build

#: The page's part: a connection with one channel, and what comes in it.
_OFFER = """(async () => {
  window.heard = "";
  window.pc = new RTCPeerConnection();
  window.line = pc.createDataChannel("", { protocol: "t140", ...%s });
  line.onmessage = (event) => { heard += event.data; };
  await pc.setLocalDescription();
  while (pc.iceGatheringState !== "complete") {
    await new Promise((done) => { pc.onicegatheringstatechange = done; });
  }
  return pc.localDescription.sdp;
})()"""
_ANSWER = """(async () => {
  await pc.setRemoteDescription({ type: "answer", sdp: %r });
  if (line.readyState !== "open") {
    await new Promise((done) => { line.onopen = done; });
  }
  return line.readyState;
})()"""
_TYPE = """(async () => {
  for (const key of %r) {
    line.send(key);
    await new Promise((done) => setTimeout(done, 60));
  }
})()"""
_DESCRIBED = 'a=dcmap:0 subprotocol="t140"\r\na=dcsa:0 fmtp:t140 cps=30\r\n'
_ROUTE = '[[route]]\naccess = "text"\ncore = "text"\n'


class TextCase(SynchronousTestCase):
    """
    A call of text.

    @cvar browserClass: the browser.
    """

    timeout: ClassVar[int] = 120
    browserClass: ClassVar[type[Chromium] | type[Firefox]]

    def setUp(self) -> None:
        """
        Start everything.
        """
        self.directory = Path(self.mktemp())
        self.directory.mkdir(parents=True)
        self.directory = self.directory.resolve()
        self.gateway = Gateway(self.directory / "gateway", _ROUTE)
        self.addCleanup(self.gateway.end)
        self.ng = NG(self.gateway.ngPort)
        self.addCleanup(self.ng.close)
        pages = Pages(PAGE)
        self.addCleanup(pages.end)
        self.browser = self.browserClass(self.directory, pages.url)
        self.addCleanup(self.browser.end)
        self.program = build(self.directory)

    def converse(self, red: int, *, inBand: bool = False) -> None:
        """
        Let both type, and see what each hears.

        @param red: the telephone's payload type of redundancy, or 0.
        @param inBand: whether the page opens its channel without a word in the
            description.
        """
        sdp = self.browser.evaluate(_OFFER % ("{}" if inBand else "{ negotiated: true, id: 0 }"))
        more: dict[str, object] = {"channels": ["t140"]} if inBand else {}
        sdp += "" if inBand else _DESCRIBED
        here = freeRange(2)
        offered = self.ng.command(
            "offer",
            call_id="text",
            from_tag="ann",
            sdp=sdp,
            ICE="remove",
            direction=["access", "core"],
            replace=["origin", "session-connection"],
            **more,
        )
        self.assertEqual(offered["result"], "ok", offered)
        core = offered["sdp"]
        self.assertNotIn("dcmap", core)
        found = re.search(r"m=text (\d+) RTP/AVP 98 100\r\n", core)
        assert found is not None, core
        self.assertEqual("a=fmtp:98 cps=30\r\n" in core, not inBand)
        lines = ["v=0", "o=ben 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0"]
        lines += [f"m=text {here} RTP/AVP {'98 100' if red else '98'}", "a=rtpmap:98 t140/1000"]
        if red:
            lines += ["a=rtpmap:100 red/1000", "a=fmtp:100 98/98/98"]
        answered = self.ng.command(
            "answer",
            call_id="text",
            from_tag="ann",
            to_tag="ben",
            sdp="\r\n".join([*lines, ""]),
            replace=["origin", "session-connection"],
        )
        self.assertEqual(answered["result"], "ok", answered)
        typed, answer = "Hello from the browser, \N{SNOWMAN}!", "and hello from the telephone"
        phone = TextPhone(self.program, here, int(found[1]), 98, red, answer)
        self.addCleanup(phone.end)
        self.assertEqual(self.browser.evaluate(_ANSWER % answered["sdp"]), "open")
        self.browser.evaluate(_TYPE % typed)
        until(lambda: phone.heard() == typed, "the telephone hears", explain=lambda: ascii(phone.heard()))
        until(lambda: self.heard() == answer, "the browser hears", explain=lambda: ascii(self.heard()))
        self.ng.command("delete", call_id="text", from_tag="ann")

    def heard(self) -> str:
        """
        What the browser has heard.
        """
        return str(self.browser.evaluate("heard"))


@needs(CHROMIUM, MEDIASTREAMER)
class ChromiumTests(TextCase):
    """
    Chromium and the telephone.
    """

    browserClass = Chromium

    def test_R_85_withRedundancy(self) -> None:
        """
        With redundancy towards the telephone, and from it.
        """
        self.converse(100)

    def test_R_85_withoutRedundancy(self) -> None:
        """
        With a telephone that has none.
        """
        self.converse(0)

    def test_R_70_inBand(self) -> None:
        """
        In a channel that the page opens without describing it.
        """
        self.converse(100, inBand=True)


@needs(FIREFOX, MEDIASTREAMER)
class FirefoxTests(TextCase):
    """
    Firefox and the telephone.
    """

    browserClass = Firefox

    def test_R_85_described(self) -> None:
        """
        In a channel of the description, with redundancy.
        """
        self.converse(100)

    def test_R_70_inBand(self) -> None:
        """
        In a channel that the page opens without describing it.
        """
        self.converse(100, inBand=True)
