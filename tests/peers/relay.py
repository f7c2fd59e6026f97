"""
A relay of datagrams that stands between a browser and the gateway, where the
weather is bad.
"""

import selectors
import socket
import threading

from tests.peers.weather import Weather

HOST = "127.0.0.1"


class Relay:
    """
    Two UDP ports: what comes in at the one goes out from the other.

    @ivar port: the one that stands for the gateway.
    @ivar weather: what happens to datagrams.
    """

    def __init__(self, gateway: int, weather: Weather) -> None:
        """
        @param gateway: the port of the gateway.
        """
        self.weather = weather
        self._near = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._near.bind((HOST, 0))
        self.port: int = self._near.getsockname()[1]
        self._far = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._far.bind((HOST, 0))
        self._far.connect((HOST, gateway))
        for each in (self._near, self._far):
            each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            each.setblocking(False)
        self._browser: tuple[str, int] | None = None
        self._gateway = (HOST, gateway)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """
        End it.
        """
        self._ending.set()
        self._thread.join()
        self._near.close()
        self._far.close()

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._near, selectors.EVENT_READ)
            selector.register(self._far, selectors.EVENT_READ)
            while not self._ending.is_set():
                for key, _ in selector.select(0.1):
                    self._drain(key.fileobj is self._near)

    def _drain(self, fromBrowser: bool) -> None:
        here, there = (self._near, self._far) if fromBrowser else (self._far, self._near)
        while True:
            try:
                data, source = here.recvfrom(2048)
            except BlockingIOError:
                return
            except ConnectionRefusedError:
                continue  # The gateway has closed its port.
            if fromBrowser:
                self._browser = source
            to = self._gateway if fromBrowser else self._browser
            if to is not None:
                self.weather.send(there, data, to)
