"""Hooks: an operator's own module that is called when the server starts, stops and runs tools.

SSH_HOOKS_MODULE names an importable module with ``register_hooks(registry)``::

    from ssh_mcp.audit.hooks import Event, HookContext, HookRegistry

    def register_hooks(registry: HookRegistry) -> None:
        registry.register(Event.POST_TOOL_CALL, tell_the_pager)

    async def tell_the_pager(context: HookContext) -> None: ...

Callbacks are plain or async functions of one ``HookContext``; plain ones run in a thread. STARTUP and SHUTDOWN are
awaited (30 s each). PRE_TOOL_CALL and POST_TOOL_CALL are not: calls never wait for a hook, hooks run one after the
other, 5 s each, from a bounded backlog. A hook that fails is logged and never fails a call. Hooks get what the
audit gets, hence no argument, path, command or output; they observe and cannot veto.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

import anyio
import anyio.to_thread
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from .record import AuditRecord

CALL_LIMIT: Final = 5.0  # seconds a callback of a tool call
LIFECYCLE_LIMIT: Final = 30.0  # seconds a callback of STARTUP or SHUTDOWN
BACKLOG: Final = 1_000  # notifications waiting for slow hooks
DRAIN_LIMIT: Final = 5.0  # seconds for the backlog at shutdown

logger = logging.getLogger("ssh_mcp.hooks")


class Event(StrEnum):
    """When a hook is called."""

    STARTUP = "startup"
    SHUTDOWN = "shutdown"
    PRE_TOOL_CALL = "pre_tool_call"
    POST_TOOL_CALL = "post_tool_call"


@dataclass(frozen=True, slots=True)
class HookContext:
    """What a hook gets. ``correlation_id`` is that of the audit line; the last three are set after a call only."""

    event: Event
    tool: str | None = None
    tier: str | None = None
    host: str | None = None
    correlation_id: str | None = None
    result: Literal["ok", "error"] | None = None
    duration_ms: int | None = None
    error: str | None = None

    @classmethod
    def before(cls, tool: str, tier: str, host: str | None, correlation_id: str) -> HookContext:
        """For PRE_TOOL_CALL."""
        return cls(Event.PRE_TOOL_CALL, tool, tier, host, correlation_id)

    @classmethod
    def after(cls, record: AuditRecord) -> HookContext:
        """For POST_TOOL_CALL, from the record that ``AuditCall.finish`` returned."""
        return cls(
            Event.POST_TOOL_CALL,
            record.tool,
            record.tier,
            record.host,
            record.correlation_id,
            record.result,
            record.duration_ms,
            record.error,
        )


Callback = Callable[[HookContext], Awaitable[None] | None]


class HookRegistry:
    """Callbacks by event, in the order of registration."""

    def __init__(self) -> None:
        self._callbacks: dict[Event, list[Callback]] = defaultdict(list)

    def register(self, event: Event | str, callback: Callback) -> None:
        """Raises ValueError for an unknown event, TypeError for what cannot be called."""
        if not callable(callback):
            raise TypeError(f"a hook must be callable, not {type(callback).__name__}")
        self._callbacks[Event(event)].append(callback)

    def on(self, event: Event | str) -> Callable[[Callback], Callback]:
        """``register`` as a decorator."""

        def take(callback: Callback) -> Callback:
            self.register(event, callback)
            return callback

        return take

    def callbacks(self, event: Event) -> tuple[Callback, ...]:
        return tuple(self._callbacks.get(event, ()))

    def __bool__(self) -> bool:
        return any(self._callbacks.values())


def load_hooks(module_name: str, registry: HookRegistry) -> bool:
    """Import the module and let it register. A broken one is a warning, its registrations are dropped, and False."""
    trial = HookRegistry()
    try:
        module = importlib.import_module(module_name)
        returned = module.register_hooks(trial)
        if inspect.iscoroutine(returned):
            returned.close()
            raise TypeError("register_hooks must be a plain function")
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever an operator's module raises
        logger.warning(
            "SSH_HOOKS_MODULE %s cannot be used and is left out: %s: %s", module_name, type(error).__name__, error
        )
        return False
    for event in Event:
        for callback in trial.callbacks(event):
            registry.register(event, callback)
    return True


class Hooks:
    """The running side: ``async with hooks.running():`` around the server's life, ``notify`` for each call."""

    def __init__(self, registry: HookRegistry, *, backlog: int = BACKLOG, call_limit: float = CALL_LIMIT) -> None:
        self._registry = registry
        self._backlog = backlog
        self._call_limit = call_limit
        self._queue: MemoryObjectSendStream[HookContext] | None = None
        self._dropped = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Hooks]:
        """STARTUP before the body, SHUTDOWN after it, whatever ended it.

        The worker is a task of asyncio's own: FastMCP leaves a lifespan from another task than it entered it, which
        no task group survives.
        """
        if not self._registry:
            yield self
            return
        await self._all(HookContext(Event.STARTUP), LIFECYCLE_LIMIT)
        sender, receiver = anyio.create_memory_object_stream[HookContext](self._backlog)
        self._queue = sender
        worker = asyncio.get_running_loop().create_task(self._work(receiver))
        try:
            yield self
        finally:
            self._queue = None
            sender.close()
            with anyio.CancelScope(shield=True):
                await asyncio.wait((worker,), timeout=DRAIN_LIMIT)
                worker.cancel()
                await asyncio.wait((worker,))
                await self._all(HookContext(Event.SHUTDOWN), LIFECYCLE_LIMIT)

    def notify(self, context: HookContext) -> None:
        """Queue a notification; never waits. With a full backlog it is dropped, with one warning per row of drops."""
        if self._queue is None or not self._registry.callbacks(context.event):
            return
        try:
            self._queue.send_nowait(context)
        except anyio.WouldBlock:
            self._dropped += 1
            if self._dropped == 1:
                logger.warning("hooks are too slow: %d notifications wait, further ones are dropped", self._backlog)

    async def _work(self, receiver: MemoryObjectReceiveStream[HookContext]) -> None:
        with receiver:
            async for context in receiver:
                if self._dropped and receiver.statistics().current_buffer_used <= self._backlog // 2:
                    logger.warning("hooks caught up; %d notifications were dropped", self._dropped)
                    self._dropped = 0
                await self._all(context, self._call_limit)

    async def _all(self, context: HookContext, limit: float) -> None:
        for callback in self._registry.callbacks(context.event):
            await _run(callback, context, limit)


async def _run(callback: Callback, context: HookContext, limit: float) -> None:
    """One callback; its time limit and its exceptions end here."""
    name = getattr(callback, "__qualname__", type(callback).__name__)
    try:
        with anyio.fail_after(limit):
            if inspect.iscoroutinefunction(callback):
                await callback(context)
            else:
                returned = await anyio.to_thread.run_sync(callback, context, abandon_on_cancel=True)
                if inspect.isawaitable(returned):
                    await returned
    except TimeoutError:
        logger.warning("hook %s took longer than %g s for %s and was left", name, limit, context.event)
    except Exception:
        logger.exception("hook %s failed for %s", name, context.event)
