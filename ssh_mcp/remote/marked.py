"""One command's part of a shell session's stream, cut out between markers. Pure but for the event it sets.

The stream reads: a line MARK, the output, a newline, MARK and a trailer, a newline, a line MARK. What stands before the
first marker was written late by background children of earlier commands and is dropped.
"""

from __future__ import annotations

import anyio


class MarkedStream:
    """Feed it bytes; ``kept`` holds the first ``cap`` bytes of output, ``total`` counts all of them."""

    def __init__(self, mark: str, cap: int) -> None:
        word = mark.encode("ascii")
        self._begin = word + b"\n"
        self._end = b"\n" + word + b" "
        self._close = b"\n" + word + b"\n"
        self._cap = cap
        self._state = "before"
        self._buffer = b""
        self._kept = bytearray()
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
        """Take the next bytes of the stream."""
        self._buffer += data
        if self._state == "before":
            start = self._buffer.find(self._begin)
            if start < 0:
                self._buffer = self._buffer[-len(self._begin) :]
                return
            # The end marker begins with a newline, and a command without output leaves only that of the begin marker.
            self._buffer = self._buffer[start + len(self._begin) :]
            self._state = "body"
        if self._state == "body":
            end = self._buffer.find(self._end)
            if end < 0:
                self._keep(self._buffer[: -len(self._end)])
                self._buffer = self._buffer[-len(self._end) :]
                return
            self._keep(self._buffer[:end])
            self._buffer = self._buffer[end + len(self._end) :]
            self._state = "trailer"
        close = self._buffer.find(self._close)
        if close >= 0:
            self.trailer = self._buffer[:close].decode("utf-8", "surrogateescape")
            self.finished.set()

    def close(self) -> None:
        """The stream ended: whatever was held back belongs to the output."""
        if self._state == "body":
            self._keep(self._buffer)
        self._buffer = b""
        self.finished.set()

    def _keep(self, data: bytes) -> None:
        self.total += len(data)
        room = self._cap - len(self._kept)
        if room > 0:
            self._kept += data[:room]
