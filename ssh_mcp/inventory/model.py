"""What the operator decided about one host, after all layers were merged. Values only."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from transports.api import Auth


class Platform(StrEnum):
    """linux, macos, bsd and darwin in hosts.toml mean POSIX."""

    POSIX = "posix"
    WINDOWS = "windows"


class BypassPolicy(StrEnum):
    """What happens when a raw reader meets a redact-listed path."""

    BLOCK = "block"
    WARN = "warn"
    AUDIT_ONLY = "audit_only"


@dataclass(frozen=True, slots=True)
class PathPolicy:
    """The host's own lists merged with the environment's. ``"*"`` or ``"/"`` in ``allow`` means everything.

    ``fold_case``: the host's file system ignores case (macOS), so rules that forbid must ignore it too.
    """

    allow: tuple[str, ...] = ()
    restricted: tuple[str, ...] = ()
    restricted_globs: tuple[str, ...] = ()
    redact_globs: tuple[str, ...] = ()
    bypass: BypassPolicy = BypassPolicy.BLOCK
    windows: bool = False
    default_dir: str | None = None
    fold_case: bool = False


@dataclass(frozen=True, slots=True)
class CommandPolicy:
    """``allow`` is the union of host and environment."""

    allow: tuple[str, ...] = ()
    allow_any: bool = False
    cheatsheet: bool = True
    redact_globs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RedactionPolicy:
    """How secrets in this host's texts are found and marked."""

    keys_add: tuple[str, ...] = ()
    keys_replace: tuple[str, ...] = ()
    entropy: bool = True
    hint_chars: int = 0
    salt: str = ""
    output: bool = True


@dataclass(frozen=True, slots=True)
class AlertLimits:
    """Thresholds of ``[hosts.<alias>.alerts]``; None: not watched."""

    disk_use_percent_max: float | None = None
    load_avg_1min_max: float | None = None
    mem_free_percent_min: float | None = None
    disk_mounts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ForwardPolicy:
    """Which targets forwards may lead to: ``host:port`` entries per kind, see ``policy.forwards``."""

    local: tuple[str, ...] = ()
    remote: tuple[str, ...] = ()
    dynamic: bool = False


@dataclass(frozen=True, slots=True)
class DevicePolicy:
    """A network system: its scrapli definition, what may be sent to it (``policy.devices``), and the local command
    line whose first line of output is its enable secret.
    """

    definition: str
    allow: tuple[str, ...] = ()
    enable_cmd: str | None = None


@dataclass(frozen=True, slots=True)
class AskEntry:
    """One ask rule as written, and where (file and line, or the environment's name)."""

    entry: str
    source: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class HostPolicy:
    """One host. ``ssh_name`` is the name passed to ssh; ``alias`` is the name of results.

    ``hostname_given`` False: only ssh's own configuration knows the real name (``Transport.effective`` returns it), and
    ``hostname`` repeats ``ssh_name`` until then.
    """

    alias: str
    hostname: str
    ssh_name: str
    user: str | None = None
    port: int | None = None
    platform: Platform = Platform.POSIX
    auth: Auth = field(default_factory=Auth)
    jump: tuple[HostPolicy, ...] = ()
    ssh_options: tuple[tuple[str, str], ...] = ()
    paths: PathPolicy = field(default_factory=PathPolicy)
    commands: CommandPolicy = field(default_factory=CommandPolicy)
    ask: tuple[AskEntry, ...] = ()
    redaction: RedactionPolicy = field(default_factory=RedactionPolicy)
    alerts: AlertLimits = field(default_factory=AlertLimits)
    persistent_session: bool = True
    docker_cmd: tuple[str, ...] = ("docker",)
    compose_cmd: tuple[str, ...] | None = None
    notes: str | None = None
    tags: tuple[str, ...] = ()
    forwards: ForwardPolicy = field(default_factory=ForwardPolicy)
    device: DevicePolicy | None = None
    sync_delete: bool = False
    sudo_mode: Literal["per-call"] = "per-call"
    in_inventory: bool = True
    hostname_given: bool = True

    @property
    def windows(self) -> bool:
        return self.platform is Platform.WINDOWS
