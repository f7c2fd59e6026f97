"""
Filters between two adapters: L{e2aegw.gateway.filters} and the pipeline.
"""

from collections import defaultdict
from collections.abc import Callable
from typing import Any, ClassVar

from zope.interface import implementer

from e2aegw.errors import RemoteError
from e2aegw.gateway.service import Route
from e2aegw.interfaces import IFilter, IFilterFactory
from e2aegw.sansio.events import Event, MediaTimeout
from e2aegw.sansio.sdp import Section, Side
from tests.gateway.fixture import RTP, SRTP
from tests.gateway.telephones import CallTestCase


@implementer(IFilter)
class Marker:
    """
    Puts its mark behind every packet, and keeps some back.
    """

    def __init__(self, mark: bytes) -> None:
        self.mark = mark
        self.notify: Callable[[Event], None] = lambda event: None
        self.counters: dict[str, int] = defaultdict(int)
        self.seen: list[Side] = []
        self.sections: list[tuple[Side, str]] = []
        self.closed = 0

    def described(self, section: Section, side: Side) -> None:
        """
        See L{IFilter}.
        """
        self.sections.append((side, section.proto))

    def unitReceived(self, unit: bytes, side: Side, send: Callable[[Any], None]) -> None:
        """
        See L{IFilter}.
        """
        self.seen.append(side)
        self.counters[f"units of {self.mark.decode()}"] += 1
        if unit.endswith(b"refuse"):
            raise RemoteError("not wanted")
        if unit.endswith(b"tell"):
            self.notify(MediaTimeout(seconds=1))
        if not unit.endswith(b"drop"):
            send(unit + self.mark)

    def close(self) -> None:
        """
        See L{IFilter}.
        """
        self.closed += 1


@implementer(IFilterFactory)
class Markers:
    """
    Remembers what it built.
    """

    medium = "rtp"

    def __init__(self, mark: bytes) -> None:
        self.mark = mark
        self.built: list[Marker] = []

    def buildFilter(self) -> Marker:
        """
        See L{IFilterFactory}.
        """
        self.built.append(Marker(self.mark))
        return self.built[-1]


class FilterTests(CallTestCase):
    """
    A call through two filters.
    """

    routes: ClassVar[tuple[Route, ...]] = ()

    def setUp(self) -> None:
        """
        Two filters, of which the first is nearest to the access side.
        """
        self.one, self.two = Markers(b"1"), Markers(b"2")
        type(self).routes = (Route(SRTP, RTP, (self.one, self.two)),)
        super().setUp()
        self.call()

    def hear(self, sender: Any, receiver: Any, payload: bytes) -> list[bytes]:
        """
        Say something and return what is heard.
        """
        before = len(receiver.received)
        sender.sendMedia(payload)
        self.network.flush()
        return [packet[12:] for packet in receiver.received[before:]]

    def test_order(self) -> None:
        """
        From the access side a packet meets the first filter first, and from
        the core side the last; each knows where it came from.
        """
        self.assertEqual(self.hear(self.ue, self.phone, b"hello"), [b"hello12"])
        self.assertEqual(self.hear(self.phone, self.ue, b"hello"), [b"hello21"])
        self.assertEqual(self.one.built[0].seen, [Side.ACCESS, Side.CORE])

    def test_drop(self) -> None:
        """
        What a filter does not send is not heard, and what it refuses is
        counted by its reason.
        """
        self.assertEqual(self.hear(self.ue, self.phone, b"drop"), [])
        self.assertEqual(self.hear(self.ue, self.phone, b"refuse"), [])
        [media] = self.session.report().parties[0].medias
        counters = media.streams[0].counters
        self.assertEqual(counters["dropped not wanted"], 1)
        self.assertEqual(counters["units of 1"], 2)
        self.assertNotIn("units of 2", counters)

    def test_described(self) -> None:
        """
        A filter learns what both parties wrote, when it comes into force.
        """
        self.assertEqual(self.one.built[0].sections, [(Side.ACCESS, "RTP/SAVP"), (Side.CORE, "RTP/AVP")])

    def test_events(self) -> None:
        """
        What a filter tells, it tells of the access side's line.
        """
        self.hear(self.ue, self.phone, b"tell")
        self.assertEqual(self.happened(MediaTimeout), [MediaTimeout(seconds=1, side="access", line=0)])

    def test_close(self) -> None:
        """
        A filter ends with its line, once.
        """
        self.session.close()
        self.session.close()
        self.assertEqual([each.closed for each in (*self.one.built, *self.two.built)], [1, 1])
        self.one.built[0].notify(MediaTimeout(seconds=1))
        self.assertEqual(self.happened(MediaTimeout), [])

    def test_blocked(self) -> None:
        """
        A party that is blocked stays so with filters, and is let through them
        again.
        """
        self.session.block(False, True)
        self.assertEqual(self.hear(self.ue, self.phone, b"hello"), [])
        self.session.block(False, False)
        self.assertEqual(self.hear(self.ue, self.phone, b"hello"), [b"hello12"])
