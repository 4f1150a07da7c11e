"""Output that no context takes, through the whole program: both ends shown, the rest kept, masked, the caller's."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import anyio
import pytest

from ssh_mcp.remote.caller import Caller
from ssh_mcp.tools.catalogue import read
from ssh_mcp.tools.runner import ToolFailed
from tests.faults.raw import environment, raw_server
from tests.integration.mcp_server import McpServer, McpServerFactory
from tests.peers.sshd import Sshd

NUMBERS = "".join(f"{i}\n" for i in range(1, 300_001))
TOKEN = "ghp_" + "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8"
LIMIT = 32 << 10


async def everything(server: McpServer, output_id: str, stream: str = "stdout", page_bytes: int = 1_000_000) -> str:
    parts: list[str] = []
    offset: int | None = 0
    while offset is not None:
        page = await server.call(
            "ssh_output_read", output_id=output_id, stream=stream, offset=offset, max_bytes=page_bytes
        )
        parts.append(page["text"])
        assert page["more"] is (page["next_offset"] is not None)
        offset = page["next_offset"]
    return "".join(parts)


async def test_a_long_output_shows_both_ends_and_is_read_and_searched_without_running_again(
    mcp_server: McpServerFactory, sshd: Sshd, tmp_path: Path
) -> None:
    async with mcp_server({"web": sshd}) as server:
        ran, command = tmp_path / "ran", "seq 1 300000; echo oops >&2; exit 3"
        done = await server.call("ssh_exec_run", host="web", command=f"echo x >>{ran}; {command}")
        assert (done["exit_code"], done["stderr"], done["stderr_truncated"]) == (3, "oops\n", False)
        assert (done["stdout_bytes"], done["stdout_lines"], done["stdout_truncated"]) == (len(NUMBERS), 300_000, True)
        assert len(done["stdout"]) <= LIMIT
        assert done["stdout"].startswith("1\n2\n3\n")
        assert done["stdout"].endswith("\n299999\n300000\n")
        assert re.search(
            rf"^\[\.\.\. \d+ bytes in \d+ lines left out; .*{done['output_id']}", done["stdout"], re.MULTILINE
        )
        assert await everything(server, done["output_id"]) == NUMBERS
        found = await server.call("ssh_output_read", output_id=done["output_id"], grep="^15000[01]$")
        assert (found["text"], found["lines_matched"], found["lines_total"]) == ("150000\n150001\n", 2, 300_000)
        assert ran.read_text() == "x\n"
        short = await server.call("ssh_exec_run", host="web", command="seq 1 300000", max_bytes=1000)
        assert len(short["stdout"]) <= 1000
        assert short["stdout"].endswith("300000\n")
        tiny = await server.call("ssh_exec_run", host="web", command="seq 1 300000", max_bytes=100)
        assert len(tiny["stdout"]) <= 100
        assert tiny["stdout"].startswith("1\n2\n")
        assert tiny["stdout"].endswith("\n300000\n")
        assert "max_bytes is 5" in await server.refused("ssh_exec_run", host="web", command="true", max_bytes=5)


async def test_a_secret_is_masked_wherever_the_output_is_cut(mcp_server: McpServerFactory, sshd: Sshd) -> None:
    body = f'i=0; while [ $i -lt 400 ]; do echo "$i password={TOKEN} pad pad pad"; i=$((i+1)); done'
    async with mcp_server({"web": sshd}) as server:
        for most in range(1000, 1100, 7):
            done = await server.call("ssh_exec_run", host="web", command=body, max_bytes=most)
            assert TOKEN[4:12] not in str(done)
        assert TOKEN[4:12] not in await everything(server, done["output_id"])
    async with mcp_server({"web": sshd}, ssh_stdout_cap_bytes=5000) as server:
        done = await server.call("ssh_exec_run", host="web", command=body)
        assert TOKEN[4:12] not in str(done)
        assert TOKEN[4:12] not in await everything(server, done["output_id"], page_bytes=5000)


async def test_shells_scripts_and_broadcasts_are_cut_and_kept_alike(mcp_server: McpServerFactory, sshd: Sshd) -> None:
    async with mcp_server({"web": sshd, "db": sshd}) as server:
        session = (await server.call("ssh_shell_open", host="web"))["session_id"]
        command = "seq 1 300000 >&2"
        for done in (
            await server.call("ssh_shell_exec", session_id=session, command=command),
            await server.call("ssh_exec_script", host="web", script=command + "\n"),
            await server.call("ssh_exec_run_streaming", host="web", command=command),
        ):
            assert len(done["stderr"]) <= LIMIT
            assert done["stderr"].endswith("300000\n")
            assert await everything(server, done["output_id"], "stderr") == NUMBERS
        many = await server.call("ssh_broadcast", hosts=["web", "db"], command="seq 1 300000")
        assert sum(len(each["stdout"]) for each in many["results"].values()) <= LIMIT
        for each in many["results"].values():
            assert each["stdout"].endswith("300000\n")
            assert await everything(server, each["output_id"]) == NUMBERS


async def test_a_hint_is_made_from_the_end_of_a_long_stderr(mcp_server: McpServerFactory, sshd: Sshd) -> None:
    async with mcp_server({"web": sshd}, ssh_stderr_cap_bytes=10_000) as server:
        done = await server.call("ssh_exec_run", host="web", command="seq 1 30000 >&2; nosuchprogram", timeout=None)
        assert done["exit_code"] == 127
        assert "nosuchprogram" in done["hint"]


async def test_a_long_list_is_cut_counted_and_can_be_had(mcp_server: McpServerFactory, sshd: Sshd) -> None:
    async with mcp_server({"web": sshd}, ssh_result_max_bytes=300) as server:
        listed = await server.call("ssh_host_processes", host="web", top=50)
        left = listed["left_out"]["entries"]
        assert left > 0
        rows = await everything(server, listed["output_id"], "entries")
        assert len(rows.splitlines()) == len(listed["entries"]) + left
        assert listed["output_id"] in listed["output_warnings"][-1]


async def test_another_identity_and_another_client_do_not_see_it(mcp_server: McpServerFactory, sshd: Sshd) -> None:
    entries = {entry.name: entry for entry in read()}
    async with mcp_server({"web": sshd}) as server:
        assert server.app is not None
        runner = server.app.runner
        alice = Caller(identity="alice", session="1")
        arguments = {"host": "web", "command": "seq 1 300000"}
        done: Any = await runner.run(entries["ssh_exec_run"], arguments, caller=alice)
        wanted = {"output_id": done.output_id, "last_lines": 1}
        assert (await runner.run(entries["ssh_output_read"], wanted, caller=alice)).text == "300000\n"  # type: ignore[attr-defined]
        for other in (Caller(identity="bob", session="1"), Caller(identity="alice", session="2"), Caller()):
            with pytest.raises(ToolFailed, match=r"^InvalidArgument: There is no kept output"):
                await runner.run(entries["ssh_output_read"], wanted, caller=other)


async def test_without_the_tool_that_reads_it_nothing_is_kept_and_the_end_is_still_there(
    mcp_server: McpServerFactory, sshd: Sshd
) -> None:
    async with mcp_server({"web": sshd}, ssh_enabled_groups="exec") as server:
        done = await server.call("ssh_exec_run", host="web", command="seq 1 300000")
        assert done["output_id"] is None
        assert done["stdout"].endswith("300000\n")
        assert "ssh_output_read" not in done["stdout"]


async def test_what_a_killed_server_kept_is_gone_with_the_next_start_and_a_stop_leaves_nothing(
    tmp_path: Path, control_dir: str, sshd: Sshd
) -> None:
    env = environment(tmp_path / "raw", control_dir, {"web": sshd})

    def kept() -> list[Path]:
        return [path for path in Path(control_dir).rglob("spool/*/*") if path.is_file()]

    async with raw_server(env) as server:
        await server.call("ssh_exec_run", host="web", command="seq 1 300000")
        (file,) = kept()
        assert file.stat().st_mode & 0o777 == 0o600
        server.process.kill()
        await server.process.wait()
    assert kept() == [file]
    async with raw_server(env) as server:
        await server.call("ssh_host_list")
        assert kept() == []
        await server.call("ssh_exec_run", host="web", command="seq 1 300000")
        assert len(kept()) == 1
    with anyio.fail_after(10):
        assert kept() == []
