"""
Sends the corpus to a media gateway.
"""

from typing import Any, NamedTuple

from tests.peers.messages import Call, Message, fill
from tests.peers.ng import NG


class Exchange(NamedTuple):
    """
    A message and its reply.

    @ivar name: the call's and the message's.
    @ivar message: the message.
    @ivar reply: the reply.
    """

    name: str
    message: Message
    reply: dict[str, Any]


def play(client: NG, call: Call) -> list[Exchange]:
    """
    Do a call, and end it.
    """
    exchanges: list[Exchange] = []
    last = ""
    for number, message in enumerate(call.messages, 1):
        keys: dict[str, Any] = {"command": message.command, "call-id": call.name, **message.keys}
        if message.sdp is not None:
            keys["sdp"] = fill(message.sdp, last)
        keys.update(zip(("from-tag", "to-tag"), message.tags, strict=False))
        reply = client.request(keys)
        last = reply.get("sdp", last)
        exchanges.append(Exchange(f"{call.name}, {number}: {message.command}", message, reply))
    client.command("delete", call_id=call.name, from_tag="ann")
    return exchanges
