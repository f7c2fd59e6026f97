"""
A fax machine: spandsp's terminal for T.38, through its C interface, with a page
to send or a place for one.

Its clock is the number of samples that it is told have passed, so it can live
faster than we do.
"""

import ctypes
from collections.abc import Callable
from ctypes import CFUNCTYPE, POINTER, c_char_p, c_int, c_ubyte, c_uint16, c_void_p
from ctypes.util import find_library
from pathlib import Path

from e2aegw.errors import RemoteError
from tests.sansio.udptlcodec import Codec

#: Samples of 20 ms.
TICK = 160
#: How often a second there is one.
TICKS = 50
#: Ticks after the end, for the other end to hear of it.
_AFTERWARDS = 100
#: T.4 in one and two dimensions, and T.6.
_COMPRESSIONS = 7

_Transmit = CFUNCTYPE(c_int, c_void_p, c_void_p, POINTER(c_ubyte), c_int, c_int)
_Done = CFUNCTYPE(None, c_void_p, c_void_p, c_int)


def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(find_library("spandsp"))
    for name in ("t38_terminal_init", "t38_terminal_get_t30_state", "t38_terminal_get_t38_core_state"):
        getattr(library, name).restype = c_void_p
    return library


class FaxMachine:
    """
    One end of a call.

    @ivar result: T.30's result, 0 if all is well, or L{None} before the end.
    @ivar codec: what makes datagrams of packets, and recovers what was lost.
    @ivar over: whether it has nothing more to say.
    """

    def __init__(
        self,
        send: Callable[[bytes], object],
        *,
        page: Path | None = None,
        receive: Path | None = None,
        parity: bool = False,
    ) -> None:
        """
        @param send: called with each datagram of UDPTL.
        @param page: the file with the page, if it is the one that sends.
        @param receive: where the page goes, if it is not.
        @param parity: whether there is parity in the place of redundancy.
        """
        self.codec = Codec(parity=parity)
        self.result: int | None = None
        self.malformed = 0
        self._send = send
        self._left = _AFTERWARDS
        self._library = library = _library()
        # Whoever hands out a function must keep it.
        self._callbacks = (_Transmit(self._transmit), _Done(self._done))
        self._terminal = c_void_p(
            library.t38_terminal_init(None, int(page is not None), self._callbacks[0], None)
        )
        fax = c_void_p(library.t38_terminal_get_t30_state(self._terminal))
        self._core = c_void_p(library.t38_terminal_get_t38_core_state(self._terminal))
        library.t38_terminal_set_config(self._terminal, 0)
        library.t30_set_phase_e_handler(fax, self._callbacks[1], None)
        library.t30_set_ecm_capability(fax, 1)
        library.t30_set_supported_compressions(fax, _COMPRESSIONS)
        if page is not None:
            library.t30_set_tx_file(fax, c_char_p(str(page).encode()), -1, -1)
        else:
            library.t30_set_rx_file(fax, c_char_p(str(receive).encode()), -1)

    @property
    def over(self) -> bool:
        """
        Whether it has nothing more to say.
        """
        return self._left <= 0

    def tick(self) -> None:
        """
        20 ms have passed.
        """
        self._library.t38_terminal_send_timeout(self._terminal, TICK)
        if self.result is not None:
            self._left -= 1

    def receive(self, datagram: bytes) -> None:
        """
        A datagram of UDPTL came.
        """
        try:
            packets = self.codec.decode(datagram)
        except RemoteError:
            self.malformed += 1
            return
        for number, packet in packets:
            self._library.t38_core_rx_ifp_packet(self._core, packet, len(packet), c_uint16(number & 0xFFFF))

    def end(self) -> None:
        """
        Switch it off.
        """
        if self._terminal:
            self._library.t38_terminal_free(self._terminal)
            self._terminal = c_void_p()

    def _transmit(
        self, core: object, user: object, octets: "ctypes._Pointer[c_ubyte]", length: int, count: int
    ) -> int:
        self._send(self.codec.encode(bytes(octets[:length])))
        return 0

    def _done(self, fax: object, user: object, result: int) -> None:
        self.result = result
