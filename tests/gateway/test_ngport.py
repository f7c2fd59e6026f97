"""
What a datagram gets for a reply.
"""

from typing import Any, cast

import bencodepy
import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import DatagramProtocol
from twisted.trial.unittest import SynchronousTestCase, TestCase

from e2aegw.errors import ConfigError
from e2aegw.gateway.control import NGControl
from tests.gateway.sipproxy import SDP, FakeGateway, Proxy

KEYS = [
    *("call-id", "from-tag", "to-tag", "via-branch", "sdp", "flags", "rtpp-flags", "supports"),
    *("direction", "ICE", "TOS", "received from", "e2ae", "codec", "delete delay", "limit"),
]


class Framing(SynchronousTestCase):
    """
    What is sent for which bytes.
    """

    def test_ping(self) -> None:
        """
        A ping is answered, with its cookie and to its sender.
        """
        proxy = Proxy()
        proxy.send(b"1_2_3 d7:command4:pinge", ("192.0.2.7", 99))
        self.assertEqual(proxy.transport.handle.sent, [(b"1_2_3 d6:result4:ponge", ("192.0.2.7", 99))])

    def test_json(self) -> None:
        """
        JSON is answered in JSON.
        """
        self.assertEqual(Proxy().send(b'x {"command": "ping"}'), [b'x {"result":"pong"}'])

    def test_errors(self) -> None:
        """
        What cannot be read gets rtpengine's words for it.
        """
        for request, reason in [
            (b"a ", "Invalid data (no payload)"),
            (b"b foo", "Invalid NG data format"),
            (b"c  d7:command4:pinge", "Invalid NG data format"),
            (b"d d7:command", "Could not decode bencode dictionary"),
            (b"e de", 'Dictionary contains no key "command"'),
            (b"f d7:command3:fooe", "Unrecognized command"),
            (b"g d7:commandi1ee", 'Dictionary contains no key "command"'),
        ]:
            expected = {b"result": b"error", b"error-reason": reason.encode()}
            (reply,) = Proxy().send(request)
            cookie, _, body = reply.partition(b" ")
            self.assertEqual((cookie, bencodepy.decode(body)), (request[:1], expected), request)
        self.assertEqual(
            Proxy().send(b"h {"), [b'h {"result":"error","error-reason":"Failed to parse JSON document"}']
        )

    def test_noCookie(self) -> None:
        """
        What has no cookie gets no reply.
        """
        proxy = Proxy()
        for datagram in (b"", b"x", b" d7:command4:pinge"):
            self.assertEqual(proxy.send(datagram), [])
        self.assertEqual(proxy.control.counters["ignored"], 3)

    def test_repetition(self) -> None:
        """
        The same cookie again gets the same reply and begins nothing.
        """
        proxy = Proxy()
        request = b"7 " + bencodepy.encode({"command": "offer", "call-id": "c", "from-tag": "A", "sdp": SDP})
        first = proxy.send(request)
        proxy.clock.advance(29)
        self.assertEqual(proxy.send(request), first)
        self.assertEqual([len(s.log) for s in proxy.sessions], [1])

    def test_repetitionUnderWay(self) -> None:
        """
        A repetition of a request under way waits, and then both are answered.
        """
        proxy = Proxy()
        proxy.gateway.slow = True
        request = b"7 " + bencodepy.encode({"command": "offer", "call-id": "c", "from-tag": "A", "sdp": SDP})
        self.assertEqual(proxy.send(request) + proxy.send(request), [])
        (session,) = proxy.sessions
        assert session.pending is not None
        session.pending[0].callback("")
        self.assertEqual(len(proxy.transport.handle.sent), 2)
        self.assertEqual(len(set(proxy.transport.handle.sent)), 1)
        self.assertEqual(len(session.log), 1)

    def test_otherController(self) -> None:
        """
        The same cookie from another address is another request.
        """
        proxy = Proxy()
        proxy.send(b"7 d7:command4:pinge")
        self.assertEqual(
            proxy.send(b"7 d7:command4:liste", ("192.0.2.8", 5555)), [b"7 d5:callsle6:result2:oke"]
        )

    def test_pingWhileBusy(self) -> None:
        """
        A slow translation holds up nobody.
        """
        proxy = Proxy()
        proxy.gateway.slow = True
        cookie = proxy.say("offer", call_id="c", from_tag="A", sdp=SDP)
        self.assertEqual(proxy.ask("ping"), {"result": "pong"})
        self.assertEqual(proxy.replies(cookie), [])

    def test_longReply(self) -> None:
        """
        A reply that no datagram holds is an error.
        """
        proxy = Proxy()
        for n in range(300):
            proxy.offer(callID=f"{n:0250}")
        reply = proxy.ask("list", limit=300)
        self.assertEqual(reply["result"], "error")
        self.assertEqual(len(proxy.ask("list", limit=200)["calls"]), 200)

    def test_sendFails(self) -> None:
        """
        A reply that the system does not take is counted.
        """
        proxy = Proxy()
        proxy.transport.handle.error = OSError(90, "too long")
        proxy.send(b"1 d7:command4:pinge")
        self.assertEqual(proxy.control.counters["replies not sent"], 1)

    def test_portClosed(self) -> None:
        """
        A reply that is ready when the port is closed is dropped.
        """
        proxy = Proxy()
        proxy.gateway.slow = True
        proxy.say("offer", call_id="c", from_tag="A", sdp=SDP)
        proxy.port.transport = None
        (session,) = proxy.sessions
        assert session.pending is not None
        session.pending[0].callback("")
        self.assertEqual(proxy.transport.handle.sent, [])

    def test_ourMistake(self) -> None:
        """
        If not even an error can be replied, that is logged, and the port goes
        on.
        """
        proxy = Proxy()
        proxy.control.counters = cast(Any, None)
        self.assertEqual(proxy.send(b"1 d7:command4:pinge"), [])
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)

    def test_fragmentation(self) -> None:
        """
        The socket lets the network fragment replies.
        """
        self.assertIn((0, 10, 0), Proxy().transport.handle.options)

    @settings(deadline=None, max_examples=150)
    @given(st.binary(max_size=200))
    def test_anyBytes(self, data: bytes) -> None:
        """
        Any bytes get a reply or are ignored, and leave no call behind.
        """
        proxy = Proxy()
        replies = proxy.send(data) + proxy.send(b"c d7:command" + data) + proxy.send(b"d {" + data)
        self.assertTrue(all(b" " in r for r in replies))
        self.assertEqual(proxy.sessions, [])

    @settings(deadline=None, max_examples=150)
    @given(
        st.sampled_from(["offer", "answer", "delete", "query", "list", "statistics", "ping"]),
        st.dictionaries(
            st.sampled_from(KEYS),
            st.recursive(
                st.text(max_size=8) | st.integers(-(2**70), 2**70) | st.booleans() | st.none(),
                lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=3), v, max_size=3),
                max_leaves=6,
            ),
        ),
    )
    def test_anyValues(self, command: str, keys: dict[str, Any]) -> None:
        """
        Keys with values of any type get a reply.
        """
        proxy = Proxy()
        request = msgspec.json.encode({**keys, "command": command})
        (reply,) = proxy.send(b"1 " + request)
        self.assertIn("result", msgspec.json.decode(reply[2:]))
        proxy.ask("query", call_id="c")
        for call in proxy.clock.getDelayedCalls():
            call.cancel()


class Listening(TestCase):
    """
    Real sockets.
    """

    async def test_loopback(self) -> None:
        """
        The reply comes from the address that the request went to, in either
        family, however long it is.
        """
        control = NGControl(reactor, FakeGateway(), [("127.0.0.1", 0), ("::1", 0)])
        control.startService()
        self.addCleanup(control.stopService)
        for host, port in control.boundAddresses:
            answered: Deferred[tuple[bytes, Any]] = Deferred()

            class Client(DatagramProtocol):
                """
                Connected, so the kernel drops replies from elsewhere.
                """

                def datagramReceived(self, data: bytes, addr: Any) -> None:
                    """
                    A reply.
                    """
                    answered.callback((data, addr))  # noqa: B023

            client = Client()
            listening = cast(Any, reactor).listenUDP(0, client, interface=host, maxPacketSize=65536)
            self.addCleanup(listening.stopListening)
            transport = cast(Any, client.transport)
            transport.connect(host, port)
            padding = b"d7:command4:ping1:p60000:" + b"p" * 60000 + b"e"
            transport.write(b"c " + padding)
            data, address = await answered
            self.assertEqual((data, address[:2]), (b"c d6:result4:ponge", (host, port)))

    async def test_taken(self) -> None:
        """
        An address that is taken is a mistake in the configuration.
        """
        first = NGControl(reactor, FakeGateway(), [("127.0.0.1", 0)])
        first.startService()
        self.addCleanup(first.stopService)
        second = NGControl(reactor, FakeGateway(), first.boundAddresses)
        with self.assertRaises(ConfigError) as caught:
            second.startService()
        self.assertIn(str(first.boundAddresses[0][1]), str(caught.exception))

    def test_stopping(self) -> None:
        """
        Stopping leaves no timer.
        """
        proxy = Proxy(deleteDelay=30)
        proxy.offer()
        proxy.ask("delete", call_id="c")
        self.successResultOf(proxy.control.stopService())
        self.assertEqual(proxy.clock.getDelayedCalls(), [])
