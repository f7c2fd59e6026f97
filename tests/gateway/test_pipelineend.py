"""
Tests for L{e2aegw.gateway.pipelineend}.
"""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from e2aegw.errors import ConfigError
from e2aegw.gateway.pipelineend import SCHEMES, PipelineEnd

FINGERPRINT = "sha-256 " + ":".join(["AB"] * 32)
ESCAPED = FINGERPRINT.replace(":", "\\:")
CRYPTO = "1 AES_CM_128_HMAC_SHA1_80 inline:" + "A" * 40
KEYS = ":".join(f"{key}={CRYPTO}".replace(":", "\\:") for key in ("key", "crypto"))


class ParseTests(SynchronousTestCase):
    """
    L{PipelineEnd.parse}.
    """

    def test_values(self) -> None:
        """
        What there is reaches its place.
        """
        end = PipelineEnd.parse(
            "access",
            f"tls:interface=127.0.0.1:port=2855:to=[\\:\\:1]\\:99:setup=passive"
            f":fingerprint={ESCAPED}:fingerprint={ESCAPED}",
        )
        self.assertEqual(
            end,
            PipelineEnd(
                scheme="tls",
                interface="127.0.0.1",
                port=2855,
                remote=("::1", 99),
                fingerprints=(FINGERPRINT, FINGERPRINT),
                active=False,
            ),
        )
        self.assertTrue(end.listens)

    def test_roles(self) -> None:
        """
        Who knows where the party is connects, and who does not waits.
        """
        self.assertTrue(PipelineEnd.parse("core", "tcp:to=192.0.2.1\\:1").active)
        self.assertFalse(PipelineEnd.parse("core", "tcp:port=1").active)
        section = PipelineEnd.parse("core", "tcp:to=192.0.2.1\\:1").section()
        self.assertEqual((section.get("setup"), section.address, section.port), ("passive", "192.0.2.1", 1))

    def test_mistakes(self) -> None:
        """
        What is wrong is named, in one line.
        """
        for text, words in (
            ("", "'' is not one of"),
            ("smoke:port=1", "'smoke' is not one of"),
            ("tcp:to", "'to' is not one of"),
            ("tcp:colour=red", "'colour' is not one of"),
            ("tcp:port=1:port=2", "port stands there twice"),
            ("tcp:port=0", "port: '0' is not a port"),
            ("tcp:port=many", "port: 'many' is not a port"),
            ("tcp:interface=eth0", "interface: 'eth0' is not an IP address"),
            ("tcp:to=example.org\\:1", "to: 'example.org:1' is not of the form"),
            ("tcp:to=192.0.2.1", "to: '192.0.2.1' is not of the form"),
            ("tcp:to=192.0.2.1\\:0", "to: '192.0.2.1:0' is not of the form"),
            ("tcp:setup=actpass", "setup is neither"),
            ("tcp:setup=active", "setup=active needs to="),
            ("udptl:setup=passive", "udptl has no setup"),
            (f"tcp:port=1:fingerprint={ESCAPED}", "tcp has no fingerprint"),
            ("tls:port=1:fingerprint=sha-256 AB", "fingerprint: 'sha-256 AB' is none"),
            ("srtp:port=2", "srtp needs key= and crypto="),
            (f"rtp:port=2:{KEYS}", "srtp needs key= and crypto="),
            ("srtp:port=2:key=secret:crypto=secret", "key is no value of a crypto attribute"),
        ):
            with self.assertRaises(ConfigError) as caught:
                PipelineEnd.parse("pipeline.x.core", text)
            self.assertIn(f"pipeline.x.core: {words}", str(caught.exception))
            self.assertNotIn("secret", str(caught.exception))

    def test_secrets(self) -> None:
        """
        Keys are nowhere to be seen.
        """
        end = PipelineEnd.parse("access", f"srtp:port=2:{KEYS}")
        self.assertEqual((end.key, end.crypto), (CRYPTO, CRYPTO))
        self.assertNotIn("AAAA", repr(end))
        self.assertNotIn("AAAA", repr(end.section().lines))

    @given(
        st.one_of(st.text(), st.builds(":".join, st.lists(st.sampled_from([*SCHEMES, "port=5", "to=::1"]))))
    )
    @settings(deadline=None)
    def test_anything(self, text: str) -> None:
        """
        Any text is an end or a mistake.
        """
        try:
            PipelineEnd.parse("core", text)
        except ConfigError:
            return
        self.assertIn(text.partition(":")[0].replace("\\", ""), SCHEMES)
