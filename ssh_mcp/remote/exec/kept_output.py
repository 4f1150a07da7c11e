"""What a command writes beyond its cap, kept as it comes: on disk as far as there is room, and the end in any case."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ssh_mcp.guard.long_stream import CONTEXT, LongStream

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ssh_mcp.guard.spool import Spool, SpoolFile
    from transports.api import OutputSink, StreamName

REST_MAX: Final = 16 << 20
"""Bytes of one stream that are kept beyond its cap. Guarding them takes up to three seconds."""
TAIL: Final = 4 * CONTEXT
"""Bytes that are kept of the end of a longer one."""


class KeptOutput:
    """An output sink. The first ``caps`` bytes of a stream are the transport's to keep; the rest is kept here."""

    def __init__(self, spool: Spool, caps: Mapping[StreamName, int], also: OutputSink | None = None) -> None:
        self._spool = spool
        self._streams = {name: _Stream(spool, cap) for name, cap in caps.items()}
        self._also = also

    def __call__(self, stream: StreamName, data: bytes) -> None:
        self._streams[stream].feed(data)
        if self._also is not None:
            self._also(stream, data)

    def long_streams(self, heads: Mapping[StreamName, tuple[bytes, int]]) -> dict[str, LongStream]:
        """The streams that were longer than their cap. ``heads``: what the transport kept, and how long each was.

        A stream whose length is another than what came through here is left out: the command was run a second time.
        """
        found: dict[str, LongStream] = {}
        for name, (head, total) in heads.items():
            stream = self._streams[name]
            if stream.total == total and total > len(head) == stream.cap:
                found[name] = LongStream(head, stream.rest, stream.gap, bytes(stream.tail), self._spool.file)
        return found

    def tail(self, stream: StreamName) -> bytes:
        """The last bytes of what came beyond the cap."""
        kept = self._streams[stream]
        if kept.tail or kept.rest is None:
            return bytes(kept.tail)
        return kept.rest.read(max(kept.rest.size - TAIL, 0), TAIL)


class _Stream:
    __slots__ = ("_full", "_spool", "cap", "gap", "rest", "tail", "total")

    def __init__(self, spool: Spool, cap: int) -> None:
        self._spool = spool
        self._full = False
        self.cap = cap
        self.total = 0
        self.gap = 0
        self.rest: SpoolFile | None = None
        self.tail = bytearray()

    def feed(self, data: bytes) -> None:
        beyond = data[max(self.cap - self.total, 0) :]
        self.total += len(data)
        if not beyond or self._written(beyond):
            return
        self._full = True
        self.tail += beyond
        if len(self.tail) > 2 * TAIL:
            self.gap += len(self.tail) - TAIL
            del self.tail[:-TAIL]

    def _written(self, data: bytes) -> bool:
        if self._full or self._spool.room < len(data):
            return False
        if self.rest is None:
            self.rest = self._spool.scratch()
        if self.rest is None or self.rest.size + len(data) > REST_MAX:
            return False
        try:
            self.rest.write(data)
        except OSError:  # the disk is full
            return False
        return True
