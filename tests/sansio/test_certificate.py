"""
Tests for L{e2aegw.sansio.certificate}.
"""

import contextlib
import datetime
import hashlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from e2aegw.errors import ConfigError, NegotiationError
from e2aegw.sansio.certificate import Fingerprint, Identity, acceptable, matches

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)

#: A certificate over a curve that nobody has.
ODD_CURVE = b"""\
-----BEGIN CERTIFICATE-----
MIIBIjCB7qADAgECAhQ5OS12SOd4lxVCyioN6wqh4AEKJzAKBggqhkjOPQQDAjAM
MQowCAYDVQQDDAF4MCAXDTI2MTEyMzEzNDAwMVoYDzIxMjYxMDMwMTM0MDAxWjAM
MQowCAYDVQQDDAF4MDIwEAYHKoZIzj0CAQYFK4EEAAYDHgAEXbv7BG41ajgpeo9l
llzB85U6qgTy4wKKZ0v70aNTMFEwHQYDVR0OBBYEFMa5gq0KAcy5lLNMDf8furfm
fxojMB8GA1UdIwQYMBaAFMa5gq0KAcy5lLNMDf8furfmfxojMA8GA1UdEwEB/wQF
MAMBAf8wCgYIKoZIzj0EAwIDIwAwIAIOfkTAz69XonOcUG2XSdQCDgXOayFl8c8g
73Ux9L9z
-----END CERTIFICATE-----
"""

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | dsa.DSAPrivateKey | ed25519.Ed25519PrivateKey


def pem(
    key: Key,
    algorithm: hashes.SHA256 | hashes.SHA384 | hashes.SHA512 | None = None,
    encryption: KeySerializationEncryption | None = None,
) -> tuple[bytes, bytes]:
    """
    A self-signed certificate and its key, as files hold them.
    """
    name = x509.Name([])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(NOW)
        .not_valid_after(NOW)
        .sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else algorithm or hashes.SHA256())
    )
    return certificate.public_bytes(Encoding.PEM), key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption()
    )


def value(function: str, octets: int) -> str:
    """
    A fingerprint attribute's value.
    """
    return f"{function} {':'.join(['AB'] * octets)}"


class FingerprintTests(SynchronousTestCase):
    """
    L{Fingerprint}.
    """

    def test_rfc(self) -> None:
        """
        The example of RFC 8122 clause 3.4 is read, and is no hash that is
        believed.
        """
        text = "SHA-1 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB"
        self.assertEqual(str(Fingerprint.parse(text)), text.replace("SHA", "sha"))
        self.assertRaises(NegotiationError, acceptable, [text])

    def test_of(self) -> None:
        """
        The fingerprint is the hash of the octets, in upper case.
        """
        for function, algorithm in (("sha-256", hashlib.sha256), ("sha-512", hashlib.sha512)):
            digest = algorithm(b"der").hexdigest().upper()
            found = Fingerprint.of(b"der", function)
            self.assertEqual(found.digest.replace(":", ""), digest)
            self.assertEqual(str(found), f"{function} {found.digest}")
            self.assertEqual(Fingerprint.parse(str(found)), found)
        self.assertEqual(Fingerprint.of(b"der").function, "sha-256")

    def test_case(self) -> None:
        """
        The case of the function's name and of the digits does not matter.
        """
        found = Fingerprint.of(b"der")
        for text in (str(found).lower(), str(found).upper(), str(found).replace(" ", "  ")):
            self.assertEqual(Fingerprint.parse(text), found)

    def test_malformed(self) -> None:
        """
        What is no fingerprint, or has not the length of its hash, is refused.
        """
        good = str(Fingerprint.of(b"der"))
        for text in (
            "",
            "sha-256",
            good + " x",
            good + ":",
            good + ":00",
            good[:-3],
            good[:-1],
            good.replace(":", ""),
            good[:-2] + "GG",
            good[:-2] + "\ufb00",
            good[:-2] + " 0",
            good.replace("sha-256", "sha-384"),
        ):
            self.assertRaises(NegotiationError, Fingerprint.parse, text)

    @settings(deadline=None, derandomize=True, max_examples=200)
    @given(
        st.text()
        | st.lists(st.sampled_from(["sha-256", "SHA-1", " ", ":", "AB", "ab", "G"])).map("".join)
        | st.binary(min_size=1, max_size=64).map(lambda data: f"x {data.hex(':')}")
    )
    def test_garbage(self, text: str) -> None:
        """
        Any text is a fingerprint or is refused, and nothing else happens.
        """
        with contextlib.suppress(NegotiationError):
            found = Fingerprint.parse(text)
            self.assertEqual(Fingerprint.parse(str(found)), found)


class AcceptableTests(SynchronousTestCase):
    """
    L{acceptable} and L{matches}.
    """

    def test_R_106_selection(self) -> None:
        """
        Of fingerprints by several functions, those of the strongest count
        and the others do not (RFC 8122 clause 5.1).
        """
        values = [
            value("sha-256", 32),
            value("SHA-512", 64).lower(),
            value("md5", 16),
            value("sha-512", 64).replace("AB", "CD"),
            value("sha-384", 48),
            value("sha-999", 3),
        ]
        self.assertEqual([each.function for each in acceptable(values)], ["sha-512", "sha-512"])
        self.assertEqual([each.function for each in acceptable(values[:1] + values[2:3])], ["sha-256"])

    def test_R_106_neverBelieved(self) -> None:
        """
        MD5, MD2 and SHA-1 are not believed, nor what nobody knows.
        """
        for text in (value("md5", 16), value("md2", 16), value("sha-1", 20), value("sha-224", 28), "x AA"):
            self.assertRaises(NegotiationError, acceptable, [text])
        self.assertRaises(NegotiationError, acceptable, [])

    def test_malformed(self) -> None:
        """
        One that cannot be read spoils the others: somebody tampered with
        them.
        """
        self.assertRaises(NegotiationError, acceptable, [value("sha-256", 32), "sha-256 x"])

    def test_R_33_matches(self) -> None:
        """
        A certificate has to have one of the fingerprints.
        """
        right, wrong = Fingerprint.of(b"der", "sha-384"), Fingerprint.of(b"other", "sha-384")
        self.assertTrue(matches(b"der", [wrong, right]))
        self.assertFalse(matches(b"der", [wrong]))
        self.assertFalse(matches(b"der", []))
        self.assertFalse(matches(b"der", [Fingerprint("sha-256", right.digest)]))


class GenerateTests(SynchronousTestCase):
    """
    L{Identity.generate}.
    """

    def test_selfSigned(self) -> None:
        """
        The certificate is over P-256 (RFC 8827 clause 6.5), signed by its own
        key, and valid now.
        """
        identity = Identity.generate(NOW)
        assert isinstance(identity.key, ec.EllipticCurvePrivateKey)
        self.assertEqual(identity.key.curve.name, "secp256r1")
        self.assertEqual(identity.key.public_key(), identity.certificate.public_key())
        identity.certificate.verify_directly_issued_by(identity.certificate)
        self.assertLess(identity.certificate.not_valid_before_utc, NOW)
        self.assertGreater(identity.certificate.not_valid_after_utc, NOW)

    def test_R_106_fingerprint(self) -> None:
        """
        The fingerprint is SHA-256's alone, which is the signature's, too.
        """
        identity = Identity.generate(NOW)
        (fingerprint,) = identity.fingerprints
        self.assertEqual(fingerprint.function, "sha-256")
        self.assertTrue(matches(identity.certificate.public_bytes(Encoding.DER), [fingerprint]))
        self.assertEqual(
            fingerprint.digest.replace(":", "").lower(),
            identity.certificate.fingerprint(hashes.SHA256()).hex(),
        )

    def test_R_107_anonymous(self) -> None:
        """
        Each certificate is another, and they have nothing in common that
        tells of anybody: name, extensions and dates are the same for all.
        """
        one, other = Identity.generate(NOW), Identity.generate(NOW)
        self.assertNotEqual(one.fingerprints, other.fingerprints)
        self.assertNotEqual(one.certificate.serial_number, other.certificate.serial_number)
        self.assertNotEqual(one.certificate.public_key(), other.certificate.public_key())
        for identity in (one, other):
            self.assertEqual(identity.certificate.subject.rfc4514_string(), "CN=anonymous")
            self.assertEqual(identity.certificate.issuer, identity.certificate.subject)
            self.assertEqual(list(identity.certificate.extensions), [])

    def test_RSA(self) -> None:
        """
        There is one of RSA, too, as long as OpenSSL wants it, and with nothing
        else in it.
        """
        identity = Identity.generateRSA(NOW)
        assert isinstance(identity.key, rsa.RSAPrivateKey)
        self.assertEqual((identity.key.key_size, identity.isRSA), (2048, True))
        self.assertFalse(Identity.generate(NOW).isRSA)
        self.assertEqual(identity.certificate.subject.rfc4514_string(), "CN=anonymous")
        self.assertEqual([each.function for each in identity.fingerprints], ["sha-256"])

    def test_R_111_secrets(self) -> None:
        """
        The key does not show in what a traceback or a log prints.
        """
        identity = Identity.generate(NOW)
        self.assertNotIn("key", repr(identity))


class FromPEMTests(SynchronousTestCase):
    """
    L{Identity.fromPEM}.
    """

    def assertRefused(self, certificate: bytes, key: bytes) -> str:
        """
        Files are refused in one line.
        """
        with self.assertRaises(ConfigError) as caught:
            Identity.fromPEM(certificate, key)
        message = str(caught.exception)
        self.assertNotIn("\n", message)
        self.assertNotIn("PRIVATE", message)
        return message

    def test_keys(self) -> None:
        """
        ECDSA and RSA keys are read.
        """
        for key in (ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 2048)):
            identity = Identity.fromPEM(*pem(key))
            self.assertEqual(identity.key.public_key(), key.public_key())
            self.assertEqual(identity.certificate.serial_number, 7)

    def test_R_106_otherSignature(self) -> None:
        """
        A certificate that is signed with another hash has two fingerprints
        (RFC 8122 clause 5.1), of which one is SHA-256's.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        for algorithm, functions in (
            (hashes.SHA256(), ["sha-256"]),
            (hashes.SHA384(), ["sha-256", "sha-384"]),
            (hashes.SHA512(), ["sha-256", "sha-512"]),
        ):
            identity = Identity.fromPEM(*pem(key, algorithm))
            self.assertEqual([each.function for each in identity.fingerprints], functions)
            for fingerprint in identity.fingerprints:
                self.assertTrue(matches(identity.certificate.public_bytes(Encoding.DER), [fingerprint]))

    def test_noHash(self) -> None:
        """
        A certificate whose signature has no hash function of its own has
        SHA-256's fingerprint.
        """
        certificate, _ = pem(ed25519.Ed25519PrivateKey.generate())
        identity = Identity(x509.load_pem_x509_certificate(certificate), Identity.generate(NOW).key)
        self.assertEqual([each.function for each in identity.fingerprints], ["sha-256"])

    def test_garbage(self) -> None:
        """
        What is no PEM file is refused.
        """
        certificate, key = pem(ec.generate_private_key(ec.SECP256R1()))
        for bad in (b"", b"\xff\x00", b"-----BEGIN X-----\n", key):
            self.assertRefused(bad, key)
        for bad in (b"", b"\xff\x00", certificate, key[:100], key[:100] + b"*" + key[101:]):
            self.assertRefused(certificate, bad)

    def test_encrypted(self) -> None:
        """
        A key under a passphrase is refused.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        self.assertIn("Password", self.assertRefused(*pem(key, encryption=BestAvailableEncryption(b"x"))))

    def test_strangers(self) -> None:
        """
        A key that does not belong to the certificate is refused.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        _, other = pem(ec.generate_private_key(ec.SECP256R1()))
        self.assertIn("does not belong", self.assertRefused(pem(key)[0], other))

    def test_weak(self) -> None:
        """
        Keys that TLS peers, or OpenSSL itself, would refuse are refused at
        once.
        """
        self.assertIn("2048", self.assertRefused(*pem(rsa.generate_private_key(65537, 1024))))
        self.assertIn("secp384r1", self.assertRefused(*pem(ec.generate_private_key(ec.SECP256K1()))))
        self.assertIn("neither", self.assertRefused(*pem(ed25519.Ed25519PrivateKey.generate())))
        _, key = pem(ec.generate_private_key(ec.SECP256R1()))
        self.assertRefused(ODD_CURVE, key)
