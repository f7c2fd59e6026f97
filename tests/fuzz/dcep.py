"""
The fuzz target for the messages that open data channels.
"""

import contextlib

from e2aegw.errors import RemoteError
from e2aegw.sansio.dcep import ACK, Open, parse

#: Good messages.
SEEDS = (
    ACK,
    Open(label="chat", protocol="msrp").encode(),
    Open(label="näme", ordered=False, maxLifetime=500).encode(),
    Open(protocol="t140", maxRetransmits=3).encode(),
)


def dcep(data: bytes) -> None:
    """
    Read a message.  What was read can be written again.
    """
    with contextlib.suppress(RemoteError):
        message = parse(data)
        if message is not None:
            assert parse(message.encode()) == message
