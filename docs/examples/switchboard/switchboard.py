"""
A switchboard: telephones register, those that protect their media call those
that do not, and the gateway inside stands between.

    python switchboard.py --sip 5060 --secured ann --config e2aegw.toml

Without C{--config} the gateway is made of values.  C{--asyncio} runs all of it on
asyncio's event loop.
"""

import sys
from argparse import ArgumentParser, Namespace
from typing import Any

from sipstack import Invite, SIPStack

from e2aegw.adapter import rtp, srtp
from e2aegw.errors import GatewayError
from e2aegw.gateway.config import SideConfig
from e2aegw.gateway.service import Gateway, Route
from e2aegw.sansio.sdp import Side
from e2aegw.sansio.terms import Terms

HOST = "127.0.0.1"


def makeGateway(reactor: Any, config: str | None, firstPort: int) -> Gateway:
    """
    A gateway from a file, or from values.
    """
    if config is not None:
        return Gateway.fromFile(config, reactor)
    sides = {
        side: SideConfig(addresses=((HOST, HOST),), ports=(first, first + 199))
        for side, first in ((Side.ACCESS, firstPort), (Side.CORE, firstPort + 200))
    }
    secured, plain = srtp.Factory(), rtp.Factory()
    return Gateway(reactor, sides, [Route(secured, plain), Route(plain, plain), Route(secured, secured)])


class Switchboard:
    """
    Connects calls.
    """

    def __init__(self, gateway: Gateway, secured: set[str]) -> None:
        """
        @param secured: the users whose telephones protect media.
        """
        self._gateway = gateway
        self._secured = secured

    async def connect(self, invite: Invite) -> None:
        """
        Put the gateway between two telephones.
        """
        near, far = self._terms(invite.caller), self._terms(invite.called)
        side = Side.ACCESS if invite.caller in self._secured else Side.CORE
        session = self._gateway.newSession(invite.callID)
        invite.whenEnded().addBoth(lambda _: session.close())
        try:
            ok = await invite.forward(await session.offer(invite.sdp, side, far))
            invite.accept(await session.answer(ok.sdp, near))
        except GatewayError as e:
            invite.reject(488, str(e))

    def _terms(self, user: str) -> Terms:
        secured = user in self._secured
        return Terms(
            transportProtocol="RTP/SAVP" if secured else "RTP/AVP",
            far=Side.ACCESS if secured else Side.CORE,
        )


def main() -> None:
    """
    Run it.
    """
    parser = ArgumentParser(description="A switchboard with a gateway inside.")
    parser.add_argument("--sip", type=int, default=5060, help="the UDP port for telephones")
    parser.add_argument("--secured", action="append", default=[], help="a user who protects media")
    parser.add_argument("--config", help="the gateway's configuration file")
    parser.add_argument("--ports", type=int, default=30000, help="the first of 400 ports for media")
    parser.add_argument("--asyncio", action="store_true", help="use asyncio's event loop")
    arguments: Namespace = parser.parse_args()
    if arguments.asyncio:
        from twisted.internet import asyncioreactor

        asyncioreactor.install()
    from twisted.internet import reactor
    from twisted.logger import globalLogBeginner, textFileLogObserver

    globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stdout)])
    installed: Any = reactor
    gateway = makeGateway(installed, arguments.config, arguments.ports)
    gateway.startService()
    installed.addSystemEventTrigger("before", "shutdown", gateway.stopService)
    stack = SIPStack(HOST, arguments.sip)
    stack.onInvite(Switchboard(gateway, set(arguments.secured)).connect)
    installed.listenUDP(arguments.sip, stack, interface=HOST)
    installed.run()


if __name__ == "__main__":
    main()
