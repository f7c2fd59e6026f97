"""
Tests for L{e2aegw.gateway.registry}.
"""

import sys
from pathlib import Path
from textwrap import dedent

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from e2aegw.errors import ConfigError
from e2aegw.gateway.registry import GROUP, loadFactory
from e2aegw.interfaces import IAdapterFactory

#: A module such as a stranger might write.
MODULE = """\
    from zope.interface import implementer
    from e2aegw.errors import ConfigError
    from e2aegw.interfaces import IAdapterFactory

    @implementer(IAdapterFactory)
    class Factory:
        medium = "rtp"
        protos = {}

        def __init__(self, strength=2):
            if strength == 0:
                raise ConfigError("strength: 0 is none")
            self.strength = 10 / (strength - 1) if strength < 2 else strength

        def claim(self, section):
            return None

        def buildAdapter(self, proto):
            return None

    class Pigeon(Factory):
        protos = {"RTP/AVP": "pigeon"}

    class Listed(Factory):
        protos = ["RTP/AVP"]

    class Stranger:
        pass

    class Imposter(Factory):
        claim = None

    constant = 7
    """


class RegistryTests(SynchronousTestCase):
    """
    L{loadFactory}.
    """

    def setUp(self) -> None:
        """
        Have a folder that modules are found in.
        """
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.patch(sys, "path", [str(self.folder), *sys.path])
        self.patch(sys, "dont_write_bytecode", True)
        before = set(sys.modules)
        self.addCleanup(lambda: [sys.modules.pop(name) for name in set(sys.modules) - before])

    def module(self, name: str, text: str = MODULE) -> None:
        """
        Write a module.
        """
        (self.folder / f"{name}.py").write_text(dedent(text))

    def distribution(self, name: str, *points: str, version: str = "1.0") -> None:
        """
        Install a distribution with entry points.
        """
        info = self.folder / f"{name}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text("\n".join([f"[{GROUP}]", *points]))

    def refused(self, name: str, **options: object) -> str:
        """
        An adapter is refused, in one line that names it.
        """
        with self.assertRaises(ConfigError) as caught:
            loadFactory(name, options)
        message = str(caught.exception)
        self.assertNotIn("\n", message)
        self.assertIn(name, message)
        return message

    def test_ours(self) -> None:
        """
        The adapters of this distribution are found like anybody's.
        """
        for name, medium in (("rtp", "rtp"), ("srtp", "rtp"), ("relay", "sealed")):
            factory = loadFactory(name, {})
            self.assertTrue(verifyObject(IAdapterFactory, factory))
            self.assertEqual(factory.medium, medium)

    def test_ourOptions(self) -> None:
        """
        Options reach the factory, and one that it does not know, or cannot
        use, is named.
        """
        factory = loadFactory("srtp", {"profiles": ["AES_CM_128_HMAC_SHA1_32"]})
        self.assertEqual([profile.value for profile in factory.profiles], ["AES_CM_128_HMAC_SHA1_32"])
        self.assertIn("profilse", self.refused("srtp", profilse=[]))
        self.assertIn("NULL", self.refused("srtp", profiles=["NULL"]))

    def test_theirs(self) -> None:
        """
        So are those of another distribution.
        """
        self.module("acme_scrambled")
        self.distribution("acme", "acme-scrambled = acme_scrambled:Factory")
        self.assertEqual(loadFactory("acme-scrambled", {"strength": 11}).strength, 11)
        message = self.refused("acme-scrambled", weakness=11)
        self.assertIn("weakness", message)
        self.assertIn("acme 1.0", message)

    def test_reference(self) -> None:
        """
        What is not installed is named by module and object.
        """
        self.module("acme_reference")
        self.assertEqual(loadFactory("acme_reference:Factory", {"strength": 3}).strength, 3)

    def test_unknown(self) -> None:
        """
        An adapter that there is not is refused with the names of those that
        there are.
        """
        self.assertIn("relay, rtp, srtp", self.refused("strp"))
        self.patch(sys, "path", [str(self.folder)])
        self.assertIn("none at all", self.refused("strp"))

    def test_badReference(self) -> None:
        """
        A reference to nothing is refused.
        """
        self.module("acme_bad")
        for name in (
            "acme_nowhere:Factory",
            "acme_bad:Nothing",
            ":Factory",
            "acme_bad:",
            ".acme_bad:Factory",
            ":",
        ):
            self.refused(name)

    def test_brokenModule(self) -> None:
        """
        A module that cannot be imported is refused, whatever is wrong with
        it, and whose it is, is told.
        """
        self.module("acme_syntax", "def")
        self.module("acme_raises", "raise RuntimeError('two\\nlines')")
        self.distribution("acme", "acme-syntax = acme_syntax:Factory", "acme-raises = acme_raises:Factory")
        self.module("acme_script", "raise SystemExit(0)")
        self.assertIn("SystemExit: 0", self.refused("acme_script:Factory"))
        for name in ("acme_syntax:Factory", "acme-syntax"):
            self.assertIn("SyntaxError", self.refused(name))
        for name in ("acme_raises:Factory", "acme-raises"):
            self.assertIn("RuntimeError: two lines", self.refused(name))
        self.assertIn("acme 1.0", self.refused("acme-raises"))

    def test_noFactory(self) -> None:
        """
        What provides no factory is refused at once, not with the first call.
        """
        self.module("acme_strange")
        for name in ("Stranger", "Imposter"):
            self.assertIn("no adapter factory", self.refused(f"acme_strange:{name}"))
        self.assertIn("TypeError", self.refused("acme_strange:constant"))

    def test_kinds(self) -> None:
        """
        So is one that wants a transport that there is not.
        """
        self.module("acme_kinds")
        message = self.refused("acme_kinds:Pigeon")
        self.assertIn("'pigeon' for RTP/AVP; there are ", message)
        self.assertIn("udp+rtcp", message)
        self.assertIn("no mapping", self.refused("acme_kinds:Listed"))

    def test_errors(self) -> None:
        """
        A factory's own complaint is passed on; its bug is told from it.
        """
        self.module("acme_errors")
        self.assertEqual(
            self.refused("acme_errors:Factory", strength=0),
            "adapter.acme_errors:Factory: strength: 0 is none",
        )
        self.assertIn("ZeroDivisionError", self.refused("acme_errors:Factory", strength=1))

    def test_twoOwners(self) -> None:
        """
        A name that two distributions use is refused with the names of both.
        """
        self.module("acme_two")
        self.distribution("acme", "same = acme_two:Factory")
        self.distribution("bcme", "same = acme_two:Factory", version="2.0")
        self.assertIn("acme 1.0 and bcme 2.0", self.refused("same"))

    def test_twice(self) -> None:
        """
        One distribution that is found twice is one.
        """
        self.module("acme_twice")
        self.distribution("acme", "twice = acme_twice:Factory")
        other = Path(self.mktemp())
        (other / "acme-1.0.dist-info").mkdir(parents=True)
        for file in (self.folder / "acme-1.0.dist-info").iterdir():
            (other / "acme-1.0.dist-info" / file.name).write_text(file.read_text())
        self.patch(sys, "path", [str(other), *sys.path])
        self.assertEqual(loadFactory("twice", {"strength": 2}).strength, 2)
