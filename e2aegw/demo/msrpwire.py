"""
MSRP as it is on the wire (RFC 4975 clause 9), for the far end of the
demonstration.

Who answers the gateway must not agree with it by having its code, so nothing
here is the gateway's.
"""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

#: Most octets of the start line and the header fields together.
MAX_HEAD: Final = 16384
#: A request or a response: the transaction, and the method or the status code.
_START: Final = re.compile(rb"MSRP ([A-Za-z0-9][A-Za-z0-9.+%=-]{3,31}) ([A-Z]+|[0-9]{3})(?: [^\r\n]*)?\Z")
#: What ends a chunk, after the transaction.
_FLAGS: Final = b"$+#"
_TAIL: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """
    The beginning of a request or a response.

    @ivar transaction: its name.
    @ivar what: the method, or the status code.
    @ivar headers: the header fields, by their names in small letters.
    """

    transaction: bytes
    what: bytes
    headers: Mapping[bytes, bytes]

    def get(self, name: bytes) -> bytes:
        """
        The value of a header field, or nothing.
        """
        return self.headers.get(name, b"")


class Listener(Protocol):
    """
    Who is told what was read.
    """

    def began(self, head: Head) -> None:
        """
        A request or a response begins.
        """

    def body(self, data: bytes) -> None:
        """
        Some of its body.
        """

    def ended(self, flag: bytes) -> None:
        """
        It is over: C{$}, C{+} or C{#}.
        """


class Wire:
    """
    What comes on one connection.
    """

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._data = bytearray()
        self._end = b""

    def feed(self, data: bytes) -> bool:
        """
        Some octets came.

        @return: whether they are MSRP.
        """
        self._data += data
        while (right := self._body() if self._end else self._head()) is not None:
            if not right:
                return False
        return True

    def _head(self) -> bool | None:
        """
        @return: whether this is a head; L{None} if more of it is needed.
        """
        data = self._data
        first = data.find(b"\r\n")
        start = _START.match(data[: max(first, 0)])
        if start is None:
            return False if first >= 0 or len(data) > MAX_HEAD else None
        end = b"\r\n-------" + start[1]
        blank, close = data.find(b"\r\n\r\n", first), data.find(end, first)
        hasBody = blank >= 0 and (close < 0 or blank < close)
        stop = blank if hasBody else close
        if stop < 0 or stop > MAX_HEAD:
            return False if len(data) > MAX_HEAD else None
        headers: dict[bytes, bytes] = {}
        for line in bytes(data[first + 2 : stop]).splitlines():
            name, colon, value = line.partition(b":")
            if not colon:
                return False
            headers[name.strip().lower()] = value.strip()
        del data[: stop + 4 if hasBody else stop]
        self._end = end
        self._listener.began(Head(transaction=start[1], what=start[2], headers=headers))
        return True

    def _body(self) -> bool | None:
        """
        Read up to the end, which comes at once if there is no body.

        @return: whether it is right; L{None} if more of it is needed.
        """
        data, end = self._data, self._end
        at = data.find(end)
        ready = at if at >= 0 else len(data) - len(end)
        if ready > 0:
            self._listener.body(bytes(data[:ready]))
            del data[:ready]
        if at < 0 or len(data) < len(end) + _TAIL:
            return None
        flag, after = bytes(data[len(end) : len(end) + 1]), data[len(end) + 1 : len(end) + _TAIL]
        if flag not in _FLAGS or after != b"\r\n":
            return False
        del data[: len(end) + _TAIL]
        self._end = b""
        self._listener.ended(flag)
        return True


def request(
    method: bytes, to: bytes, source: bytes, *headers: bytes, body: bytes | None = None, flag: bytes = b"$"
) -> bytes:
    """
    Write a request.

    @param headers: whole lines.
    """
    # RFC 4975 clause 7.1: 64 bits of chance are not in a body by accident.
    return _write(secrets.token_hex(10).encode(), method, to, source, headers, body, flag)


def response(head: Head, code: int, words: str) -> bytes:
    """
    Answer a request.
    """
    to = head.get(b"from-path").split(b" ")[0]
    return _write(head.transaction, f"{code} {words}".encode(), to, head.get(b"to-path"), (), None, b"$")


def _write(
    transaction: bytes,
    what: bytes,
    to: bytes,
    source: bytes,
    headers: tuple[bytes, ...],
    body: bytes | None,
    flag: bytes,
) -> bytes:
    lines = [b"MSRP %s %s" % (transaction, what), b"To-Path: " + to, b"From-Path: " + source, *headers]
    if body is not None:
        lines += [b"", body]
    return b"\r\n".join([*lines, b"-------%s%s\r\n" % (transaction, flag)])
