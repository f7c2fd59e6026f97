"""
The fuzz target for what UEs say of their security in REGISTER.
"""

from contextlib import suppress

from e2aegw.errors import RemoteError
from e2aegw.sip import media
from e2aegw.sip.mechanism import parse, serialize

#: Good values, to be made bad.  A new line begins another header field.
SEEDS = (
    b"ipsec-3gpp;alg=hmac-sha-1-96;spi-c=1111;spi-s=2222;port-c=5062;port-s=5063, sdes-srtp;mediasec,"
    b"\r\n msrp-tls ; mediasec\0tls;q=0.2",
    b'digest;d-alg=MD5;d-qop=auth;d-ver="0000000000000000000000000000a902",zrtp;mediasec;x="\\"\xc3\xa4",a;h=[::1]',
    b"sdes-srtp;mediasec\0bfcp-tls;mediasec,udptl-dtls;mediasec",
)


def securityAgreement(data: bytes) -> None:
    """
    Read all header fields, strip them and agree.
    """
    values = data.decode("utf-8", "surrogateescape").split("\0")
    with suppress(RemoteError):
        found = parse(values)
        assert parse([serialize(found)]) == found
        left = media.strip(values)
        assert not any(each.has("mediasec") for each in parse(left))
        assert media.supported(values, media.STANDARD) <= set(media.STANDARD)
        assert media.announce(media.announced(found), left)
