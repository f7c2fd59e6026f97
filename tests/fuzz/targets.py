"""
Functions that take any bytes, one for each thing that reads what the network
sends.  They return, soon, or raise: then something is wrong with the reader.

A reader keeps its promise by the error that it names, so a target lets only
that one pass.  What was read and written again must read as the same.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import TypeAlias

from e2aegw.errors import NegotiationError
from e2aegw.sansio.sdp import HOP_BY_HOP, Description
from tests.fuzz import (
    bfcp,
    datachannel,
    dcep,
    dtls,
    keys,
    msrp,
    rtp,
    sctp,
    securityagreement,
    srtp,
    stun,
    t140,
    tls,
    udptl,
)

Target: TypeAlias = Callable[[bytes], None]

#: No description of a few kilobytes is longer than this when it is written.
MAX_TEXT = 1 << 20

#: The targets, and for each what a good input looks like.
TARGETS: dict[Target, tuple[bytes, ...]] = {}


def target(*seeds: bytes) -> Callable[[Target], Target]:
    """
    Make a function a target.

    @param seeds: good inputs, which are made bad.
    """

    def register(function: Target) -> Target:
        TARGETS[function] = seeds
        return function

    return register


@target(
    b"v=0\r\no=- 1 2 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\na=ice-lite\r\n"
    b"m=audio 9 UDP/TLS/RTP/SAVPF 111 0\r\nc=IN IP4 192.0.2.1\r\nb=AS:64\r\na=mid:0\r\na=rtcp-mux\r\n"
    b"a=rtpmap:111 opus/48000/2\r\na=setup:actpass\r\na=sendonly\r\n"
    b"m=video 0 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\na=bundle-only\r\n",
    b"v=0\no=- 1 1 IN IP6 2001:db8::1\ns= \nc=IN IP6 2001:db8::1\nt=0 0\na=setup:active\n"
    b"m=audio 49170/2 RTP/SAVP 0\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0\n",
)
def sdp(data: bytes) -> None:
    """
    A description.
    """
    with suppress(NegotiationError):
        description = Description.parse(data.decode(errors="replace"))
        text = description.serialize()
        assert Description.parse(text).serialize() == text
        assert len(text) < MAX_TEXT
        for section in description.sections:
            assert HOP_BY_HOP.isdisjoint(line.name for line in section.endToEnd())


target(*bfcp.SEEDS)(bfcp.bfcp)
target(*datachannel.SEEDS)(datachannel.channels)
target(*dcep.SEEDS)(dcep.dcep)
target(*dtls.SEEDS)(dtls.dtls)
target(*keys.CRYPTO_SEEDS)(keys.crypto)
target(*keys.FINGERPRINT_SEEDS)(keys.fingerprint)
target(*msrp.SEEDS)(msrp.msrp)
target(*rtp.SEEDS)(rtp.rtp)
target(*sctp.SEEDS)(sctp.sctp)
target(*securityagreement.SEEDS)(securityagreement.securityAgreement)
target(*srtp.SEEDS)(srtp.srtp)
target(*stun.SEEDS)(stun.stun)
target(*t140.SEEDS)(t140.t140)
target(*tls.SEEDS)(tls.tls)
target(*udptl.SEEDS)(udptl.udptl)
