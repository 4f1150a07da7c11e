"""What a host can do is found out once per connection, by one question."""

from __future__ import annotations

from typing import Any

from tests.integration.mcp_server import McpServerFactory
from tests.peers.sshd import Sshd


async def test_a_host_says_what_it_can_do(mcp_server: McpServerFactory, shared_sshd: Sshd) -> None:
    async with mcp_server({"here": shared_sshd}) as server:
        info: dict[str, Any] = await server.call("ssh_host_info", host="here")
    able = info["capabilities"]
    assert able["posix"] is True
    assert able["package_manager"] == "apt"
    assert able["dialects"]["find"] == "gnu"
    assert {"find", "grep", "tar"} <= set(able["programs"])
