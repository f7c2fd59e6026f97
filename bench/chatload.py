"""
Both ends of chats through a gateway, in a process of their own:
C{python -m bench.chatload HOST PORT}, where its ng socket is.

Orders come line by line on the standard input, each is a JSON array:

  - C{["open", COUNT, LOSS, DELAY]}: set up so many chats, over a network that
    loses this part of all packets and delays the others by so many seconds;
  - C{["run", "up" or "down", BYTES]}: send a file through the first of them, up
    is from the browser's end;
  - C{["rest", SECONDS]}: do nothing for so long;
  - C{["close"]}: end all.

For each there is a line with a JSON object.
"""

import hashlib
import itertools
import json
import random
import sys
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.stdio import StandardIO
from twisted.logger import ILogObserver, LogEvent, globalLogBeginner
from twisted.protocols.basic import LineOnlyReceiver
from twisted.python.failure import Failure
from zope.interface import provider

from e2aegw.demo.msrpwire import Head, Wire, request, response
from e2aegw.gateway.ports import PortPool
from e2aegw.interfaces import Address, IDatagramPort, Receive
from e2aegw.sansio.certificate import Identity
from e2aegw.sansio.datachannel import FORMAT, ChannelMap, explode
from e2aegw.sansio.dtls import Endpoint
from e2aegw.sansio.sdp import Description, Line, Section
from e2aegw.sansio.terms import Kind, Terms
from e2aegw.transport.channel import ChannelCarrier
from e2aegw.transport.dtls import DTLSTransport
from e2aegw.transport.sockets import SocketNetwork
from tests.peers.ng import NG

reactor: Any = _reactor

#: Where both ends are: nobody else has this address.
HOST = "127.101.0.7"
#: Octets of a file in one message.
CHUNK = 61440
#: What files are made of: one chunk after the other of this.
PATTERN = random.Random(1).randbytes(16 * CHUNK)
_CHANNEL = ChannelMap(streamID=0, label="chat", subprotocol="msrp")
_ENDPOINT = Endpoint(Identity.generate(datetime.now(UTC)))
_numbers = itertools.count()


class Link:
    """
    A direction of a network.
    """

    def __init__(self, loss: float, delay: float) -> None:
        self._loss = loss
        self._delay = delay
        self._waiting: deque[tuple[float, Callable[[], object]]] = deque()

    def carry(self, deliver: Callable[[], object]) -> None:
        """
        Carry a packet, or lose it.
        """
        if random.random() < self._loss:
            return
        self._waiting.append((reactor.seconds() + self._delay, deliver))
        if len(self._waiting) == 1:
            reactor.callLater(self._delay, self._arrive)

    def _arrive(self) -> None:
        now = reactor.seconds()
        while self._waiting and self._waiting[0][0] <= now:
            self._waiting.popleft()[1]()
        if self._waiting:
            reactor.callLater(max(0.0, self._waiting[0][0] - now), self._arrive)


class _BadPort:
    """
    A port behind two links.
    """

    def __init__(self, port: IDatagramPort, link: Link) -> None:
        self._port, self._link = port, link
        self._closed = False
        self.address = port.address

    def sendto(self, data: bytes, destination: Address) -> None:
        """
        See L{IDatagramPort}.
        """
        self._link.carry(lambda: self._closed or self._port.sendto(data, destination))

    def setTOS(self, tos: int) -> None:
        """
        See L{IDatagramPort}.
        """

    def close(self) -> None:
        """
        See L{IDatagramPort}.
        """
        self._closed = True
        self._port.close()


class BadNetwork:
    """
    The system's UDP ports, and links in front of them.
    """

    def __init__(self, loss: float, delay: float) -> None:
        self._network = SocketNetwork(reactor)
        self._there, self._back = Link(loss, delay), Link(loss, delay)

    def bind(self, address: Address, receive: Receive) -> Any:
        """
        See L{IDatagramNetwork}.
        """
        back = self._back
        port = self._network.bind(address, lambda data, source: back.carry(lambda: receive(data, source)))
        return _BadPort(port, self._there)


class End(Protocol):
    """
    An end of an MSRP session.

    @ivar uri: its own.
    @ivar path: the other end's.
    @ivar answered: to be told of the first response.
    """

    transport: Any
    answered: Callable[[], None] | None = None

    def __init__(self, uri: str, told: Callable[[], None]) -> None:
        self.uri = uri.encode()
        self.path = b""
        self.received = 0
        self.expected = -1
        self.digest = hashlib.sha256()
        self._told = told
        self._wire = Wire(self)
        self._head: Head | None = None
        self._left = self._at = 0
        self._paused = False

    def connectionOpened(self) -> None:
        """
        The channel is open.
        """
        self.transport.write(request(b"SEND", self.path, self.uri, b"Message-ID: 1", b"Byte-Range: 1-0/0"))

    def dataReceived(self, data: bytes) -> None:
        """
        See C{IProtocol}.
        """
        if not self._wire.feed(data):
            raise RuntimeError("this is not MSRP")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        See C{IProtocol}.
        """

    def began(self, head: Head) -> None:
        """
        See L{e2aegw.demo.msrpwire.Listener}.
        """
        self._head = head

    def body(self, data: bytes) -> None:
        """
        See L{e2aegw.demo.msrpwire.Listener}.
        """
        self.received += len(data)
        self.digest.update(data)

    def ended(self, flag: bytes) -> None:
        """
        See L{e2aegw.demo.msrpwire.Listener}.
        """
        assert self._head is not None
        if self._head.what == b"SEND":
            self.transport.write(response(self._head, 200, "OK"))
            if self.received >= self.expected:
                self._told()
        elif self._head.what != b"200":
            raise RuntimeError(f"the gateway says {self._head}")
        elif self.answered is not None:
            answered, self.answered = self.answered, None
            answered()

    def send(self, size: int) -> None:
        """
        Send a file.
        """
        self._left, self._at, self._paused = size, 0, False
        self.transport.registerProducer(self, True)
        self._more()

    def pauseProducing(self) -> None:
        """
        See C{IPushProducer}.
        """
        self._paused = True

    def resumeProducing(self) -> None:
        """
        See C{IPushProducer}.
        """
        self._paused = False
        self._more()

    def stopProducing(self) -> None:
        """
        See C{IPushProducer}.
        """

    def _more(self) -> None:
        while not self._paused and self._left:
            start = self._at % len(PATTERN)
            body = PATTERN[start : start + min(CHUNK, self._left)]
            self._left -= len(body)
            lines = (
                b"Message-ID: file",
                b"Byte-Range: %d-%d/*" % (self._at + 1, self._at + len(body)),
                b"Content-Type: application/octet-stream",
            )
            self._at += len(body)
            flag = b"+" if self._left else b"$"
            self.transport.write(request(b"SEND", self.path, self.uri, *lines, body=body, flag=flag))
            if not self._left:
                self.transport.unregisterProducer()


class Chat:
    """
    One chat through the gateway.

    @ivar near, far: its ends, on the data channel and on TCP.
    """

    def __init__(self, ng: NG, pool: PortPool, opened: Callable[[], None]) -> None:
        number = next(_numbers)
        self._finished: Callable[[], None] | None = None
        self.near = End(f"msrps://{HOST}:9/near{number};dc", self._heard)
        self.near.answered = opened
        factory = Factory()
        factory.noisy = False
        factory.buildProtocol = lambda addr: self.far  # type: ignore[method-assign]
        self._door = reactor.listenTCP(0, factory, interface=HOST)
        port = self._door.getHost().port
        self.far = End(f"msrp://{HOST}:{port}/far{number};tcp", self._heard)
        self.carrier = ChannelCarrier(reactor, DTLSTransport(reactor, pool, _ENDPOINT, control=False))
        share = self.carrier.share(_CHANNEL)
        share.attach(self.near)
        self._call = {"call-id": f"chat-{number}", "from-tag": f"from{number}"}
        terms = Terms(kind=Kind.OFFER)
        lines = [
            *self.carrier.describe(terms),
            _CHANNEL.line(),
            *(Line("dcsa", f"0 {each}") for each in ("accept-types:*", "msrp-cema", "setup:active")),
            Line("dcsa", f"0 path:{self.near.uri.decode()}"),
        ]
        here, at = self.carrier.dtls.localAddress
        offer = Section("application", at, "UDP/DTLS/SCTP", (FORMAT,), address=here, lines=lines)
        core = self._signal(ng, "offer", offer, direction=["access", "core"])
        self.far.path = (core.get("path") or "").encode()
        lines = [
            Line("accept-types", "*"),
            Line("path", self.far.uri.decode()),
            Line("setup", "passive"),
        ]
        answer = Section("message", port, "TCP/MSRP", ("*",), address=HOST, lines=lines)
        access = self._signal(ng, "answer", answer)
        ((_, child),) = explode(access)
        self.near.path = (child.get("path") or "").encode()
        self.carrier.configure(access, Terms(kind=Kind.ANSWER))()

    def _signal(self, ng: NG, command: str, section: Section, **more: Any) -> Section:
        sdp = Description(f"- 1 1 IN IP4 {HOST}", address=HOST, sections=[section]).serialize()
        tag = {"to-tag": "to"} if command == "answer" else {}
        reply = ng.request({"command": command, **self._call, **tag, **more, "ICE": "remove", "sdp": sdp})
        if reply["result"] != "ok":
            raise RuntimeError(f"the gateway refuses: {reply}")
        return Description.parse(reply["sdp"]).sections[0]

    def _heard(self) -> None:
        finished, self._finished = self._finished, None
        if finished is not None:
            finished()

    def run(self, up: bool, size: int, finished: Callable[[bool], None]) -> None:
        """
        Send a file.

        @param finished: told whether it arrived unharmed.
        """
        sender, receiver = (self.near, self.far) if up else (self.far, self.near)
        receiver.received, receiver.expected, receiver.digest = 0, size, hashlib.sha256()
        expected = hashlib.sha256()
        for at in range(0, size, len(PATTERN)):
            expected.update(PATTERN[: min(len(PATTERN), size - at)])
        good = expected.digest()
        self._finished = lambda: finished(receiver.digest.digest() == good)
        sender.send(size)

    def close(self, ng: NG) -> None:
        """
        End it.
        """
        ng.request({"command": "delete", **self._call})
        self.carrier.loseConnection()
        self._door.stopListening()
        if self.far.transport is not None:
            self.far.transport.abortConnection()


class Orders(LineOnlyReceiver):
    """
    What is asked on the standard input.
    """

    delimiter = b"\n"

    def __init__(self, ng: NG) -> None:
        self._ng = ng
        self._chats: list[Chat] = []

    def lineReceived(self, line: bytes) -> None:
        """
        See L{LineOnlyReceiver}.
        """
        name, *arguments = json.loads(line)
        getattr(self, "do_" + name)(*arguments)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        See C{IProtocol}.
        """
        reactor.stop()

    def _tell(self, **fields: Any) -> None:
        self.sendLine(json.dumps(fields).encode())  # type: ignore[no-untyped-call]

    def do_open(self, count: int, loss: float, delay: float) -> None:
        """
        Set up chats, one after the other.
        """
        network: Any = BadNetwork(loss, delay) if loss or delay else SocketNetwork(reactor)
        pool = PortPool(network, HOST, 10000, 10000 + 2 * count + 1)

        def another() -> None:
            if len(self._chats) == count:
                self._tell(opened=count)
                return
            self._chats.append(Chat(self._ng, pool, lambda: reactor.callLater(0, another)))

        another()

    def do_run(self, way: str, size: int) -> None:
        """
        Send a file.
        """
        began = reactor.seconds()
        finished = lambda good: self._tell(seconds=reactor.seconds() - began, good=good)  # noqa: E731
        self._chats[0].run(way == "up", size, finished)

    def do_rest(self, seconds: float) -> None:
        """
        Do nothing.
        """
        reactor.callLater(seconds, self._tell, rested=seconds)

    def do_close(self) -> None:
        """
        End all.
        """
        for chat in self._chats:
            chat.close(self._ng)
        self._chats.clear()
        self._tell(closed=True)


@provider(ILogObserver)
def _complain(event: LogEvent) -> None:
    if event.get("log_failure") is not None:
        print(event["log_failure"].getTraceback(), file=sys.stderr)


def main(host: str, port: str) -> None:
    """
    Do what is asked, until nobody asks any more.
    """
    # What goes wrong here is for whoever reads the benchmark's errors.
    globalLogBeginner.beginLoggingTo([_complain], redirectStandardIO=False)
    StandardIO(Orders(NG(int(port), host)), reactor=reactor)
    reactor.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
