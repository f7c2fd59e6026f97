"""
An end of a data channel by aiortc, to compare with: C{python -m
bench.aiortcend}.

Orders come line by line on the standard input, each is a JSON array, and for
each there is a line with a JSON object:

  - C{["offer"]} and C{["answer", SDP]}: make a description, the second of an
    offer;
  - C{["take", SDP]}: take the answer, and wait until the channel is open;
  - C{["send", BYTES]}, C{["receive", BYTES]}: do so, and say when it is done.
"""

import asyncio
import json
import sys
from typing import Any

from aiortc import RTCDataChannel, RTCPeerConnection, RTCSessionDescription

#: Octets of a message, as a chunk of MSRP has them, with its head.
MESSAGE = 61640
#: Octets that may wait to be sent.
WAITING = 262144


class End:
    """
    The end.
    """

    def __init__(self) -> None:
        self._connection = RTCPeerConnection()
        self._channel: RTCDataChannel = self._connection.createDataChannel("chat", negotiated=True, id=0)
        self._channel.on("message", self._heard)
        self._channel.bufferedAmountLowThreshold = WAITING // 2
        self._came = asyncio.Event()
        self._received = 0

    def _heard(self, data: bytes) -> None:
        self._received += len(data)
        self._came.set()

    async def _describe(self, description: Any) -> dict[str, Any]:
        await self._connection.setLocalDescription(description)
        return {"sdp": self._connection.localDescription.sdp}

    async def do_offer(self) -> dict[str, Any]:
        """
        Offer.
        """
        return await self._describe(await self._connection.createOffer())

    async def do_answer(self, sdp: str) -> dict[str, Any]:
        """
        Answer.
        """
        await self._connection.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
        return await self._describe(await self._connection.createAnswer())

    async def do_take(self, sdp: str) -> dict[str, Any]:
        """
        Take the answer.
        """
        await self._connection.setRemoteDescription(RTCSessionDescription(sdp, "answer"))
        while self._channel.readyState != "open":
            await asyncio.sleep(0.01)
        return {"open": True}

    async def do_send(self, size: int) -> dict[str, Any]:
        """
        Send.
        """
        low = asyncio.Event()
        self._channel.on("bufferedamountlow", low.set)
        for at in range(0, size, MESSAGE):
            while self._channel.bufferedAmount > WAITING:
                low.clear()
                await low.wait()
            self._channel.send(bytes(min(MESSAGE, size - at)))
        while self._channel.bufferedAmount:
            await asyncio.sleep(0.01)
        return {"sent": size}

    async def do_receive(self, size: int) -> dict[str, Any]:
        """
        Receive.
        """
        while self._received < size:
            self._came.clear()
            await self._came.wait()
        self._received -= size
        return {"received": size}


async def main() -> None:
    """
    Do what is asked.
    """
    loop = asyncio.get_running_loop()
    end = End()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        name, *arguments = json.loads(line)
        print(json.dumps(await getattr(end, "do_" + name)(*arguments)), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
