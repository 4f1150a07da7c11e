"""Commands over lines that end in a backslash (a POSIX shell), a backquote (PowerShell) or a caret (cmd).

The program's name and the option that says what is a password may be on different lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from ssh_mcp.redaction.automata import as_ascii, ascii_asks
from ssh_mcp.redaction.cursor import Lines
from ssh_mcp.redaction.detectors import commands, flags
from ssh_mcp.redaction.detectors.base import Reach, TextDetector
from ssh_mcp.redaction.model import Span
from ssh_mcp.redaction.quoting import Place
from ssh_mcp.redaction.stretch import Stretch

_MARK = re.compile(r"[\\`^][ \t]{0,9}\r?\n")
MAX_LINES, MAX_CHARS = 40, 16_384
"""Of one command; what is longer is read in parts."""


def continued(text: str) -> Iterator[Place]:
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
    """A backslash is not escaped; a backquote or caret follows a blank."""
    before = text[m.start() - 1 : m.start()]
    return before != "\\" if m[0][0] == "\\" else before in {" ", "\t"}


def _line_end(text: str, at: int) -> int:
    return text.find("\n", at) + 1 or len(text)


def joined(text: str, place: Place) -> str:
    """The command on one line, position by position as in ``text``."""
    return _MARK.sub(lambda m: " " * len(m[0]) if _continues(m.string, m) else m[0], text[slice(*place)])


_ASKED = (commands, flags)
"""Those whose name and value may be on different lines of a command."""
_ASKS = tuple((module.DETECTOR, ascii_asks("|".join(module.DETECTOR.line))) for module in _ASKED)


def _find(page: Stretch, _: Sequence[Place]) -> list[Span]:
    out: list[Span] = []
    for place in continued(page.text):
        line = joined(page.text, place)
        probe = as_ascii(line)
        s = replace(page, text=line, start=0, end=len(line), lines=Lines(line))
        for detector, ask in _ASKS:
            if ask(probe) and (page.keys.default_words or not detector.default_words):
                out += [
                    span._replace(start=span.start + place[0], end=span.end + place[0]) for span in detector.find(s)
                ]
    return [span for span in out if "\n" not in page.text[span.start : span.end]]


def _reach(page: Stretch, _: Sequence[Place]) -> list[Reach]:
    """All lines of a command together say what is a password."""
    text = page.text
    return [Reach(low, high if text[high - 1] == "\n" else None) for low, high in continued(text)]


DETECTOR = TextDetector(
    name="commands over several lines",
    find=_find,
    reach=_reach,
    hit="curl https://x.example \\\n  -u admin:«hunter2x9»",
    miss="docker run \\\n  -p 8080:80",
)
