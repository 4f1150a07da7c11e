"""What clients see around the tools: what is closed, search, resources, completion; in both protocol eras."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import mcp_types
import pytest
from fastmcp import Client
from fastmcp.exceptions import McpError, ToolError
from fastmcp.server.context import Context

from ssh_mcp.policy.tiers import GROUPS
from ssh_mcp.policy.toolset import CORE_TOOLS
from ssh_mcp.server.app import build
from ssh_mcp.server.server import Server
from ssh_mcp.settings.model import Settings
from ssh_mcp.tools.catalogue import read

ENTRIES = {entry.name: entry for entry in read()}
ALL_OPEN = {"allow_low_access_tools": True, "allow_dangerous_tools": True, "allow_sudo": True}
ERAS = ["legacy", "2026-07-28"]


def text_of(content: mcp_types.TextResourceContents | mcp_types.BlobResourceContents) -> str:
    assert isinstance(content, mcp_types.TextResourceContents)
    return content.text


@asynccontextmanager
async def connected(mode: Any = "legacy", **settings: Any) -> AsyncIterator[Client[Any]]:
    """A client of a server in memory; no host is known but those given."""
    app = build(Settings(**settings))
    async with Client(app.server, mode=mode) as client:
        yield client


async def names(client: Client[Any]) -> set[str]:
    return {tool.name for tool in await client.list_tools()}


# -- tiers and groups -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ERAS)
async def test_only_the_read_tier_is_open_unless_the_operator_opens_more(mode: str) -> None:
    async with connected(mode) as client:
        assert await names(client) == {name for name, entry in ENTRIES.items() if entry.tier == "read"}
    async with connected(mode, **ALL_OPEN) as client:
        assert await names(client) == set(ENTRIES)


@pytest.mark.parametrize(
    ("opened", "tiers"),
    [
        ({"allow_low_access_tools": True}, {"read", "low-access"}),
        ({"allow_dangerous_tools": True}, {"read", "dangerous"}),
        ({"allow_sudo": True}, {"read"}),
        ({"allow_dangerous_tools": True, "allow_sudo": True}, {"read", "dangerous", "sudo"}),
    ],
)
async def test_each_tier_is_opened_by_itself_and_sudo_needs_dangerous(opened: dict[str, bool], tiers: set[str]) -> None:
    async with connected(**opened) as client:
        assert {ENTRIES[name].tier for name in await names(client)} == tiers


@pytest.mark.parametrize("group", GROUPS)
async def test_a_group_can_stand_alone(group: str) -> None:
    async with connected(**ALL_OPEN, ssh_enabled_groups=(group,)) as client:
        assert {ENTRIES[name].group for name in await names(client)} == {group}


@pytest.mark.parametrize("mode", ERAS)
@pytest.mark.parametrize("search", [False, True])
async def test_what_is_closed_cannot_be_called_in_any_way(search: bool, mode: str) -> None:
    async with connected(mode, ssh_enabled_groups=("host", "docker"), ssh_enable_bm25=search) as client:
        for closed in ("ssh_docker_start", "ssh_exec_run", "ssh_sftp_list", "ssh_sudo_exec"):
            with pytest.raises((ToolError, McpError), match="TierClosed"):
                await client.call_tool(closed, {"host": "web", "container": "x"})
            if search:
                with pytest.raises(ToolError, match="TierClosed"):
                    await client.call_tool("call_tool", {"name": closed, "arguments": {"host": "web"}})
        if search:
            found = await client.call_tool("search_tools", {"query": "start a container, run a command, list files"})
            assert found.structured_content
            assert all(
                ENTRIES[tool["name"]].tier == "read" and ENTRIES[tool["name"]].group in ("host", "docker")
                for tool in found.structured_content["result"]
            )


async def test_shells_can_be_switched_off_but_still_listed_and_closed() -> None:
    async with connected(**ALL_OPEN, ssh_enabled_groups=("shell",), allow_persistent_sessions=False) as client:
        assert await names(client) == {"ssh_shell_list", "ssh_shell_close"}


@pytest.mark.parametrize("mode", ERAS)
async def test_the_core_is_listed_without_result_schemas_and_called_like_any(mode: str) -> None:
    async with connected(mode, **ALL_OPEN, ssh_tools=("core",)) as client:
        assert await names(client) == CORE_TOOLS & set(ENTRIES)
        assert all(tool.output_schema is None for tool in await client.list_tools())
        listed = await client.call_tool("ssh_host_list", {})
        assert listed.structured_content
        assert (listed.structured_content["hosts"], listed.structured_content["count"]) == ([], 0)
        with pytest.raises((ToolError, McpError), match="TierClosed"):
            await client.call_tool("ssh_server_info", {})


def test_a_name_in_ssh_tools_that_is_no_tool_is_said_at_the_start(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        build(Settings(ssh_tools=("core", "ssh_host_pin")))
    assert "SSH_TOOLS names ssh_host_pin, which is not a tool. Did you mean ssh_host_ping?" in caplog.text


# -- search -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ERAS)
async def test_with_search_a_few_tools_are_listed_and_all_are_found_and_called(mode: str) -> None:
    async with connected(mode, **ALL_OPEN, ssh_enable_bm25=True, ssh_bm25_max_results=3) as client:
        assert await names(client) == {
            "ssh_host_ping", "ssh_host_info", "ssh_session_list", "ssh_shell_list", "search_tools", "call_tool",
        }  # fmt: skip
        found = await client.call_tool("search_tools", {"query": "restart a systemd unit"})
        assert found.structured_content
        tools = found.structured_content["result"]
        assert len(tools) == 3
        assert "ssh_systemctl_restart" in {tool["name"] for tool in tools}
        for tool in tools:
            assert tool["inputSchema"] == ENTRIES[tool["name"]].input_schema
            assert "outputSchema" not in tool
        answer = await client.call_tool("call_tool", {"name": "ssh_server_info", "arguments": {}})
        assert answer.structured_content
        assert answer.structured_content["name"] == "ssh-mcp"


@pytest.mark.parametrize(
    ("query", "tool"),
    [
        ("disk space of a host", "ssh_host_disk_usage"),
        ("container logs", "ssh_docker_logs"),
        ("journal of a service", "ssh_journalctl"),
        ("install a package", "ssh_apt_install"),
        ("copy a file between two hosts", "ssh_transfer"),
        ("run a command as root", "ssh_sudo_exec"),
        ("which hosts are there", "ssh_host_list"),
        ("why does my service fail", "ssh_systemctl_status"),
        ("why does my service fail?", "ssh_journalctl"),
        ("disk is full", "ssh_host_disk_usage"),
        ("the disk of the server is full", "ssh_host_disk_usage"),
        ("roll back a config", "ssh_deploy"),
        ("unpack an archive", "ssh_archive|ssh_exec_run"),
        ("schedule a job", "ssh_job_start|ssh_exec_run"),
        ("restart a systemd unit", "ssh_systemctl_restart"),
        ("who is using all the memory", "ssh_host_processes"),
        ("edit a configuration file", "ssh_edit"),
        ("run something on all servers", "ssh_broadcast"),
        ("search in the output of a command", "ssh_output_read"),
    ],
)
async def test_a_job_in_words_finds_its_tool_among_the_first_three(query: str, tool: str) -> None:
    async with connected(**ALL_OPEN, ssh_enable_bm25=True, ssh_bm25_always_visible=()) as client:
        found = await client.call_tool("search_tools", {"query": query})
        assert found.structured_content
        first = [each["name"] for each in found.structured_content["result"]][:3]
        assert set(tool.split("|")) & set(first), first


@pytest.mark.parametrize("mode", ERAS)
async def test_runbooks_are_prompts_too(mode: str) -> None:
    async with connected(mode) as client:
        listed = {prompt.name: prompt for prompt in await client.list_prompts()}
        assert {"disk-full", "incident-response"} <= set(listed)
        assert not any(name.startswith("ssh_") for name in listed)
        assert listed["disk-full"].description
        rendered = await client.get_prompt("disk-full", {"host": "web01"})
        text = rendered.messages[0].content.text  # type: ignore[union-attr]
        assert text.startswith("Follow this runbook on host web01.\n\n# Disk full")
        with pytest.raises(McpError):
            await client.get_prompt("ssh_cp")
    async with connected(mode, ssh_enable_runbooks=False) as client:
        assert await client.list_prompts() == []


async def test_both_search_tools_say_what_they_may_do() -> None:
    async with connected(ssh_enable_bm25=True, ssh_bm25_always_visible=("ssh_host_list", "no_such_tool")) as client:
        tools = {tool.name: tool for tool in await client.list_tools()}
    assert set(tools) == {"ssh_host_list", "search_tools", "call_tool"}
    search, call = tools["search_tools"].annotations, tools["call_tool"].annotations
    assert search
    assert (search.read_only_hint, search.destructive_hint) == (True, False)
    assert call
    assert (call.read_only_hint, call.destructive_hint) == (False, True)


@pytest.mark.parametrize("name", ["search_tools", "call_tool", "no_such_tool", "x" * 10_000])
async def test_call_tool_calls_tools_only(name: str) -> None:
    async with connected(ssh_enable_bm25=True) as client:
        with pytest.raises(ToolError, match="InvalidArgument: there is not a tool") as refused:
            await client.call_tool("call_tool", {"name": name, "arguments": {}})
        assert len(str(refused.value)) < 300


# -- resources and completion -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ERAS)
async def test_the_server_describes_itself_as_a_resource(mode: str) -> None:
    async with connected(mode, allow_dangerous_tools=True, ssh_enabled_groups=("host", "exec")) as client:
        (content,) = await client.read_resource("mcp://ssh-mcp/server-info")
        info = json.loads(text_of(content))
        assert info["name"] == "ssh-mcp"
        assert info["total_tools"] == len(await names(client))
        assert info["enabled_tiers"] == ["read", "dangerous"]
        assert info["enabled_groups"] == ["host", "exec"]


@pytest.mark.parametrize("mode", ERAS)
async def test_skills_and_runbooks_are_resources(mode: str) -> None:
    async with connected(mode, ssh_enabled_groups=("host",)) as client:
        listed = {str(resource.uri) for resource in await client.list_resources()}
        assert "skill://ssh_host_ping/SKILL.md" in listed
        assert "skill://ssh_docker_ps/SKILL.md" not in listed
        assert "skill://disk-full/SKILL.md" in listed
        (content,) = await client.read_resource("skill://ssh_host_ping/SKILL.md")
        assert text_of(content).startswith("---\n")


async def test_notes_of_a_host_are_a_resource_and_an_unknown_host_is_refused_in_our_words(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "web.md").write_text("Ask before restarting.\n")
    async with connected(ssh_hosts_allowlist=("web",), ssh_host_notes_dir=str(tmp_path)) as client:
        with (
            caplog.at_level(logging.INFO),
            pytest.raises(McpError, match=r"^HostNotAllowed: nohost is not a known host\."),
        ):
            await client.read_resource("mcp://ssh-mcp/hosts/nohost/notes")
        assert "Traceback" not in caplog.text


async def test_aliases_are_completed_wherever_a_host_is_asked_for(tmp_path: Path) -> None:
    reference = mcp_types.ResourceTemplateReference(type="ref/resource", uri="mcp://ssh-mcp/hosts/{host}/notes")

    async def complete(client: Client[Any], typed: str, argument: str = "host") -> list[str]:
        return (await client.complete(reference, {"name": argument, "value": typed})).values

    file = tmp_path / "hosts.toml"
    file.write_text("[hosts.web01]\n[hosts.Web02]\n[hosts.db]\n[hosts.blocked]\n")
    async with connected(ssh_hosts_file=str(file), ssh_hosts_blocklist=("blocked",)) as client:
        assert await complete(client, "w") == ["web01", "Web02"]
        assert await complete(client, "WEB0") == ["web01", "Web02"]
        assert await complete(client, "") == ["web01", "Web02", "db"]
        assert await complete(client, "zzz") == []
        assert await complete(client, "w", "path") == []


# -- start-up ---------------------------------------------------------------------------------------------------------


async def test_session_state_works_once_something_is_kept_in_it() -> None:
    server = Server("kept")

    @server.tool
    async def count(ctx: Context) -> int:
        seen = (await ctx.get_state("seen") or 0) + 1
        await ctx.set_state("seen", seen)
        return int(seen)

    @server.tool
    async def forget(ctx: Context) -> None:
        await ctx.delete_state("seen")

    async with Client(server, mode="legacy") as client:
        await client.call_tool("forget")
        assert [(await client.call_tool("count")).data for _ in range(3)] == [1, 2, 3]
        await client.call_tool("forget")
        assert (await client.call_tool("count")).data == 1


async def test_starting_loads_nothing_that_only_some_calls_need() -> None:
    code = (
        "import sys\n"
        "from ssh_mcp.server.app import build\n"
        "from ssh_mcp.settings.model import Settings\n"
        "build(Settings())\n"
        "print(*sorted(sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    heavy = {"cyclopts", "keyring", "tree_sitter", "tree_sitter_bash", "docket", "ssh_mcp.guard.guard"}
    assert loaded & heavy == set()
    assert not [m for m in loaded if m.startswith(("ssh_mcp.facts", "ssh_mcp.shell.", "transports.openssh"))]
    families = {m.rpartition(".")[2] for m in loaded if m.startswith("ssh_mcp.tools.")}
    assert families == {"catalogue", "elicitation", "modules", "registered", "runner", "spec", "text_form"}
