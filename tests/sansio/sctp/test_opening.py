"""
Tests for L{e2aegw.sansio.sctp.opening}: cookies, collisions and restarts.
"""

import struct

from twisted.trial.unittest import SynchronousTestCase

from e2aegw.errors import RemoteError
from e2aegw.sansio.sctp import chunks as c
from e2aegw.sansio.sctp.chunks import Cause, Init
from e2aegw.sansio.sctp.events import Closed, Established, Restarted
from e2aegw.sansio.sctp.settings import Settings
from e2aegw.sansio.sctp.states import State
from tests.sansio.sctp.network import End, Network, chunksOf, chunkTypes, inState


class CookieTests(SynchronousTestCase):
    """
    State cookies: RFC 9260 clauses 5.1.3, 5.1.5 and 5.2.4.
    """

    def cookieFor(self, end: End, tag: int = 7) -> tuple[bytes, int]:
        """
        A cookie, and the tag that came with it.
        """
        init = Init(tag=tag, window=100000, outboundStreams=10, inboundStreams=10, tsn=1)
        (answer,) = end.give(init.encode(c.INIT), tag=0)
        ((_, _, body),) = chunksOf(answer)
        parsed = Init.parse(body)
        return parsed.cookie, parsed.tag

    def test_forged(self) -> None:
        """
        A cookie of which a bit was changed is worth nothing.
        """
        network = Network()
        cookie, tag = self.cookieFor(network.left)
        for index in range(len(cookie)):
            bad = bytearray(cookie)
            bad[index] ^= 1
            echo = c.chunk(c.COOKIE_ECHO, 0, bytes(bad))
            self.assertRaises(RemoteError, network.left.give, echo, tag=tag)
        self.assertIs(network.left.association.state, State.CLOSED)

    def test_wrongTag(self) -> None:
        """
        The tag of the packet must be the one in the cookie.
        """
        network = Network()
        cookie, tag = self.cookieFor(network.left)
        echo = c.chunk(c.COOKIE_ECHO, 0, cookie)
        self.assertRaises(RemoteError, network.left.give, echo, tag=tag ^ 1)

    def test_stale(self) -> None:
        """
        A cookie that is too old is refused, with an ERROR that says by how
        much.
        """
        network = Network()
        cookie, tag = self.cookieFor(network.left)
        network.now += 61
        count = len(network.left.sent)
        echo = c.chunk(c.COOKIE_ECHO, 0, cookie)
        self.assertRaises(RemoteError, network.left.give, echo, tag=tag)
        ((kind, _, body),) = chunksOf(network.left.sent[count])
        self.assertEqual(kind, c.ERROR)
        self.assertEqual(c.parseCauses(body), [Cause(c.STALE_COOKIE, (1000000).to_bytes(4, "big"))])
        self.assertEqual(struct.unpack_from("!I", network.left.sent[count], 4), (7,))

    def test_staleDuplicate(self) -> None:
        """
        A duplicate of the cookie of this very association is never too old.
        """
        network = Network()
        network.connect()
        echo = network.left.sent[1]
        network.rest(100)
        count = len(network.right.sent)
        network.right.association.receive(echo, network.now)
        network.right.pump()
        self.assertIn([c.COOKIE_ACK], [chunkTypes(packet) for packet in network.right.sent[count:]])

    def test_tooSlow(self) -> None:
        """
        A caller whose cookie came too late begins anew, and succeeds.
        """
        network = Network()
        slow = [True]

        def lose(packet: bytes) -> bool:
            return chunkTypes(packet) == [c.COOKIE_ECHO] and bool(slow)

        network.lose = lose
        network.left.association.associate(network.now)
        network.left.pump()
        network.rest(62)
        slow.clear()
        self.assertTrue(network.run(lambda: network.left.association.state is State.ESTABLISHED))
        inits = [packet for packet in network.left.sent if chunkTypes(packet) == [c.INIT]]
        self.assertEqual(len(inits), 2)
        self.assertTrue(network.run(lambda: network.right.association.state is State.ESTABLISHED))

    def test_neverInTime(self) -> None:
        """
        An other side that calls every cookie too old is given up.
        """
        end = inState(State.COOKIE_WAIT)
        init = Init(tag=7, window=100000, outboundStreams=1, inboundStreams=1, tsn=1, cookie=b"biscuit")
        error = c.causesChunk(c.ERROR, 0, [Cause(c.STALE_COOKIE, bytes(4))])
        for _ in range(9):
            self.assertIs(end.association.state, State.COOKIE_WAIT)
            end.give(init.encode(c.INIT_ACK))
            end.give(error)
        self.assertEqual(end.take(Closed), [Closed(reason="stale cookies", clean=False)])

    def test_restart(self) -> None:
        """
        An other side that lost its memory begins anew (action A): what was
        under way is lost, what had arrived is not.
        """
        network = Network()
        network.connect()
        network.left.association.send(4, b"before", 53, now=network.now)
        network.left.pump()
        network.lose = lambda packet: True
        network.left.send(4, b"lost")
        network.rest(0.5)
        network.lose = lambda packet: False
        before = network.right
        network.right = End(network, Settings(), network.random)
        network.right.association.associate(network.now)
        network.right.pump()
        self.assertTrue(network.run(lambda: network.right.association.state is State.ESTABLISHED))
        self.assertEqual(
            [type(event) for event in network.left.events], [Established, Restarted, Established]
        )
        network.left.send(4, b"after")
        network.right.send(4, b"back")
        self.assertTrue(network.run(lambda: bool(network.left.received and network.right.received)))
        self.assertEqual(before.received, {4: [b"before"]})
        self.assertEqual(network.right.received, {4: [b"after"]})

    def test_restartKeepsWhatNobodyTook(self) -> None:
        """
        Messages that arrived before the other side began anew can still be
        taken, and count until they are.
        """
        network = Network()
        network.connect()
        left = network.left.association
        left.pause(4)
        network.right.send(4, b"x" * 1000)
        network.rest(1)
        network.right = End(network, Settings(), network.random)
        network.right.association.associate(network.now)
        network.right.pump()
        self.assertTrue(network.run(lambda: network.right.association.state is State.ESTABLISHED))
        assert left._transfer is not None
        self.assertEqual(left._transfer.inbound.used, 1128)
        left.resume(4, network.now)
        network.left.pump()
        self.assertEqual(network.left.received, {4: [b"x" * 1000]})
        self.assertEqual(left._transfer.inbound.used, 0)

    def test_restartWhileShutDown(self) -> None:
        """
        An association that waits for the end of its shutdown does not begin
        anew, and says so.
        """
        end = inState(State.SHUTDOWN_ACK_SENT)
        association = end.association
        init = Init(tag=99, window=100000, outboundStreams=1, inboundStreams=1, tsn=1)
        self.assertEqual([chunkTypes(p) for p in end.give(init.encode(c.INIT), tag=0)], [[c.SHUTDOWN_ACK]])
        opening = association._opening
        ties = (association._localTag, association._remoteTag)
        answer = opening.initAckAnewChunk(init, ties, end.network.now)
        parsed = Init.parse(answer[4:])
        (packet,) = end.give(c.chunk(c.COOKIE_ECHO, 0, parsed.cookie), tag=parsed.tag)
        (_, first, _), (kind, _, body) = ((kind, kind, body) for kind, _, body in chunksOf(packet))
        self.assertEqual((first, kind), (c.SHUTDOWN_ACK, c.ERROR))
        self.assertEqual(c.parseCauses(body), [Cause(c.COOKIE_IN_SHUTDOWN)])
        self.assertIs(association.state, State.SHUTDOWN_ACK_SENT)

    def test_collision(self) -> None:
        """
        The other side chose a new tag for its INIT, after it answered ours
        (action B): its new tag counts.
        """
        network = Network()
        network.connect()
        association = network.left.association
        init = Init(tag=99, window=100000, outboundStreams=1, inboundStreams=1, tsn=1)
        cookie = association._opening.initAckChunk(init, (0, 0), network.now)
        (packet,) = network.left.give(c.chunk(c.COOKIE_ECHO, 0, Init.parse(cookie[4:]).cookie))
        self.assertEqual(chunkTypes(packet), [c.COOKIE_ACK])
        self.assertEqual(struct.unpack_from("!I", packet, 4), (99,))
        self.assertIs(association.state, State.ESTABLISHED)

    def test_late(self) -> None:
        """
        A cookie with the other side's tag and an older one of ours came late
        (action C) and is discarded.
        """
        network = Network()
        network.connect()
        association = network.left.association
        init = Init(tag=association._remoteTag, window=100000, outboundStreams=1, inboundStreams=1, tsn=1)
        answer = Init.parse(association._opening.initAckAnewChunk(init, (0, 0), network.now)[4:])
        self.assertEqual(network.left.give(c.chunk(c.COOKIE_ECHO, 0, answer.cookie), tag=answer.tag), [])
        self.assertEqual(association.dropped, 1)

    def test_stranger(self) -> None:
        """
        A cookie whose tags are all unknown is refused.
        """
        network = Network()
        network.connect()
        init = Init(tag=99, window=100000, outboundStreams=1, inboundStreams=1, tsn=1)
        opening = network.left.association._opening
        answer = Init.parse(opening.initAckAnewChunk(init, (1, 2), network.now)[4:])
        echo = c.chunk(c.COOKIE_ECHO, 0, answer.cookie)
        self.assertRaises(RemoteError, network.left.give, echo, tag=answer.tag)
