"""
Tests for L{e2aegw.gateway.config}.
"""

import datetime
import math
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from e2aegw.errors import ConfigError
from e2aegw.gateway.config import Config, EventsTable, LimitsTable, PolicyTable, RouteTable, SideConfig, load
from e2aegw.sansio.certificate import Identity
from e2aegw.sansio.sdp import Side
from tests.gateway.fax import OUR_RSA

#: The smallest file that can be used.
SIDES = """\
[side.access]
address = "127.0.0.1"
ports = "30000-34999"
[side.core]
address = "127.0.0.1"
ports = "35000-39999"
"""
ROUTES = """\
[[route]]
access = "srtp"
core = "rtp"
"""
MINIMAL = SIDES + ROUTES

#: Every key that there is, none with its default.
WHOLE = """\
[side.access]
address = ["127.0.0.1", "::1"]
advertise = ["203.0.113.9", "2001:db8::9"]
ports = "30000-34999"
names = ["pub", "external"]
[side.core]
address = "127.0.0.2"
ports = "30000-34999"
names = ["priv"]
[control]
ng = ["127.0.0.1:2223", "[::1]:2223", "0.0.0.0:0"]
delete_delay = 5
[[route]]
access = "srtp"
core = "rtp"
through = ["acme.counter:Factory"]
[[route]]
access = "acme.scrambled:Factory"
core = "rtp"
[adapter.srtp]
profiles = ["AEAD_AES_128_GCM"]
[adapter."acme.scrambled:Factory"]
strength = 11
[filter."acme.counter:Factory"]
window = 3
[dtls]
certificate = "cert.pem"
key = "key.pem"
[limits]
calls = 7
media_timeout = 1
silent_timeout = 2.5
offer_timeout = 0
drain_timeout = 3
[policy]
applied_in_answers = false
consent = true
offload = false
[events]
udp = "[2001:db8::77]:2300"
tcp = "192.0.2.77:2301"
media_stopped = 0
[demo]
http = "127.0.0.1:8080"
"""


class ConfigTests(SynchronousTestCase):
    """
    L{load}.
    """

    def setUp(self) -> None:
        """
        Have a folder for files.
        """
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.path = self.folder / "gateway.toml"

    def read(self, text: str) -> Config:
        """
        Read a configuration.
        """
        self.path.write_text(text, encoding="utf-8")
        return load(self.path)

    def refused(self, text: str, *keys: str) -> str:
        """
        A configuration is refused in one line, with the name of the file and
        of the keys that are wrong.
        """
        with self.assertRaises(ConfigError) as caught:
            self.read(text)
        message = str(caught.exception)
        self.assertNotIn("\n", message)
        self.assertTrue(message.startswith(f"{self.path}: "), message)
        for key in keys:
            self.assertIn(key, message)
        return message

    def with_(self, old: str, new: str, text: str = MINIMAL) -> str:
        """
        A configuration with one thing changed.
        """
        self.assertIn(old, text)
        return text.replace(old, new, 1)

    def identity(self, certificate: str = "cert.pem", key: str = "key.pem") -> Identity:
        """
        Write a certificate and its key.
        """
        identity = Identity.generate(datetime.datetime.now(datetime.UTC))
        (self.folder / certificate).write_bytes(identity.certificate.public_bytes(Encoding.PEM))
        (self.folder / key).write_bytes(
            identity.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        )
        return identity

    def test_minimal(self) -> None:
        """
        What is not said has a default.
        """
        self.assertEqual(
            self.read(MINIMAL),
            Config(
                sides={
                    Side.ACCESS: SideConfig(
                        addresses=(("127.0.0.1", "127.0.0.1"),),
                        ports=(30000, 34999),
                        names=("access", "external"),
                    ),
                    Side.CORE: SideConfig(
                        addresses=(("127.0.0.1", "127.0.0.1"),),
                        ports=(35000, 39999),
                        names=("core", "internal"),
                    ),
                },
                routes=(RouteTable(access="srtp", core="rtp"),),
                pipelines=(),
                options={},
                filterOptions={},
                ng=(),
                deleteDelay=0.0,
                identity=None,
                rsa=None,
                limits=LimitsTable(),
                policy=PolicyTable(),
                events=EventsTable(),
                eventsOverUDP=None,
                eventsOverTCP=None,
                demo=None,
            ),
        )

    def test_whole(self) -> None:
        """
        Every key reaches its place.
        """
        identity = self.identity()
        config = self.read(WHOLE)
        self.assertEqual(
            config.sides,
            {
                Side.ACCESS: SideConfig(
                    addresses=(("127.0.0.1", "203.0.113.9"), ("::1", "2001:db8::9")),
                    ports=(30000, 34999),
                    names=("access", "pub", "external"),
                ),
                Side.CORE: SideConfig(
                    addresses=(("127.0.0.2", "127.0.0.2"),), ports=(30000, 34999), names=("core", "priv")
                ),
            },
        )
        self.assertEqual(
            config.routes,
            (
                RouteTable(access="srtp", core="rtp", through=["acme.counter:Factory"]),
                RouteTable(access="acme.scrambled:Factory", core="rtp"),
            ),
        )
        self.assertEqual(config.filterOptions, {"acme.counter:Factory": {"window": 3}})
        self.assertEqual(
            config.options,
            {"srtp": {"profiles": ["AEAD_AES_128_GCM"]}, "acme.scrambled:Factory": {"strength": 11}},
        )
        self.assertEqual(config.ng, (("127.0.0.1", 2223), ("::1", 2223), ("0.0.0.0", 0)))
        self.assertEqual(config.deleteDelay, 5.0)
        assert config.identity is not None
        self.assertEqual(config.identity.fingerprints, identity.fingerprints)
        self.assertEqual(
            config.limits,
            LimitsTable(calls=7, media_timeout=1.0, silent_timeout=2.5, offer_timeout=0.0, drain_timeout=3.0),
        )
        self.assertEqual(config.policy, PolicyTable(applied_in_answers=False, consent=True, offload=False))
        self.assertEqual(config.eventsOverUDP, ("2001:db8::77", 2300))
        self.assertEqual(config.eventsOverTCP, ("192.0.2.77", 2301))
        self.assertEqual(config.events.media_stopped, 0.0)
        self.assertEqual(config.demo, ("127.0.0.1", 8080))

    def test_events(self) -> None:
        """
        Who is told of events has an address in numbers, and a port.
        """
        for value in ("192.0.2.77", "example.org:2300", "192.0.2.77:0", "192.0.2.77:65536"):
            for key in ("udp", "tcp"):
                self.refused(MINIMAL + f'[events]\n{key} = "{value}"\n', f"events.{key}")
        self.refused(MINIMAL + "[events]\nmedia_stopped = -1\n", "events.media_stopped")

    def test_file(self) -> None:
        """
        A file that cannot be read is refused by its name.
        """
        for name in ("nothing.toml", "", "no\0thing"):
            with self.assertRaises(ConfigError) as caught:
                load(self.folder / name)
            self.assertTrue(str(caught.exception).startswith(f"{self.folder / name}: "))
        self.path.write_bytes(b"\xff")
        with self.assertRaises(ConfigError) as caught:
            load(str(self.path))
        self.assertIn("utf-8", str(caught.exception))

    def test_syntax(self) -> None:
        """
        What is no TOML is refused, with the place.
        """
        self.refused(MINIMAL + "[side.access]\n")
        self.refused("[", "end of document")
        self.refused(MINIMAL + "x =\n", "line 10")

    def test_unknownKey(self) -> None:
        """
        A key that there is not is refused in whatever table it is.
        """
        for table in ("side.access", "side.core", "control", "dtls", "limits", "policy", "demo", "side"):
            header = f"[{table}]\n"
            text = (
                MINIMAL.replace(header, header + "nonsense = 1\n") if header in MINIMAL else MINIMAL + header
            )
            text = text if "nonsense" in text else text + "nonsense = 1\n"
            self.refused(text, "nonsense", table)
        self.refused("nonsense = 1\n" + MINIMAL, "nonsense")
        self.refused(MINIMAL + "nonsense = 1\n", "nonsense", "route")

    def test_missingKey(self) -> None:
        """
        A key that must be there is named.
        """
        self.refused("", "side")
        self.refused(SIDES, "route")
        self.refused(ROUTES, "side")
        self.refused(self.with_('address = "127.0.0.1"\n', ""), "address", "side.access")
        self.refused(self.with_('ports = "35000-39999"\n', ""), "ports", "side.core")
        self.refused(self.with_('core = "rtp"\n', ""), "core", "route")
        self.refused("route = []\n" + SIDES, "route")

    def test_wrongType(self) -> None:
        """
        A value of the wrong type is refused by its key.
        """
        for key, text in (
            ("side.access.ports", self.with_('"30000-34999"', "30000")),
            ("side.core.ports", self.with_('"35000-39999"', "[35000, 39999]")),
            ("side.access.address", self.with_('"127.0.0.1"', "[1]")),
            ("control.ng", MINIMAL + "[control]\nng = 2223\n"),
            ("control.delete_delay", MINIMAL + '[control]\ndelete_delay = "5"\n'),
            ("limits.calls", MINIMAL + "[limits]\ncalls = 1.5\n"),
            ("limits.calls", MINIMAL + "[limits]\ncalls = true\n"),
            ("policy.consent", MINIMAL + "[policy]\nconsent = 1\n"),
            ("adapter", MINIMAL + "[adapter]\nsrtp = 1\n"),
            ("demo.http", MINIMAL + "[demo]\nhttp = 80\n"),
        ):
            self.refused(text, key)

    def test_numbers(self) -> None:
        """
        Limits and times are finite and not negative.
        """
        for table, key in (
            ("limits", "calls"),
            ("limits", "media_timeout"),
            ("limits", "silent_timeout"),
            ("limits", "offer_timeout"),
            ("control", "delete_delay"),
        ):
            for value in ("-1",) if key == "calls" else ("-0.1", "inf", "-inf", "nan"):
                self.refused(f"{MINIMAL}[{table}]\n{key} = {value}\n", f"{table}.{key}")

    def test_addresses(self) -> None:
        """
        An address is one of this machine, and one that others could send to.
        """
        for address in (
            "localhost",
            "",
            "127.0.0.1 ",
            "0.0.0.0",
            "::",
            "192.0.2.1",
            "2001:db8::1",
            "224.0.0.1",
            "ff02::1",
            "255.255.255.255",
            "::ffff:127.0.0.1",
            "fe80::1%lo",
            "fe80::1",
            "127.0.0.1\\n",
        ):
            self.refused(self.with_('"127.0.0.1"', f'"{address}"'), "side.access.address")
            if address not in ("192.0.2.1", "2001:db8::1", "fe80::1"):
                text = self.with_("[side.core]\n", f'[side.core]\nadvertise = "{address}"\n')
                self.refused(text, "side.core.advertise")
        self.refused(self.with_('"127.0.0.1"', "[]"), "side.access.address")

    def test_families(self) -> None:
        """
        A side has at most one address of each family, and says as many as it
        has, in the same order.
        """
        self.refused(self.with_('"127.0.0.1"', '["127.0.0.1", "127.0.0.2"]'), "side.access.address")
        for advertise in ('"2001:db8::9"', '["192.0.2.1", "2001:db8::9"]'):
            text = self.with_("[side.access]\n", f"[side.access]\nadvertise = {advertise}\n")
            self.refused(text, "side.access.advertise")
        both = self.with_('"127.0.0.1"', '["127.0.0.1", "::1"]')
        self.assertEqual(
            self.read(both).sides[Side.ACCESS].addresses, (("127.0.0.1", "127.0.0.1"), ("::1", "::1"))
        )
        text = self.with_(
            "[side.access]\n", '[side.access]\nadvertise = ["2001:db8::9", "192.0.2.1"]\n', both
        )
        self.refused(text, "side.access.advertise")

    def test_spelling(self) -> None:
        """
        An address has one spelling afterwards, whatever the file's.
        """
        text = self.with_('"127.0.0.1"', '"0:0:0:0:0:0:0:1"')
        self.assertEqual(self.read(text).sides[Side.ACCESS].addresses, (("::1", "::1"),))
        text = self.with_('"127.0.0.1"\nports = "35000-39999"', '"::1"\nports = "30000-34999"', text)
        self.refused(text, "side.core.ports")

    def test_ports(self) -> None:
        """
        A range is of two unprivileged ports at least, of which one is even
        and followed by the next.
        """
        for ports in ("30000-30001", "30001-30003", "1024-1025", "65534-65535", "01024-02000"):
            self.read(self.with_("30000-34999", ports))
        for ports in (
            "",
            "30000",
            "30000-",
            "-30000",
            "30000-30001-30002",
            "30000 - 30001",
            "30000-30001\\n",
            "30000-30000",
            "30001-30000",
            "30001-30002",
            "1023-2000",
            "65534-65536",
            "100000-200000",
            "\u0663-\u0664",
        ):
            self.refused(self.with_("30000-34999", ports), "side.access.ports")

    def test_overlap(self) -> None:
        """
        On one address the sides' ranges do not meet; on two they may.
        """
        for ports in ("34999-35001", "30000-39999", "20000-30000", "31000-32000"):
            self.refused(self.with_("35000-39999", ports), "side.core.ports", "127.0.0.1")
        for ports in ("35000-35001", "20000-29999"):
            self.read(self.with_("35000-39999", ports))
        apart = self.with_('"127.0.0.1"', '"127.0.0.2"')
        self.read(self.with_("35000-39999", "30000-34999", apart))

    def test_names(self) -> None:
        """
        No name is both sides'.
        """
        for old, names in (
            ("[side.access]\n", '["core"]'),
            ("[side.core]\n", '["access"]'),
            ("[side.core]\n", '["internal", "external"]'),
        ):
            self.refused(self.with_(old, f"{old}names = {names}\n"), "side.access.names", "side.core.names")

    def test_endpoints(self) -> None:
        """
        Where to listen is an address of this machine, or all of them, and a
        port.
        """
        for key, table in (("control.ng", "[control]\nng"), ("demo.http", "[demo]\nhttp")):
            for value in (
                "",
                "2223",
                ":2223",
                "127.0.0.1",
                "127.0.0.1:",
                "127.0.0.1:x",
                "127.0.0.1:65536",
                "127.0.0.1:-1",
                "127.0.0.1:\u0662",
                "127.0.0.1:" + "9" * 5000,
                "localhost:2223",
                "192.0.2.1:2223",
            ):
                self.refused(f'{MINIMAL}{table} = "{value}"\n', key)
            self.read(f'{MINIMAL}{table} = "[::]:0"\n')
        self.refused(MINIMAL + '[control]\nng = ["127.0.0.1:2223", "x"]\n', "control.ng")

    def test_adapters(self) -> None:
        """
        Options for an adapter that no route uses are a mistake.
        """
        self.refused(MINIMAL + "[adapter.strp]\n", "adapter.strp")

    def test_certificate(self) -> None:
        """
        A certificate that cannot be read or used is refused by its key; files
        are where the configuration is, unless they say otherwise.
        """
        identity = self.identity()
        table = '{}[dtls]\ncertificate = "{}"\nkey = "{}"\n'.format
        config = self.read(table(MINIMAL, self.folder.absolute() / "cert.pem", "key.pem"))
        assert config.identity is not None
        self.assertEqual(config.identity.certificate, identity.certificate)
        self.refused(MINIMAL + '[dtls]\ncertificate = "cert.pem"\n', "dtls")
        self.refused(MINIMAL + '[dtls]\nkey = "key.pem"\n', "dtls")
        self.refused(table(MINIMAL, "none.pem", "key.pem"), "dtls.certificate", "none.pem", "No such file")
        self.refused(table(MINIMAL, "cert.pem", "none.pem"), "dtls.key", "none.pem")
        self.refused(table(MINIMAL, "cert.pem", "."), "dtls.key")
        self.refused(table(MINIMAL, "cert.pem", "\\u0000"), "dtls.key")
        self.refused(table(MINIMAL, "key.pem", "key.pem"), "dtls.certificate")
        self.identity(certificate="other.pem", key="unused.pem")
        self.refused(table(MINIMAL, "other.pem", "key.pem"), "dtls.certificate", "does not belong")

    def test_secondCertificate(self) -> None:
        """
        The one of RSA is read and refused in the same way, and has to be one
        of RSA.
        """
        table = '{}[dtls]\nrsa_certificate = "{}"\nrsa_key = "{}"\n'.format
        for name, data in (
            ("rsa.pem", OUR_RSA.certificate.public_bytes(Encoding.PEM)),
            ("rsa.key", OUR_RSA.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())),
        ):
            (self.folder / name).write_bytes(data)
        self.identity()
        config = self.read(table(MINIMAL, "rsa.pem", "rsa.key"))
        assert config.rsa is not None
        self.assertEqual((config.rsa.certificate, config.identity), (OUR_RSA.certificate, None))
        self.refused(MINIMAL + '[dtls]\nrsa_key = "rsa.key"\n', "dtls", "rsa_certificate", "need each other")
        self.refused(table(MINIMAL, "none.pem", "rsa.key"), "dtls.rsa_certificate", "No such file")
        self.refused(table(MINIMAL, "cert.pem", "key.pem"), "dtls.rsa_key", "not an RSA key")

    def test_R_111_secrets(self) -> None:
        """
        The private key does not show in what a traceback or a log prints.
        """
        self.identity()
        config = self.read(WHOLE)
        self.assertNotIn("PRIVATE", repr(config))
        self.assertNotIn("key=", repr(config))

    @settings(deadline=None, derandomize=True, max_examples=100)
    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["access", "core", "address", "ports", "x", "calls"]), inner
                )
            ),
            max_leaves=8,
        ),
        st.sampled_from(["side", "route", "control", "adapter", "dtls", "limits", "policy", "demo"]),
    )
    def test_garbage(self, value: object, key: str) -> None:
        """
        Whatever stands behind a key is used or refused, and nothing else
        happens.
        """
        text = f"{key} = {_toml(value)}\n" + (
            ROUTES if key == "side" else SIDES if key == "route" else MINIMAL
        )
        try:
            self.read(text)
        except ConfigError as error:
            self.assertNotIn("\n", str(error))


def _toml(value: object) -> str:
    """
    A value in TOML's spelling.
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return str(max(-(2**63), min(value, 2**63 - 1)))
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else "nan" if math.isnan(value) else "inf"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key} = {_toml(each)}' for key, each in value.items())}}}"
    return '"' + "".join(f"\\U{ord(each):08X}" for each in str(value)) + '"'
