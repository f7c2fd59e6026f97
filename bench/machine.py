"""
What the figures were taken with.
"""

import os
import platform
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from OpenSSL import SSL


def processor() -> str:
    """
    The processor, as it calls itself.
    """
    match = re.search(r"^model name\s*:\s*(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    name = match[1].strip() if match else platform.machine()
    count = os.cpu_count() or 1
    kind = "virtual " if "hypervisor" in Path("/proc/cpuinfo").read_text() else ""
    return f"{count} {kind}core{'s' if count > 1 else ''} of {name}"


def memory() -> str:
    """
    How much memory there is.
    """
    match = re.search(r"^MemTotal:\s+(\d+) kB", Path("/proc/meminfo").read_text(), re.MULTILINE)
    return f"{int(match[1]) / 2**20:.0f} GB" if match else "unknown"


def system() -> str:
    """
    The operating system and its kernel.
    """
    name = platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    return f"{name}, Linux {'.'.join(platform.release().split('.')[:2])}"


def versions() -> str:
    """
    What the gateway consists of.
    """
    packages = ("e2aegw", "twisted", "pyopenssl", "cryptography", "pylibsrtp")
    openssl = SSL.SSLeay_version(SSL.SSLEAY_VERSION).decode().split()[1]
    return ", ".join(
        [
            f"{platform.python_implementation()} {platform.python_version()}, {_origin()}",
            *(f"{name} {version(name)}" for name in packages),
            f"OpenSSL {openssl}",
        ]
    )


def _origin() -> str:
    """
    Whose build the interpreter is: one that was built without looking at what
    it does most is slower.
    """
    return "as the distribution has it" if sys.base_prefix == "/usr" else "built apart"


def rtpengine() -> str:
    """
    The version of the rtpengine that is installed.
    """
    done = subprocess.run(["rtpengine", "--version"], capture_output=True, text=True)
    match = re.search(r"[Vv]ersion:? *(\S+)", done.stdout + done.stderr)
    return match[1] if match else "unknown"


def others() -> float:
    """
    How many processes wanted a core in the last minute, on average.
    """
    return os.getloadavg()[0]
