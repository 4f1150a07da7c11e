"""Long texts are guarded in a worker thread: a megabyte full of secrets takes a second and must not block the loop.

Python's ``re`` holds the interpreter's lock only while one search goes on, so the loop gets its turn in between.
Short texts are guarded at once: a thread would cost more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar, TypeVarTuple

import anyio.to_thread
from pydantic import BaseModel

from ssh_mcp.guard.walk import MAX_DEPTH, plan
from ssh_mcp.results.exec import ExecResult

LONG = 32_768
"""Characters or bytes from which the work is done in a thread: 50 ms of it where every line holds a secret."""
_ITEM = 8
"""Weight of an item that is not text: walking a long list costs time too."""
_SAMPLE = 16
"""Items of a list that are looked at."""

Args = TypeVarTuple("Args")
T = TypeVar("T")


async def aside(size: int, work: Callable[[*Args], T], *args: *Args) -> T:
    """``work(*args)``, in a worker thread where ``size`` (characters, bytes) is ``LONG`` or more.

    When cancelled, it is not waited for: its result is dropped.
    """
    if size < LONG:
        return work(*args)
    return await anyio.to_thread.run_sync(work, *args, abandon_on_cancel=True)


def weight(value: object, depth: int = 0) -> int:
    """About how much there is to guard in a result, in characters. A long list that holds more than texts is
    estimated from some of its items: counting a thousand rows one by one takes longer than guarding them.
    """
    if isinstance(value, str | bytes):
        return len(value)
    if depth >= MAX_DEPTH:
        return _ITEM
    if isinstance(value, ExecResult) and value.long_texts:
        return LONG  # what it has on disk is longer than any field
    if isinstance(value, BaseModel):
        return _ITEM + sum(weight(getattr(value, name), depth + 1) for name, _ in plan(type(value)))
    if isinstance(value, Mapping):
        return _list_weight([*value.keys(), *value.values()], depth)
    if isinstance(value, list | tuple):
        return _list_weight(value, depth)
    return _ITEM


def _list_weight(items: Sequence[object], depth: int) -> int:
    if {*map(type, items)} <= {str}:
        return sum(map(len, items))  # type: ignore[arg-type]
    step = max(len(items) // _SAMPLE, 1)
    return step * sum(weight(item, depth + 1) for item in items[::step])
