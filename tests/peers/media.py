"""
What takes a call's media: the gateway, or rtpengine in its place.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from tests.peers.deadline import until
from tests.peers.ng import NG


class MediaGateway(Protocol):
    """
    A running program that speaks the ng protocol.

    @ivar ngPort: where, on 127.0.0.1.
    """

    ngPort: int

    def __init__(self, directory: Path) -> None:
        """
        Start it.
        """

    @property
    def pid(self) -> int:
        """
        The number of its process.
        """

    @property
    def ports(self) -> Sequence[int]:
        """
        The media ports that it may use.
        """

    def alive(self) -> bool:
        """
        @return: L{True}.

        @raise AssertionError: it has ended.
        """

    def end(self) -> None:
        """
        End it, and check that it ended well.

        @raise AssertionError: it did not.
        """


def ready(media: MediaGateway) -> None:
    """
    Wait until it answers.

    @raise AssertionError: it does not, or has ended.
    """
    client = NG(media.ngPort)
    try:
        until(lambda: media.alive() and client.alive(), "the media gateway answers a ping")
    finally:
        client.close()
