"""Notes about a host: the operator's layer is read only, the agent's can be written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from anyio import to_thread
from pydantic import Field

from ssh_mcp.inventory.notes import NotesWritten
from ssh_mcp.policy.tiers import Tier
from ssh_mcp.remote.host import RemoteHost
from ssh_mcp.results.server import HostNotes, HostNotesWritten
from ssh_mcp.tools.spec import tool


@tool(group="host", tier=Tier.READ)
async def ssh_host_notes(host: RemoteHost) -> HostNotes:
    """Operator's and agent's notes on a host: read them before changing anything there."""
    notes = host.call.fleet.notes
    agent = await to_thread.run_sync(notes.read, host.alias)
    return HostNotes(
        alias=host.alias,
        hostname=host.hostname,
        operator_notes=host.policy.notes,
        agent_notes=agent,
        agent_notes_path=str(notes.path(host.alias)) if agent is not None else None,
        has_notes=bool(host.policy.notes) or agent is not None,
    )


@tool(group="host", tier=Tier.LOW_ACCESS, destructive=False)
async def ssh_host_notes_append(
    host: RemoteHost, entry: Annotated[str, Field(min_length=1, description="Markdown; never secrets")]
) -> HostNotesWritten:
    """Add a timestamped entry to the agent's notes on a host."""
    return _written(host, await _in_thread(host.call.fleet.notes.append, host.alias, entry), "Entry appended.")


@tool(group="host", tier=Tier.LOW_ACCESS, destructive=True, idempotent=True)
async def ssh_host_notes_set(
    host: RemoteHost, content: Annotated[str, Field(description="Markdown; never secrets")]
) -> HostNotesWritten:
    """Replace the agent's notes on a host; ssh_host_notes_append keeps what is there."""
    return _written(host, await _in_thread(host.call.fleet.notes.set, host.alias, content), "Notes replaced.")


async def _in_thread(change: Callable[[str, str], NotesWritten], alias: str, text: str) -> NotesWritten:
    """Another process may hold the notes' lock for a while: other calls go on meanwhile, and a cancelled one leaves."""
    return await to_thread.run_sync(change, alias, text, abandon_on_cancel=True)


def _written(host: RemoteHost, written: NotesWritten, message: str) -> HostNotesWritten:
    return HostNotesWritten(
        alias=host.alias,
        hostname=host.hostname,
        agent_notes_path=str(written.path),
        bytes_written=written.bytes_written,
        was_created=written.created,
        message=message,
    )
