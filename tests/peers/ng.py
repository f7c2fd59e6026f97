"""
A client of rtpengine's ng protocol, written apart from the gateway's server.
"""

import itertools
import json
import os
import socket
from collections.abc import Sequence
from typing import Any

#: How long a reply may take.  Kamailio resends after one second.
TIMEOUT = 5.0

_cookies = itertools.count()


def encode(value: Any) -> bytes:
    """
    Bencode, in the order given; a dictionary may be a tuple of pairs, to
    repeat a key as Kamailio does.
    """
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        return b"%d:%s" % (len(value), value)
    if isinstance(value, list):
        return b"l" + b"".join(map(encode, value)) + b"e"
    pairs = value.items() if isinstance(value, dict) else value
    return b"d" + b"".join(encode(key) + encode(item) for key, item in pairs) + b"e"


def decode(data: bytes) -> Any:
    """
    Undo L{encode}; strings are L{str}.

    @raise ValueError: there is something behind the value.
    """
    value, end = _decode(data, 0)
    if end != len(data):
        raise ValueError(f"{len(data) - end} octets after the value")
    return value


def _decode(data: bytes, at: int) -> tuple[Any, int]:
    kind = data[at : at + 1]
    if kind == b"i":
        end = data.index(b"e", at)
        return int(data[at + 1 : end]), end + 1
    if kind in (b"l", b"d"):
        items, at = [], at + 1
        while data[at : at + 1] != b"e":
            item, at = _decode(data, at)
            items.append(item)
        return (items if kind == b"l" else dict(zip(items[::2], items[1::2], strict=True))), at + 1
    colon = data.index(b":", at)
    end = colon + 1 + int(data[at:colon])
    return data[colon + 1 : end].decode(), end


class NG:
    """
    A controller's end of the control socket.

    @ivar timeout: how long a reply may take, in seconds.
    """

    def __init__(self, port: int, host: str = "127.0.0.1", timeout: float = TIMEOUT) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        # Connected, as Kamailio's are: a reply from elsewhere does not count.
        self._socket.connect((host, port))
        self._socket.settimeout(timeout)

    def close(self) -> None:
        """
        Let go of the socket.
        """
        self._socket.close()

    def send(self, datagram: bytes) -> None:
        """
        Send a datagram as it is.
        """
        self._socket.send(datagram)

    def receive(self, seconds: float = TIMEOUT) -> bytes:
        """
        The next datagram.

        @raise OSError: none came in time, or nobody listens.
        """
        self._socket.settimeout(seconds)
        return self._socket.recv(65536)

    def raw(self, datagram: bytes) -> bytes:
        """
        Send a datagram as it is, and wait for one.

        @return: what came back, whole.

        @raise OSError: nothing came in time, or nobody listens.
        """
        self.send(datagram)
        return self.receive()

    def request(
        self, message: dict[str, Any] | Sequence[tuple[str, Any]], asJSON: bool = False
    ) -> dict[str, Any]:
        """
        Send a message and wait for its reply.

        @raise OSError: none came in time, or nobody listens.
        """
        cookie = b"%d_%d" % (os.getpid(), next(_cookies))
        body = json.dumps(dict(message)).encode() if asJSON else encode(message)
        self.send(cookie + b" " + body)
        while True:
            got, _, reply = self.receive().partition(b" ")
            if got == cookie:
                decoded: dict[str, Any] = json.loads(reply) if asJSON else decode(reply)
                return decoded

    def command(self, command: str, **keys: Any) -> dict[str, Any]:
        """
        Send a command; underscores in the names of its keys become hyphens.

        @raise OSError: no reply came in time, or nobody listens.
        """
        return self.request({"command": command, **{key.replace("_", "-"): v for key, v in keys.items()}})

    def alive(self) -> bool:
        """
        Whether somebody answers a ping.
        """
        try:
            return self.command("ping") == {"result": "pong"}
        except OSError:
            return False
