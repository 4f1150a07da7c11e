"""Background tasks: what FastMCP's tasks extension needs of us. Imported only where FASTMCP_DOCKET_URL asks for it.

A task's call is kept in a queue (in memory, or in Redis by its URL) and run by this server's own worker, through the
same runner as every call. Two rules of ours go beyond the extension's:

- Nothing runs twice. The queue delivers a task again when the server that had it died; the command may have had its
  effect by then, so that the second delivery gets an error.
- A stopping server does not wait for running tasks: it ends them, with all they had started on the hosts.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import mcp_types
from docket.dependencies import current_execution
from docket.execution import Execution
from fastmcp.exceptions import ToolError
from fastmcp.server.context import Context
from fastmcp.server.dependencies import get_access_token, get_context
from fastmcp.server.extensions import ToolCallContinuation, ToolCallOutcome
from fastmcp.tools.base import ToolResult
from fastmcp.utilities.tasks import TaskConfig
from fastmcp_tasks import TasksExtension
from fastmcp_tasks.context import make_task_context
from pydantic import PrivateAttr

from ssh_mcp.approval.channels import ClientChannel, NoClient
from ssh_mcp.remote.call import ProgressSender
from ssh_mcp.remote.caller import Caller
from ssh_mcp.settings.model import Settings
from ssh_mcp.tools.catalogue import Entry
from ssh_mcp.tools.elicitation import McpClient
from ssh_mcp.tools.registered import RegisteredTool, identified
from ssh_mcp.tools.runner import Runner

_REMEMBERED = 1000
"""Requests whose client's capabilities are remembered for their tasks."""

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
        self._forms: OrderedDict[str, bool] = OrderedDict()

    def tool(self, entry: Entry, runner: Runner, *, small: bool = False) -> BackgroundTool:
        """An entry that may run as a task."""
        made = BackgroundTool.of(entry, runner, small=small)
        made.task_config = TaskConfig(mode="optional", poll_interval=POLL)
        made._background = self  # noqa: SLF001 - the two are one mechanism
        return made

    async def intercept_tool_call(
        self, params: mcp_types.CallToolRequestParams, context: Context, call_next: ToolCallContinuation
    ) -> ToolCallOutcome:
        """As the extension's; a worker has no session, so what the client declared is remembered for it."""
        with suppress(RuntimeError):
            self._forms[context.session_id] = McpClient(context).can_ask
            while len(self._forms) > _REMEMBERED:
                self._forms.popitem(last=False)
        return await super().intercept_tool_call(params, context, call_next)

    def client_of(self, context: Context) -> TaskClient:
        """How the user of a task's client can be asked; where another server took the call, only the operator."""
        with suppress(RuntimeError):
            return TaskClient(context, can_ask=self._forms.get(context.session_id, False))
        return TaskClient(context, can_ask=False)

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


class TaskClient(McpClient):
    """Asked through the task: it ends this leg as input-required, and the client's reply starts the next."""

    by_result = True

    def __init__(self, context: Context, *, can_ask: bool) -> None:
        super().__init__(context)
        self._can_ask = can_ask

    @property
    def can_ask(self) -> bool:
        return self._can_ask


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
            context = await make_task_context()
            try:
                return await super().run(arguments)
            finally:
                self._background.running.discard(scope)
                if context is not None:
                    await context.__aexit__(None, None, None)
        raise ToolError(STOPPED)

    def _caller(self) -> Caller:
        """The identity is that of the request that made the task."""
        if _execution() is None:
            return super()._caller()
        identity, claims = identified(get_access_token())
        return Caller(identity, session="task", claims=claims)

    def _client(self) -> ClientChannel:
        if _execution() is None:
            return super()._client()
        try:
            return self._background.client_of(get_context())
        except RuntimeError:
            return NoClient()

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
