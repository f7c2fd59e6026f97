"""
SDP security descriptions (RFC 4568): keys in C{a=crypto} lines.

    >>> crypto = Crypto.parse("1 AES_CM_128_HMAC_SHA1_80 inline:" + "A" * 40)
    >>> crypto.keys.profile.name
    'AES_CM_128_HMAC_SHA1_80'
"""

import base64
import binascii
import hmac
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from e2aegw.errors import NegotiationError
from e2aegw.sansio.sdp import Line, Section
from e2aegw.sansio.srtp import Keys, Profile

#: RFC 4568 clause 9.1: the tag has nine digits at most.  No number in the
#: attribute may have leading zeroes (clauses 4.1, 6.1, 6.3).
_TAG = re.compile(r"(0|[1-9][0-9]{0,8})\Z")
_LIFETIME = re.compile(r"(2\^(0|[1-9][0-9]?)|[1-9][0-9]{0,14})\Z")
_MKI = re.compile(r"([1-9][0-9]{0,308}):([1-9][0-9]{0,2})\Z")
#: RFC 4568 clause 6.1: octets of a master key identifier.
_MAX_MKI = 128
#: Session parameters that change nothing for us: the replay window that we are
#: advised to have, the only order that we know, and, with a dash before them,
#: those that may be ignored (RFC 4568 clauses 6.3.4, 6.3.6 and 6.3.7).  All
#: others change how packets look, or switch protection off.
_IGNORED = re.compile(r"(FEC_ORDER=FEC_SRTP|WSH=(6[4-9]|[7-9][0-9]|[1-9][0-9]{2,8})|-[^-].*)\Z")
#: RFC 3711 clause 9.2: packets under one master key.
_MAX_LIFETIME = 2**48


@dataclass(frozen=True, slots=True)
class Crypto:
    """
    One C{a=crypto} attribute that we can use.

    @ivar tag: what the answer repeats.
    """

    tag: str
    keys: Keys

    @classmethod
    def parse(cls, value: str) -> "Crypto":
        """
        Read an attribute's value.

        @raise NegotiationError: it is malformed (RFC 4568 clause 6.1), or asks
            for a suite or parameters that we do not have.  The text holds no
            key.
        """
        words = value.split()
        if len(words) < 3 or not _TAG.match(words[0]):
            raise NegotiationError("malformed crypto attribute")
        try:
            profile = Profile(words[1])
        except ValueError:
            raise NegotiationError("unknown crypto suite") from None
        method, _, info = words[2].partition(":")
        # Of several keys, told apart by master key identifiers, we would have to
        # be told when each is used.
        if method != "inline" or ";" in words[2]:
            raise NegotiationError("the crypto attribute does not have one inline key")
        key, *parts = info.split("|")
        # Only the last part has a colon.
        mki = _mki(parts.pop()) if parts and ":" in parts[-1] else b""
        if len(parts) > 1 or (parts and not _validLifetime(parts[0])):
            raise NegotiationError("invalid key lifetime")
        if not all(_IGNORED.match(parameter) for parameter in words[3:]):
            raise NegotiationError("unsupported session parameter")
        try:
            # RFC 4568 clause 6.1 discards the padding; some leave it away.
            bare = key.rstrip("=")
            material = base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
        except (binascii.Error, ValueError):
            raise NegotiationError("the key is not base64") from None
        if len(material) != profile.keyLength + profile.saltLength:
            raise NegotiationError("the key has the wrong length")
        return cls(words[0], Keys(profile, material, mki))

    def line(self) -> Line:
        """
        The attribute.
        """
        key = base64.b64encode(self.keys.material).decode()
        mki = self.keys.mki
        identifier = f"|{int.from_bytes(mki, 'big')}:{len(mki)}" if mki else ""
        return Line("crypto", f"{self.tag} {self.keys.profile.value} inline:{key}{identifier}")


def generate(tag: str, profile: Profile) -> Crypto:
    """
    A fresh random key (RFC 4568 clause 6.1).
    """
    return Crypto(tag, Keys(profile, secrets.token_bytes(profile.keyLength + profile.saltLength)))


def select(section: Section, allowed: Iterable[Profile]) -> Crypto:
    """
    The first attribute of an offer that we can use (RFC 4568 clause 5.1.2).

    @raise NegotiationError: there is none.
    """
    usable = set(allowed)
    values = section.all("crypto")
    tags = [value.split(None, 1)[0] for value in values if value]
    for value in values:
        try:
            crypto = Crypto.parse(value)
        except NegotiationError:
            continue
        # RFC 4568 clause 5.1.1: a tag that stands twice identifies nothing.
        if crypto.keys.profile in usable and tags.count(crypto.tag) == 1:
            return crypto
    raise NegotiationError("no usable crypto attribute" if values else "no crypto attribute")


def match(section: Section, offered: Iterable[Crypto]) -> tuple[Crypto, Crypto]:
    """
    The attribute of an answer, and the one of our offer that it accepts (RFC
    4568 clause 5.1.3).

    @return: theirs, ours.

    @raise NegotiationError: there is not exactly one, or it does not repeat
        tag and suite of one that was offered, or it repeats the key, too.
    """
    values = section.all("crypto")
    if len(values) != 1:
        raise NegotiationError("the answer does not have exactly one crypto attribute")
    theirs = Crypto.parse(values[0])
    for ours in offered:
        if (ours.tag, ours.keys.profile) == (theirs.tag, theirs.keys.profile):
            if hmac.compare_digest(ours.keys.material, theirs.keys.material):
                # RFC 4568 clause 7.1.2.  Two streams under one key can be read
                # by whoever sees both.
                raise NegotiationError("the answer repeats our key")
            return theirs, ours
    raise NegotiationError("the answer accepts a crypto attribute that was not offered")


def _mki(text: str) -> bytes:
    """
    A master key identifier, as it stands in packets.

    @param text: its number and its length, in octets.

    @raise NegotiationError: it is malformed.
    """
    found = _MKI.match(text)
    number, length = (int(found[1]), int(found[2])) if found else (0, 0)
    if not 1 <= length <= _MAX_MKI or number.bit_length() > 8 * length:
        raise NegotiationError("malformed master key identifier")
    return number.to_bytes(length, "big")


def _validLifetime(text: str) -> bool:
    if not _LIFETIME.match(text):
        return False
    return (2 ** int(text[2:]) if text.startswith("2^") else int(text)) <= _MAX_LIFETIME
