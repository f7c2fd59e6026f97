"""
Tests for L{e2aegw.sansio.sctp.states}: the law holds.
"""

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from e2aegw.errors import RemoteError
from e2aegw.sansio.sctp import chunks as c
from e2aegw.sansio.sctp.association import Association
from e2aegw.sansio.sctp.chunks import Cause, Init
from e2aegw.sansio.sctp.states import TRANSITIONS, Input, State
from tests.sansio.sctp.network import End, chunkTypes, inState


class LawTests(SynchronousTestCase):
    """
    The table of moves, tried out in full.
    """

    def test_states(self) -> None:
        """
        The states of these tests are the states that they say.
        """
        for state in State:
            self.assertIs(inState(state).association.state, state)

    def test_everyInput(self) -> None:
        """
        Every input in every state does what the table says, and what is not in
        the table does nothing.
        """
        for state in State:
            for what in Input:
                end = inState(state)
                expected = TRANSITIONS.get((state, what), ("", state))[1]
                if expected is State.SHUTDOWN_RECEIVED and end.association._outbound.isIdle():
                    expected = TRANSITIONS[expected, Input.DRAINED][1]
                with contextlib.suppress(RemoteError):
                    provoke(end, what)
                self.assertIs(end.association.state, expected, f"{state} {what}")

    def test_tooEarly(self) -> None:
        """
        What belongs to an association that is not up is discarded.
        """
        end = inState(State.COOKIE_WAIT)
        for chunk in (
            c.iDataChunk(3, 1, 1, 0, 53, b"x"),
            c.sackChunk(1, 1000, [], []),
            c.heartbeatChunk(b"x"),
            c.forwardTSNChunk(5, [], interleaved=True),
            c.reconfigChunk([]),
        ):
            self.assertEqual(end.give(chunk), [])
        self.assertIs(end.association.state, State.COOKIE_WAIT)

    def test_methods(self) -> None:
        """
        Every action exists.
        """
        for action, _ in TRANSITIONS.values():
            self.assertTrue(callable(getattr(Association, action)))

    @settings(deadline=None, max_examples=150)
    @given(
        st.sampled_from(list(State)),
        st.lists(st.tuples(st.integers(0, 255), st.integers(0, 255), st.binary(max_size=60)), max_size=4),
        st.booleans(),
    )
    def test_anyChunk(self, state: State, parts: list[tuple[int, int, bytes]], tagged: bool) -> None:
        """
        No chunk, whatever is in it, does anything in any state but be read or
        refused, and what leaves is well-formed.
        """
        end = inState(state)
        chunks = [c.chunk(kind, flags, body) for kind, flags, body in parts]
        with contextlib.suppress(RemoteError):
            end.give(*chunks, tag=None if tagged else 0)
        for packet in end.sent:
            self.assertLessEqual(len(packet), 1191)
            self.assertTrue(chunkTypes(packet))
        end.association.timeout(end.network.now + 1000)
        end.pump()


def provoke(end: End, what: Input) -> None:
    """
    Make an input happen to one end.
    """
    association, now = end.association, end.network.now
    opening = association._opening
    local, remote = association._localTag, association._remoteTag
    stranger = Init(tag=0x7777, window=100000, outboundStreams=9, inboundStreams=9, tsn=1, cookie=b"biscuit")
    friend = Init(tag=remote or 0x7777, window=100000, outboundStreams=9, inboundStreams=9, tsn=1)

    def echo(answer: bytes) -> None:
        parsed = Init.parse(answer[4:])
        end.give(c.chunk(c.COOKIE_ECHO, 0, parsed.cookie), tag=parsed.tag)

    match what:
        case Input.ASSOCIATE:
            association.associate(now)
        case Input.SHUT:
            # Data that waits would be a second input.
            association._move(Input.SHUT) if association.state is not State.CLOSED else None
        case Input.DRAINED:
            association._move(Input.DRAINED)
        case Input.GIVE_UP:
            association.abort(now)
        case Input.INIT:
            end.give(stranger.encode(c.INIT), tag=0)
        case Input.INIT_ACK:
            end.give(stranger.encode(c.INIT_ACK))
        case Input.COOKIE_NEW:
            if association.state is State.CLOSED:
                echo(opening.initAckChunk(stranger, (0, 0), now))
        case Input.COOKIE_RESTART:
            if association.state is not State.CLOSED:
                echo(opening.initAckAnewChunk(stranger, (local, remote), now))
        case Input.COOKIE_COLLISION:
            if association.state is not State.CLOSED:
                echo(opening.initAckChunk(stranger, (0, 0), now))
        case Input.COOKIE_LATE:
            if association.state is not State.CLOSED:
                echo(opening.initAckAnewChunk(friend, (0, 0), now))
        case Input.COOKIE_DUPLICATE:
            # Before its INIT ACK the other side has no tag to be the same.
            if remote:
                echo(opening.initAckChunk(friend, (0, 0), now))
        case Input.COOKIE_ACK:
            end.give(c.chunk(c.COOKIE_ACK))
        case Input.STALE_COOKIE:
            end.give(c.causesChunk(c.ERROR, 0, [Cause(c.STALE_COOKIE, bytes(4))]))
        case Input.SHUTDOWN:
            tsn = (opening.tsn - 1) & 0xFFFFFFFF
            end.give(c.chunk(c.SHUTDOWN, 0, tsn.to_bytes(4, "big")))
        case Input.SHUTDOWN_ACK:
            end.give(c.chunk(c.SHUTDOWN_ACK))
        case Input.SHUTDOWN_COMPLETE:
            end.give(c.chunk(c.SHUTDOWN_COMPLETE))
        case Input.ABORT:
            end.give(c.chunk(c.ABORT))
