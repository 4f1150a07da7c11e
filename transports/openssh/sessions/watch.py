"""A watch on the host itself: one more session of a master, which ends with the link and then ends what runs there.

Only what has run for 50 ms is watched: shorter commands cost nothing for it, and end by themselves. The watch hangs
up on its frames when its stdin ends, and it ends with the link, with the master and with our process, however it died.
Where sessions are scarce, and without masters (each session is a connection of its own), there is none; then what is
lost is ended when the host is reached again (endings.py).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Final

import anyio

from transports.errors import TransportError
from transports.openssh.local.tasks import Tasks
from transports.openssh.masters.pool import Pool
from transports.openssh.masters.slots import Master
from transports.openssh.sessions.execution import Collector
from transports.openssh.sessions.running import Running, StartFrame, until
from transports.openssh.sessions.session import Handle
from transports.openssh.sessions.stdin import deliver
from transports.openssh.shell.hangup import WATCH_NO_MORE, watch_line, watch_script

WATCH_AFTER: Final = 0.05
"""Seconds that a command runs unwatched: a server that is killed then leaves it behind. Opening a watch takes the host
some 6 ms of processor time, and all commands of a master share one."""
_GOODBYE_SECONDS: Final = 5.0
"""How long a dismissed watch may take to read its last line."""
_LIMIT_MIN: Final = 5
"""Sessions a master must carry (as far as is known) before one of them may watch."""
_Key = tuple[int, int]


@dataclass(eq=False, slots=True)
class _Watch:
    """The watch on one master; ``session`` is None while it is opened."""

    watched: set[Running] = field(default_factory=set)
    session: Running | None = None


class LinkWatch:
    """All watches of one host. ``start`` opens a frame on a lease."""

    def __init__(self, pool: Pool[Handle], start: StartFrame) -> None:
        self._pool = pool
        self._start = start
        self._watches: dict[_Key, _Watch] = {}
        self._tasks = Tasks()
        self._closed = False

    def over(self, running: Running) -> None:
        """A command has been sent: watch it if it is still there after ``WATCH_AFTER``."""
        if not self._pool.masterless:
            running.timer = asyncio.get_running_loop().call_later(WATCH_AFTER, self._join, running)
            running.on_close = self._part

    def _join(self, running: Running) -> None:
        execution = running.execution
        if self._closed or execution.complete.done() or execution.processes is None or execution.nonce is None:
            return
        if self._pool.slots.limit < _LIMIT_MIN or running.lease.released:
            return
        key = _key(running)
        watch = self._watches.get(key)
        if watch is None:
            watch = self._watches[key] = _Watch()
            self._tasks.start(self._open(key, watch, running.lease.master))
        watch.watched.add(running)
        _tell(watch, running, watched=True)

    def _part(self, running: Running) -> None:
        watch = self._watches.get(_key(running))
        if watch is None or running not in watch.watched:
            return
        watch.watched.discard(running)
        _tell(watch, running, watched=False)
        if not watch.watched:
            self._dismiss(_key(running), watch)

    async def _open(self, key: _Key, watch: _Watch, master: Master) -> None:
        try:
            lease = self._pool.try_acquire(on=master)
            session = await self._start(Collector(0, 0), lease=lease, only=True) if lease is not None else None
        except TransportError:
            session = None
        if session is not None and _key(session) != key:  # on its successor
            session.close()
            session = None
        if session is None:
            self._forget(key, watch)
            return
        try:
            await deliver(session.execution, watch_script(), more=True, ahead=False)
        except BaseException:
            self._forget(key, watch)
            session.close()
            raise
        watch.session = session
        if self._closed or not watch.watched:  # all has ended meanwhile
            self._forget(key, watch)
        if self._watches.get(key) is not watch:
            await self._goodbye(watch)
            return
        session.execution.complete.add_done_callback(lambda _: self._ended(key, watch))
        for running in watch.watched:
            _tell(watch, running, watched=True)

    def _forget(self, key: _Key, watch: _Watch) -> None:
        if self._watches.get(key) is watch:
            del self._watches[key]

    def _ended(self, key: _Key, watch: _Watch) -> None:
        """By a lost link, or because somebody on the host ended it."""
        self._forget(key, watch)
        if watch.session is not None:
            watch.session.close()

    def drop(self) -> None:
        """Somebody waits for the slots: watch nothing any more."""
        for key, watch in list(self._watches.items()):
            if watch.session is not None:
                self._dismiss(key, watch)

    def _dismiss(self, key: _Key, watch: _Watch) -> None:
        if watch.session is not None:
            self._watches.pop(key, None)
            self._tasks.start(self._goodbye(watch))

    async def _goodbye(self, watch: _Watch) -> None:
        """Its last line must arrive: were its stdin closed without it, it would hang up on all that it watches."""
        session = watch.session
        assert session is not None
        link = session.execution.session
        try:
            if link is not None:
                link.write(WATCH_NO_MORE)
                link.close_stdin()
            with anyio.move_on_after(_GOODBYE_SECONDS):
                await until(session.execution.over)
        finally:
            session.close()

    async def aclose(self) -> None:
        """Dismiss all watches. What still runs on the host is its callers' to end. Bounded."""
        self._closed = True
        self.drop()
        await self._tasks.finish(_GOODBYE_SECONDS + 1)


def _key(running: Running) -> _Key:
    return running.lease.master.index, running.lease.generation


def _tell(watch: _Watch, running: Running, *, watched: bool) -> None:
    execution = running.execution
    if watch.session is not None and execution.nonce is not None and execution.processes is not None:
        link = watch.session.execution.session
        if link is not None:
            link.write(watch_line(execution.nonce, execution.processes, watched=watched))
