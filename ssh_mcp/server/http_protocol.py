"""uvicorn's HTTP/1.1 protocol with a bound on connections that have not sent a complete request.

Each accepted connection costs a file descriptor, and uvicorn waits for a request head without end: a thousand silent
connections from anybody on this machine would block every client. A head must arrive within HEAD_SECONDS, a body must
not pause for BODY_SECONDS, and of the connections without a request at most MAX_WAITING are kept, the newest ones.
"""

from __future__ import annotations

import asyncio
from typing import ClassVar, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS: Final = 10.0
BODY_SECONDS: Final = 30.0
MAX_WAITING: Final = 256
BACKLOG: Final = 128
"""Connections that the kernel queues, and that the event loop accepts in one go: fewer than descriptors are left."""


class GuardedProtocol(H11Protocol):
    """One connection. ``waiting`` holds those of this process without a request, oldest first."""

    waiting: ClassVar[dict[GuardedProtocol, None]] = {}
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait_for_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is None or self.cycle.response_complete:
            return  # no request yet, or none after the last response: the deadline for a head goes on
        self._stop_waiting()
        if self.cycle.more_body and not self.transport.is_closing():
            self._deadline = self.loop.call_later(BODY_SECONDS, self._give_up)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self.transport.is_closing():
            self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait_for_head(self) -> None:
        self._stop_waiting()
        self.waiting[self] = None
        self._deadline = self.loop.call_later(HEAD_SECONDS, self._give_up)
        if len(self.waiting) > MAX_WAITING:
            next(iter(self.waiting))._give_up()  # noqa: SLF001 - another of this class

    def _stop_waiting(self) -> None:
        self.waiting.pop(self, None)
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._stop_waiting()
        self.transport.abort()
