"""The MCP side, over the real server process: both eras, cancellation, pipelining, clients that vanish, garbage."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import psutil
import pytest

from tests.faults.raw import HANDSHAKE, MODERN, environment, raw_server, text_of
from tests.faults.rig import named
from tests.integration.conftest import masters_of
from tests.integration.process_table import Trace, trace  # noqa: F401 - a fixture
from tests.peers.sshd import Sshd, alive, wait_until

ERAS = [HANDSHAKE, MODERN]


@pytest.fixture
def env(tmp_path: Path, control_dir: str, sshd: Sshd) -> dict[str, str]:
    return environment(tmp_path / "raw", control_dir, {"web": sshd}, ssh_connect_timeout=5)


def _run(command: str, **more: Any) -> dict[str, Any]:
    return {"name": "ssh_exec_run", "arguments": {"host": "web", "command": command, **more}}


@pytest.mark.parametrize("era", ERAS)
async def test_both_eras_of_the_protocol_list_the_same_tools_and_get_the_same_answer(
    env: dict[str, str], era: str
) -> None:
    async with raw_server(env, era) as server:
        listed = (await server.answer(await server.ask("tools/list")))["result"]["tools"]
        assert {"ssh_exec_run", "ssh_host_ping"} <= {tool["name"] for tool in listed}
        done = await server.call("ssh_exec_run", host="web", command="echo $((6*7))")
        assert (done["stdout"], done["exit_code"]) == ("42\n", 0)
        refused = await server.answer(
            await server.ask("tools/call", {"name": "ssh_host_ping", "arguments": {"host": "no"}})
        )
        assert text_of(refused).startswith("HostNotAllowed: ")
        assert not server.strange


@pytest.mark.parametrize("era", ERAS)
async def test_requests_written_at_once_are_each_answered_once(env: dict[str, str], era: str) -> None:
    async with raw_server(env, era) as server:
        wanted: dict[int, str] = {}
        lines = b""
        for i in range(40):
            number, line = server.message("tools/call", _run(f"sleep 0.0{i % 7}; echo {i}"))
            wanted[number] = f"{i}\n"
            lines += line
        await server.write(lines)
        with anyio.fail_after(60):
            for number, stdout in wanted.items():
                answer = await server.answer(number)
                assert answer["result"]["structuredContent"]["stdout"] == stdout


@pytest.mark.parametrize("era", ERAS)
async def test_a_call_cancelled_at_any_moment_leaves_nothing_running(
    env: dict[str, str], era: str, trace: Trace
) -> None:
    rng = random.Random(8)
    moments = [0.0, 0.0005, 0.002, *(rng.random() * 0.08 for _ in range(9)), 0.5]
    async with raw_server(env, era) as server:
        for moment in moments:  # the first ones meet the login
            number = await server.ask("tools/call", _run(f"{trace.sleep} | {trace.sleep}", timeout=1000))
            await anyio.sleep(moment)
            await server.cancel(number)
        with anyio.fail_after(60):
            assert (await server.call("ssh_exec_run", host="web", command="echo on"))["stdout"] == "on\n"
            await anyio.to_thread.run_sync(trace.wait_gone)
        await server.cancel(10**6)
        await server.cancel(1)
        assert (await server.call("ssh_exec_run", host="web", command="echo on"))["stdout"] == "on\n"


async def test_a_client_that_hangs_up_in_the_middle_of_calls_ends_the_server_and_all_it_started(
    env: dict[str, str], control_dir: str, trace: Trace
) -> None:
    async with raw_server(env) as server:
        await server.call("ssh_shell_open", host="web")
        await server.ask("tools/call", _run(trace.sleep, timeout=1000))
        await server.ask("tools/call", {"name": "ssh_exec_run_streaming", "arguments": _run(trace.sleep)["arguments"]})
        await anyio.to_thread.run_sync(trace.wait_for, 2)
        await server.hang_up()
        with anyio.fail_after(30):
            await server.process.wait()
        await anyio.to_thread.run_sync(_all_gone, trace, control_dir)


async def test_a_client_killed_with_its_pipes_open_ends_the_server_and_all_it_started(
    env: dict[str, str], control_dir: str, trace: Trace, tmp_path: Path
) -> None:
    """The client is a process of its own: SIGKILL gives it no chance to say anything."""
    script = tmp_path / "client.py"
    asked = json.dumps(_run(trace.sleep, timeout=1000))
    script.write_text(
        "import json, subprocess, sys, time\n"
        f"p = subprocess.Popen([{sys.executable!r}, '-m', 'ssh_mcp'], stdin=-1, stdout=-1, stderr=-3)\n"
        "print(p.pid, flush=True)\n"
        "def say(m): p.stdin.write(json.dumps(m).encode() + b'\\n'); p.stdin.flush()\n"
        f"say({{'jsonrpc': '2.0', 'id': 1, 'method': 'initialize', 'params': {{'protocolVersion': {HANDSHAKE!r},"
        " 'capabilities': {}, 'clientInfo': {'name': 'x', 'version': '1'}}})\n"
        "p.stdout.readline()\n"
        "say({'jsonrpc': '2.0', 'method': 'notifications/initialized'})\n"
        f"say({{'jsonrpc': '2.0', 'id': 2, 'method': 'tools/call', 'params': {asked}}})\n"
        "time.sleep(1000)\n"
    )
    client = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, env=env, cwd=env["HOME"])
    assert client.stdout is not None
    try:
        server = psutil.Process(int(client.stdout.readline()))
        trace.wait_for()
        client.kill()
        client.wait()
        wait_until(lambda: not alive(server), "the server's end", timeout=60)
        _all_gone(trace, control_dir)
    finally:
        client.kill()
        client.wait()
        client.stdout.close()


async def test_a_stopped_server_ends_what_it_runs(env: dict[str, str], control_dir: str, trace: Trace) -> None:
    async with raw_server(env) as server:
        await server.ask("tools/call", _run(trace.sleep, timeout=1000))
        await anyio.to_thread.run_sync(trace.wait_for)
        os.kill(server.pid, signal.SIGTERM)
        with anyio.fail_after(30):
            await server.process.wait()
        await anyio.to_thread.run_sync(_all_gone, trace, control_dir)


async def test_masters_of_a_killed_server_end_by_themselves(env: dict[str, str], control_dir: str) -> None:
    async with raw_server({**env, "SSH_IDLE_TIMEOUT": "1"}) as server:
        await server.call("ssh_exec_run", host="web", command="true")
        assert masters_of(control_dir)
        server.process.kill()
        await server.process.wait()
    wait_until(lambda: not masters_of(control_dir), "the idle master's end", timeout=30)


def _all_gone(trace: Trace, control_dir: str) -> None:
    trace.wait_gone()
    wait_until(lambda: not masters_of(control_dir), "the masters' end", timeout=30)
    wait_until(lambda: not [p for p in Path(control_dir).rglob("*") if p.is_socket()], "the sockets' end")


GARBAGE = [
    b"this is no JSON\n",
    b"\n\n   \n",
    b"{}\n",
    b"[]\n",
    b"null\n",
    b"17\n",
    b'"text"\n',
    b'{"jsonrpc":"1.0","id":900,"method":"ping"}\n',
    b'{"jsonrpc":"2.0","id":null,"method":"ping"}\n',
    b'{"jsonrpc":"2.0","id":{"a":1},"method":"ping"}\n',
    b'{"jsonrpc":"2.0","id":1e400,"method":"ping"}\n',
    b'{"jsonrpc":"2.0","id":901,"method":17}\n',
    b'{"jsonrpc":"2.0","id":902,"method":"no/such/method","params":{}}\n',
    b'{"jsonrpc":"2.0","id":903,"method":"tools/call","params":[1,2]}\n',
    b'{"jsonrpc":"2.0","id":904,"method":"tools/call","params":{"name":"ssh_no_such_tool","arguments":{}}}\n',
    b'{"jsonrpc":"2.0","id":905,"method":"tools/call","params":{"name":"ssh_exec_run"}}\n',
    b'{"jsonrpc":"2.0","id":906,"method":"tools/call","params":{"name":"ssh_exec_run","arguments":"x"}}\n',
    b'{"jsonrpc":"2.0","id":907,"result":{}}\n',
    b'{"jsonrpc":"2.0","id":908,"error":{"code":"x"}}\n',
    b'[{"jsonrpc":"2.0","id":909,"method":"ping"},{"jsonrpc":"2.0","id":910,"method":"ping"}]\n',
    b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":{}}}\n',
    b'{"jsonrpc":"2.0","method":"notifications/no-such","params":{}}\n',
    b'\xff\xfe{"jsonrpc":"2.0"}\n',
    b'\xef\xbb\xbf{"jsonrpc":"2.0","id":911,"method":"ping"}\n',
    b'{"jsonrpc":"2.0","id":912,"method":"ping","params":{"a":"\\ud800"}}\n',
    b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"\n",
    b"[" * 200_000 + b"\n",
    b"\0" * 1000 + b"\n",
    b'{"jsonrpc":"2.0","id":913,"method":"initialize","params":{"protocolVersion":"1999-01-01"}}\n',
    b'{"jsonrpc":"2.0","id":914,"method":"tools/call","params":{"name":"ssh_host_ping","arguments":{"host":"\\u0000"}}}\n',
    b"x" * (1 << 20) + b"\n",
    b'{"jsonrpc":"2.0","id":915,"method":"ping","params":{"a":NaN,"b":-Infinity}}\n',
    b'{"jsonrpc":"2.0","id":916,"id":917,"method":"ping","method":"no/such"}\n',
    b'{"jsonrpc":"2.0","id":' + b"9" * 5000 + b',"method":"ping"}\n',
    b'{"jsonrpc":"2.0","id":-0.5,"method":"ping"}\n',
    b'{"jsonrpc":"2.0","id":true,"method":"ping"}\n',
    b'{"jsonrpc":"2.0","id":"","method":""}\n',
    b'{"jsonrpc":"2.0","id":918,"method":"tools/call","params":{"name":"ssh_host_ping","arguments":{"host":NaN}}}\n',
    b'{"jsonrpc":"2.0","id":919,"method":"tools/call","params":{"name":' + b"[" * 900 + b"]" * 900 + b"}}\n",
    b'{"jsonrpc":"2.0",\r\n',
    b'"id":920}\r\n',
    b"\x1b[2J\x07\x85\xe2\x80\xa8\n",
]


@pytest.mark.parametrize("era", ERAS)
async def test_malformed_messages_neither_end_the_server_nor_reach_a_host(env: dict[str, str], era: str) -> None:
    async with raw_server(env, era) as server:
        for garbage in GARBAGE:
            await server.write(garbage)
            with anyio.fail_after(30):
                answer = await server.answer(
                    await server.ask("tools/call", {"name": "ssh_server_info", "arguments": {}})
                )
            assert "result" in answer, f"after {garbage[:80]!r}: {answer}"
        assert not server.strange, "something on stdout that is no JSON"
        assert (await server.call("ssh_exec_run", host="web", command="echo on"))["stdout"] == "on\n"
        for number, answer in server.answers.items():
            if isinstance(number, int) and number >= 900:
                assert "error" in answer or answer["result"].get("isError") or number >= 909, answer


async def test_garbage_before_the_first_greeting_does_not_end_the_server(env: dict[str, str]) -> None:
    async with raw_server(env, greet=False) as server:
        for garbage in GARBAGE:
            await server.write(garbage)
        with anyio.fail_after(30):
            await server.greet()
            assert (await server.call("ssh_exec_run", host="web", command="echo on"))["stdout"] == "on\n"


async def test_oversized_arguments_are_refused_by_name_and_the_server_goes_on(env: dict[str, str]) -> None:
    big = "x" * (16 << 20)
    calls: list[tuple[str, dict[str, Any]]] = [
        ("ssh_exec_run", {"host": "web", "command": f"echo {big}"}),
        ("ssh_exec_script", {"host": "web", "script": f"echo {big}"}),
        ("ssh_exec_run", {"host": big, "command": "true"}),
        ("ssh_sftp_stat", {"host": "web", "path": "/" + big}),
        ("ssh_broadcast", {"hosts": ["web"] * 100_000, "command": "true"}),
        ("ssh_edit", {"host": "web", "path": "/tmp/x", "old_string": big, "new_string": "y"}),
        ("ssh_host_notes_set", {"host": "web", "content": big}),
    ]
    async with raw_server(env) as server:
        before = psutil.Process(server.pid).memory_info().rss
        for tool, arguments in calls:
            with anyio.fail_after(60):
                answer = await server.answer(await server.ask("tools/call", {"name": tool, "arguments": arguments}))
            assert answer["result"].get("isError"), (tool, str(answer)[:300])
            said = text_of(answer)
            assert named(said), (tool, said[:300])
            assert len(said) < 2000, (tool, len(said))
        assert (await server.call("ssh_exec_run", host="web", command="echo on"))["stdout"] == "on\n"
        grown = psutil.Process(server.pid).memory_info().rss - before
        assert grown < 400 << 20, f"{grown >> 20} MiB kept"
