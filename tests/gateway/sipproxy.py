"""
A SIP proxy and a gateway that are not there, for tests of what lies between.
"""

from typing import Any, cast

import bencodepy
from twisted.application.service import Service
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from zope.interface import implementer

from e2aegw.errors import ResourceError
from e2aegw.gateway.control import NGControl
from e2aegw.gateway.ngport import NGPort
from e2aegw.interfaces import IGateway, IGatewayObserver, ISession
from e2aegw.sansio.report import MediaReport, PartyReport, SessionReport, StreamReport
from e2aegw.sansio.sdp import Side
from e2aegw.sansio.terms import Terms

SDP = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
TERMS = Terms()


@implementer(ISession)
class FakeSession:
    """
    A call that answers every description with a text about it.

    @ivar log: what it was asked, in order.
    @ivar pending: if it is a list, descriptions wait there.
    """

    def __init__(self, label: str) -> None:
        self.label = label
        self.log: list[tuple[Any, ...]] = []
        self.closed = False
        self.pending: list[Deferred[str]] | None = None
        self.refusal: Exception | None = None
        self._waiting: list[Deferred[None]] = []

    def offer(
        self, sdp: str, side: Side | None = None, terms: Terms = TERMS, answerer: bool = False
    ) -> Deferred[str]:
        """
        Note it and answer.
        """
        self.log.append(("offer", sdp, side, terms, answerer))
        return self._result(f"offer {len(self.log)} of {self.label}")

    def answer(self, sdp: str, terms: Terms = TERMS) -> Deferred[str]:
        """
        Note it and answer.
        """
        self.log.append(("answer", sdp, terms))
        return self._result(f"answer {len(self.log)} of {self.label}")

    def _result(self, text: str) -> Deferred[str]:
        if self.refusal is not None:
            return fail(self.refusal)
        if self.pending is None:
            return succeed(text)
        waiting: Deferred[str] = Deferred()
        self.pending.append(waiting)
        return waiting.addCallback(lambda _: text)

    def block(self, answerer: bool, blocked: bool) -> None:
        """
        Note it.
        """
        self.log.append(("block", answerer, blocked))

    def report(self) -> SessionReport:
        """
        Ten packets each way.
        """
        stream = StreamReport(
            local=("127.0.0.1", 30000),
            endpoint=("192.0.2.1", 4000),
            advertised=("192.0.2.1", 4000),
            suite="AES_CM_128_HMAC_SHA1_80",
            lastPacket=1000.5,
            flags=["RTP", "filled"],
            ssrcs=[17],
            packets=10,
            octets=1720,
            errors=1,
            counters={"dropped replay": 1},
        )
        control = StreamReport(local=("::1", 30001), control=True, packets=2, octets=104)
        parties = tuple(
            PartyReport(
                side=side,
                medias=[MediaReport(index=1, media="audio", proto="RTP/AVP", streams=[stream, control])],
            )
            for side in Side
        )
        return SessionReport(
            created=900.25, lastSignal=901.0, parties=cast(tuple[PartyReport, PartyReport], parties)
        )

    def close(self) -> None:
        """
        End, and say so.
        """
        self.closed = True
        waiting, self._waiting = self._waiting, []
        for deferred in waiting:
            deferred.callback(None)

    def whenClosed(self) -> Deferred[None]:
        """
        Fires when it has ended.
        """
        deferred: Deferred[None] = Deferred()
        if self.closed:
            deferred.callback(None)
        else:
            self._waiting.append(deferred)
        return deferred


@implementer(IGateway)
class FakeGateway(Service):
    """
    Makes sessions, and remembers them.

    @ivar room: how many more it makes.
    @ivar slow: whether its sessions take their time.
    @ivar refusal: what its sessions fail with.
    """

    def __init__(self) -> None:
        self.sessions: list[FakeSession] = []
        self.room = 1000
        self.slow = False
        self.refusal: Exception | None = None

    def newSession(self, label: str) -> FakeSession:
        """
        @raise ResourceError: there is no room.
        """
        if len(self.sessions) >= self.room:
            raise ResourceError("full")
        session = FakeSession(label)
        session.refusal = self.refusal
        if self.slow:
            session.pending = []
        self.sessions.append(session)
        return session

    def addObserver(self, observer: IGatewayObserver) -> None:
        """
        Nothing happens here.
        """


class FakeHandle:
    """
    A socket that notes its options, and keeps what is sent.
    """

    family = 2

    def __init__(self) -> None:
        self.options: list[tuple[int, int, int]] = []
        self.sent: list[tuple[bytes, Any]] = []
        self.error: Exception | None = None

    def setsockopt(self, level: int, name: int, value: int) -> None:
        """
        Note it.
        """
        self.options.append((level, name, value))

    def sendto(self, data: bytes, address: Any) -> None:
        """
        Keep it.
        """
        if self.error is not None:
            raise self.error
        self.sent.append((data, address))


class FakeTransport:
    """
    A UDP transport, as far as a port's protocol asks it for something.
    """

    def __init__(self) -> None:
        self.handle = FakeHandle()

    def getHandle(self) -> FakeHandle:
        """
        The socket.
        """
        return self.handle


class Proxy:
    """
    A SIP proxy: says things, in Kamailio's way, and reads what comes back.
    """

    address = ("192.0.2.9", 5555)

    def __init__(self, deleteDelay: float = 0.0) -> None:
        self.clock = Clock()
        self.gateway = FakeGateway()
        self.control = NGControl(self.clock, self.gateway, deleteDelay=deleteDelay)
        self.port = NGPort(self.control)
        self.transport = FakeTransport()
        self.port.makeConnection(cast(Any, self.transport))
        self.cookies = 0

    def send(self, datagram: bytes, address: Any = None) -> list[bytes]:
        """
        Send bytes, and return the replies that came at once.
        """
        before = len(self.transport.handle.sent)
        self.port.datagramReceived(datagram, address or self.address)
        return [data for data, _ in self.transport.handle.sent[before:]]

    def say(self, command: str, **keys: Any) -> bytes:
        """
        Send a request with a cookie of its own, and return the cookie.
        """
        self.cookies += 1
        cookie = b"0_1_%d" % self.cookies
        fields = {key.replace("_", "-"): value for key, value in keys.items()}
        self.send(cookie + b" " + bencodepy.encode({**fields, "command": command}))
        return cookie

    def replies(self, cookie: bytes) -> list[dict[str, Any]]:
        """
        What has come for a cookie.
        """
        decode = bencodepy.BencodeDecoder(encoding="utf-8").decode
        return [
            decode(data[len(cookie) + 1 :])
            for data, _ in self.transport.handle.sent
            if data.startswith(cookie + b" ")
        ]

    def ask(self, command: str, **keys: Any) -> dict[str, Any]:
        """
        Send a request, and return its reply.
        """
        (reply,) = self.replies(self.say(command, **keys))
        return reply

    def offer(self, callID: str = "c", fromTag: str = "A", sdp: str = SDP, **keys: Any) -> dict[str, Any]:
        """
        Send an offer.
        """
        return self.ask("offer", call_id=callID, from_tag=fromTag, sdp=sdp, **keys)

    def answer(
        self, callID: str = "c", fromTag: str = "A", toTag: str = "B", sdp: str = SDP, **keys: Any
    ) -> dict[str, Any]:
        """
        Send an answer.
        """
        return self.ask("answer", call_id=callID, from_tag=fromTag, to_tag=toTag, sdp=sdp, **keys)

    @property
    def sessions(self) -> list[FakeSession]:
        """
        All that were ever begun.
        """
        return self.gateway.sessions
