"""Background tasks: what FastMCP's tasks extension needs of us. Imported only where FASTMCP_DOCKET_URL asks for it.

A task's call is kept in a queue (in memory, or in Redis by its URL) and run by this server's own worker, through the
same runner as every call. Two rules of ours go beyond the extension's:

- Nothing runs twice. The queue delivers a task again when the server that had it died; the command may have had its
  effect by then, so that the second delivery is answered with an error.
- A stopping server does not wait for running tasks: it ends them, with all they had started on the hosts.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
from docket.dependencies import current_execution
from docket.execution import Execution
from fastmcp.exceptions import ToolError
from fastmcp.tools.base import ToolResult
from fastmcp.utilities.tasks import TaskConfig
from fastmcp_tasks import TasksExtension
from pydantic import PrivateAttr

from ssh_mcp.remote.call import ProgressSender
from ssh_mcp.settings.model import Settings
from ssh_mcp.tools.catalogue import Entry
from ssh_mcp.tools.registered import RegisteredTool
from ssh_mcp.tools.runner import Runner

POLL = timedelta(seconds=1)
"""How often a client that waits for a task is asked to look."""

REPEATED = (
    "MasterLost: The server that ran this task ended meanwhile, and commands are not run a second time. "
    "Look whether it had an effect, and call again if need be."
)
STOPPED = "MasterLost: The server was stopped under the task; what it had started on the host was ended. Call again."


class Background(TasksExtension):
    """The extension, and the tasks that run under it."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(url=settings.fastmcp_docket_url, name=os.environ.get("FASTMCP_DOCKET_NAME") or queue(settings))
        self.running: set[anyio.CancelScope] = set()

    def tool(self, entry: Entry, runner: Runner, *, result_schema: bool = True) -> BackgroundTool:
        """An entry that may run as a task."""
        made = BackgroundTool.of(entry, runner, result_schema=result_schema)
        made.task_config = TaskConfig(mode="optional", poll_interval=POLL)
        made._background = self  # noqa: SLF001 - the two are one mechanism
        return made

    def remarks(self, settings: Settings) -> list[str]:
        """What the operator should know about where tasks are kept."""
        if self.docket_settings.url.startswith("memory:") and settings.allow_dangerous_tools:
            return [
                "Background tasks are kept in memory: they and their results end with this server (FASTMCP_DOCKET_URL)."
            ]
        return []

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        async with super().lifespan():
            try:
                yield
            finally:
                for scope in tuple(self.running):
                    scope.cancel()


class BackgroundTool(RegisteredTool):
    """Runs like any other tool, in the foreground or in the worker."""

    _background: Background = PrivateAttr()

    async def run(self, arguments: dict[str, Any]) -> ToolResult:
        """Raises ToolError with the client's sentence."""
        execution = _execution()
        if execution is None:
            return await super().run(arguments)
        if execution.redelivered:
            raise ToolError(REPEATED)
        with anyio.CancelScope() as scope:
            self._background.running.add(scope)
            try:
                return await super().run(arguments)
            finally:
                self._background.running.discard(scope)
        raise ToolError(STOPPED)

    def _progress(self) -> ProgressSender:
        """A task's newest output is its status message."""
        execution = _execution()
        if execution is None:
            return super()._progress()

        async def send(_done: float, _total: float | None, message: str | None) -> None:
            if message:
                await execution.progress.set_message(message)

        return send


def _execution() -> Execution | None:
    """The task in whose worker we are, if we are."""
    with suppress(LookupError):
        return current_execution.get()
    return None


def queue(settings: Settings) -> str:
    """Name of the queue in a Redis that several servers may use: only servers of one policy take each other's tasks."""
    mark = hashlib.sha256(repr(dataclasses.astuple(settings)).encode())
    if settings.ssh_hosts_file is not None:
        with suppress(OSError):
            mark.update(Path(settings.ssh_hosts_file).read_bytes())
    return f"ssh-mcp-{mark.hexdigest()[:16]}"
