"""Masking of any tool's output, whole."""

from __future__ import annotations

from ssh_mcp.redaction import lines
from ssh_mcp.redaction.markers import apply, report, resolve
from ssh_mcp.redaction.model import Format, Redacted, Redaction
from ssh_mcp.redaction.rules import Rules

ROUNDS = 4
"""Passes until nothing more is found. The first finds all but what its own markers uncover, so that the second is the
proof of idempotence; more than two are the exception."""
_SHORT = 4_096
"""Characters that are asked about as a whole first: most results are a few words, which need not be taken apart."""


def redact_output(text: str, rules: Rules) -> Redacted:
    """Mask secrets in any tool's output: high precision, no format assumed, ordinary text unchanged.

    ``redactions`` carry the lines of ``text``. Linear in its length; 1 MiB without secrets takes a few milliseconds.
    """
    if len(text) <= _SHORT and text.isascii() and not rules.gate.may_find(text):
        return Redacted(text, (), Format.GENERIC)
    done: tuple[Redaction, ...] = ()
    for _ in range(ROUNDS):
        spans, _opened = lines.find(text, rules)
        final = resolve(text, spans) if spans else []
        if not final:
            break
        done += report(text, final, rules.marker)
        text = apply(text, final, rules.marker)
    return Redacted(text, done, Format.GENERIC)
