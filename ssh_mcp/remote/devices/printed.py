"""The text of what a terminal was sent, without an emulation of its screen. Knows no host and no clock."""

from __future__ import annotations

import re
from typing import Final

_SEQUENCE: Final = re.compile(
    r"\x1b(?:\[[0-?]{0,64}[ -/]{0,4}[@-~]|[\]PX^_].{0,256}?(?:\x07|\x1b\\)|[ -/]{0,4}[0-~])|[\x00-\x08\x0b-\x1f]",
    re.DOTALL,
)
"""What is not text of a terminal's output: control sequences such as ``ESC [ 31 m``, titles, control characters."""
_OVERWRITES: Final = re.compile(r"(\r|\x08+|\x1b\[\d{0,4}D)")
"""What moves the cursor left: a return, backspaces, and ``ESC [ 42 D``, with which some pagers wipe themselves out."""


def plain_text(output: str) -> str:
    """A terminal's output without control sequences, with Unix line ends."""
    return _SEQUENCE.sub("", output.replace("\r\n", "\n"))


def printed_text(output: str) -> str:
    """The same, where a line also shows only what was left of it after its returns and backspaces."""
    text = re.sub(r"\r+\n", "\n", output)
    if _OVERWRITES.search(text) is None:
        return _SEQUENCE.sub("", text)
    return "\n".join(_left(line) if _OVERWRITES.search(line) else _SEQUENCE.sub("", line) for line in text.split("\n"))


def _left(line: str) -> str:
    """``line`` as the terminal shows it: what follows a move to the left is written over what was there."""
    cells: list[str] = []
    at = 0
    for number, piece in enumerate(_OVERWRITES.split(line)):
        if number % 2:
            at = 0 if piece == "\r" else max(at - _steps(piece), 0)
        else:
            text = _SEQUENCE.sub("", piece)
            cells[at : at + len(text)] = text
            at += len(text)
    return "".join(cells).rstrip(" ")


def _steps(move: str) -> int:
    return len(move) if move[0] == "\x08" else int(move[2:-1] or 1)
