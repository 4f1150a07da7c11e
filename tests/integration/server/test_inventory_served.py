"""The running server and hosts.toml: which name a result uses, what the list says, and a file that changes."""

from __future__ import annotations

from tests.integration.conftest import SshdFactory
from tests.integration.mcp_server import Host, McpServerFactory
from tests.peers.sshd import Sshd


async def test_results_name_the_alias_and_the_audit_names_both(mcp_server: McpServerFactory, sshd: Sshd) -> None:
    async with mcp_server({"one": sshd, "two": sshd}) as server:
        for alias in ("one", "two"):
            assert (await server.call("ssh_host_ping", host=alias))["host"] == alias
            done = await server.call("ssh_exec_run", host=alias, command="true")
            assert done["host"] == alias
            line = server.audit()[-1]
            assert (line["alias"], line["host"], line["port"], line["user"]) == (
                alias,
                sshd.address,
                sshd.port,
                sshd.user,
            )
        sessions = (await server.call("ssh_session_list"))["sessions"]
        assert sorted(name for each in sessions for name in each["aliases"])[:1] == ["one"]


async def test_the_list_says_what_ssh_would_use_and_what_is_allowed(mcp_server: McpServerFactory, sshd: Sshd) -> None:
    more = ('tags = ["web", "eu"]', 'command_allowlist = ["uptime"]')
    asked = Host(sshd, lines=("port =", "user =", "hostname =", *more))
    async with mcp_server(
        {"web": asked, "inner": Host(sshd, lines=('proxy_jump = "web"', 'path_allowlist = ["/srv"]'))},
        allow_sudo=False,
    ) as server:
        config = server.hosts_file.parent / "ssh_config"
        config.write_text(f"Host web\n  HostName {sshd.address}\n  Port {sshd.port}\n  User someone\n")
        listed = await server.call("ssh_host_list")
        assert listed["open_tiers"] == ["read", "low-access", "dangerous"]
        web, inner = listed["hosts"]
        assert (web["hostname"], web["port"], web["user"]) == (sshd.address, sshd.port, "someone")
        assert (web["tags"], web["allowed_programs"], web["jump_hosts"]) == (["web", "eu"], ["uptime"], [])
        assert (inner["jump_hosts"], inner["allowed_paths"], inner["allowed_programs"]) == (["web"], ["/srv"], ["*"])


async def test_a_changed_file_counts_at_the_next_call_and_a_bad_one_changes_nothing(
    mcp_server: McpServerFactory, sshd: Sshd, sshd_factory: SshdFactory
) -> None:
    async with mcp_server({"web": sshd}, allow_low_access_tools=False) as server:
        good = server.hosts_file.read_text()
        server.hosts_file.write_text(good.replace("hosts.web", "hosts.db"))
        assert (await server.call("ssh_host_ping", host="db"))["reachable"]
        assert "HostNotAllowed" in await server.refused("ssh_host_ping", host="web")
        server.hosts_file.write_text(good + "\n[hosts.third]\nprot = 22\n")
        assert (await server.call("ssh_host_ping", host="db"))["reachable"]
        assert "has an error and is not in force" in await server.refused("ssh_host_ping", host="web")
        (warning,) = (await server.call("ssh_host_list"))["output_warnings"]
        assert "Did you mean port?" in warning
        server.hosts_file.write_text(good)
        server.hosts_file.chmod(0o666)
        assert "can be changed by others" in (await server.call("ssh_host_list"))["output_warnings"][0]
        server.hosts_file.chmod(0o600)
        listed = await server.call("ssh_host_list")
        assert ([each["alias"] for each in listed["hosts"]], listed["output_warnings"]) == (["web"], [])
