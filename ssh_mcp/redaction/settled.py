"""Where a text may be cut so that its parts, redacted one by one, give the same as the whole.

Most of what the detectors find lies on one line. What does not, begins with a line that announces it: the head of a key
block, ``password: |``, ``name: DB_PASSWORD``, an open list, a tag, ``data:``. From such a line to where its meaning is
settled no cut is allowed. Wider is harmless (a line is shown a little later), narrower is a leak: so each reach below
is at least that of its detector.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ssh_mcp.redaction import continued, kubernetes, marked, tables
from ssh_mcp.redaction.blocks import BLOCK, LONG_REACH, OPENING, VARIABLE
from ssh_mcp.redaction.cursor import Lines
from ssh_mcp.redaction.folding import fold
from ssh_mcp.redaction.gate_patterns import Look
from ssh_mcp.redaction.kv import KEY_VALUE
from ssh_mcp.redaction.listed import LIST_END
from ssh_mcp.redaction.listed import limit as list_limit
from ssh_mcp.redaction.mappings import HEADING
from ssh_mcp.redaction.pem import HEADLESS, KeyBlocks, body_above
from ssh_mcp.redaction.phrases import FLAG_AT_END
from ssh_mcp.redaction.quoting import SEVERAL_LINES, open_quote
from ssh_mcp.redaction.rules import Rules
from ssh_mcp.redaction.stretch import Stretch
from ssh_mcp.redaction.talk import Reading

_NAME = re.compile(
    r"(?i)(?<![\w.\-])[\"']?(?:name|key|param(?:eter)?_?(?:name|key)|env_?var|variable|option|id|property|secretname"
    r"|setting)[\"']?[ \t]{0,9}(?:=>|[:=])(?=[ \t]{0,9}[\"']?([\w.\-/]{1,100}))"
)
_TAG_NAME = re.compile(r"<(?:name|key|string)>[ \t]*([\w.\-]{1,100})|\b(?:name|key|id)=[\"']([\w.\-]{1,100})")
_ROUNDS = 32
_NAME_LINES, _NAME_REACH = 3, 700
_TAG_REACH = 2_400
_VARIABLE_REACH = 2_700
_HEAD = 400
"""Characters of a line that is kept as a reach's head."""
_KEY_MARKS = ("PRIVATE KEY", "OpenVPN", "Private-Lines")


class Reach(NamedTuple):
    """From ``begin`` (a line's start) to ``end`` no cut; None: the text's end came before it was settled.

    For a reach without a bound, which may have to be cut all the same: ``above`` is to be read above it, so that it
    counts as secret though that is not known yet, and ``head`` above what follows, which must be read as its rest.
    """

    begin: int
    end: int | None
    head: str = ""
    above: str = ""


def settled(text: str, rules: Rules) -> tuple[int, list[Reach]]:
    """The last line start (or the end) of ``text``, which ends in a newline, at which it may be cut, and all reaches.

    0: nowhere.
    """
    folded = fold(text)
    reaches = _find(folded.text, rules)
    cut = _last_cut(folded.text, reaches)
    if not folded.moved:
        return cut, reaches
    cut = len(text) if cut == len(folded.text) else text.rfind("\n", 0, folded.origin(cut)) + 1
    return cut, [r._replace(begin=folded.origin(r.begin), end=r.end and folded.origin(r.end)) for r in reaches]


def _last_cut(text: str, reaches: list[Reach]) -> int:
    falling = sorted(reaches, key=lambda r: r.begin, reverse=True)
    hold = len(text)
    for _ in range(_ROUNDS):
        for reach in falling:
            if reach.begin < hold and (reach.end is None or reach.end > hold):
                hold = reach.begin
        above = body_above(text, hold, max(0, hold - HEADLESS))
        if above == hold:
            return hold
        hold = above  # lines of a key's body: an END line may follow
    return 0


def _find(text: str, rules: Rules) -> list[Reach]:
    out = [Reach(t.begin, t.end, *_assumed(t.indent)) for t in kubernetes.undecided(text)]
    if any(mark in text for mark in _KEY_MARKS):
        out += _key_blocks(text, rules)
    tabled, cursor = 0, Lines(text)
    for start, end, look in rules.gate.hot(text, file=True):
        out += _of_line(text, start, end, rules)
        if Look.TABLES in look and start >= tabled:
            table = tables.read(Stretch(text, start, end, rules.keys, Reading.OUTPUT, cursor))
            if table:
                out.append(Reach(start, table.end, table.head if len(table.head) < _HEAD else ""))
                tabled = len(text) if table.end is None else table.end
    out += _continued(text)
    if rules.keys.default_words and (marks := rules.gate.marks(text)):
        out += [Reach(*reach) for reach in marked.reaches(text, rules.keys, marks)]
    return out


def _assumed(indent: int) -> tuple[str, str]:
    blanks = " " * min(indent, _HEAD)
    return f"{blanks}kind: Secret\n{blanks}data:\n", f"{blanks}kind: Secret\n"


def _key_blocks(text: str, rules: Rules) -> list[Reach]:
    found = KeyBlocks(text)
    for start, end, _ in rules.gate.hot(text):
        found.find(start, end, [])
    out = []
    for begin, until in found.reaches:
        line = text.rfind("\n", 0, begin) + 1
        nl = text.find("\n", begin)
        out.append(Reach(line, until, text[begin : nl + 1] if 0 <= nl - begin < _HEAD else ""))
    return out


def _of_line(text: str, start: int, end: int, rules: Rules) -> list[Reach]:
    """What the line ``text[start:end]`` announces."""
    strength, ends, out = rules.keys.strength, list[int | None](), []
    if (m := BLOCK.match(text, start, end)) and strength(m[2]):
        head = text[start:end] if end - start < _HEAD else ""
        out.append(Reach(start, _dedent(text, end, len(m[1].expandtabs())), head))
    if (h := HEADING.match(text, start, end)) and (strength(h[2]) or rules.keys.plural(h[2])):
        head = text[start:end] if end - start < _HEAD else ""
        out.append(Reach(start, _dedent(text, end, len(h[1].expandtabs()), items=True), head))
    for m in _NAME.finditer(text, start, end):
        if strength(m[1]):
            ends.append(_lines_below(text, end, _NAME_LINES, m.end() + _NAME_REACH))
    if text.find("<", start, end) >= 0:
        for m in _TAG_NAME.finditer(text, start, end):
            if strength(m[1] or m[2]):
                ends.append(_third_tag(text, m.start() + 1, m.end() + _TAG_REACH))
    if (f := FLAG_AT_END.search(text, start, end)) and strength(f[1]):
        ends.append(_lines_below(text, end, 1, end + _NAME_REACH))
    ends += (
        _lists(text, start, end, rules) + _open_quotes(text, start, end, rules) + _open_blocks(text, start, end, rules)
    )
    return out + [Reach(start, until) for until in ends]


def _open_blocks(text: str, start: int, end: int, rules: Rules) -> list[int | None]:
    """Ends of HCL's variables and of elements whose opening tag ends the line."""
    ends = [
        _bounded(text, text.find("\n}", m.end()), m.end() + _VARIABLE_REACH)
        for m in VARIABLE.finditer(text, start, end)
        if rules.keys.strength(m[1])
    ]
    return ends + [
        _bounded(text, text.find(f"</{tag[1]}>", tag.end(), end + LONG_REACH), end + LONG_REACH)
        for tag in OPENING.finditer(text, start, end)
        if rules.keys.strength(tag[1])
    ]


def _continued(text: str) -> list[Reach]:
    """Commands over several lines: all of them together say what is a password."""
    return [Reach(low, high if text[high - 1] == "\n" else None) for low, high in continued.commands(text)]


def _open_quotes(text: str, start: int, end: int, rules: Rules) -> list[int | None]:
    """Where it is settled whether quotes that the line leaves open close on a line below."""
    ends: list[int | None] = []
    for m in KEY_VALUE.finditer(text, start, end):
        name = m[1].lstrip("-")
        if rules.keys.strength(name) and (mark := open_quote(text, m.end(), end)):
            limit = end + SEVERAL_LINES
            found = text.find(mark, end, limit)
            line_end = text.find("\n", found) if found >= 0 else -1
            ends.append(_bounded(text, line_end + 1 if line_end >= 0 else -1, limit + SEVERAL_LINES))
    return ends


def _lists(text: str, start: int, end: int, rules: Rules) -> list[int | None]:
    """Ends of ``passwords: [`` that are on a line below."""
    if text.find("[", start, end) < 0:
        return []
    closed = max(text.rfind("]", start, end), text.rfind("{", start, end), start)
    ends = []
    for m in KEY_VALUE.finditer(text, max(start, closed - 240), end):
        at = m.end()
        if at > closed and text.startswith("[", at) and rules.keys.strength(m[1].lstrip("-")):
            limit = list_limit(at, end)
            found = LIST_END.search(text, at + 1, limit)
            ends.append(_bounded(text, found.end() if found else -1, limit))
    return ends


def _bounded(text: str, found: int, limit: int) -> int | None:
    if 0 <= found < limit:
        return found
    return limit if limit < len(text) else None


def _lines_below(text: str, at: int, count: int, limit: int) -> int | None:
    """The end of the ``count``-th line below that is not blank, within ``limit``."""
    while count and at < min(len(text), limit):
        nl = text.find("\n", at)
        if nl < 0:
            return None
        count -= not text[at:nl].isspace() and nl > at
        at = nl + 1
    return at if not count or at > limit else limit if limit < len(text) else None


def _third_tag(text: str, at: int, limit: int) -> int | None:
    for _ in range(3):
        at = text.find("<", at, limit) + 1
        if not at:
            return limit if limit < len(text) else None
    return at


def _dedent(text: str, at: int, indent: int, *, items: bool = False) -> int | None:
    """The start of the first line at or after ``at`` that is neither blank nor indented deeper than ``indent``.

    ``items``: a line as deep that begins with a dash belongs to the list above it.
    """
    while at < len(text):
        nl = text.find("\n", at)
        line = text[at : nl if nl >= 0 else len(text)]
        core = line.lstrip()
        depth = len(line) - len(core)
        if core and depth <= indent and not (items and depth == indent and core.startswith("- ")):
            return at
        if nl < 0:
            break
        at = nl + 1
    return None
