"""
The far end of the demonstration's calls: whatever the page may offer, and
somebody behind it who answers.
"""

import secrets
from typing import Any

from e2aegw.demo.echo import Echo
from e2aegw.errors import NegotiationError
from e2aegw.sansio.sdp import Description, Section

#: What answers a kind of media; whatever is not here is rejected.
SPEAKERS = {"audio": Echo}
#: Most sections of a call that are answered; the page offers one a medium.
MAX_SPEAKERS = 4


class FarEnd:
    """
    The telephone of one call.

    @ivar speakers: what answers each section of the offer; L{None} where it
        was rejected.
    """

    def __init__(self, reactor: Any) -> None:
        """
        @param reactor: provides C{IReactorUDP} and C{IReactorTime}.
        """
        self.speakers: list[Echo | None] = []
        self._reactor = reactor

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
        kind = "IP6" if ":" in hosts[0] else "IP4"
        origin = f"- {version} {version} IN {kind} {hosts[0]}"
        return Description(origin, "echo", address=hosts[0], sections=sections).serialize()

    def close(self) -> None:
        """
        Hang up.
        """
        for speaker in self.speakers:
            if speaker is not None:
                speaker.close()
        self.speakers.clear()

    def _speaker(self, section: Section) -> Echo:
        if section.rejected:
            raise NegotiationError("the section is rejected")
        kind = SPEAKERS.get(section.media)
        if kind is None:
            raise NegotiationError(f"nobody here understands {section.media}")
        if sum(speaker is not None for speaker in self.speakers) >= MAX_SPEAKERS:
            raise NegotiationError(f"more than {MAX_SPEAKERS} media")
        return kind(self._reactor, section)
