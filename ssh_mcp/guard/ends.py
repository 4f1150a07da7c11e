"""Where a long text is cut: its head and its tail are shown, since errors are at the end. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

LINE_MAX: Final = 200
"""Bytes of the line that says what is left out."""
SHORT_LINE: Final = "[...]"
"""Used instead where a text may not be much longer than the line."""
SHORT_BELOW: Final = 2 * LINE_MAX
"""Bytes from which on a text has the whole line."""
_HEAD_ONLY: Final = 64
"""A text of fewer bytes has no room for a line at all: only its head is shown."""


@dataclass(frozen=True, slots=True)
class Ends:
    """Bytes ``[0, head)`` and ``[tail, size)`` are shown."""

    head: int
    tail: int


def ends(begin: bytes, end: bytes, size: int, limit: int) -> Ends:
    """Cut a UTF-8 text of ``size`` bytes down to ``limit``: at line ends where some are near, never in a character.

    ``begin`` and ``end`` are its first and last ``limit`` bytes. The line between the two has its place within the
    limit.
    """
    if limit < _HEAD_ONLY:
        return Ends(_character(begin, limit), size)
    room = limit - (LINE_MAX if limit >= SHORT_BELOW else len(SHORT_LINE) + 2)
    head = _line_end(begin, room * 2 // 5)
    start = len(end) - (room - head)
    return Ends(head, size - len(end) + _line_start(end, start))


def _line_end(data: bytes, at: int) -> int:
    """The last line end at or before ``at``, unless more than half would be lost by it; then a character's."""
    cut = data.rfind(b"\n", 0, at) + 1
    return cut if cut > at // 2 else _character(data, at)


def _line_start(data: bytes, at: int) -> int:
    """The same for the begin of a tail that starts at ``at`` or behind it."""
    if at > 0 and data[at - 1 : at] == b"\n":
        return at
    cut = data.find(b"\n", at) + 1
    if cut and cut - at < (len(data) - at) // 2:
        return cut
    while at < len(data) and data[at] & 0xC0 == 0x80:
        at += 1
    return at


def _character(data: bytes, at: int) -> int:
    """The last position at or before ``at`` that is not inside a character."""
    at = min(at, len(data))
    while 0 < at < len(data) and data[at] & 0xC0 == 0x80:
        at -= 1
    return at


def share(sizes: list[int], limit: int) -> int:
    """The size that each of several texts may have so that together they have at most ``limit``.

    Short ones keep theirs, and what they leave goes to the others.
    """
    left, remaining = limit, sorted(sizes)
    for at, size in enumerate(remaining):
        each = left // (len(remaining) - at)
        if size > each:
            return each
        left -= size
    return limit
