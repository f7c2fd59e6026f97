"""
Records of events.
"""

import json
from dataclasses import fields
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from e2aegw.sansio import events, ngreply
from e2aegw.sansio.eventrecord import MAX_TEXT, record, worthTelling
from e2aegw.sansio.events import Event, HandshakeFailed, OldKeysForgotten, PathChanged
from e2aegw.sansio.ng import Encoding, parse, serialize
from e2aegw.sansio.ngreply import TaggedReport
from e2aegw.sansio.report import PartyReport, SessionReport
from e2aegw.sansio.sdp import Side

_VALUES: dict[Any, Any] = {str: "x", int: 7, float: 1.5}


def all_() -> list[Event]:
    """
    One of each kind.
    """
    kinds = [each for each in vars(events).values() if isinstance(each, type) and issubclass(each, Event)]
    kinds.remove(Event)
    return [each(**{field.name: _VALUES[field.type] for field in fields(each)}) for each in kinds]


class RecordTests(SynchronousTestCase):
    """
    L{record}.
    """

    def test_everyKind(self) -> None:
        """
        Every event has a name, a side, a line and a reason, and nothing that
        has no name in JSON.
        """
        self.assertGreater(len(all_()), 15)
        for event in all_():
            values = record(event)
            self.assertEqual(values["event"], type(event).__name__)
            self.assertEqual((values["side"], values["line"]), ("x", 7))
            self.assertIn("reason", values)
            self.assertEqual(json.loads(json.dumps(values)), values)

    def test_texts(self) -> None:
        """
        What the remote party wrote is short, and can be shown.
        """
        values = record(HandshakeFailed(protocol="DTLS", reason="a\x1b\n" + "b" * 1000))
        self.assertEqual(values["reason"], "a??" + "b" * (MAX_TEXT - 3))

    def test_inner(self) -> None:
        """
        What only a datapath has to know is not worth telling.
        """
        told = {type(event) for event in all_() if worthTelling(event)}
        self.assertEqual({type(event) for event in all_()} - told, {PathChanged, OldKeysForgotten})

    def test_query(self) -> None:
        """
        C{query} has the events of all branches in the order in which they
        happened, with whole numbers.
        """
        first, second = [(10.5, each) for each in all_()], [(9.25, all_()[0])]
        parties = PartyReport(side=Side.ACCESS), PartyReport(side=Side.CORE)
        reports = [
            TaggedReport(
                report=SessionReport(created=1.0, lastSignal=2.0, parties=parties, events=each),
                tags=("a", "b"),
            )
            for each in (first, second)
        ]
        reply = ngreply.describe(reports, counters=True)
        self.assertEqual([each["time"] for each in reply["events"]], [9, *[10] * len(first)])
        for encoding in Encoding:
            again = parse(serialize(b"1", encoding, {**reply, "command": "query"}))
            self.assertEqual(again.fields["events"], reply["events"])
        self.assertNotIn("events", ngreply.describe(reports))
