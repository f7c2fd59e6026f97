"""
The command that operators start, and what it says when their configuration
cannot be used.
"""

import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

LOOPBACK = Path(__file__).parent.parent / "tap-configs" / "loopback.toml"


class RefusedTests(SynchronousTestCase):
    """
    Whatever is wrong is one line that names the key, and exit status 1.
    """

    def refused(self, old: str, new: str) -> str:
        """
        Start with a changed configuration.

        @return: the line.
        """
        text = LOOPBACK.read_text()
        self.assertIn(old, text)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "changed.toml"
            path.write_text(text.replace(old, new, 1).replace(":2223", f":{self.free()}"))
            twistd = Path(sys.executable).with_name("twistd")
            command = [str(twistd), "--nodaemon", "--pidfile=", "e2aegw", "-c", str(path)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=folder)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertEqual(done.stderr.count("\n"), 1)
        return done.stderr

    def free(self) -> int:
        """
        A port that nobody has.
        """
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            return int(probe.getsockname()[1])

    def test_unknownKey(self) -> None:
        """
        A misspelt key is named.
        """
        self.assertIn("prots", self.refused("ports =", "prots ="))

    def test_wrongType(self) -> None:
        """
        So is one with a value of the wrong type.
        """
        self.assertIn("side.access.ports", self.refused('ports = "30000-34999"', "ports = 30000"))

    def test_unknownOption(self) -> None:
        """
        And an option that an adapter does not have.
        """
        self.assertIn("profilse", self.refused("[[route]]", '[adapter.srtp]\nprofilse = ["x"]\n\n[[route]]'))

    def test_unlike(self) -> None:
        """
        Two adapters of different media have nothing to say to each other.
        """
        line = self.refused('core = "rtp"', 'core = "msrp"')
        self.assertIn("route[0]: adapter.srtp is for rtp, and adapter.msrp for msrp", line)

    def test_takenPort(self) -> None:
        """
        A control port that somebody has is found before anything starts.
        """
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            taken.bind(("127.0.0.1", 0))
            port = taken.getsockname()[1]
            self.assertIn("control.ng", self.refused("127.0.0.1:2223", f"127.0.0.1:{port}"))

    def test_noFile(self) -> None:
        """
        A file that is not there is named.
        """
        twistd = Path(sys.executable).with_name("twistd")
        command = [str(twistd), "--nodaemon", "--pidfile=", "e2aegw", "-c", "nowhere.toml"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 1)
        self.assertIn("nowhere.toml", done.stderr)
