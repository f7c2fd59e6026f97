"""
What gets installed, from a wheel and from the source itself.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from zipfile import ZipFile

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).parent.parent

#: What the tests' copy of the source can do without.
LEFT_OUT = shutil.ignore_patterns(
    ".*", "_*temp*", "__pycache__", "*.egg-info", "build", "dist", "docs", "dropin.cache", "tests"
)

TWISTD = "from twisted.scripts.twistd import run; run()"


def run(*command: object, cwd: Path) -> str:
    """
    Run a command that must succeed.

    @return: what it printed.
    """
    # trial's workers have a path that leads to the copy that runs this test.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise AssertionError(f"{command} said:\n{done.stdout}{done.stderr}")
    return done.stdout


class InstallTests(SynchronousTestCase):
    """
    Each test works on a copy of the source.  What it installs into is a fresh
    environment that sees what is installed here, so nothing is downloaded.
    """

    def setUp(self) -> None:
        """
        Copy the source and make the environment.
        """
        self.folder = Path(self.mktemp()).absolute()
        self.source = self.folder / "source"
        shutil.copytree(ROOT, self.source, ignore=LEFT_OUT)
        environment = self.folder / "environment"
        run(sys.executable, "-m", "venv", "--without-pip", environment, cwd=self.folder)
        self.python = environment / "bin" / "python"
        # A .pth file in a folder that another one names is not read: the copy
        # that runs this test stays out of sight.
        (packages,) = environment.glob("lib/python*/site-packages")
        (packages / "here.pth").write_text(sysconfig.get_path("purelib"))

    def install(self, *what: object) -> None:
        """
        Install into the environment.
        """
        options = ["--quiet", "--no-index", "--no-deps", "--no-build-isolation", "--ignore-installed"]
        run(sys.executable, "-m", "pip", "--python", self.python, "install", *options, *what, cwd=self.folder)

    def assertInstalled(self, home: Path) -> None:
        """
        Twistd knows the gateway, and it is the one below C{home}.
        """
        self.assertIn("e2aegw", run(self.python, "-c", TWISTD, "--help", cwd=self.folder))
        module = run(self.python, "-c", "import e2aegw; print(e2aegw.__file__)", cwd=self.folder)
        self.assertIn(home, Path(module).parents)
        self.assertIn("--config", run(self.python, "-c", TWISTD, "e2aegw", "--help", cwd=self.folder))
        version = run(sys.executable, "setup.py", "--version", cwd=self.source).strip()
        self.assertEqual(
            run(self.python, "-m", "e2aegw", "--version", cwd=self.folder), f"e2aegw {version}\n"
        )

    def test_wheel(self) -> None:
        """
        A wheel that was built from the source archive holds every file of the
        package, and twistd finds the gateway in it.
        """
        run(sys.executable, "-m", "build", "--no-isolation", cwd=self.source)
        (wheel,) = self.source.glob("dist/*.whl")
        package = self.source / "e2aegw"
        files = {str(path.relative_to(self.source)) for path in package.rglob("*") if path.is_file()}
        self.assertEqual(files - set(ZipFile(wheel).namelist()), set())
        self.install(wheel)
        self.assertInstalled(self.folder / "environment")

    def test_editable(self) -> None:
        """
        Twistd finds the gateway in an editable install, too.
        """
        self.install("--editable", self.source)
        self.assertInstalled(self.source)
