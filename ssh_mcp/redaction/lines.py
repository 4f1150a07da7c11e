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
_ENTRY_BLOCK = re.compile(r"^([ \t]+)[\"']?([\w.\-/]{1,253})[\"']?:[ \t]*[|>][+\-0-9]*[ \t]*\r?$", re.MULTILINE)
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
            out += shapes.find_all(text, start, end)
        if Look.KEY_VALUE in look:
            out += kv.scan(text, start, end, keys, reading)
        stretch = Stretch(text, start, end, keys, reading, cursor)
        if Look.PAIRS in look:
            out += blocks.scan(stretch) + phrases.named(stretch)
        if Look.PHRASES in look and keys.default_words:
            out += phrases.told(stretch)
        if Look.COMMANDS in look and keys.default_words:
            out += commands.scan(text, start, end)
    if "Secret" in text:
        out += _kubernetes(text)
    return out, key_blocks.opened


def _kubernetes(text: str) -> list[Span]:
    """Values under ``data:`` and ``stringData:`` of an object whose kind is Secret, in YAML and in JSON."""
    out: list[Span] = []
    seen = -1
    lines = Lines(text)
    for m in _SECRET_KIND.finditer(text):
        if m.start() < seen:
            continue
        low, high = _object_around(text, m.start(), m.end(), seen)
        seen = high
        for d in _DATA.finditer(text, low, high):
            if len(d[1]) != len(m[1].replace("- ", "  ")):
                continue
            out += _entries(text, d)
    for m in _SECRET_INLINE.finditer(text):
        line, eol = lines.start(m.start()), lines.end(m.end())
        for d in _INLINE_DATA.finditer(text, max(line, m.start() - _REACH), min(eol, m.end() + _REACH)):
            out += [Span(*e.span(2), "key", f"data.{e[1]}") for e in _INLINE_ENTRY.finditer(text, *d.span(1))]
    return out


def secret_context(text: str) -> str:
    """The last ``kind: Secret`` line of ``text`` whose object has not ended there, else nothing."""
    found = list(_SECRET_KIND.finditer(text)) if "Secret" in text else []
    if not found or _DOCUMENT.search(text, found[-1].end()):
        return ""
    return found[-1][0].rstrip("\r") + "\n"


def _object_around(text: str, start: int, end: int, floor: int) -> tuple[int, int]:
    low = max(floor, start - _REACH, 0)
    for m in _DOCUMENT.finditer(text, low, start):
        low = m.start()
    nxt = _DOCUMENT.search(text, end, min(len(text), end + _REACH))
    return low, nxt.start() if nxt else min(len(text), end + _REACH)


def _entries(text: str, data: re.Match[str]) -> list[Span]:
    place = blocks.block_content(text, data.end(), len(data[1]))
    if place is None:
        return []
    start, since = text.rfind("\n", 0, place[0]) + 1, data.start()
    out = [Span(*m.span(2), "key", f"data.{m[1]}", since=since) for m in _ENTRY.finditer(text, start, place[1])]
    out += [
        Span(*body, "key", f"data.{m[2]}", since=since)
        for m in _ENTRY_BLOCK.finditer(text, start, place[1])
        if (body := blocks.block_content(text, m.end(), len(m[1])))
    ]
    return out
