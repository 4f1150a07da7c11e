"""Reading a unified diff of one file, all of it or not at all. Pure.

Every line has to be accounted for: a hunk holds exactly the lines that its header counts, and nothing that looks like a
change is outside of one. A parser that stops at the counts would apply a part of the diff and call it a success.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ssh_mcp.errors import InvalidArgument
from ssh_mcp.inventory.values import shown

_HUNK: Final = re.compile(r"@@ -(\d+)(?:,(\d+))? \+\d+(?:,(\d+))? @@")
"""A hunk's header, such as ``@@ -1,2 +1,3 @@ section``; a count that is not given is 1."""

_NO_NEWLINE: Final = "\\"
"""Starts the mark ``\\ No newline at end of file``, which takes the newline from the line before it."""

_SIGNATURE: Final = "-- "
"""Ends the diff in what git format-patch writes; the version of git follows it."""


@dataclass(frozen=True, slots=True)
class Hunk:
    """``start`` and ``length`` count lines of the old file; ``rows`` are kind (blank, - or +) and line with its end."""

    start: int
    length: int
    rows: tuple[tuple[str, str], ...]


def hunks(unified_diff: str) -> list[Hunk]:
    """The hunks of a diff of one file. Raises InvalidArgument for anything else."""
    lines = unified_diff.removesuffix("\n").split("\n")
    headers = [i for i in _outside(lines) if _is_header(lines, i)]
    if len(headers) != 1:
        raise InvalidArgument(
            f"unified_diff holds changes of {len(headers)} files.", "Give a unified diff of one file, with its headers."
        )
    old, new = (lines[headers[0] + n].split("\t")[0].rstrip()[4:] for n in (0, 1))
    if "/dev/null" in {old, new}:
        raise InvalidArgument("unified_diff creates or removes a file.", "Use ssh_upload or ssh_delete.")
    found = [_hunk(lines, i) for i in _outside(lines) if lines[i].startswith("@@")]
    if not found:
        raise InvalidArgument("unified_diff holds no hunk.", "Give a unified diff of one file, with its hunks.")
    return found


def _outside(lines: list[str]) -> Iterator[int]:
    """Indexes of the lines that are no part of a hunk's body. Raises InvalidArgument for changes among them."""
    number = i = 0
    while i < len(lines) and lines[i].rstrip("\r") != _SIGNATURE:
        yield i
        if lines[i].startswith("@@"):
            number += 1
            i += 1 + len(_body(lines, i, number))
        elif _is_header(lines, i):
            i += 2
        elif lines[i].startswith(("+", "-", " ", _NO_NEWLINE)):
            raise _miscounted(number)
        else:
            i += 1


def _is_header(lines: list[str], i: int) -> bool:
    return lines[i].startswith("--- ") and i + 1 < len(lines) and lines[i + 1].startswith("+++ ")


def _body(lines: list[str], at: int, number: int) -> list[str]:
    """The lines of the hunk whose header is ``lines[at]``, with the marks for a missing newline."""
    header = _HUNK.match(lines[at])
    if header is None:
        raise InvalidArgument(
            f"unified_diff has a line that is not a hunk header: {shown(lines[at], 60)}.",
            "Write it like @@ -1,2 +1,3 @@.",
        )
    old, new = (1 if count is None else int(count) for count in header.groups()[1:])
    end = at + 1
    while old > 0 or new > 0:
        kind = _kind(lines[end]) if end < len(lines) else ""
        if kind not in (" ", "-", "+", _NO_NEWLINE) or not kind:
            raise _miscounted(number)
        old -= kind in " -"
        new -= kind in " +"
        if old < 0 or new < 0:
            raise _miscounted(number)
        end += 1
    if end < len(lines) and lines[end].startswith(_NO_NEWLINE):
        end += 1
    return lines[at + 1 : end]


def _kind(line: str) -> str:
    """Editors take the blank from an empty line of context."""
    return " " if line in ("", "\r") else line[0]


def _hunk(lines: list[str], at: int) -> Hunk:
    header = _HUNK.match(lines[at])
    assert header is not None
    rows: list[tuple[str, str]] = []
    for line in _body(lines, at, 0):
        if line.startswith(_NO_NEWLINE):
            rows[-1:] = [(kind, text.removesuffix("\n")) for kind, text in rows[-1:]]
        else:
            rows.append((_kind(line), f"{line if line == chr(13) else line[1:]}\n"))
    length = header[2]
    return Hunk(int(header[1]), 1 if length is None else int(length), tuple(rows))


def _miscounted(number: int) -> InvalidArgument:
    what = f"Hunk {number} of unified_diff" if number else "unified_diff, before its first hunk,"
    return InvalidArgument(
        f"{what} holds other lines than its header counts.", "Give hunks whose lengths are right. Nothing was changed."
    )
