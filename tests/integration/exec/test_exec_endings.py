"""Timeouts and cancellations: after each, the host's process table is looked at."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from tests.integration.mcp_server import McpServer, McpServerFactory
from tests.integration.process_table import Trace, trace  # noqa: F401 - a fixture
from tests.peers.sshd import Sshd

WORKS = {
    "a plain sleep": "{sleep}",
    "children in the background": "{sleep} & {sleep} & wait",
    "a pipeline": "{sleep} | {sleep} | cat",
    "a subshell in a substitution": "x=$(cd /; {sleep}); echo $x",
    "a process that ignores TERM": "sh -c \"trap '' TERM HUP INT; {sleep}; {sleep}\"",
    "a shell that traps everything and goes on": "trap 'echo still' TERM HUP INT; while :; do {sleep}; done",
    "the timeout program, which makes a group of its own": "timeout 1000 {sleep}",
    "a job of its own process group": "bash -c 'set -m; {sleep} & wait'",
}
"""``set -m`` makes process groups in the same session; setsid is the next test."""


@pytest.mark.parametrize("name", list(WORKS))
async def test_a_timeout_ends_all_of(mcp_server: McpServerFactory, sshd: Sshd, trace: Trace, name: str) -> None:
    async with mcp_server({"web": sshd}) as server:
        command = "echo begun; " + WORKS[name].format(sleep=trace.sleep)
        with anyio.fail_after(30):
            done = await server.call("ssh_exec_run", host="web", command=command, timeout=1)
        assert done["timed_out"]
        assert done["exit_code"] == -1
        assert done["stdout"].startswith("begun\n"), "what came before the timeout is kept"
        assert "timeout" in done["hint"]
        trace.wait_gone()
        assert server.audit()[-1]["exit_code"] == -1


@pytest.mark.parametrize("name", list(WORKS))
async def test_a_cancelled_call_ends_all_of(mcp_server: McpServerFactory, sshd: Sshd, trace: Trace, name: str) -> None:
    async with mcp_server({"web": sshd}) as server:
        command = WORKS[name].format(sleep=trace.sleep)
        await cancel_once_running(server, trace, "ssh_exec_run", host="web", command=command, timeout=100)
        await anyio.to_thread.run_sync(trace.wait_gone)
        assert (await server.call("ssh_exec_run", host="web", command="echo next"))["stdout"] == "next\n"


@pytest.mark.parametrize("tool", ["ssh_exec_script", "ssh_exec_run_streaming"])
async def test_scripts_and_streamed_commands_end_the_same_way(
    mcp_server: McpServerFactory, sshd: Sshd, trace: Trace, tool: str
) -> None:
    async with mcp_server({"web": sshd}) as server:
        what: dict[str, Any] = {"script" if tool.endswith("script") else "command": f"{trace.sleep} | {trace.sleep}"}
        assert (await server.call(tool, host="web", timeout=1, **what))["timed_out"]
        trace.wait_gone()
        await cancel_once_running(server, trace, tool, host="web", timeout=100, **what)
        await anyio.to_thread.run_sync(trace.wait_gone)


async def test_a_process_that_leaves_the_session_is_beyond_reach_and_does_not_hold_the_call(
    mcp_server: McpServerFactory, sshd: Sshd, trace: Trace
) -> None:
    """setsid makes a new session and process group: nothing short of root's process accounting could follow it."""
    async with mcp_server({"web": sshd}) as server:
        command = f"setsid {trace.sleep} </dev/null >/dev/null 2>&1 & sleep 50"
        with anyio.fail_after(30):
            done = await server.call("ssh_exec_run", host="web", command=command, timeout=1)
        assert done["timed_out"]
        assert len(trace.processes()) == 1, "documented: docs/security.md"


async def test_a_timeout_keeps_what_both_streams_had_said(mcp_server: McpServerFactory, sshd: Sshd) -> None:
    async with mcp_server({"web": sshd}) as server:
        command = "head -c 300000 /dev/zero | tr '\\0' x; echo e >&2; sleep 60"
        done = await server.call("ssh_exec_run", host="web", command=command, timeout=2)
        assert (done["stdout_bytes"], done["stderr"], done["timed_out"]) == (300000, "e\n", True)


async def test_a_cancelled_call_is_audited_as_an_error(mcp_server: McpServerFactory, sshd: Sshd, trace: Trace) -> None:
    async with mcp_server({"web": sshd}) as server:
        await cancel_once_running(server, trace, "ssh_exec_run", host="web", command=trace.sleep, timeout=100)
        with anyio.fail_after(20):
            while not server.audit():
                await anyio.sleep(0.05)
        assert server.audit()[-1]["result"] == "error"


async def cancel_once_running(server: McpServer, trace: Trace, tool: str, **arguments: Any) -> None:
    """Call a tool and, as soon as its command runs, cancel the call as a client does."""
    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: server.client.call_tool(tool, arguments))
            await anyio.to_thread.run_sync(trace.wait_for)
            tasks.cancel_scope.cancel()
