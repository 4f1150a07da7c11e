"""One guard a redaction policy: its rules are compiled once and shared by all calls."""

from __future__ import annotations

from ssh_mcp.guard.guard import Guard
from ssh_mcp.inventory.model import RedactionPolicy

_GUARDS: dict[RedactionPolicy, Guard] = {}


def guard_for(policy: RedactionPolicy) -> Guard:
    """The guard that enforces ``policy``."""
    guard = _GUARDS.get(policy)
    if guard is None:
        guard = _GUARDS[policy] = Guard(policy)
    return guard
