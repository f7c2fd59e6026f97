"""
Tests for L{e2aegw.transport.channel}.
"""

from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IConsumer, IPushProducer
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from zope.interface.verify import verifyObject

from e2aegw.errors import NegotiationError, RemoteError
from e2aegw.interfaces import Address, IMediaTransport
from e2aegw.sansio.datachannel import FORMAT, ChannelMap
from e2aegw.sansio.dcep import Open
from e2aegw.sansio.events import AssociationLost, ChannelOpened, ChannelRefused, Secured
from e2aegw.sansio.sdp import Line, Section
from e2aegw.transport.channel import MAX_MESSAGE, MAX_NAMED
from e2aegw.transport.datachannel import HIGH_WATER, LOW_WATER
from tests.transport.carriers import ANSWER, CHAT, FILES, OFFER, CarrierTestCase, Recorder
from tests.transport.producer import Source

#: Applications' records of DTLS.
_DATA = 23


class Refuser(Protocol):
    """
    An adapter that believes nothing.
    """

    def dataReceived(self, data: bytes) -> None:
        """
        Refuse it.
        """
        raise RemoteError("nonsense")


class CarrierTests(CarrierTestCase):
    """
    The association.
    """

    def test_interfaces(self) -> None:
        """
        A channel is a transport, a producer and a consumer.
        """
        share, _ = self.offerer.share(CHAT)
        for interface in (IMediaTransport, IPushProducer, IConsumer):
            verifyObject(interface, share)
        self.assertEqual(share.localAddress, ("192.0.2.1", 30000))
        self.assertEqual((share.getHost(), share.getPeer()), (("192.0.2.1", 30000), None))
        self.assertEqual(list(share.describe(OFFER)), [])
        self.end()

    def test_described(self) -> None:
        """
        The section says where SCTP is and how much we take, beside DTLS.
        """
        lines = {line.name: line.value for line in self.offerer.section(OFFER).lines}
        self.assertEqual((lines["sctp-port"], lines["max-message-size"]), ("5000", str(MAX_MESSAGE)))
        self.assertEqual(lines["setup"], "actpass")
        self.assertIn("fingerprint", lines)
        self.end()

    def test_R_70_bothEndsBegin(self) -> None:
        """
        Messages go both ways on a channel that both know of, as soon as both
        ends have begun, whichever is the DTLS client; nothing of them can be
        read on the way.
        """
        seen: list[bytes] = []

        def watch(data: bytes, source: Address, destination: Address) -> bool:
            seen.append(data)
            return False

        self.network.lose = watch
        (here, near), (there, far) = self.offerer.share(CHAT), self.answerer.share(CHAT)
        self.negotiate()
        self.assertEqual((near.life, far.life), (["opened"], ["opened"]))
        self.assertTrue(here.connected and there.connected)
        here.write(b"secret one")
        here.writeControl(b"")
        there.writeSequence([b"secret ", b"two"])
        self.network.flush()
        self.assertEqual((near.messages, far.messages), ([b"secret two"], [b"secret one", b""]))
        self.assertFalse([data for data in seen if b"secret" in data])
        self.assertEqual({type(event) for event in self.offerer.events}, {Secured, ChannelOpened})
        [opened] = [event for event in self.offerer.events if isinstance(event, ChannelOpened)]
        self.assertEqual((opened.stream, opened.label, opened.protocol), (0, "chat", "msrp"))
        self.end()
        self.assertEqual((near.life, far.life), (["opened", "lost"], ["opened", "lost"]))

    def test_passiveOfferer(self) -> None:
        """
        The answerer may also be the DTLS server.
        """
        (here, _), (_, far) = self.offerer.share(CHAT), self.answerer.share(CHAT)
        section = self.offerer.section(OFFER, Line("setup", "active"))
        self.answerer.carrier.configure(section, OFFER)()
        self.offerer.carrier.configure(self.answerer.section(ANSWER), ANSWER)()
        self.network.flush()
        self.assertEqual([p.carrier.dtls.isClient for p in (self.offerer, self.answerer)], [True, False])
        here.write(b"hello")
        self.network.flush()
        self.assertEqual(far.messages, [b"hello"])
        self.end()

    def test_channelAddedLater(self) -> None:
        """
        A channel of a later description is open at once, and has its own
        messages.
        """
        _, first = self.answerer.share(CHAT)
        here, _ = self.offerer.share(CHAT)
        self.negotiate()
        files, _ = self.offerer.share(FILES)
        _, second = self.answerer.share(FILES)
        self.assertTrue(files.connected)
        self.assertEqual(second.life, ["opened"])
        files.write(b"file")
        here.write(b"chat")
        self.network.flush()
        self.assertEqual((first.messages, second.messages), ([b"chat"], [b"file"]))
        self.assertRaises(NegotiationError, self.offerer.carrier.share, FILES)
        self.end()

    def test_notACarrier(self) -> None:
        """
        Another section is refused, and so is one whose port or limit cannot be
        read; nothing changes.
        """
        configure = self.answerer.carrier.configure
        good = self.offerer.section(OFFER).lines
        for proto, lines in (
            ("UDP/TLS/RTP/SAVPF", []),
            ("UDP/DTLS/SCTP", [Line("sctp-port", "x")]),
            ("UDP/DTLS/SCTP", [Line("max-message-size", "x")]),
        ):
            section = Section("application", 9, proto, (FORMAT,), address="192.0.2.1", lines=lines + good)
            self.assertRaises(NegotiationError, configure, section, OFFER)
        self.end()

    def test_lossyNetwork(self) -> None:
        """
        When every fifth datagram is lost and others overtake, all messages
        arrive in order all the same.
        """
        count = 0

        def lose(data: bytes, source: Address, destination: Address) -> bool:
            nonlocal count
            count += 1
            return count % 5 == 0

        self.network.overtake = lambda data, *_: data[0] == _DATA and count % 7 == 0
        (here, near), (there, far) = self.offerer.share(CHAT), self.answerer.share(CHAT)
        self.negotiate()
        self.network.lose = lose
        messages = [bytes([n]) * (997 * n + 1) for n in range(40)]
        for message in messages:
            here.write(message)
            there.write(message[::-1])
        for _ in range(600):
            self.network.advance(0.1)
            if len(near.messages) == len(far.messages) == len(messages):
                break
        self.assertEqual((near.messages, far.messages), (messages, messages))
        self.end()

    def test_R_71_tooLong(self) -> None:
        """
        A message above the remote party's limit is not sent but counted; one
        as long as that is, and 0 is no limit.
        """
        here, _ = self.offerer.share(CHAT)
        _, far = self.answerer.share(CHAT)
        self.negotiate(answer=(Line("max-message-size", "1000"),))
        self.assertEqual(here.maxMessageSize, 1000)
        here.write(bytes(1000))
        here.write(bytes(1001))
        self.network.flush()
        self.assertEqual([len(message) for message in far.messages], [1000])
        self.assertEqual(self.offerer.carrier.counters["unsent too long"], 1)
        self.negotiate(answer=(Line("max-message-size", "0"),))
        here.write(bytes(100_000))
        self.network.flush()
        self.assertEqual([len(message) for message in far.messages], [1000, 100_000])
        self.end()

    def test_R_71_tooLongForUs(self) -> None:
        """
        Who sends more than we take loses the association.
        """
        here, _ = self.offerer.share(CHAT)
        self.answerer.share(CHAT)
        self.negotiate(answer=(Line("max-message-size", "0"),))
        here.write(bytes(MAX_MESSAGE + 1))
        self.network.flush()
        self.assertEqual(self.lost(self.answerer.events), 1)
        self.end()

    def test_R_72_signalledPort(self) -> None:
        """
        SCTP goes to the port that was signalled, and comes from ours.
        """
        ports: list[bytes] = []
        receive = self.answerer.carrier.dataReceived
        deliver = self.answerer.carrier.dtls.protocol

        class Spy(Protocol):
            authenticates = True

            def dataReceived(self, data: bytes) -> None:
                ports.append(data[:4])
                receive(data)

        spy: Any = Spy()
        spy.handshakeCompleted = deliver.handshakeCompleted
        self.answerer.carrier.dtls.protocol = spy
        self.offerer.share(CHAT)
        self.negotiate(answer=(Line("sctp-port", "6000"),))
        self.assertEqual(set(ports), {(5000).to_bytes(2, "big") + (6000).to_bytes(2, "big")})
        self.end()

    def test_R_73_associationLost(self) -> None:
        """
        When the remote party aborts the association, each protocol is told,
        and so is who watches; what is written afterwards is counted.
        """
        here, near = self.offerer.share(CHAT)
        _, other = self.offerer.share(FILES)
        self.answerer.share(CHAT)
        self.negotiate()
        self.answerer.carrier.loseConnection()
        self.network.flush()
        self.assertEqual((near.life, other.life), (["opened", "lost"], ["opened", "lost"]))
        self.assertFalse(here.connected)
        self.assertEqual(self.lost(self.offerer.events), 2)
        here.write(b"anybody?")
        self.assertEqual(self.offerer.carrier.counters["unsent no association"], 1)
        self.end()
        self.assertEqual(near.life, ["opened", "lost"])

    def test_R_73_silence(self) -> None:
        """
        When the remote party is not heard of any more, the association is
        lost after a while, and no timer goes on.
        """
        here, near = self.offerer.share(CHAT)
        self.answerer.share(CHAT)
        self.negotiate()
        self.network.lose = lambda *_: True
        here.write(b"hello?")
        self.network.advance(900)
        self.assertEqual(near.life, ["opened", "lost"])
        self.assertEqual(self.lost(self.offerer.events), 1)
        self.answerer.carrier.loseConnection()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.end()

    def test_R_73_dtlsClosed(self) -> None:
        """
        When the remote party ends DTLS without a word from SCTP, protocols are
        told.
        """
        _, near = self.offerer.share(CHAT)
        self.answerer.share(CHAT)
        self.negotiate()
        self.answerer.carrier.dtls.loseConnection()
        self.network.flush()
        self.assertEqual(near.life, ["opened", "lost"])
        self.end()

    def test_newPort(self) -> None:
        """
        A new port means a new association over the same DTLS, on which the
        channels come back; port 0 means none.
        """
        here, near = self.offerer.share(CHAT)
        _, far = self.answerer.share(CHAT)
        self.negotiate()
        self.negotiate(offer=(Line("sctp-port", "0"),))
        self.assertEqual((near.life, far.life), (["opened", "lost"], ["opened", "lost"]))
        self.offerer.carrier._end("port 0", tell=False)
        self.negotiate(offer=(Line("sctp-port", "5000"),))
        self.offerer.carrier._begin()
        self.network.flush()
        self.assertEqual((near.life, far.life), (["opened", "lost", "opened"],) * 2)
        here.write(b"again")
        self.network.flush()
        self.assertEqual(far.messages, [b"again"])
        self.end()

    def test_newDTLSAssociation(self) -> None:
        """
        With a new DTLS association comes a new SCTP association, and the
        channels come back.
        """
        here, near = self.offerer.share(CHAT)
        _, far = self.answerer.share(CHAT)
        self.negotiate()
        for party in (self.offerer, self.answerer):
            dtls: Any = party.carrier.dtls
            dtls._renew()
        self.negotiate()
        self.assertEqual((near.life, far.life), (["opened", "lost", "opened"],) * 2)
        here.write(b"again")
        self.network.flush()
        self.assertEqual(far.messages, [b"again"])
        self.end()

    def test_remoteRestart(self) -> None:
        """
        When the remote party begins anew under the same DTLS association, the
        channels come back.
        """
        here, near = self.offerer.share(CHAT)
        _, far = self.answerer.share(CHAT)
        self.negotiate()
        there = self.answerer.carrier
        there._end("forgotten", tell=False)
        there._begin()
        self.network.flush()
        self.assertEqual((near.life, far.life), (["opened", "lost", "opened"],) * 2)
        here.write(b"again")
        self.network.flush()
        self.assertEqual(far.messages, [b"again"])
        self.end()

    def test_garbage(self) -> None:
        """
        What is in DTLS and is not SCTP is counted, before and after there is
        an association.
        """
        self.answerer.share(CHAT)
        self.assertRaises(RemoteError, self.answerer.carrier.dataReceived, b"x")
        self.negotiate()
        self.offerer.carrier.dtls.write(b"x" * 20)
        self.network.flush()
        self.assertEqual(self.answerer.carrier.counters["dropped SCTP port"], 1)
        self.end()

    def lost(self, events: list[Any]) -> int:
        """
        How often the end of an association was told.
        """
        return sum(isinstance(event, AssociationLost) for event in events)


class InBandTests(CarrierTestCase):
    """
    Channels that the remote party opens in band.
    """

    def setUp(self) -> None:
        """
        Let both have a channel that they know of.
        """
        super().setUp()
        self.share, self.near = self.offerer.share(CHAT)
        self.answerer.share(CHAT)
        self.negotiate()

    def open(self, terms: Open) -> None:
        """
        The answerer opens a channel.
        """
        channels = self.answerer.carrier._channels
        assert channels is not None
        channels.open(terms, self.clock.seconds())
        self.answerer.carrier._drain()
        self.network.flush()

    def test_R_70_refused(self) -> None:
        """
        One that no section goes with is closed, counted and told of; the
        others go on.
        """
        self.open(Open(label="l" * 500, protocol="chess"))
        self.assertEqual(self.offerer.carrier.counters["channels refused"], 1)
        told = [event for event in self.offerer.events if isinstance(event, ChannelRefused)]
        self.assertEqual([(each.stream % 2, each.protocol) for each in told], [(0, "chess")])
        self.assertEqual(told[0].label, "l" * MAX_NAMED)
        channels = self.answerer.carrier._channels
        assert channels is not None
        self.assertEqual(len(channels), 1)
        self.assertEqual(self.near.life, ["opened"])
        self.end()

    def test_notOverOneThatIsKnown(self) -> None:
        """
        An in-band opening on a stream that the descriptions name closes that
        channel.
        """
        association = self.answerer.carrier._association
        assert association is not None
        association.send(0, Open().encode(), 50, now=self.clock.seconds())
        self.answerer.carrier._drain()
        self.network.flush()
        self.assertEqual(self.offerer.carrier.counters["dropped DCEP OPEN"], 1)
        self.assertEqual(self.near.life, ["opened", "lost"])
        self.end()


class DataChannelTests(CarrierTestCase):
    """
    One channel.
    """

    def setUp(self) -> None:
        """
        Let both have two channels.
        """
        super().setUp()
        self.here, self.near = self.offerer.share(CHAT)
        self.there, self.far = self.answerer.share(CHAT)
        self.other, self.otherNear = self.offerer.share(FILES)
        _, self.otherFar = self.answerer.share(FILES)

    def test_R_69_closedByUs(self) -> None:
        """
        A channel that is not needed any more is closed after what waits in it;
        the remote protocol is told, and the other channel goes on.
        """
        self.negotiate()
        self.here.write(bytes(200_000))
        self.here.loseConnection()
        self.network.flush()
        self.assertEqual([len(message) for message in self.far.messages], [200_000])
        self.assertEqual(self.far.life, ["opened", "lost"])
        self.other.write(b"still here")
        self.here.write(b"gone")
        self.network.flush()
        self.assertEqual(self.otherFar.messages, [b"still here"])
        self.assertEqual(len(self.far.messages), 1)
        self.end()

    def test_R_69_closedByRemote(self) -> None:
        """
        When the remote party closes a channel, its protocol is told, and the
        stream can be used again.
        """
        self.negotiate()
        self.there.loseConnection()
        self.network.flush()
        self.assertEqual((self.near.life, self.otherNear.life), (["opened", "lost"], ["opened"]))
        self.here.write(b"anybody?")
        self.assertEqual(self.offerer.carrier.counters["unsent no association"], 1)
        self.here.loseConnection()
        again, _ = self.offerer.share(CHAT)
        _, far = self.answerer.share(CHAT)
        again.write(b"again")
        self.network.flush()
        self.assertEqual(far.messages, [b"again"])
        self.end()

    def test_streamStillClosing(self) -> None:
        """
        A stream whose channel is not quite closed is not used again.
        """
        self.negotiate()
        self.here.loseConnection()
        self.assertRaises(NegotiationError, self.offerer.carrier.share, CHAT)
        self.network.flush()
        self.there.loseConnection()
        self.offerer.share(CHAT)
        self.end()

    def test_lastChannel(self) -> None:
        """
        With the last channel goes the association, and the port.
        """
        self.negotiate()
        self.here.loseConnection()
        self.here.loseConnection()
        self.assertEqual(self.pools[0].lent, 1)
        self.other.stopProducing()
        self.assertEqual(self.pools[0].lent, 0)
        self.network.flush()
        self.assertEqual(self.far.life, ["opened", "lost"])
        self.end()

    def test_refusedMessage(self) -> None:
        """
        A message that the protocol refuses is counted; the channel goes on.
        """
        self.here.attach(Refuser())
        self.negotiate()
        self.there.write(b"1")
        self.there.write(b"2")
        self.network.flush()
        self.assertEqual(self.here.counters["dropped nonsense"], 2)
        self.assertNotIn("dropped nonsense", self.offerer.carrier.counters)
        self.end()

    def test_withoutProtocol(self) -> None:
        """
        A message for nobody is counted.
        """
        self.offerer.carrier.share(ChannelMap(streamID=8, subprotocol="msrp"))
        there, _ = self.answerer.share(ChannelMap(streamID=8, subprotocol="msrp"))
        self.negotiate()
        there.write(b"1")
        self.network.flush()
        self.assertEqual(self.offerer.carrier._shares[8].counters["dropped not expected"], 1)
        self.end()

    def test_attachedLate(self) -> None:
        """
        A protocol that comes when the channel is open finds it open.
        """
        share = self.offerer.carrier.share(ChannelMap(streamID=8, subprotocol="msrp"))
        self.negotiate()
        recorder = Recorder()
        share.attach(recorder)
        self.assertTrue(share.connected)
        self.assertIs(recorder.transport, share)
        self.end()

    def test_slowReader(self) -> None:
        """
        Who is paused gets nothing until resumed, and then everything; the
        other channel is not held up.
        """
        self.negotiate()
        self.here.pauseProducing()
        for n in range(10):
            self.there.write(bytes([n]))
        self.network.flush()
        self.assertEqual(self.near.messages, [])
        self.here.resumeProducing()
        self.assertEqual(self.near.messages, [bytes([n]) for n in range(10)])
        self.end()

    def test_pausedBeforeItIsOpen(self) -> None:
        """
        Who is paused before there is an association is paused when there is
        one.
        """
        self.here.pauseProducing()
        self.negotiate()
        self.there.write(b"early")
        self.network.flush()
        self.assertEqual(self.near.messages, [])
        self.here.resumeProducing()
        self.assertEqual(self.near.messages, [b"early"])
        self.end()

    def test_backPressure(self) -> None:
        """
        When the remote party does not read, its window fills; then who writes
        is asked to pause, and to go on when it reads again.  No more waits
        than the high-water mark and one message.
        """
        self.negotiate()
        source = Source()
        self.here.registerProducer(source, True)
        self.assertRaises(RuntimeError, self.here.registerProducer, Source(), True)
        self.there.pauseProducing()
        sent, size = 0, 16384
        while "pause" not in source.asked:
            self.here.write(bytes(size))
            sent += 1
            self.network.advance(0.01)
            self.assertLess(sent, 1000)
        self.assertLessEqual(self.offerer.carrier.buffered(self.here), HIGH_WATER + size)
        self.assertEqual(source.asked, ["pause"])
        self.there.resumeProducing()
        while "resume" not in source.asked:
            self.network.advance(0.1)
        self.assertLessEqual(self.offerer.carrier.buffered(self.here), LOW_WATER)
        self.network.advance(30)
        self.assertEqual(len(self.far.messages), sent)
        self.here.unregisterProducer()
        self.here.write(bytes(HIGH_WATER + 1)[:MAX_MESSAGE])
        self.assertEqual(source.asked, ["pause", "resume"])
        self.end()

    def test_pausedWhenLost(self) -> None:
        """
        A producer that is paused is let go when the channel is lost.
        """
        self.negotiate()
        source = Source()
        self.here.registerProducer(source, True)
        self.network.lose = lambda *_: True
        while not source.asked:
            self.here.write(bytes(65536))
        self.answerer.carrier.dtls.loseConnection()
        self.offerer.carrier.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(source.asked, ["pause", "resume"])
        self.end()

    def test_pullProducer(self) -> None:
        """
        A producer that is asked for each piece is asked as long as there is
        room, from when the channel opens.
        """
        share = self.here
        pieces = [bytes([n]) * 20000 for n in range(100)]
        left, waiting = list(pieces), list[int]()

        class Reader(Source):
            def resumeProducing(self) -> None:
                waiting.append(share.carrier.buffered(share))
                if left:
                    share.write(left.pop(0))
                else:
                    share.unregisterProducer()

        share.registerProducer(Reader(), False)
        self.assertEqual(left, pieces)
        self.negotiate()
        self.assertEqual(self.far.messages, pieces)
        self.assertLessEqual(max(waiting), LOW_WATER)
        self.end()
