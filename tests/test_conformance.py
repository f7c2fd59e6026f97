"""
The manual's page on conformance says what the tests show.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from tests.page import Page, rows

HERE = Path(__file__).parent
PAGE = Page("conformance.rst")

#: The requirements that there are; numbers between them were never given.
NUMBERS = {
    *range(1, 19),
    *range(20, 29),
    *range(30, 41),
    *range(45, 55),
    *range(57, 63),
    *range(65, 74),
    *range(75, 84),
    *range(85, 93),
    *range(95, 112),
}
#: What the release is about.
RELEASE = {number for number in NUMBERS if number <= 83 or number >= 95}
#: The clauses of the change request.
CLAUSES = ["2", "N.2.1", "N.3.1", "L.3"]

NAME = re.compile(r"test_R_(\d+)_\w+")


def tests() -> Iterator[tuple[int, str]]:
    """
    The numbers and names of the tests of requirements.
    """
    for path in HERE.rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                found = NAME.fullmatch(node.name)
                if found:
                    yield int(found[1]), node.name


class ConformanceTests(SynchronousTestCase):
    """
    The page and the tests.
    """

    def setUp(self) -> None:
        """
        Read both.
        """
        self.tests: dict[int, set[str]] = {}
        for number, name in tests():
            self.tests.setdefault(number, set()).add(name)
        self.rows = {int(row[0][2:]): row for row in rows(PAGE.text) if re.fullmatch(r"R-\d+", row[0])}
        self.states = {number: row[3] for number, row in self.rows.items()}

    def test_numbers(self) -> None:
        """
        The page has every requirement, once and in order, each with a state.
        """
        listed = [int(number) for number in re.findall(r"\* - R-(\d+)\n", PAGE.text)]
        self.assertEqual(listed, sorted(NUMBERS))
        self.assertLessEqual(set(self.states.values()), {"done", "partly", "not yet", "elsewhere"})

    def test_done(self) -> None:
        """
        What is done, in part or whole, has a test, and what is not has none.
        """
        for number, state in self.states.items():
            self.assertEqual(number in self.tests, state in ("done", "partly"), f"R-{number} is {state}")

    def test_known(self) -> None:
        """
        Every test of a requirement is of one that there is.
        """
        self.assertEqual(set(self.tests) - NUMBERS, set())

    def test_named(self) -> None:
        """
        Each line that claims something names tests of its own number that
        exist, and each other line says why not.
        """
        for number, (_, requirement, clause, state, why) in self.rows.items():
            named = {found[0] for found in NAME.finditer(why)}
            self.assertLessEqual(named, self.tests.get(number, set()), f"R-{number}")
            self.assertEqual(bool(named), state in ("done", "partly"), f"R-{number}")
            self.assertTrue(requirement and clause, f"R-{number}")
            if state != "done":
                self.assertTrue(NAME.sub("", why).strip("`, "), f"R-{number} says no reason")

    def test_release(self) -> None:
        """
        Nothing that the release is about is left undone.
        """
        left = {number for number in RELEASE if self.states[number] not in ("done", "partly")}
        self.assertEqual(left, set())

    def test_changeRequest(self) -> None:
        """
        Each statement of the change request leads to requirements that there
        are and that are done, in part or whole, or says why not.
        """
        section = PAGE.text.split("The change request\n----")[1].split("\nBy document\n----")[0]
        statements = [row for row in rows(section) if row[0] != "Clause"]
        self.assertEqual(list(dict.fromkeys(row[0] for row in statements)), CLAUSES)
        for clause, statement, here in statements:
            named = [int(number) for number in re.findall(r"\bR-(\d+)", here)]
            self.assertTrue(named or "." in here, (clause, statement))
            for number in named:
                self.assertIn(self.states[number], ("done", "partly"), (clause, statement))

    def test_references(self) -> None:
        """
        "As R-45" leads to a line that says why.
        """
        for number, row in self.rows.items():
            for other in re.findall(r"\b[Aa]s R-(\d+)", row[4]):
                self.assertNotIn("s R-", self.rows[int(other)][4][:5], f"R-{number}")
