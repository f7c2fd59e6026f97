"""
SRTP and SRTCP (RFC 3711, RFC 7714): protection and its removal, over libsrtp.

The packet functions work in place on one buffer, L{ARENA}, that the whole
process shares: a packet is copied in, transformed and copied out, or, by a
datapath, received into it and sent from it with no copy at all.  They go
straight to libsrtp's binding because pylibsrtp's own methods spend more time
on each packet than the cipher does.
"""

import enum
from collections.abc import Set
from dataclasses import dataclass, field
from typing import Any

from pylibsrtp import Policy
from pylibsrtp._binding import ffi, lib

from e2aegw.errors import RemoteError

#: The longest datagram that is relayed: the payload limit of UDP over IPv4.
MAX_DATAGRAM = 65507
#: What libsrtp may append: a tag, an MKI and SRTCP's index.
_TRAILER = 16 + 128 + 4
#: Packets that may arrive this much out of order.  RFC 3711 clause 3.3.2 asks
#: for 64 at least; video at 2,000 packets a second with 0.5 s of reordering
#: is what is covered here.
REPLAY_WINDOW = 1024
#: Sources (SSRCs) of one context.  Each costs libsrtp 3 KB that it keeps for
#: as long as the context lives, so a remote party must not choose the number.
MAX_SOURCES = 64

#: Where packets are transformed; see the module's docstring.
ARENA = bytearray(MAX_DATAGRAM + _TRAILER)
_arena = ffi.from_buffer(ARENA)
_view = ffi.buffer(_arena)
_length = ffi.new("int *")

#: libsrtp's functions for a datapath: called with a context's C{session},
#: L{ARENA_POINTER} and a length from L{newLength}, they transform the packet
#: in L{ARENA} and return zero or one of L{REASONS}.
protectInPlace = lib.srtp_protect
unprotectInPlace = lib.srtp_unprotect
ARENA_POINTER = _arena

_OK = 0
#: What libsrtp's status codes mean, as names of counters.
REASONS = {7: "bad authentication", 9: "replayed", 10: "too old"}


class Profile(enum.Enum):
    """
    A protection profile.  Members are in the order of preference.

    @ivar value: the name in SDES (RFC 4568 clause 6.2, RFC 7714 clause 14.1).
    @ivar dtls: OpenSSL's name of the DTLS-SRTP profile (RFC 5764 clause
        4.1.2).
    @ivar keyLength, saltLength: in octets.
    """

    AEAD_AES_128_GCM = "AEAD_AES_128_GCM"
    AEAD_AES_256_GCM = "AEAD_AES_256_GCM"
    AES_CM_128_HMAC_SHA1_80 = "AES_CM_128_HMAC_SHA1_80"
    AES_CM_128_HMAC_SHA1_32 = "AES_CM_128_HMAC_SHA1_32"

    # Members are what they are; Enum's own makes a hash of the name, in Python.
    __hash__ = object.__hash__

    @property
    def dtls(self) -> str:
        return _PROFILES[self][0]

    @property
    def keyLength(self) -> int:
        return _PROFILES[self][1]

    @property
    def saltLength(self) -> int:
        return _PROFILES[self][2]


_PROFILES = {
    Profile.AEAD_AES_128_GCM: ("SRTP_AEAD_AES_128_GCM", 16, 12, Policy.SRTP_PROFILE_AEAD_AES_128_GCM),
    Profile.AEAD_AES_256_GCM: ("SRTP_AEAD_AES_256_GCM", 32, 12, Policy.SRTP_PROFILE_AEAD_AES_256_GCM),
    Profile.AES_CM_128_HMAC_SHA1_80: (
        "SRTP_AES128_CM_SHA1_80",
        16,
        14,
        Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    ),
    Profile.AES_CM_128_HMAC_SHA1_32: (
        "SRTP_AES128_CM_SHA1_32",
        16,
        14,
        Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
    ),
}


def _policy(profile: Profile, inbound: bool) -> Any:
    """
    What libsrtp wants to know of a context, but for its key.
    """
    policy = ffi.new("srtp_policy_t *")
    number = _PROFILES[profile][3]
    lib.srtp_crypto_policy_set_from_profile_for_rtp(ffi.addressof(policy.rtp), number)
    lib.srtp_crypto_policy_set_from_profile_for_rtcp(ffi.addressof(policy.rtcp), number)
    policy.ssrc.type = Policy.SSRC_ANY_INBOUND if inbound else Policy.SSRC_ANY_OUTBOUND
    return policy


#: Octets of the authentication tag, which stands behind a master key
#: identifier.  What AES-GCM has instead is a part of the ciphertext, and stands
#: before it (RFC 7714 clause 8.1).
_TAGS = {
    Profile.AEAD_AES_128_GCM: 0,
    Profile.AEAD_AES_256_GCM: 0,
    Profile.AES_CM_128_HMAC_SHA1_80: 10,
    Profile.AES_CM_128_HMAC_SHA1_32: 4,
}
#: The same for RTCP, where the short one is as long as the other (RFC 4568
#: clause 6.2.2).
_CONTROL_TAGS = {**_TAGS, Profile.AES_CM_128_HMAC_SHA1_32: 10}

_policies = {(profile, way): _policy(profile, way) for profile in Profile for way in (False, True)}


@dataclass(frozen=True, slots=True)
class Keys:
    """
    A profile with a master key and salt for one direction.

    @ivar material: the key with the salt behind it.
    @ivar mki: the master key identifier that stands in each packet, if the
        party that sends puts one there (RFC 3711 clause 3.1).
    """

    profile: Profile
    material: bytes = field(repr=False)
    mki: bytes = b""


class Context:
    """
    The cryptographic context of one direction (RFC 3711 clause 3.2).

    @ivar profile: which protection this is.
    @ivar session: libsrtp's handle, for L{e2aegw.interfaces.IDatapath}s.  It is
        made when it is first asked for: to derive the session keys is as much
        as a third of an SDES call's offer and answer, and many calls that are
        set up never see a packet.
    @ivar sources: the SSRCs seen, each authenticated if inbound.
    @ivar mki: the master key identifier that a packet must have, or none.
    """

    __slots__ = ("_inbound", "_keys", "_owner", "mki", "profile", "session", "sources")

    session: Any

    def __init__(self, keys: Keys, *, inbound: bool) -> None:
        if len(keys.material) != keys.profile.keyLength + keys.profile.saltLength:
            raise ValueError("a key of the wrong length")
        self._keys: Keys | None = keys
        self._inbound = inbound
        self.mki = keys.mki if inbound else b""
        self.profile = keys.profile
        self.sources: set[int] = set()

    def __getattr__(self, name: str) -> Any:
        """
        Called for C{session} as long as there is none, so that it costs nothing
        afterwards.
        """
        keys = self._keys if name == "session" else None
        if keys is None:
            raise AttributeError(name)
        policy = _policies[keys.profile, self._inbound]
        policy.key, policy.window_size = ffi.from_buffer("unsigned char[]", keys.material), REPLAY_WINDOW
        owner = ffi.new("srtp_t *")
        status = lib.srtp_create(owner, policy)
        policy.key = ffi.NULL
        if status != _OK:
            raise ValueError("libsrtp refused the policy")
        self._owner = ffi.gc(owner, _release)
        self._keys, self.session = None, owner[0]
        return self.session

    def protect(self, packet: bytes) -> bytes:
        """
        Protect an RTP packet.

        @raise RemoteError: it is no RTP packet, its index was used before, or
            it is one source too many.
        """
        return self._transform(packet, lib.srtp_protect, 8)

    def unprotect(self, packet: bytes) -> bytes:
        """
        Authenticate and decrypt an SRTP packet.

        @raise RemoteError: the packet is not authentic or was there before.
        """
        return self._transform(packet, lib.srtp_unprotect, 8)

    def protectControl(self, packet: bytes) -> bytes:
        """
        Protect an RTCP packet, as L{protect}.
        """
        return self._transform(packet, lib.srtp_protect_rtcp, 4)

    def unprotectControl(self, packet: bytes) -> bytes:
        """
        Authenticate and decrypt an SRTCP packet, as L{unprotect}.
        """
        return self._transform(packet, lib.srtp_unprotect_rtcp, 4)

    def _transform(self, packet: bytes, function: Any, offset: int) -> bytes:
        size = len(packet)
        if size > MAX_DATAGRAM:
            raise RemoteError("too long")
        source = int.from_bytes(packet[offset : offset + 4], "big")
        fresh = source not in self.sources
        if fresh and len(self.sources) >= MAX_SOURCES:
            raise RemoteError("too many sources")
        _view[0:size] = packet
        _length[0] = size
        status = function(self.session, _arena, _length)
        if status != _OK:
            raise RemoteError(REASONS.get(status, "malformed"))
        if fresh:
            self.sources.add(source)
        return _view[0 : _length[0]]  # type: ignore[no-any-return]


class IdentifiedContext(Context):
    """
    The context of a party that says in each packet which master key it used.
    It may have just one; libsrtp's binding knows of none.
    """

    __slots__ = ()

    def unprotect(self, packet: bytes) -> bytes:
        """
        See L{Context}.

        @raise RemoteError: it is not under the key that was agreed on, either.
        """
        return super().unprotect(self._bare(packet, _TAGS[self.profile]))

    def unprotectControl(self, packet: bytes) -> bytes:
        """
        See L{Context}.

        @raise RemoteError: it is not under the key that was agreed on, either.
        """
        return super().unprotectControl(self._bare(packet, _CONTROL_TAGS[self.profile]))

    def _bare(self, packet: bytes, behind: int) -> bytes:
        """
        A packet without the identifier, which is not authenticated: RFC 3711
        clause 3.1 computes the tag without it.

        @param behind: how much is behind it.
        """
        end = len(packet) - behind
        start = end - len(self.mki)
        if start < 0 or packet[start:end] != self.mki:
            raise RemoteError("unknown master key")
        return packet[:start] + packet[end:]


def newLength() -> Any:
    """
    A place for the length of the packet in L{ARENA}: C{length[0]}.
    """
    return ffi.new("int *")


def _release(owner: Any) -> None:
    lib.srtp_dealloc(owner[0])


def contextPair(inbound: Keys, outbound: Keys) -> tuple[Context, Context]:
    """
    What unprotects what arrives, and what protects what is sent.
    """
    opener = (IdentifiedContext if inbound.mki else Context)(inbound, inbound=True)
    return opener, Context(outbound, inbound=False)


def keysFromExporter(profile: Profile, material: bytes, *, client: bool) -> tuple[Keys, Keys]:
    """
    The keys that a DTLS handshake exported (RFC 5764 clause 4.2).

    @param material: client key, server key, client salt, server salt.
    @param client: whether we were the DTLS client.

    @return: inbound keys, outbound keys.
    """
    key, salt = profile.keyLength, profile.saltLength
    salts = 2 * key
    ofClient = Keys(profile, material[:key] + material[salts : salts + salt])
    ofServer = Keys(profile, material[key:salts] + material[salts + salt : salts + 2 * salt])
    return (ofServer, ofClient) if client else (ofClient, ofServer)


def exporterLength(profile: Profile) -> int:
    """
    How many octets a DTLS handshake has to export for this profile.
    """
    return 2 * (profile.keyLength + profile.saltLength)


def profilesNamed(names: Set[str] | list[str]) -> tuple[Profile, ...]:
    """
    The profiles with these SDES names, in our order of preference.

    @raise KeyError: there is no profile with one of the names.
    """
    unknown = set(names) - {profile.value for profile in Profile}
    if unknown:
        raise KeyError(sorted(unknown)[0])
    return tuple(profile for profile in Profile if profile.value in names)
