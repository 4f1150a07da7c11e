"""ssh_exec_run and ssh_exec_script on a real sshd: exit codes, exact output, stdin, scripts."""

from __future__ import annotations

import os
import re
from pathlib import Path

import anyio
import psutil
import pytest

from tests.integration.mcp_server import Host, McpServerFactory
from tests.integration.process_table import Trace, carriers, trace  # noqa: F401 - a fixture
from tests.peers.sshd import Sshd

MIB = 1 << 20


async def test_a_commands_streams_and_exit_code_come_back_apart(mcp_server: McpServerFactory, sshd: Sshd) -> None:
    async with mcp_server({"web": sshd}) as server:
        done = await server.call("ssh_exec_run", host="web", command="echo out; echo err >&2; exit 7")
        assert (done["stdout"], done["stderr"], done["exit_code"]) == ("out\n", "err\n", 7)
        assert (done["stdout_bytes"], done["stderr_bytes"]) == (4, 4)
        assert not done["timed_out"]
        assert done["killed_by_signal"] is None
        assert server.audit()[-1]["exit_code"] == 7


async def test_death_by_signal_is_named(mcp_server: McpServerFactory, sshd: Sshd) -> None:
    async with mcp_server({"web": sshd}) as server:
        done = await server.call("ssh_exec_run", host="web", command="kill -SEGV $$")
        assert (done["exit_code"], done["killed_by_signal"]) == (139, "SEGV")


async def test_an_exit_code_over_128_of_the_commands_own_is_no_signal_of_ours(
    mcp_server: McpServerFactory, sshd: Sshd
) -> None:
    async with mcp_server({"web": sshd}) as server:
        done = await server.call("ssh_exec_run", host="web", command="exit 255")
        assert (done["exit_code"], done["killed_by_signal"], done["timed_out"]) == (255, None, False)


async def test_a_command_starts_in_default_dir(mcp_server: McpServerFactory, sshd: Sshd, tmp_path: Path) -> None:
    place = tmp_path / "it's a dir"
    place.mkdir()
    async with mcp_server({"web": Host(sshd, lines=[f'default_dir = "{place}"'])}) as server:
        assert (await server.call("ssh_exec_run", host="web", command="pwd"))["stdout"] == f"{place}\n"
        done = await server.call("ssh_exec_script", host="web", script="#!/bin/sh\npwd\n")
        assert done["stdout"] == f"{place}\n"


async def test_a_command_that_reads_stdin_gets_end_of_file(mcp_server: McpServerFactory, sshd: Sshd) -> None:
    async with mcp_server({"web": sshd}) as server:
        done = await server.call("ssh_exec_run", host="web", command="cat | wc -c; read -r x; echo $?")
        assert done["stdout"].split() == ["0", "1"]


async def test_200_megabytes_are_counted_and_only_the_cap_is_kept(mcp_server: McpServerFactory, sshd: Sshd) -> None:
    """Memory of the server's own process is looked at, so it runs as a subprocess here."""
    async with mcp_server({"web": sshd}, stdio=True) as server:
        await server.call("ssh_exec_run", host="web", command="head -c 3000000 /dev/zero | tr '\\0' x")
        before = _peak_kib()
        done = await server.call(
            "ssh_exec_run", host="web", command="head -c 209715200 /dev/zero | tr '\\0' 'x'; echo end >&2"
        )
        assert done["stdout_bytes"] == 200 * MIB
        assert done["stdout_truncated"]
        assert 32 * 1024 - 300 < len(done["stdout"]) <= 32 * 1024
        assert done["stdout"].startswith("xxx")
        assert done["stdout"].endswith("xxx")
        assert (done["stderr"], done["stderr_truncated"]) == ("end\n", False)
        assert _peak_kib() - before < 32 * 1024


def _peak_kib() -> int:
    """Peak resident memory of the server, our only child that runs ssh_mcp."""
    for child in psutil.Process().children(recursive=True):
        if "ssh_mcp" in child.cmdline():
            status = Path(f"/proc/{child.pid}/status").read_text()
            found = re.search(r"VmHWM:\s+(\d+) kB", status)
            assert found
            return int(found[1])
    raise AssertionError("no server process")


async def test_a_megabyte_on_both_streams_at_once_arrives_whole(mcp_server: McpServerFactory, sshd: Sshd) -> None:
    async with mcp_server({"web": sshd}, ssh_result_max_bytes=3 * MIB) as server:
        done = await server.call(
            "ssh_exec_run",
            host="web",
            command="(head -c 1048576 /dev/zero | tr '\\0' a) & (head -c 1048576 /dev/zero | tr '\\0' b >&2); wait",
        )
        assert done["stdout"] == "a" * MIB
        assert done["stderr"] == "b" * MIB
        assert not done["stdout_truncated"]
        assert not done["stderr_truncated"]


async def test_binary_output_is_counted_by_bytes_and_its_repair_reported(
    mcp_server: McpServerFactory, sshd: Sshd
) -> None:
    async with mcp_server({"web": sshd}) as server:
        done = await server.call("ssh_exec_run", host="web", command="dd if=/dev/urandom bs=1000 count=70 2>/dev/null")
        assert done["stdout_bytes"] == 70000
        assert any("stdout" in w for w in done["output_warnings"])
        done = await server.call("ssh_exec_run", host="web", command="printf 'a\\377b\\n'")
        assert done["stdout"] == "a\ufffdb\n"
        assert done["stdout_bytes"] == 4


async def test_a_cap_never_cuts_a_character(mcp_server: McpServerFactory, sshd: Sshd) -> None:
    async with mcp_server({"web": sshd}, ssh_stdout_cap_bytes=10) as server:
        done = await server.call("ssh_exec_run", host="web", command="printf 'ääääää'")  # 12 bytes
        assert (done["stdout"], done["stdout_bytes"], done["stdout_truncated"]) == ("äääää", 12, True)
        done = await server.call("ssh_exec_run", host="web", command="printf 'x€€€€'")  # 13 bytes, cut within the third
        assert (done["stdout"], done["stdout_bytes"], done["stdout_truncated"]) == ("x€€€", 13, True)
        done = await server.call("ssh_exec_run", host="web", command="printf 'xy€€€€'")
        assert done["stdout"] == "xy€€"
        assert "undecodable" not in " ".join(done["output_warnings"])


async def test_a_command_that_closes_stdout_early_is_still_waited_for(mcp_server: McpServerFactory, sshd: Sshd) -> None:
    async with mcp_server({"web": sshd}) as server:
        done = await server.call("ssh_exec_run", host="web", command="echo a; exec >&- 2>&-; sleep 0.5; exit 4")
        assert (done["stdout"], done["exit_code"]) == ("a\n", 4)


async def test_a_reader_that_stops_early_ends_the_writer(mcp_server: McpServerFactory, sshd: Sshd) -> None:
    async with mcp_server({"web": sshd}) as server:
        done = await server.call("ssh_exec_run", host="web", command="yes | head -n 2", timeout=30)
        assert (done["stdout"], done["exit_code"], done["timed_out"]) == ("y\ny\n", 0, False)


async def test_a_background_child_that_holds_stdout_does_not_hold_the_call(
    mcp_server: McpServerFactory, sshd: Sshd, trace: Trace
) -> None:
    async with mcp_server({"web": sshd}) as server:
        with anyio.fail_after(30):
            done = await server.call("ssh_exec_run", host="web", command=f"{trace.sleep} & echo begun", timeout=60)
        assert (done["stdout"], done["exit_code"], done["timed_out"]) == ("begun\n", 0, False)
        assert any("background" in w for w in done["output_warnings"])
        assert trace.processes(), "what a command leaves behind on purpose is left alone"


async def test_the_command_and_the_script_stay_out_of_every_argv(
    mcp_server: McpServerFactory, sshd: Sshd, trace: Trace
) -> None:
    canary = f"canary-{os.getpid()}-{trace.number[::-1]}"
    async with mcp_server({"web": sshd}) as server, anyio.create_task_group() as tasks:
        for tool, key in (("ssh_exec_run", "command"), ("ssh_exec_script", "script")):
            text = f": {canary}; {trace.sleep}"
            tasks.start_soon(lambda t=tool, k=key, x=text: server.call(t, host="web", timeout=60, **{k: x}))  # type: ignore[misc]
        await anyio.to_thread.run_sync(trace.wait_for, 2)
        assert carriers(canary) == []
        tasks.cancel_scope.cancel()


# --- scripts --------------------------------------------------------------------------------------------------------


async def test_a_script_is_read_whole_before_it_runs(mcp_server: McpServerFactory, sshd: Sshd) -> None:
    """``cat`` without arguments would eat the rest of a script that its shell reads bit by bit."""
    async with mcp_server({"web": sshd}) as server:
        done = await server.call("ssh_exec_script", host="web", script="echo a\ncat\nread x\necho b\nexit 5\n")
        assert (done["stdout"], done["exit_code"]) == ("a\nb\n", 5)


@pytest.mark.parametrize(
    ("script", "stdout"),
    [
        ("#!/bin/bash\na=(1 2 3)\necho ${#a[@]}\n", "3\n"),
        ("#!/usr/bin/env bash\n[[ x == x ]] && echo yes\n", "yes\n"),
        ("#!/bin/sh -e\nfalse\necho never\n", ""),
        ("#!/usr/bin/env python3\nimport sys\nprint(sys.version_info[0])\n", "3\n"),
        ("#!/usr/bin/perl -w\nprint 'it', chr(10)\n", "it\n"),
        ("cat <<EOF\n$((1+1)) 'quoted'\nEOF\n", "2 'quoted'\n"),
        ("echo no newline at the end # comment", "no newline at the end\n"),
        ("#!/bin/bash\nshopt -s extglob\ncase ab in +(a|b)) echo globbed ;; esac\n", "globbed\n"),
        ("alias e=echo\ne aliased\n", "aliased\n"),
        ("cat <<EOF\nunterminated", "unterminated\n"),
        ("f() { echo \"$1\"; }\nf 'äöü'\n", "äöü\n"),
    ],
)  # fmt: skip
async def test_a_script_runs_under_what_its_first_line_names(
    mcp_server: McpServerFactory, sshd: Sshd, script: str, stdout: str
) -> None:
    async with mcp_server({"web": sshd}) as server:
        done = await server.call("ssh_exec_script", host="web", script=script)
        assert done["stdout"] == stdout, done["stderr"]


async def test_a_syntax_error_in_a_script_is_data(mcp_server: McpServerFactory, sshd: Sshd) -> None:
    async with mcp_server({"web": sshd}) as server:
        done = await server.call("ssh_exec_script", host="web", script="if then\n")
        assert done["exit_code"] == 2
        assert "yntax" in done["stderr"]


async def test_an_empty_script_and_one_with_nul_are_refused(mcp_server: McpServerFactory, sshd: Sshd) -> None:
    async with mcp_server({"web": sshd}) as server:
        assert "InvalidArgument: The script is empty" in await server.refused("ssh_exec_script", host="web", script=" ")
        assert "NUL" in await server.refused("ssh_exec_script", host="web", script="echo a\0b")


async def test_a_large_script_goes_through(mcp_server: McpServerFactory, sshd: Sshd) -> None:
    """Larger than any argv may be (128 KiB an argument on Linux)."""
    async with mcp_server({"web": sshd}) as server:
        done = await server.call("ssh_exec_script", host="web", script="# " + "x" * 4_000_000 + "\necho end\n")
        assert done["stdout"] == "end\n"


@pytest.mark.parametrize("timeout", [0, -1, 86_401])
async def test_a_timeout_out_of_range_is_refused(mcp_server: McpServerFactory, sshd: Sshd, timeout: int) -> None:
    async with mcp_server({"web": sshd}) as server:
        text = await server.refused("ssh_exec_run", host="web", command="true", timeout=timeout)
        assert text.startswith("InvalidArgument: ")
