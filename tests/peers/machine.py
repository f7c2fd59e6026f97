"""
This machine, but for what is done to it: there commands of the manual are run as
they stand, with their ports, their addresses and their paths.
"""

import ctypes
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from functools import cached_property
from importlib.metadata import entry_points
from pathlib import Path

from tests.peers.process import GRACE, Process

ROOT = Path(__file__).resolve().parent.parent.parent
#: What a clone of the source does not have.
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", "_*temp*", "__pycache__", "*.egg-info", "_build", "node_modules", "dist", "build"
)
#: What the manual's files hold that are not of the system.
SYSTEM = ("/etc", "/run", "/var")
#: Copies of a system's folders, for whoever runs what follows.
_LAYERS = """
mount --bind "$3" /opt
mount -t tmpfs tmpfs "$1"
for folder in {system}; do
    mkdir -p "$1/new$folder" "$1/work$folder"
    mount -t overlay -o "lowerdir=$folder,upperdir=$1/new$folder,workdir=$1/work$folder" overlay "$folder"
done
cd "$2"
exec bash -eu -o pipefail -c "$4"
"""
#: As in C{sched.h}.
_CLONE_NEWNET = 0x40000000
#: What packages are fetched with: nothing is, because all that is needed is here.
_PIP = {
    "PIP_NO_INDEX": "1",
    # In pip's words: no isolation.
    "PIP_NO_BUILD_ISOLATION": "0",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_ROOT_USER_ACTION": "ignore",
}


def script(block: str) -> str:
    """
    What somebody types who follows a block: what stands behind the prompts, or all
    of it, if there are none.
    """
    if not re.search(r"(?m)^\$ ", block):
        return block
    return "".join(
        f"{line[2:] if line.startswith('$ ') else line}\n" for line in block.replace("\\\n", "").splitlines()
    )


class Network:
    """
    A network with a loopback interface and nothing else, so that every port and
    every address is free.  From here to L{end} the calling thread is in it, with the
    sockets that it makes and the programs that it starts.
    """

    def __init__(self, *addresses: str) -> None:
        """
        @param addresses: of this machine, beside 127.0.0.1.
        """
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        self._check(self._libc.unshare(_CLONE_NEWNET))
        try:
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
            for address in addresses:
                self.add(address)
        except BaseException:
            self.end()
            raise

    def add(self, address: str) -> None:
        """
        Have one address more; the same one may be added again.
        """
        # One of IPv6 can be bound at once.
        more = ["nodad"] if ":" in address else []
        subprocess.run(["ip", "address", "replace", address, "dev", "lo", *more], check=True)

    def end(self) -> None:
        """
        Go back.  The network is there until the last program in it has ended.
        """
        self._check(self._libc.setns(self._before, _CLONE_NEWNET))
        os.close(self._before)

    def _check(self, result: int) -> None:
        if result:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


class Machine:
    """
    Where commands run: C{/etc}, C{/run} and C{/var} are copies, and so is the source; the
    home is empty.  C{/opt} is empty, too, and what is put there stays for the next
    command.  C{python}, C{pip} and C{twistd} are those of a virtual environment with
    the gateway, and nothing is fetched.  Where nothing is installed, they are the
    system's, and pip fetches what it needs.

    @ivar source: the copy of the source.
    @ivar home: the home.
    """

    def __init__(self, directory: Path, *, installed: bool = True) -> None:
        """
        @param directory: where all of this goes.
        @param installed: whether the gateway is.
        """
        self._directory = directory
        self._installed = installed
        self.home = directory / "home"
        self.home.mkdir()
        for name in ("layers", "opt"):
            (directory / name).mkdir()
        (directory / "apt.conf").write_text('APT::Get::Assume-Yes "true";\n')

    @cached_property
    def source(self) -> Path:
        """
        See above.  C{make .venv} has been there.
        """
        copied = self._directory / "source"
        shutil.copytree(ROOT, copied, ignore=LEFT_OUT, symlinks=True)
        (copied / ".venv").mkdir()
        (copied / ".venv" / "bin").symlink_to(Path(sys.prefix) / "bin")
        (copied / ".venv" / "made").touch()
        return copied

    @cached_property
    def environment(self) -> Path:
        """
        The virtual environment.
        """
        made = self._directory / "environment"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(made)], check=True)
        (packages,) = made.glob("lib/python*/site-packages")
        # A .pth file in a folder that another one names is not read: what is
        # installed here is seen, and what is linked from there is not.
        (packages / "here.pth").write_text(f"{sysconfig.get_path('purelib')}\n{self.source}\n")
        for point in entry_points(group="console_scripts"):
            if point.name not in ("e2aegw", "pip", "twistd", "trial"):
                continue
            program = made / "bin" / point.name
            program.write_text(
                f"#!{made}/bin/python\nimport sys\nfrom {point.module} import {point.attr}\n"
                f"sys.exit({point.attr}())\n"
            )
            program.chmod(0o755)
        return made

    def start(self, name: str, block: str, folder: Path | None = None) -> Process:
        """
        Begin to type what a block says, into a shell that ends at the first failure.

        @param name: what failures call it.
        @param folder: where; in the source, if it is not said.
        """
        folder = self.source if folder is None else folder
        programs = self.environment if self._installed else sys.base_prefix
        layers = _LAYERS.format(system=" ".join(SYSTEM))
        words = [
            "bash",
            "-eu",
            "-c",
            layers,
            "bash",
            str(self._directory / "layers"),
            str(folder),
            str(self._directory / "opt"),
        ]
        return Process(
            name,
            ["unshare", "--mount", "--propagation", "private", *words, script(block)],
            self._directory,
            environment={
                "HOME": str(self.home),
                "PATH": f"{programs}/bin:{os.environ['PATH']}",
                "PYTHONPATH": "",
                "APT_CONFIG": str(self._directory / "apt.conf"),
                "DEBIAN_FRONTEND": "noninteractive",
                "LC_ALL": "C.UTF-8",
                **(_PIP if self._installed else {}),
            },
        )

    def run(self, block: str, folder: Path | None = None, seconds: float = 6 * GRACE) -> str:
        """
        The same, to the end.

        @return: what was said.

        @raise AssertionError: it did not end well.
        """
        process = self.start("block", block, folder)
        try:
            code = process.wait(seconds)
        finally:
            process.end()
        if code:
            raise AssertionError(f"{block}\nended with {code}:\n{process.output()[-4000:]}")
        return process.output()
