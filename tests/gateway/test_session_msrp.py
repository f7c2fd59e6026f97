"""
MSRP in calls: what the two parties see of each other and of the gateway.
"""

import re
from typing import Any, ClassVar

from twisted.internet.task import Clock

from e2aegw.adapter import msrp
from e2aegw.gateway.service import Route
from e2aegw.sansio.sdp import Description, Section
from tests.adapter.msrppeer import Endpoint
from tests.gateway.fixture import ROUTES
from tests.gateway.test_session_channels import ChannelTestCase
from tests.transport.connection import join


class MSRPCallTestCase(ChannelTestCase):
    """
    A browser with one chat, and the first connection to the core.
    """

    def call(self) -> tuple[Section, Section]:
        """
        Connect them.

        @return: what the core got, and what the browser got.
        """
        (core,) = self.offered(self.browser.offer(0))
        (answer,) = self.answered([core])
        self.browser.accept(answer)
        self.connect()
        return core, answer


class BackToBackTests(MSRPCallTestCase):
    """
    The gateway is an endpoint on both sides.
    """

    def test_R_75_ownPathOnEachLeg(self) -> None:
        """
        The path in each description is the gateway's on that leg, and its port
        is that of the line.
        """
        core, answer = self.call()
        self.assertRegex(core.get("path") or "", rf"^msrp://203\.0\.113\.1:{core.port}/[^;]+;tcp$")
        path = self.browser.chats[0].path
        self.assertRegex(path, rf"^msrps://198\.51\.100\.1:{answer.port}/[^;]+;dc$")

    def test_R_76_onlyPathsChange(self) -> None:
        """
        A message arrives with other paths, and with everything else as it was.
        """
        self.call()
        body = bytes(range(256)) + b"\r\n-------nothing$\r\n"
        near = self.browser.chats[0]
        near.say(body, "id1", "X-Odd:  two  blanks", "Success-Report: yes")
        self.network.flush()
        heard = self.far[0].requests[-1]
        self.assertEqual((heard["To-Path"], heard["From-Path"]), (self.far[0].uri, self.far[0].path))
        self.assertEqual(heard["Message-ID"], "id1")
        self.assertEqual(heard["Byte-Range"], f"1-{len(body)}/{len(body)}")
        self.assertIn(b"\r\nX-Odd:  two  blanks\r\n", heard.raw)
        self.assertEqual(heard.body, body)

    def test_R_77_wrongPath(self) -> None:
        """
        A request for another session is answered with 481, and crosses to
        nobody.
        """
        self.call()
        far = self.far[0]
        far.request("SEND", ["Message-ID: x", "Byte-Range: 1-1/1"], b"x", to=far.path + "x")
        self.network.flush()
        self.assertEqual(far.responses[-1].what[:3], b"481")
        self.assertEqual(self.browser.chats[0].complete, [])

    def test_R_81_divided(self) -> None:
        """
        A chunk from TCP that is longer than a message of the channel may be is
        divided, and its ranges are right.
        """
        self.call()
        self.browser.chats[0].requests.clear()
        body = bytes(500_000)
        self.far[0].say(body, "long")
        self.network.flush()
        near = self.browser.chats[0]
        self.assertEqual(near.messages["long"], body)
        self.assertGreater(len(near.requests), 1)
        end = 0
        for heard in near.requests:
            first, last, total = map(int, re.split("[-/]", heard["Byte-Range"]))
            self.assertEqual((first, total), (end + 1, len(body)))
            self.assertEqual(last - first + 1, len(heard.body or b""))
            self.assertEqual(heard.flag, b"$" if last == total else b"+")
            self.assertLessEqual(len(heard.raw), 262144)
            end = last

    def test_R_82_activeBegins(self) -> None:
        """
        The gateway, which connected, begins with a SEND that says nothing; the
        browser's own first SEND is not needed for that.
        """
        self.call()
        first = self.connections[0].value()
        self.assertRegex(first, rb"^MSRP \S+ SEND\r\nTo-Path: " + re.escape(self.far[0].uri).encode())
        self.assertNotIn(b"\r\n\r\n", first)

    def test_R_83_relaysInThePath(self) -> None:
        """
        Where the core has relays, To-Path has all of them in their order.
        """
        (core,) = self.offered(self.browser.offer(0))
        relays = "msrp://203.0.113.8:9000/relay;tcp msrp://203.0.113.7:2855/far;tcp"
        lines = ["v=0", "o=- 2 2 IN IP4 203.0.113.7", "s=-", "c=IN IP4 203.0.113.7", "t=0 0"]
        lines += ["m=message 2855 TCP/MSRP *", "a=setup:passive", "a=accept-types:*", f"a=path:{relays}", ""]
        self.result(self.session.answer("\r\n".join(lines)))
        self.clock.advance(0)
        reactor: Any = self.clock
        host, port, factory, *_ = reactor.tcpClients.pop(0)
        self.assertEqual((host, port), ("203.0.113.8", 9000))
        connection = join(factory.buildProtocol(None))
        assert connection is not None
        self.assertIn(f"To-Path: {relays}\r\n".encode(), connection.value())
        self.assertEqual(core.media, "message")

    def test_R_79_cemaMissingInTheAnswer(self) -> None:
        """
        The browser always says that it has CEMA; the core does not, and gets
        the gateway's own path.
        """
        core, _ = self.call()
        self.assertFalse(core.has("msrp-cema"))
        self.assertNotIn("browser0", core.get("path") or "")
        self.assertChat(0, 0)


class AgainTests(MSRPCallTestCase):
    """
    A session whose far end is another one after a while, or that is to go on
    after its connection ended.
    """

    def again(self, far: Endpoint, port: int, version: int) -> None:
        """
        The browser offers anew, and this far end answers and is reached.
        """
        (core,) = self.offered(self.browser.offer(0, version=version))
        far.path = core.get("path") or ""
        lines = ["v=0", f"o=- 2 {version} IN IP4 203.0.113.7", "s=-", "c=IN IP4 203.0.113.7", "t=0 0"]
        lines += [f"m=message {port} TCP/MSRP *", "a=setup:passive", "a=accept-types:*", f"a=path:{far.uri}"]
        (answer,) = Description.parse(self.result(self.session.answer("\r\n".join([*lines, ""])))).sections
        self.browser.accept(answer)
        self.clock.advance(0)
        reactor: Any = self.clock
        ((host, at, factory, *_),) = reactor.tcpClients
        reactor.tcpClients.clear()
        self.assertEqual((host, at), ("203.0.113.7", port))
        connection = join(factory.buildProtocol(None))
        assert connection is not None
        far.send = connection.protocol.dataReceived
        connection.write = far.receive  # type: ignore[method-assign]
        self.far[0] = far
        self.network.flush()

    def test_moved(self) -> None:
        """
        An answer from another far end: the chat goes on there, and not with
        the first one, whose connection ends.
        """
        self.call()
        self.assertChat(0, 0)
        first = self.connections[0]
        self.again(Endpoint("msrp://203.0.113.7:2860/other;tcp"), 2860, 2)
        self.assertFalse(first.connected)
        self.assertChat(0, 0)

    def test_lost(self) -> None:
        """
        The far end's connection ends, and so does the channel; a new offer
        brings both back (RFC 4975 clause 5.4).
        """
        self.call()
        share = self.browser.shares[0]
        self.connections[0].abortConnection()
        self.network.flush()
        self.assertFalse(share.connected)
        self.browser.carrier.revive(share)
        self.again(Endpoint("msrp://203.0.113.7:2855/far0;tcp"), 2855, 2)
        self.assertTrue(share.connected)
        self.assertChat(0, 0)


class RelayTests(MSRPCallTestCase):
    """
    Both parties have CEMA, and the gateway relays.
    """

    routes: ClassVar[tuple[Route, ...]] = (
        *ROUTES,
        Route(msrp.Factory(relay="always", clock=Clock()), msrp.Factory(relay="always", clock=Clock())),
    )

    def call(self) -> tuple[Section, Section]:
        """
        Connect them.

        @return: what the core got, and what the browser got.
        """
        (core,) = self.offered(self.browser.offer(0))
        self.far.append(Endpoint("msrp://203.0.113.7:2855/far;tcp"))
        lines = ["v=0", "o=- 2 2 IN IP4 203.0.113.7", "s=-", "c=IN IP4 203.0.113.7", "t=0 0"]
        lines += ["m=message 2855 TCP/MSRP *", "a=setup:passive", "a=accept-types:*", "a=msrp-cema"]
        lines += [f"a=path:{self.far[0].uri}", ""]
        (answer,) = Description.parse(self.result(self.session.answer("\r\n".join(lines)))).sections
        self.far[0].path = core.get("path") or ""
        self.browser.accept(answer)
        self.connect()
        return core, answer

    def test_R_78_cemaUnchanged(self) -> None:
        """
        Paths and set-up are each other's, and not an octet of a message
        changes.
        """
        core, answer = self.call()
        self.assertEqual(core.get("path"), self.browser.chats[0].uri)
        self.assertEqual(self.browser.chats[0].path, self.far[0].uri)
        self.assertTrue(core.has("msrp-cema"))
        self.assertEqual(core.get("setup"), "active")
        self.assertIn("0 msrp-cema", answer.all("dcsa"))
        near = self.browser.chats[0]
        sent: list[bytes] = []
        send = near.send
        near.send = lambda data: (sent.append(data), send(data))[1]  # type: ignore[func-returns-value]
        near.say(b"as it is", "id1", "X-Odd:  two  blanks")
        self.network.flush()
        self.assertEqual(self.far[0].requests[-1].raw, sent[0])
