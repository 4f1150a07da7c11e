"""The tables of attacks on the command allowlist, through the whole program against a real sshd.

Each attack would make a canary file or start a program that nobody allowed. It must be refused, and afterwards nothing
may have happened; the same text sent past the policy shows that the table is worth something.
"""

from __future__ import annotations

import json
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.integration.mcp_server import Host, McpServerFactory
from tests.peers.sshd import Sshd

DATA = Path(__file__).resolve().parents[1] / "data" / "attacks"
DEFAULT_ALLOW = ["ls", "cat", "echo", "grep"]
TABLES = tomllib.loads((DATA / "commands.toml").read_text(encoding="utf-8"))["attack"]
HONEST = tomllib.loads((DATA / "honest.toml").read_text(encoding="utf-8"))


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    return tmp_path / "canary"


def effects(directory: Path) -> list[str]:
    """What lies in the directory that an attack could have written into."""
    return sorted(p.name for p in directory.iterdir() if p.name.startswith(("canary", "pwned")))


@pytest.mark.parametrize("table", TABLES, ids=lambda t: t["group"])
async def test_an_attack_is_refused_and_has_no_effect(
    mcp_server: McpServerFactory, sshd: Sshd, tmp_path: Path, canary: Path, table: dict[str, list[str]]
) -> None:
    allow = json.dumps(table.get("allow", DEFAULT_ALLOW))
    host = Host(sshd, lines=[f"command_allowlist = {allow}"])
    before = {p.pid for p in sshd.session_processes()}
    async with mcp_server({"web": host}, allow_any_command=False, ssh_exec_allow_cheatsheet_patterns=True) as server:
        for command in table["commands"]:
            text = command.replace("{canary}", str(canary))
            refusal = await server.refused("ssh_exec_run", host="web", command=text)
            assert refusal.startswith("CommandNotAllowed: "), (text, refusal)
            assert refusal.count("\n") == 0
        assert effects(tmp_path) == []
        assert not {p.pid for p in sshd.session_processes()} - before, "an attack reached the host"


async def test_every_way_to_run_a_callers_text_is_checked(
    mcp_server: McpServerFactory, sshd: Sshd, tmp_path: Path, canary: Path
) -> None:
    host = Host(sshd, lines=['command_allowlist = ["ls", "docker"]'])
    attack = f"ls; touch {canary}"
    async with mcp_server({"web": host}, allow_any_command=False) as server:
        session = (await server.call("ssh_shell_open", host="web"))["session_id"]
        for tool, arguments in (
            ("ssh_exec_run", {"host": "web", "command": attack}),
            ("ssh_exec_run_streaming", {"host": "web", "command": attack}),
            ("ssh_shell_exec", {"session_id": session, "command": attack}),
            ("ssh_sudo_exec", {"host": "web", "command": attack}),
            ("ssh_docker_exec", {"host": "web", "container": "c", "command": attack}),
            ("ssh_exec_script", {"host": "web", "script": attack}),
            ("ssh_sudo_run_script", {"host": "web", "script": attack}),
        ):
            assert "CommandNotAllowed: " in await server.refused(tool, **arguments), tool
        broadcast = await server.call("ssh_broadcast", hosts=["web"], command=attack)
        assert broadcast["failed"] == ["web"]
        assert broadcast["errors"]["web"].startswith("CommandNotAllowed: ")
        assert effects(tmp_path) == []


def test_the_attacks_do_something_where_nothing_checks_them(tmp_path: Path, canary: Path) -> None:
    """At least a third of the default table, so that the tests above could fail."""
    commands = [c for t in TABLES if t["group"] in {"lists", "substitutions", "compounds"} for c in t["commands"]]
    worked = 0
    for command in commands:
        subprocess.run(
            ["bash", "-c", command.replace("{canary}", str(canary))],
            check=False, capture_output=True, cwd=tmp_path, timeout=10, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        worked += bool(effects(tmp_path))
        for name in effects(tmp_path):
            (tmp_path / name).unlink()
    assert worked > len(commands) / 3


async def test_honest_commands_run(mcp_server: McpServerFactory, sshd: Sshd) -> None:
    """The short ones of the honest table that end by themselves and change nothing (`|&` is for bash as sh only)."""
    host = Host(sshd, lines=[f"command_allowlist = {json.dumps(HONEST['allow'])}"])
    first = {"ls", "echo", "for", "if", "i=0;", "i=1;", "df", "awk"}
    harmless = [c for c in HONEST["commands"] if c.split()[0] in first and "|&" not in c]
    async with mcp_server({"web": host}, allow_any_command=False, ssh_exec_allow_cheatsheet_patterns=True) as server:
        for command in harmless:
            result = await server.call("ssh_exec_run", host="web", command=command, timeout=20)
            assert not result["timed_out"], command
            assert "Syntax error" not in result["stderr"], command


async def test_a_megabyte_of_command_is_refused_at_once(mcp_server: McpServerFactory, sshd: Sshd) -> None:
    host = Host(sshd, lines=['command_allowlist = ["ls"]'])
    async with mcp_server({"web": host}, allow_any_command=False) as server:
        for text in ("ls " + "a" * (1 << 20), "ls " + "$(" * 20000, "ls " + "{" * 60000, "(" * 30000):
            refusal = await server.refused("ssh_exec_run", host="web", command=text)
            assert refusal.startswith(("CommandNotAllowed: ", "InvalidArgument: ", "CommandIsCheatsheetMatch: "))
            assert len(refusal) < 500


async def test_no_way_to_run_a_text_shows_a_redact_listed_file(
    mcp_server: McpServerFactory, sshd: Sshd, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("canarywithoutshape\n")
    text = f"cd {tmp_path}\ncat .e''nv\n"
    async with mcp_server({"web": sshd}) as server:
        session = (await server.call("ssh_shell_open", host="web"))["session_id"]
        for tool, arguments in (
            ("ssh_exec_run", {"host": "web", "command": text}),
            ("ssh_exec_run_streaming", {"host": "web", "command": text}),
            ("ssh_shell_exec", {"session_id": session, "command": text}),
            ("ssh_sudo_exec", {"host": "web", "command": text}),
            ("ssh_docker_exec", {"host": "web", "container": "c", "command": text}),
            ("ssh_exec_script", {"host": "web", "script": text}),
            ("ssh_exec_script", {"host": "web", "script": f"#!/usr/bin/env python3\nopen('{tmp_path}/.env').read()"}),
            ("ssh_sudo_run_script", {"host": "web", "script": text}),
        ):
            refusal = await server.refused(tool, **arguments)
            assert refusal.startswith("CommandIsCheatsheetMatch: "), (tool, refusal)
            assert "read_redacted" in refusal
            assert "canary" not in refusal
        broadcast = await server.call("ssh_broadcast", hosts=["web"], command=text)
        assert broadcast["errors"]["web"].startswith("CommandIsCheatsheetMatch: ")


async def test_a_file_inside_a_container_can_be_read_by_a_plain_command(
    mcp_server: McpServerFactory, sshd: Sshd
) -> None:
    async with mcp_server({"web": Host(sshd, lines=['docker_cmd = "echo"'])}) as server:
        done = await server.call("ssh_docker_exec", host="web", container="c", command="cat /etc/hosts")
        assert done["stdout"] == "exec c sh -c cat /etc/hosts\n"
