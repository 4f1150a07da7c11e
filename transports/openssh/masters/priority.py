"""What goes first: logins, and commands that have just begun. What is only done ahead waits until none is under way."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import anyio

YOUNG_SECONDS: Final = 0.1
"""How long a command counts as just begun: what it costs us is spent by then, and the rest is the host's affair."""
_REPLIES_SECONDS: Final = 0.01
"""How long the replies to the last commands take to leave us."""
_MOST_SECONDS: Final = 5.0


class UrgentWork:
    """One per server process. Fifty commands of a fan-out go out before a session is opened ahead for any of the hosts:
    these cost as much as the commands themselves, on our side and on the hosts'.
    """

    def __init__(self) -> None:
        self._under_way = 0
        self._over = anyio.Event()

    @contextmanager
    def login(self) -> Iterator[None]:
        """A login that is under way, however long it takes."""
        self._under_way += 1
        try:
            yield
        finally:
            self._end()

    @contextmanager
    def command(self) -> Iterator[None]:
        """A command that begins now, for as long as it is young."""
        self._under_way += 1
        young = True

        def grown() -> None:
            nonlocal young
            young = False
            self._end()

        timer = asyncio.get_running_loop().call_later(YOUNG_SECONDS, grown)
        try:
            yield
        finally:
            timer.cancel()
            if young:
                self._end()

    def _end(self) -> None:
        self._under_way -= 1
        if not self._under_way:
            self._over.set()
            self._over = anyio.Event()

    async def until_over(self) -> None:
        """Wait until nothing is under way, five seconds at most; then also until the last replies are out."""
        with anyio.move_on_after(_MOST_SECONDS):
            while self._under_way:
                await self._over.wait()
                await anyio.sleep(_REPLIES_SECONDS)
