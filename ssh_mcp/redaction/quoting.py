"""Quoted strings of any language, by position."""

from __future__ import annotations

import re

Place = tuple[int, int]
"""Start and end of a piece of text."""

_ESCAPED = re.compile(r"(\\{1,3})([\"'])")
_QUOTED = {
    '"': re.compile(r'"((?:[^"\\\r\n]|\\.)*+)"'),
    "'": re.compile(r"'((?:[^'\\\r\n]|\\.|'')*+)'(?!')"),
    "`": re.compile(r"`([^`\r\n]*+)`"),
}
_ENCODED_QUOTES = ("&quot;", "\\u0022", "&#34;")
_DEFAULT = re.compile(r"\$\{[\w.]+(?::?[-=]|:(?![?+]))([^{}]*)\}")


def quoted(text: str, at: int, eol: int) -> Place | None:
    """The inside of the quoted string that begins at ``at``; up to ``eol`` where it is not closed. None: no quote."""
    if at >= eol:
        return None
    char = text[at]
    if char in "&\\":
        for mark in _ENCODED_QUOTES:
            if text.startswith(mark, at):
                stop = text.find(mark, at + len(mark), eol)
                return at + len(mark), eol if stop < 0 else stop
    if char == "\\":
        if not (m := _ESCAPED.match(text, at, eol)):
            return None
        stop = text.find(m[0], m.end(), eol)
        if stop < 0:
            stop = text.find(m[2], m.end(), eol)
        return m.end(), eol if stop < 0 else stop
    if char not in _QUOTED:
        return None
    triple = char * 3
    if text.startswith(triple, at):
        stop = text.find(triple, at + 3, eol)
        return at + 3, eol if stop < 0 else stop
    if m := _QUOTED[char].match(text, at, eol):
        return m.span(1)
    stop = text.find(char, at + 1, eol)
    return at + 1, eol if stop < 0 else stop


def without_reference(text: str, place: Place) -> Place:
    """The literal default of ``${VAR:-default}`` or ``${name:default}`` (Spring), if that is all there is."""
    if not text.startswith("${", place[0]):
        return place
    m = _DEFAULT.fullmatch(text, *place)
    return m.span(1) if m else place
