"""Tool family x fault x moment through the whole program. A seeded sample here; all of it by ``SSH_MCP_FAULTS=full``.

SSH_MCP_FAULTS=full .venv/bin/python -m pytest tests/faults -s     (about half an hour)
SSH_MCP_FAULTS=200 SSH_MCP_FAULTS_SEED=7 …                         (200 cases of another sample)
"""

from __future__ import annotations

import os
import random
import re
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.faults.families import FAMILIES
from tests.faults.faults import FAULTS, Cell, Ran, run_cell
from tests.faults.rig import PEER, Rig, moments, named, proxied, rig
from tests.integration.conftest import SshdFactory
from tests.integration.mcp_server import McpServerFactory
from tests.peers.other_servers import start_dropbear_for_root
from tests.peers.sshd import Sshd

WANTED = os.environ.get("SSH_MCP_FAULTS", "32")
BEHIND = int(os.environ.get("SSH_MCP_FAULTS_BEHIND", "0"))
"""Cases to leave out at the beginning: to go on where a run was stopped."""
SEED = int(os.environ.get("SSH_MCP_FAULTS_SEED", "8"))
ONLY = os.environ.get("SSH_MCP_FAULTS_ONLY", "")
LANES = 4
pytestmark = [pytest.mark.timeout(7200 if WANTED == "full" else 600)]


def cells(seed: int) -> list[Cell]:
    """The matrix, shuffled so that any beginning of it is a fair sample: every family and every fault comes early."""
    rng = random.Random(seed)
    rounds: list[list[Cell]] = []
    for _ in range(4):
        for warm in (True, False):
            row = [
                Cell(family, fault, warm, moment)
                for family in FAMILIES
                for fault in FAULTS.values()
                for moment in moments(rng, 1)
            ]
            rng.shuffle(row)
            rounds.append(row)
    return [cell for row in rounds for cell in row]


@pytest.fixture
def work() -> Iterator[Path]:
    """Remote files: the hosts are this machine."""
    with tempfile.TemporaryDirectory(prefix="smcp-m-", dir="/tmp") as name:
        yield Path(name)


@pytest.fixture(params=["openssh", "dropbear"])
def servers(request: pytest.FixtureRequest, tmp_path: Path, sshd_factory: SshdFactory) -> Iterator[SshdFactory]:
    """Dropbear's sessions lead no process groups."""
    if request.param == "openssh":
        yield sshd_factory
        return
    started: list[Sshd] = []

    def start(**_options: Any) -> Sshd:
        started.append(start_dropbear_for_root(tmp_path))
        return started[-1]

    yield start
    for server in started:
        server.stop()


async def test_after_any_fault_at_any_byte_nothing_is_left_and_the_next_call_works(
    mcp_server: McpServerFactory,
    servers: SshdFactory,
    control_dir: str,
    quick: Path,
    work: Path,
    request: pytest.FixtureRequest,
) -> None:
    dropbear = request.node.callspec.params["servers"] == "dropbear"
    chosen = [cell for cell in cells(SEED) if re.search(ONLY, str(cell))][BEHIND:]
    if WANTED != "full":
        chosen = chosen[: int(WANTED) // (2 if dropbear else 1)]
    counts: Counter[str] = Counter()
    worst: dict[str, float] = {}
    with proxied(servers, LANES) as lanes:
        async with rig(mcp_server, lanes, servers(), work, control_dir) as r:
            chosen = [c for c in chosen if c.family.tool in r.tools]
            total = len(chosen)
            while chosen:
                if (done := counts.total()) and done % 100 == 0:
                    print(f"{done} of {total} cases held", flush=True)
                batch, chosen = chosen[:LANES], chosen[LANES:]
                for ran in await _batch(r, batch):
                    kind = "ok" if ran.outcome.result is not None else (ran.outcome.error or "cancelled").split(":")[0]
                    counts[f"{ran.cell.fault.name}: {kind if ran.struck else 'over before it struck'}"] += 1
                    worst[ran.cell.fault.name] = max(worst.get(ran.cell.fault.name, 0), ran.seconds)
    for line, count in sorted(counts.items()):
        print(f"{count:5} {line}")
    for name, seconds in sorted(worst.items()):
        print(f"{seconds:5.1f} s at most: {name}")


async def _batch(r: Rig, batch: list[Cell]) -> list[Ran]:
    """Some cases at once, each on a host of its own, and everything that must hold afterwards."""
    ran: list[Ran] = []

    async def one(index: int, cell: Cell) -> None:
        ran.append(await run_cell(r, r.lanes[index], cell))

    async with anyio.create_task_group() as tasks:
        for index, cell in enumerate(batch):
            tasks.start_soon(one, index, cell)
    where = "; ".join(map(str, batch))
    for each in ran:
        judge(each)
    for lane in r.lanes:
        await r.works(lane)
    await r.close_orphans(sum(each.cell.fault.cancels and each.cell.family.name == "shell" for each in ran))
    try:
        await r.invariants([each.trial for each in ran])
        for each in ran:
            family = each.cell.family
            writer = "ssh_sudo_write" if family.tool == "ssh_sudo_write" else "ssh_upload"
            await r.no_temporary_in(each.trial, PEER if family.onto_peer else each.trial.host, writer)
    except AssertionError as error:
        raise AssertionError(f"{error}\nafter {where}") from error
    return ran


def judge(ran: Ran) -> None:
    """The call ended as it may, and what it touched is old or new."""
    error = ran.outcome.error
    try:
        if error:
            assert named(error), f"no named error: {error}"
        if ran.cell.fault.must_succeed:
            assert ran.outcome.result is not None, error
        ran.cell.family.check(ran.trial, ran.outcome)
    except AssertionError as failed:
        raise AssertionError(f"{ran.cell} ({'struck' if ran.struck else 'not struck'}): {failed}") from failed
