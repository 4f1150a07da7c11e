"""A running remote command with its streams (``transports.api.RemoteProcess``)."""

from __future__ import annotations

import anyio

from transports.api import StreamName
from transports.errors import RemoteError
from transports.openssh.sessions.inbox import Inbox
from transports.openssh.sessions.runner import SETTLE_SECONDS, Runner
from transports.openssh.sessions.running import Running, until
from transports.openssh.sessions.session import Session
from transports.openssh.sessions.stdin import deliver
from transports.openssh.shell.frame import check_command


class _Inboxes:
    """Both streams: the sink of an execution."""

    def __init__(self) -> None:
        self._of: dict[StreamName, Inbox] = {"stdout": Inbox("stdout"), "stderr": Inbox("stderr")}

    def attach(self, session: Session | None) -> None:
        for inbox in self._of.values():
            inbox.attach(session)

    def __call__(self, stream: StreamName, data: bytes) -> None:
        self._of[stream].receive(data)

    def done(self, stream: StreamName) -> None:
        self._of[stream].end()

    def drop(self) -> None:
        for inbox in self._of.values():
            inbox.drop()

    async def read(self, stream: StreamName, limit: int) -> bytes:
        return await self._of[stream].read(limit)


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
    execution = running.execution
    inboxes.attach(execution.session)
    execution.on_stream_done = inboxes.done
    try:
        with anyio.move_on_after(runner.begin_seconds):
            await deliver(execution, command, more=True)
        runner.watch.over(running)
        if not execution.begun.done():
            raise await runner.never_said(running)
        if execution.processes is None:
            raise await runner.never_began(running)
        return FramedProcess(runner, running, inboxes, execution.processes.parent)
    except BaseException:
        await runner.end(running)
        raise
