"""
What a controller asks of one message: the flags beside an offer or an answer.

A message comes from its I{near} party and yields a description for its I{far}
party.  Some terms are about how the near party is heard, the others about what
the far party is told; L{Terms} says which is which.
"""

import enum
from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Any, Self

from e2aegw.sansio.sdp import Side


class Kind(enum.Enum):
    """
    Which half of an exchange (RFC 3264) a message is.
    """

    OFFER = "offer"
    ANSWER = "answer"

    # Members are what they are; Enum's own makes a hash of the name, in Python.
    __hash__ = object.__hash__


class ICE(enum.Enum):
    """
    What the far party is told about ICE.

    @cvar DEFAULT: nobody says: it ends where protection does.
    @cvar OFFERED: it is offered to the far party if the near one offers it.
    @cvar REMOVE: none.
    @cvar FORCE: it is offered.
    """

    DEFAULT = "default"
    OFFERED = "offered"
    REMOVE = "remove"
    FORCE = "force"

    # Members are what they are; Enum's own makes a hash of the name, in Python.
    __hash__ = object.__hash__


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """
    The terms of one message.

    The first three are about the message; those up to C{asymmetric} about
    the near party, who sent the description; the others about the far party,
    who gets the description that the message yields.

    @ivar kind: an offer or an answer.
    @ivar far: the side of the far party; L{None} lets the gateway infer it.
    @ivar replace: what else to rewrite, in rtpengine's words: C{"username"},
        C{"session-name"}, C{"sdp-version"}, C{"zero-address"}.
    @ivar receivedFrom: the address that the SIP message came from, or L{None}.
    @ivar trustAddress: whether media goes to the address in the description;
        otherwise to C{receivedFrom}.
    @ivar asymmetric: the near party sends from another address than it
        receives at: never latch onto the source of its packets.
    @ivar transportProtocol: the profile to use (C{"RTP/AVP"}, ...), or the
        transport of floor control (C{"TCP/BFCP"}, ...), or L{None}.
    @ivar ice: whether to speak ICE.
    @ivar dtls: C{"active"}, C{"passive"}, C{"off"}, or L{None} for what fits.
    @ivar sdes: whether SDES keys may be offered at all.
    @ivar sdesOnly: the suites that may be offered, and taken from an offer, if
        not empty.
    @ivar sdesNot: suites that may not be offered, nor taken from an offer.
    @ivar rtcpMux: any of C{"offer"}, C{"require"}, C{"demux"}, C{"accept"},
        C{"reject"}; the last two are about the near party.
    @ivar addressFamily: 4 or 6, or L{None} for the side's first.
    @ivar mediaAddress: the address to write instead of the gateway's own.
    @ivar rtcpLine: whether to say which port RTCP has (C{a=rtcp}, RFC 3605).
    @ivar rtcpFull: whether to say with it which address, too.
    @ivar tos: the traffic class octet of packets sent, to either party, or
        L{None}.
    @ivar e2ae: what the UE and the network agreed on at registration
        (C{"sdes-srtp"}, C{"dtls-srtp"}, C{"msrp-tls"}, C{"bfcp-tls"},
        C{"udptl-dtls"}, C{"webrtc"}), or L{None} if the controller does not say.
    @ivar anonymous: present a certificate made for this call alone.
    @ivar channels: the subprotocols of data channels that the near party may
        open in band, for each of which the far party is asked for a line; or
        L{None} for the usual ones.
    @ivar msrpRelay: whether to relay MSRP where both parties have CEMA:
        C{"never"}, C{"auto"} or C{"always"}, or L{None} as it is configured.
    """

    kind: Kind = Kind.OFFER
    far: Side | None = None
    replace: Set[str] = frozenset()

    receivedFrom: str | None = None
    trustAddress: bool = True
    asymmetric: bool = False

    transportProtocol: str | None = None
    ice: ICE = ICE.DEFAULT
    dtls: str | None = None
    sdes: bool = True
    sdesOnly: Set[str] = frozenset()
    sdesNot: Set[str] = frozenset()
    rtcpMux: Set[str] = frozenset()
    addressFamily: int | None = None
    mediaAddress: str | None = None
    tos: int | None = None
    rtcpLine: bool = True
    rtcpFull: bool = False
    e2ae: Set[str] | None = None
    anonymous: bool = False
    channels: Sequence[str] | None = None
    msrpRelay: str | None = None

    def but(self, **changes: Any) -> Self:
        """
        The same, but for some.  C{dataclasses.replace} does so, too, and takes
        four times as long.
        """
        terms = object.__new__(type(self))
        put = object.__setattr__
        for name in self.__dataclass_fields__:
            put(terms, name, changes[name] if name in changes else getattr(self, name))
        return terms
