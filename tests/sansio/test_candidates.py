"""
Tests for L{e2aegw.sansio.candidates}.
"""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from e2aegw.sansio.candidates import Candidate, candidates, parseCandidate


class WriteTests(SynchronousTestCase):
    """
    L{candidates}.
    """

    def test_R_102_hostCandidate(self) -> None:
        """
        The line of a component has the priority that RFC 8445 clause 5.1.2.1
        computes for the only host candidate.
        """
        words = str(candidates("192.0.2.1", 30000, 1)).split()
        self.assertTrue(words[0].startswith("a=candidate:"))
        self.assertEqual(words[1:], ["1", "udp", "2130706431", "192.0.2.1", "30000", "typ", "host"])

    def test_R_102_components(self) -> None:
        """
        RTCP's candidate shares RTP's foundation and ranks one below it.
        """
        first, second = (
            (candidates("2001:db8::1", p, c).value or "").split() for p, c in ((4000, 1), (4001, 2))
        )
        self.assertEqual(first[0], second[0])
        self.assertEqual(int(first[3]) - 1, int(second[3]))

    def test_foundation(self) -> None:
        """
        Other addresses have other foundations (RFC 8445 clause 5.1.1.3), and
        each is at most 32 ice-chars (RFC 8839 clause 5.1).
        """
        one, other = ((candidates(a, 4000, 1).value or "").split()[0] for a in ("192.0.2.1", "2001:db8::1"))
        self.assertNotEqual(one, other)
        self.assertTrue(one.isdigit() and len(one) <= 32)

    @given(
        st.ip_addresses().map(str),
        st.integers(min_value=1, max_value=65535),
        st.integers(min_value=1, max_value=2),
    )
    @settings(deadline=None, max_examples=100)
    def test_roundTrip(self, address: str, port: int, component: int) -> None:
        """
        What is written is read again.
        """
        value = candidates(address, port, component).value or ""
        self.assertEqual(parseCandidate(value), Candidate(component, "udp", address, port, "host"))


class ReadTests(SynchronousTestCase):
    """
    L{parseCandidate}.
    """

    def test_serverReflexive(self) -> None:
        """
        The example of RFC 8839 clause 5.1 is read, related address and all.
        """
        self.assertEqual(
            parseCandidate("2 1 UDP 1694498815 192.0.2.3 45664 typ srflx raddr 203.0.113.141 rport 8998"),
            Candidate(1, "udp", "192.0.2.3", 45664, "srflx"),
        )

    def test_browser(self) -> None:
        """
        A browser's extensions at the end are ignored.
        """
        line = "1 1 udp 2122260223 2001:DB8:0::7 5000 typ host generation 0 ufrag abcd network-id 1"
        self.assertEqual(parseCandidate(line), Candidate(1, "udp", "2001:db8::7", 5000, "host"))

    def test_useless(self) -> None:
        """
        What cannot be used is L{None}: another transport, a name, a scope, no
        port, no such component, or no candidate at all.
        """
        for line in (
            "1 1 TCP 2105458943 192.0.2.3 9 typ host tcptype active",
            "1 1 udp 2113937151 b2a1c0d4-aaaa-4bbb-8ccc-0123456789ab.local 5000 typ host",
            "1 1 udp 2113937151 fe80::1%eth0 5000 typ host",
            "1 1 udp 2113937151 192.0.2.3 0 typ host",
            "1 1 udp 2113937151 192.0.2.3 65536 typ host",
            "1 1 udp 2113937151 192.0.2.3 \u0665\u0666 typ host",
            "1 0 udp 2113937151 192.0.2.3 5000 typ host",
            "1 257 udp 2113937151 192.0.2.3 5000 typ host",
            "1 1 udp 2113937151 192.0.2.3 5000 host typ",
            "1 1 udp 2113937151 192.0.2.3 5000",
            "",
        ):
            self.assertIsNone(parseCandidate(line), line)

    @given(st.text(max_size=200))
    @settings(deadline=None, max_examples=200)
    def test_anyText(self, text: str) -> None:
        """
        Any text is a candidate or none.
        """
        parseCandidate(text)
