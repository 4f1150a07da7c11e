"""``define("DB_PASSWORD", "x")``: a call with a name and a value."""

from __future__ import annotations

import re

from ssh_mcp.redaction import values
from ssh_mcp.redaction.detectors.base import LineDetector
from ssh_mcp.redaction.detectors.vocabulary import STEM, insensitive
from ssh_mcp.redaction.model import Span
from ssh_mcp.redaction.quoting import quoted
from ssh_mcp.redaction.stretch import Stretch
from ssh_mcp.redaction.words import words

_CALL = re.compile(r"(\w{0,40})\(\s{0,8}[\"']([\w.\-]{1,100})[\"'][ \t]*,[ \t]*(?=[\"'])")
_SETTERS = words("define setenv putenv setproperty set put getenv get env fetch environ config lookup_env")


def _calls(s: Stretch) -> list[Span]:
    """``define('DB_PASSWORD', 'x')``, ``os.getenv("TOKEN", "x")``."""
    out = []
    for m in _CALL.finditer(s.text, s.start, s.end):
        if not m[1] or not s.keys.strength(m[2]):
            continue
        if place := quoted(s.text, m.end(), s.lines.end(m.end())):
            value = s.text[slice(*place)]
            literal = m[1].lower() in _SETTERS or m[2].isupper() or not values.is_harmless(value)
            if literal and s.is_secret(m[2], value):
                out.append(s.span(place, m[2]))
    return out


DETECTOR = LineDetector(
    name="calls",
    find=_calls,
    line=(insensitive(rf"\w\([ \t]*[\"'][\w.\-]*{STEM}[\"'][ \t]*,"),),
    hit="define('DB_PASSWORD', '«hunter2x9»');",
    miss="log('password', 'changed');",
)
