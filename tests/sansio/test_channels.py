"""
Tests for L{e2aegw.sansio.channels}.
"""

from twisted.trial.unittest import SynchronousTestCase

from e2aegw.errors import RemoteError, ResourceError, UsageError
from e2aegw.sansio import channels as module
from e2aegw.sansio import dcep
from e2aegw.sansio.channels import (
    Channel,
    ChannelClosed,
    ChannelDrained,
    ChannelEvent,
    ChannelMessage,
    ChannelOpened,
    Channels,
    State,
)
from e2aegw.sansio.dcep import Open
from e2aegw.sansio.sctp.events import BufferLow, ResetRefused, StreamReset
from e2aegw.sansio.sctp.settings import Settings
from tests.sansio.sctp.network import End, Network


class Side:
    """
    One end, and its channels.

    @ivar events: what they said.
    @ivar refused: what was wrong with what the other side did.
    """

    def __init__(self, end: End, *, client: bool) -> None:
        self.end = end
        self.channels = Channels(end.association, client=client)
        self.events: list[ChannelEvent] = []
        self.refused: list[str] = []
        end.onEvent = self._happened

    def _happened(self, event: object) -> None:
        try:
            self.channels.receive(event, self.now)  # type: ignore[arg-type]
        except RemoteError as error:
            self.refused.append(error.reason)
        while (happened := self.channels.nextEvent()) is not None:
            self.events.append(happened)

    @property
    def now(self) -> float:
        """
        The time.
        """
        return self.end.network.now

    def open(self, **terms: object) -> Channel:
        """
        Open a channel.
        """
        channel = self.channels.open(Open(**terms), self.now)  # type: ignore[arg-type]
        self.end.pump()
        return channel

    def send(self, channel: Channel, data: bytes, *, text: bool = False) -> None:
        """
        Send a message.
        """
        self.channels.send(channel, data, self.now, text=text)
        self.end.pump()

    def close(self, channel: Channel) -> None:
        """
        Close a channel.
        """
        self.channels.close(channel, self.now)
        self.end.pump()

    def raw(self, streamID: int, data: bytes, ppid: int) -> None:
        """
        Send what no channel would.
        """
        self.end.association.send(streamID, data, ppid, now=self.now)
        self.end.pump()

    def closed(self) -> list[tuple[int, str]]:
        """
        The channels that were closed, and why.
        """
        return [(e.channel.streamID, e.reason) for e in self.events if isinstance(e, ChannelClosed)]

    def messages(self) -> list[tuple[int, bytes, bool]]:
        """
        The messages that came.
        """
        return [(e.channel.streamID, e.data, e.text) for e in self.events if isinstance(e, ChannelMessage)]


class ChannelsTestCase(SynchronousTestCase):
    """
    A DTLS client and a server with an association.
    """

    def setUp(self) -> None:
        """
        Set them up.
        """
        self.network = Network()
        self.client = Side(self.network.left, client=True)
        self.server = Side(self.network.right, client=False)
        self.network.connect()

    def rest(self) -> None:
        """
        Let everything happen.
        """
        self.network.rest(10)


class OpenTests(ChannelsTestCase):
    """
    How channels are opened: RFC 8832 clause 6, RFC 8864.
    """

    def test_R_70_parity(self) -> None:
        """
        The DTLS client has even streams, the server odd ones.
        """
        self.assertEqual([self.client.open().streamID for _ in range(3)], [0, 2, 4])
        self.assertEqual([self.server.open().streamID for _ in range(3)], [1, 3, 5])
        self.rest()
        self.assertEqual(len(self.client.events), 6)
        self.assertEqual(len(self.server.events), 6)

    def test_open(self) -> None:
        """
        The other side learns the label, the protocol and how reliable it is,
        and acknowledges.
        """
        terms = Open(label="näme", protocol="msrp", ordered=False, maxLifetime=500, priority=512)
        channel = self.client.channels.open(terms, self.network.now)
        self.client.end.pump()
        self.assertIs(channel.state, State.OPENING)
        self.rest()
        self.assertIs(channel.state, State.OPEN)
        self.assertEqual(self.client.events, [ChannelOpened(channel)])
        (event,) = self.server.events
        assert isinstance(event, ChannelOpened)
        self.assertEqual(event.channel.terms, terms)
        self.assertFalse(event.channel.ours)
        self.assertIs(self.server.channels[0], event.channel)
        self.assertEqual(len(self.server.channels), 1)

    def test_beforeTheAssociation(self) -> None:
        """
        A channel can be opened, and used, before the association is up.
        """
        network = Network()
        client, server = Side(network.left, client=True), Side(network.right, client=False)
        channel = client.open(label="early")
        client.send(channel, b"hello", text=True)
        closed = client.open(label="never mind")
        client.close(closed)
        network.connect()
        network.rest(2)
        self.assertEqual(server.messages(), [(0, b"hello", True)])
        self.assertEqual(client.closed(), [(2, "closed")])

    def test_messageBeforeAcknowledgement(self) -> None:
        """
        Before the acknowledgement even an unordered channel sends in order
        (RFC 8832 clause 6).
        """
        channel = self.client.channels.open(Open(ordered=False), self.network.now)
        self.client.channels.send(channel, b"first", self.network.now)
        self.network.lose = lambda packet: True
        self.client.end.pump()
        self.network.lose = lambda packet: False
        self.client.send(channel, b"second")
        self.rest()
        self.assertEqual(self.server.messages(), [(0, b"first", False), (0, b"second", False)])
        self.network.lose = lambda packet: b"third" in packet
        self.client.send(channel, b"third")
        self.network.lose = lambda packet: False
        self.client.send(channel, b"fourth")
        self.rest()
        self.assertEqual([data for _, data, _ in self.server.messages()[2:]], [b"fourth", b"third"])

    def test_messageAcknowledges(self) -> None:
        """
        A message from the other side is as good as its acknowledgement.
        """
        self.network.lose = lambda packet: packet.endswith(b"\2\0\0\0")
        channel = self.client.channels.open(Open(ordered=False), self.network.now)
        self.client.end.pump()
        self.network.run(lambda: bool(self.server.events))
        self.assertIs(channel.state, State.OPENING)
        self.server.channels.send(self.server.channels[0], b"data", self.network.now)
        self.server.end.pump()
        self.rest()
        self.assertEqual(
            self.client.events, [ChannelOpened(channel), ChannelMessage(channel, b"data", False)]
        )

    def test_R_65_negotiated(self) -> None:
        """
        A channel that was negotiated is open on both sides with the
        association, in the stream that was said.
        """
        terms = Open(label="chat", protocol="msrp")
        one, other = self.client.channels.negotiate(110, terms), self.server.channels.negotiate(110, terms)
        self.client.send(one, b"MSRP")
        self.server.send(other, b"PRSM", text=True)
        self.rest()
        self.assertEqual(self.server.messages(), [(110, b"MSRP", False)])
        self.assertEqual(self.client.messages(), [(110, b"PRSM", True)])
        self.assertEqual(self.client.events[0], ChannelOpened(one))
        self.assertRaises(UsageError, self.client.channels.negotiate, 110, terms)
        self.assertRaises(UsageError, self.client.channels.negotiate, 65535, terms)

    def test_negotiatedEarly(self) -> None:
        """
        It can be added before the association is up, and keeps its stream from
        others.
        """
        network = Network(right=Settings(inboundStreams=100))
        client = Side(network.left, client=True)
        channel = client.channels.negotiate(0, Open())
        client.channels.negotiate(200, Open())
        self.assertEqual(client.open().streamID, 2)
        Side(network.right, client=False)
        network.connect()
        self.assertIn(ChannelOpened(channel), client.events)
        self.assertEqual(client.closed(), [(200, "refused by the other side")])

    def test_R_67_twoLimits(self) -> None:
        """
        A channel has one limit at most.
        """
        terms = Open(maxRetransmits=1, maxLifetime=1)
        self.assertRaises(UsageError, self.client.channels.open, terms, self.network.now)

    def test_wrongParity(self) -> None:
        """
        Who opens a channel in a stream of the other side gets it reset.
        """
        self.client.raw(1, Open().encode(), dcep.PPID_CONTROL)
        self.rest()
        self.assertEqual(self.server.refused, ["DCEP OPEN"])
        self.assertEqual(self.server.events, [])
        self.assertEqual(len(self.server.channels), 1)
        self.client.end.association.resetStreams([1], self.network.now)
        self.client.end.pump()
        self.rest()
        self.assertEqual(len(self.server.channels), 0)
        self.assertEqual(self.server.events, [])

    def test_twice(self) -> None:
        """
        Who opens a channel twice loses it.
        """
        self.client.open()
        self.rest()
        self.client.raw(0, Open().encode(), dcep.PPID_CONTROL)
        self.rest()
        self.assertEqual(self.server.refused, ["DCEP OPEN"])
        self.assertEqual(self.server.closed(), [(0, "closed")])
        self.assertEqual(self.client.closed(), [(0, "closed")])

    def test_malformed(self) -> None:
        """
        So does who opens it with something malformed, or sends data where there
        is no channel.
        """
        self.client.raw(0, b"\x03", dcep.PPID_CONTROL)
        self.client.raw(2, b"data", dcep.PPID_BINARY)
        self.rest()
        self.assertEqual(self.server.refused, ["DCEP OPEN", "data channel"])
        self.assertEqual(self.server.events, [])

    def test_strayAcknowledgement(self) -> None:
        """
        An acknowledgement of nothing is refused, one too many is not.
        """
        self.client.raw(8, dcep.ACK, dcep.PPID_CONTROL)
        self.client.open()
        self.rest()
        self.server.raw(0, dcep.ACK, dcep.PPID_CONTROL)
        self.rest()
        self.assertEqual(self.server.refused, ["DCEP ACK"])
        self.assertEqual((self.client.refused, self.client.closed()), ([], []))

    def test_tooMany(self) -> None:
        """
        There are no more channels than so many, whoever opens them.
        """
        self.patch(module, "MAX_CHANNELS", 3)
        for _ in range(3):
            self.server.open()
        self.assertRaises(ResourceError, self.server.open)
        self.assertRaises(ResourceError, self.server.channels.negotiate, 100, Open())
        self.client.raw(0, Open().encode(), dcep.PPID_CONTROL)
        self.client.raw(2, b"data", dcep.PPID_BINARY)
        self.rest()
        self.assertEqual(self.server.refused, ["DCEP OPEN", "data channel"])
        self.assertEqual(len(self.server.channels), 3)

    def test_noStreams(self) -> None:
        """
        Nor more than there are streams.
        """
        network = Network(left=Settings(outboundStreams=6))
        client = Side(network.left, client=True)
        Side(network.right, client=False)
        network.connect()
        self.assertEqual([client.open().streamID for _ in range(3)], [0, 2, 4])
        self.assertRaises(ResourceError, client.open)


class MessageTests(ChannelsTestCase):
    """
    What channels carry: RFC 8831 clause 6.6.
    """

    def test_kinds(self) -> None:
        """
        Text and binary data are told apart, and may be empty.
        """
        channel = self.client.open()
        wanted = [(data, text) for data in (b"hello", b"", b"\0") for text in (False, True)]
        for data, text in wanted:
            self.client.send(channel, data, text=text)
        self.rest()
        self.assertEqual(self.server.messages(), [(0, data, text) for data, text in wanted])

    def test_partial(self) -> None:
        """
        Messages in parts, the old way, are put together.
        """
        self.client.open()
        for data, ppid in (
            (b"a", dcep.PPID_TEXT_PARTIAL),
            (b"b", dcep.PPID_TEXT_PARTIAL),
            (b"c", dcep.PPID_TEXT),
            (b"d", dcep.PPID_BINARY_PARTIAL),
            (b"e", dcep.PPID_BINARY),
        ):
            self.client.raw(0, data, ppid)
        self.rest()
        self.assertEqual(self.server.messages(), [(0, b"abc", True), (0, b"de", False)])

    def test_badPartial(self) -> None:
        """
        Parts that do not fit together, or never end, and messages of a kind
        that is not known are dropped, and the channel is closed; the others
        stay.
        """
        self.patch(module, "MAX_PARTIAL", 10)
        for number, messages in enumerate(
            (
                ((b"a", dcep.PPID_TEXT_PARTIAL), (b"b", dcep.PPID_BINARY)),
                ((b"c" * 11, dcep.PPID_TEXT_PARTIAL),),
                ((b"e", 99),),
            )
        ):
            channel, other = self.client.open(), self.client.open()
            for data, ppid in messages:
                self.client.raw(channel.streamID, data, ppid)
            self.client.send(other, b"d")
            self.rest()
            self.assertEqual(self.server.refused, ["data channel"] * (number + 1))
            self.assertEqual(self.server.messages(), [(other.streamID, b"d", False)])
            self.assertEqual((channel.state, other.state), (State.CLOSED, State.OPEN))
            self.server.events.clear()

    def test_manyPartial(self) -> None:
        """
        Many channels cannot keep more than a few long messages in parts: who
        wants more is closed, and what they kept is given back.
        """
        self.patch(module, "MAX_ALL_PARTIAL", 1000)
        for _ in range(4):
            self.client.open()
        for stream in (0, 2, 4, 6):
            self.client.raw(stream, b"a" * 300, dcep.PPID_TEXT_PARTIAL)
        self.rest()
        self.assertEqual(self.server.refused, ["data channel"] * 2)
        for stream in (0, 2, 4, 6):
            self.client.raw(stream, b"b", dcep.PPID_TEXT)
        self.rest()
        self.assertEqual([len(data) for _, data, _ in self.server.messages()], [301, 301])
        self.assertEqual(self.server.channels._partial, 0)

    def test_reliability(self) -> None:
        """
        Each channel loses what it may lose.
        """
        lossy, timed = self.client.open(maxRetransmits=0), self.client.open(maxLifetime=100)
        reliable = self.client.open()
        self.rest()
        self.network.lose = lambda packet: True
        for channel in (lossy, timed, reliable):
            self.client.send(channel, b"lost?")
        self.network.lose = lambda packet: False
        self.rest()
        self.assertEqual(self.server.messages(), [(4, b"lost?", False)])

    def test_drained(self) -> None:
        """
        There is an event when little waits in a channel.
        """
        channel = self.client.channels.open(Open(), self.network.now)
        self.client.channels.send(channel, bytes(200000), self.network.now)
        self.assertEqual(self.client.channels.bufferedAmount(channel), 200012)
        self.client.end.pump()
        self.rest()
        self.assertIn(ChannelDrained(channel), self.client.events)
        self.assertEqual(self.client.channels.bufferedAmount(channel), 0)


class CloseTests(ChannelsTestCase):
    """
    How channels are closed: RFC 8831 clause 6.7.
    """

    def test_close(self) -> None:
        """
        Everything arrives first; then both sides know, other channels go on,
        and the stream can be used again.
        """
        channel, other = self.client.open(), self.client.open()
        self.client.send(channel, bytes(100000))
        self.client.close(channel)
        self.assertIs(channel.state, State.CLOSING)
        self.assertRaises(UsageError, self.client.send, channel, b"more")
        self.client.close(channel)
        self.rest()
        for side in (self.client, self.server):
            self.assertEqual(side.closed(), [(0, "closed")])
            self.assertEqual(len(side.channels), 1)
        self.assertEqual(self.server.messages(), [(0, bytes(100000), False)])
        self.client.send(other, b"on")
        again = self.client.channels.negotiate(0, Open())
        self.server.channels.negotiate(0, Open())
        self.client.send(again, b"again")
        self.rest()
        self.assertEqual(self.server.messages()[1:], [(2, b"on", False), (0, b"again", False)])

    def test_bothClose(self) -> None:
        """
        Both sides may do it at once.
        """
        channel = self.client.open()
        self.rest()
        self.client.close(channel)
        self.server.close(self.server.channels[0])
        self.rest()
        for side in (self.client, self.server):
            self.assertEqual(side.closed(), [(0, "closed")])
            self.assertEqual(len(side.channels), 0)

    def test_R_70_refused(self) -> None:
        """
        A channel that the other side closes instead of acknowledging it is
        closed.
        """
        self.server.channels.negotiate(0, Open())
        self.client.open()
        self.rest()
        self.assertEqual(self.client.closed(), [(0, "closed")])

    def test_badNetwork(self) -> None:
        """
        Channels come and go on any network.
        """
        for seed in range(20):
            network = Network(seed, loss=0.2, jitter=0.1, duplication=0.2)
            client, server = Side(network.left, client=True), Side(network.right, client=False)
            network.connect(both=True)
            for turn in range(5):
                for side in (client, server):
                    channel = side.open(label=str(turn), maxRetransmits=turn or None, ordered=bool(turn % 2))
                    for _ in range(5):
                        side.send(channel, b"x" * 2000)
                    side.close(channel)
                network.rest(0.1)
            done = network.run(
                lambda client=client, server=server: (  # type: ignore[misc]
                    len(client.closed()) == len(server.closed()) == 10
                ),
                300,
            )
            self.assertTrue(done, f"{client.closed()} {server.closed()}")
            self.assertEqual(client.refused + server.refused, [])

    def test_R_73_abort(self) -> None:
        """
        The end of the association is the end of its channels.
        """
        self.client.open()
        self.server.open()
        self.rest()
        self.client.end.association.abort(self.network.now, "lost interest")
        self.client.end.pump()
        self.rest()
        self.assertEqual(self.client.closed(), [(0, "lost interest"), (1, "lost interest")])
        self.assertEqual(sorted(streamID for streamID, _ in self.server.closed()), [0, 1])
        self.assertRaises(UsageError, self.client.open)

    def test_shutdown(self) -> None:
        """
        So it is in order.
        """
        self.client.open()
        self.rest()
        self.client.end.association.shutdown(self.network.now)
        self.client.end.pump()
        self.rest()
        self.assertEqual(self.server.closed(), [(0, "closed")])

    def test_openWhileItEnds(self) -> None:
        """
        A channel that is opened while the association ends is not answered.
        """
        self.client.raw(1000, Open().encode(), dcep.PPID_CONTROL)
        self.server.end.association.shutdown(self.network.now)
        self.rest()
        self.assertEqual(self.server.refused, ["DCEP OPEN"])

    def test_restart(self) -> None:
        """
        An other side that begins anew has no channels.
        """
        self.client.open()
        self.rest()
        self.network.right = End(self.network, Settings(), self.network.random)
        server = Side(self.network.right, client=False)
        self.network.right.association.associate(self.network.now)
        self.network.right.pump()
        self.rest()
        self.assertEqual(self.client.closed(), [(0, "the other side began anew")])
        channel = self.client.open()
        self.client.send(channel, b"hello")
        self.rest()
        self.assertEqual(server.messages(), [(2, b"hello", False)])

    def test_resetRefused(self) -> None:
        """
        A channel whose stream the other side does not let us reset is closed,
        and its stream not used again.
        """
        channel = self.client.open()
        self.rest()
        self.client.close(channel)
        for event in (ResetRefused(0), ResetRefused(0), ResetRefused(8), BufferLow(8), StreamReset(8, True)):
            self.client.channels.receive(event, self.network.now)
        self.assertEqual(
            self.client.channels.nextEvent(), ChannelClosed(channel, "refused by the other side")
        )
        self.assertIsNone(self.client.channels.nextEvent())
        self.assertIs(self.client.channels[0], channel)

    def test_resetWhileItEnds(self) -> None:
        """
        A channel can be closed while the association ends.
        """
        channel = self.client.open()
        self.rest()
        self.client.end.association.abort(self.network.now)
        self.client.channels.close(channel, self.network.now)
        self.assertEqual(self.client.channels.nextEvent(), ChannelClosed(channel, "closed"))

    def test_unresettable(self) -> None:
        """
        Where streams cannot be reset a closed channel is closed at once, and
        its stream not used again.
        """
        channel = self.client.open()
        self.rest()
        self.client.channels._resettable = False
        self.client.close(channel)
        self.assertEqual(self.client.channels.nextEvent(), ChannelClosed(channel, "closed"))
        self.assertEqual(self.client.open().streamID, 2)
        self.server.raw(0, b"late", dcep.PPID_BINARY)
        self.rest()
        self.assertEqual((self.client.messages(), self.client.refused), ([], []))
