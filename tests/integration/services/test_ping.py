"""ssh_host_ping on a real sshd: one round trip, and accounts in which nothing begins."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from tests.integration.conftest import SshdFactory
from tests.integration.mcp_server import McpServerFactory
from tests.peers.sshd import Sshd


async def test_a_ping_times_one_round_trip(mcp_server: McpServerFactory, sshd: Sshd) -> None:
    async with mcp_server({"web": sshd}) as server:
        done = await server.call("ssh_host_ping", host="web")
        assert (done["reachable"], done["auth_ok"]) == (True, True)
        assert done["latency_ms"] >= 1
        assert done["output_warnings"] == []


@pytest.mark.parametrize("sftp", [True, False])
async def test_a_forced_command_that_waits_is_no_round_trip_and_no_timeout(
    mcp_server: McpServerFactory, sshd_factory: SshdFactory, sftp: bool
) -> None:
    extra: list[Any] = [] if sftp else ["ForceCommand sleep 45"]
    forced = {"force_command": "internal-sftp"} if sftp else {}
    sshd = sshd_factory(extra=extra, **forced)
    async with mcp_server({"web": sshd}, ssh_connect_timeout=2) as server:
        with anyio.fail_after(30):
            done = await server.call("ssh_host_ping", host="web")
        assert (done["reachable"], done["auth_ok"]) == (True, True)
        assert (done["latency_ms"] > 0) is sftp
        assert bool(done["output_warnings"]) is not sftp
        if not sftp:
            text = await server.refused("ssh_exec_run", host="web", command="echo hi", timeout=2)
            assert text.startswith("SessionRefused: ")
            assert "never began" in text
