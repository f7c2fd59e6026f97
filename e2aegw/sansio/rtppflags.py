"""
The flags string that Kamailio 6 hands over unread, in C{rtpp-flags}.

It is what stands between the quotation marks of C{rtpengine_offer("...")}:
words, C{key=value}, lists in brackets, and brackets in brackets.  It becomes
the dictionary that an older Kamailio would have made of it.

    >>> parse("trust-address ICE=remove rtcp-mux=[demux accept] RTP/SAVP")
    {'flags': ['trust-address'], 'ICE': 'remove', 'rtcp-mux': ['demux', 'accept'], \
'transport-protocol': 'RTP/SAVP'}
"""

import re
from typing import Any, Final

#: Deepest nesting of brackets that is read.  C{sdp-attr} needs two.
MAX_DEPTH = 8

#: A word: what is no blank, bracket or equals sign.
_WORD: Final = re.compile(r"[^\s=\[\]]+")
#: A value outside brackets goes on to the next blank, inside to the next
#: blank or closing bracket.
_VALUE: Final = re.compile(r"\S+")
_INNER_VALUE: Final = re.compile(r"[^\s\]]+")

#: The words that put a transport protocol together: what each says of
#: encryption by SDES, feedback, and encryption by DTLS.
_PROTOCOL_WORDS: Final[dict[str, dict[str, bool]]] = {
    "RTP": {"sdes": False},
    "SRTP": {"sdes": True},
    "AVP": {"feedback": False},
    "AVPF": {"feedback": True},
    "DTLS": {"dtls": True},
    "RTP/AVP": {"sdes": False, "feedback": False, "dtls": False},
    "RTP/AVPF": {"sdes": False, "feedback": True, "dtls": False},
    "RTP/SAVP": {"sdes": True, "feedback": False, "dtls": False},
    "RTP/SAVPF": {"sdes": True, "feedback": True, "dtls": False},
    "UDP/TLS/RTP/SAVP": {"sdes": False, "feedback": False, "dtls": True},
    "UDP/TLS/RTP/SAVPF": {"sdes": False, "feedback": True, "dtls": True},
}

#: Words that name a side and need no C{direction=} before them.
_DIRECTION_WORDS: Final = frozenset({"internal", "external"})


def parse(text: str) -> dict[str, Any]:
    """
    Read a flags string.  What makes no sense in it is left out.
    """
    result: dict[str, Any] = {}
    flags: list[str] = []
    direction: list[str] = []
    protocol: dict[str, bool] = {}
    position = 0
    while position < len(text):
        word = _WORD.match(text, position)
        if word is None:
            position += 1
            continue
        key, position = word[0], word.end()
        value: Any = None
        if text.startswith("=", position):
            value, position = _parseValue(text, position + 1)
        if value is None:
            if key in _PROTOCOL_WORDS:
                protocol |= _PROTOCOL_WORDS[key]
            elif key in _DIRECTION_WORDS:
                direction.append(key)
            else:
                flags.append(key)
        elif key == "direction":
            direction += value if isinstance(value, list) else [value]
        elif isinstance(value, list) and isinstance(result.get(key), list):
            result[key] += value
        else:
            result[key] = value
    if flags:
        result = {"flags": flags, **result}
    if direction:
        result["direction"] = direction
    if protocol:
        result["transport-protocol"] = _protocol(protocol)
    return result


def _protocol(words: dict[str, bool]) -> str:
    feedback = "F" if words.get("feedback") else ""
    if words.get("dtls"):
        return "UDP/TLS/RTP/SAVP" + feedback
    return ("RTP/SAVP" if words.get("sdes") else "RTP/AVP") + feedback


def _parseValue(text: str, position: int) -> tuple[Any, int]:
    if text.startswith("[", position):
        return _parseGroup(text, position + 1, 1)
    value = _VALUE.match(text, position)
    return (value[0], value.end()) if value is not None else (None, position)


def _parseGroup(text: str, position: int, depth: int) -> tuple[Any, int]:
    """
    Read what is in brackets: a dictionary if something in it has an equals
    sign, and otherwise a list.
    """
    items: list[Any] = []
    entries: dict[str, Any] = {}
    while position < len(text):
        if text[position] == "]":
            position += 1
            break
        if text[position] == "[":
            if depth >= MAX_DEPTH:
                return entries or items, len(text)
            item, position = _parseGroup(text, position + 1, depth + 1)
            items.append(item)
            continue
        word = _WORD.match(text, position)
        if word is None:
            position += 1
            continue
        position = word.end()
        if not text.startswith("=", position):
            items.append(word[0])
        elif text.startswith("[", position + 1):
            if depth >= MAX_DEPTH:
                return entries or items, len(text)
            entries[word[0]], position = _parseGroup(text, position + 2, depth + 1)
        else:
            value = _INNER_VALUE.match(text, position + 1)
            if value is not None:
                entries[word[0]], position = value[0], value.end()
            else:
                position += 1
    return entries or items, position
