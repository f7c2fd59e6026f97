"""
Tests for L{e2aegw.sansio.rtp}.
"""

import contextlib
import struct

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from e2aegw.errors import RemoteError
from e2aegw.sansio.rtp import (
    FIRST_BYTE,
    MAX_CONTROL_PACKETS,
    MAX_SOURCES,
    Control,
    Packet,
    checkHeader,
    forAVP,
    isControl,
    mid,
    sourcesOf,
    ssrc,
    walk,
)

HEADER = b"\x80\x00\x00\x01\x00\x00\x00\xa0\x00\x00\x00\x07"


def control(kind: int, fmt: int, body: bytes, *, padding: bool = False) -> bytes:
    """
    One RTCP packet.
    """
    return struct.pack("!BBH", 0x80 | padding << 5 | fmt, kind, len(body) // 4) + body


def words(*values: int) -> bytes:
    """
    Numbers of four octets each.
    """
    return struct.pack(f"!{len(values)}I", *values)


def extended(profile: int, elements: bytes, csrcs: int = 0) -> bytes:
    """
    An RTP packet with a header extension.
    """
    elements += bytes(-len(elements) % 4)
    return (
        bytes([0x90 | csrcs])
        + HEADER[1:]
        + bytes(4 * csrcs)
        + struct.pack("!HH", profile, len(elements) // 4)
        + elements
        + b"payload"
    )


BLOCK = words(9, 0, 0, 0, 0, 0)
SR = control(Control.SR, 1, words(7, 1, 2, 3, 4, 5) + BLOCK)
RR = control(Control.RR, 1, words(7) + BLOCK)
EMPTY_RR = control(Control.RR, 0, words(7))
SDES = control(Control.SDES, 1, words(7) + b"\x01\x03a@b\x00\x00\x00")
BYE = control(Control.BYE, 1, words(7))
APP = control(Control.APP, 1, words(7) + b"nametext")
NACK = control(Control.RTPFB, 1, words(7, 9, 0x00010000))
PLI = control(Control.PSFB, 1, words(7, 9))
XR = control(Control.XR, 0, words(7) + b"\x04\x00\x00\x02" + bytes(8))


class DemultiplexTests(SynchronousTestCase):
    """
    L{FIRST_BYTE} and L{isControl}.
    """

    def test_R_95_firstByte(self) -> None:
        """
        The table is that of RFC 7983 clause 7, and what it does not name is
        nobody's.
        """
        ranges = {
            Packet.STUN: range(4),
            Packet.ZRTP: range(16, 20),
            Packet.DTLS: range(20, 64),
            Packet.TURN: range(64, 80),
            Packet.RTP: range(128, 192),
        }
        self.assertEqual(len(FIRST_BYTE), 256)
        for octet, kind in enumerate(FIRST_BYTE):
            named = [k for k, r in ranges.items() if octet in r]
            self.assertEqual([kind], named or [Packet.OTHER])

    def test_R_96_isControl(self) -> None:
        """
        The second octet tells RTCP from RTP, with or without a marker (RFC
        5761 clause 4).
        """
        for octet in range(256):
            self.assertEqual(isControl(bytes([0x80, octet]) + bytes(10)), 192 <= octet <= 223)
        self.assertFalse(isControl(b"\x80"))
        self.assertFalse(isControl(b""))


class HeaderTests(SynchronousTestCase):
    """
    L{checkHeader} and L{ssrc}.
    """

    def test_good(self) -> None:
        """
        A plain header, contributing sources, an extension and padding are
        all right, also together and with no payload.
        """
        for packet in (
            HEADER,
            HEADER + b"payload",
            b"\x82" + HEADER[1:] + bytes(8),
            b"\x90" + HEADER[1:] + b"\xbe\xde\x00\x00",
            b"\x90" + HEADER[1:] + b"\xbe\xde\x00\x01" + bytes(4),
            b"\xa0" + HEADER[1:] + b"x\x00\x00\x03",
            b"\xb1" + HEADER[1:] + bytes(4) + b"\xbe\xde\x00\x01" + bytes(4) + b"\x01",
        ):
            checkHeader(packet)

    def test_bad(self) -> None:
        """
        A header that says more than is there is refused, with the reason.
        """
        for reason, packet in (
            ("RTP length", b""),
            ("RTP length", HEADER[:11]),
            ("RTP version", b"\x40" + HEADER[1:]),
            ("RTP version", b"\xc0" + HEADER[1:]),
            ("RTP length", b"\x81" + HEADER[1:] + bytes(3)),
            ("RTP length", b"\x90" + HEADER[1:] + bytes(3)),
            ("RTP length", b"\x90" + HEADER[1:] + b"\xbe\xde\x00\x02" + bytes(7)),
            ("RTP padding", b"\xa0" + HEADER[1:]),
            ("RTP padding", b"\xa0" + HEADER[1:] + b"\x00"),
            ("RTP padding", b"\xa0" + HEADER[1:] + b"\x02"),
        ):
            error = self.assertRaises(RemoteError, checkHeader, packet)
            self.assertEqual(error.reason, reason, packet)

    def test_ssrc(self) -> None:
        """
        The source is read, and a packet without one is refused.
        """
        self.assertEqual(ssrc(HEADER), 7)
        self.assertRaises(RemoteError, ssrc, HEADER[:11])

    @given(st.binary(max_size=60), st.sampled_from([b"", b"\x80", b"\x90", b"\xa3", b"\xb1"]))
    @settings(deadline=None, max_examples=300)
    def test_anyBytes(self, data: bytes, first: bytes) -> None:
        """
        Any bytes are well formed or L{RemoteError}; what is well formed has a
        source.
        """
        packet = first + data
        try:
            checkHeader(packet)
        except RemoteError:
            return
        ssrc(packet)


class MidTests(SynchronousTestCase):
    """
    L{mid}.
    """

    def test_oneByte(self) -> None:
        """
        The short form is searched past other elements and padding, also
        behind contributing sources.
        """
        for csrcs in (0, 3):
            packet = extended(0xBEDE, b"\x12abc\x00\x00\x31v0", csrcs)
            checkHeader(packet)
            self.assertEqual(mid(packet, 3), "v0")
            self.assertEqual(mid(packet, 1), "abc")
            self.assertIsNone(mid(packet, 2))

    def test_twoBytes(self) -> None:
        """
        The long form is searched too, whatever its four application bits are,
        and knows elements of length zero.
        """
        for profile in (0x1000, 0x100F):
            packet = extended(profile, b"\x01\x00\x00\x00\x20\x05audio")
            self.assertEqual(mid(packet, 32), "audio")
            self.assertEqual(mid(packet, 1), "")

    def test_stop(self) -> None:
        """
        In the short form the number 15, and zero with a length, end the
        search (RFC 8285 clause 4.2).
        """
        self.assertIsNone(mid(extended(0xBEDE, b"\xf0\x00\x31v0"), 3))
        self.assertIsNone(mid(extended(0xBEDE, b"\x01ab\x31v0"), 3))

    def test_none(self) -> None:
        """
        No extension, one of another kind, and one that is broken have none.
        """
        good = extended(0xBEDE, b"\x31v0")
        for packet in (
            HEADER + b"payload",
            b"",
            good[:15],
            good[:18],
            b"\x9f" + good[1:],
            extended(0xABCD, b"\x31v0"),
            extended(0xBEDE, b"\x3fv0"),
            extended(0xBEDE, b"\x31\xff\xff"),
            extended(0x1000, b"\x03\x09v0"),
            extended(0x1000, b"\x00\x00\x00\x03"),
        ):
            self.assertIsNone(mid(packet, 3), packet)

    @given(
        st.sampled_from([0xBEDE, 0x1000, 0x1234]),
        st.binary(max_size=40),
        st.integers(min_value=1, max_value=255),
    )
    @settings(deadline=None, max_examples=300)
    def test_anyBytes(self, profile: int, elements: bytes, extensionID: int) -> None:
        """
        Any extension has an identification or none.
        """
        mid(extended(profile, elements), extensionID)


class WalkTests(SynchronousTestCase):
    """
    L{walk}.
    """

    def test_compound(self) -> None:
        """
        The packets come in order, whole and in parts.
        """
        packets = list(walk(SR + SDES + BYE))
        self.assertEqual([p.type for p in packets], [Control.SR, Control.SDES, Control.BYE])
        self.assertEqual([p.fmt for p in packets], [1, 1, 1])
        self.assertEqual([p.raw for p in packets], [SR, SDES, BYE])
        self.assertEqual(packets[2].body, words(7))

    def test_padding(self) -> None:
        """
        Padding is cut off the last packet and refused elsewhere, and must be
        what RFC 3550 clause 6.4.1 says.
        """
        padded = control(Control.BYE, 1, words(7, 4), padding=True)
        packets = list(walk(RR + padded))
        self.assertEqual((packets[1].body, packets[1].raw), (words(7), padded))
        for bad in (
            padded + RR,
            RR + control(Control.BYE, 0, words(0), padding=True),
            RR + control(Control.BYE, 0, words(3), padding=True),
            RR + control(Control.BYE, 0, words(8), padding=True),
            RR + control(Control.BYE, 0, b"", padding=True),
            RR + control(Control.BYE, 1, words(4), padding=True),
        ):
            self.assertRaises(RemoteError, list, walk(bad))

    def test_bad(self) -> None:
        """
        What is cut, of another version or no RTCP is refused, with the reason.
        """
        for reason, compound in (
            ("RTCP length", b""),
            ("RTCP length", RR[:3]),
            ("RTCP length", RR[:-1]),
            ("RTCP length", RR + b"\x80"),
            ("RTCP version", b"\x40" + RR[1:]),
            ("RTCP type", RR + b"\x80\x60\x00\x00"),
            ("RTCP length", control(Control.SR, 1, words(7, 1, 2, 3, 4, 5))),
            ("RTCP length", control(Control.RR, 31, words(7) + BLOCK)),
            ("RTCP length", control(Control.PSFB, 1, words(7))),
        ):
            error = self.assertRaises(RemoteError, list, walk(compound))
            self.assertEqual(error.reason, reason, compound)

    def test_tooMany(self) -> None:
        """
        There is an end to the packets of one compound.
        """
        empty = control(Control.BYE, 0, b"")
        self.assertEqual(len(list(walk(empty * MAX_CONTROL_PACKETS))), MAX_CONTROL_PACKETS)
        error = self.assertRaises(RemoteError, list, walk(empty * (MAX_CONTROL_PACKETS + 1)))
        self.assertEqual(error.reason, "RTCP packets")


class ForAVPTests(SynchronousTestCase):
    """
    L{forAVP}.
    """

    def test_R_98_untouched(self) -> None:
        """
        A compound with no feedback is the same object, extended reports (RFC
        3611) included.
        """
        for compound in (SR + SDES, RR, SR + SDES + XR + APP + BYE):
            self.assertIs(forAVP(compound), compound)

    def test_R_98_feedbackGoes(self) -> None:
        """
        Types 205 and 206 are taken out and the rest stays in order.
        """
        self.assertEqual(forAVP(SR + NACK + SDES + PLI + XR + APP + BYE), SR + SDES + XR + APP + BYE)
        self.assertEqual(forAVP(RR + PLI), RR)

    def test_R_98_reducedSize(self) -> None:
        """
        Feedback alone (RFC 5506) leaves nothing.
        """
        self.assertIsNone(forAVP(NACK))
        self.assertIsNone(forAVP(PLI + NACK))

    def test_R_98_reducedSizeWithMore(self) -> None:
        """
        What else comes in a reduced-size compound gets the empty report in
        front that RFC 3550 clause 6.1 prescribes, from the same source.
        """
        for rest in (BYE, APP, SDES, XR, SDES + BYE):
            self.assertEqual(forAVP(PLI + rest), EMPTY_RR + rest)
            self.assertEqual(forAVP(rest), EMPTY_RR + rest)
        self.assertEqual(forAVP(PLI + SR + SDES), SR + SDES)

    def test_R_98_nameless(self) -> None:
        """
        A reduced-size compound that names no source leaves nothing.
        """
        for rest in (control(Control.BYE, 0, b""), control(Control.SDES, 0, b""), control(209, 0, words(7))):
            self.assertIsNone(forAVP(PLI + rest))

    def test_R_98_unknownStays(self) -> None:
        """
        Types that are not known stay behind a report: whoever does not know
        them ignores them.
        """
        rest = control(209, 3, words(7))
        self.assertEqual(forAVP(RR + PLI + rest), RR + rest)

    def test_R_98_padding(self) -> None:
        """
        Padding stays with the last packet or goes with it.
        """
        padded = control(Control.BYE, 1, words(7, 4), padding=True)
        self.assertEqual(forAVP(RR + PLI + padded), RR + padded)
        self.assertEqual(
            forAVP(RR + SDES + control(Control.PSFB, 1, words(7, 9, 4), padding=True)), RR + SDES
        )

    @given(st.lists(st.sampled_from([SR, RR, SDES, BYE, APP, NACK, PLI, XR]), min_size=1, max_size=8))
    @settings(deadline=None, max_examples=200)
    def test_R_98_property(self, packets: list[bytes]) -> None:
        """
        Whatever is left is well formed, begins with a report and has all the
        packets that are not feedback, in order, and no other but one report.
        """
        kept = [p for p in packets if p not in (NACK, PLI)]
        left = forAVP(b"".join(packets))
        if left is None:
            self.assertEqual(kept, [])
            return
        seen = list(walk(left))
        self.assertIn(seen[0].type, (Control.SR, Control.RR))
        raw = [p.raw for p in seen]
        self.assertEqual(raw if kept[0] in (SR, RR) else raw[1:], kept)
        self.assertIs(forAVP(left), left)

    @given(
        st.binary(max_size=80),
        st.sampled_from([b"", RR, SDES, PLI, b"\x81\xca\x00\x03", b"\x80\xcf\x00\x04"]),
    )
    @settings(deadline=None, max_examples=300)
    def test_anyBytes(self, data: bytes, first: bytes) -> None:
        """
        Any bytes are fit to be seen, or not, or L{RemoteError}.
        """
        for function in (forAVP, sourcesOf):
            with contextlib.suppress(RemoteError):
                function(first + data)


class SourcesTests(SynchronousTestCase):
    """
    L{sourcesOf}.
    """

    def test_reports(self) -> None:
        """
        The sender comes first, then those it reports on, each once.
        """
        self.assertEqual(sourcesOf(SR + SDES), [7, 9])
        two = control(Control.RR, 2, words(7) + BLOCK + words(11, 0, 0, 0, 0, 0))
        self.assertEqual(sourcesOf(two), [7, 9, 11])

    def test_feedback(self) -> None:
        """
        Feedback names the media source, or, where that is zero, the targets
        in its entries.
        """
        self.assertEqual(sourcesOf(NACK), [7, 9])
        self.assertEqual(
            sourcesOf(control(Control.PSFB, 4, words(7, 0, 21, 1 << 24, 22, 1 << 24))), [7, 21, 22]
        )
        self.assertEqual(sourcesOf(control(Control.RTPFB, 3, words(7, 0, 21, 0))), [7, 21])
        estimate = words(7, 0) + b"REMB" + b"\x02\x00\x00\x00" + words(21, 22)
        self.assertEqual(sourcesOf(control(Control.PSFB, 15, estimate)), [7, 21, 22])
        self.assertEqual(sourcesOf(control(Control.PSFB, 15, estimate[:20])), [7, 21])
        self.assertEqual(sourcesOf(control(Control.PSFB, 15, words(7, 0, 1, 2))), [7])

    def test_others(self) -> None:
        """
        Descriptions, leaves, applications and extended reports name sources
        as well; types that are not known do not.
        """
        described = words(5) + b"\x01\x01a\x00" + words(6) + b"\x01\x02ab\x00\x00\x00\x00"
        self.assertEqual(sourcesOf(control(Control.SDES, 2, described)), [5, 6])
        self.assertEqual(sourcesOf(control(Control.BYE, 2, words(5, 6) + b"\x03end")), [5, 6])
        self.assertEqual(sourcesOf(APP), [7])
        self.assertEqual(sourcesOf(control(209, 0, words(7))), [])
        blocks = b"\x04\x00\x00\x02" + bytes(8) + b"\x07\x00\x00\x01" + words(9)
        blocks += b"\x05\x00\x00\x06" + words(21, 0, 0, 22, 0, 0) + b"\x06\x00\x00\x00"
        self.assertEqual(sourcesOf(control(Control.XR, 0, words(7) + blocks)), [7, 9, 21, 22])

    def test_malformed(self) -> None:
        """
        A description or an extended report that does not fit is refused.
        """
        for packet in (
            control(Control.SDES, 1, words(5)),
            control(Control.SDES, 1, words(5) + b"\x01\x09ab"),
            control(Control.SDES, 1, words(5) + b"\x01\x02ab"),
            control(Control.SDES, 1, words(5) + b"\x01\x01a\x01"),
            control(Control.XR, 0, words(7) + b"\x04\x00\x00\x02" + bytes(4)),
        ):
            self.assertRaises(RemoteError, sourcesOf, packet)

    def test_tooMany(self) -> None:
        """
        There is an end to the sources of one compound.
        """
        compound = b"".join(control(Control.BYE, 31, words(*range(31 * n, 31 * n + 31))) for n in range(6))
        self.assertEqual(sourcesOf(compound), list(range(MAX_SOURCES)))
