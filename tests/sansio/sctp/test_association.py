"""
Tests for L{e2aegw.sansio.sctp.association}: how associations begin and end.
"""

import contextlib
import struct
from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from e2aegw.errors import RemoteError, UsageError
from e2aegw.sansio.sctp import chunks as c
from e2aegw.sansio.sctp.chunks import Cause, Init
from e2aegw.sansio.sctp.events import Closed, Established
from e2aegw.sansio.sctp.settings import MAX_REPLIES, Settings
from e2aegw.sansio.sctp.states import State, Violation
from tests.sansio.sctp.network import Network, chunksOf, chunkTypes, inState


class BeginTests(SynchronousTestCase):
    """
    How an association begins: RFC 9260 clause 5.
    """

    def assertUp(self, network: Network) -> None:
        """
        Both ends have one association, and it works.
        """
        for end in (network.left, network.right):
            self.assertIs(end.association.state, State.ESTABLISHED)
            self.assertEqual(len(end.take(Established)), 1)
            end.send(1, b"hello")
        self.assertTrue(network.run(lambda: bool(network.left.received and network.right.received)))

    def test_oneSide(self) -> None:
        """
        Four packets set an association up, and the first and the third are the
        caller's.
        """
        network = Network()
        network.connect()
        self.assertEqual([chunkTypes(p) for p in network.left.sent], [[c.INIT], [c.COOKIE_ECHO]])
        self.assertEqual([chunkTypes(p) for p in network.right.sent], [[c.INIT_ACK], [c.COOKIE_ACK]])
        self.assertUp(network)

    def test_R_70_bothSides(self) -> None:
        """
        Both sides may begin at once (RFC 9260 clause 5.2.1).
        """
        network = Network()
        network.connect(both=True)
        self.assertUp(network)

    def test_R_70_bothSidesOnABadNetwork(self) -> None:
        """
        They come together whatever gets lost or swapped.
        """
        for seed in range(200):
            network = Network(seed, loss=0.3, jitter=0.1, duplication=0.3)
            network.connect(both=True)
            network.loss = 0
            self.assertUp(network)

    def test_lostOnce(self) -> None:
        """
        Each packet of the set-up may get lost once; the timer of whoever waits
        sends it again.
        """
        for kind in (c.INIT, c.INIT_ACK, c.COOKIE_ECHO, c.COOKIE_ACK):
            network = Network()
            left = [True]

            def lose(packet: bytes, kind: int = kind, left: list[bool] = left) -> bool:
                return chunkTypes(packet)[0] == kind and bool(left) and left.pop()

            network.lose = lose
            network.connect()
            self.assertEqual(network.counts["lost"], 1)
            self.assertGreater(network.now, 1000.9)
            self.assertUp(network)

    def test_noAnswer(self) -> None:
        """
        After so many INITs there is nobody.
        """
        network = Network(loss=1)
        network.left.association.associate(network.now)
        network.left.pump()
        self.assertTrue(network.run(lambda: network.left.association.state is State.CLOSED))
        self.assertEqual(network.left.take(Closed), [Closed(reason="no answer", clean=False)])
        self.assertEqual(len(network.left.sent), 9)
        self.assertIsNone(network.left.association.nextTimeout())

    def test_R_72_ports(self) -> None:
        """
        The association is on the ports that were signalled, and no others.
        """
        network = Network(
            left=Settings(localPort=5001, remotePort=5002), right=Settings(localPort=5002, remotePort=5001)
        )
        network.connect()
        self.assertEqual(struct.unpack_from("!HH", network.left.sent[0]), (5001, 5002))
        self.assertRaises(RemoteError, network.left.give, c.chunk(c.COOKIE_ACK))

    def test_tags(self) -> None:
        """
        INIT has no tag; all else has the one that the receiver chose.
        """
        network = Network()
        network.connect()
        first, second = (struct.unpack_from("!I", packet, 4)[0] for packet in network.left.sent)
        self.assertEqual(first, 0)
        (init,) = (body for _, _, body in chunksOf(network.right.sent[0]))
        self.assertEqual(second, Init.parse(init).tag)

    def test_agreement(self) -> None:
        """
        Streams are as many as the sender has and the receiver takes.
        """
        network = Network(
            left=Settings(outboundStreams=10, inboundStreams=20, interleaving=False),
            right=Settings(outboundStreams=5, inboundStreams=30),
        )
        network.connect()
        (established,) = network.left.take(Established)
        self.assertEqual(
            established,
            Established(
                outboundStreams=10, inboundStreams=5, interleaved=False, partial=True, resettable=True
            ),
        )
        self.assertRaises(UsageError, network.left.send, 10, b"x")
        network.left.send(9, b"x")
        self.assertTrue(network.run(lambda: network.right.received == {9: [b"x"]}))

    def test_poorPeer(self) -> None:
        """
        An other side without extensions gets DATA, all of it, and no resets.
        """
        network = Network()
        init = Init(tag=7, window=100000, outboundStreams=1, inboundStreams=1, tsn=1)
        (answer,) = network.left.give(init.encode(c.INIT), tag=0)
        ((_, _, body),) = chunksOf(answer)
        network.left.give(c.chunk(c.COOKIE_ECHO, 0, Init.parse(body).cookie))
        (established,) = network.left.take(Established)
        self.assertEqual(
            established,
            Established(
                outboundStreams=1, inboundStreams=1, interleaved=False, partial=False, resettable=False
            ),
        )
        self.assertRaises(UsageError, network.left.association.resetStreams, [0], network.now)
        network.lose = lambda packet: True
        network.left.send(0, b"x", maxRetransmits=0)
        network.rest(2)
        data = [packet for packet in network.left.sent if c.DATA in chunkTypes(packet)]
        self.assertGreaterEqual(len(data), 2)

    def test_early(self) -> None:
        """
        What is sent before the association is up waits for it; what waits in a
        stream that the other side does not have is reported.
        """
        network = Network(right=Settings(inboundStreams=10))
        network.left.send(3, b"early")
        network.left.send(11, b"nowhere")
        network.left.association.setLowWater(12, 100)
        network.connect()
        self.assertTrue(network.run(lambda: network.right.received == {3: [b"early"]}))
        self.assertEqual([event[0] for event in network.left.events if isinstance(event, tuple)], [11, 12])
        self.assertEqual(network.left.association.bufferedAmount(11), 0)

    def test_zeroChecksum(self) -> None:
        """
        Where both sides accept it, only INIT, COOKIE ECHO and what may meet no
        association have a checksum (RFC 9653).
        """
        network = Network()
        network.connect()
        network.left.send(1, b"x" * 5000)
        network.rest(1)
        for end in (network.left, network.right):
            for packet in end.sent:
                opening = chunkTypes(packet)[0] in (c.INIT, c.INIT_ACK, c.COOKIE_ECHO)
                self.assertEqual(packet[8:12] != bytes(4), opening)

    def test_checksum(self) -> None:
        """
        Where one side does not accept it, there is a checksum both ways, and a
        packet without it is refused.
        """
        network = Network(right=Settings(zeroChecksum=False))
        network.connect()
        network.left.send(1, b"x" * 5000)
        network.right.send(1, b"x" * 5000)
        network.rest(1)
        for end in (network.left, network.right):
            self.assertTrue(all(packet[8:12] != bytes(4) for packet in end.sent))
        good = network.left.sent[-1]
        bad = good[:8] + bytes(4) + good[12:]
        error = self.assertRaises(RemoteError, network.right.association.receive, bad, network.now)
        self.assertEqual(error.reason, "SCTP checksum")

    def test_initWithoutChecksum(self) -> None:
        """
        An INIT must have a checksum; its sender cannot know better.
        """
        network = Network()
        network.left.association.associate(network.now)
        network.left.pump()
        packet = network.left.sent[0][:8] + bytes(4) + network.left.sent[0][12:]
        self.assertRaises(RemoteError, network.right.association.receive, packet, network.now)

    def test_unknownParametersAreReported(self) -> None:
        """
        INIT ACK reports what was unknown in INIT, and an ERROR chunk beside
        COOKIE ECHO what was unknown in INIT ACK.
        """
        init = Init(tag=7, window=100000, outboundStreams=1, inboundStreams=1, tsn=1, cookie=b"biscuit")
        unknown = struct.pack("!HH", 0xC123, 4)
        network = Network()
        (answer,) = network.left.give(c.chunk(c.INIT, 0, init.encode(c.INIT)[4:36] + unknown), tag=0)
        ((_, _, body),) = chunksOf(answer)
        self.assertTrue(Init.parse(body).reported)
        network = Network()
        network.left.association.associate(network.now)
        network.left.pump()
        (echo,) = network.left.give(c.chunk(c.INIT_ACK, 0, init.encode(c.INIT_ACK)[4:32] + unknown))
        (_, cookie), (kind, body) = ((kind, body) for kind, _, body in chunksOf(echo))
        self.assertEqual(cookie, b"biscuit")
        self.assertEqual((kind, c.parseCauses(body)), (c.ERROR, [Cause(c.UNRECOGNIZED_PARAMETERS, unknown)]))

    def test_badInit(self) -> None:
        """
        An INIT without a tag, without streams, with hardly a window (RFC 9260
        clause 3.3.2), or in company is refused; the ones without streams and
        window are told.
        """
        network = Network()
        good = Init(tag=7, window=100000, outboundStreams=1, inboundStreams=1, tsn=1)
        for init, answers in (
            (replace(good, tag=0), 0),
            (replace(good, outboundStreams=0), 1),
            (replace(good, inboundStreams=0), 1),
            (replace(good, window=c.MIN_WINDOW - 1), 1),
        ):
            chunk = init.encode(c.INIT)
            count = len(network.left.sent)
            self.assertRaises(RemoteError, network.left.give, chunk, tag=0)
            self.assertEqual(
                [chunkTypes(packet) for packet in network.left.sent[count:]], [[c.ABORT]] * answers
            )
        chunk = good.encode(c.INIT)
        self.assertRaises(RemoteError, network.left.give, chunk, tag=1)
        self.assertRaises(RemoteError, network.left.give, chunk, c.chunk(c.COOKIE_ACK), tag=0)

    def test_badInitAck(self) -> None:
        """
        An INIT ACK without a cookie, or with hardly a window, leads nowhere.
        """
        network = Network()
        network.left.association.associate(network.now)
        network.left.pump()
        init = Init(tag=7, window=100000, outboundStreams=1, inboundStreams=1, tsn=1)
        small = replace(init, cookie=b"biscuit", window=c.MIN_WINDOW - 1)
        for bad in (init, small):
            self.assertRaises(RemoteError, network.left.give, bad.encode(c.INIT_ACK))
        self.assertIs(network.left.association.state, State.COOKIE_WAIT)

    def test_longCookie(self) -> None:
        """
        A cookie that fits in no packet leads nowhere; one that leaves no room
        for an ERROR chunk goes without.
        """
        unknown = (struct.pack("!HH200s", 0xC123, 204, b""),)
        for size, kinds in ((1172, [c.COOKIE_ECHO]), (900, [c.COOKIE_ECHO, c.ERROR])):
            end = inState(State.COOKIE_WAIT)
            init = Init(tag=7, window=100000, outboundStreams=1, inboundStreams=1, tsn=1, cookie=bytes(size))
            chunk = c.chunk(c.INIT_ACK, 0, init.encode(c.INIT_ACK)[4:] + unknown[0])
            self.assertEqual([chunkTypes(packet) for packet in end.give(chunk)], [kinds])
        end = inState(State.COOKIE_WAIT)
        chunk = replace(init, cookie=bytes(1173)).encode(c.INIT_ACK)
        self.assertRaises(RemoteError, end.give, chunk)

    def test_manyInits(self) -> None:
        """
        INITs that nobody lets be answered do not fill the memory.
        """
        association = Network().left.association
        init = Init(tag=7, window=100000, outboundStreams=1, inboundStreams=1, tsn=1).encode(c.INIT)
        packet = c.packet(struct.pack("!HHI", 5000, 5000, 0), [init])
        for _ in range(100):
            association.receive(packet, 1000)
        answers = 0
        while association.nextDatagram() is not None:
            answers += 1
        self.assertEqual(answers, MAX_REPLIES)


class EndTests(SynchronousTestCase):
    """
    How an association ends: RFC 9260 clause 9.
    """

    def test_shutdown(self) -> None:
        """
        Everything arrives first, both ways, whatever gets lost.
        """
        for seed in range(50):
            network = Network(seed, loss=0.2, jitter=0.05)
            network.connect()
            network.left.send(1, bytes(30000))
            network.right.send(2, bytes(20000))
            network.left.association.shutdown(network.now)
            network.left.pump()
            self.assertRaises(UsageError, network.left.send, 1, b"more")
            ends = (network.left, network.right)
            self.assertTrue(network.run(lambda ends=ends: all(e.take(Closed) for e in ends)))  # type: ignore[misc]
            self.assertEqual(network.right.received, {1: [bytes(30000)]})
            self.assertEqual(network.left.received, {2: [bytes(20000)]})
            self.assertEqual(network.left.take(Closed), [Closed(reason="shutdown", clean=True)])

    def test_bothShutDown(self) -> None:
        """
        Both sides may do it at once.
        """
        network = Network()
        network.connect()
        for end in (network.left, network.right):
            end.association.shutdown(network.now)
            end.pump()
        ends = (network.left, network.right)
        self.assertTrue(network.run(lambda: all(end.take(Closed) for end in ends)))

    def test_threePackets(self) -> None:
        """
        SHUTDOWN, SHUTDOWN ACK, SHUTDOWN COMPLETE.
        """
        network = Network()
        network.connect()
        network.left.sent.clear()
        network.right.sent.clear()
        network.left.association.shutdown(network.now)
        network.left.pump()
        network.run(lambda: bool(network.right.take(Closed)))
        self.assertEqual([chunkTypes(p) for p in network.left.sent], [[c.SHUTDOWN], [c.SHUTDOWN_COMPLETE]])
        self.assertEqual([chunkTypes(p) for p in network.right.sent], [[c.SHUTDOWN_ACK]])

    def test_shutdownMeetsNobody(self) -> None:
        """
        A side that has forgotten everything completes a shutdown (RFC 9260
        clause 8.4), though it begins anew at that moment (clause 8.5.1 E).
        """
        for state in (State.CLOSED, State.COOKIE_WAIT, State.COOKIE_ECHOED):
            end = inState(state)
            (packet,) = end.give(c.chunk(c.SHUTDOWN_ACK), tag=77)
            self.assertEqual(list(chunksOf(packet)), [(c.SHUTDOWN_COMPLETE, c.REFLECTED, b"")])
            self.assertEqual(struct.unpack_from("!I", packet, 4), (77,))
            self.assertIs(end.association.state, state)

    def test_noEnd(self) -> None:
        """
        A shutdown that is not answered ends all the same.
        """
        network = Network(left=Settings(maxRetransmits=5))
        network.connect()
        network.lose = lambda packet: True
        network.left.association.shutdown(network.now)
        network.left.pump()
        self.assertTrue(network.run(lambda: bool(network.left.take(Closed))))
        self.assertEqual(network.left.take(Closed), [Closed(reason="no answer", clean=False)])

    def test_guard(self) -> None:
        """
        An other side that goes on sending data cannot keep a shutdown from its
        end.
        """
        network = Network(right=Settings(interleaving=False))
        network.connect()
        left = network.left
        tsn = network.right.association._opening.tsn
        network.lose = lambda packet: True
        left.association.shutdown(network.now)
        left.pump()
        for _ in range(1000):
            left.give(c.dataChunk(c.BEGIN | c.END, tsn, 1, 0, 53, b"x"))
            network.now += 0.5
            left.association.timeout(network.now)
            left.pump()
            if left.take(Closed):
                break
        self.assertEqual(left.take(Closed), [Closed(reason="shutdown took too long", clean=False)])

    def test_abort(self) -> None:
        """
        An abort ends both sides at once; nothing answers it.
        """
        network = Network()
        network.connect()
        network.left.association.abort(network.now, "no more calls")
        network.left.pump()
        count = len(network.right.sent)
        self.assertTrue(network.run(lambda: bool(network.right.take(Closed))))
        self.assertEqual(network.left.take(Closed), [Closed(reason="no more calls", clean=False)])
        self.assertEqual(
            network.right.take(Closed), [Closed(reason="aborted by the other side: cause 12", clean=False)]
        )
        self.assertEqual(len(network.right.sent), count)
        for end in (network.left, network.right):
            end.association.abort(network.now, "again")
            end.pump()
            self.assertEqual(len(end.take(Closed)), 1)
            self.assertIsNone(end.association.nextTimeout())
            self.assertRaises(UsageError, end.association.associate, network.now)
            self.assertRaises(UsageError, end.send, 1, b"x")

    def test_abortReason(self) -> None:
        """
        What the other side says about it is repeated, up to a point.
        """
        end = inState(State.ESTABLISHED)
        cause = Cause(c.PROTOCOL_VIOLATION, b"bad \xff" + b"x" * 200)
        end.give(c.causesChunk(c.ABORT, 0, [cause]))
        (closed,) = end.take(Closed)
        assert isinstance(closed, Closed)
        self.assertTrue(closed.reason.startswith("aborted by the other side: cause 13 bad \ufffdx"))
        self.assertLess(len(closed.reason), 130)

    def test_malformedAbort(self) -> None:
        """
        An ABORT ends the association even if its cause makes no sense.
        """
        end = inState(State.ESTABLISHED)
        end.give(c.chunk(c.ABORT, 0, bytes(4)))
        self.assertEqual(end.take(Closed), [Closed(reason="aborted by the other side", clean=False)])

    def test_abortTags(self) -> None:
        """
        An ABORT counts with our tag, or with the other side's and the T bit
        (RFC 9260 clause 8.5.1 B).
        """
        for flags, ours, counts in ((0, True, True), (1, False, True), (1, True, False), (0, False, False)):
            end = inState(State.ESTABLISHED)
            association = end.association
            tag = association._localTag if ours else association._remoteTag
            with contextlib.suppress(RemoteError):
                end.give(c.chunk(c.ABORT, flags), tag=tag)
            self.assertEqual(association.state is State.CLOSED, counts, f"{flags} {ours}")

    def test_shutBeforeItIsUp(self) -> None:
        """
        An association that is not up is let go of.
        """
        for state in (State.CLOSED, State.COOKIE_WAIT, State.COOKIE_ECHOED):
            end = inState(state)
            end.association.shutdown(end.network.now)
            end.pump()
            self.assertEqual(end.take(Closed), [Closed(reason="shutdown", clean=True)])

    def test_afterTheEnd(self) -> None:
        """
        What arrives after the end is answered as if there had never been an
        association, except that none begins (RFC 9260 clause 8.4).
        """
        end = inState(State.ESTABLISHED)
        end.association.abort(end.network.now)
        end.pump()
        init = Init(tag=99, window=100000, outboundStreams=1, inboundStreams=1, tsn=1).encode(c.INIT)
        (packet,) = end.give(init, tag=0)
        self.assertEqual(list(chunksOf(packet)), [(c.ABORT, 0, b"")])
        self.assertEqual(struct.unpack_from("!I", packet, 4), (99,))
        (packet,) = end.give(c.dataChunk(3, 1, 1, 1, 1, b"x"), tag=55)
        self.assertEqual(list(chunksOf(packet)), [(c.ABORT, c.REFLECTED, b"")])
        self.assertEqual(struct.unpack_from("!I", packet, 4), (55,))
        for kind in (c.ABORT, c.SHUTDOWN_COMPLETE, c.COOKIE_ACK, c.ERROR):
            self.assertEqual(end.give(c.chunk(kind), tag=55), [])

    def test_wrongTag(self) -> None:
        """
        A packet with a wrong tag changes nothing.
        """
        end = inState(State.ESTABLISHED)
        tag = end.association._localTag ^ 1
        self.assertRaises(RemoteError, end.give, c.chunk(c.SHUTDOWN, 0, bytes(4)), tag=tag)
        self.assertIs(end.association.state, State.ESTABLISHED)


class PresenceTests(SynchronousTestCase):
    """
    Whether the other side is there: RFC 9260 clauses 8.1 to 8.3.
    """

    def test_tooSoon(self) -> None:
        """
        Who asks before there is an association gets no answer.
        """
        for state in (State.COOKIE_WAIT, State.COOKIE_ECHOED):
            end = inState(state)
            self.assertEqual(end.give(c.heartbeatChunk(b"anybody?"), c.chunk(0xC1)), [])

    def test_heartbeat(self) -> None:
        """
        In silence each side asks now and then, and measures.
        """
        network = Network()
        network.connect()
        network.rest(200)
        beats = [packet for packet in network.left.sent if c.HEARTBEAT in chunkTypes(packet)]
        self.assertIn(len(beats), (2, 3))
        self.assertAlmostEqual(network.left.association._outbound.roundTrip.smoothed, 0.04)
        self.assertIs(network.left.association.state, State.ESTABLISHED)

    def test_noHeartbeatInTraffic(self) -> None:
        """
        Who is heard is not asked.
        """
        network = Network()
        network.connect()
        for _ in range(20):
            network.rest(10)
            network.left.send(1, b"x")
        for end in (network.left, network.right):
            self.assertFalse([packet for packet in end.sent if c.HEARTBEAT in chunkTypes(packet)])

    def test_R_73_gone(self) -> None:
        """
        After so many questions without an answer the association is over.
        """
        network = Network()
        network.connect()
        network.lose = lambda packet: True
        self.assertTrue(network.run(lambda: bool(network.left.take(Closed))))
        self.assertEqual(network.left.take(Closed), [Closed(reason="no answer", clean=False)])

    def test_R_73_goneWithData(self) -> None:
        """
        So it is after so many retransmissions.
        """
        network = Network()
        network.connect()
        network.lose = lambda packet: True
        network.left.send(1, b"x")
        self.assertTrue(network.run(lambda: bool(network.left.take(Closed))))
        count = len([packet for packet in network.left.sent if c.I_DATA in chunkTypes(packet)])
        self.assertEqual(count, 11)

    def test_strangeAnswers(self) -> None:
        """
        Answers to questions that were not asked are not measured.
        """
        end = inState(State.ESTABLISHED)
        for information in (b"", bytes(15), bytes(17)):
            chunk = c.chunk(c.HEARTBEAT_ACK, 0, c.heartbeatChunk(information)[4:])
            self.assertRaises(RemoteError, end.give, chunk)
        end.give(c.chunk(c.HEARTBEAT_ACK, 0, c.heartbeatChunk(struct.pack("!Qd", 5, 0))[4:]))
        self.assertEqual(end.association._outbound.roundTrip.smoothed, -1)

    def test_heartbeatIsAnswered(self) -> None:
        """
        A HEARTBEAT comes back as it was; one that is too large does not.
        """
        end = inState(State.ESTABLISHED)
        (packet,) = end.give(c.heartbeatChunk(b"anything"))
        self.assertEqual(list(chunksOf(packet)), [(c.HEARTBEAT_ACK, 0, c.heartbeatChunk(b"anything")[4:])])
        self.assertEqual(end.give(c.heartbeatChunk(bytes(2000))), [])

    def test_manyHeartbeats(self) -> None:
        """
        A packet full of HEARTBEATs, again and again, does not fill the memory.
        """
        end = inState(State.ESTABLISHED)
        association = end.association
        beats = [c.heartbeatChunk(bytes(500))] * 100
        packet = c.packet(struct.pack("!HHI", 5000, 5000, association._localTag), beats)
        for _ in range(10):
            association.receive(packet, end.network.now)
        answered = 0
        while (answer := association.nextDatagram()) is not None:
            self.assertLessEqual(len(answer), 1191)
            answered += len(answer)
        self.assertLess(answered, 20000)


class UnknownTests(SynchronousTestCase):
    """
    What nobody knows: RFC 9260 clause 3.2.
    """

    def test_chunks(self) -> None:
        """
        The two high bits of an unknown chunk decide whether the packet is read
        on, and whether it is reported.
        """
        for kind, report, goOn in ((0x3F, 0, 0), (0x7F, 1, 0), (0xBF, 0, 1), (0xFF, 1, 1)):
            end = inState(State.ESTABLISHED)
            chunk = c.chunk(kind, 0, b"?")
            packets = end.give(chunk, c.heartbeatChunk(b"!"))
            answers = [chunk for packet in packets for chunk in chunksOf(packet)]
            kinds = [answer[0] for answer in answers]
            self.assertEqual(kinds, [c.ERROR] * report + [c.HEARTBEAT_ACK] * goOn)
            if report:
                self.assertEqual(c.parseCauses(answers[0][2]), [Cause(c.UNRECOGNIZED_CHUNK, chunk[:5])])

    def test_errors(self) -> None:
        """
        An ERROR that needs no answer gets none.
        """
        end = inState(State.ESTABLISHED)
        for code in range(1, 14):
            self.assertEqual(end.give(c.causesChunk(c.ERROR, 0, [Cause(code, b"abcd")])), [])
        self.assertIs(end.association.state, State.ESTABLISHED)

    def test_malformed(self) -> None:
        """
        A packet that is not well-formed is refused by name.
        """
        end = inState(State.ESTABLISHED)
        for chunks, reason in (
            ((b"",), "SCTP packet"),
            ((c.chunk(c.COOKIE_ACK), b"\0"), "SCTP chunk"),
            ((b"\x0b\0\0\x03",), "SCTP chunk"),
            ((b"\x0b\0\0\x05",), "SCTP chunk"),
            ((c.chunk(c.SHUTDOWN, 0, b"abc"),), "SCTP SHUTDOWN"),
            ((c.chunk(c.I_DATA, 3, bytes(15)),), "SCTP DATA"),
        ):
            error = self.assertRaises(RemoteError, end.give, *chunks)
            self.assertEqual(error.reason, reason)

    def test_violations(self) -> None:
        """
        What violates the protocol ends the association, with an ABORT that
        says how.
        """
        for chunk, code in (
            (c.dataChunk(3, 1, 1, 1, 1, b"x"), c.PROTOCOL_VIOLATION),
            (c.iDataChunk(3, 1, 1, 1, 1, b""), c.NO_USER_DATA),
            (c.sackChunk(0x12345678, 1000, [], []), c.PROTOCOL_VIOLATION),
        ):
            end = inState(State.ESTABLISHED)
            if chunk[0] == c.SACK:
                tsn = end.association._outbound.nextTSN
                chunk = c.sackChunk(tsn, 1000, [], [])
            self.assertRaises(Violation, end.give, chunk)
            ((kind, _, body),) = chunksOf(end.sent[-1])
            self.assertEqual(kind, c.ABORT)
            self.assertEqual(c.parseCauses(body)[0].code, code)
            self.assertEqual(len(end.take(Closed)), 1)

    def test_noSuchStream(self) -> None:
        """
        Data for a stream that there is not is acknowledged and reported.
        """
        network = Network(left=Settings(inboundStreams=5))
        network.connect()
        tsn = network.right.association._opening.tsn
        packets = network.left.give(c.iDataChunk(3, tsn, 5, 0, 53, b"x"))
        answers = {kind: body for packet in packets for kind, _, body in chunksOf(packet)}
        self.assertEqual(c.parseCauses(answers[c.ERROR]), [Cause(c.INVALID_STREAM, b"\0\x05\0\0")])
        self.assertEqual(c.parseSack(answers[c.SACK]).tsn, tsn)
        self.assertEqual(network.left.received, {})
