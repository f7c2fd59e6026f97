"""
What MSRP messages (RFC 4975) consist of, and how they are written.

A request on the wire, with what belongs to one hop on the left::

    MSRP d93kswow SEND                   transaction, method
    To-Path: msrp://bob...;tcp           hop
    From-Path: msrp://alice...;tcp       hop
    Message-ID: 12339sdqwer              L{Head.lines}
    Byte-Range: 1-16/16                  L{Head.lines}, L{Head.byteRange}
    Content-Type: text/plain             L{Head.lines}
                                         a body follows
    Hi, I'm Alice!                       L{Fragment.body}
    -------d93kswow$                     L{Fragment.flag}

The unit of the medium is a L{Fragment}: a piece of a request without paths and
transaction.  Each hop has its own, though it may be called the same.
"""

import re
import secrets
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple, TypeAlias

from e2aegw.errors import RemoteError

#: Most digits of a number in a Byte-Range header; 2**63 has 19.
MAX_DIGITS: Final = 19

#: The message ends here, goes on in another chunk, or is given up.
END: Final = b"$"
MORE: Final = b"+"
ABORT: Final = b"#"

SEND: Final = b"SEND"
REPORT: Final = b"REPORT"

_RANGE: Final = re.compile(
    rb"([0-9]{1,%d})-([0-9]{1,%d}|\*)/([0-9]{1,%d}|\*)\Z" % (MAX_DIGITS, MAX_DIGITS, MAX_DIGITS)
)


class ByteRange(NamedTuple):
    """
    Where in its message a chunk's body stands, counted from 1; L{None} is
    C{*}.
    """

    start: int
    end: int | None
    total: int | None

    @classmethod
    def parse(cls, value: bytes) -> "ByteRange":
        """
        Read a header's value.

        @raise RemoteError: it is no range.
        """
        match = _RANGE.match(value)
        if match is None:
            raise RemoteError("Byte-Range")
        start, end, total = match.groups()
        return cls(int(start), None if end == b"*" else int(end), None if total == b"*" else int(total))

    def __bytes__(self) -> bytes:
        end = b"*" if self.end is None else b"%d" % self.end
        return b"%d-%b/%b" % (self.start, end, b"*" if self.total is None else b"%d" % self.total)


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """
    What stands before a request's body and is not of one hop.

    @ivar lines: the headers, to the octet and in order, without their line
        ends; and without paths, unless C{transaction} is set.
    @ivar messageID: C{b""} if there is none.
    @ivar failureReport: C{b"yes"}, C{b"no"} or C{b"partial"}: what the header
        says or, without one, means.
    @ivar successReport: whether success is to be reported.
    @ivar byteRange: L{None} if there is none.
    @ivar transaction: if paths are end to end (RFC 6714), so is this;
        otherwise it is empty.
    @ivar origin: the transaction of the hop that this came from, which the
        next hop's is called like, too, if it can.
    """

    method: bytes = SEND
    lines: tuple[bytes, ...] = ()
    messageID: bytes = b""
    failureReport: bytes = b"yes"
    successReport: bool = False
    byteRange: ByteRange | None = None
    transaction: bytes = b""
    origin: bytes = field(default=b"", compare=False)

    def get(self, name: bytes) -> bytes | None:
        """
        The value of the first header of that name, or L{None}.
        """
        name = name.lower() + b":"
        for line in self.lines:
            if line[: len(name)].lower() == name:
                return line[len(name) :].strip()
        return None

    def within(self, byteRange: ByteRange) -> "Head":
        """
        The same with another range: that of a part of the body.
        """
        fresh = b"Byte-Range: " + bytes(byteRange)
        lines = [fresh if line[:11].lower() == b"byte-range:" else line for line in self.lines]
        if fresh not in lines:
            after = [i for i, line in enumerate(lines) if line[:11].lower() == b"message-id:"]
            # Content-Type has to stay last (RFC 4975 clause 7.1).
            lines.insert(after[0] + 1 if after else 0, fresh)
        return replace(self, lines=tuple(lines), byteRange=byteRange, origin=b"")


@dataclass(frozen=True, slots=True)
class Fragment:
    """
    The unit of the medium: a request or, of a SEND with a body, a piece of
    one.

    @ivar head: the same object in all pieces of one chunk.
    @ivar body: a piece of the body, or L{None} in a request without one, which
        is not the same as an empty body.
    @ivar flag: L{END}, L{MORE} or L{ABORT} with a chunk's last piece; L{None}
        if more of the chunk follows.
    @ivar position: which octet of the message comes first in C{body}, counted
        from 1.
    @ivar first: whether the chunk begins here.
    """

    head: Head
    body: bytes | None
    flag: bytes | None
    position: int = 1
    first: bool = True


class Request(NamedTuple):
    """
    A piece of a request as it arrived: the unit, and what is of this hop.

    @ivar fault: C{""}, or what is wrong with it although it can be told where
        it ends.
    """

    transaction: bytes
    toPath: bytes
    fromPath: bytes
    fragment: Fragment
    fault: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """
    The answer to a transaction.  It belongs to one hop, but is a unit where
    paths are end to end, and where it answers a request of a method that is
    not known here.

    @ivar comment: with the space before it, as received.
    @ivar lines: all headers, the paths first, as received.
    @ivar answers: the request's unit, if it is not this hop's.
    """

    transaction: bytes
    code: int
    comment: bytes = b""
    toPath: bytes = b""
    fromPath: bytes = b""
    lines: tuple[bytes, ...] = ()
    answers: Fragment | None = None

    def __bytes__(self) -> bytes:
        return formatResponse(self.transaction, self.code, self.comment, self.lines)


Part: TypeAlias = Request | Response


def newTransaction() -> bytes:
    """
    An identifier with more than 64 bits of randomness (RFC 4975 clause 7.1),
    and as long as one may be: the longer it is, the faster one sees that it is
    not in a body.
    """
    return secrets.token_hex(16).encode()


def formatHead(head: Head, transaction: bytes, toPath: bytes, fromPath: bytes, body: bool) -> bytes:
    """
    A request up to its body.

    @param transaction: not used if the head has one; nor are the paths.
    """
    if head.transaction:
        start = b"MSRP %b %b\r\n" % (head.transaction, head.method)
    else:
        start = b"MSRP %b %b\r\nTo-Path: %b\r\nFrom-Path: %b\r\n" % (
            transaction,
            head.method,
            toPath,
            fromPath,
        )
    lines = b"\r\n".join((*head.lines, b"")) if head.lines else b""
    return start + lines + b"\r\n" if body else start + lines


def formatEnd(transaction: bytes, flag: bytes, body: bool) -> bytes:
    """
    A request's last line.
    """
    return b"%b-------%b%b\r\n" % (b"\r\n" if body else b"", transaction, flag)


def formatResponse(transaction: bytes, code: int, comment: bytes, lines: tuple[bytes, ...]) -> bytes:
    """
    A response.

    @param comment: with a space before it, or nothing.
    @param lines: headers.
    """
    return b"\r\n".join(
        (b"MSRP %b %03d%b" % (transaction, code, comment), *lines, b"-------%b$" % transaction, b"")
    )
