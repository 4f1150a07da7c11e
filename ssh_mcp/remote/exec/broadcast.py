"""One command on many hosts: each judged by itself, none stopping another."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio

from ssh_mcp.errors import PlatformNotSupported, Refusal, public_text
from ssh_mcp.guard.aside import aside, weight
from ssh_mcp.guard.shared import guard_for
from ssh_mcp.remote.exec.commands import seconds_for
from ssh_mcp.results.exec import BroadcastResult, ExecResult
from transports.errors import TransportError

if TYPE_CHECKING:
    from ssh_mcp.remote.call import Call

AT_ONCE = 50
"""Hosts worked on at the same time."""

logger = logging.getLogger("ssh_mcp")


@dataclass(slots=True)
class _Board:
    """Who is where. Lists keep the caller's order at the end."""

    started: set[str] = field(default_factory=set)
    results: dict[str, ExecResult] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)


async def broadcast(call: Call, names: list[str], command: str, timeout: float | None) -> BroadcastResult:
    """Run ``command`` on each name once. A refused or failed host is in ``errors`` and ``failed``; a non-zero exit in
    ``results`` and ``failed``. When the call is cancelled, the log says which hosts ran and which were not started.
    The audit line's exit code is the one farthest from 0. Raises InvalidArgument for a timeout out of range.
    """
    began = time.monotonic()
    seconds_for(timeout, call.fleet.settings)
    unique = list(dict.fromkeys(names))
    call.record.hosts(unique)
    call.note_command(command)
    board = _Board()
    limiter = anyio.CapacityLimiter(AT_ONCE)

    async def one(name: str) -> None:
        async with limiter:
            board.started.add(name)
            await _run_one(call, name, command, timeout, board)
        await call.progress(len(board.results) + len(board.errors), len(unique), f"{name} done")

    try:
        async with anyio.create_task_group() as tasks:
            for name in unique:
                tasks.start_soon(one, name)
    except anyio.get_cancelled_exc_class():
        finished = len(board.results) + len(board.errors)
        logger.warning(
            "%s broadcast cancelled: %d finished, %d ended while running, %d never started (%s)",
            call.record.correlation_id,
            finished,
            len(board.started) - finished,
            len(unique) - len(board.started),
            ", ".join(n for n in unique if n not in board.started) or "none",
        )
        raise
    call.note_exit(max((result.exit_code for result in board.results.values()), key=abs, default=-1))
    good = [n for n in unique if n in board.results and _succeeded(board.results[n])]
    return BroadcastResult(
        command=command,
        results={n: board.results[n] for n in unique if n in board.results},
        succeeded=good,
        failed=[n for n in unique if n not in good],
        errors={n: board.errors[n] for n in unique if n in board.errors},
        elapsed_ms=round((time.monotonic() - began) * 1000),
    )


async def _run_one(call: Call, name: str, command: str, timeout: float | None, board: _Board) -> None:
    policy = call.fleet.inventory.default_redaction
    try:
        host = await call.host(name)
        policy = host.policy.redaction
        if host.policy.windows:
            raise PlatformNotSupported(f"{host.name} is a Windows host and has no POSIX shell.", "Leave it out.")
        result = await host.commands.execute(command, timeout=timeout)
    except (Refusal, TransportError) as error:
        board.errors[name] = guard_for(policy).text(public_text(error)).text
    except Exception as error:
        logger.exception("%s broadcast to %s failed", call.record.correlation_id, name)
        board.errors[name] = f"RemoteError: The server failed on this host ({type(error).__name__}). Its log says why."
    else:
        board.results[name] = await aside(weight(result), guard_for(policy).result, result)


def _succeeded(result: ExecResult) -> bool:
    return result.exit_code == 0 and not result.timed_out
