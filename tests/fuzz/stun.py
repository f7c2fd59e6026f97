"""
The fuzz target for the ICE agent.
"""

from contextlib import suppress

from aioice import stun as codec

from e2aegw.errors import RemoteError
from e2aegw.sansio.ice import Agent

_SOURCE = ("192.0.2.1", 5004)

#: A check that has a stranger's name, and what a message may consist of.
SEEDS = (
    b"\x00\x01\x00\x14\x21\x12\xa4\x42transaction!\x00\x06\x00\x05a:bcd\x00\x00\x00\x00\x24\x00\x04\x00\x00\x00\x01",
    b"\x00\x24\x00\x04\x6e\x00\x01\xff\x80\x2a\x00\x08tiebreak\x00\x25\x00\x00",
    b"\x00\x20\x00\x08\x00\x01\x00\x00\x00\x00\x00\x00\x00\x09\x00\x04\x00\x00\x04\x03\x80\x29\x00\x08tiebreak",
)


def stun(data: bytes) -> None:
    """
    Give an agent anything at all, then the same as the attributes of a message
    that is authentic up to its end, as each class of message.
    """
    agent = Agent(consent=True)
    agent.setRemote("abcd", "x" * 22)
    _give(agent, data)
    username = codec.Message(
        codec.Method.BINDING, codec.Class.REQUEST, bytes(12), {"USERNAME": agent.ufrag + ":abcd"}
    )
    body = data[: len(data) & ~3][:1200]
    for kind in (0x0001, 0x0011, 0x0101, 0x0111):
        message = kind.to_bytes(2, "big") + bytes(username)[2:] + body
        message += b"\x00\x08\x00\x14" + codec.message_integrity(message, agent.pwd.encode())
        message += b"\x80\x28\x00\x04" + codec.message_fingerprint(message).to_bytes(4, "big")
        _give(agent, codec.set_body_length(message, len(message) - codec.HEADER_LENGTH))
    agent.timeout(100.0)


def _give(agent: Agent, data: bytes) -> None:
    with suppress(RemoteError):
        agent.receive(data, 1, _SOURCE, 0.0)
    while datagram := agent.nextDatagram():
        codec.parse_message(datagram[0])
    while agent.nextEvent():
        continue
