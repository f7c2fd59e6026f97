"""
The far end of the demonstration's calls: whatever the page may offer, and
somebody behind it who answers.
"""

import secrets
import socket
from collections.abc import Callable
from typing import Any, TypeAlias

from e2aegw.demo.chat import Chat
from e2aegw.demo.echo import Echo, numeric
from e2aegw.demo.floor import FloorServer
from e2aegw.errors import NegotiationError
from e2aegw.interfaces import IDatagramNetwork
from e2aegw.sansio.sdp import Description, Section, family

#: What answers a section; whatever there is nobody for is rejected.
Speaker: TypeAlias = Chat | Echo | FloorServer
#: Most sections of a call that are answered; the page offers one a medium.
MAX_SPEAKERS = 4
#: Some port (RFC 863): only the route is asked for, and nothing is sent.
_DISCARD = 9


def ourAddress(remote: str) -> str:
    """
    Our address on the way to somebody.

    @param remote: an address, not a name.

    @raise NegotiationError: there is no way.
    """
    kind = socket.AF_INET6 if ":" in remote else socket.AF_INET
    try:
        with socket.socket(kind, socket.SOCK_DGRAM) as probe:
            probe.connect((remote, _DISCARD))
            host: str = probe.getsockname()[0]
    except OSError:
        raise NegotiationError("the echo has no way to the address in the offer") from None
    return host


class FarEnd:
    """
    The telephone of one call.

    @ivar speakers: what answers each section of the offer; L{None} where it
        was rejected.
    """

    def __init__(
        self, clock: Any, network: IDatagramNetwork, route: Callable[[str], str] = ourAddress
    ) -> None:
        """
        @param clock: provides C{IReactorTime}, and C{IReactorTCP} for what
            speaks TCP.
        @param network: where to get ports.
        @param route: finds our address on the way to another.
        """
        self.speakers: list[Speaker | None] = []
        self._clock = clock
        self._network = network
        self._route = route

    def answer(self, offer: str) -> str:
        """
        Answer the first and only offer.

        @raise NegotiationError: it cannot be read, or nothing of it can be
            agreed to.
        @raise ResourceError: there are no ports.
        """
        description = Description.parse(offer)
        sections: list[Section] = []
        reason = NegotiationError("the offer is empty")
        for section in description.sections:
            try:
                speaker = self._speaker(section)
            except NegotiationError as e:
                reason = e
                self.speakers.append(None)
                sections.append(Section(section.media, 0, section.proto, section.formats))
            else:
                self.speakers.append(speaker)
                sections.append(speaker.describe())
        hosts = [speaker.address[0] for speaker in self.speakers if speaker is not None]
        if not hosts:
            raise reason
        version = secrets.randbits(31)
        origin = f"- {version} {version} IN {family(hosts[0])} {hosts[0]}"
        return Description(origin, "echo", address=hosts[0], sections=sections).serialize()

    def close(self) -> None:
        """
        Hang up.
        """
        for speaker in self.speakers:
            if speaker is not None:
                speaker.close()
        self.speakers.clear()

    def _speaker(self, section: Section) -> Speaker:
        if section.rejected:
            raise NegotiationError("the section is rejected")
        if section.media not in ("application", "audio", "message"):
            raise NegotiationError(f"nobody here understands {section.media}")
        if sum(speaker is not None for speaker in self.speakers) >= MAX_SPEAKERS:
            raise NegotiationError(f"more than {MAX_SPEAKERS} media")
        host = self._route(numeric(section))
        if section.media == "message":
            return Chat(self._clock, host, section)
        if section.media == "application":
            return FloorServer(self._clock, host, section)
        return Echo(self._clock, self._network, host, section)
