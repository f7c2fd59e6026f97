"""
The way to a party that is in this process.
"""

from collections import Counter
from collections.abc import Callable, MutableMapping, Sequence
from typing import Any

from twisted.internet.interfaces import IProtocol
from zope.interface import implementer

from e2aegw.interfaces import Address, Apply, IMediaTransport
from e2aegw.sansio.events import Event
from e2aegw.sansio.sdp import Line, Section
from e2aegw.sansio.terms import Terms

#: What descriptions say of a party that is not on the network: some port of
#: this machine (RFC 863).
NOWHERE: Address = ("127.0.0.1", 9)


@implementer(IMediaTransport)
class LocalTransport:
    """
    Has no ports: its adapter speaks to an application by itself.
    """

    localAddress = NOWHERE
    muxed = lite = False
    components: Sequence[Any] = ()

    def __init__(self) -> None:
        self.notify: Callable[[Event], None] = lambda event: None
        self.counters: MutableMapping[str, int] = Counter()

    def configure(self, section: Section, terms: Terms) -> Apply:
        """
        See L{IMediaTransport}.  There is nothing to agree on.
        """
        return _nothing

    def describe(self, terms: Terms) -> Sequence[Line]:
        """
        See L{IMediaTransport}.
        """
        return ()

    def attach(self, protocol: IProtocol) -> None:
        """
        See L{IMediaTransport}.
        """
        protocol.makeConnection(self)  # type: ignore[arg-type]

    def write(self, data: bytes) -> None:
        """
        See L{IMediaTransport}.  Nobody is there.
        """
        self.counters["unsent not connected"] += 1

    def writeControl(self, data: bytes) -> None:
        """
        See L{IMediaTransport}.  Nobody is there.
        """
        self.counters["unsent not connected"] += 1

    def loseConnection(self) -> None:
        """
        See L{IMediaTransport}.
        """


def _nothing() -> None:
    """
    There is nothing to apply.
    """
