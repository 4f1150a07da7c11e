"""The text of what a terminal was sent, without an emulation of its screen. Knows no host and no clock."""

from __future__ import annotations

import re
from typing import Final

_SEQUENCE: Final = re.compile(
    r"\x1b(?:\[[0-?]{0,64}[ -/]{0,4}[@-~]|[\]PX^_].{0,256}?(?:\x07|\x1b\\)|[ -/]{0,4}[0-~])|[\x00-\x08\x0b-\x1f]",
    re.DOTALL,
)
"""What is not text of a terminal's output: control sequences such as ``ESC [ 31 m``, titles, control characters."""
_BACK: Final = re.compile(r"\x1b\[(\d{0,4})D")
"""Cursor left, with which some pagers wipe themselves out: ``ESC [ 42 D``."""
_MOST_BACK: Final = 4096
_OVERWRITES: Final = re.compile(r"[\r\x08]")


def plain_text(output: str) -> str:
    """A terminal's output without control sequences, with Unix line ends."""
    return _SEQUENCE.sub("", output.replace("\r\n", "\n"))


def printed_text(output: str) -> str:
    """The same, where a line also shows only what was left of it after its returns and backspaces."""
    text = re.sub(r"\r+\n", "\n", output)
    text = _BACK.sub(lambda m: "\x08" * min(int(m[1] or 1), _MOST_BACK), text)
    if _OVERWRITES.search(text) is None:
        return _SEQUENCE.sub("", text)
    return "\n".join(_left(line) if _OVERWRITES.search(line) else _SEQUENCE.sub("", line) for line in text.split("\n"))


def _left(line: str) -> str:
    """``line`` as the terminal shows it: each return begins it again, each backspace goes one character back."""
    cells: list[str] = []
    at = 0
    for piece in re.split(r"([\r\x08])", line):
        if piece == "\r":
            at = 0
        elif piece == "\x08":
            at = max(at - 1, 0)
        else:
            text = _SEQUENCE.sub("", piece)
            cells[at : at + len(text)] = text
            at += len(text)
    return "".join(cells).rstrip(" ")
