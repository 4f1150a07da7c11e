"""What a terminal shows, rendered by pyte from all that a host wrote to it. Knows no host and no clock.

A host may write anything: sequences that pyte takes no such parameters for are ignored, and one that never ends, or
marks heaped on one character, cost no more than a bounded part of memory.
"""

from __future__ import annotations

import re
import unicodedata
from collections import deque
from functools import wraps
from typing import TYPE_CHECKING, Any, Final

import pyte
from pyte import modes
from wcwidth import wcwidth

if TYPE_CHECKING:
    from collections.abc import Callable

HISTORY_ROWS: Final = 200
"""Rows above the screen that are kept: a secret that begins there is masked on the screen too."""
_PRIVATE: Final = 5
"""pyte shifts the numbers of private modes (DECSET) left by this."""
CURSOR_KEYS: Final = 1 << _PRIVATE
"""DECCKM: the program wants cursor keys as ``ESC O A`` instead of ``ESC [ A``."""
_ALTERNATE: Final = frozenset({47, 1047, 1049})
"""The screen that editors and pagers use, and leave again (xterm's control sequences)."""
_STUCK_BYTES: Final = 64 * 1024
"""A sequence longer than this is given up."""
_WORD: Final = re.compile(r"[A-Za-z0-9_/+=]")
"""What tokens and keys consist of; no border of a box."""
_CELL_CHARACTERS: Final = 16
_REPLIES: Final = 4096


class _Screen(pyte.Screen):
    """pyte's screen with rows that were wrapped known, an alternate screen, a short history, and replies kept."""

    def __init__(self, columns: int, rows: int) -> None:
        self.scrolled: deque[str] = deque(maxlen=HISTORY_ROWS)
        self.replies = bytearray()
        self.busy = False
        self._drawing = False
        self._left: tuple[Any, int, int] | None = None
        super().__init__(columns, rows)

    def draw(self, data: str) -> None:
        self.busy = self._drawing = True
        try:
            super().draw(data if data.isascii() and data.isprintable() else "".join(filter(_is_drawn, data)))
        finally:
            self._drawing = False
        row, x = self.buffer[self.cursor.y], max(self.cursor.x - 1, 0)
        if len(row[x].data) > _CELL_CHARACTERS:
            row[x] = row[x]._replace(data=row[x].data[:_CELL_CHARACTERS])

    def linefeed(self) -> None:
        if self._drawing:
            vars(self.buffer[self.cursor.y])["wrapped"] = True
        super().linefeed()

    def index(self) -> None:
        bottom = self.margins.bottom if self.margins else self.lines - 1
        if self.cursor.y == bottom and (self.margins is None or self.margins.top == 0) and self._left is None:
            self.scrolled.append(self.row(0))
        super().index()

    def row(self, y: int, *, by_words: bool = False) -> str:
        """One row; a newline is behind it unless it was wrapped into the next, or, ``by_words``, may go on there."""
        cells = self.buffer[y]
        text = "".join(cells[x].data for x in range(self.columns))
        wrapped = vars(cells).get("wrapped", False) and text[-1:] not in ("", " ")
        return text if wrapped or (by_words and self._goes_on(text, y)) else text.rstrip() + "\n"

    def _goes_on(self, text: str, y: int) -> bool:
        """Whether a full row is one word with the next one: programs that place the cursor wrap by themselves."""
        if y + 1 >= self.lines or not _WORD.match(text[-1:]):
            return False
        return _WORD.match(self.buffer[y + 1][0].data) is not None

    def set_mode(self, *args: int, **kwargs: Any) -> None:
        if kwargs.get("private") and not _ALTERNATE.isdisjoint(args) and self._left is None:
            self._left = (self.buffer.copy(), self.cursor.x, self.cursor.y)
            self.erase_in_display(2)
        if modes.DECCOLM >> _PRIVATE not in args:  # the size is ours to say
            super().set_mode(*args, **kwargs)

    def reset_mode(self, *args: int, **kwargs: Any) -> None:
        if kwargs.get("private") and not _ALTERNATE.isdisjoint(args) and self._left is not None:
            cells, self.cursor.x, self.cursor.y = self._left
            self._left = None
            self.buffer.clear()
            self.buffer.update(cells)
            self.dirty.update(range(self.lines))
        if modes.DECCOLM >> _PRIVATE not in args:
            super().reset_mode(*args, **kwargs)

    def erase_in_display(self, how: int = 0, *args: Any, **kwargs: Any) -> None:
        if how in (2, 3):
            # pyte blanks cells in place, which would blank a saved copy's too
            for y in list(self.buffer):
                del self.buffer[y]
            self.dirty.update(range(self.lines))
            return
        super().erase_in_display(how, *args, **kwargs)

    def write_process_input(self, data: str) -> None:
        if len(self.replies) < _REPLIES:
            self.replies += data.encode()


def _is_drawn(char: str) -> bool:
    """Whether pyte draws it; at any other character, such as a zero-width joiner, it drops the rest of the text."""
    width = wcwidth(char)
    return width > 0 or (width == 0 and unicodedata.combining(char) > 0)


def _tolerant(name: str) -> Callable[..., None]:
    method = getattr(_Screen, name)

    @wraps(method)
    def call(self: _Screen, *args: Any, **kwargs: Any) -> None:
        self.busy = True
        try:
            method(self, *args, **kwargs)
        except (TypeError, IndexError, ValueError, UnboundLocalError):
            return  # parameters that pyte takes no such sequence with: vim's "ESC [ > 4 ; 2 m", "ESC [ 42 J"

    return call


for _name in set(pyte.Stream.csi.values()):
    setattr(_Screen, _name, _tolerant(_name))


class TerminalScreen:
    """A screen of ``columns`` by ``rows``; feed it what the host writes."""

    def __init__(self, columns: int, rows: int) -> None:
        self._screen = _Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self._silent = 0

    def feed(self, data: bytes) -> bytes:
        """Show ``data``, cut anywhere; what the terminal itself replies to it (its cursor's place, its kind)."""
        self._screen.busy = False
        self._stream.feed(data)
        self._silent = 0 if self._screen.busy else self._silent + len(data)
        if self._silent > _STUCK_BYTES:
            self._stream = pyte.ByteStream(self._screen)
            self._silent = 0
        replies = bytes(self._screen.replies)
        self._screen.replies.clear()
        return replies

    def resize(self, columns: int, rows: int) -> None:
        self._screen.resize(rows, columns)

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows."""
        return self._screen.columns, self._screen.lines

    @property
    def text(self) -> str:
        """The screen, rows that were wrapped joined; blank rows at its end left out."""
        return "".join(self._screen.row(y) for y in range(self._screen.lines)).rstrip("\n")

    @property
    def joined(self) -> str:
        """The same, where full rows are joined too: a program that places the cursor may have cut a word there."""
        return "".join(self._screen.row(y, by_words=True) for y in range(self._screen.lines)).rstrip("\n")

    @property
    def above(self) -> str:
        """The rows that scrolled off the top, oldest first."""
        return "".join(self._screen.scrolled)

    @property
    def cursor(self) -> tuple[int, int]:
        """Row and column, from 0."""
        return self._screen.cursor.y, min(self._screen.cursor.x, self._screen.columns - 1)

    @property
    def application_keys(self) -> bool:
        """Whether the program wants cursor keys in their application form (DECCKM)."""
        return CURSOR_KEYS in self._screen.mode

    def take_changed(self, but: int) -> str:
        """The rows that changed since the last call, all but one."""
        rows = sorted(y for y in self._screen.dirty if y != but and y < self._screen.lines)
        self._screen.dirty.clear()
        return "".join(self._screen.row(y) for y in rows)
