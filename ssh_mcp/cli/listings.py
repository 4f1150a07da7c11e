"""``ssh-mcp hosts`` and ``ssh-mcp tools``: what a client will find, as a table or as JSON."""

from __future__ import annotations

import json

import anyio

from ssh_mcp.cli.output import console, print_json, say
from ssh_mcp.results.server import HostListEntry


def show_hosts(*, as_json: bool) -> int:
    """The hosts as ssh_host_list returns them. Exit status 1 where there are none."""
    from ssh_mcp.cli.doctor import doctors_fleet
    from ssh_mcp.inventory.resolve import load_inventory
    from ssh_mcp.remote.hosts import listed_hosts
    from ssh_mcp.settings.model import load_settings

    settings, _ = load_settings()
    inventory, warnings = load_inventory(settings)

    async def look() -> list[HostListEntry]:
        fleet = doctors_fleet(settings, inventory)
        try:
            return await listed_hosts(fleet, fleet.inventory.listed())
        finally:
            await fleet.aclose()

    found = anyio.run(look)
    if as_json:
        print_json(json.dumps([each.model_dump(mode="json") for each in found], indent=2))
        return 0 if found else 1
    out = console()
    for line in () if found else warnings:
        say(out, line)
    for each in found:
        say(out, f"{each.alias}  {login(each)}", indent=4)
        for name, values in (
            ("tags", each.tags),
            ("paths", each.allowed_paths or ["none"]),
            ("programs", each.allowed_programs or ["none"]),
        ):
            if values:
                say(out, f"    {name}: {', '.join(values)}", indent=6)
    return 0 if found else 1


def login(host: HostListEntry) -> str:
    """``user@hostname:port via bastion``; what ssh could not say is left out."""
    name = host.hostname or host.alias
    name = f"[{name}]" if ":" in name else name
    user = f"{host.user}@" if host.user else ""
    port = f":{host.port}" if host.port else ""
    via = f" via {', '.join(host.jump_hosts)}" if host.jump_hosts else ""
    return f"{user}{name}{port}{via}"


def show_tools(*, as_json: bool) -> int:
    """Every tool with its tier and group; a closed one with what opens it."""
    from ssh_mcp.settings.model import load_settings
    from ssh_mcp.tools.catalogue import closed_tools, read

    settings, _ = load_settings()
    entries = read()
    closed = closed_tools(entries, settings)
    if as_json:
        rows = [
            {
                "name": each.name,
                "group": each.group,
                "tier": each.tier.value,
                "open": each.name not in closed,
                "opened_by": closed.reasons[each.name].opens if each.name in closed else None,
                "description": each.description,
            }
            for each in entries
        ]
        print_json(json.dumps(rows, indent=2))
        return 0
    out = console()
    say(out, f"{len(entries) - len(closed.reasons)} of {len(entries)} tools are open.")
    for group in dict.fromkeys(each.group for each in entries):
        say(out, "")
        say(out, group)
        for each in (e for e in entries if e.group == group):
            how = f"closed: the operator {closed.reasons[each.name].opens}" if each.name in closed else "open"
            say(out, f"  {each.name} ({each.tier.value}) {how}", indent=6)
    return 0
