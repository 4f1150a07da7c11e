"""A session opened ahead: the frame's two shells, waiting on the host for a command.

A command then costs one round trip and no start of anything. It costs the host a waiting ``sh`` and one session slot:
so there is one at most, only after recent use, for half a minute, and never where slots are few or somebody waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from transports.api import OutputSink, StreamName
from transports.errors import TransportError
from transports.openssh.sessions.runner import Runner
from transports.openssh.sessions.running import Running, until
from transports.openssh.shell.frame import prelude_input

WARM_SECONDS: Final = 30.0
OPENING_SECONDS: Final = 1.0
"""How long a command waits for a frame that is on its way before it opens its own session: two slow round trips."""
LIMIT_MIN: Final = 5
"""Sessions a master must carry (as far as is known) before one of them may wait."""


def _nowhere(_stream: StreamName, _data: bytes) -> None:
    """A frame that has no command yet says nothing of its own."""


class WarmSession:
    """At most one waiting frame of a host. ``quiet`` is waited for before one is opened: logins go first."""

    def __init__(self, runner: Runner, quiet: Callable[[], Awaitable[None]]) -> None:
        self._runner = runner
        self._quiet = quiet
        self._waiting: Running | None = None
        self._opening: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._on_its_way = False
        self._awaited = False
        self._closed = False
        self._prelude = ""
        self._prelude_until = 0.0

    @property
    def waiting(self) -> bool:
        """Whether a frame waits now."""
        return self._waiting is not None

    async def take(self, sink: OutputSink) -> Running | None:
        """The waiting frame, from now on the caller's; None where there is none that still lives.

        One that is just being opened is waited for by one caller: it is ahead of whatever he could open instead.
        """
        opening = self._opening
        if self._waiting is None and opening is not None and self._on_its_way and not self._awaited:
            self._awaited = True
            try:
                await asyncio.wait((opening,), timeout=OPENING_SECONDS)
            finally:
                self._awaited = False
        return self._hand_out(sink)

    def _hand_out(self, sink: OutputSink) -> Running | None:
        running, self._waiting = self._waiting, None
        if running is None:
            return None
        self._stop_timer()
        execution = running.execution
        if execution.exited or execution.complete.done():
            running.close()
            return None
        execution.sink = sink
        return running

    def replenish(self, prelude: str = "") -> None:
        """A command has been run, behind ``prelude``: have a frame wait for the next one, if that is nobody's loss.

        It is sent the last prelude where one was used within the last half minute.
        """
        loop = asyncio.get_running_loop()
        if prelude:
            self._prelude, self._prelude_until = prelude, loop.time() + WARM_SECONDS
        elif loop.time() > self._prelude_until:
            self._prelude = ""
        if self._closed or self._waiting is not None or self._opening is not None:
            return
        if self._runner.pool.slots.limit < LIMIT_MIN:
            return
        self._opening = asyncio.get_running_loop().create_task(self._open())

    async def _open(self) -> None:
        try:
            await self._quiet()
            lease = self._runner.pool.try_acquire()
            if lease is None:
                return
            self._on_its_way = True
            running = await self._runner.start(_nowhere, lease=lease, only=True)
            try:
                await self._send_prelude(running)
            except BaseException:
                running.close()
                raise
        except TransportError:
            return  # the next command finds out by itself
        finally:
            self._on_its_way = False
            self._opening = None
        if self._closed:
            running.close()
            return
        self._waiting = running
        self._timer = asyncio.get_running_loop().call_later(WARM_SECONDS, self.drop)

    async def _send_prelude(self, running: Running) -> None:
        """Only what has begun reads it: until then another program may."""
        execution, prelude = running.execution, self._prelude
        if not prelude:
            return
        await until(execution.begun)
        if execution.processes is not None and execution.session is not None:
            execution.session.write(prelude_input(execution.nonce or "", prelude))
            running.prelude = prelude

    def drop(self) -> None:
        """Close the waiting frame: it reads end of file instead of a command and ends."""
        self._stop_timer()
        running, self._waiting = self._waiting, None
        if running is not None:
            running.close()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def close(self) -> None:
        """No more of them."""
        self._closed = True
        if self._opening is not None:
            self._opening.cancel()
        self.drop()
