"""What a call had started on a host that could not be reached any more is ended when it can be."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import anyio
import pytest

from tests.faults.families import Failed, call
from tests.faults.rig import Lane, Rig, proxied, rig
from tests.integration.conftest import SshdFactory
from tests.integration.mcp_server import McpServerFactory
from tests.integration.process_table import Trace, trace  # noqa: F401 - a fixture


@pytest.fixture
async def bench(
    mcp_server: McpServerFactory, sshd_factory: SshdFactory, control_dir: str, quick: Path
) -> AsyncIterator[tuple[Rig, Lane]]:
    with tempfile.TemporaryDirectory(prefix="smcp-n-", dir="/tmp") as work, proxied(sshd_factory, 1) as lanes:
        async with rig(mcp_server, lanes, sshd_factory(), Path(work), control_dir) as r:
            yield r, lanes[0]


async def test_a_command_that_timed_out_behind_a_dead_connection_is_ended_when_the_host_is_back(
    bench: tuple[Rig, Lane], trace: Trace
) -> None:
    r, lane = bench
    async with anyio.create_task_group() as tasks:

        async def stall() -> None:
            await anyio.to_thread.run_sync(trace.wait_for)
            lane.port.hold()

        tasks.start_soon(stall)
        with anyio.fail_after(40):
            with suppress(Failed):  # the loss may be noticed before the time is up
                done = await call(r.server, "ssh_exec_run", host=lane.name, command=trace.sleep, timeout=2)
                assert done["timed_out"]
    assert trace.processes(), "the link was dead: nobody could end it yet"
    lane.port.cut()
    await r.works(lane)
    await anyio.to_thread.run_sync(trace.wait_gone)


async def test_a_command_cancelled_behind_a_dead_connection_is_ended_when_the_host_is_back(
    bench: tuple[Rig, Lane], trace: Trace
) -> None:
    r, lane = bench
    with anyio.fail_after(40):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: call(r.server, "ssh_exec_run", host=lane.name, command=trace.sleep, timeout=900))
            await anyio.to_thread.run_sync(trace.wait_for)
            lane.port.hold()
            tasks.cancel_scope.cancel()
    await anyio.sleep(0.1)
    lane.port.cut()
    await r.works(lane)
    await r.works(lane)
    await anyio.to_thread.run_sync(trace.wait_gone)
