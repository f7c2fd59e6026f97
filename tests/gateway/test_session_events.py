"""
What is told of a call's media, and of its end.
"""

from typing import Any

from e2aegw.errors import ResourceError
from e2aegw.gateway.config import LimitsTable
from e2aegw.gateway.control import LOAD_LIMIT, NGControl
from e2aegw.gateway.hearing import Hearing
from e2aegw.gateway.reporting import MAX_EVENTS, History
from e2aegw.sansio.events import (
    ENDED,
    SILENCE,
    ConsentLost,
    LineRefused,
    MediaStarted,
    MediaStopped,
    PairNominated,
    PathChanged,
)
from tests.gateway.sipproxy import SDP, Proxy
from tests.gateway.telephones import CallTestCase


class MediaTests(CallTestCase):
    """
    Media that starts and stops.
    """

    def speak(self, terminal: Any) -> None:
        """
        One packet.
        """
        terminal.sendMedia()
        self.network.flush()

    def told(self) -> list[tuple[str, str, str]]:
        """
        What was said of media.
        """
        return [
            (type(event).__name__, event.side, getattr(event, "reason", ""))
            for event in self.witness.events
            if isinstance(event, MediaStarted | MediaStopped)
        ]

    def test_silence(self) -> None:
        """
        Media of one direction stops, and goes on; the other direction is told
        of by itself.
        """
        self.call()
        self.speak(self.ue)
        self.speak(self.phone)
        started = [("MediaStarted", "access", ""), ("MediaStarted", "core", "")]
        for _ in range(4):
            self.clock.advance(5)
            self.speak(self.phone)
        stopped = ("MediaStopped", "access", SILENCE)
        self.assertEqual(self.told(), [*started, stopped])
        self.speak(self.ue)
        self.clock.advance(5)
        self.assertEqual(self.told(), [*started, stopped, ("MediaStarted", "access", "")])
        self.session.close()
        ends = [("MediaStopped", side, ENDED) for side in ("access", "core")]
        self.assertEqual(self.told()[4:], ends)

    def test_end(self) -> None:
        """
        The end says how much there was; who said nothing has nothing to end.
        """
        self.call()
        self.speak(self.ue)
        self.session.close()
        self.assertEqual(
            self.happened(MediaStopped), [MediaStopped(reason=ENDED, packets=1, side="access", line=0)]
        )

    def test_stoppedBefore(self) -> None:
        """
        What stopped does not stop again when the call ends.
        """
        self.call()
        self.speak(self.ue)
        self.clock.advance(5)
        self.clock.advance(10)
        self.session.close()
        self.assertEqual([event.reason for event in self.happened(MediaStopped)], [SILENCE])

    def test_report(self) -> None:
        """
        Who asks later is told the same, but for what is of no interest.
        """
        self.call()
        self.speak(self.ue)
        names = [type(event).__name__ for _, event in self.session.report().events]
        self.assertIn("MediaStarted", names)
        self.assertNotIn("PathChanged", names)

    def test_observerEndsTheCall(self) -> None:
        """
        An observer may end the call when media stops.
        """
        closing = self.session

        class Closer:
            def happened(self, session: Any, event: Any) -> None:
                if isinstance(event, MediaStopped):
                    closing.close()

        self.gateway._observers.append(Closer())
        self.call()
        self.speak(self.ue)
        self.clock.advance(5)
        self.clock.advance(10)
        self.assertTrue(self.session.closed)
        self.assertEqual(self.gateway.portsLent, 0)

    def test_history(self) -> None:
        """
        Only so much is remembered: what happened last.
        """
        history = History()
        for number in range(MAX_EVENTS + 5):
            history.note(float(number), LineRefused(reason="x"))
            history.note(float(number), PathChanged(reason="x"))
        self.assertEqual([at for at, _ in history.told()], [float(5 + each) for each in range(MAX_EVENTS)])

    def test_R_104_once(self) -> None:
        """
        A line loses consent once, though RTP and RTCP have each their own; and
        once more after a pair was chosen again.
        """
        hearing, lost = Hearing(), ConsentLost(remote="192.0.2.1:5000")
        said = [hearing.repeats(each) for each in (lost, lost, PairNominated(remote="x"), lost, lost)]
        self.assertEqual(said, [False, True, False, False, True])


class DrainTests(CallTestCase):
    """
    The gateway is asked to stop.
    """

    limits = LimitsTable(drain_timeout=60)

    def test_callsEnd(self) -> None:
        """
        Calls may go on, with media and new descriptions; new calls may not
        begin.  The gateway stops when the last one ends.
        """
        self.call()
        stopped = self.gateway.stopService()
        self.assertIs(self.gateway.stopService(), stopped)
        self.assertNoResult(stopped)
        self.assertRaises(ResourceError, self.gateway.newSession, "late")
        self.clock.advance(30)
        self.call()
        self.assertMedia()
        self.session.close()
        self.successResultOf(stopped)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_callsDoNotEnd(self) -> None:
        """
        Calls that nobody ends are ended.
        """
        self.call()
        stopped = self.gateway.stopService()
        self.clock.advance(59.9)
        self.assertNoResult(stopped)
        self.clock.advance(0.2)
        self.successResultOf(stopped)
        self.assertTrue(self.session.closed)
        self.assertEqual(self.gateway.portsLent, 0)

    def test_noCalls(self) -> None:
        """
        Without calls there is nothing to wait for.
        """
        self.session.close()
        self.assertIsNone(self.gateway.stopService())


class ControlDrainTests(CallTestCase):
    """
    So is the control socket.
    """

    def setUp(self) -> None:
        """
        A proxy with a call.
        """
        super().setUp()
        self.session.close()
        self.proxy = Proxy()
        self.proxy.control._drainTimeout = 60.0
        self.proxy.offer()

    def test_deleted(self) -> None:
        """
        It hears of the ends of calls, and sends new ones elsewhere.
        """
        control: NGControl = self.proxy.control
        stopped = control.stopService()
        self.assertNoResult(stopped)
        late = {"call_id": "late", "from_tag": "L", "sdp": SDP, "supports": ["load limit"]}
        self.assertEqual(self.proxy.ask("offer", **late)["result"], LOAD_LIMIT)
        self.assertEqual(self.proxy.ask("delete", call_id="c", from_tag="A")["result"], "ok")
        self.successResultOf(stopped)
        self.assertEqual(self.proxy.clock.getDelayedCalls(), [])

    def test_notDeleted(self) -> None:
        """
        It does not wait for ever.
        """
        stopped = self.proxy.control.stopService()
        self.proxy.clock.advance(60)
        self.successResultOf(stopped)

    def test_names(self) -> None:
        """
        Who is told of events hears the controller's names, until the session
        has ended.
        """
        session: Any = self.proxy.sessions[0]
        self.proxy.answer()
        names = {"call-id": "c", "from-tag": "A", "to-tag": "B"}
        self.assertEqual(self.proxy.control.names(session), names)
        session.close()
        self.assertEqual(self.proxy.control.names(session), {"call-id": session.label})
