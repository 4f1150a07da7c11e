"""The near ends of pipes, written and widened from event loop callbacks. POSIX only.

The event loop is used directly and not through anyio: for two pipes with a byte each a task per stream and anyio's
``wait_readable`` take 0.19 ms, callbacks 0.045 ms. In bulk they move 1 GB at 420 to 520 MB/s, one awaited ``bytes``
object per read 250 to 320.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import deque
from collections.abc import Iterable
from typing import Final

BULK_BYTES: Final = 256 * 1024
"""What a pipe is enlarged to for bulk data: 400 MB take 1,900 wake-ups and 0.25 s of our CPU instead of 6,200 and
0.31 s. More changed nothing; the rate is ssh's own."""
_F_SETPIPE_SZ: Final = 1031
"""fcntl command of Linux, by name only from Python 3.10 on some platforms (fcntl(2))."""
_IOV: Final = 64
"""Buffers given to one writev; IOV_MAX is 1024 on Linux and 16 at the least (POSIX)."""


def widen(fd: int) -> None:
    """A larger pipe means fewer wake-ups. Linux only; refused once a user's pipes hold 64 MiB, and left alone then."""
    import fcntl  # not on Windows, whose channels have no pipes

    with contextlib.suppress(OSError):
        fcntl.fcntl(fd, _F_SETPIPE_SZ, BULK_BYTES)


class PipeWriter:
    """The near end of a pipe that is written, with what does not fit into it yet.

    ``drain`` waits while more than ``high`` bytes are queued.
    """

    __slots__ = ("_broken", "_finishing", "_high", "_loop", "_queue", "_queued", "_waiters", "_watching", "fd")

    def __init__(self, fd: int, high: int) -> None:
        os.set_blocking(fd, False)
        self.fd = fd
        self._high = high
        self._loop = asyncio.get_running_loop()
        self._queue: deque[bytes | memoryview] = deque()
        self._queued = 0
        self._watching = self._broken = self._finishing = False
        self._waiters: list[asyncio.Future[None]] = []

    @property
    def open(self) -> bool:
        """False once it is finished or closed, or nobody reads the far end any more."""
        return self.fd >= 0 and not (self._broken or self._finishing)

    def write(self, buffers: Iterable[bytes | memoryview]) -> None:
        """Write in order, as soon as it can be; never blocks. The buffers must not change until then."""
        if not self.open:
            return
        for buffer in buffers:
            if buffer:
                self._queue.append(buffer)
                self._queued += len(buffer)
        if not self._watching:
            self._flush()

    async def drain(self) -> None:
        """Wait until no more than ``high`` bytes are queued, or nobody reads them any more."""
        if self.fd >= 0 and self._queued > self._high:
            waiter = self._loop.create_future()
            self._waiters.append(waiter)
            await waiter

    def finish(self) -> None:
        """Close behind what is queued."""
        self._finishing = True
        if not self._queue:
            self.close()

    def stop(self) -> None:
        """Drop what is queued and leave the descriptor alone; it stays open."""
        if self._watching:
            self._watching = False
            self._loop.remove_writer(self.fd)
        self._queue.clear()
        self._queued = 0
        self._wake()

    def close(self) -> None:
        """Drop what is queued and close."""
        self.stop()
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def _flush(self) -> None:
        queue = self._queue
        while queue:
            try:
                written = os.writev(self.fd, [queue[i] for i in range(min(len(queue), _IOV))])
            except (BlockingIOError, InterruptedError):
                break
            except OSError:  # EPIPE: the far end no longer reads, as a command may
                self._broken = True
                self.stop()
                break
            self._advance(written)
        if queue and not self._watching:
            self._watching = True
            self._loop.add_writer(self.fd, self._flush)
        elif not queue and self._watching:
            self._watching = False
            self._loop.remove_writer(self.fd)
        if self._finishing and not queue:
            self.close()
        elif self._queued <= self._high:
            self._wake()

    def _advance(self, written: int) -> None:
        queue = self._queue
        self._queued -= written
        while written:
            head = queue[0]
            if written < len(head):
                queue[0] = memoryview(head)[written:]
                return
            written -= len(head)
            queue.popleft()

    def _wake(self) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
