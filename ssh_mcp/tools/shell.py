"""Group shell: sessions in which cwd, environment and functions last."""

from __future__ import annotations

from ssh_mcp.policy.switches import require_shells
from ssh_mcp.policy.tiers import Tier
from ssh_mcp.remote.call import Call
from ssh_mcp.remote.host import RemoteHost
from ssh_mcp.results.exec import ShellClosed, ShellExecResult, ShellList, ShellOpened
from ssh_mcp.tools.exec import ResultBytes, Timeout
from ssh_mcp.tools.spec import tool


@tool(group="shell", tier=Tier.DANGEROUS, windows_instead="SFTP tools work on Windows hosts.")
async def ssh_shell_open(host: RemoteHost) -> ShellOpened:
    """Open a shell session (sh, no terminal) whose cwd, environment and functions last. Close it when done; for one
    command use ssh_exec_run.
    """
    require_shells(host.policy)
    return await host.call.fleet.shells.open(host)


@tool(group="shell", tier=Tier.DANGEROUS, confirms=True)
async def ssh_shell_exec(
    session_id: str, command: str, call: Call, timeout: Timeout = None, max_bytes: ResultBytes = None
) -> ShellExecResult:
    """Run a command in an open session; calls on one session wait for each other. At the timeout the command's
    children are ended and the session lives.
    """
    call.fit_within(max_bytes)
    shells = call.fleet.shells
    session = shells.find(session_id, call.caller)
    host = await call.host(session.alias)
    host.note_login()
    return await shells.execute(host, session, command, timeout)


@tool(group="shell", tier=Tier.READ)
async def ssh_shell_list(call: Call) -> ShellList:
    """Open shell sessions with cwd, idle and age in seconds."""
    await call.fleet.shells.close_idle()
    return call.fleet.shells.list(call.caller)


@tool(group="shell", tier=Tier.LOW_ACCESS, destructive=True, idempotent=True)
async def ssh_shell_close(session_id: str, call: Call) -> ShellClosed:
    """Close a shell session and end what it runs."""
    return await call.fleet.shells.close(session_id, call.caller)
