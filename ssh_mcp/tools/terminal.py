"""Group terminal: programs that want a terminal, and hosts without a usable shell."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ssh_mcp.policy.tiers import Tier
from ssh_mcp.remote.call import Call
from ssh_mcp.remote.host import RemoteHost
from ssh_mcp.results.terminal import TerminalClosed, TerminalScreenResult
from ssh_mcp.tools.spec import tool


@tool(group="terminal", tier=Tier.DANGEROUS, confirms=True)
async def ssh_terminal_open(
    host: RemoteHost,
    command: Annotated[str | None, Field(description="Default: the login shell")] = None,
    *,
    columns: Annotated[int, Field(ge=20, le=400)] = 120,
    rows: Annotated[int, Field(ge=5, le=200)] = 40,
) -> TerminalScreenResult:
    """Open a terminal for prompts, REPLs, menus, or a host without a usable shell; ssh_exec_run is for commands."""
    return await host.call.fleet.terminals.open(host, command, columns, rows)


@tool(group="terminal", tier=Tier.DANGEROUS, confirms=True)
async def ssh_terminal_send(
    terminal_id: str,
    call: Call,
    *,
    text: Annotated[str | None, Field(max_length=65536, description="Typed as it is; end a line with Enter")] = None,
    keys: Annotated[list[str], Field(max_length=200, description="After text: Enter, Tab, Up, F1, Ctrl-C, Alt-x")] = [],  # noqa: B006 - never changed
    wait_for: Annotated[str | None, Field(description="Return once this text is printed; else once output pauses")] = (
        None
    ),
    timeout: Annotated[float, Field(gt=0, le=600, description="Seconds")] = 5,
    columns: Annotated[int | None, Field(ge=20, le=400, description="Resize")] = None,
    rows: Annotated[int | None, Field(ge=5, le=200)] = None,
) -> TerminalScreenResult:
    """Type into a terminal and see its screen; without text and keys only look."""
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
