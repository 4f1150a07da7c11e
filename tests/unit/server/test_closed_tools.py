"""A closed tool says what opens it, and no text of an open one sends a caller to it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from fastmcp import Client
from fastmcp.exceptions import ToolError

from ssh_mcp.policy.closed import ClosedTools
from ssh_mcp.server.app import build
from ssh_mcp.settings.model import Settings
from ssh_mcp.skills.loader import shipped
from ssh_mcp.tools.catalogue import closed_tools, read

ENTRIES = {entry.name: entry for entry in read()}
SERVERS: list[dict[str, Any]] = [
    {},
    {"allow_low_access_tools": True},
    {"allow_dangerous_tools": True},
    {"ssh_enabled_groups": ("host", "sftp-read")},
    {"allow_dangerous_tools": True, "ssh_enabled_groups": ("exec", "systemctl")},
    {"allow_dangerous_tools": True, "allow_persistent_sessions": False},
    {"ssh_tools": ("core",)},
]
ORDER = ("read", "low-access", "dangerous", "sudo")


@pytest.mark.parametrize("settings", SERVERS)
async def test_no_text_of_an_open_tool_names_a_closed_one(settings: dict[str, Any]) -> None:
    app = build(Settings(**settings))
    closed = app.fleet.facts.closed
    assert closed.reasons
    async with Client(app.server) as client:
        texts = {tool.name: tool.model_dump_json() for tool in await client.list_tools()}
        assert not set(texts) & set(closed.reasons)
        for resource in await client.list_resources():
            if str(resource.uri).startswith("skill://"):
                (content,) = await client.read_resource(resource.uri)
                texts[str(resource.uri)] = content.text
        texts["instructions"] = app.server.instructions or ""
    for name, text in texts.items():
        assert [word for word in re.findall(r"\bssh_[a-z0-9_]+", text) if word in closed] == [], name


@pytest.mark.parametrize(
    ("settings", "tool", "where", "opens"),
    [
        (
            {},
            "ssh_exec_run",
            "in the dangerous tier, which is closed",
            "sets ALLOW_DANGEROUS_TOOLS=true",
        ),
        (
            {},
            "ssh_sudo_exec",
            "in the sudo tier, which is closed",
            "sets ALLOW_DANGEROUS_TOOLS=true and ALLOW_SUDO=true",
        ),
        (
            {"allow_dangerous_tools": True},
            "ssh_sudo_exec",
            "in the sudo tier, which is closed",
            "sets ALLOW_SUDO=true",
        ),
        (
            {"ssh_enabled_groups": ("host",)},
            "ssh_docker_ps",
            "in the group docker, which is not enabled",
            "adds docker to SSH_ENABLED_GROUPS",
        ),
        (
            {"ssh_tools": ("ssh_host_list",)},
            "ssh_host_ping",
            "not on the list of SSH_TOOLS",
            "adds it to SSH_TOOLS",
        ),
    ],
)
async def test_a_call_of_a_closed_tool_says_what_opens_it(
    settings: dict[str, Any], tool: str, where: str, opens: str
) -> None:
    async with Client(build(Settings(**settings)).server) as client:
        with pytest.raises(ToolError) as caught:
            await client.call_tool(tool, {"host": "web"})
    assert str(caught.value) == f"TierClosed: {tool} is {where}. To open it, the operator {opens}."


def test_advice_to_use_a_closed_tool_becomes_what_opens_it() -> None:
    closed = closed_tools(ENTRIES.values(), Settings())
    text = "PathNotAllowed: /x is outside. Use ssh_upload or ssh_edit there. ssh_sftp_list shows the rest."
    assert closed.without_advice(text) == (
        "PathNotAllowed: /x is outside. Tools for this are closed here; to open them, the operator sets "
        "ALLOW_LOW_ACCESS_TOOLS=true. ssh_sftp_list shows the rest."
    )
    assert closed.without_advice("Nothing to say.") == "Nothing to say."
    assert ClosedTools().without_advice(text) == text


@pytest.mark.parametrize("book", sorted(p.parent.name for p in shipped("runbooks").glob("*/SKILL.md")))
def test_a_runbook_states_the_tiers_of_all_the_tools_that_it_names(book: str) -> None:
    text = (shipped("runbooks") / book / "SKILL.md").read_text()
    used = {ENTRIES[name].tier.value for name in re.findall(r"\bssh_[a-z0-9_]+", text) if name in ENTRIES}
    (needs,) = re.findall(r"^Needs: (.*)", text, re.MULTILINE)
    stated = {tier for tier in ORDER if re.search(rf"\b{tier}\b", needs)}
    assert stated | {"read"} == used | {"read"}, json.dumps(needs)
