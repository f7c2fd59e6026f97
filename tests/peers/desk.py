"""
A browser with data channels that carry MSRP, an MSRP endpoint over TCP for each
of them, and a controller that takes their descriptions to the gateway.
"""

import json
import os
import re
import tempfile
import uuid
from pathlib import Path
from typing import Any, ClassVar

from twisted.trial.unittest import SynchronousTestCase

from tests.peers import peers
from tests.peers.browsers import Chromium, Firefox, Pages
from tests.peers.deadline import until
from tests.peers.echophone import EchoPhone
from tests.peers.gateway import Gateway
from tests.peers.msrpfarend import MSRPFarEnd
from tests.peers.ng import NG

#: What the gateway is told beside what it is told for voice.
ROUTES = """
[[route]]
access = "msrp"
core = "msrp"
"""


def sections(sdp: str) -> list[str]:
    """
    The media sections of a description.
    """
    return re.split(r"(?=^m=)", sdp, flags=re.MULTILINE)[1:]


class DeskCase(SynchronousTestCase):
    """
    A test with a browser, far ends and the gateway.

    @cvar browserClass: the browser.
    """

    browserClass: ClassVar[type[Chromium] | type[Firefox]]
    #: A chunk of 100 MB with a browser beside it takes its time.
    timeout = 400

    def setUp(self) -> None:
        """
        Start everybody.
        """
        directory = tempfile.TemporaryDirectory(prefix="e2aegw-")
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        pages = Pages(peers.PAGE)
        self.addCleanup(pages.end)
        self.gateway = Gateway(self.directory, self.more())
        self.addCleanup(self.gateway.end)
        self.ng = NG(self.gateway.ngPort)
        self.addCleanup(self.ng.close)
        self.browser = self.browserClass(self.directory, f"{pages.url}channels.html")
        self.addCleanup(self.browser.end)
        self.label = uuid.uuid4().hex
        self.far: list[MSRPFarEnd] = []
        self.version = 0

    def more(self) -> str:
        """
        What else is in the gateway's configuration.
        """
        return ROUTES

    # What the controller does

    def tell(self, command: str, sdp: str, **keys: Any) -> str:
        """
        Give a description to the gateway.

        @return: what it makes of it.
        """
        tags = {"from_tag": keys.pop("tag", "browser")}
        if command == "answer":
            tags["to_tag"] = keys.pop("toTag", "far")
        reply = self.ng.command(command, call_id=self.label, sdp=sdp, **tags, **keys)
        self.assertEqual(reply["result"], "ok", reply)
        return str(reply["sdp"])

    def page(self, call: str, *arguments: Any) -> Any:
        """
        Have the page do something.
        """
        return self.browser.evaluate(f"desk.{call}({', '.join(map(json.dumps, arguments))})")

    def pageAtLength(self, seconds: float, call: str, *arguments: Any) -> Any:
        """
        Have the page do something that takes its time.
        """
        self.page("begin", call, *arguments)
        job = until(
            lambda: (found := self.page("outcome"))["over"] and found, call, seconds, explain=self.situation
        )
        self.assertIsNone(job["trouble"])
        return job["value"]

    def newFarEnd(self, **more: Any) -> MSRPFarEnd:
        """
        One more MSRP endpoint.
        """
        far = MSRPFarEnd(**more)
        self.addCleanup(far.end)
        self.far.append(far)
        return far

    def answerFor(self, offer: str, setup: str, telephone: EchoPhone | None = None) -> str:
        """
        What the core says to an offer.

        @param setup: which end of TCP the far ends are.
        """
        self.version += 1
        lines = f"v=0\r\no=- 1 {self.version} IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
        chats = 0
        for section in sections(offer):
            kind, port = section.split()[:2]
            if kind == "m=message" and port != "0":
                if chats == len(self.far):
                    self.newFarEnd(echoes=chats == 1)
                far = self.far[chats]
                lines += far.section(setup)
                if not far.remote:
                    far.begin(section, active=setup == "active")
            elif kind == "m=audio" and port != "0":
                self.assertIsNotNone(telephone)
                lines += f"m=audio {telephone.port} RTP/AVP 0\r\n"  # type: ignore[union-attr]
            else:
                lines += section.split("\r\n")[0].replace(port, "0", 1) + "\r\n"
            chats += kind == "m=message"
        return lines

    def call(
        self,
        *streams: int,
        setup: str = "passive",
        dtls: str = "",
        telephone: EchoPhone | None = None,
        **options: Any,
    ) -> str:
        """
        The browser calls.

        @param dtls: C{"passive"} makes the gateway the DTLS server.

        @return: the answer that it gets.
        """
        self.page("open", list(streams), options)
        return self.reoffer(setup, dtls, telephone)

    def reoffer(
        self, setup: str = "passive", dtls: str = "", telephone: EchoPhone | None = None, **flags: Any
    ) -> str:
        """
        The browser offers.

        @return: the answer that it gets.
        """
        more = {"DTLS": dtls} if dtls else {}
        offer = self.fromHere(self.page("offer"))
        self.core = self.tell("offer", offer, direction=["external", "internal"], **flags)
        answer = self.tell("answer", self.answerFor(self.core, setup, telephone), **more)
        self.page("accept", self.onTheWay(answer))
        return answer

    def fromHere(self, offer: str) -> str:
        """
        What becomes of the browser's description on its way to the gateway.
        """
        return offer

    def onTheWay(self, answer: str) -> str:
        """
        What becomes of the gateway's description on its way to the browser.
        """
        return answer

    def counters(self) -> dict[str, int]:
        """
        What the gateway counted on the browser's side, all lines together.
        """
        found: dict[str, int] = {}
        query = self.ng.command("query", call_id=self.label, flags=["all-counters"])
        for media in query["tags"]["browser"]["medias"]:
            for stream in media["streams"]:
                found.update(stream.get("counters", {}))
        return found

    def opened(self, *streams: int) -> None:
        """
        Wait for channels to be open.
        """
        until(
            lambda: all(self.page("state").get(str(stream)) == "open" for stream in streams),
            "the channels are open",
            explain=self.situation,
        )

    def situation(self) -> str:
        """
        What helps to understand a failure.
        """
        return (
            f"{self.page('state')} {self.page('trouble')} {self.page('statistics')}"
            f" {[each.trouble for each in self.far]} {self.gateway.output()[-2000:]}"
        )

    def exchange(self, stream: int, far: MSRPFarEnd, size: int, seconds: float = 60) -> None:
        """
        Send so many octets each way, and compare.
        """
        sent = self.pageAtLength(seconds, "send", stream, size)
        self.assertEqual(far.awaitMessage(seconds), sent, self.situation())
        sent = far.say(self.noise(size))
        self.assertEqual(self.pageAtLength(seconds, "next", stream), sent, self.situation())
        self.assertEqual(self.page("trouble"), [])
        self.assertEqual(far.trouble, [])

    def noise(self, size: int) -> bytes:
        """
        So many octets that nobody has seen before.
        """
        return os.urandom(size)

    def hangUp(self) -> None:
        """
        End the call.
        """
        self.ng.command("delete", call_id=self.label, from_tag="browser")
