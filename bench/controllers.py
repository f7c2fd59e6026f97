"""
SIP proxies that set up many calls at once.
"""

import itertools
import os
import select
import socket
from collections.abc import Iterator, Sequence
from typing import Any

from bench.calls import ANSWER_FLAGS_SDES, OFFER_FLAGS, SOMEWHERE, plainAnswer, sdesOffer
from e2aegw.sansio import sdes
from e2aegw.sansio.srtp import Profile
from tests.peers.ng import TIMEOUT, encode

#: Requests under way at a time: the processes of a busy SIP proxy.
CONTROLLERS = 8

_GOOD = b"6:result2:ok"
_numbers = itertools.count()


class Pairs:
    """
    Offers and answers of calls that are still to be set up, ready to be sent:
    what a message costs its sender must not hold up the gateway.
    """

    def __init__(self, count: int) -> None:
        crypto = str(sdes.generate("1", Profile.AES_CM_128_HMAC_SHA1_80).line())
        offer, answer = sdesOffer(SOMEWHERE, crypto), plainAnswer(SOMEWHERE)
        self._pairs = [_pair(next(_numbers), offer, answer) for _ in range(count)]

    def send(self, address: tuple[str, int]) -> None:
        """
        Set up the calls.

        @raise TimeoutError: a reply does not come.
        @raise RuntimeError: the gateway refuses.
        """
        left = iter(self._pairs)
        # What each controller has yet to say of its call.
        saying: dict[int, Iterator[bytes]] = {}
        sockets: dict[int, socket.socket] = {}
        poller = select.epoll()
        try:
            for _ in range(CONTROLLERS):
                sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                sockets[sock.fileno()] = sock
                sock.connect(address)
                poller.register(sock.fileno(), select.EPOLLIN)
                _next(sock, saying, left)
            while saying:
                ready = poller.poll(TIMEOUT)
                if not ready:
                    raise TimeoutError("no reply")
                for number, _ in ready:
                    reply = sockets[number].recv(65536)
                    if _GOOD not in reply:
                        raise RuntimeError(f"refused: {reply!r}")
                    _next(sockets[number], saying, left)
        finally:
            poller.close()
            for sock in sockets.values():
                sock.close()


def _next(sock: socket.socket, saying: dict[int, Iterator[bytes]], left: Iterator[Sequence[bytes]]) -> None:
    """
    Send the next message of this controller's call, or the first of another.
    """
    number = sock.fileno()
    message = next(saying.get(number, iter(())), None)
    if message is None:
        saying[number] = iter(next(left, ()))
        message = next(saying[number], None)
    if message is None:
        del saying[number]
    else:
        sock.send(message)


def _pair(number: int, offer: str, answer: str) -> Sequence[bytes]:
    call = {"call-id": f"pair-{os.getpid()}-{number}", "from-tag": f"from{number}"}
    there = {"command": "offer", **call, "sdp": offer, **OFFER_FLAGS}
    here = {"command": "answer", **call, "to-tag": f"to{number}", "sdp": answer, **ANSWER_FLAGS_SDES}
    return _message(f"{number}o", there), _message(f"{number}a", here)


def _message(cookie: str, fields: dict[str, Any]) -> bytes:
    return f"{cookie} ".encode() + encode(fields)
