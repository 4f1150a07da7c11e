"""``password: |`` and the lines indented below it (YAML block scalars)."""

from __future__ import annotations

import re

from ssh_mcp.redaction.detectors.base import LineDetector, Reach, dedent, head_of
from ssh_mcp.redaction.detectors.vocabulary import STEM, insensitive
from ssh_mcp.redaction.model import Span
from ssh_mcp.redaction.quoting import block_content
from ssh_mcp.redaction.stretch import Stretch

BLOCK = re.compile(
    r"^([ \t]*(?:- +)*)[\"']?([\w.\-]{1,100})[\"']?[ \t]*:[ \t]+(?:![\w!:/.\-]+[ \t]+|&\w+[ \t]+)*"
    r"[|>][+\-0-9]{0,2}[ \t]*(?:#.*)?\r?$",
    re.MULTILINE,
)


def _blocks(s: Stretch) -> list[Span]:
    """``password: |`` and the lines indented below it."""
    out = []
    for m in BLOCK.finditer(s.text, s.start, s.end):
        if s.keys.strength(m[2]) and "!vault" not in m[0]:
            place = block_content(s.text, m.end(), len(m[1].expandtabs()))
            if place and s.is_secret(m[2], s.text[slice(*place)]):
                out.append(s.span(place, m[2]))
    return out


def _reach(s: Stretch) -> list[Reach]:
    m = BLOCK.match(s.text, s.start, s.end)
    if m is None or not s.keys.strength(m[2]):
        return []
    return [Reach(s.start, dedent(s.text, s.end, len(m[1].expandtabs())), head_of(s))]


DETECTOR = LineDetector(
    name="block scalars",
    find=_blocks,
    reach=_reach,
    line=(insensitive(rf"{STEM}[\"']?[ \t]*:[ \t][^\n]*[|>][+\-0-9]{{0,2}}[ \t]*(?:#|\r?\n|$)"),),
    hit="password: |\n  «correct horse»",
    miss="description: |\n  correct horse",
)
