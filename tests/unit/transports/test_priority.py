"""What is done ahead waits for logins and for commands that have just begun, and for nothing else."""

from __future__ import annotations

import asyncio

import pytest

from transports.openssh.masters.priority import UrgentWork


async def _settles() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_nothing_is_waited_for_where_nothing_is_under_way() -> None:
    urgent = UrgentWork()
    waiting = asyncio.ensure_future(urgent.until_over())
    await _settles()
    assert waiting.done()


async def test_the_last_of_several_is_waited_for() -> None:
    urgent = UrgentWork()
    with urgent.login():
        with urgent.command():
            waiting = asyncio.ensure_future(urgent.until_over())
            await _settles()
            assert not waiting.done()
        await _settles()
        assert not waiting.done()
    await waiting


async def test_a_command_that_runs_on_is_waited_for_only_while_it_is_young() -> None:
    urgent = UrgentWork()
    with urgent.command():
        await urgent.until_over()
        with urgent.command():
            waiting = asyncio.ensure_future(urgent.until_over())
            await _settles()
            assert not waiting.done()
        await waiting
    with urgent.command():
        waiting = asyncio.ensure_future(urgent.until_over())
        await _settles()
        assert not waiting.done()  # the old one's end was not counted twice
    await waiting


async def test_a_failed_login_is_over() -> None:
    urgent = UrgentWork()
    with pytest.raises(RuntimeError), urgent.login():
        raise RuntimeError
    await urgent.until_over()
