"""Long texts are guarded in a worker thread: a megabyte full of secrets takes a second, in which the loop must answer.

Python's ``re`` holds the interpreter's lock only while one search goes on, so that the loop gets its turn in between.
What is short is done at once, because a thread costs more than it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar, TypeVarTuple

import anyio.to_thread
from pydantic import BaseModel

LONG = 32_768
"""Characters or bytes from which the work is done aside: 50 ms of it where every line holds a secret."""
_ITEM = 8
"""What an item that is no text counts: walking a long list costs time too."""

Args = TypeVarTuple("Args")
T = TypeVar("T")


async def aside(size: int, work: Callable[[*Args], T], *args: *Args) -> T:
    """``work(*args)``, in a worker thread where ``size`` (characters, bytes) is ``LONG`` or more.

    Cancelled, it is not waited for: its answer is dropped.
    """
    if size < LONG:
        return work(*args)
    return await anyio.to_thread.run_sync(work, *args, abandon_on_cancel=True)


def weight(value: object) -> int:
    """How much there is to guard in a result, counted no further than ``LONG``."""
    total, waiting = 0, [value]
    while waiting and total < LONG:
        item = waiting.pop()
        if isinstance(item, str | bytes):
            total += len(item)
        elif isinstance(item, BaseModel):
            waiting += [part for _, part in item]
        elif isinstance(item, Mapping):
            waiting += [*item.keys(), *item.values()]
        elif isinstance(item, list | tuple):
            waiting += item[:LONG]
        total += _ITEM
    return total
