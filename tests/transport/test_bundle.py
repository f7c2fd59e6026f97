"""
One transport for several sections, and whose a packet is.
"""

from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from e2aegw.errors import NegotiationError, RemoteError
from e2aegw.gateway.ports import PortPool
from e2aegw.sansio.events import Event, PathChanged
from e2aegw.sansio.sdp import Line, Section
from e2aegw.sansio.terms import Kind, Terms
from e2aegw.testing import MemoryNetwork
from e2aegw.transport.bundle import Bundle, BundleStream
from e2aegw.transport.udp import UDPTransport

OFFER = Terms(kind=Kind.OFFER)
MID = Line("extmap", "4 urn:ietf:params:rtp-hdrext:sdes:mid")


def packet(source: int, payloadType: int = 0, mid: bytes = b"") -> bytes:
    """
    An RTP packet, with its section's name in a header extension if there is
    one.
    """
    extension = b""
    if mid:
        words = bytes([0x40 | len(mid) - 1]) + mid
        words += bytes(-len(words) % 4)
        extension = b"\xbe\xde" + (len(words) // 4).to_bytes(2, "big") + words
    head = bytes([0x90 if mid else 0x80, payloadType, 0, 1]) + bytes(4) + source.to_bytes(4, "big")
    return head + extension + b"media"


def control(source: int) -> bytes:
    """
    A receiver report.
    """
    return b"\x80\xc9\x00\x01" + source.to_bytes(4, "big")


class Heard(Protocol):
    """
    Remembers, and refuses what says that it is forged.
    """

    def __init__(self) -> None:
        self.packets: list[bytes] = []

    def dataReceived(self, data: bytes) -> None:
        """
        Remember or refuse it.
        """
        if b"FORGED" in data:
            raise RemoteError("forged")
        self.packets.append(data)


class BundleTests(SynchronousTestCase):
    """
    Sound and pictures.
    """

    def setUp(self) -> None:
        """
        Two sections on one transport.
        """
        self.clock = Clock()
        self.pool = PortPool(MemoryNetwork(self.clock), "192.0.2.1", 30000, 30001)
        self.bundle = Bundle(UDPTransport(self.clock, self.pool, control=True), "udp+rtcp")
        self.audio, self.sound = self.share("0", "0", Line("ssrc", "10 cname:x"), MID)
        self.video, self.pictures = self.share("1", "96", MID)

    def share(self, mid: str, payloadType: str, *lines: Line) -> tuple[BundleStream, Heard]:
        """
        A section and its protocol.
        """
        stream, heard = self.bundle.add(mid), Heard()
        stream.attach(heard)
        section = Section("x", 4000, "RTP/AVP", (payloadType,), address="192.0.2.7", lines=lines)
        stream.configure(section, OFFER)()
        return stream, heard

    def counts(self) -> tuple[int, int]:
        """
        How many packets each has got.
        """
        return len(self.sound.packets), len(self.pictures.packets)

    def test_whose(self) -> None:
        """
        By the source that the description named, the extension, the payload
        type; and then by the source that is known from that.
        """
        for data, expected in (
            (packet(10, 96), (1, 0)),
            (packet(11, 0, b"1"), (1, 1)),
            (packet(11, 0), (1, 2)),
            (packet(12, 96), (1, 3)),
            (packet(12, 0), (1, 4)),
            (packet(13, 0), (2, 4)),
            (packet(14, 0, b"unknown"), (3, 4)),
        ):
            self.bundle.dataReceived(data)
            self.assertEqual(self.counts(), expected)

    def test_nobodys(self) -> None:
        """
        What belongs to no section is refused, and so is what is too short.
        """
        for data in (packet(15, 35), b"", b"\x80" * 11):
            self.assertRaises(RemoteError, self.bundle.dataReceived, data)

    def test_forged(self) -> None:
        """
        A source is not learned from what its section refuses.
        """
        self.assertRaises(RemoteError, self.bundle.dataReceived, packet(16, 96) + b"FORGED")
        self.bundle.dataReceived(packet(16, 0))
        self.assertEqual(self.counts(), (1, 0))

    def test_control(self) -> None:
        """
        Reports of an unknown source are the first section's.
        """
        self.bundle.dataReceived(packet(12, 96))
        self.bundle.dataReceived(control(12))
        self.bundle.dataReceived(control(99))
        self.assertEqual(self.counts(), (1, 2))

    def test_remove(self) -> None:
        """
        What a section had is forgotten with it; with the last the transport
        ends.
        """
        self.bundle.dataReceived(packet(12, 96))
        self.video.loseConnection()
        self.video.loseConnection()
        self.bundle.dataReceived(packet(12, 96))
        self.assertEqual(self.counts(), (1, 1))
        self.audio.loseConnection()
        self.assertEqual(self.pool.lent, 0)

    def test_path(self) -> None:
        """
        With more than one section what arrives has to be told apart.
        """
        self.bundle.transport.components[0].settle(("192.0.2.7", 4000))
        paths = [stream.path() for stream in (self.audio, self.video)]
        self.assertEqual([path is not None and path.proven for path in paths], [False, False])
        self.video.loseConnection()
        path = self.audio.path()
        assert path is not None
        self.assertTrue(path.proven)

    def test_events(self) -> None:
        """
        What happens to the transport happens to each section.
        """
        events: list[tuple[str, Event]] = []
        self.audio.notify = lambda event: events.append(("audio", event))
        self.video.notify = lambda event: events.append(("video", event))
        self.bundle.add("2")
        told = [(who, type(event)) for who, event in events]
        self.assertEqual(told, [("audio", PathChanged), ("video", PathChanged)])

    def test_speaker(self) -> None:
        """
        One section speaks for the transport in each description, the first
        that can.
        """

        def place(stream: BundleStream, address: str) -> None:
            stream.configure(Section("x", 5, "RTP/AVP", ("0",), address=address), OFFER)()

        self.bundle.begin()
        self.assertRaises(NegotiationError, place, self.video, "name.example")
        place(self.audio, "192.0.2.8")
        place(self.video, "192.0.2.9")
        self.assertEqual(self.bundle.transport.components[0].remote, ("192.0.2.8", 5))
        self.bundle.begin()
        place(self.video, "192.0.2.9")
        self.assertEqual(self.bundle.transport.components[0].remote, ("192.0.2.9", 5))
