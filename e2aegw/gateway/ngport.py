"""
One address that a SIP proxy sends ng messages to: framing, repetitions and
replies.
"""

import socket
import sys
from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.protocol import DatagramProtocol
from twisted.python.failure import Failure

from e2aegw.errors import RemoteError
from e2aegw.sansio import ng
from e2aegw.sansio.ng import Fields, Message

#: Most bytes of datagrams that the socket holds while we are busy: a burst of
#: a thousand browsers' offers.
RECEIVE_BUFFER = 4 * 1024 * 1024

# linux/in.h, linux/in6.h; the socket module has no names for them.
_IP_MTU_DISCOVER = 10
_IPV6_MTU_DISCOVER = 23
_PMTUDISC_DONT = 0


class Responder(Protocol):
    """
    Who is behind the port.
    """

    def now(self) -> float:
        """
        The time.
        """

    async def respond(self, message: Message) -> Fields:
        """
        Do what a message says, and return the reply.
        """

    def count(self, what: str) -> None:
        """
        Something happened at the port.
        """

    def complain(self, text: str, **values: str) -> None:
        """
        Log what a controller did wrong, but not as often as it does so.
        """

    def failed(self, failure: Failure) -> None:
        """
        A reply could not be made, and that is our mistake.
        """


class NGPort(DatagramProtocol):
    """
    One address that controllers send to.
    """

    def __init__(self, control: Responder) -> None:
        self._control = control
        self._cache = ng.ReplyCache()
        self._sendto: Callable[[bytes, Any], object]

    def startProtocol(self) -> None:
        """
        Let the network cut long replies into pieces: the descriptions of
        browsers are longer than a packet, and controllers expect it.
        """
        transport: Any = self.transport
        handle = transport.getHandle()
        self._sendto = handle.sendto
        handle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        if sys.platform == "linux":
            if handle.family == socket.AF_INET6:
                handle.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _PMTUDISC_DONT)
            else:
                handle.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _PMTUDISC_DONT)

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """
        A request, most likely.
        """
        control = self._control
        try:
            message = ng.parse(datagram)
        except RemoteError as e:
            control.count("ignored")
            control.complain("datagram from {source} ignored: {reason}", source=str(addr[0]), reason=e.reason)
            return
        key = (addr[0], addr[1], message.cookie)
        stored = self._cache.begin(key, control.now())
        if stored is None:
            Deferred.fromCoroutine(self._reply(message, key, addr)).addErrback(control.failed)
            return
        control.count("repeated")
        if isinstance(stored, bytes):
            self._send(stored, addr)

    async def _reply(self, message: Message, key: object, addr: Any) -> None:
        control = self._control
        reply = await control.respond(message)
        data = ng.serialize(message.cookie, message.encoding, reply)
        if len(data) > ng.MAX_REPLY:
            reply = {"result": "error", "error-reason": "The reply is longer than a datagram"}
            data = ng.serialize(message.cookie, message.encoding, reply)
        for _ in range(self._cache.finish(key, data, control.now())):
            self._send(data, addr)

    def _send(self, data: bytes, addr: Any) -> None:
        if self.transport is None:
            # The port was closed while the reply was in the making.
            return
        try:
            # Twisted's write looks at the address three times, to see that it is
            # no name.  This one was heard from.
            self._sendto(data, addr)
        except OSError:
            self._control.count("replies not sent")
