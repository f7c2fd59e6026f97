"""
One port, and whom it believes.
"""

import errno

from twisted.trial.unittest import SynchronousTestCase

from e2aegw.errors import RemoteError
from e2aegw.interfaces import Address
from e2aegw.sansio.events import Event, PathChanged, PathSettled
from e2aegw.testing import MemoryNetwork
from e2aegw.transport.component import LATCH_WINDOW, Component

OURS, THEIRS, NAT, STRANGER = (
    ("192.0.2.1", 30000),
    ("192.0.2.7", 4000),
    ("192.0.2.50", 7000),
    ("192.0.2.66", 666),
)
RTP = b"\x80" + bytes(11)


class ComponentTests(SynchronousTestCase):
    """
    A port without ICE.
    """

    def setUp(self) -> None:
        """
        A component whose medium refuses what has a one in it.
        """
        self.now = 100.0
        self.counters: dict[str, int] = {}
        self.events: list[Event] = []
        self.heard: list[bytes] = []
        self.network = MemoryNetwork()
        self.component = Component(1, lambda: self.now, self.counters, self.events.append)
        self.component.deliver = self.deliver
        self.component.port = self.network.bind(OURS, self.component.datagramReceived)

    def deliver(self, data: bytes) -> None:
        """
        Take it, or refuse it.
        """
        if b"\x01" in data:
            raise RemoteError("forged")
        self.heard.append(data)

    def where(self) -> tuple[Address | None, Address | None]:
        """
        Who is believed, and who is sent to.
        """
        return self.component.source, self.component.remote

    def test_nobody(self) -> None:
        """
        Before anything is signalled nobody is believed, and nothing is sent.
        """
        self.component.datagramReceived(RTP, THEIRS)
        self.component.send(RTP)
        self.assertEqual(self.heard, [])
        self.assertEqual(self.counters, {"dropped unknown source": 1, "unsent no destination": 1})

    def test_signalled(self) -> None:
        """
        Where the description says, it is sent at once; what comes from there
        settles it.
        """
        self.component.signal(THEIRS, asymmetric=False)
        self.assertEqual(self.where(), (None, THEIRS))
        self.component.datagramReceived(RTP, THEIRS)
        self.assertEqual(self.where(), (THEIRS, THEIRS))
        self.component.datagramReceived(RTP, STRANGER)
        self.assertEqual((len(self.heard), self.counters), (1, {"dropped unknown source": 1}))
        self.assertEqual([type(event) for event in self.events], [PathSettled])

    def test_R_108_latch(self) -> None:
        """
        Inside the window the first that is accepted is followed; what is
        refused is not, nor is anybody after the window.
        """
        self.component.signal(THEIRS, asymmetric=False)
        self.component.datagramReceived(RTP + b"\x01", STRANGER)
        self.assertEqual(self.where(), (None, THEIRS))
        self.component.datagramReceived(RTP, NAT)
        self.assertEqual(self.where(), (NAT, NAT))
        self.component.signal(("192.0.2.8", 1), asymmetric=False)
        self.now += LATCH_WINDOW + 0.1
        self.component.datagramReceived(RTP, STRANGER)
        self.assertEqual(self.where(), (None, ("192.0.2.8", 1)))

    def test_R_108_authenticated(self) -> None:
        """
        Who proves itself may come later.
        """
        self.component.authenticated = True
        self.component.signal(THEIRS, asymmetric=False)
        self.now += 100
        self.component.datagramReceived(RTP, NAT)
        self.assertEqual(self.where(), (NAT, NAT))

    def test_asymmetric(self) -> None:
        """
        Who sends from elsewhere is believed there and sent to here.
        """
        self.component.signal(THEIRS, asymmetric=True)
        self.component.datagramReceived(RTP, NAT)
        self.assertEqual(self.where(), (NAT, THEIRS))

    def test_signalledAgain(self) -> None:
        """
        What was learned stays, unless the description says something else.
        """
        self.component.signal(THEIRS, asymmetric=False)
        self.component.datagramReceived(RTP, NAT)
        self.events.clear()
        self.component.signal(THEIRS, asymmetric=False)
        self.assertEqual((self.where(), self.events), ((NAT, NAT), []))
        self.component.signal(STRANGER, asymmetric=False)
        self.assertEqual(self.where(), (None, STRANGER))
        self.assertEqual([type(event) for event in self.events], [PathChanged])

    def test_hold(self) -> None:
        """
        On hold nothing is sent, though packets come, and the same party is
        still believed.
        """
        self.component.signal(THEIRS, asymmetric=False)
        self.component.datagramReceived(RTP, NAT)
        self.component.signal(None, asymmetric=False)
        self.assertEqual(self.where(), (NAT, None))
        self.component.datagramReceived(RTP, NAT)
        self.component.datagramReceived(RTP, STRANGER)
        self.assertEqual((self.where(), len(self.heard)), ((NAT, None), 2))
        self.component.signal(THEIRS, asymmetric=False)
        self.assertEqual(self.where(), (NAT, NAT))

    def test_signalledWins(self) -> None:
        """
        The signalled address takes its place, whoever was quicker, and only
        with what is accepted.
        """
        self.component.signal(THEIRS, asymmetric=False)
        self.component.datagramReceived(RTP, STRANGER)
        self.component.datagramReceived(RTP + b"\x01", THEIRS)
        self.assertEqual(self.where(), (STRANGER, STRANGER))
        self.now += 100
        self.component.datagramReceived(RTP, THEIRS)
        self.assertEqual(self.where(), (THEIRS, THEIRS))
        self.component.datagramReceived(RTP, STRANGER)
        self.assertEqual(self.where(), (THEIRS, THEIRS))

    def test_R_95_others(self) -> None:
        """
        Where DTLS or STUN is expected, what is neither that nor RTP is
        dropped; elsewhere the medium decides.
        """
        self.component.signal(THEIRS, asymmetric=False)
        for first in (0, 20, 64, 255):
            self.component.datagramReceived(bytes([first]) + b"\x01", THEIRS)
        self.component.datagramReceived(b"\x01", THEIRS)
        self.assertEqual(self.counters, {"dropped forged": 5})
        special: list[int] = []
        self.component.onSTUN = lambda data, component, source: special.append(1)
        self.component.onDTLS = lambda data, component, source: special.append(2)
        for data in (b"", b"\x00", b"\x14", b"\x40", b"\xff"):
            self.component.datagramReceived(data, STRANGER)
        self.assertEqual(special, [1, 2])
        self.assertEqual(self.counters["dropped unknown protocol"], 3)

    def test_refused(self) -> None:
        """
        What the system does not take is counted.
        """
        self.component.signal(THEIRS, asymmetric=False)

        def full(data: bytes, destination: Address) -> int:
            raise OSError(errno.ENOBUFS, "no buffers")

        self.component.port.sendto = full  # type: ignore[union-attr, method-assign]
        self.component.send(RTP)
        self.component.sendTo(RTP, STRANGER)
        self.assertEqual(self.counters, {"unsent refused": 2})

    def test_closed(self) -> None:
        """
        A component that is closed says and does nothing.
        """
        self.component.signal(THEIRS, asymmetric=False)
        self.component.port = None
        self.component.close()
        self.component.datagramReceived(RTP, THEIRS)
        self.component.send(RTP)
        self.component.sendTo(RTP, THEIRS)
        self.assertEqual((self.heard, self.events), ([], []))
