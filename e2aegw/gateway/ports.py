"""
The UDP ports of one address.
"""

import errno
from collections import deque
from collections.abc import Sequence

from zope.interface import implementer

from e2aegw.errors import ResourceError
from e2aegw.interfaces import IDatagramNetwork, IDatagramPort, IPortSource, Receive

#: Ports of the range that may turn out to be somebody else's before an
#: allocation gives up.
MAX_ATTEMPTS = 50


@implementer(IPortSource)
class PortPool:
    """
    Hands out pairs of ports: an even one, for RTP, and the next, for RTCP (RFC
    3550 clause 11).  Whoever needs one port gets the even one.

    Pairs are reused in the order in which they came back, so that late packets
    of a call do not meet the next one.

    @ivar host: the address that ports are bound to.
    @ivar advertised: the address that descriptions say.
    """

    def __init__(
        self, network: IDatagramNetwork, host: str, first: int, last: int, advertised: str | None = None
    ) -> None:
        """
        @param first: the beginning of the range.
        @param last: its end, which is part of it.
        """
        self.host = host
        self.advertised = advertised or host
        self._network = network
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
                if e.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
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
        base = port.address[1] & ~1
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
