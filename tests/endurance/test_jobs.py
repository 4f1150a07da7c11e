"""Many jobs on one host: each state is true, and nothing stays but the jobs that are kept.

scripts/endurance --jobs 2000
"""

from __future__ import annotations

import os
import time
from typing import Any

import anyio
import psutil
import pytest

from tests.integration.conftest import UserFactory
from tests.integration.mcp_server import Host, McpServer, McpServerFactory
from tests.peers import need
from tests.peers.sshd import Sshd

JOBS = int(os.environ.get("SSH_MCP_ENDURANCE_JOBS", "40"))
WORKERS = 6
ROUNDS = 5
KEPT = 200
pytestmark = [pytest.mark.timeout(max(300, JOBS))]


async def _one(server: McpServer, number: int) -> None:
    """A job that ends by itself, or is cancelled; with and without a wait, with and without a name."""
    slow = number % 5 == 0
    more: dict[str, Any] = {"wait": 20 if number % 3 == 0 and not slow else 0}
    if number % 4 == 0:
        more["name"] = f"job {number}"
    command = f"echo {number}; {'sleep 600 & wait' if slow else f'exit {number % 7}'}"
    job = await server.call("ssh_job_start", host="web", command=command, **more)
    if slow:
        ended = await server.call("ssh_job_cancel", host="web", job_id=job["job_id"])
        assert (ended["state"], ended["signal"]) == ("cancelled", "TERM"), ended
        return
    ended = await server.call("ssh_job_status", host="web", job_id=job["job_id"], wait=45)
    assert (ended["state"], ended["exit_code"], ended["stdout"]) == ("exited", number % 7, f"{number}\n"), ended


def _sample(account: str, began: float, done: int) -> tuple[int, int, list[str]]:
    """Bytes and descriptors of the server, and what the account still runs beside its sessions."""
    me = psutil.Process()
    left = [
        " ".join(process.info["cmdline"] or [])[:90]
        for process in psutil.process_iter(["username", "cmdline", "status"])
        if process.info["username"] == account and "ssh-mcp-" in " ".join(process.info["cmdline"] or [])
    ]
    print(
        f"{done:6} jobs  {time.monotonic() - began:6.0f} s  {me.memory_info().rss / 2**20:6.1f} MiB  "
        f"{me.num_fds():3} descriptors  {len(left):3} processes left",
        flush=True,
    )
    return me.memory_info().rss, me.num_fds(), left


async def test_many_jobs_leave_nothing_but_those_that_are_kept(
    mcp_server: McpServerFactory, shared_sshd: Sshd, throwaway_users: UserFactory
) -> None:
    need(os.geteuid() == 0, "accounts of our own need root")
    account = throwaway_users("many", "/bin/sh")
    began, samples = time.monotonic(), []
    async with mcp_server({"web": Host(shared_sshd, user=account.name)}, log_level="ERROR") as server:
        for turn in range(ROUNDS):
            numbers = iter(range(JOBS * turn // ROUNDS, JOBS * (turn + 1) // ROUNDS))

            async def work(numbers: Any = numbers) -> None:
                for number in numbers:
                    await _one(server, number)

            async with anyio.create_task_group() as tasks:
                for _ in range(WORKERS):
                    tasks.start_soon(work)
            with anyio.fail_after(20):  # a keeper ends right behind the status that it writes
                while _sample(account.name, began, JOBS * (turn + 1) // ROUNDS)[2]:
                    await anyio.sleep(0.5)
            samples.append(_sample(account.name, began, JOBS * (turn + 1) // ROUNDS))
        listed = (
            await server.call(
                "ssh_job_list",
                host="web",
            )
        )["jobs"]
        kept = [path.name for path in (account.home / ".ssh-mcp/jobs").iterdir()]
        assert len([name for name in kept if not name.startswith(".")]) == min(JOBS, KEPT)
        assert len([name for name in kept if name.startswith(".")]) <= min(JOBS, KEPT)
        assert {job["state"] for job in listed} <= {"exited", "cancelled"}
    early, late = samples[1], samples[-1]
    assert late[1] <= early[1] + 4, "descriptors grow"
    assert late[0] <= early[0] * 1.1 + (16 << 20), "memory grows"
