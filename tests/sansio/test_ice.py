"""
Tests for L{e2aegw.sansio.ice}.
"""

import contextlib
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from aioice import stun
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from e2aegw.errors import NegotiationError, RemoteError
from e2aegw.sansio.flow import Address
from e2aegw.sansio.ice import (
    MAX_MESSAGE,
    MAX_QUEUE,
    MAX_REFUSALS,
    MAX_TRANSACTIONS,
    MAX_VALID,
    Agent,
    Event,
    Nominated,
    Valid,
    checkCredentials,
)
from tests.fuzz.stun import stun as fuzz
from tests.sansio.checks import A, AgentTestCase, B, Peer, attribute, events, seal, unsigned

FULL_AGENT = Path(__file__).with_name("fullagent.py")
ICE_CHARS = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")


class CredentialsTests(AgentTestCase):
    """
    Our own credentials, and the remote party's.
    """

    def test_R_101_ownCredentials(self) -> None:
        """
        They are ice-chars, long enough (RFC 8839 clause 5.4), and new in each
        agent.
        """
        other = Agent()
        self.assertGreaterEqual(len(self.agent.ufrag), 4)
        self.assertGreaterEqual(len(self.agent.pwd), 22)
        self.assertLessEqual(set(self.agent.ufrag + self.agent.pwd), ICE_CHARS)
        self.assertNotEqual((self.agent.ufrag, self.agent.pwd), (other.ufrag, other.pwd))
        checkCredentials(self.agent.ufrag, self.agent.pwd)

    def test_secret(self) -> None:
        """
        No password is in a representation.
        """
        self.agent.setRemote("peer", "p" * 22)
        for thing in (self.agent, self.agent._current.local, self.agent._current.remote):
            self.assertNotIn(self.agent.pwd, repr(thing))
            self.assertNotIn("p" * 22, repr(thing))

    def test_remoteCredentials(self) -> None:
        """
        What is no username fragment or password is refused, without saying
        what it was.
        """
        for ufrag, pwd in (
            ("abc", "p" * 22),
            ("a" * 257, "p" * 22),
            ("ab:d", "p" * 22),
            ("abcd", "secret\ud800" * 4),
        ):
            error = self.assertRaises(NegotiationError, self.agent.setRemote, ufrag, pwd)
            self.assertNotIn("secret", str(error))
        for pwd in ("p" * 21, "p" * 257):
            self.assertRaises(NegotiationError, self.agent.setRemote, "abcd", pwd)

    def test_setRemote(self) -> None:
        """
        The first credentials are no restart, the same again are none, and
        others are one.
        """
        self.assertFalse(self.agent.setRemote("peer", "p" * 22))
        self.assertFalse(self.agent.setRemote("peer", "p" * 22))
        self.assertTrue(self.agent.setRemote("reep", "p" * 22))
        self.assertFalse(self.agent.setRemote("reep", "p" * 22))


class RequestTests(AgentTestCase):
    """
    Binding requests.
    """

    def answered(self, source: Address = A, component: int = 1, **options: Any) -> None:
        """
        Assert that a check succeeds.
        """
        message = self.receive(self.peer.check(**options), component, source)
        self.assertEqual(message.message_class, stun.Class.RESPONSE)
        self.assertEqual(message.attributes["XOR-MAPPED-ADDRESS"], source)
        self.assertTrue(message.check_message_integrity(self.peer.remotePwd.encode()))
        self.assertNotIn("USERNAME", message.attributes)

    def test_R_101_bindingRequestIsAnswered(self) -> None:
        """
        A check is answered before the description came and after, with the
        address that it came from, over IPv4 and IPv6.
        """
        self.answered()
        self.answered(B)
        self.agent.setRemote("peer", "p" * 22)
        self.answered()
        self.answered(B, 2)

    def test_R_103_validPair(self) -> None:
        """
        An authenticated check makes its source valid, on its component alone,
        and says so once.
        """
        self.assertFalse(self.agent.isValid(1, A))
        self.answered()
        self.answered()
        self.assertTrue(self.agent.isValid(1, A))
        self.assertFalse(self.agent.isValid(2, A))
        self.assertFalse(self.agent.isValid(1, B))
        self.assertIsNone(self.agent.selected(1))
        self.assertEqual(events(self.agent), [Valid(1, A)])

    def test_R_101_useCandidate(self) -> None:
        """
        USE-CANDIDATE selects the pair; the latest wins, and says so once.
        """
        self.answered(nominate=True)
        self.answered(nominate=True)
        self.assertEqual(self.agent.selected(1), A)
        self.answered(B)
        self.assertEqual(self.agent.selected(1), A)
        self.answered(B, nominate=True)
        self.assertEqual(self.agent.selected(1), B)
        self.assertIsNone(self.agent.selected(2))
        self.assertEqual(events(self.agent), [Valid(1, A), Nominated(1, A), Valid(1, B), Nominated(1, B)])

    def test_R_101_components(self) -> None:
        """
        RTP and RTCP are nominated each on its own.
        """
        self.answered(nominate=True)
        self.answered(B, 2, nominate=True)
        self.assertEqual((self.agent.selected(1), self.agent.selected(2)), (A, B))

    def test_R_101_wrongPassword(self) -> None:
        """
        A wrong password gets 401, with no integrity to learn from (RFC 8489
        clause 9.1.3).
        """
        self.refused(self.peer.check(pwd="q" * 22, nominate=True), 401)

    def test_R_101_wrongUsername(self) -> None:
        """
        So does a username that does not begin with our fragment, has no
        colon, or is too long.
        """
        own = self.agent.ufrag
        for username in (f"x{own}:peer", own, "", ":", f"{own.lower()}-:peer", f"{own}:" + "p" * 600):
            self.refused(self.peer.check(USERNAME=username), 401)

    def test_R_101_wrongRemotePart(self) -> None:
        """
        Once the remote party's fragment is known, the username must end with
        it.
        """
        self.agent.setRemote("else", "p" * 22)
        self.refused(self.peer.check(), 401)

    def test_R_101_missingAttributes(self) -> None:
        """
        A request without username or integrity gets 400.
        """
        self.refused(unsigned(USERNAME=f"{self.agent.ufrag}:peer"), 400)
        self.refused(self.peer.check(USERNAME=None), 400)
        self.refused(unsigned(), 400)

    def test_R_101_unknownAttribute(self) -> None:
        """
        An attribute that must be understood and is not gets 420 with a list of
        them, each once (RFC 8489 clauses 6.3.1 and 14.13).
        """
        username = attribute(0x0006, f"{self.agent.ufrag}:peer".encode())
        raw = username + attribute(0x0042, b"abc") + attribute(0x7001, b"") + attribute(0x0042, b"")
        request = seal(0x0001, raw, self.agent.pwd)
        self.refused(request, 420, signed=True)
        self.agent.receive(request, 1, A, 0.0)
        datagram = self.agent.nextDatagram()
        assert datagram is not None
        self.assertIn(b"\x00\x0a\x00\x04\x00\x42\x70\x01", datagram[0])

    def test_R_101_optionalAttribute(self) -> None:
        """
        One that need not be understood is passed over, and so is anything
        between integrity and fingerprint, USE-CANDIDATE too.
        """
        username = attribute(0x0006, f"{self.agent.ufrag}:peer".encode())
        raw = username + attribute(0xC057, b"\x00\x01\x00\x0a")
        after = attribute(0x001C, bytes(32)) + attribute(0x0025, b"")
        message = self.receive(seal(0x0001, raw, self.agent.pwd, after))
        self.assertEqual(message.message_class, stun.Class.RESPONSE)
        self.assertIsNone(self.agent.selected(1))

    def test_R_101_roleConflict(self) -> None:
        """
        A peer that says it is controlled gets 487, whatever its tiebreaker,
        and is welcome once it is controlling.
        """
        for tiebreaker in (0, 1, 2**64 - 1):
            self.refused(
                self.peer.check(ICE_CONTROLLING=None, ICE_CONTROLLED=tiebreaker, nominate=True),
                487,
                signed=True,
            )
        self.answered(nominate=True)

    def test_R_105_consentChecks(self) -> None:
        """
        The remote party's consent checks, which have less in them than
        connectivity checks, are answered throughout the call.
        """
        self.answered(nominate=True)
        for _ in range(3 * MAX_TRANSACTIONS):
            self.answered(PRIORITY=None, ICE_CONTROLLING=None)
        self.assertEqual(self.agent.selected(1), A)
        self.assertIsNone(self.agent.nextTimeout())

    def test_retransmission(self) -> None:
        """
        A request that is sent again is answered again; when it is late, it
        takes back no nomination.
        """
        first = self.peer.check(nominate=True)
        self.receive(first)
        self.receive(self.peer.check(nominate=True), source=B)
        self.assertEqual(self.receive(first).message_class, stun.Class.RESPONSE)
        self.assertEqual(self.agent.selected(1), B)

    def test_replay(self) -> None:
        """
        A request that was seen from one address is dropped when it comes from
        another: whoever captured it must not move the media.
        """
        request = self.peer.check(nominate=True)
        self.receive(request)
        events(self.agent)
        self.dropped(request, "STUN replay", B)
        self.assertFalse(self.agent.isValid(1, B))

    def test_manyValid(self) -> None:
        """
        There is an end to the addresses that are remembered; the selected one
        stays, and so do those heard last.
        """
        self.answered(("192.0.2.1", 1), nominate=True)
        for port in range(2, MAX_VALID + 12):
            self.answered(("192.0.2.1", port))
        valid = [port for port in range(MAX_VALID + 12) if self.agent.isValid(1, ("192.0.2.1", port))]
        self.assertEqual(valid, [1, *range(13, MAX_VALID + 12)])

    def test_manyRefusals(self) -> None:
        """
        Strangers get a few errors in a second, then silence; who has the
        password is still answered.
        """
        wrong = self.peer.check(pwd="q" * 22)
        for _ in range(MAX_REFUSALS):
            self.refused(wrong, 401)
        self.dropped(wrong, "STUN refusals")
        self.refused(self.peer.check(ICE_CONTROLLED=1), 487, signed=True)
        self.answered()
        self.assertEqual(self.receive(wrong, now=1.0).message_class, stun.Class.ERROR)

    def test_queue(self) -> None:
        """
        Answers and events that nobody fetches do not pile up.
        """
        for port in range(MAX_QUEUE):
            self.agent.receive(self.peer.check(nominate=True), 1, ("192.0.2.1", port), 0.0)
        error = self.assertRaises(RemoteError, self.agent.receive, self.peer.check(), 1, A, 0.0)
        self.assertEqual(error.reason, "STUN queue")
        self.assertEqual(len(events(self.agent)), MAX_QUEUE)


class GarbageTests(AgentTestCase):
    """
    What is dropped.
    """

    def test_indication(self) -> None:
        """
        A Binding indication, a keepalive, is accepted and changes nothing.
        """
        for fingerprint in (True, False):
            message = stun.Message(stun.Method.BINDING, stun.Class.INDICATION)
            if fingerprint:
                message.add_fingerprint()
            self.agent.receive(bytes(message), 1, A, 0.0)
        self.assertIsNone(self.agent.nextDatagram())
        self.assertEqual(events(self.agent), [])
        self.assertFalse(self.agent.isValid(1, A))

    def test_malformed(self) -> None:
        """
        What is no STUN message, or not ours, is dropped with a reason and no
        answer.
        """
        good = self.peer.check()
        for reason, data in (
            ("STUN length", b""),
            ("STUN length", good[:19]),
            ("STUN length", good + b"\x00"),
            ("STUN length", good + bytes(MAX_MESSAGE)),
            ("STUN header", b"\x80" + good[1:]),
            ("STUN header", good[:4] + b"\x00" + good[5:]),
            ("STUN header", good[:-4]),
            ("STUN attribute", seal(0x0001, b"\x00\x06\x01\x00", "")[:-32] + bytes(32)),
            ("STUN syntax", good[:-1] + bytes([good[-1] ^ 1])),
            ("STUN syntax", seal(0x0001, attribute(0x0006, b"\xff"), "")),
            ("STUN syntax", seal(0x0001, attribute(0x0024, b""), "")),
            ("STUN syntax", seal(0x0FFF, b"", "")),
            ("STUN method", seal(0x0003, b"", "")),
        ):
            self.dropped(data, reason)

    def test_noFingerprint(self) -> None:
        """
        A request without a fingerprint is answered all the same: its
        integrity says more than a checksum could.
        """
        request = self.peer.request()
        del request.attributes["FINGERPRINT"]
        self.assertEqual(self.receive(bytes(request)).message_class, stun.Class.RESPONSE)

    def test_knock(self) -> None:
        """
        A knock is an authentic request to where it was sent; its answer is
        taken, once, and teaches nothing.
        """
        self.agent.knock(1, A)
        self.assertIsNone(self.agent.nextDatagram())
        self.agent.setRemote("peer", "p" * 22)
        self.agent.knock(1, A)
        datagram = self.agent.nextDatagram()
        assert datagram is not None
        data, component, destination = datagram
        self.assertEqual((component, destination), (1, A))
        request = stun.parse_message(data)
        self.assertTrue(request.check_message_integrity(b"p" * 22))
        self.assertEqual(request.attributes["USERNAME"], f"peer:{self.agent.ufrag}")
        self.assertNotIn("USE-CANDIDATE", request.attributes)
        answer = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, request.transaction_id)
        answer.add_message_integrity(b"p" * 22)
        self.agent.receive(bytes(answer), 1, A, 0.0)
        self.assertFalse(self.agent.isValid(1, A))
        self.dropped(bytes(answer), "STUN response unexpected")

    def test_unexpectedResponse(self) -> None:
        """
        An agent that asked nothing takes no answer.
        """
        self.receive(self.peer.check(nominate=True))
        events(self.agent)
        self.dropped(self.peer.respond(bytes(20)), "STUN response unexpected")

    @given(st.binary(max_size=200), st.sampled_from([b"", b"\x00\x01", b"\x01\x01"]))
    @settings(deadline=None, max_examples=200)
    def test_anyBytes(self, data: bytes, first: bytes) -> None:
        """
        Any bytes are taken or L{RemoteError}, also when they are the
        attributes of an authentic message.
        """
        fuzz(first + data)

    @given(st.data())
    @settings(deadline=None, max_examples=200)
    def test_mutations(self, data: st.DataObject) -> None:
        """
        A good request with octets changed, cut or put in makes nothing valid.
        """
        agent = Agent()
        good = Peer(agent).check(nominate=True)
        bad = bytearray(good)
        for _ in range(data.draw(st.integers(min_value=1, max_value=3))):
            position = data.draw(st.integers(min_value=0, max_value=len(bad) - 1))
            bad[position : position + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
            if not bad:
                break
        with contextlib.suppress(RemoteError):
            agent.receive(bytes(bad), 1, A, 0.0)
        # The checksum at the end is not what protects the message.
        if agent.isValid(1, A):
            self.assertEqual(bytes(bad)[:-8], good[:-8])

    @given(st.lists(st.tuples(st.integers(0, 255), st.integers(0, 7)), min_size=1, max_size=3))
    @settings(deadline=None, max_examples=200)
    def test_resealedMutations(self, changes: list[tuple[int, int]]) -> None:
        """
        The same with a right fingerprint, so that the integrity is what finds
        it.
        """
        agent = Agent()
        good = Peer(agent).check(nominate=True)
        bad = bytearray(good[:-8])
        for position, bit in changes:
            bad[position % len(bad)] ^= 1 << bit
        data = bytes(bad) + b"\x80\x28\x00\x04" + stun.message_fingerprint(bytes(bad)).to_bytes(4, "big")
        with contextlib.suppress(RemoteError):
            agent.receive(data, 1, A, 0.0)
        self.assertEqual(agent.isValid(1, A), data == good)


class RestartTests(AgentTestCase):
    """
    ICE restarts (RFC 8445 clause 9).
    """

    def setUp(self) -> None:
        """
        Begin with a nominated pair.
        """
        super().setUp()
        self.agent.setRemote("peer", "p" * 22)
        self.receive(self.peer.check(nominate=True))
        events(self.agent)

    def test_R_101_remoteRestart(self) -> None:
        """
        After an offer with new credentials the old ones hold, until a pair is
        nominated under the new ones.
        """
        self.assertTrue(self.agent.setRemote("reep", "q" * 22))
        old = (self.agent.ufrag, self.agent.pwd)
        self.agent.restart()
        self.assertNotEqual(self.agent.ufrag, old[0])
        self.assertNotEqual(self.agent.pwd, old[1])
        again = Peer(self.agent, "reep", "q" * 22)
        self.assertEqual(self.receive(self.peer.check()).message_class, stun.Class.RESPONSE)
        self.assertEqual(self.agent.selected(1), A)
        self.agent.receive(again.check(), 1, B, 0.0)
        self.agent.nextDatagram()
        self.assertEqual(self.agent.selected(1), A)
        self.receive(self.peer.check())
        self.agent.receive(again.check(nominate=True), 1, B, 0.0)
        self.agent.nextDatagram()
        self.assertEqual(self.agent.selected(1), B)
        self.assertFalse(self.agent.isValid(1, A))
        self.assertEqual(events(self.agent), [Valid(1, B), Nominated(1, B)])
        self.assertEqual(self.receive(self.peer.check()).attributes["ERROR-CODE"][0], 401)

    def test_R_101_ownRestart(self) -> None:
        """
        A restart of ours is answered by new credentials, which are no restart
        of the remote party's; its checks may come before they do.
        """
        self.agent.restart()
        again = Peer(self.agent, "reep", "q" * 22)
        self.receive(again.check())
        self.assertFalse(self.agent.setRemote("reep", "q" * 22))
        self.receive(again.check(nominate=True))
        self.assertEqual(self.agent.selected(1), A)
        self.assertEqual(events(self.agent), [Nominated(1, A)])

    def test_mixedCredentials(self) -> None:
        """
        Old and new fragments do not go together.
        """
        self.agent.setRemote("reep", "q" * 22)
        self.agent.restart()
        again = Peer(self.agent, "reep", "q" * 22)
        again.ufrag, self.peer.ufrag = self.peer.ufrag, again.ufrag
        for peer in (again, self.peer):
            self.assertEqual(self.receive(peer.check()).attributes["ERROR-CODE"][0], 401)

    def test_componentsRestartAlone(self) -> None:
        """
        RTCP keeps its old pair until its own new one is nominated.
        """
        self.receive(self.peer.check(nominate=True), 2, B)
        self.agent.setRemote("reep", "q" * 22)
        self.agent.restart()
        again = Peer(self.agent, "reep", "q" * 22)
        self.receive(again.check(nominate=True))
        self.assertEqual(self.receive(self.peer.check(), 2, B).message_class, stun.Class.RESPONSE)
        self.assertEqual(self.agent.selected(2), B)

    def test_restartsWithNoPair(self) -> None:
        """
        Of several restarts that came to nothing the pair that was nominated
        survives; one that came to something takes its place.
        """
        for ufrag in ("two2", "thr3", "four"):
            self.assertTrue(self.agent.setRemote(ufrag, "q" * 22))
            self.agent.restart()
        self.assertEqual(self.receive(self.peer.check()).message_class, stun.Class.RESPONSE)
        last = Peer(self.agent, "four", "q" * 22)
        self.receive(last.check(nominate=True), source=B)
        self.agent.setRemote("five", "q" * 22)
        self.agent.restart()
        self.assertEqual(self.receive(last.check(), source=B).message_class, stun.Class.RESPONSE)
        self.assertEqual(self.receive(self.peer.check()).attributes["ERROR-CODE"][0], 401)


class FullAgentTests(SynchronousTestCase):
    """
    A full agent of another make.
    """

    def test_R_101_fullAgentConnects(self) -> None:
        """
        It connects to our agent over loopback, nominates, and data passes both
        ways.
        """
        agent = Agent()
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(server.close)
        server.bind(("127.0.0.1", 0))
        server.settimeout(20)
        process = subprocess.Popen(
            [
                sys.executable,
                str(FULL_AGENT),
                str(server.getsockname()[1]),
                agent.ufrag,
                agent.pwd,
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        happened: list[Event] = []
        while True:
            data, source = server.recvfrom(2048)
            if data == b"\x80ping":
                break
            agent.receive(data, 1, source, time.monotonic())
            while datagram := agent.nextDatagram():
                server.sendto(datagram[0], datagram[2])
            happened += events(agent)
            if len(happened) == 1:
                # The answer comes after the first check.
                ufrag, pwd = process.stdout.readline().split()
                self.assertFalse(agent.setRemote(ufrag, pwd))
        self.assertEqual(happened, [Valid(1, source), Nominated(1, source)])
        self.assertEqual(agent.selected(1), source)
        server.sendto(b"pong", source)
        self.assertEqual(process.stdout.readline(), "pong\n")
        self.assertEqual(process.wait(20), 0)
