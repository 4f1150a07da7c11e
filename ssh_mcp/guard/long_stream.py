"""A stream that is longer than its cap: from raw pieces to one guarded text, of which a result shows both ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, Final, Protocol

from ssh_mcp.guard.spool import CHUNK, SpoolFile
from ssh_mcp.results.exec import ExecResult

if TYPE_CHECKING:
    from ssh_mcp.guard.guard import Guard
    from ssh_mcp.redaction.repeats import Repeats
    from ssh_mcp.results.base import Result

WHOLE_MAX: Final = 4 << 20
"""Bytes that are guarded as one text; what is longer is guarded as a stream, which takes less memory and more time."""
CONTEXT: Final = 64 << 10
"""Characters behind a gap that are read but not shown: what would identify the rest of a secret may be in the
gap, and no private key is that long.
"""


class Text(Protocol):
    """A text that is read in pieces. Sizes and offsets are bytes of UTF-8."""

    @property
    def size(self) -> int: ...

    @property
    def lines(self) -> int: ...

    def write(self, data: bytes) -> None: ...

    def read(self, offset: int, length: int) -> bytes: ...


class MemoryText:
    """The same without a disk: where there is no spool only the ends of a stream are left, which fit into memory."""

    def __init__(self) -> None:
        self._data = bytearray()

    @property
    def size(self) -> int:
        return len(self._data)

    @property
    def lines(self) -> int:
        return count_lines(bytes(self._data))

    def write(self, data: bytes) -> None:
        self._data += data

    def read(self, offset: int, length: int) -> bytes:
        return bytes(self._data[offset : offset + length])


def count_lines(data: bytes) -> int:
    """Line ends, and a last line without one."""
    return data.count(b"\n") + (data[-1:] not in (b"", b"\n"))


def long_streams(result: Result) -> list[LongStream]:
    """The streams of a result that are longer than their field."""
    texts = result.long_texts.values() if isinstance(result, ExecResult) else ()
    return [stream for stream in texts if isinstance(stream, LongStream)]


def _from_a_line(text: str) -> str:
    """From the first line end on, where one is near."""
    cut = text.find("\n") + 1
    return text[cut:] if cut < len(text) // 2 else text


class LongStream:
    """``head``, then ``rest`` (both without a gap), then ``gap`` bytes that are lost, then ``tail``.

    ``guard`` turns them into ``text``. ``new_file`` makes a file of the spool, or None where there is none.
    """

    def __init__(
        self, head: bytes, rest: SpoolFile | None, gap: int, tail: bytes, new_file: Callable[[], SpoolFile | None]
    ) -> None:
        self._head = head
        self._rest = rest
        self._gap = gap
        self._tail = tail
        self._new_file = new_file
        self.text: Text | None = None
        """Guarded; None until ``guard`` was called."""

    def guard(self, guard: Guard, repeats: Repeats) -> tuple[str, ...]:
        """Guard all of it, again where a second host's rules apply too. Returns remarks.

        ``repeats``: the secrets that the result's other texts named; those of this one are added to them.
        """
        if self.text is not None:
            self._head, self._rest, self._gap, self._tail = self.text.read(0, self.text.size), None, 0, b""
        made: Text = self._new_file() or MemoryText()
        try:
            warnings = self._write(made, guard, repeats)
        except OSError:  # the disk is full: the ends are what a result shows
            self._drop_rest()
            made = MemoryText()
            warnings = self._write(made, guard, repeats)
        self.text = made
        self._head, self._rest, self._tail = b"", None, b""
        return warnings

    def _drop_rest(self) -> None:
        if self._rest is None:
            return
        if not self._gap:
            self._tail = self._rest.read(max(self._rest.size - 4 * CONTEXT, 0), 4 * CONTEXT) + self._tail
            self._gap = max(self._rest.size - 4 * CONTEXT, 0)
        else:
            self._gap += self._rest.size
        self._rest = None

    def _write(self, made: Text, guard: Guard, repeats: Repeats) -> tuple[str, ...]:
        pieces = self._pieces()
        size = len(self._head) + (self._rest.size if self._rest else 0) + (0 if self._gap else len(self._tail))
        if size <= WHOLE_MAX:
            whole = guard.text(b"".join(pieces), truncated=self._gap > 0, repeats=repeats)
            made.write(whole.text.encode("utf-8", "replace"))
            warnings = whole.warnings
        else:
            stream = guard.stream()
            for piece in pieces:
                made.write(stream.feed(piece).encode("utf-8", "replace"))
            made.write(stream.close().encode("utf-8", "replace"))
            warnings = stream.warnings
        if not self._gap:
            return warnings
        tail = guard.text(self._tail, repeats=repeats)
        shown = _from_a_line(tail.text[CONTEXT:])
        made.write(f"\n[... {self._gap} bytes of the output were not kept ...]\n{shown}".encode("utf-8", "replace"))
        return tuple(dict.fromkeys((*warnings, *tail.warnings)))

    def _pieces(self) -> Iterator[bytes]:
        head = (self._head[at : at + CHUNK] for at in range(0, len(self._head), CHUNK))
        return chain(head, self._rest.chunks() if self._rest else (), () if self._gap else (self._tail,))
