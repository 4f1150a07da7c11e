"""All format-free detectors over the lines that the gate lets through."""

from __future__ import annotations

import re

from ssh_mcp.redaction import blocks, commands, kv, phrases, shapes
from ssh_mcp.redaction.cursor import Lines
from ssh_mcp.redaction.gate_patterns import Look
from ssh_mcp.redaction.model import Span
from ssh_mcp.redaction.pem import KeyBlocks
from ssh_mcp.redaction.rules import Rules
from ssh_mcp.redaction.stretch import Stretch
from ssh_mcp.redaction.talk import Reading

_SECRET_KIND = re.compile(r"^([ \t]*)[\"']?kind[\"']?:[ \t]*[\"']?Secret[\"']?[ \t]*,?[ \t]*\r?$", re.MULTILINE)
_DATA = re.compile(r"^([ \t]*)[\"']?(?:data|stringData)[\"']?:[ \t]*(\{?)[ \t]*\r?$", re.MULTILINE)
_ENTRY = re.compile(r"^[ \t]+[\"']?([\w.\-/]{1,253})[\"']?:[ \t]*[\"']?([^\s\"',|>&{\[][^\s\"',]*)", re.MULTILINE)
_INLINE_DATA = re.compile(r"\"(?:data|stringData)\":\{([^{}]*)\}")
_INLINE_ENTRY = re.compile(r"\"([\w.\-/]{1,253})\":\"([^\"]+)\"")
_SECRET_INLINE = re.compile(r"\"kind\":\s?\"Secret\"")
_DOCUMENT = re.compile(r"^(?:---|\.\.\.).*$|^-?[ \t]*apiVersion:|^[ \t]*\"apiVersion\":", re.MULTILINE)
_REACH = 262_144
"""Characters around ``kind: Secret`` in which its ``data:`` is looked for."""


def find(text: str, rules: Rules, reading: Reading = Reading.OUTPUT) -> tuple[list[Span], int | None]:
    """Spans of every secret, unsorted, and where a key block begins that the text's end cuts off."""
    out: list[Span] = []
    key_blocks = KeyBlocks(text)
    keys = rules.keys
    cursor = Lines(text)
    for start, end, look in rules.gate.hot(text, file=reading is Reading.FILE):
        key_blocks.find(start, end, out)
        if key_blocks.covered >= end:
            continue
        if Look.SHAPES in look:
            shapes.find_all(text, start, end, out)
        if Look.KEY_VALUE in look:
            out += kv.scan(text, start, end, keys, reading)
        if Look.PHRASES in look:
            stretch = Stretch(text, start, end, keys, reading, cursor)
            out += blocks.scan(stretch)
            out += phrases.scan(stretch)
        if Look.COMMANDS in look and keys.default_words:
            commands.scan(text, start, end, out)
    if "Secret" in text:
        _kubernetes(text, out)
    return out, key_blocks.opened


def _kubernetes(text: str, out: list[Span]) -> None:
    """Values under ``data:`` and ``stringData:`` of an object whose kind is Secret, in YAML and in JSON."""
    seen = -1
    lines = Lines(text)
    for m in _SECRET_KIND.finditer(text):
        low, high = _object_around(text, m.start(), m.end(), seen)
        seen = high
        for d in _DATA.finditer(text, low, high):
            if len(d[1]) != len(m[1].replace("- ", "  ")):
                continue
            _entries(text, d, out)
    for m in _SECRET_INLINE.finditer(text):
        line, eol = lines.start(m.start()), lines.end(m.end())
        for d in _INLINE_DATA.finditer(text, max(line, m.start() - _REACH), min(eol, m.end() + _REACH)):
            out.extend(Span(*e.span(2), "key", f"data.{e[1]}") for e in _INLINE_ENTRY.finditer(text, *d.span(1)))


def secret_context(text: str) -> str:
    """The last ``kind: Secret`` line of ``text`` whose object has not ended there, else nothing."""
    last = None
    if "Secret" in text:
        for last in _SECRET_KIND.finditer(text):
            pass
    if last is None or _DOCUMENT.search(text, last.end()):
        return ""
    return last[0].rstrip("\r") + "\n"


def _object_around(text: str, start: int, end: int, floor: int) -> tuple[int, int]:
    low = max(floor, start - _REACH, 0)
    for m in _DOCUMENT.finditer(text, low, start):
        low = m.start()
    nxt = _DOCUMENT.search(text, end, min(len(text), end + _REACH))
    return low, nxt.start() if nxt else min(len(text), end + _REACH)


def _entries(text: str, data: re.Match[str], out: list[Span]) -> None:
    span = blocks.block_content(text, data.end(), len(data[1]))
    if span is None:
        return
    start = text.rfind("\n", 0, span[0]) + 1
    for m in _ENTRY.finditer(text, start, span[1]):
        out.append(Span(*m.span(2), "key", f"data.{m[1]}"))
    for m in re.finditer(
        r"^([ \t]+)[\"']?([\w.\-/]{1,253})[\"']?:[ \t]*[|>][+\-0-9]*[ \t]*\r?$", text[start : span[1]], re.MULTILINE
    ):
        if body := blocks.block_content(text, start + m.end(), len(m[1])):
            out.append(Span(*body, "key", f"data.{m[2]}"))
