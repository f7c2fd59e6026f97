"""
What a datapath needs to know of a leg: data, not code.
"""

from dataclasses import dataclass
from typing import TypeAlias

from e2aegw.sansio.srtp import Context

#: A host, as text, and a port.
Address: TypeAlias = tuple[str, int]

#: The media whose packets may be moved.
RTP, UDPTL = "rtp", "udptl"


@dataclass(frozen=True, slots=True)
class Path:
    """
    Where packets travel.

    @ivar local: our address.
    @ivar remote: where we send.
    @ivar proven: the remote party was heard from that address, so that
        packets from there may be taken without looking twice.
    """

    local: Address
    remote: Address
    proven: bool


@dataclass(frozen=True, slots=True)
class Transform:
    """
    What happens to a packet.

    @ivar inbound: removes protection from what arrives; L{None} if it is
        plain.
    @ivar outbound: protects what is sent; L{None} if it stays plain.
    @ivar medium: L{RTP} or L{UDPTL}, the same on both legs.
    @ivar longest: the most octets of a packet that may be sent, or 0: any.
    """

    inbound: Context | None
    outbound: Context | None
    medium: str = RTP
    longest: int = 0


@dataclass(frozen=True, slots=True)
class Flow:
    """
    One leg, as a datapath sees it.
    """

    path: Path
    transform: Transform
