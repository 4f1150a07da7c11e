"""Group host against real systems: this Debian, a Debian container, and a world of BusyBox only."""

from __future__ import annotations

from typing import Any

import pytest

from ssh_mcp.remote.exec.commands import Commands
from ssh_mcp.tokens import Command
from tests.integration.lab_hosts import on_systemd
from tests.integration.mcp_server import Host, McpServerFactory
from tests.peers.fixtures import Lab
from tests.peers.sshd import Sshd
from transports.api import Completed


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("ssh_host_info", {}),
        ("ssh_host_disk_usage", {}),
        ("ssh_host_network", {}),
        ("ssh_host_processes", {}),
        ("ssh_host_alerts", {}),
        ("ssh_user_info", {"username": "root"}),
        ("ssh_apt_show", {"package": "dpkg"}),
        ("ssh_apt_list", {"mode": "installed"}),
    ],
)
async def test_a_call_is_one_session_however_many_questions_it_asks(
    mcp_server: McpServerFactory,
    shared_sshd: Sshd,
    monkeypatch: pytest.MonkeyPatch,
    tool: str,
    arguments: dict[str, str],
) -> None:
    """Counted where commands leave for the transport: sshd's log also shows the session that it opens ahead."""
    sent: list[str] = []
    real = Commands.run

    async def counted(self: Commands, command: Command, **options: Any) -> Completed:
        sent.append(command.masked())
        return await real(self, command, **options)

    monkeypatch.setattr(Commands, "run", counted)
    async with mcp_server({"here": shared_sshd}) as server:
        await server.call(tool, host="here", **arguments)
    assert len(sent) == 1


async def test_a_host_reports_what_it_is(mcp_server: McpServerFactory, shared_sshd: Sshd) -> None:
    async with mcp_server({"here": shared_sshd}) as server:
        info = await server.call("ssh_host_info", host="here")
    assert info["os_release"]["ID"] == "debian"
    assert info["uname"].startswith("Linux ")
    assert info["cpu_count"] >= 1
    assert info["cpu_model"]
    assert info["uptime"]
    assert info["hostname_fqdn"]
    assert info["output_warnings"] == []


async def test_disks_network_processes_and_users_of_this_machine(
    mcp_server: McpServerFactory, shared_sshd: Sshd
) -> None:
    async with mcp_server({"here": shared_sshd}) as server:
        disks = await server.call("ssh_host_disk_usage", host="here")
        network = await server.call("ssh_host_network", host="here")
        busy = await server.call("ssh_host_processes", host="here", top=5)
        user = await server.call("ssh_user_info", host="here", username="www-data")
        me = await server.call("ssh_user_info", host="here")
        missing = await server.refused("ssh_user_info", host="here", username="nobody-by-this-name")
    root = next(e for e in disks["entries"] if e["mount"] == "/")
    assert root["size_bytes"] > root["used_bytes"] > 0
    assert root["use_percent"].endswith("%")
    loopback = next(i for i in network["interfaces"] if i["name"] == "lo")
    assert {"family": "inet", "address": "127.0.0.1", "prefix_length": 8} in loopback["addresses"]
    assert len(busy["entries"]) == 5 < busy["total"]
    shares = [e["pcpu"] for e in busy["entries"]]
    assert shares == sorted(shares, reverse=True)
    assert (user["username"], user["uid"], user["primary_group"]) == ("www-data", 33, "www-data")
    assert me["username"] == shared_sshd.user
    assert missing == ("RemoteError: here knows no account for a user 'nobody-by-this-name'. Check the spelling.")


async def test_alerts_tell_what_is_past_the_operators_limits(mcp_server: McpServerFactory, shared_sshd: Sshd) -> None:
    limits = {
        "quiet": Host(shared_sshd),
        "strict": Host(
            shared_sshd,
            lines=["alerts = {disk_use_percent_max = 0, mem_free_percent_min = 100, disk_mounts = ['/', '/nowhere']}"],
        ),
    }
    async with mcp_server(limits) as server:
        quiet = await server.call("ssh_host_alerts", host="quiet")
        strict = await server.call("ssh_host_alerts", host="strict")
    assert quiet["breaches"] == []
    assert quiet["metrics"]["load_avg_1min"] >= 0
    assert 0 < quiet["metrics"]["mem_free_percent"] <= 100
    assert {b["metric"] for b in strict["breaches"]} == {"disk_use_percent", "mem_free_percent"}
    assert strict["metrics"]["disks"][0]["mount"] == "/"
    assert strict["output_warnings"] == ["disk_mounts names /nowhere, which is not mounted."]


@pytest.mark.lab
async def test_a_host_of_busybox_only_returns_the_same(lab: Lab, mcp_server: McpServerFactory) -> None:
    async with on_systemd(lab, mcp_server, user="bb") as server:
        info = await server.call("ssh_host_info", host="sys")
        disks = await server.call("ssh_host_disk_usage", host="sys")
        network = await server.call("ssh_host_network", host="sys")
        busy = await server.call("ssh_host_processes", host="sys", top=100)
        alerts = await server.call("ssh_host_alerts", host="sys")
        user = await server.call("ssh_user_info", host="sys")
    assert info["hostname_fqdn"] == "lab-systemd"
    assert info["cpu_count"] >= 1
    assert any(e["mount"] == "/" for e in disks["entries"])
    assert [i["name"] for i in network["interfaces"]] == ["lo"]
    assert any("systemd" in e["command"] for e in busy["entries"])
    assert any(e["pmem"] > 0 for e in busy["entries"])
    assert "load_avg_1min" in alerts["metrics"]
    assert (user["username"], user["gecos"], user["shell"]) == ("bb", "Lab bb,,,", "/opt/busybox/sh")
    assert [w for r in (info, disks, network, busy, alerts, user) for w in r["output_warnings"]] == []


async def test_the_installed_program_returns_the_same_over_stdio(
    mcp_server: McpServerFactory, shared_sshd: Sshd
) -> None:
    async with mcp_server({"here": shared_sshd}, stdio=True) as server:
        info = await server.call("ssh_host_info", host="here")
        packages = await server.call("ssh_apt_list", host="here", mode="installed", pattern="dpkg")
        refused = await server.refused("ssh_docker_run", host="here", image="x", args=["--privileged"])
    assert info["os_release"]["ID"] == "debian"
    assert [p["name"] for p in packages["packages"]] == ["dpkg"]
    assert refused.startswith("InvalidArgument: --privileged is refused because it reaches the host.")


async def test_secrets_on_command_lines_are_masked(mcp_server: McpServerFactory, shared_sshd: Sshd) -> None:
    canary = "canary-proc-5f1e77"
    async with mcp_server({"here": shared_sshd}) as server:
        opened = await server.call("ssh_shell_open", host="here")
        await server.call(
            "ssh_shell_exec",
            session_id=opened["session_id"],
            command=f"sh -c 'while :; do sleep 1; done' worker --password={canary} >/dev/null 2>&1 & :",
        )
        busy = await server.call("ssh_host_processes", host="here", top=1000)
        await server.call("ssh_shell_close", session_id=opened["session_id"])
    assert any("worker" in e["command"] for e in busy["entries"])
    assert canary not in str(busy)


@pytest.mark.parametrize(
    "name", ["", "root; id", "$(id)", "-x", "../etc", "root\nid", "*", "root:0", "a" * 300, "root' ; echo '"]
)
async def test_a_misshapen_user_name_is_refused_before_anything_is_sent(
    mcp_server: McpServerFactory, shared_sshd: Sshd, name: str
) -> None:
    async with mcp_server({"here": shared_sshd}) as server:
        text = await server.refused("ssh_user_info", host="here", username=name)
        audit = server.audit()
    assert text.startswith("InvalidArgument: ")
    assert audit[-1]["error"] == "InvalidArgument"
    assert audit[-1].get("command_hash") is None
