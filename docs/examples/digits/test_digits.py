"""
The digit filter's own tests.
"""

from e2aegw_digits import DigitPressed, Factory
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from e2aegw.interfaces import IFilter, IFilterFactory
from e2aegw.sansio.events import Event
from e2aegw.sansio.sdp import Description, Side

SDP = """\
v=0\r
o=- 1 1 IN IP4 192.0.2.1\r
s=-\r
c=IN IP4 192.0.2.1\r
t=0 0\r
m=audio 5000 RTP/AVP 0 101\r
a=rtpmap:101 telephone-event/8000\r
"""


def press(digit: int, timestamp: int, payloadType: int = 101) -> bytes:
    """
    One of the packets that a key makes.
    """
    return (
        bytes([0x80, payloadType, 0, 1])
        + timestamp.to_bytes(4, "big")
        + bytes(4)
        + bytes([digit, 10, 0, 160])
    )


class DigitsTests(SynchronousTestCase):
    """
    What the filter hears.
    """

    def setUp(self) -> None:
        """
        A filter between two parties.
        """
        self.factory = Factory()
        self.filter = self.factory.buildFilter()
        self.events: list[Event] = []
        self.filter.notify = self.events.append
        self.filter.described(Description.parse(SDP).sections[0], Side.CORE)

    def test_interfaces(self) -> None:
        """
        It is what it says.
        """
        verifyObject(IFilterFactory, self.factory)
        verifyObject(IFilter, self.filter)

    def test_digits(self) -> None:
        """
        A press is one digit, however many packets it takes, and all of them go
        on.
        """
        packets = [press(1, 100), press(1, 100), press(11, 900), press(0, 900, payloadType=0)]
        sent: list[bytes] = []
        for packet in packets:
            self.filter.unitReceived(packet, Side.ACCESS, sent.append)
        self.assertEqual(sent, packets)
        self.assertEqual(
            self.events,
            [DigitPressed(digit="1", party="access"), DigitPressed(digit="#", party="access")],
        )
        self.assertEqual(self.filter.counters, {"digits": 2})

    def test_garbage(self) -> None:
        """
        What is cut short, or no key at all, is nobody's digit.
        """
        for packet in (press(1, 5)[:13], press(99, 5)):
            self.filter.unitReceived(packet, Side.ACCESS, lambda unit: None)
        self.assertEqual(self.events, [])
