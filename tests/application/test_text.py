"""
Applications that read and write real-time text.
"""

from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from e2aegw.application import ApplicationFactory
from e2aegw.interfaces import IAdapter
from e2aegw.sansio.sdp import Description
from e2aegw.sansio.t140 import Run
from e2aegw.testing import MemoryAdapter
from tests.application.test_application import SIDES, Listener, example
from tests.gateway.test_session_text import HEAD, RED, TextTestCase
from tests.gateway.textphone import TextPhone

NEW_LINE = "\N{LINE SEPARATOR}"


class TextAdapterTests(SynchronousTestCase):
    """
    L{e2aegw.application.adapter.TextAdapter}.
    """

    def setUp(self) -> None:
        """
        An adapter between an application and a peer.
        """
        self.listener = Listener()
        self.adapter: Any = ApplicationFactory("text", lambda: self.listener).buildAdapter("RTP/AVP")
        self.peer = self.adapter.peer = MemoryAdapter("text")
        self.adapter.makeConnection(None)

    def test_interface(self) -> None:
        """
        It is an adapter of text.
        """
        self.assertTrue(IAdapter.providedBy(self.adapter))
        self.assertEqual(self.adapter.medium, "text")

    def test_heard(self) -> None:
        """
        The application hears UTF-8, also of what no UTF-8 can be made of.
        """
        for text in ("\N{EURO SIGN}", "\ud800"):
            self.adapter.sendUnit(Run(text))
        self.assertEqual(self.listener.heard, [b"\xe2\x82\xac", b"?"])
        self.assertEqual((self.adapter.packetsSent, self.adapter.octetsSent), (2, 4))

    def test_cut(self) -> None:
        """
        A character may be written in pieces, and arrives whole.
        """
        self.adapter.writeSequence([b"a\xe2", b"\x82", b"\xacb"])
        self.assertEqual([unit.text for unit in self.peer.units], ["a", "\N{EURO SIGN}b"])

    def test_over(self) -> None:
        """
        After the end both directions are counted, and nothing else.
        """
        self.adapter.loseConnection()
        self.adapter.write(b"late")
        self.adapter.sendUnit(Run("late"))
        self.assertEqual((self.listener.heard, self.peer.units), ([], []))
        self.assertEqual(self.adapter.counters, {"dropped nobody there": 2})


class TextBotTests(TextTestCase):
    """
    The manual's text bot.
    """

    def setUp(self) -> None:
        """
        Put it on the core side.
        """
        super().setUp()
        self.bot = example("textbot")
        self.gateway.stopService()
        self.gateway = self.bot.makeBot(self.clock, SIDES, network=self.network)
        self.gateway.startService()

    def talk(self, offer: str) -> Any:
        """
        Call it.

        @return: the line of the answer.
        """
        called = Deferred.fromCoroutine(self.bot.talk(self.gateway, "bot", offer))
        self.session.close()
        self.session, said = self.successResultOf(called)
        [section] = Description.parse(said).sections
        return section

    def test_browser(self) -> None:
        """
        A browser types in a data channel, takes a character back, and reads
        what the bot says.
        """
        self.browser.line(0, "fmtp:t140 cps=20")
        self.accept(self.talk(self.browser.offer()))
        for each in ("hex", "\b", "l", "lo", NEW_LINE):
            self.browser.type(each)
            self.network.advance(0.3)
        self.network.advance(3)
        self.assertEqual(self.browser.heard(), f"HELLO!{NEW_LINE}")

    def test_telephone(self) -> None:
        """
        A telephone types in RTP with redundancy, and a lost packet does not
        matter.
        """
        phone = TextPhone(self.network, ("198.51.100.8", 7000))
        self.phones.append(phone)
        lines = ["m=text 7000 RTP/AVP 98 100", "c=IN IP4 198.51.100.8", *RED, ""]
        section = self.talk("\r\n".join([*HEAD, *lines]))
        self.assertEqual((section.proto, section.formats), ("RTP/AVP", ("98", "100")))
        phone.remote = (str(section.address), section.port)
        for number, each in enumerate(("h", "i", NEW_LINE)):
            phone.say(each, marker=not number, lost=number == 1)
            self.network.advance(0.3)
        self.network.advance(3)
        self.assertEqual(phone.text, f"HI!{NEW_LINE}")

    def test_ends(self) -> None:
        """
        With the call its ports are free.
        """
        self.browser.line(0)
        self.accept(self.talk(self.browser.offer()))
        self.assertEqual(self.gateway.portsLent, 1)
        self.session.close()
        self.assertEqual(self.gateway.portsLent, 0)
