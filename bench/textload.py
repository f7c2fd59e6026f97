"""
Calls of text: data channels on one side, telephones on the other, both played
by this process.

C{python -m bench.textload HOST PID CALLS SECONDS} sets them up through the
gateway at HOST, lets people type, and prints what came of it as JSON; PID is the
gateway's, for the time that it was on a core.
"""

import datetime
import json
import sys
import time
from typing import Any

from twisted.internet import reactor as installed
from twisted.internet.protocol import Protocol

from bench.gateways import ACCESS_PORTS, NG_PORT
from bench.typist import RATE, SENTENCE, SPEED
from bench.usage import cpuSeconds
from e2aegw.gateway.ports import PortPool
from e2aegw.interfaces import Address
from e2aegw.sansio.certificate import Identity
from e2aegw.sansio.datachannel import ChannelMap
from e2aegw.sansio.dtls import Endpoint
from e2aegw.sansio.sdp import Description
from e2aegw.sansio.t140packet import parsePacket
from e2aegw.sansio.t140sender import Sender
from e2aegw.sansio.terms import Kind, Terms
from e2aegw.transport.channel import ChannelCarrier
from e2aegw.transport.dtls import DTLSTransport
from e2aegw.transport.sockets import SocketNetwork
from tests.peers.ng import NG

#: Characters that one after another are typed, to know them again.
FIRST, ALPHABET = 0x4E00, 20000
#: Where the browsers and the telephones are, beside the gateway's address.
BROWSERS, TELEPHONES = "127.102.0.1", "127.102.0.2"
#: Calls whose handshakes are under way at a time.
TOGETHER = 20
#: Seconds to wait for what is still on its way, and for handshakes.
TAIL, PATIENCE = 3.0, 180.0

reactor: Any = installed


class Conversation(Protocol):
    """
    One call, in which one side types.
    """

    text = True

    def __init__(self, load: "Load", number: int) -> None:
        self.load, self.number = load, number
        dtls = DTLSTransport(reactor, load.pool, load.endpoint, control=False)
        self.carrier = ChannelCarrier(reactor, dtls)
        self.channel = self.carrier.share(ChannelMap(streamID=0, subprotocol="t140"))
        self.open = False
        self.remote: Address = ("", 0)
        self.typed: dict[str, float] = {}
        self.count = 0
        self.timer: Any = None
        self.sender = Sender()
        self.sender.agree(98, 100, 2)
        self.channel.attach(self)

    def setUp(self, ng: NG) -> None:
        """
        Offer and answer.
        """
        terms = Terms(kind=Kind.OFFER)
        port = self.carrier.dtls.localAddress[1]
        head = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-"]
        lines = [*head, f"c=IN IP4 {BROWSERS}", "t=0 0"]
        lines.append(f"m=application {port} UDP/DTLS/SCTP webrtc-datachannel")
        lines += [*map(str, self.carrier.describe(terms)), 'a=dcmap:0 subprotocol="t140"', ""]
        name = f"text{self.number}"
        keys: dict[str, Any] = {"call_id": name, "from_tag": "a", "replace": ["origin"]}
        offered = ng.command(
            "offer", sdp="\r\n".join(lines), direction=["access", "core"], ICE="remove", **keys
        )
        section = Description.parse(offered["sdp"]).sections[0]
        self.remote = (str(section.address), section.port)
        self.load.byPort[section.port] = self
        lines = [*head, f"c=IN IP4 {TELEPHONES}", "t=0 0"]
        lines += [f"m=text {self.load.port.address[1]} RTP/AVP 98 100", "a=rtpmap:98 t140/1000"]
        lines += ["a=rtpmap:100 red/1000", "a=fmtp:100 98/98/98", ""]
        answered = ng.command("answer", sdp="\r\n".join(lines), to_tag="b", **keys)
        section = Description.parse(answered["sdp"]).sections[0]
        self.carrier.configure(section, Terms(kind=Kind.ANSWER))()

    def connectionMade(self) -> None:
        """
        The channel is there, and will be open.
        """

    def connectionOpened(self) -> None:
        """
        The channel is open.
        """
        self.open = True

    def dataReceived(self, data: bytes) -> None:
        """
        The browser hears something.
        """
        self.load.heard(self, data.decode())

    def key(self) -> None:
        """
        Somebody types a character: the browser in every other call.
        """
        if not self.load.typing:
            return
        character = chr(FIRST + self.count % ALPHABET)
        self.count += 1
        now = time.perf_counter()
        self.load.sent += 1
        if self.number % 2:
            self.sender.push(character, now)
            self.say()
        else:
            self.typed[character] = now
            self.channel.write(character.encode())
        pause = SENTENCE / RATE - (SENTENCE - 1) / SPEED if self.count % SENTENCE == 0 else 1 / SPEED
        reactor.callLater(pause, self.key)

    def say(self) -> None:
        """
        The telephone sends what is due.
        """
        now = time.perf_counter()
        self.sender.timeout(now)
        while (packet := self.sender.nextDatagram()) is not None:
            found = parsePacket(packet, {98}, {100})
            assert found is not None
            # What counts is what the gateway does with it, from here on.
            self.typed.update(dict.fromkeys(found.blocks[-1].data.decode(), now))
            self.load.port.sendto(packet, self.remote)
        at = self.sender.nextTimeout(now)
        if at is not None and (self.timer is None or not self.timer.active()):
            self.timer = reactor.callLater(max(0.0, at - now), self.say)


class Load:
    """
    All of them.
    """

    def __init__(self, host: str, pid: int, count: int, seconds: float) -> None:
        self.pid, self.count, self.seconds = pid, count, seconds
        network = SocketNetwork(reactor)
        self.pool = PortPool(network, BROWSERS, *ACCESS_PORTS)
        self.endpoint = Endpoint(Identity.generate(datetime.datetime.now(datetime.UTC)))
        self.port = network.bind((TELEPHONES, 40000), self.received)
        self.byPort: dict[int, Conversation] = {}
        self.ng = NG(NG_PORT, host)
        self.calls: list[Conversation] = []
        self.typing = False
        self.sent = 0
        self.delays: dict[str, list[float]] = {"wire": [], "channel": []}
        self.failed = ""

    def received(self, data: bytes, source: Address) -> None:
        """
        A telephone hears something.
        """
        if 192 <= data[1] <= 223:
            return
        packet = parsePacket(data, {98}, {100})
        if packet is not None:
            self.heard(self.byPort[source[1]], packet.blocks[-1].data.decode())

    def heard(self, call: Conversation, text: str) -> None:
        """
        Some characters arrived.
        """
        now = time.perf_counter()
        delays = self.delays["channel" if call.number % 2 else "wire"]
        for character in text:
            typed = call.typed.pop(character, None)
            if typed is not None:
                delays.append(now - typed)

    def more(self) -> None:
        """
        Set up the next calls, as long as not too many are under way.
        """
        pending = sum(not each.open for each in self.calls[-2 * TOGETHER :])
        if len(self.calls) < self.count and pending < TOGETHER:
            call = Conversation(self, len(self.calls))
            self.calls.append(call)
            call.setUp(self.ng)
        if len(self.calls) == self.count and all(each.open for each in self.calls):
            reactor.callLater(TAIL, self.begin)
        elif time.perf_counter() > self.until:
            self.failed = f"{sum(each.open for each in self.calls)} of {self.count} calls came up"
            reactor.stop()
        else:
            reactor.callLater(0.001, self.more)

    def begin(self) -> None:
        """
        Everybody begins to type.
        """
        self.typing = True
        for number, call in enumerate(self.calls):
            # Half of them are in the middle of a sentence.
            call.count = number * 7 % SENTENCE
            reactor.callLater(number / self.count * (SENTENCE / RATE), call.key)
        reactor.callLater(SENTENCE / RATE, self.measure)

    def measure(self) -> None:
        """
        Look at the clock from now on.
        """
        self.cpu, self.begun = cpuSeconds(self.pid), time.perf_counter()
        reactor.callLater(self.seconds, self.measured)

    def measured(self) -> None:
        """
        That is it, but for what is under way.
        """
        self.share = (cpuSeconds(self.pid) - self.cpu) / (time.perf_counter() - self.begun)
        self.typing = False
        reactor.callLater(TAIL, self.end)

    def end(self) -> None:
        """
        Hang up.
        """
        for number in range(self.count):
            self.ng.command("delete", call_id=f"text{number}", from_tag="a")
        reactor.stop()

    def run(self) -> dict[str, Any]:
        """
        Do it all.

        @return: what came of it.
        """
        self.until = time.perf_counter() + PATIENCE
        reactor.callWhenRunning(self.more)
        reactor.run()
        if self.failed:
            return {"failed": self.failed}
        result: dict[str, Any] = {"sent": self.sent, "share": self.share}
        result["lost"] = self.sent - sum(map(len, self.delays.values()))
        for name, delays in self.delays.items():
            delays.sort()
            result[name] = {
                "p50": delays[len(delays) // 2] * 1e3,
                "p99": delays[len(delays) * 99 // 100] * 1e3,
            }
        return result


if __name__ == "__main__":
    host, pid, count, seconds = sys.argv[1:]
    print(json.dumps(Load(host, int(pid), int(count), float(seconds)).run()))
