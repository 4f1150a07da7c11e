"""Commands over lines that end in a backslash (a POSIX shell), a backquote (PowerShell) or a caret (cmd).

The program's name and the option that says what is a password may stand on different lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ssh_mcp.redaction.quoting import Place

_MARK = re.compile(r"[\\`^][ \t]{0,9}\r?\n")
MAX_LINES, MAX_CHARS = 40, 16_384
"""Of one command; what is longer is read in parts."""


def commands(text: str) -> Iterator[Place]:
    """Bounds of every command that goes on over lines, its last line's end included if the text has it."""
    start = end = count = 0
    if not any(mark in text for mark in "\\`^"):
        return
    for m in _MARK.finditer(text):
        if not _continues(text, m):
            continue
        follows = count and text.find("\n", end, m.end()) == m.end() - 1
        if count and not follows:
            yield start, _line_end(text, end)
        elif count >= MAX_LINES or m.end() - start > MAX_CHARS >= end - start > 0:
            yield start, end
            follows = False
        if not follows:
            start = max(text.rfind("\n", 0, m.start()) + 1, end, m.end() - MAX_CHARS)
            count = 0
        count += 1
        end = m.end()
    if count:
        yield start, _line_end(text, end)


def _continues(text: str, m: re.Match[str]) -> bool:
    """A backslash is not escaped; a backquote or caret stands behind a blank."""
    before = text[m.start() - 1 : m.start()]
    return before != "\\" if m[0][0] == "\\" else before in {" ", "\t"}


def _line_end(text: str, at: int) -> int:
    return text.find("\n", at) + 1 or len(text)


def joined(text: str, place: Place) -> str:
    """The command on one line, position by position as in ``text``."""
    return _MARK.sub(lambda m: " " * len(m[0]) if _continues(m.string, m) else m[0], text[slice(*place)])
