"""
Binding requests and responses without the codec, held against the codec.
"""

import contextlib
import struct
from typing import Any

from aioice import stun
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from e2aegw.sansio.binding import parseUsual, response, seal

PASSWORD = b"p" * 22
TRANSACTION = b"transaction!"


def request(attributes: dict[str, Any], *, signed: bool = True, fingerprint: bool = True) -> bytes:
    """
    What the codec writes.
    """
    message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST, TRANSACTION, dict(attributes))
    if signed:
        message.add_message_integrity(PASSWORD)
    if fingerprint:
        message.add_fingerprint()
    return bytes(message)


USUAL = {"USERNAME": "ours:theirs", "PRIORITY": 1845501695, "ICE-CONTROLLING": 1, "USE-CANDIDATE": None}


class ParseTests(SynchronousTestCase):
    """
    Requests of full agents.
    """

    def test_usual(self) -> None:
        """
        What is read is what the codec reads, and only who has the password is
        authentic.
        """
        for signed in (False, True):
            for fingerprint in (False, True):
                data = request(USUAL, signed=signed, fingerprint=fingerprint)
                usual, message = parseUsual(data), stun.parse_message(data)
                assert usual is not None
                self.assertEqual(usual.attributes.keys(), message.attributes.keys())
                self.assertEqual(usual.attributes["USERNAME"], "ours:theirs")
                self.assertEqual(usual.transaction_id, TRANSACTION)
                self.assertIs(usual.check_message_integrity(PASSWORD), signed)
                self.assertIs(usual.check_message_integrity(b"another"), False)

    def test_chromium(self) -> None:
        """
        An attribute of Chromium's own is no reason to go the long way.
        """
        plain = request({"USERNAME": "a:b"}, signed=False, fingerprint=False)
        data = seal(plain + b"\xc0\x57\0\4\0\0\0\x0a", PASSWORD)
        usual = parseUsual(data)
        assert usual is not None
        self.assertTrue(usual.check_message_integrity(PASSWORD))

    def test_unusual(self) -> None:
        """
        Whatever is not as usual is left to the codec: other messages,
        attributes that stand there twice, are unknown or have another length,
        something behind the integrity or the fingerprint, a wrong fingerprint,
        a name that is no UTF-8.
        """
        plain = request({"USERNAME": "a:b"}, signed=False, fingerprint=False)
        whole = request(USUAL)
        for data in (
            bytes(stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, TRANSACTION)),
            plain + plain[20:],
            plain + b"\x80\x22\0\0",
            plain + b"\0\x24\0\0",
            request(USUAL, fingerprint=False) + b"\0\x25\0\0",
            whole + b"\0\x25\0\0",
            whole[:-1] + bytes([whole[-1] ^ 1]),
            plain.replace(b"a:b", b"a:\xff"),
        ):
            self.assertIsNone(parseUsual(data))

    def test_flipped(self) -> None:
        """
        With a bit changed anywhere, nothing is authentic.
        """
        whole = request(USUAL, fingerprint=False)
        for at in range(4, len(whole)):
            data = bytearray(whole)
            data[at] ^= 1
            with contextlib.suppress(struct.error):  # Attributes that do not fit.
                usual = parseUsual(bytes(data))
                self.assertFalse(usual is not None and usual.check_message_integrity(PASSWORD))


class WriteTests(SynchronousTestCase):
    """
    What is answered.
    """

    @settings(deadline=None)
    @given(address=st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)), port=st.integers(1, 65535))
    def test_response(self, address: Any, port: int) -> None:
        """
        The response says where the request came from, in the codec's very
        octets.
        """
        source = str(address), port
        message = stun.Message(
            stun.Method.BINDING, stun.Class.RESPONSE, TRANSACTION, {"XOR-MAPPED-ADDRESS": source}
        )
        self.assertEqual(response(TRANSACTION, source), bytes(message))

    def test_seal(self) -> None:
        """
        Integrity and fingerprint are the codec's, too.
        """
        bare = stun.Message(stun.Method.BINDING, stun.Class.REQUEST, TRANSACTION, dict(USUAL))
        self.assertEqual(seal(bytes(bare), PASSWORD), request(USUAL))
        self.assertEqual(seal(bytes(bare), None), request(USUAL, signed=False))
