"""``ssh-mcp doctor [HOST]``: what would fail, and how to mend it."""

from __future__ import annotations

import anyio
from rich.console import Console

from ssh_mcp.app import App, build
from ssh_mcp.cli import local_checks
from ssh_mcp.cli.findings import Finding, fail, ok, show, warn
from ssh_mcp.cli.host_checks import host_findings
from ssh_mcp.errors import ConfigError, Refusal
from ssh_mcp.inventory.resolve import Inventory, load_inventory
from ssh_mcp.remote.call import Call
from ssh_mcp.settings import Settings, load_settings
from transports.errors import TransportError

AT_ONCE = 8
"""Hosts looked at in parallel."""


def examine(name: str | None) -> int:
    """Print the report. Exit status 0 where nothing fails, 1 where something does."""
    return anyio.run(_examine, name)


async def _examine(name: str | None) -> int:
    console = Console(highlight=False)
    binaries, findings = await local_checks.openssh()
    failures = show(console, "OpenSSH", findings)
    settings, inventory, findings = _configuration()
    failures += show(console, "Configuration", findings)
    failures += show(console, "Environment", local_checks.environment())
    failures += show(console, "Agent", await local_checks.agent(binaries, inventory))
    if settings is not None:
        failures += show(console, "Permissions", local_checks.permissions(settings, inventory))
        failures += show(console, "Audit", local_checks.audit(settings))
    failures += show(console, "Sockets", local_checks.sockets())
    if settings is not None and inventory is not None and binaries is not None:
        failures += show(console, "Allowlists", local_checks.allowances(settings, inventory))
        if findings := await local_checks.password_command(settings):
            failures += show(console, "Sudo", findings)
        failures += await _hosts(console, settings, inventory, name)
    console.print(f"\n{failures} things would fail." if failures else "\nNothing here would fail.")
    return 1 if failures else 0


def _configuration() -> tuple[Settings | None, Inventory | None, list[Finding]]:
    try:
        settings, warnings = load_settings()
    except ConfigError as error:
        return None, None, [fail(str(error), "Correct it: the server does not start with it.")]
    try:
        inventory, more = load_inventory(settings)
    except ConfigError as error:
        return settings, None, [fail(str(error), "Correct it: the server does not start with it.")]
    findings = [warn(line, "") for line in [*warnings, *more]]
    count = len(inventory.listed())
    if count:
        findings.append(ok(f"{count} hosts from {inventory.source}"))
    else:
        findings.append(warn("no hosts", "Write hosts.toml (`ssh-mcp init`), or set SSH_HOSTS_ALLOWLIST."))
    return settings, inventory, findings


async def _hosts(console: Console, settings: Settings, inventory: Inventory, name: str | None) -> int:
    aliases = [name] if name else [policy.alias for policy in inventory.listed()]
    if not aliases:
        return 0
    app = build(settings)
    reports: dict[str, list[Finding]] = {}
    limiter = anyio.CapacityLimiter(AT_ONCE)

    async def look(alias: str) -> None:
        async with limiter:
            reports[alias] = await _one(app, alias)

    try:
        async with anyio.create_task_group() as tasks:
            for alias in aliases:
                tasks.start_soon(look, alias)
    finally:
        await app.fleet.aclose()
    return sum(show(console, f"Host {alias}", reports[alias]) for alias in aliases)


async def _one(app: App, alias: str) -> list[Finding]:
    call = Call(fleet=app.fleet, record=app.audit.begin("doctor", "read"))
    try:
        host = await call.host(alias)
        return await host_findings(host)
    except (Refusal, TransportError) as error:
        return [fail(error.what, error.remedy)]
