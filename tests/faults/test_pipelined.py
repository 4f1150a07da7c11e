"""Calls written without waiting, some cancelled at any moment, while ssh masters are killed: nothing is left.

SSH_MCP_PIPELINED=600 .venv/bin/python -m pytest -q -s tests/faults/test_pipelined.py     (seconds; a few by default)
"""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import psutil
import pytest

from tests.faults.raw import Raw, environment, raw_server, text_of
from tests.faults.rig import named
from tests.integration.conftest import SshdFactory, masters_of
from tests.peers.sshd import alive, kill_all, wait_until

SECONDS = float(os.environ.get("SSH_MCP_PIPELINED", "4"))
SEED = int(os.environ.get("SSH_MCP_PIPELINED_SEED", "8"))
BURST = 12
HOSTS = ("h0", "h1", "h2")
NUMBER = "7340098221"
"""Among the arguments of all that the calls start."""
pytestmark = [pytest.mark.timeout(SECONDS + 240)]


@pytest.fixture
def work() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="smcp-p-", dir="/tmp"))
    yield made
    shutil.rmtree(made)


def _one(rng: random.Random, work: Path) -> dict[str, Any]:
    host, file = rng.choice(HOSTS), str(work / f"file{rng.randrange(5)}")
    short, endless = f"sh -c 'sleep 0.0{rng.randrange(9)}' {NUMBER}", f"sh -c 'sleep 30; :' {NUMBER}"
    calls: list[tuple[str, dict[str, Any]]] = [
        ("ssh_exec_run", {"host": host, "command": short}),
        ("ssh_exec_run", {"host": host, "command": endless, "timeout": 1}),
        ("ssh_exec_script", {"host": host, "script": f"sh -c 'yes | head -c 99999' {NUMBER}"}),
        ("ssh_sftp_stat", {"host": host, "path": str(work)}),
        ("ssh_sftp_list", {"host": host, "path": "/usr/bin"}),
        ("ssh_upload", {"host": host, "path": file, "content_text": "x" * rng.randrange(300_000)}),
        ("ssh_sftp_download", {"host": host, "path": file}),
        ("ssh_broadcast", {"hosts": list(HOSTS), "command": short}),
    ]
    name, arguments = rng.choice(calls)
    return {"name": name, "arguments": arguments}


async def _burst(server: Raw, rng: random.Random, work: Path, tally: Counter[str]) -> None:
    """Some calls at once; a third of them cancelled, each at a moment of its own."""
    lines, numbers = b"", []
    for _ in range(BURST):
        number, line = server.message("tools/call", _one(rng, work))
        numbers.append(number)
        lines += line
    await server.write(lines)
    cancelled = set()
    for number in numbers:
        if rng.random() < 0.33:
            await anyio.sleep(rng.random() ** 3 * 0.1)
            await server.cancel(number)
            cancelled.add(number)
    for number in numbers:
        if number in cancelled:
            tally["cancelled"] += 1
            continue
        with anyio.fail_after(60):
            answer = await server.answer(number)
        assert "result" in answer, answer
        if answer["result"].get("isError"):
            assert named(text_of(answer)), text_of(answer)
            tally[text_of(answer).partition(":")[0]] += 1
        else:
            tally["ok"] += 1
    server.answers.clear()


async def _kill_one(control_dir: str, moment: float, tally: Counter[str]) -> None:
    await anyio.sleep(moment)
    if masters := masters_of(control_dir):
        await anyio.to_thread.run_sync(kill_all, masters[:1])
        tally["masters killed"] += 1


def _left(server: Raw, work: Path) -> list[str]:
    """Whatever should not be there when all calls are over."""
    found = [f"temporary {p.name}" for p in work.iterdir() if not p.name.startswith("file")]
    for process in psutil.process_iter():
        try:
            if alive(process) and NUMBER in " ".join(process.cmdline()):
                found.append(f"process {process.pid} {process.name()}")
        except psutil.Error:
            continue
    return found + [f"zombie {p.pid}" for p in psutil.Process(server.pid).children() if p.status() == "zombie"]


async def _works(server: Raw, work: Path) -> None:
    """Each host, once its back-off has passed; the next call also ends what a lost link left there."""
    for host in HOSTS:
        with anyio.fail_after(60):
            while True:
                request = {"name": "ssh_exec_run", "arguments": {"host": host, "command": "echo next"}}
                answer = await server.answer(await server.ask("tools/call", request))
                if not answer["result"].get("isError"):
                    assert answer["result"]["structuredContent"]["stdout"] == "next\n"
                    break
                assert text_of(answer).startswith(("MasterLost: ", "ConnectError: ")), text_of(answer)
                await anyio.sleep(0.1)
        # What a lost link kept us from removing is removed by the next write on the host.
        await server.call("ssh_upload", host=host, path=str(work / "file0"), content_text="last")


async def test_pipelined_and_cancelled_calls_under_killed_masters_leave_nothing(
    sshd_factory: SshdFactory, tmp_path: Path, control_dir: str, work: Path
) -> None:
    rng = random.Random(SEED)
    tally: Counter[str] = Counter()
    settings = {"ssh_connect_timeout": 5, "ssh_max_connections_per_host": 2, "log_level": "ERROR"}
    env = environment(tmp_path / "raw", control_dir, {name: sshd_factory() for name in HOSTS}, **settings)
    for i in range(5):
        (work / f"file{i}").write_text("old\n")
    async with raw_server(env) as server:
        await _works(server, work)
        await _burst(server, rng, work, Counter())  # what is made once and for all is made now
        process = psutil.Process(server.pid)
        await anyio.sleep(1)
        before = process.num_fds()
        ends = anyio.current_time() + SECONDS
        while anyio.current_time() < ends:
            async with anyio.create_task_group() as tasks:
                if rng.random() < 0.25:
                    tasks.start_soon(_kill_one, control_dir, rng.random() * 0.3, tally)
                await _burst(server, rng, work, tally)
        await _works(server, work)
        await anyio.to_thread.run_sync(wait_until, lambda: not _left(server, work), f"{_left(server, work)} to go")
        # One more master a host with its lock and two sessions, one kept SFTP channel, one waiting session.
        assert process.num_fds() <= before + 12 * len(HOSTS), f"{before} descriptors before, {process.num_fds()} now"
        assert not server.strange
        children = process.children(recursive=True)
        await server.hang_up()
        with anyio.fail_after(30):
            await server.process.wait()
    await anyio.to_thread.run_sync(wait_until, lambda: not [p for p in children if alive(p)], "the end of its children")
    await anyio.to_thread.run_sync(wait_until, lambda: not masters_of(control_dir), "the end of the masters")
    assert [p for p in Path(control_dir).rglob("*") if p.is_socket()] == []
    print(dict(tally.most_common()))
