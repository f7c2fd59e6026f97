"""
OpenSSL's command, as whoever speaks DTLS for a terminal that does not.
"""

import hashlib
import socket
import ssl
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

#: Seconds that it may take to end.
GRACE = 5.0


class Credentials:
    """
    A certificate and its key, made by OpenSSL.

    @ivar certificate, key: the files.
    @ivar fingerprint: the value of the attribute.
    """

    def __init__(self, directory: Path, name: str, *, rsa: bool = False) -> None:
        self.certificate, self.key = directory / f"{name}.crt", directory / f"{name}.key"
        kind = ["rsa:2048"] if rsa else ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        command = ["openssl", "req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=x", "-newkey", *kind]
        files = ["-keyout", str(self.key), "-out", str(self.certificate)]
        subprocess.run([*command, *files], check=True, capture_output=True)
        der = ssl.PEM_cert_to_DER_cert(self.certificate.read_text())
        self.fingerprint = f"sha-256 {hashlib.sha256(der).digest().hex(':').upper()}"


class Pipe:
    """
    DTLS of which one record is one datagram on a socket of ours.
    """

    def __init__(self, directory: Path, arguments: Sequence[str], credentials: Credentials | None) -> None:
        """
        @param arguments: what it is to do.
        @param credentials: what it shows, if anything.
        """
        # A packet is a read of its, and a write.
        self.socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.setblocking(False)
        self._log = (directory / "openssl.log").open("ab")
        shown: list[str] = []
        if credentials is not None:
            shown = ["-cert", str(credentials.certificate), "-key", str(credentials.key)]
        self._process = subprocess.Popen(
            ["openssl", *arguments, "-quiet", "-mtu", "1200", *shown],
            stdin=theirs.fileno(),
            stdout=theirs.fileno(),
            stderr=self._log,
            start_new_session=True,
        )
        theirs.close()

    @property
    def ended(self) -> bool:
        """
        Whether it has given up.
        """
        return self._process.poll() is not None

    def send(self, data: bytes) -> None:
        """
        Send one record.
        """
        # Nobody may be there any more, or yet.
        with suppress(OSError):
            self.socket.send(data)

    def end(self) -> None:
        """
        End it.
        """
        self._process.terminate()
        try:
            self._process.wait(GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self.socket.close()
        self._log.close()
