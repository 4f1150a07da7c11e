"""Network devices x fault x moment: a sample here, more by ``SSH_MCP_FAULTS`` as in test_matrix."""

from __future__ import annotations

import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import psutil
import pytest

from tests.faults.families import Family, Outcome, Trial, call
from tests.faults.faults import FAULTS, Cell, Ran, run_cell
from tests.faults.rig import PEER, Lane, Rig, moments, named, proxied, rig
from tests.faults.test_matrix import SEED, WANTED
from tests.integration.conftest import SshdFactory
from tests.integration.mcp_server import McpServer, McpServerFactory
from tests.peers.sshd import wait_until

IOS = Path(__file__).parents[1] / "peers" / "ios.py"
LINES = ('platform = "cisco_iosxe"', 'device_allow = ["*"]', "device_enable_cmd = \"printf 'letmein\\\\n'\"")
LANES = 4
pytestmark = [pytest.mark.timeout(7200 if WANTED == "full" else 600)]


class DeviceRig(Rig):
    """Hosts that only their own command line reaches."""

    async def works(self, lane: Lane) -> None:
        if lane.name == PEER:
            await super().works(lane)
            return
        for _ in range(60):
            done = await self.server.client.call_tool(
                "ssh_device_run", {"host": lane.name, "commands": ["show slow 0"]}, raise_on_error=False
            )
            if not done.is_error:
                assert done.structured_content is not None
                assert done.structured_content["outputs"][0]["text"] == "begun\nended"
                return
            assert any(name in str(done.content) for name in ("MasterLost: ", "ConnectError: ")), done.content
            await anyio.sleep(0.1)
        raise AssertionError(f"{lane.name} did not come back")


async def _run(server: McpServer, t: Trial) -> dict[str, Any]:
    return await call(
        server, "ssh_device_run", host=t.host, commands=["show slow 0.05", "show tech", "show version"], timeout=10
    )


def _shown(_t: Trial, o: Outcome) -> None:
    """All of it, or a begin of it that says why it has no end."""
    if o.result is not None:
        outputs = o.result["outputs"]
        cut = [n for n, output in enumerate(outputs) if output["failed"]]
        assert cut in ([], [len(outputs) - 1]), outputs
        assert bool(cut) == bool(o.result["output_warnings"]), o.result["output_warnings"]
        if not cut:
            assert outputs[0]["text"] == "begun\nended"
            assert outputs[1]["text"].endswith("customer 04999")
            assert outputs[2]["text"].count("Cisco IOS Software") == 30


def _lines(t: Trial) -> list[str]:
    return [f"description {t.number}-{n}" for n in range(20)]


async def _configure(server: McpServer, t: Trial) -> dict[str, Any]:
    return await call(server, "ssh_device_configure", host=t.host, lines=_lines(t), save=True)


def _configured(t: Trial, o: Outcome) -> None:
    """The device took a begin of the lines, each once and in order; what is reported is true."""
    state = t.local.parent / "state"
    taken = [line for line in state.read_text().splitlines() if t.number in line] if state.exists() else []
    assert taken == _lines(t)[: len(taken)]
    if o.result is not None:
        fine = [output for output in o.result["outputs"] if output["failed"] is False]
        assert len(taken) >= len([output for output in fine if t.number in output["command"]])
        assert o.result["applied"] == bool(fine)
        if o.result["saved"]:
            assert len(taken) == 20
        else:
            assert o.result["output_warnings"]


DEVICE_FAMILIES = [
    Family("device run", _run, _shown, "ssh_device_run"),
    Family("device configure", _configure, _configured, "ssh_device_configure"),
]


def cells(seed: int) -> list[Cell]:
    rng = random.Random(seed)
    found = [
        Cell(family, fault, warm, moment)
        for family in DEVICE_FAMILIES
        for fault in FAULTS.values()
        for warm in (True, False)
        for moment in moments(rng, 3)
    ]
    rng.shuffle(found)
    return found


@pytest.fixture
def work() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="smcp-d-", dir="/tmp") as name:
        yield Path(name)


def _devices(lanes: list[Lane]) -> list[psutil.Process]:
    found = []
    for process in (p for lane in lanes for p in lane.sshd.session_processes()):
        try:
            if any(word.endswith("ios.py") for word in process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found


async def test_after_any_fault_at_any_byte_a_device_is_left_alone_and_the_next_call_works(
    mcp_server: McpServerFactory, sshd_factory: SshdFactory, control_dir: str, quick: Path, work: Path
) -> None:
    chosen = cells(SEED)
    if WANTED != "full":
        chosen = chosen[: max(int(WANTED) // 2, LANES)]
    force = f"{sys.executable} {IOS} {work / 'state'}"
    with proxied(sshd_factory, LANES, force_command=force) as lanes:
        async with rig(mcp_server, lanes, sshd_factory(), work, control_dir, kind=DeviceRig, lines=LINES) as r:
            while chosen:
                batch, chosen = chosen[:LANES], chosen[LANES:]
                ran: list[Ran] = []

                async def one(index: int, cell: Cell, ran: list[Ran] = ran) -> None:
                    ran.append(await run_cell(r, lanes[index], cell))

                async with anyio.create_task_group() as tasks:
                    for index, cell in enumerate(batch):
                        tasks.start_soon(one, index, cell)
                await _hold(r, ran)


async def _hold(r: Rig, ran: list[Ran]) -> None:
    where = "; ".join(f"{each.cell} ({'struck' if each.struck else 'not struck'})" for each in ran)
    try:
        for each in ran:
            error = each.outcome.error
            assert not error or named(error), f"no named error: {error}"
            assert each.outcome.result is not None or not each.cell.fault.must_succeed, error
            each.cell.family.check(each.trial, each.outcome)
        for lane in r.lanes:
            await r.works(lane)
        await r.invariants([each.trial for each in ran])
        await anyio.to_thread.run_sync(wait_until, lambda: not _devices(r.lanes), "the end of the sessions")
    except AssertionError as error:
        raise AssertionError(f"{error}\nafter {where}") from error
