"""
What a datapath needs to know of a leg: data, not code.
"""

from dataclasses import dataclass
from typing import TypeAlias

from e2aegw.sansio.srtp import Context

#: A host, as text, and a port.
Address: TypeAlias = tuple[str, int]


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
    What happens to an RTP packet.

    @ivar inbound: removes protection from what arrives; L{None} if it is
        plain.
    @ivar outbound: protects what is sent; L{None} if it stays plain.
    """

    inbound: Context | None
    outbound: Context | None


@dataclass(frozen=True, slots=True)
class Flow:
    """
    One leg, as a datapath sees it.
    """

    path: Path
    transform: Transform
