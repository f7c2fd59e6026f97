"""
The sending half of one MSRP hop: units become requests with this hop's paths
and transactions, and what the next hop says of those becomes reports.

On a stream, a chunk is written as it comes, however long; on a data channel
each chunk is one message (RFC 8873 clause 5.4), so pieces are gathered and, if
they are too much for one message, divided.

The hop behaves as RFC 4976 clause 6.4 wants of a relay: the sender of a request
was answered when it arrived, and hears by a REPORT if it comes to nothing
further on.
"""

from dataclasses import replace
from typing import Final, TypeVar

from e2aegw.errors import RemoteError
from e2aegw.sansio.msrp import (
    ABORT,
    END,
    MAX_DIGITS,
    MORE,
    REPORT,
    SEND,
    ByteRange,
    Fragment,
    Head,
    Response,
    formatEnd,
    formatHead,
    newTransaction,
)

#: Seconds to wait for a response (RFC 4975 clause 7.1.1).
RESPONSE_TIMEOUT: Final = 30.0
#: Most requests whose responses are waited for; of further ones the oldest are
#: forgotten.  At 64 KB a chunk this is more than is under way in 30 seconds at
#: 50 Mbit/s, and about 2 MB.
MAX_TRANSACTIONS: Final = 4096
#: Most messages that are remembered as having failed while more of them comes.
MAX_FAILED: Final = 64
#: The longest body in one message of a data channel: another channel of the
#: association may have to wait for as much.
CHUNK: Final = 65536
#: The same where chunks are not ours to divide as we please: what browsers say
#: that they take in one message.
MAX_WHOLE: Final = 262144
#: Most octets of messages that wait for the end of a chunk that may not be
#: interrupted; more, and it is interrupted all the same.
MAX_WAITING: Final = 65536
#: The longest Byte-Range header, with its line end.
_RANGE_ROOM: Final = len("Byte-Range: -/\r\n") + 3 * MAX_DIGITS

_T = TypeVar("_T")

_COMMENTS: Final = {
    400: b"Bad Request",
    403: b"Forbidden",
    408: b"Timeout",
    413: b"Message Too Large",
    415: b"Unsupported Media Type",
    481: b"Session Does Not Exist",
    501: b"Not Implemented",
    506: b"Session In Use",
}


def comment(code: int) -> bytes:
    """
    A few words for a status code, with a space before them, or nothing.
    """
    return b" " + _COMMENTS[code] if code in _COMMENTS else b""


def failureReport(messageID: bytes, byteRange: ByteRange, code: int, words: bytes = b"") -> Fragment:
    """
    A unit that says that a part of a message did not arrive (RFC 4975 clause
    7.1.4).

    @param words: with a space before them.
    """
    lines = (
        b"Message-ID: " + messageID,
        b"Byte-Range: " + bytes(byteRange),
        b"Status: 000 %03d%b" % (code, words or comment(code)),
    )
    head = Head(method=REPORT, lines=lines, messageID=messageID, byteRange=byteRange)
    return Fragment(head, None, END, byteRange.start)


class Transaction:
    """
    A chunk that was sent and not answered.

    @ivar ended: when its last octet was written, or L{None}.
    """

    __slots__ = ("ended", "identifier", "length", "messageID", "start", "total")

    def __init__(self, identifier: bytes, head: Head, start: int) -> None:
        self.identifier = identifier
        self.messageID = head.messageID
        self.start = start
        self.total = None if head.byteRange is None else head.byteRange.total
        self.length = 0
        self.ended: float | None = None

    def report(self, code: int, words: bytes = b"") -> Fragment | None:
        """
        What to tell the sender of the message, if it named it.
        """
        if not self.messageID:
            return None
        end = self.start + self.length - 1
        return failureReport(self.messageID, ByteRange(self.start, end, self.total), code, words)


class _Open:
    """
    The chunk that is being written on a stream.
    """

    __slots__ = ("head", "identifier", "interruptible", "record", "tail")

    def __init__(self, head: Head, identifier: bytes, record: Transaction | None) -> None:
        self.head = head
        self.identifier = identifier
        self.record = record
        self.interruptible = head.byteRange is not None and head.byteRange.end is None
        # The last octets of the body: an identifier may stand across pieces.
        self.tail = b""


class Sender:
    """
    Writes units for the party at the far end of a hop.

    @ivar toPath: that party's whole path, relays first, as the header's value.
    @ivar fromPath: our URI.
    @ivar limit: the longest message that the party takes, or 0 for any.
    """

    def __init__(self, *, messages: bool = False, chunk: int = CHUNK) -> None:
        """
        @param messages: the transport carries messages, of which each holds
            one chunk; not a stream.
        @param chunk: the longest body in one message.
        """
        self.toPath = b""
        self.fromPath = b""
        self.limit = 0
        self._messages = messages
        self._chunk = chunk
        # Requests without a response: those that are waited for, those of
        # which only a failure would be heard, and those of other methods.
        self._timed: dict[bytes, Transaction] = {}
        self._untimed: dict[bytes, Transaction] = {}
        self._foreign: dict[bytes, Fragment] = {}
        self._failed: dict[bytes, None] = {}
        # Ours, for parts of a chunk whose transaction is end to end.
        self._aliases: dict[bytes, bytes] = {}
        self._answered: dict[bytes, None] = {}
        self._resumed = 0.0
        # Streams.
        self._open: _Open | None = None
        self._waiting: list[bytes] = []
        self._waitingSize = 0
        # Messages.
        self._gathering: Head | None = None
        self._gathered = bytearray()
        self._start = 1
        self._room = self._partRoom = chunk

    def send(self, fragment: Fragment, now: float) -> list[bytes]:
        """
        Write a unit.

        @return: what to write, in order; on a data channel, one message each.

        @raise RemoteError: the party cannot take a request with such headers.
            Nothing of it is written, then or later.
        """
        head = fragment.head
        if head.method != SEND:
            return self._sendOther(fragment, now)
        if head.messageID in self._failed and not head.transaction:
            out = self._end(ABORT, now) if fragment.head is self._writing else []
            if fragment.flag in (END, ABORT):
                del self._failed[head.messageID]
            return out
        return self._gather(fragment, now) if self._messages else self._stream(fragment, now)

    def interject(self, message: bytes, now: float) -> list[bytes]:
        """
        Write a whole message of this hop as soon as that is possible: a chunk
        that is being written is interrupted, if its range allows that, or else
        comes first.
        """
        chunk = self._open
        if chunk is None:
            return [message]
        if chunk.head.transaction or chunk.head.messageID in self._failed:
            # No more of it comes: end to end, everything is in order.
            return [*self._end(ABORT, now), message]
        if chunk.interruptible or self._waitingSize + len(message) > MAX_WAITING:
            return [*self._end(MORE, now), message]
        self._waiting.append(message)
        self._waitingSize += len(message)
        return []

    def receive(self, response: Response) -> Fragment | Response | None:
        """
        Take a response from this hop.

        @return: what the other hop has to be told, if anything: a failure
            report, or the answer to a request of an unknown method.

        @raise RemoteError: it answers nothing.
        """
        identifier = response.transaction
        foreign = self._foreign.pop(identifier, None)
        if foreign is not None:
            return replace(response, answers=foreign)
        record = self._timed.pop(identifier, None) or self._untimed.pop(identifier, None)
        if record is None:
            raise RemoteError("MSRP response", "to no request")
        if 200 <= response.code < 300:
            return None
        return self._fail(record, response.code, response.comment)

    def translate(self, response: Response) -> Response | None:
        """
        Take a response whose transaction is end to end.

        @return: what the other party gets; L{None} if what it sent was one
            chunk here in several, and this answers another part.
        """
        original = self._aliases.pop(response.transaction, None)
        if original is None:
            if response.transaction in self._answered:
                del self._answered[response.transaction]
                return None
            return response
        if 200 <= response.code < 300 or original in self._answered:
            return None
        _remember(self._answered, original, None, MAX_FAILED)
        return replace(response, transaction=original)

    def awaits(self, transaction: bytes) -> bool:
        """
        Whether there is a request of ours to which this is the response.
        """
        return transaction in self._timed or transaction in self._untimed or transaction in self._foreign

    def forget(self) -> list[Fragment]:
        """
        The connection is gone, and with it what it carried.

        @return: the reports for requests that were not answered.
        """
        reports = [record.report(408) for record in self._timed.values()]
        self._open = None
        self._waiting.clear()
        self._waitingSize = 0
        self._drop()
        self._timed.clear()
        self._untimed.clear()
        self._foreign.clear()
        self._failed.clear()
        self._aliases.clear()
        self._answered.clear()
        return [report for report in reports if report is not None]

    def nextTimeout(self) -> float | None:
        """
        When L{timeout} wants to be called, or L{None}.
        """
        # They end in the order in which they begin.
        first = next(iter(self._timed.values()), None)
        if first is None or first.ended is None:
            return None
        return max(first.ended, self._resumed) + RESPONSE_TIMEOUT

    def timeout(self, now: float) -> list[Fragment]:
        """
        Time has passed.

        @return: the reports for requests that will not be answered.
        """
        reports = []
        while (at := self.nextTimeout()) is not None and at <= now:
            record = self._timed.pop(next(iter(self._timed)))
            report = self._fail(record, 408, b"")
            if report is not None:
                reports.append(report)
        return reports

    def resumed(self, now: float) -> None:
        """
        What was written has been sent at last: responses are waited for from
        now on.
        """
        self._resumed = now

    # Inside.

    def _sendOther(self, fragment: Fragment, now: float) -> list[bytes]:
        head = fragment.head
        identifier = head.transaction
        if not identifier:
            identifier = self._transactionFor(head, fragment.body)
            if head.method != REPORT:
                _remember(self._foreign, identifier, fragment, MAX_FAILED)
        message = self._format(head, identifier, fragment.body, fragment.flag or END)
        if self._messages and self.limit and len(message) > self.limit:
            raise RemoteError("MSRP headers", "too long for the other side")
        return self.interject(message, now)

    def _format(self, head: Head, identifier: bytes, body: bytes | None, flag: bytes) -> bytes:
        has = body is not None
        start = formatHead(head, identifier, self.toPath, self.fromPath, has)
        return b"".join((start, body or b"", formatEnd(identifier, flag, has)))

    def _record(self, identifier: bytes, head: Head, start: int) -> Transaction | None:
        """
        Remember a chunk whose response will matter.
        """
        if head.transaction or head.failureReport == b"no":
            return None
        record = Transaction(identifier, head, start)
        records = self._timed if head.failureReport == b"yes" else self._untimed
        _remember(records, identifier, record, MAX_TRANSACTIONS)
        return record

    def _fail(self, record: Transaction, code: int, words: bytes) -> Fragment | None:
        """
        A part of a message did not get there, so the rest need not follow (RFC
        4975 clause 7.3.2), and one report is enough.
        """
        if record.messageID in self._failed:
            return None
        writing = self._writing
        if writing is not None and writing.messageID == record.messageID:
            _remember(self._failed, record.messageID, None, MAX_FAILED)
            self._drop()
        return record.report(code, words)

    @property
    def _writing(self) -> Head | None:
        """
        The head of the chunk that is being written or gathered.
        """
        return self._gathering if self._open is None else self._open.head

    def _transactionFor(self, head: Head, body: bytes | None) -> bytes:
        """
        An identifier that nothing else has that waits for a response, and whose
        last line is not in the body.  Whoever looks at both hops will be glad if
        it is the same on either.
        """
        identifier = head.origin
        if not identifier or self.awaits(identifier):
            identifier = newTransaction()
        while body is not None and _mark(identifier) in body:
            identifier = newTransaction()
        return identifier

    # Streams.

    def _stream(self, fragment: Fragment, now: float) -> list[bytes]:
        out: list[bytes] = []
        body = fragment.body
        begun = fragment.first or self._open is None
        if fragment.first:
            out += self._end(ABORT, now)
            out.append(self._begin(fragment.head, fragment.position, body))
        elif self._open is None:
            if fragment.head.transaction:
                return []
            out.append(self._continue(fragment))
        chunk = self._open
        assert chunk is not None
        if body is None:
            # No body, no empty line: the head is followed by the end-line.
            return [*out, *self._end(fragment.flag or END, now, body=False)]
        if not chunk.head.transaction:
            mark = _mark(chunk.identifier)
            width = len(mark) - 1
            # An identifier that was just chosen was chosen so that it is not there.
            if not begun and (mark in body or mark in chunk.tail + body[:width]):
                # RFC 4975 clause 7.1: what looks like the end-line must not
                # be in the body, so the chunk ends before it.
                out += self._end(MORE, now)
                out.append(self._continue(fragment))
                chunk = self._open
                assert chunk is not None
            chunk.tail = body[-width:] if len(body) >= width else (chunk.tail + body)[-width:]
        if chunk.record is not None:
            chunk.record.length += len(body)
        if body:
            out.append(body)
        if fragment.flag is not None:
            out += self._end(fragment.flag, now)
        return out

    def _begin(self, head: Head, position: int, body: bytes | None) -> bytes:
        identifier = head.transaction or self._transactionFor(head, body)
        self._open = _Open(head, identifier, self._record(identifier, head, position))
        return formatHead(head, identifier, self.toPath, self.fromPath, body is not None)

    def _continue(self, fragment: Fragment) -> bytes:
        """
        Go on, in a chunk of its own, where the last one was interrupted.
        """
        head = fragment.head
        total = None if head.byteRange is None else head.byteRange.total
        head = head.within(ByteRange(fragment.position, None, total))
        return self._begin(head, fragment.position, fragment.body)

    def _end(self, flag: bytes, now: float, *, body: bool = True) -> list[bytes]:
        chunk, self._open = self._open, None
        if chunk is None:
            return []
        if chunk.record is not None:
            chunk.record.ended = now
        waiting, self._waiting = self._waiting, []
        self._waitingSize = 0
        return [formatEnd(chunk.identifier, flag, body), *waiting]

    # Messages.

    def _gather(self, fragment: Fragment, now: float) -> list[bytes]:
        out: list[bytes] = []
        if fragment.first:
            if self._gathering is not None:
                out += self._flush(ABORT, now)
            self._measure(fragment.head)
            self._start = fragment.position
            if fragment.body is None:
                return [*out, self._write(fragment.head, None, fragment.flag or END, now)]
            if fragment.flag is not None and len(fragment.body) <= self._room:
                return [*out, self._write(fragment.head, fragment.body, fragment.flag, now)]
            self._gathering = fragment.head
        head = self._gathering
        if head is None or fragment.body is None:
            # What this continues was refused.
            return out
        self._gathered += fragment.body
        if len(self._gathered) > self._room:
            # From now on there is another range in it.
            self._room = self._partRoom
            at = 0
            while len(self._gathered) - at > self._room:
                out.append(self._part(head, bytes(self._gathered[at : at + self._room]), MORE, now))
                at += self._room
            del self._gathered[:at]
        if fragment.flag is not None:
            out += self._flush(fragment.flag, now)
        return out

    def _measure(self, head: Head) -> None:
        """
        Find out how long a body may be in one message.

        @raise RemoteError: not even the headers have room.
        """
        self._drop()
        self._room = self._partRoom = MAX_WHOLE if head.transaction else self._chunk
        if self.limit:
            identifier = head.transaction or max(head.origin, newTransaction(), key=len)
            room = self.limit - len(self._format(head, identifier, b"", END))
            # An identifier of ours may take the place of a shorter one.
            partRoom = room - _RANGE_ROOM - 2 * max(0, len(newTransaction()) - len(identifier))
            if partRoom < 1:
                raise RemoteError("MSRP headers", "too long for the other side")
            self._room, self._partRoom = min(self._room, room), min(self._partRoom, partRoom)

    def _flush(self, flag: bytes, now: float) -> list[bytes]:
        """
        Write what is left of a chunk.
        """
        head, data = self._gathering, bytes(self._gathered)
        assert head is not None
        begins = 1 if head.byteRange is None else head.byteRange.start
        write = self._write if self._start == begins else self._part
        message = write(head, data, flag, now)
        self._drop()
        return [message]

    def _drop(self) -> None:
        self._gathering = None
        self._gathered.clear()

    def _part(self, head: Head, body: bytes, flag: bytes, now: float) -> bytes:
        """
        A part of a chunk, with its own range.
        """
        total = None if head.byteRange is None else head.byteRange.total
        part = head.within(ByteRange(self._start, self._start + len(body) - 1, total))
        if head.transaction and len(self._gathered) > len(body):
            # The last part has the chunk's own transaction.
            alias = self._transactionFor(part, body)
            part = replace(part, transaction=alias)
            if head.failureReport != b"no":
                _remember(self._aliases, alias, head.transaction, MAX_TRANSACTIONS)
        message = self._write(part, body, flag, now)
        self._start += len(body)
        return message

    def _write(self, head: Head, body: bytes | None, flag: bytes, now: float) -> bytes:
        """
        One message.
        """
        identifier = head.transaction or self._transactionFor(head, body)
        record = self._record(identifier, head, self._start)
        if record is not None:
            record.length = len(body or b"")
            record.ended = now
        return self._format(head, identifier, body, flag)


def _remember(records: dict[bytes, _T], key: bytes, value: _T, most: int) -> None:
    records[key] = value
    if len(records) > most:
        del records[next(iter(records))]


def _mark(identifier: bytes) -> bytes:
    """
    What a request's last line begins with, and what its body must not have
    (RFC 4975 clause 7.1).
    """
    return b"-------" + identifier
