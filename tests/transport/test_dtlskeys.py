"""
DTLS for keys alone, between two transports in memory.
"""

import datetime

from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from e2aegw.gateway.ports import PortPool
from e2aegw.sansio.certificate import Identity
from e2aegw.sansio.dtls import Endpoint
from e2aegw.sansio.sdp import Line, Section
from e2aegw.sansio.srtp import Profile
from e2aegw.sansio.terms import Kind, Terms
from e2aegw.testing import MemoryNetwork
from e2aegw.transport.dtlskeys import DTLSKeyTransport

OFFER, ANSWER = Terms(), Terms(kind=Kind.ANSWER)
_PROFILES = (Profile.AES_CM_128_HMAC_SHA1_80,)
_NOW = datetime.datetime.now(datetime.UTC)
ENDPOINTS = [Endpoint(Identity.generate(_NOW), _PROFILES) for _ in range(2)]


class AssociationTests(SynchronousTestCase):
    """
    What becomes of an association when its keys are agreed on.
    """

    def setUp(self) -> None:
        """
        C{here} offers, C{there} answers.
        """
        clock = Clock()
        self.network = MemoryNetwork(clock)
        pools = [PortPool(self.network, f"192.0.2.{n}", 30000, 30001) for n in (1, 2)]
        self.here, self.there = (
            DTLSKeyTransport(clock, pool, endpoint, control=False)
            for pool, endpoint in zip(pools, ENDPOINTS, strict=True)
        )
        for transport in (self.here, self.there):
            transport.attach(Protocol())
            self.addCleanup(transport.loseConnection)

    def agree(self, *more: Line) -> None:
        """
        Negotiate, and shake hands.

        @param more: what else the offer says.
        """
        for near, far, terms, lines in (
            (self.here, self.there, OFFER, more),
            (self.there, self.here, ANSWER, ()),
        ):
            host, port = near.localAddress
            far.configure(
                Section(
                    "audio",
                    port,
                    "UDP/TLS/RTP/SAVP",
                    ("0",),
                    address=host,
                    lines=[*near.describe(terms), *lines],
                ),
                terms,
            )()
        self.network.flush()
        for transport in (self.here, self.there):
            self.assertIsNotNone(transport.contexts(False))

    def test_alone(self) -> None:
        """
        Who offers without naming its sections cannot share the association,
        which is let go; its goodbye is said all the same.
        """
        self.agree()
        self.assertIsNone(self.there._verified[1].association._connection)
        self.there.loseConnection()
        self.network.flush()
        self.assertEqual(self.here.counters["closed by the remote party"], 1)

    def test_shared(self) -> None:
        """
        Data channels may come to the association of a section with a name; and
        to one that we have offered.
        """
        self.agree(Line("mid", "0"))
        for transport in (self.here, self.there):
            self.assertIsNotNone(transport._verified[1].association._connection)
