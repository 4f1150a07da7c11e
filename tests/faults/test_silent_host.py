"""A host that stops replying without closing anything costs a bounded time, and the call after its return works."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import anyio
import psutil
import pytest

from tests.faults.rig import named
from tests.integration.conftest import masters_of
from tests.integration.mcp_server import McpServer, McpServerFactory
from tests.peers.sshd import Sshd, kill_all

BOUND = 30.0
"""Seconds for one call, a session and a login of one second each included; ssh's own keepalives take 90."""
CALLS: dict[str, dict[str, object]] = {
    "ssh_exec_run": {"command": "echo hi", "timeout": 2},
    "ssh_sftp_stat": {"path": "/"},
}


@contextmanager
def silent(sshd: Sshd, *, listener: bool) -> Iterator[None]:
    """sshd's sessions stopped (SIGSTOP), and with ``listener`` all of sshd: the kernel still accepts connections."""
    stopped = sshd.session_processes() + ([psutil.Process(sshd.pid)] if listener else [])
    for process in stopped:
        process.suspend()
    try:
        yield
    finally:
        for process in stopped:
            if process.is_running():
                process.resume()


async def ended(server: McpServer, tool: str) -> str:
    """The text of a call's error, or nothing; the call is over within BOUND."""
    with anyio.fail_after(BOUND):
        done = await server.client.call_tool(tool, {"host": "web", **CALLS[tool]}, raise_on_error=False)
    return "".join(getattr(block, "text", "") for block in done.content) if done.is_error else ""


@pytest.mark.parametrize("listener", [False, True], ids=["sessions", "all of sshd"])
@pytest.mark.parametrize("tool", CALLS)
async def test_calls_to_a_host_that_went_silent_end_and_the_next_one_after_its_return_works(
    mcp_server: McpServerFactory, sshd: Sshd, tool: str, listener: bool
) -> None:
    async with mcp_server({"web": sshd}, ssh_connect_timeout=1) as server:
        await server.call("ssh_exec_run", host="web", command="true")
        with silent(sshd, listener=listener):
            errors = [await ended(server, tool) for _ in range(2)]
            assert all(not error or named(error) for error in errors)
            assert any(errors) == listener, "with sshd itself alive a new login finds the host"
        for tool_again in CALLS:
            assert not await ended(server, tool_again)


async def test_a_kept_sftp_channel_of_a_silent_host_is_given_up_before_its_keepalives_are(
    mcp_server: McpServerFactory, sshd: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("transports.sftp.engine.STALLED_ABANDONED", 1.0)
    async with mcp_server({"web": sshd}, ssh_connect_timeout=1) as server:
        await server.call("ssh_sftp_stat", host="web", path="/")
        with silent(sshd, listener=True):
            assert named(await ended(server, "ssh_sftp_stat"))
        assert not await ended(server, "ssh_sftp_stat")


async def test_a_timed_out_command_that_could_not_be_ended_says_so(mcp_server: McpServerFactory, sshd: Sshd) -> None:
    async with mcp_server({"web": sshd}, ssh_connect_timeout=1) as server:
        await server.call("ssh_exec_run", host="web", command="true")
        with silent(sshd, listener=True), anyio.fail_after(BOUND):
            done = await server.call("ssh_exec_run", host="web", command="sleep 300", timeout=1)
        assert done["timed_out"]
        assert "no longer replies" in done["output_warnings"][0]


async def test_masters_killed_again_and_again_are_replaced_at_once(
    mcp_server: McpServerFactory, sshd: Sshd, control_dir: str
) -> None:
    async with mcp_server({"web": sshd}) as server:
        for _ in range(8):
            for tool in CALLS:
                assert not await ended(server, tool)
                await anyio.to_thread.run_sync(kill_all, masters_of(control_dir))
