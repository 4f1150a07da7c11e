"""Thousands of mixed calls over ten hosts while faults strike at random: nothing grows, and the audit's chain holds.

scripts/endurance --calls 20000
"""

from __future__ import annotations

import os
import random
import shutil
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import psutil
import pytest

from ssh_mcp.audit.chain import verify_all
from tests.faults.families import BY_NAME, Outcome
from tests.faults.faults import FAULTS
from tests.faults.rig import PEER, Lane, Rig, named, proxied, rig
from tests.integration.conftest import SshdFactory, masters_of
from tests.integration.mcp_server import McpServerFactory

CALLS = int(os.environ.get("SSH_MCP_ENDURANCE", "600"))
SEED = int(os.environ.get("SSH_MCP_ENDURANCE_SEED", "8"))
HOSTS = 10
WORKERS = 6
ROUNDS = 10
"""Pauses in which everything is looked at."""
CALLS_A_FAULT = 25
MIX = {
    "exec": 24, "script": 6, "streaming": 6, "shell": 3, "stat": 24, "list": 10, "download": 6, "download to a file": 2,
    "upload": 6, "upload of a file": 2, "edit": 6, "deploy": 3, "transfer to": 1, "transfer from": 1, "host_info": 3,
    "broadcast": 2, "sudo": 2, "sudo write": 1, "job": 8, "job cancelled": 4,
}  # fmt: skip
STRIKES = ("cut", "closed", "stall", "master killed", "login killed", "sftp killed", "host gone")
pytestmark = [pytest.mark.timeout(max(300, CALLS))]


@dataclass
class Sample:
    calls: int
    rss: int
    descriptors: int
    children: int
    masters: int
    seconds: float

    def __str__(self) -> str:
        memory = f"{self.rss / 2**20:6.1f} MiB  {self.descriptors:3} descriptors"
        return (
            f"{self.calls:6} calls  {self.seconds:6.0f} s  {memory}  {self.children:3} child processes"
            f"  {self.masters:2} masters"
        )


@dataclass
class Tally:
    done: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    late: Counter[str] = field(default_factory=Counter)
    """Calls without an answer of which the host still worked something off when they were over."""
    samples: list[Sample] = field(default_factory=list)


async def one_call(r: Rig, rng: random.Random, tally: Tally) -> None:
    family = BY_NAME[rng.choices(list(MIX), list(MIX.values()))[0]]
    lane = rng.choice(r.lanes)
    trial = r.trial(lane)
    outcome = Outcome(error="")
    with anyio.CancelScope() as scope:
        if rng.random() < 0.03:
            scope.deadline = anyio.current_time() + rng.random() * 0.2
        outcome = await r.attempt(family, trial)
    if outcome.error:
        assert named(outcome.error), f"{family.name}: {outcome.error}"
    family.check(trial, outcome)
    kind = "ok" if outcome.result is not None else outcome.error.split(":")[0] if outcome.error else "cancelled"
    tally.outcomes[kind] += 1
    tally.done += 1
    try:
        await anyio.to_thread.run_sync(shutil.rmtree, trial.directory)
    except OSError:
        assert outcome.result is None, f"{family.name} still wrote when it had answered"
        tally.late[f"{family.name}: {kind}"] += 1
        await _until_removed(trial.directory)
    for copy in trial.local.glob(f"*{trial.number}*"):
        copy.unlink()


async def _until_removed(directory: Path) -> None:
    """A call that ended without an answer may have requests on their way: in a stalled link, or in the pipe of an
    sftp-server whose link is gone already. The host works them off, and then there is peace.
    """
    with anyio.fail_after(15):
        while directory.exists():
            await anyio.sleep(0.1)
            await anyio.to_thread.run_sync(partial(shutil.rmtree, directory, ignore_errors=True))


async def strike(r: Rig, rng: random.Random, tally: Tally) -> None:
    """One fault at one host, and its repair."""
    lane, name = rng.choice(r.lanes), rng.choice(STRIKES)
    tally.faults[name] += 1
    if name == "stall":
        lane.port.hold()
        await anyio.sleep(rng.random() * 5)
        if rng.random() < 0.5:
            lane.port.cut()
        lane.port.go()
        return
    await FAULTS[name].strike(r, lane)
    if name == "host gone":
        await anyio.sleep(rng.random())
        lane.port.listen()


async def one_round(r: Rig, rng: random.Random, tally: Tally, upto: int) -> None:
    """Calls by several workers and, beside them, faults one after the other."""
    async with anyio.create_task_group() as tasks:

        async def work(own: random.Random) -> None:
            while tally.done < upto:
                await one_call(r, own, tally)

        async def harm() -> None:
            next_at = tally.done + CALLS_A_FAULT
            while tally.done < upto:
                if tally.done >= next_at:
                    next_at = tally.done + CALLS_A_FAULT
                    await strike(r, rng, tally)
                await anyio.sleep(0.01)

        tasks.start_soon(harm)
        for _ in range(WORKERS):
            tasks.start_soon(work, random.Random(rng.random()))


async def look(r: Rig, tally: Tally, began: float) -> None:
    for lane in r.lanes:
        await r.works(lane)
    await r.works(Lane(PEER, r.lanes[0].sshd, r.lanes[0].port))
    await r.close_orphans(tally.outcomes["cancelled"])
    await r.invariants([])
    me = psutil.Process()
    tally.samples.append(
        Sample(
            tally.done,
            me.memory_info().rss,
            me.num_fds(),
            len(me.children()),
            len(masters_of(r.control_dir)),
            time.monotonic() - began,
        )
    )
    print(tally.samples[-1], flush=True)


async def test_thousands_of_calls_with_faults_leave_memory_descriptors_and_processes_flat(
    mcp_server: McpServerFactory, sshd_factory: SshdFactory, control_dir: str, quick: Path
) -> None:
    tally = Tally()
    rng = random.Random(SEED)
    began = time.monotonic()
    work = Path(tempfile.mkdtemp(prefix="smcp-e-", dir="/tmp"))
    with proxied(sshd_factory, HOSTS) as lanes:
        options: dict[str, Any] = {"ssh_max_connections_per_host": 2, "log_level": "ERROR"}
        async with rig(mcp_server, lanes, sshd_factory(), work, control_dir, **options) as r:
            # A second master may come and stay, and each holds its lock and a session: room for those, not for a leak.
            r.descriptors += 8 * HOSTS
            await look(r, tally, began)
            for i in range(1, ROUNDS + 1):
                await one_round(r, rng, tally, CALLS * i // ROUNDS)
                await look(r, tally, began)
            audited = r.server.audit_file
    shutil.rmtree(work)
    print(f"{tally.done} calls: {dict(tally.outcomes.most_common())}")
    print(f"{tally.late.total()} worked off late: {dict(tally.late.most_common())}")
    print(f"{tally.faults.total()} faults: {dict(tally.faults.most_common())}")
    [(_, verdict)] = verify_all([audited])
    print(f"audit: {verdict.lines} lines, {'the chain is whole' if verdict.ok else verdict.reason}")
    assert verdict.ok, verdict
    assert verdict.lines >= tally.done
    assert tally.outcomes["ok"] > CALLS * 0.6
    early, late = tally.samples[len(tally.samples) // 3], tally.samples[-1]
    assert late.descriptors <= early.descriptors + 2 * HOSTS, "descriptors grow"
    assert late.children <= early.children, "child processes grow"
    assert late.rss <= early.rss * 1.1 + (16 << 20), f"memory grows: {early} to {late}"
