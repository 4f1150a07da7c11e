"""HCL: the default of a variable or output with a secret name (Terraform)."""

from __future__ import annotations

import re

from ssh_mcp.redaction import values
from ssh_mcp.redaction.detectors.base import LineDetector, Reach, bounded
from ssh_mcp.redaction.detectors.vocabulary import STEM, insensitive
from ssh_mcp.redaction.keys import Strength
from ssh_mcp.redaction.model import Span
from ssh_mcp.redaction.quoting import quoted
from ssh_mcp.redaction.stretch import Stretch

VARIABLE = re.compile(r"\b(?:variable|output|resource\s{1,9}\"\w{1,80}\")\s{1,9}\"([\w\-]{1,100})\"\s{0,9}\{")
_DEFAULT = re.compile(r"(?:^[ \t]*|\{[ \t]*)(?:default|value|result)[ \t]*=[ \t]*", re.MULTILINE)
_PAIR_REACH = 600
"""Characters beyond its line in which a name's value may be."""


def _variables(s: Stretch) -> list[Span]:
    """Terraform: the default of a variable with a secret name."""
    out = []
    for m in VARIABLE.finditer(s.text, s.start, s.end):
        strength = s.keys.strength(m[1])
        if strength is Strength.NONE:
            continue
        stop = s.text.find("\n}", m.end(), m.end() + 2000)
        d = _DEFAULT.search(s.text, m.end() - 1, stop if stop >= 0 else min(len(s.text), m.end() + _PAIR_REACH))
        place = quoted(s.text, d.end(), s.lines.end(d.end())) if d else None
        if place and s.is_secret(m[1], s.text[slice(*place)]) and not values.is_status(s.text[slice(*place)]):
            out.append(s.span(place, m[1]))
    return out


_VARIABLE_REACH = 2_700


def _reach(s: Stretch) -> list[Reach]:
    return [
        Reach(s.start, bounded(s.text, s.text.find("\n}", m.end()), m.end() + _VARIABLE_REACH))
        for m in VARIABLE.finditer(s.text, s.start, s.end)
        if s.keys.strength(m[1])
    ]


DETECTOR = LineDetector(
    name="HCL variables",
    find=_variables,
    reach=_reach,
    line=(insensitive(rf"(?:variable|output)[ \t]+\"[\w.\-]*{STEM}"),),
    hit='variable "db_password" {\n  default = "«hunter2x9»"\n}',
    miss='variable "db_password" {\n  sensitive = true\n}',
)
