"""The pool's async shell: leases, starts, cancellation, backoff. Masters here are strings, and nothing is launched."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

import anyio
import pytest

from transports.errors import AuthenticationFailed, LocalError, TransportError, Unreachable
from transports.openssh.masters.pool import Lease, Pool
from transports.openssh.masters.slots import Slots


class Launcher:
    """Counts launches; fails or waits as told."""

    def __init__(self) -> None:
        self.launches: list[int] = []
        self.error: TransportError | None = None
        self.gate: asyncio.Event | None = None

    async def __call__(self, index: int) -> str:
        self.launches.append(index)
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        return f"master {index}"


def _pool(launcher: Callable[[int], object], **slots: int) -> Pool[str]:
    settings = {"max_masters": 2} | slots
    return Pool(launcher, Slots(**settings))  # type: ignore[arg-type]


async def test_a_burst_shares_one_login_and_all_get_their_lease() -> None:
    launcher = Launcher()
    pool = _pool(launcher)
    leases: list[Lease[str]] = []

    async def one() -> None:
        lease = await pool.acquire()
        leases.append(lease)
        await asyncio.sleep(0)
        lease.release()
        lease.release()

    async with anyio.create_task_group() as tasks:
        for _ in range(50):
            tasks.start_soon(one)
    assert len(leases) == 50
    assert launcher.launches == [0]
    assert repr(pool) == "<Slots limit=10 masters=[0:0] waiting=0>"
    assert pool.handles() == [("master 0", 0)]


async def test_a_failed_login_fails_all_who_wait_each_with_an_error_of_its_own() -> None:
    launcher = Launcher()
    launcher.error = AuthenticationFailed("No.", "Use another key.", sent=False)
    pool = _pool(launcher)
    errors: list[AuthenticationFailed] = []

    async def one() -> None:
        try:
            await pool.acquire()
        except AuthenticationFailed as error:
            errors.append(error)

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(one)
    await one()
    assert launcher.launches == [0]
    assert len({id(e) for e in errors}) == 6
    assert {(e.what, e.remedy, e.sent) for e in errors} == {("No.", "Use another key.", False)}


async def test_backoff_grows_and_ends_with_the_first_success(monkeypatch: pytest.MonkeyPatch) -> None:
    launcher = Launcher()
    launcher.error = AuthenticationFailed("No.", sent=False)
    pool = _pool(launcher)
    now = 1000.0
    monkeypatch.setattr(pool, "_now", lambda: now)
    for expected in (1, 2, 4, 8, 16, 30, 30):
        with pytest.raises(AuthenticationFailed):
            await pool.acquire()
        attempts = len(launcher.launches)
        now += expected - 0.01
        with pytest.raises(AuthenticationFailed):
            await pool.acquire()
        assert len(launcher.launches) == attempts
        now += 0.01
    launcher.error = None
    (await pool.acquire()).release()
    assert pool._failures == 0


async def test_what_is_wrong_on_our_own_side_is_tried_again_at_once() -> None:
    launcher = Launcher()
    launcher.error = LocalError("The socket directory is unsafe.", sent=False)
    pool = _pool(launcher)
    for _ in range(3):
        with pytest.raises(LocalError):
            await pool.acquire()
    assert launcher.launches == [0, 0, 0]


async def test_a_bug_in_starting_a_master_fails_those_who_wait_instead_of_hanging_them() -> None:
    async def broken(_index: int) -> str:
        raise LookupError("a bug")

    pool = _pool(broken)
    with pytest.raises(TransportError, match="LookupError"), anyio.fail_after(5):
        await pool.acquire()
    await pool.aclose()


async def test_a_cancelled_waiter_leaves_no_trace_and_a_cancelled_winner_gives_its_slot_back() -> None:
    launcher = Launcher()
    launcher.gate = asyncio.Event()
    pool = _pool(launcher)
    with anyio.move_on_after(0.01):
        await pool.acquire()
    assert repr(pool) == "<Slots limit=10 masters=[0:starting] waiting=0>"
    launcher.gate.set()
    while not pool.handles():
        await asyncio.sleep(0)
    leases = [await pool.acquire() for _ in range(9)]
    task = asyncio.create_task(pool.acquire())
    await asyncio.sleep(0)
    leases.pop().release()  # granted, but not yet told
    assert repr(pool) == "<Slots limit=10 masters=[0:9] waiting=0>"
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert repr(pool) == "<Slots limit=10 masters=[0:8] waiting=0>"


async def test_a_lost_master_is_started_again_and_old_leases_do_not_disturb_it() -> None:
    launcher = Launcher()
    lost: list[str] = []
    pool = Pool(launcher, Slots(max_masters=1), on_lost=lost.append)
    old, other = await pool.acquire(), await pool.acquire()
    old.lost()
    other.lost()
    assert lost == ["master 0"]
    new = await pool.acquire()
    other.release()
    assert launcher.launches == [0, 0]
    assert repr(pool) == "<Slots limit=10 masters=[0:1] waiting=0>"
    new.release()


async def test_masters_that_die_unused_again_and_again_are_backed_off_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transports.openssh.masters.pool.BACKOFF_FIRST", 0.05)
    launcher = Launcher()
    pool = _pool(launcher)
    for _ in range(3):
        (await pool.acquire()).lost()
    next_one = asyncio.create_task(pool.acquire())
    for _ in range(5):
        await asyncio.sleep(0)
    assert launcher.launches == [0, 0, 0]
    (await next_one).release()
    assert launcher.launches == [0, 0, 0, 0]


async def test_masters_that_carried_a_session_may_die_as_often_as_they_like() -> None:
    launcher = Launcher()
    pool = _pool(launcher)
    for _ in range(6):
        lease = await pool.acquire()
        lease.opened()
        lease.opened()
        lease.lost()
    next_one = asyncio.create_task(pool.acquire())
    for _ in range(5):
        await asyncio.sleep(0)
    assert len(launcher.launches) == 7
    (await next_one).release()


async def test_an_unreachable_host_is_tried_again_after_the_first_pause_however_often_it_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("transports.openssh.masters.pool.BACKOFF_FIRST", 0.01)
    launcher = Launcher()
    launcher.error = Unreachable("Nobody replied.", sent=False)
    pool = _pool(launcher)
    for _ in range(5):
        with pytest.raises(Unreachable):
            await pool.acquire()
    launcher.error = None
    (await pool.acquire()).release()
    assert len(launcher.launches) == 6


async def test_a_refused_lease_waits_at_its_old_place_for_a_slot() -> None:
    pool = _pool(Launcher(), max_masters=1, spare=0)
    leases = [await pool.acquire() for _ in range(4)]
    refused = asyncio.create_task(leases[3].after_refusal())
    later = asyncio.create_task(pool.acquire())
    await asyncio.sleep(0)
    assert repr(pool) == "<Slots limit=3 masters=[0:3] waiting=2>"
    leases[0].release()
    leases[1].release()
    (await refused).release()
    (await later).release()
    assert repr(pool) == "<Slots limit=3 masters=[0:1] waiting=0>"


async def test_a_refused_lease_gets_a_slot_that_is_free_at_once() -> None:
    pool = _pool(Launcher(), max_masters=1)
    lost, refused = await pool.acquire(), await pool.acquire()
    lost.lost()
    held = await pool.acquire()  # on the master that came up instead
    async with asyncio.timeout(10):
        again = await refused.after_refusal()
    again.release()
    held.release()
    assert "waiting=0" in repr(pool)
    assert "[0:0]" in repr(pool)


async def test_a_slot_for_the_idle_is_given_only_where_there_is_plenty() -> None:
    pool = _pool(Launcher(), max_masters=1)
    leases = [await pool.acquire() for _ in range(7)]
    ahead = pool.try_acquire()
    assert ahead is not None
    assert pool.try_acquire() is None
    ahead.release()
    leases.pop().release()
    assert repr(pool) == "<Slots limit=10 masters=[0:6] waiting=0>"


async def test_the_idle_are_notified_when_somebody_waits_and_no_master_may_come() -> None:
    told: list[int] = []
    pool = Pool(Launcher(), Slots(max_masters=1, spare=False), lambda: told.append(1))
    leases = [await pool.acquire() for _ in range(9)]
    waiting = asyncio.create_task(pool.acquire())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert told
    leases[0].release()
    (await waiting).release()


async def test_closing_releases_those_who_wait() -> None:
    launcher = Launcher()
    launcher.gate = asyncio.Event()
    pool = _pool(launcher)
    waiting = asyncio.create_task(pool.acquire())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await pool.aclose()
    with pytest.raises(TransportError):
        await waiting
