"""Commands that name a redact-listed path, under each bypass mode, on a real sshd."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.integration.mcp_server import McpServer, McpServerFactory
from tests.peers.sshd import Sshd


@pytest.fixture
def listed(tmp_path: Path) -> str:
    path = tmp_path / "app" / ".env"
    path.parent.mkdir()
    path.write_text("DB_PASSWORD=canary-x9z\nPORT=8080\n")
    return str(path)


async def answers(server: McpServer, path: str) -> list[dict[str, Any]]:
    """What each of the exec tools says to a command that greps the file; the broadcast's part of the one host."""
    command = f"grep -c . {path} && grep . {path}"
    session = (await server.call("ssh_shell_open", host="web"))["session_id"]
    asked: list[tuple[str, dict[str, Any]]] = [
        ("ssh_exec_run", {"host": "web"}),
        ("ssh_exec_run_streaming", {"host": "web"}),
        ("ssh_shell_exec", {"session_id": session}),
        ("ssh_broadcast", {"hosts": ["web"]}),
    ]
    found = []
    for tool, arguments in asked:
        answer = await server.call(tool, **arguments, command=command)
        found.append(answer["results"]["web"] if tool == "ssh_broadcast" else answer)
        assert server.audit()[-1].get("redact_bypass") is True
    return found


async def test_blocked_a_command_that_names_it_is_refused(
    mcp_server: McpServerFactory, sshd: Sshd, listed: str
) -> None:
    async with mcp_server({"web": sshd}) as server:
        for command in (f"grep . {listed}", f"cat {listed}", f"cd {Path(listed).parent}; awk 1 < .env"):
            refusal = await server.refused("ssh_exec_run", host="web", command=command)
            assert refusal.startswith("CommandIsCheatsheetMatch: ")
            assert "ssh_read_redacted" in refusal
            assert "redact_bypass" not in server.audit()[-1]
        refused = await server.call("ssh_broadcast", hosts=["web"], command=f"grep . {listed}")
        assert "ssh_read_redacted" in refused["errors"]["web"]
    async with mcp_server({"web": sshd}, ssh_exec_allow_cheatsheet_patterns=True) as server:
        refusal = await server.refused("ssh_exec_run", host="web", command=f"cat {listed}")
        assert refusal.startswith("RedactBypassBlocked: ")


async def test_warned_it_runs_with_a_remark_and_a_mark_in_the_audit(
    mcp_server: McpServerFactory, sshd: Sshd, listed: str
) -> None:
    async with mcp_server({"web": sshd}, ssh_redact_bypass_policy="warn") as server:
        for answer in await answers(server, listed):
            assert answer["exit_code"] == 0
            assert answer["stdout"].startswith("2\nDB_PASSWORD=<sha:"), "the output guard masks all the same"
            assert answer["stdout"].endswith("PORT=8080\n")
            (remark,) = answer["output_warnings"]
            assert listed in remark
            assert "ssh_read_redacted" in remark
        plain = await server.call("ssh_exec_run", host="web", command="id")
        assert plain["output_warnings"] == []
        assert "redact_bypass" not in server.audit()[-1]


async def test_audit_only_it_runs_and_only_the_audit_shows_it(
    mcp_server: McpServerFactory, sshd: Sshd, listed: str
) -> None:
    async with mcp_server({"web": sshd}, ssh_redact_bypass_policy="audit_only") as server:
        for answer in await answers(server, listed):
            assert (answer["exit_code"], answer["output_warnings"]) == (0, [])
