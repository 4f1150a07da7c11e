"""The one place where the parts are put together: settings, inventory, transport, audit, hooks and FastMCP's server."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ssh_mcp.approval.desk import Approvals
from ssh_mcp.approval.sealing import request_state_security
from ssh_mcp.approval.store import ApprovalStore
from ssh_mcp.audit.hooks import HookRegistry, Hooks, load_hooks
from ssh_mcp.audit.sinks import Audit
from ssh_mcp.distribution import WEBSITE, version
from ssh_mcp.guard.spool import Spool
from ssh_mcp.inventory.notes import Notes
from ssh_mcp.inventory.resolve import load_inventory
from ssh_mcp.policy.closed import ClosedTools
from ssh_mcp.policy.tiers import GROUPS, open_tiers, overview
from ssh_mcp.policy.toolset import is_core
from ssh_mcp.remote.admission import Rate, handle
from ssh_mcp.remote.exec.shells import Shells
from ssh_mcp.remote.fleet import Fleet, ServerFacts
from ssh_mcp.runtime import runtime_directory
from ssh_mcp.server.late_transport import LateTransport
from ssh_mcp.server.operator.service import OperatorService
from ssh_mcp.server.server import Server
from ssh_mcp.server.surface import decorate
from ssh_mcp.settings.model import Settings, load_settings
from ssh_mcp.tools.catalogue import Entry, closed_tools, read, unknown_names
from ssh_mcp.tools.registered import RegisteredTool
from ssh_mcp.tools.runner import Runner

if TYPE_CHECKING:
    from fastmcp import FastMCP

    from ssh_mcp.recording.recorder import Recorder
    from ssh_mcp.server.background import Background
    from transports.api import Transport

NAME = "ssh-mcp"
TITLE = "OpenSSH MCP"
CACHE_LISTS = 300
"""Seconds that a client may keep what was listed: it only changes with a new process of ours."""
INSTRUCTIONS = (
    "SSH access to the operator's hosts through OpenSSH, under the operator's policy. `host` is an alias or hostname: "
    "start with ssh_host_list and ssh_host_ping. Prefer the dedicated tools over shell commands; a refusal says what "
    "to use instead. Output is masked where it holds secrets, and output_warnings says what else is odd about it. "
    "skill://TOOL/SKILL.md explains each tool, skill://NAME/SKILL.md a job (read them when unsure)."
)

logger = logging.getLogger("ssh_mcp")

TransportFactory = Callable[[Settings], "Transport"]


@dataclass(slots=True)
class App:
    """A server, put together and not yet running."""

    settings: Settings
    server: Server
    fleet: Fleet
    audit: Audit
    hooks: Hooks
    runner: Runner


def openssh(settings: Settings) -> Transport:
    """The transport of the product: the system's own OpenSSH."""

    def make() -> Transport:
        from ssh_mcp.inventory.destination import transport_config
        from transports.openssh.transport import OpenSSHTransport

        return OpenSSHTransport(transport_config(settings))

    return LateTransport(make)


def build(settings: Settings, warnings: list[str] | None = None, *, transport: TransportFactory = openssh) -> App:
    """Put a server together. Raises ConfigError with one line where a setting or hosts.toml forbids the start."""
    remarks = list(warnings or [])
    catalogue = read()
    inventory, more = load_inventory(settings, tools=frozenset(entry.name for entry in catalogue))
    remarks += more
    remarks += unknown_names(catalogue, settings)
    if settings.mcp_transport != "stdio" and settings.mcp_auth != "bearer" and not inventory.roles.identities:
        remarks.append("hosts.toml has no [identities]: every valid token may use all that this server opens.")
    closed = closed_tools(catalogue, settings)
    entries = tuple(
        replace(e, description=closed.without_advice(e.description, say=False))
        for e in catalogue
        if e.name not in closed
    )
    store = ApprovalStore()
    fleet = Fleet(
        settings=settings,
        facts=_facts(entries, settings, closed),
        inventory=inventory,
        transport=transport(settings),
        notes=Notes(settings),
        shells=Shells(),
        spool=_spool(entries, settings),
        rate=Rate(settings.mcp_rate_limit),
        approvals=Approvals(store, channel=settings.ssh_ask_channel, seconds=settings.ssh_ask_seconds),
    )
    audit = Audit(
        Path(settings.ssh_audit_file) if settings.ssh_audit_file else None,
        masked=settings.ssh_audit_detail == "masked",
        form=settings.ssh_audit_format,
    )
    registry = HookRegistry()
    if settings.ssh_hooks_module:
        load_hooks(settings.ssh_hooks_module, registry)
    hooks = Hooks(registry)
    runner = Runner(
        fleet=fleet,
        audit=audit,
        hooks=hooks,
        recorder=_recorder(settings),
        entries={entry.name: entry for entry in entries},
    )
    server = _server(fleet, audit, hooks)
    background = _background(entries, settings, remarks)
    if background is not None:
        server.add_extension(background)
    small = is_core(settings.ssh_tools)
    for entry in entries:
        kind = background.tool if background and entry.task else RegisteredTool.of
        made = kind(entry, runner, small=small)
        server.add_tool(made)
    decorate(server, runner, {entry.name: entry for entry in entries})
    tiers = {entry.name: entry.tier.value for entry in catalogue}
    known = [entry.name for entry in entries]
    server.refuse_absent = lambda name, given: runner.refuse_absent(name, given, tiers.get(name, "?"), known)
    server.on_bad_state(lambda name, given: runner.note_bad_state(name, given, tiers.get(name, "?")))
    for line in remarks:
        logger.warning("%s", line)
    facts = fleet.facts
    # A client in a terminal shows what we write: one line, and for HTTP that is the address.
    logger.log(
        logging.INFO if settings.mcp_transport == "stdio" else logging.DEBUG,
        "ssh-mcp %s: %d of %d tools (%s), %s",
        facts.version,
        facts.total_tools,
        len(catalogue),
        ", ".join(facts.tiers),
        "1 host" if (count := len(inventory.listed())) == 1 else f"{count} hosts",
    )
    for line in overview(catalogue, settings):
        logger.debug("%s", line)
    return App(settings, server, fleet, audit, hooks, runner)


def _spool(entries: tuple[Entry, ...], settings: Settings) -> Spool:
    """Keeps what results leave out, where there is a tool that reads it."""
    readable = any(entry.name == "ssh_output_read" for entry in entries)
    return Spool(
        runtime_directory,
        settings.ssh_spool_max_bytes if readable else 0,
        settings.ssh_spool_keep_seconds,
        suffix=handle("", settings.mcp_instance),
    )


def _background(entries: tuple[Entry, ...], settings: Settings, remarks: list[str]) -> Background | None:
    """Background tasks where they are wanted and can be had: importing them takes 0.8 s."""
    if settings.fastmcp_docket_url is None or not any(entry.task for entry in entries):
        return None
    try:
        from ssh_mcp.server.background import Background
    except ImportError:
        remarks.append("FASTMCP_DOCKET_URL is set, but background tasks are missing: pip install 'openssh-mcp[tasks]'.")
        return None
    background = Background(settings)
    remarks += background.remarks(settings)
    return background


def _facts(entries: tuple[Entry, ...], settings: Settings, closed: ClosedTools) -> ServerFacts:
    groups = {e.group for e in entries}
    return ServerFacts(
        name=NAME,
        version=version(),
        total_tools=len(entries),
        tiers=tuple(tier.value for tier in open_tiers(settings)),
        groups=tuple(g for g in GROUPS if g in groups),
        tools=frozenset(e.name for e in entries),
        closed=closed,
    )


def _recorder(settings: Settings) -> Recorder | None:
    """Raises ConfigError where SSH_RECORD_DIR cannot be trusted."""
    if settings.ssh_record_dir is None:
        return None
    from ssh_mcp.recording.recorder import Recorder  # late: most servers record nothing

    return Recorder(
        Path(settings.ssh_record_dir),
        keep_days=settings.ssh_record_keep_days,
        max_bytes=settings.ssh_record_max_bytes,
    )


def _server(fleet: Fleet, audit: Audit, hooks: Hooks) -> Server:
    operator = OperatorService(fleet, audit)

    @asynccontextmanager
    async def lifespan(_server: FastMCP[Any]) -> AsyncIterator[None]:
        async with fleet.spool.tended(), hooks.running(), fleet.shells.tended(), operator.listening():
            try:
                yield None
            finally:
                await fleet.aclose()
                audit.close()

    server = Server(
        NAME,
        instructions=fleet.facts.closed.without_advice(INSTRUCTIONS, say=False),
        version=version(),
        website_url=WEBSITE,
        lifespan=lifespan,
        dereference_schemas=False,
        mask_error_details=False,
        request_state_security=request_state_security(fleet.approvals.store, NAME),
    )
    server.describe(TITLE, cache_lists=CACHE_LISTS)
    return server


def create_server() -> Server:
    """Entry point of fastmcp.json: the server as the environment configures it. Raises ConfigError."""
    settings, warnings = load_settings()
    return build(settings, warnings).server


async def check_pinned_keys(app: App) -> None:
    """Look every pinned fingerprint up in its agent. Raises AgentFingerprintNotFound, which lists the agent's keys."""
    pinned = {
        (each.auth.identity_agent, each.auth.identity_fingerprint)
        for policy in app.fleet.inventory.hosts.values()
        for each in (policy, *policy.jump)
        if each.auth.identity_fingerprint
    }
    if not pinned:
        return
    from transports.openssh.login.agent import agent_socket, pinned_key
    from transports.openssh.login.binaries import probe

    binaries = await probe()
    for agent, fingerprint in pinned:
        await pinned_key(binaries, agent_socket(agent), fingerprint or "")
