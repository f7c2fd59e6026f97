"""
Real-time text (T.140): in data channels (RFC 8865), and in RTP (RFC 4103),
plain or under SRTP.
"""

from collections.abc import Sequence
from typing import Any

from zope.interface import implementer

from e2aegw.adapter import rtp, srtp
from e2aegw.adapter.textchannel import ChannelTextAdapter
from e2aegw.adapter.textrtp import KeyedTextAdapter, RTPTextAdapter
from e2aegw.errors import ConfigError
from e2aegw.interfaces import IAdapterFactory
from e2aegw.sansio.sdp import Section
from e2aegw.sansio.t140sender import BUFFERING, GENERATIONS, MAX_BUFFERING, MAX_GENERATIONS
from e2aegw.sansio.t140terms import isText

#: What a channel is called as a section.
CHANNEL = "DC/T140"
PROTOS = {CHANNEL: "channel", **rtp.PROTOS, **srtp.PROTOS}


@implementer(IAdapterFactory)
class Factory:
    """
    Builds adapters for text.

    @ivar profiles: what SRTP may be agreed on, best first.
    """

    medium = "text"
    protos = PROTOS

    def __init__(
        self,
        buffering: float = BUFFERING,
        generations: int = GENERATIONS,
        profiles: Sequence[str] = (),
        clock: Any = None,
    ) -> None:
        """
        @param buffering: seconds to gather text that goes to RTP.
        @param generations: how often to repeat what goes to RTP, and to ask the
            remote party to repeat.
        @param profiles: see L{srtp.Factory}.
        @param clock: provides C{IReactorTime}; the reactor, if none is given.

        @raise ConfigError: one of these cannot be used.
        """
        if not 0 <= buffering <= MAX_BUFFERING:
            raise ConfigError(f"buffering: not between 0 and {MAX_BUFFERING}")
        if not 0 <= generations <= MAX_GENERATIONS:
            raise ConfigError(f"generations: not between 0 and {MAX_GENERATIONS}")
        self._buffering, self._generations, self._clock = buffering, generations, clock
        self._rtp, self._srtp = rtp.Factory(), srtp.Factory(profiles)
        self.profiles = self._srtp.profiles

    def claim(self, section: Section) -> str | None:
        """
        See L{IAdapterFactory}.
        """
        if section.proto.upper() == CHANNEL:
            return "channel"
        proto = section.proto.upper()
        if not isText(section) or (proto in rtp.PROTOS and section.has("crypto")):
            return None
        return self._srtp.claim(section) or self._rtp.claim(section)

    def buildAdapter(self, proto: str) -> ChannelTextAdapter | RTPTextAdapter:
        """
        See L{IAdapterFactory}.
        """
        clock = self._clock
        if clock is None:
            from twisted.internet import reactor as clock
        if proto.upper() == CHANNEL:
            return ChannelTextAdapter(clock)
        if proto.upper() in srtp.PROTOS:
            return KeyedTextAdapter(self._srtp.buildAdapter(proto), clock, self._buffering, self._generations)
        return RTPTextAdapter(self._rtp.buildAdapter(proto), clock, self._buffering, self._generations)
