"""
SRTP while keys change.
"""

import struct
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from e2aegw.adapter.srtp import SRTPAdapter
from e2aegw.errors import RemoteError
from e2aegw.sansio.events import Event, OldKeysForgotten, PathChanged, Secured
from e2aegw.sansio.sdes import Crypto, generate
from e2aegw.sansio.sdp import Line, Section
from e2aegw.sansio.srtp import Context, Profile
from e2aegw.sansio.terms import Kind, Terms
from e2aegw.testing import MemoryTransport

OFFER, ANSWER = Terms(kind=Kind.OFFER), Terms(kind=Kind.ANSWER)


class Peer:
    """
    The other leg.
    """

    def __init__(self) -> None:
        self.units: list[bytes] = []

    def sendUnit(self, unit: bytes) -> None:
        """
        Remember it.
        """
        self.units.append(unit)


class Remote:
    """
    The party at the far end: its key, and what it sends with it.
    """

    def __init__(self, profile: Profile = Profile.AES_CM_128_HMAC_SHA1_80) -> None:
        self.crypto = generate("1", profile)
        self.context = Context(self.crypto.keys, inbound=False)
        self.sequence = 0

    def section(self, address: str = "192.0.2.7", port: int = 4000) -> Section:
        """
        Its section.
        """
        return Section("audio", port, "RTP/SAVP", ("0",), address=address, lines=[self.crypto.line()])

    def packet(self) -> tuple[bytes, bytes]:
        """
        A packet, in the clear and protected.
        """
        self.sequence += 1
        clear = struct.pack("!BBHII", 0x80, 0, self.sequence, 0, 7) + b"media"
        return clear, self.context.protect(clear)

    def report(self) -> tuple[bytes, bytes]:
        """
        A report.
        """
        clear = struct.pack("!BBHI", 0x80, 201, 1, 7)
        return clear, self.context.protectControl(clear)


class RekeyTests(SynchronousTestCase):
    """
    One adapter, and a party that changes its key.
    """

    def setUp(self) -> None:
        """
        An adapter under a first key.
        """
        self.adapter = SRTPAdapter("RTP/SAVPF", tuple(Profile))
        self.peer: Any = Peer()
        self.adapter.peer = self.peer
        self.transport = MemoryTransport()
        self.adapter.makeConnection(self.transport)
        self.events: list[Event] = []
        self.adapter.notify = self.events.append
        self.first, self.second = Remote(), Remote()
        self.offer(self.first)

    def offer(self, remote: Remote, **where: Any) -> Crypto:
        """
        The party's offer.

        @return: what the answer says.
        """
        self.adapter.configure(remote.section(**where), OFFER)()
        [line] = self.adapter.describe(ANSWER)
        return Crypto.parse(str(line.value))

    def assertPasses(self, pair: tuple[bytes, bytes]) -> None:
        """
        What is protected arrives in the clear.
        """
        clear, protected = pair
        self.adapter.dataReceived(protected)
        self.assertEqual(self.peer.units[-1], clear)

    def test_R_25_bothKeys(self) -> None:
        """
        Packets and reports under either key pass, until a hundred have come
        under the new one; and a datapath is told to let go, and that it may
        take over again.
        """
        late, report, tooLate = self.first.packet(), self.first.report(), self.first.packet()
        self.events.clear()
        self.offer(self.second)
        self.assertEqual([type(event) for event in self.events], [PathChanged, Secured])
        self.assertIsNone(self.adapter.transform())
        for pair in (late, self.second.packet(), report, self.second.report()):
            self.assertPasses(pair)
        for _ in range(99):
            self.assertPasses(self.second.packet())
        self.assertIsInstance(self.events[-1], OldKeysForgotten)
        self.assertIsNotNone(self.adapter.transform())
        self.assertRaises(RemoteError, self.adapter.dataReceived, tooLate[1])

    def test_identified(self) -> None:
        """
        Who puts an identifier into packets is understood, before and after
        another key, by this adapter and by no datapath.
        """
        crypto = "1 AES_CM_128_HMAC_SHA1_80 inline:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd|2^20|1066:4"
        # By libsrtp 2.5, under this key.
        packet = bytes.fromhex(
            "80000007000004600a0b0c0d665b108b046991263efb80a1d90000042adac1c969df1c5786c5ca"
        )
        for before, after in ((self.first, None), (None, self.second)):
            self.adapter = SRTPAdapter("RTP/SAVP", tuple(Profile))
            self.adapter.peer = self.peer
            self.adapter.makeConnection(self.transport)
            if before is not None:
                self.offer(before)
            identified = Section("audio", 4000, "RTP/SAVP", ("0",), address="192.0.2.7")
            identified.lines.append(Line("crypto", crypto))
            self.adapter.configure(identified, OFFER)()
            self.assertIsNone(self.adapter.transform())
            if after is not None:
                self.offer(after)
                self.assertPasses(after.packet())
            self.adapter.dataReceived(packet)
            self.assertEqual(self.peer.units[-1][12:], b"what was said")
            if before is not None:
                self.assertPasses(before.packet())

    def test_R_99_replay(self) -> None:
        """
        Nothing passes twice while there are two keys, and it is called by its
        name.
        """
        old, oldReport = self.first.packet(), self.first.report()
        self.assertPasses(old)
        self.assertPasses(oldReport)
        self.offer(self.second)
        new, newReport = self.second.packet(), self.second.report()
        self.assertPasses(new)
        self.assertPasses(newReport)
        for _, protected in (old, oldReport, new, newReport):
            error = self.assertRaises(RemoteError, self.adapter.dataReceived, protected)
            self.assertEqual(error.reason, "replayed")

    def test_R_26_move(self) -> None:
        """
        At another address our key is another one; on hold it is not.
        """
        keys = [self.offer(self.first).keys]
        keys.append(self.offer(self.first, address="0.0.0.0").keys)
        keys.append(self.offer(self.first, port=0).keys)
        keys.append(self.offer(self.first).keys)
        self.assertEqual(keys, [keys[0]] * 4)
        self.assertNotEqual(self.offer(self.first, port=4002).keys, keys[0])

    def test_oneIndexOnce(self) -> None:
        """
        Under a key that stays no index is used twice, wherever the party
        goes.
        """
        unit = struct.pack("!BBHII", 0x80, 0, 9, 0, 8) + b"media"
        self.adapter.sendUnit(unit)
        ours = [Crypto.parse(str(line.value)) for line in self.adapter.describe(OFFER)]
        moved = Remote(ours[0].keys.profile)
        section = moved.section(address="192.0.2.99")
        section.lines = [Crypto(ours[0].tag, moved.crypto.keys).line()]
        self.adapter.configure(section, ANSWER)()
        self.adapter.sendUnit(unit)
        self.assertEqual(self.adapter.counters["unsent replayed"], 1)

    def test_noKeys(self) -> None:
        """
        Without a key nothing is sent and nothing passes.
        """
        adapter = SRTPAdapter("RTP/SAVP", tuple(Profile))
        adapter.makeConnection(MemoryTransport())
        for data in (self.first.packet()[1], self.first.report()[1], b""):
            self.assertRaises(RemoteError, adapter.dataReceived, data)
        adapter.sendUnit(self.first.packet()[0])
        adapter.sendUnit(self.first.report()[0])
        self.assertEqual(adapter.counters["unsent no keys"], 2)
