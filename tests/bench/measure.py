"""Timing: warm-up, medians, spread, and rows that set a figure of ours against a bare OpenSSH one of the same run."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Sample:
    """Milliseconds. ``spread`` is half the distance between the quartiles."""

    median: float
    spread: float
    best: float
    count: int


def sample(once: Callable[[], object], *, rounds: int, warm_up: int = 1, pause: float = 0.0) -> Sample:
    """Time ``once`` ``rounds`` times after ``warm_up`` untimed ones, ``pause`` seconds before each."""
    for _ in range(warm_up):
        once()
    times = []
    for _ in range(rounds):
        time.sleep(pause)
        began = time.perf_counter()
        once()
        times.append((time.perf_counter() - began) * 1000)
    return summary(times)


def interleaved(
    *each: Callable[[], object],
    rounds: int,
    warm_up: int = 1,
    pause: float = 0.0,
    before: Callable[[], object] = lambda: None,
) -> list[Sample]:
    """Time several things turn by turn, so that a change of the machine's load meets all of them.

    Before each, ``pause`` seconds and ``before``, untimed.
    """
    for once in each:
        for _ in range(warm_up):
            before()
            once()
    times: list[list[float]] = [[] for _ in each]
    for _ in range(rounds):
        for number, once in enumerate(each):
            time.sleep(pause)
            before()
            began = time.perf_counter()
            once()
            times[number].append((time.perf_counter() - began) * 1000)
    return [summary(t) for t in times]


def summary(times: list[float]) -> Sample:
    ordered = sorted(times)
    quarter = len(ordered) // 4
    spread = (ordered[-1 - quarter] - ordered[quarter]) / 2
    return Sample(statistics.median(ordered), spread, ordered[0], len(ordered))


@dataclass(frozen=True)
class Row:
    """One line of the table. ``ratio`` is ours/reference; ``wanted`` is the most it should be (None: no aim)."""

    name: str
    ours: Sample
    reference: str = ""
    against: Sample | None = None
    wanted: float | None = None
    note: str = ""

    @property
    def ratio(self) -> float | None:
        return self.ours.median / self.against.median if self.against and self.against.median else None

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "ratio": self.ratio}


@dataclass(frozen=True)
class Figure:
    """A number that is not a time: bytes, MiB."""

    name: str
    value: float
    unit: str
    wanted: float | None = None
    note: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def table(rows: list[Row | Figure]) -> str:
    """Markdown for docs/performance.md and the terminal: median, half the distance of the quartiles, and the best."""
    lines = [
        "| what | ours | best | against | theirs | best | ratio | wanted |",
        "|---|---:|---:|---|---:|---:|---:|---:|",
    ]
    for row in rows:
        if isinstance(row, Figure):
            aim = f"≤ {row.wanted:g} {row.unit}" if row.wanted is not None else ""
            lines.append(
                f"| {row.name} | {row.value:,.{2 if row.value < 10 else 1}f} {row.unit} | | {row.note} | | | | {aim} |"
            )
            continue
        theirs, their_best = (_ms(row.against), _best(row.against)) if row.against else ("", "")
        ratio = f"{row.ratio:.2f}" if row.ratio is not None else ""
        aim = f"≤ {row.wanted:g}" if row.wanted is not None else ""
        ours = f"{_ms(row.ours)} | {_best(row.ours)}"
        lines.append(f"| {row.name} | {ours} | {row.reference} | {theirs} | {their_best} | {ratio} | {aim} |")
    return "\n".join(lines)


def _best(value: Sample) -> str:
    return f"{value.best:,.{2 if value.best < 100 else 0}f}"


def _ms(value: Sample) -> str:
    digits = 2 if value.median < 100 else 0
    return f"{value.median:,.{digits}f} ± {value.spread:,.{digits}f} ms"
