"""
The C{a=candidate} lines of a description (RFC 8839 clause 5.1).

    >>> str(candidates("192.0.2.1", 30000, 1))
    'a=candidate:2661098757 1 udp 2130706431 192.0.2.1 30000 typ host'
    >>> parseCandidate("1 1 UDP 2130706431 198.51.100.7 5004 typ host").address
    '198.51.100.7'
"""

import ipaddress
import zlib
from typing import NamedTuple

from e2aegw.sansio.sdp import Line

#: RFC 8445 clause 5.1.2.2 recommends this type preference for host candidates.
HOST_PREFERENCE = 126
#: RFC 8445 clause 5.1.2.1 says so for an agent with a single address, and a
#: transport has one.
LOCAL_PREFERENCE = 65535
#: RFC 8839 clause 5.1: a component is a number from 1 to this.
MAX_COMPONENT = 256


class Candidate(NamedTuple):
    """
    A transport address that a remote party may be reached at.

    @ivar component: 1 for RTP, 2 for RTCP.
    @ivar transport: always C{"udp"}.
    @ivar address: an IPv4 or IPv6 address in its shortest form.
    @ivar port: the port.
    @ivar type: C{"host"}, C{"srflx"}, C{"prflx"}, C{"relay"} or what an
        extension calls it.
    """

    component: int
    transport: str
    address: str
    port: int
    type: str


def candidates(address: str, port: int, component: int) -> Line:
    """
    The line of the one host candidate that a component of ours has.

    @param address: an IPv4 or IPv6 address.
    @param port: the port.
    @param component: 1 for RTP and whatever is multiplexed with it, 2 for
        RTCP.
    """
    # RFC 8445 clause 5.1.1.3: the same foundation for the same type, address
    # and transport, and a different one otherwise.
    foundation = zlib.crc32(b"host udp " + address.encode())
    priority = HOST_PREFERENCE << 24 | LOCAL_PREFERENCE << 8 | 256 - component
    return Line("candidate", f"{foundation} {component} udp {priority} {address} {port} typ host")


def parseCandidate(value: str) -> Candidate | None:
    """
    Read the value of an attribute.

    @return: the candidate, or L{None} if it is malformed or of no use here:
        TCP, a host name (which is how browsers hide their addresses), port
        zero.  RFC 8839 clause 5.1 wants what is not understood ignored, so
        nothing is refused.
    """
    words = value.split()
    if len(words) < 8 or words[6] != "typ" or words[2].lower() != "udp":
        return None
    component, port = _number(words[1]), _number(words[5])
    if not (1 <= component <= MAX_COMPONENT and 1 <= port <= 65535):
        return None
    try:
        address = ipaddress.ip_address(words[4])
    except ValueError:
        return None
    if "%" in words[4]:
        # A scope means something on the remote party's machine alone.
        return None
    return Candidate(component, "udp", str(address), port, words[7])


def _number(word: str) -> int:
    return int(word) if word.isascii() and word.isdigit() and len(word) <= 5 else 0
