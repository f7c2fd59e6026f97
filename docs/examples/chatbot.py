"""
A chat bot in thirty lines: the gateway takes chats of browsers and UEs, and the
bot answers.
"""

from typing import Any

from e2aegw.adapter import msrp
from e2aegw.application import Message, MessageFactory, MessageProtocol, answer
from e2aegw.gateway.service import Gateway, Route


class Bot(MessageProtocol):
    """
    One chat.
    """

    def messageReceived(self, message: Message) -> None:
        """
        Say it louder.
        """
        if message.contentType.startswith("text/plain"):
            words = message.body.decode("utf-8", "replace")
            self.sendMessage("text/plain;charset=utf-8", f"{words.upper()}!".encode())
        else:
            size = len(message.body)
            self.sendMessage("text/plain", f"Thank you for {size} octets of {message.contentType}.".encode())


def makeBot(reactor: Any, sides: Any, **more: Any) -> Gateway:
    """
    A gateway whose core side is the bot.
    """
    return Gateway(reactor, sides, [Route(msrp.Factory(clock=reactor), MessageFactory(Bot))], **more)


async def chat(gateway: Gateway, callID: str, offer: str) -> tuple[Any, str]:
    """
    Take a chat.

    @return: the session, to be closed with BYE, and the answer.
    """
    session = gateway.newSession(callID)
    return session, await answer(session, offer)
