"""
Back-pressure between the legs of a medium that is spoken on streams: who does
not read what is written to him slows down who writes it, on the other leg.
"""

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

#: Answers that are written to a party that does not read, before we no longer
#: read from it either.
MAX_UNREAD = 256


@implementer(IPushProducer)
class Throttle:
    """
    One leg's share.  For its transport it is the producer of what is written
    there, which is mostly what the other leg reads; so to pause it is to pause
    that, through the other adapter's C{pauseProducing}.

    @ivar full: whether the transport wants nothing more, for now.
    """

    def __init__(self, adapter: Any, drained: Callable[[], None]) -> None:
        """
        @param adapter: has C{transport} and C{peer}.
        @param drained: called when the transport takes more again.
        """
        self.full = False
        self._adapter = adapter
        self._drained = drained
        self._connected = self._registered = False
        # Why not to read from our party, and whether we do; whether the other
        # leg does not read on our account, and why that would be.
        self._held = self._choked = self._paused = False
        self._waiting = self._blocking = False
        self._unread = 0

    def opened(self) -> None:
        """
        There is a new connection.
        """
        self._connected = True
        self.full = self._choked = self._paused = False
        self._unread = 0
        register = getattr(self._adapter.transport, "registerProducer", None)
        if register is not None and not self._registered:
            self._registered = True
            register(self, True)
        self._read()
        self._readOther()

    def release(self) -> None:
        """
        Nothing more will be written: let the transport close without waiting
        for it.
        """
        if self._registered:
            self._registered = False
            self._adapter.transport.unregisterProducer()

    def closed(self) -> None:
        """
        The connection is gone.
        """
        self.release()
        self._connected = self.full = self._waiting = False
        self._readOther()

    def hold(self, held: bool) -> None:
        """
        The other leg wants to hear no more, or again.
        """
        self._held = held
        self._read()

    def wait(self, waiting: bool) -> None:
        """
        What the other leg said waits for the connection, or does no more.
        """
        self._waiting = waiting
        self._readOther()

    def answered(self) -> None:
        """
        Something was written that the other leg did not say.
        """
        if self.full:
            self._unread += 1
            if self._unread > MAX_UNREAD:
                self._choked = True
                self._read()

    # IPushProducer

    def pauseProducing(self) -> None:
        """
        See L{IPushProducer}.
        """
        self.full = True
        self._readOther()

    def resumeProducing(self) -> None:
        """
        See L{IPushProducer}.
        """
        self.full = self._choked = False
        self._unread = 0
        self._drained()
        self._read()
        self._readOther()

    def stopProducing(self) -> None:
        """
        See L{IPushProducer}.  The connection's end is heard of otherwise.
        """

    def _read(self) -> None:
        pause = self._held or self._choked
        if self._connected and pause != self._paused:
            self._paused = pause
            _ask(self._adapter.transport, pause)

    def _readOther(self) -> None:
        block = self.full or self._waiting
        if block != self._blocking:
            self._blocking = block
            _ask(self._adapter.peer, block)


def _ask(producer: Any, pause: bool) -> None:
    method = getattr(producer, "pauseProducing" if pause else "resumeProducing", None)
    if method is not None:
        method()
