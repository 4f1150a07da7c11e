"""Tiers and groups (BEHAVIOUR section 4): which tools exist for a caller at all."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, get_args


class Tier(StrEnum):
    """What a tool can do to a host, from harmless to root."""

    READ = "read"
    LOW_ACCESS = "low-access"
    DANGEROUS = "dangerous"
    SUDO = "sudo"


Group = Literal[
    "host", "session", "sftp-read", "file-ops", "exec", "shell", "sudo", "docker", "systemctl", "pkg"
]  # fmt: skip

GROUPS: tuple[Group, ...] = get_args(Group)
