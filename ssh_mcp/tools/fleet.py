"""One tool on many hosts: each call goes through the runner, decided, audited and guarded like any other."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import Field

from ssh_mcp.errors import InvalidArgument, Refusal, public_text
from ssh_mcp.guard.shared import guard_for
from ssh_mcp.inventory.selectors import select
from ssh_mcp.policy.approval import AskMatch
from ssh_mcp.policy.explanation import Decision
from ssh_mcp.policy.tiers import Tier
from ssh_mcp.remote.call import Call
from ssh_mcp.remote.confirming import tool_matches
from ssh_mcp.remote.exec.grouping import group, together
from ssh_mcp.remote.exec.rolling import check_rolling, roll
from ssh_mcp.remote.host import RemoteHost
from ssh_mcp.results.base import Result
from ssh_mcp.results.fleet import FleetResult
from ssh_mcp.tools.explaining import Explainer
from ssh_mcp.tools.runner import ToolFailed, child_entry, run_child
from ssh_mcp.tools.spec import tool as register
from transports.errors import TransportError

Hosts = Annotated[list[str], Field(min_length=1, max_length=500, description="Aliases, web[01-20], @tag, @web!web03")]
Batch = Annotated[int, Field(description="Hosts at a time, 1 to 50")]
MaxFailures = Annotated[int | None, Field(description="Stop beyond so many")]


@dataclass(slots=True)
class _Fleet:
    """What is known of each selected host."""

    ready: list[str] = field(default_factory=list)
    hosts: list[RemoteHost] = field(default_factory=list)
    asked: dict[AskMatch, None] = field(default_factory=dict)
    results: dict[str, Result] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)


@register(group="exec", tier=Tier.READ, tier_of_call=True, confirms=True)
async def ssh_fleet(
    hosts: Hosts,
    tool: Annotated[str, Field(max_length=80, description="A tool that takes one host")],
    call: Call,
    arguments: Annotated[dict[str, Any] | None, Field(description="For the tool, without host")] = None,
    *,
    batch: Batch = 50,
    max_failures: MaxFailures = None,
    pause_seconds: Annotated[float, Field(description="Between two batches")] = 0,
) -> FleetResult:
    """Run one tool on many hosts (1-500) and see which differ: equal results are one group. All hosts are decided on
    first; one refusal runs nothing unless max_failures allows it. A command: ssh_broadcast.
    """
    began = time.monotonic()
    check_rolling(batch, max_failures, pause_seconds)
    entry = child_entry(call, tool)
    given = dict(arguments or {})
    if "host" in given:
        raise InvalidArgument("arguments names a host.", "Give hosts only in the parameter hosts.")
    names = select(hosts, call.listed())
    call.record.hosts(names)
    fleet = _Fleet()
    for name in names:
        await _decide(call, name, entry.name, given, fleet)
    if fleet.errors and len(fleet.errors) > (max_failures or 0):
        return _result(fleet, fleet.ready, names, began)
    accepted = await _confirm(call, fleet)

    async def one(name: str) -> bool:
        try:
            result = await run_child(call, entry, {"host": name, **given}, accepted=accepted)
        except ToolFailed as failed:
            fleet.errors[name] = str(failed)
            return False
        fleet.results[name] = result
        await call.progress(len(fleet.results) + len(fleet.errors), len(names), f"{name} done")
        return True

    left = await roll(
        fleet.ready,
        one,
        batch=batch,
        max_failures=max_failures,
        pause_seconds=pause_seconds,
        failed=len(fleet.errors),
    )
    return _result(fleet, left, names, began)


async def _decide(call: Call, name: str, tool: str, arguments: dict[str, Any], fleet: _Fleet) -> None:
    """Resolve a host and ask policy; what is refused is an error of this host alone."""
    try:
        host = await call.host(name)
        found = Explainer(call.fleet.inventory, call.fleet.settings, role=call.role).explain(name, tool, arguments)
    except (Refusal, TransportError) as error:
        fleet.errors[name] = guard_for(call.fleet.inventory.default_redaction).text(public_text(error)).text
        return
    if found.decision is Decision.DENY:
        fleet.errors[name] = next(r.refusal for r in found.reasons if r.refusal)
        return
    fleet.ready.append(name)
    fleet.hosts.append(host)
    if found.decision is Decision.ASK:
        asking = [r for r in found.reasons if r.rule == found.needs.approval]
        fleet.asked.update(dict.fromkeys(AskMatch(r.rule, r.source, r.part) for r in asking))


async def _confirm(call: Call, fleet: _Fleet) -> bool:
    """One question for the whole selection, naming the hosts; whether a person was asked and said yes."""
    matches = (*tool_matches(call), *fleet.asked)
    await call.confirm(matches, None, hosts=fleet.hosts)
    return bool(matches)


def _result(fleet: _Fleet, left: list[str], names: list[str], began: float) -> FleetResult:
    ordered = {name: fleet.results[name] for name in names if name in fleet.results}
    return FleetResult(
        groups=group(ordered),
        errors=together(fleet.errors),
        not_attempted=left,
        selected=len(names),
        elapsed_ms=round((time.monotonic() - began) * 1000),
    )
