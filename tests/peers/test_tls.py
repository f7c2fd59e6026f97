"""
MSRP over TLS with the command C{openssl} at the terminal's end, over real
sockets and the gateway as an operator runs it.
"""

import random
import re
import socket
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from tests.adapter.msrppeer import Endpoint
from tests.peers.deadline import until
from tests.peers.gateway import Gateway
from tests.peers.ng import NG
from tests.peers.peers import OPENSSL, needs
from tests.peers.ports import freePort
from tests.peers.tlsends import OpenSSL, Pipe, carry, move, piped, store
from tests.transport.tlspeer import OTHERS, THEIRS, fingerprintOf

#: Octets of the file.
FILE = 20_000_000
HOST = "127.0.0.1"
_HEAD = f"v=0\r\no=- 1 1 IN IP4 {HOST}\r\ns=-\r\nc=IN IP4 {HOST}\r\nt=0 0\r\n"


@needs(OPENSSL)
class TLSTests(SynchronousTestCase):
    """
    Calls.
    """

    def setUp(self) -> None:
        """
        Start the gateway, and have certificates.
        """
        directory = tempfile.TemporaryDirectory(prefix="e2aegw-")
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        self.gateway = Gateway(self.directory, '\n[[route]]\naccess = "msrp"\ncore = "msrp"\n', 100)
        self.addCleanup(self.gateway.end)
        self.ng = NG(self.gateway.ngPort)
        self.addCleanup(self.ng.close)
        self.ours = store(THEIRS, self.directory / "ue.pem")
        self.ue = Endpoint(f"msrps://{HOST}:9/terminal12;tcp")
        self.listener = socket.create_server((HOST, 0))
        self.addCleanup(self.listener.close)
        port = self.listener.getsockname()[1]
        self.phone = Endpoint(f"msrp://{HOST}:{port}/telephone12;tcp")

    def section(self, endpoint: Endpoint, setup: str, port: int, secure: bool) -> str:
        """
        How an end describes itself.
        """
        more = f"a=fingerprint:{fingerprintOf(THEIRS)}\r\na=3ge2ae:requested\r\n" if secure else ""
        proto = "TCP/TLS/MSRP" if secure else "TCP/MSRP"
        return (
            f"{_HEAD}m=message {port} {proto} *\r\na=accept-types:*\r\na=path:{endpoint.uri}\r\n"
            f"a=setup:{setup}\r\n{more}"
        )

    def call(self, setup: str = "active", port: int = 9) -> int:
        """
        The UE calls.

        @return: where the gateway waits for it.
        """
        phone = self.section(self.phone, "passive", self.listener.getsockname()[1], False)
        return self.agree(self.section(self.ue, setup, port, True), phone, ("external", "internal"))

    def called(self, setup: str, port: int = 9) -> int:
        """
        The UE is called.

        @return: where the gateway waits for it.
        """
        phone = self.section(self.phone, "actpass", self.listener.getsockname()[1], False)
        ue = self.section(self.ue, setup, port, True).replace("a=3ge2ae:requested\r\n", "")
        return self.agree(phone, ue, ("internal", "external"))

    def agree(self, offer: str, answer: str, direction: tuple[str, str]) -> int:
        """
        Offer and answer.
        """
        keys: dict[str, Any] = {
            "call_id": "chat",
            "from_tag": "a",
            "direction": list(direction),
            "e2ae": "msrp-tls",
        }
        there = self.ng.command("offer", sdp=offer, **keys)["sdp"]
        back = self.ng.command("answer", sdp=answer, to_tag="b", **keys)["sdp"]
        near, far = (back, there) if direction[0] == "external" else (there, back)
        self.assertIn("TCP/TLS/MSRP", near)
        self.assertNotIn("TLS", far)
        self.ue.path, self.phone.path = (re.findall(r"a=path:(\S+)", each)[0] for each in (near, far))
        self.farPort = int(re.findall(r"m=message (\d+)", far)[0])
        return int(re.findall(r"m=message (\d+)", near)[0])

    def client(self, port: int, *more: str, certificate: bool = True) -> OpenSSL:
        """
        The UE connects.
        """
        file = self.ours if certificate else None
        peer = OpenSSL.client(port, file, self.ue, self.directory / "openssl.log", *more)
        self.addCleanup(peer.end)
        return peer

    def far(self) -> Pipe:
        """
        The gateway connects to the party on the core side.
        """
        self.listener.settimeout(10)
        connection, _ = self.listener.accept()
        self.addCleanup(connection.close)
        return piped(connection, self.phone)

    def assertFile(self, near: Endpoint, far: Endpoint, pipes: list[Pipe]) -> None:
        """
        A file of 20 MB arrives as it is.
        """
        carry(random.Random(1).randbytes(FILE), near, far, pipes)

    def test_R_45_largeFile(self) -> None:
        """
        A file goes from a UE with TLS 1.3 that calls, as the TLS client, to the
        core.
        """
        port = self.call()
        pipes = [self.client(port, "-tls1_3").pipe, self.far()]
        self.assertFile(self.ue, self.phone, pipes)

    def test_R_45_largeFileFromTheCore(self) -> None:
        """
        And from the core to a UE with TLS 1.2 that was called and waits, as the
        TLS server.
        """
        waiting = freePort()
        self.ue.uri = f"msrps://{HOST}:{waiting}/terminal12;tcp"
        server = OpenSSL.server(waiting, self.ours, self.ue, self.directory / "openssl.log", "-tls1_2")
        self.addCleanup(server.end)
        self.called("passive", waiting)
        near = socket.create_connection((HOST, self.farPort))
        self.addCleanup(near.close)
        far = piped(near, self.phone)
        self.phone.begin()
        self.assertFile(self.phone, self.ue, [server.pipe, far])

    def test_R_47_refused(self) -> None:
        """
        Another certificate, none, TLS 1.1, and no TLS at all: each ends without
        a word of MSRP, and the log says why.
        """
        other = store(OTHERS, self.directory / "other.pem")
        port = self.call()
        far = self.far()
        self.phone.say(b"secret")
        for arguments, certificate, said in (
            (("-cert", str(other), "-key", str(other)), False, "fingerprint mismatch"),
            ((), False, "no certificate"),
            (("-tls1_1", "-cipher", "ALL:@SECLEVEL=0"), True, "no common version"),
        ):
            peer = self.client(port, *arguments, certificate=certificate)
            peer.pipe.endpoint = None
            move([peer.pipe, far], partial(getattr, peer.pipe, "closed"))
            self.assertEqual(peer.pipe.received, b"")
            if said == "fingerprint mismatch":
                self.assertIn("bad certificate", peer.said)
            self.assertLogged(said)
        with socket.create_connection((HOST, port)) as plain:
            plain.sendall(b"MSRP a786hjs2 SEND\r\n")
            plain.settimeout(10)
            self.assertEqual(plain.recv(100), b"")
        self.assertLogged("not protected")

    def assertLogged(self, reason: str) -> None:
        """
        The log says why a handshake failed.
        """
        until(lambda: f"TLS failed: {reason}" in self.gateway.output(), reason)
