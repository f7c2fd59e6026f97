"""
The Debian package, in a bare Debian 12.
"""

import os
import re
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from types import SimpleNamespace

from twisted.trial.unittest import SynchronousTestCase

from tests.page import literal
from tests.peers.machine import LEFT_OUT, Machine
from tests.peers.media import ready
from tests.peers.ng import NG
from tests.peers.peers import DEBHELPER, DEBOOTSTRAP, NAMESPACES, needs
from tests.peers.ports import freePort
from tests.peers.process import Process

ROOT = Path(__file__).resolve().parent.parent.parent
RELEASE = "bookworm"


def run(*command: object, cwd: Path | None = None) -> str:
    """
    Run a command that must succeed.

    @return: what it printed.
    """
    # What there is in this machine's root is not what there is in a bare one.
    environment = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/root",
        "LANG": "C.UTF-8",
        "DEBIAN_FRONTEND": "noninteractive",
    }
    environment |= {name: os.environ[name] for name in os.environ if name.lower().endswith("_proxy")}
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise AssertionError(f"{words} said:\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
    return done.stdout


@needs(DEBOOTSTRAP, DEBHELPER, NAMESPACES)
class PackageTests(SynchronousTestCase):
    """
    Built, installed, started and stopped.
    """

    timeout = 600

    def test_package(self) -> None:
        """
        The package that the source makes installs in a root that has nothing
        but Debian's smallest system; the service's own command answers a
        ping as the service's own user, and stops cleanly.
        """
        made = tempfile.TemporaryDirectory()
        self.addCleanup(made.cleanup)
        folder = Path(made.name)
        folder.chmod(0o755)
        package = self._build(folder)
        root = folder / "root"
        run("debootstrap", "--variant=minbase", RELEASE, root)
        (root / "source" / "dist").mkdir(parents=True)
        shutil.copy(package, root / "source" / "dist")
        sources = Path("/etc/apt/apt.conf.d")
        for each in sources.glob("*proxy*"):
            shutil.copy(each, root / "etc/apt/apt.conf.d")
        # There is nobody to say yes.
        quietly = 'APT::Get::Assume-Yes "true";\nAPT::Install-Recommends "false";\n'
        (root / "etc/apt/apt.conf.d/90test").write_text(quietly)
        run("chroot", root, "sh", "-euc", f"cd /source\n{self.commands()[2]}")
        self.assertIn("e2aegw 0.", run("chroot", root, "e2aegw", "--version"))
        self._serve(root)
        run("chroot", root, "apt-get", "purge", "-qq", "e2aegw")
        self.assertFalse((root / "usr/lib/e2aegw").exists())

    def commands(self) -> list[str]:
        """
        What the README says to type: what to install for building, how to build,
        and how to install the package.
        """
        needed, make, install = literal("README.rst")[1].splitlines()
        return [needed, make, install]

    def _build(self, folder: Path) -> Path:
        needed, make, _ = self.commands()
        # All of it is here: nothing is installed, and what it needs is not fetched.
        (folder / "machine").mkdir()
        Machine(folder / "machine").run(needed)
        source = folder / "source"
        shutil.copytree(ROOT, source, ignore=LEFT_OUT)
        run("sh", "-euc", make, cwd=source)
        [package] = (source / "dist").glob("*.deb")
        return package

    def _serve(self, root: Path) -> None:
        config = root / "etc/e2aegw/gateway.toml"
        port = freePort()
        config.write_text(config.read_text().replace("127.0.0.1:2223", f"127.0.0.1:{port}"))
        unit = (root / "usr/lib/systemd/system/e2aegw.service").read_text()
        [command] = re.findall(r"(?m)^ExecStart=(.*)$", unit)
        user = run("chroot", root, "id", "-u", "e2aegw").strip()
        service = Process(
            "service", ["chroot", f"--userspec={user}:{user}", str(root), *command.split()], root.parent
        )
        self.addCleanup(service.end)
        ready(SimpleNamespace(ngPort=port, alive=service.alive))
        ng = NG(port)
        self.addCleanup(ng.close)
        self.assertEqual(ng.command("ping")["result"], "pong")
        # twistd ends as it was told to, by the same signal, once all is shut.
        self.assertIn(service.end(), (0, -signal.SIGTERM), service.output())
        self.assertIn("Server Shut Down", service.output())
        self.assertNotIn("plugin cache", service.output())

    def test_unit(self) -> None:
        """
        The service may do little, by systemd's own measure.
        """
        unit = ROOT / "debian" / "e2aegw.service"
        said = run("systemd-analyze", "security", "--offline=true", unit)
        [exposure] = re.findall(r"Overall exposure level for e2aegw.service: ([0-9.]+)", said)
        self.assertLess(float(exposure), 2)
