"""
Tests for the consent checks of L{e2aegw.sansio.ice} (RFC 7675).
"""

from itertools import pairwise

from aioice import stun

from e2aegw.errors import RemoteError
from e2aegw.sansio.ice import CONSENT_EXPIRY, MAX_VALID, Agent, ConsentLost
from tests.sansio.checks import A, AgentTestCase, B, Peer, attribute, events, seal


class ConsentTests(AgentTestCase):
    """
    Our own consent checks (RFC 7675).
    """

    def setUp(self) -> None:
        """
        Begin with a nominated pair at time zero.
        """
        super().setUp()
        self.agent = Agent(consent=True)
        self.peer = Peer(self.agent)
        self.agent.setRemote("peer", "p" * 22)
        self.receive(self.peer.check(nominate=True))
        events(self.agent)

    def due(self) -> tuple[float, bytes]:
        """
        Let the next check happen.

        @return: when that was, and the check.
        """
        now = self.agent.nextTimeout()
        assert now is not None
        self.agent.timeout(now)
        datagram = self.agent.nextDatagram()
        assert datagram is not None
        self.assertEqual(datagram[1:], (1, A))
        return now, datagram[0]

    def test_R_104_spacing(self) -> None:
        """
        Checks are 4 to 6 seconds apart, not always the same, and each is a new
        transaction, sent once, that a full agent takes.
        """
        times, transactions = [0.0], set()
        for _ in range(50):
            now, request = self.due()
            times.append(now)
            transactions.add(request[8:20])
            message = stun.parse_message(request)
            self.assertTrue(message.check_message_integrity(b"p" * 22))
            self.assertEqual(message.attributes["USERNAME"], f"peer:{self.agent.ufrag}")
            self.assertIn("ICE-CONTROLLED", message.attributes)
            self.assertIn("PRIORITY", message.attributes)
            self.agent.receive(self.peer.respond(request), 1, A, now)
            self.agent.timeout(now)
            self.assertIsNone(self.agent.nextDatagram())
        gaps = [b - a for a, b in pairwise(times)]
        self.assertGreaterEqual(min(gaps), 4.0 - 1e-9)
        self.assertLessEqual(max(gaps), 6.0 + 1e-9)
        self.assertGreater(len({round(gap, 3) for gap in gaps}), 5)
        self.assertEqual(len(transactions), 50)
        self.assertEqual(events(self.agent), [])

    def test_R_104_expiry(self) -> None:
        """
        30 seconds after the last answer nothing may be sent any more, and the
        event says so; there is no more to do then.
        """
        now, request = self.due()
        self.agent.receive(self.peer.respond(request), 1, A, now + 0.5)
        end = now + 0.5 + CONSENT_EXPIRY
        while self.agent.selected(1):
            timeout = self.agent.nextTimeout()
            assert timeout is not None
            self.agent.timeout(timeout)
            now = timeout
        self.assertAlmostEqual(now, end)
        self.assertFalse(self.agent.isValid(1, A))
        self.assertEqual(events(self.agent), [ConsentLost(1, A, "expired")])
        self.assertIsNone(self.agent.nextTimeout())
        self.agent.timeout(now + 100)
        self.assertEqual(events(self.agent), [])

    def test_R_104_lostForGood(self) -> None:
        """
        The same credentials do not get consent again for the same address,
        but for another address, and after a restart, they do.
        """
        self.agent.timeout(CONSENT_EXPIRY)
        events(self.agent)
        self.receive(self.peer.check(nominate=True))
        self.assertFalse(self.agent.isValid(1, A))
        self.assertIsNone(self.agent.selected(1))
        self.receive(self.peer.check(nominate=True), source=B)
        self.assertEqual(self.agent.selected(1), B)
        self.agent.setRemote("reep", "q" * 22)
        self.agent.restart()
        self.receive(Peer(self.agent, "reep").check(nominate=True))
        self.assertEqual(self.agent.selected(1), A)

    def test_R_104_manyLost(self) -> None:
        """
        There is an end to the addresses whose consent is remembered as lost.
        """
        now = 0.0
        for port in range(MAX_VALID + 2):
            self.receive(self.peer.check(nominate=True), source=("192.0.2.1", port), now=now)
            now += CONSENT_EXPIRY
            self.agent.timeout(now)
        self.assertEqual(len(self.agent._current.lost), MAX_VALID)
        self.assertNotIn(("192.0.2.1", 0), self.agent._current.lost)

    def test_R_104_early(self) -> None:
        """
        A timeout before its time does nothing.
        """
        self.agent.timeout(1.0)
        self.assertIsNone(self.agent.nextDatagram())
        self.assertEqual(self.agent.selected(1), A)

    def test_R_104_late(self) -> None:
        """
        An answer after the expiry gives nothing back, even if it comes before
        the timer does.
        """
        _, request = self.due()
        late = self.peer.respond(request)
        error = self.assertRaises(RemoteError, self.agent.receive, late, 1, A, CONSENT_EXPIRY)
        self.assertEqual(error.reason, "STUN response late")
        self.assertIsNone(self.agent.selected(1))
        self.assertEqual(events(self.agent), [ConsentLost(1, A, "expired")])
        self.assertIsNone(self.agent.nextTimeout())

    def test_R_104_revoked(self) -> None:
        """
        An authentic 403 ends it at once; one that is not is dropped.
        """
        now, request = self.due()
        for source, pwd, reason in (
            (A, "q" * 22, "STUN response integrity"),
            (B, None, "STUN response unexpected"),
        ):
            error = self.assertRaises(
                RemoteError, self.agent.receive, self.peer.respond(request, code=403, pwd=pwd), 1, source, now
            )
            self.assertEqual(error.reason, reason)
        self.assertEqual(self.agent.selected(1), A)
        self.agent.receive(self.peer.respond(request, code=403), 1, A, now)
        self.assertIsNone(self.agent.selected(1))
        self.assertEqual(events(self.agent), [ConsentLost(1, A, "revoked")])

    def test_R_104_answers(self) -> None:
        """
        An answer counts once, from the right address, with the right password,
        without an error and without anything that is not understood; an answer
        to an earlier check counts too.
        """
        _, first = self.due()
        now, second = self.due()
        for data, source in (
            (self.peer.respond(second, pwd="q" * 22), A),
            (self.peer.respond(second), B),
            (self.peer.respond(bytes(20)), A),
        ):
            self.assertRaises(RemoteError, self.agent.receive, data, 1, source, now)
        self.agent.receive(self.peer.respond(first), 1, A, now)
        self.assertRaises(RemoteError, self.agent.receive, self.peer.respond(first), 1, A, now)
        self.assertRaises(RemoteError, self.agent.receive, self.peer.respond(second, code=487), 1, A, now)
        self.agent.timeout(now + CONSENT_EXPIRY - 0.01)
        self.assertEqual(self.agent.selected(1), A)
        self.agent.timeout(now + CONSENT_EXPIRY)
        self.assertIsNone(self.agent.selected(1))

    def test_R_104_unknownAttribute(self) -> None:
        """
        An answer with an attribute that must be understood and is not does not
        count (RFC 8489 clause 6.3.3).
        """
        now, request = self.due()
        data = seal(0x0101, attribute(0x0042, b""), "p" * 22, transaction=request[8:20])
        error = self.assertRaises(RemoteError, self.agent.receive, data, 1, A, now)
        self.assertEqual(error.reason, "STUN response attribute")

    def test_R_104_pending(self) -> None:
        """
        Checks that are older than the expiry are forgotten, so few wait.
        """
        for _ in range(40):
            now, request = self.due()
            self.agent.receive(self.peer.respond(request), 1, A, now)
            now, request = self.due()
        consent = self.agent._components[1].consent
        assert consent is not None
        self.assertLessEqual(len(consent.pending), 8)

    def test_R_104_beforeTheAnswer(self) -> None:
        """
        As long as the remote password is not known nothing is asked, and
        nothing expires.
        """
        self.agent = Agent(consent=True)
        self.peer = Peer(self.agent)
        self.receive(self.peer.check(nominate=True))
        now = 1.0
        self.agent.timeout(now)
        while now < 2 * CONSENT_EXPIRY:
            timeout = self.agent.nextTimeout()
            assert timeout is not None
            now = timeout
            self.agent.timeout(now)
            self.assertIsNone(self.agent.nextDatagram())
        self.assertEqual(self.agent.selected(1), A)
        self.agent.setRemote("peer", "p" * 22)
        self.due()

    def test_R_104_duringRestart(self) -> None:
        """
        While a restart is under way the old pair is checked with the old
        credentials (RFC 7675 clause 5.1).
        """
        own = self.agent.ufrag
        self.agent.setRemote("reep", "q" * 22)
        self.agent.restart()
        _, request = self.due()
        self.assertEqual(stun.parse_message(request).attributes["USERNAME"], f"peer:{own}")

    def test_R_104_anotherPair(self) -> None:
        """
        Another nomination starts anew, with the old pair's checks forgotten.
        """
        now, request = self.due()
        self.receive(self.peer.check(nominate=True), source=B, now=now)
        timeout = self.agent.nextTimeout()
        assert timeout is not None
        self.assertGreaterEqual(timeout, now + 4.0)
        self.assertRaises(RemoteError, self.agent.receive, self.peer.respond(request), 1, A, now)
