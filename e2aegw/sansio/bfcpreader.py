"""
BFCP over what loses nothing: streams (RFC 8855 clause 6.1), in which a message
ends where its length says, and data channels, in which one message is one
message.
"""

from collections import deque
from collections.abc import MutableMapping

from e2aegw.errors import RemoteError
from e2aegw.sansio.bfcp import (
    HEADER,
    RELIABLE,
    UNRELIABLE,
    Fault,
    Header,
    Refused,
    answerable,
    checkAttributes,
    checkPrimitive,
    errorMessage,
)

#: Versions that pass: whether the second is good over TCP is for the floor
#: control server to say, which hears it as it was said.
_VERSIONS = (RELIABLE, UNRELIABLE)


class ReliableHop:
    """
    One hop over a reliable transport.  Messages pass as they are, to the last
    reserved bit; what is wrong stops here.

    @ivar toServer: whether the remote party is the floor control server, which
        gets no Error messages; L{None} if that is not known.
    """

    def __init__(self, counters: MutableMapping[str, int], *, stream: bool) -> None:
        """
        @param counters: where to count what is refused without an end to
            everything; names that are not there count from 0.
        @param stream: whether octets come in pieces of any size.
        """
        self.toServer: bool | None = None
        self._counters = counters
        self._stream = stream
        self._buffer = bytearray()
        self._messages: deque[bytes] = deque()
        self._out: deque[bytes] = deque()
        self._failed = False

    def receive(self, data: bytes, now: float) -> None:
        """
        Take octets from a stream, or a message from a channel.

        @raise RemoteError: there was something that cannot be passed on.  On
            a stream that is its end (RFC 8855 clause 6.1): nobody knows where
            the next message begins.
        """
        if self._stream:
            self._receiveStream(data)
            return
        header = Header.parse(data)
        try:
            _checkVersion(header)
            if len(data) != header.length:
                raise Refused(Fault.INCORRECT_LENGTH)
            checkPrimitive(header)
            checkAttributes(data)
        except Refused as e:
            self._complain(header, e.fault)
            raise
        self._messages.append(bytes(data))

    def nextMessage(self) -> bytes | None:
        """
        A message that arrived and is for the other leg, or L{None}.
        """
        return self._messages.popleft() if self._messages else None

    def nextDatagram(self) -> bytes | None:
        """
        What is to be written to the remote party, or L{None}.
        """
        return self._out.popleft() if self._out else None

    def send(self, message: bytes, now: float) -> None:
        """
        Say this to the remote party.
        """
        self._out.append(message)

    def nextTimeout(self) -> float | None:
        """
        Nothing is ever due: the transport repeats what is lost.
        """
        return None

    def timeout(self, now: float) -> None:
        """
        Nothing is due.
        """

    def _receiveStream(self, data: bytes) -> None:
        if self._failed:
            raise RemoteError("not expected")
        buffer, at = self._buffer, 0
        buffer += data
        while len(buffer) - at >= HEADER:
            header = Header.parse(bytes(buffer[at : at + HEADER]))
            try:
                _checkVersion(header)
                if len(buffer) - at < header.length:
                    break
                message = bytes(buffer[at : at + header.length])
                at += header.length
                checkAttributes(message)
            except Refused as e:
                self._failed = True
                buffer.clear()
                self._complain(header, e.fault)
                raise
            try:
                checkPrimitive(header)
            except Refused as e:
                # Of this one at least the end is known.
                self._counters["dropped " + e.reason] += 1
                self._complain(header, e.fault)
            else:
                self._messages.append(message)
        del buffer[:at]

    def _complain(self, header: Header, fault: Fault) -> None:
        """
        Floor control servers do this, and nobody else (RFC 8855 clause 5.1);
        so it is done only in the place of one.
        """
        if not self.toServer and answerable(header):
            self._out.append(errorMessage(header, fault))


def _checkVersion(header: Header) -> None:
    if header.version not in _VERSIONS:
        raise Refused(Fault.UNSUPPORTED_VERSION)
