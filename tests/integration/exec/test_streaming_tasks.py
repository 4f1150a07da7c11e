"""ssh_exec_run_streaming as a background task: in memory, and in a real Redis."""

from __future__ import annotations

import importlib.util
import sys
from typing import Any

import anyio
import anyio.to_thread
import pytest

from tests.integration.mcp_server import McpServer, McpServerFactory
from tests.integration.process_table import Trace, trace  # noqa: F401 - a fixture
from tests.integration.redis_server import redis_url  # noqa: F401 - a fixture
from tests.peers import need
from tests.peers.sshd import Sshd

pytestmark = [
    pytest.mark.filterwarnings("ignore:Call to deprecated setex:DeprecationWarning"),  # of the result store, not ours
]


@pytest.fixture(autouse=True)
def extra() -> None:
    need(importlib.util.find_spec("fastmcp_tasks"), "the tasks extra is not installed")


@pytest.fixture(params=["memory", "redis"])
def url(request: pytest.FixtureRequest) -> str:
    return "memory://" if request.param == "memory" else str(request.getfixturevalue("redis_url"))


async def begin(server: McpServer, command: str, timeout: int = 60) -> Any:
    """Start a task and come back at once."""
    arguments = {"host": "web", "command": command, "timeout": timeout}
    import fastmcp_tasks as tasks

    return await tasks.call_tool_task(server.client, "ssh_exec_run_streaming", arguments)


async def test_a_task_runs_in_the_background_and_keeps_its_result(
    mcp_server: McpServerFactory, sshd: Sshd, url: str
) -> None:
    async with mcp_server({"web": sshd}, fastmcp_docket_url=url) as server:
        task = await begin(server, "echo begun; sleep 2; echo ended; exit 3")
        assert (await task.status()).status == "working"
        assert (await server.call("ssh_exec_run", host="web", command="echo beside"))["stdout"] == "beside\n"
        done = await task.result()
        assert done.structured_content["stdout"] == "begun\nended\n"
        assert done.structured_content["exit_code"] == 3
        assert (await task.status()).status == "completed"
        assert {line["tool"] for line in server.audit()} == {"ssh_exec_run_streaming", "ssh_exec_run"}


async def test_a_tasks_status_shows_the_newest_output(mcp_server: McpServerFactory, sshd: Sshd, url: str) -> None:
    async with mcp_server({"web": sshd}, fastmcp_docket_url=url) as server:
        task = await begin(server, "for i in 1 2 3 4 5 6 7 8 9 10; do echo line $i; sleep 0.5; done")
        with anyio.fail_after(20):
            while "line" not in ((await task.status()).status_message or ""):
                await anyio.sleep(0.2)
        await task.result()


async def test_a_cancelled_task_ends_its_command(
    mcp_server: McpServerFactory, sshd: Sshd, url: str, trace: Trace
) -> None:
    async with mcp_server({"web": sshd}, fastmcp_docket_url=url) as server:
        task = await begin(server, f"{trace.sleep} | {trace.sleep}")
        await anyio.to_thread.run_sync(trace.wait_for, 2)
        await task.cancel()
        await anyio.to_thread.run_sync(trace.wait_gone)
        assert (await task.status()).status == "cancelled"


async def test_a_refused_task_completes_with_the_refusal(mcp_server: McpServerFactory, sshd: Sshd, url: str) -> None:
    async with mcp_server({"web": sshd}, fastmcp_docket_url=url, ssh_command_allowlist="id") as server:
        task = await begin(server, "uname")
        with pytest.raises(Exception, match="CommandNotAllowed: "):
            await task.result()


async def test_a_stopping_server_does_not_wait_for_its_tasks(
    mcp_server: McpServerFactory, sshd: Sshd, url: str, trace: Trace
) -> None:
    with anyio.fail_after(30):
        async with mcp_server({"web": sshd}, fastmcp_docket_url=url) as server:
            await begin(server, trace.sleep, timeout=3000)
            await anyio.to_thread.run_sync(trace.wait_for)
        await anyio.to_thread.run_sync(trace.wait_gone)


async def test_a_task_is_not_run_again_when_its_server_died(
    mcp_server: McpServerFactory, sshd: Sshd, redis_url: str, trace: Trace, tmp_path: Any
) -> None:
    """The queue delivers again what a dead worker had; the command may have had its effect by then."""
    from datetime import timedelta

    made = tmp_path / "made"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FASTMCP_DOCKET_NAME", "one-queue")
        patch.setenv("FASTMCP_DOCKET_REDELIVERY_TIMEOUT", "PT2S")
        async with mcp_server({"web": sshd}, fastmcp_docket_url=redis_url) as server:
            assert server.app is not None
            task = await begin(server, f"echo x >> {made}; {trace.sleep}", timeout=300)
            await anyio.to_thread.run_sync(trace.wait_for)
            worker: Any = server.app.server._worker
            assert worker.redelivery_timeout == timedelta(seconds=2)

            async def no_renewal(*_args: Any, **_kwargs: Any) -> None:
                await anyio.sleep_forever()

            async with mcp_server({"web": sshd}, fastmcp_docket_url=redis_url) as other:
                del other
                # A worker that renews no more is a dead one to the others.
                patch.setattr("docket.worker.renew_leases", no_renewal)
                with pytest.raises(Exception, match="not run a second time"), anyio.fail_after(40):
                    await task.result()
                assert made.read_text() == "x\n"


async def test_tasks_are_neither_offered_nor_imported_unless_wanted(mcp_server: McpServerFactory, sshd: Sshd) -> None:
    async with mcp_server({"web": sshd}) as server:
        assert server.app is not None
        assert not server.app.server._extensions
        listed = {tool.name: tool for tool in await server.client.list_tools()}
        assert listed["ssh_exec_run_streaming"].execution is None
    async with mcp_server({"web": sshd}, allow_dangerous_tools=None, fastmcp_docket_url="memory://") as server:
        assert server.app is not None
        assert not server.app.server._extensions


async def test_over_stdio_tasks_work_and_the_warning_says_where_they_are(
    mcp_server: McpServerFactory, sshd: Sshd
) -> None:
    async with mcp_server({"web": sshd}, stdio=True, fastmcp_docket_url="memory://") as server:
        task = await begin(server, "echo a")
        assert (await task.result()).structured_content["stdout"] == "a\n"
        assert "kept in memory" in server.log_file.read_text()


async def test_a_missing_extra_is_a_warning(
    mcp_server: McpServerFactory, sshd: Sshd, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "ssh_mcp.server.background", None)
    async with mcp_server({"web": sshd}, fastmcp_docket_url="redis://127.0.0.1:1/0") as server:
        assert (await server.call("ssh_exec_run_streaming", host="web", command="echo a"))["stdout"] == "a\n"
    assert "pip install 'openssh-mcp[tasks]'" in caplog.text


def test_servers_of_different_policy_have_different_queues() -> None:
    from ssh_mcp.server.background import queue
    from ssh_mcp.settings.model import Settings

    names = {queue(Settings()), queue(Settings(allow_sudo=True)), queue(Settings(ssh_path_allowlist=("/srv",)))}
    assert len(names) == 3
    assert queue(Settings()) == queue(Settings())
