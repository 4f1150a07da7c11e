"""Secrets in what the server writes about itself: the audit's hashes, and its log at its most talkative."""

from __future__ import annotations

from pathlib import Path

from tests.integration.mcp_server import McpServerFactory
from tests.peers.sshd import Sshd


async def test_the_audits_hash_of_a_command_says_nothing_about_a_password_in_it(
    mcp_server: McpServerFactory, sshd: Sshd
) -> None:
    async with mcp_server({"web": sshd}) as server:
        hashes = []
        for command in ("PGPASSWORD=first-1 true", "PGPASSWORD=second-22 true", "uname; PGPASSWORD=first-1 true"):
            await server.call("ssh_exec_run", host="web", command=command)
            hashes.append(server.audit()[-1]["command_hash"])
        assert hashes[0] == hashes[1] != hashes[2]


async def test_at_debug_the_log_has_no_secret_of_arguments_or_answers(
    mcp_server: McpServerFactory, sshd: Sshd, tmp_path: Path
) -> None:
    place = str(tmp_path / "app.conf")
    async with mcp_server({"web": sshd}, stdio=True, log_level="DEBUG") as server:
        await server.call("ssh_upload", host="web", path=place, content_text="db_password=canary-up-1\n")
        await server.call(
            "ssh_edit", host="web", path=place, old_string="db_password=canary-up-1", new_string="token=canary-up-3"
        )
        await server.call("ssh_exec_run", host="web", command=f"grep . {place}; echo api_key=canary-out-4 >&2")
        await server.refused("ssh_exec_run", host="web", command="curl -u me:canary-arg-5 https://x/", timeout=-1)
        await server.refused("ssh_exec_run", host="web", comand="curl -u me:canary-arg-6 https://x/")
    log = server.log_file.read_text()
    assert "DEBUG" in log
    assert [line for line in log.splitlines() if "canary-" in line] == []
