"""
What calls leave behind.

A call is large and lives long, so Python's collector, which looks at what is
old the least often, would find it late: thousands of calls later.  It must not
be needed.
"""

import gc
import weakref
from collections.abc import Callable
from typing import Any

from e2aegw.gateway.session import Session
from e2aegw.sansio.sdp import Side
from tests.gateway.fixture import GatewayTestCase
from tests.gateway.telephones import CallTestCase
from tests.gateway.test_session_dtls import TO_CORE, BrowserTestCase, BundleTestCase


def _watch(session: Session) -> list[Callable[[], Any]]:
    """
    What tells of each part of a call whether it still exists.
    """
    parts: list[Any] = [session]
    for stream in session.streams:
        if stream.pipeline is not None:
            parts.append(stream.pipeline)
            for leg in stream.pipeline.legs:
                parts += leg.adapter, leg.transport
    return [weakref.ref(part) for part in parts]


class _WithoutCollector(GatewayTestCase):
    """
    The collector stands still.
    """

    def setUp(self) -> None:
        """
        Stop it.
        """
        super().setUp()
        gc.disable()
        self.addCleanup(gc.enable)

    def assertGone(self, parts: list[Callable[[], Any]]) -> None:
        """
        None of them exists any more.
        """
        self.assertEqual([part() for part in parts], [None] * len(parts))


class SDESTests(CallTestCase, _WithoutCollector):
    """
    Calls of SDES terminals.
    """

    def test_endedCallIsGone(self) -> None:
        """
        Of a call that is over there is nothing left.
        """
        self.call()
        self.assertMedia()
        parts = _watch(self.session)
        self.session.close()
        del self.session
        self.assertGone(parts)

    def test_rejectedLineIsGone(self) -> None:
        """
        Of a line that is rejected later there is nothing left, while the call
        goes on.
        """
        self.call()
        parts = _watch(self.session)[1:]
        self.result(self.session.offer(self.ue.offer() + "a=ptime:40\r\n"))
        self.result(self.session.answer(self.phone.session() + "m=audio 0 RTP/AVP 0\r\n"))
        self.assertGone(parts)


class BrowserTests(BrowserTestCase, _WithoutCollector):
    """
    Calls of browsers.
    """

    def test_endedCallIsGone(self) -> None:
        """
        Of a call with ICE and DTLS there is nothing left, either.
        """
        self.call()
        self.connect()
        self.assertMedia()
        parts = _watch(self.session)
        self.session.close()
        del self.session
        self.assertGone(parts)


class BundleTests(BundleTestCase, _WithoutCollector):
    """
    Calls of browsers that send everything over one transport.
    """

    def test_endedCallIsGone(self) -> None:
        """
        Nor of a call whose sections share a transport.
        """
        offer = self.result(self.session.offer(self.offer(), Side.ACCESS, TO_CORE))
        answer = self.phone.answer(offer) + self.screen.answerSection(offer, 1)
        self.browser.accept(self.result(self.session.answer(answer)))
        self.connect()
        self.assertMedia()
        parts = _watch(self.session)
        self.session.close()
        del self.session
        self.assertGone(parts)
