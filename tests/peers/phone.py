"""
The telephone in a browser's page, as the tests handle it.
"""

import json
from typing import Any, NamedTuple

from tests.peers.browsers import Browser


class Statistics(NamedTuple):
    """
    What a page's connection says of itself.

    @ivar received: RTP packets received.
    @ivar sent: RTP packets sent.
    @ivar lost: RTP packets that did not come.
    @ivar energy: of all audio that was received.
    @ivar dtls: C{"connected"} when it is.
    @ivar role: C{"client"} or C{"server"} in DTLS; empty if the browser does
        not tell.
    @ivar suite: the SRTP profile.
    """

    received: int
    sent: int
    lost: int
    energy: float
    dtls: str
    role: str
    suite: str


class BrowserPhone:
    """
    The page's telephone.  See C{page/phone.js}.

    @ivar uri: its address of record.
    """

    def __init__(self, browser: Browser, webSocketPort: int, uri: str, tone: int) -> None:
        self._browser = browser
        self.uri = uri
        self._do("register", f"ws://127.0.0.1:{webSocketPort}", uri, tone)

    def _do(self, method: str, *arguments: Any) -> Any:
        return self._browser.evaluate(f"phone.{method}({', '.join(map(json.dumps, arguments))})")

    def call(self, uri: str, *headers: str) -> None:
        """
        Call somebody.

        @param headers: more header lines for the INVITE.
        """
        self._do("call", uri, list(headers))

    def hangUp(self) -> None:
        """
        End the call.
        """
        self._do("session.terminate")

    def hold(self) -> None:
        """
        Put the call on hold.
        """
        self._do("session.hold")

    def resume(self) -> None:
        """
        Take the call off hold.
        """
        self._do("session.unhold")

    def state(self) -> str:
        """
        The connection's state: C{"connected"} when media can flow.
        """
        state: str = self._do("state")
        return state

    def log(self) -> list[str]:
        """
        What happened so far.
        """
        log: list[str] = self._browser.evaluate("phone.log")
        return log

    def statistics(self) -> Statistics:
        """
        What the connection says of itself.
        """
        return Statistics(**self._do("statistics"))

    def hears(self) -> tuple[float, float]:
        """
        The loudest frequency heard right now, in hertz, and its level in dB.
        """
        heard = self._do("listen")
        return heard["hertz"], heard["decibels"]

    def remoteDescription(self) -> str:
        """
        The last description that came from the other side.
        """
        sdp: str = self._do("remote")
        return sdp
