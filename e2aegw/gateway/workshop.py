"""
Where sessions get their parts.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from e2aegw.interfaces import IDatapath, ISession
from e2aegw.sansio.e2ae import Decision
from e2aegw.sansio.events import Event
from e2aegw.sansio.sdp import Section, Side
from e2aegw.sansio.terms import Terms
from e2aegw.transport.bundle import BundleRecords
from e2aegw.transport.channel import ChannelCarrier


class Workshop(Protocol):
    """
    What a session needs of its gateway: parts for legs.

    @ivar channels: the subprotocols of data channels that may be opened in
        band, if the controller does not say.
    """

    datapath: IDatapath | None
    subprotocols: Mapping[str, tuple[str, str, str]]
    appliedInAnswers: bool
    channels: Sequence[str]

    def choose(
        self, section: Section, near: Side, far: Side, decision: Decision
    ) -> tuple[Any, str, Any, str, tuple[Any, ...]]:
        """
        The factory and the kind of transport for the near leg, and for the
        far leg, and the factories of filters between them.

        @raise NegotiationError: no route has both.
        """

    def transport(
        self, kind: str, side: Side, version: int | None, terms: Terms, *, strict: bool = False
    ) -> Any:
        """
        Build a transport.

        @param version: the version of IP, or L{None} for the side's first.
        @param strict: no other version will do.

        @raise NegotiationError: the side has no address of that version.
        @raise ResourceError: there are no ports.
        """

    def carrier(self, records: BundleRecords) -> ChannelCarrier:
        """
        Build what carries data channels in a bundle's DTLS.
        """

    def has(self, side: Side, version: int) -> bool:
        """
        Whether a side has an address of a version of IP.
        """

    def address(self, side: Side, version: int | None) -> str:
        """
        Our address on a side, as descriptions say it.
        """

    def seconds(self) -> float:
        """
        The time of day, in seconds since 1970.
        """

    def sessionHappened(self, session: ISession, event: Event) -> None:
        """
        Something happened in a session.
        """

    def sessionClosed(self, session: ISession) -> None:
        """
        A session ended.
        """
