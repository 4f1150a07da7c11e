"""Group exec: a caller's own commands and scripts."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ssh_mcp.inventory.selectors import select
from ssh_mcp.policy.tiers import Tier
from ssh_mcp.remote.call import Call
from ssh_mcp.remote.exec.broadcast import broadcast, in_groups
from ssh_mcp.remote.exec.rolling import check_rolling
from ssh_mcp.remote.exec.streaming import run_streaming
from ssh_mcp.remote.host import RemoteHost
from ssh_mcp.results.exec import BroadcastResult, ExecResult
from ssh_mcp.tools.spec import tool

Timeout = int | None

ResultBytes = int | None

_WINDOWS = "SFTP tools work on Windows hosts."


@tool(group="exec", tier=Tier.DANGEROUS, windows_instead=_WINDOWS, confirms=True)
async def ssh_exec_run(
    host: RemoteHost, command: str, timeout: Timeout = None, max_bytes: ResultBytes = None
) -> ExecResult:
    """Run a shell command. Non-zero exit is data; at the timeout the whole process group is ended and partial output
    kept. Prefer dedicated tools for files, units, containers and packages.
    """
    host.call.fit_within(max_bytes)
    return await host.commands.execute(command, timeout=timeout)


@tool(group="exec", tier=Tier.DANGEROUS, windows_instead=_WINDOWS, confirms=True)
async def ssh_exec_script(
    host: RemoteHost, script: str, timeout: Timeout = None, max_bytes: ResultBytes = None
) -> ExecResult:
    """Run a multi-line script sent over stdin (sh, or what its #! line names). For one command use ssh_exec_run."""
    host.call.fit_within(max_bytes)
    return await host.commands.script(script, timeout=timeout)


@tool(group="exec", tier=Tier.DANGEROUS, windows_instead=_WINDOWS, task=True, confirms=True)
async def ssh_exec_run_streaming(
    host: RemoteHost, command: str, timeout: Timeout = None, max_bytes: ResultBytes = None
) -> ExecResult:
    """Like ssh_exec_run for long commands: progress notifications carry the output's tail; can run as a task."""
    host.call.fit_within(max_bytes)
    return await run_streaming(host, command, timeout)


@tool(group="exec", tier=Tier.DANGEROUS, confirms=True)
async def ssh_broadcast(
    hosts: Annotated[
        list[str], Field(min_length=1, max_length=500, description="Aliases, web[01-20], @tag, @web!web03")
    ],
    command: str,
    call: Call,
    timeout: Timeout = None,
    max_bytes: ResultBytes = None,
    *,
    grouped: Annotated[bool, Field(description="Equal results once")] = False,
    batch: Annotated[int, Field(description="Hosts at a time")] = 50,
    max_failures: Annotated[int | None, Field(description="Stop beyond so many")] = None,
) -> BroadcastResult:
    """Run one command on many hosts (1-500). Each has its own policy and fails alone. On one: ssh_exec_run."""
    call.fit_within(max_bytes)
    check_rolling(batch, max_failures, 0)
    names = select(hosts, call.listed())
    found = await broadcast(call, names, command, timeout, batch=batch, max_failures=max_failures)
    return in_groups(found) if grouped else found
