"""One tool on many hosts."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import Field, PrivateAttr

from ssh_mcp.results.base import Ours, Provenance, Result, Spooled


class FleetGroup(Result):
    """Hosts (folded) with equal results; ``diff`` is against the largest group, where it is short."""

    hosts: Ours
    count: int
    result: Annotated[dict[str, Any], Provenance.GUARDED]
    diff: Annotated[str | None, Provenance.GUARDED] = None
    _whole: Result | None = PrivateAttr(default=None)

    @property
    def whole(self) -> Result | None:
        """The result as a model, from which the guard makes a shorter ``result`` where groups are too long."""
        return self._whole

    @classmethod
    def of(cls, hosts: str, count: int, whole: Result, diff: str | None) -> Self:
        """A group of ``count`` hosts with this result."""
        made = cls(hosts=hosts, count=count, result=whole.model_dump(mode="json"), diff=diff)
        made._whole = whole
        return made


class FleetError(Result):
    """Hosts (folded) that failed in the same way."""

    hosts: Ours
    error: Annotated[str, Provenance.GUARDED]


class FleetResult(Spooled):
    """Groups by size. ``not_attempted``: the call stopped before these hosts."""

    groups: list[FleetGroup] = Field(default_factory=list)
    errors: list[FleetError] = Field(default_factory=list)
    not_attempted: list[Ours] = Field(default_factory=list)
    selected: int = 0
    elapsed_ms: int = 0
