"""Clients that leave in odd ways, and requests that come in odd pieces, over the real server process."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from tests.faults.raw import HANDSHAKE, MODERN, environment, raw_server
from tests.faults.test_client_side import ERAS, _all_gone, _run
from tests.integration.process_table import Trace, trace  # noqa: F401 - a fixture
from tests.peers.sshd import Sshd


@pytest.fixture
def env(tmp_path: Path, control_dir: str, sshd: Sshd) -> dict[str, str]:
    return environment(tmp_path / "raw", control_dir, {"web": sshd}, ssh_connect_timeout=5)


@contextmanager
def _piped(env: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A greeted server with pipes whose ends can be closed one by one."""
    with subprocess.Popen(
        [sys.executable, "-m", "ssh_mcp"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, env=env, cwd=env["HOME"],
    ) as process:  # fmt: skip
        try:
            about = {"protocolVersion": HANDSHAKE, "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}
            _say(process, {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": about})
            assert process.stdout is not None
            assert json.loads(process.stdout.readline())["id"] == 0
            _say(process, {"jsonrpc": "2.0", "method": "notifications/initialized"})
            yield process
        finally:
            process.kill()


def _say(process: subprocess.Popen[bytes], message: dict[str, Any]) -> None:
    assert process.stdin is not None
    process.stdin.write(json.dumps(message).encode() + b"\n")
    process.stdin.flush()


def _call(number: int, command: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": _run(command, timeout=1000)}


def test_a_client_that_no_longer_reads_and_then_leaves_takes_everything_with_it(
    env: dict[str, str], control_dir: str, trace: Trace
) -> None:
    """Its stdout pipe is full of replies that nobody reads."""
    with _piped(env) as process:
        for number in range(1, 9):
            _say(process, _call(number, "head -c 300000 /dev/zero | tr '\\0' x"))
        _say(process, _call(9, trace.sleep))
        trace.wait_for()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        process.stdout.close()
        process.wait(60)
        _all_gone(trace, control_dir)


def test_a_client_that_closed_its_reading_end_only_still_ends_the_server_by_leaving(
    env: dict[str, str], control_dir: str, trace: Trace
) -> None:
    with _piped(env) as process:
        _say(process, _call(1, trace.sleep))
        trace.wait_for()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.close()
        _say(process, _call(2, "true"))  # its answer meets a closed pipe
        process.stdin.close()
        process.wait(60)
        _all_gone(trace, control_dir)


def test_half_a_request_and_then_the_end_runs_nothing(env: dict[str, str], control_dir: str, trace: Trace) -> None:
    with _piped(env) as process:
        assert process.stdin is not None
        line = json.dumps(_call(1, trace.sleep)).encode()
        process.stdin.write(line[:-3])
        process.stdin.close()
        process.wait(60)
        assert not trace.processes()
        _all_gone(trace, control_dir)


@pytest.mark.parametrize("era", ERAS)
async def test_a_request_in_single_bytes_and_one_with_a_carriage_return_are_answered(
    env: dict[str, str], era: str
) -> None:
    async with raw_server(env, era) as server:
        first, line = server.message("tools/call", _run("echo bytes"))
        for i in range(len(line)):
            await server.write(line[i : i + 1])
        second, line = server.message("tools/call", _run("echo cr"))
        await server.write(line[:-1] + b"\r\n")
        with anyio.fail_after(60):
            for number, said in ((first, "bytes\n"), (second, "cr\n")):
                assert (await server.answer(number))["result"]["structuredContent"]["stdout"] == said


@pytest.mark.parametrize("era", ERAS)
async def test_two_requests_of_one_number_do_not_end_the_server_and_leave_nothing_running(
    env: dict[str, str], era: str, trace: Trace
) -> None:
    async with raw_server(env, era) as server:
        number, line = server.message("tools/call", _run(trace.sleep, timeout=1000))
        await server.write(line + line)
        await anyio.to_thread.run_sync(trace.wait_for)
        await server.cancel(number)
        await server.cancel(number)
        with anyio.fail_after(60):
            assert (await server.call("ssh_exec_run", host="web", command="echo on"))["stdout"] == "on\n"
        await server.hang_up()
        with anyio.fail_after(60):
            await server.process.wait()
        await anyio.to_thread.run_sync(trace.wait_gone)


async def test_a_modern_request_that_does_not_say_its_version_or_a_wrong_one_gets_an_error_not_an_end(
    env: dict[str, str],
) -> None:
    async with raw_server(env, MODERN) as server:
        for number, meta in ((900, {}), (901, {"io.modelcontextprotocol/protocolVersion": "1999-01-01"})):
            params = {"name": "ssh_server_info", "arguments": {}, "_meta": meta}
            message = {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}
            await server.write(json.dumps(message).encode() + b"\n")
            with anyio.fail_after(30):
                answer = await server.answer(number)
            assert "error" in answer or "result" in answer
        assert (await server.call("ssh_exec_run", host="web", command="echo on"))["stdout"] == "on\n"


@pytest.mark.parametrize("era", ERAS)
async def test_an_argument_line_of_many_megabytes_is_refused_or_answered_and_the_server_goes_on(
    env: dict[str, str], era: str
) -> None:
    async with raw_server(env, era) as server:
        number, line = server.message("tools/call", _run("x" * (48 << 20)))
        with anyio.fail_after(120):
            await server.write(line)
            answer = await server.answer(number)
            assert "error" in answer or answer["result"]["isError"]
            assert (await server.call("ssh_exec_run", host="web", command="echo on"))["stdout"] == "on\n"
