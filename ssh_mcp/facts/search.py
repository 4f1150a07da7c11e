"""What find(1), du(1) and grep(1) print, read. Pure; names are bytes as ``surrogateescape`` text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_TYPES: Final = {"f": "file", "d": "directory", "l": "symlink"}
_MODES: Final = {0o100000: "file", 0o040000: "directory", 0o120000: "symlink"}
_LINE: Final = re.compile(rb"(\d+)([:-])(.*)\Z", re.DOTALL)
"""One line of grep -n with or without context, such as ``12:text`` or ``11-text``."""


@dataclass(frozen=True, slots=True)
class Row:
    """One entry of a tree. ``path`` is relative to its root; size in bytes, time in seconds since 1970."""

    path: str
    kind: str | None = None
    size: int | None = None
    mtime: float | None = None


def gnu_row(field: bytes) -> Row | None:
    """One field of find.sh under GNU find with details: ``M%y %s %T@ %P``; None for what does not fit."""
    text = field[1:].decode("utf-8", "surrogateescape")
    kind, _, rest = text.partition(" ")
    size, _, rest = rest.partition(" ")
    stamp, _, path = rest.partition(" ")
    try:
        return Row(path, _TYPES.get(kind, "other"), int(size), float(stamp))
    except ValueError:
        return None


def relative_paths(fields: list[bytes], mark: str = "./") -> list[str]:
    """Paths behind the ``mark`` that each field begins with (``find . -print0``, ``M%P``), decoded all at once: a tree
    may have half a million.
    """
    return b"\0".join([b"", *fields]).decode("utf-8", "surrogateescape").split(f"\0{mark}")[1:]


def with_stat(paths: list[str], output: bytes) -> list[Row] | None:
    """Paths of the first walk joined with the lines of the second: None where the tree changed in between."""
    lines = output.split(b"\n")[:-1]
    if len(lines) != len(paths):
        return None
    joined: list[Row] = []
    for path, line in zip(paths, lines, strict=True):
        parts = line.split()
        try:
            mode, size, stamp = int(parts[0], 16), int(parts[1]), float(parts[2])
        except (IndexError, ValueError):
            return None
        joined.append(Row(path, _MODES.get(mode & 0o170000, "other"), size, stamp))
    return joined


def usage_rows(output: bytes) -> Iterator[tuple[str, int]]:
    """Relative path (``.`` is the root) and bytes of each record of usage.sh, NUL-terminated or in lines."""
    records = output.split(b"\0") if b"\0" in output else re.split(rb"\n(?=\d+\t\.)", output)
    for record in records:
        size, tab, name = record.partition(b"\t")
        if tab and size.isdigit():
            path = name.removesuffix(b"\n").removeprefix(b"./")
            yield path.decode("utf-8", "surrogateescape"), int(size) * 1024


@dataclass(frozen=True, slots=True)
class GrepLine:
    """One line of one file: a match, or a line near one."""

    number: int
    matched: bool
    data: bytes


@dataclass(frozen=True, slots=True)
class EachResult:
    """What the files of mode ``each`` gave."""

    lines: dict[str, list[GrepLine]]
    binary: int
    unreadable: int


def each_lines(output: bytes, mark: str) -> EachResult:
    """Lines by file where grep.sh put ``mark``, the name and a NUL before each file's own output."""
    found: dict[str, list[GrepLine]] = {}
    binary = unreadable = 0
    for part in output.split(f"\n{mark} ".encode())[1:]:
        name, _, body = part.partition(b"\0")
        if body.startswith(b"!"):
            unreadable += 1
            continue
        if b"\0" in body or re.match(rb"(?:Binary file|grep: ).*(?:matches|binary file matches)\n?", body):
            binary += 1
            continue
        lines = [
            GrepLine(int(parsed[1]), parsed[2] == b":", parsed[3])
            for line in body.split(b"\n")
            if (parsed := _LINE.match(line)) is not None
        ]
        if lines:
            found[name.removeprefix(b"./").decode("utf-8", "surrogateescape")] = lines
    return EachResult(found, binary, unreadable)
