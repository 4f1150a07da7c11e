"""Group job: commands that outlive the call, the server and the connection."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ssh_mcp.policy.tiers import Tier
from ssh_mcp.remote.call import Call
from ssh_mcp.remote.exec.jobs.listing import list_jobs
from ssh_mcp.remote.exec.jobs.output import Selection
from ssh_mcp.remote.host import RemoteHost
from ssh_mcp.results.jobs import JobCancelled, JobList, JobOutput, JobResult
from ssh_mcp.tools.spec import tool

_WINDOWS = "SFTP tools work on Windows hosts."
JobId = Annotated[str, Field(description="12 hexadecimal digits")]
Wait = Annotated[float, Field(ge=0, le=45, description="Seconds, at most 45")]  # many clients give a call up after 60
Timeout = Annotated[int | None, Field(description="Seconds; none: no limit")]


@tool(group="job", tier=Tier.DANGEROUS, windows_instead=_WINDOWS, confirms=True)
async def ssh_job_start(
    host: RemoteHost,
    command: str,
    name: Annotated[str | None, Field(description="Starts once: its running job is returned")] = None,
    timeout: Timeout = None,
    wait: Wait = 2,
    *,
    sudo: Annotated[bool, Field(description="As root")] = False,
) -> JobResult:
    """Start a shell command that goes on when this call, the server or the connection ends: builds, upgrades, backups.
    Returns at its end or after wait.
    """
    return await host.jobs.start(command, name=name, timeout=timeout, wait=wait, sudo=sudo)


@tool(group="job", tier=Tier.READ)
async def ssh_job_list(call: Call, host: str | None = None) -> JobList:
    """Jobs of one host, or of all hosts with an open connection, newest first."""
    return await list_jobs(call, host)


@tool(group="job", tier=Tier.READ, windows_instead=_WINDOWS)
async def ssh_job_status(host: RemoteHost, job_id: JobId, wait: Wait = 0) -> JobResult:
    """A job's state and the last lines of its output. With wait it returns at the job's end, or with new output then:
    better than polling.
    """
    return await host.jobs.status(job_id, wait)


@tool(group="job", tier=Tier.READ, windows_instead=_WINDOWS)
async def ssh_job_output(
    host: RemoteHost,
    job_id: JobId,
    *,
    stream: Literal["stdout", "stderr"] = "stdout",
    cursor: Annotated[int | None, Field(description="Byte: a returned cursor")] = None,
    last_lines: int | None = None,
    grep: Annotated[str | None, Field(description="Only lines that match (RE2 syntax)")] = None,
    max_bytes: int | None = None,
) -> JobOutput:
    """Read a job's output while it runs or afterwards: from a cursor on, its last lines, or the lines that match."""
    return await host.jobs.output(job_id, Selection(stream, cursor, last_lines, grep, max_bytes))


@tool(group="job", tier=Tier.DANGEROUS, windows_instead=_WINDOWS, idempotent=True)
async def ssh_job_cancel(
    host: RemoteHost,
    job_id: JobId,
    remove: Annotated[bool, Field(description="Delete its output too")] = False,
) -> JobCancelled:
    """End a job with all it has started: TERM, two seconds, KILL. remove also deletes what the host keeps of it."""
    return await host.jobs.cancel(job_id, remove=remove)
