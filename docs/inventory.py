"""
Write an inventory of the names of others that e2aegw imports, so that pydoctor
can link to them without asking the network::

    python docs/inventory.py docs/_build/others.inv

The addresses in it begin behind C{https://}.
"""

import ast
import builtins
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "e2aegw"
PYTHON = "docs.python.org/3/library"
TWISTED = "docs.twisted.org/en/stable/api"
ZOPE = "zopeinterface.readthedocs.io/en/latest/api"


def page(module: str, name: str) -> str | None:
    """
    Where a name is documented.
    """
    match module.partition(".")[0]:
        case "twisted":
            return f"{TWISTED}/{module}.{name}.html"
        case "zope":
            return f"{ZOPE}/index.html"
        case room if room in sys.stdlib_module_names:
            return f"{PYTHON}/{module}.html#{module}.{name}"
    return None


def links() -> Iterator[tuple[str, str]]:
    """
    Names, and where they are documented.
    """
    for name in dir(builtins):
        kind = "functions"
        if name in ("None", "True", "False"):
            kind = "constants"
        elif isinstance(getattr(builtins, name), type) and issubclass(getattr(builtins, name), BaseException):
            kind = "exceptions"
        yield name, f"{PYTHON}/{kind}.html#{name}"
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    url = page(node.module, alias.name)
                    if url:
                        yield f"{node.module}.{alias.name}", url


def main(target: Path) -> None:
    """
    Write the inventory, in the form that Sphinx calls version 2.
    """
    lines = "".join(f"{name} py:class 1 {url} -\n" for name, url in sorted(set(links())))
    header = "# Sphinx inventory version 2\n# Project: others\n# Version: 0\n"
    header += "# The remainder of this file is compressed using zlib.\n"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(header.encode() + zlib.compress(lines.encode()))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
