"""
The adapters for text keep the promises that all do.
"""

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from e2aegw.adapter import srtp, text
from e2aegw.errors import ConfigError
from e2aegw.sansio.sdp import Line, Section
from e2aegw.sansio.t140 import Run
from e2aegw.sansio.t140packet import Block, formatPacket
from e2aegw.sansio.terms import Kind, Terms
from e2aegw.testing import AdapterContract, MemoryTransport
from tests.adapter.test_contract import CRYPTO, FINGERPRINT, KeyTransport

FORMATS = (
    Line("rtpmap", "98 t140/1000"),
    Line("rtpmap", "100 red/1000"),
    Line("fmtp", "100 98/98/98"),
    Line("fmtp", "98 cps=20"),
)


def section(proto: str, *lines: Line) -> tuple[Section, Terms]:
    """
    A section of text in an offer.
    """
    media = Section("text", 4000, proto, ["98", "100"], address="192.0.2.2", lines=[*FORMATS, *lines])
    return media, Terms(kind=Kind.OFFER)


class TextContractTests(AdapterContract, SynchronousTestCase):
    """
    Text in channels, in RTP and in SRTP.
    """

    def makeFactory(self) -> Any:
        """
        See L{AdapterContract}.
        """
        return text.Factory(clock=Clock())

    def makeTransport(self, proto: str) -> MemoryTransport:
        """
        See L{AdapterContract}.
        """
        return KeyTransport() if proto in srtp.DTLS_PROTOS else MemoryTransport()

    def accepted(self, proto: str) -> list[tuple[Section, Terms]]:
        """
        See L{AdapterContract}.
        """
        if proto in srtp.DTLS_PROTOS:
            return [section(proto, FINGERPRINT)]
        return [section(proto, CRYPTO) if proto in srtp.SDES_PROTOS else section(proto)]

    def refused(self, proto: str) -> list[tuple[Section, Terms]]:
        """
        See L{AdapterContract}.
        """
        other = Section("text", 4000, proto, ["0"], address="192.0.2.2", lines=[Line("rtpmap", "0 T/8000")])
        wrong = [] if proto == text.CHANNEL else [(other, Terms())]
        return [*super().refused(proto), *wrong]

    def units(self) -> list[Run]:
        """
        See L{AdapterContract}.
        """
        return [Run("a"), Run("\N{SNOWMAN}\N{LINE SEPARATOR}", True), Run("b" * 2000, True, 7)]

    def wire(self, proto: str) -> list[bytes]:
        """
        See L{AdapterContract}.
        """
        if proto == text.CHANNEL:
            return ["h\N{SNOWMAN}".encode(), b"\xef\xbb\xbf", b""]
        blocks = (Block(1, b""), Block(2, b"h"), Block(3, "\N{SNOWMAN}".encode()))
        return [
            formatPacket(100, 98, 7, 9, blocks, marker=True),
            formatPacket(98, 98, 8, 9, blocks[1:2], marker=False),
            b"\x80\xc9\x00\x01\x00\x00\x00\x07",
        ]

    def test_options(self) -> None:
        """
        What cannot be is refused at start-up, by its name.
        """
        for name, value in (("buffering", 0.6), ("buffering", -1), ("generations", 9), ("generations", -1)):
            with self.assertRaisesRegex(ConfigError, name):
                text.Factory(**{name: value})  # type: ignore[arg-type]
        with self.assertRaisesRegex(ConfigError, "profiles"):
            text.Factory(profiles=["x"])

    def test_claims(self) -> None:
        """
        Text is claimed, and nothing else that looks like it.
        """
        factory = self.makeFactory()
        plain, _ = section("RTP/AVP")
        self.assertEqual(factory.claim(plain), "udp+rtcp")
        self.assertEqual(factory.claim(section("UDP/TLS/RTP/SAVPF", FINGERPRINT)[0]), "dtls-srtp")
        self.assertEqual(factory.claim(Section("text", 9, "dc/t140", ["98"])), "channel")
        # Keys where there should be none are the SRTP adapter's.
        self.assertIsNone(factory.claim(section("RTP/AVP", CRYPTO)[0]))
        self.assertIsNone(factory.claim(Section("audio", 9, "RTP/AVP", ["98"], lines=FORMATS)))
        self.assertIsNone(factory.claim(Section("text", 9, "RTP/AVP", ["98"])))
