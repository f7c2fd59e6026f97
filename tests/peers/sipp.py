"""
sipp, a telephone that says back what it hears.
"""

from pathlib import Path

from tests.peers.ports import freePort, freeRange
from tests.peers.process import Process

#: What it does as caller and as called party: in both it stays until the other
#: party hangs up.
CALLER = Path(__file__).resolve().parent / "caller.xml"
CALLED = Path(__file__).resolve().parent / "called.xml"


class Sipp:
    """
    A running sipp that does one call and then ends, with exit code 0 if the
    call went as it should.
    """

    def __init__(self, name: str, directory: Path, port: int, arguments: list[str]) -> None:
        # It echoes on two ports: audio and video.
        media = freeRange(4)
        self._process = Process(
            name,
            ["sipp", *arguments, "-i", "127.0.0.1", "-p", str(port)]
            + ["-rtp_echo", "-mi", "127.0.0.1", "-mp", str(media)]
            + ["-m", "1", "-nostdin", "-trace_err", "-error_file", str(directory / f"{name}-errors.log")],
            directory,
        )

    @classmethod
    def called(cls, directory: Path, port: int) -> "Sipp":
        """
        Start one that waits for a call.
        """
        return cls("sipp-called", directory, port, ["-sf", str(CALLED)])

    @classmethod
    def calling(cls, directory: Path, domain: str, user: str) -> "Sipp":
        """
        Start one that calls somebody.
        """
        return cls("sipp-calling", directory, freePort(), ["-sf", str(CALLER), "-s", user, domain])

    def alive(self) -> bool:
        """
        @return: L{True}.

        @raise AssertionError: it has ended.
        """
        return self._process.alive()

    def wait(self) -> int:
        """
        Wait until the call is over.

        @return: the exit code.

        @raise AssertionError: it goes on.
        """
        return self._process.wait()

    def end(self) -> None:
        """
        End it.
        """
        self._process.end()
