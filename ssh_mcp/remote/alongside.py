"""A background task for as long as a block lasts, without the exception groups that a bare task group makes of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio


@asynccontextmanager
async def alongside(task: Callable[[], Awaitable[object]]) -> AsyncIterator[None]:
    """Run ``task`` while the block runs and end it afterwards. The block's own exception comes out as it is."""
    failure: Exception | None = None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(task)
        try:
            yield
        except Exception as error:  # noqa: BLE001 - raised again below, outside of the group
            failure = error
        tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure
