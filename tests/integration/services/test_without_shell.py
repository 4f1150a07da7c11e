"""Hosts without a POSIX shell: every family refuses in time, says why and what works instead."""

from __future__ import annotations

import re

import anyio
import pytest

from tests.integration.conftest import SshdFactory, UserFactory
from tests.integration.mcp_server import Host, McpServerFactory
from tests.peers.shellless import KINDS, start
from tests.peers.sshd import Sshd

CONNECT_TIMEOUT = 2
PATIENCE = 15
"""Seconds for one call: far below the 30 s that commands have, and above the connect timeout on a busy machine."""

NEED_A_SHELL = {
    "ssh_exec_run": {"command": "uptime"},
    "ssh_exec_script": {"script": "id"},
    "ssh_shell_open": {},
    "ssh_job_start": {"command": "id"},
    "ssh_host_processes": {},
    "ssh_docker_ps": {},
    "ssh_systemctl_status": {"unit": "ssh"},
    "ssh_journalctl": {"unit": "ssh"},
    "ssh_pkg_query": {"what": "installed"},
    "ssh_sudo_exec": {"command": "id"},
    "ssh_sudo_read": {"path": "/etc/shadow"},
    "ssh_archive": {"action": "list", "archive": "/a.tar"},
}
"""One tool of each family."""
FEW = ("ssh_exec_run", "ssh_sudo_exec")
"""Of hosts that make each call wait."""


@pytest.mark.parametrize("name", list(KINDS))
async def test_every_family_refuses_in_time_and_says_what_works_instead(
    mcp_server: McpServerFactory, sshd_factory: SshdFactory, throwaway_users: UserFactory, name: str
) -> None:
    kind = KINDS[name]
    sshd, account = start(kind, sshd_factory, throwaway_users)
    host = Host(sshd, user=account.name)
    async with mcp_server({"web": host}, ssh_connect_timeout=CONNECT_TIMEOUT, ssh_command_timeout=60) as server:
        for tool, arguments in NEED_A_SHELL.items():
            if kind.slow and tool not in FEW:
                continue
            with anyio.fail_after(PATIENCE):
                text = await server.refused(tool, host="web", **arguments)
            assert text.startswith("SessionRefused: "), (tool, text)
            assert kind.says in text or "started no shell" in text, (tool, text)
            assert "The file tools work there (SFTP)." in text or not kind.sftp, (tool, text)
            assert re.search("SFTP (does not work|did not begin) there either", text) or kind.sftp, (tool, text)
        with anyio.fail_after(PATIENCE):
            able = (await server.call("ssh_host_info", host="web"))["capabilities"]
        assert (able["posix"], bool(able["sftp"])) == (False, kind.sftp)
        assert kind.says in able["why"] or "started no shell" in able["why"]
        assert able["instead"].startswith("The file tools work" if kind.sftp else "SFTP d")
        with anyio.fail_after(PATIENCE):
            if kind.sftp:
                assert "entries" in await server.call("ssh_sftp_list", host="web", path="/")
            else:
                for tool in ("ssh_sftp_list", "ssh_grep"):
                    text = await server.refused(
                        tool, host="web", path="/", **({"pattern": "x"} if "grep" in tool else {})
                    )
                    assert text.startswith("SFTPSubsystemUnavailable: "), text
                    assert "ssh_terminal_open" in text


async def test_a_host_without_sftp_says_that_commands_work(
    mcp_server: McpServerFactory, sshd_factory: SshdFactory
) -> None:
    async with mcp_server({"web": sshd_factory(subsystem=None)}) as server:
        text = await server.refused("ssh_sftp_list", host="web", path="/")
        assert "Commands work there (ssh_exec_run)" in text
        assert (await server.call("ssh_exec_run", host="web", command="echo on"))["stdout"] == "on\n"


async def test_one_host_of_a_broadcast_says_what_works_there(
    mcp_server: McpServerFactory, sshd_factory: SshdFactory, shared_sshd: Sshd
) -> None:
    bad = sshd_factory(force_command="internal-sftp")
    async with mcp_server({"bad": bad, "good": shared_sshd}) as server:
        done = await server.call("ssh_broadcast", hosts=["bad", "good"], command="echo on")
    assert done["succeeded"] == ["good"]
    assert "The file tools work there (SFTP)." in done["errors"]["bad"]


async def test_a_shell_that_was_fixed_is_used_again(
    mcp_server: McpServerFactory, sshd_factory: SshdFactory, throwaway_users: UserFactory
) -> None:
    """What a refusal found out is not held against the host when commands run again."""
    kind = KINDS["startup files that start a shell"]
    sshd, account = start(kind, sshd_factory, throwaway_users)
    async with mcp_server({"web": Host(sshd, user=account.name)}) as server:
        assert "SessionRefused" in await server.refused("ssh_exec_run", host="web", command="id")
        (account.home / ".bashrc").write_text("")
        assert (await server.call("ssh_exec_run", host="web", command="echo on"))["stdout"] == "on\n"
        assert (await server.call("ssh_pkg_query", host="web", what="installed", name="dpkg"))["manager"] == "apt"
        info = await server.call("ssh_host_info", host="web")
        assert (info["capabilities"]["posix"], info["capabilities"]["instead"]) == (True, "")
