"""
A text bot in thirty lines: the gateway takes calls with real-time text, and
the bot answers each line.
"""

from typing import Any

from twisted.internet.protocol import Protocol

from e2aegw.adapter import text
from e2aegw.application import ApplicationFactory, answer
from e2aegw.gateway.service import Gateway, Route


class Bot(Protocol):
    """
    One conversation.
    """

    transport: Any
    line = ""

    def dataReceived(self, data: bytes) -> None:
        """
        Whole characters of UTF-8, as they are typed.
        """
        for character in data.decode():
            if character == "\b":
                self.line = self.line[:-1]
            elif character not in "\r\n\N{LINE SEPARATOR}":
                self.line += character
            elif self.line:
                self.transport.write(f"{self.line.upper()}!\N{LINE SEPARATOR}".encode())
                self.line = ""


def makeBot(reactor: Any, sides: Any, **more: Any) -> Gateway:
    """
    A gateway whose core side is the bot.
    """
    route = Route(text.Factory(clock=reactor), ApplicationFactory("text", Bot))
    return Gateway(reactor, sides, [route], **more)


async def talk(gateway: Gateway, callID: str, offer: str) -> tuple[Any, str]:
    """
    Take a call.

    @return: the session, to be closed with BYE, and the answer.
    """
    session = gateway.newSession(callID)
    return session, await answer(session, offer)
