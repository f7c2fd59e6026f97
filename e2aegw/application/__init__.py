"""
An application as one side of calls: its protocols get media, with no network
in between.

An application that embeds the gateway gives a route an L{ApplicationFactory}
for its core side.  What a UE says then arrives at a Twisted protocol of the
application, one for each media line, and what that writes the UE hears::

    class Recorder(Protocol):
        def dataReceived(self, data: bytes) -> None:
            ...  # an RTP packet

    routes = [Route(srtp.Factory(), ApplicationFactory("rtp", Recorder))]
    gateway = Gateway(reactor, sides, routes)
    session = gateway.newSession("a call")
    answerToTheUE = await answer(session, offerOfTheUE)
"""

from e2aegw.application.adapter import ApplicationFactory
from e2aegw.application.answer import answer
from e2aegw.application.messages import Message, MessageFactory, MessageProtocol

__all__ = ["ApplicationFactory", "Message", "MessageFactory", "MessageProtocol", "answer"]
