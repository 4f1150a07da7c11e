"""What runs as root is asked about once, and the question says that it is root."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.integration.approval.test_client_channel import Counting, fastmcp_client
from tests.integration.mcp_server import McpServerFactory
from tests.integration.sudo_accounts import NOPASSWD, SudoUser, host_of, sudo_user  # noqa: F401 - a fixture
from tests.peers.sshd import Sshd


@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
@pytest.mark.parametrize("by", ["tier", "path"])
async def test_the_sudo_tools_and_jobs_as_root_ask_once_and_say_so(
    by: str, mode: str, sudo_user: SudoUser, sshd: Sshd, mcp_server: McpServerFactory, tmp_path: Path
) -> None:
    person = Counting()
    place = tmp_path / "root"
    place.mkdir(mode=0o700)
    rules = ["sudo"] if by == "tier" else [f"write:{place}/**", "command:touch"]
    host = host_of(sudo_user(NOPASSWD), sshd)
    async with mcp_server({"web": host}, ssh_ask=rules) as server, fastmcp_client(server, mode, person) as call:

        async def asks(count: int, tool: str, **arguments: Any) -> None:
            before = len(person.questions)
            fine, text = await call(tool, host="web", **arguments)
            assert fine, text
            assert len(person.questions) - before == count, tool
            if count:
                assert " as root?" in person.questions[-1].split("\n")[0]
                assert host.user
                assert f"{host.user}@web" in person.questions[-1]

        await asks(1, "ssh_sudo_write", path=str(place / "f"), content_text="old\n")
        await asks(1, "ssh_sudo_edit", path=str(place / "f"), old_string="old", new_string="new")
        await asks(1 if by == "tier" else 0, "ssh_sudo_read", path=str(place / "f"))
        await asks(1, "ssh_sudo_exec", command=f"touch {place}/a")
        await asks(1, "ssh_sudo_run_script", script=f"touch {place}/b\n")
        await asks(1, "ssh_job_start", command=f"touch {place}/c", sudo=True, wait=10)
    assert {p.name for p in place.iterdir()} == {"f", "a", "b", "c"}
    assert (place / "f").read_text() == "new\n"
