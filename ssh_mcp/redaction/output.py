"""Masking of any tool's output, whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ssh_mcp.redaction import lines
from ssh_mcp.redaction.markers import apply, report, resolve
from ssh_mcp.redaction.model import Format, Redacted, Redaction, Span
from ssh_mcp.redaction.repeats import Repeats
from ssh_mcp.redaction.rules import Rules

ROUNDS = 4
"""Passes until nothing more is found. The first finds all but what its own markers uncover, so that the second is the
proof of idempotence; more than two are the exception."""
_SHORT = 4_096
"""Characters that are checked as a whole first: most results are a few words, which need not be taken apart."""


def redact_output(text: str, rules: Rules, repeats: Repeats | None = None) -> Redacted:
    """Mask secrets in any tool's output: high precision, no format assumed, ordinary text unchanged.

    A secret that is named once is masked wherever it occurs again in ``text``. ``repeats`` carries such values from one
    text of a result to the next. ``redactions`` carry the lines of ``text``. Linear in its length; 1 MiB without
    secrets takes a few milliseconds.
    """
    known = Repeats() if repeats is None else repeats
    if not known and len(text) <= _SHORT and text.isascii() and not rules.gate.may_find(text):
        return Redacted(text, (), Format.GENERIC)
    text, done = masked(text, rules, known, lambda now: lines.find(now, rules))
    return Redacted(text, done, Format.GENERIC)


def masked(
    text: str, rules: Rules, known: Repeats, find: Callable[[str], list[Span]]
) -> tuple[str, tuple[Redaction, ...]]:
    """``text`` with what ``find`` reports replaced by markers, and the same values wherever they occur again."""
    done: tuple[Redaction, ...] = ()
    again = known.first(text) if known else []
    for _ in range(ROUNDS):
        final = one_pass(text, known, find, again)
        again = []
        if not final:
            break
        done += report(text, final, rules.marker)
        text = apply(text, final, rules.marker)
    return text, done


def one_pass(text: str, known: Repeats, find: Callable[[str], list[Span]], more: Sequence[Span] = ()) -> list[Span]:
    """What ``find`` reports in ``text``, ``more``, and the places where the values just found occur again."""
    found = find(text)
    known.learn(text, resolve(text, found))
    return resolve(text, [*found, *more, *known.again(text)])
