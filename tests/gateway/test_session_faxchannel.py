"""
Fax calls of data channels: T.38 in a channel towards a browser, and in plain
UDPTL towards the core.
"""

from typing import ClassVar

from twisted.internet.protocol import Protocol

from e2aegw.adapter import udptl
from e2aegw.gateway.ports import PortPool
from e2aegw.gateway.service import Route
from e2aegw.sansio.datachannel import ChannelMap, explode
from e2aegw.sansio.sdp import Description, Side
from e2aegw.sansio.terms import Terms
from tests.gateway.fax import ATTRIBUTES, OUR_RSA, FaxPhone, FaxUE, datagram
from tests.gateway.fixture import ROUTES, GatewayTestCase
from tests.transport.carriers import ANSWER, OFFER, Party

STREAM = 2
AGREED = Terms(e2ae=frozenset({"udptl-dtls"}))


class Messages(Protocol):
    """
    The browser's end of the channel.

    @ivar received: messages.
    """

    def __init__(self) -> None:
        self.received: list[bytes] = []

    def dataReceived(self, data: bytes) -> None:
        """
        A message came.
        """
        self.received.append(data)


class ChannelTests(GatewayTestCase):
    """
    A browser calls.
    """

    name = "t38"
    options = ""
    routes: ClassVar[tuple[Route, ...]] = (*ROUTES, Route(udptl.Factory(), udptl.Factory()))
    rsa = OUR_RSA

    def setUp(self) -> None:
        """
        A browser with a channel, and a plain terminal.
        """
        super().setUp()
        self.pool = PortPool(self.network, "198.51.100.7", 50000, 50003)
        self.browser = Party(self.clock, self.pool, 0)
        self.fax = Messages()
        self.map = ChannelMap(streamID=STREAM, label="fax", subprotocol=self.name)
        self.share, _ = self.browser.share(self.map, self.fax)
        self.phone = FaxPhone(self.network, "203.0.113.7")
        self.session = self.gateway.newSession("fax")

    def tearDown(self) -> None:
        """
        Everything ends.
        """
        self.session.close()
        self.browser.carrier.loseConnection()
        self.phone.close()
        super().tearDown()

    def offer(self) -> str:
        """
        What the browser offers.
        """
        section = self.browser.section(OFFER)
        lines = [str(line) for line in section.lines]
        lines.append(str(self.map.line()) + self.options)
        lines += [f"a=dcsa:{STREAM} {attribute}" for attribute in ATTRIBUTES]
        return "\r\n".join(
            [
                "v=0",
                "o=- 1 1 IN IP4 198.51.100.7",
                "s=-",
                "c=IN IP4 198.51.100.7",
                "t=0 0",
                f"m=application {section.port} UDP/DTLS/SCTP webrtc-datachannel",
                *lines,
                "",
            ]
        )

    def call(self) -> tuple[str, str]:
        """
        Offer and answer, and what has to come before data.
        """
        offer = self.result(self.session.offer(self.offer(), Side.ACCESS))
        self.phone.accept(offer)
        answer = self.result(self.session.answer(self.phone.describe()))
        (section,) = Description.parse(answer).sections
        self.browser.carrier.configure(section, ANSWER)()
        self.network.flush()
        return offer, answer

    def test_R_57_attributes(self) -> None:
        """
        Attributes cross from C{dcsa} to lines of their own and back, and
        nothing else of the channel does.
        """
        offer, answer = self.call()
        self.assertIn("m=image 40000 udptl t38", offer)
        self.assertNotIn("dcmap", offer)
        (section,) = Description.parse(answer).sections
        ((channel, child),) = explode(section, {self.name.lower(): ("image", "DC/UDPTL", "t38")})
        self.assertEqual((channel.streamID, channel.subprotocol), (STREAM, self.name))
        for attribute in ATTRIBUTES:
            self.assertIn(f"a={attribute}\r\n", offer)
            self.assertIn(attribute, [str(line)[2:] for line in child.lines])

    def test_R_91_oneToOne(self) -> None:
        """
        A datagram is a message, and a message is a datagram, unchanged and in
        order.
        """
        self.call()
        sent = [datagram(number, bytes([number]) * 20) for number in range(50)]
        for each in sent:
            self.share.write(each)
            self.phone.send(each)
        self.network.flush()
        self.assertEqual(self.phone.received, sent)
        self.assertEqual(self.fax.received, sent)

    def test_malformed(self) -> None:
        """
        A message that is no UDPTL goes nowhere, nor does one that is longer
        than the other terminal takes.
        """
        self.call()
        good = datagram(1)
        for message in (b"\0\1", b"hello", good, good + bytes(400)):
            self.share.write(message)
        self.network.flush()
        self.assertEqual(self.phone.received, [good])

    def test_R_14_refused(self) -> None:
        """
        Port 0 from the core takes the channel away, and the ports with it.
        """
        self.result(self.session.offer(self.offer(), Side.ACCESS))
        answer = self.result(self.session.answer(self.phone.describe(port=0)))
        self.assertNotIn("dcmap", answer)
        self.assertEqual(self.gateway.portsLent, 0)

    def test_toDTLS(self) -> None:
        """
        The other party may be a UE with DTLS on the same side: any pairing
        goes.
        """
        ue = FaxUE(self.network, "198.51.100.9")
        terms = Terms(e2ae=AGREED.e2ae, far=Side.ACCESS)
        offer = self.result(self.session.offer(self.offer(), Side.ACCESS, terms))
        self.assertIn("UDP/TLS/UDPTL", offer)
        ue.accept(offer)
        ue.setup, ue.requested = "active", False
        answer = self.result(self.session.answer(ue.describe()))
        (section,) = Description.parse(answer).sections
        self.browser.carrier.configure(section, ANSWER)()
        ue.hello(client=True)
        self.network.flush()
        self.share.write(datagram(1))
        ue.send(datagram(2))
        self.network.flush()
        self.assertEqual((ue.received, self.fax.received), ([datagram(1)], [datagram(2)]))


class CaseTests(ChannelTests):
    """
    The same, with the name in another case.
    """

    name = "T38"

    def test_R_92_case(self) -> None:
        """
        The answer repeats the name as it was written.
        """
        _, answer = self.call()
        self.assertIn('subprotocol="T38"', answer)


class NameTests(ChannelTests):
    """
    The same, with another name.
    """

    name = "fax"
    routes: ClassVar[tuple[Route, ...]] = (
        *ROUTES,
        Route(udptl.Factory(subprotocol="Fax"), udptl.Factory(subprotocol="Fax")),
    )

    def test_R_92_configured(self) -> None:
        """
        A name that is configured is the only one.
        """
        self.map = ChannelMap(streamID=STREAM, label="fax", subprotocol="t38")
        offer = self.result(self.session.offer(self.offer(), Side.ACCESS))
        self.assertNotIn("udptl", offer)


class UnreliableTests(ChannelTests):
    """
    The same in a channel that may lose messages: UDPTL knows how to live with
    that.
    """

    options = ";ordered=false;max-retr=0"
