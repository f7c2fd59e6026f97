"""
DTLS that carries data, between two transports on the memory network.
"""

from collections.abc import Callable
from typing import Any

from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from e2aegw.errors import NegotiationError
from e2aegw.gateway.ports import PortPool
from e2aegw.sansio.events import Event, HandshakeFailed, Secured
from e2aegw.sansio.sdp import Line, Section
from e2aegw.sansio.terms import ICE, Kind, Terms
from e2aegw.testing import MemoryNetwork
from e2aegw.transport.dtls import DTLSTransport
from tests.transport.carriers import ANSWER, OFFER, endpoint

WRONG = Line("fingerprint", "sha-256 " + ":".join(["AB"] * 32))


class Recorder(Protocol):
    """
    Remembers.
    """

    authenticates = True

    def __init__(self) -> None:
        self.records: list[bytes] = []
        self.losses: list[Failure] = []

    def dataReceived(self, data: bytes) -> None:
        """
        Remember it.
        """
        self.records.append(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        Remember it.
        """
        self.losses.append(reason)


class DTLSTests(SynchronousTestCase):
    """
    Roles, certificates and data.
    """

    def setUp(self) -> None:
        """
        Two transports.
        """
        self.clock = Clock()
        self.network = MemoryNetwork(self.clock)
        self.pools = [PortPool(self.network, f"192.0.2.{n}", 30000, 30001) for n in (1, 2)]
        self.events: list[Event] = []
        self.here, self.there = (
            DTLSTransport(self.clock, pool, endpoint(n), control=False) for n, pool in enumerate(self.pools)
        )
        self.near, self.far = Recorder(), Recorder()
        for transport, protocol in ((self.here, self.near), (self.there, self.far)):
            transport.notify = self.events.append
            transport.attach(protocol)

    def tearDown(self) -> None:
        """
        Nothing is left.
        """
        for transport in (self.here, self.there):
            transport.loseConnection()
        self.network.flush()
        self.assertEqual([pool.lent for pool in self.pools], [0, 0])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def section(self, transport: DTLSTransport, terms: Terms, *changes: Line) -> Section:
        """
        What a transport says, with changes.
        """
        names = {line.name for line in changes}
        lines = [line for line in transport.describe(terms) if line.name not in names] + list(changes)
        host, port = transport.localAddress
        return Section("image", port, "UDP/TLS/UDPTL", ("t38",), address=host, lines=lines)

    def negotiate(self, *changes: Line, answer: tuple[Line, ...] = ()) -> None:
        """
        C{here} offers, C{there} answers.
        """
        self.there.configure(self.section(self.here, OFFER, *changes), OFFER)()
        self.here.configure(self.section(self.there, ANSWER, *answer), ANSWER)()
        self.network.flush()

    def assertData(self) -> None:
        """
        Records pass both ways.
        """
        self.here.write(b"one")
        self.there.write(b"two")
        self.network.flush()
        self.assertEqual((self.near.records[-1:], self.far.records[-1:]), ([b"two"], [b"one"]))

    def happened(self, kind: type[Event]) -> list[Any]:
        """
        The events of a kind.
        """
        return [event for event in self.events if isinstance(event, kind)]

    def test_data(self) -> None:
        """
        Each record is one datagram, and the answerer is the client.
        """
        self.here.write(b"too early")
        self.assertEqual(self.here.counters["unsent no association"], 1)
        self.negotiate()
        self.assertData()
        self.assertEqual((self.here.isClient, self.there.isClient), (False, True))
        self.assertEqual(len(self.happened(Secured)), 2)

    def test_refused(self) -> None:
        """
        A description without a fingerprint, or with a role that is none, is
        refused.
        """
        good = self.section(self.here, OFFER)
        for name, line in (("fingerprint", None), ("setup", "holdconn"), ("fingerprint", "md5 AA")):
            lines = [each for each in good.lines if each.name != name]
            lines += [] if line is None else [Line(name, line)]
            bad = Section("image", 1, "UDP/TLS/UDPTL", ("t38",), address="192.0.2.1", lines=lines)
            self.assertRaises(NegotiationError, self.there.configure, bad, OFFER)
        answer = self.section(self.here, OFFER, Line("setup", "actpass"))
        self.assertRaises(NegotiationError, self.there.configure, answer, ANSWER)

    def test_defaultRoles(self) -> None:
        """
        Without a word the offerer is active (RFC 4145 clause 4.1).
        """
        section = self.section(self.here, OFFER)
        section.lines = [line for line in section.lines if line.name != "setup"]
        self.there.configure(section, OFFER)()
        answer = self.section(self.there, ANSWER)
        self.assertEqual(answer.get("setup"), "passive")
        answer.lines = [line for line in answer.lines if line.name != "setup"]
        self.here.configure(answer, ANSWER)()
        self.network.flush()
        self.assertTrue(self.here.isClient)
        self.assertData()

    def test_R_39_heldRecords(self) -> None:
        """
        What comes before the answer is delivered after it.
        """
        self.there.configure(self.section(self.here, OFFER), OFFER)()
        answer = self.section(self.there, ANSWER)
        self.network.flush()
        self.there.write(b"early")
        self.network.flush()
        self.assertEqual(self.near.records, [])
        self.here.configure(answer, ANSWER)()
        self.assertEqual(self.near.records, [b"early"])

    def test_R_33_wrongFingerprint(self) -> None:
        """
        With a wrong certificate nothing passes, and the other side hears why,
        before the handshake is done.
        """
        self.negotiate(WRONG)
        self.here.write(b"one")
        self.there.write(b"two")
        self.network.flush()
        self.assertEqual((self.near.records, self.far.records), ([], []))
        reasons = [event.reason for event in self.happened(HandshakeFailed)]
        self.assertEqual(reasons, ["fingerprint mismatch", "tls alert bad certificate"])
        self.assertEqual(self.happened(Secured), [])

    def test_outside(self) -> None:
        """
        What comes outside records is dropped.
        """
        self.negotiate()
        self.network.carry(b"\x80" + bytes(30), ("192.0.2.2", 30000), ("192.0.2.1", 30000))
        self.network.flush()
        self.assertEqual(self.near.records, [])
        self.assertEqual(self.here.counters["dropped not protected"], 1)

    def test_goodbye(self) -> None:
        """
        Who says goodbye has gone.
        """
        self.negotiate()
        self.there.loseConnection()
        self.network.flush()
        self.assertEqual(len(self.near.losses), 1)
        self.here.write(b"one")
        self.assertEqual(self.here.counters["unsent association not established"], 1)

    def closing(self, kind: type[Event]) -> Callable[[Event], None]:
        """
        An observer that ends everything.
        """

        def notify(event: Event) -> None:
            self.events.append(event)
            if isinstance(event, kind):
                self.here.loseConnection()

        return notify

    def test_closedOnFailure(self) -> None:
        """
        Whoever hears of a failure may end the transport then and there.
        """
        self.negotiate()
        self.assertData()
        self.here.notify = self.closing(HandshakeFailed)
        self.here._fail("something")
        self.assertEqual(self.near.losses, [])

    def test_closedOnSuccess(self) -> None:
        """
        Or of success, though records wait.
        """
        self.there.configure(self.section(self.here, OFFER), OFFER)()
        answer = self.section(self.there, ANSWER)
        self.network.flush()
        self.there.write(b"early")
        self.network.flush()
        self.here.notify = self.closing(Secured)
        self.here.configure(answer, ANSWER)()
        self.assertEqual(self.near.records, [])

    def test_closedByTheProtocol(self) -> None:
        """
        And so may the protocol, on a record.
        """
        self.negotiate()
        self.near.dataReceived = lambda data: self.here.loseConnection()  # type: ignore[method-assign]
        self.there.write(b"one")
        self.there.write(b"two")
        self.network.flush()
        self.assertEqual(self.pools[0].lent, 0)

    def test_newRole(self) -> None:
        """
        Another role in a new offer means another association.
        """
        self.negotiate()
        self.assertData()
        self.negotiate(Line("setup", "active"))
        self.assertData()
        self.assertEqual((self.here.isClient, self.there.isClient), (True, False))
        self.assertEqual(len(self.happened(Secured)), 4)

    def test_withICE(self) -> None:
        """
        Nothing is sent before a pair is valid, and then the client begins.
        """
        force = Terms(kind=Kind.OFFER, ice=ICE.FORCE)
        offer = self.section(self.here, force)
        self.there.configure(offer, OFFER)()
        self.here.configure(self.section(self.there, ANSWER), ANSWER)()
        self.network.flush()
        self.assertEqual(self.happened(Secured), [])
        self.network.advance(10)
        # Both are lite and knock; neither checks.
        self.assertEqual(self.happened(Secured), [])
