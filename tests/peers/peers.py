"""
Which programs of others the tests talk to, and what happens where one is
missing.

    >>> @needs(CHROMIUM, KAMAILIO)
    ... class Calls(SynchronousTestCase): ...

A class whose peers are not all installed is skipped, with a reason that names
them; where C{CI} is C{true} in the environment it fails instead.  What nobody
can install, because a machine does not allow it, is always skipped.
"""

import os
import shutil
import subprocess
from collections.abc import Callable
from ctypes.util import find_library
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from twisted.trial.unittest import SynchronousTestCase

#: How an environment says that nothing may be missing.
CI = "CI"

#: Where the page that browsers open is, with its bundled script.
PAGE = Path(__file__).resolve().parent / "page"

_TestClass = TypeVar("_TestClass", bound=type[SynchronousTestCase])


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """
    A program, a library or a file that comes from somebody else.

    @ivar name: what people call it.
    @ivar program: the command that it consists of, if it is one.
    @ivar library: the library that it consists of, if it is one, without
        C{lib} and what follows the name.
    @ivar file: the file that it consists of, if it is one.
    @ivar trial: a command that succeeds if the machine allows it, if that takes
        one.
    """

    name: str
    program: str | None = None
    library: str | None = None
    file: Path | None = None
    trial: tuple[str, ...] = ()

    @property
    def allowed(self) -> bool:
        """
        Whether it would work here.
        """
        return not self.trial or subprocess.run(self.trial, capture_output=True, check=False).returncode == 0

    @property
    def installed(self) -> bool:
        """
        Whether it is there.
        """
        if self.file is not None and not self.file.exists():
            return False
        if self.library is not None and find_library(self.library) is None:
            return False
        return self.program is None or shutil.which(self.program) is not None


CHROMIUM = Peer(name="chromium", program="chromium")
FIREFOX = Peer(name="firefox", program="firefox-esr")
JSSIP = Peer(name="jssip", file=PAGE / "bundle.js")
KAMAILIO = Peer(name="kamailio", program="kamailio")
KAMAILIO_TLS = Peer(
    name="kamailio-tls-modules",
    program="kamailio",
    # Debian's folder has the architecture's name.
    file=next(Path("/usr/lib").glob("*/kamailio/modules/tls.so"), Path("/usr/lib/kamailio/modules/tls.so")),
)
BARESIP = Peer(name="baresip", program="baresip")
SIPP = Peer(name="sipp", program="sipp")
MEDIASTREAMER = Peer(name="mediastreamer2", file=Path("/usr/include/mediastreamer2/msrtt4103.h"))
RTPENGINE = Peer(name="rtpengine", program="rtpengine")
TSHARK = Peer(name="tshark", program="tshark")
LIBRE = Peer(name="libre", library="re", file=Path("/usr/include/re/re_bfcp.h"))
GCC = Peer(name="gcc", program="gcc")
SPANDSP = Peer(name="spandsp", library="spandsp")
TIFFCP = Peer(name="tiffcp", program="tiffcp")
OPENSSL = Peer(name="openssl", program="openssl")
DEBOOTSTRAP = Peer(name="debootstrap", program="debootstrap")
DEBHELPER = Peer(name="debhelper", program="dh")
USRSCTP = Peer(name="usrsctp", library="usrsctp")
NETCAT = Peer(name="netcat-openbsd", program="nc")
# Root's, and not every container's.
NAMESPACES = Peer(
    name="namespaces with mounts of their own",
    program="ip",
    trial=(
        *("unshare", "--net", "--mount", "--propagation", "private", "sh", "-ec"),
        "mount -t tmpfs tmpfs /mnt; mkdir /mnt/new /mnt/work; ip link set lo up;"
        " mount -t overlay -o lowerdir=/etc,upperdir=/mnt/new,workdir=/mnt/work overlay /etc",
    ),
)
#: What reasons begin with where a machine does not allow something.
NOT_ALLOWED = "this machine does not allow "


def needs(*peers: Peer) -> Callable[[_TestClass], _TestClass]:
    """
    Decorate a class of tests that talks to these.  The missing ones are in its
    C{missingPeers} from then on.
    """

    def decorate(cls: _TestClass) -> _TestClass:
        missing = tuple(peer.name for peer in peers if not peer.installed)
        barred = () if missing else tuple(peer.name for peer in peers if not peer.allowed)
        cls.missingPeers = missing + barred  # type: ignore[attr-defined]
        if barred:
            cls.skip = NOT_ALLOWED + ", ".join(barred)
        elif missing:
            reason = f"peer not installed: {', '.join(missing)} (make peers)"
            if os.environ.get(CI) == "true":

                def setUp(self: SynchronousTestCase) -> None:
                    self.fail(reason)

                cls.setUp = setUp  # type: ignore[method-assign,assignment]
            else:
                cls.skip = reason
        return cls

    return decorate


__all__ = [
    "BARESIP",
    "CHROMIUM",
    "CI",
    "FIREFOX",
    "GCC",
    "JSSIP",
    "KAMAILIO",
    "KAMAILIO_TLS",
    "LIBRE",
    "MEDIASTREAMER",
    "NAMESPACES",
    "NETCAT",
    "NOT_ALLOWED",
    "OPENSSL",
    "PAGE",
    "RTPENGINE",
    "SIPP",
    "SPANDSP",
    "TIFFCP",
    "TSHARK",
    "USRSCTP",
    "Peer",
    "needs",
]
