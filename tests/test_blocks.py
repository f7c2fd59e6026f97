"""
Every block of code, and every command, that the manual has is run by a test, which
takes it from the page and changes nothing, on a machine of L{tests.peers.machine}
where that is needed: its ports are free, it has the addresses of the pages, and
C{/etc} may be written to.

What is not as on the page:

  - C{make format lint types docs test}, and C{make test}, are asked for with C{-n}:
    a test that ran all tests would have no end.  C{.ci/run} makes what they name.
    C{make .venv} is done where the tests run, or there would be no tests.
  - C{apt-get install} of what others made finds that it is there already, and
    whoever is asked whether to go on has said yes.
  - Pieces of a configuration get the sides, the controller's address or the route
    that they leave out; pieces of Kamailio's script stand in a script.
  - The fingerprint that a page abbreviates with dots is a certificate's.
  - baresip has the page's account, and a folder of sounds in place of a microphone.

Drawings are no code; what they show is held against the code.
"""

import re
from collections import Counter
from importlib import import_module

from twisted.trial.unittest import SynchronousTestCase

from tests.page import DOCS

ROOT = DOCS.parent
_DIRECTIVE = re.compile(r"(?m)^ *\.\. code-block:: (\w+)$")
_LITERAL = re.compile(r"(?m)^(?! *\.\. ).*::$")

_COMMANDS = "peers.test_commands"
_SCRIPTS = "peers.test_scripts.ScriptTests"

#: For each page, and each language on it, how many blocks there are and which
#: tests run them.  C{"literal"} is what follows two colons.
RUN: dict[str, dict[str, tuple[int, tuple[str, ...]]]] = {
    "CONTRIBUTING.rst": {"literal": (1, (f"{_COMMANDS}.MakeTests.test_long",))},
    "README.rst": {
        "literal": (
            3,
            (
                f"{_COMMANDS}.InstallTests.test_install",
                "peers.test_debian.PackageTests.test_package",
                f"{_SCRIPTS}.test_README",
            ),
        )
    },
    "docs/configure.rst": {
        "console": (1, (f"{_COMMANDS}.ConfigureTests.test_examples",)),
        "toml": (4, (f"{_COMMANDS}.ConfigureTests.test_examples",)),
    },
    "docs/embed.rst": {
        "literal": (1, ("peers.test_switchboard.SwitchboardTests.test_protectedCalls",)),
        "python": (6, ("test_developerdocuments.EmbedTests.test_test",)),
    },
    "docs/examples/capture/README.rst": {"literal": (3, (f"{_COMMANDS}.ExampleTests.test_capture",))},
    "docs/examples/digits/README.rst": {"literal": (3, (f"{_COMMANDS}.ExampleTests.test_digits",))},
    "docs/first-call.rst": {
        "console": (4, ("peers.test_firstcall.FirstCallTests.test_firstCall",)),
        "literal": (1, ("peers.test_firstcall.FirstCallTests.test_firstCall",)),
        "none": (1, ("peers.test_firstcall.FirstCallTests.test_firstCall",)),
    },
    # Drawings.
    "docs/how-it-works.rst": {"text": (2, ("test_architecture",))},
    "docs/rooms.rst": {"text": (2, ("test_architecture",))},
    "docs/stacks.txt": {"text": (7, ("test_securitydocument.StackTests.test_drawings",))},
    "docs/index.rst": {
        "console": (1, (f"{_COMMANDS}.MakeTests.test_demo", f"{_COMMANDS}.MakeTests.test_long"))
    },
    "docs/kamailio.rst": {
        "none": (
            6,
            tuple(f"{_SCRIPTS}.test_{name}" for name in ("smallest", "forking", "several", "sets")),
        )
    },
    "docs/ng.rst": {
        "none": (
            14,
            (
                "test_ngdocument.Documented.test_dialogue",
                "test_ngdocument.Documented.test_datagrams",
                f"{_SCRIPTS}.test_ng",
            ),
        ),
        "toml": (1, (f"{_SCRIPTS}.test_ng",)),
    },
    "docs/others.rst": {"none": (1, (f"{_SCRIPTS}.test_others",))},
    "docs/static.rst": {
        "console": (
            5,
            (
                f"{_COMMANDS}.StaticTests.test_commandLine",
                f"{_COMMANDS}.StaticTests.test_fax",
                "test_staticdocument.StaticTests.test_certificate",
            ),
        ),
        "toml": (1, (f"{_COMMANDS}.StaticTests.test_file",)),
    },
    "docs/troubleshooting.rst": {
        "console": (1, (f"{_COMMANDS}.TroubleTests.test_query",)),
        "json": (1, (f"{_COMMANDS}.TroubleTests.test_failure",)),
        "none": (1, (f"{_COMMANDS}.TroubleTests.test_failure",)),
    },
    "docs/write-an-adapter.rst": {
        "console": (1, (f"{_COMMANDS}.ExampleTests.test_page",)),
        "python": (
            2,
            (
                "test_developerdocuments.AdapterTests.test_contract",
                f"{_COMMANDS}.ExampleTests.test_written",
            ),
        ),
        "toml": (2, (f"{_COMMANDS}.ExampleTests.test_written",)),
    },
}


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
