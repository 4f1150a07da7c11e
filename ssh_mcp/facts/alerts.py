"""Measured values against the operator's limits. Pure arithmetic, no question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ssh_mcp.facts.disk import Filesystem
from ssh_mcp.facts.load import MemoryStatus
from ssh_mcp.inventory.model import AlertLimits

_PSEUDO = frozenset({"devtmpfs", "squashfs", "iso9660", "udf", "devfs", "autofs", "efivarfs", "erofs"})
"""Types that are always full or never fill, so that their use says nothing."""


@dataclass(frozen=True, slots=True)
class Breach:
    """``severity`` is critical where the value is twice past the limit's distance to the end, else warning."""

    metric: str
    threshold: float
    current: float
    severity: str
    detail: str


def watched(disks: Sequence[Filesystem], limits: AlertLimits) -> list[Filesystem]:
    """The operator's ``disk_mounts``, or every filesystem that can fill up, each source once."""
    if limits.disk_mounts:
        return [d for d in disks if d.mount in limits.disk_mounts]
    seen: set[str] = set()
    kept: list[Filesystem] = []
    for disk in disks:
        shared = disk.source if disk.source.startswith("/") else disk.mount
        if disk.use_percent is None or disk.size == 0 or disk.type in _PSEUDO or shared in seen:
            continue
        seen.add(shared)
        kept.append(disk)
    return kept


def breaches(
    limits: AlertLimits, disks: Sequence[Filesystem], load: float | None, memory: MemoryStatus | None
) -> list[Breach]:
    """Every limit that is passed, worst kind first in the order disk, load, memory."""
    found: list[Breach] = []
    limit = limits.disk_use_percent_max
    if limit is not None:
        for disk in watched(disks, limits):
            if disk.use_percent is not None and disk.use_percent > limit:
                severe = disk.use_percent >= (limit + 100) / 2
                found.append(
                    _breach("disk_use_percent", limit, disk.use_percent, f"{disk.mount} is", "%", severe=severe)
                )
    limit = limits.load_avg_1min_max
    if limit is not None and load is not None and load > limit:
        found.append(_breach("load_avg_1min", limit, load, "load is", "", severe=load >= 2 * limit))
    limit = limits.mem_free_percent_min
    if limit is not None and memory is not None and memory.free_percent < limit:
        free = memory.free_percent
        found.append(_breach("mem_free_percent", limit, free, "memory available is", "%", severe=free <= limit / 2))
    return found


def _breach(metric: str, limit: float, current: float, what: str, unit: str, *, severe: bool) -> Breach:
    detail = f"{what} {current:g}{unit}, limit {limit:g}{unit}"
    return Breach(metric, limit, current, "critical" if severe else "warning", detail)
