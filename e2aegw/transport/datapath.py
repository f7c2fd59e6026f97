"""
The fast way of RTP packets, and of UDPTL, through this process.

Once a pipeline is settled, each leg gets a second socket on the same port,
connected to the remote party.  The kernel then does the source check and finds
the route beforehand, and a packet is received into libsrtp's buffer,
transformed there and sent from there: no copy, no object, no layer.  Whatever
is not a packet of a known source goes through the transport's own door,
as if it had come to the first socket.
"""

import struct
from collections.abc import Callable
from typing import Any

from zope.interface import implementer

from e2aegw.interfaces import IDatagramTransport, IDatapath, IOffload
from e2aegw.sansio.flow import UDPTL, Flow
from e2aegw.sansio.srtp import (
    ARENA,
    ARENA_POINTER,
    MAX_DATAGRAM,
    REASONS,
    Context,
    newLength,
    protectInPlace,
    unprotectInPlace,
)
from e2aegw.sansio.udptl import isWhole
from e2aegw.transport.sockets import Poller, SocketPort

#: Datagrams taken from a socket when it is opened or closed.  What the kernel
#: keeps by default is fewer.
_MAX_DRAIN = 1024
_SSRC = struct.Struct("!I")


@implementer(IOffload)
class _Link:
    """
    Both directions of a pipeline.
    """

    def __init__(
        self,
        poller: Poller,
        flows: tuple[Flow, Flow],
        transports: tuple[Any, Any],
        adapters: tuple[Any, Any],
    ) -> None:
        self._poller = poller
        # Whoever moves packets has pointers into the contexts, which must
        # outlive that.
        self._flows = flows
        self._transports = transports
        self._adapters = adapters
        self._takes: list[Callable[[], tuple[int, int, int]]] = []
        self._sockets: list[Any] = []
        self._watched: list[int] = []
        ports = [transport.components[0].port for transport in transports]
        try:
            for port, flow in zip(ports, flows, strict=True):
                self._sockets.append(port.connected(flow.path.remote))
            for sock, transport in zip(self._sockets, transports, strict=True):
                # Between bind and connect the socket heard everybody.
                _drain(sock, transport)
            for here, there in ((0, 1), (1, 0)):
                self._watch(here, there, flows)
        except BaseException:
            self._close()
            raise

    def _watch(self, here: int, there: int, flows: tuple[Flow, Flow]) -> None:
        sock, transport, flow = self._sockets[here], self._transports[here], flows[here]
        punt = _punt(transport, flow.path.remote)
        if flow.path.proven and flow.transform.medium == UDPTL:
            read, take = _faxForwarder(
                sock,
                flows[there].transform.longest,
                self._sockets[there].send,
                punt,
                self._adapters[there].counters,
            )
        elif flow.path.proven:
            read, take = _forwarder(
                sock,
                flow.transform.inbound,
                flows[there].transform.outbound,
                self._sockets[there].send,
                punt,
                transport.counters,
                self._adapters[there].counters,
            )
        else:
            read, take = _punter(sock, punt), _nothing
        self._takes.append(take)
        self._poller.add(sock.fileno(), read)
        self._watched.append(sock.fileno())

    def collect(self) -> None:
        """
        See L{IOffload}.
        """
        for here, there in ((0, 1), (1, 0)):
            packets, octets, sent = self._takes[here]()
            if packets:
                self._adapters[here].packetsMoved(packets, octets, False)
                self._adapters[there].packetsMoved(packets, sent, True)

    def revoke(self) -> None:
        """
        See L{IOffload}.
        """
        self.collect()
        self._ignore()
        for sock, transport in zip(self._sockets, self._transports, strict=True):
            _drain(sock, transport)
        self._close()

    def _ignore(self) -> None:
        for fileno in self._watched:
            self._poller.remove(fileno)
        self._watched.clear()

    def _close(self) -> None:
        self._ignore()
        for sock in self._sockets:
            sock.close()


@implementer(IDatapath)
class SocketDatapath:
    """
    Moves packets between connected sockets.
    """

    def __init__(self, poller: Poller) -> None:
        self._poller = poller

    def offload(
        self,
        a: Flow,
        b: Flow,
        transports: tuple[IDatagramTransport, IDatagramTransport],
        adapters: tuple[Any, Any],
    ) -> IOffload | None:
        """
        See L{IDatapath}.
        """
        if not (a.path.proven or b.path.proven):
            return None
        if not all(map(_ours, transports)):
            return None
        try:
            return _Link(self._poller, (a, b), transports, adapters)
        except OSError:
            # Out of descriptors, or nowhere to route to: the adapters' way
            # needs neither.
            return None


def _ours(transport: Any) -> bool:
    """
    Whether a transport's packets come through a socket that can be doubled.
    """
    components: list[Any] = getattr(transport, "components", [])
    return bool(components) and isinstance(components[0].port, SocketPort)


def _drain(sock: Any, transport: Any) -> None:
    for _ in range(_MAX_DRAIN):
        try:
            data, source = sock.recvfrom(MAX_DATAGRAM)
        except BlockingIOError:
            return
        except OSError:
            # An ICMP error, and behind it more datagrams.
            continue
        transport.datagramReceived(data, source[:2])


def _punt(transport: Any, remote: tuple[str, int]) -> Callable[[bytes], None]:
    def punt(data: bytes) -> None:
        transport.datagramReceived(data, remote)

    return punt


def _punter(sock: Any, punt: Callable[[bytes], None]) -> Callable[[], None]:
    receiveInto, view = sock.recv_into, memoryview(ARENA)

    def read() -> None:
        try:
            size = receiveInto(ARENA, MAX_DATAGRAM)
        except OSError:
            return
        punt(bytes(view[:size]))

    return read


def _nothing() -> tuple[int, int, int]:
    return 0, 0, 0


def _forwarder(
    sock: Any,
    inbound: Context | None,
    outbound: Context | None,
    send: Callable[[memoryview], int],
    punt: Callable[[bytes], None],
    refused: dict[str, int],
    unsent: dict[str, int],
) -> tuple[Callable[[], None], Callable[[], tuple[int, int, int]]]:
    """
    What moves one packet, and what tells how many were moved: packets, their
    octets in the clear, and as they were sent.

    @param inbound: removes protection, if there is any.
    @param outbound: adds protection, if there shall be any.
    @param refused: counts packets that are not authentic.
    @param unsent: counts packets that could not be sent.
    """
    # All names are local: this is the line of the program that runs most.
    receiveInto, arena, view = sock.recv_into, ARENA, memoryview(ARENA)
    cdata, length, ssrcAt = ARENA_POINTER, newLength(), _SSRC.unpack_from
    unprotect = None if inbound is None else unprotectInPlace
    protect = None if outbound is None else protectInPlace
    sessionIn = None if inbound is None else inbound.session
    sessionOut = None if outbound is None else outbound.session
    sourcesIn = None if inbound is None else inbound.sources
    sourcesOut = None if outbound is None else outbound.sources
    packets = octets = overhead = 0

    def read() -> None:
        nonlocal packets, octets, overhead
        try:
            size = receiveInto(arena, MAX_DATAGRAM)
        except OSError:
            # Nothing there, or an ICMP error about something sent earlier.
            return
        if size < 12 or not 128 <= arena[0] <= 191 or 192 <= arena[1] <= 223:
            punt(bytes(view[:size]))
            return
        source = ssrcAt(arena, 8)[0]
        if sourcesIn is not None:
            if source not in sourcesIn:
                punt(bytes(view[:size]))
                return
            length[0] = size
            status = unprotect(sessionIn, cdata, length)  # type: ignore[misc]
            if status:
                reason = "dropped " + REASONS.get(status, "malformed")
                refused[reason] = refused.get(reason, 0) + 1
                return
            size = length[0]
        if sourcesOut is not None:
            if source not in sourcesOut:
                if sourcesIn is not None:
                    # Decrypted already, so it cannot go through the door.
                    sourcesOut.add(source)
                else:
                    punt(bytes(view[:size]))
                    return
            length[0] = size
            status = protect(sessionOut, cdata, length)  # type: ignore[misc]
            if status:
                reason = "unsent " + REASONS.get(status, "malformed")
                unsent[reason] = unsent.get(reason, 0) + 1
                return
            # The tag, which has always the same length.
            overhead = length[0] - size
            size = length[0]
        packets += 1
        octets += size
        try:
            send(view[:size])
        except OSError:
            _sendAgain(send, view[:size], unsent)

    def take() -> tuple[int, int, int]:
        nonlocal packets, octets
        taken = packets, octets - packets * overhead, octets
        packets = octets = 0
        return taken

    return read, take


def _faxForwarder(
    sock: Any,
    longest: int,
    send: Callable[[memoryview], int],
    punt: Callable[[bytes], None],
    unsent: dict[str, int],
) -> tuple[Callable[[], None], Callable[[], tuple[int, int, int]]]:
    """
    What moves one UDPTL datagram; the same as L{_forwarder} is for RTP.

    @param longest: the most octets that the other party takes, or 0: any.
    """
    receiveInto, arena, view = sock.recv_into, ARENA, memoryview(ARENA)
    most = longest or MAX_DATAGRAM
    packets = octets = 0

    def read() -> None:
        nonlocal packets, octets
        try:
            size = receiveInto(arena, MAX_DATAGRAM)
        except OSError:
            # Nothing there, or an ICMP error about something sent earlier.
            return
        if size > most or not isWhole(arena, size):
            # What is wrong with it is found out, and counted, there.
            punt(bytes(view[:size]))
            return
        packets += 1
        octets += size
        try:
            send(view[:size])
        except OSError:
            _sendAgain(send, view[:size], unsent)

    def take() -> tuple[int, int, int]:
        nonlocal packets, octets
        taken = packets, octets, octets
        packets = octets = 0
        return taken

    return read, take


def _sendAgain(send: Callable[[memoryview], int], packet: memoryview, unsent: dict[str, int]) -> None:
    """
    It failed, but that may have been an ICMP error about an earlier packet,
    and that is told once.
    """
    try:
        send(packet)
    except OSError:
        unsent["unsent refused"] = unsent.get("unsent refused", 0) + 1
