"""
Lines of JSON about what happens in calls.
"""

import json
from typing import Any

from twisted.internet import defer, reactor
from twisted.internet.protocol import DatagramProtocol, Factory
from twisted.protocols.basic import LineOnlyReceiver
from twisted.trial.unittest import TestCase

from e2aegw.gateway.eventlines import EventLines
from e2aegw.sansio.events import HandshakeFailed, PathChanged
from tests.gateway.sipproxy import FakeSession

FAILED = HandshakeFailed(protocol="DTLS", reason="timeout", side="access", line=1)


class Listener(DatagramProtocol, LineOnlyReceiver):  # type: ignore[misc]
    """
    Takes lines from wherever they come.
    """

    delimiter = b"\n"

    def __init__(self) -> None:
        self.lines: defer.DeferredQueue[Any] = defer.DeferredQueue()

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """
        A datagram is a line.
        """
        assert datagram.endswith(b"\n")
        self.lines.put(json.loads(datagram))

    def lineReceived(self, line: bytes) -> None:
        """
        A line of a stream.
        """
        self.lines.put(json.loads(line))


class EventLinesTests(TestCase):
    """
    L{EventLines}.
    """

    def setUp(self) -> None:
        """
        Be the receiver.
        """
        self.udp, self.tcp = Listener(), Listener()
        factory: Any = Factory()
        factory.buildProtocol = lambda addr: self.tcp
        real: Any = reactor
        self.ports = [
            real.listenUDP(0, self.udp, interface="127.0.0.1"),
            real.listenTCP(0, factory, interface="127.0.0.1"),
        ]
        for port in self.ports:
            self.addCleanup(port.stopListening)
        self.addresses = [("127.0.0.1", port.getHost().port) for port in self.ports]

    async def check(self, lines: EventLines, listener: Listener, **names: str) -> None:
        """
        Something happens, and is told.
        """
        lines.startService()
        try:
            session: Any = FakeSession("a call")
            lines.happened(session, PathChanged(reason="new keys"))
            lines.happened(session, FAILED)
            told = await listener.lines.get()
        finally:
            await lines.stopService()
        expected = {"event": "HandshakeFailed", "side": "access", "line": 1, "reason": "timeout"}
        rest = {"protocol": "DTLS", "expected": "", "presented": "", "time": 12.345}
        self.assertEqual(told, {**names, **expected, **rest})

    async def test_R_33_UDP(self) -> None:
        """
        Over UDP each event is a datagram, with Call-ID, line, side and reason.
        """
        lines = EventLines(reactor, udp=self.addresses[0], seconds=lambda: 12.3451)
        await self.check(lines, self.udp, **{"call-id": "a call"})

    async def test_R_33_TCP(self) -> None:
        """
        Over TCP it is a line; the call has the controller's names.
        """
        names = {"call-id": "c", "from-tag": "f", "to-tag": "t"}
        lines = EventLines(
            reactor, tcp=self.addresses[1], names=lambda session: names, seconds=lambda: 12.3451
        )
        await self.check(lines, self.tcp, **names)

    async def test_stopped(self) -> None:
        """
        Before the start and after the end nobody is told, and nothing fails.
        """
        lines = EventLines(reactor, *self.addresses)
        session: Any = FakeSession("a call")
        lines.happened(session, FAILED)
        lines.startService()
        await lines.stopService()
        lines.happened(session, FAILED)
        self.assertEqual(lines.counters, {})
