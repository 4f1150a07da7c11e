"""From a transfer's own counter to progress notifications: bytes done, bytes in all, rate."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio

from ssh_mcp.remote.alongside import alongside
from ssh_mcp.remote.call import PROGRESS_EVERY

if TYPE_CHECKING:
    from ssh_mcp.remote.call import Call
    from transports.api import Progress


@asynccontextmanager
async def reporting(call: Call, what: str) -> AsyncIterator[Progress]:
    """Yields the counter to pass to a transfer; while the block lasts, the client gets its counts."""
    done, total = 0, None
    started = time.monotonic()

    def count(now: int, of: int | None) -> None:
        nonlocal done, total
        done, total = now, of

    async def report() -> None:
        while True:
            await anyio.sleep(PROGRESS_EVERY)
            if not done and total is None:
                continue  # not begun yet
            rate = done / max(time.monotonic() - started, 0.001) / 1e6
            await call.progress(done, total, f"{what}: {done} bytes{f' of {total}' if total else ''}, {rate:.1f} MB/s")

    async with alongside(report):
        yield count
