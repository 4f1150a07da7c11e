"""Changing text: exact replacement, strict unified diffs, and a bounded diff to show. Pure."""

from __future__ import annotations

import difflib
from typing import Final, Literal

from ssh_mcp.errors import FileConflict, InvalidArgument
from ssh_mcp.remote.files import unified

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
        hint = _why(text, old)
        raise FileConflict(f"old_string is not in {path}.{hint}", "Read the file again and copy the text exactly.")
    if count > 1 and occurrence == "single":
        raise FileConflict(
            f"old_string is {count} times in {path}.", "Give more of the text around it, or occurrence all."
        )
    return text.replace(old, new)


def _why(text: str, wanted: str) -> str:
    """What no eye sees and yet keeps ``wanted`` from being found in ``text``; empty or a sentence behind a blank."""
    if "\r\n" in text and "\n" in wanted and "\r\n" not in wanted:
        return " Its lines end in CRLF."
    if "\r\n" in wanted and "\r\n" not in text:
        return " Its lines end in LF, not in CRLF."
    if text.startswith("\ufeff") and not wanted.startswith("\ufeff") and wanted in text[1:]:
        return " It starts with a byte order mark."
    return ""


def patch(text: str, unified_diff: str, path: str) -> str:
    """``text`` with a unified diff applied exactly where it says, without fuzz.

    Raises InvalidArgument for what is not a diff of one file, FileConflict where a hunk does not fit.
    """
    lines = _lines(text)
    out: list[str] = []
    position = 0
    for number, hunk in enumerate(unified.hunks(unified_diff), start=1):
        begin = hunk.start - (1 if hunk.length else 0)
        if begin < position or begin > len(lines):
            raise _does_not_fit(number, path, begin)
        out += lines[position:begin]
        position = begin
        for kind, value in hunk.rows:
            if kind in " -":
                if lines[position : position + 1] != [value]:
                    found = "".join(lines[position : position + 1])
                    raise _does_not_fit(number, path, position, _difference(found, value))
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


def _difference(found: str, value: str) -> str:
    """The difference of two lines that look alike."""
    if found.rstrip("\r\n") == value.rstrip("\r\n"):
        if found.endswith("\r\n") != value.endswith("\r\n"):
            return f" Its lines end in {'CRLF' if found.endswith(chr(13) + chr(10)) else 'LF, not in CRLF'}."
    elif found.removeprefix("\ufeff") == value:
        return " It starts with a byte order mark."
    return ""


def _does_not_fit(number: int, path: str, position: int, difference: str = "") -> FileConflict:
    return FileConflict(
        f"Hunk {number} does not fit {path} at line {position + 1}.{difference}",
        "Read the file again and make a new diff.",
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
