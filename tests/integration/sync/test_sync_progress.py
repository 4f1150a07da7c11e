"""What a person gets to see of ssh_sync: progress while it runs, and one question before it writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.approval.test_client_channel import YES, fastmcp_client, says
from tests.integration.exec.test_streaming import Notes
from tests.integration.mcp_server import Host, McpServerFactory
from tests.integration.sync.test_sync import way as way  # noqa: PLC0414 - a fixture
from tests.peers.sshd import Sshd


def fill(root: Path, count: int, size: int) -> Path:
    root.mkdir()
    for i in range(count):
        (root / f"f{i}").write_bytes(bytes([i % 256]) * size)
    return root


@pytest.mark.parametrize("direction", ["up", "down"])
async def test_progress_counts_the_bytes_of_all_files(
    direction: str,
    way: str,
    sshd: Sshd,
    tmp_path: Path,
    mcp_server: McpServerFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ssh_mcp.remote.progress.PROGRESS_EVERY", 0.005)
    monkeypatch.setattr("ssh_mcp.remote.call.PROGRESS_EVERY", 0.005)
    monkeypatch.setattr("ssh_mcp.remote.call.PROGRESS_AFTER", 0)
    source, target = fill(tmp_path / "source", 30, 1 << 20), tmp_path / "target"
    here, there = (source, target) if direction == "up" else (target, source)
    notes = Notes()
    async with mcp_server({"web": sshd}, ssh_local_transfer_roots=str(tmp_path)) as server:
        arguments = {"host": "web", "local_path": str(here), "remote_path": str(there), "direction": direction}
        done = await server.client.call_tool("ssh_sync", arguments, progress_handler=notes)
    assert done.structured_content is not None
    assert done.structured_content["method"] == way
    assert notes.seen
    counts = [count for count, _, _ in notes.seen]
    assert counts == sorted(counts)
    assert {total for _, total, _ in notes.seen} == {30 << 20}
    assert notes.text.startswith("sync: ")


async def test_a_person_is_asked_once_before_anything_is_written(
    sshd: Sshd, tmp_path: Path, mcp_server: McpServerFactory
) -> None:
    local, remote = fill(tmp_path / "local", 3, 10), tmp_path / "remote"
    lines = [f'ask = ["write:{remote}/**"]']
    arguments = {"host": "web", "local_path": str(local), "remote_path": str(remote)}
    settings = {"ssh_local_transfer_roots": str(tmp_path), "ssh_ask_channel": "client"}
    asked: list[str] = []

    async def yes(text: str) -> object:
        asked.append(text)
        return await YES(text)

    async with mcp_server({"web": Host(sshd, lines=lines)}, **settings) as server:
        async with fastmcp_client(server, "auto", says("accept", {"approve": False})) as call:
            good, text = await call("ssh_sync", **arguments)
            assert not good
            assert text.startswith("ApprovalDenied: ")
            assert not remote.exists()
        async with fastmcp_client(server, "auto", yes) as call:  # type: ignore[arg-type]
            assert (await call("ssh_sync", **arguments, dry_run=True))[0]
            assert not asked
            assert (await call("ssh_sync", **arguments))[0]
            assert len(asked) == 1
            assert str(remote) in asked[0]
            assert len(list(remote.iterdir())) == 3
            assert (await call("ssh_sync", **arguments))[0], "nothing to do"
            back = {**arguments, "direction": "down", "local_path": str(tmp_path / "back")}
            assert (await call("ssh_sync", **back))[0], "nothing is written on the host"
            assert len(asked) == 1
