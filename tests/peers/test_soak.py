"""
Many calls in bad weather, and nothing of them is left.
"""

import random
import selectors
import socket
import struct
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from twisted.trial.unittest import SynchronousTestCase

from tests.peers.deadline import until
from tests.peers.gateway import Gateway
from tests.peers.messages import TO_BROWSER, TO_TELEPHONE
from tests.peers.ng import NG
from tests.peers.terminal import Certificate, DTLSTerminal, SDESTerminal, SecuredTerminal, Terminal, rtp
from tests.peers.vitals import Vitals
from tests.peers.weather import Weather

#: How many calls there are, and how many at a time.
CALLS, ROUND = 200, 50
#: RTP packets that each party of a call sends, and RTCP packets.
PACKETS, REPORTS = 40, 8
#: How many datagrams are lost, arrive twice, and are overtaken.
LOSS, DUPLICATION, REORDERING = 0.05, 0.05, 0.1
#: How much of what was said must be heard.  Each way has one hop with weather.
HEARD = 0.75
#: Seconds within which all of a round's handshakes are done; OpenSSL resends a
#: lost flight after 1, 2 and 4 seconds.
HANDSHAKES = 20.0
#: Seconds within which everything of a deleted call is gone.
GONE = 1.0
#: What a timer is, and how many of them there may be more after all calls than
#: Objects of one kind that may happen to be there, or not, when they are
#: counted: what a request that is just being answered is made of.
PASSING = 3
#: after the first ones: cancelled ones are forgotten when their time comes.
TIMER, CANCELLED = "twisted.internet.base.DelayedCall", 10
#: How many KiB a call may leave behind for a while, once the first rounds have
#: filled the allocator's and OpenSSL's pools: replies are remembered for a
#: minute.  This is about buffers; objects are counted.
REMEMBERED = 30
#: Rounds until those pools are full.
WARM = 2
#: For how many seconds the gateway is watched with nothing to do, and how many
#: more wake-ups there may be then after all calls than before.
IDLE, WAKE_UPS = 2.0, 3


class Call(NamedTuple):
    """
    A call.

    @ivar name: its Call-ID.
    @ivar near: who calls, on the access side.
    @ivar far: who is called, on the core side.
    @ivar there: the flags of the offer.
    @ivar back: the flags of the answer.
    @ivar ports: the gateway's.
    """

    name: str
    near: Terminal
    far: Terminal
    there: dict[str, Any]
    back: dict[str, Any]


def garbage(source: random.Random) -> Iterator[bytes]:
    """
    Datagrams that nobody wants.
    """
    yield b""
    yield source.randbytes(1)
    yield source.randbytes(source.randrange(2, 1400))
    # What looks like STUN, from its beginning to its cookie, or to its end.
    yield struct.pack("!HHI", 1, 8, 0x2112A442) + source.randbytes(12)
    yield struct.pack("!HHI", 1, 8, 0x2112A442) + source.randbytes(12) + b"\x00\x06\x00\x04abcd"
    # DTLS: a record of garbage, a handshake that is cut off, a fatal alert.
    yield struct.pack("!BHHIHH", 22, 0xFEFD, 0, 0, source.randrange(65536), 40) + source.randbytes(40)
    yield struct.pack("!BHHIHH", 22, 0xFEFD, 0, 0, 7, 12) + struct.pack("!BI", 1, 0xFFFFFFFF) + b"\0" * 7
    yield struct.pack("!BHHIHH", 21, 0xFEFD, 0, 0, 9, 2) + b"\x02\x28"
    # RTP and RTCP, or nearly.
    yield rtp(b"garbage", source.randrange(65536), source.randrange(1 << 32))
    yield struct.pack("!BBH", 0x8F, 0, 1)
    yield struct.pack("!BBHI", 0x9F, 0, 1, 1) + b"\xff" * 6
    yield struct.pack("!BBHI", 0x81, 200, 0xFFFF, 1) + source.randbytes(20)


class SoakTests(SynchronousTestCase):
    """
    The gateway through ng, with terminals in this process.
    """

    def setUp(self) -> None:
        """
        Start the gateway.
        """
        directory = tempfile.TemporaryDirectory(prefix="e2aegw-")
        self.addCleanup(directory.cleanup)
        self.gateway = Gateway(Path(directory.name), count=4 * ROUND)
        self.addCleanup(self.gateway.end)
        self.vitals = Vitals(self.gateway.pid)
        self.ng = NG(self.gateway.ngPort)
        self.addCleanup(self.ng.close)
        self.selector = selectors.DefaultSelector()
        self.addCleanup(self.selector.close)
        self.stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(self.stranger.close)
        self.weather = Weather(4711, LOSS, DUPLICATION, REORDERING)
        self.certificate = Certificate()
        self.terminals: list[Terminal] = []

    def build(self, number: int) -> Call:
        """
        Make the parties of a call: of five, two have SDES, two plain RTP and
        one DTLS-SRTP.
        """
        name = f"call{number}"
        far = Terminal(f"{name} far", self.weather)
        kind = number % 5
        there: dict[str, Any] = {"direction": ["access", "core"]}
        back: dict[str, Any] = {}
        if kind in (0, 1):
            near: Terminal = SDESTerminal(f"{name} near", self.weather)
            there["transport-protocol"], back["transport-protocol"] = "RTP/AVP", "RTP/SAVP"
        elif kind in (2, 3):
            near = Terminal(f"{name} near", self.weather)
        else:
            near = DTLSTerminal(f"{name} near", self.weather, self.certificate)
            there |= TO_TELEPHONE
            back |= {**TO_BROWSER, "DTLS": "passive"}
        for terminal in (near, far):
            self.terminals.append(terminal)
            for each in terminal.sockets:
                self.selector.register(each, selectors.EVENT_READ, terminal)
        return Call(name, near, far, there, back)

    def ask(self, command: str, call: Call, **keys: Any) -> dict[str, Any]:
        """
        Send a command about a call.
        """
        reply = self.ng.request({"command": command, "call-id": call.name, "from-tag": "near", **keys})
        self.assertEqual(reply["result"], "ok", reply)
        return reply

    def connect(self, call: Call) -> None:
        """
        Do the signalling of a call.
        """
        call.far.learn(self.ask("offer", call, sdp=call.near.describe(), **call.there)["sdp"])
        call.near.learn(
            self.ask("answer", call, sdp=call.far.describe(), **{"to-tag": "far"}, **call.back)["sdp"]
        )

    def pump(self, timeout: float = 0.0) -> None:
        """
        Read what has arrived, and let time go by.
        """
        for key, _ in self.selector.select(timeout):
            key.data.listen(key.fileobj)
        now = time.monotonic()
        for terminal in self.terminals:
            terminal.tick(now)

    def pumpUntil(self, condition: Callable[[], bool], what: str, seconds: float) -> None:
        """
        Read until something is true.
        """
        end = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), end, what)
            self.pump(0.02)

    def pester(self, calls: list[Call], insiders: bool) -> None:
        """
        Send garbage to every port of these calls, from a stranger, and if so
        wished also from the parties, as far as they do not vouch for it: what
        a plain party sends is taken for its word.
        """
        for call in calls:
            for terminal in (call.near, call.far):
                for remote in terminal.remotes:
                    for datagram in garbage(self.weather.random):
                        self.stranger.sendto(datagram, remote)
                        if insiders and isinstance(terminal, SecuredTerminal):
                            terminal.sockets[0].sendto(datagram, terminal.remotes[0])
            self.pump()

    def talk(self, calls: list[Call]) -> dict[Terminal, set[bytes]]:
        """
        Let the parties of calls talk.

        @return: what each said.
        """
        said: dict[Terminal, set[bytes]] = {t: set() for call in calls for t in (call.near, call.far)}
        for number in range(PACKETS):
            for call in calls:
                for terminal in (call.near, call.far):
                    said[terminal].add(terminal.say(number))
                    if number % (PACKETS // REPORTS) == 0:
                        terminal.report()
                self.pump()
            if number == PACKETS // 2:
                self.pester(calls, True)
        self.weather.clear()
        return said

    def check(self, call: Call, said: dict[Terminal, set[bytes]]) -> None:
        """
        Check that the parties of a call heard each other, and nobody else.
        """
        secured = isinstance(call.near, SecuredTerminal)
        for listener, speaker in ((call.near, call.far), (call.far, call.near)):
            heard = listener.heard
            strange = set(heard) - said[speaker]
            self.assertEqual(strange, set(), f"{listener.name} heard somebody else")
            self.assertGreater(len(heard), HEARD * len(said[speaker]), f"{listener.name} heard too little")
            self.assertGreater(listener.reports, REPORTS / 4, f"{listener.name} got too few reports")
            if secured:
                self.assertEqual(max(heard.values()), 1, f"{listener.name} heard something twice")

    def round(self, numbers: range) -> None:
        """
        Do some calls at the same time.
        """
        calls = [self.build(number) for number in numbers]
        for call in calls:
            self.connect(call)
        self.pumpUntil(
            lambda: all(call.near.ready for call in calls),
            "all handshakes are done",
            HANDSHAKES,
        )
        said = self.talk(calls)
        self.pumpUntil(lambda: not self.selector.select(0.1), "nothing is on its way", HANDSHAKES)
        for call in calls:
            self.check(call, said)
        for call in calls:
            self.ask("delete", call)
        # Late packets meet closed ports.
        self.pester(calls, True)
        for terminal in self.terminals:
            for each in terminal.sockets:
                self.selector.unregister(each)
            terminal.close()
        self.terminals.clear()

    def idle(self) -> int:
        """
        How often the gateway wakes up when nobody asks it anything.
        """
        began, before = time.monotonic(), self.vitals.wakeUps
        until(lambda: time.monotonic() - began > IDLE, "time goes by")
        return self.vitals.wakeUps - before

    def test_nothingIsLeft(self) -> None:
        """
        After two hundred calls with loss, reordering, duplication and garbage
        no socket, port, timer or memory is missing.
        """
        sockets, wakeUps = self.vitals.descriptors, self.idle()
        memory: list[int] = []
        census = []
        for first in range(0, CALLS, ROUND):
            self.round(range(first, first + ROUND))
            until(lambda: self.vitals.descriptors == sockets, "all sockets are closed", GONE)
            self.assertEqual(self.ng.command("list")["calls"], [])
            memory.append(self.vitals.memory)
            census.append(self.gateway.census())
        more = census[-1] - census[0]
        self.assertLess(more.pop(TIMER, 0), CANCELLED)
        # A leak leaves one for each call.
        left = {name: count for name, count in more.items() if count > PASSING}
        self.assertEqual(left, {}, "objects are left")
        self.assertLess(memory[-1] - memory[WARM - 1], REMEMBERED * ROUND * (len(memory) - WARM), memory)
        for port in self.gateway.ports:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as each:
                each.bind(("127.0.0.1", port))
        self.assertLessEqual(self.idle(), wakeUps + WAKE_UPS)
