"""A running remote command with its streams (``transports.api.RemoteProcess``)."""

from __future__ import annotations

import asyncio
from typing import Final

import anyio

from transports.api import StreamName
from transports.errors import RemoteError
from transports.openssh.sessions.execution import Execution
from transports.openssh.sessions.runner import SETTLE_SECONDS, START_SECONDS, Runner, never_said
from transports.openssh.sessions.running import Running, until
from transports.openssh.sessions.stdin import deliver
from transports.openssh.shell.frame import check_command

_BUFFER_HIGH: Final = 1 << 20
"""Bytes of one stream held for a reader that does not come; beyond it the far end is held back."""
_BUFFER_LOW: Final = 1 << 18


class _Inbox:
    """Bytes of one output stream between the session and one reader."""

    __slots__ = ("buffer", "done", "paused", "waiter")

    def __init__(self) -> None:
        self.buffer = bytearray()
        self.done = False
        self.paused = False
        self.waiter: asyncio.Future[None] | None = None

    def wake(self) -> None:
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)


class _Inboxes:
    """Both streams: sink of an execution, with the far end held back while a reader is slow."""

    def __init__(self) -> None:
        self.execution: Execution | None = None
        self._of: dict[StreamName, _Inbox] = {"stdout": _Inbox(), "stderr": _Inbox()}
        self._dropping = False

    def __call__(self, stream: StreamName, data: bytes) -> None:
        inbox = self._of[stream]
        if self._dropping and len(inbox.buffer) > _BUFFER_HIGH:
            return
        inbox.buffer += data
        inbox.wake()
        if len(inbox.buffer) > _BUFFER_HIGH and not (inbox.paused or self._dropping):
            self._hold(stream, inbox, back=True)

    def drop(self) -> None:
        """Hold the far end back no more: it is being ended, and what nobody reads may go."""
        self._dropping = True
        for stream, inbox in self._of.items():
            if inbox.paused:
                self._hold(stream, inbox, back=False)

    def done(self, stream: StreamName) -> None:
        inbox = self._of[stream]
        inbox.done = True
        inbox.wake()

    def _hold(self, stream: StreamName, inbox: _Inbox, *, back: bool) -> None:
        if self.execution is not None and self.execution.session is not None:
            inbox.paused = back
            (self.execution.session.pause if back else self.execution.session.resume)(stream)

    async def read(self, stream: StreamName, limit: int) -> bytes:
        inbox = self._of[stream]
        while not inbox.buffer:
            if inbox.done:
                return b""
            inbox.waiter = asyncio.get_running_loop().create_future()
            await inbox.waiter
        data = bytes(inbox.buffer[:limit])
        del inbox.buffer[:limit]
        if inbox.paused and len(inbox.buffer) < _BUFFER_LOW:
            self._hold(stream, inbox, back=False)
        return data


class FramedProcess:
    """Made by ``start_process``."""

    def __init__(self, runner: Runner, running: Running, inboxes: _Inboxes, pgid: int) -> None:
        self._runner = runner
        self._running = running
        self._execution = running.execution
        self._inboxes = inboxes
        self._pgid = pgid
        self._terminated = False

    @property
    def pgid(self) -> int:
        return self._pgid

    async def write(self, data: bytes) -> None:
        session = self._execution.session
        assert session is not None
        session.write(data)
        await session.drain()
        if not session.stdin_open:
            await self._explain_write()

    async def _explain_write(self) -> None:
        """Raise why stdin takes nothing: a lost connection shows a moment later in the other streams."""
        with anyio.move_on_after(SETTLE_SECONDS):
            await until(self._execution.complete)
        if self._execution.complete.done() and not self._terminated:
            await self._runner.outcome(self._running)
        raise RemoteError("The remote command no longer reads its input.", "Start it again if it is needed.")

    async def close_stdin(self) -> None:
        if self._execution.session is not None:
            self._execution.session.close_stdin()

    async def read(self, stream: StreamName, limit: int = 65536) -> bytes:
        return await self._inboxes.read(stream, limit)

    async def wait(self) -> int:
        await until(self._execution.complete)
        if self._terminated:
            return -1
        status = await self._runner.outcome(self._running)
        return -1 if status is None else status

    async def signal(self, name: str, *, children_only: bool = False) -> None:
        await self._runner.signal(self._running, name, children_only=children_only)

    async def terminate(self) -> None:
        if not self._execution.complete.done():
            self._terminated = True
        self._inboxes.drop()
        await self._runner.end(self._running)

    async def aclose(self) -> None:
        await self.terminate()


async def start_process(runner: Runner, command: str) -> FramedProcess:
    """Start shell text under our frame. Returns when it has begun; raises what ``Runner.start`` and ``outcome`` do."""
    check_command(command)
    inboxes = _Inboxes()
    running = await runner.start(inboxes)
    execution = inboxes.execution = running.execution
    execution.on_stream_done = inboxes.done
    try:
        with anyio.move_on_after(START_SECONDS):
            await deliver(execution, command, more=True)
        runner.watch.over(running)
        if not execution.begun.done():
            raise never_said(START_SECONDS)
        if execution.processes is None:
            raise await runner.never_began(running)
        return FramedProcess(runner, running, inboxes, execution.processes.parent)
    except BaseException:
        await runner.end(running)
        raise
