"""
The ports of one address, for UDP and for TCP.
"""

import errno
from collections import deque
from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from zope.interface import implementer

from e2aegw.errors import ResourceError
from e2aegw.interfaces import IDatagramNetwork, IDatagramPort, IPortSource, IStreamPortSource, Receive

#: Ports of the range that may turn out to be somebody else's before an
#: allocation gives up.
MAX_ATTEMPTS = 50
#: Connections that may wait to be accepted on a TCP port.  One is expected.
BACKLOG = 4
#: Errors that are about all ports and not about this one.
_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


@implementer(IPortSource, IStreamPortSource)
class PortPool:
    """
    Hands out pairs of ports: an even one, for RTP, and the next, for RTCP (RFC
    3550 clause 11).  Whoever needs one port, for UDP or for TCP, gets the even
    one.

    Pairs are reused in the order in which they came back, so that late packets
    of a call do not meet the next one.

    @ivar host: the address that ports are bound to.
    @ivar advertised: the address that descriptions say.
    """

    def __init__(
        self,
        network: IDatagramNetwork,
        host: str,
        first: int,
        last: int,
        advertised: str | None = None,
        streams: Any = None,
    ) -> None:
        """
        @param first: the beginning of the range.
        @param last: its end, which is part of it.
        @param streams: provides C{IReactorTCP}, if there is to be TCP.
        """
        self.host = host
        self.advertised = advertised or host
        self._network = network
        self._streams = streams
        self._free = deque(range(first + first % 2, last, 2))
        self._lent: dict[int, int] = {}

    @property
    def free(self) -> int:
        """
        How many pairs are free.
        """
        return len(self._free)

    @property
    def lent(self) -> int:
        """
        How many pairs are in use.
        """
        return len(self._lent)

    def open(self, receivers: Sequence[Receive]) -> list[IDatagramPort]:
        """
        Take a pair.

        @param receivers: one for each port wanted, one or two.

        @raise ResourceError: there is none.
        """
        for _ in range(min(MAX_ATTEMPTS, len(self._free))):
            base = self._free.popleft()
            try:
                ports = self._bind(base, receivers)
            except OSError as e:
                self._free.append(base)
                if e.errno in _EXHAUSTED:
                    break
            else:
                self._lent[base] = len(ports)
                return ports
        raise ResourceError("Ran out of ports")

    def reopen(self, port: IDatagramPort, receive: Receive) -> IDatagramPort:
        """
        Open the RTCP port beside an RTP port.

        @raise ResourceError: somebody else has it now.
        """
        base = port.address[1]
        try:
            beside = self._network.bind((self.host, base + 1), receive)
        except OSError:
            raise ResourceError("Ran out of ports") from None
        self._lent[base] += 1
        return beside

    def close(self, port: IDatagramPort) -> None:
        """
        Give a port back.
        """
        port.close()
        self._back(port.address[1] & ~1)

    def listen(self, factory: IProtocolFactory) -> IListeningPort:
        """
        Listen on a TCP port.

        @raise ResourceError: there is none.
        """
        attempts = 0 if self._streams is None else min(MAX_ATTEMPTS, len(self._free))
        for _ in range(attempts):
            base = self._free.popleft()
            try:
                port: IListeningPort = self._streams.listenTCP(
                    base, factory, backlog=BACKLOG, interface=self.host
                )
            except CannotListenError as e:
                self._free.append(base)
                if getattr(e.socketError, "errno", None) in _EXHAUSTED:
                    break
            else:
                self._lent[base] = 1
                return port
        raise ResourceError("Ran out of ports")

    def unlisten(self, port: IListeningPort) -> None:
        """
        Stop listening, and give the port back when it is closed.
        """
        host: Any = port.getHost()
        number: int = host.port
        maybeDeferred(port.stopListening).addBoth(lambda _: self._back(number))

    def _back(self, base: int) -> None:
        self._lent[base] -= 1
        if not self._lent[base]:
            del self._lent[base]
            self._free.append(base)

    def _bind(self, base: int, receivers: Sequence[Receive]) -> list[IDatagramPort]:
        ports: list[IDatagramPort] = []
        try:
            for offset, receive in enumerate(receivers):
                ports.append(self._network.bind((self.host, base + offset), receive))
        except OSError:
            for port in ports:
                port.close()
            raise
        return ports
