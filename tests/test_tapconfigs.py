"""
The configurations that come with the gateway.
"""

import dataclasses
import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from e2aegw.gateway import config

FOLDER = Path(__file__).parent.parent / "tap-configs"

#: The start of a line that sets a key, or would without its "#".
SETTING = re.compile(r"#?([a-z_]+) = ")


def keys(table: Any, path: str = "") -> set[str]:
    """
    Every key that a table may have, those of the tables in it included.
    """
    found = set()
    for field in msgspec.structs.fields(table):
        here = f"{path}{field.encode_name}"
        # Of lists and of unions, what is in them.
        kinds = (field.type, *getattr(field.type, "__args__", ()))
        inner = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, msgspec.Struct)]
        found |= keys(inner[0], f"{here}.") if inner else {here}
    return found


def mentioned(value: Any, path: str = "") -> set[str]:
    """
    Every key in a file.
    """
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return mentioned(value[0], path)
    if isinstance(value, dict) and path != "adapter.":
        return {key for name, each in value.items() for key in mentioned(each, f"{path}{name}.")}
    return {path[:-1]}


class TapConfigTests(SynchronousTestCase):
    """
    Every file in C{tap-configs} is an example that works.
    """

    def test_load(self) -> None:
        """
        Every one can be loaded.
        """
        for path in FOLDER.iterdir():
            self.assertIsInstance(config.load(path), config.Config, path.name)

    def test_names(self) -> None:
        """
        Those that the manual and the Makefile speak of are there.
        """
        names = {path.stem for path in FOLDER.glob("*.toml")}
        self.assertLessEqual({"demo", "gateway", "loopback"}, names)

    def test_demo(self) -> None:
        """
        The demonstration is the gateway of the tests with a page, and with an
        access side that Firefox sends to.
        """
        demo, loopback = config.load(FOLDER / "demo.toml"), config.load(FOLDER / "loopback.toml")
        self.assertEqual(demo.demo, ("127.0.0.1", 8080))
        self.assertEqual(
            (demo.routes, demo.options, demo.ng, demo.limits, demo.policy),
            (loopback.routes, loopback.options, loopback.ng, loopback.limits, loopback.policy),
        )
        self.assertEqual(
            [side.ports for side in demo.sides.values()], [side.ports for side in loopback.sides.values()]
        )


class OperatorTests(SynchronousTestCase):
    """
    What an operator copies tells of everything.
    """

    def setUp(self) -> None:
        """
        Read it, and once more with everything in it that is commented out.
        """
        self.text = (FOLDER / "gateway.toml").read_text()
        self.whole = re.sub(r"(?m)^#(?=[a-z_]+ = |\[)", "", self.text)

    def test_everyKey(self) -> None:
        """
        Every key that there is stands in it.
        """
        # There is no filter to have a table.
        self.assertEqual(mentioned(tomllib.loads(self.whole)), keys(config.FileTable) - {"filter"})

    def test_everyKeyIsExplained(self) -> None:
        """
        Every key has a comment above it, where it stands first.
        """
        table, told = "", set()
        lines = self.text.splitlines()
        for above, line in zip(["", *lines], lines, strict=False):
            if line.lstrip("#").startswith("["):
                table = line.lstrip("#")
            found = SETTING.match(line)
            # The core side's keys are the access side's.
            if found and (table, found[1]) not in told and table != "[side.core]":
                told.add((table, found[1]))
                self.assertTrue(above.startswith("# "), f"{table} {line}")

    def test_defaults(self) -> None:
        """
        What it says of values that are commented out is true.
        """
        told = Path(self.mktemp())
        told.write_text(self.whole.replace("[demo]", "").replace('http = "127.0.0.1:8080"', ""))
        # A pipeline is an example, and no default.
        everything = dataclasses.replace(config.load(told), pipelines=())
        self.assertEqual(everything, config.load(FOLDER / "gateway.toml"))
