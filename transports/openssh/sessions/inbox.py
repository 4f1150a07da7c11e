"""Bytes of one output stream between a session and one reader, who holds the far end back by reading slowly."""

from __future__ import annotations

import asyncio
from typing import Final

from transports.api import StreamName
from transports.openssh.sessions.session import Session

HIGH: Final = 1 << 20
"""Bytes held for a reader that does not come; beyond it the session is paused."""


class Inbox:
    """The session is paused beyond ``high`` bytes, and resumed when a reader has left less than a quarter of that."""

    __slots__ = ("_buffer", "_dropping", "_ended", "_high", "_paused", "_session", "_stream", "_waiter")

    def __init__(self, stream: StreamName, high: int = HIGH) -> None:
        self._stream: StreamName = stream
        self._high = high
        self._session: Session | None = None
        self._buffer = bytearray()
        self._paused = False
        self._ended = False
        self._dropping = False
        self._waiter: asyncio.Future[None] | None = None

    def attach(self, session: Session | None) -> None:
        """The session is open: from here on it can be paused."""
        self._session = session

    @property
    def empty(self) -> bool:
        return not self._buffer

    def receive(self, data: bytes) -> None:
        if self._dropping and len(self._buffer) > self._high:
            return
        self._buffer += data
        self._wake()
        if len(self._buffer) > self._high and not (self._paused or self._dropping):
            self.pause()

    def end(self) -> None:
        """Nothing more comes."""
        self._ended = True
        self._wake()

    def pause(self) -> None:
        if self._session is not None:
            self._paused = True
            self._session.pause(self._stream)

    def drop(self) -> None:
        """Do not pause any more: the far end is being ended, and what nobody reads may go."""
        self._dropping = True
        self._resume()

    def _resume(self) -> None:
        if self._paused and self._session is not None:
            self._paused = False
            self._session.resume(self._stream)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def read(self, limit: int) -> bytes:
        """At most ``limit`` bytes as soon as there are any; none at the end."""
        self._resume_if_low()
        while not self._buffer:
            if self._ended:
                return b""
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        data = bytes(self._buffer[:limit])
        del self._buffer[:limit]
        self._resume_if_low()
        return data

    def _resume_if_low(self) -> None:
        if not self._ended and len(self._buffer) < self._high // 4:
            self._resume()
