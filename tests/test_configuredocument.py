"""
The manual's page on the configuration says what is so.
"""

import inspect
import re
import shlex
import subprocess
import tempfile
import tomllib
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from e2aegw.errors import ConfigError
from e2aegw.gateway.config import FileTable, load
from e2aegw.gateway.registry import GROUP
from tests.page import Page, rows

PAGE = Page("configure.rst")

#: A configuration that works, key by key.
WORKING = {
    "side.access.address": '"127.0.0.1"',
    "side.access.ports": '"30000-30099"',
    "side.core.address": '"127.0.0.1"',
    "side.core.ports": '"40000-40099"',
    "route": '[{access = "srtp", core = "rtp"}]',
}
#: The page's addresses are not this machine's.
ADDRESSES = {
    "203.0.113.9": "127.0.0.1",
    "10.0.0.9": "127.0.0.2",
    "10.1.1.9": "127.0.0.3",
    "2001:db8::9": "::1",
}

TYPES = {
    str: "text",
    str | list[str]: "text or list of texts",
    list[str]: "list of texts",
    float: "seconds",
    int: "number",
    bool: "``true`` or ``false``",
}


def toml(value: Any) -> str:
    """
    A value as the file would have it.
    """
    return msgspec.json.encode(value).decode()


def tables(struct: Any, path: str = "") -> dict[str, dict[str, tuple[str, str]]]:
    """
    For each table that a file may have, its keys, and for each of those its
    type and its default in the page's words.
    """
    found: dict[str, dict[str, tuple[str, str]]] = {}
    for field in msgspec.structs.fields(struct):
        if field.name in ("adapter", "filter"):
            continue
        kinds = [field.type, *getattr(field.type, "__args__", ())]
        [*inner] = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, msgspec.Struct)]
        if inner:
            name = f"[{path}{field.name}]"
            found |= tables(inner[0], f"{path}{field.name}.")
            if name in ("[route]", "[pipeline]"):
                found[f"[{name}]"] = found.pop(name)
            continue
        default = field.default
        if field.default_factory is not msgspec.NODEFAULT:
            default = field.default_factory()
        said = "required" if default is msgspec.NODEFAULT else f"``{toml(default)}``"
        found.setdefault(f"[{path[:-1]}]", {})[field.name] = (TYPES[field.type], said)
    return found


class ConfigureTests(SynchronousTestCase):
    """
    The page and L{e2aegw.gateway.config}.
    """

    def setUp(self) -> None:
        """
        A folder for files.
        """
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def write(self, text: str) -> Path:
        """
        A configuration.
        """
        path = self.folder / "gateway.toml"
        path.write_text(text)
        return path

    def test_keys(self) -> None:
        """
        The tables have every key and no other, with types and defaults.
        """
        found: dict[str, dict[str, tuple[str, str]]] = {}
        for title, text in PAGE.sections():
            for table in re.findall(r"``(\[.*?\]+)``", title):
                found[table] = {name.strip("`"): (kind, default) for name, kind, default, _ in rows(text)}
        adapters = [each for each in found if each.startswith("[adapter.")]
        for each in adapters:
            del found[each]
        self.assertEqual(found, tables(FileTable))

    def test_adapters(self) -> None:
        """
        The adapters that come with the gateway, and their options.
        """
        points = {
            point.name: point for point in entry_points(group=GROUP) if point.value.startswith("e2aegw.")
        }
        self.assertEqual(set(re.findall(r"(?m)^``(\w+)``$", PAGE.section("``[[route]]``"))), set(points))
        for name, point in points.items():
            # A clock is for those who build a factory themselves.
            options = set(inspect.signature(point.load()).parameters) - {"clock"}
            title = f"``[adapter.{name}]``"
            described = {row[0].strip("`") for row in rows(PAGE.section(title))} if options else set()
            self.assertEqual(described, options, name)

    def test_mistakes(self) -> None:
        """
        What is wrong is said in the words of the page, in one line.
        """
        mistakes = rows(PAGE.section("A small one"))
        self.assertGreater(len(mistakes), 5)
        for wrong, said in mistakes:
            key, _, value = wrong.strip("`").partition(" = ")
            text = "".join(f"{name} = {each}\n" for name, each in {**WORKING, key: value}.items())
            with self.assertRaises(ConfigError) as caught:
                load(self.write(text))
            self.assertEqual(str(caught.exception), f"{self.folder}/gateway.toml: {said[2:-2]}")

    def test_examples(self) -> None:
        """
        The examples can be loaded, with the certificate that the page's
        command makes.
        """
        [command] = [block[2:].replace("\\\n", "") for block in PAGE.blocks("console")]
        subprocess.run(shlex.split(command), cwd=self.folder, check=True, capture_output=True)
        examples = PAGE.blocks("toml")
        self.assertEqual(len(examples), 4)
        for example in examples:
            for theirs, ours in ADDRESSES.items():
                example = example.replace(f'"{theirs}', f'"{ours}')
            if "[[route]]" not in example:
                working = "".join(f"{name} = {each}\n" for name, each in WORKING.items())
                example = working + example
            config = load(self.write(example))
            self.assertTrue(config.routes)
            self.assertEqual(config.identity is not None, "[dtls]" in example)
            self.assertTrue(tomllib.loads(example))
