"""OpenRC and runit, the real ones: the tools that read units show their services, those that change units refuse."""

from __future__ import annotations

from typing import Any

from tests.integration.conftest import SshdFactory
from tests.integration.mcp_server import McpServer, McpServerFactory
from tests.integration.sudo_accounts import NOPASSWD, SudoUser, host_of, sudo_user  # noqa: F401 - a fixture
from tests.peers.init_systems import openrc_host, runit_host


async def states(server: McpServer, **filters: str) -> dict[str, tuple[str, str]]:
    done = await server.call("ssh_systemctl_list_units", host="web", **filters)
    return {row["unit"]: (row["active"], row["sub"]) for row in done["units"] if row["unit"].startswith("lab-")}


async def one(server: McpServer, tool: str, unit: str) -> dict[str, Any]:
    return await server.call(f"ssh_systemctl_{tool}", host="web", unit=unit)


async def refuses_the_rest(server: McpServer, title: str, command: str) -> None:
    for tool in ("cat", "show"):
        text = await server.refused(f"ssh_systemctl_{tool}", host="web", unit="lab-steady")
        assert text.startswith(f"PlatformNotSupported: web is run by {title}"), text
    for tool in ("start", "enable"):
        text = await server.refused(f"ssh_systemctl_{tool}", host="web", unit="lab-steady")
        assert f"`{command} " in text or f"`{command}`" in text or command in text, text
    text = await server.refused("ssh_journalctl", host="web", unit="lab-steady")
    assert text.startswith("PlatformNotSupported: ")
    assert "ssh_grep" in text
    assert "/var/log" in text


async def test_openrcs_services_are_listed_and_shown(
    mcp_server: McpServerFactory, sshd_factory: SshdFactory, sudo_user: SudoUser
) -> None:
    """For a login without any rights."""
    user = sudo_user()
    async with mcp_server({"web": host_of(user, sshd_factory(inside=openrc_host()))}) as server:
        assert (await server.call("ssh_host_info", host="web"))["capabilities"]["init"] == "openrc"
        assert await states(server) == {"lab-steady": ("active", "started"), "lab-broken": ("failed", "crashed")}
        assert await states(server, pattern="lab-i*") == {"lab-idle": ("inactive", "stopped")}
        assert await states(server, state="failed") == {"lab-broken": ("failed", "crashed")}
        done = await one(server, "status", "lab-steady.service")
        assert (done["exit_code"], done["active_state"], done["init"]) == (0, "active", "openrc")
        assert "started" in done["stdout"]
        assert "default" in done["stdout"]
        assert (await one(server, "status", "nothing"))["exit_code"] == 4
        assert (await one(server, "is_active", "lab-idle"))["exit_code"] == 3
        assert (await one(server, "is_enabled", "lab-steady"))["state"] == "enabled"
        assert (await one(server, "is_enabled", "lab-idle"))["state"] == "disabled"
        assert (await one(server, "is_failed", "lab-broken"))["failed"] is True
        await refuses_the_rest(server, "OpenRC", "rc-service lab-steady")


async def test_runits_services_are_listed_and_shown(
    mcp_server: McpServerFactory, sshd_factory: SshdFactory, sudo_user: SudoUser
) -> None:
    """Their state is root's: read with sudo where the operator opened it, and said to be unknown elsewhere."""
    user = sudo_user(NOPASSWD)
    host = host_of(user, sshd_factory(inside=runit_host()))
    async with mcp_server({"web": host}) as server:
        assert (await server.call("ssh_host_info", host="web"))["capabilities"]["init"] == "runit"
        assert await states(server) == {"lab-steady": ("active", "run"), "lab-sshd": ("active", "run")}
        assert await states(server, pattern="lab-*") == {
            "lab-steady": ("active", "run"),
            "lab-sshd": ("active", "run"),
            "lab-idle": ("inactive", "down"),
            "lab-spare": ("inactive", "down"),
        }
        done = await one(server, "status", "lab-steady")
        assert (done["exit_code"], done["active_state"], done["init"]) == (0, "active", "runit")
        assert "pid" in done["stdout"]
        assert (await one(server, "is_active", "lab-idle"))["state"] == "inactive"
        assert (await one(server, "is_enabled", "lab-steady"))["state"] == "enabled"
        assert (await one(server, "is_enabled", "lab-idle"))["state"] == "disabled"
        assert (await one(server, "is_failed", "lab-steady"))["failed"] is False
        await refuses_the_rest(server, "runit", "sv ")
    async with mcp_server({"web": host}, allow_sudo=False) as server:
        done = await one(server, "status", "lab-steady")
        assert done["active_state"] == "unknown"
        assert "may not see the state" in done["output_warnings"][0]
