"""``ssh-mcp doctor [HOST]``: what would fail, and how to fix it. Changes nothing, and closes what it opened."""

from __future__ import annotations

from collections import defaultdict

import anyio
from rich.console import Console

from ssh_mcp.audit.sinks import Audit
from ssh_mcp.cli import local_checks
from ssh_mcp.cli.findings import Finding, Report, fail, ok, warn
from ssh_mcp.cli.host_checks import host_findings
from ssh_mcp.errors import ConfigError, Refusal
from ssh_mcp.guard.spool import Spool
from ssh_mcp.inventory.destination import transport_config
from ssh_mcp.inventory.model import HostPolicy
from ssh_mcp.inventory.notes import Notes
from ssh_mcp.inventory.resolve import Inventory, load_inventory
from ssh_mcp.remote.call import Call
from ssh_mcp.remote.exec.shells import Shells
from ssh_mcp.remote.fleet import Fleet, ServerFacts
from ssh_mcp.runtime import runtime_directory
from ssh_mcp.settings.model import Settings, load_settings
from transports.errors import TransportError
from transports.openssh.transport import OpenSSHTransport

AT_ONCE = 8
"""Hosts looked at in parallel."""

NO_START = "The server does not start with it."


def examine(name: str | None, *, as_json: bool = False) -> int:
    """Print the report. Exit status 0 where nothing fails, 1 where something does."""
    return anyio.run(_examine, name, as_json)


async def _examine(name: str | None, as_json: bool) -> int:
    report = Report(Console(highlight=False), as_json=as_json)
    binaries, findings = await local_checks.openssh()
    report.section("OpenSSH", findings)
    settings, inventory, findings = _configuration()
    report.section("Configuration", findings)
    policies = _chosen(inventory, name)
    report.section("Environment", local_checks.environment(binaries, policies, settings))
    report.section("Agent", await local_checks.agent(binaries, policies))
    if settings is not None:
        report.section("Permissions", local_checks.permissions(settings, policies))
        report.section("Audit", local_checks.audit(settings))
    report.section("Sockets", local_checks.sockets())
    if settings is not None and inventory is not None and binaries is not None:
        report.section("Allowlists", local_checks.allowances(settings, policies))
        report.section("Sudo", await local_checks.password_command(settings))
        await _hosts(report, settings, inventory, [name] if name else [policy.alias for policy in policies])
    report.close()
    return 1 if report.failures else 0


def _configuration() -> tuple[Settings | None, Inventory | None, list[Finding]]:
    try:
        settings, warnings = load_settings()
    except ConfigError as error:
        return None, None, [*local_checks.unused_files(), fail(str(error), NO_START)]
    findings = [*local_checks.settings_files(), *(warn(line, "") for line in warnings)]
    try:
        inventory, more = load_inventory(settings)
    except ConfigError as error:
        return settings, None, [*findings, fail(str(error), NO_START)]
    findings += [warn(line, "") for line in more]
    count = len(inventory.listed())
    if count:
        findings.append(ok(f"{count} host{'s' if count != 1 else ''} from {inventory.source}"))
    return settings, inventory, [*findings, local_checks.catalogue(settings)]


def _chosen(inventory: Inventory | None, name: str | None) -> list[HostPolicy]:
    """The hosts to look at; the named one's refusal is reported with the hosts."""
    if inventory is None:
        return []
    if name is None:
        return list(inventory.listed())
    try:
        return [inventory.resolve(name)]
    except Refusal:
        return []


async def _hosts(report: Report, settings: Settings, inventory: Inventory, aliases: list[str]) -> None:
    fleet = doctors_fleet(settings, inventory)
    reports: dict[str, list[Finding]] = {}
    limiter = anyio.CapacityLimiter(AT_ONCE)
    alone: defaultdict[str, anyio.Lock] = defaultdict(anyio.Lock)

    async def look(alias: str) -> None:
        async with limiter:
            hostname = await _hostname(fleet, alias)
        # How many connections a host needs can only be counted while no other alias of it is looked at.
        async with alone[hostname], limiter:
            reports[alias] = await _one(fleet, alias)

    try:
        async with anyio.create_task_group() as tasks:
            for alias in aliases:
                tasks.start_soon(look, alias)
    finally:
        await fleet.aclose()
    for alias in aliases:
        report.section(f"Host {alias}", reports[alias])


async def _hostname(fleet: Fleet, alias: str) -> str:
    """Where the alias really leads, or the alias itself where that cannot be said."""
    try:
        return (await fleet.effective(fleet.inventory.resolve(alias))).hostname
    except (Refusal, TransportError):
        return alias


def doctors_fleet(settings: Settings, inventory: Inventory) -> Fleet:
    """What tools reach hosts through, without a server around it."""
    return Fleet(
        settings=settings,
        facts=ServerFacts("ssh-mcp doctor", "", 0, (), ()),
        inventory=inventory,
        transport=OpenSSHTransport(transport_config(settings)),
        notes=Notes(settings),
        shells=Shells(),
        spool=Spool(runtime_directory, 0, 0.0),
    )


async def _one(fleet: Fleet, alias: str) -> list[Finding]:
    # The record is never finished, so no audit line is written: nobody called a tool.
    call = Call(fleet=fleet, record=Audit(None).begin("doctor", "read"))
    try:
        host = await call.host(alias)
        return await host_findings(host)
    except (Refusal, TransportError) as error:
        return [fail(error.what, error.remedy)]
