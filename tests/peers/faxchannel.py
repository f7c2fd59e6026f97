"""
A browser's stack, which is aiortc, with a data channel for T.38.
"""

import asyncio
import re
import socket
import threading
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from typing import Any

import aioice.ice
from aiortc import RTCPeerConnection, RTCSessionDescription

#: Seconds that anything may take.
PATIENCE = 20.0


class FaxChannel:
    """
    A channel of which one message is one datagram on a socket of ours.

    @ivar offer: what the stack says.
    @ivar opened: whether the channel is open.
    """

    def __init__(self, attributes: Sequence[str], stream: int = 0, subprotocol: str = "t38") -> None:
        """
        @param attributes: of T.38.
        """
        self.socket, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for each in (self.socket, self._theirs):
            each.setblocking(False)
        self.opened = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        text = self._do(self._begin(stream, subprotocol))
        lines = [f'a=dcmap:{stream} subprotocol="{subprotocol}";label="fax"']
        lines += [f"a=dcsa:{stream} {attribute}" for attribute in attributes]
        self.offer = text + "".join(line + "\r\n" for line in lines)

    def accept(self, sdp: str) -> None:
        """
        Take the gateway's answer.
        """
        # It does not know what these say of a channel.
        text = re.sub(r"a=(dcmap|dcsa|tls-id):.*\r\n", "", sdp)
        self._do(self._connection.setRemoteDescription(RTCSessionDescription(text, "answer")))

    def send(self, data: bytes) -> None:
        """
        Send one message.
        """
        self._loop.call_soon_threadsafe(self._channel.send, data)

    def end(self) -> None:
        """
        End it.
        """
        self._do(self._connection.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self.socket.close()
        self._theirs.close()

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    async def _begin(self, stream: int, subprotocol: str) -> str:
        known, aioice.ice.get_host_addresses = aioice.ice.get_host_addresses, _loopback
        try:
            self._connection = RTCPeerConnection()
            self._channel = self._connection.createDataChannel(
                "fax", negotiated=True, id=stream, protocol=subprotocol
            )
            self._channel.on("open", self._open)
            self._channel.on("message", self._received)
            await self._connection.setLocalDescription(await self._connection.createOffer())
        finally:
            aioice.ice.get_host_addresses = known
        return str(self._connection.localDescription.sdp)

    def _open(self) -> None:
        self.opened = True

    def _received(self, message: bytes) -> None:
        # Nobody reads as slowly as that.
        with suppress(BlockingIOError):
            self._theirs.send(message)


def _loopback(use_ipv4: bool, use_ipv6: bool) -> list[str]:
    return ["127.0.0.1"]
