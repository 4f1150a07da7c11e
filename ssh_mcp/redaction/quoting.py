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
_OTHER_QUOTES = re.compile(
    r"\[\[([^\]\n]{3,512})\]\](?!\])"
    r"|qq?(?:\(([^()\n]{1,512})\)|\{([^{}\n]{1,512})\}|\[([^\[\]\n]{1,512})\])(?=[ \t]*[;,)]?[ \t]*\r?$)",
    re.MULTILINE,
)
"""Lua's ``[[x]]`` and Perl's ``q(x)``."""
SEVERAL_LINES = 8_192
"""Characters below its line in which the end of a quoted string is looked for."""
_LAST = re.compile(r"[ \t]*[;,)}\]]{0,4}[ \t]*(?:#[^\n]*|//[^\n]*)?(?:\r?\n|\Z)")
"""What may follow the closing quote of a string of several lines."""
_ENCODED_QUOTES = ("&quot;", "\\u0022", "&#34;")
_QUOTE = re.compile(r"(?:[bBrRuUfFLN@$]{0,2}|[\w:.!/\-]{1,60}[({ ][({]?)(\"\"\"|'''|[\"'`])")
_JOIN = r"(?:\+|\.{1,2}|\|\||&|<>)"
_OPEN = r"(?=[bruLf@$]{0,2}[\"'])"
_GLUE = re.compile(
    rf"[ \t]{{0,9}}{_JOIN}[ \t]{{0,9}}{_OPEN}|{_OPEN}|(?P<spaced>[ \t]{{1,9}}{_OPEN})"
    rf"|[ \t]{{0,9}}(?:{_JOIN}|\\)?[ \t]{{0,9}}\r?\n[ \t]{{1,200}}(?:{_JOIN}[ \t]{{0,9}})?{_OPEN}"
)
"""Between two literals of one string: an operator, nothing, blanks (C, Python), or a line end with or without one."""
_ALONE = re.compile(r"[ \t]*(?:\+|\.{1,2}|\|\||&|<>|\\)?[ \t]*[;,)}]{0,4}[ \t]*(?:\#[^\n]*|//[^\n]*)?(?:\r?\n|\Z)")
_PREFIX = re.compile(r"[bruLf@$]{0,2}")
_GLUED_MAX = 64
"""Literals of one string."""
_LONE_USER = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]{1,20}://([^\s@/:?#]{3,256}):?@[\w.\-\[]")
_DEFAULT = re.compile(r"\$\{[\w.]+(?::?[-=]|:(?![?+]))([^{}]*)\}")


def quoted(text: str, at: int, eol: int) -> Place | None:
    """The inside of the quoted string that begins at ``at``; up to ``eol`` where it is not closed. None: no quote."""
    if at >= eol:
        return None
    char = text[at]
    if char in "[q" and (m := _OTHER_QUOTES.match(text, at, eol)):
        return m.span(m.lastindex or 0)
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


def several_lines(text: str, at: int, eol: int) -> Place | None:
    """The inside of a quoted string that begins at ``at`` and ends on a line below ``eol``, without outer blanks.

    None: no such string. A single quote counts as its end only where nothing follows it on its line, because a quote
    may be left open in a log.
    """
    char = text[at : at + 1]
    if char not in _QUOTED or not char:
        return None
    triple = char * 3
    if text.startswith(triple, at):
        low, high = at + 3, text.find(triple, at + 3, eol + SEVERAL_LINES)
        if 0 <= high <= eol:
            return None
    else:
        low = at + 1
        if _QUOTED[char].match(text, at, eol) or char in text[low:eol]:
            return None
        high = text.find(char, eol, eol + SEVERAL_LINES)
        if high >= 0 and not _LAST.match(text, high + 1):
            return None
    if high < 0:
        return None
    value = text[low:high]
    if value[:1] == "\\":  # TOML: the line goes on below
        value = value[1:]
    start = high - len(value.lstrip())
    end = start + len(text[start:high].rstrip("\\ \t\r\n"))
    return (start, end) if start < end else None


def glued(text: str, at: int, *, spaced: bool) -> list[Place]:
    """The insides of further literals of a string, behind the closing quote that ends at ``at``: ``"a" + "b"``.

    One below, without an operator, counts only if it is alone on its line. ``spaced``: blanks alone join two.
    """
    out: list[Place] = []
    while len(out) < _GLUED_MAX and (m := _GLUE.match(text, at)):
        begin = m.end() + _PREFIX.match(text, m.end()).end() - m.end()  # type: ignore[union-attr]
        eol = text.find("\n", begin)
        place = quoted(text, begin, len(text) if eol < 0 else eol)
        if place is None or (m["spaced"] and not spaced) or text[place[1] : place[1] + 1] != text[begin]:
            break
        bare = "\n" in m[0] and not any(sign in m[0] for sign in "+.|&<\\")
        if bare and not _ALONE.match(text, place[1] + 1):
            break
        out.append(place)
        at = place[1] + 1
    return out


def open_quote(text: str, at: int, eol: int) -> str:
    """The quote, or three, of a string that begins at ``at``, perhaps in a call, and is not closed before ``eol``."""
    m = _QUOTE.match(text, at, eol)
    if m is None:
        return ""
    mark = m[1]
    return "" if text.find(mark, m.end(), eol) >= 0 else mark


def without_reference(text: str, place: Place) -> Place:
    """The literal default of ``${VAR:-default}`` or ``${name:default}`` (Spring), if that is all there is."""
    if not text.startswith("${", place[0]):
        return place
    m = _DEFAULT.fullmatch(text, *place)
    return m.span(1) if m else place


def lone_user(text: str, place: Place) -> Place:
    """The user part of ``https://key@host/1`` (Sentry's DSN), which is the secret where no password follows it."""
    m = _LONE_USER.match(text, *place)
    return m.span(1) if m else place


def block_content(text: str, at: int, indent: int) -> Place | None:
    """The lines after ``at`` that are indented deeper than ``indent``, without outer blanks."""
    at = text.find("\n", at)
    first = last = -1
    while 0 <= at < len(text):
        nl = text.find("\n", at + 1)
        line = text[at + 1 : nl if nl >= 0 else len(text)]
        if line.strip():
            depth = len(line) - len(line.lstrip())
            if depth <= indent:
                break
            first = at + 1 + depth if first < 0 else first
            last = at + 1 + len(line.rstrip())
        if nl < 0:
            break
        at = nl
    return (first, last) if first >= 0 else None
