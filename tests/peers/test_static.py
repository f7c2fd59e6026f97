"""
Static pipelines as an operator starts them, with the command C{openssl} at the
protected end.
"""

import socket
import sys
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.peers.deadline import until
from tests.peers.peers import OPENSSL, needs
from tests.peers.ports import freePort, freeRange
from tests.peers.process import Process
from tests.peers.tlsends import OpenSSL, move, store
from tests.sansio.udptlcodec import encode
from tests.transport.tlspeer import OTHERS, THEIRS, fingerprintOf

HOST = "127.0.0.1"
_CONFIG = """\
[side.access]
address = "127.0.0.1"
ports = "{first}-{middle}"
[side.core]
address = "127.0.0.1"
ports = "{second}-{last}"
[[pipeline]]
name = "fax"
access = '''dtls-udptl:port={port}:fingerprint={fingerprint}'''
core = '''udptl:to=127.0.0.1\\:{far}'''
"""


def escaped(text: str) -> str:
    """
    A value as an end's string has it.
    """
    return text.replace(":", "\\:")


@needs(OPENSSL)
class StaticTests(SynchronousTestCase):
    """
    Without any controller.
    """

    def setUp(self) -> None:
        """
        Have certificates.
        """
        directory = tempfile.TemporaryDirectory(prefix="e2aegw-")
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        self.certificate = store(THEIRS, self.directory / "ue.pem")
        self.port = freePort()

    def start(self, *options: str) -> Process:
        """
        Start C{twistd}.
        """
        twistd = Path(sys.executable).with_name("twistd")
        command = [str(twistd), "--nodaemon", "--pidfile=", "e2aegw", *options]
        process = Process("gateway", command, self.directory)
        self.addCleanup(process.end)
        until(lambda: process.alive() and "pipeline" in process.output(), "it runs", explain=process.output)
        return process

    def client(self, certificate: Path, *more: str) -> OpenSSL:
        """
        Connect.
        """
        client = OpenSSL.client(self.port, certificate, None, self.directory / "openssl.log", *more)
        self.addCleanup(client.end)
        return client

    def terminator(self) -> tuple[Process, socket.socket]:
        """
        A TLS terminator in front of a server on TCP, from the command line.
        """
        listener = socket.create_server((HOST, 0))
        self.addCleanup(listener.close)
        listener.settimeout(10)
        where = f"{HOST}:{listener.getsockname()[1]}"
        access = f"tls:interface={HOST}:port={self.port}:fingerprint={escaped(fingerprintOf(THEIRS))}"
        return self.start("--access", access, "--core", f"tcp:to={escaped(where)}"), listener

    def test_terminator(self) -> None:
        """
        Two terminals reach the server, each on a connection of its own, and
        hear its answer; when one goes, its connection ends.
        """
        process, listener = self.terminator()
        for words in (b"one", b"two"):
            client = self.client(self.certificate)
            client.pipe.send(words)
            move([client.pipe], lambda client=client: not client.pipe.waits)  # type: ignore[misc]
            far, _ = listener.accept()
            self.addCleanup(far.close)
            far.settimeout(10)
            self.assertEqual(far.recv(100), words)
            far.sendall(words[::-1])
            move([client.pipe], lambda client=client, want=words[::-1]: client.pipe.received == want)  # type: ignore[misc]
            client.end()
            self.assertEqual(far.recv(100), b"")
        self.assertNotIn("Traceback", process.output())

    def test_stranger(self) -> None:
        """
        A terminal with another certificate does not get through.
        """
        process, listener = self.terminator()
        client = self.client(store(OTHERS, self.directory / "other.pem"))
        client.pipe.send(b"hello")
        move([client.pipe], lambda: client.pipe.closed)
        until(lambda: "fingerprint mismatch" in process.output(), "the log says why", explain=process.output)
        listener.settimeout(0.2)
        heard = b""
        try:
            far, _ = listener.accept()
            far.settimeout(10)
            heard = far.recv(100)
            far.close()
        except TimeoutError:
            heard = b""
        self.assertEqual(heard, b"")

    def test_fax(self) -> None:
        """
        A terminator of DTLS in front of a fax server, from a configuration
        that has nothing else; a second UE may come when the first has gone.
        """
        far = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(far.close)
        far.bind((HOST, 0))
        far.settimeout(10)
        first = freeRange(40)
        config = self.directory / "gateway.toml"
        config.write_text(
            _CONFIG.format(
                first=first,
                middle=first + 19,
                second=first + 20,
                last=first + 39,
                port=self.port,
                fingerprint=escaped(fingerprintOf(THEIRS)),
                far=far.getsockname()[1],
            )
        )
        process = self.start("--config", str(config))
        for turn in (1, 2):
            until(
                lambda turn=turn: process.output().count("dtls-udptl on the access side") == turn,  # type: ignore[misc]
                "the pipeline is ready",
                explain=process.output,
            )
            client = self.client(self.certificate, "-dtls1_2", "-no_ign_eof")
            packet = encode(turn, b"\x01\x02")
            client.pipe.send(packet)
            move([client.pipe], lambda client=client: not client.pipe.waits)  # type: ignore[misc]
            data, source = far.recvfrom(100)
            self.assertEqual(data, packet)
            far.sendto(packet, source)
            move([client.pipe], lambda client=client, want=packet: client.pipe.received == want)  # type: ignore[misc]
            client.quit()

    def test_mistakes(self) -> None:
        """
        What is wrong is one line, and the exit status is 1.
        """
        twistd = Path(sys.executable).with_name("twistd")
        for options, words in (
            (["--access", "tcp:port=1"], "--access and --core need each other"),
            (["--access", "tls:port=1", "--core", "tcp:to=127.0.0.1\\:1"], "tls needs fingerprint="),
        ):
            process = Process(
                "gateway", [str(twistd), "-n", "--pidfile=", "e2aegw", *options], self.directory
            )
            self.assertEqual(process.wait(30), 1)
            [line] = process.output().splitlines()
            self.assertIn(words, line)
