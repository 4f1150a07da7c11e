"""An execution on the lease that it lives on: what commands, ready sessions and watches hand to each other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from transports.api import OutputSink
from transports.openssh.masters.pool import Lease
from transports.openssh.sessions.execution import Execution
from transports.openssh.sessions.session import Handle


@dataclass(eq=False, slots=True)
class Running:
    """An execution with its lease. ``settled``: what it left on the host is ended, or its end is pending;
    ``unended``: a time limit did not end it. ``prelude`` is what its frame was sent before its command.
    """

    execution: Execution
    lease: Lease[Handle]
    settled: bool = False
    prelude: str = ""
    unended: bool = False
    timer: asyncio.TimerHandle | None = None
    on_close: Callable[[Running], None] | None = None

    def close(self) -> None:
        """Drop our side of the session and give the slot back. Idempotent."""
        if self.timer is not None:
            self.timer.cancel()
        if self.on_close is not None:
            self.on_close(self)
            self.on_close = None
        self.execution.close()
        self.lease.release()


class StartFrame(Protocol):
    """``Runner.start``."""

    async def __call__(self, sink: OutputSink, *, lease: Lease[Handle], only: bool) -> Running: ...


async def until(future: asyncio.Future[Any]) -> None:
    """Wait for a future without cancelling it when the waiter is cancelled, and without raising its exception."""
    if not future.done():
        await asyncio.wait((future,))
