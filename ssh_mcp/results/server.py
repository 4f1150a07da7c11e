"""Results about this server, its inventory and its connections."""

from __future__ import annotations

from pydantic import Field

from ssh_mcp.results.base import Ours, Result, Spooled, Warned


class ServerInfo(Result):
    """What this server is and what the operator opened."""

    name: Ours
    version: Ours
    total_tools: int
    enabled_tiers: list[Ours]
    enabled_groups: list[Ours]


class HostListEntry(Result):
    """One host of the inventory. What only ssh_config decides is resolved, or null where ssh could not say."""

    alias: Ours
    hostname: Ours | None
    port: int | None
    platform: Ours
    user: Ours | None
    auth_method: Ours
    has_notes: bool
    jump_hosts: list[Ours] | None = None
    tags: list[Ours] = Field(default_factory=list)
    allowed_paths: list[Ours] = Field(default_factory=list)
    allowed_programs: list[Ours] = Field(default_factory=list)


class HostList(Spooled):
    """``open_tiers`` holds for every host. A hosts.toml that could not be taken is reported in output_warnings."""

    hosts: list[HostListEntry] = Field(default_factory=list)
    count: int = 0
    open_tiers: list[Ours] = Field(default_factory=list)


class HostReload(Spooled):
    """What a reload of hosts.toml changed; lists hold aliases."""

    loaded: int
    source: Ours
    added: list[Ours] = Field(default_factory=list)
    removed: list[Ours] = Field(default_factory=list)
    changed: list[Ours] = Field(default_factory=list)


class SessionEntry(Result):
    """One live master. ``via`` names its jump hosts, nearest first; ``aliases`` the hosts that use it."""

    user: Ours
    host: Ours
    port: int
    idle_seconds: float
    pid: int | None
    transport: Ours
    active_channels: int
    aliases: list[Ours] = Field(default_factory=list)
    via: list[Ours] = Field(default_factory=list)


class SessionList(Spooled):
    sessions: list[SessionEntry] = Field(default_factory=list)
    count: int = 0


class Ping(Warned):
    """``latency_ms`` is one round trip on the ready connection; ``error`` says why there is none."""

    host: Ours
    reachable: bool
    auth_ok: bool
    latency_ms: int
    server_banner: str | None = None
    known_host_fingerprint: Ours | None = None
    operator_notes: Ours | None = None
    agent_notes: str | None = None
    error: str | None = None


class KnownHostsVerify(Result):
    """Fingerprints are ``SHA256:…``."""

    host: Ours
    expected_fingerprint: Ours | None
    live_fingerprint: Ours | None
    matches_known_hosts: bool
    error: str | None = None


class HostNotes(Result):
    alias: Ours
    hostname: Ours
    operator_notes: Ours | None
    agent_notes: str | None
    agent_notes_path: Ours | None
    has_notes: bool


class HostNotesWritten(Result):
    alias: Ours
    hostname: Ours
    agent_notes_path: Ours
    bytes_written: int
    was_created: bool
    message: Ours
