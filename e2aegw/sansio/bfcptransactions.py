"""
BFCP over what loses datagrams (RFC 8855 clause 6.2): fragments, repetitions and
acknowledgements, which all stay on this hop.

The law:

  - A request (R flag clear) that arrives is passed on once.  Its repetitions
    are answered from memory, for T2 after the response was sent.
  - What a server says unasked is acknowledged here, at once, and passed on as
    over TCP, with transaction 0.
  - What comes from the other leg and is no response is a request here: one at
    a time, repeated after T1, 2 T1 and 4 T1.  If there is no response in 8 T1
    more, the remote party is gone, and whoever waits for its response gets an
    Error message.

What of a message differs from the reliable form: the version, the flags R and
F and, if F is set, its two fields; and the transaction of what is a request of
ours, if the other leg's is 0 or no higher than the last one was (clause 8.1).
"""

from collections import deque
from collections.abc import MutableMapping
from typing import Final

from e2aegw.errors import RemoteError
from e2aegw.sansio.bfcp import (
    ACKNOWLEDGEMENTS,
    HEADER,
    NOTICES,
    QUESTIONS,
    RELIABLE,
    RESPONSES,
    STATEMENTS,
    UNRELIABLE,
    Fault,
    Header,
    Primitive,
    Refused,
    answerable,
    checkAttributes,
    checkPrimitive,
    errorMessage,
    reform,
)
from e2aegw.sansio.bfcpfragments import MAX_DATAGRAM, Assembly, divide

#: Seconds of T1 at the least, and at first (RFC 8855 clause 8.3.1).
T1: Final = 0.5
#: Seconds of T1 at the most, however slow the remote party was: nobody waits
#: longer than half a minute to hear that it is gone.
MAX_T1: Final = 2.0
#: The clock's granularity in the computation of T1, in seconds.
GRANULARITY: Final = 0.1
#: Repetitions of a request.
REPETITIONS: Final = 3
#: Seconds of T2 (clause 8.3.3).  It has to encompass all repetitions by the
#: remote party, whose T1 is not known here, so it is taken for as long as ours
#: may be.
T2: Final = MAX_T1 * 2**4 * 1.25
#: Seconds that a request may wait for the other leg's response.  Its sender
#: gives up sooner, whatever its T1 is, and does not use the number again soon.
PATIENCE: Final = 60.0
#: Requests whose responses are remembered, and the octets of those: more than
#: anybody asks in T2 with one request at a time.
MAX_REMEMBERED: Final = 1024
MAX_REMEMBERED_OCTETS: Final = 1 << 20
#: Requests that wait for their turn.  Over TCP a client need not wait for one
#: response before it asks the next thing.
MAX_WAITING: Final = 64
#: Of those, how many make the other leg pause.
HIGH_WATER: Final = 16

_COOKIE: Final = b"\x21\x12\xa4\x42"


class _Request:
    """
    A request of ours.

    @ivar transaction: what the other leg calls it; 0 if nobody there waits for
        a response.
    """

    __slots__ = ("attempts", "datagrams", "deadline", "header", "message", "sent", "transaction")

    def __init__(self, header: Header, message: bytes, transaction: int) -> None:
        self.header = header
        self.message = message
        self.transaction = transaction
        self.datagrams: list[bytes] = []
        self.attempts = 0
        self.sent = self.deadline = 0.0


class _Answer:
    """
    What was said in response to a request, or is yet to be said.
    """

    __slots__ = ("datagrams", "expires", "question")

    def __init__(self, question: bytes, expires: float) -> None:
        self.question = question
        self.datagrams: list[bytes] = []
        self.expires = expires

    @property
    def size(self) -> int:
        """
        Octets that are kept.
        """
        return len(self.question) + sum(map(len, self.datagrams))


class DatagramHop:
    """
    One hop over an unreliable transport.

    @ivar toServer: whether the remote party is the floor control server;
        L{None} if that is not known.
    @ivar silent: whether the remote party left the last request without
        response, and said nothing since.
    """

    def __init__(self, counters: MutableMapping[str, int], *, most: int = MAX_DATAGRAM) -> None:
        """
        @param counters: where to count what goes on only here; names that are
            not there count from 0.
        @param most: octets of the longest datagram to send.
        """
        self.toServer: bool | None = None
        self.silent = False
        self._counters = counters
        self._most = most
        self._assembly = Assembly()
        self._messages: deque[bytes] = deque()
        self._out: deque[bytes] = deque()
        self._waiting: deque[_Request] = deque()
        self._request: _Request | None = None
        self._answers: dict[tuple[int, int, int], _Answer] = {}
        self._remembered = 0
        self._last: int | None = None
        # RFC 6298.
        self._t1 = T1
        self._smoothed: float | None = None
        self._variation = 0.0

    @property
    def full(self) -> bool:
        """
        Whether enough waits for its turn.
        """
        return len(self._waiting) >= HIGH_WATER

    def receive(self, data: bytes, now: float) -> None:
        """
        Take a datagram.

        @raise RemoteError: it cannot be passed on.
        """
        if data[4:8] == _COOKIE and not data[0] & 0xC0:
            # RFC 8855 clause 6.2.4: this keeps a NAT's door open.
            raise RemoteError("STUN keep-alive")
        header = Header.parse(data)
        try:
            if header.version != UNRELIABLE:
                raise Refused(Fault.UNSUPPORTED_VERSION)
            message = self._whole(data, header, now)
            if message is None:
                return
            checkPrimitive(header)
            checkAttributes(message)
            response = header.isResponse or header.primitive in RESPONSES - NOTICES.keys()
            if not response and not header.transaction:
                # Clause 8.1: nothing could be told apart.
                raise Refused(Fault.UNABLE_TO_PARSE)
        except Refused as e:
            if not self.toServer and not header.isResponse and answerable(header):
                self._answer(header, errorMessage(header, e.fault))
            raise
        if response:
            self._responseReceived(header, message, now)
        else:
            self._requestReceived(header, message, now)
        self.silent = False

    def nextMessage(self) -> bytes | None:
        """
        A message that is for the other leg, in the reliable form, or L{None}.
        """
        return self._messages.popleft() if self._messages else None

    def nextDatagram(self) -> bytes | None:
        """
        What is to be sent to the remote party, or L{None}.
        """
        return self._out.popleft() if self._out else None

    def send(self, message: bytes, now: float) -> None:
        """
        Say this to the remote party: a message in the reliable form.
        """
        header = Header.parse(message)
        primitive = header.primitive
        pending = self._answers.get(header.name)
        if pending is not None and not pending.datagrams and _answers(primitive, pending.question[1]):
            self._remember(header, pending, message, now)
            return
        if primitive not in QUESTIONS and primitive not in NOTICES and primitive != Primitive.GOODBYE:
            # Nobody waits for it any more; or it is an acknowledgement, which
            # was given on this hop already.
            self._counters["unsent no transaction"] += 1
            return
        request = _Request(header, message, 0 if primitive in NOTICES else header.transaction)
        if len(self._waiting) >= MAX_WAITING:
            self._counters["unsent no room"] += 1
            self._giveUp(request)
            return
        self._waiting.append(request)
        if self._request is not None:
            self._counters["units that waited"] += 1
        self._begin(now)

    def nextTimeout(self) -> float | None:
        """
        When L{timeout} wants to be called, or L{None}.
        """
        return None if self._request is None else self._request.deadline

    def timeout(self, now: float) -> None:
        """
        Some time is over.
        """
        request = self._request
        if request is None or now < request.deadline:
            return
        if request.attempts <= REPETITIONS:
            self._counters["retransmissions sent"] += 1
            self._transmit(request, now)
            return
        # Clause 8.3.1: the connection is to be considered as broken.
        self._request = None
        self.silent = True
        while True:
            self._counters["requests without response"] += 1
            self._giveUp(request)
            if not self._waiting:
                break
            request = self._waiting.popleft()

    # What we hear

    def _whole(self, data: bytes, header: Header, now: float) -> bytes | None:
        """
        A message in the reliable form, if this completes one.
        """
        if header.isFragment:
            payload = self._assembly.add(data, header, now, T2)
            if payload is None:
                return None
        elif len(data) != header.length:
            raise Refused(Fault.INCORRECT_LENGTH)
        else:
            payload = data[HEADER:]
        return bytes(header.over(RELIABLE)) + payload

    def _requestReceived(self, header: Header, message: bytes, now: float) -> None:
        self._forget(now)
        known = self._answers.get(header.name)
        if known is not None and known.question != message:
            # Whoever begins to count anew does not repeat itself.
            self._remembered -= self._answers.pop(header.name).size
        elif known is not None:
            self._counters["retransmissions received"] += 1
            self._out.extend(known.datagrams)
            return
        answer = self._answers[header.name] = _Answer(message, now + PATIENCE)
        self._remembered += answer.size
        acknowledgement = NOTICES.get(Primitive(header.primitive))
        if acknowledgement is None and header.primitive == Primitive.GOODBYE and self.toServer:
            acknowledgement = Primitive.GOODBYE_ACK
        if acknowledgement is not None:
            reply = bytes(header._replace(primitive=acknowledgement, payload=0).over(RELIABLE))
            self._remember(header, answer, reply, now)
            # Clause 8.2: over a reliable transport it has no transaction.
            message = reform(message, Header.parse(message)._replace(transaction=0))
        self._messages.append(message)

    def _responseReceived(self, header: Header, message: bytes, now: float) -> None:
        request = self._request
        if (
            request is None
            or header.name != request.header.name
            or not _answers(header.primitive, request.header.primitive)
        ):
            # Late, doubled, or somebody else's.
            raise RemoteError("no transaction")
        if request.attempts == 1:
            self._measure(now - request.sent)
        else:
            # What was repeated says nothing of how long a response takes, but
            # that it takes longer than was thought (clause 8.3.1).
            self._t1 = min(2 * self._t1, MAX_T1)
        self._request = None
        if request.transaction:
            said = Header.parse(message)._replace(transaction=request.transaction)
            self._messages.append(reform(message, said))
        self._begin(now)

    # What we say

    def _begin(self, now: float) -> None:
        """
        One request at a time (clause 6.2).
        """
        if self._request is not None or not self._waiting:
            return
        request = self._request = self._waiting.popleft()
        header = request.header
        self._last = _later(header.transaction, self._last)
        request.header = header._replace(transaction=self._last)
        request.datagrams = divide(request.header.over(UNRELIABLE), request.message[HEADER:], self._most)
        self._transmit(request, now)

    def _transmit(self, request: _Request, now: float) -> None:
        # T1 stays what it is for the whole of a transaction (clause 8).
        if not request.attempts:
            request.sent = now
        request.deadline = now + self._t1 * 2**request.attempts
        request.attempts += 1
        self._out.extend(request.datagrams)

    def _answer(self, header: Header, message: bytes) -> list[bytes]:
        """
        Send a response to a request.
        """
        said = Header.parse(message)._replace(transaction=header.transaction)
        datagrams = divide(said.over(UNRELIABLE, response=True), message[HEADER:], self._most)
        self._out.extend(datagrams)
        return datagrams

    def _remember(self, header: Header, answer: _Answer, message: bytes, now: float) -> None:
        """
        Send a response, and keep it for repetitions of the request.
        """
        answer.datagrams = self._answer(header, message)
        answer.expires = now + T2
        self._remembered += sum(map(len, answer.datagrams))

    def _giveUp(self, request: _Request) -> None:
        """
        There is no response, and never will be.
        """
        if request.transaction and request.header.primitive in QUESTIONS:
            asked = request.header._replace(transaction=request.transaction)
            self._messages.append(errorMessage(asked, Fault.GENERIC))

    # Time

    def _measure(self, took: float) -> None:
        """
        RFC 6298 clause 2, with the changes of RFC 8855 clause 8.3.1.
        """
        if self._smoothed is None:
            self._smoothed, self._variation = took, took / 2
        else:
            self._variation = 0.75 * self._variation + 0.25 * abs(self._smoothed - took)
            self._smoothed = 0.875 * self._smoothed + 0.125 * took
        self._t1 = min(max(self._smoothed + max(GRANULARITY, 4 * self._variation), T1), MAX_T1)

    def _forget(self, now: float) -> None:
        """
        Let go of responses that nobody will ask for any more.
        """
        answers = self._answers
        for name in [name for name, each in answers.items() if each.expires <= now]:
            self._remembered -= answers.pop(name).size
        while len(answers) >= MAX_REMEMBERED or self._remembered > MAX_REMEMBERED_OCTETS:
            self._remembered -= answers.pop(next(iter(answers))).size


def _answers(primitive: int, question: int) -> bool:
    """
    Whether a message of one primitive can be the response to another.
    """
    if question in NOTICES:
        return primitive in ACKNOWLEDGEMENTS
    if question == Primitive.GOODBYE:
        return primitive in (Primitive.GOODBYE_ACK, Primitive.ERROR)
    return primitive in STATEMENTS


def _later(wanted: int, last: int | None) -> int:
    """
    A transaction above the last one: the wanted one, if it is (RFC 8855 clause
    8.1; numbers go round, but 0 is none).
    """
    if wanted and (last is None or 0 < (wanted - last) & 0xFFFF < 0x8000):
        return wanted
    return ((last or 0) + 1) & 0xFFFF or 1
