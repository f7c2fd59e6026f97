"""
Every block of code, and every command, that the manual has is run by a test.
"""

import json
import re
import shlex
import subprocess
import tempfile
from collections import Counter
from importlib import import_module
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from e2aegw.gateway.config import load
from e2aegw.sansio.eventrecord import record
from e2aegw.sansio.events import HandshakeFailed
from e2aegw.tap import Options
from tests.page import DOCS, Page
from tests.peers.ports import freePort, freeRange

ROOT = DOCS.parent
_DIRECTIVE = re.compile(r"(?m)^ *\.\. code-block:: (\w+)$")
_LITERAL = re.compile(r"(?m)^(?! *\.\. ).*::$")

#: For each page, and each language on it, how many blocks there are and which
#: tests run them.  C{"literal"} is what follows two colons.
RUN: dict[str, dict[str, tuple[int, tuple[str, ...]]]] = {
    "CONTRIBUTING.rst": {"literal": (1, ("test_blocks.CommandTests.test_targets",))},
    "README.rst": {
        "literal": (
            3,
            (
                "test_blocks.CommandTests.test_install",
                "peers.test_debian.PackageTests.test_package",
                "test_readme.ReadmeTests.test_flags",
            ),
        )
    },
    "docs/configure.rst": {
        "console": (1, ("test_configuredocument.ConfigureTests.test_examples",)),
        "toml": (4, ("test_configuredocument.ConfigureTests.test_examples",)),
    },
    "docs/embed.rst": {
        "literal": (1, ("peers.test_switchboard.SwitchboardTests",)),
        "python": (6, ("test_developerdocuments.EmbedTests.test_test",)),
    },
    "docs/examples/capture/README.rst": {"literal": (3, ("test_examples.CaptureTests",))},
    "docs/examples/digits/README.rst": {"literal": (3, ("test_examples.DigitsTests",))},
    "docs/first-call.rst": {
        "console": (4, ("peers.test_firstcall.FirstCallTests.test_firstCall",)),
        "literal": (1, ("peers.test_firstcall.FirstCallTests.test_packages",)),
        "none": (1, ("peers.test_firstcall.FirstCallTests.test_account",)),
    },
    # Drawings.
    "docs/how-it-works.rst": {"text": (2, ("test_architecture",))},
    "docs/rooms.rst": {"text": (2, ("test_architecture",))},
    "docs/stacks.txt": {"text": (7, ("test_securitydocument.StackTests.test_drawings",))},
    "docs/index.rst": {"console": (1, ("test_blocks.CommandTests.test_targets",))},
    "docs/kamailio.rst": {"none": (6, ("peers.test_manual.PageTests.test_syntax",))},
    "docs/ng.rst": {
        "none": (
            14,
            (
                "test_ngdocument.Documented.test_dialogue",
                "test_ngdocument.Documented.test_datagrams",
                "peers.test_manual.PageTests.test_syntax",
            ),
        ),
        "toml": (1, ("test_blocks.ConfigurationTests.test_ng",)),
    },
    "docs/others.rst": {"none": (2, ("peers.test_manual.PageTests.test_syntax",))},
    "docs/static.rst": {
        "console": (
            2,
            (
                "test_staticdocument.StaticTests.test_examples",
                "test_staticdocument.StaticTests.test_certificate",
            ),
        ),
        "toml": (1, ("test_staticdocument.StaticTests.test_examples",)),
    },
    "docs/troubleshooting.rst": {
        "console": (1, ("test_troubleshooting.TelephoneTests.test_query",)),
        "json": (1, ("test_blocks.EventTests.test_line",)),
        "none": (1, ("test_troubleshooting.BrowserTests.test_fingerprint",)),
    },
    "docs/write-an-adapter.rst": {
        "console": (1, ("test_examples.CaptureTests.test_mediaPasses",)),
        "python": (2, ("test_developerdocuments.AdapterTests.test_contract",)),
        "toml": (2, ("test_blocks.ConfigurationTests.test_routes",)),
    },
}


def literal(name: str) -> list[str]:
    """
    The blocks after two colons in a file of the repository.
    """
    text = (ROOT / name).read_text(encoding="utf-8")
    found = re.findall(r"(?m)^(?! *\.\. ).*::\n\n((?:    .*\n|\n)+)", text)
    return [re.sub(r"(?m)^    ", "", block).strip("\n") for block in found]


class BlockTests(SynchronousTestCase):
    """
    No block without a test.
    """

    def test_all(self) -> None:
        """
        Who adds a block to a page says here which test runs it.
        """
        pages = [ROOT / "README.rst", ROOT / "CONTRIBUTING.rst", *DOCS.glob("*.rst"), DOCS / "stacks.txt"]
        pages += DOCS.glob("examples/*/README.rst")
        found: dict[str, dict[str, int]] = {}
        for page in pages:
            text = page.read_text(encoding="utf-8")
            kinds = Counter(_DIRECTIVE.findall(text))
            kinds["literal"] = len(_LITERAL.findall(text))
            if counted := {kind: count for kind, count in kinds.items() if count}:
                found[str(page.relative_to(ROOT))] = counted
        told = {page: {kind: count for kind, (count, _) in kinds.items()} for page, kinds in RUN.items()}
        self.maxDiff = None
        self.assertEqual(found, told)

    def test_tests(self) -> None:
        """
        The tests that are named exist.
        """
        for kinds in RUN.values():
            for _, names in kinds.values():
                for name in names:
                    module = re.match(r"(?:[a-z_]+\.?)+(?=\.[A-Z]|$)", name)
                    assert module is not None, name
                    found = import_module(f"tests.{module[0]}")
                    for attribute in filter(None, name[module.end() :].split(".")):
                        found = getattr(found, attribute)


class CommandTests(SynchronousTestCase):
    """
    Commands of the front pages.
    """

    def test_targets(self) -> None:
        """
        What they say to make can be made.
        """
        makefile = (ROOT / "Makefile").read_text()
        [console] = Page("index.rst").blocks("console")
        lines = [line.removeprefix("$ ").partition("#")[0] for line in console.splitlines()]
        for line in [*lines, *literal("CONTRIBUTING.rst")]:
            program, *targets = line.split()
            self.assertEqual(program, "make")
            for target in targets:
                self.assertRegex(makefile, rf"(?m)^{target}:.*##", target)

    def test_install(self) -> None:
        """
        After the README's commands the gateway takes its configuration.
        C{tests.test_packaging} does what pip does there.
        """
        folder = tempfile.TemporaryDirectory(prefix="e2aegw-")
        self.addCleanup(folder.cleanup)
        block = literal("README.rst")[0].replace("/etc/e2aegw", f"{folder.name}/etc")
        pip, *commands, start = [shlex.split(line, comments=True) for line in block.splitlines()]
        self.assertEqual(pip, ["pip", "install", "."])
        for command in commands:
            subprocess.run(command, cwd=ROOT, check=True)
        program, option, service, *options = start
        self.assertEqual((program, option, service), ("twistd", "-n", "e2aegw"))
        copied = Path(options[-1])
        text = copied.read_text().replace(":2223", f":{freePort()}")
        first = freeRange(40)
        for old, new in (("30000-39999", (first, first + 19)), ("40000-49999", (first + 20, first + 39))):
            text = text.replace(old, "{}-{}".format(*new))
        copied.write_text(text)
        Options().parseOptions(options)


class ConfigurationTests(SynchronousTestCase):
    """
    Pieces of configuration.
    """

    def loads(self, *pieces: str) -> None:
        """
        They can be loaded, with what they leave out.
        """
        path = Path(self.mktemp())
        path.write_text("\n".join(pieces))
        self.assertTrue(load(path).routes)

    def test_ng(self) -> None:
        """
        The piece of the page on ng.
        """
        [piece] = Page("ng.rst").blocks("toml")
        for number, side in enumerate(("access", "core"), 3):
            table = f'[side.{side}]\naddress = "127.0.0.1"\nports = "{number}0000-{number}0099"\n'
            piece = piece.replace(f"[side.{side}]\n", table)
        self.loads(piece, '[[route]]\naccess = "srtp"\ncore = "rtp"\n')

    def test_routes(self) -> None:
        """
        The routes of the page on adapters, with ours where others would be.
        """
        head = '[side.{}]\naddress = "127.0.0.1"\nports = "{}"\n'
        head = head.format("access", "30000-30099") + head.format("core", "40000-40099")
        for piece in Page("write-an-adapter.rst").blocks("toml"):
            self.assertIn("[[route]]", piece)
            here = piece.replace('"acmefax"', '"udptl"')
            self.loads(head, here)


class EventTests(SynchronousTestCase):
    """
    Lines for whoever listens.
    """

    def test_line(self) -> None:
        """
        The line on the page is an event as it is told.
        """
        [block] = Page("troubleshooting.rst").blocks("json")
        told = json.loads(block)
        event = HandshakeFailed(
            side=told["side"],
            line=told["line"],
            protocol=told["protocol"],
            reason=told["reason"],
            expected=told["expected"],
            presented=told["presented"],
        )
        known = record(event)
        self.assertEqual({name: told[name] for name in known}, known)
        self.assertEqual(set(told) - set(known), {"time", "call-id", "from-tag", "to-tag"})
