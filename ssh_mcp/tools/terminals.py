"""Group terminal: programs that want a terminal, and hosts without a usable shell."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ssh_mcp.policy.tiers import Tier
from ssh_mcp.remote.call import Call
from ssh_mcp.remote.host import RemoteHost
from ssh_mcp.results.terminals import TerminalClosed, TerminalScreenResult
from ssh_mcp.tools.spec import tool


@tool(group="terminal", tier=Tier.DANGEROUS, confirms=True)
async def ssh_terminal_open(
    host: RemoteHost,
    command: Annotated[str | None, Field(description="Default: the login shell")] = None,
    *,
    columns: int = 120,
    rows: int = 40,
) -> TerminalScreenResult:
    """Open a terminal for prompts, REPLs, menus, or a host without a usable shell."""
    return await host.call.fleet.terminals.open(host, command, columns, rows)


@tool(group="terminal", tier=Tier.DANGEROUS, confirms=True)
async def ssh_terminal_send(
    terminal_id: str,
    call: Call,
    *,
    text: Annotated[str | None, Field(description="Typed as it is")] = None,
    keys: Annotated[list[str], Field(description="After text: Enter, Up, F1, Ctrl-C, Alt-x")] = [],  # noqa: B006
    wait_for: Annotated[str | None, Field(description="Return once this is printed, not once output pauses")] = None,
    timeout: float = 5,
    columns: int | None = None,
    rows: int | None = None,
) -> TerminalScreenResult:
    """Type into a terminal, or only look at its screen; columns and rows resize it."""
    terminals = call.fleet.terminals
    terminal = terminals.find(terminal_id, call.caller)
    host = await call.host(terminal.alias)
    host.note_login()
    if columns is not None or rows is not None:
        await terminal.resize(columns, rows)
    return await terminals.send(host, terminal, text or "", keys, wait_for=wait_for, timeout=timeout)


@tool(group="terminal", tier=Tier.DANGEROUS, idempotent=True)
async def ssh_terminal_close(terminal_id: str, call: Call) -> TerminalClosed:
    """Close a terminal; what runs in it is hung up."""
    return await call.fleet.terminals.close(terminal_id, call.caller)
