"""Ending what runs on a host: at once from a second session, or, where no way leads there, once it is reached again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import anyio

from transports.errors import TransportError
from transports.openssh.shell.frame import Processes, end_group_script
from transports.openssh.shell.hangup import hang_up_script

ENDING_SECONDS: Final = 10.0
"""Bound of a whole ending: two seconds of grace lie on the host, the rest is for slow links."""
_AT_ONCE: Final = 100
"""Lost frames that one script hangs up on."""
_KEPT: Final = 1000
"""Debts that are remembered for a host that stays away: the newest."""

Frame = tuple[str, Processes | None]


class Debts:
    """What is to be ended on one host and could not be yet.

    ``aside`` runs a script of ours there from a session of its own. Nothing logs in for a debt alone: a login may ask a
    person for a touch or a code. They are paid beside the next session that the host opens for anybody.
    """

    def __init__(self, aside: Callable[[str], Awaitable[object]]) -> None:
        self._aside = aside
        self._unended: list[tuple[str, Processes]] = []
        self._lost: list[Frame] = []
        self._paying: asyncio.Task[None] | None = None
        self._closed = False

    def unended(self, nonce: str, processes: Processes) -> None:
        """A timeout or a cancellation could not end this frame: all of it is to go."""
        self._unended = [*self._unended, (nonce, processes)][-_KEPT:]

    def lost(self, nonce: str, processes: Processes | None) -> None:
        """The link to this frame broke: it is to be hung up on."""
        self._lost = [*self._lost, (nonce, processes)][-_KEPT:]

    def pay(self) -> None:
        """The host is reached again: end what is owed, beside whatever goes on."""
        if (self._unended or self._lost) and self._paying is None and not self._closed:
            self._paying = asyncio.get_running_loop().create_task(self._pay_all())

    async def _pay_all(self) -> None:
        try:
            while self._lost:
                now = self._lost[:_AT_ONCE]
                await self._run(hang_up_script(now))
                self._lost = [frame for frame in self._lost if frame not in now]
            while self._unended:
                frame = self._unended[0]
                await self._run(end_group_script(*frame))
                self._unended = [other for other in self._unended if other != frame]
        except (TransportError, TimeoutError):
            return  # the next call tries again
        finally:
            self._paying = None

    async def _run(self, script: str) -> None:
        with anyio.fail_after(ENDING_SECONDS):
            await self._aside(script)

    async def aclose(self) -> None:
        """Pay no more."""
        self._closed = True
        if self._paying is not None:
            self._paying.cancel()
            await asyncio.gather(self._paying, return_exceptions=True)
