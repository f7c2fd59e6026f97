"""
rtpengine's "ng" control protocol: what a datagram says, how a reply is
written, and which replies have been given already.

A message is a cookie, a space and a dictionary, in bencode or in JSON.  The
reply repeats the cookie and uses the same encoding.

    >>> m = parse(b"7_1 d7:command4:pinge")
    >>> m.cookie, m.fields
    (b'7_1', {'command': 'ping'})
    >>> serialize(m.cookie, m.encoding, {"result": "pong"})
    b'7_1 d6:result4:ponge'
"""

import enum
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import msgspec
from bencodepy import BencodeDecodeError, BencodeDecoder, BencodeEncoder

from e2aegw.errors import RemoteError

#: What a message carries: text, numbers, lists and dictionaries of these.
Fields: TypeAlias = dict[str, Any]

#: Longest cookie that is answered.  Kamailio's are 20 bytes or so; replies
#: must not become a place to store data.
MAX_COOKIE = 256
#: Longest reply: what a UDP datagram over IPv4 can hold.
MAX_REPLY = 65507
#: Deepest nesting that is read.  The deepest that rtpengine knows, in
#: C{sdp-attr}, is four.
MAX_DEPTH = 16

#: How long a generation of stored replies lives, in seconds.  A reply is kept
#: for one to two of these.  Kamailio gives up after five tries of a second.
GENERATION = 30.0
#: Most replies in one generation: a thousand requests a second.
MAX_REPLIES = 30000
#: Most bytes of replies in one generation.  Full, it gives way early; with
#: replies of 2 KB that is four seconds at two thousand requests a second.
MAX_REPLY_BYTES = 16 * 1024 * 1024
#: Most requests under way whose repetitions are recognised.
MAX_UNDER_WAY = 4096
#: Most repetitions of a request under way that get a reply of their own.
MAX_REPETITIONS = 8

# rtpengine's words for what is wrong with a message.
NO_PAYLOAD: Final = "Invalid data (no payload)"
NO_FORMAT: Final = "Invalid NG data format"
NOT_BENCODE: Final = "Could not decode bencode dictionary"
NOT_JSON: Final = "Failed to parse JSON document"
NO_COMMAND: Final = 'Dictionary contains no key "command"'


class Encoding(enum.Enum):
    """
    How the dictionary of a message is written.
    """

    BENCODE = "bencode"
    JSON = "json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """
    One request.

    @ivar fields: the dictionary; descriptions and keys are in it.
    @ivar error: why the dictionary cannot be used, in rtpengine's words, or
        C{""}.
    """

    cookie: bytes
    encoding: Encoding
    fields: Fields = field(default_factory=dict, repr=False)
    error: str = ""


_END, _ZERO, _NINE = b"e09"


class _Decoder(BencodeDecoder):  # type: ignore[misc]
    """
    Kamailio's bencode: keys in any order and repeated, any bytes in strings.

    Of a repeated key the later value wins, as in rtpengine, which reads them
    in turn; lists are put together.
    """

    def decode_string(self, x: bytes, f: int, kind: str = "value", **_: object) -> tuple[str, int]:
        colon = x.index(b":", f)
        length = x[f:colon]
        # The library takes whatever int() takes, and a negative length in a
        # key makes it read the same bytes for ever.
        if not length.isdigit():
            raise ValueError("length of a string")
        start = colon + 1
        end = start + int(length)
        if end > len(x):
            raise ValueError("string beyond the end")
        return x[start:end].decode("utf-8", "surrogateescape"), end

    def decode_dict(self, x: bytes, f: int, depth: int = 0, **_: object) -> tuple[Fields, int]:
        if depth > self.max_depth:
            raise ValueError("depth")
        result: Fields = {}
        f += 1
        functions = self.decode_func
        string = self.decode_string
        while x[f] != _END:
            key, f = string(x, f)
            if _ZERO <= x[f] <= _NINE:
                result[key], f = string(x, f)
                continue
            c = x[f : f + 1]
            value, f = functions[c](x, f, depth=depth + 1)
            if c == b"l" and isinstance(earlier := result.get(key), list):
                earlier.extend(value)
            else:
                result[key] = value
        return result, f + 1

    def decode_list(self, x: bytes, f: int, depth: int = 0, **_: object) -> tuple[list[Any], int]:
        if depth > self.max_depth:
            raise ValueError("depth")
        result: list[Any] = []
        f += 1
        while x[f] != _END:
            if _ZERO <= x[f] <= _NINE:
                value, f = self.decode_string(x, f)
            else:
                value, f = self.decode_func[x[f : f + 1]](x, f, depth=depth + 1)
            result.append(value)
        return result, f + 1


class _Encoder(BencodeEncoder):  # type: ignore[misc]
    """
    The reverse of L{_Decoder}: bytes that were no UTF-8 go back as they came,
    and keys keep their order, which the people who read captures appreciate.
    """

    def encode_string(self, x: str, r: Any) -> None:
        data = x.encode("utf-8", "surrogateescape")
        r.extend((b"%d:" % len(data), data))

    def encode_dict(self, x: Fields, r: Any) -> None:
        r.append(b"d")
        functions = self.encode_func
        for key, value in x.items():
            self.encode_string(key, r)
            functions[type(value)](value, r)
        r.append(b"e")


_decoder: Final = _Decoder(max_depth=MAX_DEPTH)
_encoder: Final = _Encoder()


def parse(datagram: bytes) -> Message:
    """
    Read a datagram.

    @return: a message; if its C{error} is not empty, reply with that.

    @raise RemoteError: there is no cookie to reply with.
    """
    cookie, space, body = datagram.partition(b" ")
    if not space or not cookie:
        raise RemoteError("no cookie")
    if len(cookie) > MAX_COOKIE:
        raise RemoteError("cookie too long")
    encoding = Encoding.BENCODE
    fields: Fields = {}
    if not body:
        error = NO_PAYLOAD
    elif body[:1] == b"d":
        fields, error = _parseBencode(body)
    elif body[:1] == b"{":
        encoding = Encoding.JSON
        fields, error = _parseJSON(body)
    else:
        error = NO_FORMAT
    if not error and not isinstance(fields.get("command"), str):
        error = NO_COMMAND
    return Message(cookie=cookie, encoding=encoding, fields=fields, error=error)


def _parseBencode(body: bytes) -> tuple[Fields, str]:
    try:
        # Who types into netcat ends with a newline.
        fields: Fields = _decoder.decode(body.rstrip(b"\r\n"))
    except BencodeDecodeError:
        return {}, NOT_BENCODE
    return fields, ""


def _parseJSON(body: bytes) -> tuple[Fields, str]:
    try:
        fields: Fields = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return {}, NOT_JSON
    return fields, ""


def serialize(cookie: bytes, encoding: Encoding, reply: Fields) -> bytes:
    """
    Write a reply.

    @param reply: text, integers, lists and dictionaries with text for keys.
    """
    if encoding is Encoding.JSON:
        try:
            data = msgspec.json.encode(reply)
        except UnicodeEncodeError:
            # A tag that came in bencode and was no UTF-8: JSON has no way to
            # say it.
            data = msgspec.json.encode(_withoutBytes(reply))
    else:
        data = _encoder.encode(reply)
    return cookie + b" " + data


def _withoutBytes(value: Any) -> Any:
    """
    A copy with a question mark for every byte that is no UTF-8.
    """
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [_withoutBytes(v) for v in value]
    if isinstance(value, dict):
        return {_withoutBytes(k): _withoutBytes(v) for k, v in value.items()}
    return value


def readable(text: str, limit: int) -> str:
    """
    Make a text from the network fit for the log and for warnings.
    """
    text = text[:limit]
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)


class UnderWay(enum.Enum):
    """
    What L{ReplyCache.begin} says of a request that has no reply yet.
    """

    UNDER_WAY = enum.auto()


class ReplyCache:
    """
    The replies of the last 30 to 60 seconds.

    A controller that hears nothing says the same again, with the same cookie;
    it must get the first reply and not cause a second action.  The key is the
    cookie together with the sender's address and port: cookies are made of a
    server number, a process number and a counter, and two controllers may
    well agree in all three.  Controllers repeat themselves from the same
    socket.

    Replies are kept in two generations, as in rtpengine: when the younger one
    is old enough, or full, it becomes the older one, and what was the older
    one is forgotten.
    """

    def __init__(self) -> None:
        self._young: dict[object, bytes] = {}
        self._old: dict[object, bytes] = {}
        self._underWay: dict[object, int] = {}
        self._bytes = 0
        self._began: float | None = None

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def begin(self, key: object, now: float) -> bytes | UnderWay | None:
        """
        A request has come.

        @return: the reply that it had already; or that it is under way, and
            its repetition has been noted; or L{None}, and C{finish} must
            follow.
        """
        self._age(now)
        stored = self._young.get(key) or self._old.get(key)
        if stored is not None:
            return stored
        repetitions = self._underWay.get(key)
        if repetitions is not None:
            self._underWay[key] = min(repetitions + 1, MAX_REPETITIONS)
            return UnderWay.UNDER_WAY
        if len(self._underWay) < MAX_UNDER_WAY:
            self._underWay[key] = 0
        return None

    def finish(self, key: object, reply: bytes, now: float) -> int:
        """
        A request has its reply.

        @return: how many times to send it: for the request and for each of
            its repetitions.
        """
        self._age(now)
        if len(self._young) >= MAX_REPLIES or self._bytes + len(reply) > MAX_REPLY_BYTES:
            self._turn(now)
        self._young[key] = reply
        self._bytes += len(reply)
        return 1 + self._underWay.pop(key, 0)

    def _age(self, now: float) -> None:
        if self._began is None:
            self._began = now
        age = now - self._began
        if age >= 2 * GENERATION:
            self._turn(now)
        if age >= GENERATION:
            self._turn(now)

    def _turn(self, now: float) -> None:
        self._old, self._young = self._young, {}
        self._bytes = 0
        self._began = now
