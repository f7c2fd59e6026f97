"""
baresip, a telephone that knows plain RTP only.
"""

import json
import socket
from pathlib import Path
from typing import Any

from tests.peers.deadline import until
from tests.peers.ports import HIGHEST, LOWEST, freePort
from tests.peers.process import Process
from tests.peers.sound import Sound, listen

#: Its ringing tones and the like, from Debian's package.
SHARED = "/usr/share/baresip"
#: The tone that it sends unless told otherwise, in hertz.
TONE = 880
#: Its names for ways to protect media: SDES, and DTLS-SRTP.
SDES, DTLS = "srtp-mand", "dtls_srtp"

_CONFIG = """\
poll_method epoll
sip_listen 127.0.0.1:{sip}
call_local_timeout 120
call_max_calls 4
audio_path {shared}
snd_path {recordings}
audio_source ausine,{tone}
ausrc_srate 48000
auplay_srate 8000
ausrc_channels 2
auplay_channels 1
audio_txmode poll
audio_level no
ausrc_format s16
auplay_format s16
auenc_format s16
audec_format s16
rtp_ports {firstPort}-{lastPort}
rtcp_mux no
jitter_buffer_delay 5-10
rtp_stats yes
net_interface 127.0.0.1
module_path /usr/lib/baresip/modules
module g711.so
module sndfile.so
module srtp.so
module dtls_srtp.so
module ausine.so
module_tmp uuid.so
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen 127.0.0.1:{control}
"""


class Baresip:
    """
    A running baresip that sends a tone and answers every call.

    @ivar uri: its address of record.
    @ivar events: what it told of, newest last.
    """

    def __init__(
        self,
        directory: Path,
        domain: str,
        user: str,
        tone: int = TONE,
        protection: str = "",
        account: str | None = None,
    ) -> None:
        """
        @param directory: where its files go.
        @param domain: where its registrar is.
        @param user: what it is called there.
        @param tone: what it sends, in hertz.
        @param protection: L{SDES}, L{DTLS}, or nothing for plain RTP.
        @param account: its line in C{accounts}, if it is not made of these.
        """
        directory.mkdir(exist_ok=True)
        self.uri = f"sip:{user}@{domain}"
        self._recordings = directory / "recordings"
        self._recordings.mkdir()
        self.events: list[dict[str, Any]] = []
        home = directory / "baresip"
        home.mkdir()
        control = freePort()
        (home / "config").write_text(
            _CONFIG.format(
                sip=freePort(),
                shared=SHARED,
                recordings=self._recordings,
                tone=tone,
                # It tries some at random until two are free.
                firstPort=LOWEST,
                lastPort=HIGHEST,
                control=control,
            )
        )
        (home / "contacts").write_text("")
        (home / "accounts").write_text(
            account
            or f"<{self.uri};transport=udp>;auth_pass=unused;regint=600;answermode=auto"
            ";audio_codecs=pcma,pcmu"
            + (f";mediaenc={protection}" if protection else "")
            + "\n"
        )
        self._control: socket.socket | None = None
        self._unread = b""
        self._process = Process("baresip", ["baresip", "-f", str(home), "-4"], directory)
        try:
            until(lambda: self._process.alive() and self._connect(control), "baresip takes commands")
            until(lambda: "200 OK" in self._process.output(), "baresip is registered")
        except BaseException:
            self.end()
            raise

    def _connect(self, port: int) -> bool:
        try:
            self._control = socket.create_connection(("127.0.0.1", port), 1)
        except OSError:
            return False  # not yet
        self._control.setblocking(False)
        return True

    def _read(self) -> None:
        assert self._control is not None
        try:
            while data := self._control.recv(65536):
                self._unread += data
        except BlockingIOError:
            # All there is; netstrings of JSON are in it.
            while (colon := self._unread.find(b":")) > 0:
                end = colon + 1 + int(self._unread[:colon])
                if len(self._unread) <= end:
                    break
                self.events.append(json.loads(self._unread[colon + 1 : end]))
                self._unread = self._unread[end + 1 :]

    def _command(self, command: str, parameters: str = "") -> None:
        assert self._control is not None
        message = json.dumps({"command": command, "params": parameters}).encode()
        self._control.sendall(b"%d:%s," % (len(message), message))

    def happened(self, kind: str) -> int:
        """
        How often something happened: C{"CALL_ESTABLISHED"}, C{"CALL_CLOSED"},
        ...
        """
        self._read()
        return sum(event.get("type") == kind for event in self.events)

    def call(self, uri: str) -> None:
        """
        Call somebody.
        """
        self._command("dial", uri)

    def hangUp(self) -> None:
        """
        End the call.
        """
        self._command("hangup")

    def hold(self) -> None:
        """
        Put the call on hold.
        """
        self._command("hold")

    def resume(self) -> None:
        """
        Take the call off hold.
        """
        self._command("resume")

    def heard(self) -> Sound:
        """
        What it heard last, once that is over.
        """
        recordings = sorted(self._recordings.glob("*-dec.wav"), key=lambda file: file.stat().st_mtime)
        return listen(recordings[-1])

    def recorded(self) -> int:
        """
        How many octets it has heard and written down.
        """
        return sum(file.stat().st_size for file in self._recordings.glob("*-dec.wav"))

    def output(self) -> str:
        """
        What it said so far.
        """
        return self._process.output()

    def end(self) -> None:
        """
        End it.
        """
        if self._control is not None:
            self._control.close()
        self._process.end()
