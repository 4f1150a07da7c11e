"""What policy would decide about a call."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ssh_mcp.results.base import Ours, Result, Spooled


class ExplainReason(Result):
    """``rule`` decided about ``part``; ``refusal`` is what the real call would say, null where the rule permits.

    Both repeat what the caller wrote, and so are masked as output is.
    """

    rule: Ours
    source: Ours
    part: str
    refusal: str | None = None


class ExplainNeeds(Result):
    """The tool's tier, the setting that would open what is closed, and the rule that asks a person."""

    tier: Ours
    setting: Ours | None = None
    approval: Ours | None = None


class Explained(Spooled):
    """The decision about one call, which was not made. ``unknown`` is what only the host can say."""

    host: Ours
    tool: Ours
    decision: Literal["allow", "ask", "deny"]
    reasons: list[ExplainReason] = Field(default_factory=list)
    needs: ExplainNeeds
    unknown: list[Ours] = Field(default_factory=list)
