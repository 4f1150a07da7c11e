"""The stdin of a running frame: its command, then the command's own input, whole or from a stream."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator

import anyio

from transports.openssh.sessions.execution import Execution
from transports.openssh.sessions.running import until
from transports.openssh.shell.frame import command_input, inert_input


async def deliver(
    execution: Execution, command: str, stdin: bytes | None = None, *, more: bool = False, ahead: bool = True
) -> None:
    """Send a frame's command and ``stdin`` behind it; unless ``more`` follows, end of file too.

    Nothing but ``inert_input`` is sent before the frame has begun: until then another program may read stdin. With
    ``ahead`` False not even that (it is longer than the plain line). Where the frame never begins, stdin is closed.
    Raises what ``check_command`` raises.
    """
    session, nonce = execution.session, execution.nonce
    assert session is not None
    assert nonce is not None
    line = inert_input(nonce, command) if ahead and not execution.begun.done() else None
    if line is None:
        await until(execution.begun)
        line = command_input(nonce, command)
        if execution.processes is None:
            session.close_stdin()
            return
    execution.send_command(line)
    if stdin or more:
        await until(execution.begun)
    if execution.begun.done() and execution.processes is None:
        session.close_stdin()
    else:
        execution.send_stdin(stdin, more=more)


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
