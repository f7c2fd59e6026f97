"""
SRTP once more, slowly and from the text of RFC 3711 and RFC 7714, so that the
vectors of those RFCs, which begin with session keys, reach an implementation
that takes nothing but master keys.
"""

import hmac
import struct
from dataclasses import dataclass
from hashlib import sha1

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

_RTP_LABELS = (0, 1, 2)
_RTCP_LABELS = (3, 4, 5)


def keystream(key: bytes, iv: bytes, data: bytes) -> bytes:
    """
    Encrypt in counter mode (RFC 3711 clause 4.1.1).
    """
    return Cipher(AES(key), CTR(iv)).encryptor().update(data)


def derive(masterKey: bytes, masterSalt: bytes, label: int, length: int) -> bytes:
    """
    A session key, with a derivation rate of zero (RFC 3711 clause 4.3.1; RFC
    7714's shorter salt has zeroes behind it).
    """
    x = bytearray(masterSalt.ljust(14, b"\0"))
    x[7] ^= label
    return keystream(masterKey, bytes(x) + b"\0\0", bytes(length))


def xor(one: bytes, other: bytes) -> bytes:
    """
    One octet string with another.
    """
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


def counterIV(salt: bytes, ssrc: bytes, index: int) -> bytes:
    """
    RFC 3711 clause 4.1.1.
    """
    return xor(salt + b"\0\0", bytes(4) + ssrc + (index << 16).to_bytes(8, "big"))


def sealRTP(key: bytes, salt: bytes, packet: bytes, roc: int) -> bytes:
    """
    RFC 7714 clause 8, for a packet with a header of 12 octets.
    """
    iv = xor(salt, bytes(2) + packet[8:12] + struct.pack("!I", roc) + packet[2:4])
    return packet[:12] + AESGCM(key).encrypt(iv, packet[12:], packet[:12])


def sealRTCP(key: bytes, salt: bytes, packet: bytes, index: int) -> bytes:
    """
    RFC 7714 clause 9.
    """
    word = struct.pack("!I", 1 << 31 | index)
    iv = xor(salt, bytes(2) + packet[4:8] + bytes(2) + struct.pack("!I", index))
    return packet[:8] + AESGCM(key).encrypt(iv, packet[8:], packet[:8] + word) + word


@dataclass(frozen=True)
class Reference:
    """
    Protects packets under one master key.

    @ivar tag: the length of the tag of RTP packets under HMAC-SHA1; L{None}
        for AES-GCM.
    """

    key: bytes
    salt: bytes
    tag: int | None

    def protect(self, packet: bytes, roc: int) -> bytes:
        """
        An SRTP packet.
        """
        key, auth, salt = self._keys(_RTP_LABELS)
        if self.tag is None:
            return sealRTP(key, salt, packet, roc)
        index = roc << 16 | int.from_bytes(packet[2:4], "big")
        out = packet[:12] + keystream(key, counterIV(salt, packet[8:12], index), packet[12:])
        return out + hmac.digest(auth, out + struct.pack("!I", roc), sha1)[: self.tag]

    def protectControl(self, packet: bytes, index: int) -> bytes:
        """
        An SRTCP packet.
        """
        key, auth, salt = self._keys(_RTCP_LABELS)
        if self.tag is None:
            return sealRTCP(key, salt, packet, index)
        out = packet[:8] + keystream(key, counterIV(salt, packet[4:8], index), packet[8:])
        out += struct.pack("!I", 1 << 31 | index)
        # RFC 4568 clause 6.2: 80 bits, whatever RTP has.
        return out + hmac.digest(auth, out, sha1)[:10]

    def _keys(self, labels: tuple[int, int, int]) -> tuple[bytes, bytes, bytes]:
        key, auth, salt = labels
        return (
            derive(self.key, self.salt, key, len(self.key)),
            derive(self.key, self.salt, auth, 20),
            derive(self.key, self.salt, salt, len(self.salt)),
        )
