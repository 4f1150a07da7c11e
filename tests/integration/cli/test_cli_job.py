"""``ssh-mcp job``: an operator finds, reads and ends what a server started."""

from __future__ import annotations

import json
import os
from pathlib import Path

from tests.integration.conftest import UserFactory
from tests.integration.mcp_server import Host, McpServerFactory
from tests.integration.process_table import Trace, trace  # noqa: F401 - a fixture
from tests.integration.surface_rig import ssh_mcp
from tests.peers import need
from tests.peers.sshd import Sshd


async def test_jobs_are_listed_read_and_ended_from_the_command_line(
    mcp_server: McpServerFactory, shared_sshd: Sshd, throwaway_users: UserFactory, trace: Trace, tmp_path: Path
) -> None:
    need(os.geteuid() == 0, "accounts of our own need root")
    host = Host(shared_sshd, user=throwaway_users("jobcli", "/bin/sh").name)
    async with mcp_server({"web": host}, stdio=True, allow_sudo=False) as server:
        job = await server.call(
            "ssh_job_start", host="web", command=f"echo one; echo password=hunter2222; {trace.sleep}; true", name="long"
        )
        environment = {**server.env, "HOME": str(tmp_path), "COLUMNS": "150"}
        listed = ssh_mcp("job", "list", env=environment)
        assert (listed.returncode, listed.stderr) == (0, "")
        assert job["job_id"] in listed.stdout
        assert "running" in listed.stdout
        found = json.loads(ssh_mcp("job", "list", "web", "--json", env=environment).stdout)
        assert [(j["name"], j["state"]) for j in found["jobs"]] == [("long", "running")]
        output = ssh_mcp("job", "output", "web", job["job_id"], env=environment)
        assert output.stdout.startswith("one\npassword=<sha:")
        ended = ssh_mcp("job", "cancel", "web", job["job_id"], "--remove", env=environment)
        assert ended.stdout == f"{job['job_id']} on web: cancelled, ended with TERM, removed.\n"
        missing = ssh_mcp("job", "output", "web", job["job_id"], env=environment)
        assert (missing.returncode, missing.stderr.startswith("ssh-mcp: JobNotFound: ")) == (1, True)
        trace.wait_gone()
        assert "ssh-mcp job" in {line.get("client") for line in server.audit()}
