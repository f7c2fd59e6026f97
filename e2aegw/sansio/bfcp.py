"""
BFCP messages (RFC 8855; over TCP also RFC 4582): the header, what is wrong with
a message, and the reply that says so.

::

     0                   1                   2                   3
     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    | Ver |R|F| Res |  Primitive    |        Payload Length         |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |                         Conference ID                         |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    |         Transaction ID        |            User ID            |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
    | Fragment Offset (if F is set) | Fragment Length (if F is set) |
    +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

The last row is there only over an unreliable transport.  What crosses the
gateway is the I{reliable form}: a message as it travels over TCP.
"""

import enum
import struct
from typing import Final, NamedTuple

from e2aegw.errors import RemoteError

#: Octets of the header, without and with the fields of a fragment.
HEADER: Final = 12
FRAGMENT_HEADER: Final = 16
#: The longest message that the header can describe.
MAX_MESSAGE: Final = HEADER + 4 * 0xFFFF
#: The version of messages over reliable transports, and over others.
RELIABLE: Final = 1
UNRELIABLE: Final = 2
#: The flags of the first octet: "this is a response", and "a fragment".
RESPONDER: Final = 0x10
FRAGMENT: Final = 0x08

_HEADER = struct.Struct("!BBHIHH")
_ERROR_CODE: Final = 6
_MANDATORY: Final = 1


class Primitive(enum.IntEnum):
    """
    What a message is about, RFC 8855 clause 5.1.
    """

    FLOOR_REQUEST = 1
    FLOOR_RELEASE = 2
    FLOOR_REQUEST_QUERY = 3
    FLOOR_REQUEST_STATUS = 4
    USER_QUERY = 5
    USER_STATUS = 6
    FLOOR_QUERY = 7
    FLOOR_STATUS = 8
    CHAIR_ACTION = 9
    CHAIR_ACTION_ACK = 10
    HELLO = 11
    HELLO_ACK = 12
    ERROR = 13
    FLOOR_REQUEST_STATUS_ACK = 14
    FLOOR_STATUS_ACK = 15
    GOODBYE = 16
    GOODBYE_ACK = 17


class Fault(enum.IntEnum):
    """
    The codes of Error messages that the gateway itself sends, RFC 8855 clause
    5.2.6.
    """

    UNKNOWN_PRIMITIVE = 3
    UNABLE_TO_PARSE = 10
    UNSUPPORTED_VERSION = 12
    INCORRECT_LENGTH = 13
    GENERIC = 14


#: What a floor control client asks, and is owed a response to.
QUESTIONS: Final = frozenset(
    {
        Primitive.FLOOR_REQUEST,
        Primitive.FLOOR_RELEASE,
        Primitive.FLOOR_REQUEST_QUERY,
        Primitive.USER_QUERY,
        Primitive.FLOOR_QUERY,
        Primitive.CHAIR_ACTION,
        Primitive.HELLO,
    }
)
#: What a server says unasked; over an unreliable transport it wants to know
#: that it was heard, and this is what says so.
NOTICES: Final = {
    Primitive.FLOOR_REQUEST_STATUS: Primitive.FLOOR_REQUEST_STATUS_ACK,
    Primitive.FLOOR_STATUS: Primitive.FLOOR_STATUS_ACK,
}
#: What says that something was heard, and nothing else.
ACKNOWLEDGEMENTS: Final = frozenset(
    {Primitive.FLOOR_REQUEST_STATUS_ACK, Primitive.FLOOR_STATUS_ACK, Primitive.GOODBYE_ACK}
)
#: What a server says, asked or not.
STATEMENTS: Final = frozenset(
    {
        Primitive.FLOOR_REQUEST_STATUS,
        Primitive.USER_STATUS,
        Primitive.FLOOR_STATUS,
        Primitive.CHAIR_ACTION_ACK,
        Primitive.HELLO_ACK,
        Primitive.ERROR,
    }
)
#: What can be a response.
RESPONSES: Final = STATEMENTS | ACKNOWLEDGEMENTS


class Header(NamedTuple):
    """
    The common header, as far as it is there over every transport.

    @ivar payload: the length of what follows, in units of four octets.
    """

    first: int
    primitive: int
    payload: int
    conference: int
    transaction: int
    user: int

    @classmethod
    def parse(cls, data: bytes) -> "Header":
        """
        Read the beginning of a message.

        @raise RemoteError: it is too short.
        """
        if len(data) < HEADER:
            raise RemoteError("short BFCP")
        return cls(*_HEADER.unpack_from(data))

    def __bytes__(self) -> bytes:
        return _HEADER.pack(*self)

    @property
    def version(self) -> int:
        """
        The version of the protocol.
        """
        return self.first >> 5

    @property
    def isResponse(self) -> bool:
        """
        The R flag, which means something over unreliable transports only.
        """
        return bool(self.first & RESPONDER)

    @property
    def isFragment(self) -> bool:
        """
        The F flag, the same.
        """
        return bool(self.first & FRAGMENT)

    @property
    def length(self) -> int:
        """
        Octets of the whole message.
        """
        return HEADER + 4 * self.payload

    @property
    def name(self) -> tuple[int, int, int]:
        """
        What tells transactions apart.
        """
        return self.conference, self.user, self.transaction

    def over(self, version: int, *, response: bool = False, fragment: bool = False) -> "Header":
        """
        The same for a transport that wants this version and these flags; the
        reserved bits stay.
        """
        flags = (RESPONDER if response else 0) | (FRAGMENT if fragment else 0)
        return self._replace(first=(version << 5) | flags | (self.first & 0x07))


#: Why messages are refused, by what their senders are told.
REASONS: Final = {
    Fault.UNKNOWN_PRIMITIVE: "unknown BFCP primitive",
    Fault.UNABLE_TO_PARSE: "malformed BFCP",
    Fault.UNSUPPORTED_VERSION: "BFCP version",
    Fault.INCORRECT_LENGTH: "BFCP length",
    Fault.GENERIC: "BFCP",
}


class Refused(RemoteError):
    """
    A message cannot be passed on.

    @ivar fault: what to tell its sender, if it is a floor control client.
    """

    def __init__(self, fault: Fault) -> None:
        super().__init__(REASONS[fault])
        self.fault = fault


def checkPrimitive(header: Header) -> None:
    """
    See whether a message is about something that RFC 8855 has.

    @raise Refused: it is not.
    """
    if not 1 <= header.primitive <= Primitive.GOODBYE_ACK:
        raise Refused(Fault.UNKNOWN_PRIMITIVE)


def checkAttributes(message: bytes) -> None:
    """
    See whether the attributes end where the message does (RFC 8855 clause
    5.2); what is in them is nobody's business here.

    @param message: in the reliable form, and as long as its header says.

    @raise Refused: they do not.
    """
    at, end = HEADER, len(message)
    while at < end:
        length = message[at + 1]
        # The length counts these two octets, and not the padding.
        at += (length + 3) & ~3
        if length < 2 or at > end:
            raise Refused(Fault.UNABLE_TO_PARSE)


def answerable(header: Header) -> bool:
    """
    Whether a message may be one of a floor control client that waits for a
    response: only such a one is answered with an Error (clause 13.8), so that
    no two ends ever complain to each other about their complaints.
    """
    return header.primitive not in RESPONSES


def errorMessage(header: Header, fault: Fault) -> bytes:
    """
    An Error message, in the reliable form, in response to a message (RFC 8855
    clause 13.8).
    """
    attribute = bytes(((_ERROR_CODE << 1) | _MANDATORY, 3, fault, 0))
    reply = header._replace(first=0, primitive=Primitive.ERROR, payload=len(attribute) // 4)
    return bytes(reply.over(RELIABLE)) + attribute


def reform(message: bytes, header: Header) -> bytes:
    """
    The same message with another header of the short form.
    """
    return bytes(header) + message[HEADER:]
