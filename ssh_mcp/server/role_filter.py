"""Lists to an authenticated caller the tools that its role may call. Calls are decided by the runner, not here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fastmcp.server.transforms import Transform
from fastmcp.tools.base import Tool

from ssh_mcp.errors import IdentityNotAllowed
from ssh_mcp.remote.fleet import Fleet
from ssh_mcp.tools.catalogue import Entry
from ssh_mcp.tools.registered import caller


class RoleFilter(Transform):
    """Over HTTP with MCP_AUTH=jwt or oidc. Lists are marked as private: a cache keeps one for each caller."""

    def __init__(self, fleet: Fleet, entries: Mapping[str, Entry]) -> None:
        self._fleet = fleet
        self._entries = entries

    async def list_tools(self, tools: Sequence[Tool]) -> Sequence[Tool]:
        """Those of the tiers of the caller's role; none where it has no role."""
        asking = caller()
        if not asking.authenticated:
            return tools
        try:
            role = self._fleet.inventory.roles.of(asking.identity, asking.claims)
        except IdentityNotAllowed:
            return []
        if role is None:
            return tools
        return [tool for tool in tools if tool.name in self._entries and self._entries[tool.name].tier in role.tiers]
