"""
What it costs to agree on keys: handshakes of TLS and of DTLS.
"""

import select
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.calls import Call, unsecuredCall, unsecuredFaxCall
from bench.gateways import Gateway, Program
from bench.scenarios import Contestants, Effort
from bench.securechats import Certificate, Chat
from bench.table import Table, atLeast
from bench.terminal import ENDPOINT
from e2aegw.sansio.dtls import Association, Established, Failed
from tests.peers.ng import NG, TIMEOUT

#: Handshakes for a figure, beside those that the effort asks for: they are
#: cheap, and a second of them is wanted.
HANDSHAKES = 5
#: Handshakes of each kind before figures are taken: some things are made once.
FIRST = 20
#: Handshakes of DTLS at a time.
AT_ONCE = 20
_MAX_DATAGRAM = 2048
#: The first datagram of a fax, and a packet of G.711.
_FAX = b"\0\0\x01\x06\0\0"
_PACKET = b"\x80\0\0\x01" + bytes(4) + b"e2ae" + bytes(160)


class Security:
    """
    All of that, and its table.
    """

    def __init__(self, effort: Effort, directory: Path) -> None:
        """
        @param directory: where there may be files.
        """
        self._count = effort.handshakes * HANDSHAKES
        self._certificate = Certificate(directory)
        self.table = Table("Handshakes, on one core")

    def security(self, contestants: Contestants) -> None:
        """
        Handshakes of all kinds.
        """
        for which, program in contestants:
            if isinstance(program, Gateway):
                # rtpengine has neither.
                self._streams(which, program)
                self._datagrams(which, program, "DTLS handshakes a second, T.38", unsecuredFaxCall)
            self._datagrams(which, program, "DTLS handshakes a second, keys for SRTP", unsecuredCall)

    def _datagrams(self, which: int, program: Program, title: str, setUp: Callable[[NG], Call]) -> None:
        calls = [setUp(program.ng) for _ in range(FIRST + self._count)]
        try:
            first = [_Terminal(call) for call in calls[:FIRST]]
            rest = [_Terminal(call) for call in calls[FIRST:]]
            _secure(first)
            program.rest()
            start = program.cpu
            _secure(rest)
            program.rest()
            self._add(title, which, program.cpu - start)
            for each in (*first, *rest):
                each.speak()
        finally:
            for call in calls:
                call.close()

    def _streams(self, which: int, program: Program) -> None:
        with socket.create_server((program.host, 0), backlog=FIRST + self._count) as listener:
            chats = [Chat(number, self._certificate, listener) for number in range(FIRST + self._count)]
            for chat in chats:
                chat.agree(program.ng)
            # Their core sides are connected already.
            fars = [listener.accept()[0] for _ in chats]
            for chat in chats[:FIRST]:
                chat.secure()
            program.rest()
            start = program.cpu
            for chat in chats[FIRST:]:
                chat.secure()
            program.rest()
            self._add("TLS handshakes a second, MSRP", which, program.cpu - start)
            for far in fars:
                far.close()
            for chat in chats:
                chat.close()

    def _add(self, title: str, which: int, cpu: float) -> None:
        self.table.add(title, which, self._count / cpu, 0, atLeast(500))


class _Terminal:
    """
    A terminal that speaks DTLS, and the party that it calls.
    """

    def __init__(self, call: Call) -> None:
        self._call, self._socket = call, call.access.socket
        self._association: Association = ENDPOINT.connect(client=True)

    def fileno(self) -> int:
        """
        For C{select}.
        """
        return self._socket.fileno()

    def begin(self) -> None:
        """
        Begin the handshake.
        """
        self._association.start(time.monotonic())
        self._flush()

    def read(self) -> bool:
        """
        A datagram waits.

        @return: whether the handshake is done.

        @raise RuntimeError: it failed.
        """
        self._association.receive(self._socket.recv(_MAX_DATAGRAM), time.monotonic())
        self._flush()
        event = self._association.nextEvent()
        if isinstance(event, Failed):
            raise RuntimeError(f"no handshake: {event.reason}")
        return isinstance(event, Established)

    def speak(self) -> None:
        """
        Have something arrive at the called party.

        @raise RuntimeError: something else does.
        """
        core, plain = self._call.core.socket, _FAX if self._call.access.fax else _PACKET
        if self._call.access.fax:
            self._association.send(plain)
            self._flush()
        else:
            self._send(self._association.contexts()[1].protect(plain))
        core.settimeout(TIMEOUT)
        if (got := core.recv(_MAX_DATAGRAM)) != plain:
            raise RuntimeError(f"the called party gets {got.hex()}")

    def _flush(self) -> None:
        while (datagram := self._association.nextDatagram()) is not None:
            self._send(datagram)

    def _send(self, datagram: bytes) -> None:
        self._socket.sendto(datagram, self._call.access.remote)


def _secure(terminals: Sequence[_Terminal]) -> None:
    """
    Do all handshakes, some at a time.

    @raise TimeoutError: one is not answered.
    """
    waiting, under = list(reversed(terminals)), dict[int, _Terminal]()
    with select.epoll() as poll:
        while waiting or under:
            while waiting and len(under) < AT_ONCE:
                each = waiting.pop()
                under[each.fileno()] = each
                poll.register(each, select.EPOLLIN)
                each.begin()
            ready = poll.poll(TIMEOUT)
            if not ready:
                raise TimeoutError("no handshake in time")
            for number, _ in ready:
                if under[number].read():
                    poll.unregister(under.pop(number))
