"""All format-free detectors over the lines that the gate lets through."""

from __future__ import annotations

from ssh_mcp.redaction import (
    blocks,
    code,
    commands,
    continued,
    kubernetes,
    kv,
    mappings,
    marked,
    phrases,
    shapes,
    tables,
)
from ssh_mcp.redaction.cursor import Lines
from ssh_mcp.redaction.folding import fold
from ssh_mcp.redaction.gate_patterns import Look
from ssh_mcp.redaction.model import Span
from ssh_mcp.redaction.pem import KeyBlocks
from ssh_mcp.redaction.rules import Rules
from ssh_mcp.redaction.stretch import Stretch
from ssh_mcp.redaction.talk import Reading


def find(text: str, rules: Rules, reading: Reading = Reading.OUTPUT) -> tuple[list[Span], int | None]:
    """Spans of every secret, unsorted, and where a key block begins that the text's end cuts off."""
    folded = fold(text)
    out, opened = _find(folded.text, rules, reading)
    if folded.moved:
        out = [s._replace(start=folded.origin(s.start), end=folded.end(s.end)) for s in out]
        opened = None if opened is None else folded.origin(opened)
    return out, opened


def _find(text: str, rules: Rules, reading: Reading) -> tuple[list[Span], int | None]:
    out: list[Span] = []
    key_blocks = KeyBlocks(text)
    keys = rules.keys
    cursor = Lines(text)
    tabled = 0
    for start, end, look in rules.gate.hot(text, file=reading is Reading.FILE):
        key_blocks.find(start, end, out)
        if key_blocks.covered >= end:
            continue
        if Look.SHAPES in look:
            out += shapes.find_all(text, start, end)
        if Look.KEY_VALUE in look:
            out += kv.scan(text, start, end, keys, reading)
        stretch = Stretch(text, start, end, keys, reading, cursor)
        out += _named(stretch, look)
        if Look.TABLES in look:
            out += tables.rows_of_pairs(stretch)
            if start >= tabled and (table := tables.read(stretch)):
                out += table.spans
                tabled = len(text) if table.end is None else table.end
        if Look.COMMANDS in look and keys.default_words:
            out += commands.scan(text, start, end)
    out += _continued(text, rules, reading)
    if keys.default_words and (marks := rules.gate.marks(text)):
        out += marked.spans(text, keys, marks)
    if rules.gate.kinds(text):
        out += kubernetes.spans(text)
    return out, key_blocks.opened


def _named(s: Stretch, look: Look) -> list[Span]:
    out: list[Span] = []
    if Look.PAIRS in look:
        out += blocks.scan(s) + mappings.scan(s) + phrases.named(s)
    if Look.CODE in look:
        out += code.scan(s)
    if Look.PHRASES in look and s.keys.default_words:
        out += phrases.told(s)
    return out


def _continued(text: str, rules: Rules, reading: Reading) -> list[Span]:
    """Options on a line below their program's name."""
    out: list[Span] = []
    for place in continued.commands(text):
        line = continued.joined(text, place)
        found: list[Span] = []
        for start, end, look in rules.gate.hot(line):
            s = Stretch(line, start, end, rules.keys, reading, Lines(line))
            if Look.PAIRS in look:
                found += phrases.named(s)
            if Look.COMMANDS in look and rules.keys.default_words:
                found += commands.scan(line, start, end)
        moved = (s._replace(start=s.start + place[0], end=s.end + place[0]) for s in found)
        out += [s for s in moved if "\n" not in text[s.start : s.end]]
    return out
