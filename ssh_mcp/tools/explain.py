"""What policy would decide about a call, without making it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from ssh_mcp.policy.tiers import Tier
from ssh_mcp.remote.files.resolving import resolved_paths
from ssh_mcp.remote.host import RemoteHost
from ssh_mcp.results.explain import Explained
from ssh_mcp.tools.explaining import Explainer, as_result, wanted_paths
from ssh_mcp.tools.spec import tool as register


@register(group="host", tier=Tier.READ)
async def ssh_explain(
    host: RemoteHost,
    tool: Annotated[str, Field(max_length=80, description="Name of the tool")],
    arguments: Annotated[dict[str, Any] | None, Field(description="As for the tool, without host")] = None,
    *,
    on_host: Annotated[bool, Field(description="Follow the links of paths on the host")] = False,
) -> Explained:
    """Whether a call would be allowed, ask a person, or be denied, and by which rule. Nothing is run; without on_host
    nothing connects.
    """
    given = dict(arguments or {})
    fleet = host.call.fleet
    canonical: dict[str, str] = {}
    if on_host:
        canonical = await resolved_paths(host, wanted_paths(host.policy, tool, given))
    explainer = Explainer(fleet.inventory, fleet.settings, canonical, host.call.role)
    return as_result(host.alias, tool, explainer.explain(host.alias, tool, given))
