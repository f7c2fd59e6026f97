"""
The fuzz targets for what descriptions say of keys: SDES and fingerprints.
"""

from contextlib import suppress

from e2aegw.errors import NegotiationError
from e2aegw.sansio.certificate import Fingerprint, acceptable, matches
from e2aegw.sansio.sdes import Crypto, match, select
from e2aegw.sansio.sdp import Line, Section
from e2aegw.sansio.srtp import Profile

#: Values of C{a=crypto}, one a line.
CRYPTO_SEEDS = (
    b"1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|2^20 WSH=64 -x",
    b"1 AES_CM_128_HMAC_SHA1_32 inline:NzB4d1BINUAvLEw6UzF3WSJ+PSdFcGdUJShpX1Zj|2^20|1:32 FEC_ORDER=FEC_SRTP",
    b"2 AEAD_AES_128_GCM inline:MTIzNDU2Nzg5QUJDREUwMTIzNDU2Nzg5QUJjZA==\n"
    b"3 AEAD_AES_256_GCM inline:MTIzNDU2Nzg5QUJDREUwMTIzNDU2Nzg5QUJDREUwMTIzNDU2Nzg5QUJjZGU KDR=1",
)

#: Values of C{a=fingerprint}, one a line.
FINGERPRINT_SEEDS = (
    str(Fingerprint.of(b"x")).encode(),
    b"\n".join(str(Fingerprint.of(b"x", function)).encode() for function in ("sha-256", "sha-512", "sha-1")),
    b"md5 D4:1D:8C:D9:8F:00:B2:04:E9:80:09:98:EC:F8:42:7E",
)


def crypto(data: bytes) -> None:
    """
    Crypto attributes, alone and as an offer and an answer.
    """
    values = data.decode(errors="replace").split("\n")
    for value in values:
        with suppress(NegotiationError):
            found = Crypto.parse(value)
            assert Crypto.parse(found.line().value or "") == found
    section = Section("audio", 4000, "RTP/SAVP", ["0"], lines=[Line("crypto", value) for value in values])
    with suppress(NegotiationError):
        chosen = select(section, Profile)
        assert chosen.tag in [value.split()[0] for value in values if value.strip()]
    with suppress(NegotiationError):
        match(section, [Crypto.parse(CRYPTO_SEEDS[0].decode())])


def fingerprint(data: bytes) -> None:
    """
    Fingerprint attributes: those that are accepted are of one function.
    """
    with suppress(NegotiationError):
        found = acceptable(data.decode(errors="replace").split("\n"))
        assert len({each.function for each in found}) == 1
        assert all(Fingerprint.parse(str(each)) == each for each in found)
        assert not matches(b"somebody else's", found)
