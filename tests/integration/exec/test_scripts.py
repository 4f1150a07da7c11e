"""Scripts by interpreter, and what startup files and line ends do to them."""

from __future__ import annotations

from tests.integration.conftest import UserFactory
from tests.integration.mcp_server import Host, McpServerFactory
from tests.peers.sshd import Sshd


async def test_a_bash_script_does_not_read_the_startup_files_again(
    mcp_server: McpServerFactory, sshd: Sshd, throwaway_users: UserFactory
) -> None:
    user = throwaway_users("scripts", "/bin/sh")
    (user.home / ".bashrc").write_text('echo "read by $PS1"\n')
    async with mcp_server({"web": Host(sshd, user=user.name)}) as server:
        for first in ("#!/bin/bash -u", "#!/usr/bin/env bash\nset -u"):
            done = await server.call("ssh_exec_script", host="web", script=f"{first}\necho $BASH_VERSION $#\n")
            assert (done["exit_code"], done["stderr"]) == (0, "")
            assert "read by" not in done["stdout"]
            assert done["stdout"].endswith(" 0\n")


async def test_a_failed_script_with_windows_line_ends_says_so(mcp_server: McpServerFactory, sshd: Sshd) -> None:
    async with mcp_server({"web": sshd}) as server:
        done = await server.call("ssh_exec_script", host="web", script="set -e\r\ncd /tmp\r\n")
        assert "CRLF" in done["hint"]
