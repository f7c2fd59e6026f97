"""
A recorder in thirty lines: the gateway takes calls of protected UEs, and what
they say is in a WAV file.
"""

import struct
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from e2aegw.adapter import srtp
from e2aegw.application import ApplicationFactory, answer
from e2aegw.gateway.service import Gateway, Route
from e2aegw.sansio.rtp import payload
from e2aegw.sansio.sdp import Section

#: A WAV file of mu-law at 8,000 samples a second, but for its two lengths.
_HEADER = struct.Struct("<4sI4s4sIHHIIHH4sI")


class Recorder(Protocol):
    """
    Writes one call's speech.
    """

    def __init__(self, path: Path) -> None:
        self.file = path.open("xb")
        self.file.write(bytes(_HEADER.size))

    def dataReceived(self, data: bytes) -> None:
        """
        A packet of RTP or RTCP.
        """
        if data[1] & 0x7F == 0:  # PCMU, and no RTCP
            self.file.write(payload(data))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The call is over: say how long it was.
        """
        size = self.file.tell() - _HEADER.size
        self.file.seek(0)
        self.file.write(
            _HEADER.pack(b"RIFF", size + 36, b"WAVE", b"fmt ", 16, 7, 1, 8000, 8000, 1, 8, b"data", size)
        )
        self.file.close()


def onlyPCMU(section: Section) -> Sequence[str]:
    """
    What the recorder understands of an offer.
    """
    return [each for each in section.formats if section.media == "audio" and each == "0"]


def makeRecorder(reactor: Any, sides: Any, paths: Iterator[Path], **more: Any) -> Gateway:
    """
    A gateway whose core side is the recorder.

    @param paths: where the next recording goes.
    """
    core = ApplicationFactory("rtp", lambda: Recorder(next(paths)))
    return Gateway(reactor, sides, [Route(srtp.Factory(), core)], **more)


async def record(gateway: Gateway, callID: str, offer: str) -> tuple[Any, str]:
    """
    Take a call.

    @return: the session, to be closed with BYE, and the answer.
    """
    session = gateway.newSession(callID)
    return session, await answer(session, offer, select=onlyPCMU)
