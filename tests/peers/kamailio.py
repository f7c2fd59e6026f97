"""
Kamailio, as registrar and proxy that drives a media gateway.
"""

import socket
from pathlib import Path

from tests.peers.deadline import until
from tests.peers.ports import freePort
from tests.peers.process import Process

#: What the configuration is made from.
TEMPLATE = Path(__file__).resolve().parent / "kamailio.cfg"

#: What Kamailio asks for whatever goes to a browser, or to a telephone that
#: knows plain RTP only: the flags that a configuration for rtpengine has.
TO_SECURED = "replace-origin replace-session-connection rtcp-mux-offer ICE=force SDES-off UDP/TLS/RTP/SAVPF"
TO_PLAIN = "replace-origin replace-session-connection rtcp-mux-demux ICE=remove RTP/AVP"


def node(port: int, weight: int = 1) -> str:
    """
    A media gateway on 127.0.0.1, in the notation of Kamailio's rtpengine
    module.
    """
    return f"udp:127.0.0.1:{port}={weight}"


class Kamailio:
    """
    A running Kamailio.

    @ivar sipPort: where it takes SIP over UDP, on 127.0.0.1.
    @ivar webSocketPort: where it takes SIP over WebSocket.
    @ivar sippPort: where it thinks that the user C{sipp} is.
    """

    def __init__(
        self, directory: Path, nodes: str, toSecured: str = TO_SECURED, toPlain: str = TO_PLAIN
    ) -> None:
        """
        @param directory: where its files go.
        @param nodes: where the media gateways are, in the notation of its
            rtpengine module.
        @param toSecured: the flags of what goes to browsers, and to users whose
            names begin with C{secured}.
        @param toPlain: the flags of what goes to others.
        """
        self.sipPort = freePort()
        self.webSocketPort = freePort()
        self.sippPort = freePort()
        config = directory / "kamailio.cfg"
        config.write_text(self.configuration(nodes, toSecured, toPlain))
        run = directory / "run"
        run.mkdir()
        self._process = Process(
            "kamailio",
            ["kamailio", "-f", str(config), "-DD", "-E", "-m", "64", "-M", "8"]
            + ["-w", str(run), "-Y", str(run), "-P", str(run / "pid")],
            directory,
        )
        try:
            until(lambda: self._process.alive() and self._answers(), "Kamailio answers OPTIONS")
        except BaseException:
            self._process.end()
            raise

    def configuration(self, nodes: str, toSecured: str, toPlain: str) -> str:
        """
        What stands in its configuration file.
        """
        text = TEMPLATE.read_text()
        for name, value in {
            "SIP": self.sipPort,
            "WEBSOCKET": self.webSocketPort,
            "SIPP": self.sippPort,
            "NODES": nodes,
            "TO_SECURED": toSecured,
            "TO_PLAIN": toPlain,
        }.items():
            text = text.replace(f"@{name}@", str(value))
        return text

    @property
    def domain(self) -> str:
        """
        What stands behind the at sign of its users.
        """
        return f"127.0.0.1:{self.sipPort}"

    def output(self) -> str:
        """
        What it said so far.
        """
        return self._process.output()

    def _answers(self) -> bool:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect(("127.0.0.1", self.sipPort))
            probe.settimeout(0.2)
            host, port = probe.getsockname()
            try:
                probe.send(
                    f"OPTIONS sip:nobody@{self.domain} SIP/2.0\r\n"
                    f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bKprobe\r\n"
                    f"From: <sip:probe@{self.domain}>;tag=probe\r\nTo: <sip:nobody@{self.domain}>\r\n"
                    "Call-ID: probe\r\nCSeq: 1 OPTIONS\r\n"
                    "Max-Forwards: 5\r\nContent-Length: 0\r\n\r\n".encode()
                )
                return probe.recv(2048).startswith(b"SIP/2.0 ")
            except OSError:
                return False  # not yet

    def end(self) -> None:
        """
        End it.
        """
        self._process.end()
