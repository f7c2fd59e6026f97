"""
Tests for L{e2aegw.gateway.logbook}.
"""

from typing import Any, cast

from twisted.logger import LogEvent, Logger, LogLevel, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from e2aegw.gateway import logbook
from e2aegw.sansio import events

HERE: Any = {"side": "access", "line": 1}
#: What happens, and what the log says of it.
TOLD: list[tuple[events.Event, str]] = [
    (
        events.HandshakeFailed(**HERE, protocol="DTLS", reason="fingerprint mismatch", presented="AB"),
        "call: access line 1: DTLS failed: fingerprint mismatch; expected nothing; presented AB",
    ),
    (events.LineRefused(line=1, reason="no\nroute"), "call: line 1 refused: no?route"),
    (
        events.ConnectFailed(**HERE, remote="192.0.2.1:9", reason="refused"),
        "call: access line 1: no connection with 192.0.2.1:9: refused",
    ),
    (
        events.ConsentLost(**HERE, remote="192.0.2.1:9"),
        "call: access line 1: 192.0.2.1:9 does not answer any more",
    ),
    (
        events.AssociationLost(**HERE, reason="shutdown"),
        "call: access line 1: data channels are lost: shutdown",
    ),
    (events.LegLost(**HERE, reason="closed"), "call: access line 1: lost: closed"),
    (
        events.ChannelRefused(**HERE, stream=3, label="mine", protocol="chess"),
        "call: access line 1: a data channel for 'chess' is in no description",
    ),
    (events.MediaTimeout(seconds=60), "call: silent for 60 s"),
    (
        events.PathSettled(**HERE, signalled="192.0.2.1:9", remote="192.0.2.2:9"),
        "call: access line 1: media comes from 192.0.2.2:9, not from 192.0.2.1:9",
    ),
]


class LogbookTests(SynchronousTestCase):
    """
    Events as the log has them.
    """

    def setUp(self) -> None:
        """
        Keep what the log gets.
        """
        self.got: list[LogEvent] = []
        self.log = Logger(observer=cast(Any, self.got.append))

    def test_words(self) -> None:
        """
        Each event that the log has it has in words, with the name of the call.
        """
        self.assertEqual({type(event) for event, _ in TOLD}, set(logbook.WORDS))
        for event, text in TOLD:
            logbook.enter(self.log, "call", event)
            self.assertEqual(formatEvent(self.got[-1]), text)

    def test_levels(self) -> None:
        """
        What somebody may have to mend is a warning.
        """
        for event, _ in TOLD:
            logbook.enter(self.log, "call", event)
        grave = {formatEvent(each).split(": ")[2] for each in self.got if each["log_level"] is LogLevel.warn}
        self.assertEqual(grave, {"DTLS failed", "no connection with 192.0.2.1:9"})

    def test_usual(self) -> None:
        """
        Of what happens in every call the log has nothing.
        """
        for remote in ("192.0.2.1:9", "192.0.2.2:9"):
            signalled = remote if remote == "192.0.2.1:9" else events.NOWHERE
            logbook.enter(self.log, "call", events.PathSettled(signalled=signalled, remote=remote))
        logbook.enter(self.log, "call", events.MediaStarted())
        self.assertEqual(self.got, [])
