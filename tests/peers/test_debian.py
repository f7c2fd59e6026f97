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

from tests.peers.media import ready
from tests.peers.ng import NG
from tests.peers.peers import DEBHELPER, DEBOOTSTRAP, needs
from tests.peers.ports import freePort
from tests.peers.process import Process

ROOT = Path(__file__).resolve().parent.parent.parent
RELEASE = "bookworm"
#: What a package is not made of.
LEFT_OUT = shutil.ignore_patterns(
    ".*", "_*temp*", "__pycache__", "*.egg-info", "_build", "node_modules", "dist", "build"
)


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


@needs(DEBOOTSTRAP, DEBHELPER)
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
        shutil.copy(package, root / "tmp")
        sources = Path("/etc/apt/apt.conf.d")
        for each in sources.glob("*proxy*"):
            shutil.copy(each, root / "etc/apt/apt.conf.d")
        run("chroot", root, "apt-get", "install", "-qq", "--no-install-recommends", f"/tmp/{package.name}")
        self.assertIn("e2aegw 0.", run("chroot", root, "e2aegw", "--version"))
        self._serve(root)
        run("chroot", root, "apt-get", "purge", "-qq", "e2aegw")
        self.assertFalse((root / "usr/lib/e2aegw").exists())

    def _build(self, folder: Path) -> Path:
        source = folder / "source"
        shutil.copytree(ROOT, source, ignore=LEFT_OUT)
        run("make", "deb", cwd=source)
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
