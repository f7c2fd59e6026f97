"""
The address that a side finds by itself.
"""

import socket
from ipaddress import ip_address
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from e2aegw.gateway.config import load, outward
from e2aegw.sansio.sdp import Side

_FILE = """\
[side.access]
address = "auto"
ports = "20000-20099"
[side.core]
address = "127.0.0.1"
ports = "20100-20199"
[[route]]
access = "srtp"
core = "rtp"
"""


class AutoTests(SynchronousTestCase):
    """
    C{address = "auto"}.
    """

    def test_ours(self) -> None:
        """
        It is an address that this machine can bind to and others can send to.
        """
        path = Path(self.mktemp())
        path.write_text(_FILE)
        ((host, said),) = load(path).sides[Side.ACCESS].addresses
        self.assertEqual(host, said)
        self.assertFalse(ip_address(host).is_unspecified)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((host, 0))

    def test_noWay(self) -> None:
        """
        Without a way to the world it is the loopback address.
        """
        # Nobody may send to all without asking to: the same error as from a
        # machine without a network, as far as the probe can tell.
        self.assertEqual(outward(("255.255.255.255", 9)), "127.0.0.1")
