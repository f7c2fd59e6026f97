"""
The configurations that come with the gateway.
"""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from e2aegw.gateway import config

FOLDER = Path(__file__).parent.parent / "tap-configs"


class TapConfigTests(SynchronousTestCase):
    """
    Every file in C{tap-configs} is an example that works.
    """

    def test_load(self) -> None:
        """
        Every one can be loaded.
        """
        for path in FOLDER.iterdir():
            self.assertIsInstance(config.load(path), config.Config, path.name)

    def test_names(self) -> None:
        """
        Those that the manual and the Makefile speak of are there.
        """
        names = {path.stem for path in FOLDER.glob("*.toml")}
        self.assertLessEqual({"demo", "gateway", "loopback"}, names)
