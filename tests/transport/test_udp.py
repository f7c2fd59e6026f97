"""
A UDP transport on the memory network.
"""

import re

from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from e2aegw.errors import NegotiationError, ResourceError
from e2aegw.gateway.ports import PortPool
from e2aegw.sansio.events import Event, PathChanged
from e2aegw.sansio.sdp import Line, Section
from e2aegw.sansio.terms import ICE, Kind, Terms
from e2aegw.testing import MemoryNetwork
from e2aegw.transport.udp import KNOCKS, MAX_KNOCKED, UDPTransport

OFFER, ANSWER = Terms(kind=Kind.OFFER), Terms(kind=Kind.ANSWER)
HOST = "192.0.2.1"
CREDENTIALS = (Line("ice-ufrag", "abcd"), Line("ice-pwd", "a" * 22))


def section(*lines: Line, port: int = 4000, address: str | None = "192.0.2.7") -> Section:
    """
    A media section of the remote party.
    """
    return Section("audio", port, "RTP/AVP", ("0",), address=address, lines=lines)


class Heard(Protocol):
    """
    Remembers.
    """

    authenticates = False

    def __init__(self) -> None:
        self.packets: list[bytes] = []

    def dataReceived(self, data: bytes) -> None:
        """
        Remember it.
        """
        self.packets.append(data)


class UDPTests(SynchronousTestCase):
    """
    Negotiation, and what comes of it.
    """

    def setUp(self) -> None:
        """
        A transport with two ports.
        """
        self.clock = Clock()
        self.network = MemoryNetwork(self.clock)
        self.pool = PortPool(self.network, HOST, 30000, 30003)
        self.transport = self.make()
        self.events: list[Event] = []
        self.transport.notify = self.events.append
        self.protocol = Heard()
        self.transport.attach(self.protocol)

    def tearDown(self) -> None:
        """
        Nothing is left.
        """
        self.transport.loseConnection()
        self.assertEqual((self.pool.lent, self.clock.getDelayedCalls()), (0, []))

    def make(self, control: bool = True) -> UDPTransport:
        """
        One more transport.
        """
        return UDPTransport(self.clock, self.pool, control=control)

    def configure(self, *lines: Line, terms: Terms = OFFER, address: str | None = "192.0.2.7") -> None:
        """
        The remote party's description.
        """
        self.transport.configure(section(*lines, address=address), terms)()

    def describe(self, terms: Terms) -> dict[str, str | None]:
        """
        Ours.
        """
        return {line.name: line.value for line in self.transport.describe(terms)}

    def endpoints(self) -> list[object]:
        """
        Where things are sent.
        """
        return [component.remote for component in self.transport.components]

    def test_noPorts(self) -> None:
        """
        Without ports there is no transport.
        """
        second = self.make(control=False)
        self.assertRaises(ResourceError, self.make)
        second.loseConnection()

    def test_R_15_ports(self) -> None:
        """
        The description says where RTCP is, if it is asked to.
        """
        self.assertEqual(self.transport.localAddress, (HOST, 30000))
        self.assertEqual(self.describe(OFFER), {"rtcp": "30001"})
        self.assertEqual(self.describe(Terms(rtcpLine=False)), {})
        self.assertEqual(self.describe(Terms(rtcpFull=True)), {"rtcp": f"30001 IN IP4 {HOST}"})

    def test_noControl(self) -> None:
        """
        A medium without RTCP has one port and says nothing.
        """
        single = self.make(control=False)
        self.assertEqual(list(single.describe(Terms(rtcpMux={"offer"}))), [])
        single.configure(section(Line("rtcp-mux")), OFFER)()
        self.assertEqual(list(single.describe(Terms(kind=Kind.ANSWER, rtcpMux={"accept"}))), [])
        self.assertFalse(single.muxed)
        single.loseConnection()

    def test_refused(self) -> None:
        """
        What cannot be used is refused, and changes nothing.
        """
        for lines in (
            [CREDENTIALS[0]],
            [CREDENTIALS[1]],
            [Line("ice-ufrag", "a"), CREDENTIALS[1]],
            [Line("rtcp", "x")],
            [Line("rtcp", "1 IN IP4 name.example")],
        ):
            self.assertRaises(NegotiationError, self.transport.configure, section(*lines), OFFER)
        for address in ("name.example", "224.0.0.1", "fe80::1%eth0"):
            self.assertRaises(NegotiationError, self.transport.configure, section(address=address), OFFER)
        self.assertEqual((self.endpoints(), self.events), ([None, None], []))

    def test_control(self) -> None:
        """
        RTCP goes to the next port, to the one that is said, or to another
        address.
        """
        for line, expected in (
            (None, ("192.0.2.7", 4001)),
            ("4009", ("192.0.2.7", 4009)),
            ("4009 IN IP4 192.0.2.8", ("192.0.2.8", 4009)),
            ("4009 IN IP4 0.0.0.0", ("192.0.2.7", 4009)),
        ):
            self.configure(*([] if line is None else [Line("rtcp", line)]))
            self.assertEqual(self.endpoints(), [("192.0.2.7", 4000), expected])

    def test_nowhere(self) -> None:
        """
        Port zero, no address or the zero address: nothing is sent.
        """
        self.configure()
        for address in (None, "0.0.0.0", "::"):
            self.configure(address=address)
            self.assertEqual(self.endpoints(), [None, None])
            self.configure()
            self.assertEqual(self.endpoints()[0], ("192.0.2.7", 4000))

    def test_path(self) -> None:
        """
        The path is proven once something came over it.
        """
        self.assertIsNone(self.transport.path())
        self.configure()
        path = self.transport.path()
        assert path is not None
        self.assertEqual((path.local, path.remote, path.proven), ((HOST, 30000), ("192.0.2.7", 4000), False))
        self.transport.datagramReceived(b"\x80" + bytes(11), ("192.0.2.7", 4000))
        path = self.transport.path()
        assert path is not None
        self.assertTrue(path.proven)
        self.assertEqual(self.protocol.packets, [b"\x80" + bytes(11)])

    def test_R_97_mux(self) -> None:
        """
        Ports are shared if both said so, and the second is let go; and later
        they may not be.
        """
        self.assertIn("rtcp-mux", self.describe(Terms(rtcpMux={"offer"})))
        self.configure(Line("rtcp-mux"), terms=ANSWER)
        self.assertEqual((self.transport.muxed, len(self.transport.components)), (True, 1))
        self.assertNotIn((HOST, 30001), self.network.ports)
        self.assertEqual(self.describe(Terms(rtcpMux={"offer"}))["rtcp"], "30000")
        self.assertNotIn("rtcp-mux", self.describe(OFFER))
        self.configure(terms=ANSWER)
        self.assertFalse(self.transport.muxed)
        self.assertEqual(self.endpoints(), [("192.0.2.7", 4000), ("192.0.2.7", 4001)])

    def test_R_97_noFallback(self) -> None:
        """
        Where one port is all that there may be, the second is in no line.
        """
        lines = self.transport.describe(Terms(rtcpMux={"offer", "require"}, ice=ICE.FORCE))
        said = {line.name: line.value for line in lines}
        self.assertEqual(said["rtcp"], "30000")
        self.assertIn("rtcp-mux-only", said)
        found = [str(line.value).split()[1] for line in lines if line.name == "candidate"]
        self.assertEqual(found, ["1"])

    def test_R_97_notOffered(self) -> None:
        """
        An answer cannot bring what was not offered.
        """
        self.describe(OFFER)
        self.configure(Line("rtcp-mux"), *CREDENTIALS, terms=ANSWER)
        self.assertEqual((self.transport.muxed, self.transport.agent), (False, None))

    def test_TOS(self) -> None:
        """
        The traffic class is that of all ports, those that come later too, and
        a change of it is told.
        """
        self.configure(terms=Terms(tos=184))
        self.describe(Terms(rtcpMux={"offer"}, tos=184))
        self.assertEqual(len([event for event in self.events if isinstance(event, PathChanged)]), 1)
        self.configure(Line("rtcp-mux"), terms=ANSWER)
        self.describe(OFFER)
        self.configure(terms=ANSWER)
        self.assertEqual([port.tos for port in self.network.ports.values()], [184, 184])

    def test_knocks(self) -> None:
        """
        There are only so many knocks, however many candidates there are, and
        none once somebody came or the transport is gone.
        """
        many = [Line("candidate", f"1 1 udp 1 192.0.2.{n} 9 typ host") for n in range(100)]
        seen: list[bytes] = []

        def watch(data: bytes, source: object, destination: object) -> bool:
            seen.append(data)
            return False

        self.network.lose = watch
        self.configure(*CREDENTIALS, *many)
        self.network.advance(60)
        self.assertEqual(len(seen), len(KNOCKS) * MAX_KNOCKED)
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.configure(*CREDENTIALS, *many)
        self.transport.loseConnection()
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_R_102_candidates(self) -> None:
        """
        With ICE there is a candidate for each port, at the address that is
        said.
        """
        terms = Terms(ice=ICE.FORCE, mediaAddress="198.51.100.9")
        found = [line.value for line in self.transport.describe(terms) if line.name == "candidate"]
        self.assertEqual(
            [re.sub(r"^\d+ (\d) udp \d+ ", r"\1 ", str(value)) for value in found],
            ["1 198.51.100.9 30000 typ host", "2 198.51.100.9 30001 typ host"],
        )
        self.assertTrue(self.transport.lite)
        self.configure(terms=ANSWER)
        self.assertFalse(self.transport.lite)

    def test_afterTheEnd(self) -> None:
        """
        What is written after the end is counted and harmless, and the end may
        come twice.
        """
        self.configure()
        self.transport.loseConnection()
        self.transport.loseConnection()
        self.transport.write(b"x")
        self.transport.writeControl(b"x")
        self.transport.datagramReceived(b"\x80" + bytes(11), ("192.0.2.7", 4000))
        self.assertIsNone(self.transport.path())
        self.assertEqual(self.transport.counters["unsent no destination"], 2)
        self.assertEqual(self.protocol.packets, [])
