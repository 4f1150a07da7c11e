"""``IDENTIFIED BY "x"``, ``WITH PASSWORD "x"``, ``INSERT INTO t (password) VALUES ("x")``."""

from __future__ import annotations

import re

from ssh_mcp.redaction.detectors.base import LineDetector, Wide
from ssh_mcp.redaction.detectors.vocabulary import insensitive
from ssh_mcp.redaction.keys import Strength
from ssh_mcp.redaction.model import Span
from ssh_mcp.redaction.quoting import quoted
from ssh_mcp.redaction.stretch import Stretch

_INSERT = re.compile(r"(?i)\(([^()\n]{1,1000})\)\s{0,9}VALUES\s{0,9}(?=\()")
_INSERT_HEAD = re.compile(r"(?i)\(([^()\n]{1,1000})\)\s{0,9}VALUES\s{0,9}\Z")
_TUPLE = re.compile(r"[ \t,]*\(")
_SQL_VALUE = re.compile(r"[ \t]*(?:'((?:[^'\\\n]|\\.|'')*+)'|([^,()'\n]*+))[ \t]*(?=[,)])")
_SQL = re.compile(
    r"(?i)(?<![\w\"'.\-])(?:IDENTIFIED\s{1,20}(?:WITH\s{1,20}\S{1,60}\s{1,20}(?:BY|AS)|BY)(?:\s{1,20}PASSWORD)?\s{1,20}"
    r"|PASSWORD(?:\s{1,20}|\s{0,5}\(\s{0,5})|SET\s{1,20}PASSWORD\s[^=\n]{0,100}=\s{0,20})(\\{0,3}['\"])(?=[^\s'\",;)])"
)


def _sql(s: Stretch) -> list[Span]:
    """``IDENTIFIED BY 'x'``, ``WITH PASSWORD 'x'``, ``PASSWORD('x')``, ``INSERT INTO t (password) VALUES ('x')``."""
    out = []
    for m in _INSERT.finditer(s.text, s.start, s.end):
        names = _names(m[1])
        if any(s.keys.strength(name) for name in names):
            out += insert_rows(s, m.end(), s.end, names)
    for m in _SQL.finditer(s.text, s.start, s.end):
        place = quoted(s.text, m.start(1), min(s.end, s.lines.end(m.end())))
        if place and s.is_secret("password", s.text[slice(*place)], Strength.STRONG):
            out.append(s.span(place, "password"))
    return out


def insert_names(head: str) -> list[str]:
    """The columns of ``INSERT INTO t (a, b) VALUES``, where the rows are on the lines below."""
    m = _INSERT_HEAD.search(head)
    return _names(m[1]) if m else []


def _names(listed: str) -> list[str]:
    return [name.strip(' \t`"[]') for name in listed.split(",")]


def insert_rows(s: Stretch, at: int, end: int, names: list[str]) -> list[Span]:
    """The tuples behind ``VALUES``, as far as they are on the line."""
    out: list[Span] = []
    while opening := _TUPLE.match(s.text, at, end):
        at = opening.end()
        for name in names:
            if not (value := _SQL_VALUE.match(s.text, at, end)):
                return out
            if value[1] is not None and s.is_secret(name, value[1]):
                out.append(s.span(value.span(1), name))
            at = value.end() + 1
        if s.text[at - 1] != ")":
            return out
    return out


DETECTOR = LineDetector(
    name="SQL",
    find=_sql,
    default_words=True,
    wide=(
        Wide("keys", r"identified[ \t]+(?:by|as|with)"),
        Wide("soft names", r"set password|values[ \t]*(?:\(|\r?(?:\n|$))"),
    ),
    line=(
        insensitive(r"identified[ \t]+(?:by|as|with)|password[ \t]*\(?[ \t]*\\*['\"][^' ]|set[ \t]+password"),
        insensitive(r"\([^()]*(?:pass|pwd|secret|token|key|cred|salt)[^()]*\)[ \t]*values[ \t]*\("),
    ),
    hit="CREATE USER app IDENTIFIED BY '«hunter2x9»';",
    miss="CREATE USER app IDENTIFIED VIA unix_socket;",
)
