"""The selected part of a file, cut out of a window of its bytes. Pure: both views read windows and cut them here.

A window is a little larger than what is wanted: whether a part holds a secret can only be said in the light of the
lines around it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ssh_mcp.remote.files.arguments import Selection

CONTEXT: Final = 8192
"""Bytes read on each side of a part; more than any PEM private key in common use has."""

WHOLE: Final = 128 * 1024
"""A file of at most so many bytes is masked in the light of all of it."""


@dataclass(frozen=True, slots=True)
class Window:
    """Bytes of a file from offset ``start`` on. ``at_end``: the file ends behind them.

    ``size`` is what the host says (``st_size``): 0 in /proc, a whole page in /sys.
    """

    data: bytes
    start: int
    at_end: bool
    size: int

    @property
    def true_size(self) -> int:
        """Bytes of the file: counted where its end was seen, for EOF is right where ``st_size`` is not."""
        reached = self.start + len(self.data)
        return reached if self.at_end else max(self.size, reached)


@dataclass(frozen=True, slots=True)
class Piece:
    """Some of a file's bytes, and those around them.

    ``cut``: the limit on one read ended it, not the selection and not the end of the file. ``more``: the file goes on.
    """

    data: bytes
    offset: int
    size: int
    cut: bool = False
    more: bool = False
    before: bytes = b""
    after: bytes = b""

    @property
    def end(self) -> int:
        return self.offset + len(self.data)


def cut_piece(window: Window, selection: Selection, cap: int) -> Piece:
    """What ``selection`` means within ``window``, at most ``cap`` bytes.

    The window holds what is wanted: the first lines (it starts at 0), the last ones (it is at the end), or the offset.
    """
    limit = min(cap, selection.max_bytes or cap)
    if selection.last_lines is not None:
        return _from_the_end(window, selection.last_lines, limit)
    data = window.data
    begin = min(max((selection.offset or 0) - window.start, 0), len(data))
    if selection.first_lines is not None:
        wanted, complete = _lines_end(data, selection.first_lines)
    else:
        wanted, complete = len(data), False
    end = min(begin + limit, wanted)
    more = end < len(data) or not window.at_end
    cut = more and not (complete and end == wanted)
    if selection.first_lines is None and selection.max_bytes is not None and selection.max_bytes <= cap:
        cut = False  # the caller asked for no more
    before, after = data[:begin], data[end:]
    return Piece(
        data[begin:end], window.start + begin, window.true_size, cut=cut, more=more, before=before, after=after
    )


def _from_the_end(window: Window, lines: int, limit: int) -> Piece:
    data = window.data
    line = _line_start(data, lines)
    begin = max(line, len(data) - limit)
    cut = begin > line or (line == 0 and window.start > 0)
    return Piece(data[begin:], window.start + begin, window.true_size, cut=cut, before=data[:begin])


def _lines_end(data: bytes, lines: int) -> tuple[int, bool]:
    """Where the first ``lines`` lines end, and whether there are so many."""
    end = 0
    for _ in range(lines):
        newline = data.find(b"\n", end)
        if newline < 0:
            return len(data), False
        end = newline + 1
    return end, True


def _line_start(data: bytes, lines: int) -> int:
    """Where the last ``lines`` lines start; a final newline ends the last line and begins none."""
    position = len(data) - (1 if data.endswith(b"\n") else 0)
    for _ in range(lines):
        position = data.rfind(b"\n", 0, position)
        if position < 0:
            return 0
    return position + 1
