"""Pending clean-up: what a host that could not be reached still runs, ended once it is reached again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import anyio

from transports.errors import TransportError
from transports.openssh.local.tasks import Tasks
from transports.openssh.shell.frame import Processes, end_group_script
from transports.openssh.shell.hangup import hang_up_script

ENDING_SECONDS: Final = 10.0
"""Bound of a whole ending: two seconds of grace lie on the host, the rest is for slow links."""
_AT_ONCE: Final = 100
"""Lost frames that one script hangs up on."""
_KEPT: Final = 1000
"""PendingCleanup that are remembered for a host that stays away: the newest."""

Frame = tuple[str, Processes | None]


class PendingCleanup:
    """What is to be ended on one host and could not be yet.

    ``aside`` runs a script of ours there from a session of its own. Nothing logs in for the clean-up alone: a login may
    ask a person for a touch or a code. It runs beside the next session that the host opens for anybody.
    """

    def __init__(self, aside: Callable[[str], Awaitable[object]]) -> None:
        self._aside = aside
        self._unended: list[tuple[str, Processes]] = []
        self._lost: list[Frame] = []
        self._tasks = Tasks()
        self._closed = False

    def unended(self, nonce: str, processes: Processes) -> None:
        """A timeout or a cancellation could not end this frame: all of it is to go."""
        self._unended = [*self._unended, (nonce, processes)][-_KEPT:]

    def lost(self, nonce: str, processes: Processes | None) -> None:
        """The connection to this frame broke: it is to be hung up on."""
        self._lost = [*self._lost, (nonce, processes)][-_KEPT:]

    def start(self) -> None:
        """The host is reached again: end what is pending, beside whatever goes on."""
        if (self._unended or self._lost) and not len(self._tasks) and not self._closed:
            self._tasks.start(self._run_all())

    async def _run_all(self) -> None:
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

    async def _run(self, script: str) -> None:
        with anyio.fail_after(ENDING_SECONDS):
            await self._aside(script)

    async def aclose(self) -> None:
        """Run no more of it."""
        self._closed = True
        await self._tasks.cancel()
