"""Line bounds of a text, requested in text order.

Searching for the next line end at every match would make one long line cost the square of its length.
"""

from __future__ import annotations


class Lines:
    """Remembers the last line requested; linear in all for positions in ascending order."""

    __slots__ = ("_end", "_next", "_start", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._start = 0
        self._end = -1  # where the line's content ends, before \r\n
        self._next = -1  # where the next line begins

    def _seek(self, at: int) -> None:
        if self._start <= at < self._next or (at == self._next == len(self._text) and self._start <= at):
            return
        text = self._text
        self._start = text.rfind("\n", 0, at) + 1
        nl = text.find("\n", at)
        self._next = len(text) if nl < 0 else nl + 1
        stop = len(text) if nl < 0 else nl
        self._end = stop - 1 if stop > self._start and text[stop - 1] == "\r" else stop

    def start(self, at: int) -> int:
        """Where the line of ``at`` begins."""
        self._seek(at)
        return self._start

    def end(self, at: int) -> int:
        """Where the line of ``at`` ends, without its line end; never before ``at``."""
        self._seek(at)
        return max(self._end, at)
