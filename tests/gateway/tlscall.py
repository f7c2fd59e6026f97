"""
A terminal that speaks MSRP over TLS, and a party on the core side that speaks
it over TCP, on a reactor in memory.
"""

from typing import Any, ClassVar

from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock

from e2aegw.adapter import msrp
from e2aegw.gateway.service import Route
from e2aegw.sansio.events import HandshakeFailed
from e2aegw.sansio.sdp import Description, Section, Side
from e2aegw.sansio.terms import Terms
from tests.adapter.msrppeer import Endpoint
from tests.gateway.fixture import ROUTES, GatewayTestCase
from tests.transport.connection import Connection, join
from tests.transport.tlspeer import THEIRS, TLSPeer, fingerprintOf

#: No pauses in which more is gathered.
MSRP = msrp.Factory(relay="never", clock=Clock())
UE, PHONE = "198.51.100.7", "203.0.113.7"
REQUESTED = "a=3ge2ae:requested\r\n"
AGREED = Terms(e2ae=frozenset({"msrp-tls", "bfcp-tls"}))


def session(host: str, sections: str) -> str:
    """
    A description.
    """
    return f"v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n{sections}"


class ChatEnd:
    """
    One who speaks MSRP.

    @ivar endpoint: MSRP.
    @ivar tls: what is under it, if it is not in the clear.
    @ivar link: the connection.
    @ivar wire: all that went over it to here, and from here.
    """

    def __init__(self, host: str, *, secure: bool, port: int = 2855, name: str = "s1") -> None:
        scheme = "msrps" if secure else "msrp"
        self.host, self.port, self.secure = host, port, secure
        self.endpoint = Endpoint(f"{scheme}://{host}:{port}/{name};tcp")
        self.tls: TLSPeer | None = None
        self.link: Connection | None = None
        self.wire = b""

    def section(self, setup: str, more: str = "") -> str:
        """
        How it describes itself.
        """
        proto = "TCP/TLS/MSRP" if self.secure else "TCP/MSRP"
        prints = f"a=fingerprint:{fingerprintOf(THEIRS)}\r\n" if self.secure else ""
        return (
            f"m=message {self.port} {proto} *\r\na=accept-types:*\r\n"
            f"a=path:{self.endpoint.uri}\r\na=setup:{setup}\r\n{prints}{more}"
        )

    def join(self, link: Connection | None, *, client: bool, **how: Any) -> None:
        """
        Have a connection.

        @param how: see L{TLSPeer}.
        """
        assert link is not None
        self.link = link
        if self.secure:
            self.tls = TLSPeer(client=client, **how).join(link)
        self.endpoint.send = self.send
        self.pump()

    def send(self, data: bytes) -> None:
        """
        MSRP to the wire.
        """
        assert self.link is not None
        if self.tls is not None:
            self.tls.say(data)
        elif self.link.connected:
            self.wire += data
            self.link.protocol.dataReceived(data)

    def pump(self) -> bool:
        """
        The wire to MSRP.

        @return: whether there was anything.
        """
        if self.link is None:
            return False
        if self.tls is not None:
            self.tls.advance()
            data, self.tls.received = self.tls.received, b""
        else:
            data = self.link.value()
            self.link.clear()
            self.wire += data
        if data:
            self.endpoint.receive(data)
        return bool(data)


class TLSCallTestCase(GatewayTestCase):
    """
    Both parties.
    """

    routes: ClassVar[tuple[Route, ...]] = (*ROUTES, Route(MSRP, MSRP))

    def setUp(self) -> None:
        """
        Bring them.
        """
        super().setUp()
        self.ue = ChatEnd(UE, secure=True)
        self.phone = ChatEnd(PHONE, secure=False)
        self.session = self.gateway.newSession("chat")

    def tearDown(self) -> None:
        """
        Everything ends.
        """
        self.session.close()
        self.clock.advance(30)
        super().tearDown()

    def makeClock(self) -> Clock:
        """
        A reactor, for TCP.
        """
        return MemoryReactorClock()

    def offer(self, text: str, side: Side, terms: Terms = AGREED) -> Section:
        """
        A party offers.

        @return: what the other one gets.
        """
        (section,) = Description.parse(self.result(self.session.offer(text, side, terms))).sections
        return section

    def answer(self, text: str) -> Section:
        """
        The other one answers.

        @return: what the first one gets.
        """
        (section,) = Description.parse(self.result(self.session.answer(text))).sections
        return section

    def calling(self, section: Section) -> Connection | None:
        """
        Connect to where a section says.
        """
        reactor: Any = self.clock
        for port, factory, _, host in reactor.tcpServers:
            if (host, port) == (section.address, section.port):
                return join(factory.buildProtocol(None), UE if section.port < 40000 else PHONE)
        return None

    def called(self, host: str) -> Connection | None:
        """
        The gateway connects to somebody.
        """
        self.clock.advance(0)
        reactor: Any = self.clock
        for number, (there, _, factory, *_) in enumerate(reactor.tcpClients):
            if there == host:
                del reactor.tcpClients[number]
                return join(factory.buildProtocol(None), host)
        return None

    def flush(self, *ends: ChatEnd) -> None:
        """
        Move bytes until nobody has any.
        """
        for _ in range(100):
            moved = [end.pump() for end in ends or (self.ue, self.phone)]
            if not any(moved):
                return

    def assertChat(self, one: ChatEnd, other: ChatEnd) -> None:
        """
        Messages cross, in both directions, with their reports.
        """
        for near, far in ((one, other), (other, one)):
            body = bytes(range(256)) * 20
            count = len(far.endpoint.complete)
            near.endpoint.say(body, f"id{count}", "Success-Report: yes")
            self.flush(one, other)
            self.assertEqual(len(far.endpoint.complete), count + 1)
            self.assertEqual(bytes(far.endpoint.messages[far.endpoint.complete[-1]]), body)
            self.assertEqual(near.endpoint.responses[-1].what, b"200 OK")
            reports = [each for each in near.endpoint.requests if each.what == b"REPORT"]
            self.assertEqual(reports[-1]["Status"], "000 200 OK")

    def failures(self) -> list[HandshakeFailed]:
        """
        What failed.
        """
        return self.happened(HandshakeFailed)
