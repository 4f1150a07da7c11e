"""Rules for clients that ask by themselves: reading runs, everything else is asked about."""

from __future__ import annotations

import fnmatch
import json
import tomllib
from collections.abc import Callable

import pytest

from ssh_mcp.cli.commands import run
from ssh_mcp.cli.permissions import PERMISSIONS, render
from ssh_mcp.policy.tiers import Tier
from ssh_mcp.tools.catalogue import read

TIERS = [(entry.name, entry.tier) for entry in read()]
Decide = Callable[[str, str], bool]
"""Whether the client, with these rules, runs this tool without a question: its documented reading of the file."""


def claude_code(text: str, tool: str) -> bool:
    rules = json.loads(text)["permissions"]
    named = f"mcp__s__{tool}"
    return named not in rules["ask"] and named in rules["allow"]


def cursor(text: str, tool: str) -> bool:
    return f"s:{tool}" in json.loads(text)["mcpAllowlist"]


def codex(text: str, tool: str) -> bool:
    server = tomllib.loads(text)["mcp_servers"]["s"]
    mode = server["tools"].get(tool, {}).get("approval_mode", server["default_tools_approval_mode"])
    return bool(mode == "approve")


def last_wins(text: str, tool: str) -> bool:
    found = "allow"
    for pattern, action in json.loads(text)["permission"].items():
        if fnmatch.fnmatchcase(f"s_{tool}", pattern):
            found = action
    return found == "allow"


def zed(text: str, tool: str) -> bool:
    tools = json.loads(text)["agent"]["tool_permissions"]["tools"]
    return bool(tools[f"mcp:s:{tool}"]["default"] == "allow")


READERS: dict[str, Decide] = {
    "claude-code": claude_code,
    "cursor": cursor,
    "codex": codex,
    "kilo-code": last_wins,
    "opencode": last_wins,
    "zed": zed,
}


@pytest.mark.parametrize("client", PERMISSIONS)
def test_the_read_tier_runs_and_the_rest_is_asked_about(client: str) -> None:
    text = render(client, "s", TIERS)
    for name, tier in TIERS:
        assert READERS[client](text, name) is (tier is Tier.READ), name


def test_the_command_prints_the_rules_and_where_they_go(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["client", "claude-code", "--permissions"]) == 0
    said = capsys.readouterr()
    assert "mcp__ssh-mcp__ssh_host_list" in said.out
    assert "~/.claude/settings.json" in said.err
    assert "ssh_exec_run" not in said.out  # closed here, and so not listed


def test_a_client_without_such_rules_is_pointed_to_the_servers_own(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["client", "claude-desktop", "--permissions"]) == 1
    assert "SSH_ASK" in capsys.readouterr().err
