"""
The reactor's end of TCP connections, in memory.
"""

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionLost
from twisted.internet.testing import StringTransportWithDisconnection
from twisted.python.failure import Failure


class Connection(StringTransportWithDisconnection):
    """
    The reactor's end of a TCP connection.

    @ivar options: what was asked of the socket.
    """

    def __init__(self) -> None:
        super().__init__()
        self.options: list[str] = []

    def setTcpNoDelay(self, enabled: bool) -> None:
        """
        See C{ITCPTransport}.
        """
        self.options.append("no delay")

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """
        See C{ITCPTransport}.
        """
        self.options.append("keep alive")

    def loseConnection(self) -> None:
        """
        Close when the producer has said all and the other side has read it.
        """
        self.disconnecting = True
        if self.producer is None:
            super().loseConnection()

    def unregisterProducer(self) -> None:
        """
        The producer has said all.
        """
        super().unregisterProducer()
        if self.disconnecting and self.connected:
            super().loseConnection()

    def abortConnection(self) -> None:
        """
        See C{ITCPTransport}.
        """
        self.aborting = True
        self.connected = False
        self.protocol.connectionLost(Failure(ConnectionLost()))


def join(
    protocol: Any, host: str = "198.51.100.7", connection: Connection | None = None
) -> Connection | None:
    """
    Give a protocol a connection, if there is one.
    """
    if protocol is None:
        return None
    connection = Connection() if connection is None else connection
    connection.protocol = protocol
    connection.peerAddr = IPv4Address("TCP", host, 40000)
    protocol.makeConnection(connection)
    return connection
