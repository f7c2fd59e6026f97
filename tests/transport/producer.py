"""
A producer for tests of transports.
"""

from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer


@implementer(IPushProducer)
class Source:
    """
    A producer.

    @ivar asked: what it was asked.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []

    def pauseProducing(self) -> None:
        """
        Remember it.
        """
        self.asked.append("pause")

    def resumeProducing(self) -> None:
        """
        Remember it.
        """
        self.asked.append("resume")

    def stopProducing(self) -> None:
        """
        Remember it.
        """
        self.asked.append("stop")
