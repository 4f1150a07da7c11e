"""One tool on many hosts, over real sshds."""

from __future__ import annotations

import socket
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import SshdFactory
from tests.integration.mcp_server import Host, McpServerFactory
from tests.peers.sshd import Sshd


@pytest.fixture
def hosts(shared_sshd: Sshd, tmp_path: Path) -> dict[str, Host]:
    """Six aliases of one sshd."""
    found = {f"web{n:02}": Host(shared_sshd, lines=[f'tags = ["web", "{"eu" if n < 4 else "us"}"]']) for n in range(6)}
    found["db1"] = Host(shared_sshd, lines=['tags = ["db"]', f'path_allowlist = ["{tmp_path}/nowhere"]'])
    return found


async def test_the_one_that_differs_is_a_group_of_its_own(
    mcp_server: McpServerFactory, hosts: dict[str, Host], tmp_path: Path
) -> None:
    async with mcp_server(hosts) as server:
        got = await server.call(
            "ssh_fleet", hosts=["@web&@eu"], tool="ssh_sftp_stat", arguments={"path": "/etc/passwd"}
        )
        (group,) = got["groups"]
        assert (group["hosts"], group["count"], got["selected"]) == ("web[00-03]", 4, 4)
        assert group["result"]["path"] == "/etc/passwd"
        lines = server.audit()
        parent = next(line for line in lines if line["tool"] == "ssh_fleet")
        children = [line for line in lines if line.get("parent") == parent["correlation_id"]]
        assert sorted(line["alias"] for line in children) == ["web00", "web01", "web02", "web03"]


async def test_one_refusal_runs_nothing_unless_failures_are_allowed(
    mcp_server: McpServerFactory, hosts: dict[str, Host]
) -> None:
    arguments: dict[str, Any] = {"hosts": ["web[00-01]", "db1"], "tool": "ssh_sftp_stat", "arguments": {"path": "/etc"}}
    async with mcp_server(hosts) as server:
        got = await server.call("ssh_fleet", **arguments)
        assert got["groups"] == []
        assert got["not_attempted"] == ["web00", "web01"]
        assert got["errors"][0]["hosts"] == "db1"
        assert got["errors"][0]["error"].startswith("PathNotAllowed")
        assert not [line for line in server.audit() if line["tool"] == "ssh_sftp_stat"]
        got = await server.call("ssh_fleet", **arguments, max_failures=1)
        assert sum(group["count"] for group in got["groups"]) == 2  # two, where somebody changed /etc in between


async def test_a_rollout_stops_where_too_many_failed(mcp_server: McpServerFactory, hosts: dict[str, Host]) -> None:
    async with mcp_server(hosts) as server:
        got = await server.call(
            "ssh_fleet", hosts=["@web"], tool="ssh_sftp_stat", arguments={"path": "/missing"}, batch=2, max_failures=1
        )
        assert sum(error["hosts"].count("0") > 0 for error in got["errors"]) >= 1
        assert got["not_attempted"] == ["web02", "web03", "web04", "web05"]


async def test_a_closed_tool_stays_closed_and_wrong_tools_are_named(
    mcp_server: McpServerFactory, hosts: dict[str, Host]
) -> None:
    async with mcp_server(hosts, allow_dangerous_tools="false", allow_any_command=None) as server:
        text = await server.refused("ssh_fleet", hosts=["@web"], tool="ssh_exec_run", arguments={"command": "id"})
        assert text.startswith("TierClosed: ")
        for tool in ("ssh_host_list", "ssh_transfer", "ssh_fleet", "nonsense"):
            text = await server.refused("ssh_fleet", hosts=["@web"], tool=tool)
            assert text.startswith(("InvalidArgument: ", "TierClosed: ")), text
        text = await server.refused("ssh_fleet", hosts=["@wbe"], tool="ssh_host_ping")
        assert "@web" in text


async def test_unreachable_hosts_delay_nobody(
    mcp_server: McpServerFactory, hosts: dict[str, Host], sshd_factory: SshdFactory
) -> None:
    sshd = hosts["web00"].sshd
    with closing(socket.create_server(("127.0.0.1", 0))) as silent, closing(socket.socket()) as closed:
        closed.bind(("127.0.0.1", 0))
        down = {
            "dead": Host(replace(sshd, port=closed.getsockname()[1])),
            "mute": Host(replace(sshd, port=silent.getsockname()[1])),
        }
        async with mcp_server({**hosts, **down}, ssh_connect_timeout=3) as server:
            got = await server.call("ssh_fleet", hosts=["@web", "dead", "mute"], tool="ssh_host_info", max_failures=5)
            assert sum(group["count"] for group in got["groups"]) == 6
            assert {host for error in got["errors"] for host in error["hosts"].split(",")} == {"dead", "mute"}


async def test_a_broadcast_is_grouped_and_rolls(mcp_server: McpServerFactory, hosts: dict[str, Host]) -> None:
    async with mcp_server(hosts) as server:
        got = await server.call("ssh_broadcast", hosts=["@web"], command="echo same; exit 3", grouped=True, batch=2)
        assert (got["results"], got["groups"][0]["hosts"], got["groups"][0]["count"]) == ({}, "web[00-05]", 6)
        assert got["not_attempted"] == []
        listed = await server.call("ssh_host_list", select="@db,web03")
        assert [entry["alias"] for entry in listed["hosts"]] == ["web03", "db1"]
