"""
libre's floor control, both ends of it.
"""

import os
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from tests.peers.browsers import Browser
from tests.peers.process import GRACE

SOURCE = Path(__file__).with_name("floors.c")
#: What libre was built with, which decides how large its structures are.
_FLAGS = ("-DHAVE_INET6", "-DHAVE_STDBOOL_H", "-DHAVE_INTTYPES_H", "-I/usr/include/re")

#: What each end says that it heard, of a whole conversation.
CLIENT_HEARD = ["HelloAck", "FloorRequestStatus Granted", "FloorRequestStatus Released", "GoodbyeAck"]
SERVER_HEARD = ["Hello", "FloorRequest", "FloorRelease", "Goodbye"]


def build(directory: Path) -> Path:
    """
    Build the program.

    @return: where it is.
    """
    program = directory / "floors"
    subprocess.run(["gcc", *_FLAGS, "-o", str(program), str(SOURCE), "-lre"], check=True)
    return program


class Floors:
    """
    A running client or server.
    """

    def __init__(
        self,
        program: Path,
        role: str,
        *words: str,
        source: "IO[Any] | int | Any" = subprocess.DEVNULL,
        sink: "IO[Any] | int | Any" = subprocess.DEVNULL,
    ) -> None:
        """
        @param role: C{"client"} or C{"server"}.
        @param words: C{"udp"} and ports, or C{"pipe"}.
        @param source, sink: where messages come from and go to, if not over
            UDP: a socket, for example.
        """
        self.log = program.with_name(f"{role}.log")
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [str(program), role, *words], stdin=source, stdout=sink, stderr=log, start_new_session=True
            )

    def heard(self) -> list[str]:
        """
        What came, as it tells.
        """
        return self.log.read_text().splitlines()

    def end(self) -> None:
        """
        End it.
        """
        self.process.kill()
        self.process.wait(GRACE)


#: Makes a data channel for floor control and a description that says so.
_PAGE = """(async () => {
  const peer = new RTCPeerConnection();
  const channel = peer.createDataChannel("floors", { negotiated: true, id: 2, protocol: "bfcp" });
  channel.binaryType = "arraybuffer";
  window.floors = { peer, channel, heard: [] };
  const hex = (data) => [...new Uint8Array(data)].map((each) => each.toString(16).padStart(2, "0")).join("");
  channel.onmessage = (event) => floors.heard.push(hex(event.data));
  await peer.setLocalDescription(await peer.createOffer());
  while (peer.iceGatheringState !== "complete") await new Promise((done) => setTimeout(done, 20));
  return peer.localDescription.sdp;
})()"""


class PageChannel:
    """
    A data channel in a browser's page, between an end of libre's and the
    gateway.

    @ivar offer: the browser's description.
    @ivar carried: the messages that went through the channel, in both
        directions.
    """

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        self.offer: str = browser.evaluate(_PAGE)
        self.carried: list[bytes] = []
        # From libre to here, and from here to libre.
        self._source, self.sink = os.pipe()
        self.source, self._sink = os.pipe()
        os.set_blocking(self._source, False)
        self._buffer = b""

    def accept(self, sdp: str) -> None:
        """
        The other party has answered.
        """
        self.browser.evaluate(f"floors.peer.setRemoteDescription({{ type: 'answer', sdp: {sdp!r} }})")

    def isOpen(self) -> bool:
        """
        Whether the channel is open.
        """
        return bool(self.browser.evaluate("floors.channel.readyState === 'open'"))

    def carry(self) -> None:
        """
        Take what is there from one to the other: a message of libre's is a
        message of the channel.
        """
        with suppress(BlockingIOError):
            self._buffer += os.read(self._source, 65536)
        while len(self._buffer) >= 12:
            end = 12 + 4 * int.from_bytes(self._buffer[2:4], "big")
            if len(self._buffer) < end:
                break
            message, self._buffer = self._buffer[:end], self._buffer[end:]
            self.carried.append(message)
            self.browser.evaluate(f"floors.channel.send(new Uint8Array({list(message)}))")
        for text in self.browser.evaluate("floors.heard.splice(0)"):
            message = bytes.fromhex(text)
            assert len(message) == 12 + 4 * int.from_bytes(message[2:4], "big")
            self.carried.append(message)
            os.write(self._sink, message)

    def end(self) -> None:
        """
        Let go of the pipes.
        """
        for each in (self._source, self._sink, self.source, self.sink):
            os.close(each)


class Identity:
    """
    A certificate of openssl's making, for one end of TLS.

    @ivar fingerprint: as descriptions say it.
    """

    def __init__(self, directory: Path) -> None:
        self.certificate, self.key = directory / "floors.crt", directory / "floors.key"
        words = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        paths = ["-keyout", str(self.key), "-out", str(self.certificate)]
        subprocess.run(
            ["openssl", *words, *paths, "-subj", "/CN=floors", "-days", "2"], check=True, capture_output=True
        )
        told = subprocess.run(
            ["openssl", "x509", "-in", str(self.certificate), "-noout", "-fingerprint", "-sha256"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        self.fingerprint = f"a=fingerprint:sha-256 {told.strip().partition('=')[2]}"


class Tunnel:
    """
    openssl's TLS, between an end of libre's and the gateway.
    """

    def __init__(self, identity: Identity, *, connect: int | None = None, accept: int | None = None) -> None:
        """
        @param connect: the port of 127.0.0.1 to connect to, as TLS client.
        @param accept: the port to listen on, as TLS server.
        """
        words = ["-cert", str(identity.certificate), "-key", str(identity.key), "-quiet"]
        if connect is not None:
            words = ["s_client", "-connect", f"127.0.0.1:{connect}", *words]
        else:
            words = ["s_server", "-accept", f"127.0.0.1:{accept}", "-naccept", "1", "-verify", "1", *words]
        # From libre to there, and from there to libre.
        there, self.sink = os.pipe()
        self.source, back = os.pipe()
        self._process = subprocess.Popen(
            ["openssl", *words], stdin=there, stdout=back, stderr=subprocess.DEVNULL, start_new_session=True
        )
        for each in (there, back):
            os.close(each)

    def end(self) -> None:
        """
        End it.
        """
        self._process.kill()
        self._process.wait(GRACE)
        for each in (self.source, self.sink):
            os.close(each)
