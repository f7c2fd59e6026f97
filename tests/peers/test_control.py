"""
The gateway's control socket, as a SIP proxy meets it.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.peers import kamailio, messages
from tests.peers.baresip import Baresip
from tests.peers.deadline import until
from tests.peers.gateway import Gateway
from tests.peers.kamailio import Kamailio
from tests.peers.ng import NG, decode, encode
from tests.peers.peers import BARESIP, KAMAILIO, needs

OFFER = {
    "command": "offer",
    "call-id": "call",
    "from-tag": "ann",
    "sdp": messages.telephone(host=messages.ANN),
}


class ControlTests(SynchronousTestCase):
    """
    Messages over a real socket.
    """

    def setUp(self) -> None:
        """
        Have a place for files.
        """
        directory = tempfile.TemporaryDirectory(prefix="e2aegw-")
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)

    def start(self, more: str = "", count: int = 100) -> NG:
        """
        Start a gateway.

        @return: a client of it.
        """
        self.gateway = Gateway(self.directory, more, count)
        self.addCleanup(self.gateway.end)
        client = NG(self.gateway.ngPort)
        self.addCleanup(client.close)
        return client

    def offer(self, client: NG, callID: str, **keys: Any) -> dict[str, Any]:
        """
        Make an offer that opens ports on both sides.
        """
        return client.request({**OFFER, "call-id": callID, **keys})

    def test_cookieRepeated(self) -> None:
        """
        A message with a cookie that was there before gets the reply that was
        given then, whatever it says now.
        """
        client = self.start()
        first = client.raw(b"c1 " + encode(OFFER))
        self.assertEqual(client.raw(b"c1 " + encode(OFFER)), first)
        self.assertEqual(client.raw(b"c1 " + encode({"command": "ping"})), first)
        self.assertEqual(decode(client.raw(b"c2 " + encode({"command": "ping"}))[3:]), {"result": "pong"})
        self.assertEqual(client.command("list")["calls"], ["call"])

    def test_cookieOfOneIsNotAnothers(self) -> None:
        """
        Messages that overtake each other get the replies to their own cookies.
        """
        client = self.start()
        client.send(b"a " + encode(OFFER))
        client.send(b"b " + encode({"command": "ping"}))
        replies = dict(client.receive().split(b" ", 1) for _ in range(2))
        self.assertEqual(decode(replies[b"b"]), {"result": "pong"})
        self.assertEqual(decode(replies[b"a"])["result"], "ok")

    def test_offerRepeated(self) -> None:
        """
        The same offer under another cookie, as a retransmitted INVITE makes
        it, has the same result.
        """
        client = self.start()
        self.assertEqual(self.offer(client, "call"), self.offer(client, "call"))

    def test_JSON(self) -> None:
        """
        Who asks in JSON is answered in JSON, and means the same calls.
        """
        client = self.start()
        reply = client.request(OFFER, asJSON=True)
        self.assertEqual(reply["sdp"], client.request(OFFER)["sdp"])
        self.assertEqual(json.loads(client.raw(b"j " + b'{"command": "ping"}')[2:]), {"result": "pong"})

    def test_keysRepeated(self) -> None:
        """
        Of a key that stands twice, as Kamailio sends it, the later one holds.
        """
        client = self.start()
        reply = client.request(
            (*OFFER.items(), ("transport-protocol", "RTP/SAVP"), ("transport-protocol", "RTP/AVPF"))
        )
        self.assertIn(" RTP/AVPF ", reply["sdp"])

    def test_unknownCall(self) -> None:
        """
        What is asked about a call that nobody knows is answered at once.
        """
        client = self.start()
        deleted = client.command("delete", call_id="nobody's", from_tag="x")
        self.assertEqual(deleted["result"], "ok")
        self.assertEqual(deleted["warning"], "Call-ID not found or tags didn't match")
        for command in ("query", "answer"):
            reply = client.command(command, call_id="nobody's", from_tag="x", to_tag="y", sdp=OFFER["sdp"])
            self.assertEqual(reply, {"result": "error", "error-reason": "Unknown call-id"})

    def test_garbage(self) -> None:
        """
        Garbage is answered with an error, or not at all, and the next message
        is heard.
        """
        client = self.start()
        for datagram in (b"", b" ", b"x", b"\xff" * 3000, b" d7:command4:pinge"):
            client.send(datagram)
        bodies = (b"", b"x", b"d", b"d7:commandi1ee", b"l4:pinge", b"[]", b"d99999999999:", b"\xff\xfe")
        for number, body in enumerate(bodies):
            reply = client.raw(b"g%d " % number + body).partition(b" ")[2]
            self.assertEqual(decode(reply)["result"], "error", body)
        for number, body in enumerate((b"{}", b'{"command": 1}', b'{"command": "offer", "sdp": {}}')):
            reply = client.raw(b"h%d " % number + body).partition(b" ")[2]
            self.assertEqual(json.loads(reply)["result"], "error", body)
        self.assertTrue(client.alive())

    def test_sessionLimit(self) -> None:
        """
        One call too many is refused in the words on which SIP proxies try the
        next gateway.
        """
        client = self.start("[limits]\ncalls = 1\n")
        self.assertEqual(self.offer(client, "1")["result"], "ok")
        refused = {"result": "error", "error-reason": "Parallel session limit reached"}
        self.assertEqual(self.offer(client, "2"), refused)
        client.command("delete", call_id="1", from_tag="ann")
        self.assertEqual(self.offer(client, "2")["result"], "ok")

    def test_portsRunOut(self) -> None:
        """
        A call for which there are no ports is refused in the words on which
        SIP proxies try the next gateway, and leaves nothing behind.
        """
        client = self.start(count=4)
        results = [self.offer(client, str(number)) for number in range(4)]
        self.assertEqual([reply["result"] for reply in results], ["ok", "ok", "error", "error"])
        self.assertEqual(results[-1], {"result": "error", "error-reason": "Ran out of ports"})
        self.assertEqual(sorted(client.command("list")["calls"]), ["0", "1"])
        client.command("delete", call_id="0", from_tag="ann")
        self.assertEqual(self.offer(client, "5")["result"], "ok")

    def test_endsWithCalls(self) -> None:
        """
        The gateway ends in good order while there are calls.
        """
        client = self.start()
        for number in range(20):
            self.assertEqual(self.offer(client, str(number))["result"], "ok")
        self.gateway.end()


@needs(KAMAILIO, BARESIP)
class FailoverTests(SynchronousTestCase):
    """
    Kamailio with two gateways, the first of which takes no calls.
    """

    def call(self, more: str = "", taken: bool = False) -> None:
        """
        Let a telephone call another, and check that the second gateway has
        the call.

        @param more: what else is in the first's configuration.
        @param taken: whether the first's only port is taken.
        """
        temporary = tempfile.TemporaryDirectory(prefix="e2aegw-")
        self.addCleanup(temporary.cleanup)
        directory = Path(temporary.name)
        full = Gateway(directory / "full", more, 2)
        self.addCleanup(full.end)
        idle = Gateway(directory / "idle")
        self.addCleanup(idle.end)
        clients = [NG(each.ngPort) for each in (full, idle)]
        for client in clients:
            self.addCleanup(client.close)
        if taken:
            self.assertEqual(clients[0].request(OFFER)["result"], "ok")
        # Kamailio chooses by a hash of the Call-ID; so it is nearly always the first.
        nodes = f"{kamailio.node(full.ngPort, 1000)} {kamailio.node(idle.ngPort)}"
        proxy = Kamailio(directory, nodes)
        self.addCleanup(proxy.end)
        phones = []
        for name in ("ann", "ben"):
            phones.append(Baresip(directory / name, proxy.domain, name))
            self.addCleanup(phones[-1].end)
        ann, ben = phones
        ann.call(ben.uri)
        until(lambda: ben.happened("CALL_RTPESTAB") and ann.happened("CALL_RTPESTAB"), "both hear something")
        self.assertEqual(len(clients[1].command("list")["calls"]), 1)
        ann.hangUp()
        until(lambda: clients[1].command("list")["calls"] == [], "the call is forgotten")

    def test_sessionLimit(self) -> None:
        """
        Kamailio goes on to the next gateway when the first has calls enough.
        """
        self.call("[limits]\ncalls = 0\n")

    def test_portsRunOut(self) -> None:
        """
        Kamailio goes on to the next gateway when the first has no ports left.
        """
        self.call(taken=True)
