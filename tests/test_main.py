"""
The command C{e2aegw}.
"""

from contextlib import redirect_stdout
from importlib.metadata import entry_points, version
from io import StringIO

from twisted.trial.unittest import SynchronousTestCase


class CommandTests(SynchronousTestCase):
    """
    The command, found where the shell finds it.
    """

    def said(self, *arguments: str) -> str:
        """
        What it prints.
        """
        (command,) = entry_points(group="console_scripts", name="e2aegw")
        with redirect_stdout(StringIO()) as out:
            try:
                command.load()(arguments)
            except SystemExit as end:
                self.assertFalse(end.code)
        return out.getvalue()

    def test_version(self) -> None:
        """
        It knows its version, which stands in one place.
        """
        self.assertEqual(self.said("--version"), f"e2aegw {version('e2aegw')}\n")

    def test_help(self) -> None:
        """
        Without arguments it says how to start the gateway.
        """
        self.assertIn("twistd -n e2aegw -c FILE", self.said())
