"""
A text telephone: mediastreamer2's, which Linphone has.
"""

import subprocess
from pathlib import Path

from tests.peers.deadline import until
from tests.peers.process import Process

_SOURCE = Path(__file__).with_name("textphone.c")
_LIBRARIES = ("-lmediastreamer", "-lortp", "-lbctoolbox")


def build(directory: Path) -> Path:
    """
    Compile it.

    @raise subprocess.CalledProcessError: it cannot be.
    """
    program = directory / "textphone"
    command = ["cc", "-O1", "-w", "-o", str(program), str(_SOURCE), *_LIBRARIES]
    subprocess.run(command, check=True, capture_output=True)
    return program


class TextPhone:
    """
    A running telephone.
    """

    def __init__(self, program: Path, here: int, there: int, plain: int, red: int, text: str) -> None:
        """
        @param here: its port; C{there}: whom it talks to.
        @param plain: the payload type of text; C{red}: that of text with
            redundancy, or 0.
        @param text: what it types when it has heard something.
        """
        self._heard = program.with_name(f"heard-{here}")
        words = [str(each) for each in (program, self._heard, here, there, plain, red)]
        self._process = Process(f"textphone-{here}", [*words, text], program.parent)
        try:
            until(lambda: self._process.alive() and "is ready" in self.output(), "the telephone listens")
        except BaseException:
            self.end()
            raise

    def heard(self) -> str:
        """
        What it heard so far.
        """
        self._process.alive()
        return self._heard.read_text(errors="replace") if self._heard.exists() else ""

    def output(self) -> str:
        """
        What the library said.
        """
        return self._process.output()

    def end(self) -> None:
        """
        End it.
        """
        self._process.end()
