"""Many callers, one attempt: whoever comes while an attempt runs gets its result, or its error."""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

import anyio

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class _Flight(Generic[V]):
    __slots__ = ("error", "landed", "value")

    def __init__(self) -> None:
        self.landed = anyio.Event()
        self.value: list[V] = []
        self.error: Exception | None = None


class SingleFlight(Generic[K, V]):
    """Runs at most one attempt a key at a time.

    Sharing the *error* too is what keeps a hundred waiting calls from becoming a hundred logins with a wrong key. A
    leader that is cancelled takes nobody along: the next waiter makes a fresh attempt.
    """

    def __init__(self) -> None:
        self._flights: dict[K, _Flight[V]] = {}

    async def run(self, key: K, work: Callable[[], Awaitable[V]]) -> V:
        """The result of ``work``, from our own attempt or from the one that is under way. Raises what it raises."""
        while (flight := self._flights.get(key)) is not None:
            await flight.landed.wait()
            if flight.error is not None:
                raise copy.copy(flight.error)
            if flight.value:
                return flight.value[0]
        return await self._lead(key, work)

    async def _lead(self, key: K, work: Callable[[], Awaitable[V]]) -> V:
        flight: _Flight[V] = _Flight()
        self._flights[key] = flight
        try:
            value = await work()
        except Exception as error:
            flight.error = error
            raise
        else:
            flight.value.append(value)
            return value
        finally:
            del self._flights[key]
            flight.landed.set()
