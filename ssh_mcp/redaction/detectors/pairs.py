"""``name: DB_PASSWORD`` and ``value: x`` of one object, on one line or on neighbouring ones, whichever comes first."""

from __future__ import annotations

import re

from ssh_mcp.redaction.detectors.base import LineDetector, Reach, Wide, lines_below
from ssh_mcp.redaction.detectors.vocabulary import STEM, insensitive
from ssh_mcp.redaction.model import Span
from ssh_mcp.redaction.quoting import Place, quoted, without_reference
from ssh_mcp.redaction.stretch import Stretch

_NAME_KEY = r"(?:name|key|param(?:eter)?_?(?:name|key)|env_?var|variable|option|id|property|secretname|setting)"
_VALUE_KEY = (
    r"(?:value|val|default|content|defaultvalue|secret_?value|param(?:eter)?_?value|data|current|string_?value)"
)
_PAIR_HEAD = re.compile(rf"(?i)(?<![\w.\-])[\"']?{_NAME_KEY}[\"']?+[ \t]{{0,9}}+[:=]")
"""How ``_PAIR`` begins, all on one line: looked for in the stretch alone, the rest is only asked behind one."""
_PAIR = re.compile(
    rf"""(?ix)
    (?<![\w.\-]) ["']? {_NAME_KEY} ["']?+ [ \t]{{0,9}}+ (?:=>|[:=]) [ \t]{{0,9}}+ ["']?+ ([\w.\-/]{{1,100}}+) ["']?+
    (?> [ \t]{{0,9}} , )?+ \s{{0,60}}+
    (?> ["']?+ (?!{_VALUE_KEY}\b) \w{{1,30}}+ ["']?+ [ \t]{{0,9}}+ [:=] [ \t]{{0,9}}+      # other fields between
        ["']?+ [\w.\-]{{0,60}}+ ["']?+ [ \t]{{0,9}}+ ,?+ \s{{1,60}}+ ){{0,2}}+
    ["']?+ {_VALUE_KEY} ["']?+ [ \t]{{0,9}}+ (?:=>|[:=]) [ \t]{{0,9}}+
    """
)
_VALUE_HEAD = re.compile(rf"(?i)(?<![\w.\-])[\"']?{_VALUE_KEY}[\"']?+[ \t]{{0,9}}+(?:=>|[:=])[ \t]{{0,9}}+")
_NAME_BELOW = re.compile(
    rf"""(?ix)
    ["']?+ (?> [ \t]{{0,9}} , )?+ (?:[ \t]{{1,60}}+|[ \t]*+\r?\n[ \t]{{1,60}}+|(?<=,))(?!-[ ])
    (?> ["']?+ (?!(?:{_NAME_KEY}|{_VALUE_KEY})\b) \w{{1,30}}+ ["']?+ [ \t]{{0,9}}+ [:=] [ \t]{{0,9}}+
        ["']?+ [\w.\-]{{0,60}}+ ["']?+ [ \t]{{0,9}}+ ,?+ (?:[ \t]{{1,60}}+|\r?\n[ \t]{{1,60}}+) (?!-[ ]) ){{0,2}}+
    ["']?+ {_NAME_KEY} ["']?+ [ \t]{{0,9}}+ (?:=>|[:=]) [ \t]{{0,9}}+ ["']?+ ([\w.\-/]{{1,100}}+)
    """
)
"""What is behind a value whose name comes later: ``, "name": "DB_PASSWORD"``. A dash begins another object."""
_BEGINS = re.compile(
    r"(?:[{(][^{}()]{0,300}|^[ \t]*(?:- +)+(?:(?!^[ \t]*-)[^{}]){0,300}|<[\w:.\-]{1,60}\s[^<>]{0,300})\Z", re.MULTILINE
)
"""The beginning of an object, and what of it is before a value."""
_NAMES_IT = re.compile(rf"(?i)(?<![\w.\-])[\"']?{_NAME_KEY}[\"']?[ \t]{{0,9}}[:=]")
_PAIR_WORD = re.compile(r"[^\s,\"'}]{1,4096}")
_PAIR_REACH = 600
"""Characters beyond its line in which a name's value may be."""
_LINES_ABOVE = 3
"""How far above its value the name of a pair may be."""


def pairs(s: Stretch) -> list[Span]:
    """``name: DB_PASSWORD`` and ``value: x``, in this order, on one line or on neighbouring ones."""
    text, out = s.text, []
    at = s.start
    for _ in range(_LINES_ABOVE if at else 0):
        at = text.rfind("\n", max(0, at - 300), max(0, at - 1)) + 1
    limit = min(len(text), s.end + _PAIR_REACH)
    while head := _PAIR_HEAD.search(text, at, s.end):
        m = _PAIR.match(text, head.start(), limit)
        at = m.end(1) if m else head.start() + 1
        if not m:
            continue
        if s.keys.strength(m[1]) and (place := _pair_value(s, m.end())):
            place = without_reference(text, place)
            if s.is_secret(m[1], text[slice(*place)]):
                out.append(s.span(place, m[1]))
    return out


def reversed_pairs(s: Stretch) -> list[Span]:
    """``- value: x`` and ``name: DB_PASSWORD`` behind or below it, where the object begins above."""
    text, out = s.text, []
    for head in _VALUE_HEAD.finditer(text, s.start, s.end):
        place = _pair_value(s, head.end())
        m = _NAME_BELOW.match(text, place[1], min(len(text), s.end + _PAIR_REACH)) if place else None
        if place is None or m is None or not s.keys.strength(m[1]) or not _is_first(text, head.start()):
            continue
        place = without_reference(text, place)
        if s.is_secret(m[1], text[slice(*place)]):
            out.append(s.span(place, m[1]))
    return out


def _is_first(text: str, at: int) -> bool:
    """Whether the object of the value at ``at`` begins within a few lines above, and nothing names the value there."""
    low = at
    for _ in range(_LINES_ABOVE):
        low = text.rfind("\n", max(0, low - 300), max(0, low - 1)) + 1
        begin = _BEGINS.search(text, low, at)
        if begin is not None:
            return not _NAMES_IT.search(text, begin.start(), at)
        if not low:
            break
    return False


def _pair_value(s: Stretch, at: int) -> Place | None:
    eol = s.lines.end(at)
    if place := quoted(s.text, at, eol):
        return place
    word = _PAIR_WORD.match(s.text, at, eol)
    return word.span() if word and word[0][0] not in "|>&*{[" else None


_NAMED = re.compile(
    rf"(?i)(?<![\w.\-])[\"']?{_NAME_KEY}[\"']?[ \t]{{0,9}}(?:=>|[:=])(?=[ \t]{{0,9}}[\"']?([\w.\-/]{{1,100}}))"
)


def _reach(s: Stretch) -> list[Reach]:
    named = [
        Reach(s.start, lines_below(s.text, s.end, _LINES_ABOVE, m.end() + _PAIR_REACH + 100))
        for m in _NAMED.finditer(s.text, s.start, s.end)
        if s.keys.strength(m[1])
    ]
    if not named and (m := _VALUE_HEAD.search(s.text, s.start, s.end)) and _is_first(s.text, m.start()):
        return [Reach(s.start, lines_below(s.text, s.end, _LINES_ABOVE, m.end() + _PAIR_REACH))]
    return named


DETECTOR = LineDetector(
    name="pairs of name and value",
    find=lambda s: pairs(s) + reversed_pairs(s),
    reach=_reach,
    # The name's own line is examined when its value's is, which is below.
    wide=(Wide("values", r"val(?:ue)?[\"']?[ \t]*:[ \t]*[\"']?[^\s\"'{\[]"),),
    line=(
        insensitive(r"(?:^|[^A-Za-z])(?:parameter)?val(?:ue)?[\"']?[ \t]*:[ \t]*[\"']?[^\s\"'{\[]"),
        insensitive(
            r"(?:^|[^\w.\-])(?:name|key|id|param[a-z_]*|variable|env_?var|option|property|setting|string"
            r"|field)[\"']?[ \t]*"
            rf"(?:=>|[:=>])[ \t]*[\"']?[\w.\-/]*{STEM}[\"']?[ \t]*(?:,|;|\r?\n|<|$|/?>|[ \t](?:v|d|c|t)|[ \t][^<>\n]*>)"
        ),
    ),
    hit="- name: DB_PASSWORD\n  value: «hunter2x9»",
    miss="- name: DB_PASSWORD\n  valueFrom: vault",
)
