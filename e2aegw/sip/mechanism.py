"""
The header fields C{Security-Client}, C{Security-Server} and
C{Security-Verify} (RFC 3329), which have one grammar::

    security-client = "Security-Client" HCOLON sec-mechanism *(COMMA sec-mechanism)
    sec-mechanism   = mechanism-name *(SEMI mech-parameters)

A header field may stand several times in a message, and its values may be in
one of them or spread over many (RFC 3261 clause 7.3.1), so a value here is
always a sequence of texts.  Octets become text with C{"utf-8"} and
C{"surrogateescape"}, and nothing is lost.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from e2aegw.errors import RemoteError

#: Longest of all values together, in characters: SIP messages fit into a
#: datagram, and a whole list of mechanisms has a few hundred.
MAX_LENGTH = 16384
#: Most mechanisms of one message: there are about a dozen in the world.
MAX_MECHANISMS = 128
#: Most parameters of one mechanism: ipsec-3gpp has nine.
MAX_PARAMETERS = 64

# RFC 3261 clause 25.1.  A mechanism ends where its list goes on or its value
# ends, and white space around its separators is no part of anything.
_TOKEN = r"[-A-Za-z0-9.!%*_+`'~]+"
_QUOTED = r'"(?:[^"\\\x00-\x1f\x7f]|\t|\\[\x00-\x09\x0b\x0c\x0e-\x7f])*"'
_HOST = r"\[[0-9A-Fa-f:.]+\]"
_WS = r"[ \t]*"
_NAME = re.compile(_TOKEN)
_PARAMETER = re.compile(rf"{_WS};{_WS}({_TOKEN})(?:{_WS}={_WS}({_TOKEN}|{_QUOTED}|{_HOST}))?")
_COMMA = re.compile(rf"{_WS},{_WS}")
# A line that begins with white space goes on from the one before it.
_FOLD = re.compile(r"(?<![ \t])[ \t]*\r?\n[ \t]+")
_BLANK = " \t"


@dataclass(frozen=True, slots=True)
class Mechanism:
    """
    One entry.

    @ivar text: as it was written.
    @ivar name: what it is called, in lower case (RFC 3261 clause 7.3.1: tokens
        are not case-sensitive).
    @ivar parameters: names, in lower case, and values as they were written,
        with quotes if there are any; L{None} stands for no value.
    """

    text: str
    name: str
    parameters: tuple[tuple[str, str | None], ...] = ()

    def has(self, parameter: str) -> bool:
        """
        Whether there is a parameter of that name.
        """
        return any(name == parameter for name, _ in self.parameters)

    def get(self, parameter: str) -> str | None:
        """
        The value of the first parameter of that name; L{None} if it has none,
        or there is none.
        """
        return next((value for name, value in self.parameters if name == parameter), None)


def parse(values: Iterable[str]) -> tuple[Mechanism, ...]:
    """
    Read all values that a message has of one of these header fields, in their
    order.

    @param values: a text by itself is the only one.

    @raise RemoteError: they are not of the grammar, or too many.
    """
    if isinstance(values, str):
        values = (values,)
    found: list[Mechanism] = []
    length = 0
    for value in values:
        length += len(value)
        if length > MAX_LENGTH:
            raise RemoteError("too long a security agreement")
        text, position = _FOLD.sub(" ", value).strip(_BLANK), 0
        while True:
            mechanism, position = _one(text, position)
            found.append(mechanism)
            if len(found) > MAX_MECHANISMS:
                raise RemoteError("too many mechanisms")
            if position == len(text):
                break
            comma = _COMMA.match(text, position)
            if comma is None:
                raise RemoteError("malformed security agreement")
            position = comma.end()
    return tuple(found)


def serialize(mechanisms: Sequence[Mechanism]) -> str:
    """
    One value with these mechanisms, each as it was written.
    """
    return ", ".join(mechanism.text for mechanism in mechanisms)


def _one(text: str, position: int) -> tuple[Mechanism, int]:
    begin = position
    name = _NAME.match(text, position)
    if name is None:
        raise RemoteError("malformed security agreement")
    position = name.end()
    parameters: list[tuple[str, str | None]] = []
    while (found := _PARAMETER.match(text, position)) is not None:
        parameters.append((found[1].lower(), found[2]))
        if len(parameters) > MAX_PARAMETERS:
            raise RemoteError("too many parameters of a mechanism")
        position = found.end()
    return Mechanism(text[begin:position], name[0].lower(), tuple(parameters)), position
