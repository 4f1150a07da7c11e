"""The lines that a detector examines."""

from __future__ import annotations

from dataclasses import dataclass

from ssh_mcp.redaction.cursor import Lines
from ssh_mcp.redaction.keys import KeyMatcher, Strength
from ssh_mcp.redaction.model import Span
from ssh_mcp.redaction.quoting import Place
from ssh_mcp.redaction.talk import Reading
from ssh_mcp.redaction.values import is_secret


@dataclass(frozen=True, slots=True)
class Stretch:
    """``text[start:end]`` are whole lines; what they begin (a pair, a block) may reach beyond ``end``."""

    text: str
    start: int
    end: int
    keys: KeyMatcher
    reading: Reading
    lines: Lines

    def has(self, mark: str) -> bool:
        """Whether the stretch contains ``mark``."""
        return self.text.find(mark, self.start, self.end) >= 0

    def is_secret(self, name: str, value: str, at_least: Strength = Strength.NONE) -> bool:
        """Whether ``value`` under ``name`` is to be masked."""
        return is_secret(max(self.keys.strength(name), at_least), value, own=self.keys.is_own(name))

    def span(self, place: Place, name: str | None, kind: str = "key") -> Span:
        """What is reported for a place."""
        return Span(place[0], place[1], kind, name)
