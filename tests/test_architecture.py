"""
The rooms and the arrows between them, the length of files, and what no file
may hold.
"""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "e2aegw"

#: What each room may import beside itself and the standard library.
ALLOWED = {
    "errors": set[str](),
    "sansio": {
        *("errors", "OpenSSL", "aioice", "bencodepy", "cryptography", "google_crc32c", "msgspec"),
        *("pylibsrtp", "service_identity"),
    },
    # Pure, too, as test_pure says.
    "sip": {"errors", "sansio"},
    "interfaces": {"sansio", "twisted", "zope"},
    "alarm": {"twisted"},
    "transport": {"alarm", "errors", "sansio", "interfaces", "twisted", "zope"},
    "adapter": {"alarm", "errors", "sansio", "interfaces", "twisted", "zope"},
    "gateway": {"errors", "sansio", "interfaces", "transport", "cryptography", "msgspec", "twisted", "zope"},
}

#: Rooms at the top: they import what they need, and only these import them.
TOP = {
    "__main__": set[str](),
    "application": set[str](),
    "demo": {"tap"},
    "tap": set[str](),
    "testing": set[str](),
}

#: Rooms without a clock or a socket.
PURE = ("sansio", "sip")

#: Modules that know the time, or the world outside.
IMPURE = {"asyncio", "select", "selectors", "socket", "subprocess", "threading", "time"}

#: A file above this is two nouns.
MAX_LINES = 750

#: What is not ours, or was made.
FOREIGN = {".git", ".venv", "node_modules", "bundle.js", "build", "dist", "_build", "_trial_temp"}

#: How the syntax tree calls a C{def}.
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)

#: A person's own folder.
HOME = re.compile(r"/(?:home|Users)/\w+/|/root/")


def files(*suffixes: str) -> Iterator[Path]:
    """
    The project's own files.
    """
    for folder, folders, names in os.walk(ROOT):
        # Trial numbers its folders from the second on: _trial_temp-1.
        folders[:] = [name for name in folders if name.partition("-")[0] not in FOREIGN]
        for path in (Path(folder, name) for name in names if name not in FOREIGN):
            if path.suffix in suffixes:
                yield path


def room(path: Path) -> str:
    """
    The room that a module of the package is in.
    """
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imports(path: Path) -> set[str]:
    """
    What a module imports: our rooms by their names, others by theirs.
    """
    found = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            found |= {f"e2aegw.{alias.name}" for alias in node.names} if module == "e2aegw" else {module}
    return {(name.removeprefix("e2aegw.")).partition(".")[0] for name in found}


class ArrowTests(SynchronousTestCase):
    """
    Which room imports which.
    """

    def test_rooms(self) -> None:
        """
        A module imports what its room is allowed to, and nothing else.
        """
        known = ALLOWED.keys() | TOP.keys() | {"__init__"}
        for path in PACKAGE.rglob("*.py"):
            here = room(path)
            self.assertIn(here, known, f"{path.relative_to(ROOT)} is in no room")
            if here in ALLOWED:
                bad = imports(path) - ALLOWED[here] - {here} - sys.stdlib_module_names
                self.assertEqual(bad, set(), f"{path.relative_to(ROOT)} may not import")

    def test_top(self) -> None:
        """
        Nothing imports what stands at the top, except who starts it.
        """
        for path in PACKAGE.rglob("*.py"):
            here = room(path)
            bad = {name for name in imports(path) & TOP.keys() if here != name and here not in TOP[name]}
            self.assertEqual(bad, set(), f"{path.relative_to(ROOT)} may not import")

    def test_packageIsEmpty(self) -> None:
        """
        Importing e2aegw imports nothing else.
        """
        self.assertEqual(imports(PACKAGE / "__init__.py"), set())

    def test_pure(self) -> None:
        """
        What is pure knows neither clock nor socket.
        """
        for path in (path for name in PURE for path in (PACKAGE / name).rglob("*.py")):
            self.assertEqual(imports(path) & IMPURE, set(), f"{path.relative_to(ROOT)} may not import")

    def test_pureWithoutTwisted(self) -> None:
        """
        All that is pure can be imported without Twisted.
        """
        modules = [
            ".".join(path.relative_to(ROOT).with_suffix("").parts)
            for name in PURE
            for path in (PACKAGE / name).rglob("*.py")
        ]
        loaded = "print(*{'twisted', 'zope.interface'} & sys.modules.keys())"
        program = f"import sys, {', '.join(modules)}; {loaded}"
        result = subprocess.run(
            [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
        )
        self.assertEqual(result.stdout.split(), [])


class FileTests(SynchronousTestCase):
    """
    What holds for every file.
    """

    def test_length(self) -> None:
        """
        No file is too long to be read.
        """
        lengths = {str(path.relative_to(ROOT)): len(path.read_bytes().splitlines()) for path in files(".py")}
        self.assertEqual({name: count for name, count in lengths.items() if count > MAX_LINES}, {})

    def test_pluginFolder(self) -> None:
        """
        C{twisted/plugins} is no package, or it would hide Twisted's.
        """
        self.assertEqual(list((ROOT / "twisted").rglob("__init__.py")), [])

    def test_pluginImportsNothing(self) -> None:
        """
        The plug-in file imports nothing of ours.
        """
        (plugin,) = (ROOT / "twisted" / "plugins").glob("*.py")
        self.assertEqual(imports(plugin), {"twisted"})

    def test_noWorkplace(self) -> None:
        """
        No file names a folder of somebody's machine.
        """
        for path in files(".cfg", ".html", ".js", ".md", ".py", ".rst", ".sh", ".toml", ".yml"):
            text = path.read_text(encoding="utf-8", errors="replace")
            # A clone in /src would forbid too much.
            if len(ROOT.parts) > 2:
                self.assertNotIn(f"{ROOT}/", text, f"{path.relative_to(ROOT)} names this machine")
            if path != Path(__file__):
                self.assertIsNone(HOME.search(text), f"{path.relative_to(ROOT)} names a machine")

    def test_docstrings(self) -> None:
        """
        Every test says in a sentence what it shows.
        """
        for path in files(".py"):
            if path.name.startswith("test_"):
                for node in ast.walk(ast.parse(path.read_bytes())):
                    if isinstance(node, FUNCTIONS) and node.name.startswith("test_"):
                        where = f"{path.relative_to(ROOT)}: {node.name}"
                        self.assertTrue(ast.get_docstring(node), f"{where} has no docstring")
