"""
Certificates that are known by their fingerprints (RFC 8122).

A self-signed certificate says nothing about who holds it.  It is the
description, which travels over protected signalling, that vouches for it by
its hash.
"""

import datetime
import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from e2aegw.errors import ConfigError, NegotiationError

#: How long a certificate of ours is valid.  Nobody looks, but a date in the
#: past makes some libraries stop.
_VALIDITY = datetime.timedelta(days=365)
#: Clocks differ.
_BACKDATE = datetime.timedelta(days=1)

#: Hash functions of RFC 8122 clause 5 that are believed, strongest first.
#: MD2 and MD5 must not be; SHA-1 is not.
_HASHES = ("sha-512", "sha-384", "sha-256")
#: How many octets each of them yields (RFC 8122 clause 5).
_OCTETS = {"sha-512": 64, "sha-384": 48, "sha-256": 32}
#: OpenSSL's default security level refuses RSA keys that are shorter.
_MIN_RSA = 2048
#: The public exponent that everybody has (FIPS 186-5 clause A.1.1).
_EXPONENT = 65537
#: The curves that TLS peers have (RFC 8446 clause 9.1 and its SHOULDs).
_CURVES = ("secp256r1", "secp384r1", "secp521r1")

_DIGEST = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2})*")

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """
    The value of an C{a=fingerprint} attribute.

    @ivar function: the hash function's name, in lower case.
    @ivar digest: the hash, as upper-case hexadecimal with colons.
    """

    function: str
    digest: str

    def __str__(self) -> str:
        return f"{self.function} {self.digest}"

    @classmethod
    def parse(cls, value: str) -> Self:
        """
        Read an attribute's value.

        @raise NegotiationError: it is malformed.
        """
        words = value.split()
        if len(words) != 2:
            raise NegotiationError("malformed fingerprint attribute")
        function, digest = words[0].lower(), words[1]
        if not _DIGEST.fullmatch(digest):
            raise NegotiationError("malformed fingerprint attribute")
        octets = (len(digest) + 1) // 3
        if octets != _OCTETS.get(function, octets):
            raise NegotiationError("the fingerprint has the wrong length")
        return cls(function, digest.upper())

    @classmethod
    def of(cls, der: bytes, function: str = "sha-256") -> Self:
        """
        The fingerprint of a certificate.
        """
        digest = hashlib.new(function.replace("-", ""), der).digest()
        return cls(function, digest.hex(":").upper())


def acceptable(values: Sequence[str]) -> tuple[Fingerprint, ...]:
    """
    The fingerprints to hold a certificate against: those of the strongest
    hash function offered, as RFC 8122 clause 5.1 wants.

    @raise NegotiationError: one is malformed, or none has a hash function that
        can be believed.
    """
    parsed = [Fingerprint.parse(value) for value in values]
    for function in _HASHES:
        found = tuple(each for each in parsed if each.function == function)
        if found:
            return found
    raise NegotiationError("no fingerprint with a hash function that can be believed")


def matches(der: bytes, expected: Sequence[Fingerprint]) -> bool:
    """
    Whether a certificate is one of those that the description vouches for.
    """
    return any(
        secrets.compare_digest(Fingerprint.of(der, each.function).digest, each.digest) for each in expected
    )


@dataclass(frozen=True, slots=True)
class Identity:
    """
    A certificate of ours and its key.
    """

    certificate: x509.Certificate
    key: PrivateKey = field(repr=False)

    @property
    def fingerprints(self) -> tuple[Fingerprint, ...]:
        """
        What our descriptions say: the SHA-256 fingerprint, and one by the hash
        function of the certificate's signature (RFC 8122 clause 5.1) if that
        is another that can be believed.
        """
        der = self.certificate.public_bytes(serialization.Encoding.DER)
        algorithm = self.certificate.signature_hash_algorithm
        functions = ["sha-256"]
        if algorithm is not None:
            # Its name is "sha384".
            functions += [each for each in _HASHES[:-1] if each.replace("-", "") == algorithm.name]
        return tuple(Fingerprint.of(der, function) for function in functions)

    @classmethod
    def generate(cls, now: datetime.datetime) -> Self:
        """
        A fresh self-signed certificate over an ECDSA key on P-256 (RFC 8827
        clause 6.5).  Its name identifies nobody.

        @param now: the time, with a time zone.
        """
        return cls._signed(ec.generate_private_key(ec.SECP256R1()), now)

    @classmethod
    def generateRSA(cls, now: datetime.datetime) -> Self:
        """
        The same over an RSA key, which takes a hundred times as long.

        @param now: the time, with a time zone.
        """
        return cls._signed(rsa.generate_private_key(_EXPONENT, _MIN_RSA), now)

    @property
    def isRSA(self) -> bool:
        """
        Whether the key is an RSA key.
        """
        return isinstance(self.key, rsa.RSAPrivateKey)

    @classmethod
    def _signed(cls, key: PrivateKey, now: datetime.datetime) -> Self:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "anonymous")])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _BACKDATE)
            .not_valid_after(now + _VALIDITY)
            .sign(key, hashes.SHA256())
        )
        return cls(certificate, key)

    @classmethod
    def fromPEM(cls, certificate: bytes, key: bytes) -> Self:
        """
        Read a certificate and its key.

        @raise ConfigError: they cannot be read, or do not belong together.
        """
        try:
            cert = x509.load_pem_x509_certificate(certificate)
            public = cert.public_key()
            private = serialization.load_pem_private_key(key, None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as e:
            raise ConfigError(f"not a PEM certificate with an unencrypted key: {e}") from None
        if not isinstance(private, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
            raise ConfigError("the key is neither ECDSA nor RSA")
        if private.public_key() != public:
            raise ConfigError("the key does not belong to the certificate")
        if isinstance(private, rsa.RSAPrivateKey):
            if private.key_size < _MIN_RSA:
                raise ConfigError(f"the RSA key has fewer than {_MIN_RSA} bits")
        elif private.curve.name not in _CURVES:
            raise ConfigError(f"the key's curve is none of {', '.join(_CURVES)}")
        return cls(cert, private)
