"""
A telephone that says back what it hears.
"""

import socket
import threading

from tests.peers.ports import freeRange

HOST = "127.0.0.1"


class EchoPhone:
    """
    A UDP port that sends each RTP packet back to where it came from.

    @ivar port: its number.
    @ivar heard: how many packets came.
    """

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.port = freeRange(2)
        self._socket.bind((HOST, self.port))
        self.heard = 0
        self._ending = False
        self._thread = threading.Thread(target=self._echo, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """
        End it.
        """
        self._ending = True
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as knocking:
            knocking.sendto(b"", (HOST, self.port))
        self._thread.join()
        self._socket.close()

    def _echo(self) -> None:
        while not self._ending:
            data, source = self._socket.recvfrom(2048)
            if data:
                self.heard += 1
                self._socket.sendto(data, source)
