"""
What was measured, and whether it is good enough.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median

#: What a target has to say where there is none.
_NONE = "-"


@dataclass(frozen=True, slots=True)
class Target:
    """
    What is to be reached.

    @ivar text: what people read.
    @ivar reached: whether it is, given a row.
    """

    text: str
    reached: Callable[["Row"], bool]


def atMost(limit: float) -> Target:
    """
    A figure of ours must not be above this.
    """
    return Target(f"≤ {limit:g}", lambda row: row.ours <= limit)


def atLeast(limit: float) -> Target:
    """
    A figure of ours must not be below this.
    """
    return Target(f"≥ {limit:,g}", lambda row: row.ours >= limit)


def atMostTimes(limit: float) -> Target:
    """
    Ours must not be above so many times theirs.
    """
    return Target(f"ratio ≤ {limit:.2f}", lambda row: row.ratio is not None and row.ratio <= limit)


def atMostAbove(limit: float, unit: str) -> Target:
    """
    Ours must not be above theirs by more than this.
    """
    return Target(f"≤ rtpengine + {limit:g} {unit}", lambda row: row.ours <= row.theirs + limit)


@dataclass(slots=True)
class Row:
    """
    One thing that was measured, several times.

    @ivar title: what it is.
    @ivar digits: how many to show behind the point.
    @ivar samples: our figures and the other program's, if it was measured, in
        the order of the repetitions.
    """

    title: str
    digits: int
    target: Target | None
    samples: tuple[list[float], list[float]] = field(default_factory=lambda: ([], []))

    @property
    def ours(self) -> float:
        """
        The median of our figures.
        """
        return median(self.samples[0])

    @property
    def theirs(self) -> float:
        """
        The median of rtpengine's, which there must be.
        """
        return median(self.samples[1])

    @property
    def ratio(self) -> float | None:
        """
        The median of the repetitions' ratios, ours to theirs, or L{None} if
        there is none: what disturbs one figure of a repetition is likely to
        disturb the other, too, and drops out.
        """
        if not self.samples[1]:
            # It does not do this.
            return None
        pairs = list(zip(*self.samples, strict=True))
        return None if any(theirs <= 0 for _, theirs in pairs) else median(a / b for a, b in pairs)

    @property
    def reached(self) -> bool | None:
        """
        Whether the target is, or L{None} if there is none.
        """
        return None if self.target is None else self.target.reached(self)

    def cells(self) -> list[str]:
        """
        The row as text.
        """
        ratio, reached = self.ratio, self.reached
        return [
            self.title,
            *(self._spread(samples) for samples in self.samples),
            _NONE if ratio is None else f"{ratio:.2f}",
            _NONE if self.target is None else self.target.text,
            _NONE if reached is None else "yes" if reached else "**no**",
        ]

    def _spread(self, samples: Sequence[float]) -> str:
        if not samples:
            return _NONE
        middle, low, high = (
            f"{each:,.{self.digits}f}" for each in (median(samples), min(samples), max(samples))
        )
        return middle if low == high else f"{middle} ({low} to {high})"


class Table:
    """
    Rows about one thing.

    @ivar title: what they have in common.
    """

    def __init__(self, title: str, other: str = "rtpengine") -> None:
        """
        @param other: what the gateway is compared with.
        """
        self.title = title
        self.header = ("", "e2aegw", other, "ratio", "target", "reached")
        self.rows: dict[str, Row] = {}

    def add(self, title: str, which: int, value: float, digits: int, target: Target | None = None) -> None:
        """
        Take down a figure.

        @param title: the row's.
        @param which: 0 if it is ours, 1 if it is rtpengine's.
        """
        row = self.rows.setdefault(title, Row(title, digits, target))
        row.samples[which].append(value)

    def markdown(self) -> str:
        """
        The table for the manual, in columns that people can read as they are.
        """
        lines = [list(self.header), *(row.cells() for row in self.rows.values())]
        widths = [max(len(line[column]) for line in lines) for column in range(len(self.header))]
        lines.insert(1, ["-" * width for width in widths])
        return "".join("| " + " | ".join(map(str.ljust, line, widths)) + " |\n" for line in lines)
