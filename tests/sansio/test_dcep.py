"""
Tests for L{e2aegw.sansio.dcep}.
"""

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from e2aegw.errors import RemoteError, UsageError
from e2aegw.sansio.dcep import ACK, Open, parse

words = st.none() | st.integers(0, 0xFFFFFFFF)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)


class OpenTests(SynchronousTestCase):
    """
    DATA_CHANNEL_OPEN: RFC 8832 clause 5.1.
    """

    def test_wire(self) -> None:
        """
        The message is as the RFC draws it, for each type of channel.
        """
        for kind, limit, terms in (
            ("00", "00000000", Open(label="chat", protocol="msrp")),
            ("80", "00000000", Open(label="chat", protocol="msrp", ordered=False)),
            ("01", "00000005", Open(label="chat", protocol="msrp", maxRetransmits=5)),
            ("81", "00000000", Open(label="chat", protocol="msrp", maxRetransmits=0, ordered=False)),
            ("02", "000003e8", Open(label="chat", protocol="msrp", maxLifetime=1000)),
            ("82", "00000001", Open(label="chat", protocol="msrp", maxLifetime=1, ordered=False)),
        ):
            wire = bytes.fromhex(f"03{kind}0100{limit}00040004") + b"chatmsrp"
            self.assertEqual(terms.encode(), wire)
            self.assertEqual(parse(wire), terms)

    @settings(deadline=None)
    @given(texts, texts, st.booleans(), words, st.integers(0, 65535))
    def test_roundTrip(
        self, label: str, protocol: str, ordered: bool, limit: int | None, priority: int
    ) -> None:
        """
        What was written is read.
        """
        for retransmits, lifetime in ((limit, None), (None, limit)):
            terms = Open(
                label=label,
                protocol=protocol,
                ordered=ordered,
                maxRetransmits=retransmits,
                maxLifetime=lifetime,
                priority=priority,
            )
            self.assertEqual(parse(terms.encode()), terms)

    def test_unwritable(self) -> None:
        """
        What does not fit the message is refused; so are two limits.
        """
        for terms in (
            Open(label="x" * 65536),
            Open(priority=65536),
            Open(maxRetransmits=-1),
            Open(maxRetransmits=1, maxLifetime=1),
            Open(maxRetransmits=0, maxLifetime=1),
        ):
            self.assertRaises(UsageError, terms.encode)

    def test_ignoredLimit(self) -> None:
        """
        A reliable channel has no limit, whatever is written there.
        """
        terms = parse(bytes.fromhex("0300010000000007 00000000"))
        self.assertEqual(terms, Open())

    def test_malformed(self) -> None:
        """
        What is neither of the messages, or is not whole, is refused.
        """
        good = Open(label="a", protocol="b").encode()
        for bad in (
            b"",
            b"\x00",
            b"\x04",
            good[:11],
            good[:-1],
            good + b"x",
            good[:1] + b"\x03" + good[2:],
            good[:-1] + b"\xff",
        ):
            self.assertRaises(RemoteError, parse, bad)

    def test_ack(self) -> None:
        """
        The other message is a byte.
        """
        self.assertIsNone(parse(ACK))

    @settings(deadline=None)
    @given(st.binary(max_size=100))
    def test_anything(self, data: bytes) -> None:
        """
        Any bytes are read or refused.
        """
        for message in (data, b"\x03" + data):
            with contextlib.suppress(RemoteError):
                parse(message)
