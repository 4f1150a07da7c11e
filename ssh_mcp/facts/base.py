"""What a fact is: a read-only question to a host, and what its output means.

A fact knows no transport: ``command()`` is the question as tokens, ``parse()`` reads the output. Output comes from
machines that nobody has seen before, so ``parse`` never raises: what it cannot read it reports in ``problems``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from ssh_mcp.tokens import Command

T_co = TypeVar("T_co", covariant=True)

MAX_PROBLEMS = 8
"""Remarks kept about one output."""


@dataclass(frozen=True, slots=True)
class Parsed(Generic[T_co]):
    """A value and, in sentences, what of the output could not be read."""

    value: T_co
    problems: tuple[str, ...] = ()


class Fact(Protocol[T_co]):
    """A question and its reader."""

    def command(self) -> Command:
        """Read-only, and sound in a POSIX ``sh`` under ``LC_ALL=C``."""

    def parse(self, output: str) -> Parsed[T_co]:
        """Read stdout (undecodable bytes already replaced). Never raises."""


class Problems:
    """Collects remarks while parsing; keeps the first few and counts the rest."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._lines: list[str] = []
        self._count = 0

    def unread(self, text: str) -> None:
        """One piece of output that fits no known form."""
        self._count += 1
        if len(self._lines) < MAX_PROBLEMS:
            shown = text if len(text) <= 120 else text[:117] + "..."
            self._lines.append(f"{self._what}: could not read {shown!r}")

    def missing(self, what: str) -> None:
        """Something expected that the output does not hold."""
        self._count += 1
        if len(self._lines) < MAX_PROBLEMS:
            self._lines.append(f"{self._what}: {what}")

    def all(self) -> tuple[str, ...]:
        rest = self._count - len(self._lines)
        return (*self._lines, f"{self._what}: {rest} more like these") if rest else tuple(self._lines)


def number(text: str) -> float | None:
    """A decimal number (a comma may be the point); None for anything else, infinities and NaN included."""
    try:
        value = float(text.strip().replace(",", "."))
    except ValueError:
        return None
    return value if abs(value) < 1e300 else None


def integer(text: str) -> int | None:
    """A plain decimal integer of at most 24 digits."""
    digits = text.strip()
    if not digits or len(digits) > 24 or not digits.isascii() or not digits.removeprefix("-").isdigit():
        return None
    return int(digits)
