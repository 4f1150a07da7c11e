"""The local end of a transfer: a descriptor read and written in large blocks by a worker thread.

Off the event loop, because a local disk may stall for a long while; in blocks of 1 MiB, so that the hand-over costs
little. Measured over sftp-server and through a mux session: no slower than writing every piece from the event loop.
"""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import Callable
from typing import Final

BLOCK: Final = 1024 * 1024
"""Bytes given to the kernel at once."""


class LocalWriter:
    """Takes bytes in order and writes them from ``position`` on; ``on_written`` gets the length of every block."""

    def __init__(self, fd: int, position: int, on_written: Callable[[int], None]) -> None:
        self._fd = fd
        self._position = position
        self._on_written = on_written
        self._loop = asyncio.get_running_loop()
        self._block = memoryview(bytearray(BLOCK))
        self._filled = 0
        self._full: deque[memoryview] = deque()
        self._spare: list[memoryview] = []
        self._task: asyncio.Task[None] | None = None
        self.error: OSError | None = None
        """Why nothing is written any more."""

    @property
    def position(self) -> int:
        """Up to here everything is written."""
        return self._position

    def take(self, view: memoryview) -> None:
        """Copy ``view``. Raises OSError where an earlier block could not be written."""
        if self.error is not None:
            raise self.error
        while view:
            count = min(len(view), BLOCK - self._filled)
            self._block[self._filled : self._filled + count] = view[:count]
            self._filled += count
            view = view[count:]
            if self._filled == BLOCK:
                self._next_block()

    async def finish(self) -> None:
        """Write all that was taken. Raises OSError."""
        if self._filled:
            self._next_block()
        while self._task is not None:
            await asyncio.shield(self._task)
        if self.error is not None:
            raise self.error

    def _next_block(self) -> None:
        self._full.append(self._block[: self._filled])
        self._block = self._spare.pop() if self._spare else memoryview(bytearray(BLOCK))
        self._filled = 0
        if self._task is None:
            self._task = self._loop.create_task(self._write())

    async def _write(self) -> None:
        try:
            while self._full and self.error is None:
                block = self._full.popleft()
                await self._loop.run_in_executor(None, _write_all, self._fd, block, self._position)
                self._position += len(block)
                if len(block) == BLOCK:
                    self._spare.append(block)
                self._on_written(len(block))
        except OSError as error:
            self.error = error
            self._on_written(0)
        finally:
            self._task = None


class LocalReader:
    """Reads from ``position`` up to ``end`` in blocks, one of them ahead."""

    def __init__(self, fd: int, position: int, end: int) -> None:
        self._fd = fd
        self._position = position
        self._end = end
        self._loop = asyncio.get_running_loop()
        self._ahead: asyncio.Future[bytes] | None = None

    async def next(self) -> bytes:
        """The next block; empty at ``end``, or before it where the file has become shorter. Raises OSError."""
        ahead = self._ahead or self._start()
        block = await asyncio.shield(ahead)
        self._position += len(block)
        self._ahead = self._start() if block else None
        return block

    async def close(self) -> None:
        """Wait until no thread reads the descriptor any more."""
        if self._ahead is not None:
            await asyncio.gather(self._ahead, return_exceptions=True)

    def _start(self) -> asyncio.Future[bytes]:
        length = max(min(BLOCK, self._end - self._position), 0)
        self._ahead = self._loop.run_in_executor(None, os.pread, self._fd, length, self._position)
        return self._ahead


def _write_all(fd: int, data: memoryview, position: int) -> None:
    while data:
        written = os.pwrite(fd, data, position)
        data = data[written:]
        position += written
