"""
The demonstration, as a service beside the gateway.
"""

from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.logger import Logger
from twisted.protocols.policies import ThrottlingFactory

from e2aegw.demo.calls import Calls
from e2aegw.demo.site import DemoSite
from e2aegw.errors import ConfigError
from e2aegw.interfaces import Address
from e2aegw.transport.sockets import SocketNetwork

#: Most connections from browsers at a time; each of them opens six at most.
MAX_CONNECTIONS = 64


class DemoService(Service):
    """
    A web site with a page that calls through the gateway.

    @ivar calls: the page's calls.
    @ivar url: where the page is, while the service runs.
    """

    _log = Logger()

    name = "demo"

    def __init__(self, reactor: Any, gateway: Any, address: Address) -> None:
        """
        @param reactor: provides C{IReactorTCP}, C{IReactorFDSet} and
            C{IReactorTime}.
        @param gateway: provides L{e2aegw.interfaces.IGateway}.
        @param address: where to listen; port 0 takes any that is free.
        """
        self.calls = Calls(reactor, gateway, SocketNetwork(reactor))
        self.url = ""
        self._reactor = reactor
        self._address = address
        self._port: Any = None
        site = DemoSite(reactor, address[0], self.calls)
        self._connections = ThrottlingFactory(site, maxConnectionCount=MAX_CONNECTIONS)
        self._connections.noisy = False

    def startService(self) -> None:
        """
        See C{IService}.

        @raise ConfigError: the address is taken.
        """
        Service.startService(self)
        host, port = self._address
        try:
            self._port = self._reactor.listenTCP(port, self._connections, interface=host)
        except CannotListenError as e:
            raise ConfigError(f"demo.http: cannot listen on {host} port {port}: {e.socketError}") from None
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{self._port.getHost().port}/"
        self._log.info("demo: {url}", url=self.url)

    def stopService(self) -> Deferred[None]:
        """
        See C{IService}.  All calls end.
        """
        Service.stopService(self)
        self.calls.endAll("the gateway ends")
        for connection in list(self._connections.protocols):
            connection.loseConnection()
        port, self._port = self._port, None
        return maybeDeferred(port.stopListening) if port is not None else maybeDeferred(lambda: None)


__all__ = ["DemoService"]
