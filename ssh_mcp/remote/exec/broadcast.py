"""One command on many hosts: each decided by itself, none stopping another."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio

from ssh_mcp.errors import PlatformNotSupported, Refusal, public_text
from ssh_mcp.guard.aside import aside, weight
from ssh_mcp.guard.shared import guard_for
from ssh_mcp.remote.exec.commands import seconds_for
from ssh_mcp.remote.exec.grouping import group, together
from ssh_mcp.remote.exec.rolling import roll
from ssh_mcp.remote.without_shell import with_what_works
from ssh_mcp.results.exec import BroadcastResult, ExecResult
from transports.errors import SessionRefused, TransportError

if TYPE_CHECKING:
    from ssh_mcp.inventory.model import RedactionPolicy
    from ssh_mcp.policy.permitted import PermittedCommand
    from ssh_mcp.remote.call import Call
    from ssh_mcp.remote.host import RemoteHost

AT_ONCE = 50
"""Hosts worked on at the same time."""

logger = logging.getLogger("ssh_mcp")


@dataclass(slots=True)
class _Board:
    """Who is where. Lists keep the caller's order at the end."""

    ready: dict[str, tuple[RemoteHost, PermittedCommand]] = field(default_factory=dict)
    policies: dict[str, RedactionPolicy] = field(default_factory=dict)
    started: set[str] = field(default_factory=set)
    results: dict[str, ExecResult] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)


async def broadcast(
    call: Call,
    names: list[str],
    command: str,
    timeout: float | None,
    *,
    batch: int = AT_ONCE,
    max_failures: int | None = None,
) -> BroadcastResult:
    """Run ``command`` on each name once; all are resolved and decided before the first runs.

    A refused or failed host is in ``errors`` and ``failed``; a non-zero exit in ``results`` and ``failed``. When the
    call is cancelled, the log says which hosts ran and which were not started.
    The audit line's exit code is the one farthest from 0. Raises InvalidArgument for a timeout out of range.
    """
    began = time.monotonic()
    seconds_for(timeout, call.fleet.settings)
    unique = list(dict.fromkeys(names))
    call.record.hosts(unique)
    call.note_command(command)
    board = _Board()
    limiter = anyio.CapacityLimiter(AT_ONCE)

    async def prepare(name: str) -> None:
        async with limiter:
            await _prepare(call, name, command, board)

    async def one(name: str) -> bool:
        async with limiter:
            board.started.add(name)
            await _run_one(call, name, timeout, board)
        await call.progress(len(board.results) + len(board.errors), len(unique), f"{name} done")
        return name in board.results

    left: list[str] = []

    try:
        await _each(unique, prepare)
        ready = [name for name in unique if name in board.ready]
        if ready:
            await call.confirm_command(*(board.ready[name] for name in ready))
        left = await roll(ready, one, batch=batch, max_failures=max_failures, failed=len(board.errors))
    except anyio.get_cancelled_exc_class():
        finished = len(board.results) + len(board.errors)
        logger.warning(
            "%s broadcast cancelled: %d finished, %d ended while running, %d never started (%s)",
            call.record.correlation_id,
            finished,
            len(board.started - board.errors.keys() - board.results.keys()),
            len(unique) - len(board.started | board.errors.keys()),
            ", ".join(n for n in unique if n not in board.started and n not in board.errors) or "none",
        )
        raise
    call.note_exit(max((result.exit_code for result in board.results.values()), key=abs, default=-1))
    good = [n for n in unique if n in board.results and _succeeded(board.results[n])]
    return BroadcastResult(
        command=command,
        results={n: board.results[n] for n in unique if n in board.results},
        succeeded=good,
        failed=[n for n in unique if n not in good and n not in left],
        errors={n: board.errors[n] for n in unique if n in board.errors},
        elapsed_ms=round((time.monotonic() - began) * 1000),
        not_attempted=left,
    )


def in_groups(result: BroadcastResult) -> BroadcastResult:
    """The same with equal results of several hosts once."""
    errors = {each.hosts: each.error for each in together(result.errors)}
    return result.model_copy(update={"results": {}, "groups": group(result.results), "errors": errors})


async def _each(names: list[str], task: Callable[[str], Coroutine[Any, Any, None]]) -> None:
    async with anyio.create_task_group() as tasks:
        for name in names:
            tasks.start_soon(task, name)


async def _prepare(call: Call, name: str, command: str, board: _Board) -> None:
    """Resolve one host and decide about the command there; what is refused is an error of this host alone."""
    with _into_errors(call, name, board):
        host = await call.host(name)
        board.policies[name] = host.policy.redaction
        if host.policy.windows:
            raise PlatformNotSupported(f"{host.name} is a Windows host and has no POSIX shell.", "Leave it out.")
        board.ready[name] = host, host.commands.permit(command)


async def _run_one(call: Call, name: str, timeout: float | None, board: _Board) -> None:
    with _into_errors(call, name, board):
        host, permitted = board.ready[name]
        try:
            result = await host.commands.run_permitted(permitted, timeout=timeout)
        except SessionRefused as error:
            raise await with_what_works(error, [host]) from None
        board.results[name] = await aside(weight(result), guard_for(host.policy.redaction).result, result)


@contextmanager
def _into_errors(call: Call, name: str, board: _Board) -> Iterator[None]:
    """A refusal or failure of one host, guarded by its own policy where that is known."""
    try:
        yield
    except (Refusal, TransportError) as error:
        policy = board.policies.get(name, call.fleet.inventory.default_redaction)
        board.errors[name] = guard_for(policy).text(public_text(error)).text
    except Exception as error:
        logger.exception("%s broadcast to %s failed", call.record.correlation_id, name)
        board.errors[name] = f"RemoteError: The server failed on this host ({type(error).__name__}). Its log says why."


def _succeeded(result: ExecResult) -> bool:
    return result.exit_code == 0 and not result.timed_out
