"""
STUN's Binding requests and responses (RFC 8489) as ICE agents write them,
without a detour: a call has one at least, and each browser sends one in five
seconds for as long as a call lasts.

What is unusual is left to the codec, so L{parseUsual} refuses nothing.
"""

import hmac
import struct
from typing import Any
from zlib import crc32

from aioice import stun

from e2aegw.sansio.flow import Address

_HEADER = struct.Struct("!HHI12s")
_ATTRIBUTE = struct.Struct("!HH")
_LENGTH = struct.Struct("!H")
_NUMBER = struct.Struct("!I")
#: Header, attribute and address of a response over IPv4 (RFC 8489 clause 14.2).
_MAPPED = struct.Struct("!HHI12sHHHHI")
_REQUEST, _RESPONSE = 0x0001, 0x0101
_USERNAME, _INTEGRITY, _XOR_MAPPED, _FINGERPRINT = 0x0006, 0x0008, 0x0020, 0x8028
_IPV4 = 1
#: The names of attributes of a request, and their lengths, if it is always the
#: same (RFC 8445 clause 16.1; the last is Chromium's and tells the price of its
#: network).
_USUAL: dict[int, tuple[str, int | None]] = {
    _USERNAME: ("USERNAME", None),
    _INTEGRITY: ("MESSAGE-INTEGRITY", 20),
    0x0024: ("PRIORITY", 4),
    0x0025: ("USE-CANDIDATE", 0),
    _FINGERPRINT: ("FINGERPRINT", 4),
    0x8029: ("ICE-CONTROLLED", 8),
    0x802A: ("ICE-CONTROLLING", 8),
    0xC057: ("NETWORK-INFO", None),
}


class UsualRequest:
    """
    A Binding request, as far as an ICE agent looks at it.

    @ivar attributes: by name; the values of those that are neither the username
        nor the integrity are of no interest.
    """

    __slots__ = ("_authentic", "attributes", "transaction_id")

    message_method = stun.Method.BINDING
    message_class = stun.Class.REQUEST

    def __init__(self, transaction: bytes, attributes: dict[str, Any], authentic: bytes) -> None:
        """
        @param authentic: what MESSAGE-INTEGRITY covers.
        """
        self.transaction_id = transaction
        self.attributes = attributes
        self._authentic = authentic

    def check_message_integrity(self, key: bytes) -> bool:
        """
        Whether who sent it knows the password.
        """
        value = self.attributes.get("MESSAGE-INTEGRITY")
        return isinstance(value, bytes) and hmac.compare_digest(value, integrity(self._authentic, key))


def parseUsual(data: bytes) -> UsualRequest | None:
    """
    Read a Binding request that has what such requests have, each once:
    MESSAGE-INTEGRITY before nothing but a FINGERPRINT, which is right.

    @param data: a message whose header is sound and whose attributes fit.

    @return: L{None} if it is anything else.
    """
    if data[:2] != b"\0\x01":
        return None
    attributes: dict[str, Any] = {}
    at, end = _HEADER.size, len(data)
    authentic = b""
    while at < end:
        kind, length = _ATTRIBUTE.unpack_from(data, at)
        name, fixed = _USUAL.get(kind, ("", None))
        if not name or name in attributes or (fixed is not None and length != fixed):
            return None
        if (authentic and kind != _FINGERPRINT) or "FINGERPRINT" in attributes:
            return None
        value: object = data[at + 4 : at + 4 + length]
        if kind == _USERNAME:
            try:
                value = data[at + 4 : at + 4 + length].decode()
            except UnicodeDecodeError:
                return None
        elif kind == _INTEGRITY:
            authentic = data[:at]
        elif kind == _FINGERPRINT and value != fingerprint(data[:at]):
            return None
        attributes[name] = value
        at += 4 + (length + 3 & ~3)
    return UsualRequest(data[8:20], attributes, authentic)


def response(transaction: bytes, source: Address) -> bytes:
    """
    The response to a request, without integrity and fingerprint: where it came
    from.
    """
    host, port = source
    if ":" in host:
        mapped = {"XOR-MAPPED-ADDRESS": source}
        return bytes(stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, transaction, mapped))
    a, b, c, d = host.split(".")
    number = int(a) << 24 | int(b) << 16 | int(c) << 8 | int(d)
    return _MAPPED.pack(
        _RESPONSE,
        12,
        stun.COOKIE,
        transaction,
        _XOR_MAPPED,
        8,
        _IPV4,
        port ^ stun.COOKIE >> 16,
        number ^ stun.COOKIE,
    )


def seal(data: bytes, key: bytes | None) -> bytes:
    """
    Add MESSAGE-INTEGRITY, if there is a key, and FINGERPRINT to a message
    (RFC 8489 clauses 14.5 and 14.7).
    """
    if key is not None:
        data += _ATTRIBUTE.pack(_INTEGRITY, 20) + integrity(data, key)
    data += _ATTRIBUTE.pack(_FINGERPRINT, 4) + fingerprint(data)
    return data[:2] + _LENGTH.pack(len(data) - _HEADER.size) + data[4:]


def integrity(data: bytes, key: bytes) -> bytes:
    """
    The value of a MESSAGE-INTEGRITY that stands behind C{data}.  The header's
    length includes it.
    """
    covered = data[:2] + _LENGTH.pack(len(data) - _HEADER.size + 24) + data[4:]
    return hmac.digest(key, covered, "sha1")


def fingerprint(data: bytes) -> bytes:
    """
    The value of a FINGERPRINT that stands behind C{data}.  The header's length
    includes it.
    """
    covered = data[:2] + _LENGTH.pack(len(data) - _HEADER.size + 8) + data[4:]
    return _NUMBER.pack(crc32(covered) ^ stun.FINGERPRINT_XOR)
