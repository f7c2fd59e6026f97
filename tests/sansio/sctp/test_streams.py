"""
Tests for L{e2aegw.sansio.sctp.streams}: streams that begin anew.
"""

from twisted.trial.unittest import SynchronousTestCase

from e2aegw.errors import ResourceError, UsageError
from e2aegw.sansio.sctp import chunks as c
from e2aegw.sansio.sctp.chunks import (
    AddStreams,
    IncomingReset,
    OutgoingReset,
    Reconfiguration,
    Response,
    TSNReset,
)
from e2aegw.sansio.sctp.events import Closed, ResetRefused, StreamReset
from e2aegw.sansio.sctp.settings import Settings
from e2aegw.sansio.sctp.streams import MAX_STREAMS_RESET, MAX_WAITING, Result
from tests.sansio.sctp.network import End, Network, chunksOf, chunkTypes, forge


def ask(end: End, *parts: Reconfiguration) -> list[Reconfiguration]:
    """
    Send RE-CONFIG.

    @return: what comes back.
    """
    return [
        part
        for packet in end.give(c.reconfigChunk(parts))
        for kind, _, body in chunksOf(packet)
        if kind == c.RE_CONFIG
        for part in c.parseReconfig(body)
    ]


class ResetTests(SynchronousTestCase):
    """
    We reset our outgoing streams: RFC 6525 clauses 5.1.2 and 5.2.2.
    """

    def network(self, **how: float) -> Network:
        """
        Two ends with an association.
        """
        network = Network(**how)  # type: ignore[arg-type]
        network.connect()
        return network

    def test_reset(self) -> None:
        """
        What waited goes out first; then both ends count anew.
        """
        network = self.network()
        for number in range(50):
            network.left.association.send(1, bytes([number]) * 3000, 53, now=network.now)
        network.left.association.resetStreams([1, 1], network.now)
        network.left.pump()
        self.assertRaises(UsageError, network.left.send, 1, b"x")
        self.assertTrue(network.run(lambda: StreamReset(1, False) in network.left.events))
        self.assertEqual(len(network.right.received[1]), 50)
        self.assertIn(StreamReset(1, True), network.right.events)
        network.left.send(1, b"anew")
        self.assertTrue(network.run(lambda: len(network.right.received[1]) == 51))

    def test_badNetwork(self) -> None:
        """
        So they do on any network, again and again, from both ends.
        """
        for seed in range(30):
            network = Network(seed, loss=0.2, jitter=0.1, duplication=0.2)
            network.connect()
            for turn in range(1, 4):
                for end in (network.left, network.right):
                    for streamID in (1, 2, 3):
                        end.send(streamID, bytes([turn]) * 2000)
                    end.association.resetStreams([1, 2], network.now)
                    end.pump()
                    end.association.resetStreams([3], network.now)
                    end.pump()

                def isDone(network: Network = network, turn: int = turn) -> bool:
                    return all(
                        len(end.take(StreamReset)) == 6 * turn for end in (network.left, network.right)
                    )

                self.assertTrue(network.run(isDone, 600), f"seed {seed}, turn {turn}")
            for end in (network.left, network.right):
                expected = [bytes([turn]) * 2000 for turn in (1, 2, 3)]
                self.assertEqual(end.received, {1: expected, 2: expected, 3: expected})

    def test_manyStreams(self) -> None:
        """
        More streams than fit in a packet are reset one request after the other.
        """
        network = self.network()
        streams = range(MAX_STREAMS_RESET * 2 + 1)
        network.left.association.resetStreams(streams, network.now)
        network.left.pump()
        self.assertTrue(network.run(lambda: len(network.left.take(StreamReset)) == len(streams)))
        requests = [packet for packet in network.left.sent if c.RE_CONFIG in chunkTypes(packet)]
        self.assertEqual(len(requests), 3)

    def test_tooMany(self) -> None:
        """
        A list of streams that wait to be reset has an end.
        """
        network = self.network()
        association = network.left.association
        self.assertRaises(ResourceError, association.resetStreams, range(MAX_WAITING + 1), network.now)
        association.resetStreams(range(MAX_WAITING), network.now)

    def test_badStream(self) -> None:
        """
        Only streams that there are can be reset, and only while there is an
        association.
        """
        network = Network()
        self.assertRaises(UsageError, network.left.association.resetStreams, [1], network.now)
        network.connect()
        self.assertRaises(UsageError, network.left.association.resetStreams, [65535], network.now)
        network.left.association.abort(network.now)
        self.assertRaises(UsageError, network.left.association.resetStreams, [1], network.now)

    def test_noAnswer(self) -> None:
        """
        A request that is never answered is a sign that nobody is there.
        """
        network = self.network()
        network.lose = lambda packet: True
        network.left.association.resetStreams([1], network.now)
        network.left.pump()
        self.assertTrue(network.run(lambda: bool(network.left.take(Closed))))

    def answer(self, network: Network, result: int) -> None:
        """
        Answer the request that was sent last.
        """
        requests = [packet for packet in network.left.sent if c.RE_CONFIG in chunkTypes(packet)]
        ((_, _, body),) = (chunk for chunk in chunksOf(requests[-1]) if chunk[0] == c.RE_CONFIG)
        (request,) = c.parseReconfig(body)
        network.left.give(c.reconfigChunk([Response(request.number, result)]))

    def test_refused(self) -> None:
        """
        A stream that the other side does not let us reset goes on.
        """
        for result in (Result.DENIED, Result.WRONG_SSN, Result.BAD_NUMBER, 99):
            network = self.network()
            network.lose = lambda packet: True
            network.left.association.resetStreams([1], network.now)
            network.left.pump()
            self.answer(network, result)
            self.assertEqual(network.left.take(ResetRefused), [ResetRefused(1)])
            network.left.send(1, b"x")

    def test_inProgress(self) -> None:
        """
        A request that the other side works on is repeated, as it is, and that
        does not speak against it.
        """
        network = self.network()
        network.lose = lambda packet: True
        network.left.association.resetStreams([1], network.now)
        network.left.pump()
        for _ in range(30):
            self.answer(network, Result.IN_PROGRESS)
            network.rest(1.1)
        requests = {packet for packet in network.left.sent if c.RE_CONFIG in chunkTypes(packet)}
        self.assertEqual(len(requests), 1)
        self.assertFalse(network.left.take(Closed))
        self.answer(network, Result.PERFORMED)
        self.assertIn(StreamReset(1, False), network.left.events)

    def test_busy(self) -> None:
        """
        An other side that has a request of its own under way is asked again,
        later, with a new number.
        """
        network = self.network()
        network.lose = lambda packet: True
        network.left.association.resetStreams([1], network.now)
        network.left.pump()
        self.answer(network, Result.BUSY)
        network.rest(1.5)
        requests = {packet for packet in network.left.sent if c.RE_CONFIG in chunkTypes(packet)}
        self.assertEqual(len(requests), 2)
        self.answer(network, Result.NOTHING)
        self.assertIn(StreamReset(1, False), network.left.events)


class RequestTests(SynchronousTestCase):
    """
    What the other side asks: RFC 6525 clause 5.2.
    """

    def setUp(self) -> None:
        """
        An association, and the number of the other side's next request.
        """
        self.network = Network(left=Settings(inboundStreams=20), right=Settings(outboundStreams=10))
        self.network.connect()
        self.end = self.network.left
        self.number = self.network.right.association._opening.tsn
        self.network.lose = lambda packet: True

    def test_denied(self) -> None:
        """
        What data channels do not need is denied.
        """
        for part in (TSNReset(self.number), AddStreams(self.number + 1, 5, True)):
            self.assertEqual(ask(self.end, part), [Response(part.number, Result.DENIED)])

    def test_addStreams(self) -> None:
        """
        The other side may have more streams, but not more than there may be.
        """
        number = self.number
        self.assertEqual(ask(self.end, AddStreams(number, 10, False)), [Response(number, Result.PERFORMED)])
        answer = ask(self.end, AddStreams(number + 1, 1, False))
        self.assertEqual(answer, [Response(number + 1, Result.DENIED)])
        self.end.give(c.iDataChunk(3, self.number, 19, 0, 53, b"new"))
        self.assertEqual(self.end.received, {19: [b"new"]})

    def test_numbers(self) -> None:
        """
        A request that comes again gets the same answer and is not performed
        again; one with a number that nobody expects is refused.
        """
        reset = OutgoingReset(self.number, 0, self.number - 1, (3,))
        for _ in range(3):
            self.assertEqual(ask(self.end, reset), [Response(self.number, Result.PERFORMED)])
        self.assertEqual(self.end.take(StreamReset), [StreamReset(3, True)])
        self.assertEqual(
            ask(self.end, TSNReset(self.number + 7)), [Response(self.number + 7, Result.BAD_NUMBER)]
        )

    def test_noSuchStream(self) -> None:
        """
        A stream that there is not cannot be reset.
        """
        for part in (
            OutgoingReset(self.number, 0, self.number - 1, (10,)),
            IncomingReset(self.number + 1, (65535,)),
        ):
            self.assertEqual(ask(self.end, part), [Response(part.number, Result.WRONG_SSN)])

    def test_deferred(self) -> None:
        """
        A reset waits for the data before it, and says so; then it says that it
        was done.
        """
        reset = OutgoingReset(self.number, 0, self.number + 1, (3,))
        self.assertEqual(ask(self.end, reset), [Response(self.number, Result.IN_PROGRESS)])
        other = OutgoingReset(self.number + 1, 0, self.number + 1, (4,))
        self.assertEqual(ask(self.end, other), [Response(self.number + 1, Result.BUSY)])
        self.end.give(c.iDataChunk(3, self.number, 3, 0, 53, b"a"))
        self.assertEqual(self.end.take(StreamReset), [])
        packets = self.end.give(c.iDataChunk(3, self.number + 1, 3, 1, 53, b"b"))
        self.assertEqual(self.end.take(StreamReset), [StreamReset(3, True)])
        bodies = [body for packet in packets for kind, _, body in chunksOf(packet) if kind == c.RE_CONFIG]
        self.assertEqual(
            [c.parseReconfig(body) for body in bodies], [[Response(self.number, Result.PERFORMED)]]
        )
        self.assertEqual(ask(self.end, reset), [Response(self.number, Result.PERFORMED)])

    def test_deferredForLong(self) -> None:
        """
        It says so, too, if other requests came meanwhile.
        """
        ask(self.end, OutgoingReset(self.number, 0, self.number, (3,)))
        for later in (1, 2, 3):
            ask(self.end, TSNReset(self.number + later))
        packets = self.end.give(c.iDataChunk(3, self.number, 3, 0, 53, b"a"))
        self.assertEqual(self.end.take(StreamReset), [StreamReset(3, True)])
        bodies = [body for packet in packets for kind, _, body in chunksOf(packet) if kind == c.RE_CONFIG]
        self.assertEqual(c.parseReconfig(bodies[0]), [Response(self.number, Result.PERFORMED)])

    def test_incoming(self) -> None:
        """
        The other side may ask us to reset our streams: all, or some.
        """
        self.assertEqual(
            ask(self.end, IncomingReset(self.number, ())), [Response(self.number, Result.NOTHING)]
        )
        self.network.lose = lambda packet: False
        for streamID in (3, 4, 5):
            self.end.send(streamID, b"x")
        self.network.rest(1)
        self.network.lose = lambda packet: True
        answer = ask(self.end, IncomingReset(self.number + 1, (3, 4, 6)))
        self.assertEqual(answer[0], Response(self.number + 1, Result.PERFORMED))
        requests = [part for part in answer if isinstance(part, OutgoingReset)]
        self.assertEqual([request.streams for request in requests], [(3, 4)])

    def test_two(self) -> None:
        """
        Two requests in one chunk get two answers in one chunk.
        """
        reset = OutgoingReset(self.number, 0, self.number - 1, (3,))
        answer = ask(self.end, reset, IncomingReset(self.number + 1, (3,)))
        self.assertEqual(
            answer, [Response(self.number, Result.PERFORMED), Response(self.number + 1, Result.NOTHING)]
        )

    def test_many(self) -> None:
        """
        A packet full of requests does not fill the memory.
        """
        association = self.end.association
        packet = forge(self.end, *[c.reconfigChunk([TSNReset(self.number)])] * 100)
        for _ in range(10):
            association.receive(packet, self.network.now)
        count = 0
        while association.nextDatagram() is not None:
            count += 1
        self.assertLess(count, 12)
