"""
Associations that are let go as soon as their keys are agreed on.
"""

from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from e2aegw.errors import RemoteError
from e2aegw.sansio.dtls import MAX_REPETITIONS
from tests.sansio.dtlspeer import ENDPOINT, Peer, datagrams, established, events, shake


class RetiredTests(SynchronousTestCase):
    """
    What they still do.
    """

    def test_retired(self) -> None:
        """
        An association that is let go takes nothing more and sends nothing, but
        for its goodbye, which the peer believes; and only once.
        """
        for client in (False, True):
            association, peer = established(client=client)
            association.retire()
            association.retire()
            self.assertEqual(datagrams(association), [])
            peer.connection.send(b"too late")
            self.assertRaises(RemoteError, association.receive, b"".join(peer.written()), 0.0)
            self.assertRaises(RemoteError, association.send, b"x")
            self.assertRaises(RemoteError, association.keys)
            self.assertEqual((association.profile(), association.cipher()), (None, ""))
            association.timeout(100.0)
            association.close()
            peer.receive(datagrams(association))
            self.assertIsInstance(peer.error, SSL.ZeroReturnError)
            association.close()
            self.assertEqual(datagrams(association) + events(association), [])

    def test_retiredTooEarly(self) -> None:
        """
        What is not established is not let go.
        """
        association, peer = ENDPOINT.connect(client=True), Peer(client=False)
        association.retire()
        shake(association, peer)
        self.assertTrue(association.established)

    def test_retiredAndLost(self) -> None:
        """
        A client that has not got the last flight repeats its own, and gets it
        from a server that was let go; but not without end, and nobody gets it
        for anything else.
        """
        association, peer = ENDPOINT.connect(client=False), Peer(client=True)
        flight = peer.receive()
        while not association.established:
            last = flight
            for datagram in flight:
                association.receive(datagram, 0.0)
            answer = datagrams(association)
            flight = [] if association.established else peer.receive(answer)
        association.retire()
        self.assertFalse(peer.done)
        for datagram in last[:-1]:
            self.assertRaises(RemoteError, association.receive, datagram, 0.0)
        association.receive(b"".join(last), 0.0)
        self.assertEqual(peer.receive(datagrams(association)), [])
        self.assertTrue(peer.done)
        # It was only late, and comes twice.
        peer.receive(answer)
        self.assertIsNone(peer.error)
        for _ in range(MAX_REPETITIONS - 1):
            association.receive(b"".join(last), 0.0)
        self.assertRaises(RemoteError, association.receive, b"".join(last), 0.0)
        association.close()
        peer.receive(datagrams(association))
        self.assertIsInstance(peer.error, SSL.ZeroReturnError)
