"""One tool on many hosts."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from ssh_mcp.results.base import Ours, Provenance, Result


class FleetGroup(Result):
    """Hosts (folded) with equal results; ``diff`` is against the largest group, where it is short."""

    hosts: Ours
    count: int
    result: Annotated[dict[str, Any], Provenance.GUARDED]
    diff: Annotated[str | None, Provenance.GUARDED] = None


class FleetError(Result):
    """Hosts (folded) that failed in the same way."""

    hosts: Ours
    error: Annotated[str, Provenance.GUARDED]


class FleetResult(Result):
    """Groups by size. ``not_attempted``: the call stopped before these hosts."""

    groups: list[FleetGroup] = Field(default_factory=list)
    errors: list[FleetError] = Field(default_factory=list)
    not_attempted: list[Ours] = Field(default_factory=list)
    selected: int = 0
    elapsed_ms: int = 0
