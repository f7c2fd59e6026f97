"""
usrsctp, FreeBSD's SCTP as a library, in memory: its packets are bytes, and its
clock goes on when it is told.
"""

import ctypes
import errno
import functools
import socket
import struct
from collections import deque
from typing import Final, NamedTuple

LIBRARY: Final = "libusrsctp.so.2"

_AF_CONN: Final = 123
_IPPROTO_SCTP: Final = 132

# Socket options.
_INITMSG: Final = 0x03
_NODELAY: Final = 0x04
_FRAGMENT_INTERLEAVE: Final = 0x10
_EVENT: Final = 0x1E
_RECVRCVINFO: Final = 0x1F
_ENABLE_STREAM_RESET: Final = 0x900
_RESET_STREAMS: Final = 0x901
_INTERLEAVING_SUPPORTED: Final = 0x1206

_NOTIFICATION: Final = 0x2000
_ABORT: Final = 0x0200
_UNORDERED: Final = 0x0400
_SENDV_SPA: Final = 4
_SNDINFO_VALID: Final = 1
_PRINFO_VALID: Final = 2
_PR_TTL: Final = 1
_PR_RTX: Final = 3
_OUTGOING: Final = 2

_ASSOC_CHANGE: Final = 0x0001
_STREAM_RESET: Final = 0x0009
#: What C{sac_state} means.
STATES: Final = {1: "up", 2: "lost", 3: "restart", 4: "shutdown", 5: "cannot start"}

#: The largest message that is taken at once.
_MAX_MESSAGE: Final = 1 << 20


class _Address(ctypes.Structure):
    _fields_ = (("family", ctypes.c_uint16), ("port", ctypes.c_uint16), ("address", ctypes.c_void_p))


class Message(NamedTuple):
    """
    What arrived.
    """

    streamID: int
    ppid: int
    data: bytes


class ResetNotice(NamedTuple):
    """
    Streams were reset.
    """

    streams: tuple[int, ...]
    incoming: bool
    failed: bool


_Output = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_uint8, ctypes.c_uint8
)

_peers: dict[int, "Peer"] = {}


def _send(address: int, data: int, size: int, tos: int, df: int) -> int:
    peer = _peers.get(address)
    if peer is not None:
        peer.packets.append(ctypes.string_at(data, size))
    return 0


_output = _Output(_send)


@functools.cache
def library() -> ctypes.CDLL:
    """
    The library, started without threads.
    """
    lib = ctypes.CDLL(LIBRARY, use_errno=True)
    lib.usrsctp_socket.restype = ctypes.c_void_p
    lib.usrsctp_accept.restype = ctypes.c_void_p
    lib.usrsctp_recvv.restype = ctypes.c_ssize_t
    lib.usrsctp_sendv.restype = ctypes.c_ssize_t
    lib.usrsctp_init_nothreads(0, _output, None)
    for name, value in {
        "ecn_enable": 0,
        "blackhole": 2,
        "no_csum_on_loopback": 0,
        "sendspace": 1 << 20,
        "recvspace": 1 << 20,
    }.items():
        getattr(lib, f"usrsctp_sysctl_set_sctp_{name}")(ctypes.c_uint32(value))
    return lib


class Peer:
    """
    An association of usrsctp's.

    @ivar packets: what it sends.
    @ivar states: how its association changed, in words.
    @ivar resets: the resets that it was told of.
    """

    _last = 0

    def __init__(self, *, interleaving: bool = False, port: int = 5000) -> None:
        """
        @param interleaving: whether to offer I-DATA.
        """
        Peer._last += 1
        self._ident = Peer._last
        self._lib = library()
        self.packets: deque[bytes] = deque()
        self.states: list[str] = []
        self.resets: list[ResetNotice] = []
        self._parts: list[bytes] = []
        _peers[self._ident] = self
        self._lib.usrsctp_register_address(ctypes.c_void_p(self._ident))
        self._socket = ctypes.c_void_p(
            self._lib.usrsctp_socket(_AF_CONN, socket.SOCK_STREAM, _IPPROTO_SCTP, None, None, 0, None)
        )
        #: What C{accept} gave; until then the first socket is the association.
        self._accepted: ctypes.c_void_p | None = None
        self._address = _Address(_AF_CONN, socket.htons(port), self._ident)
        self._lib.usrsctp_set_non_blocking(self._socket, 1)
        self._option(_NODELAY, struct.pack("I", 1))
        self._option(_INITMSG, struct.pack("HHHH", 1024, 1024, 0, 0))
        self._option(_RECVRCVINFO, struct.pack("I", 1))
        self._option(_ENABLE_STREAM_RESET, struct.pack("II", 0, 1))
        for kind in (_ASSOC_CHANGE, _STREAM_RESET):
            self._option(_EVENT, struct.pack("IHBx", 0, kind, 1))
        if interleaving:
            self._option(_FRAGMENT_INTERLEAVE, struct.pack("I", 2))
            self._option(_INTERLEAVING_SUPPORTED, struct.pack("II", 0, 1))
        self._call("bind", self._socket, ctypes.byref(self._address), ctypes.sizeof(self._address))

    def _call(self, name: str, *arguments: object) -> int:
        result = getattr(self._lib, f"usrsctp_{name}")(*arguments)
        if result < 0 and ctypes.get_errno() != errno.EINPROGRESS:
            raise OSError(ctypes.get_errno(), f"usrsctp_{name}")
        return int(result)

    def _option(self, option: int, value: bytes) -> None:
        self._call("setsockopt", self._socket, _IPPROTO_SCTP, option, value, len(value))

    @property
    def _current(self) -> ctypes.c_void_p:
        return self._accepted or self._socket

    def connect(self) -> None:
        """
        Begin.
        """
        self._call("connect", self._socket, ctypes.byref(self._address), ctypes.sizeof(self._address))

    def listen(self) -> None:
        """
        Let the other side begin.
        """
        self._call("listen", self._socket, 1)

    def accept(self) -> bool:
        """
        Take the association that the other side made, if there is one.
        """
        found = self._lib.usrsctp_accept(self._socket, None, None)
        if found:
            self._accepted = ctypes.c_void_p(found)
            self._lib.usrsctp_set_non_blocking(self._accepted, 1)
        return bool(found)

    def receive(self, packet: bytes) -> None:
        """
        A packet arrived.
        """
        self._lib.usrsctp_conninput(
            ctypes.c_void_p(self._ident), packet, ctypes.c_size_t(len(packet)), ctypes.c_uint8(0)
        )

    @staticmethod
    def elapse(milliseconds: int) -> None:
        """
        Let time pass, for all of them.
        """
        library().usrsctp_handle_timers(ctypes.c_uint32(milliseconds))

    def send(
        self,
        streamID: int,
        data: bytes,
        ppid: int,
        *,
        ordered: bool = True,
        maxRetransmits: int | None = None,
        maxLifetime: int | None = None,
        flags: int = 0,
    ) -> bool:
        """
        Send a message.

        @param maxLifetime: in milliseconds.

        @return: whether there was room for it.
        """
        flags |= 0 if ordered else _UNORDERED
        valid, policy, value = _SNDINFO_VALID, 0, 0
        if maxRetransmits is not None:
            valid, policy, value = valid | _PRINFO_VALID, _PR_RTX, maxRetransmits
        elif maxLifetime is not None:
            valid, policy, value = valid | _PRINFO_VALID, _PR_TTL, maxLifetime
        info = struct.pack(
            "IHHIIIHxxIHxx", valid, streamID, flags, socket.htonl(ppid), 0, 0, policy, value, 0
        )
        result = self._lib.usrsctp_sendv(
            self._current, data, ctypes.c_size_t(len(data)), None, 0, info, len(info), _SENDV_SPA, 0
        )
        if result < 0 and ctypes.get_errno() not in (errno.EAGAIN, 0):
            raise OSError(ctypes.get_errno(), "usrsctp_sendv")
        return int(result) >= 0

    def next(self) -> Message | None:
        """
        The next message that arrived, whole.
        """
        size = _MAX_MESSAGE
        buffer = ctypes.create_string_buffer(size)
        source, info = ctypes.create_string_buffer(64), ctypes.create_string_buffer(64)
        while True:
            sourceSize, infoSize = ctypes.c_uint32(64), ctypes.c_uint32(64)
            kind, flags = ctypes.c_uint(0), ctypes.c_int(0)
            got = self._lib.usrsctp_recvv(
                self._current,
                buffer,
                ctypes.c_size_t(size),
                source,
                ctypes.byref(sourceSize),
                info,
                ctypes.byref(infoSize),
                ctypes.byref(kind),
                ctypes.byref(flags),
            )
            if got <= 0:
                return None
            data = ctypes.string_at(buffer, got)
            if flags.value & _NOTIFICATION:
                self._notified(data)
                continue
            self._parts.append(data)
            if flags.value & socket.MSG_EOR:
                data, self._parts = b"".join(self._parts), []
                streamID, _, _, ppid = struct.unpack_from("HHHxxI", info.raw)
                return Message(streamID, socket.ntohl(ppid), data)

    def _notified(self, data: bytes) -> None:
        kind, flags, length = struct.unpack_from("HHI", data)
        if kind == _ASSOC_CHANGE:
            (state,) = struct.unpack_from("H", data, 8)
            self.states.append(STATES[state])
        elif kind == _STREAM_RESET:
            streams = struct.unpack_from(f"{(length - 12) // 2}H", data, 12)
            self.resets.append(ResetNotice(streams, bool(flags & 1), bool(flags & 12)))

    def resetStreams(self, *streams: int) -> None:
        """
        Reset outgoing streams.
        """
        value = struct.pack(f"IHH{len(streams)}H", 0, _OUTGOING, len(streams), *streams)
        target = self._current
        self._call("setsockopt", target, _IPPROTO_SCTP, _RESET_STREAMS, value, len(value))

    def shutdown(self) -> None:
        """
        End in order.
        """
        self._call("shutdown", self._current, socket.SHUT_WR)

    def abort(self) -> None:
        """
        End at once.
        """
        self.send(0, b"", 0, flags=_ABORT)

    def close(self) -> None:
        """
        Let go of everything.
        """
        if self._accepted:
            self._lib.usrsctp_close(self._accepted)
        self._lib.usrsctp_close(self._socket)
        self._lib.usrsctp_deregister_address(ctypes.c_void_p(self._ident))
        del _peers[self._ident]
