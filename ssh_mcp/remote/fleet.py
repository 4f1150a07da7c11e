"""All hosts: from a name to a RemoteHost, with the blocklist applied to what ssh would really connect to."""

from __future__ import annotations

import logging
from dataclasses import InitVar, dataclass, field, replace
from typing import TYPE_CHECKING

import anyio

from ssh_mcp.approval.desk import Approvals
from ssh_mcp.approval.store import ApprovalStore
from ssh_mcp.errors import ConfigError, HostNotAllowed, InvalidArgument
from ssh_mcp.inventory.destination import to_destination
from ssh_mcp.inventory.resolve import Stamp, diff, load_inventory, stamp
from ssh_mcp.policy.closed import ClosedTools
from ssh_mcp.remote.admission import Rate
from ssh_mcp.remote.capabilities import CapabilityCache
from ssh_mcp.remote.exec.jobs.ledger import JobLedger
from ssh_mcp.remote.host import RemoteHost

if TYPE_CHECKING:
    from ssh_mcp.guard.spool import Spool
    from ssh_mcp.inventory.model import HostPolicy
    from ssh_mcp.inventory.notes import Notes
    from ssh_mcp.inventory.resolve import Inventory
    from ssh_mcp.remote.call import Call
    from ssh_mcp.remote.devices.terminals import Terminals
    from ssh_mcp.remote.exec.shells import Shells
    from ssh_mcp.remote.forwards.forwards import Forwards
    from ssh_mcp.settings.model import Settings
    from transports.api import Destination, Effective, HostKeyCheck, SessionStatus, Transport


logger = logging.getLogger("ssh_mcp")

CLOSE_LIMIT = 5.0
"""Seconds that each step of a clean stop may take."""


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What the server says of itself; counted when the catalogue was filtered."""

    name: str
    version: str
    total_tools: int
    tiers: tuple[str, ...]
    groups: tuple[str, ...]
    tools: frozenset[str] = frozenset()
    """Names of the tools that a caller can use."""
    closed: ClosedTools = field(default_factory=ClosedTools)


@dataclass(frozen=True, slots=True)
class InventoryChange:
    """What a reload did; the tuples hold aliases."""

    loaded: int
    source: str
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    warnings: tuple[str, ...]


@dataclass(slots=True)
class Fleet:
    """The state that all calls share. ``inventory`` is swapped whole by a reload."""

    settings: Settings
    facts: ServerFacts
    inventory: Inventory
    transport: InitVar[Transport]
    """Kept to itself: a host is reached through ``host``, with its policy."""
    notes: Notes
    shells: Shells
    spool: Spool
    approvals: Approvals = field(default_factory=lambda: Approvals(ApprovalStore()))
    rate: Rate = field(default_factory=lambda: Rate(0))
    running: dict[str, Call] = field(default_factory=dict)
    """Calls under way, by correlation id."""
    capabilities: CapabilityCache = field(default_factory=CapabilityCache)
    jobs: JobLedger = field(default_factory=JobLedger)
    inventory_problem: str | None = None
    """Why the last change of hosts.toml was not taken; None while the file and ``inventory`` agree."""
    _transport: Transport = field(init=False)
    _forwards: Forwards | None = None
    _terminals: Terminals | None = None
    _destinations: dict[HostPolicy, Destination] = field(default_factory=dict)
    _stamp: Stamp | None = None

    def __post_init__(self, transport: Transport) -> None:
        self._transport = transport
        self._stamp = stamp(self.settings)

    @property
    def forwards(self) -> Forwards:
        """Open forwards; made at the first use, for few servers forward."""
        if self._forwards is None:
            from ssh_mcp.remote.forwards.forwards import Forwards

            self._forwards = Forwards()
        return self._forwards

    @property
    def terminals(self) -> Terminals:
        """Open terminals; made at the first use."""
        if self._terminals is None:
            from ssh_mcp.remote.devices.terminals import Terminals

            self._terminals = Terminals()
        return self._terminals

    def destination(self, policy: HostPolicy) -> Destination:
        """The transport's view of a host; the same policy gives the same object."""
        found = self._destinations.get(policy)
        if found is None:
            found = self._destinations[policy] = to_destination(policy, self.settings)
        return found

    def sessions(self) -> tuple[SessionStatus, ...]:
        """Live connections."""
        return self._transport.sessions()

    async def effective(self, policy: HostPolicy) -> Effective:
        """What ssh would really connect to (``ssh -G``). Raises TransportError."""
        return await self._transport.effective(self.destination(policy))

    async def verify_host_key(self, policy: HostPolicy) -> HostKeyCheck:
        """Compare the live host key with the known one, without logging in."""
        return await self._transport.verify_host_key(self.destination(policy))

    async def host(self, name: str, call: Call) -> RemoteHost:
        """The host that an alias or a hostname means. Raises HostNotAllowed, HostBlocked."""
        policy = self._resolve(name, call)
        destination = self.destination(policy)
        canonical, user, port = policy.hostname, destination.user, destination.port
        if self.inventory.needs_effective(policy):
            effective = await self.effective(policy)
            self.inventory.check_effective(policy, effective)
            user, port = user or effective.user, port or effective.port
            if not policy.hostname_given:
                canonical = effective.hostname
        if call.role is not None and call.role.ask:
            policy = replace(policy, ask=(*policy.ask, *call.role.ask))
        return RemoteHost(
            policy, self._transport.connection(destination), call, hostname=canonical, user=user, port=port
        )

    def _resolve(self, name: str, call: Call) -> HostPolicy:
        try:
            policy = self.inventory.resolve(name)
            if call.role is not None:
                call.role.require_host(policy.alias)
            return policy
        except HostNotAllowed as error:
            if self.inventory_problem is None:
                raise
            raise HostNotAllowed(
                error.what, "The last change of hosts.toml has an error and is not in force."
            ) from None

    def refresh(self) -> None:
        """Read hosts.toml again where it changed since it was last read. A file with an error changes nothing.

        Costs one stat(2) where nothing changed. What is wrong is logged once, and kept in ``inventory_problem``.
        """
        now = stamp(self.settings)
        if now == self._stamp:
            return
        self._stamp = now
        try:
            change = self.reload_inventory()
        except InvalidArgument as error:
            logger.warning("%s", error)
            return
        logger.info(
            "hosts.toml changed: %d added, %d removed, %d changed",
            len(change.added),
            len(change.removed),
            len(change.changed),
        )
        for line in change.warnings:
            logger.warning("%s", line)

    def reload_inventory(self) -> InventoryChange:
        """Read hosts.toml again and swap, or change nothing. Raises InvalidArgument with the loader's line.

        Calls that run keep the host they have.
        """
        self._stamp = stamp(self.settings)
        try:
            fresh, warnings = load_inventory(self.settings, tools=self.facts.tools.union(self.facts.closed.reasons))
        except ConfigError as error:
            self.inventory_problem = str(error)
            raise InvalidArgument(f"The new inventory was not taken: {error}", "The old one stays in force.") from None
        added, removed, changed = diff(self.inventory, fresh)
        self.inventory = fresh
        self.inventory_problem = None
        self._destinations = {}
        self.capabilities.forget()
        return InventoryChange(
            loaded=len(fresh.hosts),
            source=fresh.source,
            added=added,
            removed=removed,
            changed=changed,
            warnings=tuple(warnings),
        )

    async def aclose(self) -> None:
        """End what is ours: shell sessions first, then channels and masters that nobody else uses."""
        with anyio.CancelScope(shield=True), anyio.move_on_after(CLOSE_LIMIT):
            await self.shells.aclose()
        if self._terminals is not None:
            with anyio.CancelScope(shield=True), anyio.move_on_after(CLOSE_LIMIT):
                await self._terminals.aclose()
        if self._forwards is not None:
            with anyio.CancelScope(shield=True), anyio.move_on_after(CLOSE_LIMIT):
                await self._forwards.aclose()
        with anyio.CancelScope(shield=True), anyio.move_on_after(CLOSE_LIMIT):
            await self._transport.aclose()
