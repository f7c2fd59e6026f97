"""
A page of the manual, as tests read it.
"""

import re
from collections.abc import Iterator
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"

_HEADING = re.compile(r"(?m)^(?P<title>\S.*)\n(?P<line>[=~-])(?P=line){2,}$")
_INDENT = "   "


class Page:
    """
    What stands in a reStructuredText file of C{docs}.

    @ivar text: all of it.
    """

    def __init__(self, name: str) -> None:
        self.text = (DOCS / name).read_text(encoding="utf-8")

    def blocks(self, language: str) -> list[str]:
        """
        The code blocks of a language.
        """
        found = re.finditer(
            rf"(?m)^\.\. code-block:: {language}\n((?: *:.*\n)*)\n((?:   .*\n|\n)+)", self.text
        )
        return [_outdent(block[2]) for block in found]

    def sections(self) -> Iterator[tuple[str, str]]:
        """
        Titles, and what stands below each up to the next.
        """
        headings = list(_HEADING.finditer(self.text))
        ends = [heading.start() for heading in headings[1:]] + [len(self.text)]
        for heading, end in zip(headings, ends, strict=True):
            yield heading["title"], self.text[heading.end() : end]

    def section(self, title: str) -> str:
        """
        What stands below a title.

        @raise KeyError: there is no such title.
        """
        return dict(self.sections())[title]

    def flat(self) -> str:
        """
        The text, with one blank wherever there is white space.
        """
        return flatten(self.text)


def literal(name: str) -> list[str]:
    """
    The blocks after two colons in a file of the repository.
    """
    text = (DOCS.parent / name).read_text(encoding="utf-8")
    found = re.findall(r"(?m)^(?! *\.\. ).*::\n\n((?:    .*\n|\n)+)", text)
    return [re.sub(r"(?m)^    ", "", block).strip("\n") + "\n" for block in found]


def flatten(text: str) -> str:
    """
    Put one blank wherever there is white space.
    """
    return re.sub(r"\s+", " ", text).strip()


def rows(text: str) -> list[list[str]]:
    """
    The rows of the list-tables in a text, without those at the head.
    """
    found: list[list[str]] = []
    for table in re.split(r"(?m)^\.\. list-table::.*\n", text)[1:]:
        heads = int((re.search(r":header-rows: (\d+)", table) or ["", "0"])[1])
        body = re.split(r"\n(?=\S)", table)[0]
        lines = re.split(r"(?m)^   \* - ", body)[1 + heads :]
        found += [[flatten(cell) for cell in re.split(r"\n     -(?: |$)", line)] for line in lines]
    return found


def _outdent(block: str) -> str:
    return re.sub(r"(?m)^   ", "", block).rstrip("\n") + "\n"
