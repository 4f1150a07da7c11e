"""One command's part of a shell session's stream, cut out between markers. Pure but for the event it sets.

The stream reads: a line ``MARK<``, the output, a newline, ``MARK>`` and a trailer, a newline, a line ``MARK.``. What
precedes the first marker was written late by background children of earlier commands and is dropped.
"""

from __future__ import annotations

from collections.abc import Callable

import anyio


class MarkedStream:
    """Feed it bytes; ``kept`` holds the first ``cap`` bytes of output, ``total`` counts all, ``sink`` sees all."""

    def __init__(self, mark: str, cap: int, sink: Callable[[bytes], None] | None = None) -> None:
        word = mark.encode("ascii")
        self._begin = word + b"<\n"
        self._end = b"\n" + word + b"> "
        self._close = b"\n" + word + b".\n"
        self._cap = cap
        self._sink = sink
        self._begun = False
        self._buffer = b""
        self._kept = bytearray()
        self._over = False
        self.total = 0
        self.trailer: str | None = None
        self.finished = anyio.Event()

    @property
    def ended(self) -> bool:
        """The end marker has come, or the stream is over."""
        return self.finished.is_set()

    @property
    def kept(self) -> bytes:
        return bytes(self._kept)

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream. What follows the last marker is dropped."""
        if self.ended:
            return
        self._buffer += data
        if not self._over:
            self._body()
        if self._over:
            end = self._buffer.find(self._close)
            if end >= 0:
                self.trailer = self._buffer[:end].decode("utf-8", "surrogateescape")
                self._buffer = b""
                self.finished.set()

    def close(self) -> None:
        """The stream ended: whatever was held back belongs to the output."""
        if self._begun and not self._over:
            self._keep(self._buffer)
        self._buffer = b""
        self.finished.set()

    def _body(self) -> None:
        if not self._begun:
            start = self._buffer.find(self._begin)
            # An end without a beginning: a signal met the line before it had said anything.
            end = self._buffer.find(self._end, 0, start + 1 if start >= 0 else None)
            if start < 0 and end < 0:
                self._buffer = self._buffer[-len(self._end) :]
                return
            self._begun = True
            self._buffer = self._buffer[start + len(self._begin) :] if start >= 0 and end < 0 else self._buffer[end:]
        end = self._buffer.find(self._end)
        if end >= 0:
            self._keep(self._buffer[:end])
            self._buffer = self._buffer[end + len(self._end) :]
            self._over = True
        else:
            self._keep(self._buffer[: -len(self._end)])
            self._buffer = self._buffer[-len(self._end) :]

    def _keep(self, data: bytes) -> None:
        self.total += len(data)
        if self._sink is not None and data:
            self._sink(data)
        room = self._cap - len(self._kept)
        if room > 0:
            self._kept += data[:room]
