"""
Every medium meets itself, whatever either side calls it and carries it by.
"""

from collections import defaultdict
from importlib.metadata import entry_points
from itertools import product
from typing import Any, ClassVar

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from e2aegw.adapter import msrp
from e2aegw.gateway.pipeline import ENDED, Leg, Pipeline
from e2aegw.gateway.registry import GROUP, loadFactory
from e2aegw.sansio.e2ae import protectionOf
from e2aegw.sansio.sdp import Line, Section, Side
from e2aegw.sansio.terms import Kind, Terms
from e2aegw.transport.kinds import KINDS
from tests.adapter.msrppeer import Endpoint

OFFER, ANSWER = Terms(kind=Kind.OFFER), Terms(kind=Kind.ANSWER)

#: Where a medium is carried, and by which factory: all those that are known.
FACTORIES = {
    point.name: loadFactory(point.name, {})
    for point in entry_points(group=GROUP)
    if point.value.startswith("e2aegw.")
}


class Wire:
    """
    A transport with nothing under it.

    @ivar hear: called with what is written.
    """

    connected = True
    disconnecting = muxed = lite = False
    components = ()
    maxMessageSize = 65536

    def __init__(self, port: int) -> None:
        self.localAddress = ("192.0.2.1", port)
        self.counters: dict[str, int] = defaultdict(int)
        self.protocol: Any = None
        self.hear: Any = None
        self.wire: list[bytes] = []

    def attach(self, protocol: Any) -> None:
        """
        See L{e2aegw.interfaces.IMediaTransport}.
        """
        self.protocol = protocol
        protocol.makeConnection(self)

    def write(self, data: bytes) -> None:
        """
        Somebody hears it.
        """
        self.wire.append(data)
        if self.hear is not None:
            self.hear(data)

    writeControl = write

    def loseConnection(self) -> None:
        """
        See L{e2aegw.interfaces.IMediaTransport}.
        """


class MatrixTests(SynchronousTestCase):
    """
    Each pair of protos of one medium.
    """

    #: What a medium's units look like on the wire of a kind of transport; C{None}
    #: if they are not the same on all of them, and have tests of their own.
    units: ClassVar[dict[str, bytes]] = {
        "udptl": b"\x00\x01\x03\x02\x30\xff\x00\x00",
        "bfcp": b"\x20\x0b\x00\x00\x00\x00\x00\x01\x00\x01\x00\x02",
    }

    def test_kinds(self) -> None:
        """
        Whatever an adapter names as its transport, there is.
        """
        for name, factory in FACTORIES.items():
            self.assertLessEqual(set(factory.protos.values()), set(KINDS), name)

    def test_claims(self) -> None:
        """
        Each adapter that can be offered can be claimed, and by one kind of
        transport either way.
        """
        for name, factory in FACTORIES.items():
            for proto, kind in factory.protos.items():
                lines = [Line("crypto", "1 AES_CM_128_HMAC_SHA1_80 inline:x"), Line("fingerprint", "x")]
                section = Section("x", 1, proto, ("*",), lines=lines)
                claimed = factory.claim(section)
                self.assertIn(claimed, (kind, None), (name, proto))

    def test_R_45_everyPair(self) -> None:
        """
        MSRP crosses between each two of TCP, TLS and data channels, with its
        responses and reports.
        """
        factory = msrp.Factory(relay="never", clock=Clock())
        for one, other in product(factory.protos, repeat=2):
            wires, ends, legs = (Wire(30000), Wire(40000)), [], []
            for proto, wire, side in zip((one, other), wires, Side, strict=True):
                adapter = factory.buildAdapter(proto)
                legs.append(Leg(adapter, wire, proto, protectionOf(proto), 0, side))
                transport = "dc" if proto.startswith("DC") else "tcp"
                scheme = "msrp" if proto == "TCP/MSRP" else "msrps"
                end = Endpoint(f"{scheme}://198.51.100.7:9/{side.value}abcd;{transport}")
                end.send, wire.hear = adapter.dataReceived, end.receive
                ends.append(end)
            pipeline = Pipeline((legs[0], legs[1]), lambda event: None, None)
            for leg, end, terms in zip(legs, ends, (OFFER, ANSWER), strict=True):
                lines = [Line("path", end.uri), Line("setup", "active"), Line("msrp-cema")][
                    : 2 + (leg.proto[:2] == "DC")
                ]
                leg.adapter.configure(Section("message", 9, leg.proto, ("*",), lines=lines), terms)()
            ends[1].path = str(dict(legs[1].adapter.describe(OFFER))["path"])
            ends[0].path = str(dict(legs[0].adapter.describe(ANSWER))["path"])
            for end in ends:
                end.begin()
            for near, far in (ends, ends[::-1]):
                near.say(b"content" * 999, "m1", "Success-Report: yes")
                self.assertEqual(bytes(far.messages["m1"]), b"content" * 999, (one, other))
                self.assertIn(b"REPORT", [each.what for each in near.requests], (one, other))
                self.assertTrue(all(each.what == b"200 OK" for each in near.responses))
            pipeline.close()

    def test_R_53_everyUnit(self) -> None:
        """
        Media whose units look the same everywhere cross between each two of
        their transports that know no loss, octet by octet.
        """
        lossless = {"tcp", "tls", "udp", "dtls", "channel"}
        for name, factory in FACTORIES.items():
            unit = self.units.get(factory.medium)
            if unit is None:
                continue
            kinds = {proto for proto, kind in factory.protos.items() if kind in lossless}
            if factory.medium == "bfcp":
                # Over UDP it is another version.
                kinds = {proto for proto in kinds if not proto.startswith("UDP")}
            for one, other in product(sorted(kinds), repeat=2):
                wires, legs = (Wire(30000), Wire(40000)), []
                for proto, wire, side in zip((one, other), wires, Side, strict=True):
                    legs.append(Leg(factory.buildAdapter(proto), wire, proto, protectionOf(proto), 0, side))
                pipeline = Pipeline((legs[0], legs[1]), lambda event: None, None)
                for number in (0, 1):
                    legs[number].adapter.dataReceived(unit)
                    self.assertEqual(wires[1 - number].wire[-1:], [unit], (name, one, other))
                pipeline.close()
                for leg in legs:
                    leg.adapter.connectionLost(ENDED)
