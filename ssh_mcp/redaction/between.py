"""Masking of a part of a text in the light of what is before and behind it."""

from __future__ import annotations

from collections.abc import Sequence

from ssh_mcp.redaction import lines
from ssh_mcp.redaction.detectors.key_blocks import open_block
from ssh_mcp.redaction.markers import Marker, apply
from ssh_mcp.redaction.model import Span
from ssh_mcp.redaction.output import ROUNDS, one_pass
from ssh_mcp.redaction.repeats import Repeats
from ssh_mcp.redaction.rules import Rules


def redact_between(text: str, start: int, end: int, rules: Rules, *, cut: bool) -> str:
    """``text[start:end]`` with the secrets of the whole text masked.

    A secret that lies across a bound has its marker in the part in which it begins, so that parts side by side show it
    once and never a piece of it. ``cut``: the text goes on behind its end, and so may a key block that it opens.
    """
    known = Repeats()
    for _ in range(ROUNDS):
        final = one_pass(text, known, lambda now: _found(now, rules, cut=cut))
        if not final:
            break
        start, end = (_moved(text, at, final, rules.marker) for at in (start, end))
        text = apply(text, final, rules.marker)
    return text[start:end]


def _found(text: str, rules: Rules, *, cut: bool) -> list[Span]:
    spans = lines.find(text, rules)
    opened = open_block(text) if cut else None
    return spans if opened is None else [*spans, Span(opened, len(text), "pem")]


def _moved(text: str, at: int, spans: Sequence[Span], marker: Marker) -> int:
    """Where ``at`` is once the spans are replaced: behind the marker for a place inside of a secret."""
    before = [span for span in spans if span.start < at]
    reach = max(at, before[-1].end) if before else at
    return len(apply(text[:reach], before, marker)) if before else at
