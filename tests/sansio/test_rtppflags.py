"""
The flags string that Kamailio 6 passes on.
"""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from e2aegw.sansio import rtppflags


class Parsing(SynchronousTestCase):
    """
    What a flags string says.
    """

    def check(self, text: str, **expected: Any) -> None:
        """
        Compare what a text says.
        """
        self.assertEqual(rtppflags.parse(text), {k.replace("_", "-"): v for k, v in expected.items()})

    def test_words(self) -> None:
        """
        Words are flags.
        """
        self.check("trust-address  replace-origin", flags=["trust-address", "replace-origin"])

    def test_values(self) -> None:
        """
        A value goes on to the next blank, whatever is in it.
        """
        self.check(
            "ICE=remove media-address=2001:db8::1 e2ae=sdes-srtp,msrp-tls x=a=b]",
            ICE="remove",
            media_address="2001:db8::1",
            e2ae="sdes-srtp,msrp-tls",
            x="a=b]",
        )

    def test_emptyValue(self) -> None:
        """
        A key with nothing after the equals sign is a word.
        """
        self.check("a= b=", flags=["a", "b"])

    def test_lists(self) -> None:
        """
        Brackets make lists, with or without blanks in them.
        """
        self.check(
            "SDES=[off] replace=[ origin  session-name ] rtcp-mux=[]",
            SDES=["off"],
            replace=["origin", "session-name"],
            rtcp_mux=[],
        )

    def test_repeatedLists(self) -> None:
        """
        Two lists of one name are one.
        """
        self.check("replace=[origin] replace=[username]", replace=["origin", "username"])

    def test_dictionaries(self) -> None:
        """
        Brackets with equals signs in them are dictionaries, and they nest.
        """
        self.check(
            "SDP-attr=[audio=[remove=[test] add=[foo bar]] global=[remove=[quux]]]"
            " codec=[accept=[PCMU] x= y=z]",
            SDP_attr={"audio": {"remove": ["test"], "add": ["foo", "bar"]}, "global": {"remove": ["quux"]}},
            codec={"accept": ["PCMU"], "y": "z"},
        )

    def test_listsInLists(self) -> None:
        """
        A bracket in brackets is a list in a list.
        """
        self.check("a=[b [c d] e]", a=["b", ["c", "d"], "e"])

    def test_direction(self) -> None:
        """
        The two sides come as a list, as two keys, or as two words.
        """
        for text in ("direction=[internal external]", "direction=internal direction=external"):
            self.check(text, direction=["internal", "external"])
        self.check("internal external", direction=["internal", "external"])

    def test_protocols(self) -> None:
        """
        A transport protocol is written out or put together from words.
        """
        for text, protocol in [
            ("RTP", "RTP/AVP"),
            ("RTP AVP", "RTP/AVP"),
            ("SRTP", "RTP/SAVP"),
            ("SRTP AVPF", "RTP/SAVPF"),
            ("AVPF", "RTP/AVPF"),
            ("DTLS", "UDP/TLS/RTP/SAVP"),
            ("DTLS AVPF", "UDP/TLS/RTP/SAVPF"),
            ("UDP/TLS/RTP/SAVPF", "UDP/TLS/RTP/SAVPF"),
            ("UDP/TLS/RTP/SAVPF RTP/AVP", "RTP/AVP"),
            ("RTP/SAVP", "RTP/SAVP"),
        ]:
            self.check(text, transport_protocol=protocol)
        self.check("DTLS=passive", DTLS="passive")
        self.check("transport-protocol=RTP/AVPF", transport_protocol="RTP/AVPF")

    def test_unfinished(self) -> None:
        """
        What is not finished ends where the text does; what is too deep is left
        out.
        """
        self.check("a=[b", a=["b"])
        self.check("]] [ =x a=b", flags=["x"], a="b")
        self.assertIn("a", rtppflags.parse("a=" + "[" * 100 + "x"))
        self.assertIn("a", rtppflags.parse("a=" + "[b=" * 100 + "x"))

    @settings(deadline=None, max_examples=300)
    @given(st.text("ab= []-,/\t", max_size=60) | st.text(max_size=40))
    def test_anyText(self, text: str) -> None:
        """
        Any text can be read.
        """
        rtppflags.parse(text)

    def test_long(self) -> None:
        """
        A text as long as a datagram takes no time to speak of.
        """
        for piece in ("[", "]", "a=[", "a ", "=", "a=[b=[", "a=[] "):
            rtppflags.parse(piece * (60000 // len(piece)))
