"""Tiers and groups: which tools exist for a caller at all. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, Protocol, get_args

if TYPE_CHECKING:
    from ssh_mcp.settings.model import Settings


class Tier(StrEnum):
    """What a tool can do to a host, from harmless to root."""

    READ = "read"
    LOW_ACCESS = "low-access"
    DANGEROUS = "dangerous"
    SUDO = "sudo"


Group = Literal[
    "host", "session", "sftp-read", "file-ops", "exec", "job", "shell", "sudo", "docker", "systemctl", "pkg", "forward",
    "terminal",
    "device",
]  # fmt: skip

GROUPS: tuple[Group, ...] = get_args(Group)


class Placed(Protocol):
    """Anything with a tier and a group: a registered tool."""

    @property
    def tier(self) -> Tier: ...

    @property
    def group(self) -> Group: ...


def open_tiers(settings: Settings) -> tuple[Tier, ...]:
    """From harmless upwards. sudo opens only together with dangerous."""
    opened = {
        Tier.READ: True,
        Tier.LOW_ACCESS: settings.allow_low_access_tools,
        Tier.DANGEROUS: settings.allow_dangerous_tools,
        Tier.SUDO: settings.allow_sudo and settings.allow_dangerous_tools,
    }
    return tuple(tier for tier in Tier if opened[tier])


def enabled_groups(settings: Settings) -> tuple[Group, ...]:
    """SSH_ENABLED_GROUPS without the names that mean nothing; empty setting: all."""
    if not settings.ssh_enabled_groups:
        return GROUPS
    return tuple(g for g in GROUPS if g in settings.ssh_enabled_groups)


def visible(tier: Tier, group: Group, settings: Settings) -> bool:
    """Whether a tool of this tier and group is listed and callable."""
    return tier in open_tiers(settings) and group in enabled_groups(settings)


def overview(tools: Iterable[Placed], settings: Settings) -> list[str]:
    """One line a tier and a group for the log: visible/registered."""
    placed = [(t.tier, t.group, visible(t.tier, t.group, settings)) for t in tools]
    lines = [_line("tier", tier, [shown for t, _, shown in placed if t is tier]) for tier in Tier]
    return lines + [_line("group", group, [shown for _, g, shown in placed if g == group]) for group in GROUPS]


def _line(kind: str, name: str, shown: list[bool]) -> str:
    return f"{kind} {name}: {sum(shown)}/{len(shown)}"
