"""
The state cookie: what the side that is called keeps of an association that
does not exist yet, kept by the caller (RFC 9260 clause 5.1.3).
"""

import hashlib
import hmac
import struct
from dataclasses import dataclass, field
from typing import Final

from e2aegw.errors import RemoteError

#: The time, the two tags, the two initial TSNs, the window, the streams out
#: and in, the options and the two tie tags.
_COOKIE: Final = struct.Struct("!dIIIIIHHBII")
_MAC_SIZE: Final = hashlib.sha256().digest_size

_FORWARD_TSN: Final = 1
_INTERLEAVING: Final = 2
_RESET: Final = 4
_ZERO_CHECKSUM: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Cookie:
    """
    What was agreed.

    @ivar created: when.
    @ivar localTag: what the other side writes into its packets.
    @ivar remoteTag: what we write into ours.
    @ivar localTSN: where our TSNs begin.
    @ivar remoteTSN: where the other side's begin.
    @ivar window: the other side's receive window.
    @ivar outboundStreams: how many streams we may use.
    @ivar inboundStreams: how many streams the other side may use.
    @ivar forwardTSN: whether both sides support partial reliability.
    @ivar interleaving: whether both sides support I-DATA.
    @ivar reset: whether the other side supports RE-CONFIG.
    @ivar zeroChecksum: whether the other side needs no checksum.
    @ivar localTie: our tag in an association that existed already, or 0.
    @ivar remoteTie: the other side's tag in it, or 0.
    """

    created: float
    localTag: int
    remoteTag: int = field(repr=False)
    localTSN: int
    remoteTSN: int
    window: int
    outboundStreams: int
    inboundStreams: int
    forwardTSN: bool = False
    interleaving: bool = False
    reset: bool = False
    zeroChecksum: bool = False
    localTie: int = 0
    remoteTie: int = 0

    def seal(self, key: bytes) -> bytes:
        """
        Write the cookie, with a MAC.
        """
        options = (
            self.forwardTSN * _FORWARD_TSN
            | self.interleaving * _INTERLEAVING
            | self.reset * _RESET
            | self.zeroChecksum * _ZERO_CHECKSUM
        )
        body = _COOKIE.pack(
            self.created,
            self.localTag,
            self.remoteTag,
            self.localTSN,
            self.remoteTSN,
            self.window,
            self.outboundStreams,
            self.inboundStreams,
            options,
            self.localTie,
            self.remoteTie,
        )
        return body + hmac.digest(key, body, "sha256")

    @classmethod
    def open(cls, data: bytes, key: bytes) -> "Cookie":
        """
        Read a cookie that came back.

        @raise RemoteError: we did not write it.
        """
        body, mac = data[:-_MAC_SIZE], data[-_MAC_SIZE:]
        if len(body) != _COOKIE.size or not hmac.compare_digest(hmac.digest(key, body, "sha256"), mac):
            raise RemoteError("SCTP cookie", "not ours")
        created, localTag, remoteTag, localTSN, remoteTSN, window, out, into, options, tie, farTie = (
            _COOKIE.unpack(body)
        )
        return cls(
            created=created,
            localTag=localTag,
            remoteTag=remoteTag,
            localTSN=localTSN,
            remoteTSN=remoteTSN,
            window=window,
            outboundStreams=out,
            inboundStreams=into,
            forwardTSN=bool(options & _FORWARD_TSN),
            interleaving=bool(options & _INTERLEAVING),
            reset=bool(options & _RESET),
            zeroChecksum=bool(options & _ZERO_CHECKSUM),
            localTie=tie,
            remoteTie=farTie,
        )
