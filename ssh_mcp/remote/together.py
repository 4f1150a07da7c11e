"""Several questions to one host at the same time, so that they cost one round trip."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Any, TypeVar, overload

import anyio

from ssh_mcp.errors import Refusal
from transports.errors import TransportError

T = TypeVar("T")
A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")
D = TypeVar("D")
E = TypeVar("E")
F = TypeVar("F")
G = TypeVar("G")
Failure = Refusal | TransportError


async def known(value: T) -> T:
    """A value that is there already, among others that are not."""
    return value


async def settled(calls: Sequence[Awaitable[T]]) -> list[T | Failure]:
    """What each call returned, or the error it raised, in order. They are sent in this order too."""
    outcomes: list[Any] = [None] * len(calls)

    async def one(index: int, call: Awaitable[T]) -> None:
        try:
            outcomes[index] = await call
        except (Refusal, TransportError) as error:
            outcomes[index] = error

    async with anyio.create_task_group() as tasks:
        for index, call in enumerate(calls):
            tasks.start_soon(one, index, call)
    return outcomes


@overload
async def together(first: Awaitable[A], second: Awaitable[B], /) -> tuple[A, B]: ...
@overload
async def together(first: Awaitable[A], second: Awaitable[B], third: Awaitable[C], /) -> tuple[A, B, C]: ...
@overload
async def together(
    first: Awaitable[A], second: Awaitable[B], third: Awaitable[C], fourth: Awaitable[D], /
) -> tuple[A, B, C, D]: ...
@overload
async def together(
    first: Awaitable[A], second: Awaitable[B], third: Awaitable[C], fourth: Awaitable[D],
    fifth: Awaitable[E], sixth: Awaitable[F], seventh: Awaitable[G], /,
) -> tuple[A, B, C, D, E, F, G]: ...  # fmt: skip
async def together(*calls: Awaitable[Any]) -> tuple[Any, ...]:
    """What all returned. They are sent in this order. Raises the first error in order, when all have ended."""
    outcomes = await settled(calls)
    for outcome in outcomes:
        if isinstance(outcome, Refusal | TransportError):
            raise outcome
    return tuple(outcomes)
