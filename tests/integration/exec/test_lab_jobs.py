"""Jobs on a host with systemd and logind: logout under KillUserProcesses=yes, a reboot, a power cut."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anyio
import pytest

from tests.integration.conftest import masters_of
from tests.integration.lab_hosts import on_systemd
from tests.integration.mcp_server import McpServer, McpServerFactory
from tests.lab.logind_host import LINGERING, Restarts, logind_host
from tests.peers.fixtures import Lab, exclusive

pytestmark = [pytest.mark.lab, pytest.mark.xdist_group("lab-logind"), pytest.mark.timeout(600)]
WORK = "echo begun; sleep 86399 | cat"


@pytest.fixture(scope="module")
def logind(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Lab, Restarts]]:
    with exclusive("logind"), logind_host(lab, tmp_path_factory.mktemp("logind")) as host:
        yield host


async def _begun(server: McpServer, job: dict[str, Any]) -> None:
    seen = await server.call("ssh_job_status", host="sys", job_id=job["job_id"], wait=1)
    assert (seen["state"], seen["stdout"]) == ("running", "begun\n")


async def _logged_out(control_dir: str, host: Lab) -> None:
    """The last session of all users is over, and logind has ended what it had to."""
    for master in masters_of(control_dir):
        master.terminate()
    with anyio.fail_after(60):
        while host.on_systemd_host("loginctl list-sessions --no-legend").strip():
            await anyio.sleep(0.1)


async def test_a_lingering_users_job_outlives_the_logout_and_others_are_told(
    logind: tuple[Lab, Restarts], mcp_server: McpServerFactory, control_dir: str
) -> None:
    host, _ = logind
    for user, state in ((LINGERING, "running"), ("plain", "killed")):
        async with on_systemd(host, mcp_server, user) as server:
            for wait in (1, 0):  # a start with a wait finds out what the host does at logout, one without believes it
                job = await server.call("ssh_job_start", host="sys", command=WORK, wait=wait)
                assert ("loginctl enable-linger" in (job["hint"] or "")) == (user != LINGERING)
            await _begun(server, job)
            await _logged_out(control_dir, host)
            seen = await server.call("ssh_job_status", host="sys", job_id=job["job_id"])
            assert seen["state"] in (state, "lost" if state == "killed" else state)
            jobs = (await server.call("ssh_job_list", host="sys"))["jobs"]
            assert {each["state"] for each in jobs} == {seen["state"]}
            for each in jobs:
                await server.call("ssh_job_cancel", host="sys", job_id=each["job_id"], remove=True)


@pytest.mark.parametrize("how", ["power cut", "reboot"])
async def test_a_job_that_a_restart_of_its_host_ended_is_not_lost(
    logind: tuple[Lab, Restarts], mcp_server: McpServerFactory, how: str
) -> None:
    host, restarts = logind
    async with on_systemd(host, mcp_server, LINGERING) as server:
        job = await server.call("ssh_job_start", host="sys", command=WORK, wait=1)
        await _begun(server, job)
        await anyio.to_thread.run_sync(restarts.power_cut if how == "power cut" else restarts.reboot)
        seen = await server.call("ssh_job_status", host="sys", job_id=job["job_id"])
        # systemd sends TERM before it halts, and a keeper may have the time to write down what that did.
        assert seen["state"] in (["host_rebooted"] if how == "power cut" else ["host_rebooted", "killed"])
        assert seen["stdout"] == "begun\n"
        again = await server.call("ssh_job_start", host="sys", command="true", wait=20)
        assert again["state"] == "exited"
        await server.call("ssh_job_cancel", host="sys", job_id=job["job_id"], remove=True)
