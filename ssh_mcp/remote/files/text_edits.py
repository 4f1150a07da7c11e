"""Changing text: exact replacement, strict unified diffs, and a bounded diff to show. Pure."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final, Literal

from ssh_mcp.errors import FileConflict, InvalidArgument
from ssh_mcp.inventory.values import shown

if TYPE_CHECKING:
    from unidiff.patch import Hunk

_CONTEXT: Final = 3
_MAX_DIFF_CHARACTERS: Final = 20_000
_MAX_COMPARED_LINES: Final = 3_000
"""Differing lines on both sides together that are compared line by line; beyond, they are shown as one change."""


def decode(data: bytes, path: str) -> str:
    """The text of a file that is to be changed. Raises InvalidArgument for what is no UTF-8 text."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidArgument(
            f"{path} is not UTF-8 text (byte {error.start}).", "Write the whole file with content_base64 instead."
        ) from None
    if "\0" in text:
        raise InvalidArgument(f"{path} is a binary file.", "Write the whole file with content_base64 instead.")
    return text


def replace(text: str, old: str, new: str, occurrence: Literal["single", "all"], path: str) -> str:
    """``text`` with ``old`` replaced. Raises InvalidArgument for a no-op, FileConflict where it does not fit."""
    if not old:
        raise InvalidArgument("old_string is empty.", "Give the text that is to be replaced.")
    if old == new:
        raise InvalidArgument("old_string and new_string are equal.", "There is nothing to change.")
    count = text.count(old)
    if count == 0:
        crlf = "\r\n" in text and "\n" in old and "\r\n" not in old
        hint = " Its lines end in CRLF." if crlf else ""
        raise FileConflict(f"old_string is not in {path}.{hint}", "Read the file again and copy the text exactly.")
    if count > 1 and occurrence == "single":
        raise FileConflict(
            f"old_string is {count} times in {path}.", "Give more of the text around it, or occurrence all."
        )
    return text.replace(old, new)


def patch(text: str, unified_diff: str, path: str) -> str:
    """``text`` with a unified diff applied exactly where it says, without fuzz.

    Raises InvalidArgument for what is no diff of one file, FileConflict where a hunk does not fit.
    """
    lines = _lines(text)
    out: list[str] = []
    position = 0
    for number, hunk in enumerate(_hunks(unified_diff), start=1):
        begin = hunk.source_start - (1 if hunk.source_length else 0)
        if begin < position or begin > len(lines):
            raise _does_not_fit(number, path, begin)
        out += lines[position:begin]
        position = begin
        for kind, value in _rows(hunk):
            if kind in " -":
                if lines[position : position + 1] != [value]:
                    raise _does_not_fit(number, path, position)
                position += 1
            if kind in " +":
                out.append(value)
    out += lines[position:]
    result = "".join(out)
    if any(not line.endswith("\n") for line in out[:-1]):
        raise FileConflict(f"The diff leaves a line of {path} without its end.", "Make a new diff.")
    if result == text:
        raise InvalidArgument("The diff changes nothing.", "There is nothing to do.")
    return result


def _lines(text: str) -> list[str]:
    """Lines with their newline, cut at newlines only: form feeds and the like are part of a line."""
    *whole, last = text.split("\n")
    return [f"{line}\n" for line in whole] + ([last] if last else [])


def _hunks(unified_diff: str) -> list[Hunk]:
    from unidiff.errors import UnidiffParseError
    from unidiff.patch import PatchSet

    try:
        files = PatchSet(unified_diff if unified_diff.endswith("\n") else unified_diff + "\n")
    except UnidiffParseError as error:
        reason = shown(str(error).strip(), 160)
        raise InvalidArgument(
            f"unified_diff cannot be read: {reason}.",
            "Give a unified diff of one file: --- and +++ headers, then hunks whose lengths are right.",
        ) from None
    if len(files) != 1 or not len(files[0]):
        raise InvalidArgument(
            f"unified_diff holds changes of {len(files)} files.", "Give a unified diff of one file, with its headers."
        )
    if files[0].is_added_file or files[0].is_removed_file:
        raise InvalidArgument("unified_diff creates or removes a file.", "Use ssh_upload or ssh_delete.")
    return list(files[0])


def _rows(hunk: Hunk) -> list[tuple[str, str]]:
    """Kind and text of a hunk's lines; a line that the mark for a missing final newline follows has none."""
    rows: list[tuple[str, str]] = []
    for line in hunk:
        if line.line_type == "\\":
            if rows:
                rows[-1] = rows[-1][0], rows[-1][1].removesuffix("\n")
        else:
            rows.append((line.line_type or " ", line.value))
    return rows


def _does_not_fit(number: int, path: str, position: int) -> FileConflict:
    return FileConflict(
        f"Hunk {number} does not fit {path} at line {position + 1}.", "Read the file again and make a new diff."
    )


def diff(old: str, new: str, path: str) -> str:
    """A unified diff of at most some 20,000 characters; says so where it is cut."""
    before, after = _lines(old), _lines(new)
    head = 0
    while head < min(len(before), len(after)) and before[head] == after[head]:
        head += 1
    tail = 0
    while tail < min(len(before), len(after)) - head and before[-1 - tail] == after[-1 - tail]:
        tail += 1
    first, keep = max(head - _CONTEXT, 0), max(tail - _CONTEXT, 0)
    changed = before[first : len(before) - keep], after[first : len(after) - keep]
    if len(changed[0]) + len(changed[1]) > _MAX_COMPARED_LINES:
        removed, added = len(before) - head - tail, len(after) - head - tail
        return f"--- {path}\n+++ {path}\n(lines {head + 1} to {head + removed}: {removed} replaced by {added})\n"
    rows = [f"--- {path}\n", f"+++ {path}\n"]
    for row in list(difflib.unified_diff(*changed, n=_CONTEXT))[2:]:
        rows.append(_moved(row, first) if row.startswith("@@") else row)
        if not row.endswith("\n"):
            rows.append("\n\\ No newline at end of file\n")
    text = "".join(rows)
    if len(text) <= _MAX_DIFF_CHARACTERS:
        return text
    kept = text[: text.rfind("\n", 0, _MAX_DIFF_CHARACTERS) + 1]
    return f"{kept}(the diff has {text.count(chr(10)) - kept.count(chr(10))} more lines)\n"


def _moved(header: str, lines: int) -> str:
    """A hunk header whose line numbers count from the file's first line."""
    ranges = []
    for part in header.split()[1:3]:
        start, _, length = part[1:].partition(",")
        ranges.append(f"{part[0]}{int(start) + lines}" + (f",{length}" if length else ""))
    return f"@@ {ranges[0]} {ranges[1]} @@\n"
