"""Group systemctl: reads whose exit codes are data, and one table for what changes a unit."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ssh_mcp.facts.systemd import Journal
from ssh_mcp.policy import arguments
from ssh_mcp.policy.tiers import Tier
from ssh_mcp.remote.host import RemoteHost
from ssh_mcp.remote.services import systemd as units
from ssh_mcp.results.systemd import (
    JournalText,
    UnitAction,
    UnitActionName,
    UnitActive,
    UnitEnabled,
    UnitFailed,
    UnitList,
    UnitProperties,
    UnitStatus,
    UnitText,
)
from ssh_mcp.tools.exec import ResultBytes
from ssh_mcp.tools.spec import ToolFunction, tool

Timeout = int | None
Unit = str

_WINDOWS = "Windows services have no dedicated tool."


@tool(group="systemctl", tier=Tier.READ, windows_instead=_WINDOWS)
async def ssh_systemctl_status(host: RemoteHost, unit: Unit) -> UnitStatus:
    """Show a unit's state, main process and last ten log lines, as systemctl status prints it. Exit 3 means not
    running, 4 no such unit. For more log: ssh_journalctl; for single values: ssh_systemctl_show.
    """
    return await units.status(host, arguments.unit(unit))


@tool(group="systemctl", tier=Tier.READ, windows_instead=_WINDOWS)
async def ssh_systemctl_is_active(host: RemoteHost, unit: Unit) -> UnitActive:
    """Tell whether a unit runs now, in one word; exit 3 means no. Whether it starts at boot: ssh_systemctl_is_enabled;
    why not: ssh_systemctl_status.
    """
    return await units.is_active(host, arguments.unit(unit))


@tool(group="systemctl", tier=Tier.READ, windows_instead=_WINDOWS)
async def ssh_systemctl_is_enabled(host: RemoteHost, unit: Unit) -> UnitEnabled:
    """Tell whether a unit starts at boot, in one word; exit 1 means no."""
    return await units.is_enabled(host, arguments.unit(unit))


@tool(group="systemctl", tier=Tier.READ, windows_instead=_WINDOWS)
async def ssh_systemctl_is_failed(host: RemoteHost, unit: Unit) -> UnitFailed:
    """Tell whether a unit is in the failed state. Exit 0 means yes."""
    return await units.is_failed(host, arguments.unit(unit))


@tool(group="systemctl", tier=Tier.READ, windows_instead=_WINDOWS)
async def ssh_systemctl_cat(host: RemoteHost, unit: Unit) -> UnitText:
    """Show a unit's file and its drop-ins as they are on disk. What is in force: ssh_systemctl_show."""
    return await units.cat(host, arguments.unit(unit))


@tool(group="systemctl", tier=Tier.READ, windows_instead=_WINDOWS)
async def ssh_systemctl_show(
    host: RemoteHost,
    unit: Unit,
    properties: Annotated[list[str] | None, Field(max_length=50, description="Such as MainPID; default all")] = None,
) -> UnitProperties:
    """Read properties of a unit as key and value. Name the ones you need: all are about two hundred."""
    names = tuple(arguments.unit_property(name) for name in properties or ())
    return await units.show(host, arguments.unit(unit), names)


@tool(group="systemctl", tier=Tier.READ, windows_instead=_WINDOWS)
async def ssh_systemctl_list_units(
    host: RemoteHost,
    pattern: Annotated[str | None, Field(description="Glob, such as nginx*")] = None,
    state: Annotated[str | None, Field(description="Such as failed, running, inactive")] = None,
    unit_type: Annotated[str, Field(description="Such as service, timer, socket")] = "service",
) -> UnitList:
    """List loaded units, filtered by name pattern, state and type. Inactive ones only with a pattern or state."""
    return await units.list_units(
        host,
        None if pattern is None else arguments.unit_pattern(pattern),
        None if state is None else arguments.unit_state(state),
        arguments.unit_type(unit_type),
    )


@tool(group="systemctl", tier=Tier.READ, windows_instead=_WINDOWS)
async def ssh_journalctl(
    host: RemoteHost,
    unit: Unit,
    *,
    since: Annotated[str | None, Field(description="systemd.time, such as '1 hour ago' or 2025-01-31 06:00")] = None,
    until: Annotated[str | None, Field(description="systemd.time")] = None,
    lines: Annotated[int, Field(ge=1, le=1000, description="From the end")] = 200,
    grep: Annotated[str | None, Field(description="Regular expression")] = None,
    max_bytes: ResultBytes = None,
) -> JournalText:
    """Read a unit's journal: the newest lines (1-1000), of a time span, or those that match."""
    host.call.fit_within(max_bytes)
    question = Journal(
        unit=arguments.unit(unit),
        since=None if since is None else arguments.journal_time(since),
        until=None if until is None else arguments.journal_time(until),
        lines=lines,
        grep=None if grep is None else arguments.journal_grep(grep),
    )
    return await units.journal(host, question)


_ACTIONS: dict[UnitActionName, str] = {
    "start": "Start a unit now; does not enable it at boot.",
    "stop": "Stop a unit now; does not disable it at boot.",
    "restart": "Restart a unit, or start it if it was stopped. ssh_systemctl_reload does not interrupt it.",
    "reload": "Ask a running unit to read its configuration again, where it can; else ssh_systemctl_restart.",
    "enable": "Have a unit started at boot; does not start it now.",
    "disable": "Keep a unit from being started at boot; does not stop it now, and others may still start it.",
    "mask": "Make a unit impossible to start, by hand or by others, until ssh_systemctl_unmask; does not stop it.",
    "unmask": "Undo a mask, so that a unit can be started again.",
    "reset-failed": "Clear the failed state and the restart counter of a unit.",
}
"""Every verb that changes one unit. They differ in nothing but their name."""


def _unit_action(action: UnitActionName, description: str) -> ToolFunction:
    async def run(host: RemoteHost, unit: Unit, timeout: Timeout = None) -> UnitAction:
        return await units.change(host, action, arguments.unit(unit), timeout)

    run.__name__ = run.__qualname__ = f"ssh_systemctl_{action.replace('-', '_')}"
    run.__doc__ = description
    return tool(group="systemctl", tier=Tier.DANGEROUS, windows_instead=_WINDOWS)(run)


for _action, _description in _ACTIONS.items():
    _unit_action(_action, _description)
