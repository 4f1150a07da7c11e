"""A background task for as long as a block lasts, without the exception groups that a bare task group makes of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio


@asynccontextmanager
async def alongside(task: Callable[[], Awaitable[object]]) -> AsyncIterator[None]:
    """Run ``task`` while the block runs and end it afterwards.

    The block's own exception comes out as it is. An exception of the task ends the block and comes out as it is.
    """
    failures: list[Exception] = []
    async with anyio.create_task_group() as tasks:

        async def beside() -> None:
            try:
                await task()
            except Exception as error:  # noqa: BLE001 - raised again below, outside of the group
                failures.append(error)
                tasks.cancel_scope.cancel()

        tasks.start_soon(beside)
        try:
            yield
        except Exception as error:  # noqa: BLE001 - as above
            failures.insert(0, error)
        tasks.cancel_scope.cancel()
    if failures:
        raise failures[0]
