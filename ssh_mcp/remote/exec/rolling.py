"""Many hosts in batches: one ends before the next begins, and too many failures stop what has not begun."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import anyio

from ssh_mcp.errors import InvalidArgument

BATCH_MAX = 50
"""Hosts worked on at the same time."""


def check_rolling(batch: int, max_failures: int | None, pause_seconds: float) -> None:
    """Raise InvalidArgument for numbers out of range."""
    if not 1 <= batch <= BATCH_MAX:
        raise InvalidArgument(f"batch is {batch}.", f"It is 1 to {BATCH_MAX}.")
    if max_failures is not None and max_failures < 0:
        raise InvalidArgument(f"max_failures is {max_failures}.", "It is 0 or more.")
    if not 0 <= pause_seconds <= 3600:
        raise InvalidArgument(f"pause_seconds is {pause_seconds:g}.", "It is 0 to 3600.")


async def roll(
    names: Sequence[str],
    one: Callable[[str], Awaitable[bool]],
    *,
    batch: int,
    max_failures: int | None,
    pause_seconds: float = 0,
    failed: int = 0,
) -> list[str]:
    """Run ``one`` for each name, which returns whether it succeeded; the names that were not attempted.

    ``failed`` have failed before. None for ``max_failures``: failures stop nothing.
    """
    for start in range(0, len(names), batch):
        if max_failures is not None and failed > max_failures:
            return list(names[start:])
        if start and pause_seconds:
            await anyio.sleep(pause_seconds)
        outcomes: list[bool] = []

        async def attempt(name: str, outcomes: list[bool] = outcomes) -> None:
            outcomes.append(await one(name))

        async with anyio.create_task_group() as tasks:
            for name in names[start : start + batch]:
                tasks.start_soon(attempt, name)
        failed += outcomes.count(False)
    return []
