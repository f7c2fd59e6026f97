"""
MSRP messages (RFC 4975) out of a stream, however it is cut.
"""

import re
from typing import Final

from e2aegw.errors import RemoteError
from e2aegw.sansio.msrp import (
    ABORT,
    END,
    MORE,
    SEND,
    ByteRange,
    Fragment,
    Head,
    Part,
    Request,
    Response,
)

#: Most octets before a body: a path may hold some dozen URIs of relays.
MAX_HEAD: Final = 16384
#: Most header lines of one message.
MAX_LINES: Final = 64
#: Longest transaction identifier; RFC 4975 clause 9 has 32, some write more.
MAX_TRANSACTION: Final = 64
#: Longest body of a request that is not SEND (RFC 4975 clause 7.1).
MAX_CONTROL_BODY: Final = 10240

_FLAGS: Final = (END, MORE, ABORT)
_DASHES: Final = b"-------"
_START: Final = re.compile(
    rb"MSRP ([A-Za-z0-9][A-Za-z0-9.\-+%%=]{0,%d}) (?:([A-Z]{1,32})|([0-9]{3})(?: (.*))?)\Z"
    % (MAX_TRANSACTION - 1),
    re.DOTALL,
)
_NAME: Final = re.compile(rb"[A-Za-z][!#-'*+\-.0-9A-Z^-~]*\Z")
#: The headers of which a second one would mean something else to another
#: reader.
_SINGLE: Final = frozenset(
    {
        *(b"to-path", b"from-path", b"message-id", b"byte-range"),
        *(b"failure-report", b"success-report", b"content-type"),
    }
)


class Reader:
    """
    Tells where messages begin and end in what arrives, and hands on bodies as
    they come: of a SEND's body it keeps no more than what might be the
    beginning of the last line.

    @ivar endToEnd: whether paths and transactions are left in the units (RFC
        6714).  A change holds from the next message on.
    """

    __slots__ = (
        "_body",
        "_buffer",
        "_end",
        "_error",
        "_first",
        "_headSize",
        "_lines",
        "_method",
        "_parts",
        "_partsSize",
        "_place",
        "_position",
        "_request",
        "_scanned",
        "_skip",
        "_start",
        "endToEnd",
    )

    def __init__(self, *, endToEnd: bool = False) -> None:
        self.endToEnd = endToEnd
        self._buffer = b""
        # Where in it to go on; and up to where there is no end of a line.
        self._place = self._scanned = 0
        # The message whose headers are being read.
        self._start: re.Match[bytes] | None = None
        self._lines: list[bytes] = []
        self._headSize = 0
        self._method = b""
        self._end = b""
        # The request whose body is being read.
        self._body = False
        self._request: Request | None = None
        self._first = True
        self._position = 1
        self._skip = 0
        self._parts: list[bytes] = []
        self._partsSize = 0
        self._error: RemoteError | None = None

    def feed(self, data: bytes) -> None:
        """
        Take what arrived; L{nextPart} says what it was.
        """
        if self._place >= len(self._buffer):
            self._buffer = data
            self._scanned = 0
        else:
            self._buffer = self._buffer[self._place :] + data
            self._scanned -= self._place
        self._place = 0

    def nextPart(self) -> Part | None:
        """
        The next piece of a request, or the next response; L{None} if it has
        not arrived.

        @raise RemoteError: this is not MSRP, or is above a limit.  Nothing
            that comes after it can be read, so it is raised again and again.
        """
        if self._error is not None:
            raise self._error
        try:
            part = None if self._body else self._readHead()
            if part is None and self._body:
                part = self._readBody()
            if part is None and self._place:
                # Who is silent for a long time shall not keep what is read.
                self._buffer = self._buffer[self._place :]
                self._scanned = max(0, self._scanned - self._place)
                self._place = 0
            return part
        except RemoteError as e:
            self._error = e
            self._buffer, self._place = b"", 0
            self._parts.clear()
            raise

    @property
    def interrupted(self) -> Fragment | None:
        """
        What gives up the chunk of which a piece, but not the last one, was
        handed on; for when no more arrives.
        """
        if not self._body or self._first or self._request is None:
            return None
        return Fragment(self._request.fragment.head, b"", ABORT, self._position, False)

    # Inside.

    def _readHead(self) -> Part | None:
        buffer = self._buffer
        while True:
            end = buffer.find(b"\r\n", self._scanned)
            if end < 0:
                if len(buffer) - self._place + self._headSize > MAX_HEAD:
                    raise RemoteError("MSRP headers", "too long")
                # The last octet may be half a line end.
                self._scanned = max(self._place, len(buffer) - 1)
                return None
            place = self._place
            line = buffer[place:end]
            self._headSize += end + 2 - place
            if self._headSize > MAX_HEAD:
                raise RemoteError("MSRP headers", "too long")
            if line and self._start is not None and line[0] != 0x2D:
                self._lines.append(line)
                if len(self._lines) > MAX_LINES:
                    raise RemoteError("MSRP headers", "too many")
                self._place = self._scanned = end + 2
                continue
            if self._start is None:
                self._place = self._scanned = end + 2
                if line:
                    self._begin(line)
                else:
                    # Nothing between two messages is nothing.
                    self._headSize = 0
                continue
            if not line:
                self._beginBody(place)
                return None
            flag = line[-1:]
            if line[:-1] != self._end[2:] or flag not in _FLAGS:
                raise RemoteError("MSRP end-line")
            self._place = self._scanned = end + 2
            return self._finishHead(flag)

    def _begin(self, line: bytes) -> None:
        start = _START.match(line)
        if start is None:
            raise RemoteError("MSRP start line")
        self._start = start
        self._method = start[2] or b""
        self._end = b"\r\n" + _DASHES + start[1]

    def _beginBody(self, place: int) -> None:
        request = self._finishHead(None)
        if not isinstance(request, Request):
            raise RemoteError("MSRP response", "with a body")
        self._request = request
        self._body = self._first = True
        byteRange = request.fragment.head.byteRange
        self._position = 1 if byteRange is None else byteRange.start
        # The line end of the empty line may be the one before the end-line:
        # some write an empty body so.
        self._place = place
        self._skip = 2

    def _finishHead(self, flag: bytes | None) -> Part:
        """
        All headers have arrived.

        @param flag: L{None} if a body follows.
        """
        assert self._start is not None
        values: dict[bytes, bytes] = {}
        lines: list[bytes] = []
        for line in self._lines:
            name, colon, value = line.partition(b":")
            if not colon or not _NAME.match(name) or b"\r" in value or b"\n" in value:
                raise RemoteError("MSRP header")
            name = name.lower()
            if name in _SINGLE:
                if name in values:
                    raise RemoteError("MSRP header", "repeated")
                values[name] = value.strip()
            if self.endToEnd or name not in (b"to-path", b"from-path"):
                lines.append(line)
        transaction, _, code, comment = self._start.groups()
        toPath, fromPath = values.get(b"to-path"), values.get(b"from-path")
        if not toPath or not fromPath:
            raise RemoteError("MSRP path", "missing")
        all_ = tuple(self._lines)
        self._start = None
        self._lines = []
        self._headSize = 0
        if code is not None:
            if comment is not None and (b"\r" in comment or b"\n" in comment):
                raise RemoteError("MSRP start line")
            return Response(
                transaction=transaction,
                code=int(code),
                comment=b"" if comment is None else b" " + comment,
                toPath=toPath,
                fromPath=fromPath,
                lines=all_,
            )
        fault, byteRange = "", None
        if b"byte-range" in values:
            try:
                byteRange = ByteRange.parse(values[b"byte-range"])
            except RemoteError as e:
                fault = e.reason
        failure = values.get(b"failure-report", b"").lower()
        head = Head(
            method=self._method,
            lines=tuple(lines),
            messageID=values.get(b"message-id", b""),
            failureReport=failure if failure in (b"no", b"partial") else b"yes",
            successReport=values.get(b"success-report", b"").lower() == b"yes",
            byteRange=byteRange,
            transaction=transaction if self.endToEnd else b"",
            origin=transaction,
        )
        position = 1 if byteRange is None else byteRange.start
        return Request(transaction, toPath, fromPath, Fragment(head, None, flag, position), fault)

    def _readBody(self) -> Part | None:
        buffer, place, end = self._buffer, self._place, self._end
        start = place
        while True:
            found = buffer.find(end, start)
            if found < 0:
                stop, flag = self._doubtful(buffer, place), None
                break
            after = found + len(end)
            tail = buffer[after : after + 3]
            if tail[:1] in _FLAGS and tail[1:] == b"\r\n":
                stop, flag = found, tail[:1]
                break
            if len(tail) < 3 and (not tail or (tail[:1] in _FLAGS and tail[1:] in (b"", b"\r"))):
                stop, flag = found, None
                break
            # What looked like the end-line is not one.
            start = found + 1
        # Of the empty line, whose line end is still there, nothing is body.
        whole = place + self._skip == 0 and stop == len(buffer)
        body = buffer if whole else buffer[place + self._skip : stop]
        if flag is not None:
            self._place = self._scanned = stop + len(end) + 3
            self._skip = 0
        elif stop > place + self._skip:
            self._place, self._skip = stop, 0
        return self._deliver(body, flag)

    def _doubtful(self, buffer: bytes, place: int) -> int:
        """
        Where that begins which may become an end-line.
        """
        end = self._end
        size = len(buffer)
        at = buffer.find(b"\r", max(place, size - len(end) + 1))
        while at >= 0:
            if end.startswith(buffer[at:]):
                return at
            at = buffer.find(b"\r", at + 1)
        return size

    def _deliver(self, body: bytes, flag: bytes | None) -> Part | None:
        request = self._request
        assert request is not None
        if flag is None and not body:
            return None
        if self._method != SEND:
            # A request that cannot be interrupted is handed on whole.
            self._partsSize += len(body)
            if self._partsSize > MAX_CONTROL_BODY:
                raise RemoteError("MSRP body", "too long")
            self._parts.append(body)
            if flag is None:
                return None
            body = b"".join(self._parts)
            self._parts.clear()
            self._partsSize = 0
        fragment = Fragment(request.fragment.head, body, flag, self._position, self._first)
        self._first = False
        self._position += len(body)
        if flag is not None:
            self._body, self._request = False, None
        return request._replace(fragment=fragment)
