"""
Tests for L{e2aegw.sansio.bfcptransactions}.
"""

import random
import struct
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from e2aegw.errors import RemoteError
from e2aegw.sansio.bfcp import Fault, Header, Primitive, Refused, errorMessage
from e2aegw.sansio.bfcptransactions import HIGH_WATER, MAX_REMEMBERED, MAX_WAITING, DatagramHop
from tests.sansio.test_bfcp import attributes, message

#: What travels over TCP: a question, its answer, something unasked.
HELLO = message(Primitive.HELLO, transaction=7)
HELLO_ACK = message(Primitive.HELLO_ACK, attributes(12), transaction=7)
NOTICE = message(Primitive.FLOOR_STATUS, attributes(8), transaction=0)


def over(data: bytes, *, response: bool = False, transaction: int | None = None) -> bytes:
    """
    The same message as it travels over UDP, as RFC 8855 clause 5.1 draws it.
    """
    first, *fields, user = struct.unpack_from("!BBHIHH", data)
    if transaction is not None:
        fields[-1] = transaction
    first = 0x40 | (0x10 if response else 0) | (first & 7)
    return struct.pack("!BBHIHH", first, *fields, user) + data[12:]


def as_(primitive: int, data: bytes) -> bytes:
    """
    A message without attributes in response to another.
    """
    return over(bytes((0x20, primitive, 0, 0)) + data[4:12], response=True)


class TransactionTestCase(SynchronousTestCase):
    """
    A hop.
    """

    def setUp(self) -> None:
        """
        Have one.
        """
        self.counters: Counter[str] = Counter()
        self.hop = DatagramHop(self.counters)
        self.now = 100.0

    def sent(self) -> list[bytes]:
        """
        What goes to the remote party.
        """
        found = []
        while (each := self.hop.nextDatagram()) is not None:
            found.append(each)
        return found

    def passed(self) -> list[bytes]:
        """
        What goes to the other leg.
        """
        found = []
        while (each := self.hop.nextMessage()) is not None:
            found.append(each)
        return found

    def receive(self, data: bytes) -> None:
        """
        The remote party sends.
        """
        self.hop.receive(data, self.now)

    def send(self, data: bytes) -> None:
        """
        The other leg sends.
        """
        self.hop.send(data, self.now)

    def wait(self) -> float:
        """
        Until something is due.

        @return: how long that was.
        """
        at = self.hop.nextTimeout()
        assert at is not None
        took, self.now = at - self.now, at
        self.hop.timeout(self.now)
        return took

    def assertRefused(self, data: bytes, reason: str) -> None:
        """
        A datagram is not passed on.
        """
        with self.assertRaises(RemoteError) as caught:
            self.receive(data)
        self.assertEqual(caught.exception.reason, reason)
        self.assertEqual(self.passed(), [])


class ClientTests(TransactionTestCase):
    """
    The remote party is a floor control client.
    """

    def test_question(self) -> None:
        """
        A question loses version and flags on its way to the other leg, and the
        response gets them; nothing else changes.
        """
        self.receive(over(HELLO))
        self.assertEqual(self.passed(), [HELLO])
        self.assertEqual(self.sent(), [])
        self.send(HELLO_ACK)
        self.assertEqual(self.sent(), [over(HELLO_ACK, response=True)])
        self.assertIsNone(self.hop.nextTimeout())

    def test_repeated(self) -> None:
        """
        A question that is repeated before there is a response is not passed on
        again; after that it gets the same response, for T2 (40
        seconds).
        """
        self.receive(over(HELLO))
        self.receive(over(HELLO))
        self.assertEqual((self.passed(), self.sent()), ([HELLO], []))
        self.send(HELLO_ACK)
        (response,) = self.sent()
        self.now += 39.9
        self.receive(over(HELLO))
        self.assertEqual((self.passed(), self.sent()), ([], [response]))
        self.assertEqual(self.counters, {"retransmissions received": 2})
        self.now += 0.2
        self.receive(over(HELLO))
        self.assertEqual((self.passed(), self.sent()), ([HELLO], []))

    def test_countsAnew(self) -> None:
        """
        Another question with the transaction of one before is no repetition.
        """
        self.receive(over(HELLO))
        self.send(HELLO_ACK)
        self.sent()
        again = message(Primitive.FLOOR_QUERY, transaction=7)
        self.receive(over(again))
        self.assertEqual((self.passed(), self.sent()), ([HELLO, again], []))

    def test_secondResponse(self) -> None:
        """
        A status with the transaction of a question that has its response is
        something unasked; other responses that nobody waits for are not sent.
        """
        self.receive(over(HELLO))
        self.send(HELLO_ACK)
        self.send(HELLO_ACK)
        self.assertEqual(len(self.sent()), 1)
        self.assertEqual(self.counters, {"unsent no transaction": 1})
        self.send(message(Primitive.FLOOR_STATUS, transaction=7))
        self.assertEqual(self.sent(), [over(message(Primitive.FLOOR_STATUS, transaction=7))])

    def test_notice(self) -> None:
        """
        What the server says unasked gets a transaction here, and the
        acknowledgement goes no further.
        """
        self.send(NOTICE)
        self.assertEqual(self.sent(), [over(NOTICE, transaction=1)])
        self.receive(as_(Primitive.FLOOR_STATUS_ACK, over(NOTICE, transaction=1)))
        self.assertEqual(self.passed(), [])
        self.assertIsNone(self.hop.nextTimeout())
        self.send(NOTICE)
        self.assertEqual(self.sent(), [over(NOTICE, transaction=2)])

    def test_oneAtATime(self) -> None:
        """
        There is one request under way (RFC 8855 clause 6.2).  When so many wait
        the hop is full, and more than so many do not wait.
        """
        for number in range(MAX_WAITING + 3):
            self.assertEqual(self.hop.full, number > HIGH_WATER)
            self.send(NOTICE)
        self.assertEqual(self.counters, {"unsent no room": 2, "units that waited": MAX_WAITING})
        for number in range(1, MAX_WAITING + 2):
            self.assertEqual(self.sent(), [over(NOTICE, transaction=number)])
            self.receive(as_(Primitive.FLOOR_STATUS_ACK, over(NOTICE, transaction=number)))
        self.assertEqual(self.sent(), [])
        self.assertFalse(self.hop.full)

    def test_goodbye(self) -> None:
        """
        A client's Goodbye is a question like others.
        """
        goodbye = message(Primitive.GOODBYE, transaction=9)
        self.receive(over(goodbye))
        self.assertEqual((self.passed(), self.sent()), ([goodbye], []))
        self.send(message(Primitive.GOODBYE_ACK, transaction=9))
        self.assertEqual(self.sent(), [as_(Primitive.GOODBYE_ACK, goodbye)])

    def test_errors(self) -> None:
        """
        What is wrong is answered with the code that RFC 8855 has for it, in the
        form that UDP wants, and is not passed on.
        """
        hello = over(HELLO)
        for bad, reason, fault in (
            (HELLO, "BFCP version", Fault.UNSUPPORTED_VERSION),
            (hello + bytes(4), "BFCP length", Fault.INCORRECT_LENGTH),
            (over(message(99)), "unknown BFCP primitive", Fault.UNKNOWN_PRIMITIVE),
            (over(message(11, bytes(4))), "malformed BFCP", Fault.UNABLE_TO_PARSE),
            (over(HELLO, transaction=0), "malformed BFCP", Fault.UNABLE_TO_PARSE),
        ):
            self.assertRefused(bad, reason)
            expected = over(errorMessage(Header.parse(bad), fault), response=True)
            self.assertEqual(self.sent(), [expected])
            self.hop.toServer = True
            self.assertRefused(bad, reason)
            self.assertEqual(self.sent(), [])
            self.hop.toServer = None

    def test_noComplaintsAboutResponses(self) -> None:
        """
        What is a response is never answered.
        """
        for bad in (
            over(HELLO_ACK, response=True) + b"x",
            over(message(13)) + b"x",
            over(message(99), response=True),
        ):
            self.assertRaises(Refused, self.receive, bad)
            self.assertEqual(self.sent(), [])

    def test_keepAlive(self) -> None:
        """
        A STUN Binding Indication (RFC 8855 clause 6.2.4) is no message.
        """
        self.assertRefused(bytes.fromhex("001100002112a442") + bytes(12), "STUN keep-alive")
        self.assertEqual(self.sent(), [])

    def test_fragments(self) -> None:
        """
        A question in pieces is passed on in one, once; a long response is sent
        in pieces, and is repeated so.
        """
        question = message(Primitive.FLOOR_REQUEST, attributes(1200), transaction=7)
        header = bytes.fromhex("4801012c") + question[4:12]
        pieces = [
            header + struct.pack("!HH", at, 150) + question[12 + 4 * at : 612 + 4 * at] for at in (0, 150)
        ]
        for each in (pieces[0], pieces[0], *pieces[::-1], *pieces):
            self.receive(each)
        self.assertEqual(self.passed(), [question])
        response = message(Primitive.FLOOR_REQUEST_STATUS, attributes(2400), transaction=7)
        self.send(response)
        first = self.sent()
        self.assertEqual([each[0] for each in first], [0x58] * 3)
        self.assertEqual(b"".join(each[16:] for each in first), response[12:])
        for each in pieces:
            self.receive(each)
        self.assertEqual((self.sent(), self.passed()), (first, []))

    def test_badFragment(self) -> None:
        """
        A piece that does not fit is answered with Incorrect Message Length.
        """
        header = bytes.fromhex("48010002") + HELLO[4:12]
        self.assertRefused(header + bytes.fromhex("00010002") + bytes(8), "BFCP length")
        (reply,) = self.sent()
        self.assertEqual((reply[0], reply[1], reply[-2]), (0x50, 13, 13))

    def test_memory(self) -> None:
        """
        Responses are remembered of so many questions at most.
        """
        for number in range(1, MAX_REMEMBERED + 50):
            self.receive(over(HELLO, transaction=number))
            self.send(HELLO_ACK[:8] + number.to_bytes(2, "big") + HELLO_ACK[10:])
        self.assertLessEqual(len(self.hop._answers), MAX_REMEMBERED)
        self.assertEqual(self.hop._remembered, sum(each.size for each in self.hop._answers.values()))


class ServerTests(TransactionTestCase):
    """
    The remote party is the floor control server.
    """

    def setUp(self) -> None:
        """
        Know that.
        """
        super().setUp()
        self.hop.toServer = True

    def test_question(self) -> None:
        """
        A question gets version and flags, and the response loses them.
        """
        self.send(HELLO)
        self.assertEqual(self.sent(), [over(HELLO)])
        self.receive(over(HELLO_ACK, response=True))
        self.assertEqual(self.passed(), [HELLO_ACK])
        self.assertIsNone(self.hop.nextTimeout())
        # The network doubled it.
        self.assertRefused(over(HELLO_ACK, response=True), "no transaction")

    def test_repeats(self) -> None:
        """
        A question is repeated after 0.5, 1 and 2 seconds.  4 seconds later its
        sender, and those of the questions that wait, are told that there will
        be no response.
        """
        self.send(HELLO)
        other = message(Primitive.FLOOR_QUERY, transaction=8)
        self.send(other)
        first = self.sent()
        for took in (0.5, 1.0, 2.0):
            self.assertAlmostEqual(self.wait(), took)
            self.assertEqual(self.sent(), first)
        self.assertFalse(self.hop.silent)
        self.assertAlmostEqual(self.wait(), 4.0)
        self.assertTrue(self.hop.silent)
        self.assertEqual(
            self.passed(), [errorMessage(Header.parse(each), Fault.GENERIC) for each in (HELLO, other)]
        )
        self.assertEqual(
            self.counters, {"retransmissions sent": 3, "requests without response": 2, "units that waited": 1}
        )
        self.assertIsNone(self.hop.nextTimeout())
        self.receive(over(NOTICE, transaction=3))
        self.assertFalse(self.hop.silent)

    def test_timeoutTooEarly(self) -> None:
        """
        Before its time nothing is repeated.
        """
        self.send(HELLO)
        self.sent()
        self.hop.timeout(self.now + 0.4)
        self.assertEqual(self.sent(), [])

    def test_T1(self) -> None:
        """
        T1 follows how long responses take (RFC 6298), is never less than 0.5
        seconds, and grows when a question had to be repeated.
        """
        for number, (took, expected) in enumerate(((0.01, 0.5), (0.4, 0.5), (0.4, 0.746)), 1):
            self.send(message(Primitive.HELLO, transaction=number))
            self.assertEqual(len(self.sent()), 1)
            self.now += took
            self.receive(over(message(Primitive.HELLO_ACK, transaction=number), response=True))
            self.assertAlmostEqual(self.hop._t1, expected, places=3)
        before = self.hop._t1
        self.send(message(Primitive.HELLO, transaction=4))
        self.wait()
        self.receive(over(message(Primitive.HELLO_ACK, transaction=4), response=True))
        self.assertAlmostEqual(self.hop._t1, 2 * before)

    def test_notice(self) -> None:
        """
        What the server says unasked is acknowledged at once, every time it
        says so, and passed on once, with transaction 0.
        """
        for primitive, ack in ((8, Primitive.FLOOR_STATUS_ACK), (4, Primitive.FLOOR_REQUEST_STATUS_ACK)):
            notice = over(message(primitive, attributes(8), transaction=500 + primitive))
            for _ in range(3):
                self.receive(notice)
            self.assertEqual(self.sent(), [as_(ack, notice)] * 3)
            self.assertEqual(self.passed(), [message(primitive, attributes(8), transaction=0)])

    def test_goodbye(self) -> None:
        """
        A server's Goodbye is acknowledged here: over TCP nobody responds to
        what a server begins.
        """
        goodbye = over(message(Primitive.GOODBYE, transaction=9))
        self.receive(goodbye)
        self.assertEqual(self.sent(), [as_(Primitive.GOODBYE_ACK, goodbye)])
        self.assertEqual(self.passed(), [message(Primitive.GOODBYE, transaction=0)])
        self.send(message(Primitive.GOODBYE_ACK, transaction=0))
        self.assertEqual(self.counters, {"unsent no transaction": 1})

    def test_numbers(self) -> None:
        """
        Transactions rise (RFC 8855 clause 8.1): where the client's do not,
        others are used on this hop; 0 is never used.
        """
        used = []
        for wanted in (40000, 40001, 30000, 40001, 40010, 0xFFFF, 1, 1, 0xFFFF):
            self.send(message(Primitive.HELLO, transaction=wanted))
            (datagram,) = self.sent()
            used.append(int.from_bytes(datagram[8:10], "big"))
            self.receive(over(message(Primitive.HELLO_ACK, transaction=used[-1]), response=True))
            self.assertEqual(self.passed(), [message(Primitive.HELLO_ACK, transaction=wanted)])
        self.assertEqual(used, [40000, 40001, 40002, 40003, 40010, 0xFFFF, 1, 2, 3])

    def test_strangeResponses(self) -> None:
        """
        A response counts for the question that is under way, and only if it can
        be its response.
        """
        self.send(HELLO)
        self.sent()
        for bad in (
            over(HELLO_ACK, response=True, transaction=8),
            over(HELLO_ACK[:7] + b"\0" + HELLO_ACK[8:], response=True),
            over(HELLO_ACK[:11] + b"\0", response=True) + HELLO_ACK[12:],
            over(message(Primitive.FLOOR_STATUS_ACK, transaction=7), response=True),
            over(message(Primitive.FLOOR_REQUEST, transaction=7), response=True),
        ):
            self.assertRefused(bad, "no transaction")
        self.receive(over(HELLO_ACK, response=True))
        self.assertEqual(self.passed(), [HELLO_ACK])

    def test_forgottenFlag(self) -> None:
        """
        A message that can be nothing but a response is one without the flag,
        too.
        """
        self.send(HELLO)
        self.receive(over(HELLO_ACK))
        self.assertEqual(self.passed(), [HELLO_ACK])


class NetworkTests(SynchronousTestCase):
    """
    Two hops with a bad network between them.
    """

    @given(st.integers(0, 1 << 32), st.integers(1, 12), st.floats(0, 0.35))
    @settings(deadline=None, max_examples=40)
    def test_R_53_overABadNetwork(self, seed: int, count: int, loss: float) -> None:
        """
        Whatever is lost, doubled or late: questions and what is said unasked
        arrive as they were, once and in order, and so do responses; or who
        asked is told that there is none.
        """
        chance = random.Random(seed)
        client, server = DatagramHop(Counter(), most=100), DatagramHop(Counter(), most=100)
        client.toServer = True
        wire: list[tuple[float, int, bytes]] = []
        asked: list[bytes] = []
        heard: list[bytes] = []
        answered: list[bytes] = []
        failed: list[int] = []
        told: list[bytes] = []
        said = [
            message(Primitive.FLOOR_STATUS, attributes(4 * each), transaction=0)
            for each in range(1, count + 1)
        ]
        for number in range(1, count + 1):
            asked.append(
                message(Primitive.FLOOR_REQUEST, attributes(4 * chance.randrange(80)), transaction=number)
            )
            client.send(asked[-1], 0.0)
            server.send(said[number - 1], 0.0)
        now = 0.0
        for _ in range(5000):
            for which, hop in enumerate((client, server)):
                while (datagram := hop.nextDatagram()) is not None:
                    copies = [datagram] * (1 + (chance.random() < 0.1))
                    wire += [
                        (now + chance.random() * 0.3, which, each)
                        for each in copies
                        if chance.random() >= loss
                    ]
            while (unit := server.nextMessage()) is not None:
                heard.append(unit)
                server.send(
                    message(
                        Primitive.FLOOR_REQUEST_STATUS, unit[12:], transaction=Header.parse(unit).transaction
                    ),
                    now,
                )
            while (unit := client.nextMessage()) is not None:
                header = Header.parse(unit)
                if header.primitive == Primitive.ERROR:
                    failed.append(header.transaction)
                else:
                    (answered if header.transaction else told).append(unit)
            wire.sort()
            due = [at for at in (client.nextTimeout(), server.nextTimeout()) if at is not None]
            if wire:
                due.append(wire[0][0])
            if not due:
                break
            now = max(now, min(due))
            if wire and wire[0][0] <= now:
                _, which, datagram = wire.pop(0)
                try:
                    (server, client)[which].receive(datagram, now)
                except RemoteError as e:
                    self.assertEqual(e.reason, "no transaction")
            for hop in (client, server):
                hop.timeout(now)
        self.assertLessEqual(len(heard), count)
        self.assertEqual(heard, [each for each in asked if each in heard])
        responses = [Header.parse(each).transaction for each in answered]
        self.assertEqual(sorted(responses + failed), list(range(1, count + 1)))
        self.assertEqual([each[12:] for each in answered], [asked[number - 1][12:] for number in responses])
        self.assertEqual(told, [each for each in said if each in told])
        if not server.silent and not server._counters["requests without response"]:
            self.assertEqual(told, said)

    @given(st.lists(st.binary(max_size=40), max_size=12), st.booleans())
    @settings(deadline=None, max_examples=80)
    def test_anything(self, datagrams: list[bytes], toServer: bool) -> None:
        """
        Any datagrams are taken or L{RemoteError}.
        """
        hop = DatagramHop(Counter())
        hop.toServer = toServer
        hop.send(HELLO, 0)
        for datagram in datagrams:
            for data in (datagram, b"\x40" + datagram[1:], over(HELLO)[:4] + datagram):
                try:
                    hop.receive(data, 0)
                except RemoteError as e:
                    self.assertTrue(e.reason)
