"""
What is on the wire: dumpcap writes it down, tshark reads it.
"""

import re
import secrets
import socket
import subprocess
from pathlib import Path

from tests.peers.deadline import until
from tests.peers.process import Process

#: Megabytes that may wait to be written down.
_BUFFER = 64


class Capture:
    """
    What goes over the loopback interface.

    @ivar file: where it is.
    """

    def __init__(self, directory: Path, name: str, expression: str) -> None:
        """
        @param expression: which packets to write down, as for tcpdump.
        """
        self.file = directory / f"{name}.pcapng"
        self._last = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._last.bind(("127.0.0.1", 0))
        expression = f"({expression}) or udp port {self._last.getsockname()[1]}"
        arguments = ["dumpcap", "-i", "lo", "-B", str(_BUFFER), "-f", expression, "-w", str(self.file)]
        self._process = Process(name, arguments, directory)
        until(
            lambda: "Capturing on" in self._process.output() and self.file.exists(),
            "dumpcap captures",
            explain=self._process.output,
        )

    def end(self) -> None:
        """
        Write no more down, but all that was there until now.
        """
        if self._process.exitCode is None:
            word = secrets.token_bytes(16)
            self._last.sendto(word, self._last.getsockname())
            until(lambda: self.file.read_bytes().rfind(word) >= 0, "dumpcap is done")
        self._process.end()
        self._last.close()

    def octets(self) -> bytes:
        """
        All of it, as it was on the wire.
        """
        return self.file.read_bytes()

    def decoded(self, shown: str, field: str, *more: str) -> list[str]:
        """
        What tshark makes of it.

        @param shown: which packets, as tshark's display filter.
        @param field: what of each.
        """
        arguments = ["tshark", "-r", str(self.file), *more, "-Y", shown, "-T", "fields", "-e", field]
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=120, check=True)
        return done.stdout.splitlines()

    def complaints(self, *more: str) -> set[str]:
        """
        The protocols about whose messages tshark has a warning, and those of
        what it could not take apart, one after the other.
        """
        arguments = ["tshark", "-r", str(self.file), *more, "-q", "-z", "expert,warn"]
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=120, check=True)
        warned = re.findall(r"^ +\d+ +\S+ +(\S+) ", done.stdout, re.MULTILINE)
        return {*warned, *self.decoded("_ws.malformed", "frame.protocols", *more)}
