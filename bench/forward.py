"""
A bare port forward of Twisted's, from TLS to TCP, to compare with: C{python -m
bench.forward CERTIFICATE HOST PORT}.  It prints the port that it listens on.
"""

import sys
from typing import Any

from OpenSSL import SSL
from twisted.internet import reactor, ssl
from twisted.internet.protocol import ClientFactory, Factory, Protocol
from twisted.python.failure import Failure

_reactor: Any = reactor


class End(Protocol):
    """
    One end.

    @ivar other: the other one.
    """

    other: "End | None" = None
    transport: Any

    def dataReceived(self, data: bytes) -> None:
        """
        Pass it on.
        """
        if self.other is not None:
            self.other.transport.write(data)

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        """
        End the other one, too.
        """
        if self.other is not None:
            self.other.transport.loseConnection()
            self.other = None

    def join(self, other: "End") -> None:
        """
        Pass on to this one, not faster than it takes.
        """
        self.other = other
        self.transport.registerProducer(other.transport, True)


class Outward(End):
    """
    The end in the clear.
    """

    factory: "Connector"

    def connectionMade(self) -> None:
        """
        Both are there.
        """
        self.transport.setTcpNoDelay(True)
        inward = self.factory.inward
        self.join(inward)
        inward.join(self)
        inward.transport.resumeProducing()


class Connector(ClientFactory):
    """
    Connects for one end.
    """

    noisy = False

    def __init__(self, inward: End) -> None:
        self.inward = inward

    def buildProtocol(self, addr: Any) -> Any:
        """
        It is there.
        """
        outward = Outward()
        outward.factory = self
        return outward


class Inward(End):
    """
    The end with TLS.
    """

    def connectionMade(self) -> None:
        """
        Connect.
        """
        self.transport.pauseProducing()
        _reactor.connectTCP(sys.argv[2], int(sys.argv[3]), Connector(self))


def main() -> None:
    """
    Forward until somebody ends us.
    """
    context = ssl.DefaultOpenSSLContextFactory(sys.argv[1], sys.argv[1], sslmethod=SSL.TLS_METHOD)
    port = _reactor.listenSSL(0, Factory.forProtocol(Inward), context, interface="127.0.0.1")
    print(port.getHost().port, flush=True)
    _reactor.run()


if __name__ == "__main__":
    main()
