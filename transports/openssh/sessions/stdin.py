"""The stdin of a running command, fed from a stream."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator

import anyio

from transports.openssh.sessions.execution import Execution


async def finished_while_fed(execution: Execution, chunks: AsyncIterator[bytes]) -> None:
    """Wait for the command's end and feed its stdin meanwhile. Raises what ``finished`` and ``chunks`` raise."""
    failure: list[Exception] = []
    async with anyio.create_task_group() as tasks:

        async def feed() -> None:
            try:
                await _feed(execution, chunks)
            except Exception as error:  # noqa: BLE001 - raised below, outside of an exception group
                failure.append(error)
                tasks.cancel_scope.cancel()

        tasks.start_soon(feed)
        try:
            await execution.finished()
        except Exception as error:  # noqa: BLE001 - the same
            failure.append(error)
        tasks.cancel_scope.cancel()
    if failure:
        raise failure[0]


async def _feed(execution: Execution, chunks: AsyncIterator[bytes]) -> None:
    """Pass a stream on to stdin for as long as somebody reads it."""
    session = execution.session
    assert session is not None
    try:
        async for chunk in chunks:
            if not session.stdin_open:
                break
            session.write(chunk)
            await session.drain()
    finally:
        if isinstance(chunks, AsyncGenerator):
            await chunks.aclose()
    session.close_stdin()
