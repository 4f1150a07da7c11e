"""The console over real servers: every key, several servers that come and go, and what it must not show."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
from textual.pilot import Pilot
from textual.widgets import DataTable, Input, Static

from ssh_mcp.console.app import Console, Help
from ssh_mcp.console.servers import ask as ask_server
from ssh_mcp.server.operator import messages as m
from ssh_mcp.server.operator.client import sockets
from tests.integration.mcp_server import McpServer, McpServerFactory
from tests.peers.sshd import Sshd

CANARY = "ghp_" + "Zk3" * 12


async def until(pilot: Pilot[None], condition: Callable[[], Any]) -> None:
    with anyio.fail_after(30):
        while not condition():
            await pilot.pause(0.05)


def text(app: Console, name: str) -> str:
    return str(app.query_one(name, Static).content)


def rows(app: Console, name: str) -> list[str]:
    table = app.query_one(name, DataTable)
    return [" ".join(str(cell) for cell in table.get_row_at(n)) for n in range(table.row_count)]


def pane_open(app: Console) -> bool:
    return app.query_one("#pane").has_class("open")


async def ask(server: McpServer, results: list[str], command: str) -> None:
    done = await server.client.call_tool("ssh_exec_run", {"host": "web", "command": command}, raise_on_error=False)
    results.append("".join(getattr(b, "text", "") for b in done.content) if done.is_error else "ran")


async def test_questions_are_read_and_decided_by_one_key(
    sshd: Sshd, mcp_server: McpServerFactory, tmp_path: Path
) -> None:
    app, results = Console(), list[str]()
    mark = tmp_path / "mark"
    async with (
        mcp_server({"web": sshd}, ssh_ask=["command:touch"]) as server,
        app.run_test(size=(80, 24)) as pilot,
        anyio.create_task_group() as tasks,
    ):
        await until(pilot, lambda: "1 server" in text(app, "#top"))
        await pilot.press("y")
        assert "Nothing waits for you." in text(app, "#detail")

        tasks.start_soon(ask, server, results, f"touch {mark}")
        await until(pilot, lambda: "1 call waits for you" in text(app, "#top"))
        await pilot.press("1", "y")
        await pilot.pause()
        assert results == [], "a question that was not on the screen is not decided"
        assert f"touch {mark}" in text(app, "#detail")
        await pilot.press("y")
        await until(pilot, lambda: results)
        assert results == ["ran"]
        assert mark.exists()

        tasks.start_soon(ask, server, results, f"touch {mark}.no")
        await until(pilot, lambda: "waits" in text(app, "#top"))
        await pilot.press("5", "n")
        await until(pilot, lambda: len(results) == 2)
        assert results[1].startswith("ApprovalDenied: ")

        tasks.start_soon(ask, server, results, f"touch {mark}.t")
        await until(pilot, lambda: "waits" in text(app, "#top"))
        await pilot.press("5", "t")
        await until(pilot, lambda: len(results) == 3)
        await ask(server, results, f"touch {mark}.t")
        assert results[2:] == ["ran", "ran"]

        await until(pilot, lambda: any("granted" in row for row in rows(app, "#table")))
        await pilot.press("x")
        await until(pilot, lambda: rows(app, "#table") == [])
        assert server.app is not None
        assert server.app.fleet.approvals.store.grants() == []


async def test_a_key_never_decides_a_question_that_took_the_place_of_another(
    sshd: Sshd, mcp_server: McpServerFactory, tmp_path: Path
) -> None:
    app, results = Console(), list[str]()
    async with (
        mcp_server({"web": sshd}, ssh_ask=["command:touch"]) as server,
        app.run_test(size=(80, 24)) as pilot,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(ask, server, results, f"touch {tmp_path}/first")
        await until(pilot, lambda: "1 call waits" in text(app, "#top"))
        await pilot.press("5")
        tasks.start_soon(ask, server, results, f"touch {tmp_path}/second")
        await until(pilot, lambda: "2 calls wait" in text(app, "#top"))
        first = app._rows[0]
        assert server.app is not None
        server.app.fleet.approvals.decide(str(first.question), yes=False, who="another terminal", minutes=None)
        await until(pilot, lambda: "is settled" in text(app, "#detail"))
        await pilot.press("y")
        await pilot.pause()
        assert "second" in text(app, "#detail")
        assert len(results) == 1
        await pilot.press("n")
        await until(pilot, lambda: len(results) == 2)
        assert not (tmp_path / "second").exists()


async def test_every_view_search_filter_and_detail(sshd: Sshd, mcp_server: McpServerFactory, tmp_path: Path) -> None:
    async with mcp_server({"web": sshd}, ssh_audit_detail="masked") as server:
        await server.call("ssh_exec_run", host="web", command=f"echo token={CANARY}")
        app = Console(server.audit_file)
        async with app.run_test(size=(80, 24)) as pilot:
            await until(pilot, lambda: "1 server" in text(app, "#top"))
            assert len(rows(app, "#audit")) == 1
            await server.call("ssh_exec_run", host="web", command="exit 3")
            await server.call("ssh_host_ping", host="web")
            await server.call("ssh_shell_open", host="web")
            await server.call("ssh_job_start", host="web", command="sleep 30", name="nap")
            await until(pilot, lambda: len(rows(app, "#audit")) >= 5)

            await pilot.press("2")
            await until(pilot, lambda: any("shell" in row for row in rows(app, "#table")))
            assert "@127.0.0.1" in rows(app, "#table")[0]
            await pilot.press("enter")
            assert pane_open(app)
            assert "ssh process" in text(app, "#detail")
            await pilot.press("down")
            await until(pilot, lambda: "directory" in text(app, "#detail"))
            await pilot.press("enter")
            assert not pane_open(app)
            await pilot.press("3")
            await until(pilot, lambda: any("nap" in row and "sleep 30" in row for row in rows(app, "#table")))
            for key in "41":
                await pilot.press(key)
                assert rows(app, "#table") == []

            await pilot.press("f")
            assert ["exit 3" in row for row in rows(app, "#audit")] == [True]
            await pilot.press("f", "f", "f", "a")
            assert app.has_class("alone")
            await pilot.press("slash", *"ping", "enter")
            assert [row.split()[2] for row in rows(app, "#audit")] == ["host_ping"]
            await pilot.press("d")
            assert "correlation_id" in text(app, "#detail")
            await pilot.press("escape")
            assert not pane_open(app)
            await pilot.press("slash", "escape", "a")
            assert app.query_one("#search", Input).value == ""
            assert len(rows(app, "#audit")) >= 5
            await pilot.press("tab", "home")
            await until(pilot, lambda: "stopped" in text(app, "#audit-title"))
            await pilot.press("space")
            assert "stopped" not in text(app, "#audit-title")
            await pilot.press("question_mark")
            assert isinstance(app.screen, Help)
            await pilot.press("escape")
            await until(pilot, lambda: not isinstance(app.screen, Help))

            await pilot.press("tab")
            picture = app.export_screenshot()
            assert CANARY not in picture + "".join(rows(app, "#audit")) + text(app, "#detail")
            await pilot.resize_terminal(50, 24)
            await until(pilot, lambda: "Conn" in text(app, "#views"))
            await pilot.press("q")
        assert app.return_code == 0


async def test_servers_come_and_go(sshd: Sshd, mcp_server: McpServerFactory) -> None:
    app = Console()
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: "No server of yours runs now" in text(app, "#top"))
        async with mcp_server({"web": sshd}):
            await until(pilot, lambda: "1 server " in text(app, "#top"))
            async with mcp_server({"web": sshd}) as second:
                await until(pilot, lambda: "2 servers" in text(app, "#top"))
                await second.call("ssh_host_list")
                await until(pilot, lambda: any("host_list" in row for row in rows(app, "#audit")))
            await until(pilot, lambda: "1 server " in text(app, "#top"))
        await until(pilot, lambda: "No server of yours runs now" in text(app, "#top"))


async def test_no_secret_is_in_what_servers_tell_the_console(  # a question alone shows its command as it is
    sshd: Sshd, mcp_server: McpServerFactory
) -> None:
    traffic: list[str] = []
    async with mcp_server(
        {"web": sshd}, ssh_ask=["command:touch"], ssh_ask_seconds=1, ssh_audit_detail="masked"
    ) as server:
        (path,) = sockets()
        with anyio.move_on_after(20):
            async with anyio.create_task_group() as tasks:

                async def watch() -> None:
                    reader, writer = await asyncio.open_unix_connection(path)
                    writer.write(m.encode(m.WatchRequest()))
                    while line := await reader.readline():
                        traffic.append(line.decode())
                        if "ssh_job_start" in traffic[-1]:
                            break
                    writer.close()

                tasks.start_soon(watch)
                await server.refused("ssh_exec_run", host="web", command="touch /tmp/a")
                await server.call("ssh_exec_run", host="web", command=f"echo token={CANARY}")
                await server.call("ssh_job_start", host="web", command=f"sleep 9; echo token={CANARY}", name="nap")
        requests = (m.StatusRequest(), m.ApprovalsRequest(), m.GrantsRequest())
        traffic += [(await ask_server(path, request)).model_dump_json() for request in requests]
    assert len(traffic) >= 5
    assert any("nap" in text for text in traffic)
    assert CANARY not in "".join(traffic)
