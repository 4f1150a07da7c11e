"""Objects whose kind is Secret, as kubectl prints them in YAML and JSON: every value under ``data`` and ``stringData``.

Whether these values are secret only the object's kind says, which may be above or below them. One pass over the
lines, by indentation: neither YAML nor JSON need be whole.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ssh_mcp.redaction.cursor import Lines
from ssh_mcp.redaction.detectors.base import HEAD, Reach, TextDetector, Wide
from ssh_mcp.redaction.model import Span
from ssh_mcp.redaction.quoting import block_content

_DATA_LINE = re.compile(r"ata[\"']?:[ \t]*\{?[ \t]*\r?$", re.MULTILINE)
_SECRET = re.compile(r"^[ \t]*(?:- )?[\"']?kind[\"']?:[ \t]*[\"']?Secret[\"']?[ \t]*,?[ \t]*(?:#.*)?\r?$", re.MULTILINE)
_LINE = re.compile(r"([ \t]*)(- +)?(?:[\"']?([\w.\-/]{1,253})[\"']?:[ \t]*([^\r\n]*)|[}\]#][^\n]*)?")
_END = re.compile(r"(?:---|\.\.\.)(?:\s|\Z)")
_ENTRY = re.compile(r"^[ \t]+[\"']?([\w.\-/]{1,253})[\"']?:[ \t]*[\"']?([^\s\"',|>&{\[][^\s\"',]*)", re.MULTILINE)
_ENTRY_BLOCK = re.compile(r"^([ \t]+)[\"']?([\w.\-/]{1,253})[\"']?:[ \t]*[|>][+\-0-9]*[ \t]*\r?$", re.MULTILINE)
_INLINE_DATA = re.compile(r"\"(?:data|stringData)\":\s?\{([^{}]*)\}")
_INLINE_ENTRY = re.compile(r"\"([\w.\-/]{1,253})\":\s?\"([^\"]+)\"")
_SECRET_INLINE = re.compile(r"\"kind\":\s?\"Secret\"")
_REACH = 262_144
"""Characters on one line around ``"kind":"Secret"`` in which its ``"data":`` is looked for."""
DATA_KEYS = frozenset({"data", "stringData"})


@dataclass(slots=True)
class Thing:
    """One object: the indentation of its keys, where its ``data`` lines begin, and its kind as far as it is known."""

    indent: int
    begin: int
    data: list[tuple[int, int]] = field(default_factory=list)
    kind: str | None = None
    versioned: bool = False
    end: int | None = None


def spans(text: str) -> list[Span]:
    """Values of all Secret objects of ``text``."""
    out: list[Span] = []
    if _SECRET.search(text):
        for thing in things(text):
            if thing.kind == "Secret":
                for start, end in thing.data:
                    out += _entries(text, start, end, thing.indent)
    lines = Lines(text)
    for m in _SECRET_INLINE.finditer(text):
        line, eol = lines.start(m.start()), lines.end(m.end())
        for d in _INLINE_DATA.finditer(text, max(line, m.start() - _REACH), min(eol, m.end() + _REACH)):
            out += [Span(*e.span(2), "key", f"data.{e[1]}") for e in _INLINE_ENTRY.finditer(text, *d.span(1))]
    return out


def undecided(text: str) -> list[Thing]:
    """Every object that is a Secret or may yet turn out to be one, ended or not."""
    if not (_DATA_LINE.search(text) or ("Secret" in text and _SECRET.search(text))):
        return []
    return [t for t in things(text) if t.kind in {"Secret", None} and (t.data or t.kind)]


def things(text: str) -> list[Thing]:
    """Every mapping with a ``kind``, ``data`` or ``stringData`` on a line of its own."""
    found: list[Thing] = []
    open_things: dict[int, Thing] = {}
    at = 0
    while at < len(text):
        nl = text.find("\n", at)
        following = len(text) if nl < 0 else nl + 1
        m = _LINE.match(text, at, following)
        if m is not None and not (m.end() == len(m[1]) + at and text[m.end() : following].isspace()):
            _close(open_things, m, at, ended=_END.match(text, at) is not None)
            if m[3] is not None:
                _take(found, open_things, m, at)
        at = following
    return found


def _close(open_things: dict[int, Thing], m: re.Match[str], at: int, *, ended: bool) -> None:
    depth = len(m[1])
    foreign = m[2] is None and m.end() == m.end(1)  # no key, item or bracket: not of this object
    for indent in [i for i in open_things if ended or i > depth or (foreign and i == depth)]:
        open_things.pop(indent).end = at


def _take(found: list[Thing], open_things: dict[int, Thing], m: re.Match[str], at: int) -> None:
    indent, name, value = len(m[1]) + len(m[2] or ""), m[3], m[4].partition(" #")[0].rstrip(", \t")
    is_data = name in DATA_KEYS and value in {"", "{"}
    thing = open_things.get(indent)
    if thing and thing.versioned and name == "apiVersion":
        open_things.pop(indent).end = at
        thing = None
    if thing is None:
        if not is_data and name not in {"kind", "apiVersion"}:
            return
        thing = open_things[indent] = Thing(indent, at)
        found.append(thing)
    if name == "apiVersion":
        thing.versioned = True
    elif name == "kind" and thing.kind is None:
        thing.kind = value.strip("\"'")
        if thing.kind != "Secret":
            thing.end = at
    elif is_data:
        thing.data.append((at, m.end()))


def _entries(text: str, start: int, end: int, indent: int) -> list[Span]:
    place = block_content(text, end, indent)
    if place is None:
        return []
    start = text.rfind("\n", 0, place[0]) + 1
    out = [Span(*m.span(2), "key", f"data.{m[1]}") for m in _ENTRY.finditer(text, start, place[1])]
    return out + [
        Span(*body, "key", f"data.{m[2]}")
        for m in _ENTRY_BLOCK.finditer(text, start, place[1])
        if (body := block_content(text, m.end(), len(m[1])))
    ]


def _assumed(indent: int) -> tuple[str, str]:
    blanks = " " * min(indent, HEAD)
    return f"{blanks}kind: Secret\n{blanks}data:\n", f"{blanks}kind: Secret\n"


DETECTOR = TextDetector(
    name="Kubernetes secrets",
    find=lambda page, _: spans(page.text),
    reach=lambda page, _: [Reach(t.begin, t.end, *_assumed(t.indent)) for t in undecided(page.text)],
    anywhere=("Secret",),
    wide=(Wide("keys", r"kind[\"']?:[ \t]*[\"']?secret"),),
    hit="apiVersion: v1\nkind: Secret\ndata:\n  a: «cGFzc3dvcmQ=»",
    miss="apiVersion: v1\nkind: ConfigMap\ndata:\n  a: cGFzc3dvcmQ=",
)
