"""ssh_sync cut at random points and called again: equal trees, and no reader ever sees half a file."""

from __future__ import annotations

import os
import random
from pathlib import Path

import anyio
import pytest

from tests.integration.mcp_server import McpServer, McpServerFactory
from tests.integration.sync.test_sync import seen, without_rsync
from tests.peers.sshd import Sshd

CUTS = int(os.environ.get("SSH_MCP_SYNC_CUTS", "4"))
"""Cuts of each direction; fifty on demand."""
FILES = 120


def fill(root: Path, generation: int) -> None:
    """Files that consist of one byte each, so that a reader knows a whole one."""
    for i in range(FILES):
        path = root / f"d{i % 7}" / f"f{i}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes([generation]) * (2_000_000 if i == 60 else 20_000))
        os.utime(path, (1_600_000_000 + generation, 1_600_000_000 + generation))


def whole(root: Path) -> bool:
    for path in root.rglob("f*"):
        if ".ssh-mcp" in str(path):
            continue
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            continue
        if len(data) not in (20_000, 2_000_000) or data.count(data[:1]) != len(data):
            return False
    return True


async def cut(server: McpServer, sshd: Sshd, arguments: dict[str, str], target: Path, point: float) -> bool:
    """One call whose connection ends after a share of the files has arrived. Whether every file was always whole."""
    good = True
    over = anyio.Event()

    async def calls() -> None:
        await server.client.call_tool("ssh_sync", arguments, raise_on_error=False)
        over.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(calls)
        while not over.is_set() and len(list(target.rglob("*"))) < point * FILES:
            good = good and whole(target)
            await anyio.sleep(0)
        sshd.kill_sessions()
    return good and whole(target)


@pytest.mark.timeout(60 + 20 * CUTS)
@pytest.mark.parametrize("way", ["rsync", "tar"])
@pytest.mark.parametrize("direction", ["up", "down"])
async def test_a_sync_that_is_cut_goes_on_where_it_was(
    direction: str,
    way: str,
    sshd: Sshd,
    tmp_path: Path,
    mcp_server: McpServerFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if way == "tar":
        without_rsync(monkeypatch)
    chance = random.Random(20261127)
    source, target = tmp_path / "source", tmp_path / "target"
    target.mkdir()
    here, there = (source, target) if direction == "up" else (target, source)
    arguments = {"host": "web", "local_path": str(here), "remote_path": str(there), "direction": direction}
    async with mcp_server({"web": sshd}, ssh_local_transfer_roots=str(tmp_path)) as server:
        for generation in range(CUTS):
            fill(source, generation + 1)
            assert await cut(server, sshd, arguments, target, chance.random())
            with anyio.fail_after(60):
                while (await server.client.call_tool("ssh_sync", arguments, raise_on_error=False)).is_error:
                    await anyio.sleep(0.2)  # the connection is backed off from after several losses
            assert seen(target) == seen(source)
            assert not [p for p in target.rglob(".*") if not p.name.startswith(".ssh-mcp-partial")]
