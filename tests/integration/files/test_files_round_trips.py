"""How often a file tool waits for the host: what one request needs of another's reply, and no more."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest

from tests.integration.mcp_server import McpServerFactory
from tests.peers.sshd import Sshd
from transports.sftp.engine import Engine
from transports.sftp.link import PipeLink
from transports.sftp.messages import SSH2_FXP_CLOSE

Calls = list[tuple[str, dict[str, Any], int]]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    where = tmp_path / "files"
    (where / "d").mkdir(parents=True)
    for number in range(250):
        (where / "d" / str(number)).touch()
    (where / "f").write_text("one\n" * 2000)
    (where / "local").write_bytes(bytes(65536))
    return where


def calls(place: Path) -> Calls:
    at = str(place)
    return [
        # resolve and look; the entry itself
        ("ssh_sftp_stat", {"path": f"{at}/f"}, 2),
        # resolve; look, open and look; all names. The handle is closed without waiting.
        ("ssh_sftp_list", {"path": f"{at}/d"}, 3),
        # resolve; look, open and look; verify and read. The handle is closed without waiting.
        ("ssh_sftp_download", {"path": f"{at}/f"}, 3),
        # resolve; what stands there; a temporary; its bytes, and behind them flushed and closed; in its place
        ("ssh_upload", {"path": f"{at}/new", "content_text": "x" * 65536}, 5),
        ("ssh_upload", {"path": f"{at}/new2", "local_path": f"{at}/local"}, 5),
        # as a read; then as a write from its third step on, the handle closed meanwhile
        ("ssh_edit", {"path": f"{at}/f", "old_string": "one\n", "new_string": "two\n", "occurrence": "all"}, 6),
    ]


async def test_requests_that_need_no_answer_before_them_go_out_together(
    mcp_server: McpServerFactory, sshd: Sshd, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns: list[str] = []
    send, received = PipeLink.send, Engine._received

    def sends(self: PipeLink, buffers: list[bytes | memoryview]) -> None:
        if [bytes(b[4:5]) for b in buffers] != [bytes([SSH2_FXP_CLOSE])]:  # a handle that nobody waits for
            turns.append("asked")
        send(self, buffers)

    def receives(self: Engine, view: memoryview) -> None:
        turns.append("told")
        received(self, view)

    monkeypatch.setattr(PipeLink, "send", sends)
    monkeypatch.setattr(Engine, "_received", receives)
    async with mcp_server({"web": sshd}, SSH_LOCAL_TRANSFER_ROOTS=str(place)) as server:
        await server.call("ssh_sftp_stat", host="web", path=str(place))
        await server.call("ssh_upload", host="web", path=f"{place}/first", content_text="looks for leftovers")
        found: dict[tuple[str, ...], tuple[int, int]] = {}
        for tool, arguments, most in calls(place):
            turns.clear()
            await server.call(tool, host="web", **arguments)
            trips = sum(pair == ("asked", "told") for pair in itertools.pairwise(turns))
            if trips != most:
                found[tool, *arguments] = trips, most
    assert found == {}
