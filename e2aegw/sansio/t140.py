"""
Text as T.140 has it: characters in order, of which some may be missing.

What crosses the gateway is a L{Run} of them, without sequence numbers,
redundancy or anything else that belongs to one hop.
"""

import codecs
import unicodedata
from dataclasses import dataclass

#: Stands where text is missing (T.140 addendum 1).
LOST = "\N{REPLACEMENT CHARACTER}"
#: Begins a stream, or keeps a NAT's door open, and says nothing (RFC 9071
#: clause 3.16.4).
BOM = "\N{ZERO WIDTH NO-BREAK SPACE}"
#: T.140's new line.
NEW_LINE = "\N{LINE SEPARATOR}"
#: Characters of a composed one that are kept together.  Longer ones are made to
#: be a nuisance, and cut.
MAX_COMPOSED = 32


@dataclass(frozen=True, slots=True)
class Run:
    """
    Some characters.

    @ivar text: the characters.
    @ivar paced: whether they come at the transmission intervals of RFC 4103,
        so that there is nothing to gain by gathering more.
    @ivar source: who said it, if the other leg's party speaks for several (RFC
        9071), else 0.
    """

    text: str
    paced: bool = False
    source: int = 0


def cleaned(text: str) -> str:
    """
    Text without what says nothing.
    """
    return text.replace(BOM, "") if BOM in text else text


class Decoder:
    """
    Reads UTF-8 that comes in pieces of any length.  What is not UTF-8 is as
    good as lost.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def decode(self, data: bytes) -> str:
        """
        The characters that are complete.
        """
        return cleaned(self._decoder.decode(data))

    def finish(self) -> bool:
        """
        There will be no more of this.

        @return: whether a character was cut.
        """
        return bool(self._decoder.decode(b"", True))


def prefix(text: str, characters: int, octets: int) -> int:
    """
    How many characters to take from the beginning of a text.

    Nothing is cut between a character and what is put on top of it (RFC 4103
    clause 3.3), if that can be helped.

    @param characters: the most that may be taken.
    @param octets: the most that they may be in UTF-8, and at least 4.

    @return: at least 1, if there is text and C{characters} is.
    """
    count = min(characters, len(text), octets)
    if count < 1:
        return 0
    data = text[:count].encode(errors="replace")
    if len(data) > octets:
        count = len(data[:octets].decode(errors="ignore"))
    if count == len(text) or not unicodedata.combining(text[count]):
        return count
    for end in range(count - 1, max(0, count - MAX_COMPOSED), -1):
        if not unicodedata.combining(text[end]):
            return end
    return count
