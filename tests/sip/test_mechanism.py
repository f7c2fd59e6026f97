"""
The headers of RFC 3329.
"""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from e2aegw.errors import RemoteError
from e2aegw.sip.mechanism import (
    MAX_LENGTH,
    MAX_MECHANISMS,
    MAX_PARAMETERS,
    Mechanism,
    parse,
    serialize,
)

#: RFC 3329 clauses 4.1 and 4.2, and a UE's of TS 24.229.
REAL = (
    "tls",
    "digest",
    'ipsec-ike;q=0.1, tls;q=0.2;d-ver="0000000000000000000000000000a902"',
    "ipsec-3gpp; alg=hmac-sha-1-96; ealg=aes-cbc; prot=esp; mod=trans; spi-c=1111; spi-s=2222; "
    "port-c=5062; port-s=5063",
    "sdes-srtp;mediasec,msrp-tls;mediasec",
)

_TOKEN = st.text("abcXYZ019-.!%*_+`'~", min_size=1, max_size=8)
_QUOTED = st.text(st.characters(blacklist_categories=["Cc", "Cs"]), max_size=8).map(
    lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
)
_PARAMETERS = st.lists(st.tuples(_TOKEN, st.none() | _TOKEN | _QUOTED | st.just("[2001:db8::1]")), max_size=4)
_MECHANISM = st.tuples(_TOKEN, _PARAMETERS)
_SPACE = st.sampled_from(["", " ", "\t", "  "])


def written(name: str, parameters: list[tuple[str, str | None]], space: str = "") -> str:
    """
    A mechanism as it stands in a header.
    """
    texts = [each if value is None else f"{each}{space}={space}{value}" for each, value in parameters]
    return f"{space};{space}".join([name, *texts])


class MechanismTests(SynchronousTestCase):
    """
    Reading and writing.
    """

    def test_entries(self) -> None:
        """
        Names and parameters are read, whatever stands between them.
        """
        [tls, ike] = parse(['TLS;q=0.2 , ipsec-ike ; Q = 0.1;d-ver="a, b; \\"c"'])
        self.assertEqual((tls.name, tls.get("q"), tls.has("d-ver")), ("tls", "0.2", False))
        self.assertEqual(ike.parameters, (("q", "0.1"), ("d-ver", '"a, b; \\"c"')))
        self.assertIsNone(tls.get("d-ver"))

    def test_real(self) -> None:
        """
        What stands in specifications is read, and written again as it was.
        """
        for value in REAL:
            self.assertEqual(serialize(parse([value])).replace(", ", ","), value.replace(", ", ","))

    def test_severalHeaders(self) -> None:
        """
        Several header fields are one list, in order.
        """
        self.assertEqual(parse(["a;x, b", "c"]), parse(["a;x,b,c"]))

    def test_folded(self) -> None:
        """
        A value may be spread over lines.
        """
        self.assertEqual([each.name for each in parse(["a;x=1,\r\n\tb,\n c"])], ["a", "b", "c"])

    def test_address(self) -> None:
        """
        A parameter may be an IPv6 address.
        """
        self.assertEqual(parse(["a;host=[2001:db8::1]"])[0].get("host"), "[2001:db8::1]")

    def test_octets(self) -> None:
        """
        Octets that are no UTF-8 stay what they were.
        """
        raw = b'a;x="\xff\xc3\xa4", b'
        text = serialize(parse([raw.decode("utf-8", "surrogateescape")]))
        self.assertEqual(text.encode("utf-8", "surrogateescape"), raw)

    def test_malformed(self) -> None:
        """
        What is not of the grammar is the remote party's mistake.
        """
        for value in ("", ",", "a,", ",a", "a,,b", "a;", "a;x=", 'a;x="', "a;=1", "a;x=[", 'a;"x"'):
            self.assertRaises(RemoteError, parse, [value])
        for value in ("a b", "a\0", 'a;x="\r"', "\u00e4"):
            self.assertRaises(RemoteError, parse, [value])

    def test_limits(self) -> None:
        """
        Nothing is too long for the next who reads it.
        """
        parse([",".join(["a"] * MAX_MECHANISMS)])
        parse(["a" + ";b" * MAX_PARAMETERS])
        parse(["a" * MAX_LENGTH])
        for values in (
            [",".join(["a"] * (MAX_MECHANISMS + 1))],
            ["a"] * (MAX_MECHANISMS + 1),
            ["a" + ";b" * (MAX_PARAMETERS + 1)],
            ["a" * MAX_LENGTH, "a"],
        ):
            self.assertRaises(RemoteError, parse, values)

    @settings(deadline=None)
    @given(st.lists(st.tuples(_MECHANISM, _SPACE), min_size=1, max_size=5))
    def test_anyEntries(self, entries: list[tuple[tuple[str, list[tuple[str, str | None]]], str]]) -> None:
        """
        Whatever is written by the grammar is read, and written again byte by
        byte.
        """
        texts = [written(name, parameters, space) for (name, parameters), space in entries]
        expected = tuple(
            Mechanism(text, name.lower(), tuple((each.lower(), value) for each, value in parameters))
            for text, ((name, parameters), _) in zip(texts, entries, strict=True)
        )
        self.assertEqual(parse([", ".join(texts)]), expected)
        self.assertEqual(parse(texts), expected)
        self.assertEqual(serialize(expected), ", ".join(texts))

    @settings(deadline=None)
    @given(st.text(max_size=60) | st.text('a;=", \\[]:\t\r\n', max_size=60))
    def test_anyText(self, text: str) -> None:
        """
        Any text is read or refused, and what was read is the same when it is
        read again.
        """
        try:
            found = parse([text])
        except RemoteError:
            return
        self.assertEqual(parse([serialize(found)]), found)
