"""
RTP and RTCP under SRTP (RFC 3711), with keys from the description (RFC 4568)
or from the transport's handshake (RFC 5764).
"""

from collections.abc import Sequence
from typing import Any

from twisted.internet.interfaces import IHandshakeListener
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from e2aegw.adapter.rtp import RTPAdapter
from e2aegw.errors import ConfigError, NegotiationError, RemoteError
from e2aegw.interfaces import Apply, IAdapterFactory, IKeyExporter
from e2aegw.sansio import sdes
from e2aegw.sansio.events import OldKeysForgotten, PathChanged, Secured
from e2aegw.sansio.flow import Transform
from e2aegw.sansio.sdp import Line, Section
from e2aegw.sansio.srtp import Context, Profile, contextPair, profilesNamed
from e2aegw.sansio.terms import Kind, Terms

DTLS_PROTOS = {"UDP/TLS/RTP/SAVPF": "dtls-srtp", "UDP/TLS/RTP/SAVP": "dtls-srtp"}
SDES_PROTOS = {"RTP/SAVP": "udp+rtcp", "RTP/SAVPF": "udp+rtcp"}
PROTOS = {**DTLS_PROTOS, **SDES_PROTOS}

#: Packets under a new key after which the old one is forgotten: what may be
#: overtaken by the first packet under the new one.
_OVERLAP = 100
#: Why a packet may be one under the other key.
_FORGED = frozenset({"bad authentication", "unknown master key"})


@implementer(IHandshakeListener)
class SRTPAdapter(RTPAdapter):
    """
    Protected RTP.  The unit is a packet in the clear, of RTP or RTCP.

    It owns the C{crypto} attribute.
    """

    authenticates = True

    def __init__(self, proto: str, profiles: Sequence[Profile]) -> None:
        """
        @param profiles: what may be agreed on, best first.
        """
        super().__init__(proto)
        self._profiles = tuple(profiles)
        self._exported = False
        self._inbound: Context | None = None
        self._outbound: Context | None = None
        self._controlIn: Context | None = None
        self._controlOut: Context | None = None
        # What the network party may still use while keys change.
        self._previous: Context | None = None
        self._previousControl: Context | None = None
        self._underNewKey = 0
        # SDES: what was said in the descriptions in force, and in our offer.
        self._theirs: sdes.Crypto | None = None
        self._ours: sdes.Crypto | None = None
        self._offered: tuple[sdes.Crypto, ...] = ()
        self._where: tuple[str | None, int] | None = None

    def connectionMade(self) -> None:
        """
        The transport is there; does it bring keys?
        """
        self._exported = IKeyExporter.providedBy(self.transport)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The leg has ended: forget the keys, now and not when memory is needed.
        """
        self._inbound = self._outbound = self._controlIn = self._controlOut = None
        self._previous = self._previousControl = None
        self._theirs = self._ours = None
        self._offered = ()

    def handshakeCompleted(self) -> None:
        """
        See L{IHandshakeListener}.
        """
        media, control = self.transport.contexts(False), self.transport.contexts(True)
        if control is not None:
            self._rekeyControl(*control)
        if media is not None:
            self._rekey(*media)

    def preset(self, crypto: str) -> None:
        """
        Protect what we send with keys that the configuration has, and not with
        fresh ones.

        @param crypto: the value of a C{crypto} attribute.

        @raise NegotiationError: it is malformed.
        """
        self._offered = (sdes.Crypto.parse(crypto),)

    def configure(self, section: Section, terms: Terms) -> Apply:
        """
        See L{ILegPart}.

        @raise NegotiationError: there is no key that can be used.
        """
        proto = section.proto.upper()
        if self._exported:
            if proto not in DTLS_PROTOS and not (proto in SDES_PROTOS and section.has("fingerprint")):
                raise NegotiationError(f"{section.proto} where DTLS-SRTP was expected")
            theirs = ours = None
        else:
            if proto not in SDES_PROTOS and not section.has("crypto"):
                raise NegotiationError(f"{section.proto} where SRTP was expected")
            if terms.kind is Kind.OFFER:
                theirs, ours = sdes.select(section, self._profiles), None
            else:
                theirs, ours = sdes.match(section, self._offered)
        held = section.port == 0 or section.address in (None, "0.0.0.0", "::")
        where = self._where if held else (section.address, section.port)

        def apply() -> None:
            self.feedback = proto.endswith("F")
            if theirs is None:
                return
            # RFC 4568 clause 7.1.4: somewhere else, packets are counted anew,
            # so a key of ours that was used must not be used there again.
            moved = self._where is not None and where != self._where
            if ours is not None:
                fresh = ours
            elif self._ours is None or moved or self._ours.keys.profile is not theirs.keys.profile:
                fresh = sdes.generate(theirs.tag, theirs.keys.profile)
            else:
                fresh = sdes.Crypto(theirs.tag, self._ours.keys)
            if self._theirs is None or self._theirs.keys != theirs.keys or self._changes(fresh):
                self._agree(theirs, fresh)
            self._theirs, self._ours, self._where = theirs, fresh, where

        return apply

    def describe(self, terms: Terms) -> Sequence[Line]:
        """
        See L{ILegPart}.

        @raise NegotiationError: the terms leave no suite to offer.
        """
        if self._exported:
            return ()
        if terms.kind is Kind.ANSWER:
            return () if self._ours is None else (self._ours.line(),)
        if self._ours is not None:
            self._offered = (self._ours,)
        elif not self._offered:
            profiles = [profile for profile in self._profiles if _allowed(profile, terms)]
            if not profiles:
                raise NegotiationError("no crypto suite is left to offer")
            self._offered = tuple(sdes.generate(str(n), profile) for n, profile in enumerate(profiles, 1))
        return tuple(crypto.line() for crypto in self._offered)

    def dataReceived(self, data: bytes) -> None:
        """
        A datagram from the network party.

        @raise RemoteError: it is not authentic, or was there before.
        """
        if len(data) > 1 and 192 <= data[1] <= 223:
            if self._controlIn is None:
                raise RemoteError("no keys")
            self.controlReceived(self._unprotectControl(data, self._controlIn))
        elif self._inbound is None:
            raise RemoteError("no keys")
        elif self._previous is None:
            self.packetReceived(self._inbound.unprotect(data))
        else:
            self.packetReceived(self._unprotectEither(data, self._inbound, self._previous))

    def sendUnit(self, unit: bytes) -> None:
        """
        See L{IAdapter}.
        """
        if 192 <= unit[1] <= 223:
            self.sendControl(unit)
        elif self._outbound is None:
            self.counters["unsent no keys"] += 1
        else:
            try:
                packet = self._outbound.protect(unit)
            except RemoteError as e:
                self.counters["unsent " + e.reason] += 1
                return
            self.packetsSent += 1
            self.octetsSent += len(packet)
            self.transport.write(packet)

    def writeControl(self, packet: bytes) -> None:
        """
        Protect an RTCP packet and write it to the network.
        """
        if self._controlOut is None:
            self.counters["unsent no keys"] += 1
            return
        try:
            protected = self._controlOut.protectControl(packet)
        except RemoteError as e:
            self.counters["unsent " + e.reason] += 1
            return
        self.transport.writeControl(protected)

    def transform(self) -> Transform | None:
        """
        See L{IOffloadable}.
        """
        if self._inbound is None or self._outbound is None or self._previous is not None:
            return None
        if self._inbound.mki:
            # A datapath knows what libsrtp knows.
            return None
        return Transform(self._inbound, self._outbound)

    @property
    def suite(self) -> str:
        """
        The name of the protection in use, or C{""}.
        """
        return "" if self._inbound is None else self._inbound.profile.value

    @property
    def sources(self) -> list[int]:
        """
        The SSRCs heard.
        """
        return [] if self._inbound is None else sorted(self._inbound.sources)

    def _changes(self, ours: sdes.Crypto) -> bool:
        return self._ours is None or self._ours.keys != ours.keys

    def _agree(self, theirs: sdes.Crypto, ours: sdes.Crypto) -> None:
        sameIn = self._theirs is not None and self._theirs.keys == theirs.keys
        sameOut = not self._changes(ours)
        # A context that stays keeps its place: under the same key nothing is
        # accepted twice, and no index used twice.
        inbound, outbound = contextPair(theirs.keys, ours.keys)
        if sameIn and self._inbound is not None:
            inbound = self._inbound
        if sameOut and self._outbound is not None:
            outbound = self._outbound
        self._rekeyControl(inbound, outbound)
        self._rekey(inbound, outbound)
        self.notify(Secured(protocol="SDES", profile=theirs.keys.profile.value))

    def _rekey(self, inbound: Context, outbound: Context) -> None:
        if inbound is self._inbound and outbound is self._outbound:
            return
        if self._inbound is not None:
            self.notify(PathChanged(reason="new keys"))
            if inbound is not self._inbound:
                self._previous, self._underNewKey = self._inbound, 0
        self._inbound, self._outbound = inbound, outbound

    def _rekeyControl(self, inbound: Context, outbound: Context) -> None:
        if inbound is not self._controlIn:
            self._previousControl = self._controlIn
        self._controlIn, self._controlOut = inbound, outbound

    def _unprotectControl(self, data: bytes, inbound: Context) -> bytes:
        if self._previousControl is None:
            return inbound.unprotectControl(data)
        try:
            return inbound.unprotectControl(data)
        except RemoteError as e:
            if e.reason not in _FORGED:
                raise
            return self._previousControl.unprotectControl(data)

    def _unprotectEither(self, data: bytes, inbound: Context, previous: Context) -> bytes:
        """
        While keys change, packets under either may arrive (RFC 4568 clause
        7.1.4).
        """
        try:
            packet = inbound.unprotect(data)
        except RemoteError as e:
            if e.reason not in _FORGED:
                raise
            return previous.unprotect(data)
        self._underNewKey += 1
        if self._underNewKey >= _OVERLAP:
            self._previous = self._previousControl = None
            self.notify(OldKeysForgotten())
        return packet


def _allowed(profile: Profile, terms: Terms) -> bool:
    name = profile.value
    return terms.sdes and name not in terms.sdesNot and (not terms.sdesOnly or name in terms.sdesOnly)


@implementer(IAdapterFactory)
class Factory:
    """
    Builds adapters for SRTP.

    @ivar profiles: what may be agreed on, best first.
    """

    medium = "rtp"
    protos = PROTOS

    def __init__(self, profiles: Sequence[str] = ()) -> None:
        """
        @param profiles: the names of the SDES suites to agree on; all that
            there are, if none is given.

        @raise ConfigError: there is no suite of that name.
        """
        try:
            self.profiles = profilesNamed(list(profiles)) if profiles else tuple(Profile)
        except KeyError as e:
            raise ConfigError(
                f"profiles: {e.args[0]} is not one of {', '.join(p.value for p in Profile)}"
            ) from None

    def claim(self, section: Section) -> str | None:
        """
        See L{IAdapterFactory}.
        """
        proto = section.proto.upper()
        if proto in SDES_PROTOS and not section.has("crypto") and section.has("fingerprint"):
            return "dtls-srtp"
        # TS 34.229-1 has terminals that write RTP/AVP, add keys, and mean it.
        if proto in ("RTP/AVP", "RTP/AVPF") and section.has("crypto"):
            return "udp+rtcp"
        return self.protos.get(proto)

    def buildAdapter(self, proto: str) -> Any:
        """
        See L{IAdapterFactory}.
        """
        return SRTPAdapter(proto, self.profiles)
