"""Secrets that only their column names: CSV and TSV, what psql, mysql, sqlite and vault print, SQL dumps, Markdown.

A head names a secret column, on a line that the gate lets through; the rows are below it. Both must agree in the
number of their cells, so that prose with commas is none. Each table is read once, from its head to its end.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from ssh_mcp.redaction import values
from ssh_mcp.redaction.detectors.base import HEAD, LineDetector, Reach, TextDetector, Wide
from ssh_mcp.redaction.detectors.sql import insert_names, insert_rows
from ssh_mcp.redaction.detectors.vocabulary import IN_HEAD, KEY_KINDS, insensitive
from ssh_mcp.redaction.keys import Strength, words_of
from ssh_mcp.redaction.model import Span
from ssh_mcp.redaction.quoting import Place
from ssh_mcp.redaction.stretch import Stretch
from ssh_mcp.redaction.talk import is_prose
from ssh_mcp.redaction.words import words

_HEAD_MAX = 2_000
"""Characters of a head."""
_STRAY = 8
"""Lines in a row that may be no rows, within a table that had some: a quoted note of several lines."""
_CREATE_LINES, _BETWEEN = 400, 60
"""Lines of a CREATE TABLE, and between it and its INSERTs."""

_CELL = re.compile(r"[A-Za-z_#][\w .\-/#()]{0,60}")
_BAR = re.compile(r"[|\u2502\u2551]")
_GAP = re.compile(r"[ \t]{2,}")
_RULE = re.compile(r"[ \t]*(?=[^\n]*[-=\u2500\u2550]{2})[-=+|: \u2500-\u256c]+\r?")
_DASHES = re.compile(r"-{2,200}(?:[ \t]+-{2,200}){0,60}[ \t]*")
_DASH_RUN = re.compile(r"-{2,}")
_QUOTED = re.compile(r"[ ]?\"((?:[^\"]|\"\")*+)\"[ ]?")
_PAIR = re.compile(
    r"[ \t|\u2502]*[\"'`]?([A-Za-z_][\w.\-]{0,60})[\"'`]?[ \t]*[|\u2502][ \t]*[\"'`]?([^\s|\u2502`]{5,512}?)[\"'`]?"
    r"[ \t|\u2502]*\r?"
)
_RECORD = re.compile(r"-\[ RECORD \d{1,9} \][-+ ]*|\*{9,40} \d{1,9}\. row \*{9,40}")
_FIELD = re.compile(r"[ \t]*([A-Za-z_][\w.\- ]{0,60}?)[ \t]*(?:\||:(?=[ \t]))[ \t]?(.*)")
_KEY_VALUE = re.compile(r"(?:Key[ \t]{2,}Value|KEY[ \t]{2,}VALUE)[ \t]*")
_COPY = re.compile(r"COPY [\w.\"]{1,200} \(([\w\", ]{1,1900})\) FROM stdin;[ \t]*")
_CREATE = re.compile(r"(?i)[ \t]*CREATE TABLE (?:IF NOT EXISTS )?([\w.\"`\[\]]{1,200}?)[ \t]*\((.*)", re.DOTALL)
_COLUMN = re.compile(r"[ \t]*[`\"\[]?([A-Za-z_]\w{0,63})[`\"\]]?[ \t]+[A-Za-z]")
_NO_COLUMN = words("primary key unique constraint index check foreign fulltext spatial exclude")
_INSERT_ALL = re.compile(r"(?i)[ \t]*INSERT (?:IGNORE )?INTO ([\w.\"`\[\]]{1,200}?)[ \t]+VALUES[ \t]*(?=\()")

_PASSWORD_LIKE = words("password passwords passwd passwort passphrase pwd kennwort senha wachtwoord pass psk passcode")
"""Columns of these names hold passwords whatever they look like; others only what a word or number does not."""
_RESULTS = words("fail failed fails failure failures skip skipped error errors total")
"""Beside one of these a column ``pass`` counts tests."""

Cells = list[Place]
_LINE = (
    insensitive(
        r"(?:passw|passp|passc|passe|pass|pwd|secret|cred|psk|kennwort|senha|wachtwoord|token|pw|key)"
        rf"[A-Za-z0-9_.\- ]{{0,20}}{IN_HEAD}"
    ),
    insensitive(r"values[ \t]*\r?(?:\n|$)|create table |from stdin;|-\[ record |\*{9} [0-9]+\. row |key  +value"),
)


class Table(NamedTuple):
    """Its secrets, and where it ends; ``end`` is None where the text ends first. ``head`` must precede its rest."""

    spans: list[Span]
    end: int | None
    head: str


def _tables(page: Stretch, lines: Sequence[Place]) -> Iterator[tuple[int, Table]]:
    """Each table once, from its head on, with where its head begins."""
    tabled = 0
    for start, end in lines:
        if start >= tabled and (table := read(replace(page, start=start, end=end))):
            yield start, table
            tabled = len(page.text) if table.end is None else table.end


def _find(page: Stretch, lines: Sequence[Place]) -> list[Span]:
    return [span for _, table in _tables(page, lines) for span in table.spans]


def _reach(page: Stretch, lines: Sequence[Place]) -> list[Reach]:
    return [
        Reach(start, table.end, table.head if len(table.head) < HEAD else "") for start, table in _tables(page, lines)
    ]


def rows_of_pairs(s: Stretch) -> list[Span]:
    """``| SecretAccessKey | x |``: a row of two cells, a name and its value, whatever is above."""
    m = _PAIR.fullmatch(s.text, s.start, s.end - s.text.endswith("\n", s.start, s.end))
    if m is None or s.keys.strength(m[1]) is not Strength.STRONG or values.is_plain(m[2]) or values.is_code(m[2]):
        return []
    return [s.span(m.span(2), m[1])] if s.is_secret(m[1], m[2]) else []


def read(s: Stretch) -> Table | None:
    """The table whose head is the line of ``s``; None where it is not a head, as far as the text goes."""
    line = s.text[s.start : s.end].rstrip("\r\n")
    if not 3 <= len(line) <= _HEAD_MAX or "<sha:" in line:
        return None
    if _RECORD.fullmatch(line):
        return _run(s, s.end, _fields(s), _ends_blank)
    if _KEY_VALUE.fullmatch(line):
        return _run(s, s.end, _named_rows(s), _ends_blank)
    if m := _COPY.fullmatch(line):
        return _of_copy(s, [name.strip(' "') for name in m[1].split(",")])
    if m := _CREATE.match(line):
        return _of_create(s, m)
    if line.rstrip().upper().endswith("VALUES"):
        return _of_insert(s, line)
    return _drawn(s, line) or _delimited(s, line)


def _lines(text: str, at: int) -> Iterator[Place]:
    while at < len(text):
        nl = text.find("\n", at)
        end = len(text) if nl < 0 else nl
        yield at, end
        at = end + 1


def _run(
    s: Stretch, at: int, row: Callable[[int, int], list[Span] | None], ends: Callable[[str], bool], head: str = ""
) -> Table:
    """Rows from ``at`` to the line that ``ends`` the table, or where ``row`` says None."""
    spans: list[Span] = []
    for low, high in _lines(s.text, at):
        found = None if ends(s.text[low:high]) else row(low, high - s.text.endswith("\r", low, high))
        if found is None:
            return Table(spans, low, "")
        spans += found
    return Table(spans, None, head or s.text[s.start : s.end])


def _ends_blank(line: str) -> bool:
    return not line.strip()


def _secret_in(s: Stretch, place: Place, name: str, *, beside: frozenset[str] = frozenset()) -> list[Span]:
    """The secret in a cell, if it is one."""
    value = s.text[slice(*place)]
    if len(value) < 3 or value == "\\N" or "<sha:" in value:
        return []
    if s.keys.is_own(name):
        return [s.span(place, name)] if s.is_secret(name, value) else []
    last = (words_of(name) or [""])[-1]
    strong = s.keys.strength(name) is Strength.STRONG
    if values.is_status(value) or values.is_code(value) or (" " in value and is_prose(value)):
        return []
    if strong and last not in _PASSWORD_LIKE and values.is_plain(value):
        return []
    if last == "pass" and (value.isdigit() or _RESULTS & beside):
        return []
    return [s.span(place, name)] if s.is_secret(name, value) else []


def _secret_columns(s: Stretch, names: list[str]) -> dict[int, str]:
    return {n: name for n, name in enumerate(names) if s.keys.strength(name)}


def _fields(s: Stretch) -> Callable[[int, int], list[Span] | None]:
    """``password | x`` and ``password: x`` below the head of a record."""

    def row(low: int, high: int) -> list[Span] | None:
        if _RECORD.fullmatch(s.text[low:high].rstrip("\r")):
            return []
        m = _FIELD.match(s.text, low, high)
        if m is None:
            return None
        return _secret_in(s, _stripped(s.text, *m.span(2)), m[1]) if s.keys.strength(m[1]) else []

    return row


def _named_rows(s: Stretch) -> Callable[[int, int], list[Span] | None]:
    """Vault's ``Key  Value`` tables and pulumi's: the first cell names what the second holds."""
    ruled = (below := _next(s)) is not None and s.text.startswith("---", below[0])

    def row(low: int, high: int) -> list[Span] | None:
        name, _, _ = s.text[low:high].partition("  ")
        place = _stripped(s.text, low + len(name), high)
        if not name or name[0] in " \t":
            return None
        strength = Strength.STRONG if name == "secret_id" else s.keys.strength(name)
        value = s.text[slice(*place)]
        if strength is not Strength.STRONG or values.is_status(value) or (not ruled and values.is_plain(value)):
            return []
        return [s.span(place, name)] if s.is_secret(name, value, strength) else []

    return row


def _stripped(text: str, low: int, high: int) -> Place:
    piece = text[low:high]
    start = low + len(piece) - len(piece.lstrip())
    return start, max(start, low + len(piece.rstrip()))


def _of_copy(s: Stretch, names: list[str]) -> Table | None:
    """PostgreSQL's ``COPY t (a, b) FROM stdin;`` and its rows up to a backslash and a dot."""
    if not (secret := _secret_columns(s, names)):
        return None

    def row(low: int, high: int) -> list[Span]:
        cells = _split(s.text, low, high, "\t", quotes=False)
        fits = len(cells) == len(names)
        return [x for n, name in secret.items() for x in _secret_in(s, cells[n], name)] if fits else []

    return _run(s, s.end, row, lambda line: line.rstrip() == "\\." or not line.strip())


def _of_insert(s: Stretch, line: str) -> Table | None:
    """``INSERT INTO t (a, b) VALUES`` with its rows on the lines below."""
    names = insert_names(line)
    if not _secret_columns(s, names):
        return None
    done = False

    def row(low: int, high: int) -> list[Span] | None:
        nonlocal done
        if done or not s.text.startswith("(", low + len(s.text[low:high]) - len(s.text[low:high].lstrip())):
            return None
        done = s.text[low:high].rstrip().endswith(";")
        return insert_rows(s, low, high, names)

    return _run(s, s.end, row, lambda _: False)


def _of_create(s: Stretch, head: re.Match[str]) -> Table | None:
    """``CREATE TABLE t (…)`` and the INSERTs below it, which name no columns."""
    names: list[str] = []
    at, ended = s.end, False
    inside = head[2]
    if ")" in inside and inside.rstrip().endswith(";"):
        names = [m[1] for part in inside.split(",") if (m := _COLUMN.match(part)) and m[1].lower() not in _NO_COLUMN]
        ended = True
    else:
        for count, (low, high) in enumerate(_lines(s.text, s.end)):
            at = min(high + 1, len(s.text))
            if s.text[low:high].lstrip().startswith(")") or count == _CREATE_LINES:
                ended = True
                break
            if (m := _COLUMN.match(s.text, low, high)) and m[1].lower() not in _NO_COLUMN:
                names.append(m[1])
    if not _secret_columns(s, names):
        return None if ended else Table([], None, "")
    columns = "".join(f"{name} text, " for name in names)
    table = head[1].strip('`"[]')
    left = _BETWEEN

    def row(low: int, high: int) -> list[Span] | None:
        nonlocal left
        m = _INSERT_ALL.match(s.text, low, high)
        if m is None:
            left -= 1
            return [] if left else None
        if m[1].strip('`"[]').rpartition(".")[2].strip('`"') != table.rpartition(".")[2].strip('`"'):
            return None
        left = _BETWEEN
        return insert_rows(s, m.end(), high, names)

    return _run(s, at, row, _ends_dump, f"CREATE TABLE {table} ({columns[:-2]});\n" if len(columns) < 400 else "")


def _ends_dump(line: str) -> bool:
    return line.startswith("UNLOCK TABLES") or _CREATE.match(line) is not None


def _next(s: Stretch) -> Place | None:
    return next(_lines(s.text, s.end), None)


def _drawn(s: Stretch, line: str) -> Table | None:
    """A head with a rule of dashes below it: psql, mysql, sqlite, Markdown."""
    if not _may_be_drawn(s, line):
        return None
    below = _next(s)
    if below is None:
        return Table([], None, "")
    rule = s.text[slice(*below)].rstrip("\r")
    if _BAR.search(line):
        return _barred(s, line, below[1] + 1) if _RULE.fullmatch(rule) else None
    if not _DASHES.fullmatch(rule):
        return None
    columns = [m.start() for m in _DASH_RUN.finditer(rule)]
    if columns == [0] and line[0] == " " and len(rule.rstrip()) >= len(line.strip()) + 2:
        return _sole(s, line.strip(), below[1] + 1)
    return _aligned(s, line, columns, below[1] + 1) if len(columns) > 1 else None


def _may_be_drawn(s: Stretch, line: str) -> bool:
    """Whether a rule on the next line would make ``line`` a head, whatever is there."""
    barred = _BAR.search(line) is not None
    cells = [c.strip(' `*"') for c in (_BAR if barred else _GAP).split(line.strip())]
    if len(cells) < 2 and line[0] != " ":
        return False
    named = [c for c in cells if c]
    return (barred or all(map(_CELL.fullmatch, named))) and any(s.keys.strength(c) for c in named)


def _bars(text: str, low: int, high: int, *, framed: bool) -> Cells:
    places, at = [], low
    for m in _BAR.finditer(text, low, high):
        places.append(_stripped(text, at, m.start()))
        at = m.end()
    if text[at:high].strip() or not framed:
        places.append(_stripped(text, at, high))
    return places[1:] if framed else places


def _barred(s: Stretch, line: str, at: int) -> Table | None:
    framed = _BAR.match(line.lstrip()) is not None
    names = [s.text[slice(*p)].strip("`*") for p in _bars(s.text, s.start, s.start + len(line), framed=framed)]
    if not (secret := _secret_columns(s, names)):
        return None
    beside = frozenset(name.lower() for name in names)

    def row(low: int, high: int) -> list[Span]:
        cells = _bars(s.text, low, high, framed=framed)
        if len(cells) != len(names):
            return []
        return [x for n, name in secret.items() for x in _secret_in(s, _plain(s.text, cells[n]), name, beside=beside)]

    def ends(below: str) -> bool:
        return not (_BAR.search(below) or _RULE.fullmatch(below))

    return _run(s, at, row, ends, s.text[s.start : at])


def _plain(text: str, place: Place) -> Place:
    """Without Markdown's backquotes."""
    quoted = place[1] - place[0] > 2 and text[place[0]] == "`" == text[place[1] - 1]
    return (place[0] + 1, place[1] - 1) if quoted else place


def _sole(s: Stretch, name: str, at: int) -> Table | None:
    """A table of psql's with one column: each row one word behind one blank."""
    if not s.keys.strength(name) or " " in name:
        return None

    def row(low: int, high: int) -> list[Span]:
        return _secret_in(s, _stripped(s.text, low, high), name)

    def ends(below: str) -> bool:
        return below[:1] != " " or not below.strip() or " " in below.strip()

    return _run(s, at, row, ends, s.text[s.start : at])


def _aligned(s: Stretch, line: str, columns: list[int], at: int) -> Table | None:
    """Columns that begin where the dashes below the head begin."""
    names = [line[a:b].strip() for a, b in zip(columns, [*columns[1:], len(line)], strict=True)]
    if not (secret := _secret_columns(s, names)) or any("  " in name for name in names):
        return None

    def row(low: int, high: int) -> list[Span]:
        line = s.text[low:high]
        if "<sha:" in line or any(line[c - 1 : c].strip() for c in columns[1:]):
            return []
        bounds = [*columns[1:], len(line)]
        return [
            x
            for n, name in secret.items()
            for x in _secret_in(s, _stripped(s.text, low + columns[n], low + bounds[n]), name)
        ]

    return _run(s, at, row, _ends_blank, s.text[s.start : at])


def _delimited(s: Stretch, line: str) -> Table | None:
    """A head and rows with the same number of cells, separated by commas, semicolons, tabs or bars."""
    sign = next((c for c in ("\t", "|", ";", ",") if c in line), "")
    if not sign or line[0] in " \t":
        return None
    names = [line[low:high] for low, high in _split(line, 0, len(line), sign)]
    if not all(_CELL.fullmatch(name) for name in names) or not (secret := _secret_columns(s, names)):
        return None
    if f"{sign} " in line and any(" " in name for name in names):
        return None  # rather a sentence
    if sign == "\t" and min(secret) == 0:
        return None  # rather a directive: PAM's ``password\trequired\tpam_unix.so``
    beside = frozenset(name.lower() for name in names)
    fitted = stray = 0

    def row(low: int, high: int) -> list[Span] | None:
        nonlocal fitted, stray
        cells = _split(s.text, low, high, sign)
        if len(cells) != len(names):
            stray += 1
            return None if not fitted or stray > _STRAY else []
        fitted, stray = fitted + 1, 0
        return [x for n, name in secret.items() for x in _secret_in(s, cells[n], name, beside=beside)]

    return _run(s, s.end, row, _ends_blank)


def _split(text: str, low: int, high: int, sign: str, *, quotes: bool = True) -> Cells:
    """Cells of a line, without blanks and quotes around them."""
    places, at = [], low
    while at <= high:
        if quotes and (m := _QUOTED.match(text, at, high)) and text[m.end() : m.end() + 1] in {sign, "\r", "\n", ""}:
            places.append(m.span(1))
            at = m.end() + 1
            continue
        stop = text.find(sign, at, high)
        stop = high if stop < 0 else stop
        places.append(_stripped(text, at, stop))
        at = stop + 1
    return places


PAIR_ROWS = LineDetector(
    name="rows of name and value",
    find=rows_of_pairs,
    in_files=False,
    line=_LINE,
    hit="| SecretAccessKey | «kJ8sLq2PzR5tWx9B» |",
    miss="| SecretAccessKey | optional |",
)
DETECTOR = TextDetector(
    name="tables",
    find=_find,
    reach=_reach,
    named=True,
    wide=(
        Wide("names", rf"(?:pass|pwd|secret|cred|psk|kennwort|senha|wachtwoord|token|pw)[a-z0-9_]*{IN_HEAD}"),
        Wide("keys", rf"(?:{KEY_KINDS})[_\-]key{IN_HEAD}"),
        Wide("run-together keys", rf"(?:pi|ss|te|er|nt|on|ng|ed|th|se|pp)[ .]?key{IN_HEAD}"),
        Wide("tables", r"create table |from stdin;|-\[ record |\*{9} [0-9]+\. row |key  +value"),
    ),
    line=_LINE,
    hit="id,password\n1,«hunter2x9»",
    miss="id,name\n1,hunter2x9",
)
