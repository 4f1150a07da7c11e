"""What surrounds the tools: the server-info resource, a resource a host, argument completion, search and skills."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import mcp_types
from fastmcp.exceptions import ResourceError

from ssh_mcp.inventory.selectors import complete_selection
from ssh_mcp.skills.provider import skill_provider
from ssh_mcp.tools.catalogue import Entry
from ssh_mcp.tools.registered import caller
from ssh_mcp.tools.runner import Runner, ToolFailed

if TYPE_CHECKING:
    from fastmcp import FastMCP

    from ssh_mcp.remote.fleet import Fleet
    from ssh_mcp.skills.loader import Library

SERVER_INFO = "mcp://ssh-mcp/server-info"
HOST_NOTES = "mcp://ssh-mcp/hosts/{host}/notes"


def decorate(server: FastMCP[None], runner: Runner, entries: dict[str, Entry]) -> None:
    """Add everything but the tools. Resources run through the runner, so that they are audited and guarded too."""
    _add_resources(server, runner, entries)
    _add_completion(server, runner.fleet)
    if runner.fleet.settings.mcp_auth != "bearer":
        from ssh_mcp.server.role_filter import RoleFilter

        server.add_transform(RoleFilter(runner.fleet, entries))
    provider = skill_provider(runner.fleet.settings, runner.fleet.facts.closed)
    _add_search(server, runner.fleet, provider.library)
    server.add_provider(provider)


def _add_resources(server: FastMCP[None], runner: Runner, entries: dict[str, Entry]) -> None:
    async def read(tool: str, arguments: dict[str, Any]) -> str:
        try:
            result = await runner.run(entries[tool], arguments, caller=caller())
        except ToolFailed as failed:
            raise ResourceError(str(failed), log_level=logging.DEBUG) from None
        return json.dumps(result.model_dump(mode="json"), ensure_ascii=False)

    if "ssh_server_info" in entries:

        @server.resource(SERVER_INFO, name="server-info", mime_type="application/json")
        async def server_info() -> str:
            """Name, version, number of tools, open tiers and groups."""
            return await read("ssh_server_info", {})

    if "ssh_host_notes" in entries:

        @server.resource(HOST_NOTES, name="host-notes", mime_type="application/json")
        async def host_notes(host: str) -> str:
            """Operator's and agent's notes on a host."""
            return await read("ssh_host_notes", {"host": host})


def _add_completion(server: FastMCP[None], fleet: Fleet) -> None:
    """Host aliases, wherever an argument is called ``host``; tags too where it selects several."""

    def complete(
        _reference: mcp_types.PromptReference | mcp_types.ResourceTemplateReference,
        argument: mcp_types.CompletionArgument,
        _context: mcp_types.CompletionContext | None,
    ) -> list[str] | None:
        asking = caller()
        role = fleet.inventory.roles.of(asking.identity, asking.claims) if asking.authenticated else None
        listed = [p for p in fleet.inventory.listed() if role is None or role.reaches(p.alias)]
        if argument.name in {"hosts", "select"}:
            return complete_selection(argument.value, listed)[:100]
        if argument.name not in {"host", "src_host", "dst_host", "alias"}:
            return None
        begun = argument.value.lower()
        return [p.alias for p in listed if p.alias.lower().startswith(begun)][:100]

    server.add_completion_handler(complete)


def _add_search(server: FastMCP[None], fleet: Fleet, library: Library) -> None:
    settings = fleet.settings
    if not settings.ssh_enable_bm25:
        return
    from ssh_mcp.server.search import ToolSearch

    server.add_transform(
        ToolSearch(
            library,
            max_results=settings.ssh_bm25_max_results,
            always_visible=settings.ssh_bm25_always_visible,
            closed=fleet.facts.closed,
        )
    )
