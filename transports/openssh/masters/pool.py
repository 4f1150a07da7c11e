"""The pool of one host: async shell around the decisions of ``slots``. Starts masters, hands out leases, backs off."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

from transports.errors import ConnectError, LocalError, MasterLost, TransportError, Unreachable
from transports.openssh.local.tasks import Tasks
from transports.openssh.masters.slots import Master, Phase, Slots, Waiter

H = TypeVar("H")

BACKOFF_FIRST: Final = 1.0
BACKOFF_MAX: Final = 30.0
"""Seconds between logins after failed ones. sshd penalises a retry storm (PerSourcePenalties, 9.8). An attempt
that reached no ssh server costs the host nothing: the pause behind it stays the first one."""
SHORT_LIFE: Final = 5.0
"""Seconds: a master that is lost sooner than this before it carried a session, three times in a row, counts as a failed
login."""
SINGLE_LIVES: Final = 2
"""Masters in a row that ended soon and with their first session."""
_SCARCE_RETRY: Final = 1.0


def _passes(error: TransportError) -> bool:
    """Whether the next login may well succeed; a refused key or an unknown host key stays as it is."""
    return isinstance(error, MasterLost) or type(error) in {ConnectError, Unreachable}


class Lease(Generic[H]):
    """The right to one session on one master. Give it back with ``release``; that is idempotent."""

    __slots__ = ("_pool", "_waiter", "generation", "handle", "is_open", "master", "released")

    def __init__(self, pool: Pool[H], master: Master, handle: H, waiter: Waiter) -> None:
        self._pool = pool
        self._waiter = waiter
        self.master = master
        self.generation = master.generation
        self.handle = handle
        self.is_open = False
        self.released = False

    @property
    def current(self) -> bool:
        """Whether its master has not been given up since."""
        return self.master.generation == self.generation

    def opened(self) -> None:
        """The session is open: from now on a refusal on this master cannot mean "none at all"."""
        self.is_open = True
        self._pool.opened(self)

    def release(self) -> None:
        """The session has ended."""
        self._pool.release(self)

    def refused(self) -> None:
        """The session was refused for want of slots: learn from it. The lease is still to be given back."""
        self._pool.refused(self)

    async def after_refusal(self) -> Lease[H]:
        """The session was refused for want of slots: learn from it, and wait again at our old place in the queue."""
        return await self._pool.again(self, self._waiter)

    def lost(self) -> None:
        """The master is gone; ends the lease."""
        self._pool.lose(self)


class Pool(Generic[H]):
    """Leases on a host's masters.

    ``launch(index)`` brings up (or adopts) the host's master of that number and returns its handle, or raises
    ConnectError and its kin; ``masterless`` says that it does nothing, and that each session logs in by itself.
    ``on_scarce`` is called when somebody waits and no further master may come: idle sessions should be given up then.
    ``on_lost`` is called with a handle that turned out to be dead. ``on_single`` is called where masters end with their
    first session, one behind the other: the host allows one session per connection.
    """

    def __init__(
        self,
        launch: Callable[[int], Awaitable[H]],
        slots: Slots,
        on_scarce: Callable[[], None] = lambda: None,
        *,
        masterless: bool = False,
        on_lost: Callable[[H], None] = lambda _: None,
        on_single: Callable[[], None] = lambda: None,
    ) -> None:
        self._launch = launch
        self._slots = slots
        self._on_scarce = on_scarce
        self._masterless = masterless
        self._on_lost = on_lost
        self._on_single = on_single
        self._futures: dict[int, asyncio.Future[Lease[H]]] = {}
        self._handles: dict[int, H] = {}
        self._up_since: dict[int, float] = {}
        self._starts = Tasks()
        self._timer: asyncio.TimerHandle | None = None
        self._failures = 0
        self._short_lives = 0
        self._single_lives = 0
        self._retry_at = 0.0
        self._error: TransportError | None = None

    def __repr__(self) -> str:
        return repr(self._slots)

    @property
    def slots(self) -> Slots:
        """The state that decisions are made from."""
        return self._slots

    def handles(self) -> list[tuple[H, int]]:
        """Live masters with the number of sessions on each."""
        return [(self._handles[m.index], m.used) for m in self._slots.masters if m.phase is Phase.UP]

    # --- leases -------------------------------------------------------------------------------------------------------

    async def acquire(self, *, ending: bool = False, prefer: int | None = None) -> Lease[H]:
        """A slot, in order of arrival; logs in where there is no master yet.

        Raises what the login raises. Between failed logins the last one's error is raised at once, unless it may pass
        by itself and the next login is at most the first pause away: that is waited for.
        """
        pause = self._retry_at - self._now()
        if pause > 0 and self._error is not None and (self._masterless or not self._any_master()):
            if pause > BACKOFF_FIRST or not _passes(self._error):
                raise copy.copy(self._error)
            await asyncio.sleep(pause)
        now = self._now()
        return await self._wait(self._slots.join(now, ending=ending, prefer=prefer))

    @property
    def masterless(self) -> bool:
        """Whether each session logs in by itself."""
        return self._masterless

    def try_acquire(self, on: Master | None = None) -> Lease[H] | None:
        """A slot (on that master) that nobody waits for, beside the reserved one and one more; None without one."""
        slots = self._slots
        if slots.waiters:
            return None
        for master in slots.masters[: slots.max_masters]:
            if on in (None, master) and master.phase is Phase.UP and master.used < slots.ordinary - 1:
                return self._grant(Waiter(-1, self._now()), master)
        return None

    def refused(self, lease: Lease[H]) -> None:
        """See ``Lease.refused``."""
        if not lease.released:
            self._slots.refused(lease.master, lease.generation, self._now())

    async def again(self, lease: Lease[H], waiter: Waiter) -> Lease[H]:
        """See ``Lease.after_refusal``."""
        self.refused(lease)
        self._give_back(lease)
        # No turn before the waiter's future is there: a slot granted in between would be lost.
        self._slots.rejoin(waiter)
        return await self._wait(waiter)

    async def _wait(self, waiter: Waiter) -> Lease[H]:
        future: asyncio.Future[Lease[H]] = asyncio.get_running_loop().create_future()
        self._futures[waiter.ticket] = future
        self._turn()
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and future.exception() is None:
                future.result().release()
            raise
        finally:
            self._futures.pop(waiter.ticket, None)
            self._slots.leave(waiter)

    def _grant(self, waiter: Waiter, master: Master) -> Lease[H]:
        master.used += 1
        return Lease(self, master, self._handles[master.index], waiter)

    def login_failed(self, error: TransportError) -> None:
        """A session that logs in by itself could not: back off, and so do those who wait."""
        self._error = error
        self._back_off(self._now(), error)
        self._fail_all(error)

    def opened(self, lease: Lease[H]) -> None:
        """See ``Lease.opened``."""
        if self._masterless:
            self._failures = 0
            self._error = None
        self._slots.was_opened(lease.master, lease.generation)

    def release(self, lease: Lease[H]) -> None:
        """See ``Lease.release``."""
        if not lease.released:
            self._give_back(lease)
            self._turn()

    def _give_back(self, lease: Lease[H]) -> None:
        if not lease.released:
            lease.released = True
            self._slots.released(lease.master, lease.generation, self._now() if lease.is_open else None)

    def lose(self, lease: Lease[H]) -> None:
        """See ``Lease.lost``."""
        lease.released = True
        master = lease.master
        if master.generation != lease.generation:
            return
        single, unused = master.opened == 1, master.opened == 0
        self._slots.lost(master, lease.generation)
        self._on_lost(lease.handle)
        now = self._now()
        short = now - self._up_since.get(master.index, now) < SHORT_LIFE
        self._short_lives = self._short_lives + 1 if short and unused else 0
        self._single_lives = self._single_lives + 1 if short and single else 0
        if self._single_lives == SINGLE_LIVES:
            self._on_single()
        if self._short_lives >= 3:
            self._error = MasterLost("The ssh master ends again and again.", "Try again later.", sent=False)
            self._back_off(now, self._error)
        self._turn()

    # --- decisions ----------------------------------------------------------------------------------------------------

    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _any_master(self) -> bool:
        return any(m.phase is not Phase.ABSENT for m in self._slots.masters)

    def _turn(self) -> None:
        """Decide and act on it. Synchronous: between the look and the act nothing else happens."""
        if not self._slots.waiters:
            return
        now = self._now()
        plan = self._slots.decide(now)
        for waiter, master in plan.grants:
            self._slots.leave(waiter)
            future = self._futures.get(waiter.ticket)
            if future is not None and not future.done():
                future.set_result(self._grant(waiter, master))
        for master in plan.starts:
            self._start(master, now)
        wake_at = plan.wake_at
        if plan.scarce:
            asyncio.get_running_loop().call_soon(self._on_scarce)  # it releases leases, and so comes back here
            wake_at = min(wake_at or now + _SCARCE_RETRY, now + _SCARCE_RETRY)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if wake_at is not None:
            self._timer = asyncio.get_running_loop().call_at(wake_at, self._turn)

    def _start(self, master: Master, now: float) -> None:
        if now < self._retry_at and self._error is not None and not self._any_master():
            self._fail_all(self._error)
            return
        master.phase = Phase.STARTING
        self._starts.start(self._bring_up(master))

    async def _bring_up(self, master: Master) -> None:
        try:
            handle = await self._launch(master.index)
        except TransportError as error:
            self._start_failed(master, error)
        except BaseException as error:
            master.phase = Phase.ABSENT
            failure = TransportError(f"Starting the ssh master failed: {type(error).__name__}.", sent=False)
            failure.__cause__ = error
            self._fail_all(failure)
            raise
        else:
            master.phase = Phase.UP
            self._handles[master.index] = handle
            self._up_since[master.index] = self._now()
            self._failures = 0
            self._error = None
        self._turn()

    def _start_failed(self, master: Master, error: TransportError) -> None:
        master.phase = Phase.ABSENT
        self._error = error
        now = self._now()
        if not isinstance(error, LocalError):  # what is wrong on our own side costs the host nothing
            self._back_off(now, error)
        if self._any_master():
            self._slots.further_at = self._retry_at
        else:
            self._fail_all(error)

    def _back_off(self, now: float, error: TransportError) -> None:
        if isinstance(error, Unreachable):
            self._retry_at = now + BACKOFF_FIRST
            return
        self._retry_at = now + min(BACKOFF_FIRST * 2**self._failures, BACKOFF_MAX)
        self._failures += 1

    def _fail_all(self, error: TransportError) -> None:
        for waiter in list(self._slots.waiters):
            self._slots.leave(waiter)
            future = self._futures.get(waiter.ticket)
            if future is not None and not future.done():
                future.set_exception(copy.copy(error))

    async def aclose(self) -> None:
        """Give up waiting and starting. Leases in use stay their holders' affair."""
        if self._timer is not None:
            self._timer.cancel()
        await self._starts.cancel()
        self._fail_all(TransportError("The transport is closed.", sent=False))
