"""
A gateway inside a Twisted application: no controller, no ports but media's.

C{sip} stands for the application's SIP stack.  What is needed of it is a way
to be told of INVITEs, to send one on, and to answer or refuse one.
"""

from typing import Any

from twisted.application.service import IServiceCollection

from e2aegw.errors import GatewayError
from e2aegw.gateway.service import Gateway
from e2aegw.sansio.sdp import Side


def embed(application: IServiceCollection, sip: Any, config: str = "e2aegw.toml") -> Gateway:
    """
    Put a gateway between the access side, where C{sip} hears from, and the
    core side, where it forwards to.
    """
    gateway = Gateway.fromFile(config)
    gateway.setServiceParent(application)  # type: ignore[no-untyped-call]

    @sip.onInvite  # type: ignore[untyped-decorator]
    async def relay(invite: Any) -> None:
        session = gateway.newSession(invite.callID)
        invite.whenEnded().addBoth(lambda _: session.close())
        try:
            ok = await invite.forward(await session.offer(invite.sdp, Side.ACCESS))
            invite.accept(await session.answer(ok.sdp))
        except GatewayError as e:
            invite.reject(488, str(e))

    return gateway
