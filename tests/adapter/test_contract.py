"""
The adapters that come with the gateway keep the promises that all do.
"""

from collections.abc import Sequence
from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from e2aegw.adapter import bfcp, relay, rtp, srtp, udptl
from e2aegw.errors import ConfigError, NegotiationError
from e2aegw.interfaces import IKeyExporter
from e2aegw.sansio.sdp import Line, Section
from e2aegw.sansio.srtp import Context, Keys, Profile, contextPair
from e2aegw.sansio.terms import Kind, Terms
from e2aegw.testing import AdapterContract, MemoryTransport
from e2aegw.testing.contract import RTP_UNITS
from tests.sansio.udptlcodec import encode

CRYPTO = Line("crypto", "1 AES_CM_128_HMAC_SHA1_80 inline:" + "A" * 40)
#: Floor 543 is asked for, and nobody has it.
FLOOR_REQUEST = bytes.fromhex("20010001 000004d2 007b00ea 0504021f")
FLOOR_STATUS = bytes.fromhex("20080001 000004d2 000000ea 0504021f")
FINGERPRINT = Line("fingerprint", "sha-256 " + ":".join(["00"] * 32))


FAX_PROTOS = udptl.PROTOS


def fax(proto: str) -> list[tuple[Section, Terms]]:
    """
    A fax section in an offer.
    """
    lines = [Line("T38FaxMaxDatagram", "72"), FINGERPRINT]
    media = Section("image", 4000, proto, ["t38"], address="192.0.2.2", lines=lines)
    return [(media, Terms(kind=Kind.OFFER))]


def section(proto: str, *lines: Line) -> list[tuple[Section, Terms]]:
    """
    An audio section in an offer.
    """
    media = Section("audio", 4000, proto, ["0"], address="192.0.2.2", lines=lines)
    return [(media, Terms(kind=Kind.OFFER))]


@implementer(IKeyExporter)
class KeyTransport(MemoryTransport):
    """
    A transport whose handshake is over.
    """

    def contexts(self, control: bool) -> tuple[Context, Context]:
        """
        See L{IKeyExporter}.
        """
        keys = Keys(Profile.AEAD_AES_128_GCM, bytes(28))
        return contextPair(keys, keys)


class RTPTests(AdapterContract, SynchronousTestCase):
    """
    Plain RTP.
    """

    def makeFactory(self) -> Any:
        """
        See L{AdapterContract}.
        """
        return rtp.Factory()


class RelayTests(AdapterContract, SynchronousTestCase):
    """
    SRTP that is protected from end to end.
    """

    def makeFactory(self) -> Any:
        """
        See L{AdapterContract}.
        """
        return relay.Factory()

    def accepted(self, proto: str) -> list[tuple[Section, Terms]]:
        """
        See L{AdapterContract}.
        """
        return fax(proto) if proto in FAX_PROTOS else section(proto, CRYPTO)

    def units(self) -> Sequence[Any]:
        """
        See L{AdapterContract}: packets, and a record.
        """
        return (*RTP_UNITS, b"\x17\xfe\xfd\0\1\0\0\0\0\0\1\0\1x")


class UDPTLTests(AdapterContract, SynchronousTestCase):
    """
    T.38 in UDPTL.
    """

    def makeFactory(self) -> Any:
        """
        See L{AdapterContract}.
        """
        return udptl.Factory()

    def accepted(self, proto: str) -> list[tuple[Section, Terms]]:
        """
        See L{AdapterContract}.
        """
        return fax(proto)

    def refused(self, proto: str) -> list[tuple[Section, Terms]]:
        """
        See L{AdapterContract}.
        """
        media = Section("image", 4000, proto, ["t37"], address="192.0.2.2")
        return [*super().refused(proto), (media, Terms(kind=Kind.OFFER)), *section(proto)]

    def units(self) -> Sequence[bytes]:
        """
        See L{AdapterContract}.
        """
        return (encode(7, b"\xc0\1\x80", [b"\6", b"\4"]), encode(8, b"\6", [b"\6"] * 3, parity=True))

    def test_limit(self) -> None:
        """
        What is longer than the party takes is counted, unless it shall not
        matter.
        """
        for limited, written in ((True, 1), (False, 2)):
            adapter = udptl.Factory(datagram_limit=limited).buildAdapter("UDPTL")
            transport = MemoryTransport()
            adapter.makeConnection(transport)
            ((media, terms),) = fax("UDPTL")
            adapter.configure(media, terms)()
            adapter.sendUnit(bytes(72))
            adapter.sendUnit(bytes(73))
            self.assertEqual(len(transport.written), written)
            self.assertEqual(adapter.counters["unsent too long"], 2 - written)

    def test_anotherCarrier(self) -> None:
        """
        A leg of one proto does not become one of another.
        """
        adapter = self.makeFactory().buildAdapter("UDP/TLS/UDPTL")
        ((media, terms),) = fax("UDPTL")
        self.assertRaises(NegotiationError, adapter.configure, media, terms)
        self.assertIsNone(adapter.transform())

    def test_noName(self) -> None:
        """
        A subprotocol needs a name.
        """
        self.assertRaises(ConfigError, udptl.Factory, subprotocol=" ")


class SRTPTests(AdapterContract, SynchronousTestCase):
    """
    SRTP with keys from the description or from a handshake.
    """

    def makeFactory(self) -> Any:
        """
        See L{AdapterContract}.
        """
        return srtp.Factory()

    def makeTransport(self, proto: str) -> MemoryTransport:
        """
        See L{AdapterContract}.
        """
        return KeyTransport() if proto in srtp.DTLS_PROTOS else MemoryTransport()

    def accepted(self, proto: str) -> list[tuple[Section, Terms]]:
        """
        See L{AdapterContract}.
        """
        return section(proto, FINGERPRINT if proto in srtp.DTLS_PROTOS else CRYPTO)

    def refused(self, proto: str) -> list[tuple[Section, Terms]]:
        """
        See L{AdapterContract}.
        """
        keyless = [] if proto in srtp.DTLS_PROTOS else section(proto)
        return [*super().refused(proto), *keyless]

    def test_afterTheHandshake(self) -> None:
        """
        With exported keys, units are written, and what comes back with others
        is refused.
        """
        adapter = self.makeFactory().buildAdapter("UDP/TLS/RTP/SAVPF")
        transport = KeyTransport()
        transport.attach(adapter)
        adapter.handshakeCompleted()
        for unit in self.units():
            adapter.sendUnit(unit)
        self.assertEqual((len(transport.written), len(transport.writtenControl)), (1, 1))
        for unit, wire in zip(self.units(), transport.written + transport.writtenControl, strict=True):
            self.assertNotEqual(unit, wire)
            adapter.dataReceived(wire)


class BFCPTests(AdapterContract, SynchronousTestCase):
    """
    Floor control.
    """

    def makeFactory(self) -> Any:
        """
        See L{AdapterContract}.
        """
        return bfcp.Factory(clock=Clock())

    def accepted(self, proto: str) -> list[tuple[Section, Terms]]:
        """
        See L{AdapterContract}.
        """
        lines = (Line("floorctrl", "c-only"), Line("bfcpver", "1 2"))
        media = Section("application", 4000, proto, ["*"], address="192.0.2.2", lines=lines)
        return [(media, Terms(kind=Kind.OFFER))]

    def refused(self, proto: str) -> list[tuple[Section, Terms]]:
        """
        See L{AdapterContract}.
        """
        media = Section("application", 4000, proto, ["*"], lines=[Line("bfcpver", "3")])
        other = "UDP/BFCP" if proto.startswith("TCP") else "TCP/BFCP"
        return [
            *super().refused(proto),
            (media, Terms(kind=Kind.OFFER)),
            (Section("application", 4000, other, ["*"]), Terms(kind=Kind.ANSWER)),
        ]

    def units(self) -> tuple[bytes, ...]:
        """
        See L{AdapterContract}.
        """
        return FLOOR_REQUEST, FLOOR_STATUS

    def wire(self, proto: str) -> list[bytes]:
        """
        See L{AdapterContract}.
        """
        first = b"\x40" if proto.startswith("UDP") else b"\x20"
        return [first + unit[1:] for unit in self.units()]
